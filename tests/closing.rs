//! RFC 6455 §5.5.1, §7, §1.4: closing and failing, by a table of every event in every state.
#![cfg(feature = "alloc")]
#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use common::{Case, ROLES, all_to, code, drain, feed, frames, outbox, receive, run_vectors, to};
use ws_proto::{
    Close, CloseCode, Config, Connection, Inbox, MessageKind, Outbox, Role, SendError, Side, State, Status,
    Transport,
};

const TEXT: u8 = 0x81;
const CLOSE: u8 = 0x88;
const PING: u8 = 0x89;
const PONG: u8 = 0x8a;
const BINARY: u8 = 0x82;
const BAD: u8 = 0xc1;

#[test]
fn s5_5_1_close_frames_as_in_the_vectors() {
    run_vectors(include_str!("vectors/close.txt"));
}

/// An endpoint in one of the six states, its outbox empty.
///
/// | OPEN | no Close frame yet |
/// | LOCAL | ours is out |
/// | REMOTE | the peer's came, ours is owed |
/// | DONE | both |
/// | FAILED | the peer broke a rule |
/// | CLOSED | the transport ended, without Close frames |
#[derive(Debug)]
struct Endpoint {
    role: Role,
    connection: Connection,
    inbox: Inbox,
    outbox: Outbox,
}

impl Endpoint {
    fn new(role: Role) -> Self {
        Self::with(role, &Config::default())
    }

    fn with(role: Role, config: &Config) -> Self {
        Self {
            role,
            connection: Connection::new(role, config),
            inbox: Inbox::new(),
            outbox: outbox(role),
        }
    }

    fn in_state(role: Role, state: &str) -> Self {
        let mut config = Config::default();
        config.automatic_close = state != "REMOTE";
        config.limits.max_message_bytes = 1000;
        let mut endpoint = Self::with(role, &config);
        match state {
            "OPEN" => {}
            "LOCAL" => endpoint.closes(code(1001)),
            "REMOTE" | "DONE" => assert_eq!(endpoint.given(&[(CLOSE, b"\x0b\xb8")]), "close 3000 \"\""),
            "FAILED" => assert_eq!(endpoint.given(&[(BAD, b"")]), "fail 1002 at 1"),
            "CLOSED" => endpoint.connection.receive_eof(&endpoint.outbox),
            _ => panic!("no state: {state}"),
        }
        endpoint.outbox.consume(usize::MAX);
        assert_eq!(endpoint.state(), state);
        endpoint
    }

    /// The state, by what the endpoint may still do.
    fn state(&self) -> &'static str {
        let mut copy = self.connection;
        let mut outbox = outbox(self.role);
        let may_ping = copy.ping(b"", &mut outbox).is_ok();
        let before = outbox.len();
        copy.close(None, &mut outbox).unwrap();
        let owes_close = outbox.len() > before;
        match (self.connection.status().state, may_ping, owes_close) {
            (State::Open, true, true) => "OPEN",
            (State::Closing, true, false) => "LOCAL",
            (State::Closing, false, true) => "REMOTE",
            (State::Closing, false, false) => match self.connection.transport(&Outbox::new()) {
                Transport::ShutdownWrite => "FAILED",
                _ => "DONE",
            },
            (State::Closed, false, false) => "CLOSED",
            other => panic!("{other:?}"),
        }
    }

    fn given(&mut self, frames: &[(u8, &[u8])]) -> String {
        let bytes = all_to(self.role, frames);
        let seen = receive(&mut self.connection, &mut self.inbox, &mut self.outbox, &bytes);
        let seen: Vec<String> = seen.iter().map(|seen| format!("{seen:?}")).collect();
        seen.join("; ")
    }

    fn closes<'a>(&mut self, close: impl Into<Option<Close<'a>>>) {
        self.connection.close(close, &mut self.outbox).unwrap();
    }

    fn ends(&mut self) -> Status {
        self.connection.receive_eof(&self.outbox);
        self.connection.status()
    }

    #[track_caller]
    fn drains(&mut self, expected: &[&str]) {
        assert_eq!(drain(self.role, &mut self.outbox), expected);
    }
}

// The table

const STATES: [&str; 6] = ["OPEN", "LOCAL", "REMOTE", "DONE", "FAILED", "CLOSED"];

type Act = fn(&mut Endpoint) -> String;

