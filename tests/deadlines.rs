//! Opening, heartbeat, idle and closing timeouts (RFC 6455 §5.5.2, §7.1.1). Simulated time only.
#![cfg(feature = "alloc")]
#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use std::time::Duration;

use common::{ROLES, outbox, to};
use proptest::prelude::*;
use ws_proto::frame::{Header, Opcode};
use ws_proto::{
    Close, CloseCode, Config, Connection, Deadlines, Event, Inbox, Input, MessageKind, Outbox, Role, State,
    Timeout, Timing, Transport,
};

const NS: Duration = Duration::from_nanos(1);
const MS: Duration = Duration::from_millis(1);

fn s(s: u64) -> Duration {
    Duration::from_secs(s)
}

/// One transport as an embedder keeps it: the opening handshake until there is a connection.
struct Socket {
    role: Role,
    timing: Timing,
    deadlines: Deadlines,
    connection: Option<Connection>,
    inbox: Inbox,
    outbox: Outbox,
    /// Payload data of the Pings sent, in order.
    pings: Vec<Vec<u8>>,
}

impl Socket {
    fn accept(role: Role, now: Duration, set: impl FnOnce(&mut Timing)) -> Self {
        let mut timing = Timing::default();
        set(&mut timing);
        Self {
            role,
            timing,
            deadlines: Deadlines::new(now),
            connection: None,
            inbox: Inbox::new(),
            outbox: outbox(role),
            pings: Vec::new(),
        }
    }

    fn open(role: Role, now: Duration, set: impl FnOnce(&mut Timing)) -> Self {
        let mut socket = Self::accept(role, now, set);
        socket.connection = Some(Connection::new(role, &Config::default()));
        socket.next(now);
        socket
    }

    fn next(&mut self, now: Duration) -> Option<Duration> {
        self.deadlines
            .next_timeout(now, &self.timing, self.connection.as_ref())
    }

    fn handle(&mut self, now: Duration) -> Timeout {
        let before = self.outbox.len();
        let connection = self.connection.as_mut();
        let timeout = self
            .deadlines
            .handle_timeout(now, &self.timing, connection, &mut self.outbox);
        let queued = self.outbox.bytes()[before..].to_vec();
        match timeout {
            Timeout::Ping => {
                let (opcode, payload) = frame(&queued);
                assert_eq!(opcode, Opcode::PING);
                self.pings.push(payload);
            }
            Timeout::Idle => assert_eq!(frame(&queued), (Opcode::CLOSE, vec![0x03, 0xe9])),
            _ => assert!(queued.is_empty()),
        }
        timeout
    }

    /// The peer's frame comes in: a round of the embedder's loop.
    fn receive(&mut self, now: Duration, first: u8, payload: &[u8]) -> Option<Duration> {
        let mut bytes = to(self.role, first, payload);
        self.deadlines.received(now);
        let Some(connection) = &mut self.connection else {
            return self.next(now);
        };
        let mut input = Input::new(&mut bytes[..], &mut self.inbox);
        while connection
            .receive(&mut input, &mut self.outbox)
            .unwrap_or_default()
        {
            match input.event() {
                Event::Text(_) | Event::Binary(_) => self.deadlines.active(now),
                Event::Pong(payload) => self.deadlines.answered(now, payload),
                _ => {}
            }
        }
        self.next(now)
    }

    fn send(&mut self, now: Duration) -> bool {
        let sent = match &mut self.connection {
            Some(connection) => connection.send_text("0123456789", &mut self.outbox).is_ok(),
            None => false,
        };
        if sent {
            self.deadlines.active(now);
        }
        sent
    }

    fn written(&mut self) {
        self.outbox.consume(usize::MAX);
    }

    fn state(&self) -> Option<State> {
        self.connection
            .as_ref()
            .map(|connection| connection.status().state)
    }

    fn transport(&self) -> Transport {
        self.connection.as_ref().unwrap().transport(&self.outbox)
    }
}

