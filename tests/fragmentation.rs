//! RFC 6455 §5.4, §6.2: messages in fragments.
#![cfg(feature = "alloc")]

mod common;

use common::{ROLES, all_to, feed, receive, to};
use ws_proto::{Config, Connection, Inbox, Outbox};

const TEXT: u8 = 0x81;
const BINARY: u8 = 0x82;
const FIRST_TEXT: u8 = 0x01;
const FIRST_BINARY: u8 = 0x02;
const MIDDLE: u8 = 0x00;
const LAST: u8 = 0x80;
const CLOSE: u8 = 0x88;
const PING: u8 = 0x89;
const PONG: u8 = 0x8a;

#[test]
fn s5_4_message_is_the_concatenation_of_its_fragments() {
    for role in ROLES {
        for (frames, events) in [
            (&[(FIRST_TEXT, &b"a"[..]), (LAST, b"b")][..], "text \"ab\""),
            (
                &[(FIRST_TEXT, b"a"), (MIDDLE, b"b"), (MIDDLE, b"c"), (LAST, b"d")],
                "text \"abcd\"",
            ),
            (&[(FIRST_BINARY, b"\x00\xff"), (LAST, b"\xfe")], "bin 00fffe"),
            (
                &[
                    (FIRST_TEXT, b"a"),
                    (LAST, b""),
                    (FIRST_BINARY, b"b"),
                    (LAST, b"c"),
                ],
                "text \"a\"; bin 6263",
            ),
        ] {
            feed(role, &all_to(role, frames)).saw(events).sent(&[]);
        }
    }
}

#[test]
fn s5_4_cuts_between_frames_carry_no_meaning() {
    let text = "a κόσμε 😀";
    for role in ROLES {
        let whole = feed(role, &to(role, TEXT, text.as_bytes()));
        for first in 0..=text.len() {
            let second = (first + 3).min(text.len());
            let frames = [
                (FIRST_TEXT, &text.as_bytes()[..first]),
                (MIDDLE, &text.as_bytes()[first..second]),
                (LAST, &text.as_bytes()[second..]),
            ];
            assert_eq!(feed(role, &all_to(role, &frames)), whole);
        }
    }
}

#[test]
fn s5_4_type_is_that_of_the_first_frame() {
    for role in ROLES {
        // What is no UTF-8 fails in text and is fine in binary, whatever came before.
        let binary = [
            (FIRST_TEXT, &b"a"[..]),
            (LAST, b"b"),
            (FIRST_BINARY, b"\xff"),
            (LAST, b"\xff"),
        ];
        feed(role, &all_to(role, &binary)).saw("text \"ab\"; bin ffff");
        let text = [
            (FIRST_BINARY, &b"\xff"[..]),
            (LAST, b""),
            (FIRST_TEXT, b"a"),
            (LAST, b"\xff"),
        ];
        assert!(format!("{:?}", feed(role, &all_to(role, &text)).seen).starts_with("[bin ff, fail 1007"));
    }
}

#[test]
fn s5_4_fragments_may_be_empty() {
    for role in ROLES {
        for (frames, events) in [
            (&[(FIRST_TEXT, &b""[..]), (LAST, b"")][..], "text \"\""),
            (&[(FIRST_BINARY, b""), (MIDDLE, b""), (LAST, b"")], "bin -"),
            (
                &[(FIRST_TEXT, b""), (MIDDLE, b""), (LAST, b"end")],
                "text \"end\"",
            ),
            (
                &[(FIRST_TEXT, b"begin"), (MIDDLE, b""), (LAST, b"")],
                "text \"begin\"",
            ),
        ] {
            feed(role, &all_to(role, frames)).saw(events);
        }
    }
}

#[test]
fn s6_2_messages_may_be_empty() {
    for role in ROLES {
        feed(role, &all_to(role, &[(TEXT, b""), (BINARY, b""), (TEXT, b"")]))
            .saw("text \"\"; bin -; text \"\"");
    }
}

#[test]
fn s5_4_control_frames_come_between_fragments() {
    for role in ROLES {
        let frames = [
            (FIRST_TEXT, &b"Hel"[..]),
            (PING, b"1"),
            (PONG, b""),
            (MIDDLE, b"l"),
            (PONG, b"22"),
            (LAST, b"o"),
        ];
        feed(role, &all_to(role, &frames))
            .saw("ping 31; pong -; pong 3232; text \"Hello\"")
            .sent(&["8a 31"]);
    }
}

#[test]
fn s5_4_control_frames_come_inside_a_character() {
    for role in ROLES {
        let frames = [
            (FIRST_TEXT, &b"\xf0\x9f"[..]),
            (PING, b"\xff"),
            (MIDDLE, b"\x98"),
            (LAST, b"\x80"),
        ];
        feed(role, &all_to(role, &frames)).saw("ping ff; text \"😀\"");
    }
}

