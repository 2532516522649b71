//! 64 octets at a time, with AVX-512 and VBMI2: a table of 64 entries is one instruction.
#![allow(unsafe_code)]

#[cfg(target_arch = "x86")]
use core::arch::x86::*;
#[cfg(target_arch = "x86_64")]
use core::arch::x86_64::*;

#[cfg(feature = "alloc")]
use super::avx2;
use super::lanes::padded;

const BYTES: usize = 64;
type Vector = __m512i;

super::algorithm::kernel!("avx512f,avx512bw,avx512vl,avx512vbmi,avx512vbmi2");

/// Unmasks a text of at most two vectors, if it is masked, and if it is valid; whether it is ASCII then. Otherwise it stays as it
/// is. The key of one that is not masked is zero.
#[cfg(feature = "alloc")]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi,avx512vbmi2")]
#[inline]
pub(crate) fn unmask_short<const MASKED: bool>(key: MaskingKey, text: &mut [u8]) -> Option<bool> {
    debug_assert!(text.len() <= 2 * BYTES);
    // Half a vector takes half the time, but for the instructions.
    if text.len() <= BYTES / 2 {
        let block = masked_half(key, text);
        let ascii = avx2::is_ascii(block);
        if !ascii && !avx2::is_text(block) {
            return None;
        }
        if MASKED {
            store_half_text(block, text);
        }
        return Some(ascii);
    }
    let front = masked_part(key, text, 0);
    let mut check = Check::new();
    let back = if text.len() <= BYTES {
        check.group(&[front]);
        zero()
    } else {
        let back = masked_part(key, text, BYTES);
        check.group(&[front, back]);
        back
    };
    let ascii = !check.any_characters;
    if !check.finish() {
        return None;
    }
    if MASKED {
        store_text(front, back, text);
    }
    Some(ascii)
}

/// Stores vectors as the first and as the last so many octets of a text. They overlap: a masked store would be one, but the load of
/// the next header would wait for it.
#[cfg(feature = "alloc")]
macro_rules! store_ends {
    ($store:ident, $octets:literal, $first:expr, $last:expr, $text:expr) => {{
        if let Some(to) = $text.first_chunk_mut::<$octets>() {
            // SAFETY: the array has as many octets as are written, and no alignment is asked for.
            unsafe { $store(to.as_mut_ptr().cast(), $first) }
        }
        if let Some(to) = $text.last_chunk_mut::<$octets>() {
            // SAFETY: the array has as many octets as are written, and no alignment is asked for.
            unsafe { $store(to.as_mut_ptr().cast(), $last) }
        }
    }};
}

/// Stores a text of at most half a vector.
#[cfg(feature = "alloc")]
#[target_feature(enable = "avx512bw,avx512vl,avx512vbmi")]
#[inline]
fn store_half_text(block: __m256i, text: &mut [u8]) {
    let len = text.len();
    let first = _mm256_castsi256_si128(block);
    let last_from = |start| {
        let places = _mm512_castsi512_si256(places_from(start));
        _mm256_castsi256_si128(_mm256_permutexvar_epi8(places, block))
    };
    match len {
        16.. => store_ends!(_mm_storeu_si128, 16, first, last_from(len - 16), text),
        8.. => store_ends!(_mm_storeu_si64, 8, first, last_from(len - 8), text),
        4.. => store_ends!(_mm_storeu_si32, 4, first, last_from(len - 4), text),
        _ => {
            let octets = _mm_cvtsi128_si32(first).to_ne_bytes();
            for (to, octet) in text.iter_mut().zip(octets) {
                *to = octet;
            }
        }
    }
}

/// Stores a text of more than half a vector and at most two.
#[cfg(feature = "alloc")]
#[target_feature(enable = "avx512bw,avx512vbmi")]
#[inline]
fn store_text(front: Vector, back: Vector, text: &mut [u8]) {
    let len = text.len();
    if len > BYTES {
        let last = _mm512_permutex2var_epi8(front, places_from(len - BYTES), back);
        store_ends!(_mm512_storeu_si512, 64, front, last, text);
    } else {
        let places = places_from(len - BYTES / 2);
        let last = _mm512_castsi512_si256(_mm512_permutexvar_epi8(places, front));
        store_ends!(_mm256_storeu_si256, 32, _mm512_castsi512_si256(front), last, text);
    }
}