/// The one frame that the bytes are, unmasked.
fn frame(bytes: &[u8]) -> (Opcode, Vec<u8>) {
    let (header, len) = Header::parse(bytes).unwrap().unwrap();
    let mut payload = bytes[len..].to_vec();
    assert_eq!(payload.len() as u64, header.payload_len);
    header.key.unwrap_or_default().apply(&mut payload);
    (header.opcode, payload)
}

#[test]
fn s23_defaults() {
    let timing = Timing::default();
    assert_eq!((timing.open, timing.close, timing.idle), (s(10), s(10), None));
    assert_eq!((timing.ping_after, timing.pong_within), (Some(s(20)), s(20)));
    assert!(size_of::<Deadlines>() <= 24);
}

#[test]
fn s4_opening_handshake_times_out_once() {
    for role in ROLES {
        let mut socket = Socket::accept(role, s(100), |_| {});
        assert_eq!(socket.next(s(100)), Some(s(110)));
        // What comes in does not prolong it.
        assert_eq!(socket.receive(s(109), 0x81, b""), Some(s(110)));
        assert_eq!(socket.handle(s(110) - NS), Timeout::Nothing);
        assert_eq!(socket.handle(s(110)), Timeout::OpeningTimedOut);
        assert_eq!(socket.handle(s(111)), Timeout::Nothing);
        assert_eq!(socket.next(s(111)), None);
    }
}

#[test]
fn s4_the_connection_ends_the_opening_handshake() {
    let mut socket = Socket::accept(Role::Server, s(0), |timing| timing.idle = Some(s(30)));
    socket.connection = Some(Connection::new(Role::Server, &Config::default()));
    // Noticed by whatever is called first.
    assert_eq!(socket.handle(s(15)), Timeout::Nothing);
    assert_eq!(socket.next(s(15)), Some(s(35)));
    assert_eq!(socket.handle(s(35)), Timeout::Ping);
    assert_eq!(socket.next(s(35)), Some(s(45)), "idle since 15");
}

#[test]
fn s5_5_2_ping_when_nothing_comes_and_dead_when_nothing_comes_back() {
    for role in ROLES {
        let mut socket = Socket::open(role, s(0), |_| {});
        assert_eq!(socket.next(s(0)), Some(s(20)));
        assert_eq!(socket.receive(s(5), 0x82, b"x"), Some(s(25)));
        assert_eq!(socket.handle(s(20)), Timeout::Nothing);
        assert_eq!(socket.handle(s(25)), Timeout::Ping);
        assert_eq!(socket.handle(s(25)), Timeout::Nothing);
        assert_eq!(socket.next(s(26)), Some(s(45)));
        assert_eq!(socket.handle(s(45) - NS), Timeout::Nothing);
        assert_eq!(socket.handle(s(45)), Timeout::Dead);
        let status = socket.connection.unwrap().status();
        assert_eq!(
            (status.state, status.code, status.clean),
            (State::Closed, CloseCode::ABNORMAL, false)
        );
        assert_eq!(socket.transport(), Transport::Close);
        assert_eq!(socket.handle(s(60)), Timeout::Nothing);
        assert_eq!(socket.next(s(60)), None);
    }
}

#[test]
fn s5_5_2_any_byte_is_life() {
    let mut socket = Socket::open(Role::Server, s(0), |_| {});
    assert_eq!(socket.handle(s(20)), Timeout::Ping);
    socket.deadlines.received(s(39)); // half a header
    assert_eq!(socket.next(s(39)), Some(s(59)));
    assert_eq!(socket.handle(s(40)), Timeout::Nothing);
    assert_eq!(socket.handle(s(59)), Timeout::Ping);
    assert_ne!(socket.pings[0], socket.pings[1]);
}

#[test]
fn s5_5_2_what_is_sent_is_no_sign_of_life() {
    let mut socket = Socket::open(Role::Server, s(0), |_| {});
    for t in 1..20 {
        assert!(socket.send(s(t)));
        socket.written();
    }
    assert_eq!(socket.next(s(19)), Some(s(20)));
}

