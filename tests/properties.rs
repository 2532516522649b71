//! Properties of the receiving side: what went in comes out, however it is fragmented and cut; and any bytes at all have
//! one outcome, in bounded work, that the frame decoder agrees with.
#![cfg(feature = "alloc")]
#![allow(clippy::unwrap_used, clippy::expect_used)]

use proptest::prelude::*;
use proptest::sample::Index;
use ws_proto::frame::{Decoder, Header, Opcode, Part, Rsv, Rules};
use ws_proto::mask::MaskingKey;
use ws_proto::{Config, Connection, Event, Inbox, Input, MessageKind, Outbox, Role, Status, Violation};

// ---- what is observed ----

#[derive(Clone, Debug, PartialEq)]
enum Seen {
    Text(String),
    Binary(Vec<u8>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(Option<(u16, String)>),
}

impl Seen {
    fn new(event: Event<'_>) -> Self {
        match event {
            Event::Text(text) => {
                assert!(std::str::from_utf8(text.as_bytes()).is_ok(), "text is UTF-8");
                Self::Text(text.into())
            }
            Event::Binary(data) => Self::Binary(data.into()),
            Event::Ping(data) => Self::Ping(data.into()),
            Event::Pong(data) => Self::Pong(data.into()),
            Event::Close(close) => Self::Close(close.map(|close| (close.code.get(), close.reason.into()))),
        }
    }

