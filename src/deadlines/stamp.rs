//! Times on a clock of 32 bits, in milliseconds, which goes round in 49 days.

use core::time::Duration;

/// 24 days. Half the range of the 32-bit clock is the future; no deadline is further away.
const NEVER_S: u64 = 24 * 24 * 60 * 60;

/// Whole milliseconds, rounded up; `None` for what never passes.
pub(super) const fn ceil_ms(wait: Duration) -> Option<u32> {
    if wait.as_secs() < NEVER_S {
        Some(wait.as_secs() as u32 * 1000 + wait.subsec_nanos().div_ceil(1_000_000))
    } else {
        None
    }
}

/// A time on the clock of 32 bits, rounded up: what begins at it ends no earlier than asked for.
#[derive(Clone, Copy)]
pub(super) struct Stamp {
    pub(super) ms: u32,
    /// By how many microseconds the time was before `ms`.
    pub(super) early_us: u16,
}

impl Stamp {
    #[inline]
    pub(super) const fn new(time: Duration) -> Self {
        let early_ns = (1_000_000 - time.subsec_nanos() % 1_000_000) % 1_000_000;
        Self {
            ms: Self::floor_ms(time).wrapping_add((early_ns > 0) as u32),
            early_us: (early_ns / 1000) as u16,
        }
    }

    #[inline]
    pub(super) const fn floor_ms(time: Duration) -> u32 {
        (time.as_secs() as u32)
            .wrapping_mul(1000)
            .wrapping_add(time.subsec_millis())
    }

    /// A Ping's payload data: enough of the time to know the answer by, and too little to tell the peer our clock.
    pub(super) const fn payload(self) -> [u8; 4] {
        self.ms
            .wrapping_mul(1000)
            .wrapping_sub(self.early_us as u32)
            .to_be_bytes()
    }

    pub(super) fn us_since(self, earlier: Self) -> u32 {
        let ms = i64::from(self.ms.wrapping_sub(earlier.ms) as i32);
        let us = ms * 1000 + i64::from(earlier.early_us) - i64::from(self.early_us);
        us.clamp(0, u32::MAX.into()) as u32
    }
}
