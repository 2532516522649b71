//! Compressed messages as a sender makes them (RFC 7692 §6.1, §7.2.1), and what a connection does with them besides.
#![cfg(feature = "deflate")]
#![allow(clippy::unwrap_used, clippy::panic)]

mod blocks;
mod common;

use blocks::Walker;
use common::{Case, ROLES, Seen, hex, outbox, peer_of, receive, to, to_hex};
use ws_proto::deflate::{Parameters, Pool, Settings};
use ws_proto::frame::{Decoder, Part, Rsv, Rules};
use ws_proto::{Config, Connection, Inbox, MessageKind, Outbox, Role};

const FRESH: Parameters = Parameters {
    server_no_context_takeover: true,
    client_no_context_takeover: true,
    server_max_window_bits: None,
    client_max_window_bits: None,
};

fn takes_over() -> Parameters {
    Parameters::default()
}

fn config(agreed: Parameters) -> Config {
    let mut config = Config::default();
    config.deflate = Some(agreed);
    config
}

/// A pool with this level and memory level, that compresses messages of any length.
fn pool(level: u8, mem_level: u8) -> Pool {
    let mut settings = Settings::default();
    (settings.level, settings.mem_level, settings.min_bytes) = (level, mem_level, 0);
    Pool::new(settings)
}

/// An endpoint that compresses messages of any length.
fn sender(role: Role, agreed: Parameters) -> (Connection, Outbox) {
    let mut outbox = outbox(role);
    outbox.set_pool(pool(6, 8));
    outbox.set_max_bytes(u32::MAX);
    (Connection::new(role, &config(agreed)), outbox)
}

/// The frames that an endpoint of this role sent, unmasked: first octet and payload data.
fn sent(role: Role, outbox: &Outbox) -> Vec<(u8, Vec<u8>)> {
    let mut bytes = outbox.bytes().to_vec();
    let mut decoder = Decoder::new(Rules {
        message_bits: Rsv::ALL,
        ..Rules::new(peer_of(role))
    });
    let (mut rest, mut frames) = (&mut bytes[..], Vec::<(u8, Vec<u8>)>::new());
    loop {
        let step = decoder.decode(rest).unwrap();
        match step.part {
            Part::More => break,
            Part::Header(header) => {
                let first = u8::from(header.fin) << 7 | header.rsv.bits() | header.opcode.get();
                frames.push((first, Vec::new()));
            }
            Part::Payload { range, .. } => frames.last_mut().unwrap().1.extend(&rest[range]),
        }
        rest = &mut rest[step.consumed..];
    }
    assert!(decoder.is_at_rest(), "whole messages");
    frames
}

/// [`sent`], in the notation of the vectors.
fn sent_hex(role: Role, outbox: &Outbox) -> Vec<String> {
    let frames = sent(role, outbox).into_iter();
    frames
        .map(|(first, payload)| format!("{first:02x} {}", to_hex(&payload)))
        .collect()
}

/// What the peer of this role sees of all that was sent.
#[track_caller]
fn delivered(role: Role, config: &Config, outbox: &Outbox) -> Vec<Seen> {
    let peer = peer_of(role);
    let mut connection = Connection::new(peer, config);
    receive(
        &mut connection,
        &mut Inbox::new(),
        &mut common::outbox(peer),
        outbox.bytes(),
    )
}

/// Bytes that do not compress.
fn noise(len: usize, seed: u32) -> Vec<u8> {
    let mut state = seed | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        (state >> 11) as u8
    };
    (0..len).map(|_| next()).collect()
}

// ---- byte for byte: RFC 7692 §7.2.3, PE rows ----

const HELLO: &str = "c1 f248cdc9c90700";
const HELLO_AGAIN: &str = "c1 f200110000";

#[test]
fn r7692_7_2_3_1_hello() {
    for role in ROLES {
        let (mut connection, mut outbox) = sender(role, takes_over());
        connection.send_text("Hello", &mut outbox).unwrap();
        assert_eq!(sent_hex(role, &outbox), [HELLO], "PE-01");
        if role == Role::Server {
            assert_eq!(outbox.bytes(), hex("c1 07 f2 48 cd c9 c9 07 00"));
        }
    }
}

#[test]
fn r7692_7_2_3_2_hello_twice() {
    for role in ROLES {
        let (mut connection, mut outbox) = sender(role, takes_over());
        connection.send_text("Hello", &mut outbox).unwrap();
        // A message in between that is not compressed leaves the window alone, and so does an empty one.
        connection.set_compression(false);
        connection.send_text("hi", &mut outbox).unwrap();
        connection.set_compression(true);
        connection.send_text("", &mut outbox).unwrap();
        connection.send_text("Hello", &mut outbox).unwrap();
        assert_eq!(
            sent_hex(role, &outbox),
            [HELLO, "81 6869", "c1 00", HELLO_AGAIN],
            "PE-06"
        );
    }
}

