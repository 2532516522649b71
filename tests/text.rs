//! RFC 6455 §5.6, §8.1 and RFC 3629: text messages are UTF-8, and fail at the octet that proves they are not.
#![cfg(feature = "alloc")]
#![allow(clippy::expect_used)]

mod common;

use common::{Case, ROLES, all_to, code, feed, hex, receive, to, vectors};
use ws_proto::utf8::Validator;
use ws_proto::{Config, Connection, Event, Inbox, Input, Role};

/// What a vector says of its payload.
enum Verdict {
    Ok,
    BadAt(usize),
    Cut,
}

fn payloads() -> Vec<(&'static str, Vec<u8>, Verdict)> {
    vectors(include_str!("vectors/utf8.txt"))
        .into_iter()
        .map(|[id, payload, result, _note]| {
            let verdict = match (result, result.strip_prefix("bad@")) {
                ("ok", _) => Verdict::Ok,
                ("cut", _) => Verdict::Cut,
                (_, offset) => Verdict::BadAt(offset.and_then(|offset| offset.parse().ok()).expect(result)),
            };
            println!("{id}");
            (id, hex(payload), verdict)
        })
        .collect()
}

/// Bytes of the header of a short frame to this receiver.
fn header_len(receiver: Role) -> usize {
    to(receiver, 0x81, b"").len()
}

#[test]
fn s8_1_vectors_in_one_frame() {
    for role in ROLES {
        for (id, payload, verdict) in payloads() {
            let frame = to(role, 0x81, &payload);
            let events = match verdict {
                Verdict::Ok => format!("text hex:{}", common::to_hex(&payload)),
                Verdict::BadAt(offset) => format!("fail 1007 at {}", header_len(role) + offset + 1),
                Verdict::Cut => format!("fail 1007 at {}", frame.len()),
            };
            println!("{id}");
            feed(role, &frame).saw(&events);
        }
    }
}

#[test]
fn s5_6_vectors_in_two_fragments_cut_at_every_byte() {
    for role in ROLES {
        let header = header_len(role);
        for (id, payload, verdict) in payloads() {
            for cut in 0..=payload.len() {
                println!("{id} cut at {cut}");
                let unfinished = all_to(role, &[(0x01, &payload[..cut]), (0x00, &payload[cut..])]);
                let finished = all_to(role, &[(0x01, &payload[..cut]), (0x80, &payload[cut..])]);
                let (before, after) = match verdict {
                    Verdict::Ok => ("more".into(), format!("text hex:{}", common::to_hex(&payload))),
                    Verdict::Cut => ("more".into(), format!("fail 1007 at {}", finished.len())),
                    Verdict::BadAt(offset) => {
                        let headers = if offset < cut { header } else { 2 * header };
                        let fail = format!("fail 1007 at {}", headers + offset + 1);
                        (fail.clone(), fail)
                    }
                };
                feed(role, &unfinished).saw(&before);
                feed(role, &finished).saw(&after);
            }
        }
    }
}

#[test]
fn s8_1_vectors_in_fragments_of_one_octet() {
    for role in ROLES {
        for (id, payload, verdict) in payloads() {
            println!("{id}");
            let mut frames: Vec<(u8, &[u8])> = payload.chunks(1).map(|octet| (0x00, octet)).collect();
            frames[0].0 = 0x01;
            let more = feed(role, &all_to(role, &frames));
            frames.push((0x80, b""));
            let end = feed(role, &all_to(role, &frames));
            match verdict {
                Verdict::Ok => end.saw(&format!("text hex:{}", common::to_hex(&payload))),
                Verdict::Cut => {
                    more.saw("more").sent(&[]);
                    end.saw(&format!("fail 1007 at {}", all_to(role, &frames).len()))
                }
                Verdict::BadAt(offset) => {
                    let fail = format!("fail 1007 at {}", (header_len(role) + 1) * (offset + 1));
                    more.saw(&fail);
                    end.saw(&fail)
                }
            };
        }
    }
}

/// Beyond the block of bytes that is validated at once, and across two of those.
#[test]
fn s8_1_vectors_behind_a_long_text() {
    for before in [63, 64, 300, 4094, 4095] {
        for (id, payload, verdict) in payloads() {
            println!("{id} behind {before}");
            let mut text = vec![b'a'; before];
            text.extend(payload);
            let frame = to(Role::Server, 0x81, &text);
            let header = frame.len() - text.len();
            let events = match verdict {
                Verdict::Ok => format!("text hex:{}", common::to_hex(&text)),
                Verdict::BadAt(offset) => format!("fail 1007 at {}", header + before + offset + 1),
                Verdict::Cut => format!("fail 1007 at {}", frame.len()),
            };
            let cuts = [0, 1, header, frame.len() - 2, frame.len() - 1];
            Case::new(Role::Server).feed_cut(&frame, &cuts).saw(&events);
        }
    }
}

