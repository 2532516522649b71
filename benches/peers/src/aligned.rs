//! Bytes in a place of their own choice.

use std::ops::{Deref, DerefMut};
use std::sync::Arc;

/// Bytes that begin with a cache line, with room for one behind them: where they lie must not decide who is faster.
pub struct Aligned {
    bytes: Vec<u8>,
    start: usize,
    len: usize,
}

impl Aligned {
    const LINE: usize = 64;
    const PAGE: usize = 4096;

    pub fn new(bytes: &[u8]) -> Self {
        Self::with(Self::LINE, 0, bytes)
    }

    /// Bytes to be copied to a [`space`](Self::space), from the beginning of a page on.
    pub fn source(bytes: &[u8]) -> Arc<Self> {
        Arc::new(Self::with(Self::PAGE, 0, bytes))
    }

    /// So many zeros, from the middle of a page on: a load waits for a store that has nearly the same place in another page.
    pub fn space(len: usize) -> Self {
        Self::with(Self::PAGE, Self::PAGE / 2, &vec![0; len])
    }

    /// What it holds on the heap.
    pub fn held_bytes(&self) -> usize {
        self.bytes.capacity()
    }

    fn with(align: usize, offset: usize, bytes: &[u8]) -> Self {
        let mut aligned = vec![0; offset + bytes.len() + align + Self::LINE];
        let start = aligned.as_ptr().align_offset(align) + offset;
        aligned[start..start + bytes.len()].copy_from_slice(bytes);
        Self {
            bytes: aligned,
            start,
            len: bytes.len(),
        }
    }
}

impl Deref for Aligned {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes[self.start..self.start + self.len]
    }
}

impl DerefMut for Aligned {
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.bytes[self.start..self.start + self.len]
    }
}
