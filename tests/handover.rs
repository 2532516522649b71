//! Handing a connection over to another process: its state as bytes, and back.
#![cfg(feature = "alloc")]
#![allow(clippy::unwrap_used, clippy::panic)]

mod common;
mod streams;

use common::{ROLES, all_to, code, frames, outbox, to};
use proptest::prelude::*;
use proptest::sample::Index;
use streams::{Collector, Way, config, role, slices, stream, way};
use ws_proto::frame::Rsv;
use ws_proto::{
    CloseCode, Config, Connection, Event, HandoverError, Inbox, Input, MessageKind, Outbox, Role, SendError,
    Status, Violation,
};

// ---- with and without ----

/// Something that the embedder does between two reads.
#[derive(Clone, Debug)]
enum Call {
    Text(&'static str),
    Begin(MessageKind, &'static [u8]),
    Continue(&'static [u8]),
    Finish(&'static [u8]),
    BeginFrame(MessageKind, u64),
    ContinueFrame(&'static [u8]),
    Ping,
    Close,
    Written(usize),
}

impl Call {
    fn make(&self, connection: &mut Connection, outbox: &mut Outbox) -> Result<(), SendError> {
        match self {
            Self::Text(text) => connection.send_text(text, outbox),
            Self::Begin(kind, data) => connection.begin_message(*kind, data, outbox),
            Self::Continue(data) => connection.continue_message(data, outbox),
            Self::Finish(data) => connection.finish_message(data, outbox),
            Self::BeginFrame(kind, len) => connection.begin_frame(*kind, *len, outbox),
            Self::ContinueFrame(data) => connection.continue_frame(data, outbox),
            Self::Ping => connection.ping(b"there?", outbox),
            Self::Close => connection.close(code(1000), outbox),
            Self::Written(_) => Ok(()),
        }
    }
}

fn call() -> impl Strategy<Value = Call> {
    use MessageKind::{Binary, Text};
    prop::sample::select(vec![
        Call::Text("whole"),
        Call::Begin(Text, b"\xe2\x82"),
        Call::Begin(Binary, b"\xff"),
        Call::Continue(b"\xac"),
        Call::Continue(b"\xe2"),
        Call::Finish(b"\xac\xe2\x82\xac"),
        Call::Finish(b""),
        Call::BeginFrame(Text, 4),
        Call::BeginFrame(Binary, 300),
        Call::ContinueFrame(b"\xe2\x82"),
        Call::ContinueFrame(b"\xac."),
        Call::ContinueFrame(&[7; 149]),
        Call::Ping,
        Call::Close,
        Call::Written(1),
        Call::Written(7),
        Call::Written(usize::MAX),
    ])
}

/// All that can be told of one run.
#[derive(Debug, PartialEq)]
struct Outcome {
    seen: Collector,
    violation: Option<(Violation, usize)>,
    calls: Vec<Result<(), SendError>>,
    wire: Vec<u8>,
    status: Status,
    after_eof: Status,
}

struct Endpoint {
    connection: Connection,
    inbox: Inbox,
    outbox: Outbox,
    outcome: Outcome,
    /// Whether it is handed over, by turns; never for an empty list.
    handed: Vec<bool>,
    turn: usize,
}

impl Endpoint {
    fn new(role: Role, config: &Config, handed: Vec<bool>) -> Self {
        let connection = Connection::new(role, config);
        Self {
            connection,
            inbox: Inbox::new(),
            outbox: outbox(role),
            outcome: Outcome {
                seen: Collector::default(),
                violation: None,
                calls: Vec::new(),
                wire: Vec::new(),
                status: connection.status(),
                after_eof: connection.status(),
            },
            handed,
            turn: 0,
        }
    }

    fn perhaps_hand_over(&mut self) {
        self.turn += 1;
        if !self.handed.is_empty() && self.handed[self.turn % self.handed.len()] {
            let state = self.connection.to_bytes(&mut self.inbox);
            let handed = Connection::from_bytes(&state, self.inbox.unfinished());
            (self.connection, self.inbox) = handed.unwrap();
        }
    }

    fn receive(&mut self, read: &[u8], before: usize) {
        let mut bytes = read.to_vec();
        let mut at = 0;
        loop {
            self.perhaps_hand_over();
            let mut input = Input::new(&mut bytes[at..], &mut self.inbox);
            let result = self.connection.receive(&mut input, &mut self.outbox);
            at += input.consumed();
            match result {
                Ok(true) => self.outcome.seen.take(input.event(), input.is_message_end()),
                Ok(false) => break assert_eq!(at, bytes.len(), "all input is used up"),
                Err(violation) => {
                    assert_eq!(self.outcome.violation, None, "reported once");
                    self.outcome.violation = Some((violation, before + at));
                }
            }
        }
    }

    fn call(&mut self, call: &Call) {
        self.perhaps_hand_over();
        let result = call.make(&mut self.connection, &mut self.outbox);
        self.outcome.calls.push(result);
        if let Call::Written(n) = call {
            self.write(*n);
        }
    }

    fn write(&mut self, n: usize) {
        let n = n.min(self.outbox.len());
        self.outcome.wire.extend_from_slice(&self.outbox.bytes()[..n]);
        self.outbox.consume(n);
    }

    fn end(mut self) -> Outcome {
        self.perhaps_hand_over();
        while !self.outbox.is_empty() {
            self.write(usize::MAX);
        }
        self.outcome.status = self.connection.status();
        self.connection.receive_eof(&self.outbox);
        self.perhaps_hand_over();
        self.outcome.after_eof = self.connection.status();
        self.outcome
    }
}

fn run(
    role: Role,
    config: &Config,
    stream: &[u8],
    way: &Way,
    calls: &[Vec<Call>],
    handed: &[bool],
) -> Outcome {
    let mut endpoint = Endpoint::new(role, config, handed.to_vec());
    for (i, (start, end)) in slices(stream.len(), way).into_iter().enumerate() {
        for call in calls.get(i).into_iter().flatten() {
            endpoint.call(call);
        }
        endpoint.receive(&stream[start..end], start);
    }
    endpoint.end()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1200))]

    #[test]
    fn handing_over_at_any_point_changes_nothing(
        (role, stream) in role().prop_flat_map(|role| (Just(role), stream(role))),
        (mut config, pieces) in (config(), any::<bool>()),
        way in way(),
        calls in prop::collection::vec(prop::collection::vec(call(), 0..4), 0..4),
        handed in prop::collection::vec(any::<bool>(), 1..20),
    ) {
        config.pieces = pieces;
        let without = run(role, &config, &stream, &way, &calls, &[]);
        prop_assert_eq!(&run(role, &config, &stream, &way, &calls, &handed), &without);
        prop_assert_eq!(&run(role, &config, &stream, &way, &calls, &[true]), &without, "at every point");
        prop_assert_eq!(&run(role, &config, &stream, &Way::Slices(1), &[], &[true]),
            &run(role, &config, &stream, &Way::Slices(1), &[], &[]), "at every byte");
    }

    #[test]
    fn any_state_is_refused_or_never_panics(
        (role, stream) in role().prop_flat_map(|role| (Just(role), stream(role))),
        (mut config, pieces) in (config(), any::<bool>()),
        call in call(),
        changes in prop::collection::vec((any::<Index>(), any::<u8>()), 1..5),
        unfinished in prop::option::of(prop::collection::vec(any::<u8>(), 0..200)),
    ) {
        config.pieces = pieces;
        let mut endpoint = Endpoint::new(role, &config, Vec::new());
        endpoint.call(&call);
        endpoint.receive(&stream, 0);
        let mut state = endpoint.connection.to_bytes(&mut endpoint.inbox);
        for (place, octet) in changes {
            state[place.index(state.len())] = octet;
        }
        let unfinished = unfinished.unwrap_or_else(|| endpoint.inbox.unfinished().to_vec());
        exercise(&state, &unfinished);
    }
}

/// The bytes that wait are written by the old process; the new one begins with an outbox of its own.
#[test]
fn an_outbox_of_its_own_goes_on() {
    for role in ROLES {
        let (mut connection, mut inbox) = (Connection::new(role, &Config::default()), Inbox::new());
        let mut sent = Vec::new();
        let stream = all_to(
            role,
            &[
                (0x01, b"a"),
                (0x89, b"first"),
                (0x80, b"b"),
                (0x89, b"second"),
                (0x88, b""),
            ],
        );
        let mut seen = Collector::default();
        for (i, octet) in stream.iter().enumerate() {
            let mut outbox = match role {
                Role::Client => Outbox::client([i as u8; 16]),
                Role::Server => Outbox::new(),
            };
            let mut input = Input::new([*octet], &mut inbox);
            while connection.receive(&mut input, &mut outbox).unwrap() {
                seen.take(input.event(), input.is_message_end());
                if let Event::Text(text) = input.event() {
                    connection.send_text(text, &mut outbox).unwrap();
                }
            }
            sent.extend(common::drain(role, &mut outbox));
            let state = connection.to_bytes(&mut inbox);
            (connection, inbox) = Connection::from_bytes(&state, inbox.unfinished()).unwrap();
        }
        assert_eq!(seen.seen.len(), 4);
        assert_eq!(sent, ["8a 6669727374", "81 6162", "8a 7365636f6e64", "88"]);
        connection.receive_eof(&outbox(role));
        assert!(connection.status().clean);
    }
}

#[test]
fn the_unfinished_bytes_are_the_same_before_the_state_is_taken() {
    // A Ping that was cut in two is lent from the inbox, behind half a message.
    let mut connection = Connection::new(Role::Client, &Config::default());
    let (mut inbox, mut outbox) = (Inbox::new(), outbox(Role::Client));
    for (read, event) in [(&b"\x01\x02ab\x89\x02p"[..], false), (b"q", true)] {
        let mut bytes = read.to_vec();
        let mut input = Input::new(&mut bytes, &mut inbox);
        assert_eq!(connection.receive(&mut input, &mut outbox), Ok(event));
    }
    let before = inbox.unfinished().to_vec();
    let state = connection.to_bytes(&mut inbox);
    assert_eq!((&before[..], inbox.unfinished()), (&b"ab"[..], &b"ab"[..]));
    assert!(Connection::from_bytes(&state, &before).is_ok());
}

// ---- states that are none ----

/// The state of a connection, and the bytes beside it.
struct Specimen {
    connection: Connection,
    state: [u8; Connection::STATE_BYTES],
    unfinished: Vec<u8>,
    /// Whether what comes next is looked at.
    is_receiving: bool,
    pieces: bool,
}

/// A connection in this role that received `read`, after the calls.
fn after(role: Role, config: &Config, calls: &[Call], read: &[u8]) -> Specimen {
    let mut endpoint = Endpoint::new(role, config, Vec::new());
    for call in calls {
        endpoint.call(call);
        assert_eq!(endpoint.outcome.calls.pop(), Some(Ok(())), "{call:?}");
    }
    endpoint.receive(read, 0);
    let state = endpoint.connection.to_bytes(&mut endpoint.inbox);
    let closed = endpoint.connection.status().code != CloseCode::ABNORMAL;
    Specimen {
        connection: endpoint.connection,
        state,
        unfinished: endpoint.inbox.unfinished().to_vec(),
        is_receiving: endpoint.outcome.violation.is_none() && !closed,
        pieces: config.pieces,
    }
}

/// One connection of every kind.
fn specimens() -> Vec<Specimen> {
    let mut small = Config::default();
    small.limits.max_fragments = 1;
    small.limits.max_control_frames = 1;
    let mut manual = Config::default();
    manual.automatic_close = false;
    manual.automatic_pong = false;
    let mut pieces = Config::default();
    pieces.pieces = true;
    pieces.limits.max_frame_bytes = u64::MAX;
    pieces.limits.max_message_bytes = u64::MAX;
    let mut extended = Config::default();
    extended.reserved_bits = Rsv::RSV2;
    #[cfg(feature = "deflate")]
    {
        extended.deflate = Some(ws_proto::deflate::Parameters::default());
    }
    let default = Config::default();
    let mut all = Vec::new();
    for role in ROLES {
        let cut = |first, payload: &[u8], missing| {
            let mut frame = to(role, first, payload);
            frame.truncate(frame.len() - missing);
            frame
        };
        let inside_text = cut(0x81, "text €€".as_bytes(), 4);
        let inside_ping = [to(role, 0x01, "é €".as_bytes()), cut(0x89, b"ping", 2)].concat();
        let header = cut(0x82, &[3; 70_000], 70_001); // all but the last octet of it
        for config in [&default, &pieces] {
            for read in [&b""[..], &inside_text, &inside_ping, &header, &header[..3]] {
                all.push(after(role, config, &[], read));
            }
            all.push(after(role, config, &[], &cut(0x02, &[3; 70_000], 69_990)));
            all.push(after(role, config, &[], &cut(0x02, &[3; 70_000], 70_000)));
            all.push(after(role, config, &[], &to(role, 0x01, b"\xe2\x82")));
        }
        let begun = Call::Begin(MessageKind::Text, b"\xe2\x82");
        all.push(after(role, &default, std::slice::from_ref(&begun), b""));
        all.push(after(role, &default, &[Call::Close], &inside_ping));
        let close = to(role, 0x88, b"\x03\xe8why");
        all.push(after(role, &default, &[], &close));
        all.push(after(role, &manual, &[begun], &close));
        // In a message with another extension's bit, and behind it.
        all.push(after(role, &extended, &[], &to(role, 0x21, b"\xff")));
        all.push(after(role, &extended, &[], &to(role, 0xa1, b"\xff")));
        // Failed: in a header, in text, by the count of fragments and of control frames.
        all.push(after(role, &default, &[], &to(role, 0xc1, b"")));
        all.push(after(role, &default, &[], &to(role, 0x81, b"\xff")));
        all.push(after(
            role,
            &small,
            &[],
            &all_to(role, &[(0x01, b""), (0x00, b"")]),
        ));
        all.push(after(
            role,
            &small,
            &[],
            &all_to(role, &[(0x89, b""), (0x89, b"")]),
        ));
    }
    let frame = [
        Call::BeginFrame(MessageKind::Text, 5),
        Call::ContinueFrame(b"\xe2\x82"),
    ];
    for read in [
        to(Role::Server, 0x89, b"p"),
        to(Role::Server, 0x88, b""),
        to(Role::Server, 0xc8, b""),
    ] {
        all.push(after(Role::Server, &default, &frame, &read));
    }
    all
}

/// Does all that can be done with the connection of a state, which is not to panic, nor to hang. Whether the state was
/// taken.
fn exercise(state: &[u8; Connection::STATE_BYTES], unfinished: &[u8]) -> bool {
    let Ok((mut connection, mut inbox)) = Connection::from_bytes(state, unfinished) else {
        return false;
    };
    let role = connection.role();
    let mut outbox = match role {
        Role::Client => Outbox::client([7; 16]),
        Role::Server => Outbox::new(),
    };
    for call in [
        Call::ContinueFrame(b"a"),
        Call::ContinueFrame(&[b'a'; 3]),
        Call::Continue(b"a"),
        Call::Finish(b"a"),
        Call::Text("t"),
        Call::Ping,
        Call::Close,
    ] {
        let _ = call.make(&mut connection, &mut outbox);
    }
    let _ = connection.transport(&outbox);
    let again = connection.to_bytes(&mut inbox);
    assert!(
        Connection::from_bytes(&again, inbox.unfinished()).is_ok(),
        "what was taken is given again"
    );
    connection.receive_eof(&outbox);

    // The frame that the state may be in ends within these bytes, or does not.
    let valid = all_to(
        role,
        &[(0x81, "é€".as_bytes()), (0x89, b"p"), (0x80, b"."), (0x88, b"")],
    );
    let noise: Vec<u8> = (0..60u32).map(|i| ((i * i * 37) >> 3) as u8).collect();
    let bytes = [&[0x81; 150][..], &valid, &noise].concat();
    for (given, read) in [(&valid[..], 1), (&bytes[..], bytes.len()), (&bytes[..], 9)] {
        let (mut connection, mut inbox) = Connection::from_bytes(state, unfinished).unwrap();
        for given in given.chunks(read) {
            let mut bytes = given.to_vec();
            let mut input = Input::new(&mut bytes, &mut inbox);
            let mut calls_left = given.len() + 3;
            while connection.receive(&mut input, &mut outbox) != Ok(false) {
                calls_left -= 1;
                assert!(calls_left > 0, "receive is called without end");
                if let Event::Text(text) = input.event() {
                    assert!(std::str::from_utf8(text.as_bytes()).is_ok());
                }
            }
            assert_eq!(input.remaining(), 0, "all input is used up");
            outbox.consume(3);
        }
    }
    true
}

#[test]
fn every_kind_of_state_is_taken_back() {
    for (i, specimen) in specimens().iter().enumerate() {
        let taken = Connection::from_bytes(&specimen.state, &specimen.unfinished);
        let (taken, mut inbox) = taken.unwrap_or_else(|_| panic!("{i}: {:?}", specimen.connection));
        assert_eq!(taken.status(), specimen.connection.status());
        assert_eq!(taken.to_bytes(&mut inbox), specimen.state);
        assert_eq!(inbox.unfinished(), specimen.unfinished);
    }
}

#[test]
fn every_change_of_one_byte_is_refused_or_never_panics() {
    let (mut taken, mut refused) = (0, 0);
    let specimens = specimens();
    for (i, specimen) in specimens.iter().enumerate() {
        for place in 0..specimen.state.len() {
            for change in 1..=u8::MAX {
                // Every bit of every state; every value of every byte in one of them.
                if change.count_ones() > 1 && (place + usize::from(change)) % specimens.len() != i {
                    continue;
                }
                let mut changed = specimen.state;
                changed[place] ^= change;
                if exercise(&changed, &specimen.unfinished) {
                    taken += 1;
                } else {
                    refused += 1;
                }
            }
        }
    }
    assert!(taken > 1000 && refused > 1000, "{taken} taken, {refused} refused");
}

/// Where things lie in a state.
mod place {
    pub(super) const REMAINING: usize = 9;
    pub(super) const MASKING: usize = 35;
    pub(super) const RESERVED_BITS: usize = 36;
    pub(super) const IN_MESSAGE: usize = 40;
    pub(super) const MAX_MESSAGE_BYTES: usize = 41;
    pub(super) const RECEIVED: usize = 49;
    pub(super) const MESSAGE_BITS: usize = 57;
    pub(super) const FRAME_LEFT: usize = 58;
    pub(super) const SENDING: usize = 86;
}

#[test]
fn states_whose_parts_do_not_fit_together_are_refused() {
    let config = Config::default();
    for role in ROLES {
        let given = |frames: &[(u8, &[u8])], missing| {
            let mut bytes = all_to(role, frames);
            bytes.truncate(bytes.len() - missing);
            after(role, &config, &[], &bytes)
        };
        // Each is as it should be, but for one thing.
        let refuses = |specimen: &Specimen, changes: &[(usize, &[u8])], unfinished: &[u8]| {
            let mut state = specimen.state;
            for (at, bytes) in changes {
                state[*at..at + bytes.len()].copy_from_slice(bytes);
            }
            assert_ne!(state, specimen.state);
            Connection::from_bytes(&state, unfinished).is_err()
        };
        let fresh = given(&[], 0);
        let text = given(&[(0x81, b"text")], 2);
        let fragment = given(&[(0x02, &[3; 1000])], 990);
        let ping = given(&[(0x89, b"ping")], 2);
        assert!(refuses(&fresh, &[(place::MASKING, &[2])], b""));
        assert!(refuses(&fresh, &[(place::RESERVED_BITS, &[0x10])], b""));
        assert!(
            refuses(&fresh, &[(place::RESERVED_BITS, &[0x01])], b""),
            "no such bit"
        );
        assert!(refuses(&fresh, &[(place::MESSAGE_BITS, &[0x40])], b""));
        assert!(refuses(&fresh, &[(place::RECEIVED, &[1])], b"a"), "of no message");
        assert!(refuses(&fresh, &[(place::MAX_MESSAGE_BYTES, &[0xff; 8])], b""));
        assert!(
            refuses(&fresh, &[(place::FRAME_LEFT, &[1])], b""),
            "of no message"
        );
        if role == Role::Client {
            let changes: [(_, &[_]); 2] = [(place::FRAME_LEFT, &[1]), (place::SENDING, &[2])];
            assert!(refuses(&fresh, &changes, b""), "by a client");
        }
        assert!(refuses(&text, &[(place::IN_MESSAGE, &[1])], &text.unfinished));
        let most = 999u64.to_le_bytes();
        let changes: [(_, &[_]); 1] = [(place::MAX_MESSAGE_BYTES, &most)];
        assert!(refuses(&fragment, &changes, &fragment.unfinished));
        assert!(!refuses(&ping, &[(place::REMAINING, &[123])], &ping.unfinished));
        assert!(refuses(&ping, &[(place::REMAINING, &[124])], &ping.unfinished));
    }
}

#[test]
fn unfinished_bytes_that_do_not_fit_are_refused() {
    let mut tried = 0;
    for (i, specimen) in specimens().iter().enumerate() {
        // Where nothing is looked at any more, what is kept does not matter.
        if !specimen.is_receiving {
            continue;
        }
        tried += 1;
        let right = &specimen.unfinished[..];
        let is_refused = |bytes: &[u8]| Connection::from_bytes(&specimen.state, bytes).is_err();
        assert!(is_refused(&[right, b"a"].concat()), "{i}: more");
        assert!(is_refused(&[right, &[0; 200]].concat()), "{i}: far more");
        // How much of a character there is, the state does not say.
        assert!(
            right.is_empty() || specimen.pieces || is_refused(b""),
            "{i}: nothing"
        );
    }
    assert!(tried > 30, "{tried}");
}

#[test]
fn text_that_is_none_is_refused() {
    let text = [0x81, 5, b'a', 0xc3];
    let specimen = after(Role::Client, &Config::default(), &[], &text);
    assert_eq!(specimen.unfinished, b"a\xc3");
    assert!(Connection::from_bytes(&specimen.state, b"a\xc3").is_ok());
    assert!(Connection::from_bytes(&specimen.state, b"a\xff").is_err());
    assert!(Connection::from_bytes(&specimen.state, b"\xc3a").is_err());
    // In pieces, only the beginning of a character is kept.
    let mut pieces = Config::default();
    pieces.pieces = true;
    let specimen = after(Role::Client, &pieces, &[], &text);
    assert_eq!(specimen.unfinished, b"\xc3");
    assert!(Connection::from_bytes(&specimen.state, b"a").is_err());
    assert!(Connection::from_bytes(&specimen.state, b"a\xc3").is_err());
}

#[test]
fn the_state_fills_its_bytes_and_begins_with_its_version() {
    let specimen = after(Role::Client, &Config::default(), &[], b"\x02\x02ab\x89\x04123");
    assert_eq!(specimen.unfinished, b"ab123");
    assert_eq!(specimen.state[0], 3, "version");
    // The last value of all, which would be lost if they were longer together.
    assert_eq!(
        specimen.state[Connection::STATE_BYTES - 1],
        3,
        "of a control frame"
    );
    for version in (0..=u8::MAX).filter(|version| *version != 3) {
        let mut other = specimen.state;
        other[0] = version;
        assert!(matches!(
            Connection::from_bytes(&other, b"ab123"),
            Err(HandoverError)
        ));
    }
    assert!(Connection::from_bytes(&[0; Connection::STATE_BYTES], b"").is_err());
    assert!(Connection::from_bytes(&[0xff; Connection::STATE_BYTES], b"").is_err());
}

/// What was being sent goes on: in fragments, and inside a frame.
#[test]
fn messages_being_sent_go_on() {
    let (mut connection, mut inbox) = (Connection::new(Role::Server, &Config::default()), Inbox::new());
    let mut wire = Vec::new();
    let calls: [&[Call]; 2] = [
        &[
            Call::Begin(MessageKind::Text, b"\xe2"),
            Call::Continue(b"\x82"),
            Call::Finish(b"\xac"),
        ],
        &[
            Call::BeginFrame(MessageKind::Text, 3),
            Call::ContinueFrame(b"\xe2"),
            Call::ContinueFrame(b"\x82\xac"),
        ],
    ];
    for call in calls.concat() {
        let mut outbox = Outbox::new();
        call.make(&mut connection, &mut outbox).unwrap();
        wire.extend_from_slice(outbox.bytes());
        let state = connection.to_bytes(&mut inbox);
        (connection, inbox) = Connection::from_bytes(&state, inbox.unfinished()).unwrap();
    }
    assert_eq!(
        frames(Role::Server, &wire),
        ["01 e2", "00 82", "80 ac", "81 e282ac"]
    );
}

#[test]
fn waiting_bytes_go_over_and_count_for_a_clean_end() {
    let mut connection = Connection::new(Role::Server, &Config::default());
    let (mut inbox, mut outbox) = (Inbox::new(), Outbox::new());
    // A Pong in front, data, and a Pong that waits beside them; then the closing handshake.
    let mut bytes = all_to(Role::Server, &[(0x89, b"1")]);
    let mut input = Input::new(&mut bytes[..], &mut inbox);
    assert!(connection.receive(&mut input, &mut outbox).unwrap());
    connection.send_text("data", &mut outbox).unwrap();
    let mut bytes = all_to(Role::Server, &[(0x89, b"2")]);
    let mut input = Input::new(&mut bytes[..], &mut inbox);
    assert!(connection.receive(&mut input, &mut outbox).unwrap());
    let taken = outbox.take_all();
    assert_eq!(taken, b"\x8a\x011\x81\x04data\x8a\x012");
    assert!(outbox.is_empty());

    connection.close(None, &mut outbox).unwrap();
    let mut bytes = all_to(Role::Server, &[(0x88, b"")]);
    let mut input = Input::new(&mut bytes[..], &mut inbox);
    assert!(connection.receive(&mut input, &mut outbox).unwrap());
    for written in [false, true] {
        let (mut connection, _) = Connection::from_bytes(&connection.to_bytes(&mut inbox), &[]).unwrap();
        let mut resumed = Outbox::new();
        resumed.resume(b"\x88\x00").unwrap();
        assert_eq!(resumed.bytes(), b"\x88\x00");
        resumed.consume(if written { 2 } else { 1 });
        connection.receive_eof(&resumed);
        assert_eq!(connection.status().clean, written);
    }
}

/// permessage-deflate (RFC 7692).
#[cfg(feature = "deflate")]
mod compressed {
    use super::*;
    use ws_proto::deflate::{Parameters, Pool, Settings};

    const HELLO: &[u8] = b"\xf2\x48\xcd\xc9\xc9\x07\x00";
    const HELLO_AGAIN: &[u8] = b"\xf2\x00\x11\x00\x00";

    fn config(takes_over: bool, pieces: bool) -> Config {
        let mut config = Config::default();
        config.pieces = pieces;
        config.deflate = Some(Parameters {
            server_no_context_takeover: !takes_over,
            client_no_context_takeover: !takes_over,
            ..Parameters::default()
        });
        config
    }

    #[test]
    fn a_connection_failed_at_the_end_of_a_message_is_taken_back() {
        let mut connection = Connection::new(Role::Client, &config(true, false));
        let (mut inbox, mut outbox) = (Inbox::new(), outbox(Role::Client));
        let mut input = Input::new(*b"\xc2\x07\xf2\x48\xcd\xc9\xc9\x07\x03", &mut inbox);
        let received = connection.receive(&mut input, &mut outbox);
        assert_eq!(received, Err(Violation::InvalidDeflate));
        let state = connection.to_bytes(&mut inbox);
        let handed = Connection::from_bytes(&state, inbox.unfinished());
        assert_eq!(handed.map(|(handed, _)| handed.status()), Ok(connection.status()));
    }

    /// Failed in a frame that may declare more than its message may have; or ended, with more or less of such a frame there.
    #[test]
    fn a_connection_that_ended_inside_of_a_compressed_message_is_taken_back() {
        let mut limited = config(true, false);
        limited.limits.max_message_bytes = 100;
        let failing = b"\xc2\x7e\x00\x96\x07";
        let mut stream = Vec::new();
        let mut sender = Outbox::new();
        Connection::new(Role::Server, &limited)
            .begin_message(MessageKind::Binary, &[0; 90], &mut sender)
            .unwrap();
        stream.extend_from_slice(sender.bytes());
        stream.extend_from_slice(b"\x00\x7e\x00\x96\x00");
        for (bytes, end) in [(&failing[..], failing.len()), (&stream, stream.len())] {
            for len in 0..=end {
                let mut connection = Connection::new(Role::Client, &limited);
                let (mut inbox, mut outbox) = (Inbox::new(), outbox(Role::Client));
                let mut input = Input::new(bytes[..len].to_vec(), &mut inbox);
                let _ = connection.receive(&mut input, &mut outbox);
                connection.abort(&outbox);
                assert!(connection.may_hand_over());
                let state = connection.to_bytes(&mut inbox);
                let handed = Connection::from_bytes(&state, inbox.unfinished());
                assert_eq!(
                    handed.map(|(handed, _)| handed.status()),
                    Ok(connection.status()),
                    "{len} of {bytes:02x?}"
                );
            }
        }
    }

    /// A connection with its values, and what it saw.
    struct Handed {
        connection: Connection,
        inbox: Inbox,
        outbox: Outbox,
        seen: Collector,
    }

    impl Handed {
        fn new(role: Role, config: &Config) -> Self {
            let (connection, seen) = (Connection::new(role, config), Collector::default());
            let (inbox, outbox) = (Inbox::new(), outbox(role));
            Self {
                connection,
                inbox,
                outbox,
                seen,
            }
        }

        /// To another process, with an outbox of its own.
        fn hand_over(&mut self) {
            let inflated = self.outbox.inflated();
            let state = self.connection.to_bytes(&mut self.inbox);
            let handed = Connection::from_bytes(&state, self.inbox.unfinished());
            (self.connection, self.inbox) = handed.unwrap();
            self.outbox = outbox(self.connection.role());
            self.outbox.resume_inflated(&inflated);
        }

        fn receive(&mut self, bytes: &[u8]) {
            let mut input = Input::new(bytes.to_vec(), &mut self.inbox);
            while self.connection.receive(&mut input, &mut self.outbox).unwrap() {
                self.seen.take(input.event(), input.is_message_end());
            }
        }
    }

    #[test]
    fn contexts_go_over_between_messages_and_not_inside_of_compressed_ones() {
        for role in ROLES {
            for pieces in [false, true] {
                let frames: &[(u8, &[u8])] = &[
                    (0xc1, HELLO),
                    (0xc1, HELLO_AGAIN),
                    (0x89, b"ping"),
                    (0x01, b"not"),
                    (0x80, b" compressed"),
                    (0x41, &HELLO_AGAIN[..2]),
                    (0x00, b""),
                    (0x89, b"inside"),
                    (0x80, &HELLO_AGAIN[2..]),
                    (0xc1, HELLO_AGAIN),
                ];
                let mut handed = Handed::new(role, &config(true, pieces));
                let (mut refused, mut times) = (0, 0);
                for octet in all_to(role, frames) {
                    handed.receive(&[octet]);
                    if handed.connection.may_hand_over() {
                        handed.hand_over();
                        times += 1;
                    } else {
                        let state = handed.connection.to_bytes(&mut handed.inbox);
                        let taken = Connection::from_bytes(&state, handed.inbox.unfinished());
                        assert!(taken.is_err(), "inside a compressed message");
                        refused += 1;
                    }
                }
                assert!(times > 30 && refused > 20, "{times}, {refused}");
                let text = |text: &str| streams::Seen::Text(text.into());
                let ping = |data: &[u8]| streams::Seen::Ping(data.into());
                let expected = [
                    text("Hello"),
                    text("Hello"),
                    ping(b"ping"),
                    text("not compressed"),
                    ping(b"inside"),
                    text("Hello"),
                    text("Hello"),
                ];
                assert_eq!(handed.seen.seen, expected);
            }
        }
    }

    /// All of a window that has wrapped round goes over, and nothing if contexts are not taken over.
    #[test]
    fn the_window_that_goes_over_is_the_end_of_what_was_inflated() {
        let data: Vec<u8> = (0..50_000u32)
            .map(|i| (i.wrapping_mul(0x9e37_79b1) >> 24) as u8)
            .collect();
        for takes_over in [true, false] {
            let mut server = Handed::new(Role::Server, &config(takes_over, false));
            let mut client = Handed::new(Role::Client, &config(takes_over, false));
            let mut settings = Settings::default();
            settings.min_bytes = 0;
            server.outbox.set_pool(Pool::new(settings));
            assert!(client.outbox.inflated().is_empty(), "nothing came yet");
            for part in data.chunks(7000).chain([&data[20_000..]]) {
                server.connection.send_binary(part, &mut server.outbox).unwrap();
                client.receive(&server.outbox.take_all());
                let inflated = client.outbox.inflated();
                assert_eq!(inflated.is_empty(), !takes_over);
                assert!(inflated.len() <= 32 << 10);
                client.hand_over();
                assert_eq!(client.outbox.inflated(), inflated);
            }
            let seen: Vec<u8> = client
                .seen
                .seen
                .iter()
                .flat_map(|seen| seen.payload().to_vec())
                .collect();
            assert!(seen == [&data[..], &data[20_000..]].concat());
            if takes_over {
                assert!(client.outbox.inflated() == seen[seen.len() - (32 << 10)..]);
            }
        }
    }

    /// The new process begins with an empty window of its own, also inside a message.
    #[test]
    fn compressed_messages_being_sent_go_on() {
        for role in ROLES {
            let peer = streams::peer_of(role);
            let mut sender = Handed::new(role, &config(true, false));
            let mut receiver = Handed::new(peer, &config(true, false));
            let text = "to be sent in two processes ".repeat(20);
            for _ in 0..3 {
                let (front, back) = text.as_bytes().split_at(100);
                sender
                    .connection
                    .begin_message(MessageKind::Text, front, &mut sender.outbox)
                    .unwrap();
                receiver.receive(&sender.outbox.take_all());
                sender.hand_over();
                sender
                    .connection
                    .finish_message(back, &mut sender.outbox)
                    .unwrap();
                let sent = sender.outbox.take_all();
                assert!(sent.len() < 100, "still compressed: {}", sent.len());
                receiver.receive(&sent);
                sender.hand_over();
                sender.connection.send_text(&text, &mut sender.outbox).unwrap();
                receiver.receive(&sender.outbox.take_all());
            }
            assert_eq!(receiver.seen.seen, vec![streams::Seen::Text(text); 6]);
        }
    }

    /// Another extension's message goes over inside, up to its limit.
    #[test]
    fn a_message_of_another_extension_goes_over() {
        let mut own = Config::default();
        own.reserved_bits = Rsv::RSV2;
        own.limits.max_message_bytes = 800;
        for role in ROLES {
            let mut handed = Handed::new(role, &own);
            for octet in to(role, 0xa2, &[7; 800]) {
                handed.receive(&[octet]);
                handed.hand_over();
            }
            assert_eq!(handed.seen.seen, [streams::Seen::Binary(vec![7; 800])]);
        }
    }

    fn connection_without_compression(mut connection: Connection) -> Connection {
        connection.set_compression(false);
        connection
    }

    #[test]
    fn options_that_do_not_go_together_are_refused() {
        let mut plain = Connection::new(Role::Client, &Config::default());
        let mut deflating = Connection::new(Role::Client, &config(true, false));
        let mut inbox = Inbox::new();
        // The last three bytes but one are what was agreed on: options and window, then bytes of a control frame.
        let at = Connection::STATE_BYTES - 3;
        for connection in [&mut plain, &mut deflating] {
            let state = connection.to_bytes(&mut inbox);
            assert!(Connection::from_bytes(&state, &[]).is_ok());
            for bits in (0..=7).chain(16..=u8::MAX) {
                let mut other = state;
                other[at + 1] = bits;
                let taken = Connection::from_bytes(&other, &[]).is_ok();
                assert_eq!(taken, other == state, "a window of {bits} bits");
            }
            let mut other = state;
            other[at] ^= 1 << 3;
            assert!(Connection::from_bytes(&other, &[]).is_err(), "in use or not");
            // With a window of 256 bytes nothing may be compressed, which one octet of options says, by the bit that changes here.
            let compresses =
                state[at] & !connection_without_compression(*connection).to_bytes(&mut inbox)[at];
            let mut other = state;
            other[at + 1] = 8;
            assert!(Connection::from_bytes(&other, &[]).is_err());
            other[at] &= !compresses;
            assert_eq!(Connection::from_bytes(&other, &[]).is_ok(), compresses != 0);
        }
    }
}