#[test]
fn s8_1_vectors_in_the_validator() {
    for (id, payload, verdict) in payloads() {
        let fed = |pieces: &[&[u8]]| {
            let mut validator = Validator::new();
            let mut before = 0;
            for piece in pieces {
                validator.feed(piece).map_err(|error| before + error.offset)?;
                before += piece.len();
            }
            Ok(validator.is_complete())
        };
        let expected = match verdict {
            Verdict::Ok => Ok(true),
            Verdict::Cut => Ok(false),
            Verdict::BadAt(offset) => Err(offset),
        };
        assert_eq!(fed(&[&payload]), expected, "{id}");
        assert_eq!(
            fed(&payload.chunks(1).collect::<Vec<_>>()),
            expected,
            "{id} byte by byte"
        );
        for cut in 0..=payload.len() {
            assert_eq!(
                fed(&[&payload[..cut], &payload[cut..]]),
                expected,
                "{id} cut at {cut}"
            );
        }
    }
}

#[test]
fn s8_1_text_fails_before_its_frame_is_complete() {
    for role in ROLES {
        // The header declares 100 bytes; the third proves it.
        let frame = to(role, 0x81, &[&b"ab\xff"[..], &[b'c'; 97]].concat());
        let proven = header_len(role) + 3;
        feed(role, &frame[..proven])
            .saw(&format!("fail 1007 at {proven}"))
            .sent(&["88 03ef"]);
        feed(role, &frame[..proven - 1]).saw("more");
    }
}

#[test]
fn s8_1_close_reason_is_utf8_by_the_same_vectors() {
    for role in ROLES {
        for (id, payload, verdict) in payloads() {
            println!("{id}");
            let frame = to(role, 0x88, &[&b"\x03\xe8"[..], &payload].concat());
            match verdict {
                Verdict::Ok => {
                    feed(role, &frame).saw(&format!("close 1000 hex:{}", common::to_hex(&payload)))
                }
                _ => feed(role, &frame)
                    .saw(&format!("fail 1007 at {}", frame.len()))
                    .sent(&["88 03ef"]),
            };
        }
    }
}

#[test]
fn s8_1_each_message_is_judged_by_itself() {
    for role in ROLES {
        // The second message does not complete the first one's character.
        let cut = all_to(role, &[(0x81, b"\xc3"), (0x81, b"\xa9")]);
        let at = to(role, 0x81, b"\xc3").len();
        feed(role, &cut).saw(&format!("fail 1007 at {at}"));
        // Nor does binary spoil the text after it.
        let frames = [
            (0x82, &b"\xc3"[..]),
            (0x81, b"a"),
            (0x02, b"\xff"),
            (0x80, b"\xc3"),
            (0x81, b"b"),
        ];
        feed(role, &all_to(role, &frames)).saw("bin c3; text \"a\"; bin ffc3; text \"b\"");
    }
}

#[test]
fn s8_1_text_after_our_close_is_judged_too() {
    for role in ROLES {
        let closed = Case {
            before: &|connection, outbox| assert!(connection.close(code(1000), outbox).is_ok()),
            ..Case::new(role)
        };
        let cut = all_to(role, &[(0x01, b"\xe2\x82"), (0x80, b"")]);
        closed
            .feed(&cut)
            .saw(&format!("fail 1007 at {}", cut.len()))
            .sent(&[]);
    }
}

/// Text events are valid UTF-8 even if the embedder mixes up its values: here two copies of a connection, in the middle
/// of a text message, share an inbox, which gets the bytes of both.
#[test]
fn s8_1_text_is_valid_with_any_inbox() {
    let pieces = [
        to(Role::Client, 0x00, b"ab"),
        to(Role::Client, 0x00, b"\xc3"),
        to(Role::Client, 0x00, b"\xff"),
        to(Role::Client, 0x80, b""),
        to(Role::Client, 0x80, b"cd"),
        to(Role::Client, 0x8a, &[0xff; 125])[..100].to_vec(), // cut: the rest is what the next pieces bring
        to(Role::Client, 0x88, b"\x03\xe8\xc3\xa9"),
    ];
    let actions = 2 * pieces.len();
    for sequence in 0..actions.pow(4) {
        let mut inbox = Inbox::new();
        let mut outbox = common::outbox(Role::Client);
        let mut first = Connection::new(Role::Client, &Config::default());
        receive(&mut first, &mut inbox, &mut outbox, b"\x01\x01a");
        let mut connections = [first; 2];
        let mut rest = sequence;
        for _ in 0..4 {
            let (connection, piece) = (rest % 2, rest / 2 % pieces.len());
            rest /= actions;
            let mut bytes = pieces[piece].clone();
            let mut input = Input::new(&mut bytes[..], &mut inbox);
            while let Ok(true) = connections[connection].receive(&mut input, &mut outbox) {
                if let Event::Text(text) = input.event() {
                    let valid = std::str::from_utf8(text.as_bytes()).is_ok();
                    assert!(valid, "{:02x?} in {sequence}", text.as_bytes());
                }
            }
        }
    }
}
