//! The short way past a [`Decoder`](super::Decoder) at rest: a frame that is a message by itself.

use core::ops::Range;

use super::header::{FIN, LEN_16, MASK};
use super::{MAX_CONTROL_BYTES, Opcode};
use crate::mask::MaskingKey;

const TEXT: u8 = FIN | Opcode::TEXT.get();
const BINARY: u8 = FIN | Opcode::BINARY.get();

/// A data frame that is a message by itself, without reserved bits, at the front of some bytes.
pub(crate) struct WholeMessage {
    pub(crate) text: bool,
    /// Where in the bytes its payload data lies, if they are enough.
    pub(crate) payload: Range<usize>,
    pub(crate) key: Option<MaskingKey>,
}

impl WholeMessage {
    /// Bytes of a header with a length of 7 bits.
    pub(crate) const fn short_header_len(masked: bool) -> usize {
        if masked { 6 } else { 2 }
    }

    /// Recognises one that is `masked` or not, as it has to be, with a length of 7 bits: the first octets tell. What is wrong
    /// with any other, if anything, is for the decoder to say.
    #[inline(always)]
    pub(crate) fn recognise_short(masked: bool, bytes: &[u8]) -> Option<Self> {
        let (first, second, key) = if masked {
            let header: &[u8; 6] = bytes.first_chunk()?;
            let key = header.last_chunk().map(|octets| MaskingKey::new(*octets));
            (header[0], header[1], key)
        } else {
            let &[first, second] = bytes.first_chunk()?;
            (first, second, None)
        };
        // Comparisons of their own and not one of both octets: the length is what the next message waits for.
        let len = usize::from(second).wrapping_sub(usize::from(if masked { MASK } else { 0 }));
        if len > MAX_CONTROL_BYTES {
            return None;
        }
        let text = match first {
            BINARY => false,
            TEXT => true,
            _ => return None,
        };
        let start = Self::short_header_len(masked);
        Some(Self {
            text,
            payload: start..start + len,
            key,
        })
    }

    /// The length in the second octet of a header, if that has 7 bits.
    #[inline(always)]
    pub(crate) fn short_len(second: u8) -> usize {
        usize::from(second & !MASK)
    }

    /// [`recognise_short`](Self::recognise_short) for lengths of 16 bits.
    #[inline(always)]
    pub(crate) fn recognise_longer(masked: bool, bytes: &[u8]) -> Option<Self> {
        let &[first @ (TEXT | BINARY), second, len_1, len_2, ref rest @ ..] = bytes else {
            return None;
        };
        let len = usize::from(u16::from_be_bytes([len_1, len_2]));
        if second != LEN_16 | if masked { MASK } else { 0 } || len < usize::from(LEN_16) {
            return None;
        }
        let key = match rest.first_chunk() {
            Some(octets) if masked => Some(MaskingKey::new(*octets)),
            None if masked => return None,
            _ => None,
        };
        let start = if masked { 8 } else { 4 };
        Some(Self {
            text: first == TEXT,
            payload: start..start + len,
            key,
        })
    }
}
