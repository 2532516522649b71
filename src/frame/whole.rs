//! The short way past a [`Decoder`](super::Decoder) at rest: a frame that is a message by itself, and all there.

use core::ops::Range;

use super::header::{FIN, LEN_16, MASK};
use super::{MAX_CONTROL_BYTES, Opcode};
use crate::mask::MaskingKey;

const TEXT: u8 = FIN | Opcode::TEXT.get();
const BINARY: u8 = FIN | Opcode::BINARY.get();
const MOST_7_BITS: u8 = MAX_CONTROL_BYTES as u8;

/// A data frame that is a message by itself, without reserved bits, at the front of some bytes.
pub(crate) struct WholeMessage {
    pub(crate) text: bool,
    /// Where in the bytes its payload data lies, if they are enough.
    pub(crate) payload: Range<usize>,
    pub(crate) key: Option<MaskingKey>,
}

impl WholeMessage {
    /// Recognises one that is `masked` or not, as it has to be, with a length of 7 bits, or else `LONG` of 16: two octets tell. What is
    /// wrong with any other, if anything, is for the decoder to say.
    #[inline(always)]
    pub(crate) fn recognise<const LONG: bool>(masked: bool, bytes: &[u8]) -> Option<Self> {
        let &[first, second, ..] = bytes else { return None };
        if !matches!(first, TEXT | BINARY) {
            return None;
        }
        let (len, start) = match second ^ if masked { MASK } else { 0 } {
            len @ ..=MOST_7_BITS => (usize::from(len), 2),
            LEN_16 if LONG => (usize::from(u16::from_be_bytes(*bytes[2..].first_chunk()?)), 4),
            _ => return None,
        };
        if start == 4 && len < usize::from(LEN_16) {
            return None;
        }
        let (key, start) = if masked {
            let octets = bytes.get(start..start + 4)?.first_chunk()?;
            (Some(MaskingKey::new(*octets)), start + 4)
        } else {
            (None, start)
        };
        Some(Self {
            text: first == TEXT,
            payload: start..start + len,
            key,
        })
    }
}
