//! Compressed messages beside all else that a connection does: control frames, pieces, messages for many, other
//! extensions (RFC 7692 §6, RFC 6455 §9).
#![cfg(feature = "deflate")]
#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use common::{Case, ROLES, Seen, all_to, outbox, peer_of, receive, to};
use ws_proto::deflate::{Parameters, Pool, Settings};
use ws_proto::frame::{Header, Rsv};
use ws_proto::handshake::{Client, ClientRequest, Url};
use ws_proto::{
    Config, Connection, Event, Inbox, Input, MessageKind, Outbox, Prepared, Role, SendError, Violation,
};

const HELLO: &[u8] = b"\xf2\x48\xcd\xc9\xc9\x07\x00";

const FRESH: Parameters = Parameters {
    server_no_context_takeover: true,
    client_no_context_takeover: true,
    server_max_window_bits: None,
    client_max_window_bits: None,
};

const TAKES_OVER: Parameters = Parameters {
    server_no_context_takeover: false,
    client_no_context_takeover: false,
    ..FRESH
};

fn config(agreed: Parameters) -> Config {
    let mut config = Config::default();
    config.deflate = Some(agreed);
    config
}

// ---- control frames ----

#[test]
fn r7692_6_control_frames_come_between_compressed_fragments() {
    for role in ROLES {
        for agreed in [TAKES_OVER, FRESH] {
            let (mut connection, mut outbox) = (Connection::new(role, &config(agreed)), outbox(role));
            connection
                .begin_message(MessageKind::Text, b"Hel", &mut outbox)
                .unwrap();
            connection.ping(b"p", &mut outbox).unwrap();
            connection.continue_message(b"l", &mut outbox).unwrap();
            connection.pong(b"", &mut outbox).unwrap();
            assert_eq!(
                connection.send_text("no", &mut outbox),
                Err(SendError::MessageUnfinished)
            );
            connection.finish_message(b"o", &mut outbox).unwrap();
            for pieces in [false, true] {
                let mut case = Case::new(peer_of(role));
                case.config = config(agreed);
                case.config.pieces = pieces;
                case.feed(outbox.bytes()).saw("ping 70; pong -; text \"Hello\"");
            }
        }
    }
}

#[test]
fn r7692_6_1_a_close_frame_inside_a_compressed_message_ends_it() {
    for role in ROLES {
        let mut case = Case::new(role);
        case.config = config(TAKES_OVER);
        case.feed(&all_to(role, &[(0x41, &HELLO[..3]), (0x88, b"\x03\xe8")]))
            .saw("close 1000 \"\"")
            .sent(&["88 03e8"]);
    }
}

/// On an error nothing is queued, and both contexts are as they were.
#[test]
fn r7692_6_1_what_is_refused_leaves_the_context_alone() {
    let text = "refused ".repeat(50);
    for role in ROLES {
        let (mut connection, mut outbox) = (Connection::new(role, &config(TAKES_OVER)), outbox(role));
        connection.send_text(&text, &mut outbox).unwrap();
        outbox.set_max_bytes(1);
        let waits = outbox.bytes().to_vec();
        assert_eq!(connection.send_text("other", &mut outbox), Err(SendError::Full));
        let begun = connection.begin_message(MessageKind::Text, b"a", &mut outbox);
        assert_eq!(begun, Err(SendError::Full));
        outbox.set_max_bytes(u32::MAX);
        let begun = connection.begin_message(MessageKind::Text, b"a\xff", &mut outbox);
        assert_eq!(begun, Err(SendError::InvalidUtf8));
        assert_eq!(outbox.bytes(), waits);
        connection
            .begin_message(MessageKind::Text, b"a", &mut outbox)
            .unwrap();
        let goes_on = connection.continue_message(b"\xff", &mut outbox);
        assert_eq!(goes_on, Err(SendError::InvalidUtf8));
        connection.finish_message(b"b", &mut outbox).unwrap();
        connection.send_text(&text, &mut outbox).unwrap();
        let mut peer = Connection::new(peer_of(role), &config(TAKES_OVER));
        let mut replies = common::outbox(peer_of(role));
        let seen = receive(&mut peer, &mut Inbox::new(), &mut replies, outbox.bytes());
        assert_eq!(
            seen,
            [
                Seen::Text(text.clone()),
                Seen::Text("ab".into()),
                Seen::Text(text.clone())
            ]
        );
    }
}

