//! RFC 6455 §5.1, §5.3, §6.1, §7.4: what is sent, masking keys, and what is refused.
#![cfg(feature = "alloc")]
#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use std::collections::HashSet;

use common::{
    ROLES, all_to, code, drain, feed, frames, hex, outbox, peer_of, receive, side, to, to_hex, vectors,
};
use ws_proto::frame::{Header, Opcode};
use ws_proto::handshake::{Accept, HeadLimits, Server};
use ws_proto::mask::MaskingKey;
use ws_proto::{Close, CloseCode, Config, Connection, Inbox, MessageKind, Outbox, Role, SendError};

fn connection(role: Role) -> Connection {
    Connection::new(role, &Config::default())
}

/// Makes a vector's call; the fragments of a message need those before them.
fn call(connection: &mut Connection, name: &str, payload: &[u8], outbox: &mut Outbox) {
    let text = || std::str::from_utf8(payload).unwrap();
    if matches!(name, "middle" | "last") {
        connection
            .begin_message(MessageKind::Text, b"before", outbox)
            .unwrap();
        outbox.consume(usize::MAX);
    }
    match name {
        "text" => connection.send_text(text(), outbox),
        "bin" => connection.send_binary(payload, outbox),
        "ping" => connection.ping(payload, outbox),
        "pong" => connection.pong(payload, outbox),
        "text-first" => connection.begin_message(MessageKind::Text, payload, outbox),
        "middle" => connection.continue_message(payload, outbox),
        "last" => connection.finish_message(payload, outbox),
        "close" => connection.close(Close::parse(payload).unwrap(), outbox),
        _ => panic!("no call: {name}"),
    }
    .unwrap();
}

#[test]
fn s6_1_frames_as_in_the_vectors() {
    for [id, sender, call_and_payload, key, bytes] in vectors(include_str!("vectors/sending.txt")) {
        println!("{id}");
        let (name, payload) = call_and_payload.split_once(' ').unwrap_or((call_and_payload, ""));
        let (role, payload, bytes) = (side(sender), hex(payload), hex(bytes));
        let (mut connection, mut outbox) = (connection(role), outbox(role));
        call(&mut connection, name, &payload, &mut outbox);

        // A connection draws its keys by itself: here the vector's takes the place of the one drawn.
        let mut sent = outbox.bytes().to_vec();
        let (header, header_len) = Header::parse(&sent).unwrap().unwrap();
        assert_eq!(header.key.is_some(), role == Role::Client);
        if let Some(drawn) = header.key {
            let key = hex(key);
            drawn
                .rekeyed(MaskingKey::new(key[..].try_into().unwrap()))
                .apply(&mut sent[header_len..]);
            sent[header_len - 4..header_len].copy_from_slice(&key);
        }
        assert_eq!(to_hex(&sent), to_hex(&bytes));
        assert_eq!(header.payload_len, payload.len() as u64);
    }
}

// Masking keys

#[test]
fn s5_1_every_client_frame_is_masked_and_no_server_frame_is() {
    for role in ROLES {
        let (mut connection, mut outbox) = (connection(role), outbox(role));
        connection.send_text("", &mut outbox).unwrap();
        connection.send_binary(b"b", &mut outbox).unwrap();
        connection
            .begin_message(MessageKind::Text, b"", &mut outbox)
            .unwrap();
        connection.continue_message(b"", &mut outbox).unwrap();
        connection.ping(b"", &mut outbox).unwrap();
        connection.finish_message(b"c", &mut outbox).unwrap();
        connection.pong(b"", &mut outbox).unwrap();
        connection.close(None, &mut outbox).unwrap();
        // `frames` asserts the masking of each.
        let sent = frames(role, outbox.bytes());
        assert_eq!(sent, ["81", "82 62", "01", "00", "89", "80 63", "8a", "88"]);
    }
}

