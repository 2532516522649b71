//! Bytes in a place of their own choice.

use std::ops::{Deref, DerefMut};

/// Bytes that begin with a cache line, with room for one behind them: where they lie must not decide who is faster.
pub struct Aligned {
    bytes: Vec<u8>,
    start: usize,
    len: usize,
}

impl Aligned {
    const LINE: usize = 64;

    pub fn new(bytes: &[u8]) -> Self {
        let mut aligned = vec![0; bytes.len() + 2 * Self::LINE];
        let start = aligned.as_ptr().align_offset(Self::LINE);
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
