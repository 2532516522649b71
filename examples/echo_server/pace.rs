//! How fast messages are taken from a peer: after one too many, nothing more is read until it is paid for.

use std::time::Duration;

use ws_proto::{RateLimit, Rates};

/// The pace of one peer.
pub(crate) struct Pace {
    limit: RateLimit,
    /// Until when nothing is read.
    until: Option<Duration>,
    /// Bytes that came in the same read as the message that was one too many, and behind it.
    rest: Vec<u8>,
}

impl Pace {
    /// So many messages per second, and as many at once after a pause.
    pub(crate) fn new(messages_per_s: u32) -> Self {
        let mut rates = Rates::default();
        rates.messages_per_s = messages_per_s;
        rates.burst_messages = messages_per_s;
        rates.bytes_per_s = 0;
        Self {
            limit: RateLimit::new(&rates),
            until: None,
            rest: Vec::new(),
        }
    }

    /// Counts a message. `false`: it is one too many, and will be counted when the pause is over.
    pub(crate) fn count(&mut self, now: Duration) -> bool {
        self.until = self.limit.check(now, 0).err().map(|wait| now + wait);
        self.until.is_none()
    }

    /// Keeps what cannot be looked at before the pause is over.
    pub(crate) fn keep(&mut self, rest: &[u8]) {
        self.rest = rest.to_vec();
    }

    /// When the pause is over.
    pub(crate) fn until(&self) -> Option<Duration> {
        self.until
    }

    /// Whether to wait still.
    pub(crate) fn waits(&mut self, now: Duration) -> bool {
        match self.until {
            None => false,
            Some(until) => now < until || !self.count(now),
        }
    }

    /// Ends the pause before its time.
    pub(crate) fn hurry(&mut self) {
        self.until = None;
    }

    /// What was kept.
    pub(crate) fn take_rest(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.rest)
    }
}
