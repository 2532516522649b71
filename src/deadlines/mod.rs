//! When to act on a connection although nothing came: opening, heartbeat, idle and closing timeouts.
//!
//! | phase | begins when | what becomes due |
//! | --- | --- | --- |
//! | Opening | the transport is there | the end, if there is no connection in time |
//! | Open | the connection is open; bytes came while Silent | a Ping, if nothing comes; a Close frame, if it is idle |
//! | Silent | a Ping was due | the end, if still nothing comes; a Close frame, if it is idle |
//! | Closing | the connection is closing, or failed | the end, if the transport does not end in time |
//! | Over | the connection is closed | nothing |

mod stamp;

use core::time::Duration;

use crate::close::{Close, CloseCode};
use crate::connection::{Connection, State};
use crate::error::SendError;
use crate::outbox::Outbox;
use stamp::{Stamp, ceil_ms};

/// How long [`Deadlines`] wait for what. One value serves all connections of a kind.
///
/// Fractions of a millisecond are rounded up. A duration of 24 days or more never passes, so that
/// `Duration::MAX` turns a timeout off.
///
/// ```
/// use core::time::Duration;
///
/// let mut timing = ws_proto::Timing::default();
/// timing.idle = Some(Duration::from_secs(15 * 60));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Timing {
    /// Longest opening handshake. Default: 10 s. Breach: [`Timeout::OpeningTimedOut`].
    pub open: Duration,
    /// Longest time without a message in either direction. Default: `None`, no limit; RFC 6455 §7.3 asks clients not to
    /// close without a reason. Breach: a Close frame with 1001, [`Timeout::Idle`].
    pub idle: Option<Duration>,
    /// A Ping is sent when nothing was received for so long (RFC 6455 §5.5.2), but not inside a frame that is sent
    /// [piece by piece](Connection::begin_frame). Default: 20 s. `None`: no heartbeat.
    pub ping_after: Option<Duration>,
    /// The connection is dead when nothing at all was received for so long after that Ping, or after the time for one that had no
    /// room in the outbox: see [`Deadlines::received`]. Default: 20 s.
    /// Breach: [`Timeout::Dead`].
    pub pong_within: Duration,
    /// Longest time from the beginning of the closing handshake, or from failing the connection, to the end of the
    /// transport (RFC 6455 §7.1.1). Default: 10 s. Breach: [`Timeout::ClosingTimedOut`].
    pub close: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            open: Duration::from_secs(10),
            idle: None,
            ping_after: Some(Duration::from_secs(20)),
            pong_within: Duration::from_secs(20),
            close: Duration::from_secs(10),
        }
    }
}

/// The deadlines of one transport, from its opening handshake to its end: says when to look again, and does then what is
/// due. A plain value of 20 bytes, which an embedder without timers leaves out.
///
/// Time is a [`Duration`] since an origin of the caller's, the same in all calls, and must not go backwards. There is one
/// rule: **ask [`next_timeout`](Self::next_timeout) after each round** of receiving and sending. That is when it is noticed
/// that the opening handshake is over (there is a [`Connection`]), that the connection is closing, and that it is
/// closed; the timeouts begin there. Besides it is told of what came in: bytes, messages, Pongs; of messages that were sent; and of a
/// transport that takes bytes again.
///
/// Nothing is due early. It is due at most 2 ms later than the [`Timing`] says, since time is kept in whole milliseconds,
/// and then at the very time that `next_timeout` told. Calls at other times are harmless, early or late; only one that is
/// more than 24 days late may be taken for early.
///
/// ```
/// use core::time::Duration;
/// use ws_proto::{Config, Connection, Deadlines, Event, Inbox, Input, Outbox, Role, Timeout, Timing};
///
/// let at = Duration::from_secs; // the embedder's clock
/// let (timing, config) = (Timing::default(), Config::default());
/// let (mut inbox, mut outbox) = (Inbox::new(), Outbox::new());
///
/// // Accepted: the opening handshake has 10 s.
/// let mut deadlines = Deadlines::new(at(0));
/// assert_eq!(deadlines.next_timeout(at(0), &timing, None), Some(at(10)));
///
/// // Open after 1 s. From now on a Ping is due whenever nothing came for 20 s.
/// let mut connection = Connection::new(Role::Server, &config);
/// assert_eq!(deadlines.next_timeout(at(1), &timing, Some(&connection)), Some(at(21)));
/// let due = deadlines.handle_timeout(at(21), &timing, Some(&mut connection), &mut outbox);
/// assert_eq!(due, Timeout::Ping);
/// # let mut bytes = [&[0x8a, 0x84, 0, 0, 0, 0], &outbox.bytes()[2..]].concat();
/// outbox.consume(outbox.len()); // written
///
/// // What a read returned:
/// deadlines.received(at(22));
/// let mut input = Input::new(&mut bytes[..], &mut inbox);
/// while connection.receive(&mut input, &mut outbox)? {
///     match input.event() {
///         Event::Text(_) | Event::Binary(_) => deadlines.active(at(22)),
///         Event::Pong(payload) => deadlines.answered(at(22), payload),
///         Event::Ping(_) | Event::Close(_) => {}
///     }
/// }
/// assert_eq!(deadlines.round_trip(), Some(at(1)));
/// assert_eq!(deadlines.next_timeout(at(22), &timing, Some(&connection)), Some(at(42)));
/// # Ok::<(), ws_proto::Violation>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Deadlines {
    /// When the phase began. In `Open` it is the time of the last Ping, if `pinged`.
    since_ms: u32,
    /// When bytes were received last.
    received_ms: u32,
    /// When a message was received or sent last.
    active_ms: u32,
    /// Of the last Ping answered, or [`NO_ROUND_TRIP`].
    round_trip_us: u32,
    /// By how much the last Ping went out before `since_ms`.
    early_us: u16,
    /// Whether `since_ms` is the time of a Ping that has not been answered.
    pinged: bool,
    phase: Phase,
}