    fn payload(&self) -> &[u8] {
        match self {
            Self::Text(text) => text.as_bytes(),
            Self::Binary(data) | Self::Ping(data) | Self::Pong(data) => data,
            Self::Close(_) => &[],
        }
    }
}

/// All that can be told of one run over a stream of bytes.
#[derive(Debug, PartialEq)]
struct Outcome {
    seen: Vec<Seen>,
    /// With the number of bytes of the stream that prove it.
    violation: Option<(Violation, usize)>,
    status: Status,
    after_eof: Status,
    reason: String,
    /// The frames of the outbox, unmasked.
    sent: Vec<(Header, Vec<u8>)>,
}

/// How a stream reaches the connection.
#[derive(Clone, Debug)]
enum Way {
    /// In slices that end at these places.
    Cut(Vec<Index>),
    /// In slices of this many bytes, giving memory back behind each.
    Slices(usize),
    /// Through an `Input` that owns a buffer of this many bytes and the inbox, giving memory back now and then.
    Space(usize),
}

fn way() -> impl Strategy<Value = Way> {
    let sizes = prop::sample::select(vec![1, 2, 3, 5, 7, 13, 61, 127, 1021]);
    prop_oneof![
        2 => prop::collection::vec(any::<Index>(), 0..6).prop_map(Way::Cut),
        1 => sizes.clone().prop_map(Way::Slices),
        2 => sizes.prop_map(Way::Space),
    ]
}

fn outbox(role: Role) -> Outbox {
    match role {
        Role::Client => Outbox::client([7; 32]),
        Role::Server => Outbox::new(),
    }
}

fn peer_of(role: Role) -> Role {
    match role {
        Role::Client => Role::Server,
        Role::Server => Role::Client,
    }
}

/// Feeds the stream to a fresh connection in this role.
fn run(role: Role, config: &Config, stream: &[u8], way: &Way) -> Outcome {
    let mut connection = Connection::new(role, config);
    let mut outbox = outbox(role);
    let mut seen = Vec::new();
    let mut violation = None;
    let mut inbox = Inbox::new();
    match way {
        Way::Space(size) => {
            let mut input = Input::with_space(vec![0; *size], inbox);
            let mut rest = stream;
            while !rest.is_empty() {
                let space = input.space();
                let n = space.len().min(rest.len());
                assert!(n > 0, "all input is used up after `false`");
                space[..n].copy_from_slice(&rest[..n]);
                input.filled(n);
                let before = stream.len() - rest.len();
                rest = &rest[n..];
                drain(
                    &mut connection,
                    &mut input,
                    &mut outbox,
                    before,
                    n,
                    &mut seen,
                    &mut violation,
                );
                if before.is_multiple_of(3) {
                    input.release();
                }
            }
            (_, inbox) = input.into_parts();
        }
        Way::Cut(_) | Way::Slices(_) => {
            for (before, end) in slices(stream.len(), way) {
                let mut bytes = stream[before..end].to_vec();
                let mut input = Input::new(&mut bytes[..], &mut inbox);
                drain(
                    &mut connection,
                    &mut input,
                    &mut outbox,
                    before,
                    end - before,
                    &mut seen,
                    &mut violation,
                );
                if let Way::Slices(_) = way {
                    inbox.release();
                }
            }
        }
    }
    let status = connection.status();
    connection.receive_eof(&outbox);
    Outcome {
        seen,
        violation,
        status,
        after_eof: connection.status(),
        reason: inbox.close_reason().into(),
        sent: sent(role, &mut outbox),
    }
}

fn slices(len: usize, way: &Way) -> Vec<(usize, usize)> {
    let mut ends: Vec<usize> = match way {
        Way::Cut(cuts) => cuts.iter().map(|cut| cut.index(len + 1)).collect(),
        Way::Slices(size) | Way::Space(size) => (0..len).step_by(*size).skip(1).collect(),
    };
    ends.sort_unstable();
    ends.push(len);
    let starts: Vec<usize> = std::iter::once(0).chain(ends.iter().copied()).collect();
    starts.into_iter().zip(ends).collect()
}

/// Calls `receive` until it wants more, on input of which the last `n` bytes are new; `before` came earlier.
fn drain<B: ws_proto::Buffer, I: ws_proto::InboxSlot>(
    connection: &mut Connection,
    input: &mut Input<B, I>,
    outbox: &mut Outbox,
    before: usize,
    n: usize,
    seen: &mut Vec<Seen>,
    violation: &mut Option<(Violation, usize)>,
) {
    // An event ends a frame, which has two bytes at least, one of them new; a violation comes once.
    let mut calls_left = n.div_ceil(2) + 3;
    loop {
        assert!(calls_left > 0, "receive is called without end");
        calls_left -= 1;
        match connection.receive(input, outbox) {
            Ok(true) => {
                assert!(violation.is_none(), "nothing after a violation");
                seen.push(Seen::new(input.event()));
            }
            Ok(false) => {
                assert_eq!(input.consumed(), n, "all input is used up");
                return;
            }
            Err(new) => {
                assert_eq!(*violation, None, "a violation is reported once");
                *violation = Some((new, before + input.consumed()));
            }
        }
    }
}

/// What the connection has sent, frame by frame.
fn sent(role: Role, outbox: &mut Outbox) -> Vec<(Header, Vec<u8>)> {
    let mut bytes = Vec::new();
    while !outbox.is_empty() {
        bytes.extend_from_slice(outbox.bytes());
        outbox.consume(outbox.len());
    }
    let (frames, violation) = decode(&Rules::new(peer_of(role)), &bytes, &Way::Cut(Vec::new()));
    assert_eq!(violation, None, "what is sent is valid");
    frames
        .into_iter()
        .map(|frame| {
            assert!(frame.whole, "only whole frames are sent");
            (
                Header {
                    key: None,
                    ..frame.header
                },
                frame.payload,
            )
        })
        .collect()
}

#[derive(Debug, PartialEq)]
struct DecodedFrame {
    header: Header,
    payload: Vec<u8>,
    whole: bool,
}

/// The stream as the frame decoder alone sees it: frames, and what it refuses with the bytes that prove it. The
/// place is known to the slice, so it is exact byte by byte.
fn decode(rules: &Rules, stream: &[u8], way: &Way) -> (Vec<DecodedFrame>, Option<(Violation, usize)>) {
    let mut decoder = Decoder::new(*rules);
    let mut frames: Vec<DecodedFrame> = Vec::new();
    let mut violation = None;
    for (before, end) in slices(stream.len(), way) {
        let mut bytes = stream[before..end].to_vec();
        let mut at = 0;
        let mut calls_left = 2 * bytes.len() + 3;
        loop {
            assert!(calls_left > 0, "decode is called without end");
            calls_left -= 1;
            let step = match decoder.decode(&mut bytes[at..]) {
                Ok(step) => step,
                Err(new) => {
                    assert_eq!(violation, None, "a violation is reported once");
                    violation = Some((new, end));
                    continue;
                }
            };
            assert!(violation.is_none() || step.part == Part::More);
            match step.part {
                Part::More => {
                    assert_eq!(at + step.consumed, bytes.len(), "all bytes are used up");
                    break;
                }
                Part::Header(header) => frames.push(DecodedFrame {
                    header,
                    payload: Vec::new(),
                    whole: false,
                }),
                Part::Payload { range, last, .. } => {
                    let frame = frames.last_mut().expect("a header comes first");
                    assert!(!frame.whole, "payload ends with `last`");
                    frame.payload.extend_from_slice(&bytes[at..][range]);
                    frame.whole = last;
                }
            }
            at += step.consumed;
        }
    }
    for frame in &frames {
        let len = frame.payload.len() as u64;
        assert!(len <= frame.header.payload_len);
        assert_eq!(frame.whole, len == frame.header.payload_len);
    }
    (frames, violation)
}

// ---- what goes in ----

/// A message or a control frame to send.
#[derive(Clone, Debug)]
enum Item {
    Message {
        kind: MessageKind,
        payload: Payload,
        /// Where fragments end; none for a message in one frame. A control frame goes behind each.
        cuts: Vec<(Index, Option<Vec<u8>>)>,
    },
    Ping(Vec<u8>),
    Pong(Vec<u8>),
}

/// Bytes made when needed: generating and shrinking them one by one would take long.
#[derive(Clone, Copy, Debug)]
struct Payload {
    len: usize,
    seed: u32,
}

impl Payload {
    fn bytes(self, kind: MessageKind) -> Vec<u8> {
        let mut random = self.seed;
        let mut next = || {
            random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            random >> 16
        };
        let mut bytes = Vec::with_capacity(self.len);
        while bytes.len() < self.len {
            match kind {
                MessageKind::Binary => bytes.push(next() as u8),
                MessageKind::Text => {
                    const CHARACTERS: [&str; 8] = ["a", "z", " ", "\0", "é", "€", "\u{ffff}", "😀"];
                    let character = CHARACTERS[next() as usize % CHARACTERS.len()].as_bytes();
                    let fits = bytes.len() + character.len() <= self.len;
                    bytes.extend_from_slice(if fits { character } else { b"." });
                }
            }
        }
        bytes
    }
}

fn kind() -> impl Strategy<Value = MessageKind> {
    prop_oneof![Just(MessageKind::Text), Just(MessageKind::Binary)]
}

fn control_payload() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        3 => prop::collection::vec(any::<u8>(), 0..9),
        1 => Just(vec![b'c'; 125]),
    ]
}