/// An event, what does it, and per state what comes of it: `result | frames sent | next state`.
type Row = (&'static str, Act, [&'static str; 6]);

const REFUSED: [&str; 5] = [
    "Closed | - | LOCAL",
    "Closed | - | REMOTE",
    "Closed | - | DONE",
    "Closed | - | FAILED",
    "Closed | - | CLOSED",
];

/// A row in which everything but the first is refused.
const fn only_open(open: &'static str) -> [&'static str; 6] {
    [open, REFUSED[0], REFUSED[1], REFUSED[2], REFUSED[3], REFUSED[4]]
}

/// A row of something received: it counts while no Close frame has come, and is discarded after that.
const fn received(open: &'static str, local: &'static str) -> [&'static str; 6] {
    [
        open,
        local,
        "nothing | - | REMOTE",
        "nothing | - | DONE",
        "nothing | - | FAILED",
        "nothing | - | CLOSED",
    ]
}

const TABLE: &[Row] = &[
    (
        "send text",
        |e| result(e.connection.send_text("a", &mut e.outbox)),
        only_open("ok | 81 61 | OPEN"),
    ),
    (
        "send binary",
        |e| result(e.connection.send_binary(b"a", &mut e.outbox)),
        only_open("ok | 82 61 | OPEN"),
    ),
    (
        "begin a message",
        |e| result(e.connection.begin_message(MessageKind::Text, b"a", &mut e.outbox)),
        only_open("ok | 01 61 | OPEN"),
    ),
    (
        "continue a message that was not begun",
        |e| result(e.connection.continue_message(b"a", &mut e.outbox)),
        only_open("NoMessage | - | OPEN"),
    ),
    (
        "send ping",
        |e| result(e.connection.ping(b"p", &mut e.outbox)),
        [
            "ok | 89 70 | OPEN",
            "ok | 89 70 | LOCAL",
            REFUSED[1],
            REFUSED[2],
            REFUSED[3],
            REFUSED[4],
        ],
    ),
    (
        "send unsolicited pong",
        |e| result(e.connection.pong(b"p", &mut e.outbox)),
        [
            "ok | 8a 70 | OPEN",
            "ok | 8a 70 | LOCAL",
            REFUSED[1],
            REFUSED[2],
            REFUSED[3],
            REFUSED[4],
        ],
    ),
    (
        "close(4000, reason)",
        |e| {
            let close = Close::new(CloseCode::new(4000), "r");
            result(e.connection.close(close, &mut e.outbox))
        },
        [
            "ok | 88 0fa072 | LOCAL",
            "ok | - | LOCAL",
            "ok | 88 0fa072 | DONE",
            "ok | - | DONE",
            "ok | - | FAILED",
            "ok | - | CLOSED",
        ],
    ),
    (
        "receive data",
        |e| e.given(&[(TEXT, b"a")]),
        received("text \"a\" | - | OPEN", "text \"a\" | - | LOCAL"),
    ),
    (
        "receive fragments",
        |e| e.given(&[(0x02, b"a"), (0x80, b"b")]),
        received("bin 6162 | - | OPEN", "bin 6162 | - | LOCAL"),
    ),
    (
        "receive ping",
        |e| e.given(&[(PING, b"p")]),
        received("ping 70 | 8a 70 | OPEN", "ping 70 | 8a 70 | LOCAL"),
    ),
    (
        "receive pong",
        |e| e.given(&[(PONG, b"p")]),
        received("pong 70 | - | OPEN", "pong 70 | - | LOCAL"),
    ),
    (
        "receive Close with a code and a reason",
        |e| e.given(&[(CLOSE, b"\x03\xe8bye")]),
        received(
            "close 1000 \"bye\" | 88 03e8 | DONE",
            "close 1000 \"bye\" | - | DONE",
        ),
    ),
    (
        "receive Close without a body",
        |e| e.given(&[(CLOSE, b"")]),
        received("close none | 88 | DONE", "close none | - | DONE"),
    ),
    (
        "receive Close with half a code",
        |e| without_offset(e.given(&[(CLOSE, b"\x03")])),
        received("fail 1002 | 88 03ea | FAILED", "fail 1002 | - | FAILED"),
    ),
    (
        "receive Close with a bad code",
        |e| without_offset(e.given(&[(CLOSE, b"\x03\xed")])),
        received("fail 1002 | 88 03ea | FAILED", "fail 1002 | - | FAILED"),
    ),
    (
        "receive Close with a bad reason",
        |e| without_offset(e.given(&[(CLOSE, b"\x03\xe8\xff")])),
        received("fail 1007 | 88 03ef | FAILED", "fail 1007 | - | FAILED"),
    ),
    (
        "receive what breaks the framing",
        |e| without_offset(e.given(&[(BAD, b"")])),
        received("fail 1002 | 88 03ea | FAILED", "fail 1002 | - | FAILED"),
    ),
    (
        "receive what breaks UTF-8",
        |e| without_offset(e.given(&[(TEXT, b"\xff")])),
        received("fail 1007 | 88 03ef | FAILED", "fail 1007 | - | FAILED"),
    ),
    (
        "receive what is over a limit",
        |e| without_offset(e.given(&[(TEXT, &[b'a'; 1001])])),
        received("fail 1009 | 88 03f1 | FAILED", "fail 1009 | - | FAILED"),
    ),
    (
        "end of the transport",
        |e| {
            let status = e.ends();
            format!(
                "{} {}",
                status.code,
                if status.clean { "clean" } else { "unclean" }
            )
        },
        [
            "1006 unclean | - | CLOSED",
            "1006 unclean | - | CLOSED",
            "3000 unclean | - | CLOSED",
            "3000 clean | - | CLOSED",
            "1006 unclean | - | CLOSED",
            "1006 unclean | - | CLOSED",
        ],
    ),
];

