//! One connection: its transport, the state of its protocol, and what is done when the transport is ready.

mod echo;
mod write;

use std::io::{self, ErrorKind, Read};
use std::mem;
use std::net::Shutdown;
use std::time::Duration;

use mio::net::TcpStream;
use mio::{Interest, Token};
use ws_proto::handshake::{AnswerError, HeadLimits, Received, Server};
use ws_proto::{
    Close, CloseCode, Connection, Deadlines, Inbox, Input, Outbox, Role, State, Status, Timeout, Transport,
};

use crate::http::{self, Answer};
use crate::pace::Pace;
use crate::server::Shared;
use crate::tap::Tap;
use write::write;

/// Reads per turn, so that one busy peer does not keep the others waiting.
const READS_PER_TURN: usize = 16;

/// Bytes waiting for a peer from which on nothing more is read from it.
pub(crate) const BACK_PRESSURE_BYTES: usize = 256 << 10;

/// Bytes of reports waiting for a watcher from which on frames are left out.
const MAX_REPORT_BYTES: usize = 256 << 10;

/// A connected peer. While it is idle, it has no heap memory, but for its pace if there is a rate, the contexts of
/// compression if they are taken over, and the inbox's if it was the last one to have a turn.
pub(crate) struct Peer {
    pub(crate) stream: TcpStream,
    /// What the event loop was asked to wait for.
    pub(crate) interest: Interest,
    /// When the event loop will look again, whatever happens.
    pub(crate) timer: Option<Duration>,
    /// There while another connection watches this one.
    pub(crate) tap: Option<Box<Tap>>,
    /// Whether this one watches another: then it is told of its frames, and nothing is sent back.
    watches: bool,
    /// Whether nothing more will be sent. What still comes is discarded until the peer is done: a transport that
    /// is closed with bytes unread is reset, and our last bytes might be lost.
    is_shut: bool,
    /// Whether the end of what the peer sends was announced. It is announced once, so it is read up to then.
    ends: bool,
    /// Whether the last read of this turn took all that there was: see `note_read`.
    drained: bool,
    phase: Phase,
    deadlines: Deadlines,
    pace: Option<Box<Pace>>,
    /// Whether its outbox holds more than bytes: compressed messages may refer to those before them.
    compresses: bool,
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
    pub(crate) fn new(stream: TcpStream, now: Duration) -> Self {
        Self {
            stream,
            interest: Interest::READABLE,
            timer: None,
            tap: None,
            watches: false,
            is_shut: false,
            ends: false,
            drained: false,
            phase: Phase::Opening(Server::new(HeadLimits::default())),
            deadlines: Deadlines::new(now),
            pace: None,
            compresses: false,
            inbox: Inbox::new(),
            outbox: Outbox::new(),
        }
    }

    /// How its connection stands, if the opening handshake is done.
    pub(crate) fn status(&self) -> Option<Status> {
        self.phase.connection().map(Connection::status)
    }

    /// When something is due.
    pub(crate) fn next_timeout(&mut self, shared: &Shared) -> Option<Duration> {
        let connection = self.phase.connection();
        let due = self
            .deadlines
            .next_timeout(shared.now, &shared.options.timing, connection);
        let pause = self.pace.as_ref().and_then(|pace| pace.until());
        [due, pause].into_iter().flatten().min()
    }

    /// Begins the closing handshake, since this endpoint goes away; false if there is no connection to close.
    pub(crate) fn go_away(&mut self) -> bool {
        self.phase.connection_mut().is_some_and(|connection| {
            connection
                .close(Close::from(CloseCode::GOING_AWAY), &mut self.outbox)
                .is_ok()
        })
    }

    /// Whether it watches another connection.
    pub(crate) fn watches(&self) -> bool {
        self.watches
    }

    /// Tells a watcher of a frame; false if it does not read fast enough.
    pub(crate) fn report(&mut self, frame: &str, now: Duration) -> bool {
        let Phase::Open(connection) = &mut self.phase else {
            return false;
        };
        let sent =
            self.outbox.len() < MAX_REPORT_BYTES && connection.send_text(frame, &mut self.outbox).is_ok();
        if sent {
            self.deadlines.active(now);
        }
        sent
    }

    /// Says that the peer sends nothing more behind what is there.
    pub(crate) fn announce_end(&mut self) {
        self.ends = true;
    }

