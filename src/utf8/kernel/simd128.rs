//! 16 octets at a time, with WebAssembly's simd128.
#![allow(unsafe_code)]

use core::arch::wasm32::*;

use super::lanes::{padded, slid};

const BYTES: usize = 16;
type Vector = v128;

super::algorithm::kernel!("simd128");

#[target_feature(enable = "simd128")]
#[inline]
fn load(from: &[u8; BYTES]) -> Vector {
    // SAFETY: the array has as many octets as are read, and no alignment is asked for.
    unsafe { v128_load(from.as_ptr().cast()) }
}

#[target_feature(enable = "simd128")]
#[inline]
fn store(block: Vector, to: &mut [u8; BYTES]) {
    // SAFETY: the array has as many octets as are written, and no alignment is asked for.
    unsafe { v128_store(to.as_mut_ptr().cast(), block) }
}

#[target_feature(enable = "simd128")]
#[inline]
fn zero() -> Vector {
    u8x16_splat(0)
}

#[target_feature(enable = "simd128")]
#[inline]
fn repeated(key: MaskingKey) -> Vector {
    u32x4_splat(u32::from_ne_bytes(key.octets()))
}

#[target_feature(enable = "simd128")]
#[inline]
fn xor(a: Vector, b: Vector) -> Vector {
    v128_xor(a, b)
}

#[target_feature(enable = "simd128")]
#[inline]
fn or(a: Vector, b: Vector) -> Vector {
    v128_or(a, b)
}

#[target_feature(enable = "simd128")]
#[inline]
fn and(a: Vector, b: Vector) -> Vector {
    v128_and(a, b)
}

#[target_feature(enable = "simd128")]
#[inline]
fn is_ascii(block: Vector) -> bool {
    u8x16_bitmask(block) == 0
}

#[target_feature(enable = "simd128")]
#[inline]
fn is_zero(block: Vector) -> bool {
    !v128_any_true(block)
}

#[target_feature(enable = "simd128")]
#[inline]
fn asks(block: Vector) -> Vector {
    let low_bits = and(block, u8x16_splat(0x0f));
    and(
        u8x16_swizzle(load(&rules::ASKS_BY_HIGH), u8x16_shr(block, 4)),
        u8x16_swizzle(load(&rules::ASKS_BY_LOW), low_bits),
    )
}

#[target_feature(enable = "simd128")]
#[inline]
fn is(block: Vector, _asked: Vector) -> (Vector, Vector) {
    let is = u8x16_swizzle(load(&rules::IS_BY_HIGH), u8x16_shr(block, 4));
    (is, is)
}

#[target_feature(enable = "simd128")]
#[inline]
fn behind(asked: Vector, before: Vector) -> (Vector, Vector) {
    let by_1 = u8x16_shuffle::<15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30>(before, asked);
    let by_2 = u8x16_shuffle::<14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29>(before, asked);
    let by_3 = u8x16_shuffle::<13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28>(before, asked);
    // To the bit of `rules::LEAD`; what comes into other octets by that comes into their lowest bits.
    let (by_2, by_3) = (u8x16_add(by_2, by_2), u16x8_shl(by_3, 2));
    (by_1, or(by_1, or(by_2, by_3)))
}

#[target_feature(enable = "simd128")]
#[inline]
fn short(key: MaskingKey, text: &[u8]) -> Vector {
    load(&padded(key, text))
}

#[target_feature(enable = "simd128")]
#[inline]
fn head(first: Vector, len: usize) -> Vector {
    u8x16_swizzle(first, load(slid(16 + len)))
}

#[target_feature(enable = "simd128")]
#[inline]
fn tail(last: Vector, len: usize) -> Vector {
    u8x16_swizzle(last, load(slid(48 - len)))
}
