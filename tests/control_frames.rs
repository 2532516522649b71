//! RFC 6455 §5.5: Close, Ping and Pong, and the automatic replies to Pings.
#![cfg(feature = "alloc")]
#![allow(clippy::unwrap_used)]

mod common;

use common::{Case, ROLES, Seen, all_to, code, drain, feed, frames, hex, outbox, receive, to};
use proptest::prelude::*;
use ws_proto::{Config, Connection, Inbox, MessageKind, Outbox, Role};

const CLOSE: u8 = 0x88;
const PING: u8 = 0x89;
const PONG: u8 = 0x8a;

/// An endpoint that is given pings, and whose outbox the test drains as it likes.
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

    fn given(&mut self, frames: &[(u8, &[u8])]) -> Vec<Seen> {
        let bytes = all_to(self.role, frames);
        receive(&mut self.connection, &mut self.inbox, &mut self.outbox, &bytes)
    }

    fn pinged(&mut self, payload: &[u8]) {
        assert_eq!(self.given(&[(PING, payload)]), [Seen::Ping(payload.into())]);
    }

    fn sends(&mut self, text: &str) {
        self.connection.send_text(text, &mut self.outbox).unwrap();
    }

    #[track_caller]
    fn waits(&self, expected: &[&str]) {
        assert_eq!(frames(self.role, self.outbox.bytes()), expected);
    }

    #[track_caller]
    fn drains(&mut self, expected: &[&str]) {
        assert_eq!(drain(self.role, &mut self.outbox), expected);
    }
}

#[test]
fn s5_5_control_frames_carry_up_to_125_bytes() {
    for role in ROLES {
        for (first, word) in [(PING, "ping"), (PONG, "pong")] {
            feed(role, &to(role, first, &[0x70; 125])).saw(&format!("{word} (70)*125"));
            feed(role, &to(role, first, &[0x70; 126])).saw("fail 1002 at 2");
        }
        let mut body = b"\x03\xe8".to_vec();
        body.extend([b'r'; 123]);
        feed(role, &to(role, CLOSE, &body)).saw("close 1000 (72)*123");
        body.push(b'r');
        feed(role, &to(role, CLOSE, &body)).saw("fail 1002 at 2");
    }
}

#[test]
fn s5_5_control_frames_are_not_fragmented() {
    for role in ROLES {
        for first in [CLOSE, PING, PONG] {
            feed(role, &to(role, first & 0x7f, b""))
                .saw("fail 1002 at 1")
                .sent(&["88 03ea"]);
            let between = all_to(role, &[(0x01, b"a"), (first & 0x7f, b"")]);
            let at = to(role, 0x01, b"a").len() + 1;
            feed(role, &between).saw(&format!("fail 1002 at {at}"));
        }
    }
}

#[test]
fn s5_5_2_ping_is_answered_with_its_payload() {
    for role in ROLES {
        for payload in ["-", "00", "ff", "(70)*125", "(ff 00 81)*41"] {
            let payload = hex(payload);
            let outcome = feed(role, &to(role, PING, &payload));
            let sent = format!("8a {}", common::to_hex(&payload));
            outcome.sent(&[sent.trim_end()]);
            assert_eq!(outcome.seen, [Seen::Ping(payload)]);
        }
        for octet in 0..=255 {
            let mut endpoint = Endpoint::new(role);
            endpoint.pinged(&[octet]);
            endpoint.drains(&[&format!("8a {octet:02x}")]);
        }
    }
}

#[test]
fn s5_5_2_client_pong_is_masked() {
    let mut endpoint = Endpoint::new(Role::Client);
    endpoint.pinged(b"Hello");
    let pong = endpoint.outbox.bytes();
    assert_eq!((pong[0], pong[1], pong.len()), (0x8a, 0x85, 11));
    assert_ne!(pong[6..], *b"Hello");
}

#[test]
fn s5_5_2_ping_is_answered_before_the_next_frame_is_complete() {
    for role in ROLES {
        let mut input = to(role, PING, b"now");
        input.extend(&to(role, 0x81, b"later")[..4]);
        feed(role, &input).saw("ping 6e6f77; more").sent(&["8a 6e6f77"]);
    }
}