    /// Gives the memory of its inbox back.
    pub(crate) fn release(&mut self) {
        self.inbox.release();
    }

    /// Moves bytes until the transport has no more, or takes no more.
    pub(crate) fn turn(&mut self, token: Token, shared: &mut Shared) -> Next {
        if self.outbox.is_empty() && !self.compresses {
            self.outbox = shared.take_outbox();
        }
        let next = match self
            .move_bytes(token, shared)
            .and_then(|next| self.keep_time(next, shared))
        {
            Ok(Next::Close) => self.end(token, shared),
            Ok(next) => next,
            Err(error) => {
                shared.log(token, format_args!("lost: {error}"));
                self.end(token, shared)
            }
        };
        if self.compresses {
            self.outbox.release();
        } else if self.outbox.is_empty() {
            shared.put_outbox(mem::take(&mut self.outbox));
        }
        next
    }

    fn move_bytes(&mut self, token: Token, shared: &mut Shared) -> io::Result<Next> {
        let mut reads = 0;
        self.drained = false;
        loop {
            self.write_out(shared.now)?;
            if self.transport() != Transport::Keep && !self.is_shut {
                // The clean way to close as well (RFC 6455 §7.1.1): what still comes is discarded.
                self.stream.shutdown(Shutdown::Write)?;
                self.is_shut = true;
            }
            // A pause first, which ends by being looked at.
            if self.is_paused(shared.now) || self.outbox.len() >= BACK_PRESSURE_BYTES {
                return Ok(Next::Wait(self.interest()));
            }
            if self.look_at_rest(token, shared)? {
                continue;
            }
            // What comes from now on is announced anew.
            if self.drained && !self.ends {
                return Ok(Next::Wait(self.interest()));
            }
            if reads == READS_PER_TURN {
                return Ok(Next::Yield(self.interest()));
            }
            reads += 1;
            match self.read(token, shared) {
                // Our last bytes may still find a reader.
                Ok(0) if self.is_closing() && !self.outbox.is_empty() => {
                    return Ok(Next::Wait(Interest::WRITABLE));
                }
                Ok(0) => return Ok(Next::Close),
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    return Ok(Next::Wait(self.interest()));
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Writes what waits. A transport that takes bytes again is a sign of life.
    fn write_out(&mut self, now: Duration) -> io::Result<()> {
        let waited = self.outbox.len();
        write(&mut self.stream, &mut self.outbox, &mut self.tap)?;
        if self.interest.is_writable() && self.outbox.len() < waited {
            self.deadlines.received(now);
        }
        Ok(())
    }

    /// Whether nothing is read from the peer for a while, since it sends too much.
    fn is_paused(&mut self, now: Duration) -> bool {
        let is_closing = self.is_closing();
        let Some(pace) = &mut self.pace else {
            return false;
        };
        if is_closing {
            pace.hurry();
        }
        pace.waits(now)
    }

    /// Goes on with what was read before the last pause, if anything.
    fn look_at_rest(&mut self, token: Token, shared: &mut Shared) -> io::Result<bool> {
        let rest = self
            .pace
            .as_mut()
            .map(|pace| pace.take_rest())
            .unwrap_or_default();
        if rest.is_empty() {
            return Ok(false);
        }
        let mut input = Input::new(rest.into_boxed_slice(), mem::take(&mut self.inbox));
        let done = self.messages(&mut input, token, shared);
        self.put_back(input);
        done.map(|()| true)
    }

    /// Does what is due, now that all that came has been looked at.
    fn keep_time(&mut self, next: Next, shared: &Shared) -> io::Result<Next> {
        if matches!(next, Next::Close) {
            return Ok(next);
        }
        let timing = &shared.options.timing;
        let connection = self.phase.connection_mut();
        let due = self
            .deadlines
            .handle_timeout(shared.now, timing, connection, &mut self.outbox);
        match due {
            Timeout::Nothing => Ok(next),
            Timeout::Dead | Timeout::OpeningTimedOut | Timeout::ClosingTimedOut => Ok(Next::Close),
            Timeout::Ping | Timeout::Idle => {
                self.write_out(shared.now)?;
                let interest = self.interest();
                Ok(match next {
                    Next::Yield(_) => Next::Yield(interest),
                    _ => Next::Wait(interest),
                })
            }
        }
    }

    /// Whether the end has begun.
    fn is_closing(&self) -> bool {
        match &self.phase {
            Phase::Opening(_) => false,
            Phase::Open(connection) => connection.status().state != State::Open,
            Phase::Responding => true,
        }
    }

    /// What is to be done with the transport, now that what could be written is written.
    fn transport(&self) -> Transport {
        match &self.phase {
            Phase::Open(connection) => connection.transport(&self.outbox),
            Phase::Responding if self.outbox.is_empty() => Transport::ShutdownWrite,
            Phase::Opening(_) | Phase::Responding => Transport::Keep,
        }
    }

    /// Waiting for writability while nothing is left to write would wake the loop for nothing.
    fn interest(&self) -> Interest {
        match self.outbox.len() {
            0 => Interest::READABLE,
            BACK_PRESSURE_BYTES.. => Interest::WRITABLE,
            _ => Interest::READABLE | Interest::WRITABLE,
        }
    }

    /// Reads once, and looks at what came: how many bytes.
    fn read(&mut self, token: Token, shared: &mut Shared) -> io::Result<usize> {
        if let Phase::Open(_) = self.phase {
            return self.read_messages(token, shared);
        }
        let n = self.stream.read(&mut shared.buffer)?;
        self.note_read(n, shared.buffer.len());
        if n > 0 {
            self.deadlines.received(shared.now);
            self.open(n, token, shared).map_err(io::Error::other)?;
        }
        Ok(n)
    }

    /// A read that leaves space has taken all that there was, and what comes then is announced anew: so says epoll(7). Elsewhere
    /// mio wants to be read from until there is nothing.
    fn note_read(&mut self, n: usize, space: usize) {
        self.drained = cfg!(target_os = "linux") && n < space;
    }

    /// The opening handshake. Nothing can follow it in the same read: a client waits for the answer.
    fn open(&mut self, n: usize, token: Token, shared: &mut Shared) -> Result<(), AnswerError> {
        let Phase::Opening(server) = &mut self.phase else {
            return Ok(());
        };
        let answer = match server.receive(&shared.buffer[..n]) {
            Ok(Received { head: Some(head), .. }) => {
                let deflate = shared.options.deflate.as_ref();
                http::answer(&head, shared.is_full(), deflate, &mut self.outbox)?
            }
            Ok(Received { head: None, .. }) => return Ok(()),
            Err(error) => {
                error.refuse(&mut self.outbox);
                Answer::Response(error.status())
            }
        };
        let deflate = match answer {
            Answer::Response(status) => {
                shared.log(token, format_args!("HTTP {status}"));
                self.phase = Phase::Responding;
                return Ok(());
            }
            Answer::Watch { id } => {
                self.watches = true;
                shared.watchers.insert(id.into(), token);
                None
            }
            Answer::Echo { id, deflate } => {
                // Its frames begin behind the response, which is still in the outbox.
                let compressed = deflate.is_some();
                let tap =
                    |watcher: &Token| Tap::new(*watcher, &shared.options, compressed, self.outbox.len());
                self.tap = id.and_then(|id| shared.watchers.get(id)).map(tap).map(Box::new);
                deflate
            }
        };
        match deflate {
            Some(agreed) => shared.log(token, format_args!("open, {}", agreed.answer())),
            None => shared.log(token, format_args!("open")),
        }
        shared.open += 1;
        self.compresses = deflate.is_some();
        self.phase = Phase::Open(Connection::new(Role::Server, &shared.config(deflate)));
        self.pace = match shared.options.rate {
            0 => None,
            rate => Some(Box::new(Pace::new(rate))),
        };
        Ok(())
    }

    /// The transport has ended, or is to end.
    fn end(&mut self, token: Token, shared: &Shared) -> Next {
        if let Phase::Open(connection) = &mut self.phase {
            connection.receive_eof(&self.outbox);
            let status = connection.status();
            let clean = if status.clean { "clean" } else { "not clean" };
            shared.log(token, format_args!("closed with {}, {clean}", status.code));
        }
        Next::Close
    }
}

impl Phase {
    fn connection(&self) -> Option<&Connection> {
        match self {
            Self::Open(connection) => Some(connection),
            Self::Opening(_) | Self::Responding => None,
        }
    }

    fn connection_mut(&mut self) -> Option<&mut Connection> {
        match self {
            Self::Open(connection) => Some(connection),
            Self::Opening(_) | Self::Responding => None,
        }
    }
}
