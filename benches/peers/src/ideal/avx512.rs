//! With AVX-512, 64 bytes at a time.
use std::arch::x86_64::*;

use super::avx2;
use super::kernel::{Kernel, rotated};
use super::tables::{FIRST_HIGH, FIRST_LOW, SECOND_HIGH};

pub struct Avx512;

/// The 64 bytes before, what was wrong so far, and what is wrong unless the text goes on well.
#[derive(Clone, Copy)]
pub struct Text {
    previous: __m512i,
    error: __m512i,
    cut: __m512i,
}

/// The largest octets that the last three of a text may be, for it not to end inside a character.
const COMPLETE: [u8; 64] = {
    let mut most = [0xff; 64];
    most[61] = 0xf0 - 1;
    most[62] = 0xe0 - 1;
    most[63] = 0xc0 - 1;
    most
};

#[inline(always)]
unsafe fn table(table: &[u8; 16]) -> __m512i {
    // SAFETY: 16 bytes are there.
    unsafe { _mm512_broadcast_i32x4(_mm_loadu_si128(table.as_ptr().cast())) }
}

#[inline(always)]
unsafe fn load(from: *const u8) -> __m512i {
    // SAFETY: the caller's.
    unsafe { _mm512_loadu_si512(from.cast()) }
}

/// Loads 64 bytes and masks them.
#[inline(always)]
unsafe fn masked(from: *const u8, key: __m512i) -> __m512i {
    // SAFETY: the caller's.
    unsafe { _mm512_xor_si512(load(from), key) }
}

#[inline(always)]
unsafe fn every(key: u32) -> __m512i {
    // SAFETY: the processor has AVX-512.
    unsafe { _mm512_set1_epi32(key as i32) }
}

/// Four times 64 bytes.
#[inline(always)]
unsafe fn four(from: *const u8, key: __m512i) -> [__m512i; 4] {
    // SAFETY: the caller's.
    unsafe {
        [
            masked(from, key),
            masked(from.add(64), key),
            masked(from.add(128), key),
            masked(from.add(192), key),
        ]
    }
}

/// The high half of each octet.
#[inline(always)]
unsafe fn high(octets: __m512i) -> __m512i {
    // SAFETY: the processor has AVX-512.
    unsafe { _mm512_and_si512(_mm512_srli_epi16::<4>(octets), _mm512_set1_epi8(0x0f)) }
}

/// What is wrong in `input` behind `previous`: nothing, if all is zero.
#[inline(always)]
unsafe fn faults(input: __m512i, previous: __m512i) -> __m512i {
    // SAFETY: the processor has AVX-512.
    unsafe {
        let low = _mm512_set1_epi8(0x0f);
        let shifted = _mm512_alignr_epi32::<12>(input, previous);
        let one_before = _mm512_alignr_epi8::<15>(input, shifted);
        let two_before = _mm512_alignr_epi8::<14>(input, shifted);
        let three_before = _mm512_alignr_epi8::<13>(input, shifted);
        let first_high = _mm512_shuffle_epi8(table(&FIRST_HIGH), high(one_before));
        let first_low = _mm512_shuffle_epi8(table(&FIRST_LOW), _mm512_and_si512(one_before, low));
        let second_high = _mm512_shuffle_epi8(table(&SECOND_HIGH), high(input));
        let third = _mm512_subs_epu8(two_before, _mm512_set1_epi8((0xe0 - 0x80) as i8));
        let fourth = _mm512_subs_epu8(three_before, _mm512_set1_epi8((0xf0 - 0x80) as i8));
        let continues = _mm512_and_si512(_mm512_or_si512(third, fourth), _mm512_set1_epi8(0x80u8 as i8));
        let special = _mm512_ternarylogic_epi32::<0x80>(first_high, first_low, second_high);
        _mm512_xor_si512(continues, special)
    }
}

#[inline(always)]
unsafe fn cut(input: __m512i) -> __m512i {
    // SAFETY: the processor has AVX-512.
    unsafe { _mm512_subs_epu8(input, load(COMPLETE.as_ptr())) }
}

#[inline(always)]
unsafe fn is_zero(vector: __m512i) -> bool {
    // SAFETY: the processor has AVX-512.
    unsafe { _mm512_test_epi8_mask(vector, vector) == 0 }
}

/// The lowest `len` bits, of 64 at most.
#[inline(always)]
fn lowest(len: usize) -> u64 {
    if len >= 64 { u64::MAX } else { (1 << len) - 1 }
}

/// At most 128 bytes, as two vectors of exact length, both loaded before one is stored. Masked stores would be one, but
/// block the load of the header behind the payload.
#[inline(always)]
unsafe fn copy_xor_short(from: *const u8, to: *mut u8, len: usize, key: u32) {
    // SAFETY: the caller's; each pair lies in the `len` bytes.
    unsafe {
        if len < 64 {
            return avx2::copy_xor_short(from, to, len, key);
        }
        let first = masked(from, every(key));
        let last = masked(from.add(len - 64), every(rotated(key, len)));
        _mm512_storeu_si512(to.cast(), first);
        _mm512_storeu_si512(to.add(len - 64).cast(), last);
    }
}

