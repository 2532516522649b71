//! The connection: the same events, violation, status and replies however the stream is cut, and whether messages are
//! lent whole or in pieces, in bounded work and with a bounded outbox.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ws_proto::frame::{Opcode, Rules};
use ws_proto::{Config, Connection, Event, Inbox, Input, Outbox, Role, Status, Violation};
use ws_proto_fuzz::{Case, frames, peer_of};

fuzz_target!(|data: &[u8]| {
    let Some(case) = Case::new(data) else { return };
    let whole = case.assert_equal_however_cut(|reads| run(&case, reads, Way::Whole));
    let in_pieces = case.assert_equal_however_cut(|reads| run(&case, reads, Way::InPieces));
    assert_eq!(whole, in_pieces, "whole and in pieces");
    let gathered = case.assert_equal_however_cut(|reads| run(&case, reads, Way::Gathered).without_place());
    assert_eq!(
        whole.without_place(),
        gathered,
        "read to the buffer and straight to the inbox"
    );
});

/// Two frames that the connection sends by itself: a Pong of 125 bytes and a Close, both masked.
const MOST_QUEUED_BYTES: usize = 131 + 8;

/// How messages come.
#[derive(Clone, Copy, PartialEq)]
enum Way {
    Whole,
    InPieces,
    /// Whole, and read straight to where they are gathered, if they are long.
    Gathered,
}

#[derive(Debug, PartialEq)]
struct Outcome {
    events: Vec<(Opcode, Vec<u8>)>,
    /// With the number of bytes of the stream that prove it.
    violation: Option<(Violation, usize)>,
    status: Status,
    reason: String,
    sent: Vec<(Opcode, Vec<u8>)>,
}

impl Outcome {
    /// Without the place of the violation, which is not told of what was read straight to the inbox.
    fn without_place(mut self) -> Self {
        self.violation = self.violation.map(|(violation, _)| (violation, 0));
        self
    }
}

fn run(case: &Case<'_>, reads: &[&[u8]], way: Way) -> Outcome {
    let pieces = way == Way::InPieces;
    let role = if case.option(0) {
        Role::Client
    } else {
        Role::Server
    };
    let mut config = Config::default();
    config.pieces = pieces;
    config.automatic_pong = !case.option(1);
    config.automatic_close = !case.option(2);
    if !case.option(3) {
        config.limits.max_frame_bytes = 200;
        config.limits.max_message_bytes = 300;
        config.limits.max_fragments = 5;
        config.limits.max_control_frames = 4;
    }
    let mut connection = Connection::new(role, &config);
    let (mut inbox, mut outbox) = (Inbox::new(), Outbox::client([5; 16]));
    let (mut events, mut violation) = (Vec::new(), None);
    let mut message = Vec::new();
    if case.option(4) {
        connection.close(None, &mut outbox).expect("it is open");
        outbox.consume(outbox.len());
    }

    let mut before = 0;
    let mut reads = reads.iter().copied();
    let mut left = &[][..];
    while let Some(read) = if left.is_empty() { reads.next() } else { Some(left) } {
        let mut bytes = read.to_vec();
        let mut input = Input::with_space(&mut bytes[..], &mut inbox);
        let n = match way {
            Way::Gathered => fill(&mut input.spaces(&connection), read),
            Way::Whole | Way::InPieces => fill(&mut [input.space()], read),
        };
        input.filled(n);
        left = &read[n..];
        let mut calls_left = n + 3;
        loop {
            assert!(calls_left > 0, "called without end");
            calls_left -= 1;
            match connection.receive(&mut input, &mut outbox) {
                Ok(true) => {
                    let (opcode, payload) = seen(input.event());
                    if opcode.is_control() {
                        events.push((opcode, payload));
                        continue;
                    }
                    assert!(input.is_message_end() || (pieces && !payload.is_empty()));
                    message.extend(payload);
                    if input.is_message_end() {
                        events.push((opcode, std::mem::take(&mut message)));
                    }
                }
                Ok(false) => {
                    assert!(way == Way::Gathered || input.consumed() == read.len());
                    break assert_eq!(input.remaining(), 0);
                }
                Err(new) => {
                    assert_eq!(violation, None, "reported once");
                    violation = Some((new, before + input.consumed()));
                }
            }
            assert!(outbox.len() <= MOST_QUEUED_BYTES);
        }
        before += n;
    }
    Outcome {
        events,
        violation,
        status: connection.status(),
        reason: inbox.close_reason().into(),
        sent: sent(role, &mut outbox),
    }
}

/// As a vectored read: how many bytes there was room for.
fn fill(spaces: &mut [&mut [u8]], read: &[u8]) -> usize {
    let mut left = read;
    for space in spaces {
        let (part, behind) = left.split_at(space.len().min(left.len()));
        space[..part.len()].copy_from_slice(part);
        left = behind;
    }
    read.len() - left.len()
}

fn seen(event: Event<'_>) -> (Opcode, Vec<u8>) {
    match event {
        Event::Text(text) => {
            assert!(std::str::from_utf8(text.as_bytes()).is_ok(), "a str is UTF-8");
            (Opcode::TEXT, text.into())
        }
        Event::Binary(data) => (Opcode::BINARY, data.into()),
        Event::Ping(data) => (Opcode::PING, data.into()),
        Event::Pong(data) => (Opcode::PONG, data.into()),
        Event::Close(close) => {
            let body = close.map(|close| [&close.code.get().to_be_bytes(), close.reason.as_bytes()].concat());
            (Opcode::CLOSE, body.unwrap_or_default())
        }
    }
}

/// The frames of the outbox, unmasked.
fn sent(role: Role, outbox: &mut Outbox) -> Vec<(Opcode, Vec<u8>)> {
    frames(Rules::new(peer_of(role)), outbox.take_all())
        .into_iter()
        .map(|(header, payload)| (header.opcode, payload))
        .collect()
}
