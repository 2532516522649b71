//! Reads that go straight to where a message is gathered.
#![cfg(feature = "alloc")]
#![allow(clippy::unwrap_used)]

mod streams;

use proptest::prelude::*;
use streams::{Collector, Item, Payload, ROLES, Seen, kind, outbox, peer_of, role, send};
use ws_proto::frame::{Header, Opcode, Rsv};
use ws_proto::mask::MaskingKey;
use ws_proto::{Config, Connection, Event, Inbox, Input, MessageKind, Outbox, Role, Violation};

/// An endpoint and its transport: what it sees of reads of at most so many bytes each.
struct Endpoint {
    connection: Connection,
    inbox: Inbox,
    outbox: Outbox,
    buffer: Vec<u8>,
    seen: Collector,
    /// Bytes that went straight to the inbox.
    gathered: usize,
}

impl Endpoint {
    fn new(role: Role, buffer_bytes: usize) -> Self {
        Self {
            connection: Connection::new(role, &Config::default()),
            inbox: Inbox::new(),
            outbox: outbox(role),
            buffer: vec![0; buffer_bytes],
            seen: Collector::default(),
            gathered: 0,
        }
    }

    /// A read of as much as there is room for, and what comes of it.
    fn read(&mut self, from: &mut &[u8]) -> Result<(), Violation> {
        let mut input = Input::with_space(&mut self.buffer[..], &mut self.inbox);
        let mut n = 0;
        for (i, space) in input.spaces(&self.connection).into_iter().enumerate() {
            let part = from.split_off(..space.len().min(from.len())).unwrap();
            space[..part.len()].copy_from_slice(part);
            n += part.len();
            self.gathered += if i == 0 { part.len() } else { 0 };
        }
        input.filled(n);
        assert_eq!(input.remaining(), n);
        input.release(); // takes nothing that was read
        while self.connection.receive(&mut input, &mut self.outbox)? {
            self.seen.take(input.event(), input.is_message_end());
            self.outbox.consume(usize::MAX);
        }
        assert_eq!(input.remaining(), 0);
        Ok(())
    }

    fn read_all(&mut self, mut from: &[u8], read_bytes: usize) -> Result<(), Violation> {
        while !from.is_empty() {
            let mut read = from.split_off(..read_bytes.min(from.len())).unwrap();
            while !read.is_empty() {
                self.read(&mut read)?;
            }
        }
        Ok(())
    }
}

/// A frame for a receiver.
fn frame(receiver: Role, fin: bool, opcode: Opcode, payload: &[u8]) -> Vec<u8> {
    let mut header = Header::new(opcode, payload.len() as u64);
    header.fin = fin;
    header.key = (receiver == Role::Server).then(|| MaskingKey::new([0x37, 0xfa, 0x21, 0x3d]));
    let mut bytes = header.encode().to_vec();
    let start = bytes.len();
    bytes.extend_from_slice(payload);
    header.key.unwrap_or_default().apply(&mut bytes[start..]);
    bytes
}

fn text(len: usize) -> Vec<u8> {
    Payload { len, seed: 1 }.bytes(MessageKind::Text)
}

#[test]
fn s5_4_a_message_cut_anywhere_is_gathered() {
    for receiver in ROLES {
        let payload = text(4400);
        let bytes = frame(receiver, true, Opcode::TEXT, &payload);
        let mut gathered = 0;
        for cut in 0..=bytes.len() {
            let mut endpoint = Endpoint::new(receiver, 5000);
            let (mut first, mut rest) = bytes.split_at(cut);
            endpoint.read(&mut first).unwrap();
            while !rest.is_empty() {
                endpoint.read(&mut rest).unwrap();
            }
            let expected = Seen::Text(String::from_utf8(payload.clone()).unwrap());
            assert!(endpoint.seen.seen == [expected], "cut at {cut}");
            gathered += usize::from(endpoint.gathered > 0);
        }
        // From behind the header on, as long as there is a page to come.
        assert_eq!(gathered, 4400 - 4096 + 1);
    }
}

