//! How much a peer may send: messages and bytes per second (RFC 6455 §10.4).

use core::time::Duration;

/// What a [`RateLimit`] lets pass.
///
/// ```
/// let mut rates = ws_proto::Rates::default();
/// rates.messages_per_s = 20;
/// rates.bytes_per_s = 0; // any number
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Rates {
    /// Messages per second, in the long run; 0: no limit. Default: 100.
    pub messages_per_s: u32,
    /// Messages that may come at once after a pause. Default: 200.
    pub burst_messages: u32,
    /// Bytes per second, in the long run; 0: no limit. Default: 1 MiB.
    pub bytes_per_s: u32,
    /// Bytes that may come at once after a pause. Default: 4 MiB. A larger message passes after a pause long enough
    /// to fill the bucket, and what comes after it waits longer.
    pub burst_bytes: u32,
}

impl Default for Rates {
    fn default() -> Self {
        Self {
            messages_per_s: 100,
            burst_messages: 200,
            bytes_per_s: 1 << 20,
            burst_bytes: 4 << 20,
        }
    }
}

/// Two token buckets, one for messages and one for bytes: says "pass", or "wait this long". Needs nothing else of this
/// crate, and no allocator.
///
/// Over any stretch of time no more passes than rate × time + burst + one message. A message that is larger than the burst
/// passes when the bucket is full, and leaves a debt, of 18 GB at most: what the peer may send at all is never stuck.
///
/// Time is a [`Duration`] since an origin of the caller's, up to 584 years. If it goes backwards, what was saved up or owed
/// stays as it is, and counting goes on from there.
///
/// ```
/// use core::time::Duration;
/// use ws_proto::{RateLimit, Rates};
///
/// let mut rates = Rates::default();
/// (rates.messages_per_s, rates.burst_messages) = (10, 2);
/// let mut limit = RateLimit::new(&rates);
///
/// let now = Duration::from_secs(100); // the embedder's clock
/// assert_eq!(limit.check(now, 5), Ok(()));
/// assert_eq!(limit.check(now, 5), Ok(()));
/// // Stop reading for so long, and look at the message then; or close with 1008.
/// let wait = Duration::from_millis(100);
/// assert_eq!(limit.check(now, 5), Err(wait));
/// assert_eq!(limit.check(now + wait, 5), Ok(()));
/// ```
#[derive(Clone, Copy, Debug)]
pub struct RateLimit {
    messages: Bucket,
    bytes: Bucket,
    /// Of the last check.
    now_ns: u64,
}

/// A bucket, counted in billionths of a token: so many come in each nanosecond as the rate has tokens per second, and
/// nothing is ever rounded.
#[derive(Clone, Copy, Debug)]
struct Bucket {
    /// What it lacks to be full. More than the burst is a debt.
    missing: u64,
    burst: u32,
    /// 0: no limit.
    per_s: u32,
}

/// Billionths in a token, nanoseconds in a second.
const BILLION: u64 = 1_000_000_000;

impl RateLimit {
    /// Both buckets are full.
    pub const fn new(rates: &Rates) -> Self {
        Self {
            messages: Bucket::new(rates.messages_per_s, rates.burst_messages),
            bytes: Bucket::new(rates.bytes_per_s, rates.burst_bytes),
            now_ns: 0,
        }
    }

    /// Whether a message of so many bytes passes now. If so it is counted.
    ///
    /// # Errors
    /// How long to wait until it passes, to the nanosecond, if nothing else does before. Nothing is counted.
    pub fn check(&mut self, now: Duration, bytes: usize) -> Result<(), Duration> {
        let now_ns = now
            .as_secs()
            .saturating_mul(BILLION)
            .saturating_add(now.subsec_nanos().into());
        let passed_ns = now_ns.saturating_sub(self.now_ns);
        self.now_ns = now_ns;
        self.messages.refill(passed_ns);
        self.bytes.refill(passed_ns);

        let bytes = bytes as u64; // no target has more bits
        let wait_ns = self.messages.wait_ns(1).max(self.bytes.wait_ns(bytes));
        if wait_ns > 0 {
            return Err(Duration::from_nanos(wait_ns));
        }
        self.messages.take(1);
        self.bytes.take(bytes);
        Ok(())
    }
}

impl Bucket {
    const fn new(per_s: u32, burst: u32) -> Self {
        Self {
            missing: 0,
            burst,
            per_s,
        }
    }

    fn refill(&mut self, passed_ns: u64) {
        let came = passed_ns.saturating_mul(self.per_s.into());
        self.missing = self.missing.saturating_sub(came);
    }

    /// How long until `tokens` are there, or the bucket is full.
    fn wait_ns(&self, tokens: u64) -> u64 {
        if self.per_s == 0 {
            return 0;
        }
        // A burst has 32 bits, so that it fits; so do the tokens if they are no more.
        let spare = (u64::from(self.burst) * BILLION).saturating_sub(tokens.saturating_mul(BILLION));
        self.missing.saturating_sub(spare).div_ceil(self.per_s.into())
    }

    fn take(&mut self, tokens: u64) {
        self.missing = self.missing.saturating_add(tokens.saturating_mul(BILLION));
    }
}
