//! The frame header: parse and encode side by side (RFC 6455 §5.2).

use core::ops::Deref;

use super::rules::Judge;
use super::{Opcode, Rsv};
use crate::error::Violation;
use crate::mask::MaskingKey;

/// FIN, in a frame's first octet.
pub(crate) const FIN: u8 = 0x80;
/// MASK, in a frame's second octet.
pub(crate) const MASK: u8 = 0x80;
/// The seven-bit lengths that announce a 16-bit and a 64-bit length.
pub(super) const LEN_16: u8 = 126;
const LEN_64: u8 = 127;

/// A frame's header, 2 to 14 bytes on the wire (RFC 6455 §5.2).
///
/// ```
/// use ws_proto::frame::{Header, Opcode};
///
/// let (header, len) = Header::parse(b"\x82\x7e\x01\x00").unwrap().expect("all of it is there");
/// assert_eq!((header.opcode, header.payload_len, len), (Opcode::BINARY, 256, 4));
/// assert_eq!(*header.encode(), *b"\x82\x7e\x01\x00");
/// // Two octets more are needed to know the length:
/// assert_eq!(Header::parse(b"\x82\x7e").unwrap(), None);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Whether this is the last frame of its message.
    pub fin: bool,
    /// The reserved bits.
    pub rsv: Rsv,
    /// What the frame is.
    pub opcode: Opcode,
    /// The masking key, if the frame is masked.
    pub key: Option<MaskingKey>,
    /// Bytes of payload data: at most 2^63 - 1, and 125 in a control frame.
    pub payload_len: u64,
}

impl Header {
    /// Most bytes of a header: 2, then 8 of length and 4 of masking key.
    pub const MAX_BYTES: usize = 14;

    /// An unmasked frame that is a message by itself, or a control frame.
    pub const fn new(opcode: Opcode, payload_len: u64) -> Self {
        Self {
            fin: true,
            rsv: Rsv::NONE,
            opcode,
            key: None,
            payload_len,
        }
    }

    /// Parses the header at the front of `bytes`: the header and its length in bytes, or `None` if
    /// more bytes are needed. Reserved bits and opcodes are let through, masked or not.
    ///
    /// # Errors
    /// What no extension can allow, at the first octet that proves it: a control frame that is fragmented or too
    /// long, a Close frame with a body of one byte, a length with its top bit set; and once all of it is there, one that is not minimal.
    pub fn parse(bytes: &[u8]) -> Result<Option<(Self, usize)>, Violation> {
        Self::parse_by(&Judge::PERMISSIVE, bytes).map_err(|fault| fault.violation)
    }

    /// [`parse`](Self::parse) by the rules of a decoder.
    ///
    /// The order of the checks is the order of the octets, so that the outcome does not depend on
    /// how many of them are there.
    #[inline(always)]
    pub(crate) fn parse_by(judge: &Judge, bytes: &[u8]) -> Result<Option<(Self, usize)>, Fault> {
        let Some(&first) = bytes.first() else {
            return Ok(None);
        };
        let opcode = Opcode::new(first);
        judge
            .first_octet(first)
            .map_err(|violation| Fault { violation, at: 1 })?;

        let Some(&second) = bytes.get(1) else {
            return Ok(None);
        };
        let masked = second & MASK != 0;
        let len_7 = second & !MASK;
        judge
            .second_octet(opcode, masked, len_7)
            .map_err(|violation| Fault { violation, at: 2 })?;

        let rest = &bytes[2..];
        // RFC 6455 §5.2: the most significant bit must be 0. Its own octet proves it.
        if len_7 == LEN_64 && rest.first().is_some_and(|octet| octet & 0x80 != 0) {
            return Err(Fault {
                violation: Violation::LengthOverflow,
                at: 3,
            });
        }
        let Some((payload_len, len_bytes)) = payload_len(len_7, rest) else {
            return Ok(None);
        };
        let len = 2 + len_bytes;
        judge
            .len(first, payload_len, len_bytes)
            .map_err(|violation| Fault { violation, at: len })?;

        let mut header = Self {
            fin: first & FIN != 0,
            rsv: Rsv::new(first),
            opcode,
            key: None,
            payload_len,
        };
        if !masked {
            return Ok(Some((header, len)));
        }
        let Some(octets) = bytes[len..].first_chunk::<4>() else {
            return Ok(None);
        };
        header.key = Some(MaskingKey::new(*octets));
        Ok(Some((header, len + 4)))
    }