#[test]
fn s5_4_messages_are_not_interleaved() {
    for role in ROLES {
        for second in [TEXT, BINARY, FIRST_TEXT, FIRST_BINARY] {
            for first in [FIRST_TEXT, FIRST_BINARY] {
                let mut frames = to(role, first, b"");
                let at = frames.len() + 1;
                frames.extend(to(role, second, b"x"));
                feed(role, &frames)
                    .saw(&format!("fail 1002 at {at}"))
                    .sent(&["88 03ea"]);
            }
        }
    }
}

#[test]
fn s5_4_continuation_needs_a_message() {
    for role in ROLES {
        for continuation in [MIDDLE, LAST] {
            feed(role, &to(role, continuation, b"x")).saw("fail 1002 at 1");
            // A control frame before it is none.
            let mut frames = to(role, PING, b"");
            let at = frames.len() + 1;
            frames.extend(to(role, continuation, b"x"));
            feed(role, &frames).saw(&format!("ping -; fail 1002 at {at}"));
            // Nor is a message that has ended, in one frame or in several.
            let ended = [(TEXT, &b"a"[..]), (FIRST_TEXT, b"b"), (LAST, b"c")];
            let mut frames = all_to(role, &ended);
            let at = frames.len() + 1;
            frames.extend(to(role, continuation, b"x"));
            feed(role, &frames).saw(&format!("text \"a\"; text \"bc\"; fail 1002 at {at}"));
        }
    }
}

#[test]
fn s5_5_1_close_ends_an_unfinished_message() {
    for role in ROLES {
        let frames = all_to(role, &[(FIRST_TEXT, b"Hel"), (CLOSE, b"\x03\xe8"), (LAST, b"lo")]);
        let outcome = feed(role, &frames);
        outcome.saw("close 1000 \"\"").sent(&["88 03e8"]);
        assert_eq!(outcome.close_reason, "", "not what is left of the message");
        // Inside a character, too: a message that is dropped is not judged.
        feed(role, &all_to(role, &[(FIRST_TEXT, b"\xc3"), (CLOSE, b"")])).saw("close none");
    }
}

#[test]
fn s7_2_1_end_of_stream_delivers_nothing_unfinished() {
    for role in ROLES {
        let frame = to(role, TEXT, b"Hello");
        let fragments = all_to(role, &[(FIRST_TEXT, b"Hel"), (MIDDLE, b"lo")]);
        for bytes in [&frame[..frame.len() - 1], &fragments] {
            feed(role, bytes).saw("more");
            let mut connection = Connection::new(role, &Config::default());
            let (mut inbox, mut outbox) = (Inbox::new(), Outbox::new());
            receive(&mut connection, &mut inbox, &mut outbox, bytes);
            connection.receive_eof(&outbox);
            assert_eq!(receive(&mut connection, &mut inbox, &mut outbox, b""), []);
            assert!(!connection.status().clean && outbox.is_empty());
        }
    }
}

/// Three messages in one read, one of which comes in fragments: the inbox keeps what is unfinished and no more.
#[test]
fn s5_4_inbox_keeps_the_unfinished_message_alone() {
    for role in ROLES {
        let mut connection = Connection::new(role, &Config::default());
        let (mut inbox, mut outbox) = (Inbox::new(), Outbox::new());
        let mut len_after = |bytes: &[u8]| {
            receive(&mut connection, &mut inbox, &mut outbox, bytes);
            inbox.len()
        };
        assert_eq!(
            len_after(&all_to(role, &[(TEXT, b"whole"), (FIRST_TEXT, b"abc")])),
            3
        );
        assert_eq!(len_after(&to(role, PONG, b"between")), 3);
        assert_eq!(len_after(&to(role, MIDDLE, b"de")), 5);
        assert_eq!(len_after(&all_to(role, &[(LAST, b"f"), (BINARY, b"whole")])), 0);
    }
}

/// An inbox that an ended connection left in the middle of a character is as good as new for the next one.
#[test]
fn s5_4_inbox_can_be_used_for_another_connection() {
    for role in ROLES {
        let mut inbox = Inbox::new();
        for left in [
            all_to(role, &[(FIRST_TEXT, b"a\xe2\x82")]),
            all_to(role, &[(FIRST_TEXT, b"a"), (MIDDLE, b"\xff")]),
            to(role, PING, b"cut")[..4].to_vec(),
            all_to(role, &[(FIRST_BINARY, b"b"), (CLOSE, b"\x03\xe8reason")]),
        ] {
            for (frames, events) in [
                (
                    &[(FIRST_TEXT, &b"one"[..]), (LAST, b"two")][..],
                    "[text \"onetwo\"]",
                ),
                (
                    &[(FIRST_BINARY, b"\xff"), (PING, b"p"), (LAST, b"\xfe")],
                    "[ping 70, bin fffe]",
                ),
            ] {
                for bytes in [left.clone(), all_to(role, frames)] {
                    let mut connection = Connection::new(role, &Config::default());
                    let mut outbox = common::outbox(role);
                    let mut seen = Vec::new();
                    for octet in bytes.chunks(1) {
                        seen.extend(receive(&mut connection, &mut inbox, &mut outbox, octet));
                    }
                    if bytes != left {
                        assert_eq!(format!("{seen:?}"), events, "after {left:02x?}");
                    }
                }
            }
        }
    }
}