#[test]
fn s5_5_2_a_late_call_sends_the_ping_first() {
    let mut socket = Socket::open(Role::Server, s(0), |_| {});
    assert_eq!(socket.next(s(5000)), Some(s(20)), "at once");
    assert_eq!(socket.handle(s(5000)), Timeout::Ping);
    assert_eq!(socket.next(s(5000)), Some(s(5020)));
}

#[test]
fn s5_5_2_no_heartbeat() {
    let mut socket = Socket::open(Role::Server, s(0), |timing| timing.ping_after = None);
    assert_eq!(socket.next(s(0)), None);
    assert_eq!(socket.handle(s(1000)), Timeout::Nothing);
    // Turned off while an answer is waited for.
    let mut socket = Socket::open(Role::Server, s(0), |_| {});
    assert_eq!(socket.handle(s(20)), Timeout::Ping);
    socket.timing.ping_after = None;
    assert_eq!(socket.next(s(21)), None);
    assert_eq!(socket.handle(s(1000)), Timeout::Nothing);
}

#[test]
fn s5_5_3_round_trip_time() {
    for role in ROLES {
        let sent = Duration::from_nanos(20_001_234_567);
        let mut socket = Socket::open(role, s(0), |_| {});
        assert_eq!(socket.deadlines.round_trip(), None);
        assert_eq!(socket.handle(sent), Timeout::Ping);
        let answer = socket.pings[0].clone();
        // Foreign ones, and those that nobody asked for.
        let answered = sent + Duration::from_micros(31_415);
        for foreign in [&b""[..], b"ping", &[0; 8], &answer[..3]] {
            socket.receive(answered - MS, 0x8a, foreign);
            assert_eq!(socket.deadlines.round_trip(), None);
        }
        socket.receive(answered, 0x8a, &answer);
        assert_eq!(socket.deadlines.round_trip(), Some(Duration::from_micros(31_415)));
        // Answered already.
        socket.receive(answered + s(1), 0x8a, &answer);
        assert_eq!(socket.deadlines.round_trip(), Some(Duration::from_micros(31_415)));
    }
}

#[test]
fn s5_5_3_a_late_answer_counts_until_the_next_ping() {
    let mut socket = Socket::open(Role::Server, s(0), |_| {});
    assert_eq!(socket.handle(s(20)), Timeout::Ping);
    socket.receive(s(25), 0x81, b"alive");
    socket.receive(s(40), 0x8a, &socket.pings[0].clone());
    assert_eq!(socket.deadlines.round_trip(), Some(s(20)));
    assert_eq!(socket.handle(s(60)), Timeout::Ping);
    socket.receive(s(61), 0x81, b"alive");
    assert_eq!(socket.handle(s(81)), Timeout::Ping);
    socket.receive(s(82), 0x8a, &socket.pings[1].clone());
    assert_eq!(socket.deadlines.round_trip(), Some(s(20)), "not the last one's");
    socket.receive(s(84), 0x8a, &socket.pings[2].clone());
    assert_eq!(socket.deadlines.round_trip(), Some(s(3)));
}

#[test]
fn s5_5_3_round_trip_times_have_a_limit() {
    let mut socket = Socket::open(Role::Server, s(0), |timing| timing.pong_within = s(1 << 20));
    assert_eq!(socket.handle(s(20)), Timeout::Ping);
    socket.receive(s(100_020), 0x8a, &socket.pings[0].clone());
    let round_trip = socket.deadlines.round_trip().unwrap();
    assert!(round_trip > s(71 * 60) && round_trip < s(72 * 60));
}

/// A peer that does not read.
fn clogged(now: Duration) -> Socket {
    let mut socket = Socket::open(Role::Server, now, |_| {});
    socket.outbox.set_max_bytes(100);
    while socket.send(now) {}
    socket
}