/// The bits are those of its own message.
#[test]
fn s5_2_bits_of_the_message_before_do_not_stay() {
    let mut config = Config::default();
    config.reserved_bits = Rsv::RSV2;
    for receiver in ROLES {
        let mut connection = Connection::new(receiver, &config);
        let (mut inbox, mut outbox) = (Inbox::new(), outbox(receiver));
        let mut extended = frame(receiver, true, Opcode::TEXT, &[0xff; 200]);
        extended[0] |= 0x20;
        let payload = text(200);
        let plain = frame(receiver, true, Opcode::TEXT, &payload);
        let (front, rest) = plain.split_at(100);
        let mut input = Input::new([&extended, front].concat(), &mut inbox);
        assert_eq!(connection.receive(&mut input, &mut outbox), Ok(true));
        assert_eq!(input.extended(), Some((MessageKind::Text, Rsv::RSV2)));
        assert_eq!(connection.receive(&mut input, &mut outbox), Ok(false));
        let mut input = Input::new(rest.to_vec(), &mut inbox);
        assert_eq!(connection.receive(&mut input, &mut outbox), Ok(true));
        let expected = Event::Text(std::str::from_utf8(&payload).unwrap());
        assert_eq!((input.event(), input.extended()), (expected, None));
    }
}

/// The one before it is not lent any more.
#[test]
fn there_is_no_event_while_a_message_is_gathered() {
    for receiver in ROLES {
        let before = frame(receiver, true, Opcode::BINARY, b"before");
        let message = frame(receiver, true, Opcode::BINARY, &[7; 200]);
        for part in 1..message.len() {
            let mut endpoint = Endpoint::new(receiver, 0);
            let mut bytes = [&before, &message[..part]].concat();
            let mut input = Input::new(&mut bytes[..], &mut endpoint.inbox);
            let mut receive = || endpoint.connection.receive(&mut input, &mut endpoint.outbox);
            assert_eq!(receive(), Ok(true));
            assert_eq!(receive(), Ok(false));
            assert_eq!((input.event(), input.event_range()), (Event::Pong(&[]), None));
            assert_eq!(input.remaining(), 0);
        }
    }
}

/// RFC 6455 §8.1: at the read that has the octet, not at the end of the message.
#[test]
fn s8_1_gathered_text_fails_with_the_read_that_proves_it() {
    for receiver in ROLES {
        let mut payload = text(20_000);
        payload[9_000] = 0xff;
        let bytes = frame(receiver, true, Opcode::TEXT, &payload);
        let proven = bytes.len() - 20_000 + 9_000;
        let mut endpoint = Endpoint::new(receiver, 1000);
        endpoint.read_all(&bytes[..proven], 777).unwrap();
        assert!(endpoint.gathered > 0 && endpoint.inbox.len() == 9_000);
        let failed = endpoint.read_all(&bytes[proven..], 777);
        assert_eq!(failed, Err(Violation::InvalidUtf8));
        endpoint.read_all(&bytes, 777).unwrap();
        assert_eq!((endpoint.inbox.len(), endpoint.seen.seen.len()), (0, 0));

        // A text that ends inside a character, where nothing else came with its end.
        let bytes = frame(
            receiver,
            true,
            Opcode::TEXT,
            &[&text(4_095)[..], b"\xe2"].concat(),
        );
        let (mut header, mut payload) = bytes.split_at(bytes.len() - 4_096);
        let mut endpoint = Endpoint::new(receiver, 1000);
        endpoint.read(&mut header).unwrap();
        assert_eq!(endpoint.read(&mut payload), Err(Violation::InvalidUtf8));
        assert_eq!((endpoint.gathered, endpoint.inbox.len()), (4_096, 0));
    }
}

#[test]
fn nothing_is_gathered_that_gains_nothing() {
    let first_place = |receiver, opcode, len: usize, buffer_bytes| {
        let bytes = frame(receiver, true, opcode, &vec![b'a'; len]);
        let mut endpoint = Endpoint::new(receiver, buffer_bytes);
        let header_bytes = bytes.len() - len;
        endpoint.read(&mut &bytes[..header_bytes]).unwrap();
        let mut input = Input::with_space(&mut endpoint.buffer[..], &mut endpoint.inbox);
        let [inbox, buffer] = input.spaces(&endpoint.connection);
        assert_eq!(buffer.len(), buffer_bytes);
        inbox.len()
    };
    const SMALL: usize = 16 << 10;
    for receiver in ROLES {
        for opcode in [Opcode::TEXT, Opcode::BINARY] {
            assert_eq!(first_place(receiver, opcode, 4095, SMALL + 1), 0);
            assert_eq!(first_place(receiver, opcode, 4096, SMALL + 1), 4096);
            // Not what is declared, but what came, and a page.
            assert_eq!(first_place(receiver, opcode, 1 << 20, SMALL + 1), 4096);
            let unmasked_as_copied = receiver == Role::Server && opcode == Opcode::BINARY;
            let expected = if unmasked_as_copied { 0 } else { 4096 };
            assert_eq!(first_place(receiver, opcode, 4096, SMALL), expected);
        }
    }
}

