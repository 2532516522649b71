//! Each path of a message by itself, as often as asked, for `run` to have its instructions counted.
//!
//! `instructions PATH N` goes through one of them `N` times; without arguments each is gone through a few times, and
//! its result asserted.

#[path = "../workload/mod.rs"]
mod workload;

use std::hint::black_box;

use workload::{Content, READ_BYTES, REQUEST};
use ws_proto::deflate::{Parameters, Pool};
use ws_proto::frame::{Decoder, Opcode, Part, Rules, Step};
use ws_proto::handshake::{Accept, HeadLimits, Server};
use ws_proto::{Config, Connection, Event, Inbox, Input, MessageKind, Outbox, Role};

/// What a path is called, and what goes through it so many times.
type Path = (&'static str, fn(usize));

const PATHS: [Path; 20] = [
    ("receive_masked_binary_8", |n| {
        receive(Role::Server, Content::Binary, 8, n)
    }),
    ("receive_masked_binary_125", |n| {
        receive(Role::Server, Content::Binary, 125, n)
    }),
    ("receive_masked_ascii_8", |n| {
        receive(Role::Server, Content::Ascii, 8, n)
    }),
    ("receive_masked_ascii_125", |n| {
        receive(Role::Server, Content::Ascii, 125, n)
    }),
    ("receive_masked_utf8_32", |n| {
        receive(Role::Server, Content::Mixed, 32, n)
    }),
    ("receive_unmasked_binary_8", |n| {
        receive(Role::Client, Content::Binary, 8, n)
    }),
    ("receive_unmasked_binary_125", |n| {
        receive(Role::Client, Content::Binary, 125, n)
    }),
    ("receive_masked_binary_1024", |n| {
        receive(Role::Server, Content::Binary, 1024, n)
    }),
    ("receive_masked_binary_1024_in_two", receive_in_two),
    ("ping_and_pong_8", ping),
    ("decode_masked_8", decode),
    ("send_masked_8", |n| send(Role::Client, 8, n)),
    ("send_masked_125", |n| send(Role::Client, 125, n)),
    ("send_masked_1024", |n| send(Role::Client, 1024, n)),
    ("send_unmasked_8", |n| send(Role::Server, 8, n)),
    ("send_unmasked_125", |n| send(Role::Server, 125, n)),
    ("send_header_unmasked_8", send_header),
    ("server_handshake", handshake),
    ("receive_compressed_256", receive_compressed),
    ("send_compressed_256", send_compressed),
];

fn main() {
    // Cargo adds options of its own.
    let arguments: Vec<_> = std::env::args()
        .skip(1)
        .filter(|argument| !argument.starts_with("--"))
        .collect();
    match &arguments[..] {
        [] => PATHS.iter().for_each(|(_, path)| path(1000)),
        [list] if list == "list" => PATHS.iter().for_each(|(name, _)| println!("{name}")),
        [wanted, n] => {
            let (Some((_, path)), Ok(n)) = (PATHS.iter().find(|(name, _)| name == wanted), n.parse()) else {
                unreachable!("no path {wanted}, or not a number: {n}");
            };
            path(n);
        }
        _ => unreachable!("usage: instructions [list | PATH N]"),
    }
}

fn receive(role: Role, content: Content, len: usize, n: usize) {
    let payload = content.payload(len);
    let frame = workload::frame(role, content.opcode(), &payload);
    let mut connection = Connection::new(role, &Config::default());
    // All of it once: that is not counted, since it does not grow with the messages.
    receive_each(&mut connection, role, &frame, 1, |event| match event {
        Event::Text(text) => content != Content::Binary && text.as_bytes() == payload,
        Event::Binary(data) => content == Content::Binary && data == payload,
        _ => false,
    });
    receive_each(&mut connection, role, &frame, n, |event| match event {
        Event::Text(text) => content != Content::Binary && text.len() == len,
        Event::Binary(data) => content == Content::Binary && data.len() == len,
        _ => false,
    });
}

/// Many frames in each read, and every one is an event that is as expected.
fn receive_each(
    connection: &mut Connection,
    role: Role,
    frame: &[u8],
    n: usize,
    expected: impl Fn(Event<'_>) -> bool,
) {
    let read = frame.repeat(READ_BYTES / frame.len());
    let mut buffer = read.clone();
    let (mut inbox, mut outbox) = (Inbox::new(), workload::outbox(role));
    let mut seen = 0;
    while seen < n {
        copy(&read, &mut buffer);
        let mut input = Input::new(&mut buffer[..], &mut inbox);
        while seen < n && connection.receive(&mut input, &mut outbox) == Ok(true) {
            assert!(expected(black_box(input.event())));
            seen += 1;
        }
        outbox.consume(usize::MAX);
    }
}

/// Not all at once: valgrind counts each byte of a long copy.
fn copy(from: &[u8], to: &mut [u8]) {
    for (to, from) in to.chunks_mut(1024).zip(from.chunks(1024)) {
        to.copy_from_slice(from);
    }
}

/// Each message straddles two reads.
fn receive_in_two(n: usize) {
    let frame = workload::frame(Role::Server, Opcode::BINARY, &Content::Binary.payload(1024));
    let mut connection = Connection::new(Role::Server, &Config::default());
    let (mut inbox, mut outbox) = (Inbox::new(), workload::outbox(Role::Server));
    for _ in 0..n {
        let mut frame = frame.clone();
        let (first, second) = frame.split_at_mut(512);
        let mut input = Input::new(first, &mut inbox);
        assert_eq!(connection.receive(&mut input, &mut outbox), Ok(false));
        let mut input = Input::new(second, &mut inbox);
        assert_eq!(connection.receive(&mut input, &mut outbox), Ok(true));
        assert!(matches!(black_box(input.event()), Event::Binary(data) if data.len() == 1024));
        assert_eq!(connection.receive(&mut input, &mut outbox), Ok(false));
    }
}

fn ping(n: usize) {
    let frame = workload::frame(Role::Server, Opcode::PING, b"8 octets");
    let mut config = Config::default();
    config.limits.max_control_frames = u16::MAX;
    let mut connection = Connection::new(Role::Server, &config);
    receive_each(&mut connection, Role::Server, &frame, n, |event| {
        event == Event::Ping(b"8 octets")
    });
}

/// The frames of many reads, by the decoder alone.
fn decode(n: usize) {
    let payload = Content::Binary.payload(8);
    let frame = workload::frame(Role::Server, Opcode::BINARY, &payload);
    let read = frame.repeat(READ_BYTES / frame.len());
    let mut buffer = read.clone();
    let mut decoder = Decoder::new(Rules::new(Role::Server));
    let mut seen = 0;
    while seen < n {
        copy(&read, &mut buffer);
        let mut rest = &mut buffer[..];
        while seen < n && !rest.is_empty() {
            let step = decoder.decode(black_box(rest));
            assert!(step.is_ok(), "all frames are right");
            let Ok(Step { consumed, part }) = step else { return };
            match part {
                Part::Payload { range, last, .. } => {
                    assert!(last && black_box(&rest[range]) == payload);
                    seen += 1;
                }
                part => assert!(matches!(part, Part::Header(header) if header.payload_len == 8)),
            }
            rest = &mut rest[consumed..];
        }
    }
}

fn send_header(n: usize) {
    let mut payload = Content::Binary.payload(8);
    let mut connection = Connection::new(Role::Server, &Config::default());
    let mut outbox = workload::outbox(Role::Server);
    for _ in 0..n {
        let header = connection.send_header(MessageKind::Binary, black_box(&mut payload), &mut outbox);
        assert!(header.is_ok_and(|header| *black_box(&header[..]) == [0x82, 8]));
    }
}

fn send(role: Role, len: usize, n: usize) {
    let payload = Content::Binary.payload(len);
    let mut connection = Connection::new(role, &Config::default());
    let mut outbox = workload::outbox(role);
    // As above.
    assert_eq!(connection.send_binary(&payload, &mut outbox), Ok(()));
    assert!(workload::is_frame(role, Opcode::BINARY, outbox.bytes(), &payload));
    for _ in 0..n {
        assert_eq!(connection.send_binary(black_box(&payload), &mut outbox), Ok(()));
        if outbox.len() >= READ_BYTES {
            black_box(outbox.bytes());
            outbox.consume(usize::MAX);
        }
    }
}

fn handshake(n: usize) {
    let mut outbox = Outbox::new();
    for _ in 0..n {
        let mut server = Server::new(HeadLimits::default());
        let accepted = server.receive(black_box(REQUEST)).is_ok_and(|received| {
            received.head.is_some_and(|head| {
                head.upgrade()
                    .is_ok_and(|request| request.accept(&Accept::default(), &mut outbox).is_ok())
            })
        });
        assert!(accepted && !black_box(outbox.bytes()).is_empty());
        outbox.consume(usize::MAX);
    }
}

/// Contexts are kept where they cost least to prepare: the receiver's, and not the sender's.
fn compressing(role: Role, takes_over: bool) -> (Connection, Outbox) {
    let mut config = Config::default();
    config.deflate = Some(Parameters {
        server_no_context_takeover: !takes_over,
        client_no_context_takeover: !takes_over,
        ..Parameters::default()
    });
    let mut outbox = workload::outbox(role);
    outbox.set_pool(Pool::default());
    (Connection::new(role, &config), outbox)
}

fn receive_compressed(n: usize) {
    let (mut client, mut outbox) = compressing(Role::Client, false);
    assert_eq!(
        client.send_text(&workload::json::text(1, 256), &mut outbox),
        Ok(())
    );
    assert!(outbox.len() < 256);
    let (mut server, _) = compressing(Role::Server, true);
    receive_each(
        &mut server,
        Role::Server,
        outbox.bytes(),
        n,
        |event| matches!(event, Event::Text(text) if text.len() == 256),
    );
}

fn send_compressed(n: usize) {
    let text = workload::json::text(1, 256);
    let (mut server, mut outbox) = compressing(Role::Server, false);
    for _ in 0..n {
        assert_eq!(server.send_text(black_box(&text), &mut outbox), Ok(()));
        assert!(black_box(outbox.bytes()).len() < 256);
        outbox.consume(usize::MAX);
    }
}