/// The keys of `n` empty messages.
fn keys(outbox: &mut Outbox, n: usize) -> Vec<[u8; 4]> {
    let mut connection = connection(Role::Client);
    (0..n)
        .map(|_| {
            connection.send_binary(b"", outbox).unwrap();
            let (header, _) = Header::parse(outbox.bytes()).unwrap().unwrap();
            outbox.consume(usize::MAX);
            header.key.unwrap().octets()
        })
        .collect()
}

#[test]
fn s5_3_every_frame_has_a_fresh_key() {
    let keys = keys(&mut Outbox::client([1; 16]), 1000);
    let distinct: HashSet<_> = keys.iter().collect();
    assert_eq!(distinct.len(), 1000);
    // No counter, no fixed step, no fixed difference.
    let numbers: Vec<u32> = keys.iter().map(|key| u32::from_be_bytes(*key)).collect();
    let steps: HashSet<u32> = numbers
        .windows(2)
        .map(|pair| pair[1].wrapping_sub(pair[0]))
        .collect();
    let differences: HashSet<u32> = numbers.windows(2).map(|pair| pair[0] ^ pair[1]).collect();
    assert!(steps.len() > 990 && differences.len() > 990);
    // Each bit is set in about half of them.
    for bit in 0..32 {
        let set = numbers.iter().filter(|number| *number >> bit & 1 == 1).count();
        assert!((400..600).contains(&set), "bit {bit} in {set} of 1000");
    }
}

#[test]
fn s5_3_a_seed_reproduces_its_keys_and_no_others() {
    let drawn = keys(&mut Outbox::client([1; 16]), 100);
    assert_eq!(drawn, keys(&mut Outbox::client([1; 16]), 100));
    assert_ne!(drawn, keys(&mut Outbox::client([2; 16]), 100));
}

/// The first blocks of ChaCha with this key, a nonce of zeros and so many rounds (RFC 8439 §2.3, but for those).
fn chacha(key: [u8; 32], rounds: usize, blocks: u32) -> Vec<u8> {
    let words = |octets: &[u8]| {
        octets
            .as_chunks()
            .0
            .iter()
            .map(|word| u32::from_le_bytes(*word))
            .collect::<Vec<_>>()
    };
    (0..blocks)
        .flat_map(|block| {
            let begin = [words(b"expand 32-byte k"), words(&key), vec![block, 0, 0, 0]].concat();
            let mut state = begin.clone();
            for round in 0..rounds {
                for i in 0..4 {
                    let slant = round % 2; // columns and diagonals in turns
                    let [a, b, c, d] = [0, 1, 2, 3].map(|row| 4 * row + (i + slant * row) % 4);
                    for [to, by, with, bits] in [[a, b, d, 16], [c, d, b, 12], [a, b, d, 8], [c, d, b, 7]] {
                        state[to] = state[to].wrapping_add(state[by]);
                        state[with] = (state[with] ^ state[to]).rotate_left(bits as u32);
                    }
                }
            }
            let sums = state
                .iter()
                .zip(begin)
                .map(|(end, begin)| end.wrapping_add(begin));
            sums.flat_map(u32::to_le_bytes).collect::<Vec<_>>()
        })
        .collect()
}

#[test]
fn s10_3_keys_are_the_stream_of_chacha12_by_the_whole_seed() {
    // RFC 8439 §A.1, test vector 1: the oracle itself, with its twenty rounds.
    assert_eq!(
        chacha([0; 32], 20, 1)[..8],
        [0x76, 0xb8, 0xe0, 0xad, 0xa0, 0xf1, 0x3d, 0x90]
    );
    let seed: [u8; 16] = std::array::from_fn(|i| i as u8 + 1);
    let key: [u8; 32] = std::array::from_fn(|i| seed[i % 16]);
    let stream = chacha(key, 12, 20);
    assert_eq!(
        keys(&mut Outbox::client(seed), 300).as_flattened(),
        &stream[..1200]
    );
}

#[test]
fn s5_3_releasing_memory_does_not_repeat_keys() {
    let mut outbox = Outbox::client([1; 16]);
    let mut drawn = HashSet::new();
    // Keys are drawn some at a time: fewer than those, and more.
    for round in 0..20 {
        drawn.extend(keys(&mut outbox, 10 * (round + 1)));
        outbox.release();
    }
    assert_eq!(drawn.len(), 2100);
}

