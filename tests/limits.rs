//! RFC 6455 §10.4: every limit at its value and one over, and memory that follows what was received.
#![cfg(feature = "alloc")]
#![allow(clippy::unwrap_used)]

mod common;

use common::{Case, ROLES, Seen, all_to, hex, outbox, receive, to};
use ws_proto::frame::{Decoder, Rules};
use ws_proto::{Close, Config, Connection, Inbox, Limits, MessageKind, Outbox, Role, SendError, Violation};

fn limited(role: Role, set: impl FnOnce(&mut Limits)) -> Case<'static> {
    let mut case = Case::new(role);
    set(&mut case.config.limits);
    case
}

#[test]
fn s10_4_defaults() {
    let limits = Limits::default();
    assert_eq!(limits.max_frame_bytes, 16 << 20);
    assert_eq!(limits.max_message_bytes, 16 << 20);
    assert_eq!(limits.max_fragments, 65_536);
    assert_eq!(limits.max_control_frames, u16::MAX, "off");
    assert_eq!(Rules::new(Role::Server).max_frame_bytes, 16 << 20);
    assert_eq!(Outbox::DEFAULT_MAX_BYTES, 1 << 20);
    assert_eq!(Close::MAX_REASON_BYTES, 123);
}

#[test]
fn s10_4_frame_bytes() {
    for role in ROLES {
        let case = limited(role, |limits| limits.max_frame_bytes = 10);
        case.feed(&to(role, 0x82, &[7; 10])).saw("bin (07)*10");
        case.feed(&all_to(role, &[(0x02, &[7; 10]), (0x80, &[7; 10])]))
            .saw("bin (07)*20");
        for first in [0x81, 0x82, 0x01, 0x02] {
            case.feed(&to(role, first, &[b'a'; 11]))
                .saw("fail 1009 at 2")
                .sent(&["88 03f1"]);
        }
        // Control frames have a limit of their own.
        case.feed(&to(role, 0x8a, &[7; 11])).saw("pong (07)*11");
    }
}

#[test]
fn s10_4_frame_bytes_by_longer_lengths() {
    for (limit, at, over, proven) in [
        (126, "82 7e 00 7e", "82 7e 00 7f", 4),
        (65_535, "82 7e ff ff", "82 7f 00 00 00 00 00 01 00 00", 10),
        (
            65_536,
            "82 7f 00 00 00 00 00 01 00 00",
            "82 7f 00 00 00 00 00 01 00 01",
            10,
        ),
    ] {
        let case = limited(Role::Client, |limits| limits.max_frame_bytes = limit);
        case.feed(&hex(at)).saw("more");
        case.feed(&hex(over)).saw(&format!("fail 1009 at {proven}"));
    }
}

#[test]
fn s10_4_message_bytes_in_one_frame() {
    for role in ROLES {
        for (limit, over) in [(0, 1), (4, 5), (125, 126)] {
            let case = limited(role, |limits| limits.max_message_bytes = limit);
            let payload = vec![b'a'; limit as usize];
            case.feed(&to(role, 0x81, &payload))
                .saw(&format!("text len={limit}"));
            let proven = if over < 126 { 2 } else { 4 };
            case.feed(&to(role, 0x81, &vec![b'a'; over]))
                .saw(&format!("fail 1009 at {proven}"));
        }
    }
}

#[test]
fn s10_4_message_bytes_in_fragments_fail_at_the_header_that_exceeds() {
    for role in ROLES {
        let case = limited(role, |limits| limits.max_message_bytes = 4);
        let fragments = [
            (0x02, &b"ab"[..]),
            (0x00, b"c"),
            (0x89, b"control frames do not count"),
            (0x80, b"d"),
        ];
        case.feed(&all_to(role, &fragments)).saw("ping (63 6f 6e 74 72 6f 6c 20 66 72 61 6d 65 73 20 64 6f 20 6e 6f 74 20 63 6f 75 6e 74); bin 61626364");

        let begun = all_to(role, &[(0x02, b"ab"), (0x00, b"c")]);
        let over = to(role, 0x80, b"de");
        case.feed(&[begun.clone(), over].concat())
            .saw(&format!("fail 1009 at {}", begun.len() + 2));
        // The next message starts from nothing.
        case.feed(&all_to(
            role,
            &[(0x82, b"abcd"), (0x02, b"a"), (0x80, b"bcd"), (0x82, b"abcd")],
        ))
        .saw("bin 61626364; bin 61626364; bin 61626364");
    }
}