// ---- pieces ----

/// Text whose characters have one to four octets, so that many are cut by a piece's end.
fn text(len: usize) -> String {
    "aé€😀 and so on, ".chars().cycle().take(len).collect()
}

#[test]
fn r7692_6_2_pieces_are_of_bounded_length_and_cut_between_characters() {
    let text = text(200_000);
    for role in ROLES {
        let (mut sender, mut wire) = (Connection::new(role, &config(FRESH)), outbox(role));
        // A fragment ends inside a character.
        sender
            .begin_message(MessageKind::Text, &text.as_bytes()[..100_002], &mut wire)
            .unwrap();
        sender
            .finish_message(&text.as_bytes()[100_002..], &mut wire)
            .unwrap();
        assert!(wire.len() < 3000, "{}", wire.len());
        for read in [wire.len(), 100, 1] {
            let mut pieces = config(FRESH);
            pieces.pieces = true;
            let mut connection = Connection::new(peer_of(role), &pieces);
            let (mut inbox, mut replies) = (Inbox::new(), outbox(peer_of(role)));
            let (mut all, mut count, mut ended) = (String::new(), 0, false);
            for read in wire.bytes().chunks(read) {
                let mut input = Input::new(read.to_vec(), &mut inbox);
                while connection.receive(&mut input, &mut replies).unwrap() {
                    let Event::Text(piece) = input.event() else {
                        panic!()
                    };
                    assert!(piece.len() < 33 << 10, "{}", piece.len());
                    all.push_str(piece);
                    (count, ended) = (count + 1, input.is_message_end());
                }
            }
            assert!(ended && all == text && count >= text.len() >> 15);
        }
    }
}

#[test]
fn r7692_6_2_a_piece_takes_a_bounded_part_of_a_long_read() {
    let text: String = (0..50_000).map(|i| format!("{i} ")).collect();
    for role in ROLES {
        let (mut sender, mut wire) = (Connection::new(role, &config(FRESH)), outbox(role));
        sender.send_text(&text, &mut wire).unwrap();
        assert!(wire.len() > 5 * (16 << 10), "{}", wire.len());
        let mut pieces = config(FRESH);
        pieces.pieces = true;
        let mut connection = Connection::new(peer_of(role), &pieces);
        let mut replies = outbox(peer_of(role));
        let mut input = Input::new(wire.bytes().to_vec(), Inbox::new());
        let (mut all, mut before) = (String::new(), 0);
        while connection.receive(&mut input, &mut replies).unwrap() {
            let Event::Text(piece) = input.event() else {
                panic!()
            };
            all.push_str(piece);
            // The header too, in front of the first.
            let taken = input.consumed() - before;
            assert!(taken <= (16 << 10) + 14, "{taken}");
            before = input.consumed();
        }
        assert!(input.is_message_end() && all == text);
    }
}

#[test]
fn r7692_6_2_the_message_of_pieces_may_exceed_what_fits_in_memory_but_not_its_limit() {
    let mut config = config(FRESH);
    config.pieces = true;
    config.limits.max_message_bytes = u64::MAX;
    let mut connection = Connection::new(Role::Client, &config);
    let (mut inbox, mut outbox) = (Inbox::new(), outbox(Role::Client));
    // A mebibyte for each fragment, of which none is kept.
    let (mut server, mut wire) = (Connection::new(Role::Server, &config), Outbox::new());
    let fragment = vec![0; 1 << 20];
    server
        .begin_message(MessageKind::Binary, &fragment, &mut wire)
        .unwrap();
    let mut received = 0;
    for _ in 0..30 {
        server.continue_message(&fragment, &mut wire).unwrap();
        let mut input = Input::new(wire.bytes().to_vec(), &mut inbox);
        while connection.receive(&mut input, &mut outbox).unwrap() {
            let Event::Binary(piece) = input.event() else {
                panic!()
            };
            assert!(!input.is_message_end() && !piece.is_empty());
            received += piece.len();
        }
        wire.consume(usize::MAX);
    }
    assert_eq!(received, 31 << 20);
}

