//! 16 octets at a time, with SSSE3.
#![allow(unsafe_code)]

#[cfg(target_arch = "x86")]
use core::arch::x86::*;
#[cfg(target_arch = "x86_64")]
use core::arch::x86_64::*;

use super::lanes::{padded, slid};

const BYTES: usize = 16;
type Vector = __m128i;

super::algorithm::kernel!("ssse3");

#[target_feature(enable = "ssse3")]
#[inline]
fn load(from: &[u8; BYTES]) -> Vector {
    // SAFETY: the array has as many octets as are read, and no alignment is asked for.
    unsafe { _mm_loadu_si128(from.as_ptr().cast()) }
}

#[target_feature(enable = "ssse3")]
#[inline]
fn store(block: Vector, to: &mut [u8; BYTES]) {
    // SAFETY: the array has as many octets as are written, and no alignment is asked for.
    unsafe { _mm_storeu_si128(to.as_mut_ptr().cast(), block) }
}

#[target_feature(enable = "ssse3")]
#[inline]
fn zero() -> Vector {
    _mm_setzero_si128()
}

#[target_feature(enable = "ssse3")]
#[inline]
fn repeated(key: MaskingKey) -> Vector {
    _mm_set1_epi32(i32::from_ne_bytes(key.octets()))
}

#[target_feature(enable = "ssse3")]
#[inline]
fn xor(a: Vector, b: Vector) -> Vector {
    _mm_xor_si128(a, b)
}

#[target_feature(enable = "ssse3")]
#[inline]
fn or(a: Vector, b: Vector) -> Vector {
    _mm_or_si128(a, b)
}

#[target_feature(enable = "ssse3")]
#[inline]
fn and(a: Vector, b: Vector) -> Vector {
    _mm_and_si128(a, b)
}

#[target_feature(enable = "ssse3")]
#[inline]
fn is_ascii(block: Vector) -> bool {
    _mm_movemask_epi8(block) == 0
}

#[target_feature(enable = "ssse3")]
#[inline]
fn is_zero(block: Vector) -> bool {
    _mm_movemask_epi8(_mm_cmpeq_epi8(block, zero())) == 0xffff
}

#[target_feature(enable = "ssse3")]
#[inline]
fn high_bits(block: Vector) -> Vector {
    and(_mm_srli_epi16::<4>(block), _mm_set1_epi8(0x0f))
}

#[target_feature(enable = "ssse3")]
#[inline]
fn asks(block: Vector) -> Vector {
    let low_bits = and(block, _mm_set1_epi8(0x0f));
    and(
        _mm_shuffle_epi8(load(&rules::ASKS_BY_HIGH), high_bits(block)),
        _mm_shuffle_epi8(load(&rules::ASKS_BY_LOW), low_bits),
    )
}

#[target_feature(enable = "ssse3")]
#[inline]
fn is(block: Vector, _asked: Vector) -> (Vector, Vector) {
    let is = _mm_shuffle_epi8(load(&rules::IS_BY_HIGH), high_bits(block));
    (is, is)
}

#[target_feature(enable = "ssse3")]
#[inline]
fn behind(asked: Vector, before: Vector) -> (Vector, Vector) {
    let by_1 = _mm_alignr_epi8::<15>(asked, before);
    let by_2 = _mm_alignr_epi8::<14>(asked, before);
    let by_3 = _mm_alignr_epi8::<13>(asked, before);
    // To the bit of `rules::LEAD`; what comes into other octets by that comes into their lowest bits.
    let (by_2, by_3) = (_mm_add_epi8(by_2, by_2), _mm_slli_epi16::<2>(by_3));
    (by_1, or(by_1, or(by_2, by_3)))
}

#[target_feature(enable = "ssse3")]
#[inline]
fn short(key: MaskingKey, text: &[u8]) -> Vector {
    load(&padded(key, text))
}

#[target_feature(enable = "ssse3")]
#[inline]
fn head(first: Vector, len: usize) -> Vector {
    _mm_shuffle_epi8(first, load(slid(16 + len)))
}

#[target_feature(enable = "ssse3")]
#[inline]
fn tail(last: Vector, len: usize) -> Vector {
    _mm_shuffle_epi8(last, load(slid(48 - len)))
}