#[cfg(feature = "std")]
#[test]
fn s5_3_the_operating_system_seeds_differently_each_time() {
    let mut first = Outbox::client_from_os().unwrap();
    let mut second = Outbox::client_from_os().unwrap();
    assert_ne!(keys(&mut first, 4), keys(&mut second, 4));
}

#[test]
fn s10_3_debug_tells_neither_seed_nor_keys() {
    let mut outbox = Outbox::client([0xab; 16]);
    let fresh = format!("{outbox:?}");
    assert!(!fresh.contains("171") && !fresh.contains("ab"), "{fresh}");
    assert!(fresh.contains("seeded"), "{fresh}");
    let mut other = Outbox::client([0xcd; 16]);
    assert_eq!(format!("{other:?}"), fresh);
    keys(&mut outbox, 1);
    keys(&mut other, 1);
    assert_eq!(format!("{outbox:?}"), format!("{other:?}"));
}

#[test]
fn s5_1_client_without_keys_sends_nothing() {
    let (mut connection, mut outbox) = (connection(Role::Client), Outbox::new());
    let refused = Err(SendError::NoMaskingKeys);
    assert_eq!(connection.send_text("a", &mut outbox), refused);
    assert_eq!(connection.send_binary(b"a", &mut outbox), refused);
    assert_eq!(
        connection.begin_message(MessageKind::Text, b"a", &mut outbox),
        refused
    );
    assert_eq!(connection.ping(b"", &mut outbox), refused);
    assert_eq!(connection.pong(b"", &mut outbox), refused);
    assert_eq!(connection.close(None, &mut outbox), refused);
    assert!(outbox.is_empty());
    // With keys it goes on as if nothing had happened.
    let mut outbox = common::outbox(Role::Client);
    connection.send_text("a", &mut outbox).unwrap();
    connection.close(None, &mut outbox).unwrap();
    assert_eq!(drain(Role::Client, &mut outbox), ["81 61", "88"]);
}

// Messages

#[test]
fn s5_2_messages_of_every_form_of_length_arrive() {
    for role in ROLES {
        for len in [0, 1, 125, 126, 127, 65_535, 65_536, 100_000] {
            let (mut connection, mut outbox) = (connection(role), outbox(role));
            let payload: Vec<u8> = (0..=255).cycle().take(len).collect();
            connection.send_binary(&payload, &mut outbox).unwrap();
            let peer = peer_of(role);
            let mut peer_connection = Connection::new(peer, &Config::default());
            let seen = receive(
                &mut peer_connection,
                &mut Inbox::new(),
                &mut common::outbox(peer),
                outbox.bytes(),
            );
            assert_eq!(seen, [common::Seen::Binary(payload)]);
        }
    }
}

#[test]
fn s5_4_text_fragments_may_be_cut_inside_a_character() {
    let text = "κόσμε€😀";
    for role in ROLES {
        for cut in 0..=text.len() {
            let (mut connection, mut outbox) = (connection(role), outbox(role));
            let (front, back) = text.as_bytes().split_at(cut);
            connection
                .begin_message(MessageKind::Text, front, &mut outbox)
                .unwrap();
            connection.continue_message(b"", &mut outbox).unwrap();
            connection.finish_message(back, &mut outbox).unwrap();
            feed(peer_of(role), outbox.bytes()).saw(&format!("text \"{text}\""));
        }
    }
}

#[test]
fn s6_1_frames_drain_in_order_byte_by_byte() {
    for role in ROLES {
        let (mut connection, mut outbox) = (connection(role), outbox(role));
        let mut wire = Vec::new();
        for i in 0..200u8 {
            connection.send_binary(&[i; 3], &mut outbox).unwrap();
            // The transport takes a few bytes at a time, sometimes more than one frame, sometimes none.
            let n = outbox.len().min(usize::from(i % 17));
            wire.extend_from_slice(&outbox.bytes()[..n]);
            outbox.consume(n);
        }
        wire.extend_from_slice(outbox.bytes());
        let expected: Vec<String> = (0..200u8).map(|i| format!("82 {}", to_hex(&[i; 3]))).collect();
        assert_eq!(frames(role, &wire), expected);
    }
}