/// An outbox goes on with the next connection, whose peer knows nothing of the one before.
#[test]
fn r7692_7_1_1_the_opening_handshake_forgets_the_context_before() {
    let text =
        "a text that is long enough to be compressed, and so is the text that is the same as this text";
    let mut outbox = outbox(Role::Client);
    let send = |connection: &mut Connection, outbox: &mut Outbox| {
        connection.send_text(text, outbox).unwrap();
        let (header, header_len) = Header::parse(outbox.bytes()).unwrap().unwrap();
        let mut payload = outbox.bytes()[header_len..].to_vec();
        header.key.unwrap().apply(&mut payload);
        outbox.consume(usize::MAX);
        payload
    };
    let mut before = Connection::new(Role::Client, &config(TAKES_OVER));
    let first = send(&mut before, &mut outbox);
    assert_ne!(
        send(&mut before, &mut outbox),
        first,
        "it refers to the first one"
    );
    let request = ClientRequest::new(Url::parse("ws://a/").unwrap());
    Client::start_with_nonce(&request, *b"the sample nonce", &mut outbox).unwrap();
    outbox.consume(usize::MAX);
    let mut next = Connection::new(Role::Client, &config(TAKES_OVER));
    assert_eq!(send(&mut next, &mut outbox), first);
}

// ---- messages for many ----

/// The bytes that a connection with these parameters sends of a prepared message: copied, and lent.
fn sent_of(message: &mut Prepared, agreed: Option<Parameters>, pool: &Pool, on: bool) -> (Vec<u8>, Vec<u8>) {
    let mut config = Config::default();
    config.deflate = agreed;
    let (mut connection, mut outbox) = (Connection::new(Role::Server, &config), Outbox::new());
    connection.set_compression(on);
    outbox.set_pool(pool.clone());
    message.prepare_for(&connection, pool).unwrap();
    connection.send_prepared(message, &mut outbox).unwrap();
    let copied = outbox.bytes().to_vec();
    let lent = connection.share_prepared(message, &mut outbox).unwrap().to_vec();
    for bytes in [&copied, &lent] {
        let mut peer = Connection::new(Role::Client, &config);
        let seen = receive(
            &mut peer,
            &mut Inbox::new(),
            &mut common::outbox(Role::Client),
            bytes,
        );
        assert_eq!(seen, [Seen::Text("for all of you ".repeat(40))]);
    }
    (copied, lent)
}

#[test]
fn r7692_6_1_a_message_for_many_fits_the_parameters_of_each() {
    let pool = Pool::default();
    let mut message = Prepared::text(&"for all of you ".repeat(40));
    let plain = message.bytes().to_vec();
    let small = Parameters {
        server_max_window_bits: Some(9),
        ..FRESH
    };
    let (fresh, lent) = sent_of(&mut message, Some(FRESH), &pool, true);
    assert!(fresh[0] == 0xc1 && fresh.len() < 50);
    assert_eq!(fresh, lent);
    assert_eq!(
        sent_of(&mut message, Some(FRESH), &pool, true),
        (fresh.clone(), fresh.clone())
    );
    // Those who take over contexts compress it themselves; what is lent to them is plain.
    let (own, lent) = sent_of(&mut message, Some(TAKES_OVER), &pool, true);
    assert!(own[0] == 0xc1 && own.len() < 50);
    assert_eq!(lent, plain);
    // Without compression, or with it off.
    for (agreed, on) in [(None, true), (Some(FRESH), false), (Some(TAKES_OVER), false)] {
        assert_eq!(
            sent_of(&mut message, agreed, &pool, on),
            (plain.clone(), plain.clone())
        );
    }
    // A window of its own, and one that our compressor cannot keep to.
    let (own, lent) = sent_of(&mut message, Some(small), &pool, true);
    assert!(own[0] == 0xc1 && own == lent);
    let tiny = Parameters {
        server_max_window_bits: Some(8),
        ..FRESH
    };
    assert_eq!(
        sent_of(&mut message, Some(tiny), &pool, true),
        (plain.clone(), plain.clone())
    );
    assert_eq!(message.bytes(), plain);
}