#[test]
fn s5_5_2_a_full_outbox_takes_no_ping() {
    let mut socket = clogged(s(0));
    assert_eq!(socket.handle(s(20)), Timeout::Nothing);
    assert_eq!(socket.next(s(20)), Some(s(40)));
    assert_eq!(socket.handle(s(40)), Timeout::Dead);

    // Something came in time.
    let mut socket = clogged(s(0));
    assert_eq!(socket.handle(s(20)), Timeout::Nothing);
    assert_eq!(socket.receive(s(39), 0x81, b"x"), Some(s(59)));

    // The peer has read all, and was never asked: it is now.
    let mut socket = clogged(s(0));
    assert_eq!(socket.handle(s(20)), Timeout::Nothing);
    socket.written();
    assert_eq!(socket.handle(s(40)), Timeout::Ping);
    while socket.send(s(41)) {}
    assert_eq!(socket.handle(s(60)), Timeout::Dead, "but once");

    // That an earlier Ping was not answered is no reason to ask less.
    let mut socket = Socket::open(Role::Server, s(0), |_| {});
    socket.outbox.set_max_bytes(100);
    assert_eq!(socket.handle(s(20)), Timeout::Ping);
    socket.receive(s(21), 0x81, b"x");
    while socket.send(s(21)) {}
    assert_eq!(socket.handle(s(41)), Timeout::Nothing);
    socket.written();
    assert_eq!(socket.handle(s(61)), Timeout::Ping);
}

/// No Ping can be sent, whether the outbox is full or not, and nothing says that the peer does not read.
#[test]
fn s5_5_2_no_heartbeat_inside_a_frame() {
    for clogged in [false, true] {
        let mut socket = Socket::open(Role::Server, s(0), |_| {});
        socket.outbox.set_max_bytes(100);
        let (connection, outbox) = (socket.connection.as_mut().unwrap(), &mut socket.outbox);
        connection.begin_frame(MessageKind::Binary, 1000, outbox).unwrap();
        while clogged && connection.continue_frame(&[0; 50], outbox).is_ok() {}
        for t in [20, 40, 60] {
            assert_eq!(socket.next(s(t)), Some(s(t)));
            assert_eq!(socket.handle(s(t)), Timeout::Nothing);
        }
        // Behind it, it is asked.
        let (connection, outbox) = (socket.connection.as_mut().unwrap(), &mut socket.outbox);
        outbox.set_max_bytes(10_000);
        while connection.continue_frame(&[0; 50], outbox).is_ok() {}
        assert_eq!(socket.handle(s(80)), Timeout::Ping);
    }
    // Nor is it dead if it was waited for before.
    let mut socket = clogged(s(0));
    assert_eq!(socket.handle(s(20)), Timeout::Nothing);
    socket.written();
    let (connection, outbox) = (socket.connection.as_mut().unwrap(), &mut socket.outbox);
    connection.begin_frame(MessageKind::Binary, 1000, outbox).unwrap();
    assert_eq!(socket.handle(s(40)), Timeout::Nothing);
    assert_eq!(socket.next(s(40)), Some(s(60)));
}

#[test]
fn s5_5_2_an_outbox_without_keys_is_no_sign_of_death() {
    let mut socket = Socket::open(Role::Client, s(0), |timing| {
        timing.idle = Some(s(70));
        timing.pong_within = s(5);
    });
    socket.outbox = Outbox::new();
    for t in [20, 40, 60] {
        assert_eq!(socket.next(s(t)), Some(s(t)));
        assert_eq!(socket.handle(s(t)), Timeout::Nothing);
    }
    // Nor can a Close frame be sent: the end.
    let connection = socket.connection.as_mut();
    let timeout = socket
        .deadlines
        .handle_timeout(s(70), &socket.timing, connection, &mut socket.outbox);
    assert_eq!((timeout, socket.state()), (Timeout::Idle, Some(State::Closed)));
    assert_eq!(socket.next(s(70)), None);
}

#[test]
fn s7_3_idle_connections_close() {
    for role in ROLES {
        let mut socket = Socket::open(role, s(0), |timing| timing.idle = Some(s(60)));
        socket.receive(s(10), 0x81, b"x");
        socket.send(s(15));
        socket.written();
        // Control frames are no use of it.
        for t in [20, 35, 50, 65] {
            socket.receive(s(t), 0x89, b"x");
        }
        assert_eq!(socket.next(s(65)), Some(s(75)));
        assert_eq!(socket.handle(s(75) - NS), Timeout::Nothing);
        socket.written();
        assert_eq!(socket.handle(s(75)), Timeout::Idle);
        // The closing handshake follows, and has begun.
        assert_eq!(socket.next(s(76)), Some(s(85)));
        socket.written();
        assert_eq!(socket.receive(s(76), 0x88, &[0x03, 0xe9]), Some(s(85)));
        assert_eq!(socket.handle(s(85)), Timeout::ClosingTimedOut);
        assert!(
            socket.connection.unwrap().status().clean,
            "both Close frames went through"
        );
    }
}