fn result(result: Result<(), SendError>) -> String {
    match result {
        Ok(()) => "ok".into(),
        Err(error) => format!("{error:?}"),
    }
}

/// A failure without its offset, which the roles do not share.
fn without_offset(seen: String) -> String {
    match seen.split_once(" at ") {
        Some((fail, _)) => fail.into(),
        None => seen,
    }
}

#[test]
fn s7_every_event_in_every_state() {
    for role in ROLES {
        for (event, act, cells) in TABLE {
            for (state, cell) in STATES.iter().zip(cells) {
                let mut endpoint = Endpoint::in_state(role, state);
                let result = act(&mut endpoint);
                let result = if result.is_empty() { "nothing" } else { &result };
                let sent = drain(role, &mut endpoint.outbox).join(", ");
                let sent = if sent.is_empty() { "-" } else { &sent };
                let came = format!("{result} | {sent} | {}", endpoint.state());
                assert_eq!(came, *cell, "{event} in {state}, {role:?}");
            }
        }
    }
}

/// Whatever happens, and whatever after it: one Close frame at most, and nothing behind it but control frames.
#[test]
fn s5_5_1_one_close_frame_per_direction_and_no_data_behind_it() {
    for role in ROLES {
        for state in ["OPEN", "REMOTE"] {
            for (_, first, _) in TABLE {
                for (_, second, _) in TABLE {
                    let mut endpoint = Endpoint::in_state(role, state);
                    first(&mut endpoint);
                    second(&mut endpoint);
                    endpoint.closes(None);
                    second(&mut endpoint);
                    let sent = drain(role, &mut endpoint.outbox);
                    let mut behind = sent.iter().skip_while(|frame| !frame.starts_with("88")).skip(1);
                    assert!(
                        behind.all(|frame| frame.starts_with("89") || frame.starts_with("8a")),
                        "{sent:?}"
                    );
                }
            }
        }
    }
}

// What to do with the transport

#[test]
fn s7_1_1_transport_by_state_and_role() {
    use Transport::{Close, Keep, ShutdownWrite};
    for (role, expected) in [
        (Role::Server, [Keep, Keep, Keep, Close, ShutdownWrite, Close]),
        (Role::Client, [Keep, Keep, Keep, Keep, ShutdownWrite, Close]),
    ] {
        for (state, expected) in STATES.iter().zip(expected) {
            let endpoint = Endpoint::in_state(role, state);
            assert_eq!(
                endpoint.connection.transport(&endpoint.outbox),
                expected,
                "{state}, {role:?}"
            );
        }
    }
}

