//! 32 octets at a time, with AVX2: two halves, each with tables of its own.
#![allow(unsafe_code)]

#[cfg(target_arch = "x86")]
use core::arch::x86::*;
#[cfg(target_arch = "x86_64")]
use core::arch::x86_64::*;

use super::lanes::{padded, slid};

const BYTES: usize = 32;
type Vector = __m256i;

super::algorithm::kernel!("avx2");

/// Unmasks a text of at most four vectors, if it is masked, and if it is valid; whether it is ASCII then. Otherwise it stays as it
/// is, as it does if there are not as many octets as the vectors have: it is the first `len` of those. The key of one that is not masked is zero.
#[cfg(feature = "alloc")]
#[target_feature(enable = "avx2")]
#[inline]
pub(crate) fn unmask_short<const MASKED: bool>(
    key: MaskingKey,
    octets: &mut [u8],
    len: usize,
) -> Option<bool> {
    if len <= BYTES {
        unmask_vectors::<MASKED, 1>(key, octets, len)
    } else if len <= 2 * BYTES {
        unmask_vectors::<MASKED, 2>(key, octets, len)
    } else if len <= 3 * BYTES {
        unmask_vectors::<MASKED, 3>(key, octets, len)
    } else {
        unmask_vectors::<MASKED, 4>(key, octets, len)
    }
}

/// [`unmask_short`] for `N` vectors, of which the last one need not be full.
#[cfg(feature = "alloc")]
#[target_feature(enable = "avx2")]
#[inline]
fn unmask_vectors<const MASKED: bool, const N: usize>(
    key: MaskingKey,
    octets: &mut [u8],
    len: usize,
) -> Option<bool> {
    let from: &[_; N] = octets.as_chunks().0.first_chunk()?;
    let mut blocks = [zero(); N];
    for (block, from) in blocks.iter_mut().zip(from) {
        *block = xor(load(from), repeated(key));
    }
    blocks[N - 1] = and(blocks[N - 1], load(first(len - (N - 1) * BYTES)?));
    let mut all = zero();
    for block in blocks {
        all = or(all, block);
    }
    let ascii = is_ascii(all);
    if !ascii {
        let mut check = Check::new();
        check.characters(&blocks);
        if !check.finish() {
            return None;
        }
    }
    let text = octets.get_mut(..len)?;
    if MASKED && N == 1 {
        key.apply_short(text);
    } else if MASKED {
        // Not as far as the octets behind the text, for which the next load would wait.
        let last = xor(load(text.last_chunk()?), repeated(key.advanced(len as u64)));
        for (block, to) in blocks.iter().zip(text.as_chunks_mut().0.iter_mut().take(N - 1)) {
            store(*block, to);
        }
        store(last, text.last_chunk_mut()?);
    }
    Some(ascii)
}

/// A vector that keeps the first so many octets.
#[cfg(feature = "alloc")]
#[inline]
fn first(len: usize) -> Option<&'static [u8; BYTES]> {
    static KEPT: [[u8; BYTES]; 2] = [[0xff; BYTES], [0; BYTES]];
    KEPT.as_flattened().get(BYTES.checked_sub(len)?..)?.first_chunk()
}

/// Whether a text that zeros follow in its vector is valid.
#[cfg(feature = "alloc")]
#[target_feature(enable = "avx2")]
#[inline]
pub(super) fn is_text(block: Vector) -> bool {
    let mut check = Check::new();
    check.group(&[block]);
    check.finish()
}

#[target_feature(enable = "avx2")]
#[inline]
fn load(from: &[u8; BYTES]) -> Vector {
    // SAFETY: the array has as many octets as are read, and no alignment is asked for.
    unsafe { _mm256_loadu_si256(from.as_ptr().cast()) }
}

#[target_feature(enable = "avx2")]
#[inline]
fn load_half(from: &[u8; 16]) -> __m128i {
    // SAFETY: the array has as many octets as are read, and no alignment is asked for.
    unsafe { _mm_loadu_si128(from.as_ptr().cast()) }
}

#[target_feature(enable = "avx2")]
#[inline]
fn store(block: Vector, to: &mut [u8; BYTES]) {
    // SAFETY: the array has as many octets as are written, and no alignment is asked for.
    unsafe { _mm256_storeu_si256(to.as_mut_ptr().cast(), block) }
}

#[target_feature(enable = "avx2")]
#[inline]
fn zero() -> Vector {
    _mm256_setzero_si256()
}

