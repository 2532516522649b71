//! Incremental UTF-8 validation (RFC 3629, RFC 6455 §8.1).

pub(crate) mod kernel;

use self::kernel::Text;
use crate::cpu::Cpu;
use crate::mask::MaskingKey;

/// Bytes of a text that are validated at a time: as many as are looked at again if they are not valid, and stay in the
/// L1 cache where unmasking and validating are two passes.
const PIECE_BYTES: usize = 16 << 10;

/// The text was invalid: no octets that follow can make it valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("octet {offset} cannot continue a valid UTF-8 text")]
pub struct InvalidUtf8 {
    /// Offset of the octet that proved it, in the bytes given to the failing call.
    pub offset: usize,
}

/// Validates UTF-8 that arrives in pieces, cut anywhere, and fails at the octet that proves the text
/// invalid (RFC 6455 §8.1). Four bytes of state.
///
/// ```
/// use ws_proto::utf8::Validator;
///
/// let mut validator = Validator::new();
/// validator.feed(b"\xe2\x82").unwrap();
/// assert!(!validator.is_complete(), "inside the euro sign");
/// validator.feed(b"\xac").unwrap();
/// assert!(validator.is_complete());
/// // A surrogate is proven by its second octet.
/// assert_eq!(validator.feed(b"ok\xed\xa0\x80").unwrap_err().offset, 3);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Validator {
    /// The first octets of a character whose last ones have not come yet.
    partial: [u8; 3],
    len: u8,
}

const _: () = assert!(size_of::<Validator>() == 4);

impl Validator {
    /// A validator at the beginning of a text.
    pub const fn new() -> Self {
        Self {
            partial: [0; 3],
            len: 0,
        }
    }

    /// Whether the text may end here: not inside a character.
    pub const fn is_complete(&self) -> bool {
        self.len == 0
    }

    /// Octets of the character that the text so far ends in, if it ends inside one.
    #[cfg(feature = "alloc")]
    pub(crate) fn partial_len(&self) -> usize {
        usize::from(self.len)
    }

    /// Octets that the character needs which the text so far ends in; 0 if it ends behind one.
    #[cfg(feature = "alloc")]
    pub(crate) fn missing_octets(&self) -> usize {
        match usize::from(self.len) {
            0 => 0,
            len => character_len(self.partial[0]) - len,
        }
    }

    /// The state, four bytes.
    #[cfg(feature = "alloc")]
    pub(crate) fn to_bytes(self) -> [u8; 4] {
        let [a, b, c] = self.partial;
        [a, b, c, self.len]
    }

    /// The validator of a state; `None` if that is none.
    #[cfg(feature = "alloc")]
    pub(crate) fn from_bytes([a, b, c, len]: [u8; 4]) -> Option<Self> {
        let mut validator = Self::new();
        validator.feed([a, b, c].get(..usize::from(len))?).ok()?;
        (validator.len == len).then_some(validator)
    }

    /// Takes the next bytes of the text.
    ///
    /// # Errors
    /// [`InvalidUtf8`] with the offset of the first octet that cannot continue a valid text. What
    /// the validator holds is then of no use for more.
    pub fn feed(&mut self, bytes: &[u8]) -> Result<(), InvalidUtf8> {
        self.take(MaskingKey::default(), bytes)
    }

    /// Unmasks the next bytes of the text in place and validates them in the same pass.
    ///
    /// # Errors
    /// As [`feed`](Self::feed). The bytes up to that octet are unmasked then, those behind it may be.
    pub fn unmask(&mut self, key: MaskingKey, bytes: &mut [u8]) -> Result<(), InvalidUtf8> {
        if key == MaskingKey::default() {
            self.feed(bytes)
        } else {
            self.take(key, bytes)
        }
    }

    /// Takes the next bytes at once, if they are whole characters.
    #[inline]
    fn take<T: Text>(&mut self, key: MaskingKey, mut text: T) -> Result<(), InvalidUtf8> {
        let whole = self.is_complete() && end_of_piece(key, text.octets()) == text.octets().len();
        if whole && is_valid(key, text.again()) {
            return Ok(());
        }
        self.take_pieces(key, text)
    }

    /// Whole characters go to the kernel; what is cut off of one goes octet by octet.
    fn take_pieces<T: Text>(&mut self, mut key: MaskingKey, mut text: T) -> Result<(), InvalidUtf8> {
        let mut offset = 0;
        while !text.octets().is_empty() {
            let whole = if self.is_complete() {
                end_of_piece(key, text.octets())
            } else {
                0
            };
            let (mut piece, rest) = text.split_at(whole.max(1));
            if whole == 0 || !is_valid(key, piece.again()) {
                piece.unmask(key);
                self.push_all(piece.octets()).map_err(|error| InvalidUtf8 {
                    offset: offset + error.offset,
                })?;
            }
            offset += piece.octets().len();
            key = key.advanced(piece.octets().len() as u64);
            text = rest;
        }
        Ok(())
    }

    /// Takes octets that are not the whole characters of a valid text.
    fn push_all(&mut self, octets: &[u8]) -> Result<(), InvalidUtf8> {
        let valid = match core::str::from_utf8(octets) {
            Err(error) if self.is_complete() => error.valid_up_to(),
            _ => 0,
        };
        for (offset, &octet) in octets.iter().enumerate().skip(valid) {
            self.push(octet).map_err(|()| InvalidUtf8 { offset })?;
        }
        Ok(())
    }