/// Little of the next frame comes by way of the buffer then.
#[test]
fn behind_a_frame_as_long_as_the_buffer_the_second_place_is_short() {
    for receiver in ROLES {
        let copied = receiver == Role::Server; // in the pass that unmasks
        for (len, buffer_bytes, spaces) in [
            (16_384, 16_384, [16_384, 4096]),
            (40_000, 40_000, [40_000, 4096]),
            (40_000, 40_001, [40_000, 40_001]),
            (4_000, 4_000, [0, 4_000]),
            (20_000, 10_000, if copied { [0, 10_000] } else { [20_000, 4096] }),
        ] {
            let bytes = frame(receiver, true, Opcode::BINARY, &vec![7; len]);
            let mut endpoint = Endpoint::new(receiver, buffer_bytes);
            let fragments = [(false, Opcode::BINARY), (true, Opcode::CONTINUATION)];
            let before = fragments.map(|(fin, opcode)| frame(receiver, fin, opcode, b"ab"));
            endpoint.read_all(&before.concat(), usize::MAX).unwrap();
            endpoint.read_all(&bytes, usize::MAX).unwrap(); // the inbox has grown
            let header = &bytes[..bytes.len() - len];
            let mut input = Input::with_space(&mut endpoint.buffer[..], &mut endpoint.inbox);
            input.space()[..header.len()].copy_from_slice(header);
            input.filled(header.len());
            let more = endpoint.connection.receive(&mut input, &mut endpoint.outbox);
            assert_eq!(more, Ok(false));
            let found = input.spaces(&endpoint.connection).map(|space| space.len());
            assert_eq!(found, spaces, "{receiver:?} {len}");
            // What lies behind the second place was not read, whatever is said.
            input.filled(1);
            input.filled(usize::MAX);
            assert_eq!(input.remaining(), spaces[0] + spaces[1]);
        }
    }
}

/// One read for each message, and no more than the front of it is copied.
#[test]
fn most_of_long_frames_goes_straight_to_the_inbox() {
    const LEN: usize = 16 << 10;
    for receiver in ROLES {
        let payload = text(LEN);
        let message = frame(receiver, true, Opcode::BINARY, &payload);
        let mut endpoint = Endpoint::new(receiver, LEN);
        let stream = message.repeat(20);
        let mut reads = 0;
        let mut rest = &stream[..];
        while !rest.is_empty() {
            endpoint.read(&mut rest).unwrap();
            reads += 1;
        }
        assert!(
            endpoint
                .seen
                .seen
                .iter()
                .all(|seen| *seen == Seen::Binary(payload.clone()))
        );
        assert_eq!(endpoint.seen.seen.len(), 20);
        assert!(reads <= 23, "{reads}");
        assert!(endpoint.gathered >= 17 * (LEN - 4096), "{}", endpoint.gathered);
    }
}