    /// The header's bytes, with the shortest form of the length. Nothing is judged: see [`Rules`](super::Rules).
    ///
    /// A payload of 2^63 bytes or more cannot be in memory; such a `payload_len` is written as 2^63 - 1.
    #[must_use]
    #[inline]
    pub const fn encode(&self) -> EncodedHeader {
        let mut octets = [0; Self::MAX_BYTES];
        let len = self.encode_to(&mut octets);
        EncodedHeader {
            octets,
            len: len as u8,
        }
    }

    /// [`encode`](Self::encode) to the front of `octets`: its length in bytes. What does not belong to the header may change behind it:
    /// all but those with a length of 64 bits are one word, stored at once.
    #[inline(always)]
    pub(crate) const fn encode_to(&self, octets: &mut [u8; Self::MAX_BYTES]) -> usize {
        let (mask, key, key_len) = match self.key {
            Some(key) => (MASK, u32::from_le_bytes(key.octets()) as u64, 4),
            None => (0, 0, 0),
        };
        let len = self.payload_len;
        // The second octet's seven bits; the octets behind them, the first one lowest.
        let (len_7, behind, key_start) = if len < LEN_16 as u64 {
            (len as u8, key, 2)
        } else if len < 1 << 16 {
            (LEN_16, (len as u16).swap_bytes() as u64 | key << 16, 4)
        } else {
            let most = u64::MAX >> 1;
            let len = if len < most { len } else { most };
            let len = len.swap_bytes();
            let last = (len >> 48 | key << 16).to_le_bytes();
            octets.split_at_mut(8).1.copy_from_slice(last.split_at(6).0);
            (LEN_64, len, 10)
        };
        let word = self.first_octet() as u64 | ((mask | len_7) as u64) << 8 | behind << 16;
        octets.split_at_mut(8).0.copy_from_slice(&word.to_le_bytes());
        key_start + key_len
    }

    const fn first_octet(&self) -> u8 {
        let fin = if self.fin { FIN } else { 0 };
        fin | self.rsv.bits() | self.opcode.get()
    }
}

/// The payload length that begins with these seven bits, and how many bytes `rest` has of it; `None` if they are not all there.
#[inline(always)]
fn payload_len(len_7: u8, rest: &[u8]) -> Option<(u64, usize)> {
    Some(match len_7 {
        LEN_16 => (u16::from_be_bytes(*rest.first_chunk()?).into(), 2),
        LEN_64 => (u64::from_be_bytes(*rest.first_chunk()?), 8),
        _ => (len_7.into(), 0),
    })
}

/// The bytes of a [`Header`]; derefs to them.
#[derive(Clone, Copy, Debug)]
pub struct EncodedHeader {
    octets: [u8; Header::MAX_BYTES],
    len: u8,
}

impl Deref for EncodedHeader {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        &self.octets[..usize::from(self.len)]
    }
}

/// A violation, and how many of the octets at hand prove it.
pub(crate) struct Fault {
    pub(crate) violation: Violation,
    pub(crate) at: usize,
}

#[cfg(all(test, feature = "alloc"))]
mod tests {
    use super::*;
    use alloc::vec;
    use alloc::vec::Vec;

    /// Octet by octet.
    fn naive(key: Option<MaskingKey>, payload_len: u64) -> Vec<u8> {
        let mask = if key.is_some() { 0x80 } else { 0 };
        let mut octets = vec![0x81];
        match payload_len {
            0..=125 => octets.push(mask | payload_len as u8),
            126..=0xffff => {
                octets.push(mask | 126);
                octets.extend((payload_len as u16).to_be_bytes());
            }
            _ => {
                octets.push(mask | 127);
                octets.extend(payload_len.to_be_bytes());
            }
        }
        octets.extend(key.into_iter().flat_map(MaskingKey::octets));
        octets
    }

    #[test]
    fn s5_2_every_form_wherever_it_is_encoded() {
        for key in [None, Some(MaskingKey::new([0x37, 0xfa, 0x21, 0x3d]))] {
            for payload_len in [
                0,
                1,
                125,
                126,
                0x0102,
                0xffff,
                0x1_0000,
                0x0102_0304_0506_0708,
                u64::MAX >> 1,
            ] {
                let mut header = Header::new(Opcode::TEXT, payload_len);
                header.key = key;
                let expected = naive(key, payload_len);
                assert_eq!(*header.encode(), expected);
                let mut octets = [0xaa; Header::MAX_BYTES];
                let len = header.encode_to(&mut octets);
                assert_eq!(octets[..len], expected);
            }
        }
    }
}