/// The places of a vector's octets, from this one on.
#[cfg(feature = "alloc")]
#[target_feature(enable = "avx512bw")]
#[inline]
fn places_from(start: usize) -> Vector {
    _mm512_add_epi8(load(&PLACES), _mm512_set1_epi8(start as i8))
}

/// The vector of a text that the key masks from some place on, unmasked, with zeros behind the text.
#[cfg(feature = "alloc")]
#[target_feature(enable = "avx512bw")]
#[inline]
fn masked_part(key: MaskingKey, text: &[u8], from: usize) -> Vector {
    let there = _mm512_cmplt_epu8_mask(load(&PLACES), _mm512_set1_epi8((text.len() - from) as i8));
    // SAFETY: what is not there of the vector is not read.
    let block = unsafe { _mm512_maskz_loadu_epi8(there, text[from..].as_ptr().cast()) };
    _mm512_maskz_mov_epi8(there, xor(block, repeated(key)))
}

/// [`masked_part`] for half a vector.
#[cfg(feature = "alloc")]
#[target_feature(enable = "avx512bw,avx512vl")]
#[inline]
fn masked_half(key: MaskingKey, text: &[u8]) -> __m256i {
    let places = _mm512_castsi512_si256(load(&PLACES));
    let there = _mm256_cmplt_epu8_mask(places, _mm256_set1_epi8(text.len() as i8));
    // SAFETY: what is not there of the vector is not read.
    let block = unsafe { _mm256_maskz_loadu_epi8(there, text.as_ptr().cast()) };
    let key = _mm512_castsi512_si256(repeated(key));
    _mm256_maskz_mov_epi8(there, _mm256_xor_si256(block, key))
}

#[target_feature(enable = "avx512f")]
#[inline]
fn load(from: &[u8; BYTES]) -> Vector {
    // SAFETY: the array has as many octets as are read, and no alignment is asked for.
    unsafe { _mm512_loadu_si512(from.as_ptr().cast()) }
}

#[target_feature(enable = "avx512f")]
#[inline]
fn store(block: Vector, to: &mut [u8; BYTES]) {
    // SAFETY: the array has as many octets as are written, and no alignment is asked for.
    unsafe { _mm512_storeu_si512(to.as_mut_ptr().cast(), block) }
}

#[target_feature(enable = "avx512f")]
#[inline]
fn zero() -> Vector {
    _mm512_setzero_si512()
}

#[target_feature(enable = "avx512f")]
#[inline]
fn repeated(key: MaskingKey) -> Vector {
    _mm512_set1_epi32(i32::from_ne_bytes(key.octets()))
}

#[target_feature(enable = "avx512f")]
#[inline]
fn xor(a: Vector, b: Vector) -> Vector {
    _mm512_xor_si512(a, b)
}

#[target_feature(enable = "avx512f")]
#[inline]
fn or(a: Vector, b: Vector) -> Vector {
    _mm512_or_si512(a, b)
}

#[target_feature(enable = "avx512f")]
#[inline]
fn and(a: Vector, b: Vector) -> Vector {
    _mm512_and_si512(a, b)
}

#[target_feature(enable = "avx512bw")]
#[inline]
fn is_ascii(block: Vector) -> bool {
    _mm512_movepi8_mask(block) == 0
}

#[target_feature(enable = "avx512f")]
#[inline]
fn is_zero(block: Vector) -> bool {
    _mm512_test_epi32_mask(block, block) == 0
}

#[target_feature(enable = "avx512bw,avx512vbmi")]
#[inline]
fn asks(block: Vector) -> Vector {
    let leads = _mm512_cmpge_epu8_mask(block, _mm512_set1_epi8(0xc0_u8 as i8));
    _mm512_maskz_permutexvar_epi8(leads, block, load(&rules::ASKS_BY_LOW_SIX))
}