#[test]
fn s6_1_consuming_more_than_there_is_counts_as_all() {
    let (mut connection, mut outbox) = (connection(Role::Server), Outbox::new());
    connection.send_text("a", &mut outbox).unwrap();
    outbox.consume(100);
    assert_eq!((outbox.len(), outbox.bytes()), (0, &b""[..]));
    connection.send_text("b", &mut outbox).unwrap();
    assert_eq!(outbox.bytes(), b"\x81\x01b");
}

#[test]
fn s5_1_outbox_released_and_used_again() {
    for role in ROLES {
        let (mut connection, mut outbox) = (connection(role), outbox(role));
        connection.send_text("a", &mut outbox).unwrap();
        outbox.release(); // not empty: keeps what waits
        assert_eq!(frames(role, outbox.bytes()), ["81 61"]);
        outbox.consume(usize::MAX);
        outbox.release();
        connection.send_text("b", &mut outbox).unwrap();
        assert_eq!(frames(role, outbox.bytes()), ["81 62"]);
    }
}

#[test]
fn s4_2_2_server_sends_behind_its_answer() {
    let request = b"GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
    let mut outbox = Outbox::new();
    let mut server = Server::new(HeadLimits::default());
    let head = server.receive(request).unwrap().head.unwrap();
    head.upgrade()
        .unwrap()
        .accept(&Accept::default(), &mut outbox)
        .unwrap();
    let answer_len = outbox.len();
    connection(Role::Server).send_text("a", &mut outbox).unwrap();
    assert!(outbox.bytes().starts_with(b"HTTP/1.1 101 "));
    assert_eq!(outbox.bytes()[answer_len - 4..], *b"\r\n\r\n\x81\x01a");
}

// Misuse

/// A misuse: what was done before it, the misuse, and the error.
type Misuse = (
    &'static str,
    fn(&mut Connection, &mut Outbox),
    fn(&mut Connection, &mut Outbox) -> Result<(), SendError>,
    SendError,
);

const NOTHING: fn(&mut Connection, &mut Outbox) = |_, _| {};
const TEXT_BEGUN: fn(&mut Connection, &mut Outbox) = |connection, outbox| {
    connection
        .begin_message(MessageKind::Text, b"\xc3", outbox)
        .unwrap()
};
const FULL: fn(&mut Connection, &mut Outbox) = |_, outbox| outbox.set_max_bytes(0);
const FULL_INSIDE_A_MESSAGE: fn(&mut Connection, &mut Outbox) = |connection, outbox| {
    TEXT_BEGUN(connection, outbox);
    outbox.set_max_bytes(1);
};

