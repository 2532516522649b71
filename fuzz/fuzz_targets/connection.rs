//! The connection: the same events, violation, status and replies however the stream is cut, and whether messages are
//! lent whole or in pieces, in bounded work and with a bounded outbox.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ws_proto::deflate::Parameters;
use ws_proto::frame::{Header, Opcode, Rsv, Rules};
use ws_proto::{
    CloseCode, Config, Connection, Event, Inbox, Input, MessageKind, Outbox, Role, SendError, Status,
    Violation,
};
use ws_proto_fuzz::{Case, Fragment, framed, frames, peer_of};

fuzz_target!(|data: &[u8]| {
    let Some(mut case) = Case::new(data) else { return };
    // Long frames take a short input.
    let stream = framed(case.role(), &Fragment::all(case.stream, 100_000));
    if case.option(11) {
        case.stream = &stream;
    }
    let whole = case.assert_equal_however_cut(|reads| run(&case, reads, Way::Whole));
    let in_pieces = case.assert_equal_however_cut(|reads| run(&case, reads, Way::InPieces));
    assert_eq!(whole, in_pieces, "whole and in pieces");
    let unlimited = run(&case, &[case.stream], Way::Unlimited);
    assert!(unlimited.events.starts_with(&whole.events), "up to the limit");
    let breaches_limit = whole.violation.is_some_and(|(violation, _)| {
        let code = violation.close_code();
        code == CloseCode::MESSAGE_TOO_BIG || code == CloseCode::POLICY_VIOLATION
    });
    assert!(
        breaches_limit || unlimited == whole,
        "below the limits there are none"
    );
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
    /// Whole, and without limits.
    Unlimited,
}

#[derive(Debug, PartialEq)]
struct Outcome {
    events: Vec<(Opcode, Rsv, Vec<u8>)>,
    /// With the number of bytes of the stream that prove it.
    violation: Option<(Violation, usize)>,
    status: Status,
    reason: String,
    sent: Vec<(Header, Vec<u8>)>,
    /// What came of sending messages back.
    echoes: Vec<Result<(), SendError>>,
}

impl Outcome {
    /// Without the place of the violation, which is not told of what was read straight to the inbox, or compressed.
    fn without_place(mut self) -> Self {
        self.violation = self.violation.map(|(violation, _)| (violation, 0));
        self
    }
}

fn config(case: &Case<'_>, way: Way) -> Config {
    let mut config = Config::default();
    config.pieces = way == Way::InPieces;
    config.automatic_pong = !case.option(1);
    config.automatic_close = !case.option(2);
    if case.option(5) {
        config.deflate = Some(Parameters::default());
    }
    if case.option(6) {
        config.reserved_bits = Rsv::RSV1.union(Rsv::RSV3);
    }
    if !case.option(3) && way != Way::Unlimited {
        let n = case.number();
        config.limits.max_frame_bytes = u64::from(10 * n * n);
        config.limits.max_message_bytes = u64::from(15 * n * n);
        config.limits.max_fragments = n;
        config.limits.max_control_frames = n as u16;
        config.limits.max_inflate_ratio = n as u16;
    }
    config
}

fn run(case: &Case<'_>, reads: &[&[u8]], way: Way) -> Outcome {
    let pieces = way == Way::InPieces;
    let config = config(case, way);
    let (echoes, releases, keeps_input) = (case.option(8), case.option(9), case.option(10));
    let has_keys = !case.option(7);
    let mut outbox = if has_keys {
        Outbox::client([5; 16])
    } else {
        Outbox::new()
    };
    if echoes {
        outbox.set_max_bytes(40);
    }
    let can_send = has_keys || case.role() == Role::Server;
    let mut connection = Connection::new(case.role(), &config);
    let mut outcome = Outcome {
        events: Vec::new(),
        violation: None,
        status: connection.status(),
        reason: String::new(),
        sent: Vec::new(),
        echoes: Vec::new(),
    };
    if case.option(4) {
        assert_eq!(connection.close(None, &mut outbox).is_ok(), can_send);
        outbox.consume(outbox.len());
    }

    let mut input = Input::with_space(vec![0; 100], Inbox::new());
    let (mut before, mut message) = (0, Vec::new());
    let mut reads = reads.iter().copied();
    let mut left = &[][..];
    while let Some(read) = if left.is_empty() { reads.next() } else { Some(left) } {
        if !keeps_input {
            let (_, inbox) = input.into_parts();
            input = Input::with_space(vec![0; read.len()], inbox);
        }
        let n = match way {
            Way::Gathered => fill(&mut input.spaces(&connection), read),
            _ => fill(&mut [input.space()], read),
        };
        input.filled(n);
        left = &read[n..];
        if keeps_input {
            input.limit(n / 2);
        }
        let mut calls_left = n + 4;
        loop {
            assert!(calls_left > 0, "called without end");
            calls_left -= 1;
            match connection.receive(&mut input, &mut outbox) {
                Ok(true) => {
                    let (mut opcode, payload) = seen(input.event());
                    if opcode.is_control() {
                        outcome.events.push((opcode, Rsv::NONE, payload));
                        continue;
                    }
                    assert!(input.is_message_end() || (pieces && !payload.is_empty()));
                    message.extend(payload);
                    if !input.is_message_end() {
                        continue;
                    }
                    let (kind, bits) = input.extended().unwrap_or((MessageKind::Binary, Rsv::NONE));
                    if kind == MessageKind::Text {
                        opcode = Opcode::TEXT;
                    }
                    let message = std::mem::take(&mut message);
                    if echoes {
                        let full = outbox.is_full();
                        let result = connection.send_binary(&message, &mut outbox);
                        assert!(result.is_err() || (can_send && !full));
                        outcome.echoes.push(result);
                    }
                    outcome.events.push((opcode, bits, message));
                }
                Ok(false) if keeps_input && input.remaining() > 0 => {
                    before += input.consumed();
                    let _ = input.space(); // which ends the limit
                }
                Ok(false) => break assert_eq!(input.remaining(), 0),
                Err(new) => {
                    assert_eq!(outcome.violation, None, "reported once");
                    outcome.violation = Some((new, before + input.consumed()));
                }
            }
            assert!(echoes || outbox.len() <= MOST_QUEUED_BYTES);
        }
        before += input.consumed();
        if releases {
            input.release();
            outbox.release();
        }
    }
    outcome.status = connection.status();
    outcome.reason = input.inbox().close_reason().into();
    outcome.sent = sent(case.role(), &config, &mut outbox);
    assert!(can_send || outcome.sent.is_empty());
    if config.deflate.is_some() {
        outcome = outcome.without_place();
    }
    outcome
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

/// The frames of the outbox, unmasked: an outbox that is released goes on with other keys.
fn sent(role: Role, config: &Config, outbox: &mut Outbox) -> Vec<(Header, Vec<u8>)> {
    let mut rules = Rules::new(peer_of(role));
    if config.deflate.is_some() {
        rules.message_bits = Rsv::RSV1;
    }
    let mut sent = frames(rules, outbox.take_all());
    sent.iter_mut().for_each(|(header, _)| header.key = None);
    sent
}
