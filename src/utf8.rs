//! Incremental UTF-8 validation (RFC 3629, RFC 6455 §8.1).

use crate::mask::{MaskingKey, PIECE_BYTES};

/// Bytes from which [`simdutf8`] is faster than the standard library; it hands shorter input over itself.
const BULK_BYTES: usize = 64;

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
        match (self.len, self.partial[0]) {
            (0, _) => 0,
            (len, 0..=0xdf) => 2 - usize::from(len),
            (len, 0xe0..=0xef) => 3 - usize::from(len),
            (len, 0xf0..) => 4 - usize::from(len),
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
        let mut offset = 0;
        while self.len > 0 {
            let Some(&octet) = bytes.get(offset) else {
                return Ok(());
            };
            self.push(octet).map_err(|()| InvalidUtf8 { offset })?;
            offset += 1;
        }
        let bytes = &bytes[offset..];
        match validate(bytes) {
            Ok(()) => {}
            Err(Fault {
                valid,
                proof: Some(proof),
            }) => {
                return Err(InvalidUtf8 {
                    offset: offset + valid + proof,
                });
            }
            Err(Fault { valid, proof: None }) => {
                let rest = &bytes[valid..];
                self.partial[..rest.len()].copy_from_slice(rest);
                self.len = rest.len() as u8;
            }
        }
        Ok(())
    }

    /// Unmasks the next bytes of the text in place and validates them, piece by piece while each is in the
    /// L1 cache. ASCII, which most text is, costs no second look.
    ///
    /// # Errors
    /// As [`feed`](Self::feed). Not all of the bytes are unmasked then.
    pub fn unmask(&mut self, key: MaskingKey, bytes: &mut [u8]) -> Result<(), InvalidUtf8> {
        let mut offset = 0;
        for piece in bytes.chunks_mut(PIECE_BYTES) {
            let ascii = key.apply_and_check_ascii(piece);
            if !(ascii && self.is_complete()) {
                self.feed(piece).map_err(|error| InvalidUtf8 {
                    offset: offset + error.offset,
                })?;
            }
            offset += piece.len();
        }
        Ok(())
    }

    /// Adds one octet to the unfinished character.
    fn push(&mut self, octet: u8) -> Result<(), ()> {
        let len = usize::from(self.len);
        let mut character = [0; 4];
        character[..len].copy_from_slice(&self.partial[..len]);
        character[len] = octet;
        match core::str::from_utf8(&character[..=len]) {
            Ok(_) => self.len = 0,
            // Valid so far: fewer than four octets, since four either end a character or break it.
            Err(error) if error.error_len().is_none() => {
                self.partial[len] = octet;
                self.len += 1;
            }
            Err(_) => return Err(()),
        }
        Ok(())
    }
}

/// Where bytes stop being whole, valid characters.
struct Fault {
    /// Bytes of whole, valid characters.
    valid: usize,
    /// How far behind those the octet lies that proves the text invalid; `None` if it is only cut.
    proof: Option<usize>,
}

/// Validates bytes that begin at a character.
fn validate(bytes: &[u8]) -> Result<(), Fault> {
    let (valid, error_len) = if bytes.len() < BULK_BYTES {
        match core::str::from_utf8(bytes) {
            Ok(_) => return Ok(()),
            Err(error) => (error.valid_up_to(), error.error_len()),
        }
    } else {
        match simdutf8::compat::from_utf8(bytes) {
            Ok(_) => return Ok(()),
            Err(error) => (error.valid_up_to(), error.error_len()),
        }
    };
    // The octets that could begin a character are no fault by themselves: the one behind them is.
    let proof = error_len.map(|len| {
        if matches!(bytes[valid], 0xc2..=0xf4) {
            len
        } else {
            0
        }
    });
    Err(Fault { valid, proof })
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
    fn rfc3629_every_pair_and_triple_of_octets_behind_ascii() {
        for first in 0x80..=0xffu8 {
            for second in 0..=0xffu8 {
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
