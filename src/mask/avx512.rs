//! Copies of short payloads with AVX-512: without a branch for each length, since a load can leave out what is not there.
#![allow(unsafe_code)]

#[cfg(target_arch = "x86")]
use core::arch::x86::*;
#[cfg(target_arch = "x86_64")]
use core::arch::x86_64::*;

use super::{LONG_BYTES, MaskingKey};

/// Bytes of a vector.
const BYTES: usize = 64;

/// [`MaskingKey::copy`] of less than [`LONG_BYTES`] to the front of `to`. What is behind that is overwritten as well.
#[target_feature(enable = "avx512f,avx512bw")]
#[inline]
pub(crate) fn copy_short(key: MaskingKey, from: &[u8], to: &mut [u8; LONG_BYTES]) {
    debug_assert!(from.len() < LONG_BYTES);
    let ([first, second], []) = to.as_chunks_mut() else {
        return;
    };
    match from.split_first_chunk() {
        Some((whole, rest)) => {
            store(xor(key, load(whole)), first);
            store(xor(key, load_part(rest)), second);
        }
        None => store(xor(key, load_part(from)), first),
    }
}

#[target_feature(enable = "avx512f")]
#[inline]
fn xor(key: MaskingKey, block: __m512i) -> __m512i {
    _mm512_xor_si512(block, _mm512_set1_epi32(key.0 as i32))
}

#[target_feature(enable = "avx512f")]
#[inline]
fn load(from: &[u8; BYTES]) -> __m512i {
    // SAFETY: the array has as many octets as are read, and no alignment is asked for.
    unsafe { _mm512_loadu_si512(from.as_ptr().cast()) }
}

/// Less than a vector, with zeros behind it.
#[target_feature(enable = "avx512bw")]
#[inline]
fn load_part(from: &[u8]) -> __m512i {
    let there = (1_u64 << (from.len() % BYTES)) - 1;
    // SAFETY: what is not there of the vector is not read.
    unsafe { _mm512_maskz_loadu_epi8(there, from.as_ptr().cast()) }
}

#[target_feature(enable = "avx512f")]
#[inline]
fn store(block: __m512i, to: &mut [u8; BYTES]) {
    // SAFETY: the array has as many octets as are written, and no alignment is asked for.
    unsafe { _mm512_storeu_si512(to.as_mut_ptr().cast(), block) }
}