#[test]
fn s5_5_3_latest_of_the_pings_is_answered() {
    for role in ROLES {
        feed(role, &all_to(role, &[(PING, b"1"), (PING, b"22"), (PING, b"3")]))
            .saw("ping 31; ping 3232; ping 33")
            .sent(&["8a 33"]);
    }
}

#[test]
fn s5_5_3_one_automatic_pong_waits_however_many_pings_come() {
    for role in ROLES {
        let mut endpoint = Endpoint::new(role);
        for i in 0..100_000u32 {
            endpoint.pinged(&i.to_be_bytes());
            assert!(endpoint.outbox.len() <= 2 + 4 + 4);
        }
        endpoint.drains(&["8a 0001869f"]);
    }
}

#[test]
fn s5_5_3_latest_wins_with_data_between() {
    for role in ROLES {
        let mut endpoint = Endpoint::new(role);
        endpoint.pinged(b"1");
        endpoint.sends("a");
        for _ in 0..1000 {
            endpoint.pinged(b"older");
        }
        endpoint.sends("b");
        endpoint.pinged(b"2");
        // One waits among the bytes, and its successor goes out behind all that was sent meanwhile.
        endpoint.waits(&["8a 31", "81 61", "81 62"]);
        endpoint.drains(&["8a 31", "81 61", "81 62", "8a 32"]);
    }
}

#[test]
fn s5_5_3_pong_follows_once_the_one_before_is_going_out() {
    for role in ROLES {
        let mut endpoint = Endpoint::new(role);
        endpoint.pinged(b"1");
        endpoint.sends("a");
        endpoint.pinged(b"2");
        let pong_len = to_len(role, 1);
        endpoint.outbox.consume(1); // of the Pong
        endpoint.sends("b");
        endpoint.outbox.consume(pong_len - 1);
        endpoint.drains(&["81 61", "8a 32", "81 62"]);
    }
}

#[test]
fn s5_5_3_a_pong_that_was_lent_stays() {
    for role in ROLES {
        for taken in [0, 1, usize::MAX] {
            let mut endpoint = Endpoint::new(role);
            endpoint.sends("a");
            endpoint.pinged(b"1");
            let in_flight = endpoint.outbox.lend().to_vec();
            endpoint.pinged(b"older");
            endpoint.sends("b");
            endpoint.pinged(b"22");
            assert!(endpoint.outbox.bytes().starts_with(&in_flight));
            let taken = taken.min(in_flight.len());
            endpoint.outbox.consume(taken);
            // Lent again, or by a write of another kind.
            let _ = endpoint.outbox.lend();
            endpoint.pinged(b"333");
            let mut wire = in_flight[..taken].to_vec();
            wire.extend_from_slice(endpoint.outbox.bytes());
            endpoint.outbox.consume(usize::MAX);
            wire.extend_from_slice(endpoint.outbox.bytes());
            let expected: &[_] = if taken == in_flight.len() {
                // The second one was in the buffer by then, and was lent, too.
                &["81 61", "8a 31", "81 62", "8a 3232", "8a 333333"]
            } else {
                &["81 61", "8a 31", "81 62", "8a 333333"]
            };
            assert_eq!(frames(role, &wire), expected, "{taken} bytes taken");
            // What was not lent is replaced, as ever.
            endpoint.outbox.consume(usize::MAX);
            endpoint.pinged(b"4");
            endpoint.pinged(b"5");
            endpoint.drains(&["8a 35"]);
        }
    }
}

/// A Pong that the transport has begun to take is not touched any more.
#[test]
fn s5_5_3_pong_that_is_going_out_stays() {
    for role in ROLES {
        for taken in 1..to_len(role, 1) {
            let mut endpoint = Endpoint::new(role);
            endpoint.pinged(b"1");
            let mut wire = endpoint.outbox.bytes()[..taken].to_vec();
            endpoint.outbox.consume(taken);
            endpoint.pinged(b"2");
            endpoint.pinged(b"3");
            wire.extend_from_slice(endpoint.outbox.bytes());
            assert_eq!(frames(role, &wire), ["8a 31", "8a 33"], "{taken} bytes taken");
        }
    }
}