    /// Takes one octet, by RFC 3629 §4.
    fn push(&mut self, octet: u8) -> Result<(), ()> {
        let len = usize::from(self.len);
        let first = if len == 0 { octet } else { self.partial[0] };
        let fits = match (len, first) {
            (0, _) => matches!(octet, 0x00..=0x7f | 0xc2..=0xf4),
            (1, 0xe0) => matches!(octet, 0xa0..=0xbf),
            (1, 0xed) => matches!(octet, 0x80..=0x9f),
            (1, 0xf0) => matches!(octet, 0x90..=0xbf),
            (1, 0xf4) => matches!(octet, 0x80..=0x8f),
            _ => matches!(octet, 0x80..=0xbf),
        };
        if !fits {
            return Err(());
        }
        if len + 1 == character_len(first) {
            *self = Self::new();
        } else {
            self.partial[len] = octet;
            self.len += 1;
        }
        Ok(())
    }
}

/// Octets of the character that begins with this one; 1 if none does.
const fn character_len(first: u8) -> usize {
    match first {
        0x00..=0xbf => 1,
        0xc0..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0..=0xff => 4,
    }
}

/// Unmasks whole characters, if they are masked and valid; whether they are valid. Few that are ASCII are not worth the kernel.
#[inline]
fn is_valid<T: Text>(key: MaskingKey, mut text: T) -> bool {
    text.unmask_if_short_ascii(key) || kernel::run(Cpu::this(), key, text)
}

/// How much of a text that begins at a character to look at next: whole characters, if it is valid.
#[inline]
fn end_of_piece(key: MaskingKey, text: &[u8]) -> usize {
    let end = text.len().min(PIECE_BYTES);
    let octet = |behind: usize| match end.checked_sub(behind) {
        Some(at) => text[at] ^ key.advanced(at as u64).octets()[0],
        None => 0,
    };
    let last = octet(1);
    let cut = if last.is_ascii() {
        0 // as most texts end
    } else if character_len(last) > 1 {
        1
    } else if character_len(octet(2)) > 2 {
        2
    } else if character_len(octet(3)) > 3 {
        3
    } else {
        0
    };
    end - cut
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;
    use proptest::prelude::*;

    /// Offset of the octet that proves the text invalid, by trying every prefix with the standard library.
    fn naive(text: &[u8]) -> Option<usize> {
        (0..text.len())
            .find(|&i| core::str::from_utf8(&text[..=i]).is_err_and(|error| error.error_len().is_some()))
    }

    fn fed(pieces: &[&[u8]]) -> Result<bool, usize> {
        let mut validator = Validator::new();
        let mut before = 0;
        for piece in pieces {
            validator.feed(piece).map_err(|error| before + error.offset)?;
            before += piece.len();
        }
        Ok(validator.is_complete())
    }

    /// Text of characters of every length, with some octets spoilt.
    fn nearly_text() -> impl Strategy<Value = Vec<u8>> {
        let text = prop_oneof![
            "[a-zé€😀]{0,40}",
            "[a-z]{60,90}[é€😀]{1,3}[a-z]{0,20}",
            "[é€😀]{30,60}"
        ];
        (
            text,
            prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..2),
        )
            .prop_map(|(text, spoilt)| {
                let mut bytes = text.into_bytes();
                for (place, octet) in spoilt {
                    if !bytes.is_empty() {
                        let place = place.index(bytes.len());
                        bytes[place] = octet;
                    }
                }
                bytes
            })
    }

    proptest! {
        #[test]
        fn s8_1_fails_at_the_octet_that_proves_it_however_cut(text in nearly_text()) {
            let complete = core::str::from_utf8(&text).is_ok();
            let expected = naive(&text).map_or(Ok(complete), Err);
            prop_assert_eq!(fed(&[&text]), expected);
            prop_assert_eq!(fed(&text.chunks(1).collect::<Vec<_>>()), expected);
            for cut in 0..=text.len() {
                prop_assert_eq!(fed(&[&text[..cut], &text[cut..]]), expected);
            }
        }

        #[test]
        fn s8_1_unmasking_validates_what_it_unmasks(key: [u8; 4], text in nearly_text(), before in 0usize..3 * PIECE_BYTES) {
            let mut plain = alloc::vec![b'a'; before];
            plain.extend_from_slice(&text);
            let key = MaskingKey::new(key);
            let mut masked = plain.clone();
            key.apply(&mut masked);
            let mut validator = Validator::new();
            match validator.unmask(key, &mut masked) {
                Ok(()) => {
                    prop_assert_eq!(&masked, &plain);
                    prop_assert_eq!(Ok(validator.is_complete()), fed(&[&text]));
                }
                Err(error) => prop_assert_eq!(Err(error.offset), fed(&[&text]).map_err(|offset| before + offset)),
            }
        }
    }

    #[test]
    fn validators_that_stand_at_the_same_place_are_equal() {
        let mut whole = Validator::new();
        assert_eq!(whole.feed("é".as_bytes()), Ok(()));
        let mut cut = Validator::new();
        assert!(cut.feed(b"\xc3").is_ok() && cut.feed(b"\xa9").is_ok());
        assert_eq!(cut, whole);
    }

    #[test]
    fn rfc3629_every_pair_and_triple_of_octets_behind_ascii() {
        let step = if cfg!(miri) { 13 } else { 1 };
        for first in (0x80..=0xffu8).step_by(step) {
            for second in (0..=0xffu8).step_by(step) {
                for text in [
                    &[first, second][..],
                    &[first, second, 0x80],
                    &[first, second, 0x41],
                ] {
                    let complete = core::str::from_utf8(text).is_ok();
                    assert_eq!(fed(&[text]), naive(text).map_or(Ok(complete), Err), "{text:02x?}");
                }
            }
        }
    }
}
