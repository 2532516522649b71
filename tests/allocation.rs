//! What is on the heap, and when: nothing new per message once buffers are warm, nothing at all while a connection
//! is idle, and never more than what was received (RFC 6455 §10.4).
//!
//! The allocator counts for each thread by itself, so that tests running beside each other do not mix.
#![cfg(feature = "alloc")]
#![allow(unsafe_code, clippy::unwrap_used, clippy::panic)]

mod roles;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use roles::{ROLES, outbox};
use ws_proto::frame::{Header, Opcode};
use ws_proto::handshake::{HeadLimits, Server};
use ws_proto::mask::MaskingKey;
use ws_proto::{Config, Connection, Event, Inbox, Input, MessageKind, Outbox, Role, SendError};

/// What the heap of this thread went through since it was last looked at.
#[derive(Clone, Copy, Debug, Default)]
struct Heap {
    /// Allocations, and changes of an allocation's size.
    allocations: u64,
    /// Bytes allocated and not freed. Negative if those of before were freed.
    live_bytes: isize,
    /// The most that were.
    peak_bytes: isize,
}

thread_local! {
    static HEAP: Cell<Heap> = const { Cell::new(Heap { allocations: 0, live_bytes: 0, peak_bytes: 0 }) };
}

struct Counting;

impl Counting {
    fn count(allocations: u64, bytes: isize) {
        // A thread that is ending has no counter any more, and nobody asks for it.
        let _ = HEAP.try_with(|heap| {
            let mut now = heap.get();
            now.allocations += allocations;
            now.live_bytes += bytes;
            now.peak_bytes = now.peak_bytes.max(now.live_bytes);
            heap.set(now);
        });
    }
}

