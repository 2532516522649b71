//! Compressed messages: any octets behind RSV1 have one outcome, however the stream is cut and whether messages are lent
//! whole or in pieces, within the limits, and no other bytes than a slow and clear decompressor gives; and what our sender
//! makes of them comes back as it was, and keeps to the window.
//!
//! The stream is a list of fragments.
#![no_main]

#[path = "../../tests/blocks/mod.rs"]
mod blocks;

use blocks::Walker;
use libfuzzer_sys::fuzz_target;
use ws_proto::deflate::{Parameters, Pool, Settings};
use ws_proto::frame::{Opcode, Rsv, Rules};
use ws_proto::{Config, Connection, Event, Inbox, Input, MessageKind, Outbox, Violation};
use ws_proto_fuzz::{Case, Fragment, framed, frames, peer_of};

fuzz_target!(|data: &[u8]| {
    let Some(case) = Case::new(data) else { return };
    let fragments = Fragment::all(case.stream, 5000);
    let any = framed(case.role(), &fragments);
    let mut given = case;
    given.stream = &any;
    let (messages, failed) = assert_one_outcome(&given);
    let (inflated, _) = walk(&case, &any);
    assert!(messages.len() <= inflated.len());
    assert!(failed.is_some() || messages.len() == inflated.len());
    for (message, inflated) in messages.iter().zip(&inflated) {
        assert!(Some(message) == inflated.as_ref(), "as the format says");
    }

    let (sent, expected) = send(&case, &fragments);
    let mut given = case;
    given.stream = &sent;
    let (messages, failed) = assert_one_outcome(&given);
    if !case.option(2) && !case.option(7) {
        assert_eq!(failed, None);
        assert!(messages == expected, "as they were sent");
    }
    let (inflated, farthest) = walk(&case, &sent);
    assert!(
        inflated.into_iter().eq(expected.into_iter().map(Some)),
        "as the format says"
    );
    let bits = config(&case, false)
        .deflate
        .and_then(|agreed| agreed.server_max_window_bits);
    assert!(
        farthest <= 1 << bits.unwrap_or(15),
        "{farthest} bytes back with {bits:?}"
    );
});

fn config(case: &Case<'_>, pieces: bool) -> Config {
    let mut config = Config::default();
    config.pieces = pieces;
    config.deflate = Some(Parameters {
        server_no_context_takeover: case.option(1),
        client_no_context_takeover: case.option(1),
        server_max_window_bits: case.option(3).then_some(9),
        client_max_window_bits: case.option(3).then_some(9),
    });
    if case.option(2) {
        config.limits.max_message_bytes = 300;
    }
    if case.option(7) {
        config.limits.max_inflate_ratio = 100;
    }
    config
}

// ---- what goes in ----

type Message = (Opcode, Vec<u8>);

/// The fragments as our sender sends them, to a receiver in the case's role, and the messages that they make.
fn send(case: &Case<'_>, fragments: &[Fragment]) -> (Vec<u8>, Vec<Message>) {
    let sender = peer_of(case.role());
    let mut settings = Settings::default();
    settings.min_bytes = 0;
    settings.level = if case.option(5) { 1 } else { 6 };
    settings.mem_level = if case.option(6) { 1 } else { 8 };
    let mut outbox = Outbox::client([5; 16]);
    outbox.set_pool(Pool::new(settings));
    outbox.set_max_bytes(u32::MAX);
    let mut connection = Connection::new(sender, &config(case, false));
    let (mut sent, mut messages, mut begun) = (Vec::new(), Vec::new(), None::<Vec<u8>>);
    for fragment in fragments {
        let (octets, fin) = (&fragment.octets[..], fragment.fin);
        connection.set_compression(fragment.compressed);
        let result = match (&mut begun, fin) {
            (None, true) => connection.send_binary(octets, &mut outbox),
            (None, false) => connection.begin_message(MessageKind::Binary, octets, &mut outbox),
            (Some(_), true) => connection.finish_message(octets, &mut outbox),
            (Some(_), false) => connection.continue_message(octets, &mut outbox),
        };
        result.expect("it is open, and not full");
        let mut message = begun.take().unwrap_or_default();
        message.extend_from_slice(octets);
        if fin {
            messages.push((Opcode::BINARY, message));
        } else {
            begun = Some(message);
        }
        // The transport takes a part of it.
        let n = outbox.len() - outbox.len().min(usize::from(fragment.ping));
        sent.extend_from_slice(&outbox.bytes()[..n]);
        outbox.consume(n);
    }
    sent.extend_from_slice(outbox.bytes());
    (sent, messages)
}