#[test]
fn s7_1_1_transport_is_kept_until_all_is_written() {
    for role in ROLES {
        for (frame, after) in [
            (
                (CLOSE, &b""[..]),
                if role == Role::Server {
                    Transport::Close
                } else {
                    Transport::Keep
                },
            ),
            ((BAD, b""), Transport::ShutdownWrite),
        ] {
            let mut endpoint = Endpoint::new(role);
            endpoint.given(&[frame]);
            while !endpoint.outbox.is_empty() {
                assert_eq!(endpoint.connection.transport(&endpoint.outbox), Transport::Keep);
                endpoint.outbox.consume(1);
            }
            assert_eq!(endpoint.connection.transport(&endpoint.outbox), after);
        }
        // Nothing waits for a transport that has ended.
        let mut endpoint = Endpoint::new(role);
        endpoint.closes(None);
        endpoint.ends();
        assert_eq!(endpoint.connection.transport(&endpoint.outbox), Transport::Close);
    }
}

// Status: code, who began, clean or not

#[test]
fn s7_1_3_state_is_closing_once_a_close_frame_went_either_way() {
    for role in ROLES {
        assert_eq!(Endpoint::new(role).connection.status().state, State::Open);
        let mut local = Endpoint::new(role);
        local.closes(None);
        assert_eq!(local.connection.status().state, State::Closing);
        let mut remote = Endpoint::new(role);
        remote.given(&[(CLOSE, b"")]);
        assert_eq!(remote.connection.status().state, State::Closing);
    }
}

/// A story: what happens, then who closed first, the code reported and whether it was clean.
type Story = (fn(&mut Endpoint), Option<Side>, u16, bool);

const STORIES: &[(&str, Story)] = &[
    ("cut while open", (|_| {}, Some(Side::Remote), 1006, false)),
    (
        "we close, the peer answers",
        (
            |e| {
                e.closes(code(1000));
                e.outbox.consume(usize::MAX);
                e.given(&[(CLOSE, b"\x03\xe8")]);
            },
            Some(Side::Local),
            1000,
            true,
        ),
    ),
    (
        "we close, the peer does not answer",
        (|e| e.closes(code(1000)), Some(Side::Local), 1006, false),
    ),
    (
        "the peer closes",
        (
            |e| {
                e.given(&[(CLOSE, b"\x03\xe9")]);
                e.outbox.consume(usize::MAX);
            },
            Some(Side::Remote),
            1001,
            true,
        ),
    ),
    (
        "the peer closes without a code",
        (
            |e| {
                e.given(&[(CLOSE, b"")]);
                e.outbox.consume(usize::MAX);
            },
            Some(Side::Remote),
            1005,
            true,
        ),
    ),
    (
        "the peer closes, and our answer is not written",
        (
            |e| {
                e.given(&[(CLOSE, b"\x03\xe9")]);
                e.outbox.consume(1);
            },
            Some(Side::Remote),
            1001,
            false,
        ),
    ),
    (
        "we close, the peer pings and answers, and our Pong is not written",
        (
            |e| {
                e.closes(code(1000));
                e.outbox.consume(usize::MAX);
                e.given(&[(PING, b"p"), (CLOSE, b"\x03\xe8")]);
                assert!(!e.outbox.is_empty());
            },
            Some(Side::Local),
            1000,
            true,
        ),
    ),
    (
        "both close at once: each reports the other's code",
        (
            |e| {
                e.closes(code(1000));
                e.outbox.consume(usize::MAX);
                e.given(&[(CLOSE, b"\x03\xe9")]);
            },
            Some(Side::Local),
            1001,
            true,
        ),
    ),
    (
        "the peer breaks a rule, and closes",
        (
            |e| {
                e.given(&[(BAD, b""), (CLOSE, b"\x03\xe8")]);
                e.outbox.consume(usize::MAX);
            },
            Some(Side::Local),
            1006,
            false,
        ),
    ),
    (
        "we close, and the peer's Close is invalid",
        (
            |e| {
                e.closes(code(1000));
                e.outbox.consume(usize::MAX);
                e.given(&[(CLOSE, b"\x03\xed")]);
            },
            Some(Side::Local),
            1006,
            false,
        ),
    ),
    (
        "the peer breaks a rule after its Close",
        (
            |e| {
                e.given(&[(CLOSE, b"\x03\xe8"), (BAD, b"")]);
                e.outbox.consume(usize::MAX);
            },
            Some(Side::Remote),
            1000,
            true,
        ),
    ),
];

