//! Masking of payload data (RFC 6455 §5.3), the hot path.
//!
//! One loop over fixed-size blocks, which the compiler vectorises. With `std` on x86-64 it is compiled
//! once more for AVX2 and AVX-512, and chosen once at run time. Payloads of less than 128 octets take the vectors that every processor has, or the
//! first and the last block.

#[cfg(all(feature = "alloc", target_feature = "sse2"))]
pub(crate) mod avx512;
mod copy;
mod vector;

use core::fmt;

use crate::cpu::{Cpu, on_each_level};
use vector::{Octets, Vector};

/// A masking key: four octets, in wire order (RFC 6455 §5.3).
///
/// Octet `i` of the payload data is XORed with octet `i mod 4` of the key, so that masking and
/// unmasking are the same operation. A payload that comes in pieces is masked piece by piece, each with
/// the key [advanced](Self::advanced) by the number of octets before it.
///
/// ```
/// use ws_proto::mask::MaskingKey;
///
/// let key = MaskingKey::new([0x37, 0xfa, 0x21, 0x3d]);
/// let mut payload = *b"Hello";
/// key.apply(&mut payload[..2]);
/// key.advanced(2).apply(&mut payload[2..]);
/// assert_eq!(payload, [0x7f, 0x9f, 0x4d, 0x51, 0x58]);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct MaskingKey(u32);

impl MaskingKey {
    /// A key of four octets in wire order.
    pub const fn new(octets: [u8; 4]) -> Self {
        Self(u32::from_ne_bytes(octets))
    }

    /// The four octets in wire order.
    pub const fn octets(self) -> [u8; 4] {
        self.0.to_ne_bytes()
    }

    /// The key for the octets from `offset` on: its octets rotated by `offset mod 4`.
    #[must_use]
    pub const fn advanced(self, offset: u64) -> Self {
        let bits = 8 * (offset % 4) as u32;
        // The octet at the lowest address is the lowest byte on little-endian targets only.
        if cfg!(target_endian = "little") {
            Self(self.0.rotate_right(bits))
        } else {
            Self(self.0.rotate_left(bits))
        }
    }

    /// The key that unmasks with `self` and masks with `to` in one pass, for proxies that must not
    /// reuse a client's key. Of a payload that comes in pieces, both have to be [advanced](Self::advanced).
    #[must_use]
    pub const fn rekeyed(self, to: Self) -> Self {
        Self(self.0 ^ to.0)
    }

    /// Masks or unmasks in place. A key of zeros, which stands for none inside of this crate, costs nothing.
    #[inline(always)]
    pub fn apply(self, payload: &mut [u8]) {
        if self.0 != 0 {
            pass::<false>(self, payload);
        }
    }

    /// Masks or unmasks in place; whether all of the result is ASCII.
    #[allow(dead_code, reason = "not on targets that all have vectors")]
    #[inline]
    pub(crate) fn apply_and_check_ascii(self, payload: &mut [u8]) -> bool {
        pass::<true>(self, payload)
    }

    /// Masks or unmasks 64 octets or more in place, in one run, with what is [known](Cpu::known) of the processor.
    #[cfg(feature = "alloc")]
    #[inline]
    pub(crate) fn apply_long(self, payload: &mut [u8]) {
        debug_assert!(payload.len() >= BLOCK_BYTES);
        long_on::<false>(Cpu::known(), self, payload);
    }

    /// Masks or unmasks less than 128 octets in place.
    #[cfg(feature = "alloc")]
    #[inline(always)]
    pub(crate) fn apply_short(self, payload: &mut [u8]) {
        debug_assert!(payload.len() < LONG_BYTES);
        const ANY: bool = false;
        // More than 64 by a call, behind which nothing is left to do: with wider vectors it takes less than eight of 16 octets.
        by_length!(payload.len(), true, ends::<ANY>(self, payload), {
            two_blocks_on(Cpu::known(), self, payload);
            true
        });
    }

    /// Masks or unmasks less than 128 octets in place if the result is ASCII; whether it is.
    #[inline(always)]
    pub(crate) fn apply_short_if_ascii(self, payload: &mut [u8]) -> bool {
        debug_assert!(payload.len() < LONG_BYTES);
        short::<true>(self, payload)
    }
}