/// A window of 512 bytes has a frame of its own, in which nothing refers farther.
#[test]
fn r7692_7_1_2_a_message_for_many_is_compressed_for_each_window() {
    let half: String = (0..400).map(|i| format!("{i:03} ")).collect();
    let pool = Pool::default();
    let mut lens = Vec::new();
    for bits in [9, 15] {
        let mut message = Prepared::text(&half.repeat(2));
        for prepared in [15, 9] {
            let mut agreed = FRESH;
            agreed.server_max_window_bits = Some(prepared);
            let connection = Connection::new(Role::Server, &config(agreed));
            message.prepare_for(&connection, &pool).unwrap();
            let before = message.clone();
            message.prepare_for(&connection, &pool).unwrap();
            assert_eq!(message, before, "that is done already");
        }
        let mut agreed = FRESH;
        agreed.server_max_window_bits = Some(bits);
        let mut connection = Connection::new(Role::Server, &config(agreed));
        let mut outbox = Outbox::new();
        lens.push(connection.share_prepared(&message, &mut outbox).unwrap().len());
    }
    assert!(lens[0] > lens[1] + 200, "{lens:?}");
}

#[test]
fn r7692_6_1_a_message_for_many_that_is_short_or_does_not_compress_is_plain() {
    let mut settings = Settings::default();
    settings.min_bytes = 100;
    let pool = Pool::new(settings);
    let connection = Connection::new(Role::Server, &config(FRESH));
    let random: Vec<u8> = (0..200u32)
        .map(|i| (i.wrapping_mul(0x9e37_79b1) >> 24) as u8)
        .collect();
    for mut message in [Prepared::text(&"a".repeat(99)), Prepared::binary(&random)] {
        message.prepare_for(&connection, &pool).unwrap();
        let mut connection = connection;
        let frame = connection.share_prepared(&message, &mut Outbox::new()).unwrap();
        assert_eq!(frame, message.bytes());
    }
}

// ---- other extensions: RFC 6455 §9 ----

/// A message, and what the embedder is told of another extension's part in it.
type Extended = (Seen, Option<(MessageKind, Rsv)>);

fn receive_extended(
    role: Role,
    config: &Config,
    bytes: &[u8],
    read: usize,
) -> Result<Vec<Extended>, Violation> {
    let mut connection = Connection::new(role, config);
    let (mut inbox, mut outbox) = (Inbox::new(), outbox(role));
    let mut all = Vec::new();
    for read in bytes.chunks(read) {
        let mut input = Input::new(read.to_vec(), &mut inbox);
        while connection.receive(&mut input, &mut outbox)? {
            let seen = match input.event() {
                Event::Text(text) => Seen::Text(text.into()),
                Event::Binary(data) => Seen::Binary(data.into()),
                Event::Ping(data) => Seen::Ping(data.into()),
                other => panic!("{other:?}"),
            };
            all.push((seen, input.extended()));
        }
    }
    Ok(all)
}

#[test]
fn r7692_5_another_extension_has_bits_beside_permessage_deflate() {
    let mut both = config(TAKES_OVER);
    both.reserved_bits = Rsv::RSV2.union(Rsv::RSV3);
    let (text, binary) = (MessageKind::Text, MessageKind::Binary);
    for role in ROLES {
        // RSV1 is undone: the other bits say what is left to be undone, of text that is none yet.
        let not_text = b"\x00\x02\x00\xfd\xff\xff\xfe\x00";
        let bytes = all_to(
            role,
            &[
                (0xe1, HELLO),
                (0xf2, HELLO),
                (0xa1, b"\xff"),
                (0x61, &not_text[..4]),
                (0x89, b"p"),
                (0x80, &not_text[4..]),
                (0xc1, HELLO),
                (0x81, b"plain"),
            ],
        );
        let hello = Seen::Binary(b"Hello".to_vec());
        let expected = [
            (hello.clone(), Some((text, Rsv::RSV2))),
            (hello, Some((binary, Rsv::RSV2.union(Rsv::RSV3)))),
            (Seen::Binary(b"\xff".to_vec()), Some((text, Rsv::RSV2))),
            (Seen::Ping(b"p".to_vec()), None),
            (Seen::Binary(b"\xff\xfe".to_vec()), Some((text, Rsv::RSV2))),
            (Seen::Text("Hello".into()), None),
            (Seen::Text("plain".into()), None),
        ];
        for read in [bytes.len(), 7, 1] {
            assert_eq!(receive_extended(role, &both, &bytes, read).unwrap(), expected);
        }
        // Not on other frames, and not if they were not agreed on.
        for wrong in [&[(0xa9, &b""[..])][..], &[(0x01, b""), (0xa0, b"")]] {
            let seen = receive_extended(role, &both, &all_to(role, wrong), 100);
            assert_eq!(seen, Err(Violation::ReservedBit));
        }
        let seen = receive_extended(role, &config(TAKES_OVER), &bytes, 100);
        assert_eq!(seen, Err(Violation::ReservedBit));
    }
}

