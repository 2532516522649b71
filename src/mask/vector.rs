//! Sixteen octets at a time, or less, in a register that every processor of the target has.

use super::MaskingKey;

/// Sixteen octets, or less at the front of them.
#[derive(Clone, Copy)]
pub(super) struct Vector(imp::Register);

/// 1, 2, 4, 8 or 16 octets.
pub(super) trait Octets {
    fn load(&self) -> Vector;
    /// Stores as many.
    fn store(&mut self, vector: Vector);
}

impl Vector {
    /// The key, four times.
    #[inline(always)]
    pub(super) fn repeated(key: MaskingKey) -> Self {
        Self(imp::repeated(key.octets()))
    }

    #[inline(always)]
    pub(super) fn xor(self, other: Self) -> Self {
        Self(imp::xor(self.0, other.0))
    }

    #[inline(always)]
    pub(super) fn or(self, other: Self) -> Self {
        Self(imp::or(self.0, other.0))
    }

    /// Whether the first so many octets are ASCII.
    #[inline(always)]
    pub(super) fn is_ascii(self, octets: usize) -> bool {
        imp::is_ascii(self.0, octets)
    }
}

/// With SSE2.
#[cfg(all(target_arch = "x86_64", target_feature = "sse2"))]
#[allow(unsafe_code)]
mod imp {
    use super::{Octets, Vector};
    use core::arch::x86_64::*;

    pub(super) type Register = __m128i;

    macro_rules! octets {
        ($($n:literal: $load:ident, $store:ident);*) => {$(
            impl Octets for [u8; $n] {
                #[inline(always)]
                fn load(&self) -> Vector {
                    // SAFETY: the array has as many octets as are read, and no alignment is asked for.
                    Vector(unsafe { $load(self.as_ptr().cast()) })
                }

                #[inline(always)]
                fn store(&mut self, vector: Vector) {
                    // SAFETY: the array has as many octets as are written, and no alignment is asked for.
                    unsafe { $store(self.as_mut_ptr().cast(), vector.0) }
                }
            }
        )*};
    }
    octets!(2: _mm_loadu_si16, _mm_storeu_si16; 4: _mm_loadu_si32, _mm_storeu_si32;
        8: _mm_loadu_si64, _mm_storeu_si64; 16: _mm_loadu_si128, _mm_storeu_si128);

    impl Octets for [u8; 1] {
        #[inline(always)]
        fn load(&self) -> Vector {
            // SAFETY: the crate is compiled for SSE2.
            Vector(unsafe { _mm_cvtsi32_si128(self[0].into()) })
        }

        #[inline(always)]
        fn store(&mut self, vector: Vector) {
            // SAFETY: the crate is compiled for SSE2.
            self[0] = unsafe { _mm_cvtsi128_si32(vector.0) } as u8;
        }
    }

    #[inline(always)]
    pub(super) fn repeated(octets: [u8; 4]) -> Register {
        // SAFETY: the crate is compiled for SSE2.
        unsafe { _mm_set1_epi32(i32::from_ne_bytes(octets)) }
    }

    #[inline(always)]
    pub(super) fn xor(a: Register, b: Register) -> Register {
        // SAFETY: the crate is compiled for SSE2.
        unsafe { _mm_xor_si128(a, b) }
    }

    #[inline(always)]
    pub(super) fn or(a: Register, b: Register) -> Register {
        // SAFETY: the crate is compiled for SSE2.
        unsafe { _mm_or_si128(a, b) }
    }

    #[inline(always)]
    pub(super) fn is_ascii(register: Register, octets: usize) -> bool {
        // SAFETY: the crate is compiled for SSE2.
        let not_ascii = unsafe { _mm_movemask_epi8(register) };
        not_ascii & ((1 << octets) - 1) == 0
    }
}

/// As an array, which the compiler puts where it likes.
#[cfg(not(all(target_arch = "x86_64", target_feature = "sse2")))]
mod imp {
    use super::{Octets, Vector};

    pub(super) type Register = [u8; 16];

    macro_rules! octets {
        ($($n:literal)*) => {$(
            impl Octets for [u8; $n] {
                #[inline(always)]
                fn load(&self) -> Vector {
                    let mut octets = [0; 16];
                    octets[..$n].copy_from_slice(self);
                    Vector(octets)
                }

                #[inline(always)]
                fn store(&mut self, vector: Vector) {
                    self.copy_from_slice(&vector.0[..$n]);
                }
            }
        )*};
    }
    octets!(1 2 4 8 16);

    #[inline(always)]
    pub(super) fn repeated(octets: [u8; 4]) -> Register {
        let mut register = [0; 16];
        register.as_chunks_mut().0.fill(octets);
        register
    }

    #[inline(always)]
    pub(super) fn xor(a: Register, b: Register) -> Register {
        (u128::from_ne_bytes(a) ^ u128::from_ne_bytes(b)).to_ne_bytes()
    }

    #[inline(always)]
    pub(super) fn or(a: Register, b: Register) -> Register {
        (u128::from_ne_bytes(a) | u128::from_ne_bytes(b)).to_ne_bytes()
    }

    #[inline(always)]
    pub(super) fn is_ascii(register: Register, octets: usize) -> bool {
        register[..octets].is_ascii()
    }
}