impl fmt::Debug for MaskingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d] = self.octets();
        write!(f, "MaskingKey({a:02x} {b:02x} {c:02x} {d:02x})")
    }
}

/// Bytes of a vectorised block, and a multiple of the key's length.
const BLOCK_BYTES: usize = 64;

/// Length in bytes from which the vectorised loop is worth its call.
pub(crate) const LONG_BYTES: usize = 128;

/// Length in bytes from which it pays to align the blocks: those that straddle cache lines cost twice.
const ALIGNED_BYTES: usize = 384;

/// Length in bytes of what stays in the L1 cache from its reading on.
pub(crate) const CACHED_BYTES: usize = 16 << 10;

/// The most significant bit of each octet: set in none of ASCII.
const NOT_ASCII: u64 = 0x8080_8080_8080_8080;

/// XORs the key into the payload. With `ASCII`, tells whether the result is ASCII; true otherwise.
#[inline(always)]
fn pass<const ASCII: bool>(key: MaskingKey, payload: &mut [u8]) -> bool {
    if payload.len() < LONG_BYTES {
        few::<ASCII>(key, payload)
    } else {
        long::<ASCII>(key, payload)
    }
}

/// [`pass`] for less than [`LONG_BYTES`].
#[inline(always)]
fn few<const ASCII: bool>(key: MaskingKey, payload: &mut [u8]) -> bool {
    if ASCII && short::<true>(key, payload) {
        return true;
    }
    short::<false>(key, payload);
    !ASCII
}

/// Calls `$ends` for less than [`LONG_BYTES`] with `N` of the octets, of which `V` vectors of `M` are made: the first and the last `N`,
/// which overlap, as a tail of single ones would cost more than. `$none` if there are none; `$most` for more than 64, if that is given.
macro_rules! by_length {
    ($len:expr, $none:expr, $ends:ident$(::<$flag:ident>)?($($value:expr),*)) => {
        by_length!($len, $none, $ends$(::<$flag>)?($($value),*), $ends::<64, 16, 4 $(, $flag)?>($($value),*))
    };
    ($len:expr, $none:expr, $ends:ident$(::<$flag:ident>)?($($value:expr),*), $most:expr) => {
        match $len {
            16.. => match $len {
                65.. => $most,
                33.. => $ends::<32, 16, 2 $(, $flag)?>($($value),*),
                _ => $ends::<16, 16, 1 $(, $flag)?>($($value),*),
            },
            8.. => $ends::<8, 8, 1 $(, $flag)?>($($value),*),
            4.. => $ends::<4, 4, 1 $(, $flag)?>($($value),*),
            2.. => $ends::<2, 2, 1 $(, $flag)?>($($value),*),
            1 => $ends::<1, 1, 1 $(, $flag)?>($($value),*),
            0 => $none,
        }
    };
}
use by_length;

/// [`pass`] for less than [`LONG_BYTES`]. With `IF_ASCII` the payload stays as it is if the result is more than ASCII, and
/// false is told.
#[inline(always)]
fn short<const IF_ASCII: bool>(key: MaskingKey, payload: &mut [u8]) -> bool {
    by_length!(payload.len(), true, ends::<IF_ASCII>(key, payload))
}

/// [`short`] for `N` to `2 * N` octets, which are `V` vectors of `M`.
#[inline(always)]
fn ends<const N: usize, const M: usize, const V: usize, const IF_ASCII: bool>(
    key: MaskingKey,
    payload: &mut [u8],
) -> bool
where
    [u8; M]: Octets,
{
    let (Some(first), Some(last)) = (payload.first_chunk::<N>(), payload.last_chunk::<N>()) else {
        return true;
    };
    // Both are read before either is written.
    let first = masked::<N, M, V>(first, key);
    let last = masked::<N, M, V>(last, key.advanced((payload.len() - N) as u64));
    if IF_ASCII && !are_ascii::<M, V>(first, last) {
        return false;
    }
    if let Some(to) = payload.first_chunk_mut::<N>() {
        put(first, to.as_chunks_mut::<M>().0);
    }
    if let Some(to) = payload.last_chunk_mut::<N>() {
        put(last, to.as_chunks_mut::<M>().0);
    }
    true
}

