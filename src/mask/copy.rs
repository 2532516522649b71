//! Masked copies, in one pass over memory: the payload data of what is sent, and of what is gathered.

use super::vector::Octets;
use super::{BLOCK_BYTES, LONG_BYTES, MaskingKey, by_length, masked, masked_block, put, store_ends};
use crate::cpu::{Cpu, on_each_level};

/// Length in bytes from which copies go from the last block to the first.
const BACKWARDS_BYTES: usize = 8 << 10;

impl MaskingKey {
    /// Masks or unmasks `from` into `to`, in one pass over memory.
    ///
    /// # Panics
    /// If the lengths differ.
    #[inline]
    pub fn copy(self, from: &[u8], to: &mut [u8]) {
        assert_eq!(
            from.len(),
            to.len(),
            "a payload and its masked copy have the same length"
        );
        self.copy_at_once(from, to);
    }

    /// [`copy`](Self::copy), with no call for a few octets, of payloads that have the same length.
    #[inline(always)]
    pub(crate) fn copy_at_once(self, from: &[u8], to: &mut [u8]) {
        if from.len() < LONG_BYTES {
            copy_short(self, from, to);
        } else {
            long_copy(self, from, to);
        }
    }

    /// [`copy`](Self::copy) of less than 128 octets, to the front of `to`.
    #[cfg(feature = "alloc")]
    #[inline(always)]
    pub(crate) fn copy_short(self, from: &[u8], to: &mut [u8; LONG_BYTES]) {
        if let Some(to) = to.get_mut(..from.len()) {
            copy_short(self, from, to);
        }
    }
}

/// [`MaskingKey::copy`] for less than [`LONG_BYTES`], as [`short`](super::short) goes.
#[inline(always)]
fn copy_short(key: MaskingKey, from: &[u8], to: &mut [u8]) {
    by_length!(from.len(), (), copy_ends(key, from, to));
}

/// [`MaskingKey::copy`] for `N` to `2 * N` octets, as [`ends`](super::ends) goes.
#[inline(always)]
fn copy_ends<const N: usize, const M: usize, const V: usize>(key: MaskingKey, from: &[u8], to: &mut [u8])
where
    [u8; M]: Octets,
{
    if let (Some(first), Some(to)) = (from.first_chunk::<N>(), to.first_chunk_mut::<N>()) {
        put(masked::<N, M, V>(first, key), to.as_chunks_mut::<M>().0);
    }
    if let (Some(last), Some(to)) = (from.last_chunk::<N>(), to.last_chunk_mut::<N>()) {
        let key = key.advanced((from.len() - N) as u64);
        put(masked::<N, M, V>(last, key), to.as_chunks_mut::<M>().0);
    }
}

/// [`MaskingKey::copy`] by blocks, as [`blocks`](super::blocks) goes: aligned where they are written. The last ones first, if so many were just
/// read that the L1 cache still holds the end alone.
#[inline(always)]
fn copy_blocks(key: MaskingKey, from: &[u8], to: &mut [u8]) {
    let len = from.len();
    let to = &mut to[..len];
    let (LONG_BYTES.., Some(first), Some(last)) = (len, from.first_chunk(), from.last_chunk()) else {
        return copy_short(key, from, to);
    };
    let first = masked_block(key, first);
    let last = masked_block(key.advanced(len as u64), last);
    let start = BLOCK_BYTES - to.as_ptr().addr() % BLOCK_BYTES;
    let block_key = key.advanced(start as u64);
    let (from, _) = from[start..].as_chunks();
    let (blocks, _) = to[start..].as_chunks_mut();
    if len < BACKWARDS_BYTES {
        for (from, to) in from.iter().zip(blocks) {
            *to = masked_block(block_key, from);
        }
    } else {
        for (from, to) in from.iter().zip(blocks).rev() {
            *to = masked_block(block_key, from);
        }
    }
    store_ends(to, first, last);
}

/// [`copy_blocks`] with the widest vectors that this processor has.
#[inline(never)]
fn long_copy(key: MaskingKey, from: &[u8], to: &mut [u8]) {
    long_copy_on(Cpu::this(), key, from, to);
}

on_each_level!(long_copy_on, copy_blocks, (key: MaskingKey, from: &[u8], to: &mut [u8]));
