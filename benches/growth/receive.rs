//! A connection and its inbox: messages, fragments, bytes, control frames; and the buffer that is read into.

use ws_proto::frame::{Header, Opcode};
use ws_proto::{Config, Connection, Event, Inbox, Input, Outbox, Role};

use super::workload::{self, Content, KEY, READ_BYTES, frame};
use super::{Job, Path, path};

const SERVER: Role = Role::Server;
const WHOLE: usize = usize::MAX;

pub(crate) const PATHS: &[Path] = &[
    path("receive: messages in one read, binary, 8 B", 4000, |n| {
        messages(SERVER, Content::Binary, 8, n).job()
    }),
    path("receive: messages in one read, UTF-8, 32 B", 2000, |n| {
        messages(SERVER, Content::Mixed, 32, n).job()
    }),
    path("receive: messages in one read, binary, 1 KiB", 100, |n| {
        messages(SERVER, Content::Binary, 1024, n).job()
    }),
    path(
        "receive: messages in one read, by a client, ASCII, 125 B",
        1000,
        |n| messages(Role::Client, Content::Ascii, 125, n).job(),
    ),
    path("receive: messages, byte by byte, UTF-8, 32 B", 200, |n| {
        messages(SERVER, Content::Mixed, 32, n).in_reads_of(1).job()
    }),
    path("receive: fragments, binary", 2000, |n| {
        fragments(Content::Binary, n).job()
    }),
    path(
        "receive: fragments, text that they cut inside of characters",
        2000,
        |n| fragments(Content::Mixed, n).job(),
    ),
    path("receive: fragments, byte by byte, text", 500, |n| {
        fragments(Content::Mixed, n).in_reads_of(1).job()
    }),
    path("receive: fragments, lent in pieces, binary", 2000, |n| {
        fragments(Content::Binary, n).in_pieces().job()
    }),
    path("receive: fragments, lent in pieces, text", 2000, |n| {
        fragments(Content::Mixed, n).in_pieces().job()
    }),
    path("receive: fragments, empty", 2000, |n| {
        let mut wire = Receive::new(SERVER);
        wire.config.limits.max_fragments = u32::MAX;
        wire.fragments(Opcode::TEXT, &mut (0..n).map(|_| &[][..]));
        wire.expect(1, 0).job()
    }),
    path("receive: fragments with a Ping behind each", 1000, |n| {
        let mut wire = Receive::new(SERVER);
        let payload = Content::Mixed.payload(FRAGMENT_BYTES * n);
        for (i, fragment) in payload.chunks(FRAGMENT_BYTES).enumerate() {
            let opcode = if i == 0 {
                Opcode::TEXT
            } else {
                Opcode::CONTINUATION
            };
            wire.frame(opcode, i + 1 == n, fragment);
            wire.frame(Opcode::PING, true, b"");
        }
        wire.expect(n + 1, payload.len()).job()
    }),
    path(
        "receive: bytes of a message in one read, binary",
        160 << 10,
        |n| bytes(SERVER, Content::Binary, n).job(),
    ),
    path("receive: bytes of a message in one read, text", 128 << 10, |n| {
        bytes(SERVER, Content::Mixed, n).job()
    }),
    path(
        "receive: bytes of a message, 256 B a read, the inbox grows",
        192 << 10,
        |n| {
            let mut receive = bytes(SERVER, Content::Binary, n).in_reads_of(256);
            receive.is_warm = false;
            receive.job()
        },
    ),
    path(
        "receive: bytes of a message, 16 KiB a read, binary",
        160 << 10,
        |n| bytes(SERVER, Content::Binary, n).in_reads_of(READ_BYTES).job(),
    ),
    path(
        "receive: bytes of a message, 16 KiB a read, text",
        160 << 10,
        |n| bytes(SERVER, Content::Mixed, n).in_reads_of(READ_BYTES).job(),
    ),
    path(
        "receive: bytes of a message, read straight to the inbox, text",
        160 << 10,
        straight,
    ),
    path(
        "receive: bytes of a message, 16 KiB a read, by a client",
        160 << 10,
        |n| {
            bytes(Role::Client, Content::Binary, n)
                .in_reads_of(READ_BYTES)
                .job()
        },
    ),
    path(
        "receive: bytes of a message, 16 KiB a read, text, lent in pieces",
        160 << 10,
        |n| {
            bytes(SERVER, Content::Mixed, n)
                .in_reads_of(READ_BYTES)
                .in_pieces()
                .job()
        },
    ),
    path(
        "receive: bytes of a message, byte by byte, binary",
        8 << 10,
        |n| bytes(SERVER, Content::Binary, n).in_reads_of(1).job(),
    ),
    path("receive: bytes of a message, byte by byte, text", 8 << 10, |n| {
        bytes(SERVER, Content::Mixed, n).in_reads_of(1).job()
    }),
    path(
        "receive: bytes of a message, byte by byte, text, lent in pieces",
        8 << 10,
        |n| bytes(SERVER, Content::Mixed, n).in_reads_of(1).in_pieces().job(),
    ),
    path("receive: Pings", 2000, |n| control(Opcode::PING, n).job()),
    path("receive: Pings, byte by byte", 200, |n| {
        control(Opcode::PING, n).in_reads_of(1).job()
    }),
    path(
        "receive: Pings, nothing of what is to be sent is taken",
        2000,
        |n| {
            let mut pings = control(Opcode::PING, n);
            pings.drains = false;
            pings.job()
        },
    ),
    path(
        "receive: Pings, and data waits behind the first Pong",
        2000,
        |n| {
            let mut pings = control(Opcode::PING, n);
            pings.drains = false;
            let first = frame(SERVER, Opcode::PING, b"first");
            pings.job_after(move |connection, outbox| {
                let mut inbox = Inbox::new();
                let mut input = Input::new(first.clone(), &mut inbox);
                connection.receive(&mut input, outbox) == Ok(true)
                    && connection.send_binary(&[0; 1000], outbox).is_ok()
            })
        },
    ),
    path("receive: Pings inside a frame that is being sent", 2000, |n| {
        let mut pings = control(Opcode::PING, n);
        pings.drains = false;
        pings.job_after(|connection, outbox| {
            connection
                .begin_frame(ws_proto::MessageKind::Binary, 10, outbox)
                .is_ok()
        })
    }),
    path("receive: Pongs", 2000, |n| control(Opcode::PONG, n).job()),
    path(
        "receive: messages in one read, at most 100 bytes a round",
        500,
        |n| {
            let mut wire = messages(SERVER, Content::Binary, 125, n);
            wire.limit = 100;
            wire.job()
        },
    ),
    path(
        "read buffer: messages through 4 KiB, 100 bytes left each time",
        500,
        through_a_buffer,
    ),
    path("hand-over: bytes of an unfinished text", 64 << 10, |n| {
        let Receive {
            role,
            config,
            wire: mut received,
            ..
        } = bytes(SERVER, Content::Mixed, n);
        let mut connection = Connection::new(role, &config);
        let (mut inbox, mut outbox) = (Inbox::new(), Outbox::new());
        received.pop();
        let mut input = Input::new(received, &mut inbox);
        let unfinished = connection.receive(&mut input, &mut outbox) == Ok(false);
        Box::new(move || {
            let state = connection.to_bytes(&mut inbox);
            unfinished
                && Connection::from_bytes(&state, inbox.unfinished())
                    .is_ok_and(|(_, inbox)| inbox.len() == n - 1)
        })
    }),
];