#[test]
fn s7_1_1_closing_times_out() {
    for role in ROLES {
        let mut socket = Socket::open(role, s(0), |_| {});
        let connection = socket.connection.as_mut().unwrap();
        connection
            .close(Close::from(CloseCode::NORMAL), &mut socket.outbox)
            .unwrap();
        assert_eq!(socket.next(s(7)), Some(s(17)));
        // It is not prolonged, and no Ping is sent any more.
        assert_eq!(socket.receive(s(16), 0x81, b"x"), Some(s(17)));
        assert_eq!(socket.handle(s(17) - NS), Timeout::Nothing);
        assert_eq!(socket.handle(s(17)), Timeout::ClosingTimedOut);
        assert_eq!(
            (socket.state(), socket.transport()),
            (Some(State::Closed), Transport::Close)
        );
        assert!(!socket.connection.unwrap().status().clean);
        assert_eq!(
            (socket.handle(s(30)), socket.next(s(30))),
            (Timeout::Nothing, None)
        );
    }
}

#[test]
fn s7_1_7_failed_connections_time_out() {
    let mut socket = Socket::open(Role::Server, s(0), |_| {});
    assert_eq!(socket.receive(s(3), 0xf1, b"x"), Some(s(13)));
    assert_eq!(socket.state(), Some(State::Closing));
    assert_eq!(socket.handle(s(13)), Timeout::ClosingTimedOut);
    assert_eq!(socket.transport(), Transport::Close);
}

#[test]
fn s7_1_4_nothing_after_the_end_of_the_transport() {
    let mut socket = Socket::open(Role::Server, s(0), |_| {});
    socket.connection.as_mut().unwrap().receive_eof(&socket.outbox);
    assert_eq!(
        (socket.handle(s(1000)), socket.next(s(1000))),
        (Timeout::Nothing, None)
    );
    // An embedder that forgets the connection then.
    socket.connection = None;
    assert_eq!(
        (socket.handle(s(2000)), socket.next(s(2000))),
        (Timeout::Nothing, None)
    );
}

#[test]
fn dead_comes_before_idle_and_idle_before_a_ping() {
    let mut socket = Socket::open(Role::Server, s(0), |timing| timing.idle = Some(s(40)));
    assert_eq!(socket.handle(s(20)), Timeout::Ping);
    assert_eq!(socket.handle(s(40)), Timeout::Dead);
    let mut socket = Socket::open(Role::Server, s(0), |timing| timing.idle = Some(s(20)));
    assert_eq!(socket.handle(s(20)), Timeout::Idle);
}

#[test]
fn fractions_of_a_millisecond_are_rounded_up() {
    let start = s(1) + Duration::from_micros(1);
    let mut socket = Socket::accept(Role::Server, start, |timing| {
        timing.open = Duration::from_micros(1500)
    });
    let due = s(1) + 3 * MS;
    assert_eq!(socket.next(start), Some(due));
    assert_eq!(socket.handle(due - NS), Timeout::Nothing);
    assert_eq!(socket.handle(due), Timeout::OpeningTimedOut);
    // Nothing and no fraction is nothing.
    let mut socket = Socket::accept(Role::Server, s(1), |timing| timing.open = Duration::ZERO);
    assert_eq!(socket.next(s(1)), Some(s(1)));
    assert_eq!(socket.handle(s(1)), Timeout::OpeningTimedOut);
}