/// Whether less than [`LONG_BYTES`] are ASCII.
#[inline(always)]
pub(crate) fn short_is_ascii(octets: &[u8]) -> bool {
    by_length!(octets.len(), true, ends_are_ascii(octets))
}

/// [`short_is_ascii`] for `N` to `2 * N` octets, as [`ends`] goes.
#[inline(always)]
fn ends_are_ascii<const N: usize, const M: usize, const V: usize>(octets: &[u8]) -> bool
where
    [u8; M]: Octets,
{
    let (Some(first), Some(last)) = (octets.first_chunk::<N>(), octets.last_chunk::<N>()) else {
        return true;
    };
    let none = MaskingKey::default();
    are_ascii::<M, V>(masked::<N, M, V>(first, none), masked::<N, M, V>(last, none))
}

#[inline(always)]
fn are_ascii<const M: usize, const V: usize>(first: [Vector; V], last: [Vector; V]) -> bool {
    let mut all = first[0].or(last[0]);
    for i in 1..V {
        all = all.or(first[i]).or(last[i]);
    }
    all.is_ascii(M)
}

/// `N` octets masked, as `V` vectors of `M`.
#[inline(always)]
fn masked<const N: usize, const M: usize, const V: usize>(octets: &[u8; N], key: MaskingKey) -> [Vector; V]
where
    [u8; M]: Octets,
{
    let key = Vector::repeated(key);
    let mut vectors = [key; V];
    for (vector, octets) in vectors.iter_mut().zip(octets.as_chunks::<M>().0) {
        *vector = key.xor(octets.load());
    }
    vectors
}

#[inline(always)]
fn put<T: Octets, const V: usize>(vectors: [Vector; V], to: &mut [T]) {
    for (to, vector) in to.iter_mut().zip(vectors) {
        to.store(vector);
    }
}

/// A block masked: by octets, since that is the loop over a block which the compiler makes whole vectors of.
#[inline(always)]
fn masked_block(key: MaskingKey, octets: &[u8; BLOCK_BYTES]) -> [u8; BLOCK_BYTES] {
    let key = [key.octets(); BLOCK_BYTES / 4];
    let key = key.as_flattened();
    let mut result = [0; BLOCK_BYTES];
    for i in 0..BLOCK_BYTES {
        result[i] = octets[i] ^ key[i];
    }
    result
}

/// Whether a block is ASCII.
#[inline(always)]
fn is_ascii(octets: &[u8; BLOCK_BYTES]) -> bool {
    let (words, _) = octets.as_chunks::<8>();
    let seen = words
        .iter()
        .fold(0, |seen, word| seen | u64::from_ne_bytes(*word));
    seen & NOT_ASCII == 0
}

/// [`pass`] for 64 to 128 octets: the first and the last block, which overlap.
#[cfg(feature = "alloc")]
#[inline(always)]
fn two_blocks(key: MaskingKey, payload: &mut [u8]) {
    let (Some(first), Some(last)) = (payload.first_chunk(), payload.last_chunk()) else {
        return;
    };
    let first = masked_block(key, first);
    let last = masked_block(key.advanced(payload.len() as u64), last);
    store_ends(payload, first, last);
}

/// Stores the first and the last block.
#[inline(always)]
fn store_ends(payload: &mut [u8], first: [u8; BLOCK_BYTES], last: [u8; BLOCK_BYTES]) {
    if let Some(to) = payload.first_chunk_mut() {
        *to = first;
    }
    if let Some(to) = payload.last_chunk_mut() {
        *to = last;
    }
}

