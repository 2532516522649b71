//! Compressed messages, in and out.

use ws_proto::deflate::{Parameters, Pool};
use ws_proto::frame::{Header, Opcode, Rsv};
use ws_proto::{Config, Connection, Inbox, Input, MessageKind, Outbox, Role};

use super::receive::Seen;
use super::workload::{self, READ_BYTES, json::text as json};
use super::{Job, Path, path};

const WHOLE: usize = usize::MAX;

pub(crate) const PATHS: &[Path] = &[
    path("compress: bytes of a message", 256 << 10, |n| {
        let (mut connection, mut outbox) = open(Role::Server, true);
        let (before, text) = (json(1, 64 << 10), json(2, n));
        let is_warm = connection.send_text(&before, &mut outbox).is_ok();
        Box::new(move || is_warm && connection.send_text(&text, &mut outbox).is_ok())
    }),
    path("compress: messages, contexts kept", 100, |n| compress(true, n)),
    path("compress: messages, no contexts", 20, |n| compress(false, n)),
    path("compress: fragments of a message", 100, |n| {
        let (mut connection, mut outbox) = open(Role::Server, true);
        let text = json(1, 256 * n);
        Box::new(move || {
            let pieces = &mut text.as_bytes().chunks(256);
            connection
                .begin_message(MessageKind::Text, b"", &mut outbox)
                .is_ok()
                && pieces.all(|piece| connection.continue_message(piece, &mut outbox).is_ok())
                && connection.finish_message(b"", &mut outbox).is_ok()
        })
    }),
    path("inflate: bytes of a message in one read", 1 << 20, |n| {
        inflate(&[json(1, n)], WHOLE, false)
    }),
    path("inflate: bytes of a message, 16 KiB a read", 1 << 20, |n| {
        inflate(&[json(1, n)], READ_BYTES, false)
    }),
    path("inflate: bytes of a message, byte by byte", 32 << 10, |n| {
        inflate(&[json(1, n)], 1, false)
    }),
    path(
        "inflate: bytes of a message in one read, lent in pieces",
        2 << 20,
        |n| inflate(&[json(1, n)], WHOLE, true),
    ),
    path(
        "inflate: bytes of a message of zeros, lent in pieces",
        4 << 20,
        |n| inflate(&["\0".repeat(n)], WHOLE, true),
    ),
    path(
        "inflate: bytes of a message, byte by byte, lent in pieces",
        32 << 10,
        |n| inflate(&[json(1, n)], 1, true),
    ),
    path("inflate: messages", 600, |n| {
        let messages: Vec<_> = (0..n).map(|i| json(i, 256)).collect();
        inflate(&messages, WHOLE, false)
    }),
    path("inflate: fragments of a message", 400, |n| {
        let (mut client, mut outbox) = open(Role::Client, true);
        let text = json(1, 128 * n);
        let mut pieces = text.as_bytes().chunks(128);
        let is_sent = client.begin_message(MessageKind::Text, b"", &mut outbox).is_ok()
            && pieces.all(|piece| client.continue_message(piece, &mut outbox).is_ok())
            && client.finish_message(b"", &mut outbox).is_ok();
        assert!(is_sent);
        receive(outbox.bytes().to_vec(), WHOLE, false, 1, text.len())
    }),
    path("inflate: final blocks", 3000, |n| {
        // Stored ones, long enough to be let through however many there are.
        let block = [&[1, 64, 0, !64, !0][..], &[b'a'; 64]].concat();
        let payload = block.repeat(n);
        let mut header = Header::new(Opcode::TEXT, payload.len() as u64);
        header.rsv = Rsv::RSV1;
        header.key = Some(workload::KEY);
        let mut wire = header.encode().to_vec();
        let start = wire.len();
        wire.extend(payload);
        workload::KEY.apply(&mut wire[start..]);
        receive(wire, WHOLE, false, 1, 64 * n)
    }),
];

fn open(role: Role, takes_over: bool) -> (Connection, Outbox) {
    let mut outbox = workload::outbox(role);
    outbox.set_max_bytes(u32::MAX);
    outbox.set_pool(Pool::default());
    (Connection::new(role, &config(takes_over)), outbox)
}

fn config(takes_over: bool) -> Config {
    let mut config = Config::default();
    config.deflate = Some(Parameters {
        server_no_context_takeover: !takes_over,
        client_no_context_takeover: !takes_over,
        ..Parameters::default()
    });
    config
}

fn compress(takes_over: bool, n: usize) -> Job {
    let (mut connection, mut outbox) = open(Role::Server, takes_over);
    let messages: Vec<_> = (0..n).map(|i| json(i, 256)).collect();
    let before = json(n, 32 << 10);
    let is_warm = connection.send_text(&before, &mut outbox).is_ok();
    Box::new(move || {
        is_warm
            && messages
                .iter()
                .all(|text| connection.send_text(text, &mut outbox).is_ok())
    })
}

fn inflate(messages: &[String], read: usize, pieces: bool) -> Job {
    let (mut client, mut outbox) = open(Role::Client, true);
    let is_sent = messages
        .iter()
        .all(|text| client.send_text(text, &mut outbox).is_ok());
    assert!(is_sent);
    let bytes = messages.iter().map(String::len).sum();
    receive(outbox.bytes().to_vec(), read, pieces, messages.len(), bytes)
}

fn receive(mut wire: Vec<u8>, read: usize, pieces: bool, events: usize, bytes: usize) -> Job {
    let mut config = config(true);
    config.pieces = pieces;
    let mut connection = Connection::new(Role::Server, &config);
    let (mut inbox, mut outbox) = (Inbox::new(), Outbox::new());
    Box::new(move || {
        let mut seen = Seen::default();
        for read in wire.chunks_mut(read) {
            seen.receive(&mut connection, &mut Input::new(read, &mut inbox), &mut outbox);
        }
        (seen.events, seen.bytes) == (events, bytes)
    })
}
