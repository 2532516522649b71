//! Bytes on the heap that grow, with all of their memory initialised: what is spare can be lent to be written to.

use alloc::boxed::Box;
use core::fmt;
use core::ops::{Deref, DerefMut};

use crate::mask::MaskingKey;

/// Like a `Vec<u8>`, whose spare memory safe code cannot write to without filling it first, each time.
#[derive(Default)]
pub(crate) struct Store {
    memory: Option<Box<[u8]>>,
    len: usize,
}

impl Store {
    pub(crate) const fn new() -> Self {
        Self { memory: None, len: 0 }
    }

    /// Number of bytes. Not that of the slice, for which the memory would have to be looked at.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    #[inline]
    pub(crate) fn capacity(&self) -> usize {
        self.memory.as_ref().map_or(0, |memory| memory.len())
    }

    /// Makes room for `n` bytes more than there are, and for more, so that growing by and by stays cheap.
    pub(crate) fn reserve(&mut self, n: usize) {
        if self.capacity() - self.len < n {
            let doubled = 2 * self.capacity() - self.len;
            self.reserve_ahead(n, doubled.saturating_sub(n));
        }
    }

    /// Makes room for exactly `n` bytes more than there are, and `ahead` behind them, as far as there can be as many.
    pub(crate) fn reserve_ahead(&mut self, n: usize, ahead: usize) {
        let most = (isize::MAX as usize).saturating_sub(self.len + n);
        self.reserve_exact(n + ahead.min(most));
    }

    /// Makes room for exactly `n` bytes more than there are.
    pub(crate) fn reserve_exact(&mut self, n: usize) {
        if self.len == 0 && self.capacity() < n {
            self.memory = None; // not there to be copied
            self.memory = Some(alloc::vec![0; n].into_boxed_slice());
            return;
        }
        let mut memory = self.memory.take().unwrap_or_default().into_vec();
        memory.reserve_exact((self.len + n).saturating_sub(memory.len()));
        memory.resize(memory.capacity(), 0);
        self.memory = Some(memory.into_boxed_slice());
    }

    /// The memory behind the bytes.
    #[inline]
    pub(crate) fn spare(&mut self) -> &mut [u8] {
        match &mut self.memory {
            Some(memory) => &mut memory[self.len..],
            None => &mut [],
        }
    }

    /// The first `n` bytes of [`spare`](Self::spare), if there are as many, and the number of bytes, to be raised.
    #[inline(always)]
    pub(crate) fn spare_of(&mut self, n: usize) -> Option<(&mut [u8], &mut usize)> {
        let end = self.len.checked_add(n)?;
        let spare = self.memory.as_mut()?.get_mut(self.len..end)?;
        Some((spare, &mut self.len))
    }

    /// Takes the first `n` bytes of [`spare`](Self::spare) for the next ones.
    #[inline]
    pub(crate) fn add_spare(&mut self, n: usize) {
        debug_assert!(n <= self.capacity() - self.len);
        self.len += n;
    }

    /// Adds bytes for which there is room.
    #[inline]
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.spare()[..bytes.len()].copy_from_slice(bytes);
        self.len += bytes.len();
    }

    /// Adds bytes for which there is room, masked or unmasked in the pass that copies them. A key of zeros changes nothing.
    #[inline]
    pub(crate) fn push_masked(&mut self, key: MaskingKey, bytes: &[u8]) {
        key.copy(bytes, &mut self.spare()[..bytes.len()]);
        self.len += bytes.len();
    }

    pub(crate) fn truncate(&mut self, len: usize) {
        self.len = self.len.min(len);
    }

    /// Keeps the last `n` bytes only.
    pub(crate) fn keep_end(&mut self, n: usize) {
        let start = self.len.saturating_sub(n);
        if n > 0 && start > 0 {
            let len = self.len;
            self.copy_within(start..len, 0);
        }
        self.len -= start;
    }
}

impl Deref for Store {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        match &self.memory {
            Some(memory) => &memory[..self.len],
            None => &[],
        }
    }
}

impl DerefMut for Store {
    fn deref_mut(&mut self) -> &mut [u8] {
        match &mut self.memory {
            Some(memory) => &mut memory[..self.len],
            None => &mut [],
        }
    }
}

/// How many there are, and not the bytes: those are other people's, and may be many.
impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.len)
    }
}
