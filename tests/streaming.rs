//! Messages piece by piece, in and out: RFC 6455 §5.4, §5.6, §6, and what goes beside the outbox.
#![cfg(feature = "alloc")]
#![allow(clippy::unwrap_used, clippy::panic)]

mod common;
mod streams;

use std::collections::VecDeque;

use common::{ROLES, all_to, code, drain, frames, outbox, to, to_hex};
use proptest::prelude::*;
use proptest::sample::Index;
use streams::{Collector, Payload, Seen, kind, peer_of, role};
use ws_proto::frame::{Header, Opcode};
use ws_proto::handshake::{Accept, HeadLimits, Server};
use ws_proto::mask::MaskingKey;
use ws_proto::{
    Close, CloseCode, Config, Connection, Event, Inbox, Input, MessageKind, Outbox, Prepared, Role,
    SendError, State, Violation,
};

// ---- in ----

/// Something lent, or a violation and how many octets of the stream prove it.
#[derive(Clone, Debug, PartialEq)]
enum Lent {
    Text(String, bool),
    Binary(Vec<u8>, bool),
    Other(Seen),
    Fail(Violation, usize),
}

fn in_pieces() -> Config {
    let mut config = Config::default();
    config.pieces = true;
    config
}

/// What a connection lends of these reads, one behind the other.
fn lent(role: Role, config: &Config, reads: &[&[u8]]) -> Vec<Lent> {
    let mut connection = Connection::new(role, config);
    let (mut inbox, mut outbox) = (Inbox::new(), outbox(role));
    let (mut lent, mut before) = (Vec::new(), 0);
    for read in reads {
        let mut bytes = read.to_vec();
        let mut input = Input::new(&mut bytes, &mut inbox);
        loop {
            match connection.receive(&mut input, &mut outbox) {
                Ok(false) => break,
                Ok(true) => lent.push(match input.event() {
                    Event::Text(text) => Lent::Text(text.into(), input.is_message_end()),
                    Event::Binary(data) => Lent::Binary(data.into(), input.is_message_end()),
                    control => Lent::Other(Seen::new(control)),
                }),
                Err(violation) => lent.push(Lent::Fail(violation, before + input.consumed())),
            }
        }
        before += read.len();
    }
    lent
}

fn text(text: &str, end: bool) -> Lent {
    Lent::Text(text.into(), end)
}

fn binary(data: &[u8], end: bool) -> Lent {
    Lent::Binary(data.into(), end)
}

/// Cuts a stream at these places.
fn cut<'a>(stream: &'a [u8], places: &[usize]) -> Vec<&'a [u8]> {
    let mut reads = Vec::new();
    let mut start = 0;
    for place in places.iter().copied().chain([stream.len()]) {
        reads.push(&stream[start..place]);
        start = place;
    }
    reads
}

#[test]
fn s5_6_text_is_lent_as_it_comes_and_cut_between_characters() {
    for role in ROLES {
        let stream = to(role, 0x81, "aé€😀".as_bytes());
        let header = stream.len() - 10;
        let at = |places: &[usize]| {
            let places: Vec<usize> = places.iter().map(|place| header + place).collect();
            lent(role, &in_pieces(), &cut(&stream, &places))
        };
        assert_eq!(at(&[]), [text("aé€😀", true)]);
        assert_eq!(at(&[0]), [text("aé€😀", true)]);
        assert_eq!(at(&[1]), [text("a", false), text("é€😀", true)]);
        assert_eq!(at(&[2]), [text("a", false), text("é", false), text("€😀", true)]);
        assert_eq!(
            at(&[4, 5]),
            [text("aé", false), text("€", false), text("😀", true)]
        );
        assert_eq!(at(&[7, 8, 9]), [text("aé€", false), text("😀", true)]);
        assert_eq!(
            at(&[1, 2, 3, 4, 5, 6, 7, 8, 9]),
            [
                text("a", false),
                text("é", false),
                text("€", false),
                text("😀", true)
            ]
        );
    }
}

#[test]
fn s5_4_binary_is_lent_as_it_comes() {
    for role in ROLES {
        let stream = to(role, 0x82, &[1, 2, 3, 4, 5]);
        let header = stream.len() - 5;
        for places in [vec![header + 2], vec![3.min(header), header + 2]] {
            assert_eq!(
                lent(role, &in_pieces(), &cut(&stream, &places)),
                [binary(&[1, 2], false), binary(&[3, 4, 5], true)]
            );
        }
    }
}

#[test]
fn s5_4_each_fragment_is_a_piece_with_control_frames_between() {
    for role in ROLES {
        let stream = all_to(
            role,
            &[
                (0x01, b"a\xe2"),
                (0x89, b"p"),
                (0x00, b"\x82"),
                (0x00, b""),
                (0x8a, b""),
                (0x00, b"\xacb"),
                (0x80, b"c"),
                (0x82, b"d"),
            ],
        );
        assert_eq!(
            lent(role, &in_pieces(), &[&stream]),
            [
                text("a", false),
                Lent::Other(Seen::Ping(b"p".to_vec())),
                Lent::Other(Seen::Pong(Vec::new())),
                text("€", false),
                text("b", false),
                text("c", true),
                binary(b"d", true),
            ]
        );
    }
}

#[test]
fn s5_4_an_end_is_told_once_also_by_an_empty_fragment() {
    for role in ROLES {
        for (first, empty, piece) in [
            (0x01, text("", true), text("a", false)),
            (0x02, binary(b"", true), binary(b"a", false)),
        ] {
            let lent = |frames: &[(u8, &[u8])]| lent(role, &in_pieces(), &[&all_to(role, frames)]);
            assert_eq!(lent(&[(first | 0x80, b"")]), std::slice::from_ref(&empty));
            let only_empty = [(first, &b""[..]), (0x00, b""), (0x89, b""), (0x80, b"")];
            assert_eq!(
                lent(&only_empty),
                [Lent::Other(Seen::Ping(vec![])), empty.clone()]
            );
            assert_eq!(
                lent(&[(first, b""), (0x00, b"a"), (0x00, b""), (0x80, b"")]),
                [piece, empty]
            );
        }
    }
}