const MISUSES: &[Misuse] = &[
    (
        "a ping of 126 bytes",
        NOTHING,
        |c, o| c.ping(&[0; 126], o),
        SendError::ControlFrameTooLong,
    ),
    (
        "a pong of 126 bytes",
        NOTHING,
        |c, o| c.pong(&[0; 126], o),
        SendError::ControlFrameTooLong,
    ),
    (
        "code 1005",
        NOTHING,
        |c, o| c.close(code(1005), o),
        SendError::InvalidCloseCode(1005),
    ),
    (
        "code 1006",
        NOTHING,
        |c, o| c.close(code(1006), o),
        SendError::InvalidCloseCode(1006),
    ),
    (
        "code 1015",
        NOTHING,
        |c, o| c.close(code(1015), o),
        SendError::InvalidCloseCode(1015),
    ),
    (
        "code 0",
        NOTHING,
        |c, o| c.close(code(0), o),
        SendError::InvalidCloseCode(0),
    ),
    (
        "a reason of 124 bytes",
        NOTHING,
        |c, o| c.close(Close::new(CloseCode::NORMAL, &"r".repeat(124)), o),
        SendError::ReasonTooLong,
    ),
    (
        "continue what was not begun",
        NOTHING,
        |c, o| c.continue_message(b"", o),
        SendError::NoMessage,
    ),
    (
        "finish what was not begun",
        NOTHING,
        |c, o| c.finish_message(b"", o),
        SendError::NoMessage,
    ),
    (
        "text inside a message",
        TEXT_BEGUN,
        |c, o| c.send_text("", o),
        SendError::MessageUnfinished,
    ),
    (
        "binary inside a message",
        TEXT_BEGUN,
        |c, o| c.send_binary(b"", o),
        SendError::MessageUnfinished,
    ),
    (
        "begin inside a message",
        TEXT_BEGUN,
        |c, o| c.begin_message(MessageKind::Text, b"", o),
        SendError::MessageUnfinished,
    ),
    (
        "begin with what is no UTF-8",
        NOTHING,
        |c, o| c.begin_message(MessageKind::Text, b"a\xff", o),
        SendError::InvalidUtf8,
    ),
    (
        "continue with what is no UTF-8",
        TEXT_BEGUN,
        |c, o| c.continue_message(b"a", o),
        SendError::InvalidUtf8,
    ),
    (
        "finish with what is no UTF-8",
        TEXT_BEGUN,
        |c, o| c.finish_message(b"\xff", o),
        SendError::InvalidUtf8,
    ),
    (
        "finish inside a character",
        TEXT_BEGUN,
        |c, o| c.finish_message(b"", o),
        SendError::InvalidUtf8,
    ),
    (
        "text into a full outbox",
        FULL,
        |c, o| c.send_text("", o),
        SendError::Full,
    ),
    (
        "binary into a full outbox",
        FULL,
        |c, o| c.send_binary(b"", o),
        SendError::Full,
    ),
    (
        "ping into a full outbox",
        FULL,
        |c, o| c.ping(b"", o),
        SendError::Full,
    ),
    (
        "pong into a full outbox",
        FULL,
        |c, o| c.pong(b"", o),
        SendError::Full,
    ),
    (
        "begin in a full outbox",
        FULL,
        |c, o| c.begin_message(MessageKind::Binary, b"", o),
        SendError::Full,
    ),
    (
        "continue in a full outbox",
        FULL_INSIDE_A_MESSAGE,
        |c, o| c.continue_message(b"\xa9", o),
        SendError::Full,
    ),
    (
        "finish in a full outbox",
        FULL_INSIDE_A_MESSAGE,
        |c, o| c.finish_message(b"\xa9", o),
        SendError::Full,
    ),
];

#[test]
fn s6_1_misuse_is_refused_and_nothing_is_queued() {
    for role in ROLES {
        for (name, before, misuse, error) in MISUSES {
            println!("{name}");
            let (mut connection, mut outbox) = (connection(role), outbox(role));
            before(&mut connection, &mut outbox);
            let queued = outbox.bytes().to_vec();
            for _ in 0..2 {
                assert_eq!(misuse(&mut connection, &mut outbox), Err(*error));
                assert_eq!(outbox.bytes(), queued);
            }
            // The connection is as it was: the message goes on, another one follows, input is looked at.
            outbox.set_max_bytes(Outbox::DEFAULT_MAX_BYTES);
            let mut expected = frames(role, &queued);
            if !queued.is_empty() {
                connection.finish_message(b"\xa9", &mut outbox).unwrap();
                expected.push("80 a9".into());
            }
            connection.send_text("on", &mut outbox).unwrap();
            let given = all_to(role, &[(0x89, b"p"), (0x88, b"")]);
            let seen = receive(&mut connection, &mut Inbox::new(), &mut outbox, &given);
            assert_eq!(format!("{seen:?}"), "[ping 70, close none]");
            expected.extend(["81 6f6e", "8a 70", "88"].map(String::from));
            assert_eq!(drain(role, &mut outbox), expected);
        }
    }
}