#[test]
fn s10_4_sum_of_fragments_does_not_overflow() {
    let over = hex("00 7f 7f ff ff ff ff ff ff ff");
    for (max_frame, max_message) in [(u64::MAX, 16 << 20), (u64::MAX, u64::MAX), (16 << 20, u64::MAX)] {
        let case = limited(Role::Client, |limits| {
            limits.max_frame_bytes = max_frame;
            limits.max_message_bytes = max_message;
        });
        let input = [hex("02 02 61 62"), over.clone()].concat();
        case.feed(&input).saw("fail 1009 at 14");
    }
    // What no memory can hold is over every limit; what is within the grammar stays so.
    let case = limited(Role::Client, |limits| {
        limits.max_frame_bytes = u64::MAX;
        limits.max_message_bytes = u64::MAX;
    });
    case.feed(&hex("82 7f 80 00 00 00 00 00 00 00"))
        .saw("fail 1002 at 3");
    case.feed(&hex("82 7f 00 00 00 01 00 00 00 00 61"))
        .saw(match size_of::<usize>() {
            8 => "more",
            _ => "fail 1009 at 10",
        });
}

#[test]
fn s10_4_fragments() {
    for role in ROLES {
        let case = limited(role, |limits| limits.max_fragments = 3);
        let three = [(0x01, &b"a"[..]), (0x00, b"b"), (0x89, b""), (0x80, b"")];
        case.feed(&all_to(role, &[three, three].concat()))
            .saw("ping -; text \"ab\"; ping -; text \"ab\"");

        let begun = all_to(role, &[(0x01, b"a"), (0x00, b"b"), (0x00, b"c")]);
        let fourth = to(role, 0x80, b"");
        let at = begun.len() + fourth.len();
        case.feed(&[begun, fourth].concat())
            .saw(&format!("fail 1008 at {at}"))
            .sent(&["88 03f0"]);
    }
}

#[test]
fn s10_4_one_fragment_is_a_message() {
    for role in ROLES {
        for most in [0, 1] {
            let case = limited(role, |limits| limits.max_fragments = most);
            case.feed(&all_to(role, &[(0x81, b"a"), (0x82, &[0; 200])]))
                .saw("text \"a\"; bin len=200");
            let frames = all_to(role, &[(0x01, b"a"), (0x80, b"")]);
            case.feed(&frames).saw(&format!("fail 1008 at {}", frames.len()));
        }
    }
}

#[test]
fn s10_4_control_frames_in_a_window_of_bytes() {
    // The third control frame is in the window still, or begins the next one.
    let window = Limits::CONTROL_WINDOW_BYTES as usize;
    for role in ROLES {
        let case = limited(role, |limits| limits.max_control_frames = 2);
        let two = [(0x89, &b""[..]), (0x8a, b"")];
        for (len, fails) in [
            (0, true),
            (200, true),
            (window - 9, true),
            (window - 8, false),
            (window, false),
        ] {
            let data = vec![0; len];
            let frames = all_to(role, &[&two[..], &[(0x82, &data[..])], &two[..]].concat());
            let seen = case.feed_cut(&frames, &[1, 2, 9, frames.len() - 1]).seen;
            let failed = seen.iter().any(|seen| matches!(seen, Seen::Fail(1008, _)));
            assert_eq!(failed, fails, "{len} bytes between");
        }
        let three = all_to(role, &[two[0], two[1], (0x8a, b"")]);
        case.feed(&three)
            .saw(&format!("ping -; pong -; fail 1008 at {}", three.len()))
            .sent(&["8a", "88 03f0"]);
        // The Close frame ends the flood by itself.
        case.feed(&all_to(role, &[two[0], two[1], (0x88, b"")]))
            .saw("ping -; pong -; close none");
    }
}