// SAFETY: every call goes to the system's allocator unchanged; counting touches a `Cell` of the thread, which neither
// allocates nor has a destructor.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        Self::count(1, layout.size() as isize);
        // SAFETY: the caller keeps the contract, which is the same.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        Self::count(1, layout.size() as isize);
        // SAFETY: as above.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        Self::count(1, size as isize - layout.size() as isize);
        // SAFETY: as above.
        unsafe { System.realloc(pointer, layout, size) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        Self::count(0, -(layout.size() as isize));
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// What the heap goes through while `work` runs.
fn measure<T>(work: impl FnOnce() -> T) -> (T, Heap) {
    HEAP.set(Heap::default());
    let result = work();
    (result, HEAP.get())
}

#[track_caller]
fn assert_allocates_nothing(context: &str, work: impl FnOnce()) {
    let ((), heap) = measure(work);
    assert_eq!((heap.allocations, heap.peak_bytes), (0, 0), "{context}: {heap:?}");
}

const SIZES: [usize; 8] = [8, 125, 126, 1 << 10, 4 << 10, 64 << 10, (64 << 10) + 1, 1 << 20];

/// A frame as the peer of this role sends it.
fn frame(receiver: Role, fin: bool, opcode: Opcode, payload: &[u8]) -> Vec<u8> {
    let key = (receiver == Role::Server).then_some(MaskingKey::new([0x37, 0xfa, 0x21, 0x3d]));
    let header = Header {
        fin,
        key,
        ..Header::new(opcode, payload.len() as u64)
    };
    let mut frame = header.encode().to_vec();
    frame.extend_from_slice(payload);
    key.unwrap_or_default().apply(&mut frame[header.encode().len()..]);
    frame
}

/// A message of `len` bytes in fragments of about `fragment` bytes, with a Ping in between.
fn fragmented(receiver: Role, opcode: Opcode, len: usize, fragment: usize) -> Vec<u8> {
    let payload = vec![b'f'; len];
    let mut stream = Vec::new();
    let fragments = payload.chunks(fragment);
    let last = fragments.len() - 1;
    for (i, payload) in fragments.enumerate() {
        let opcode = if i == 0 { opcode } else { Opcode::CONTINUATION };
        stream.extend(frame(receiver, i == last, opcode, payload));
        if i == 0 {
            stream.extend(frame(receiver, true, Opcode::PING, b"still there?"));
        }
    }
    stream
}

#[test]
fn receiving_allocates_nothing_once_warm() {
    for receiver in ROLES {
        for opcode in [Opcode::TEXT, Opcode::BINARY] {
            let mut connection = Connection::new(receiver, &Config::default());
            let (mut inbox, mut outbox) = (Inbox::new(), outbox(receiver));
            for len in SIZES {
                let whole = frame(receiver, true, opcode, &vec![b'w'; len]);
                let half = whole.len() / 2;
                let pieces = fragmented(receiver, opcode, len, len.div_ceil(4));
                let read = 16 << 10;
                for (stream, read) in [
                    (&whole, whole.len()),
                    (&whole, half),
                    (&pieces, pieces.len()),
                    (&pieces, read),
                ] {
                    let mut buffer = vec![0; read];
                    let mut once =
                        || receive(&mut connection, stream, &mut buffer, &mut inbox, &mut outbox, len);
                    once(); // warms up
                    assert_allocates_nothing(&format!("{receiver:?} {opcode} {len} by {read}"), || {
                        (0..3).for_each(|_| once());
                    });
                }
            }
        }
    }
}

/// Receives one message of `len` bytes, through reads into `buffer`.
fn receive(
    connection: &mut Connection,
    stream: &[u8],
    buffer: &mut [u8],
    inbox: &mut Inbox,
    outbox: &mut Outbox,
    len: usize,
) {
    let mut messages = 0;
    for read in stream.chunks(buffer.len()) {
        let bytes = &mut buffer[..read.len()];
        bytes.copy_from_slice(read);
        let mut input = Input::new(bytes, &mut *inbox);
        while connection.receive(&mut input, outbox).unwrap() {
            match input.event() {
                Event::Text(text) => assert_eq!(text.len(), len),
                Event::Binary(data) => assert_eq!(data.len(), len),
                Event::Ping(_) => continue,
                other => panic!("{other:?}"),
            }
            messages += 1;
        }
        outbox.consume(outbox.len());
    }
    assert_eq!(messages, 1);
}

#[test]
fn a_message_whole_in_the_buffer_is_not_copied() {
    for receiver in ROLES {
        let mut connection = Connection::new(receiver, &Config::default());
        let (mut inbox, mut outbox) = (Inbox::new(), outbox(receiver));
        let stream = frame(receiver, true, Opcode::TEXT, &vec![b'w'; 1 << 20]);
        let mut buffer = vec![0; stream.len()];
        assert_allocates_nothing("cold", || {
            receive(
                &mut connection,
                &stream,
                &mut buffer,
                &mut inbox,
                &mut outbox,
                1 << 20,
            );
        });
    }
}

#[test]
fn sending_allocates_nothing_once_warm() {
    let text = "s".repeat(1 << 20);
    for role in ROLES {
        let mut connection = Connection::new(role, &Config::default());
        let mut outbox = outbox(role);
        for len in SIZES {
            let text = &text[..len];
            let (half, rest) = text.as_bytes().split_at(len / 2);
            let mut once = || {
                connection.send_text(text, &mut outbox).unwrap();
                outbox.consume(outbox.len());
                connection.send_binary(text.as_bytes(), &mut outbox).unwrap();
                outbox.consume(len / 3); // partly written, then the rest
                outbox.consume(outbox.len());
                connection
                    .begin_message(MessageKind::Text, half, &mut outbox)
                    .unwrap();
                connection.ping(b"p", &mut outbox).unwrap();
                connection.finish_message(rest, &mut outbox).unwrap();
                outbox.consume(outbox.len());
            };
            once(); // warms up
            assert_allocates_nothing(&format!("{role:?} {len}"), || (0..3).for_each(|_| once()));
        }
    }
}

#[test]
fn sending_while_the_transport_takes_a_little_at_a_time_allocates_nothing_once_warm() {
    for role in ROLES {
        let mut connection = Connection::new(role, &Config::default());
        let mut outbox = outbox(role);
        outbox.set_max_bytes(8 << 10);
        let mut rounds = |n: usize| {
            for _ in 0..n {
                while connection.send_binary(&[1; 100], &mut outbox) != Err(SendError::Full) {}
                outbox.consume(1000);
            }
        };
        rounds(100); // warms up
        assert_allocates_nothing(&format!("{role:?}"), || rounds(1000));
    }
}

#[test]
fn an_idle_connection_has_no_heap() {
    assert!(size_of::<Connection>() <= 128);
    assert!(size_of::<Connection>() + size_of::<Inbox>() + size_of::<Outbox>() <= 224);
    for role in ROLES {
        let mut parts = None;
        assert_allocates_nothing("fresh", || {
            parts = Some((
                Connection::new(role, &Config::default()),
                Inbox::new(),
                outbox(role),
            ));
        });
        let (mut connection, mut inbox, mut outbox) = parts.unwrap();

        let traffic = [
            fragmented(role, Opcode::TEXT, 100_000, 10_000),
            frame(role, true, Opcode::PING, &[1; 125]),
            frame(role, true, Opcode::BINARY, b"echo me"),
            frame(role, true, Opcode::PING, &[2; 125]),
        ]
        .concat();
        let mut buffer = vec![0; 1000];
        let ((), heap) = measure(|| {
            for read in traffic.chunks(1000) {
                let bytes = &mut buffer[..read.len()];
                bytes.copy_from_slice(read);
                let mut input = Input::new(bytes, &mut inbox);
                while connection.receive(&mut input, &mut outbox).unwrap() {
                    if let Event::Binary(data) = input.event() {
                        connection.send_binary(data, &mut outbox).unwrap();
                    }
                }
            }
            while !outbox.is_empty() {
                outbox.consume(5);
            }
            inbox.release();
            outbox.release();
        });
        assert!(heap.allocations > 0, "there was something to free");
        assert_eq!(heap.live_bytes, 0, "{role:?} after traffic: {heap:?}");
    }
}

#[test]
fn a_header_that_declares_15_mib_allocates_nothing() {
    let mut header = Header::new(Opcode::BINARY, 15 << 20);
    header.key = Some(MaskingKey::new([1, 2, 3, 4]));
    let mut bytes = header.encode().to_vec();
    assert_eq!(bytes.len(), 14);
    let mut connection = Connection::new(Role::Server, &Config::default());
    let (mut inbox, mut outbox) = (Inbox::new(), Outbox::new());
    assert_allocates_nothing("14 bytes", || {
        for octet in bytes.chunks_mut(1) {
            let mut input = Input::new(octet, &mut inbox);
            assert_eq!(connection.receive(&mut input, &mut outbox), Ok(false));
        }
    });
}

#[test]
fn memory_grows_with_what_was_received_only() {
    const LEN: usize = 15 << 20;
    let payload = vec![b'm'; LEN];
    for (receiver, fragment, straight) in [
        (Role::Server, LEN, false),
        (Role::Server, LEN, true),
        (Role::Client, LEN, false),
        (Role::Server, 100_000, false),
        (Role::Client, 100_000, true),
        (Role::Client, 10, false),
    ] {
        let len = if fragment == 10 { 500_000 } else { LEN };
        let mut stream = Vec::new();
        let last = len.div_ceil(fragment) - 1;
        for (i, payload) in payload[..len].chunks(fragment).enumerate() {
            let opcode = if i == 0 {
                Opcode::TEXT
            } else {
                Opcode::CONTINUATION
            };
            stream.extend(frame(receiver, i == last, opcode, payload));
        }
        let mut connection = Connection::new(receiver, &Config::default());
        let (mut inbox, mut outbox) = (Inbox::new(), outbox(receiver));
        let (mut received, mut messages) = (0, 0);
        let mut buffer = vec![0; 16 << 10];
        let ((), heap) = measure(|| {
            // The first read is a small one: what it declares has to count for little.
            let (first, rest) = stream.split_at(20);
            for mut read in std::iter::once(first).chain(rest.chunks(16 << 10)) {
                while !read.is_empty() {
                    let mut input = Input::with_space(&mut buffer, &mut inbox);
                    let spaces = if straight {
                        input.spaces(&connection)
                    } else {
                        [&mut [], input.space()]
                    };
                    let before = read.len();
                    for space in spaces {
                        let part = read.split_off(..space.len().min(read.len())).unwrap();
                        space[..part.len()].copy_from_slice(part);
                    }
                    input.filled(before - read.len());
                    received += before - read.len();
                    while connection.receive(&mut input, &mut outbox).unwrap() {
                        messages += 1;
                        assert!(matches!(input.event(), Event::Text(text) if text.len() == len));
                    }
                    let most = received + received / 8 + (64 << 10) + 256;
                    let peak = HEAP.get().peak_bytes as usize;
                    assert!(peak <= most, "{peak} bytes of heap for {received} received");
                }
            }
        });
        assert_eq!(messages, 1);
        assert!(heap.allocations < 100, "grows by steps: {heap:?}");
    }
}

#[test]
fn a_peer_that_pings_and_never_reads_costs_a_bounded_outbox() {
    for receiver in ROLES {
        let mut connection = Connection::new(receiver, &Config::default());
        let (mut inbox, mut outbox) = (Inbox::new(), outbox(receiver));
        outbox.set_max_bytes(4 << 10);
        let ping = frame(receiver, true, Opcode::PING, &[b'p'; 125]);
        let message = frame(receiver, true, Opcode::BINARY, &[b'm'; 100]);
        let read = [&ping[..], &message, &ping].concat();
        let mut buffer = read.clone();
        let ((), heap) = measure(|| {
            for _ in 0..50_000 {
                buffer.copy_from_slice(&read);
                let mut input = Input::new(&mut buffer[..], &mut inbox);
                while connection.receive(&mut input, &mut outbox).unwrap() {
                    if let Event::Binary(data) = input.event() {
                        let echoed = connection.send_binary(data, &mut outbox);
                        assert!(matches!(echoed, Ok(()) | Err(SendError::Full)));
                    }
                }
            }
        });
        // Up to the mark, one message over it, one Pong.
        assert!(
            outbox.len() <= (4 << 10) + 114 + 131,
            "{} bytes wait",
            outbox.len()
        );
        assert!(heap.peak_bytes < 16 << 10 && heap.allocations < 20, "{heap:?}");
    }
}

/// Heads that come in pieces are kept, with as much ahead as came, until the next one begins.
#[test]
fn heads_keep_what_was_received_and_no_longer_than_they_last() {
    let head = format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n", "x".repeat(5000));
    let whole = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    for next in [&whole[..], &whole[..10]] {
        let mut server = Server::new(HeadLimits::default());
        let ((), kept) = measure(|| {
            for (i, byte) in head.bytes().enumerate() {
                let received = server.receive(&[byte]).unwrap().head.is_some();
                assert_eq!(received, i + 1 == head.len());
                assert!(HEAP.get().live_bytes <= 2 * (i as isize + 1));
            }
        });
        let ((), freed) = measure(|| {
            server.receive(next).unwrap();
        });
        let left = kept.live_bytes + freed.live_bytes;
        assert!(kept.live_bytes >= 5000 && left <= 20, "{left}");
    }
}

/// A control frame that is cut in two while the inbox is full to its capacity makes it grow by steps, too.
#[test]
fn a_cut_control_frame_does_not_double_the_inbox() {
    let mut connection = Connection::new(Role::Client, &Config::default());
    let (mut inbox, mut outbox) = (Inbox::new(), outbox(Role::Client));
    let ping = frame(Role::Client, true, Opcode::PING, &[1; 125]);
    let mut reads = vec![frame(Role::Client, false, Opcode::BINARY, &[7; 1 << 20])];
    // Whatever room there is, one of these finds it used up but for the last octets.
    for _ in 0..3000 {
        let fragment = frame(Role::Client, false, Opcode::CONTINUATION, &[7; 100]);
        reads.extend([fragment, ping[..126].to_vec(), ping[126..].to_vec()]);
    }
    let mut received = 0;
    measure(|| {
        for read in &mut reads {
            received += read.len();
            let mut input = Input::new(&mut read[..], &mut inbox);
            while connection.receive(&mut input, &mut outbox).unwrap() {}
            outbox.consume(usize::MAX);
            let peak = HEAP.get().peak_bytes as usize;
            let most = received + received / 8 + (64 << 10) + 1024;
            assert!(peak <= most, "{peak} bytes of heap for {received} received");
        }
    });
}

#[test]
fn what_will_not_be_delivered_is_not_kept() {
    let part = frame(Role::Client, false, Opcode::TEXT, &[b'a'; 1 << 20]);
    for (end, what) in [
        (&b"\x88\x03\x03\xe8x"[..], "a Close frame with a reason"),
        (b"\x88\x00", "a Close frame"),
        (b"\x81\x00", "a violation"),
    ] {
        let mut connection = Connection::new(Role::Client, &Config::default());
        let (mut inbox, mut outbox) = (Inbox::new(), outbox(Role::Client));
        let mut bytes = [&part, end].concat();
        let ((), heap) = measure(|| {
            let mut input = Input::new(&mut bytes[..], &mut inbox);
            while connection.receive(&mut input, &mut outbox).unwrap_or(false) {}
            inbox.release();
            outbox.consume(usize::MAX);
            outbox.release();
        });
        assert!(heap.live_bytes <= 123, "{what}: {heap:?}");
    }
}

/// Pings around a message, nothing drained between them: a Pong waits outside the buffer each time.
#[test]
fn pongs_that_wait_allocate_nothing_once_warm() {
    let mut connection = Connection::new(Role::Server, &Config::default());
    let (mut inbox, mut outbox) = (Inbox::new(), outbox(Role::Server));
    let ping = frame(Role::Server, true, Opcode::PING, b"p");
    let stream = [&ping, &frame(Role::Server, true, Opcode::TEXT, b"t")[..], &ping].concat();
    let mut bytes = stream.clone();
    let mut round = || {
        bytes.copy_from_slice(&stream);
        let mut input = Input::new(&mut bytes[..], &mut inbox);
        while connection.receive(&mut input, &mut outbox).unwrap() {
            if let Event::Text(text) = input.event() {
                connection.send_text(text, &mut outbox).unwrap();
            }
        }
        while !outbox.is_empty() {
            outbox.consume(outbox.len());
        }
    };
    round(); // warms up
    assert_allocates_nothing("pings around a message", || (0..100).for_each(|_| round()));
}

/// Receives a message of `declared` bytes in one frame, lent in pieces, of which `len` come through a buffer of 64 KiB;
/// what the heap went through.
fn receive_in_pieces(receiver: Role, kind: MessageKind, declared: u64, len: u64) -> Heap {
    let mut config = Config::default();
    config.pieces = true;
    config.limits.max_frame_bytes = declared;
    config.limits.max_message_bytes = declared;
    let mut connection = Connection::new(receiver, &config);
    let (mut inbox, mut outbox) = (Inbox::new(), outbox(receiver));
    let (opcode, pattern) = match kind {
        // 7 bytes: a character is cut by most reads.
        MessageKind::Text => (Opcode::TEXT, "aé😀".as_bytes()),
        MessageKind::Binary => (Opcode::BINARY, &[1, 2, 3, 4, 5, 6, 7][..]),
    };
    let key = MaskingKey::new([0x37, 0xfa, 0x21, 0x3d]);
    let mut header = Header::new(opcode, declared);
    header.key = (receiver == Role::Server).then_some(key);
    let header = header.encode();

    // As it comes over the wire. 28 reads later, characters and key are where they were.
    let cycle = 28 * (64 << 10);
    let mut wire = pattern.repeat(cycle / 7);
    if receiver == Role::Server {
        key.apply(&mut wire);
    }
    let mut buffer = vec![0; 64 << 10];
    let (mut given, mut lent, mut last_piece) = (0, 0, false);
    let ((), heap) = measure(|| {
        let mut take = |read: &[u8]| {
            let bytes = &mut buffer[..read.len()];
            bytes.copy_from_slice(read);
            let mut input = Input::new(bytes, &mut inbox);
            while connection.receive(&mut input, &mut outbox).unwrap() {
                assert!(!last_piece);
                last_piece = input.is_message_end();
                lent += match input.event() {
                    Event::Text(text) => text.len() as u64,
                    Event::Binary(data) => data.len() as u64,
                    other => panic!("{other:?}"),
                };
            }
        };
        take(&header);
        for read in wire.chunks(64 << 10).cycle() {
            let n = (len - given).min(read.len() as u64);
            take(&read[..n as usize]);
            given += n;
            if given == len {
                break;
            }
        }
    });
    assert_eq!(last_piece, len == declared);
    assert!(len - lent <= 3, "all but the beginning of a character is lent");
    heap
}

const TEN_GIB: u64 = 10 << 30;

/// A message in pieces takes no memory, but for the character that a read cuts.
#[track_caller]
fn assert_constant_memory(kind: MessageKind, heap: Heap) {
    let most = if kind == MessageKind::Text { 512 } else { 0 };
    assert!(heap.peak_bytes <= most, "{kind:?}: {heap:?}");
    assert!(
        heap.allocations <= if most > 0 { 2 } else { 0 },
        "{kind:?}: {heap:?}"
    );
}

#[test]
fn a_message_in_pieces_takes_constant_memory() {
    for receiver in ROLES {
        for kind in [MessageKind::Text, MessageKind::Binary] {
            let heap = receive_in_pieces(receiver, kind, TEN_GIB, 24 << 20);
            assert_constant_memory(kind, heap);
        }
    }
}

/// All of it, which takes a release build some seconds: `.ci/run` does.
#[test]
#[ignore = "10 GiB for each role and kind: in a release build"]
fn ten_gib_in_pieces_take_constant_memory() {
    for receiver in ROLES {
        for kind in [MessageKind::Text, MessageKind::Binary] {
            // A multiple of 7, so that the text ends behind a character.
            let len = TEN_GIB.next_multiple_of(7);
            assert_constant_memory(kind, receive_in_pieces(receiver, kind, len, len));
        }
    }
}

/// A frame of known length is sent through a small outbox.
#[test]
fn a_frame_piece_by_piece_takes_constant_memory() {
    let mut connection = Connection::new(Role::Server, &Config::default());
    let mut outbox = Outbox::new();
    let piece = [7; 16 << 10];
    let ((), heap) = measure(|| {
        connection
            .begin_frame(MessageKind::Binary, TEN_GIB, &mut outbox)
            .unwrap();
        for _ in 0..4096 {
            connection.continue_frame(&piece, &mut outbox).unwrap();
            outbox.consume(outbox.len());
        }
    });
    assert!(heap.peak_bytes <= 64 << 10, "{heap:?}");
}

/// permessage-deflate (RFC 7692).
#[cfg(feature = "deflate")]
mod compressed {
    use super::*;
    use crate::roles::peer_of;
    use ws_proto::Violation;
    use ws_proto::deflate::{Parameters, Pool, Settings};
    use ws_proto::frame::Rsv;

    const KIB: isize = 1 << 10;

    fn parameters(takes_over: bool, bits: Option<u8>) -> Parameters {
        Parameters {
            server_no_context_takeover: !takes_over,
            client_no_context_takeover: !takes_over,
            server_max_window_bits: bits,
            client_max_window_bits: bits,
        }
    }

    fn connection(role: Role, agreed: Parameters) -> Connection {
        let mut config = Config::default();
        config.deflate = Some(agreed);
        Connection::new(role, &config)
    }

    fn pool(mem_level: u8) -> Pool {
        let mut settings = Settings::default();
        settings.mem_level = mem_level;
        Pool::new(settings)
    }

    /// What the peer of this role sends of a message, compressed without context, in two fragments or one frame.
    fn compressed(receiver: Role, data: &[u8], in_fragments: bool) -> Vec<u8> {
        let mut sender = connection(peer_of(receiver), parameters(false, None));
        let mut wire = outbox(peer_of(receiver));
        if in_fragments {
            let (front, back) = data.split_at(data.len() / 3);
            sender
                .begin_message(MessageKind::Binary, front, &mut wire)
                .unwrap();
            sender.finish_message(back, &mut wire).unwrap();
        } else {
            sender.send_binary(data, &mut wire).unwrap();
        }
        assert!(wire.bytes()[0] & 0x40 != 0, "compressed");
        wire.bytes().to_vec()
    }

    /// Zeros, as one compressed message of 1 GiB: a fixed block of the longest matches.
    fn bomb() -> Vec<u8> {
        const LEN: usize = 1 << 30;
        let zeros = vec![0; 1 << 20];
        let (mut sender, mut wire) = (connection(Role::Server, parameters(false, None)), Outbox::new());
        sender
            .begin_message(MessageKind::Binary, &zeros, &mut wire)
            .unwrap();
        // The first fragment gives what the others have, as one frame.
        let payload = wire.bytes()[4..].repeat(LEN / zeros.len());
        let mut header = Header::new(Opcode::BINARY, payload.len() as u64);
        header.rsv = Rsv::RSV1;
        let bomb = [&header.encode()[..], &payload].concat();
        assert!(
            (1 << 20..(1 << 20) + (1 << 15)).contains(&bomb.len()),
            "{}",
            bomb.len()
        );
        bomb
    }

    #[test]
    fn a_gibibyte_of_zeros_costs_its_limit_and_no_more() {
        let bomb = bomb();
        for limit in [16 << 20, 64 << 10] {
            for read in [bomb.len(), 16 << 10, 100] {
                for pieces in [false, true] {
                    let mut config = Config::default();
                    config.deflate = Some(parameters(true, None));
                    config.limits.max_message_bytes = limit;
                    config.limits.max_frame_bytes = 16 << 20;
                    config.pieces = pieces;
                    // What a frame of a message of 64 KiB may declare is less; so the bomb is cut into fragments.
                    let stream = if limit < 1 << 20 {
                        in_frames(&bomb)
                    } else {
                        bomb.clone()
                    };
                    let (error, heap) = blow_up(&config, &stream, read);
                    assert_eq!(error, Some(Violation::MessageTooBig), "{limit} by {read}");
                    let most = if pieces { 0 } else { limit as isize } + 1024 * KIB;
                    assert!(
                        heap.peak_bytes < most,
                        "{limit} by {read}, pieces {pieces}: {heap:?}"
                    );
                }
            }
        }
    }

    /// The payload data of the bomb in frames of 4 KiB.
    fn in_frames(bomb: &[u8]) -> Vec<u8> {
        let mut stream = Vec::new();
        for (i, payload) in bomb[10..].chunks(4 << 10).enumerate() {
            let opcode = if i == 0 {
                Opcode::BINARY
            } else {
                Opcode::CONTINUATION
            };
            let mut header = Header::new(opcode, payload.len() as u64);
            header.fin = false;
            header.rsv = if i == 0 { Rsv::RSV1 } else { Rsv::NONE };
            stream.extend_from_slice(&header.encode());
            stream.extend_from_slice(payload);
        }
        stream
    }

    fn blow_up(config: &Config, stream: &[u8], read: usize) -> (Option<Violation>, Heap) {
        let mut connection = Connection::new(Role::Client, config);
        let (mut inbox, mut outbox) = (Inbox::new(), outbox(Role::Client));
        let mut buffer = vec![0; read];
        measure(|| {
            for read in stream.chunks(read) {
                let bytes = &mut buffer[..read.len()];
                bytes.copy_from_slice(read);
                let mut input = Input::new(bytes, &mut inbox);
                loop {
                    match connection.receive(&mut input, &mut outbox) {
                        Ok(true) => assert!(!input.is_message_end()),
                        Ok(false) => break,
                        Err(violation) => return Some(violation),
                    }
                }
            }
            None
        })
    }

    #[test]
    fn compressing_and_inflating_allocate_nothing_once_warm() {
        for (takes_over, pooled) in [(false, false), (false, true), (true, false), (true, true)] {
            for role in ROLES {
                let agreed = parameters(takes_over, None);
                let mut sender = connection(role, agreed);
                let mut receiver = connection(peer_of(role), agreed);
                let (mut wire, mut replies) = (outbox(role), outbox(peer_of(role)));
                if pooled {
                    let pool = Pool::default();
                    wire.set_pool(pool.clone());
                    replies.set_pool(pool);
                }
                let text = "warm ".repeat(20_000);
                let (mut inbox, mut buffer) = (Inbox::new(), vec![0; 200_000]);
                let mut round = || {
                    for len in [100, 5000, 100_000] {
                        sender.send_text(&text[..len], &mut wire).unwrap();
                        let data = text.as_bytes();
                        sender
                            .begin_message(MessageKind::Binary, &data[..len / 2], &mut wire)
                            .unwrap();
                        sender.finish_message(&data[len / 2..len], &mut wire).unwrap();
                        let mut messages = 0;
                        for read in wire.bytes().chunks(61) {
                            let bytes = &mut buffer[..read.len()];
                            bytes.copy_from_slice(read);
                            let mut input = Input::new(bytes, &mut inbox);
                            while receiver.receive(&mut input, &mut replies).unwrap() {
                                messages += 1;
                            }
                        }
                        assert_eq!(messages, 2);
                        wire.consume(usize::MAX);
                    }
                };
                (0..2).for_each(|_| round()); // warms up
                assert_allocates_nothing(&format!("{role:?}, takeover {takes_over}, pool {pooled}"), || {
                    (0..3).for_each(|_| round());
                });
            }
        }
    }

    /// Heap that a connection keeps while it is idle: it sent and received messages of 100 000 bytes, and released what it
    /// could.
    fn idle(agreed: Parameters, pool: &Pool) -> Heap {
        idle_after(agreed, pool, |_, _, _| {})
    }

    /// [`idle`] after something else.
    fn idle_after(
        agreed: Parameters,
        pool: &Pool,
        last: impl FnOnce(&mut Connection, &mut Inbox, &mut Outbox),
    ) -> Heap {
        let data: Vec<u8> = (0..100_000u32)
            .map(|i| (i.wrapping_mul(i) >> 7) as u8 & 15)
            .collect();
        let incoming = [
            compressed(Role::Server, &data, false),
            compressed(Role::Server, &data, true),
        ];
        let mut buffers = incoming.clone();
        let mut kept = None;
        let ((), heap) = measure(|| {
            let mut server = connection(Role::Server, agreed);
            let (mut inbox, mut outbox) = (Inbox::new(), Outbox::new());
            outbox.set_pool(pool.clone());
            for buffer in &mut buffers {
                let mut input = Input::new(&mut buffer[..], &mut inbox);
                while server.receive(&mut input, &mut outbox).unwrap() {
                    assert_eq!(input.event(), Event::Binary(&data));
                }
                server.send_binary(&data, &mut outbox).unwrap();
                outbox.consume(usize::MAX);
            }
            last(&mut server, &mut inbox, &mut outbox);
            outbox.consume(usize::MAX);
            inbox.release();
            outbox.release();
            pool.clear();
            kept = Some((inbox, outbox));
        });
        assert!(kept.is_some() && heap.allocations > 0);
        heap
    }

    #[test]
    fn an_idle_connection_without_contexts_has_no_heap() {
        for bits in [None, Some(9)] {
            let pool = pool(8);
            let heap = idle(parameters(false, bits), &pool);
            assert_eq!(heap.live_bytes, 0, "{heap:?}");
        }
        // Without a pool, too.
        for role in ROLES {
            let mut connection = connection(role, parameters(false, None));
            let (mut inbox, mut outbox) = (Inbox::new(), outbox(role));
            let mut incoming = compressed(role, &[7; 10_000], true);
            let ((), heap) = measure(|| {
                let mut input = Input::new(&mut incoming[..], &mut inbox);
                while connection.receive(&mut input, &mut outbox).unwrap() {}
                connection.send_binary(&[7; 10_000], &mut outbox).unwrap();
                outbox.consume(usize::MAX);
                inbox.release();
                outbox.release();
            });
            assert!(heap.allocations > 0);
            assert_eq!(heap.live_bytes, 0, "{role:?}: {heap:?}");
        }
    }

    #[test]
    fn contexts_are_given_back_where_no_message_needs_them() {
        let given = |connection: &mut Connection, inbox: &mut Inbox, outbox: &mut Outbox, first| {
            let mut bytes = [first, 0x80, 0, 0, 0, 0];
            let mut input = Input::new(&mut bytes[..], inbox);
            while connection.receive(&mut input, outbox).unwrap_or(false) {}
        };
        let (close, bad) = (0x88, 0x83);
        let after = |last: &dyn Fn(&mut Connection, &mut Inbox, &mut Outbox)| {
            idle_after(parameters(true, None), &pool(8), last).live_bytes
        };
        let both = after(&|_, _, _| {});
        let own_close = after(&|connection, _, outbox| connection.close(None, outbox).unwrap());
        assert!(
            own_close > 0 && own_close < both / 2,
            "the peer's messages go on: {own_close} of {both}"
        );
        for first in [close, bad] {
            let kept = after(&|connection, inbox, outbox| given(connection, inbox, outbox, first));
            assert_eq!(kept, 0, "{first:x}");
            let kept = after(&|connection, inbox, outbox| {
                connection.close(None, outbox).unwrap();
                given(connection, inbox, outbox, first);
            });
            assert_eq!(kept, 0, "{first:x} after our Close");
        }
        let kept = after(&|connection, inbox, outbox| {
            let begun = connection.begin_frame(MessageKind::Binary, 10, outbox);
            assert_eq!(begun, Ok(()));
            given(connection, inbox, outbox, bad);
        });
        assert_eq!(kept, 0, "failed inside of a frame, where no Close can be sent");
    }

    /// Bytes of heap for each setting, at most: whose contexts are taken over, window, memory level.
    const KEPT: &[((bool, bool), u8, u8, isize)] = &[
        ((true, true), 15, 8, 470_000),
        ((true, true), 15, 1, 350_000),
        ((true, true), 15, 9, 580_000),
        ((true, true), 12, 8, 350_000),
        ((true, true), 12, 1, 240_000),
        ((true, true), 9, 8, 340_000),
        ((true, true), 9, 1, 220_000),
        ((true, false), 15, 8, 390_000),
        ((true, false), 12, 5, 170_000),
        ((true, false), 9, 1, 140_000),
        ((false, true), 15, 8, 83_000),
        ((false, true), 9, 1, 83_000),
        ((false, false), 15, 8, 0),
    ];

    #[test]
    fn contexts_that_are_taken_over_cost_so_much() {
        println!("own context, peer's context | window bits | mem_level | bytes kept");
        for &((own, peer), bits, mem_level, most) in KEPT {
            let agreed = Parameters {
                server_no_context_takeover: !own,
                client_no_context_takeover: !peer,
                server_max_window_bits: Some(bits),
                client_max_window_bits: Some(bits),
            };
            let kept = idle(agreed, &pool(mem_level)).live_bytes;
            println!("{own}, {peer} | {bits} | {mem_level} | {kept}");
            assert!(kept <= most, "{kept} is more than {most}");
        }
    }
}