/// [`pass`] by blocks: the portable loop that the compiler vectorises for the target at hand. The first and the last block,
/// read before and written after, overlap their neighbours.
#[inline(always)]
pub(crate) fn blocks<const ASCII: bool>(key: MaskingKey, payload: &mut [u8]) -> bool {
    let len = payload.len();
    let (LONG_BYTES.., Some(first), Some(last)) = (len, payload.first_chunk(), payload.last_chunk()) else {
        return few::<ASCII>(key, payload);
    };
    let first = masked_block(key, first);
    let last = masked_block(key.advanced(len as u64), last);
    // Behind the first block, or as much before as a cache line begins there, if that pays.
    let start = if len < ALIGNED_BYTES {
        BLOCK_BYTES
    } else {
        BLOCK_BYTES - payload.as_ptr().addr() % BLOCK_BYTES
    };
    let block_key = key.advanced(start as u64);
    let mut seen = [0; BLOCK_BYTES];
    let mut take = |block: &mut [u8; BLOCK_BYTES]| {
        *block = masked_block(block_key, block);
        if ASCII {
            for (seen, octet) in seen.iter_mut().zip(block) {
                *seen |= *octet;
            }
        }
    };
    // By two: of one, the loop is so short that where the compiler puts it decides how fast it is.
    let (pairs, rest) = payload[start..len - 1]
        .as_chunks_mut::<BLOCK_BYTES>()
        .0
        .as_chunks_mut::<2>();
    for [first, second] in pairs {
        take(first);
        take(second);
    }
    if let Some(block) = rest.first_mut() {
        take(block);
    }
    store_ends(payload, first, last);
    for i in 0..BLOCK_BYTES {
        seen[i] |= first[i] | last[i];
    }
    !ASCII || is_ascii(&seen)
}

/// [`blocks`] with the widest vectors that this processor has.
#[inline]
fn long<const ASCII: bool>(key: MaskingKey, payload: &mut [u8]) -> bool {
    if payload.len() > CACHED_BYTES {
        return backwards::<ASCII>(key, payload);
    }
    long_on::<ASCII>(Cpu::this(), key, payload)
}

/// [`long`] for more than [`CACHED_BYTES`]: from its end on, which the L1 cache still holds if all of it was just read.
#[cold]
#[inline(never)]
fn backwards<const ASCII: bool>(key: MaskingKey, payload: &mut [u8]) -> bool {
    let mut start = payload.len();
    let mut all = true;
    for run in payload.rchunks_mut(CACHED_BYTES) {
        start -= run.len();
        all &= long_on::<ASCII>(Cpu::this(), key.advanced(start as u64), run);
    }
    all
}