// ---- what comes out ----

/// The complete messages of these frames as another decompressor inflates them, `None` from the first one on that it cannot; and
/// how far matches reach back.
fn walk(case: &Case<'_>, stream: &[u8]) -> (Vec<Option<Message>>, usize) {
    let rules = Rules {
        message_bits: Rsv::RSV1,
        ..Rules::new(case.role())
    };
    let (mut walker, mut messages) = (Some(Walker::default()), Vec::new());
    let (mut opcode, mut compressed, mut message) = (Opcode::BINARY, false, Vec::new());
    for (header, payload) in frames(rules, stream.to_vec()) {
        if header.opcode.is_control() {
            continue;
        }
        if header.opcode != Opcode::CONTINUATION {
            (opcode, compressed) = (header.opcode, header.rsv == Rsv::RSV1);
        }
        message.extend(payload);
        if header.fin {
            let payload = std::mem::take(&mut message);
            let inflated = match &mut walker {
                // What has no octets is empty.
                Some(walker) if compressed && !payload.is_empty() => {
                    walker.message(&payload, !case.option(1))
                }
                Some(_) => Some(payload),
                None => None,
            };
            if inflated.is_none() {
                walker = None;
            }
            messages.push(inflated.map(|inflated| (opcode, inflated)));
        }
    }
    (messages, walker.map_or(0, |walker| walker.farthest))
}

fn assert_one_outcome(case: &Case<'_>) -> (Vec<Message>, Option<Violation>) {
    let whole = case.assert_equal_however_cut(|reads| run(case, reads, false));
    let in_pieces = case.assert_equal_however_cut(|reads| run(case, reads, true));
    assert_eq!(whole, in_pieces, "whole and in pieces");
    whole
}

/// The messages, put together, and the violation that the connection failed with.
fn run(case: &Case<'_>, reads: &[&[u8]], pieces: bool) -> (Vec<Message>, Option<Violation>) {
    let config = config(case, pieces);
    let most = config.limits.max_message_bytes as usize;
    let mut connection = Connection::new(case.role(), &config);
    let (mut inbox, mut outbox) = (Inbox::new(), Outbox::client([5; 16]));
    if case.option(4) {
        outbox.set_pool(Pool::default());
    }
    let (mut messages, mut failed, mut message) = (Vec::new(), None, Vec::new());
    for read in reads {
        let mut bytes = read.to_vec();
        let mut input = Input::new(&mut bytes[..], &mut inbox);
        loop {
            match connection.receive(&mut input, &mut outbox) {
                Ok(true) => {
                    let (opcode, piece) = match input.event() {
                        Event::Text(text) => {
                            assert!(std::str::from_utf8(text.as_bytes()).is_ok(), "a str is UTF-8");
                            (Opcode::TEXT, text.as_bytes())
                        }
                        Event::Binary(data) => (Opcode::BINARY, data),
                        Event::Ping(_) => continue,
                        other => panic!("{other:?}"),
                    };
                    assert!(input.is_message_end() || (pieces && !piece.is_empty()));
                    message.extend_from_slice(piece);
                    assert!(message.len() <= most, "over the limit");
                    if input.is_message_end() {
                        messages.push((opcode, std::mem::take(&mut message)));
                    }
                }
                Ok(false) => break assert_eq!(input.remaining(), 0),
                Err(violation) => {
                    assert_eq!(failed, None, "reported once");
                    failed = Some(violation);
                }
            }
        }
        assert!(inbox.len() <= most + 125);
        inbox.release();
        outbox.consume(usize::MAX);
        outbox.release();
    }
    (messages, failed)
}
