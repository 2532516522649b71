//! Properties of the receiving side: what went in comes out, however it is fragmented and cut; and any bytes at all have
//! one outcome, in bounded work, that the frame decoder agrees with.
#![cfg(feature = "alloc")]
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod streams;

use proptest::prelude::*;
use streams::{Collector, Seen, Way, config, item, outbox, peer_of, role, send, slices, stream, way};
use ws_proto::frame::{Decoder, Header, Opcode, Part, Rules};
use ws_proto::{Config, Connection, Inbox, Input, Outbox, Role, Status, Violation};

// ---- what is observed ----

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

/// Feeds the stream to a fresh connection in this role.
fn run(role: Role, config: &Config, stream: &[u8], way: &Way) -> Outcome {
    let mut connection = Connection::new(role, config);
    let mut outbox = outbox(role);
    let mut seen = Collector::default();
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
        seen: seen.seen,
        violation,
        status,
        after_eof: connection.status(),
        reason: inbox.close_reason().into(),
        sent: sent(role, &mut outbox),
    }
}

/// Calls `receive` until it wants more, on input of which the last `n` bytes are new; `before` came earlier.
fn drain<B: ws_proto::Buffer, I: ws_proto::InboxSlot>(
    connection: &mut Connection,
    input: &mut Input<B, I>,
    outbox: &mut Outbox,
    before: usize,
    n: usize,
    seen: &mut Collector,
    violation: &mut Option<(Violation, usize)>,
) {
    // An event ends a frame, which has two bytes at least, one of them new, or is a piece, which has one; a violation
    // comes once.
    let mut calls_left = n + 3;
    loop {
        assert!(calls_left > 0, "receive is called without end");
        calls_left -= 1;
        match connection.receive(input, outbox) {
            Ok(true) => {
                assert!(violation.is_none(), "nothing after a violation");
                seen.take(input.event(), input.is_message_end());
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
        // What another extension made of a text is lent as bytes.
        let kind = if frame.header.rsv.is_empty() {
            opcode
        } else {
            Opcode::BINARY
        };
        let (_, payload) = message.get_or_insert((kind, Vec::new()));
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
        let mut in_pieces = Config::default();
        in_pieces.pieces = true;
        for (way, config) in [
            (&Way::Cut(Vec::new()), &Config::default()),
            (&way, &Config::default()),
            (&way, &in_pieces),
        ] {
            let outcome = run(receiver, config, stream, way);
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
        let mut in_pieces = config;
        in_pieces.pieces = true;
        for way in [way, Way::Slices(1), Way::Space(1), Way::Cut(Vec::new())] {
            for config in [config, in_pieces] {
                prop_assert_eq!(&run(role, &config, &stream, &way), &whole, "{:?}, {}", way, config.pieces);
            }
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
        rules.message_bits = config.reserved_bits;
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
