//! When to connect again after a connection was lost (RFC 6455 §7.2.3).

use core::time::Duration;

use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};

/// How long a [`Backoff`] waits, and how often.
///
/// ```
/// use core::time::Duration;
///
/// let mut delays = ws_proto::Delays::default();
/// delays.cap = Duration::from_secs(30);
/// delays.max_tries = Some(8);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Delays {
    /// Longest delay before the first try, so that a crowd of clients that lost the same server comes back spread over
    /// this window. Default: 5 s, which RFC 6455 §7.2.3 calls reasonable.
    pub spread: Duration,
    /// Longest delay before the second try; it doubles with each try from there on. Default: 10 s.
    pub first: Duration,
    /// No delay is longer. Default: 2 minutes.
    pub cap: Duration,
    /// Most tries until one succeeds. Default: `None`, no limit.
    pub max_tries: Option<u32>,
}

impl Default for Delays {
    fn default() -> Self {
        Self {
            spread: Duration::from_secs(5),
            first: Duration::from_secs(10),
            cap: Duration::from_secs(120),
            max_tries: None,
        }
    }
}

/// Delays between the tries to connect again: random ones, up to a bound that doubles with each failure
/// (RFC 6455 §7.2.3).
///
/// A delay is anything from 0 to its bound, evenly ("full jitter"): [`Delays::spread`] at first, then [`Delays::first`]
/// doubled and doubled again, and never more than [`Delays::cap`]. Clients that were cut off together do not come back
/// together, however often they fail. The first connection of all needs no delay.
///
/// A plain value; it draws each delay from a ChaCha8 generator by seed and number, so that the same seed gives the same
/// delays. The seed need not be secret, but every client has to have its own. Needs the feature `alloc`, which brings that
/// generator, and takes no heap.
///
/// ```
/// use core::time::Duration;
/// use ws_proto::{Backoff, CloseCode, Delays, Reconnect};
///
/// /// How long to wait before connecting again; `None`: not at all.
/// fn wait(backoff: &mut Backoff, code: CloseCode) -> Option<Duration> {
///     match code.reconnect() {
///         Reconnect::Never => None,
///         Reconnect::Soon => backoff.next_delay(),
///         Reconnect::Later => Some(backoff.next_delay()? + Duration::from_secs(5)),
///     }
/// }
///
/// let mut backoff = Backoff::new(7, &Delays::default()); // a seed from your generator
/// assert!(wait(&mut backoff, CloseCode::ABNORMAL).unwrap() <= Duration::from_secs(5));
/// assert!(wait(&mut backoff, CloseCode::ABNORMAL).unwrap() <= Duration::from_secs(10));
/// assert!(wait(&mut backoff, CloseCode::ABNORMAL).unwrap() <= Duration::from_secs(20));
/// backoff.succeeded();
/// assert!(wait(&mut backoff, CloseCode::SERVICE_RESTART).unwrap() <= Duration::from_secs(5 + 5));
/// assert_eq!(wait(&mut backoff, CloseCode::POLICY_VIOLATION), None);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Backoff {
    delays: Delays,
    seed: u64,
    /// Delays drawn ever: those after a success differ from those before.
    drawn: u64,
    /// Tries since the last success.
    tries: u32,
}

impl Backoff {
    /// Nothing was tried yet.
    pub const fn new(seed: u64, delays: &Delays) -> Self {
        Self {
            delays: *delays,
            seed,
            drawn: 0,
            tries: 0,
        }
    }

    /// How long to wait before the next try; `None` if there were as many as there may be. Call it when a
    /// connection is lost, and when a try fails.
    pub fn next_delay(&mut self) -> Option<Duration> {
        if self.delays.max_tries.is_some_and(|most| self.tries >= most) {
            return None;
        }
        let bound_ns = self.bound_ns();
        let delay_ns = self.generator().random_range(0..=bound_ns);
        self.tries = self.tries.saturating_add(1);
        self.drawn = self.drawn.wrapping_add(1);
        Some(Duration::from_nanos(delay_ns))
    }

    /// The connection is good: what comes next is a first try again.
    ///
    /// Good is more than open. A server that is overloaded may accept and close at once; wait for a first message, or
    /// for a while.
    pub const fn succeeded(&mut self) {
        self.tries = 0;
    }

    /// How many delays were given since the last success.
    pub const fn tries(&self) -> u32 {
        self.tries
    }

    fn bound_ns(&self) -> u64 {
        let bound_ns = match self.tries.checked_sub(1) {
            None => nanos(self.delays.spread),
            Some(doublings) => {
                let factor = 1_u64.checked_shl(doublings).unwrap_or(u64::MAX);
                nanos(self.delays.first).saturating_mul(factor)
            }
        };
        bound_ns.min(nanos(self.delays.cap))
    }

    fn generator(&self) -> ChaCha8Rng {
        let mut seed = [0; 32];
        seed[..8].copy_from_slice(&self.seed.to_le_bytes());
        seed[8..16].copy_from_slice(&self.drawn.to_le_bytes());
        ChaCha8Rng::from_seed(seed)
    }
}

/// At most 584 years.
fn nanos(duration: Duration) -> u64 {
    duration.as_nanos().try_into().unwrap_or(u64::MAX)
}