/// An event that is no message does not say that the one around it goes on.
#[test]
fn s5_4_control_frames_end_no_message_and_are_no_piece_of_one() {
    for role in ROLES {
        let mut connection = Connection::new(role, &in_pieces());
        let mut bytes = all_to(role, &[(0x01, b""), (0x89, b"p"), (0x80, b"a")]);
        let mut input = Input::new(&mut bytes, Inbox::new());
        let mut outbox = outbox(role);
        for expected in [Event::Ping(b"p"), Event::Text("a")] {
            assert!(connection.receive(&mut input, &mut outbox).unwrap());
            assert_eq!((input.event(), input.is_message_end()), (expected, true));
        }
    }
}

#[test]
fn s8_1_text_that_is_wrong_fails_at_the_same_octet_in_pieces() {
    let whole = |role, frames: &[(u8, &[u8])]| all_to(role, frames);
    for role in ROLES {
        for frames in [
            &[(0x81, &b"ok\xff..."[..])][..],
            &[(0x81, b"\xed\xa0\x80")],
            &[(0x81, b"\xf4\x90\x80\x80")],
            &[(0x81, b"cut \xe2\x82")],
            &[(0x01, b"\xf0\x9f"), (0x00, b"\x98"), (0x80, b"")],
            &[
                (0x01, b"\xf0\x9f"),
                (0x00, b""),
                (0x89, b"\xff"),
                (0x80, b"\x98a"),
            ],
            &[(0x01, b"abc\xc3"), (0x80, b"\xa9\xc0")],
            &[(0x01, b""), (0x80, b"\x80")],
        ] {
            let stream = whole(role, frames);
            let expected = lent(role, &Config::default(), &[&stream]);
            let expected = expected.last().unwrap();
            assert!(matches!(expected, Lent::Fail(Violation::InvalidUtf8, _)));
            for places in (0..=stream.len())
                .map(|place| vec![place])
                .chain([(0..stream.len()).collect()])
            {
                let lent = lent(role, &in_pieces(), &cut(&stream, &places));
                assert_eq!(lent.last(), Some(expected), "{frames:02x?} at {places:?}");
            }
        }
    }
}

#[test]
fn s10_4_limits_hold_in_pieces_with_lengths_of_64_bits() {
    let mut config = in_pieces();
    config.limits.max_frame_bytes = u64::MAX;
    for (max, len, at) in [
        (u64::MAX, u64::MAX >> 1, None),
        (u64::MAX >> 1, u64::MAX >> 1, None),
        ((u64::MAX >> 1) - 1, u64::MAX >> 1, Some(10)),
        (1 << 40, 1 << 40, None),
        (1 << 40, (1 << 40) + 1, Some(10)),
        (125, 126, Some(4)),
    ] {
        config.limits.max_message_bytes = max;
        let mut stream = Header::new(Opcode::BINARY, len).encode().to_vec();
        stream.extend_from_slice(b"abc");
        let expected = at.map_or(binary(b"abc", false), |at| {
            Lent::Fail(Violation::MessageTooBig, at)
        });
        assert_eq!(lent(Role::Client, &config, &[&stream]), [expected]);
    }
    // What was lent counts on, over all fragments.
    config.limits.max_message_bytes = 5;
    for role in ROLES {
        let begun = all_to(role, &[(0x01, b"ab"), (0x00, b"c"), (0x89, b"123456")]);
        let over = [&begun[..], &to(role, 0x80, b"def")].concat();
        let ends = lent(role, &config, &[&over]);
        assert_eq!(
            ends.last(),
            Some(&Lent::Fail(Violation::MessageTooBig, begun.len() + 2))
        );
        let fits = [&begun[..], &all_to(role, &[(0x80, b"de"), (0x81, b"12345")])].concat();
        let ends = lent(role, &config, &[&fits]);
        assert_eq!(ends[3..], [text("de", true), text("12345", true)]);
    }
}

#[test]
fn s10_4_fragments_are_counted_in_pieces() {
    let mut config = in_pieces();
    config.limits.max_fragments = 3;
    for role in ROLES {
        let begun = all_to(role, &[(0x01, b"a"), (0x00, b"b"), (0x00, b"c")]);
        let stream = [&begun[..], &to(role, 0x80, b"")].concat();
        let lent = lent(role, &config, &[&stream]);
        assert_eq!(lent.len(), 4);
        assert_eq!(lent[3], Lent::Fail(Violation::TooManyFragments, stream.len()));
    }
}