#[test]
fn s9_2_another_extension_may_use_all_bits_without_permessage_deflate() {
    let mut own = Config::default();
    own.reserved_bits = Rsv::RSV1;
    for role in ROLES {
        let bytes = all_to(role, &[(0xc1, b"\xff"), (0x42, b"a"), (0x80, b"b"), (0x81, b"c")]);
        let expected = [
            (
                Seen::Binary(b"\xff".to_vec()),
                Some((MessageKind::Text, Rsv::RSV1)),
            ),
            (
                Seen::Binary(b"ab".to_vec()),
                Some((MessageKind::Binary, Rsv::RSV1)),
            ),
            (Seen::Text("c".into()), None),
        ];
        for read in [bytes.len(), 1] {
            assert_eq!(receive_extended(role, &own, &bytes, read).unwrap(), expected);
        }
    }
}

#[test]
fn s9_2_messages_of_another_extension_are_sent_with_its_bits_and_no_others() {
    for role in ROLES {
        let (kind, mut outbox) = (MessageKind::Text, outbox(role));
        let mut both = config(TAKES_OVER);
        both.reserved_bits = Rsv::RSV2;
        let mut connection = Connection::new(role, &both);
        for bits in [Rsv::RSV1, Rsv::RSV3, Rsv::RSV1.union(Rsv::RSV2)] {
            let refused = connection.send_extended(kind, bits, b"x", &mut outbox);
            assert_eq!(refused, Err(SendError::ReservedBits));
        }
        let not_text = [0xff; 100];
        let refused = connection.send_extended(kind, Rsv::NONE, &not_text, &mut outbox);
        assert_eq!(refused, Err(SendError::InvalidUtf8));
        assert!(outbox.is_empty());
        connection
            .send_extended(kind, Rsv::RSV2, &not_text, &mut outbox)
            .unwrap();
        connection
            .send_extended(kind, Rsv::NONE, b"none", &mut outbox)
            .unwrap();
        let seen = receive_extended(peer_of(role), &both, outbox.bytes(), 1000).unwrap();
        let expected = (Seen::Binary(not_text.to_vec()), Some((kind, Rsv::RSV2)));
        assert_eq!(seen, [expected, (Seen::Text("none".into()), None)]);
        // Where permessage-deflate is not in use, RSV1 may be another's.
        let mut own = Config::default();
        own.reserved_bits = Rsv::RSV1;
        let mut connection = Connection::new(role, &own);
        connection
            .send_extended(kind, Rsv::RSV1, b"x", &mut outbox)
            .unwrap();
        assert_eq!(
            connection.send_extended(kind, Rsv::RSV2, b"", &mut outbox),
            Err(SendError::ReservedBits)
        );
        // Inside a message it would be another one.
        connection.begin_message(kind, b"", &mut outbox).unwrap();
        assert_eq!(
            connection.send_extended(kind, Rsv::RSV1, b"", &mut outbox),
            Err(SendError::MessageUnfinished)
        );
    }
}

/// What another extension sends counts as it is on the wire.
#[test]
fn s10_4_messages_of_another_extension_are_limited_on_the_wire() {
    let mut own = Config::default();
    own.reserved_bits = Rsv::RSV2;
    own.limits.max_message_bytes = 800;
    let most = 800;
    let data = vec![1; most + 1];
    for role in ROLES {
        for (len, fits) in [(most, true), (most + 1, false)] {
            let whole = to(role, 0xa2, &data[..len]);
            let fragments = all_to(
                role,
                &[
                    (0x22, &data[..500]),
                    (0x00, &data[500..700]),
                    (0x80, &data[700..len]),
                ],
            );
            for bytes in [whole, fragments] {
                let seen = receive_extended(role, &own, &bytes, 100);
                match seen {
                    Ok(seen) => assert!(fits && seen.len() == 1),
                    Err(violation) => assert!(!fits && violation == Violation::MessageTooBig),
                }
            }
        }
    }
}