#[test]
fn s10_4_control_frames_are_counted_for_the_embedder() {
    for role in ROLES {
        let mut connection = Connection::new(role, &Config::default());
        let (mut inbox, mut outbox) = (Inbox::new(), outbox(role));
        let mut count_after = |first, payload: &[u8]| {
            receive(
                &mut connection,
                &mut inbox,
                &mut outbox,
                &to(role, first, payload),
            );
            connection.control_frames()
        };
        assert_eq!(count_after(0x89, b""), 1);
        assert_eq!(count_after(0x8a, b""), 2);
        assert_eq!(count_after(0x81, b"short"), 2);
        assert_eq!(count_after(0x82, &[0; 65_600]), 0);
        assert_eq!(count_after(0x89, b""), 1);
    }
}

#[test]
fn s10_4_outgoing_bytes() {
    for role in ROLES {
        let mut connection = Connection::new(role, &Config::default());
        let mut outbox = outbox(role);
        outbox.set_max_bytes(100);
        connection.send_binary(&[0; 80], &mut outbox).unwrap();
        assert!(!outbox.is_full());
        connection.send_binary(&[0; 200], &mut outbox).unwrap(); // one may pass the mark
        assert!(outbox.is_full());
        let len = outbox.len();
        assert_eq!(connection.send_binary(b"", &mut outbox), Err(SendError::Full));
        assert_eq!(connection.send_text("", &mut outbox), Err(SendError::Full));
        assert_eq!(connection.ping(b"", &mut outbox), Err(SendError::Full));
        assert_eq!(connection.pong(b"", &mut outbox), Err(SendError::Full));
        assert_eq!(
            connection.begin_message(MessageKind::Text, b"", &mut outbox),
            Err(SendError::Full)
        );
        assert_eq!(outbox.len(), len);
        outbox.consume(len - 100);
        assert_eq!(
            connection.send_binary(b"", &mut outbox),
            Err(SendError::Full),
            "at the mark"
        );
        outbox.consume(1);
        connection.send_binary(b"", &mut outbox).unwrap();
    }
}

#[test]
fn s10_4_decoder_has_the_limit_of_its_rules() {
    let mut rules = Rules::new(Role::Client);
    rules.max_frame_bytes = 4;
    assert!(Decoder::new(rules).split(&hex("82 04")).is_ok());
    assert_eq!(
        Decoder::new(rules).split(&hex("82 05")),
        Err(Violation::FrameTooBig)
    );
}

// What a peer can make us keep: see also tests/allocation.rs

#[test]
fn s10_4_header_that_declares_15_mib_keeps_nothing() {
    let header = hex("82 ff 00 00 00 00 00 f0 00 00 37 fa 21 3d");
    assert_eq!(header.len(), 14);
    let mut connection = Connection::new(Role::Server, &Config::default());
    let (mut inbox, mut outbox) = (Inbox::new(), Outbox::new());
    assert_eq!(receive(&mut connection, &mut inbox, &mut outbox, &header), []);
    assert_eq!((inbox.len(), outbox.len()), (0, 0));
    assert_eq!(receive(&mut connection, &mut inbox, &mut outbox, &[0; 3]), []);
    assert_eq!(inbox.len(), 3);
}

#[test]
fn s10_4_flood_of_empty_fragments_keeps_nothing_and_ends() {
    for role in ROLES {
        let mut connection = Connection::new(role, &Config::default());
        let (mut inbox, mut outbox) = (Inbox::new(), outbox(role));
        let mut given = |first| receive(&mut connection, &mut inbox, &mut outbox, &to(role, first, b""));
        assert_eq!(given(0x01), []);
        for _ in 1..65_536 / Limits::EMPTY_FRAGMENT {
            assert_eq!(given(0x00), []);
        }
        assert!(matches!(given(0x00)[..], [Seen::Fail(1008, _)]));
        assert!(inbox.is_empty());
    }
}

#[test]
fn s10_4_violations_have_their_codes() {
    for (violation, code) in [
        (Violation::FrameTooBig, 1009),
        (Violation::MessageTooBig, 1009),
        (Violation::TooManyFragments, 1008),
        (Violation::TooManyControlFrames, 1008),
        (Violation::TooManyFinalBlocks, 1008),
        (Violation::InflateRatio, 1009),
        (Violation::InvalidUtf8, 1007),
        (Violation::InvalidCloseReason, 1007),
        (Violation::ReservedBit, 1002),
    ] {
        assert_eq!(violation.close_code().get(), code, "{violation}");
    }
}