#[test]
fn s7_4_every_code_is_sent_or_refused() {
    for role in ROLES {
        for value in 0..=u16::MAX {
            let may = match value {
                1000..=1003 | 1007..=1009 | 1011..=1014 | 3000..=4999 => true,
                1010 => role == Role::Client,
                _ => false,
            };
            let mut connection = connection(role);
            let mut outbox = Outbox::new();
            let expected = match (may, role) {
                (false, _) => Err(SendError::InvalidCloseCode(value)),
                // Without keys, so that the client is quick.
                (true, Role::Client) => Err(SendError::NoMaskingKeys),
                (true, Role::Server) => Ok(()),
            };
            assert_eq!(connection.close(code(value), &mut outbox), expected);
            assert_eq!(CloseCode::new(value).may_be_sent_by(role), may);
        }
    }
}

#[test]
fn s5_5_1_reason_has_at_most_123_bytes() {
    for role in ROLES {
        for (reason, fits) in [
            ("r".repeat(123), true),
            ("r".repeat(124), false),
            ("€".repeat(41), true),
            ("€".repeat(42), false),
        ] {
            let (mut connection, mut outbox) = (connection(role), outbox(role));
            let closed = connection.close(Close::new(CloseCode::NORMAL, &reason), &mut outbox);
            assert_eq!(closed.is_ok(), fits);
            let sent = format!("88 03e8{}", to_hex(reason.as_bytes()));
            let expected = if fits { vec![sent] } else { vec![] };
            assert_eq!(drain(role, &mut outbox), expected);
        }
    }
}

/// Calls in the wrong order never put a wrong frame on the wire: the peer of any sequence sees no violation.
#[test]
fn s5_4_no_sequence_of_calls_breaks_the_order_of_fragments() {
    type Call = fn(&mut Connection, &mut Outbox) -> Result<(), SendError>;
    const CALLS: [Call; 7] = [
        |c, o| c.send_text("t", o),
        |c, o| c.begin_message(MessageKind::Text, b"\xc3", o),
        |c, o| c.continue_message(b"\xa9", o),
        |c, o| c.finish_message(b"", o),
        |c, o| c.begin_message(MessageKind::Binary, b"\xff", o),
        |c, o| c.ping(b"", o),
        |c, o| c.close(None, o),
    ];
    for role in ROLES {
        for sequence in 0..CALLS.len().pow(4) {
            let (mut connection, mut outbox) = (connection(role), outbox(role));
            let mut rest = sequence;
            for _ in 0..4 {
                let _ = CALLS[rest % CALLS.len()](&mut connection, &mut outbox);
                rest /= CALLS.len();
            }
            let peer = peer_of(role);
            let mut peer_connection = Connection::new(peer, &Config::default());
            let seen = receive(
                &mut peer_connection,
                &mut Inbox::new(),
                &mut common::outbox(peer),
                outbox.bytes(),
            );
            assert!(!format!("{seen:?}").contains("fail"), "{sequence}: {seen:?}");
        }
    }
}

#[test]
fn s5_2_header_has_no_more_than_a_payload_can() {
    for len in [u64::MAX >> 1, (1 << 63) + 5, u64::MAX] {
        let header = Header::new(Opcode::BINARY, len).encode();
        assert_eq!(*header, hex("82 7f 7f ff ff ff ff ff ff ff"));
    }
}

/// One outbox for a server's and a client's connection is a mistake, and no panic.
#[test]
fn s5_1_an_outbox_of_another_role_sends_nothing_unmasked() {
    let mut outbox = Outbox::new();
    let mut server = Connection::new(Role::Server, &Config::default());
    let mut client = Connection::new(Role::Client, &Config::default());
    let mut inbox = Inbox::new();
    receive(
        &mut server,
        &mut inbox,
        &mut outbox,
        &to(Role::Server, 0x89, b"a"),
    );
    for _ in 0..2 {
        receive(
            &mut client,
            &mut inbox,
            &mut outbox,
            &to(Role::Client, 0x89, b"b"),
        );
    }
    assert_eq!(client.send_text("x", &mut outbox), Err(SendError::Closed));
    assert!(!outbox.bytes().ends_with(b"b"));
}