/// Nor what is not to be gathered as it is.
#[test]
fn nothing_is_gathered_of_pieces_compressed_messages_and_control_frames() {
    let first_place = |config: &Config, bytes: &[u8]| {
        let mut connection = Connection::new(Role::Client, config);
        let (mut inbox, mut outbox) = (Inbox::new(), outbox(Role::Client));
        let mut input = Input::new(bytes.to_vec(), &mut inbox);
        assert!(!connection.receive(&mut input, &mut outbox).unwrap());
        input.spaces(&connection)[0].len()
    };
    let header = |rsv, opcode, len| {
        let mut header = Header::new(opcode, len);
        header.rsv = rsv;
        header.encode()
    };
    let plain = header(Rsv::NONE, Opcode::BINARY, 10_000);
    let mut config = Config::default();
    assert_eq!(first_place(&config, &plain), 4096);
    assert_eq!(first_place(&config, &header(Rsv::NONE, Opcode::PING, 125)), 0);
    config.reserved_bits = Rsv::RSV2;
    let extended = header(Rsv::RSV2, Opcode::TEXT, 10_000);
    assert_eq!(first_place(&config, &extended), 4096);
    config.pieces = true;
    assert_eq!(first_place(&config, &plain), 0);
    #[cfg(feature = "deflate")]
    {
        config.pieces = false;
        config.deflate = Some(ws_proto::deflate::Parameters::default());
        assert_eq!(
            first_place(&config, &header(Rsv::RSV1, Opcode::BINARY, 10_000)),
            0
        );
        assert_eq!(first_place(&config, &plain), 4096);
    }
}

/// A message with a bit of an extension of the embedder's, gathered: it is no text until that has undone its work.
#[test]
fn s5_8_what_an_extension_transformed_is_gathered_as_it_is() {
    let mut config = Config::default();
    config.reserved_bits = Rsv::RSV2;
    let mut connection = Connection::new(Role::Client, &config);
    let mut outbox = outbox(Role::Client);
    let mut header = Header::new(Opcode::TEXT, 8000);
    header.rsv = Rsv::RSV2;
    let header = header.encode();
    let mut input = Input::with_space(vec![0; 100], Inbox::new());
    input.space()[..header.len()].copy_from_slice(&header);
    input.filled(header.len());
    let mut left = 8000;
    while !connection.receive(&mut input, &mut outbox).unwrap() {
        let [inbox, buffer] = input.spaces(&connection);
        let (first, second) = (inbox.len(), buffer.len().min(left - inbox.len()));
        inbox.fill(0xff);
        buffer[..second].fill(0xff);
        left -= first + second;
        input.filled(first + second);
    }
    assert_eq!(input.event(), Event::Binary(&[0xff; 8000]));
    assert_eq!(input.extended(), Some((MessageKind::Text, Rsv::RSV2)));
}

/// Bytes of the buffer that were not looked at come before those of the next read.
#[test]
fn what_is_left_of_the_buffer_comes_first() {
    let payload = text(10_000);
    let bytes = frame(Role::Client, true, Opcode::TEXT, &payload);
    let mut connection = Connection::new(Role::Client, &Config::default());
    let mut outbox = outbox(Role::Client);
    let mut input = Input::with_space(vec![0; 20_000], Inbox::new());
    input.space()[..50].copy_from_slice(&bytes[..50]);
    input.filled(50);
    input.limit(40);
    assert!(!connection.receive(&mut input, &mut outbox).unwrap());
    let [inbox, buffer] = input.spaces(&connection);
    assert_eq!((inbox.len(), buffer.len()), (0, 20_000 - 10));
    buffer[..5].copy_from_slice(&bytes[50..55]);
    input.filled(5);
    assert!(!connection.receive(&mut input, &mut outbox).unwrap());

    // The first place alone; what was read there comes before anything that is read next.
    let [inbox, _] = input.spaces(&connection);
    let n = inbox.len() - 1;
    inbox[..n].copy_from_slice(&bytes[55..55 + n]);
    input.filled(n);
    let [inbox, buffer] = input.spaces(&connection);
    assert_eq!(inbox.len(), 0);
    let rest = &bytes[55 + n..];
    buffer[..rest.len()].copy_from_slice(rest);
    input.filled(rest.len());
    assert_eq!(input.remaining(), n + rest.len());
    assert!(connection.receive(&mut input, &mut outbox).unwrap());
    assert_eq!(input.event(), Event::Text(std::str::from_utf8(&payload).unwrap()));
    assert_eq!(input.event_range(), None);

    // Who asks for both places and then for the buffer alone, fills that.
    let mut input = Input::with_space(vec![0; 20_000], Inbox::new());
    input.space()[..50].copy_from_slice(&bytes[..50]);
    input.filled(50);
    assert!(!connection.receive(&mut input, &mut outbox).unwrap());
    assert!(!input.spaces(&connection)[0].is_empty());
    input.space()[..bytes.len() - 50].copy_from_slice(&bytes[50..]);
    input.filled(bytes.len() - 50);
    assert!(connection.receive(&mut input, &mut outbox).unwrap());
    assert_eq!(input.event(), Event::Text(std::str::from_utf8(&payload).unwrap()));
}