#[test]
fn s7_1_5_code_and_who_closed_first_and_whether_clean() {
    for role in ROLES {
        for (name, (happens, closed_first, code, clean)) in STORIES {
            let mut endpoint = Endpoint::new(role);
            assert_eq!(endpoint.connection.status().closed_first, None);
            happens(&mut endpoint);
            assert!(
                !endpoint.connection.status().clean,
                "not before the transport ended"
            );
            let status = endpoint.ends();
            let expected = Status {
                state: State::Closed,
                closed_first: *closed_first,
                code: CloseCode::new(*code),
                clean: *clean,
            };
            assert_eq!(status, expected, "{name}, {role:?}");
            // It has ended: another end, a Close frame, and input change nothing.
            endpoint.outbox.consume(usize::MAX);
            endpoint.ends();
            endpoint.closes(None);
            endpoint.given(&[(CLOSE, b"\x0f\xa0")]);
            assert_eq!(
                endpoint.connection.status(),
                expected,
                "{name}, {role:?}, afterwards"
            );
            assert!(endpoint.outbox.is_empty());
        }
    }
}

#[test]
fn s7_1_6_reason_is_that_of_the_first_close_frame_received() {
    for role in ROLES {
        let mut endpoint = Endpoint::new(role);
        assert_eq!(endpoint.inbox.close_reason(), "");
        endpoint.closes(Close::new(CloseCode::NORMAL, "ours"));
        assert_eq!(endpoint.inbox.close_reason(), "");
        endpoint.given(&[(CLOSE, b"\x03\xedtheirs")]);
        assert_eq!(
            endpoint.inbox.close_reason(),
            "",
            "an invalid Close has no reason"
        );

        let mut body = b"\x03\xe8".to_vec();
        body.extend("their €".as_bytes());
        let mut endpoint = Endpoint::new(role);
        endpoint.given(&[(0x01, b"unfinished"), (CLOSE, &body), (CLOSE, b"\x03\xe8later")]);
        assert_eq!(endpoint.inbox.close_reason(), "their €");
        endpoint.ends();
        endpoint.inbox.release();
        assert_eq!(
            endpoint.inbox.close_reason(),
            "their €",
            "releasing memory keeps it"
        );
    }
}

// Closing by ourselves

#[test]
fn s7_1_2_close_carries_code_and_reason_or_neither() {
    for role in ROLES {
        for (close, frame) in [
            (None, "88"),
            (Some(code(1000)), "88 03e8"),
            (Some(Close::new(CloseCode::new(3000), "bye")), "88 0bb8627965"),
            (Some(Close::new(CloseCode::new(4999), "€")), "88 1387e282ac"),
        ] {
            let mut endpoint = Endpoint::new(role);
            endpoint.closes(close);
            endpoint.drains(&[frame]);
        }
    }
}

#[test]
fn s7_1_2_what_was_sent_before_goes_out_before() {
    for role in ROLES {
        let mut endpoint = Endpoint::new(role);
        endpoint.connection.send_text("a", &mut endpoint.outbox).unwrap();
        endpoint.given(&[(PING, b"p")]);
        endpoint.closes(None);
        endpoint.drains(&["81 61", "8a 70", "88"]);
    }
}

#[test]
fn s7_1_2_close_aborts_an_unfinished_message() {
    for role in ROLES {
        let mut endpoint = Endpoint::new(role);
        let kind = MessageKind::Text;
        endpoint
            .connection
            .begin_message(kind, b"a", &mut endpoint.outbox)
            .unwrap();
        endpoint.closes(None);
        let refused = endpoint.connection.finish_message(b"b", &mut endpoint.outbox);
        assert_eq!(refused, Err(SendError::Closed));
        endpoint.drains(&["01 61", "88"]);
    }
}

#[test]
fn s7_1_2_close_fits_into_a_full_outbox() {
    for role in ROLES {
        let mut endpoint = Endpoint::new(role);
        endpoint.outbox.set_max_bytes(0);
        assert_eq!(
            endpoint.connection.send_text("", &mut endpoint.outbox),
            Err(SendError::Full)
        );
        endpoint.closes(code(1001));
        endpoint.drains(&["88 03e9"]);
    }
}

