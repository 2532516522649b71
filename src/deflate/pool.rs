//! Compressors and decompressors that no connection needs at the moment.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::deflater::Shape;
use super::{Deflater, Inflater};

/// How messages are compressed.
///
/// ```
/// let mut settings = ws_proto::deflate::Settings::default();
/// settings.level = 1;
/// let pool = ws_proto::deflate::Pool::new(settings);
/// # let _ = pool;
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Settings {
    /// From 1, fast, to 9, small; 0 does not compress. More counts as 9. Default: 6.
    pub level: u8,
    /// Memory of a compressor besides its window, 1 to 9: 2^(`mem_level` + 9) bytes, give or take. What is outside counts
    /// as the nearest. Default: 8.
    pub mem_level: u8,
    /// Least bytes of payload data that are compressed; shorter messages tend to grow. Default: 64. Messages that are sent in
    /// fragments are compressed however short their first one is.
    ///
    /// If contexts are not taken over, each message begins with clearing 128 KiB of the compressor's tables, some
    /// microseconds: a larger least may be worth it there.
    pub min_bytes: u32,
    /// Most compressors, and most decompressors, that a pool keeps. With one more, that which was used longest ago is freed.
    /// Default: 8.
    pub max_at_rest: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            level: 6,
            mem_level: 8,
            min_bytes: 64,
            max_at_rest: 8,
        }
    }
}

/// Compressors and decompressors, shared by connections that do not take over contexts: each borrows one for a message
/// and gives it back, so that it has none while it is idle.
///
/// Clones are handles of the same pool. One for each thread is never waited for; one for many threads works too. A
/// connection uses it from [`Outbox::set_pool`](crate::Outbox::set_pool) on; one that takes over contexts has its settings
/// from it, and a compressor and a decompressor of its own.
#[derive(Clone, Debug, Default)]
pub struct Pool(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    settings: Settings,
    at_rest: Mutex<AtRest>,
}

/// Boxed, since each goes to and fro for every message: as a pointer.
#[derive(Debug, Default)]
#[allow(clippy::vec_box)]
struct AtRest {
    inflaters: Vec<Box<Inflater>>,
    deflaters: Vec<Box<Deflater>>,
}

impl Pool {
    /// An empty pool. It makes what it lacks.
    pub fn new(settings: Settings) -> Self {
        Self(Arc::new(Shared {
            settings,
            at_rest: Mutex::default(),
        }))
    }

    /// How messages are compressed.
    pub fn settings(&self) -> &Settings {
        &self.0.settings
    }

    /// Frees all that is at rest.
    pub fn clear(&self) {
        *self.at_rest() = AtRest::default();
    }

    pub(crate) fn take_inflater(&self) -> Option<Box<Inflater>> {
        self.at_rest().inflaters.pop()
    }

    pub(crate) fn take_deflater(&self, shape: Shape) -> Option<Box<Deflater>> {
        let deflaters = &mut self.at_rest().deflaters;
        let found = deflaters.iter().rposition(|deflater| deflater.shape() == shape)?;
        Some(deflaters.remove(found))
    }

    pub(crate) fn put_inflater(&self, inflater: Box<Inflater>) {
        rest(
            &mut self.at_rest().inflaters,
            inflater,
            self.0.settings.max_at_rest,
        );
    }

    pub(crate) fn put_deflater(&self, deflater: Box<Deflater>) {
        rest(
            &mut self.at_rest().deflaters,
            deflater,
            self.0.settings.max_at_rest,
        );
    }

    /// What is at rest is whole, whatever happened to a thread that held the lock.
    fn at_rest(&self) -> MutexGuard<'_, AtRest> {
        self.0.at_rest.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Puts another one to rest, in place of the oldest if there are as many as may be: it may be of a shape that is wanted no
/// more.
#[allow(clippy::vec_box)]
fn rest<T>(at_rest: &mut Vec<Box<T>>, another: Box<T>, most: u32) {
    if most == 0 {
        return;
    }
    if at_rest.len() >= most as usize {
        at_rest.remove(0);
    }
    at_rest.push(another);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pool(most: u32) -> Pool {
        Pool::new(Settings {
            max_at_rest: most,
            ..Settings::default()
        })
    }

    fn shape(window_bits: u8) -> Shape {
        Shape::new(&Settings::default(), window_bits)
    }

    fn put(pool: &Pool, window_bits: u8) {
        pool.put_deflater(Box::new(Deflater::new(shape(window_bits))));
    }

    fn has(pool: &Pool, window_bits: u8) -> bool {
        let found = pool.take_deflater(shape(window_bits));
        found.is_some_and(|deflater| deflater.shape() == shape(window_bits))
    }

    #[test]
    fn most_at_rest_are_kept_and_no_more() {
        for most in 0..3 {
            let pool = pool(most);
            for _ in 0..most + 1 {
                pool.put_inflater(Box::new(Inflater::new()));
                put(&pool, 15);
            }
            for _ in 0..most {
                assert!(pool.take_inflater().is_some() && has(&pool, 15));
            }
            assert!(pool.take_inflater().is_none() && !has(&pool, 15));
        }
    }

    #[test]
    fn the_one_used_longest_ago_is_freed() {
        let pool = pool(3);
        for window_bits in [9, 10, 11] {
            put(&pool, window_bits);
        }
        assert!(has(&pool, 9), "and now used again");
        put(&pool, 9);
        put(&pool, 12);
        assert!(!has(&pool, 10));
        assert!(has(&pool, 11) && has(&pool, 9) && has(&pool, 12));
    }

    #[test]
    fn cleared_it_has_none() {
        let pool = pool(8);
        pool.put_inflater(Box::new(Inflater::new()));
        put(&pool, 15);
        pool.clone().clear();
        assert!(pool.take_inflater().is_none() && !has(&pool, 15));
    }
}
