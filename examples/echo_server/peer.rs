//! One connection: its transport, the state of its protocol, and what is done when the transport is ready.

use std::error::Error;
use std::io::{self, ErrorKind, Read, Write};
use std::mem;
use std::net::Shutdown;

use mio::net::TcpStream;
use mio::{Interest, Token};
use ws_proto::handshake::{AnswerError, HeadLimits, Received, Server};
use ws_proto::{Connection, Event, Inbox, Input, Outbox, Role, State, Transport, Violation};

use crate::http::{self, Answer};
use crate::server::Shared;
use crate::tap::Tap;

/// Reads per turn, so that one busy peer does not keep the others waiting.
const READS_PER_TURN: usize = 16;

/// Bytes waiting for a peer from which on nothing more is read from it.
pub(crate) const BACK_PRESSURE_BYTES: usize = 256 << 10;

/// Bytes of reports waiting for a watcher from which on frames are left out.
const MAX_REPORT_BYTES: usize = 256 << 10;

/// A connected peer. While it is idle, it has no heap memory.
pub(crate) struct Peer {
    pub(crate) stream: TcpStream,
    /// What the event loop was asked to wait for.
    pub(crate) interest: Interest,
    /// There while another connection watches this one.
    pub(crate) tap: Option<Box<Tap>>,
    /// Whether this one watches another: then it is told of its frames, and nothing is sent back.
    watches: bool,
    phase: Phase,
    inbox: Inbox,
    outbox: Outbox,
}

enum Phase {
    /// The request is still coming.
    Opening(Server),
    /// The opening handshake is done.
    Open(Connection),
    /// An HTTP response is on its way out.
    Responding,
    /// Nothing more will be sent. What still comes is discarded until the peer is done: a transport that
    /// is closed with bytes unread is reset, and our last bytes might be lost.
    Draining,
}

/// What the event loop does next for a peer.
pub(crate) enum Next {
    /// Wait until the transport is ready for this.
    Wait(Interest),
    /// Give the others a turn, then come back: there may be more to read.
    Yield(Interest),
    /// Drop it.
    Close,
}

impl Peer {
    pub(crate) fn new(stream: TcpStream) -> Self {
        Self {
            stream,
            interest: Interest::READABLE,
            tap: None,
            watches: false,
            phase: Phase::Opening(Server::new(HeadLimits::default())),
            inbox: Inbox::new(),
            outbox: Outbox::new(),
        }
    }

    /// Whether the opening handshake is still going on.
    pub(crate) fn is_opening(&self) -> bool {
        matches!(self.phase, Phase::Opening(_))
    }

    /// Whether the end has begun, so that it must not take long.
    pub(crate) fn is_closing(&self) -> bool {
        match &self.phase {
            Phase::Opening(_) => false,
            Phase::Open(connection) => connection.status().state != State::Open,
            Phase::Responding | Phase::Draining => true,
        }
    }

    /// Whether it watches another connection.
    pub(crate) fn watches(&self) -> bool {
        self.watches
    }

    /// Tells a watcher of a frame; false if it does not read fast enough.
    pub(crate) fn report(&mut self, frame: &str) -> bool {
        let Phase::Open(connection) = &mut self.phase else {
            return false;
        };
        self.outbox.len() < MAX_REPORT_BYTES && connection.send_text(frame, &mut self.outbox).is_ok()
    }

    /// Moves bytes until the transport has no more, or takes no more.
    pub(crate) fn turn(&mut self, token: Token, shared: &mut Shared) -> Next {
        if self.outbox.is_empty() {
            self.outbox = shared.take_outbox();
        }
        let next = match self.move_bytes(token, shared) {
            Ok(Next::Close) | Err(_) => self.end(token, shared),
            Ok(next) => next,
        };
        if self.outbox.is_empty() {
            shared.put_outbox(mem::take(&mut self.outbox));
        }
        self.inbox.release();
        next
    }