#[test]
fn s1_4_data_after_our_close_is_validated_and_delivered() {
    for role in ROLES {
        let closed = Case {
            before: &|connection, outbox| connection.close(code(1000), outbox).unwrap(),
            ..Case::new(role)
        };
        let frames = [
            (TEXT, &b"a"[..]),
            (0x02, b"b"),
            (PING, b"p"),
            (0x80, b"c"),
            (CLOSE, b""),
        ];
        let outcome = closed.feed(&all_to(role, &frames));
        outcome
            .saw("text \"a\"; ping 70; bin 6263; close none")
            .sent(&["8a 70"]);
        assert_eq!(outcome.status.code, CloseCode::NO_STATUS);

        let bad = to(role, TEXT, b"\xff");
        closed
            .feed(&bad)
            .saw(&format!("fail 1007 at {}", bad.len()))
            .sent(&[]);
    }
}

// Closing by the peer

#[test]
fn s5_5_1_answer_is_the_code_received_and_no_reason() {
    for role in ROLES {
        for (body, answer) in [
            (&b""[..], "88"),
            (b"\x03\xe8", "88 03e8"),
            (b"\x03\xe8bye", "88 03e8"),
            (b"\x13\x87", "88 1387"),
        ] {
            feed(role, &to(role, CLOSE, body)).sent(&[answer]);
        }
    }
}

#[test]
fn s5_5_1_every_code_is_taken_or_refused() {
    let registered = [1000..=1003, 1007..=1014, 3000..=4999];
    for value in 0..=u16::MAX {
        let allowed = registered.iter().any(|codes| codes.contains(&value));
        let mut endpoint = Endpoint::new(Role::Client);
        let seen = endpoint.given(&[(CLOSE, &value.to_be_bytes())]);
        if allowed {
            assert_eq!(seen, format!("close {value} \"\""));
            endpoint.drains(&[&format!("88 {value:04x}")]);
        } else {
            assert_eq!(seen, "fail 1002 at 4", "{value}");
            endpoint.drains(&["88 03ea"]);
        }
    }
}

#[test]
fn s1_4_what_follows_the_peers_close_is_discarded() {
    for role in ROLES {
        let close = to(role, CLOSE, b"\x03\xe8");
        let answer = feed(role, &close);
        for rest in [
            all_to(role, &[(TEXT, b"a"), (PING, b"p"), (CLOSE, b"\x03\xe9")]),
            to(role, BAD, b""),
            vec![0xff; 40],
            to(role, TEXT, &[0; 3])[..1].to_vec(),
        ] {
            assert_eq!(feed(role, &[close.clone(), rest].concat()), answer);
        }
    }
}

#[test]
fn s1_4_nothing_is_kept_of_what_follows_the_peers_close() {
    for role in ROLES {
        let mut endpoint = Endpoint::new(role);
        endpoint.given(&[(0x01, b"unfinished"), (CLOSE, b"\x03\xe8r")]);
        endpoint.given(&[(0x82, &[0; 1000]), (0x02, &[0; 1000])]);
        assert_eq!(endpoint.inbox.len(), 0);
    }
}

#[test]
fn s5_5_1_answer_can_wait_until_the_message_is_complete() {
    let mut config = Config::default();
    config.automatic_close = false;
    for role in ROLES {
        let mut endpoint = Endpoint::with(role, &config);
        let kind = MessageKind::Text;
        endpoint
            .connection
            .begin_message(kind, b"a", &mut endpoint.outbox)
            .unwrap();
        assert_eq!(
            endpoint.given(&[(CLOSE, b"\x03\xe8bye"), (PING, b"p")]),
            "close 1000 \"bye\""
        );
        assert_eq!(endpoint.state(), "REMOTE");
        endpoint
            .connection
            .continue_message(b"b", &mut endpoint.outbox)
            .unwrap();
        endpoint
            .connection
            .finish_message(b"c", &mut endpoint.outbox)
            .unwrap();
        // Only the rest of that message.
        assert_eq!(
            endpoint.connection.send_text("d", &mut endpoint.outbox),
            Err(SendError::Closed)
        );
        assert_eq!(
            endpoint.connection.finish_message(b"d", &mut endpoint.outbox),
            Err(SendError::Closed)
        );
        endpoint.closes(code(1000));
        endpoint.drains(&["01 61", "00 62", "80 63", "88 03e8"]);
        assert_eq!(endpoint.state(), "DONE");
        let status = endpoint.ends();
        assert_eq!((status.closed_first, status.clean), (Some(Side::Remote), true));
    }
}