const FRAGMENT_BYTES: usize = 13;

/// What comes in, and what it is to be.
struct Receive {
    role: Role,
    config: Config,
    wire: Vec<u8>,
    /// Bytes of a read.
    read: usize,
    /// Bytes of a round.
    limit: usize,
    /// Whether all that is to be sent is taken after each read.
    drains: bool,
    /// Whether the inbox has memory before.
    is_warm: bool,
    events: usize,
    bytes: usize,
}

fn messages(role: Role, content: Content, len: usize, n: usize) -> Receive {
    let mut receive = Receive::new(role);
    receive.wire = frame(role, content.opcode(), &content.payload(len)).repeat(n);
    receive.expect(n, n * len)
}

fn bytes(role: Role, content: Content, n: usize) -> Receive {
    messages(role, content, n, 1)
}

fn fragments(content: Content, n: usize) -> Receive {
    let mut receive = Receive::new(SERVER);
    let payload = content.payload(FRAGMENT_BYTES * n);
    receive.fragments(content.opcode(), &mut payload.chunks(FRAGMENT_BYTES));
    receive.expect(1, payload.len())
}

fn control(opcode: Opcode, n: usize) -> Receive {
    let mut receive = Receive::new(SERVER);
    receive.wire = frame(SERVER, opcode, b"8 octets").repeat(n);
    receive.expect(n, 8 * n)
}

impl Receive {
    fn new(role: Role) -> Self {
        Self {
            role,
            config: Config::default(),
            wire: Vec::new(),
            read: WHOLE,
            limit: WHOLE,
            drains: true,
            is_warm: true,
            events: 0,
            bytes: 0,
        }
    }

    fn frame(&mut self, opcode: Opcode, fin: bool, payload: &[u8]) {
        let mut header = Header::new(opcode, payload.len() as u64);
        header.fin = fin;
        header.key = (self.role == SERVER).then_some(KEY);
        self.wire.extend_from_slice(&header.encode());
        let start = self.wire.len();
        self.wire.extend_from_slice(payload);
        header.key.unwrap_or_default().apply(&mut self.wire[start..]);
    }