fn item(max_len: usize) -> impl Strategy<Value = Item> {
    let edges: Vec<usize> = [0, 0, 1, 7, 8, 125, 126, 127, 4096, 65_535, 65_536]
        .into_iter()
        .filter(|&edge| edge <= max_len)
        .collect();
    let len = prop_oneof![
        4 => prop::sample::select(edges),
        4 => 0..max_len.min(300),
        1 => 0..max_len,
    ];
    let payload = (len, any::<u32>()).prop_map(|(len, seed)| Payload { len, seed });
    let cut = (any::<Index>(), prop::option::weighted(0.3, control_payload()));
    let cuts = prop_oneof![Just(Vec::new()), prop::collection::vec(cut, 1..6)];
    prop_oneof![
        4 => (kind(), payload, cuts).prop_map(|(kind, payload, cuts)| Item::Message { kind, payload, cuts }),
        1 => control_payload().prop_map(Item::Ping),
        1 => control_payload().prop_map(Item::Pong),
    ]
}

/// Sends the items; tells what the peer has to see.
fn send(connection: &mut Connection, items: &[Item], outbox: &mut Outbox) -> Vec<Seen> {
    outbox.set_max_bytes(u32::MAX);
    let mut expected = Vec::new();
    for item in items {
        match item {
            Item::Ping(data) => {
                connection.ping(data, outbox).unwrap();
                expected.push(Seen::Ping(data.clone()));
            }
            Item::Pong(data) => {
                connection.pong(data, outbox).unwrap();
                expected.push(Seen::Pong(data.clone()));
            }
            Item::Message { kind, payload, cuts } => {
                let bytes = payload.bytes(*kind);
                send_message(connection, *kind, &bytes, cuts, outbox, &mut expected);
                expected.push(match kind {
                    MessageKind::Text => Seen::Text(String::from_utf8(bytes).unwrap()),
                    MessageKind::Binary => Seen::Binary(bytes),
                });
            }
        }
    }
    expected
}

fn send_message(
    connection: &mut Connection,
    kind: MessageKind,
    bytes: &[u8],
    cuts: &[(Index, Option<Vec<u8>>)],
    outbox: &mut Outbox,
    expected: &mut Vec<Seen>,
) {
    let mut cuts: Vec<_> = cuts
        .iter()
        .map(|(cut, ping)| (cut.index(bytes.len() + 1), ping))
        .collect();
    cuts.sort_by_key(|(cut, _)| *cut);
    let mut start = 0;
    for (i, (end, ping)) in cuts.iter().enumerate() {
        let fragment = &bytes[start..*end];
        if i == 0 {
            connection.begin_message(kind, fragment, outbox).unwrap();
        } else {
            connection.continue_message(fragment, outbox).unwrap();
        }
        if let Some(data) = ping {
            connection.ping(data, outbox).unwrap();
            expected.push(Seen::Ping(data.clone()));
        }
        start = *end;
    }
    if !cuts.is_empty() {
        connection.finish_message(&bytes[start..], outbox).unwrap();
    } else if kind == MessageKind::Text {
        connection
            .send_text(std::str::from_utf8(bytes).unwrap(), outbox)
            .unwrap();
    } else {
        connection.send_binary(bytes, outbox).unwrap();
    }
}

