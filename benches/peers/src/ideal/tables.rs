//! What the kernels look up to validate UTF-8, by the algorithm of Keiser and Lemire ("Validating UTF-8 in less than one
//! instruction per byte"): what may be wrong with two octets, by the halves of the first and the high half of the second.

const TOO_SHORT: u8 = 1;
const TOO_LONG: u8 = 1 << 1;
const OVERLONG_3: u8 = 1 << 2;
const TOO_LARGE: u8 = 1 << 3;
const SURROGATE: u8 = 1 << 4;
const OVERLONG_2: u8 = 1 << 5;
const TOO_LARGE_1000: u8 = 1 << 6;
const OVERLONG_4: u8 = 1 << 6;
const TWO_CONTINUATIONS: u8 = 1 << 7;
const CARRY: u8 = TOO_SHORT | TOO_LONG | TWO_CONTINUATIONS;

/// By the high half of an octet.
pub const FIRST_HIGH: [u8; 16] = {
    let mut table = [TOO_LONG; 16];
    table[8] = TWO_CONTINUATIONS;
    table[9] = TWO_CONTINUATIONS;
    table[10] = TWO_CONTINUATIONS;
    table[11] = TWO_CONTINUATIONS;
    table[12] = TOO_SHORT | OVERLONG_2;
    table[13] = TOO_SHORT;
    table[14] = TOO_SHORT | OVERLONG_3 | SURROGATE;
    table[15] = TOO_SHORT | TOO_LARGE | TOO_LARGE_1000 | OVERLONG_4;
    table
};

/// By the low half of that octet.
pub const FIRST_LOW: [u8; 16] = {
    let mut table = [CARRY | TOO_LARGE | TOO_LARGE_1000; 16];
    table[0] = CARRY | OVERLONG_2 | OVERLONG_3 | OVERLONG_4;
    table[1] = CARRY | OVERLONG_2;
    table[2] = CARRY;
    table[3] = CARRY;
    table[4] = CARRY | TOO_LARGE;
    table[13] |= SURROGATE;
    table
};

/// By the high half of the octet behind it.
pub const SECOND_HIGH: [u8; 16] = {
    const CONTINUATION: u8 = TOO_LONG | OVERLONG_2 | TWO_CONTINUATIONS;
    let mut table = [TOO_SHORT; 16];
    table[8] = CONTINUATION | OVERLONG_3 | TOO_LARGE_1000 | OVERLONG_4;
    table[9] = CONTINUATION | OVERLONG_3 | TOO_LARGE;
    table[10] = CONTINUATION | SURROGATE | TOO_LARGE;
    table[11] = CONTINUATION | SURROGATE | TOO_LARGE;
    table
};