/// "Hello" by itself goes out as it is, since 7 octets are no gain over 5: so, three times in one message.
#[test]
fn r7692_7_1_1_without_takeover_every_message_begins_with_an_empty_window() {
    for role in ROLES {
        let (mut connection, mut outbox) = sender(role, FRESH);
        connection.send_text("Hello", &mut outbox).unwrap();
        connection.send_text("HelloHelloHello", &mut outbox).unwrap();
        connection.send_text("HelloHelloHello", &mut outbox).unwrap();
        let frames = sent_hex(role, &outbox);
        assert_eq!(frames[0], "81 48656c6c6f");
        assert!(frames[1].starts_with("c1 f248cdc9c9"), "{frames:?}");
        assert_eq!(frames[1], frames[2], "PE-04");
    }
}

#[test]
fn r7692_7_2_3_6_an_empty_message_is_one_octet() {
    for role in ROLES {
        let (mut connection, mut outbox) = sender(role, takes_over());
        connection.send_text("", &mut outbox).unwrap();
        connection
            .begin_message(MessageKind::Binary, b"", &mut outbox)
            .unwrap();
        connection.finish_message(b"", &mut outbox).unwrap();
        assert_eq!(sent_hex(role, &outbox), ["c1 00", "42 ", "80 00"], "PE-05");
        connection
            .begin_message(MessageKind::Text, b"Hello", &mut outbox)
            .unwrap();
        connection.finish_message(b"", &mut outbox).unwrap();
        // §7.2.3.6: what was flushed, and an empty rest.
        assert_eq!(
            sent_hex(role, &outbox)[3..],
            ["41 f248cdc9c907000000ffff", "80 00"]
        );
        let seen = delivered(role, &config(takes_over()), &outbox);
        assert_eq!(format!("{seen:?}"), "[text \"\", bin -, text \"Hello\"]");
    }
}

#[test]
fn r7692_7_2_1_fragments_are_flushed_one_by_one() {
    for role in ROLES {
        for agreed in [takes_over(), FRESH] {
            let (mut connection, mut outbox) = sender(role, agreed);
            for cut in 0..=5 {
                let (front, back) = b"Hello".split_at(cut);
                connection
                    .begin_message(MessageKind::Text, front, &mut outbox)
                    .unwrap();
                connection.finish_message(back, &mut outbox).unwrap();
                let frames = sent(role, &outbox);
                let [(first, front), (last, _)] = &frames[2 * cut..] else {
                    panic!("{frames:?}")
                };
                assert_eq!(
                    (*first, *last),
                    (0x41, 0x80),
                    "PE-02: RSV1 on the first frame only"
                );
                assert!(cut == 0 || front.ends_with(b"\0\0\xff\xff"), "it is all there");
            }
            let seen = delivered(role, &config(agreed), &outbox);
            assert_eq!(seen, vec![Seen::Text("Hello".into()); 6]);
        }
    }
}

// ---- what is not compressed ----

#[test]
fn r7692_6_1_nothing_is_compressed_unless_it_was_agreed() {
    let text = "a".repeat(1000);
    for role in ROLES {
        let (mut connection, mut outbox) = (Connection::new(role, &Config::default()), outbox(role));
        outbox.set_pool(pool(9, 9));
        connection.set_compression(true);
        assert!(!connection.compression());
        connection.send_text(&text, &mut outbox).unwrap();
        assert_eq!(sent(role, &outbox), [(0x81, text.clone().into_bytes())]);
        // And RSV1 fails.
        Case::new(role).feed(&to(role, 0xc1, b"\0")).saw("fail 1002 at 1");
    }
}

#[test]
fn r7692_6_1_each_message_may_be_either() {
    for role in ROLES {
        for agreed in [takes_over(), FRESH] {
            let (mut connection, mut outbox) = sender(role, agreed);
            let text = "b".repeat(100);
            let expected = [true, false, false, true, true];
            for on in expected {
                connection.set_compression(on);
                assert_eq!(connection.compression(), on);
                connection.send_text(&text, &mut outbox).unwrap();
            }
            // A message that was begun goes on as it began.
            connection
                .begin_message(MessageKind::Text, b"x", &mut outbox)
                .unwrap();
            connection.set_compression(false);
            connection.finish_message(b"y", &mut outbox).unwrap();
            connection
                .begin_message(MessageKind::Text, b"x", &mut outbox)
                .unwrap();
            connection.set_compression(true);
            connection.finish_message(b"y", &mut outbox).unwrap();
            let first: Vec<u8> = sent(role, &outbox).iter().map(|(first, _)| *first).collect();
            assert_eq!(first, hex("c1 81 81 c1 c1 41 80 01 80"), "PE-03");
            let seen = delivered(role, &config(agreed), &outbox);
            assert_eq!(seen.len(), 7);
            assert_eq!(seen[..5], vec![Seen::Text(text); 5]);
            assert_eq!(seen[5..], vec![Seen::Text("xy".into()); 2]);
        }
    }
}