// A connection with deadlines costs these bytes, and no heap while it is idle.
const _: () = assert!(size_of::<Deadlines>() == 20);
const _: () = assert!(
    size_of::<Connection>() + size_of::<crate::Inbox>() + size_of::<Outbox>() + size_of::<Deadlines>() <= 224
);

const NO_ROUND_TRIP: u32 = u32::MAX;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Opening,
    Open,
    /// Open, and nothing was received since a Ping was due.
    Silent,
    Closing,
    Over,
}

/// What was due and has been done: see [`Deadlines::handle_timeout`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Timeout {
    /// Nothing was due, or nothing that shows.
    Nothing,
    /// Nothing was received for a while: a Ping is in the outbox.
    Ping,
    /// No message went either way for too long: a Close frame with 1001 is in the outbox, and the closing handshake has
    /// begun. If none can be sent, the connection is closed.
    Idle,
    /// Nothing came back after the Ping: the connection is closed, with 1006. Drop the transport.
    Dead,
    /// The opening handshake takes too long. Drop the transport; a server may answer 408 before.
    OpeningTimedOut,
    /// The transport did not end in time after the closing handshake had begun, or after the connection had been failed: the
    /// connection is closed. Drop the transport.
    ClosingTimedOut,
}

impl Deadlines {
    /// The deadlines of a transport whose opening handshake begins now.
    ///
    /// For a connection that is open already, `next_timeout` has only to be called with it.
    pub const fn new(now: Duration) -> Self {
        let now = Stamp::new(now);
        Self {
            since_ms: now.ms,
            received_ms: now.ms,
            active_ms: now.ms,
            round_trip_us: NO_ROUND_TRIP,
            early_us: 0,
            pinged: false,
            phase: Phase::Opening,
        }
    }

    /// Bytes were received, any bytes: the peer lives.
    ///
    /// That a transport takes bytes again which it had refused is a sign of life too. Say so here if a peer may
    /// be slow to read and have nothing to send: a Ping waits behind what it has not read yet.
    #[inline]
    pub const fn received(&mut self, now: Duration) {
        self.received_ms = Stamp::new(now).ms;
        if matches!(self.phase, Phase::Silent) {
            self.phase = Phase::Open;
        }
    }

    /// A message was received or sent, or a part of one: the connection is not idle.
    #[inline]
    pub const fn active(&mut self, now: Duration) {
        self.active_ms = Stamp::new(now).ms;
    }

    /// A Pong was received, with this payload data. If it answers the last Ping sent here, the round-trip time is taken.
    /// Others, and those that nobody asked for, change nothing (RFC 6455 §5.5.3).
    pub fn answered(&mut self, now: Duration, payload: &[u8]) {
        let sent = Stamp {
            ms: self.since_ms,
            early_us: self.early_us,
        };
        if self.pinged && payload == sent.payload() {
            self.pinged = false;
            self.round_trip_us = Stamp::new(now).us_since(sent).min(NO_ROUND_TRIP - 1);
        }
    }

    /// How long the last heartbeat Ping that was answered took to come back, in whole microseconds, 71 minutes at most.
    /// The time it spent in the outbox counts, and the time until the Pong was read.
    pub const fn round_trip(&self) -> Option<Duration> {
        match self.round_trip_us {
            NO_ROUND_TRIP => None,
            us => Some(Duration::from_micros(us as u64)),
        }
    }

    /// When to call [`handle_timeout`](Self::handle_timeout): at once if that is not after `now`, never if `None`.
    ///
    /// `connection` is `None` until the opening handshake is over. Ask after each round: this is also where the
    /// timeouts of an open and of a closing connection begin, the first time it is seen so.
    pub fn next_timeout(
        &mut self,
        now: Duration,
        timing: &Timing,
        connection: Option<&Connection>,
    ) -> Option<Duration> {
        self.notice(now, connection);
        let left = self.deadlines(now, timing).into_iter().flatten();
        let left_ms = left.map(|(left_ms, _)| left_ms).min()?;
        let whole = Duration::new(now.as_secs(), now.subsec_millis() * 1_000_000);
        let distance = Duration::from_millis(left_ms.unsigned_abs().into());
        Some(if left_ms < 0 {
            whole.saturating_sub(distance)
        } else {
            whole.saturating_add(distance)
        })
    }

