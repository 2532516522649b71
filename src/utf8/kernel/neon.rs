//! 16 octets at a time, with NEON.
#![allow(unsafe_code)]

use core::arch::aarch64::*;

use super::lanes::{padded, slid};

const BYTES: usize = 16;
type Vector = uint8x16_t;

super::algorithm::kernel!("neon");

#[target_feature(enable = "neon")]
#[inline]
fn load(from: &[u8; BYTES]) -> Vector {
    // SAFETY: the array has as many octets as are read, and no alignment is asked for.
    unsafe { vld1q_u8(from.as_ptr()) }
}

#[target_feature(enable = "neon")]
#[inline]
fn store(block: Vector, to: &mut [u8; BYTES]) {
    // SAFETY: the array has as many octets as are written, and no alignment is asked for.
    unsafe { vst1q_u8(to.as_mut_ptr(), block) }
}

#[target_feature(enable = "neon")]
#[inline]
fn zero() -> Vector {
    vdupq_n_u8(0)
}

#[target_feature(enable = "neon")]
#[inline]
fn repeated(key: MaskingKey) -> Vector {
    vreinterpretq_u8_u32(vdupq_n_u32(u32::from_ne_bytes(key.octets())))
}

#[target_feature(enable = "neon")]
#[inline]
fn xor(a: Vector, b: Vector) -> Vector {
    veorq_u8(a, b)
}

#[target_feature(enable = "neon")]
#[inline]
fn or(a: Vector, b: Vector) -> Vector {
    vorrq_u8(a, b)
}

#[target_feature(enable = "neon")]
#[inline]
fn and(a: Vector, b: Vector) -> Vector {
    vandq_u8(a, b)
}

#[target_feature(enable = "neon")]
#[inline]
fn is_ascii(block: Vector) -> bool {
    vmaxvq_u8(block) < 0x80
}

#[target_feature(enable = "neon")]
#[inline]
fn is_zero(block: Vector) -> bool {
    vmaxvq_u8(block) == 0
}

#[target_feature(enable = "neon")]
#[inline]
fn asks(block: Vector) -> Vector {
    let low_bits = and(block, vdupq_n_u8(0x0f));
    and(
        vqtbl1q_u8(load(&rules::ASKS_BY_HIGH), vshrq_n_u8::<4>(block)),
        vqtbl1q_u8(load(&rules::ASKS_BY_LOW), low_bits),
    )
}

#[target_feature(enable = "neon")]
#[inline]
fn is(block: Vector, _asked: Vector) -> (Vector, Vector) {
    let is = vqtbl1q_u8(load(&rules::IS_BY_HIGH), vshrq_n_u8::<4>(block));
    (is, is)
}

#[target_feature(enable = "neon")]
#[inline]
fn behind(asked: Vector, before: Vector) -> (Vector, Vector) {
    let by_1 = vextq_u8::<15>(before, asked);
    let by_2 = vextq_u8::<14>(before, asked);
    let by_3 = vextq_u8::<13>(before, asked);
    // To the bit of `rules::LEAD`.
    let (by_2, by_3) = (vshlq_n_u8::<1>(by_2), vshlq_n_u8::<2>(by_3));
    (by_1, or(by_1, or(by_2, by_3)))
}

#[target_feature(enable = "neon")]
#[inline]
fn short(key: MaskingKey, text: &[u8]) -> Vector {
    load(&padded(key, text))
}

#[target_feature(enable = "neon")]
#[inline]
fn head(first: Vector, len: usize) -> Vector {
    vqtbl1q_u8(first, load(slid(16 + len)))
}

#[target_feature(enable = "neon")]
#[inline]
fn tail(last: Vector, len: usize) -> Vector {
    vqtbl1q_u8(last, load(slid(48 - len)))
}