    fn move_bytes(&mut self, token: Token, shared: &mut Shared) -> io::Result<Next> {
        let mut reads = 0;
        loop {
            write(&mut self.stream, &mut self.outbox, &mut self.tap)?;
            match self.transport() {
                Transport::Keep => {}
                // The clean way to close as well (RFC 6455 §7.1.1): what still comes is discarded.
                Transport::ShutdownWrite | Transport::Close => {
                    self.stream.shutdown(Shutdown::Write)?;
                    self.log_end(token, shared);
                    self.phase = Phase::Draining;
                }
            }
            if self.outbox.len() >= BACK_PRESSURE_BYTES {
                return Ok(Next::Wait(Interest::WRITABLE));
            }
            if reads == READS_PER_TURN {
                return Ok(Next::Yield(self.interest()));
            }
            reads += 1;
            match self.stream.read(&mut shared.buffer) {
                // Our last bytes may still find a reader.
                Ok(0) if self.is_closing() && !self.outbox.is_empty() => {
                    return Ok(Next::Wait(Interest::WRITABLE));
                }
                Ok(0) => return Ok(Next::Close),
                Ok(n) => self.receive(n, token, shared)?,
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    return Ok(Next::Wait(self.interest()));
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// What is to be done with the transport, now that what could be written is written.
    fn transport(&self) -> Transport {
        match &self.phase {
            Phase::Open(connection) => connection.transport(&self.outbox),
            Phase::Responding if self.outbox.is_empty() => Transport::ShutdownWrite,
            Phase::Opening(_) | Phase::Responding | Phase::Draining => Transport::Keep,
        }
    }

    /// Waiting for writability while nothing is left to write would wake the loop for nothing.
    fn interest(&self) -> Interest {
        if self.outbox.is_empty() {
            Interest::READABLE
        } else {
            Interest::READABLE | Interest::WRITABLE
        }
    }

    /// The first `n` bytes of the buffer have been read.
    fn receive(&mut self, n: usize, token: Token, shared: &mut Shared) -> io::Result<()> {
        match &self.phase {
            Phase::Opening(_) => self.open(n, token, shared).map_err(io::Error::other),
            Phase::Open(_) => self.messages(n, token, shared),
            Phase::Responding | Phase::Draining => Ok(()),
        }
    }

    /// The opening handshake. Nothing can follow it in the same read: a client waits for the answer.
    fn open(&mut self, n: usize, token: Token, shared: &mut Shared) -> Result<(), AnswerError> {
        let Phase::Opening(server) = &mut self.phase else {
            return Ok(());
        };
        let answer = match server.receive(&shared.buffer[..n]) {
            Ok(Received { head: Some(head), .. }) => http::answer(&head, &mut self.outbox)?,
            Ok(Received { head: None, .. }) => return Ok(()),
            Err(error) => {
                error.refuse(&mut self.outbox);
                Answer::Response(error.status())
            }
        };
        match answer {
            Answer::Response(status) => {
                shared.log(token, format_args!("HTTP {status}"));
                self.phase = Phase::Responding;
                return Ok(());
            }
            Answer::Watch { id } => {
                self.watches = true;
                shared.watchers.insert(id.into(), token);
            }
            Answer::Echo { id } => {
                // Its frames begin behind the response, which is still in the outbox.
                let tap = |watcher: &Token| Tap::new(*watcher, &shared.options, self.outbox.len());
                self.tap = id.and_then(|id| shared.watchers.get(id)).map(tap).map(Box::new);
            }
        }
        shared.log(token, format_args!("open"));
        self.phase = Phase::Open(Connection::new(Role::Server, &shared.config()));
        Ok(())
    }

    /// Bytes of an open connection.
    fn messages(&mut self, n: usize, token: Token, shared: &mut Shared) -> io::Result<()> {
        if let Some(tap) = &mut self.tap {
            tap.incoming(&shared.buffer[..n]);
        }
        let Err(error) = self.echo(&mut shared.buffer[..n]) else {
            return Ok(());
        };
        // The peer's fault is answered already: `transport` knows how it goes on.
        let violation = *error.downcast::<Violation>().map_err(io::Error::other)?;
        if let Some(tap) = &mut self.tap {
            tap.violation(violation);
        }
        shared.log(
            token,
            format_args!("failed with {}: {violation}", violation.close_code()),
        );
        Ok(())
    }

    /// The receive loop.
    fn echo(&mut self, bytes: &mut [u8]) -> Result<(), Box<dyn Error + Send + Sync>> {
        let Phase::Open(connection) = &mut self.phase else {
            return Ok(());
        };
        let mut input = Input::new(bytes, &mut self.inbox);
        while connection.receive(&mut input, &mut self.outbox)? {
            match input.event() {
                Event::Text(_) | Event::Binary(_) if self.watches => {}
                Event::Text(text) => connection.send_text(text, &mut self.outbox)?,
                Event::Binary(data) => connection.send_binary(data, &mut self.outbox)?,
                // At most one Pong waits in the outbox: this one goes out before the next Ping is looked at.
                Event::Ping(_) => write(&mut self.stream, &mut self.outbox, &mut self.tap)?,
                Event::Pong(_) | Event::Close(_) => {}
            }
        }
        Ok(())
    }

    /// The transport has ended.
    fn end(&mut self, token: Token, shared: &Shared) -> Next {
        self.log_end(token, shared);
        Next::Close
    }

    /// Says how a connection ended. Nothing more is sent or looked at.
    fn log_end(&mut self, token: Token, shared: &Shared) {
        if let Phase::Open(connection) = &mut self.phase {
            connection.receive_eof(&self.outbox);
            let status = connection.status();
            let clean = if status.clean { "clean" } else { "not clean" };
            shared.log(token, format_args!("closed with {}, {clean}", status.code));
        }
    }
}

/// Writes what waits, as far as the transport takes it.
fn write(stream: &mut TcpStream, outbox: &mut Outbox, tap: &mut Option<Box<Tap>>) -> io::Result<()> {
    while !outbox.is_empty() {
        match stream.write(outbox.bytes()) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(n) => {
                if let Some(tap) = tap {
                    tap.outgoing(&outbox.bytes()[..n]);
                }
                outbox.consume(n);
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
