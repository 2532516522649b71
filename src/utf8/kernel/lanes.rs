//! What the backends share that look up in tables of 16 octets.

use crate::mask::MaskingKey;

/// The lookup that moves 16 octets down by `places - 32`, or up. Zeros come in.
#[inline]
pub(super) fn slid(places: usize) -> &'static [u8; 16] {
    /// The places 0 to 15, between such as give zero.
    static PLACES: [u8; 80] = {
        let mut places = [0x80; 80];
        let mut i = 0;
        while i < 16 {
            places[32 + i] = i as u8;
            i += 1;
        }
        places
    };
    &PLACES[places..].as_chunks::<16>().0[0]
}

/// A text of less than 16 octets, unmasked, with zeros behind it.
#[inline]
pub(super) fn padded(key: MaskingKey, text: &[u8]) -> [u8; 16] {
    if text.is_empty() {
        return [0; 16];
    }
    // Words that share octets have the same ones in the same places.
    let at = |octets: u64, place: usize| u128::from(octets) << (8 * place);
    let len = text.len();
    let masked = if let (Some(first), Some(last)) = (text.first_chunk::<8>(), text.last_chunk::<8>()) {
        at(u64::from_le_bytes(*first), 0) | at(u64::from_le_bytes(*last), len - 8)
    } else if let (Some(first), Some(last)) = (text.first_chunk::<4>(), text.last_chunk::<4>()) {
        at(u32::from_le_bytes(*first).into(), 0) | at(u32::from_le_bytes(*last).into(), len - 4)
    } else {
        at(text[0].into(), 0) | at(text[len / 2].into(), len / 2) | at(text[len - 1].into(), len - 1)
    };
    let key = u128::from(u32::from_le_bytes(key.octets())) * 0x0000_0001_0000_0001_0000_0001_0000_0001;
    let key = key & (u128::MAX >> (128 - 8 * len));
    (masked ^ key).to_le_bytes()
}