/// After the end of the transport nothing is gathered, and what was read is discarded.
#[test]
fn s7_1_7_what_was_read_to_the_inbox_is_discarded_with_the_rest() {
    let bytes = frame(Role::Client, false, Opcode::BINARY, &[7; 10_000]);
    let mut endpoint = Endpoint::new(Role::Client, 1000);
    endpoint.read(&mut &bytes[..]).unwrap();
    let mut input = Input::with_space(&mut endpoint.buffer[..], &mut endpoint.inbox);
    let n = input.spaces(&endpoint.connection)[0].len();
    assert!(n > 0);
    input.filled(n + 3);
    endpoint.connection.receive_eof(&endpoint.outbox);
    assert_eq!(
        endpoint.connection.receive(&mut input, &mut endpoint.outbox),
        Ok(false)
    );
    assert_eq!(input.remaining(), 0);
    assert_eq!(input.spaces(&endpoint.connection)[0].len(), 0);
}

fn items() -> impl Strategy<Value = Vec<Item>> {
    let payload = (prop_oneof![0usize..200, 4000usize..30_000], any::<u32>());
    let cut = (
        any::<prop::sample::Index>(),
        prop::option::of(Just(vec![1, 2, 3])),
    );
    let message =
        (kind(), payload, prop::collection::vec(cut, 0..3)).prop_map(|(kind, (len, seed), cuts)| {
            let payload = Payload { len, seed };
            Item::Message { kind, payload, cuts }
        });
    prop::collection::vec(prop_oneof![4 => message, 1 => Just(Item::Ping(vec![9; 9]))], 1..6)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn what_is_sent_is_seen_wherever_it_is_read_to(
        receiver in role(),
        items in items(),
        buffer_bytes in prop::sample::select(vec![1, 100, 1000, 5000, 16 << 10, (16 << 10) + 1, 40_000]),
        read_bytes in prop::sample::select(vec![777, 4096, 16 << 10, 65_536]),
    ) {
        let sender = peer_of(receiver);
        let mut outbox = outbox(sender);
        let expected = send(&mut Connection::new(sender, &Config::default()), &items, &mut outbox);
        let mut endpoint = Endpoint::new(receiver, buffer_bytes);
        endpoint.read_all(outbox.bytes(), read_bytes).unwrap();
        prop_assert!(endpoint.seen.seen == expected);
    }

    /// Whoever asks with one connection and receives with another gets nonsense, and never a text that is not UTF-8.
    #[test]
    fn s8_1_text_is_text_whatever_is_mixed_up(
        steps in prop::collection::vec((0..2usize, 0..2usize, 0..6usize, 0..6000usize, any::<bool>()), 1..20),
    ) {
        let mut connections = [(); 2].map(|()| Connection::new(Role::Client, &Config::default()));
        let mut outbox = outbox(Role::Client);
        let mut input = Input::with_space(vec![0; 12_000], Inbox::new());
        let head = |opcode, len| frame(Role::Client, false, opcode, &text(len))[..40].to_vec();
        let fills = [
            text(9_000),
            vec![0xff; 9_000],
            b"\xe2\x82".repeat(4_500),
            head(Opcode::TEXT, 8_000),
            head(Opcode::BINARY, 9_000),
            frame(Role::Client, true, Opcode::CONTINUATION, b"\x82\xac"),
        ];
        for (asked, received, fill, n, release) in steps {
            let mut from = &fills[fill][..];
            let mut filled = 0;
            for space in input.spaces(&connections[asked]) {
                let part = from.split_off(..space.len().min(from.len())).unwrap();
                space[..part.len()].copy_from_slice(part);
                filled += part.len();
            }
            input.filled(filled.min(n));
            if release {
                input.release();
            }
            while let Ok(true) = connections[received].receive(&mut input, &mut outbox) {
                if let Event::Text(text) = input.event() {
                    prop_assert!(std::str::from_utf8(text.as_bytes()).is_ok());
                }
            }
        }
    }
}