fn role() -> impl Strategy<Value = Role> {
    prop_oneof![Just(Role::Client), Just(Role::Server)]
}

/// Frames that are mostly right, for a receiver in this role.
fn frames(role: Role) -> impl Strategy<Value = Vec<u8>> {
    let valid = prop::collection::vec(item(200), 0..4).prop_map(move |items| {
        let sender = peer_of(role);
        let mut outbox = outbox(sender);
        send(
            &mut Connection::new(sender, &Config::default()),
            &items,
            &mut outbox,
        );
        outbox.bytes().to_vec()
    });
    let rsv = prop_oneof![15 => Just(0), 1 => any::<u8>()];
    let masked = prop::bool::weighted(if role == Role::Server { 0.95 } else { 0.05 });
    let payload = prop_oneof![
        3 => prop::collection::vec(any::<u8>(), 0..10),
        3 => "[a-zé€😀]{0,8}".prop_map(String::into_bytes),
        1 => (900u16..5100, "[a-zé]{0,9}").prop_map(|(code, reason)| [&code.to_be_bytes(), reason.as_bytes()].concat()),
    ];
    let opcode = prop_oneof![
        8 => prop::sample::select(vec![0u8, 0, 1, 1, 2, 9, 10]),
        1 => Just(8),
        1 => 0u8..16,
    ];
    let odd = (
        prop::bool::weighted(0.8),
        rsv,
        opcode,
        masked,
        any::<[u8; 4]>(),
        payload,
    )
        .prop_map(|(fin, rsv, opcode, masked, key, mut payload)| {
            let key = masked.then_some(MaskingKey::new(key));
            let header = Header {
                fin,
                rsv: Rsv::new(rsv),
                opcode: Opcode::new(opcode),
                key,
                payload_len: payload.len() as u64,
            };
            key.unwrap_or_default().apply(&mut payload);
            [&header.encode()[..], &payload].concat()
        });
    prop_oneof![
        valid,
        prop::collection::vec(odd, 1..6).prop_map(|frames| frames.concat())
    ]
}

/// Any bytes; or frames, some octets of which are changed, put in or taken out.
fn stream(role: Role) -> impl Strategy<Value = Vec<u8>> {
    let spoilt = (
        prop::collection::vec(frames(role), 1..4),
        prop::collection::vec(
            (
                any::<Index>(),
                0usize..2,
                prop::collection::vec(any::<u8>(), 0..2),
            ),
            0..3,
        ),
    )
        .prop_map(|(frames, changes)| {
            let mut stream = frames.concat();
            for (place, gone, put_in) in changes {
                let place = place.index(stream.len() + 1);
                let end = (place + gone).min(stream.len());
                stream.splice(place..end, put_in);
            }
            stream
        });
    prop_oneof![1 => prop::collection::vec(any::<u8>(), 0..200), 6 => spoilt]
}

fn config() -> impl Strategy<Value = Config> {
    (any::<bool>(), any::<bool>(), any::<bool>()).prop_map(|(small, automatic_pong, automatic_close)| {
        let mut config = Config::default();
        config.automatic_pong = automatic_pong;
        config.automatic_close = automatic_close;
        if small {
            config.limits.max_frame_bytes = 150;
            config.limits.max_message_bytes = 180;
            config.limits.max_fragments = 4;
            config.limits.max_control_frames = 3;
        }
        config
    })
}

/// Whether messages, and not frames, are wrong.
fn is_of_messages(violation: Violation) -> bool {
    matches!(
        violation,
        Violation::InvalidUtf8
            | Violation::InvalidCloseCode(_)
            | Violation::InvalidCloseReason
            | Violation::MessageTooBig
            | Violation::TooManyFragments
            | Violation::TooManyControlFrames
    )
}