#[test]
fn the_clock_of_32_bits_wraps() {
    let wrap = Duration::from_millis(1 << 32);
    for origin in [
        wrap,
        wrap * 3,
        s(1 << 50),
        wrap + Duration::from_micros(999),
        wrap / 2,
    ] {
        for before in [0, 1, 19, 21, 39, 41] {
            let start = origin - s(before);
            let mut socket = Socket::open(Role::Server, start, |_| {});
            let due = socket.next(start).unwrap();
            assert!(due >= start + s(20) && due < start + s(20) + 2 * MS);
            assert_eq!(socket.handle(due - NS), Timeout::Nothing);
            assert_eq!(socket.handle(due), Timeout::Ping);
            assert_eq!(socket.next(due + s(1)), Some(due + s(20)));
            let mut dead = Socket { ..socket };
            let ping = dead.pings[0].clone();
            dead.receive(due + s(2), 0x8a, &ping);
            assert_eq!(dead.deadlines.round_trip(), Some(s(2)));
        }
    }
}

#[test]
fn durations_of_24_days_never_pass() {
    let days = |n: u64| s(n * 24 * 60 * 60);
    for never in [days(24), Duration::MAX] {
        let mut socket = Socket::open(Role::Server, s(0), |timing| {
            timing.ping_after = Some(never);
            timing.idle = Some(never);
        });
        assert_eq!(socket.next(s(1)), None);
        assert_eq!(socket.handle(days(1000)), Timeout::Nothing);
    }
    let longest = days(24) - MS;
    let mut socket = Socket::open(Role::Server, s(0), |timing| timing.ping_after = Some(longest));
    assert_eq!(socket.next(s(1)), Some(longest));
    assert_eq!(socket.handle(longest - NS), Timeout::Nothing);
    assert_eq!(
        socket.handle(longest + days(24)),
        Timeout::Ping,
        "as late as it may be"
    );
}

#[test]
fn a_clock_that_goes_back_is_harmless() {
    let mut socket = Socket::open(Role::Server, s(100), |_| {});
    assert_eq!(socket.next(s(90)), Some(s(120)));
    assert_eq!(socket.handle(s(90)), Timeout::Nothing);
    assert_eq!(socket.handle(s(120)), Timeout::Ping);
    socket.receive(s(110), 0x8a, &socket.pings[0].clone());
    assert_eq!(socket.deadlines.round_trip(), Some(Duration::ZERO));
    assert_eq!(
        socket.next(Duration::MAX).is_some(),
        socket.next(Duration::ZERO).is_some()
    );
}

// ---- random schedules ----

/// Something that happens; frames are the peer's.
#[derive(Clone, Debug)]
enum Step {
    /// Time passes, with spurious calls.
    Wait(Duration),
    /// Time passes until so long before or after what `next_timeout` says.
    Until {
        late: bool,
        by: Duration,
    },
    /// The opening handshake is over.
    Open,
    Text,
    Ping,
    /// The answer to the Ping before so many others.
    Pong(usize),
    HalfAHeader,
    Violation,
    Close,
    Send,
    Written,
    CloseHere,
    Eof,
}

fn duration() -> impl Strategy<Value = Duration> {
    prop_oneof![
        0..3_000_000_u64,
        (0..30_000_u64).prop_map(|ms| ms * 1_000_000),
        0..60_000_000_000_u64,
    ]
    .prop_map(Duration::from_nanos)
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => duration().prop_map(Step::Wait),
        14 => (prop::bool::weighted(0.8), duration(), 0..3_u8).prop_map(|(late, by, exactly)| Step::Until {
            late,
            by: if exactly > 0 { Duration::ZERO } else { by },
        }),
        4 => Just(Step::Open),
        4 => Just(Step::Text),
        2 => Just(Step::Ping),
        4 => (0..3_usize).prop_map(Step::Pong),
        2 => Just(Step::HalfAHeader),
        1 => Just(Step::Violation),
        1 => Just(Step::Close),
        6 => Just(Step::Send),
        4 => Just(Step::Written),
        1 => Just(Step::CloseHere),
        1 => Just(Step::Eof),
    ]
}