#[target_feature(enable = "avx512bw,avx512vbmi")]
#[inline]
fn is(block: Vector, asked: Vector) -> (Vector, Vector) {
    // More than ASCII, and no lead. The pair of a lead with anything else is wrong by that alone.
    let continuation = xor(block, asked);
    (
        continuation,
        _mm512_permutexvar_epi8(block, load(&rules::IS_BY_LOW_SIX)),
    )
}

/// The shifts go by bits, so that they bring the bits for the octets two and three places on to that of
/// `rules::LEAD`.
#[target_feature(enable = "avx512f,avx512vbmi2")]
#[inline]
fn behind(asked: Vector, before: Vector) -> (Vector, Vector) {
    let words_before = _mm512_alignr_epi64::<7>(asked, before);
    let by_1 = _mm512_shldi_epi64::<8>(asked, words_before);
    let by_2 = _mm512_shldi_epi64::<17>(asked, words_before);
    let by_3 = _mm512_shldi_epi64::<26>(asked, words_before);
    (by_1, or(by_1, or(by_2, by_3)))
}

/// From the first and the last half of a vector, or quarter: a masked load would wait for the stores before it.
#[target_feature(enable = "avx512bw,avx512vl,avx512vbmi")]
#[inline]
fn short(key: MaskingKey, text: &[u8]) -> Vector {
    let len = text.len();
    let (ends, part) = if let (Some(first), Some(last)) = (text.first_chunk(), text.last_chunk()) {
        let ends = _mm512_castsi256_si512(load_half(first));
        (_mm512_inserti64x4::<1>(ends, load_half(last)), 32)
    } else if let (Some(first), Some(last)) = (text.first_chunk(), text.last_chunk()) {
        let ends = _mm512_castsi128_si512(load_quarter(first));
        (_mm512_inserti32x4::<1>(ends, load_quarter(last)), 16)
    } else {
        return _mm512_zextsi128_si512(load_quarter(&padded(key, text)));
    };
    let behind_first = _mm512_maskz_set1_epi8(u64::MAX << part, (2 * part - len) as i8);
    let places = _mm512_add_epi8(load(&PLACES), behind_first);
    let there = (1 << len) - 1;
    let block = xor(_mm512_permutexvar_epi8(places, ends), repeated(key));
    _mm512_maskz_mov_epi8(there, block)
}

#[target_feature(enable = "avx512f")]
#[inline]
fn load_half(from: &[u8; 32]) -> __m256i {
    // SAFETY: the array has as many octets as are read, and no alignment is asked for.
    unsafe { _mm256_loadu_si256(from.as_ptr().cast()) }
}

#[target_feature(enable = "avx512f")]
#[inline]
fn load_quarter(from: &[u8; 16]) -> __m128i {
    // SAFETY: the array has as many octets as are read, and no alignment is asked for.
    unsafe { _mm_loadu_si128(from.as_ptr().cast()) }
}

#[target_feature(enable = "avx512bw,avx512vbmi")]
#[inline]
fn head(first: Vector, len: usize) -> Vector {
    let absent = BYTES - len;
    let places = _mm512_sub_epi8(load(&PLACES), _mm512_set1_epi8(absent as i8));
    _mm512_maskz_permutexvar_epi8(u64::MAX << absent, places, first)
}

#[target_feature(enable = "avx512bw,avx512vbmi")]
#[inline]
fn tail(last: Vector, len: usize) -> Vector {
    let absent = BYTES - len;
    let places = _mm512_add_epi8(load(&PLACES), _mm512_set1_epi8(absent as i8));
    _mm512_maskz_permutexvar_epi8(u64::MAX >> absent, places, last)
}

const PLACES: [u8; BYTES] = {
    let mut places = [0; BYTES];
    let mut i = 0;
    while i < BYTES {
        places[i] = i as u8;
        i += 1;
    }
    places
};