impl Kernel for Avx512 {
    type Text = Text;

    #[inline(always)]
    fn text() -> Text {
        // SAFETY: all bits zero are vectors.
        unsafe { std::mem::zeroed() }
    }

    #[inline(always)]
    unsafe fn xor_short(payload: *mut u8, len: usize, key: u32) {
        // SAFETY: the caller's.
        unsafe { copy_xor_short(payload, payload, len, key) }
    }

    #[inline(always)]
    unsafe fn xor_long(payload: *mut u8, len: usize, key: u32) {
        // SAFETY: the caller's.
        unsafe { Self::copy_xor(payload, payload, len, key) }
    }

    // Whole vectors are stored aligned; the first and the last one overlap them, and are loaded before.
    #[inline(always)]
    unsafe fn copy_xor(from: *const u8, to: *mut u8, len: usize, key: u32) {
        // SAFETY: the caller's.
        unsafe {
            if len <= 128 {
                return copy_xor_short(from, to, len, key);
            }
            let head = to.align_offset(64);
            let first = masked(from, every(key));
            let last = masked(from.add(len - 64), every(rotated(key, len)));
            let key = every(rotated(key, head));
            let mut at = head;
            while at + 256 < len {
                let [a, b, c, d] = four(from.add(at), key);
                _mm512_store_si512(to.add(at).cast(), a);
                _mm512_store_si512(to.add(at + 64).cast(), b);
                _mm512_store_si512(to.add(at + 128).cast(), c);
                _mm512_store_si512(to.add(at + 192).cast(), d);
                at += 256;
            }
            while at + 64 < len {
                _mm512_store_si512(to.add(at).cast(), masked(from.add(at), key));
                at += 64;
            }
            _mm512_storeu_si512(to.cast(), first);
            _mm512_storeu_si512(to.add(len - 64).cast(), last);
        }
    }

    #[inline(always)]
    unsafe fn text_short(payload: *mut u8, len: usize, key: u32) -> bool {
        // SAFETY: the caller's.
        unsafe {
            let vector_key = every(key);
            let first = _mm512_maskz_mov_epi8(lowest(len), masked(payload, vector_key));
            let second = if len > 64 {
                _mm512_maskz_mov_epi8(lowest(len - 64), masked(payload.add(64), vector_key))
            } else {
                _mm512_setzero_si512()
            };
            Self::xor_short(payload, len, key);
            if _mm512_movepi8_mask(_mm512_or_si512(first, second)) == 0 {
                return true;
            }
            // Behind a text that ends inside a character there are zeros, which cannot go on with it.
            let error = faults(first, _mm512_setzero_si512());
            if len < 64 {
                return is_zero(error);
            }
            is_zero(_mm512_or_si512(error, faults(second, first)))
        }
    }

    #[inline(always)]
    unsafe fn text_long(text: &mut Text, payload: *mut u8, len: usize, key: u32, end: bool) -> bool {
        // SAFETY: the caller's.
        unsafe {
            let vector_key = every(key);
            let mut at = 0;
            while at + 256 <= len {
                let [a, b, c, d] = four(payload.add(at), vector_key);
                if key != 0 {
                    _mm512_storeu_si512(payload.add(at).cast(), a);
                    _mm512_storeu_si512(payload.add(at + 64).cast(), b);
                    _mm512_storeu_si512(payload.add(at + 128).cast(), c);
                    _mm512_storeu_si512(payload.add(at + 192).cast(), d);
                }
                let any = _mm512_or_si512(_mm512_or_si512(a, b), _mm512_or_si512(c, d));
                if _mm512_movepi8_mask(any) == 0 {
                    text.error = _mm512_or_si512(text.error, text.cut);
                    text.cut = _mm512_setzero_si512();
                } else {
                    let ab = _mm512_or_si512(faults(a, text.previous), faults(b, a));
                    let cd = _mm512_or_si512(faults(c, b), faults(d, c));
                    text.error = _mm512_or_si512(text.error, _mm512_or_si512(ab, cd));
                    text.cut = cut(d);
                }
                text.previous = d;
                at += 256;
            }
            while at < len {
                let some = lowest(len - at);
                let vector = masked(payload.add(at), vector_key);
                let vector = _mm512_maskz_mov_epi8(some, vector);
                _mm512_mask_storeu_epi8(payload.add(at).cast(), some, vector);
                text.error = _mm512_or_si512(text.error, faults(vector, text.previous));
                (text.previous, text.cut) = (vector, cut(vector));
                at += 64;
            }
            if end {
                text.error = _mm512_or_si512(text.error, text.cut);
            }
            is_zero(text.error)
        }
    }
}
