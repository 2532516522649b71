//! Compression of messages into the outbox (RFC 7692 §7.2.1).

use core::fmt;
use core::panic::{RefUnwindSafe, UnwindSafe};

use zlib_rs::{Deflate, DeflateConfig, DeflateFlush};

use super::Settings;
use super::inflater::TAIL;
use super::negotiation::MIN_COMPRESSOR_BITS;
use crate::error::SendError;
use crate::store::Store;

/// Bytes that are made room for at once.
const STEP_BYTES: usize = 16 << 10;

/// Compresses the messages of a connection, or of many that do not take over contexts.
pub(crate) struct Deflater {
    deflate: Deflate,
    shape: Shape,
    /// There is nothing in it that the next message could refer to.
    is_fresh: bool,
    /// Whether messages refer to those before them.
    takes_over: bool,
    /// Whether a message that is sent in fragments is not complete.
    in_message: bool,
}

/// What a deflater was made with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shape {
    pub(crate) window_bits: u8,
    level: u8,
    mem_level: u8,
}

impl Shape {
    pub(crate) fn new(settings: &Settings, window_bits: u8) -> Self {
        Self {
            window_bits: window_bits.clamp(MIN_COMPRESSOR_BITS, 15),
            level: settings.level.min(9),
            mem_level: settings.mem_level.clamp(1, 9),
        }
    }
}

impl Deflater {
    pub(crate) fn new(shape: Shape) -> Self {
        let config = DeflateConfig {
            level: i32::from(shape.level),
            window_bits: -i32::from(shape.window_bits), // negative: without a header
            mem_level: i32::from(shape.mem_level),
            ..DeflateConfig::default()
        };
        Self {
            deflate: Deflate::new_with_config(config),
            shape,
            is_fresh: true,
            takes_over: false,
            in_message: false,
        }
    }

    pub(crate) fn shape(&self) -> Shape {
        self.shape
    }

    /// Whether it goes with what was agreed.
    pub(crate) fn is_for(&self, window_bits: u8, takes_over: bool) -> bool {
        self.shape.window_bits == window_bits && self.takes_over == takes_over
    }

    /// Begins with an empty window, for messages that take over contexts or not.
    pub(crate) fn reset(&mut self, takes_over: bool) {
        if !self.is_fresh {
            self.deflate.reset();
            self.is_fresh = true;
        }
        (self.takes_over, self.in_message) = (takes_over, false);
    }

    /// Whether something in it will be needed: the context, or a message that is not complete.
    pub(crate) fn has_context(&self) -> bool {
        self.takes_over || self.in_message
    }

    /// Compresses the next part of a message, the last one if it `ends`, behind what `to` holds.
    ///
    /// Each part is flushed. The empty block that does so stays in those that are not the last; the four
    /// octets of its length are dropped from the last (RFC 7692 §7.2.1).
    pub(crate) fn compress(&mut self, payload: &[u8], ends: bool, to: &mut Store) -> Result<(), SendError> {
        self.in_message = !ends;
        if payload.is_empty() {
            // Between blocks, the first octet of an empty one: RFC 7692 §7.2.3.6.
            if ends {
                to.reserve(1);
                to.push(&[0]);
            }
            return Ok(());
        }
        // A full flush forgets what was compressed, for less than a reset.
        let forgets = ends && !self.takes_over;
        let flush = if forgets {
            DeflateFlush::FullFlush
        } else {
            DeflateFlush::SyncFlush
        };
        self.is_fresh = false;
        let mut taken = 0;
        loop {
            // It may take more; then there is another round.
            let room = (payload.len() - taken + 64).min(STEP_BYTES);
            to.reserve(room);
            let before = (self.deflate.total_in(), self.deflate.total_out());
            self.deflate
                .compress(&payload[taken..], &mut to.spare()[..room], flush)
                .map_err(|_| SendError::Compressor)?;
            taken += (self.deflate.total_in() - before.0) as usize;
            let produced = (self.deflate.total_out() - before.1) as usize;
            to.add_spare(produced);
            // With room left, all of it is flushed.
            if produced < room {
                break;
            }
        }
        self.is_fresh = forgets;
        if ends && to.ends_with(&TAIL) {
            to.truncate(to.len() - TAIL.len());
        }
        Ok(())
    }
}

// As for the inflater.
impl UnwindSafe for Deflater {}
impl RefUnwindSafe for Deflater {}

impl fmt::Debug for Deflater {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Deflater")
            .field("shape", &self.shape)
            .field("takes_over", &self.takes_over)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;
    use proptest::prelude::*;

    fn compressed(deflater: &mut Deflater, message: &[u8]) -> Vec<u8> {
        let mut to = Store::new();
        deflater.reset(false);
        assert_eq!(deflater.compress(message, true, &mut to), Ok(()));
        to.to_vec()
    }

    proptest! {
        #[test]
        fn a_message_without_context_is_compressed_as_if_it_was_the_first(
            level in 0u8..=9,
            mem_level in 1u8..=9,
            window_bits in 9u8..=15,
            messages in prop::collection::vec((0usize..9_000, 1u32..50), 2..4),
        ) {
            let settings = Settings { level, mem_level, ..Settings::default() };
            let shape = Shape::new(&settings, window_bits);
            let mut deflater = Deflater::new(shape);
            for (len, step) in messages {
                // Runs, and a beginning that all of them have.
                let message: Vec<u8> = (0..len as u32).map(|i| (i.wrapping_mul(i) / step / 8) as u8).collect();
                prop_assert!(compressed(&mut deflater, &message) == compressed(&mut Deflater::new(shape), &message));
            }
        }
    }
}