#[target_feature(enable = "avx2")]
#[inline]
fn repeated(key: MaskingKey) -> Vector {
    _mm256_set1_epi32(i32::from_ne_bytes(key.octets()))
}

#[target_feature(enable = "avx2")]
#[inline]
fn xor(a: Vector, b: Vector) -> Vector {
    _mm256_xor_si256(a, b)
}

#[target_feature(enable = "avx2")]
#[inline]
fn or(a: Vector, b: Vector) -> Vector {
    _mm256_or_si256(a, b)
}

#[target_feature(enable = "avx2")]
#[inline]
fn and(a: Vector, b: Vector) -> Vector {
    _mm256_and_si256(a, b)
}

#[target_feature(enable = "avx2")]
#[inline]
pub(super) fn is_ascii(block: Vector) -> bool {
    _mm256_movemask_epi8(block) == 0
}

#[target_feature(enable = "avx2")]
#[inline]
fn is_zero(block: Vector) -> bool {
    _mm256_testz_si256(block, block) == 1
}

#[target_feature(enable = "avx2")]
#[inline]
fn high_bits(block: Vector) -> Vector {
    and(_mm256_srli_epi16::<4>(block), _mm256_set1_epi8(0x0f))
}

#[target_feature(enable = "avx2")]
#[inline]
fn both_halves(half: &[u8; 16]) -> Vector {
    _mm256_broadcastsi128_si256(load_half(half))
}

#[target_feature(enable = "avx2")]
#[inline]
fn asks(block: Vector) -> Vector {
    let low_bits = and(block, _mm256_set1_epi8(0x0f));
    and(
        _mm256_shuffle_epi8(both_halves(&rules::ASKS_BY_HIGH), high_bits(block)),
        _mm256_shuffle_epi8(both_halves(&rules::ASKS_BY_LOW), low_bits),
    )
}

#[target_feature(enable = "avx2")]
#[inline]
fn is(block: Vector, _asked: Vector) -> (Vector, Vector) {
    let is = _mm256_shuffle_epi8(both_halves(&rules::IS_BY_HIGH), high_bits(block));
    (is, is)
}

#[target_feature(enable = "avx2")]
#[inline]
fn behind(asked: Vector, before: Vector) -> (Vector, Vector) {
    let halves_before = _mm256_permute2x128_si256::<0x21>(before, asked);
    let by_1 = _mm256_alignr_epi8::<15>(asked, halves_before);
    let by_2 = _mm256_alignr_epi8::<14>(asked, halves_before);
    let by_3 = _mm256_alignr_epi8::<13>(asked, halves_before);
    // To the bit of `rules::LEAD`; what comes into other octets by that comes into their lowest bits.
    let (by_2, by_3) = (_mm256_add_epi8(by_2, by_2), _mm256_slli_epi16::<2>(by_3));
    (by_1, or(by_1, or(by_2, by_3)))
}

#[target_feature(enable = "avx2")]
#[inline]
fn short(key: MaskingKey, text: &[u8]) -> Vector {
    let (Some(first), Some((_, last))) = (text.first_chunk::<16>(), text.split_last_chunk::<16>()) else {
        return _mm256_zextsi128_si256(load_half(&padded(key, text)));
    };
    let first = _mm_xor_si128(load_half(first), _mm256_castsi256_si128(repeated(key)));
    let key = repeated(key.advanced(text.len() as u64));
    let last = _mm_xor_si128(load_half(last), _mm256_castsi256_si128(key));
    let last = _mm_shuffle_epi8(last, load_half(slid(64 - text.len())));
    _mm256_set_m128i(last, first)
}

/// Two halves: what comes from the same half, and what comes from the other one.
#[target_feature(enable = "avx2")]
#[inline]
fn head(first: Vector, len: usize) -> Vector {
    let lower = _mm256_permute2x128_si256::<0x08>(first, first);
    or(
        _mm256_shuffle_epi8(first, both_halves(slid(len))),
        _mm256_shuffle_epi8(lower, both_halves(slid(len + 16))),
    )
}

#[target_feature(enable = "avx2")]
#[inline]
fn tail(last: Vector, len: usize) -> Vector {
    let upper = _mm256_permute2x128_si256::<0x81>(last, last);
    or(
        _mm256_shuffle_epi8(last, both_halves(slid(64 - len))),
        _mm256_shuffle_epi8(upper, both_halves(slid(48 - len))),
    )
}