    fn fragments(&mut self, opcode: Opcode, payloads: &mut dyn ExactSizeIterator<Item = &[u8]>) {
        let mut opcode = opcode;
        while let Some(payload) = payloads.next() {
            self.frame(opcode, payloads.len() == 0, payload);
            opcode = Opcode::CONTINUATION;
        }
    }

    fn in_reads_of(mut self, read: usize) -> Self {
        self.read = read;
        self
    }

    fn in_pieces(mut self) -> Self {
        self.config.pieces = true;
        self
    }

    /// So many events, the pieces of a message being one, with so many bytes.
    fn expect(mut self, events: usize, bytes: usize) -> Self {
        (self.events, self.bytes) = (events, bytes);
        self
    }

    fn job(self) -> Job {
        self.job_after(|_, _| true)
    }

    fn job_after(mut self, before: impl FnOnce(&mut Connection, &mut Outbox) -> bool) -> Job {
        let mut connection = Connection::new(self.role, &self.config);
        let (mut inbox, mut outbox) = (Inbox::new(), workload::outbox(self.role));
        if self.is_warm {
            let mut again = self.wire.clone();
            for read in again.chunks_mut(self.read) {
                let mut input = Input::new(read, &mut inbox);
                while connection.receive(&mut input, &mut outbox) == Ok(true) {}
                outbox.consume(usize::MAX);
            }
        }
        let is_ready = before(&mut connection, &mut outbox);
        Box::new(move || {
            let mut seen = Seen::default();
            for read in self.wire.chunks_mut(self.read) {
                let mut input = Input::new(read, &mut inbox);
                while input.remaining() > 0 {
                    input.limit(self.limit);
                    seen.receive(&mut connection, &mut input, &mut outbox);
                }
                if self.drains {
                    outbox.consume(usize::MAX);
                }
            }
            is_ready && seen.events == self.events && seen.bytes == self.bytes
        })
    }
}

#[derive(Default)]
pub(crate) struct Seen {
    pub(crate) events: usize,
    pub(crate) bytes: usize,
}

impl Seen {
    pub(crate) fn receive<B: ws_proto::Buffer, I: ws_proto::InboxSlot>(
        &mut self,
        connection: &mut Connection,
        input: &mut Input<B, I>,
        outbox: &mut Outbox,
    ) {
        while connection.receive(input, outbox) == Ok(true) {
            self.events += usize::from(input.is_message_end());
            self.bytes += match input.event() {
                Event::Text(text) => text.len(),
                Event::Binary(data) | Event::Ping(data) | Event::Pong(data) => data.len(),
                Event::Close(_) => 0,
            };
        }
    }
}

/// A buffer that is kept: each read goes behind what the round before left of it.
fn through_a_buffer(n: usize) -> Job {
    let Receive {
        role, config, wire, ..
    } = messages(SERVER, Content::Binary, 125, n);
    let mut connection = Connection::new(role, &config);
    let mut outbox = Outbox::new();
    Box::new(move || {
        let mut input = Input::with_space(vec![0; 4 << 10], Inbox::new());
        let mut seen = Seen::default();
        let mut wire = &wire[..];
        while !wire.is_empty() {
            let space = input.space();
            let (read, rest) = wire.split_at(space.len().min(wire.len()));
            space[..read.len()].copy_from_slice(read);
            input.filled(read.len());
            wire = rest;
            input.limit(if wire.is_empty() {
                WHOLE
            } else {
                input.remaining() - 100
            });
            seen.receive(&mut connection, &mut input, &mut outbox);
        }
        (seen.events, seen.bytes) == (n, 125 * n)
    })
}

/// The bytes of a text by `Input::spaces`.
fn straight(n: usize) -> Job {
    let wire = frame(SERVER, Opcode::TEXT, &Content::Mixed.payload(n));
    let mut connection = Connection::new(SERVER, &Config::default());
    let (mut inbox, mut outbox) = (Inbox::new(), workload::outbox(SERVER));
    let mut buffer = vec![0; READ_BYTES];
    Box::new(move || {
        let mut seen = Seen::default();
        let mut left = &wire[..];
        while !left.is_empty() {
            let mut input = Input::with_space(&mut buffer[..], &mut inbox);
            let (mut read, rest) = left.split_at(left.len().min(READ_BYTES));
            let filled = read.len();
            for space in input.spaces(&connection) {
                let (part, behind) = read.split_at(read.len().min(space.len()));
                space[..part.len()].copy_from_slice(part);
                read = behind;
            }
            input.filled(filled);
            left = rest;
            seen.receive(&mut connection, &mut input, &mut outbox);
        }
        seen.events == 1 && seen.bytes == n
    })
}
