//! Frames whose payload data is written from where it lies, several in one write.

use std::io::IoSlice;
use std::ops::Deref;

use arrayvec::ArrayVec;

use crate::peers::FLUSH_BYTES;
use crate::wire::Wire;
use crate::workloads::{Message, Send};

/// Payload data from which that pays: a copy of less costs less than two slices.
const LEAST_BYTES: usize = 1 << 10;

const MOST_FRAMES: usize = FLUSH_BYTES / LEAST_BYTES;

/// Whether that pays for all messages of a job, and they are a server's, which need not be masked.
pub fn pays(job: &Send) -> bool {
    let long = |message: &Message| message.payload.len() >= LEAST_BYTES;
    job.server && job.deflate.is_none() && job.messages.iter().all(long)
}

/// Headers, and the payload data behind each.
pub struct Together<'a, H> {
    frames: ArrayVec<(H, &'a [u8]), MOST_FRAMES>,
    bytes: usize,
}

impl<'a, H: Deref<Target = [u8]>> Together<'a, H> {
    pub fn new() -> Self {
        Self {
            frames: ArrayVec::new(),
            bytes: 0,
        }
    }

    /// Adds a frame of those for which it [`pays`]; whether there is enough to write now.
    #[inline(always)]
    pub fn add(&mut self, header: H, payload: &'a [u8]) -> bool {
        self.frames.push((header, payload));
        self.bytes += payload.len();
        self.bytes >= FLUSH_BYTES
    }

    /// Writes what there is, behind what waited `before`.
    pub fn write(&mut self, before: &[u8], wire: &mut Wire) {
        let mut slices = ArrayVec::<_, { 1 + 2 * MOST_FRAMES }>::new();
        if !before.is_empty() {
            slices.push(IoSlice::new(before));
        }
        for (header, payload) in &self.frames {
            slices.push(IoSlice::new(header));
            slices.push(IoSlice::new(payload));
        }
        if !slices.is_empty() {
            wire.write_slices(&slices);
        }
        drop(slices);
        self.frames.clear();
        self.bytes = 0;
    }
}