    /// Does what is due, one thing, and says what it was. The outbox may have bytes to write then, and
    /// [`Connection::transport`] says what becomes of the transport.
    ///
    /// Read what the transport holds before: what waits unread is a sign of life that has not been told yet.
    /// `connection` is as in [`next_timeout`](Self::next_timeout). Once it is closed, nothing is due.
    pub fn handle_timeout(
        &mut self,
        now: Duration,
        timing: &Timing,
        connection: Option<&mut Connection>,
        outbox: &mut Outbox,
    ) -> Timeout {
        self.notice(now, connection.as_deref());
        let mut deadlines = self.deadlines(now, timing).into_iter().flatten();
        let Some((_, due)) = deadlines.find(|(left_ms, _)| *left_ms <= 0) else {
            return Timeout::Nothing;
        };
        let Some(connection) = connection else {
            self.phase = Phase::Over;
            return due; // the opening handshake's
        };
        let done = match due {
            Timeout::Ping => self.ping(now, connection, outbox),
            // No Ping went out, for want of room. If there is room now, the peer has read, and may live.
            Timeout::Dead if !self.pinged => self.ping(now, connection, outbox),
            _ => due,
        };
        let ends = match done {
            Timeout::Nothing | Timeout::Ping => false,
            Timeout::Idle => {
                let close = Close::from(CloseCode::GOING_AWAY);
                connection.close(close, outbox).is_err()
            }
            _ => true,
        };
        if ends {
            connection.abort(outbox);
        }
        self.notice(now, Some(connection));
        done
    }

    /// Follows the connection: a phase begins when it is noticed.
    fn notice(&mut self, now: Duration, connection: Option<&Connection>) {
        let phase = match (connection.map(|connection| connection.status().state), self.phase) {
            (None, Phase::Opening) => Phase::Opening,
            (Some(State::Open), Phase::Silent) => Phase::Silent,
            (Some(State::Open), _) => Phase::Open,
            (Some(State::Closing), _) => Phase::Closing,
            (Some(State::Closed), _) | (None, _) => Phase::Over,
        };
        if phase == self.phase {
            return;
        }
        let now = Stamp::new(now);
        self.phase = phase;
        self.since_ms = now.ms;
        self.pinged = false;
        if phase == Phase::Open {
            self.received_ms = now.ms;
            self.active_ms = now.ms;
        }
    }

    /// What will be due, and in how many milliseconds. What matters more comes first.
    fn deadlines(&self, now: Duration, timing: &Timing) -> [Option<(i32, Timeout)>; 2] {
        let now_ms = Stamp::floor_ms(now);
        let after = |from_ms: u32, wait: Duration, timeout: Timeout| {
            let due_ms = from_ms.wrapping_add(ceil_ms(wait)?);
            Some((due_ms.wrapping_sub(now_ms) as i32, timeout))
        };
        let idle = timing
            .idle
            .and_then(|idle| after(self.active_ms, idle, Timeout::Idle));
        match (self.phase, timing.ping_after) {
            (Phase::Opening, _) => [after(self.since_ms, timing.open, Timeout::OpeningTimedOut), None],
            (Phase::Silent, Some(_)) => [after(self.since_ms, timing.pong_within, Timeout::Dead), idle],
            (Phase::Open, Some(ping_after)) => [idle, after(self.received_ms, ping_after, Timeout::Ping)],
            (Phase::Open | Phase::Silent, None) => [idle, None],
            (Phase::Closing, _) => [after(self.since_ms, timing.close, Timeout::ClosingTimedOut), None],
            (Phase::Over, _) => [None, None],
        }
    }

    /// Sends a heartbeat Ping and begins to wait for anything to come back.
    fn ping(&mut self, now: Duration, connection: &mut Connection, outbox: &mut Outbox) -> Timeout {
        let now = Stamp::new(now);
        let waited = self.phase == Phase::Silent;
        let sent = connection.ping(&now.payload(), outbox);
        if matches!(sent, Err(SendError::Full)) && waited {
            return Timeout::Dead;
        }
        self.pinged = sent.is_ok();
        match sent {
            // A peer that leaves the outbox full does not read. It has as long to show life as to answer.
            Ok(()) | Err(SendError::Full) => {
                self.phase = Phase::Silent;
                self.since_ms = now.ms;
                self.early_us = now.early_us;
            }
            // No Ping may be sent just now, which is not the peer's fault.
            Err(_) => {
                self.phase = Phase::Open;
                self.received_ms = now.ms;
            }
        }
        if sent.is_ok() {
            Timeout::Ping
        } else {
            Timeout::Nothing
        }
    }
}