#[test]
fn r7692_6_1_short_messages_go_out_as_they_are() {
    for role in ROLES {
        let (mut connection, mut outbox) = (Connection::new(role, &config(takes_over())), outbox(role));
        let first = |len: usize, connection: &mut Connection, outbox: &mut Outbox| {
            outbox.consume(usize::MAX);
            connection.send_binary(&vec![1; len], outbox).unwrap();
            sent(role, outbox)[0].0
        };
        assert_eq!(first(63, &mut connection, &mut outbox), 0x82, "the default is 64");
        assert_eq!(first(64, &mut connection, &mut outbox), 0xc2);
        let mut settings = Settings::default();
        settings.min_bytes = 10;
        outbox.set_pool(Pool::new(settings));
        assert_eq!(first(9, &mut connection, &mut outbox), 0x82);
        assert_eq!(first(10, &mut connection, &mut outbox), 0xc2);
    }
}

#[test]
fn r7692_6_1_what_does_not_compress_goes_out_as_it_is_if_contexts_are_not_taken_over() {
    let data = noise(1000, 7);
    for role in ROLES {
        for (agreed, first) in [(takes_over(), 0xc2), (FRESH, 0x82)] {
            let (mut connection, mut outbox) = sender(role, agreed);
            connection.send_binary(&data, &mut outbox).unwrap();
            connection.send_binary(&data, &mut outbox).unwrap();
            let frames = sent(role, &outbox);
            assert_eq!((frames[0].0, frames.len()), (first, 2));
            // It is in the window, so that the second time is short.
            assert_eq!(frames[1].1.len() < 100, first == 0xc2);
            let seen = delivered(role, &config(agreed), &outbox);
            assert_eq!(seen, vec![Seen::Binary(data.clone()); 2]);
        }
    }
}

#[test]
fn r7692_6_1_frames_whose_bytes_the_embedder_gives_go_out_as_they_are() {
    let text = "frame ".repeat(50);
    let (mut server, mut outbox) = sender(Role::Server, takes_over());
    let len = text.len() as u64;
    server.begin_frame(MessageKind::Text, len, &mut outbox).unwrap();
    server.continue_frame(text.as_bytes(), &mut outbox).unwrap();
    assert_eq!(sent(Role::Server, &outbox), [(0x81, text.clone().into_bytes())]);
    for role in ROLES {
        let (mut connection, mut outbox) = sender(role, takes_over());
        let mut payload = text.clone().into_bytes();
        let header = connection
            .send_header(MessageKind::Text, &mut payload, &mut outbox)
            .unwrap();
        assert_eq!(header[0], 0x81);
        assert!(outbox.is_empty());
    }
}

// ---- windows ----

/// Data that a compressor with too large a window makes long matches of.
fn tempting(bits: u32) -> Vec<Vec<u8>> {
    let beyond = noise((1 << bits) + 40, bits);
    let just_within = noise((1 << bits) - 280, bits + 100);
    let period: Vec<u8> = noise(300, 5).into_iter().cycle().take(4096).collect();
    vec![
        period.clone(),
        [&beyond[..], &beyond[..200]].concat(),
        period,
        [&just_within[..], &just_within[..200]].concat(),
    ]
}

#[test]
fn r7692_7_2_1_no_distance_is_beyond_the_window_agreed_on() {
    for bits in 9..=14 {
        let agreed = Parameters {
            server_max_window_bits: Some(bits),
            ..Parameters::default()
        };
        let messages = tempting(u32::from(bits));
        for level in 0..=9 {
            for mem_level in if bits < 12 { 1..=9 } else { 8..=8 } {
                let mut server = Connection::new(Role::Server, &config(agreed));
                let mut outbox = Outbox::new();
                outbox.set_max_bytes(u32::MAX);
                outbox.set_pool(pool(level, mem_level));
                for message in &messages {
                    server.send_binary(message, &mut outbox).unwrap();
                }
                let mut walker = Walker::default();
                for ((first, payload), message) in sent(Role::Server, &outbox).iter().zip(&messages) {
                    assert_eq!(*first, 0xc2);
                    assert!(walker.message(payload, true).as_ref() == Some(message));
                }
                let farthest = walker.farthest;
                assert!(
                    farthest <= 1 << bits,
                    "{farthest} with {bits} bits, level {level}"
                );
                // Not for want of trying.
                let tries = level > 0 && bits >= 10;
                assert!(
                    !tries || farthest >= 300,
                    "{farthest} with {bits} bits, level {level}"
                );
            }
        }
    }
}