/// Room is made by moving the bytes that wait to the front: the Pong among them is still known.
#[test]
fn s5_5_3_pong_is_known_after_the_outbox_moved_its_bytes() {
    for role in ROLES {
        let mut endpoint = Endpoint::new(role);
        endpoint.sends(&"a".repeat(1000));
        let first_len = endpoint.outbox.len();
        endpoint.pinged(b"1");
        endpoint.outbox.consume(first_len);
        endpoint.sends(&"b".repeat(100_000)); // more than the spare room, and most of what there was is consumed
        endpoint.pinged(b"2");
        let mut wire = endpoint.outbox.bytes()[..1].to_vec();
        endpoint.outbox.consume(1); // of the first Pong: the second one takes its place in the row
        endpoint.sends("c");
        wire.extend_from_slice(endpoint.outbox.bytes());
        let sent = frames(role, &wire);
        let (message, others): (Vec<_>, Vec<_>) = sent.iter().partition(|frame| frame.len() > 100_000);
        assert_eq!(others, ["8a 31", "8a 32", "81 63"]);
        assert_eq!(message, [&sent[1]]);
    }
}

#[test]
fn s5_5_3_every_ping_is_answered_if_the_pongs_are_drained() {
    for role in ROLES {
        let mut endpoint = Endpoint::new(role);
        for (ping, pong) in [(&b"1"[..], "8a 31"), (b"", "8a"), (b"3", "8a 33")] {
            endpoint.pinged(ping);
            endpoint.drains(&[pong]);
        }
    }
}

#[test]
fn s5_5_3_pongs_keep_the_order_of_the_pings() {
    for role in ROLES {
        let mut endpoint = Endpoint::new(role);
        let mut latest = 0;
        for round in 1..50u8 {
            endpoint.pinged(&[round]);
            if round % 3 == 0 {
                endpoint.sends("x");
            }
            if round % 5 == 0 {
                let sent = drain(role, &mut endpoint.outbox);
                let pongs = sent.iter().filter_map(|frame| frame.strip_prefix("8a "));
                for pong in pongs {
                    let pong = hex(pong)[0];
                    assert!(pong > latest, "{pong} after {latest}");
                    latest = pong;
                }
                assert_eq!(latest, round, "the latest Ping is answered");
            }
        }
    }
}

#[test]
fn s5_5_3_pong_goes_between_the_fragments_of_a_message() {
    for role in ROLES {
        let mut endpoint = Endpoint::new(role);
        let kind = MessageKind::Text;
        endpoint
            .connection
            .begin_message(kind, b"Hel", &mut endpoint.outbox)
            .unwrap();
        endpoint.pinged(b"p");
        endpoint
            .connection
            .finish_message(b"lo", &mut endpoint.outbox)
            .unwrap();
        endpoint.drains(&["01 48656c", "8a 70", "80 6c6f"]);
    }
}

#[test]
fn s5_5_3_pong_is_an_event_and_not_answered() {
    for role in ROLES {
        feed(role, &all_to(role, &[(PONG, b""), (PONG, b"a")]))
            .saw("pong -; pong 61")
            .sent(&[]);
    }
}

#[test]
fn s5_5_2_ping_after_our_close_is_answered() {
    for role in ROLES {
        let closed = Case {
            before: &|connection, outbox| connection.close(code(1000), outbox).unwrap(),
            ..Case::new(role)
        };
        closed.feed(&to(role, PING, b"p")).saw("ping 70").sent(&["8a 70"]);
    }
}

#[test]
fn s5_5_2_ping_after_the_peers_close_is_not_answered() {
    for role in ROLES {
        feed(role, &all_to(role, &[(CLOSE, b""), (PING, b"p")]))
            .saw("close none")
            .sent(&["88"]);
    }
}

#[test]
fn s5_5_2_pong_owed_when_the_peers_close_comes_is_dropped() {
    for role in ROLES {
        let mut endpoint = Endpoint::new(role);
        endpoint.pinged(b"1");
        endpoint.sends("a");
        endpoint.pinged(b"2");
        endpoint.given(&[(CLOSE, b"")]);
        endpoint.drains(&["8a 31", "81 61", "88"]);
    }
}

#[test]
fn s5_5_2_pong_owed_when_the_connection_fails_is_dropped() {
    for role in ROLES {
        let mut endpoint = Endpoint::new(role);
        endpoint.pinged(b"1");
        endpoint.sends("a");
        endpoint.pinged(b"2");
        endpoint.given(&[(0xc1, b"")]);
        endpoint.drains(&["8a 31", "81 61", "88 03ea"]);
    }
}

