//! With AVX2, 32 bytes at a time.
use std::arch::x86_64::*;

use super::kernel::{Kernel, rotated};
use super::tables::{FIRST_HIGH, FIRST_LOW, SECOND_HIGH};

pub struct Avx2;

/// The 32 bytes before, what was wrong so far, and what is wrong unless the text goes on well.
#[derive(Clone, Copy)]
pub struct Text {
    previous: __m256i,
    error: __m256i,
    cut: __m256i,
}

/// The largest octets that the last three of a text may be, for it not to end inside a character.
const COMPLETE: [u8; 32] = {
    let mut most = [0xff; 32];
    most[29] = 0xf0 - 1;
    most[30] = 0xe0 - 1;
    most[31] = 0xc0 - 1;
    most
};

/// From the place `32 - len` on: a vector that keeps the first `len` octets.
const KEPT: [u8; 64] = {
    let mut kept = [0; 64];
    let mut i = 0;
    while i < 32 {
        kept[i] = 0xff;
        i += 1;
    }
    kept
};

#[inline(always)]
unsafe fn table(table: &[u8; 16]) -> __m256i {
    // SAFETY: 16 bytes are there.
    unsafe { _mm256_broadcastsi128_si256(_mm_loadu_si128(table.as_ptr().cast())) }
}

#[inline(always)]
unsafe fn load(from: *const u8) -> __m256i {
    // SAFETY: the caller's.
    unsafe { _mm256_loadu_si256(from.cast()) }
}

/// Loads 32 bytes and masks them.
#[inline(always)]
unsafe fn masked(from: *const u8, key: __m256i) -> __m256i {
    // SAFETY: the caller's.
    unsafe { _mm256_xor_si256(load(from), key) }
}

#[inline(always)]
unsafe fn every(key: u32) -> __m256i {
    // SAFETY: the processor has AVX2.
    unsafe { _mm256_set1_epi32(key as i32) }
}

/// Four times 32 bytes.
#[inline(always)]
unsafe fn four(from: *const u8, key: __m256i) -> [__m256i; 4] {
    // SAFETY: the caller's.
    unsafe {
        [
            masked(from, key),
            masked(from.add(32), key),
            masked(from.add(64), key),
            masked(from.add(96), key),
        ]
    }
}

#[inline(always)]
unsafe fn store_four(to: *mut u8, vectors: [__m256i; 4]) {
    for (i, vector) in vectors.into_iter().enumerate() {
        // SAFETY: the caller's.
        unsafe { _mm256_storeu_si256(to.add(32 * i).cast(), vector) }
    }
}

#[inline(always)]
unsafe fn any(vectors: [__m256i; 4]) -> __m256i {
    // SAFETY: the processor has AVX2.
    unsafe {
        _mm256_or_si256(
            _mm256_or_si256(vectors[0], vectors[1]),
            _mm256_or_si256(vectors[2], vectors[3]),
        )
    }
}

#[inline(always)]
unsafe fn is_ascii(vector: __m256i) -> bool {
    // SAFETY: the processor has AVX2.
    unsafe { _mm256_movemask_epi8(vector) == 0 }
}

#[inline(always)]
unsafe fn is_zero(vector: __m256i) -> bool {
    // SAFETY: the processor has AVX2.
    unsafe { _mm256_testz_si256(vector, vector) == 1 }
}

/// The high half of each octet.
#[inline(always)]
unsafe fn high(octets: __m256i) -> __m256i {
    // SAFETY: the processor has AVX2.
    unsafe { _mm256_and_si256(_mm256_srli_epi16::<4>(octets), _mm256_set1_epi8(0x0f)) }
}

/// What is wrong in `input` behind `previous`: nothing, if all is zero.
#[inline(always)]
unsafe fn faults(input: __m256i, previous: __m256i) -> __m256i {
    // SAFETY: the processor has AVX2.
    unsafe {
        let shifted = _mm256_permute2x128_si256::<0x21>(previous, input);
        let one_before = _mm256_alignr_epi8::<15>(input, shifted);
        let two_before = _mm256_alignr_epi8::<14>(input, shifted);
        let three_before = _mm256_alignr_epi8::<13>(input, shifted);
        let low = _mm256_and_si256(one_before, _mm256_set1_epi8(0x0f));
        let first_high = _mm256_shuffle_epi8(table(&FIRST_HIGH), high(one_before));
        let first_low = _mm256_shuffle_epi8(table(&FIRST_LOW), low);
        let second_high = _mm256_shuffle_epi8(table(&SECOND_HIGH), high(input));
        let third = _mm256_subs_epu8(two_before, _mm256_set1_epi8((0xe0 - 0x80) as i8));
        let fourth = _mm256_subs_epu8(three_before, _mm256_set1_epi8((0xf0 - 0x80) as i8));
        let continues = _mm256_and_si256(_mm256_or_si256(third, fourth), _mm256_set1_epi8(0x80u8 as i8));
        let special = _mm256_and_si256(_mm256_and_si256(first_high, first_low), second_high);
        _mm256_xor_si256(continues, special)
    }
}

#[inline(always)]
unsafe fn cut(input: __m256i) -> __m256i {
    // SAFETY: the processor has AVX2.
    unsafe { _mm256_subs_epu8(input, load(COMPLETE.as_ptr())) }
}