#[test]
fn r7692_7_1_2_1_a_larger_window_reaches_farther() {
    let (mut server, mut outbox) = sender(Role::Server, takes_over());
    let data = noise(20_000, 3);
    server.send_binary(&data, &mut outbox).unwrap();
    server.send_binary(&data, &mut outbox).unwrap();
    let mut walker = Walker::default();
    for (_, payload) in sent(Role::Server, &outbox) {
        assert_eq!(walker.message(&payload, true), Some(data.clone()));
    }
    assert_eq!(walker.farthest, 20_000);
}

#[test]
fn r7692_7_1_2_with_a_window_of_256_bytes_messages_go_out_as_they_are() {
    for role in ROLES {
        for fresh in [false, true] {
            let agreed = Parameters {
                server_max_window_bits: Some(8),
                client_max_window_bits: Some(8),
                server_no_context_takeover: fresh,
                client_no_context_takeover: fresh,
            };
            let (mut connection, mut outbox) = sender(role, agreed);
            connection.set_compression(true);
            assert!(!connection.compression());
            let period: Vec<u8> = noise(300, 1).into_iter().cycle().take(4096).collect();
            connection.send_binary(&period, &mut outbox).unwrap();
            connection
                .begin_message(MessageKind::Binary, &period, &mut outbox)
                .unwrap();
            connection.finish_message(&period, &mut outbox).unwrap();
            let first: Vec<u8> = sent(role, &outbox).iter().map(|(first, _)| *first).collect();
            assert_eq!(first, [0x82, 0x02, 0x80], "LIM-d1");
        }
    }
}

// ---- the outbox ----

/// However long the compressed message is, its header fits it: around the lengths where headers grow, with compressors
/// that make data longer.
#[test]
fn r7692_6_1_headers_have_the_length_of_what_was_compressed() {
    let data = noise(65_600, 9);
    for role in ROLES {
        for (level, mem_level) in [(1, 8), (6, 1), (6, 5), (6, 8), (0, 1), (9, 9)] {
            let pool = pool(level, mem_level);
            for len in (100..140)
                .chain((61_000..65_600).step_by(449))
                .chain((65_440..65_475).step_by(7))
            {
                let (mut connection, mut outbox) = sender(role, takes_over());
                outbox.set_pool(pool.clone());
                connection.send_binary(&data[..len], &mut outbox).unwrap();
                let seen = delivered(role, &config(takes_over()), &outbox);
                assert!(
                    seen == [Seen::Binary(data[..len].to_vec())],
                    "{len} bytes at level {level}, memory level {mem_level}: {seen:?}"
                );
            }
        }
    }
}

/// Bytes that were written are forgotten to make room, while a message is compressed behind them.
#[test]
fn r7692_6_1_room_of_bytes_that_were_written_is_used_again() {
    for role in ROLES {
        for agreed in [takes_over(), FRESH] {
            let (mut connection, mut outbox) = sender(role, agreed);
            let mut peer = Connection::new(peer_of(role), &config(agreed));
            let (mut inbox, mut replies) = (Inbox::new(), common::outbox(peer_of(role)));
            let (mut seen, mut expected) = (Vec::new(), Vec::new());
            for round in 0..300 {
                let text = "once more ".repeat(if round % 25 == 24 { 390 } else { 3 });
                let data = noise(round * 7 % 500, round as u32 + 1);
                connection.send_binary(&data, &mut outbox).unwrap();
                connection.send_text(&text, &mut outbox).unwrap();
                expected.extend([Seen::Binary(data), Seen::Text(text)]);
                // The transport takes most of it.
                let n = outbox.len().saturating_sub(round % 90);
                let written = outbox.bytes()[..n].to_vec();
                outbox.consume(n);
                seen.extend(receive(&mut peer, &mut inbox, &mut replies, &written));
            }
            seen.extend(receive(&mut peer, &mut inbox, &mut replies, outbox.bytes()));
            assert!(seen == expected, "{role:?}: as it was sent");
        }
    }
}