#[test]
fn s5_5_2_pongs_can_be_left_to_the_embedder() {
    let mut config = Config::default();
    config.automatic_pong = false;
    for role in ROLES {
        let case = Case {
            config,
            ..Case::new(role)
        };
        case.feed(&all_to(role, &[(PING, b"1"), (PING, b"2")]))
            .saw("ping 31; ping 32")
            .sent(&[]);

        let mut endpoint = Endpoint::with(role, &config);
        endpoint.pinged(b"1");
        endpoint.pinged(b"2");
        endpoint.connection.pong(b"1", &mut endpoint.outbox).unwrap();
        endpoint.connection.pong(b"2", &mut endpoint.outbox).unwrap();
        endpoint.drains(&["8a 31", "8a 32"]); // the embedder's own are not merged
    }
}

#[test]
fn s5_5_3_unsolicited_pongs_and_pings_can_be_sent() {
    for role in ROLES {
        let mut endpoint = Endpoint::new(role);
        endpoint.connection.ping(b"", &mut endpoint.outbox).unwrap();
        endpoint.connection.pong(&[7; 125], &mut endpoint.outbox).unwrap();
        endpoint.pinged(b"p");
        endpoint.drains(&["89", &format!("8a {}", "07".repeat(125)), "8a 70"]);
    }
}

/// Automatic Pongs are not held back by the limit on what may wait.
#[test]
fn s5_5_2_ping_is_answered_into_a_full_outbox() {
    for role in ROLES {
        let mut endpoint = Endpoint::new(role);
        endpoint.outbox.set_max_bytes(1);
        endpoint.sends("full");
        endpoint.pinged(b"p");
        endpoint.drains(&["81 66756c6c", "8a 70"]);
    }
}

fn to_len(sender: Role, payload_len: usize) -> usize {
    2 + payload_len + if sender == Role::Client { 4 } else { 0 }
}

// ---- what a write in flight sees ----

#[derive(Clone, Debug)]
enum Step {
    Pinged,
    Sends(&'static str),
    Lends,
    Consumes(usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => Just(Step::Pinged),
        1 => prop::sample::select(vec!["", "text"]).prop_map(Step::Sends),
        2 => Just(Step::Lends),
        2 => (0usize..30).prop_map(Step::Consumes),
    ]
}

proptest! {
    /// Until they are consumed, lent bytes stay; and Pongs go out in the order of the Pings, the latest one's among them.
    #[test]
    fn s5_5_3_lent_bytes_stay_until_they_are_consumed(
        role in prop::sample::select(&ROLES[..]),
        steps in prop::collection::vec(step(), 0..40),
    ) {
        let mut endpoint = Endpoint::new(role);
        let (mut lent, mut wire, mut pings) = (Vec::new(), Vec::new(), 0u8);
        for step in steps {
            match step {
                Step::Pinged => {
                    pings += 1;
                    // Of different lengths.
                    endpoint.pinged(&vec![pings; 1 + usize::from(pings) % 3]);
                }
                Step::Sends(text) => endpoint.sends(text),
                Step::Lends => lent = endpoint.outbox.lend().to_vec(),
                Step::Consumes(n) => {
                    let n = n.min(endpoint.outbox.len());
                    wire.extend_from_slice(&endpoint.outbox.bytes()[..n]);
                    endpoint.outbox.consume(n);
                    lent.drain(..n.min(lent.len()));
                }
            }
            prop_assert!(endpoint.outbox.bytes().starts_with(&lent));
        }
        while !endpoint.outbox.is_empty() {
            wire.extend_from_slice(endpoint.outbox.bytes());
            endpoint.outbox.consume(usize::MAX);
        }
        let answered: Vec<u8> = frames(role, &wire)
            .iter()
            .filter_map(|frame| frame.strip_prefix("8a "))
            .map(|payload| hex(payload)[0])
            .collect();
        prop_assert!(answered.is_sorted_by(|before, after| before < after), "{:?}", answered);
        prop_assert_eq!(answered.last().copied().unwrap_or_default(), pings);
    }
}