/// Whole messages and control frames, put together from frames in the plainest way.
fn assemble(frames: &[DecodedFrame]) -> Vec<(Opcode, Vec<u8>)> {
    let mut events = Vec::new();
    let mut message: Option<(Opcode, Vec<u8>)> = None;
    for frame in frames.iter().filter(|frame| frame.whole) {
        let opcode = frame.header.opcode;
        if opcode.is_control() {
            events.push((opcode, frame.payload.clone()));
            continue;
        }
        let (_, payload) = message.get_or_insert((opcode, Vec::new()));
        payload.extend_from_slice(&frame.payload);
        if frame.header.fin {
            events.extend(message.take());
        }
    }
    events
}

// ---- the properties ----

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn s5_4_messages_come_out_as_they_went_in(
        receiver in role(),
        items in prop::collection::vec(item(70_000), 0..7),
        mut way in way(),
    ) {
        let sender = peer_of(receiver);
        let mut outbox = outbox(sender);
        let expected = send(&mut Connection::new(sender, &Config::default()), &items, &mut outbox);
        let stream = outbox.bytes();
        if let (Way::Slices(size) | Way::Space(size), 5000..) = (&mut way, stream.len()) {
            *size *= 89; // as odd, and done sooner
        }
        for way in [Way::Cut(Vec::new()), way] {
            let outcome = run(receiver, &Config::default(), stream, &way);
            prop_assert_eq!(outcome.violation, None);
            prop_assert!(outcome.seen == expected, "{:?}", way);
            // RFC 6455 §5.5.3: of Pings that were not answered yet, the latest is.
            let last_ping = expected.iter().rfind(|seen| matches!(seen, Seen::Ping(_)));
            let pongs: Vec<_> = outcome.sent.iter().map(|(_, payload)| &payload[..]).collect();
            prop_assert_eq!(pongs, last_ping.map(Seen::payload).into_iter().collect::<Vec<_>>());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    #[test]
    fn any_bytes_have_one_outcome_however_cut(
        (role, stream) in role().prop_flat_map(|role| (Just(role), stream(role))),
        config in config(),
        way in way(),
    ) {
        let whole = run(role, &config, &stream, &Way::Cut(Vec::new()));
        for way in [way, Way::Slices(1), Way::Space(1)] {
            prop_assert_eq!(&run(role, &config, &stream, &way), &whole, "{:?}", way);
        }
    }

    #[test]
    fn decoder_and_connection_agree(
        (role, stream) in role().prop_flat_map(|role| (Just(role), stream(role))),
        config in config(),
        way in way(),
    ) {
        let mut rules = Rules::new(role);
        rules.max_frame_bytes = config.limits.max_frame_bytes;
        let (frames, refused) = decode(&rules, &stream, &Way::Slices(1));
        let outcome = run(role, &config, &stream, &Way::Cut(Vec::new()));

        // However cut, the decoder finds the same.
        let (same_frames, same_refused) = decode(&rules, &stream, &way);
        prop_assert_eq!(&same_frames, &frames);
        prop_assert_eq!(same_refused.map(|(violation, _)| violation), refused.map(|(violation, _)| violation));

        // The connection refuses what the decoder refuses, if nothing ended it before.
        let closed = outcome.seen.iter().any(|seen| matches!(seen, Seen::Close(_)));
        match outcome.violation {
            Some((violation, at)) if is_of_messages(violation) => {
                prop_assert!(refused.is_none_or(|(_, refused_at)| at < refused_at));
            }
            None if closed => {}
            by_frames => prop_assert_eq!(by_frames, refused),
        }

        // And it sees the same payload data.
        let assembled = assemble(&frames);
        prop_assert!(outcome.seen.len() <= assembled.len());
        if outcome.violation.is_none() && !closed {
            prop_assert_eq!(outcome.seen.len(), assembled.len());
        }
        for (seen, (opcode, payload)) in outcome.seen.iter().zip(&assembled) {
            match seen {
                Seen::Text(text) => prop_assert_eq!((Opcode::TEXT, text.as_bytes()), (*opcode, &payload[..])),
                Seen::Binary(data) => prop_assert_eq!((Opcode::BINARY, data), (*opcode, payload)),
                Seen::Ping(data) => prop_assert_eq!((Opcode::PING, data), (*opcode, payload)),
                Seen::Pong(data) => prop_assert_eq!((Opcode::PONG, data), (*opcode, payload)),
                Seen::Close(None) => prop_assert_eq!((Opcode::CLOSE, 0), (*opcode, payload.len())),
                Seen::Close(Some((code, reason))) => {
                    let body = [&code.to_be_bytes(), reason.as_bytes()].concat();
                    prop_assert_eq!((Opcode::CLOSE, &body), (*opcode, payload));
                }
            }
        }
    }
}