#[test]
fn s5_5_1_automatic_answer_aborts_the_message_being_sent() {
    for role in ROLES {
        let mut endpoint = Endpoint::new(role);
        let kind = MessageKind::Binary;
        endpoint
            .connection
            .begin_message(kind, b"a", &mut endpoint.outbox)
            .unwrap();
        endpoint.given(&[(CLOSE, b"")]);
        let refused = endpoint.connection.finish_message(b"b", &mut endpoint.outbox);
        assert_eq!(refused, Err(SendError::Closed));
        endpoint.drains(&["02 61", "88"]);
    }
}

// Crossing

/// Two endpoints joined back to back: gives each what the other sent until nothing is left.
fn exchange(client: &mut Endpoint, server: &mut Endpoint) {
    loop {
        let from_client = client.outbox.bytes().to_vec();
        let from_server = server.outbox.bytes().to_vec();
        if from_client.is_empty() && from_server.is_empty() {
            break;
        }
        client.outbox.consume(from_client.len());
        server.outbox.consume(from_server.len());
        receive(
            &mut client.connection,
            &mut client.inbox,
            &mut client.outbox,
            &from_server,
        );
        receive(
            &mut server.connection,
            &mut server.inbox,
            &mut server.outbox,
            &from_client,
        );
    }
}

#[test]
fn s5_5_1_crossing_closes_are_not_answered() {
    let (mut client, mut server) = (Endpoint::new(Role::Client), Endpoint::new(Role::Server));
    client.closes(code(1000));
    server.closes(code(1001));
    assert_eq!(frames(Role::Client, client.outbox.bytes()), ["88 03e8"]);
    exchange(&mut client, &mut server);
    for (endpoint, code) in [(&mut client, 1001), (&mut server, 1000)] {
        assert_eq!(endpoint.state(), "DONE");
        let status = endpoint.ends();
        assert_eq!((status.code.get(), status.clean), (code, true));
        assert_eq!(status.closed_first, Some(Side::Local));
    }
}

#[test]
fn s7_1_4_closing_handshake_is_clean_on_both_sides() {
    for first in ROLES {
        let (mut client, mut server) = (Endpoint::new(Role::Client), Endpoint::new(Role::Server));
        let begins = if first == Role::Client {
            &mut client
        } else {
            &mut server
        };
        begins.closes(Close::new(CloseCode::NORMAL, "done"));
        exchange(&mut client, &mut server);
        for endpoint in [&mut client, &mut server] {
            let status = endpoint.ends();
            assert_eq!((status.code, status.clean), (CloseCode::NORMAL, true));
            let begun_here = endpoint.role == first;
            let side = if begun_here { Side::Local } else { Side::Remote };
            assert_eq!(status.closed_first, Some(side));
            // The answer repeats the code and not the reason.
            assert_eq!(
                endpoint.inbox.close_reason(),
                if begun_here { "" } else { "done" }
            );
        }
    }
}

// Failing

#[test]
fn s7_1_7_failing_sends_one_close_frame_with_the_code() {
    for role in ROLES {
        for (frame, close) in [
            (to(role, BAD, b""), "88 03ea"),
            (to(role, TEXT, b"\xff"), "88 03ef"),
            (to(role, CLOSE, b"\x03\xe8\xff"), "88 03ef"),
            (to(role, CLOSE, b"\x00\x00"), "88 03ea"),
        ] {
            let outcome = feed(role, &frame);
            outcome.sent(&[close]);
            assert_eq!(outcome.transport, Transport::ShutdownWrite);
            assert_eq!(outcome.status.code, CloseCode::ABNORMAL);
            assert_eq!(outcome.status.closed_first, Some(Side::Local));
        }
    }
}

#[test]
fn s7_1_7_after_failing_nothing_is_processed() {
    for role in ROLES {
        let bad = to(role, BAD, b"");
        let failed = feed(role, &bad);
        for rest in [
            to(role, CLOSE, b"\x03\xe8"),
            all_to(role, &[(TEXT, b"a"), (PING, b"p")]),
            bad.clone(),
            vec![0; 30],
        ] {
            assert_eq!(feed(role, &[bad.clone(), rest].concat()), failed);
        }
    }
}