fn timing() -> impl Strategy<Value = Timing> {
    let some = || prop::option::weighted(0.8, duration());
    (duration(), some(), some(), duration(), duration()).prop_map(
        |(open, idle, ping_after, pong_within, close)| {
            let mut timing = Timing::default();
            (timing.open, timing.idle, timing.close) = (open, idle, close);
            (timing.ping_after, timing.pong_within) = (ping_after, pong_within);
            timing
        },
    )
}

/// What should be, in exact times.
struct Model {
    timing: Timing,
    seen: Option<State>,
    over: bool,
    /// Of the phase.
    began: Duration,
    heard: Duration,
    used: Duration,
    /// Since when life is waited for.
    silent: Option<Duration>,
    /// When the last Ping was sent, if it was not answered.
    pinged: Option<Duration>,
}

impl Model {
    /// An embedder's round ends.
    fn notice(&mut self, now: Duration, state: Option<State>) {
        if state == self.seen {
            return;
        }
        (self.seen, self.began, self.silent, self.pinged) = (state, now, None, None);
        if state == Some(State::Open) {
            (self.heard, self.used) = (now, now);
        }
    }

    /// All that will be due, and when.
    fn deadlines(&self) -> Vec<(Duration, Timeout)> {
        let timing = &self.timing;
        match self.seen {
            _ if self.over => vec![],
            None => vec![(self.began + timing.open, Timeout::OpeningTimedOut)],
            Some(State::Closing) => vec![(self.began + timing.close, Timeout::ClosingTimedOut)],
            Some(State::Closed) => vec![],
            Some(State::Open) => {
                let heartbeat = timing.ping_after.map(|ping_after| match self.silent {
                    Some(since) => (since + timing.pong_within, Timeout::Dead),
                    None => (self.heard + ping_after, Timeout::Ping),
                });
                let idle = timing.idle.map(|idle| (self.used + idle, Timeout::Idle));
                heartbeat.into_iter().chain(idle).collect()
            }
        }
    }
}

/// What rounding may add: a beginning and a duration, each up to a whole millisecond.
const LATEST: Duration = Duration::from_millis(2);

struct Run {
    socket: Socket,
    model: Model,
    now: Duration,
}

impl Run {
    /// `next_timeout` agrees with the model; what it said.
    fn next(&mut self) -> Option<Duration> {
        let state = self.socket.state();
        if !self.model.over || state.is_some() {
            self.model.notice(self.now, state);
        }
        let next = self.socket.next(self.now);
        let expected = self.model.deadlines().into_iter().map(|(due, _)| due).min();
        match (next, expected) {
            (Some(next), Some(exact)) => {
                assert!(next >= exact && next < exact + LATEST, "{next:?} {exact:?}")
            }
            (next, exact) => assert_eq!(next, exact),
        }
        next
    }

    fn handle(&mut self) {
        let next = self.next();
        let due = next.is_some_and(|next| next <= self.now);
        let was_full = self.socket.outbox.is_full();
        let possible: Vec<_> = self.model.deadlines();
        let timeout = self.socket.handle(self.now);
        let is_due = |what: Timeout| {
            possible
                .iter()
                .any(|(at, which)| *which == what && *at <= self.now)
        };
        match timeout {
            Timeout::Nothing if !due => {}
            Timeout::Nothing => {
                assert!(is_due(Timeout::Ping) && was_full, "due, and nothing happened");
                (self.model.silent, self.model.pinged) = (Some(self.now), None);
            }
            _ if !due => panic!("{timeout:?} early"),
            Timeout::Ping => {
                assert!(!was_full);
                assert!(is_due(Timeout::Ping) || is_due(Timeout::Dead) && self.model.pinged.is_none());
                (self.model.silent, self.model.pinged) = (Some(self.now), Some(self.now));
            }
            Timeout::OpeningTimedOut => {
                assert!(is_due(timeout));
                self.model.over = true;
            }
            Timeout::Dead => {
                assert!(is_due(timeout) && (self.model.pinged.is_some() || was_full));
                assert_eq!(self.socket.state(), Some(State::Closed));
            }
            Timeout::ClosingTimedOut => {
                assert!(is_due(timeout));
                assert_eq!(self.socket.state(), Some(State::Closed));
            }
            Timeout::Idle => {
                assert!(is_due(timeout));
                assert_eq!(self.socket.state(), Some(State::Closing));
            }
        }
        self.next();
    }

