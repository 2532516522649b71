//! The ways to give bytes to a connection.
#![cfg(feature = "alloc")]
#![allow(clippy::unwrap_used)]

mod streams;

use proptest::prelude::*;
use streams::{Collector, Seen, config, outbox, role, stream};
use ws_proto::handshake::{Answer, Client, ClientRequest, Url};
use ws_proto::{Config, Connection, Event, Inbox, Input, Outbox, Role, Status, Violation};

/// HC-18: frames that come in the same read as the response are not lost.
#[test]
fn s4_1_frames_behind_the_response_stay_in_the_buffer() {
    let mut outbox = Outbox::client([7; 16]);
    let url = Url::parse("ws://server.example.com/chat").unwrap();
    let request = ClientRequest::new(url);
    let mut client = Client::start_with_nonce(&request, *b"the sample nonce", &mut outbox).unwrap();
    outbox.consume(usize::MAX);

    let head = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
        Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
    let received = [&head[..], b"\x81\x05Hello\x81\x03by"].concat();
    let mut buffer = [0; 256];
    buffer[..received.len()].copy_from_slice(&received);
    let reply = client.receive(&buffer[..received.len()]).unwrap();
    assert!(matches!(reply.answer, Some(Answer::Open(_))));
    let behind = reply.consumed..received.len();

    let mut connection = Connection::new(Role::Client, &Config::default());
    let mut input = Input::with_filled(buffer, behind, Inbox::new());
    assert!(connection.receive(&mut input, &mut outbox).unwrap());
    assert_eq!(input.event(), Event::Text("Hello"));
    assert!(!connection.receive(&mut input, &mut outbox).unwrap());
    input.space()[0] = b'e';
    input.filled(1);
    assert!(connection.receive(&mut input, &mut outbox).unwrap());
    assert_eq!(input.event(), Event::Text("bye"));
}

#[test]
fn s4_1_what_is_filled_ends_with_the_buffer() {
    for (filled, expected) in [(0..9, 4), (2..9, 2), (7..9, 0)] {
        let mut input = Input::with_filled([0x8a, 0, 0x8a, 0], filled.clone(), Inbox::new());
        let mut connection = Connection::new(Role::Client, &Config::default());
        let before = input.consumed();
        while connection.receive(&mut input, &mut Outbox::new()).unwrap() {}
        assert_eq!(input.consumed() - before, expected, "{filled:?}");
    }
}

/// Without an event, what is lent asks for nothing.
#[test]
fn s5_5_3_no_event_is_an_empty_pong() {
    let mut input = Input::new(*b"\x81\x01", Inbox::new());
    assert_eq!(input.event(), Event::Pong(b""));
    let mut connection = Connection::new(Role::Client, &Config::default());
    assert!(!connection.receive(&mut input, &mut Outbox::new()).unwrap());
    assert_eq!((input.event(), input.event_range()), (Event::Pong(b""), None));
}

/// Where bytes are read into, the event found last may have been: it is not lent any more.
#[test]
fn s8_1_space_ends_the_event() {
    let (mut connection, mut outbox) = (Connection::new(Role::Client, &Config::default()), Outbox::new());
    let mut input = Input::with_filled(*b"\x81\x01a", 0..3, Inbox::new());
    assert!(connection.receive(&mut input, &mut outbox).unwrap());
    assert_eq!(input.event(), Event::Text("a"));
    input.space()[0] = 0xff;
    assert_eq!(input.event(), Event::Pong(b""));
}

/// What one connection left of a control frame is not another's.
#[test]
fn s5_5_an_inbox_does_not_carry_control_frames_over() {
    let mut inbox = Inbox::new();
    let mut outbox = Outbox::client([7; 16]);
    let mut first = Connection::new(Role::Client, &Config::default());
    let mut cut = *b"\x89\x0csecret of A";
    assert!(
        !first
            .receive(&mut Input::new(&mut cut[..], &mut inbox), &mut outbox)
            .unwrap()
    );
    let mut second = Connection::new(Role::Client, &Config::default());
    let mut bytes = *b"\x89\x01b";
    let mut input = Input::new(&mut bytes[..], &mut inbox);
    assert!(second.receive(&mut input, &mut outbox).unwrap());
    assert_eq!(input.event(), Event::Ping(b"b"));
}