#[test]
fn s7_1_7_after_our_close_a_violation_sends_nothing_more() {
    for role in ROLES {
        let closed = Case {
            before: &|connection, outbox| connection.close(code(1000), outbox).unwrap(),
            ..Case::new(role)
        };
        let outcome = closed.feed(&to(role, BAD, b""));
        outcome.saw("fail 1002 at 1").sent(&[]);
        assert_eq!(outcome.transport, Transport::ShutdownWrite);
        assert_eq!(outcome.status.code, CloseCode::ABNORMAL);
    }
}

/// What came before the violation in the same read is delivered, and answered.
#[test]
fn s7_1_7_failing_keeps_what_came_before() {
    for role in ROLES {
        let mut bytes = all_to(role, &[(TEXT, b"a"), (PING, b"p")]);
        let at = bytes.len() + 1;
        bytes.extend(to(role, BAD, b""));
        feed(role, &bytes)
            .saw(&format!("text \"a\"; ping 70; fail 1002 at {at}"))
            .sent(&["8a 70", "88 03ea"]);
    }
}

/// A client whose outbox has no masking keys cannot answer, and must not answer unmasked (RFC 6455 §5.1).
#[test]
fn s5_1_client_without_keys_fails_rather_than_answer_unmasked() {
    for frame in [(PING, &b"p"[..]), (CLOSE, b"\x03\xe8"), (BAD, b"")] {
        let mut client = Endpoint::new(Role::Client);
        client.outbox = Outbox::new();
        client.given(&[frame]);
        assert!(client.outbox.is_empty());
        assert_eq!(
            client.connection.transport(&client.outbox),
            Transport::ShutdownWrite
        );
        let first = if frame.0 == CLOSE {
            Side::Remote
        } else {
            Side::Local
        };
        assert_eq!(client.connection.status().closed_first, Some(first));
    }
}

#[test]
fn s7_2_1_nothing_comes_behind_the_end_of_the_transport() {
    for role in ROLES {
        let mut endpoint = Endpoint::new(role);
        // Short messages are taken by themselves from here on.
        assert_eq!(endpoint.given(&[(PONG, b""), (BINARY, b"a")]), "pong -; bin 61");
        endpoint.ends();
        for payload in [&b"b"[..], &[b'b'; 1000]] {
            assert_eq!(endpoint.given(&[(BINARY, payload)]), "");
        }
    }
}

#[test]
fn s7_1_4_a_close_that_was_written_counts_wherever_the_outbox_moved_what_waits() {
    for messages in 0..100 {
        let mut server = Endpoint::new(Role::Server);
        for _ in 0..messages {
            server.connection.send_binary(b"abc", &mut server.outbox).unwrap();
        }
        server.closes(None);
        server.outbox.consume(server.outbox.len() - 1);
        // Its answer is behind the last octet of the Close frame, and may need the room before it.
        server.given(&[(PING, &[b'p'; 125])]);
        server.outbox.consume(1);
        server.given(&[(CLOSE, b"")]);
        assert!(!server.outbox.is_empty(), "the Pong waits");
        assert!(server.ends().clean, "{messages} messages before");
    }
}

#[test]
fn s7_2_1_who_ends_the_transport_first_closed_it() {
    for role in ROLES {
        let ended = |state, abort: bool| {
            let mut endpoint = Endpoint::in_state(role, state);
            if abort {
                endpoint.connection.abort(&endpoint.outbox);
            } else {
                endpoint.connection.receive_eof(&endpoint.outbox);
            }
            endpoint.connection.status()
        };
        for (state, abort, first, clean) in [
            ("OPEN", true, Side::Local, false),
            ("OPEN", false, Side::Remote, false),
            ("LOCAL", false, Side::Local, false),
            ("REMOTE", true, Side::Remote, false),
            ("DONE", true, Side::Remote, true),
            ("FAILED", false, Side::Local, false),
        ] {
            let status = ended(state, abort);
            let expected = (State::Closed, Some(first), clean);
            assert_eq!(
                (status.state, status.closed_first, status.clean),
                expected,
                "{state} {abort}"
            );
        }
    }
}

#[test]
fn s7_1_2_a_code_alone_closes() {
    let mut endpoint = Endpoint::new(Role::Server);
    endpoint.closes(CloseCode::GOING_AWAY);
    assert_eq!(endpoint.outbox.bytes(), b"\x88\x02\x03\xe9");
}
