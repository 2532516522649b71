//! What UTF-8 says of neighbouring octets (RFC 3629 §4), as bits.
//!
//! The algorithm is that of John Keiser and Daniel Lemire, "Validating UTF-8 In Less Than One Instruction
//! Per Byte" (2020), with other bits: each octet is looked up twice, for what it asks of the octets behind it
//! and for what it is to the one before it.

/// This octet and the next belong to one character; so does the one after, and the one after that.
pub(super) const LEAD: u8 = 0x80;
pub(super) const LEAD_OF_3: u8 = 0x40;
pub(super) const LEAD_OF_4: u8 = 0x20;

/// This octet continues a character. The same bit as [`LEAD`], which it must agree with.
const CONTINUATION: u8 = 0x80;

// Pairs that no text has: a bit in what the lead asks and in what the continuation is.
const OVERLONG_2: u8 = 0x01;
const OVERLONG_3: u8 = 0x02;
/// Or beyond U+10FFFF by its first octet alone: in one bit with its neighbour in the table.
const OVERLONG_4: u8 = 0x04;
const SURROGATE: u8 = 0x08;
const TOO_LARGE: u8 = 0x10;

/// The bits in which a pair is wrong if both octets have them.
pub(super) const PAIR: u8 = OVERLONG_2 | OVERLONG_3 | OVERLONG_4 | SURROGATE | TOO_LARGE;

/// What an octet asks of the octets behind it.
const fn asks(octet: u8) -> u8 {
    match octet {
        0x00..=0xbf => 0,
        0xc0..=0xc1 => LEAD | OVERLONG_2,
        0xc2..=0xdf => LEAD,
        0xe0 => LEAD | LEAD_OF_3 | OVERLONG_3,
        0xed => LEAD | LEAD_OF_3 | SURROGATE,
        0xe1..=0xef => LEAD | LEAD_OF_3,
        0xf0 => LEAD | LEAD_OF_3 | LEAD_OF_4 | OVERLONG_4,
        0xf1..=0xf3 => LEAD | LEAD_OF_3 | LEAD_OF_4,
        0xf4 => LEAD | LEAD_OF_3 | LEAD_OF_4 | TOO_LARGE,
        0xf5..=0xff => LEAD | LEAD_OF_3 | LEAD_OF_4 | TOO_LARGE | OVERLONG_4,
    }
}

/// What an octet is to the one before it.
const fn is(octet: u8) -> u8 {
    match octet {
        0x80..=0x8f => CONTINUATION | OVERLONG_2 | OVERLONG_3 | OVERLONG_4,
        0x90..=0x9f => CONTINUATION | OVERLONG_2 | OVERLONG_3 | TOO_LARGE,
        0xa0..=0xbf => CONTINUATION | OVERLONG_2 | SURROGATE | TOO_LARGE,
        _ => 0,
    }
}

/// [`asks`] by the high and the low four bits of an octet: both say so. [`is`] by the high four bits.
pub(super) const ASKS_BY_HIGH: [u8; 16] = by_nibbles().0;
pub(super) const ASKS_BY_LOW: [u8; 16] = by_nibbles().1;
pub(super) const IS_BY_HIGH: [u8; 16] = by_nibbles().2;

const fn by_nibbles() -> ([u8; 16], [u8; 16], [u8; 16]) {
    let (mut asks_by_high, mut asks_by_low, mut is_by_high) = ([0; 16], [0; 16], [0; 16]);
    let mut octet = 0;
    while octet < 256 {
        asks_by_high[octet >> 4] |= asks(octet as u8);
        asks_by_low[octet & 15] |= asks(octet as u8);
        is_by_high[octet >> 4] |= is(octet as u8);
        octet += 1;
    }
    (asks_by_high, asks_by_low, is_by_high)
}

/// [`asks`] of the octets from 0xc0 on, and [`is`] of those from 0x80 on, by the low six bits.
pub(super) const ASKS_BY_LOW_SIX: [u8; 64] = by_low_six().0;
pub(super) const IS_BY_LOW_SIX: [u8; 64] = by_low_six().1;

const fn by_low_six() -> ([u8; 64], [u8; 64]) {
    let (mut asked, mut being) = ([0; 64], [0; 64]);
    let mut i = 0;
    while i < 64 {
        asked[i] = asks(0xc0 | i as u8);
        being[i] = is(0x80 | i as u8);
        i += 1;
    }
    (asked, being)
}

/// What the last octets of a block may not ask if the text ends with it.
pub(super) const fn unfinished<const BYTES: usize>() -> [u8; BYTES] {
    let mut asked = [0; BYTES];
    asked[BYTES - 1] = LEAD;
    asked[BYTES - 2] = LEAD_OF_3;
    asked[BYTES - 3] = LEAD_OF_4;
    asked
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tables_by_nibbles_say_the_same_of_every_octet() {
        for octet in 0..=255u8 {
            let (high, low) = (usize::from(octet >> 4), usize::from(octet & 15));
            assert_eq!(ASKS_BY_HIGH[high] & ASKS_BY_LOW[low], asks(octet), "{octet:02x}");
            assert_eq!(IS_BY_HIGH[high], is(octet), "{octet:02x}");
        }
    }
}