/// At most 128 bytes, as vectors from the front and from the end, all loaded before one is stored.
#[inline(always)]
pub unsafe fn copy_xor_short(from: *const u8, to: *mut u8, len: usize, key: u32) {
    // SAFETY: the caller's; each vector lies in the `len` bytes.
    unsafe {
        let last_key = rotated(key, len);
        if len >= 64 {
            let (key, last_key) = (every(key), every(last_key));
            let first = [masked(from, key), masked(from.add(32), key)];
            let last = [
                masked(from.add(len - 64), last_key),
                masked(from.add(len - 32), last_key),
            ];
            _mm256_storeu_si256(to.cast(), first[0]);
            _mm256_storeu_si256(to.add(32).cast(), first[1]);
            _mm256_storeu_si256(to.add(len - 64).cast(), last[0]);
            _mm256_storeu_si256(to.add(len - 32).cast(), last[1]);
        } else if len >= 32 {
            let first = masked(from, every(key));
            let last = masked(from.add(len - 32), every(last_key));
            _mm256_storeu_si256(to.cast(), first);
            _mm256_storeu_si256(to.add(len - 32).cast(), last);
        } else if len >= 16 {
            let first = _mm_loadu_si128(from.cast());
            let last = _mm_loadu_si128(from.add(len - 16).cast());
            let first = _mm_xor_si128(first, _mm_set1_epi32(key as i32));
            let last = _mm_xor_si128(last, _mm_set1_epi32(last_key as i32));
            _mm_storeu_si128(to.cast(), first);
            _mm_storeu_si128(to.add(len - 16).cast(), last);
        } else if len >= 8 {
            let first = from.cast::<u64>().read_unaligned() ^ (u64::from(key) << 32 | u64::from(key));
            let last = from.add(len - 8).cast::<u64>().read_unaligned()
                ^ (u64::from(last_key) << 32 | u64::from(last_key));
            to.cast::<u64>().write_unaligned(first);
            to.add(len - 8).cast::<u64>().write_unaligned(last);
        } else if len >= 4 {
            let first = from.cast::<u32>().read_unaligned() ^ key;
            let last = from.add(len - 4).cast::<u32>().read_unaligned() ^ last_key;
            to.cast::<u32>().write_unaligned(first);
            to.add(len - 4).cast::<u32>().write_unaligned(last);
        } else {
            for i in 0..len {
                *to.add(i) = *from.add(i) ^ key.to_le_bytes()[i];
            }
        }
    }
}

impl Kernel for Avx2 {
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
            let head = to.align_offset(32);
            let first = masked(from, every(key));
            let last = masked(from.add(len - 32), every(rotated(key, len)));
            let key = every(rotated(key, head));
            let mut at = head;
            while at + 128 < len {
                store_four(to.add(at), four(from.add(at), key));
                at += 128;
            }
            while at + 32 < len {
                _mm256_store_si256(to.add(at).cast(), masked(from.add(at), key));
                at += 32;
            }
            _mm256_storeu_si256(to.cast(), first);
            _mm256_storeu_si256(to.add(len - 32).cast(), last);
        }
    }

    #[inline(always)]
    unsafe fn text_short(payload: *mut u8, len: usize, key: u32) -> bool {
        // SAFETY: the caller's; no vector is read that begins behind the text.
        unsafe {
            let vector_key = every(key);
            let mut text = [_mm256_setzero_si256(); 4];
            for (i, vector) in text.iter_mut().enumerate() {
                let at = 32 * i;
                if at < len {
                    let kept = load(KEPT.as_ptr().add(32 - (len - at).min(32)));
                    *vector = _mm256_and_si256(masked(payload.add(at), vector_key), kept);
                }
            }
            Self::xor_short(payload, len, key);
            if is_ascii(any(text)) {
                return true;
            }
            let (mut previous, mut error) = (_mm256_setzero_si256(), _mm256_setzero_si256());
            for (i, vector) in text.into_iter().enumerate() {
                error = _mm256_or_si256(error, faults(vector, previous));
                previous = vector;
                // Behind a text that ends inside a character there are zeros, which cannot go on with it.
                if len < 32 * (i + 1) {
                    break;
                }
            }
            is_zero(error)
        }
    }

    #[inline(always)]
    unsafe fn text_long(text: &mut Text, payload: *mut u8, len: usize, key: u32, end: bool) -> bool {
        // SAFETY: the caller's.
        unsafe {
            let vector_key = every(key);
            let mut at = 0;
            while at + 128 <= len {
                let vectors = four(payload.add(at), vector_key);
                if key != 0 {
                    store_four(payload.add(at), vectors);
                }
                let [a, b, c, d] = vectors;
                if is_ascii(any(vectors)) {
                    text.error = _mm256_or_si256(text.error, text.cut);
                    text.cut = _mm256_setzero_si256();
                } else {
                    let faults = [faults(a, text.previous), faults(b, a), faults(c, b), faults(d, c)];
                    text.error = _mm256_or_si256(text.error, any(faults));
                    text.cut = cut(d);
                }
                text.previous = d;
                at += 128;
            }
            while at < len {
                let some = (len - at).min(32);
                let kept = load(KEPT.as_ptr().add(32 - some));
                let vector = _mm256_and_si256(masked(payload.add(at), vector_key), kept);
                copy_xor_short(payload.add(at), payload.add(at), some, key);
                text.error = _mm256_or_si256(text.error, faults(vector, text.previous));
                (text.previous, text.cut) = (vector, cut(vector));
                at += 32;
            }
            if end {
                text.error = _mm256_or_si256(text.error, text.cut);
            }
            is_zero(text.error)
        }
    }
}