    fn receive(&mut self, first: u8, payload: &[u8]) {
        let is_open = self.socket.state() == Some(State::Open);
        (self.model.heard, self.model.silent) = (self.now, None);
        if first == 0x81 && is_open {
            self.model.used = self.now;
        }
        self.socket.receive(self.now, first, payload);
    }

    fn step(&mut self, step: &Step) {
        match step {
            Step::Wait(time) => self.now += *time,
            Step::Until { late, by } => {
                let next = self.socket.next(self.now).unwrap_or(self.now);
                let at = if *late {
                    next + *by
                } else {
                    next.saturating_sub(*by)
                };
                self.now = self.now.max(at);
            }
            Step::Open if self.socket.connection.is_none() => {
                self.socket.connection = Some(Connection::new(Role::Server, &Config::default()));
                self.model.over = false;
            }
            Step::Open => {}
            Step::Text => self.receive(0x81, b"text"),
            Step::Ping => self.receive(0x89, b"ping"),
            Step::Pong(back) => {
                let ping = self.socket.pings.iter().rev().nth(*back).cloned();
                let sent = self.model.pinged.filter(|_| *back == 0);
                let before = self.socket.deadlines.round_trip();
                self.receive(0x8a, &ping.unwrap_or(b"none".to_vec()));
                let after = self.socket.deadlines.round_trip();
                match sent.map(|sent| self.now - sent) {
                    None => assert_eq!(after, before),
                    Some(exact) => {
                        let us = Duration::from_micros(1);
                        let off = after.unwrap().abs_diff(exact);
                        assert!(off <= us || exact > s(71 * 60), "{after:?} {exact:?}");
                        self.model.pinged = None;
                    }
                }
            }
            Step::HalfAHeader => {
                // As far as the clock is concerned: the parser gets whole frames, so that it stays in step.
                (self.model.heard, self.model.silent) = (self.now, None);
                self.socket.deadlines.received(self.now);
            }
            Step::Violation => self.receive(0xf1, b"x"),
            Step::Close => self.receive(0x88, b""),
            Step::Send => {
                if self.socket.send(self.now) {
                    self.model.used = self.now;
                }
            }
            Step::Written => self.socket.written(),
            Step::CloseHere => {
                if let Some(connection) = &mut self.socket.connection {
                    connection.close(None, &mut self.socket.outbox).unwrap();
                }
            }
            Step::Eof => {
                if let Some(connection) = &mut self.socket.connection {
                    connection.receive_eof(&self.socket.outbox);
                }
            }
        }
        self.next();
        self.handle();
        if self.socket.state() == Some(State::Closed) {
            assert_eq!(self.next(), None);
            self.socket.deadlines.received(self.now);
            self.now += Duration::from_secs(1000);
            assert_eq!(self.socket.handle(self.now), Timeout::Nothing);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, ..ProptestConfig::default() })]

    #[test]
    fn no_deadline_is_early_or_late_or_after_the_close(
        timing in timing(),
        // The beginning, the middle and the end of the 32-bit clock, and far beyond it.
        start_ms in prop_oneof![Just(0), (1_u64 << 32) - 60_000..1 << 32, (1_u64 << 31) - 60_000..1 << 31, 0..1_u64 << 50],
        start_ns in 0..1_000_000_u64,
        steps in prop::collection::vec(step(), 1..60),
    ) {
        let start = Duration::from_millis(start_ms) + Duration::from_nanos(start_ns);
        let mut socket = Socket::accept(Role::Server, start, |it| *it = timing);
        socket.outbox.set_max_bytes(60);
        let model = Model {
            timing,
            seen: None,
            over: false,
            began: start,
            heard: start,
            used: start,
            silent: None,
            pinged: None,
        };
        let mut run = Run { socket, model, now: start };
        for step in &steps {
            run.step(step);
        }
    }
}