/// The beginning of a character is all that is kept.
#[test]
fn s10_4_pieces_keep_three_bytes_at_most() {
    for role in ROLES {
        let stream = [
            to(role, 0x01, "€😀é".repeat(50).as_bytes()),
            to(role, 0x80, &"😀".repeat(50).as_bytes()[..199]),
        ]
        .concat();
        let mut connection = Connection::new(role, &in_pieces());
        let (mut inbox, mut outbox) = (Inbox::new(), outbox(role));
        for octet in &stream[..stream.len() - 1] {
            let mut input = Input::new([*octet], &mut inbox);
            while connection.receive(&mut input, &mut outbox).unwrap() {}
            assert!(inbox.len() <= 3);
        }
        let mut input = Input::new([stream[stream.len() - 1]], &mut inbox);
        assert!(
            connection.receive(&mut input, &mut outbox).is_err(),
            "it ends inside a character"
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn s5_4_pieces_are_the_message_however_it_is_cut(
        receiver in role(),
        (kind, len, seed) in (kind(), 0usize..700, any::<u32>()),
        fragments in prop::collection::vec((any::<Index>(), any::<bool>()), 0..5),
        places in prop::collection::vec(any::<Index>(), 0..8),
    ) {
        let payload = Payload { len, seed }.bytes(kind);
        let mut ends: Vec<_> = fragments.iter().map(|(at, ping)| (at.index(len + 1), *ping)).collect();
        ends.sort_unstable();
        let (mut stream, mut start, mut pings) = (Vec::new(), 0, 0);
        let opcode = if kind == MessageKind::Text { 1 } else { 2 };
        for (i, (end, ping)) in ends.iter().enumerate() {
            stream.extend(to(receiver, if i == 0 { opcode } else { 0 }, &payload[start..*end]));
            if *ping {
                stream.extend(to(receiver, 0x89, b"ping"));
                pings += 1;
            }
            start = *end;
        }
        stream.extend(to(receiver, if ends.is_empty() { opcode | 0x80 } else { 0x80 }, &payload[start..]));
        let mut places: Vec<_> = places.iter().map(|place| place.index(stream.len() + 1)).collect();
        places.sort_unstable();

        let mut connection = Connection::new(receiver, &in_pieces());
        let (mut inbox, mut outbox) = (Inbox::new(), outbox(receiver));
        let mut collector = Collector::default(); // asserts what each piece has to be
        for read in cut(&stream, &places) {
            let mut bytes = read.to_vec();
            let mut input = Input::new(&mut bytes, &mut inbox);
            while connection.receive(&mut input, &mut outbox).unwrap() {
                collector.take(input.event(), input.is_message_end());
            }
            prop_assert!(inbox.len() <= 3 + 4, "of a character, and of a Ping");
        }
        prop_assert_eq!(collector.seen.len(), pings + 1);
        let expected = match kind {
            MessageKind::Text => Seen::Text(String::from_utf8(payload).unwrap()),
            MessageKind::Binary => Seen::Binary(payload),
        };
        prop_assert_eq!(collector.seen.last(), Some(&expected));
    }
}

// ---- out: frames of known length ----

fn server() -> (Connection, Outbox) {
    (
        Connection::new(Role::Server, &Config::default()),
        outbox(Role::Server),
    )
}

/// Gives frames of a client to the server.
fn give(connection: &mut Connection, outbox: &mut Outbox, frames: &[(u8, &[u8])]) -> Vec<common::Seen> {
    let bytes = all_to(Role::Server, frames);
    common::receive(connection, &mut Inbox::new(), outbox, &bytes)
}

#[test]
fn s5_2_a_frame_of_known_length_is_one_frame() {
    for len in [0, 1, 2, 125, 126, 127, 65_535, 65_536, 100_000] {
        for (kind, first) in [(MessageKind::Text, 0x81), (MessageKind::Binary, 0x82)] {
            let (mut connection, mut outbox) = server();
            let payload = vec![b'x'; len];
            connection.begin_frame(kind, len as u64, &mut outbox).unwrap();
            for piece in payload.chunks(len / 3 + 1) {
                connection.continue_frame(b"", &mut outbox).unwrap();
                connection.continue_frame(piece, &mut outbox).unwrap();
            }
            assert_eq!(outbox.bytes(), to(Role::Client, first, &payload));
            assert_eq!(
                connection.continue_frame(b"", &mut outbox),
                Err(SendError::NoMessage),
                "it is complete"
            );
            connection.send_text("next", &mut outbox).unwrap();
        }
    }
}

#[test]
fn s5_2_a_frame_declares_up_to_63_bits() {
    let (mut connection, mut outbox) = server();
    for len in [1 << 63, u64::MAX] {
        let begun = connection.begin_frame(MessageKind::Binary, len, &mut outbox);
        assert_eq!(begun, Err(SendError::FrameTooLong));
    }
    connection.send_text("", &mut outbox).unwrap(); // none was begun
    outbox.consume(usize::MAX);
    connection
        .begin_frame(MessageKind::Binary, u64::MAX >> 1, &mut outbox)
        .unwrap();
    assert_eq!(outbox.bytes(), b"\x82\x7f\x7f\xff\xff\xff\xff\xff\xff\xff");
    connection.continue_frame(b"a", &mut outbox).unwrap();
}

#[test]
fn s10_3_a_client_sends_no_frame_before_it_knows_it() {
    let mut connection = Connection::new(Role::Client, &Config::default());
    let mut outbox = outbox(Role::Client);
    let prepared = Prepared::text("a");
    let refused = SendError::MustMask;
    for len in [0, 1, u64::MAX] {
        assert_eq!(
            connection.begin_frame(MessageKind::Text, len, &mut outbox),
            Err(refused)
        );
    }
    assert_eq!(connection.send_prepared(&prepared, &mut outbox), Err(refused));
    assert_eq!(connection.share_prepared(&prepared, &mut outbox), Err(refused));
    let header = connection.send_text_header("a", &mut outbox);
    assert_eq!(header.map(drop), Err(refused));
    let header = connection.send_binary_header(b"a", &mut outbox);
    assert_eq!(header.map(drop), Err(refused));
    assert_eq!(
        connection.continue_frame(b"", &mut outbox),
        Err(SendError::NoMessage)
    );
    assert!(outbox.is_empty());
    connection.send_text("goes on", &mut outbox).unwrap();
}

type Call = fn(&mut Connection, &mut Outbox) -> Result<(), SendError>;

/// All ways to send, but for what goes on with a frame.
const SENDS: &[Call] = &[
    |c, o| c.send_text("t", o),
    |c, o| c.send_binary(b"t", o),
    |c, o| c.begin_message(MessageKind::Text, b"t", o),
    |c, o| c.continue_message(b"t", o),
    |c, o| c.finish_message(b"t", o),
    |c, o| c.begin_frame(MessageKind::Text, 1, o),
    |c, o| c.send_header(MessageKind::Text, &mut [b't'], o).map(drop),
    |c, o| c.send_text_header("t", o).map(drop),
    |c, o| c.send_binary_header(b"t", o).map(drop),
    |c, o| c.send_prepared(&Prepared::text("t"), o),
    |c, o| c.share_prepared(&Prepared::text("t"), o).map(drop),
    |c, o| c.ping(b"p", o),
    |c, o| c.pong(b"p", o),
    |c, o| c.close(code(1000), o),
    |c, o| c.close(None, o),
];

#[test]
fn s5_4_nothing_is_sent_inside_a_frame() {
    let (mut connection, mut outbox) = server();
    connection.begin_frame(MessageKind::Text, 4, &mut outbox).unwrap();
    for piece in [&b"\xe2"[..], b"\x82", b"\xac", b"."] {
        for send in SENDS {
            let before = outbox.len();
            assert_eq!(
                send(&mut connection, &mut outbox),
                Err(SendError::MessageUnfinished)
            );
            assert_eq!(outbox.len(), before);
        }
        connection.continue_frame(piece, &mut outbox).unwrap();
    }
    connection.close(code(1000), &mut outbox).unwrap();
    assert_eq!(frames(Role::Server, outbox.bytes()), ["81 e282ac2e", "88 03e8"]);
}

#[test]
fn s5_4_messages_beside_the_outbox_wait_for_the_fragments_too() {
    for role in ROLES {
        let (mut connection, mut outbox) = (Connection::new(role, &Config::default()), outbox(role));
        connection
            .begin_message(MessageKind::Text, b"a", &mut outbox)
            .unwrap();
        let before = outbox.len();
        let unfinished = SendError::MessageUnfinished;
        let header = connection.send_header(MessageKind::Text, &mut [b't'], &mut outbox);
        assert_eq!(header.map(drop), Err(unfinished));
        let header = connection.send_text_header("t", &mut outbox);
        assert_eq!(header.map(drop), Err(unfinished));
        let header = connection.send_binary_header(b"t", &mut outbox);
        assert_eq!(header.map(drop), Err(unfinished));
        let prepared = Prepared::text("t");
        assert_eq!(connection.send_prepared(&prepared, &mut outbox), Err(unfinished));
        assert_eq!(connection.share_prepared(&prepared, &mut outbox), Err(unfinished));
        assert_eq!(
            connection.begin_frame(MessageKind::Text, 1, &mut outbox),
            Err(unfinished)
        );
        // Fragments are no frame that was begun.
        assert_eq!(
            connection.continue_frame(b"", &mut outbox),
            Err(SendError::NoMessage)
        );
        assert_eq!(outbox.len(), before);
        connection.finish_message(b"b", &mut outbox).unwrap();
    }
}

#[test]
fn s5_6_a_frame_takes_its_length_of_valid_text_and_no_more() {
    let (mut connection, mut outbox) = server();
    connection.begin_frame(MessageKind::Text, 4, &mut outbox).unwrap();
    let too_long = SendError::FrameTooLong;
    let invalid = SendError::InvalidUtf8;
    for (piece, expected) in [
        (&b"abcde"[..], Err(too_long)),
        (b"\xff", Err(invalid)),
        (b"a\xe2\x82", Ok(())),
        (b"b", Err(invalid)),
        (b"\xac ", Err(too_long)),
        (b"\xff", Err(invalid)),
        (b"", Ok(())),
        (b"\xac", Ok(())),
        (b"", Err(SendError::NoMessage)),
    ] {
        let before = outbox.len();
        assert_eq!(
            connection.continue_frame(piece, &mut outbox),
            expected,
            "{piece:02x?}"
        );
        let taken = if expected.is_ok() { piece.len() } else { 0 };
        assert_eq!(outbox.len(), before + taken);
    }
    // It may not end inside a character; another end is found.
    connection.begin_frame(MessageKind::Text, 2, &mut outbox).unwrap();
    connection.continue_frame(b"a", &mut outbox).unwrap();
    assert_eq!(connection.continue_frame(b"\xc3", &mut outbox), Err(invalid));
    connection.continue_frame(b"b", &mut outbox).unwrap();
    // Binary is anything.
    connection
        .begin_frame(MessageKind::Binary, 1, &mut outbox)
        .unwrap();
    connection.continue_frame(b"\xff", &mut outbox).unwrap();
    assert_eq!(
        frames(Role::Server, outbox.bytes()),
        ["81 61e282ac", "81 6162", "82 ff"]
    );
}

#[test]
fn s6_1_a_frame_waits_while_the_outbox_is_full() {
    let (mut connection, mut outbox) = server();
    outbox.set_max_bytes(5);
    connection.begin_frame(MessageKind::Text, 6, &mut outbox).unwrap();
    connection.continue_frame(b"abc", &mut outbox).unwrap();
    assert_eq!(
        connection.continue_frame(b"de", &mut outbox),
        Err(SendError::Full)
    );
    assert_eq!(outbox.bytes(), b"\x81\x06abc");
    outbox.consume(1);
    connection.continue_frame(b"de", &mut outbox).unwrap();
    outbox.consume(usize::MAX);
    connection.continue_frame(b"f", &mut outbox).unwrap();
    assert_eq!(outbox.bytes(), b"f");
    outbox.set_max_bytes(1);
    assert_eq!(
        connection.begin_frame(MessageKind::Text, 1, &mut outbox),
        Err(SendError::Full)
    );
    let mut payload = *b"p";
    let header = connection.send_header(MessageKind::Text, &mut payload, &mut outbox);
    assert_eq!(header.map(drop), Err(SendError::Full));
    let header = connection.send_text_header("p", &mut outbox);
    assert_eq!(header.map(drop), Err(SendError::Full));
    let header = connection.send_binary_header(b"p", &mut outbox);
    assert_eq!(header.map(drop), Err(SendError::Full));
    let prepared = Prepared::text("p");
    assert_eq!(
        connection.send_prepared(&prepared, &mut outbox),
        Err(SendError::Full)
    );
    assert_eq!(
        connection.share_prepared(&prepared, &mut outbox),
        Err(SendError::Full)
    );
    assert_eq!(outbox.bytes(), b"f");
}

#[test]
fn s5_5_2_pings_are_answered_behind_the_frame() {
    // The latest Ping is answered, whenever it came, however little is written meanwhile.
    for write in [0, 1, usize::MAX] {
        let (mut connection, mut outbox) = server();
        let mut wire = Vec::new();
        let mut written = |outbox: &mut Outbox| {
            let n = write.min(outbox.len());
            wire.extend_from_slice(&outbox.bytes()[..n]);
            outbox.consume(n);
        };
        give(&mut connection, &mut outbox, &[(0x89, b"before")]);
        connection
            .begin_frame(MessageKind::Binary, 4, &mut outbox)
            .unwrap();
        for i in 0..4u8 {
            written(&mut outbox);
            give(&mut connection, &mut outbox, &[(0x89, &[i; 3]), (0x89, &[i; 2])]);
            written(&mut outbox);
            connection.continue_frame(&[i], &mut outbox).unwrap();
        }
        connection.send_text("after", &mut outbox).unwrap();
        while !outbox.is_empty() {
            wire.extend_from_slice(outbox.bytes());
            outbox.consume(outbox.len());
        }
        let mut sent = frames(Role::Server, &wire);
        assert_eq!(sent.remove(0), "8a 6265666f7265");
        assert_eq!(sent.remove(0), "82 00010203");
        sent.sort();
        assert_eq!(sent, ["81 6166746572", "8a 0303"], "writing {write}");
    }
}

#[test]
fn s5_5_2_a_ping_that_was_not_answered_is_forgotten_with_its_connection() {
    let (mut connection, mut outbox) = server();
    connection
        .begin_frame(MessageKind::Binary, 10, &mut outbox)
        .unwrap();
    give(&mut connection, &mut outbox, &[(0x89, b"secret")]);
    outbox.consume(usize::MAX);
    connection.receive_eof(&outbox);
    // The opening handshake of the next one, which this outbox goes on with.
    let request = b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
    let mut handshake = Server::new(HeadLimits::default());
    let head = handshake.receive(request).unwrap().head.unwrap();
    let accepted = head.upgrade().unwrap().accept(&Accept::default(), &mut outbox);
    assert_eq!(accepted, Ok(()));
    outbox.consume(usize::MAX);
    let mut next = server().0;
    next.begin_frame(MessageKind::Binary, 2, &mut outbox).unwrap();
    next.continue_frame(b"hi", &mut outbox).unwrap();
    assert_eq!(frames(Role::Server, outbox.bytes()), ["82 6869"]);
}

#[test]
fn s5_5_2_the_answer_to_a_ping_outlives_the_memory_of_the_outbox() {
    let (mut connection, mut outbox) = server();
    connection
        .begin_frame(MessageKind::Binary, 4, &mut outbox)
        .unwrap();
    give(&mut connection, &mut outbox, &[(0x89, b"p")]);
    outbox.consume(usize::MAX);
    outbox.release();
    connection.continue_frame(b"data", &mut outbox).unwrap();
    assert_eq!(outbox.bytes(), b"data\x8a\x01p");
}

#[test]
fn s5_5_1_a_close_is_answered_behind_the_frame() {
    let (mut connection, mut outbox) = server();
    connection
        .begin_frame(MessageKind::Binary, 4, &mut outbox)
        .unwrap();
    connection.continue_frame(b"ab", &mut outbox).unwrap();
    give(
        &mut connection,
        &mut outbox,
        &[(0x89, b"p"), (0x88, b"\x03\xe9bye")],
    );
    assert_eq!(connection.status().state, State::Closing);
    assert_eq!(outbox.bytes(), b"\x82\x04ab");
    for send in SENDS {
        assert!(send(&mut connection, &mut outbox).is_err());
    }
    assert!(!connection.status().clean);
    connection.continue_frame(b"c", &mut outbox).unwrap();
    connection.continue_frame(b"d", &mut outbox).unwrap();
    // RFC 6455 §5.5.2: no Pong is owed any more.
    assert_eq!(frames(Role::Server, outbox.bytes()), ["82 61626364", "88 03e9"]);
    assert!(connection.continue_frame(b"", &mut outbox).is_err());
    outbox.consume(usize::MAX);
    connection.receive_eof(&outbox);
    assert!(connection.status().clean);
}

#[test]
fn s5_5_1_a_manual_close_follows_the_frame() {
    let mut config = Config::default();
    config.automatic_close = false;
    let mut connection = Connection::new(Role::Server, &config);
    let mut outbox = outbox(Role::Server);
    connection
        .begin_frame(MessageKind::Binary, 2, &mut outbox)
        .unwrap();
    give(&mut connection, &mut outbox, &[(0x88, b"")]);
    assert_eq!(
        connection.close(None, &mut outbox),
        Err(SendError::MessageUnfinished)
    );
    connection.continue_frame(b"ab", &mut outbox).unwrap();
    connection.close(None, &mut outbox).unwrap();
    assert_eq!(frames(Role::Server, outbox.bytes()), ["82 6162", "88"]);
}

/// Inside a frame there is no place for a Close frame: what was sent so far is all that the peer gets.
#[test]
fn s7_1_7_failing_inside_a_frame_sends_nothing_more() {
    let (mut connection, mut outbox) = server();
    connection
        .begin_frame(MessageKind::Binary, 4, &mut outbox)
        .unwrap();
    connection.continue_frame(b"ab", &mut outbox).unwrap();
    let seen = give(&mut connection, &mut outbox, &[(0x89, b"p"), (0xc1, b"")]);
    assert_eq!(seen.len(), 2);
    assert_eq!(outbox.bytes(), b"\x82\x04ab");
    assert_eq!(
        connection.continue_frame(b"cd", &mut outbox),
        Err(SendError::Closed)
    );
    for send in &SENDS[..13] {
        assert_eq!(send(&mut connection, &mut outbox), Err(SendError::Closed));
    }
    connection.close(None, &mut outbox).unwrap(); // has no effect any more
    assert_eq!(outbox.bytes(), b"\x82\x04ab");
    outbox.consume(usize::MAX);
    assert!(outbox.is_empty());
    assert_eq!(connection.transport(&outbox), ws_proto::Transport::ShutdownWrite);
}

// ---- out: beside the outbox ----

const LENGTHS: [usize; 9] = [0, 1, 7, 125, 126, 127, 65_535, 65_536, 65_537];

#[test]
fn s5_3_a_header_by_itself_goes_with_its_payload() {
    for role in ROLES {
        let (mut connection, mut outbox) = (Connection::new(role, &Config::default()), outbox(role));
        let mut keys = Vec::new();
        let (mut together, mut all_sent) = (Vec::new(), Vec::new());
        for len in LENGTHS {
            for (kind, first) in [(MessageKind::Text, "81"), (MessageKind::Binary, "82")] {
                let payload = vec![b'v'; len];
                let mut given = payload.clone();
                let header = connection.send_header(kind, &mut given, &mut outbox).unwrap();
                assert!(outbox.is_empty());
                let frame = [&header[..], &given].concat();
                let sent = frames(role, &frame);
                assert_eq!(sent, [format!("{first} {}", to_hex(&payload)).trim_end()]);
                let (parsed, header_len) = Header::parse(&header).unwrap().unwrap();
                assert_eq!((header_len, parsed.fin), (header.len(), true));
                if role == Role::Server {
                    assert_eq!(given, payload, "untouched");
                }
                if role == Role::Server {
                    let by_type = match kind {
                        MessageKind::Text => {
                            connection.send_text_header(str::from_utf8(&payload).unwrap(), &mut outbox)
                        }
                        MessageKind::Binary => connection.send_binary_header(&payload, &mut outbox),
                    };
                    assert_eq!(*by_type.unwrap(), *header);
                }
                keys.extend(parsed.key.map(MaskingKey::octets));
                together.extend(frame);
                all_sent.extend(sent);
            }
        }
        // Nothing came in between: one write takes them all.
        assert_eq!(frames(role, &together), all_sent);
        let drawn = keys.len();
        assert_eq!(
            drawn,
            if role == Role::Client {
                2 * LENGTHS.len()
            } else {
                0
            }
        );
        keys.sort_unstable();
        keys.dedup();
        assert_eq!(keys.len(), drawn, "fresh keys");
    }
}

#[test]
fn s5_6_a_header_is_made_for_valid_text_only() {
    for role in ROLES {
        let (mut connection, mut outbox) = (Connection::new(role, &Config::default()), outbox(role));
        for wrong in [&b"\xff"[..], b"cut \xe2\x82", b"\xed\xa0\x80"] {
            let mut payload = wrong.to_vec();
            let header = connection.send_header(MessageKind::Text, &mut payload, &mut outbox);
            assert_eq!(header.map(drop), Err(SendError::InvalidUtf8));
            assert_eq!(payload, wrong, "as it was");
            assert!(
                connection
                    .send_header(MessageKind::Binary, &mut payload, &mut outbox)
                    .is_ok()
            );
        }
    }
    // Nor without keys.
    let mut connection = Connection::new(Role::Client, &Config::default());
    let mut payload = *b"as it was";
    let header = connection.send_header(MessageKind::Text, &mut payload, &mut Outbox::new());
    assert_eq!(header.map(drop), Err(SendError::NoMaskingKeys));
    assert_eq!(&payload, b"as it was");
}

/// Where the embedder's own bytes go is fixed when they are made: an answer to a later Ping is behind them, however
/// little of the outbox was written before.
#[test]
fn s5_5_3_bytes_beside_the_outbox_stay_in_their_place() {
    for beside in 0..4 {
        let (mut connection, mut outbox) = server();
        give(&mut connection, &mut outbox, &[(0x89, b"1")]);
        let mut wire = outbox.bytes().to_vec();
        if beside == 0 {
            let message = Prepared::text("beside");
            wire.extend_from_slice(connection.share_prepared(&message, &mut outbox).unwrap());
        } else {
            let mut payload = *b"beside";
            let header = match beside {
                1 => connection.send_header(MessageKind::Text, &mut payload, &mut outbox),
                2 => connection.send_text_header("beside", &mut outbox),
                _ => connection.send_binary_header(&payload, &mut outbox),
            };
            wire.extend_from_slice(&header.unwrap());
            wire.extend_from_slice(&payload);
        }
        // Before the writing is done, the next Ping comes.
        let before = outbox.len();
        give(&mut connection, &mut outbox, &[(0x89, b"longer")]);
        assert_eq!(outbox.bytes()[..before], wire[..before], "what was there stays");
        outbox.consume(before);
        wire.extend_from_slice(outbox.bytes());
        assert_eq!(
            frames(Role::Server, &wire),
            [
                "8a 31",
                if beside == 3 {
                    "82 626573696465"
                } else {
                    "81 626573696465"
                },
                "8a 6c6f6e676572"
            ]
        );
    }
}

/// Wherever a write stops that went beyond the outbox's bytes: what it did not take comes next, and behind that the Pong that waited
/// for its turn, if the one before it went out.
#[test]
fn s6_1_what_a_write_did_not_take_waits() {
    for (role, pings) in ROLES.into_iter().flat_map(|role| [(role, false), (role, true)]) {
        for n in (0..60).chain([usize::MAX]) {
            let (mut connection, mut outbox) = (Connection::new(role, &Config::default()), outbox(role));
            let ping = |connection: &mut _, outbox: &mut _, payload| {
                if pings {
                    common::receive(connection, &mut Inbox::new(), outbox, &to(role, 0x89, payload));
                }
            };
            connection.send_text("first", &mut outbox).unwrap();
            let pong = outbox.len();
            ping(&mut connection, &mut outbox, b"1");
            connection.send_text("then", &mut outbox).unwrap();
            ping(&mut connection, &mut outbox, b"2");
            let mut payload = *b"beside";
            let header = connection
                .send_header(MessageKind::Binary, &mut payload, &mut outbox)
                .unwrap();
            let parts = [&header[..], &payload, b""];
            let mut wire = [outbox.bytes(), &parts.concat()].concat();
            let (taken, rest) = wire.split_at(n.min(wire.len()));
            outbox.consume_with(n, &parts).unwrap();
            assert_eq!(&outbox.bytes()[..rest.len()], rest);
            wire.truncate(taken.len());
            connection.send_text("last", &mut outbox).unwrap();
            while !outbox.is_empty() {
                wire.extend_from_slice(outbox.bytes());
                outbox.consume(outbox.len());
            }
            let mut expected = vec!["81 6669727374", "81 7468656e", "82 626573696465", "81 6c617374"];
            if pings {
                expected.insert(1, "8a 31");
                expected.insert(if n > pong { 4 } else { 5 }, "8a 32");
            }
            assert_eq!(frames(role, &wire), expected, "{role:?} {n}");
        }
    }
}

#[test]
fn s5_1_prepared_messages_are_those_that_are_sent() {
    for len in LENGTHS {
        let text = "p".repeat(len);
        let data: Vec<u8> = (0..=255).cycle().take(len).collect();
        let (mut connection, mut outbox) = server();
        let mut check = |prepared: &Prepared, first: u8, payload: &[u8]| {
            let expected = to(Role::Client, first, payload);
            assert_eq!(prepared.bytes(), expected);
            connection.send_prepared(prepared, &mut outbox).unwrap();
            assert_eq!(outbox.bytes(), expected);
            outbox.consume(usize::MAX);
            assert_eq!(
                connection.share_prepared(prepared, &mut outbox),
                Ok(&expected[..])
            );
            assert!(outbox.is_empty(), "lent, not copied");
            if first == 0x81 {
                connection
                    .send_text(std::str::from_utf8(payload).unwrap(), &mut outbox)
                    .unwrap();
            } else {
                connection.send_binary(payload, &mut outbox).unwrap();
            }
            assert_eq!(outbox.bytes(), expected);
            outbox.consume(usize::MAX);
        };
        check(&Prepared::text(&text), 0x81, text.as_bytes());
        check(&Prepared::binary(&data), 0x82, &data);
    }
}

#[test]
fn s6_1_nothing_is_sent_beside_the_outbox_when_closing() {
    for role in ROLES {
        let (mut connection, mut outbox) = (Connection::new(role, &Config::default()), outbox(role));
        connection
            .close(Close::new(CloseCode::NORMAL, ""), &mut outbox)
            .unwrap();
        let before = outbox.len();
        for send in &SENDS[..11] {
            assert_eq!(send(&mut connection, &mut outbox), Err(SendError::Closed));
        }
        assert_eq!(outbox.len(), before);
    }
}

// ---- out: everything at once ----

/// Something that happens to an endpoint that sends.
#[derive(Clone, Debug)]
enum Step {
    Send(usize),
    /// If that is a message beside the outbox: a write follows that takes so many bytes, and the outbox keeps the rest.
    SendAndWrite(usize, usize),
    ContinueFrame(&'static [u8]),
    Given(&'static [(u8, &'static [u8])]),
    Written(usize),
}

fn step() -> impl Strategy<Value = Step> {
    const PIECES: [&[u8]; 5] = [b"", b"a", b"\xc3", b"\xa9", b"abc"];
    const GIVEN: [&[(u8, &[u8])]; 5] = [
        &[(0x89, b"p")],
        &[(0x89, b"first"), (0x89, b"second")],
        &[(0x82, b"data"), (0x89, b"")],
        &[(0x88, b"\x03\xe8")],
        &[(0xc0, b"")],
    ];
    prop_oneof![
        6 => (0..SENDS.len()).prop_map(Step::Send),
        2 => Just(Step::Send(5)),
        2 => (0..SENDS.len(), 0_usize..40).prop_map(|(i, n)| Step::SendAndWrite(i, n)),
        8 => prop::sample::select(PIECES.to_vec()).prop_map(Step::ContinueFrame),
        4 => prop::sample::select(GIVEN[..3].to_vec()).prop_map(Step::Given),
        1 => prop::sample::select(GIVEN.to_vec()).prop_map(Step::Given),
        4 => prop::sample::select(vec![1, 2, 5, usize::MAX]).prop_map(Step::Written),
    ]
}

/// Does one of the `SENDS`, with a longer payload if it goes beside the outbox: then that is what the embedder has to write.
fn send(i: usize, connection: &mut Connection, outbox: &mut Outbox) -> Vec<Vec<u8>> {
    let mut payload = *b"vectored";
    let prepared = Prepared::text("prepared");
    let header = match i {
        6 => connection.send_header(MessageKind::Text, &mut payload, outbox),
        7 => connection.send_text_header("vectored", outbox),
        8 => connection.send_binary_header(b"vectored", outbox),
        10 => {
            let bytes = connection.share_prepared(&prepared, outbox);
            return bytes.map_or(Vec::new(), |bytes| vec![bytes.to_vec()]);
        }
        _ => {
            let _ = SENDS[i](connection, outbox);
            return Vec::new();
        }
    };
    header.map_or(Vec::new(), |header| vec![header.to_vec(), payload.to_vec()])
}

/// What was written, and what the embedder has still to write by itself.
#[derive(Default)]
struct Wire {
    written: Vec<u8>,
    /// Bytes of the outbox that were written.
    consumed: usize,
    /// Bytes beside the outbox, each behind so many of the outbox's.
    beside: VecDeque<(usize, Vec<u8>)>,
}

impl Wire {
    fn put_beside(&mut self, parts: &[Vec<u8>], outbox: &Outbox) {
        if !parts.is_empty() {
            self.beside
                .push_back((self.consumed + outbox.len(), parts.concat()));
        }
    }

    /// One write of the outbox's bytes and what goes behind them.
    fn write_with(&mut self, outbox: &mut Outbox, n: usize, parts: &[Vec<u8>]) {
        let all = [outbox.bytes(), &parts.concat()].concat();
        self.written.extend_from_slice(&all[..n.min(all.len())]);
        self.consumed += n.min(outbox.len());
        let parts: Vec<_> = parts.iter().map(Vec::as_slice).collect();
        outbox.consume_with(n, &parts).unwrap();
    }

    fn write(&mut self, outbox: &mut Outbox, n: usize) {
        let until = self.beside.front().map_or(usize::MAX, |(at, _)| *at);
        let n = n.min(outbox.len()).min(until - self.consumed);
        self.written.extend_from_slice(&outbox.bytes()[..n]);
        outbox.consume(n);
        self.consumed += n;
        while self.beside.front().is_some_and(|(at, _)| *at == self.consumed) {
            let beside = self.beside.pop_front().unwrap();
            self.written.extend(beside.1);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// Whatever is done in whatever order, what is written is frames, in an order that the peer accepts.
    #[test]
    fn s5_4_any_order_of_calls_writes_valid_frames(
        role in role(),
        steps in prop::collection::vec(step(), 0..25),
        max_bytes in prop::sample::select(vec![4, 30, 1 << 20]),
    ) {
        let (mut connection, mut outbox) = (Connection::new(role, &Config::default()), outbox(role));
        outbox.set_max_bytes(max_bytes);
        let (mut wire, mut inbox) = (Wire::default(), Inbox::new());
        for step in &steps {
            match step {
                Step::Send(i) => {
                    let parts = send(*i, &mut connection, &mut outbox);
                    wire.put_beside(&parts, &outbox);
                }
                Step::SendAndWrite(i, n) => {
                    let parts = send(*i, &mut connection, &mut outbox);
                    if wire.beside.is_empty() {
                        wire.write_with(&mut outbox, *n, &parts);
                    } else {
                        wire.put_beside(&parts, &outbox);
                    }
                }
                Step::ContinueFrame(piece) => drop(connection.continue_frame(piece, &mut outbox)),
                Step::Given(frames) => {
                    common::receive(&mut connection, &mut inbox, &mut outbox, &all_to(role, frames));
                }
                Step::Written(n) => wire.write(&mut outbox, *n),
            }
        }
        // A frame that was begun ends, unless the connection was failed inside of it.
        while connection.continue_frame(b"z", &mut outbox) != Err(SendError::NoMessage) {
            if connection.continue_frame(b"\xa9", &mut outbox) == Err(SendError::Closed) {
                break;
            }
            wire.write(&mut outbox, usize::MAX);
        }
        while !outbox.is_empty() || !wire.beside.is_empty() {
            let before = (wire.consumed, wire.beside.len());
            wire.write(&mut outbox, usize::MAX);
            prop_assert_ne!((wire.consumed, wire.beside.len()), before, "what waits is written");
        }
        let peer = peer_of(role);
        let mut peer_connection = Connection::new(peer, &Config::default());
        let seen = common::receive(&mut peer_connection, &mut Inbox::new(), &mut common::outbox(peer), &wire.written);
        prop_assert!(!format!("{seen:?}").contains("fail"), "{:?}", seen);
    }
}

/// Whatever a peer sends that never reads, what waits for it is bounded: the mark, one message over it, two Pongs and
/// a Close.
#[test]
fn s10_4_a_peer_that_never_reads_costs_a_bounded_outbox() {
    const MAX: u32 = 1000;
    const REPLY: [u8; 200] = [9; 200];
    for role in ROLES {
        for being_sent in [false, true] {
            if being_sent && role == Role::Client {
                continue;
            }
            let mut connection = Connection::new(role, &in_pieces());
            let (mut inbox, mut outbox) = (Inbox::new(), outbox(role));
            outbox.set_max_bytes(MAX);
            if being_sent {
                connection
                    .begin_frame(MessageKind::Binary, 1 << 30, &mut outbox)
                    .unwrap();
            }
            let mut most = 0;
            for i in 0..3000u32 {
                let ping = [i as u8; 125];
                let mixed: [(u8, &[u8]); 5] = [
                    (0x02, b"a"),
                    (0x89, &ping[..(i % 126) as usize]),
                    (0x80, b"b"),
                    (0x89, &ping),
                    (0x8a, b""),
                ];
                let mut bytes = all_to(role, &mixed);
                let mut input = Input::new(&mut bytes, &mut inbox);
                while connection.receive(&mut input, &mut outbox).unwrap() {
                    if let Event::Binary(_) = input.event() {
                        let reply = if being_sent {
                            connection.continue_frame(&REPLY, &mut outbox)
                        } else {
                            connection.send_binary(&REPLY, &mut outbox)
                        };
                        assert!(matches!(reply, Ok(()) | Err(SendError::Full)));
                    }
                }
                most = most.max(outbox.len());
            }
            common::receive(
                &mut connection,
                &mut inbox,
                &mut outbox,
                &to(role, 0x88, b"\x03\xe8"),
            );
            most = most.max(outbox.len());
            let bound = MAX as usize + REPLY.len() + 14 + 131 + 8;
            assert!(most <= bound, "{most} bytes waited");
            if !being_sent {
                let sent = drain(role, &mut outbox);
                let pongs = sent.iter().filter(|frame| frame.starts_with("8a")).count();
                assert!(pongs <= 2, "{pongs}");
            }
        }
    }
}