#[cfg(feature = "alloc")]
on_each_level!(two_blocks_on, two_blocks, (key: MaskingKey, payload: &mut [u8]));
on_each_level!(long_on, blocks<const ASCII: bool>, (key: MaskingKey, payload: &mut [u8]) -> bool);

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::boxed::Box;
    use alloc::vec::Vec;
    use proptest::prelude::*;

    /// RFC 6455 §5.3 to the letter.
    fn naive(key: [u8; 4], payload: &[u8]) -> Vec<u8> {
        payload
            .iter()
            .enumerate()
            .map(|(i, octet)| octet ^ key[i % 4])
            .collect()
    }

    type Backend = Box<dyn Fn(MaskingKey, &mut [u8]) -> bool>;

    /// `pass` and `copy` with their choices, and every backend that this processor has.
    fn backends<const ASCII: bool>() -> Vec<Backend> {
        let mut backends: Vec<Backend> = Vec::from([Box::new(pass::<ASCII>) as Backend]);
        backends.push(Box::new(|key, payload| {
            let from = payload.to_vec();
            key.copy(&from, payload);
            payload.is_ascii() || !ASCII
        }));
        for cpu in Cpu::each() {
            backends.push(Box::new(move |key, payload| long_on::<ASCII>(cpu, key, payload)));
            #[cfg(feature = "alloc")]
            backends.push(Box::new(move |key, payload| {
                short_copy(cpu, key, payload);
                payload.is_ascii() || !ASCII
            }));
            #[cfg(feature = "alloc")]
            backends.push(Box::new(move |key, payload| {
                match payload.len() {
                    64..LONG_BYTES => two_blocks_on(cpu, key, payload),
                    ..64 => key.apply_short(payload),
                    _ => key.apply(payload),
                }
                payload.is_ascii() || !ASCII
            }));
            backends.push(Box::new(move |key, payload| {
                let from = payload.to_vec();
                copy::long_copy_on(cpu, key, &from, payload);
                payload.is_ascii() || !ASCII
            }));
        }
        backends
    }

    /// Masks a payload by a copy of short ones, if it is short.
    #[cfg(feature = "alloc")]
    #[allow(unsafe_code)]
    fn short_copy(cpu: Cpu, key: MaskingKey, payload: &mut [u8]) {
        let len = payload.len();
        if len >= LONG_BYTES {
            return key.apply(payload);
        }
        let mut to = [0; LONG_BYTES];
        match cpu.level() {
            #[cfg(target_feature = "sse2")]
            // SAFETY: the processor has the level's instructions, by `Cpu`.
            crate::cpu::Level::Avx512 => unsafe { avx512::copy_short(key, payload, &mut to) },
            _ => key.copy_short(payload, &mut to),
        }
        payload.copy_from_slice(&to[..len]);
    }

    #[test]
    fn s5_3_every_length_and_alignment_equals_the_naive_loop() {
        let key = [0x37, 0xfa, 0x21, 0x3d];
        let bytes: Vec<u8> = (0..700u32).map(|i| ((i * 151) >> 2) as u8).collect();
        let (places, step) = if cfg!(miri) { (2, 37) } else { (17, 1) };
        for start in 0..places {
            for end in (start..bytes.len()).step_by(step) {
                let expected = [&bytes[..start], &naive(key, &bytes[start..end]), &bytes[end..]].concat();
                for (i, backend) in backends::<false>().iter().enumerate() {
                    let mut masked = bytes.clone();
                    backend(MaskingKey::new(key), &mut masked[start..end]);
                    assert!(masked == expected, "backend {i}, {start}..{end}");
                }
            }
        }
    }

    proptest! {
        #[test]
        fn s5_3_ascii_is_told_of_the_result(key: [u8; 4], text in "[ -~]{0,300}", place: prop::sample::Index, high in 0x80u8..) {
            let mut plain = text.into_bytes();
            for non_ascii in [false, true] {
                if non_ascii && !plain.is_empty() {
                    let place = place.index(plain.len());
                    plain[place] = high;
                }
                for backend in backends::<true>() {
                    let mut bytes = naive(key, &plain);
                    prop_assert_eq!(backend(MaskingKey::new(key), &mut bytes), plain.is_ascii());
                    prop_assert_eq!(&bytes, &plain);
                }
            }
        }

        #[test]
        fn s5_3_pieces_go_on_where_the_last_one_ended(key: [u8; 4], payload: Vec<u8>, cut: prop::sample::Index) {
            let cut = cut.index(payload.len() + 1);
            let mut pieces = payload.clone();
            MaskingKey::new(key).apply(&mut pieces[..cut]);
            MaskingKey::new(key).advanced(cut as u64).apply(&mut pieces[cut..]);
            prop_assert_eq!(pieces, naive(key, &payload));
        }

        #[test]
        fn s5_4_rekeying_is_unmasking_and_masking_in_one_pass(from: [u8; 4], to: [u8; 4], payload: Vec<u8>, offset in 0u64..9) {
            let (from, to) = (MaskingKey::new(from).advanced(offset), MaskingKey::new(to).advanced(offset));
            let mut once = payload.clone();
            from.rekeyed(to).apply(&mut once);
            let mut twice = payload;
            from.apply(&mut twice);
            to.apply(&mut twice);
            prop_assert_eq!(once, twice);
        }

        #[test]
        fn s5_3_a_masked_copy_leaves_the_original(key: [u8; 4], len in 0usize..9000) {
            let payload: Vec<u8> = (0..len).map(|i| (i % 253) as u8).collect();
            let mut copy = alloc::vec![0; len];
            MaskingKey::new(key).copy(&payload, &mut copy);
            prop_assert_eq!(copy, naive(key, &payload));
        }

        #[test]
        #[cfg_attr(miri, ignore = "takes minutes; what is unsafe there shorter ones take, too")]
        fn s5_3_what_is_longer_than_the_cache(key: [u8; 4], behind in 0..2 * CACHED_BYTES, high: prop::sample::Index) {
            let mut plain: Vec<u8> = (0..CACHED_BYTES + behind).map(|i| (i % 127) as u8).collect();
            for ascii in [true, false] {
                if !ascii {
                    plain[high.index(CACHED_BYTES + behind)] = 0x80;
                }
                let mut bytes = naive(key, &plain);
                prop_assert_eq!(pass::<true>(MaskingKey::new(key), &mut bytes), ascii);
                prop_assert!(bytes == plain);
                MaskingKey::new(key).apply(&mut bytes);
                prop_assert!(bytes == naive(key, &plain));
            }
        }
    }
}