/// All that came of a stream, looking at `n` bytes at a time; `None` for all at once.
fn seen_by_turns(
    role: Role,
    config: &Config,
    stream: &[u8],
    n: Option<usize>,
) -> (Vec<Seen>, Option<(Violation, usize)>, Status) {
    let mut connection = Connection::new(role, config);
    let mut outbox = outbox(role);
    let (mut seen, mut failed) = (Collector::default(), None);
    let mut input = Input::new(stream.to_vec(), Inbox::new());
    let mut closed = false;
    loop {
        let before = input.consumed();
        if let Some(n) = n {
            input.limit(n);
        }
        loop {
            match connection.receive(&mut input, &mut outbox) {
                Ok(true) => {
                    closed |= matches!(input.event(), Event::Close(_));
                    seen.take(input.event(), input.is_message_end());
                }
                Ok(false) => break,
                Err(violation) => failed = Some((violation, input.consumed())),
            }
            let looked_at = input.consumed() - before;
            assert!(looked_at <= n.unwrap_or(usize::MAX), "no more than the limit");
            assert_eq!(input.remaining(), stream.len() - input.consumed());
        }
        if input.remaining() == 0 {
            return (seen.seen, failed, connection.status());
        }
        // What is left is discarded once nothing is looked at any more; else the limit is used up before there is no event.
        assert!(!closed && failed.is_none());
        assert_eq!(Some(input.consumed() - before), n);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn a_limit_gives_the_same_events_in_turns(
        (role, stream) in role().prop_flat_map(|role| (Just(role), stream(role))),
        (mut config, pieces) in (config(), any::<bool>()),
        n in 1usize..60,
    ) {
        config.pieces = pieces;
        let whole = seen_by_turns(role, &config, &stream, None);
        for n in [n, 1, stream.len() + 1, usize::MAX] {
            prop_assert_eq!(&seen_by_turns(role, &config, &stream, Some(n)), &whole, "{} at a time", n);
        }
    }
}

#[test]
fn a_limit_of_nothing_looks_at_nothing() {
    // The violation is not seen, nor the message.
    for bytes in [b"\x81\x01a", b"\xff\xff\xff"] {
        let mut connection = Connection::new(Role::Client, &Config::default());
        let mut input = Input::new(*bytes, Inbox::new());
        for _ in 0..3 {
            input.limit(0);
            assert_eq!(connection.receive(&mut input, &mut Outbox::new()), Ok(false));
            assert_eq!((input.consumed(), input.remaining()), (0, 3));
        }
    }
}

#[test]
fn space_ends_the_limit() {
    let mut connection = Connection::new(Role::Client, &Config::default());
    let mut input = Input::with_filled(*b"\x81\x01a\x81\x01b\0", 0..6, Inbox::new());
    let outbox = &mut Outbox::new();
    input.limit(4);
    assert_eq!(connection.receive(&mut input, outbox), Ok(true));
    assert_eq!(connection.receive(&mut input, outbox), Ok(false));
    assert_eq!((input.consumed(), input.remaining()), (4, 2));
    assert_eq!(input.space().len(), 5);
    assert_eq!(input.remaining(), 2);
    assert_eq!(connection.receive(&mut input, outbox), Ok(true));
    assert_eq!(input.event(), Event::Text("b"));
    assert_eq!(input.remaining(), 0);
}

/// What is discarded passes the limit; that is no obstacle to whoever uses the input next.
#[test]
fn what_is_discarded_passes_the_limit() {
    let outbox = &mut Outbox::client([7; 16]);
    let mut input = Input::new(*b"\xff\0\0\0\0", Inbox::new());
    input.limit(1);
    let mut failing = Connection::new(Role::Client, &Config::default());
    assert!(failing.receive(&mut input, outbox).is_err());
    assert_eq!(failing.receive(&mut input, outbox), Ok(false));
    assert_eq!(input.remaining(), 0);
    let mut next = Connection::new(Role::Client, &Config::default());
    assert_eq!(next.receive(&mut input, outbox), Ok(false));
}
