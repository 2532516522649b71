//! Whoever mixes up connections and inboxes gets nonsense, and never a text that is not UTF-8: safe code relies on that.
#![cfg(feature = "alloc")]
#![allow(clippy::unwrap_used)]

mod common;

use proptest::prelude::*;
use ws_proto::frame::{Header, Opcode, Rsv};
use ws_proto::{Config, Connection, Event, Inbox, Input, Outbox, Role};

/// A frame for one of the connections, seen through one of the inboxes, and what is done to that afterwards.
#[derive(Clone, Debug)]
struct Step {
    connection: usize,
    inbox: usize,
    first: u8,
    payload: &'static [u8],
    cut: prop::sample::Index,
    then: Then,
}

#[derive(Clone, Copy, Debug)]
enum Then {
    Nothing,
    GiveTheRest,
    Release,
    HandOver,
    Swap,
}

/// Ends and beginnings of characters, and what is none; some of it as DEFLATE data, with a stored block each.
const PAYLOADS: [&[u8]; 14] = [
    b"",
    b"a",
    b"\xe2",
    b"\x82",
    b"\xac",
    b"\xe2\x82",
    b"\x82\xac",
    b"ab\xe2\x82",
    b"\xacz",
    b"\xff\xfe",
    b"\xf0\x9f\x98",
    b"\0\x01\0\xfe\xffa\0",
    b"\0\x02\0\xfd\xff\xe2\x82\0",
    b"\0\x02\0\xfd\xff\xacz\0",
];

const FIRSTS: [u8; 16] = [
    0x01, 0x01, 0x02, 0x81, 0x82, 0x00, 0x00, 0x80, 0x41, 0x41, 0xc1, 0x42, 0x61, 0x89, 0x8a, 0x88,
];

fn step() -> impl Strategy<Value = Step> {
    let then = prop_oneof![
        1 => Just(Then::Nothing),
        6 => Just(Then::GiveTheRest),
        1 => Just(Then::Release),
        1 => Just(Then::HandOver),
        1 => Just(Then::Swap),
    ];
    (
        0..3usize,
        0..2usize,
        prop::sample::select(&FIRSTS[..]),
        prop::sample::select(&PAYLOADS[..]),
        any::<prop::sample::Index>(),
        then,
    )
        .prop_map(|(connection, inbox, first, payload, cut, then)| Step {
            connection,
            inbox,
            first,
            payload,
            cut,
            then,
        })
}

fn connection(pieces: bool, compressed: bool) -> (Connection, Outbox) {
    let mut config = Config::default();
    config.pieces = pieces;
    config.reserved_bits = Rsv::RSV2;
    #[cfg(feature = "deflate")]
    {
        config.deflate = compressed.then(ws_proto::deflate::Parameters::default);
    }
    let _ = compressed;
    (Connection::new(Role::Client, &config), Outbox::client([7; 16]))
}

fn look_at(bytes: &[u8], connection: &mut (Connection, Outbox), inbox: &mut Inbox) {
    let mut input = Input::new(bytes.to_vec(), inbox);
    while let Ok(true) = connection.0.receive(&mut input, &mut connection.1) {
        if let Event::Text(text) = input.event() {
            assert!(
                core::str::from_utf8(text.as_bytes()).is_ok(),
                "{:02x?}",
                text.as_bytes()
            );
        }
    }
}

#[test]
fn s8_1_text_is_text_though_an_inbox_serves_two() {
    // Which of three connections is given what; the first lends pieces.
    for steps in [
        &[(0, "01 01 61"), (1, "01 02 e2 82 88 00"), (0, "80 02 ac 78")][..],
        &[
            (0, "01 01 61"),
            (2, "89 05 ff fe"),
            (0, "80 05 78 e2 82"),
            (0, "ac 7a"),
        ],
        &[
            (0, "41 00"),
            (1, "01 05 61 62 63 e2 82"),
            (2, "89 05 ff fe"),
            (0, "00 00"),
            (1, "80 02 ac 7a"),
        ],
        &[
            (0, "01 01 61"),
            (1, "42 06 4a 4c 7a d4"),
            (1, "04 00"),
            (0, "00 04 61 62 e2 82"),
            (0, "00 02 e2 82"),
        ],
    ] {
        let mut connections = [(true, true), (false, true), (false, false)]
            .map(|(pieces, compressed)| connection(pieces, compressed));
        let mut inbox = Inbox::new();
        for (who, bytes) in steps {
            look_at(&common::hex(bytes), &mut connections[*who], &mut inbox);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4096, ..ProptestConfig::default() })]
    #[test]
    fn s8_1_text_is_text_whatever_is_mixed_up(
        kinds in any::<[(bool, bool); 3]>(),
        steps in prop::collection::vec(step(), 1..16),
    ) {
        let mut connections = kinds.map(|(pieces, compressed)| connection(pieces, compressed));
        let mut inboxes = [Inbox::new(), Inbox::new()];
        for step in steps {
            let mut header = Header::new(Opcode::new(step.first), step.payload.len() as u64);
            header.fin = step.first & 0x80 != 0;
            header.rsv = Rsv::new(step.first);
            let frame = [&header.encode(), step.payload].concat();
            let (front, rest) = frame.split_at(step.cut.index(frame.len() + 1));
            let connection = &mut connections[step.connection];
            look_at(front, connection, &mut inboxes[step.inbox]);
            let inbox = &mut inboxes[step.inbox];
            match step.then {
                Then::Nothing => {}
                Then::GiveTheRest => look_at(rest, connection, inbox),
                Then::Release => inbox.release(),
                Then::HandOver => {
                    let state = connection.0.to_bytes(inbox);
                    if let Ok(resumed) = Connection::from_bytes(&state, inbox.unfinished()) {
                        (connection.0, *inbox) = resumed;
                    }
                }
                Then::Swap => inboxes.swap(0, 1),
            }
        }
    }
}
