//! A client's connection that never blocks: for event loops, which step it whenever its transport is ready or
//! something is due.

use std::error::Error;
use std::fmt;
use std::io::{self, ErrorKind, Read, Write};
use std::net::Shutdown;
use std::time::Duration;

use mio::net::TcpStream;
use ws_proto::handshake::{self, Answer, ClientRequest};
use ws_proto::{
    Close, CloseCode, Config, Connection, Deadlines, Event, Inbox, Input, Outbox, Role, SendError, Timeout,
    Timing, Transport, Violation,
};

/// A transport, and what goes over it.
pub(crate) struct Link {
    pub(crate) stream: TcpStream,
    phase: Phase,
    deadlines: Deadlines,
    inbox: Inbox,
    outbox: Outbox,
    violation: Option<Violation>,
}

enum Phase {
    /// The transport is being connected, or the answer to the request is awaited.
    Opening(handshake::Client),
    Open(Connection),
}

/// How it ended.
pub(crate) enum End {
    /// It was never open: what went wrong.
    Failed(Box<dyn Error>),
    /// It was never open: the server answered with this HTTP status.
    Refused(u16),
    /// It was open: the code of the server's Close frame, or 1006.
    Closed(CloseCode),
    /// It was open, and failed because of what the server sent.
    Violated(Violation),
}

impl Link {
    /// Begins with a transport that is being connected.
    pub(crate) fn open(
        stream: TcpStream,
        request: &ClientRequest<'_>,
        now: Duration,
    ) -> Result<Self, Box<dyn Error>> {
        let mut outbox = Outbox::client_from_os()?;
        let handshake = handshake::Client::start(request, &mut outbox)?;
        Ok(Self {
            stream,
            phase: Phase::Opening(handshake),
            deadlines: Deadlines::new(now),
            inbox: Inbox::new(),
            outbox,
            violation: None,
        })
    }

    /// Whether messages can be sent.
    pub(crate) fn is_open(&self) -> bool {
        matches!(self.phase, Phase::Open(_))
    }

    #[allow(dead_code)] // who waits for both at once need not know
    /// Whether to wait for the transport to take more bytes.
    pub(crate) fn wants_to_write(&self) -> bool {
        !self.outbox.is_empty()
    }

    /// Queues a message; `flush` or the next step writes it.
    pub(crate) fn send(&mut self, text: &str, now: Duration) -> Result<(), SendError> {
        let connection = self.phase.connection_mut().ok_or(SendError::Closed)?;
        connection.send_text(text, &mut self.outbox)?;
        self.deadlines.active(now);
        Ok(())
    }

    /// Writes what waits, as far as the transport takes it.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        while !self.outbox.is_empty() {
            let Some(n) = ready(self.stream.write(self.outbox.bytes()))? else {
                break;
            };
            self.outbox.consume(n);
        }
        Ok(())
    }

    /// Begins the closing handshake; the next steps do it.
    pub(crate) fn close(&mut self, code: CloseCode) -> Result<(), SendError> {
        let connection = self.phase.connection_mut().ok_or(SendError::Closed)?;
        connection.close(Close::from(code), &mut self.outbox)
    }

    #[allow(dead_code)] // a client that is busy all the time has no timers
    /// When to step it even if nothing comes.
    pub(crate) fn next_timeout(&mut self, now: Duration, timing: &Timing) -> Option<Duration> {
        let connection = self.phase.connection_mut();
        self.deadlines.next_timeout(now, timing, connection.as_deref())
    }

    #[allow(dead_code)] // not all clients show it
    /// How long the server took for the last heartbeat.
    pub(crate) fn round_trip(&self) -> Option<Duration> {
        self.deadlines.round_trip()
    }

    /// Moves bytes until the transport has no more and takes no more, then does what is due.
    pub(crate) fn step(
        &mut self,
        now: Duration,
        timing: &Timing,
        buffer: &mut [u8],
        on_text: impl FnMut(&str),
    ) -> Result<(), End> {
        let moved = self.move_bytes(now, buffer, on_text);
        let done = moved.and_then(|()| self.keep_time(now, timing));
        done.map_err(|end| self.end(end))
    }

    /// Does what is due.
    fn keep_time(&mut self, now: Duration, timing: &Timing) -> Result<(), End> {
        let connection = self.phase.connection_mut();
        let due = self
            .deadlines
            .handle_timeout(now, timing, connection, &mut self.outbox);
        match due {
            Timeout::Dead | Timeout::OpeningTimedOut | Timeout::ClosingTimedOut => Err(timed_out()),
            Timeout::Nothing => Ok(()),
            Timeout::Ping | Timeout::Idle => {
                let _ = self.flush(); // if that fails, the next step finds it out, and reads
                Ok(())
            }
        }
    }

    /// What an end means, by how far the connection had come.
    fn end(&mut self, end: End) -> End {
        match (&mut self.phase, self.violation) {
            (Phase::Opening(_), _) => end,
            (Phase::Open(_), Some(violation)) => End::Violated(violation),
            (Phase::Open(connection), None) => {
                connection.receive_eof(&self.outbox);
                End::Closed(connection.status().code)
            }
        }
    }

    fn move_bytes(
        &mut self,
        now: Duration,
        buffer: &mut [u8],
        mut on_text: impl FnMut(&str),
    ) -> Result<(), End> {
        loop {
            // If that fails, what the server had sent before is still there: its Close frame, perhaps.
            let wrote = self.flush();
            if let Phase::Open(connection) = &self.phase
                && connection.transport(&self.outbox) == Transport::ShutdownWrite
            {
                self.stream.shutdown(Shutdown::Write)?;
            }
            let Some(n) = ready(self.stream.read(buffer))? else {
                return Ok(wrote?);
            };
            if n == 0 {
                return Err(End::from(io::Error::from(ErrorKind::UnexpectedEof)));
            }
            self.deadlines.received(now);
            let start = self.open_with(&buffer[..n])?;
            self.receive(&mut buffer[start..n], now, &mut on_text);
        }
    }

    /// The opening handshake; says where the bytes behind it begin.
    fn open_with(&mut self, bytes: &[u8]) -> Result<usize, End> {
        let Phase::Opening(handshake) = &mut self.phase else {
            return Ok(0);
        };
        let reply = handshake
            .receive(bytes)
            .map_err(|error| End::Failed(error.into()))?;
        let consumed = reply.consumed;
        match reply.answer {
            None => {}
            Some(Answer::Refused(head)) => return Err(End::Refused(head.status())),
            Some(Answer::Open(opened)) => {
                let mut config = Config::default();
                config.deflate = opened.deflate();
                self.phase = Phase::Open(Connection::new(Role::Client, &config));
            }
        }
        Ok(consumed)
    }

    /// The receive loop.
    fn receive(&mut self, bytes: &mut [u8], now: Duration, on_text: &mut impl FnMut(&str)) {
        let Phase::Open(connection) = &mut self.phase else {
            return;
        };
        let mut input = Input::new(bytes, &mut self.inbox);
        loop {
            match connection.receive(&mut input, &mut self.outbox) {
                Ok(true) => {}
                Ok(false) => return,
                // Our Close frame says why. It is to arrive before the transport ends.
                Err(violation) => return self.violation = Some(violation),
            }
            match input.event() {
                Event::Text(text) => {
                    self.deadlines.active(now);
                    on_text(text);
                }
                Event::Pong(payload) => self.deadlines.answered(now, payload),
                Event::Binary(_) | Event::Ping(_) | Event::Close(_) => {}
            }
        }
    }
}

impl Phase {
    fn connection_mut(&mut self) -> Option<&mut Connection> {
        match self {
            Self::Opening(_) => None,
            Self::Open(connection) => Some(connection),
        }
    }
}

impl From<io::Error> for End {
    fn from(error: io::Error) -> Self {
        Self::Failed(error.into())
    }
}

impl fmt::Display for End {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(error) => write!(to, "{error}"),
            Self::Refused(status) => write!(to, "the server answered with HTTP status {status}"),
            Self::Closed(CloseCode::ABNORMAL) => write!(to, "the connection was lost"),
            Self::Closed(code) => write!(to, "the server closed with {code}"),
            Self::Violated(violation) => write!(to, "{violation}"),
        }
    }
}

fn timed_out() -> End {
    End::from(io::Error::new(
        ErrorKind::TimedOut,
        "the server was silent for too long",
    ))
}

/// What was moved; `None` if the transport is not ready, or not connected yet.
fn ready(moved: io::Result<usize>) -> io::Result<Option<usize>> {
    match moved {
        Ok(n) => Ok(Some(n)),
        Err(error) => match error.kind() {
            ErrorKind::WouldBlock | ErrorKind::NotConnected | ErrorKind::Interrupted => Ok(None),
            _ => Err(error),
        },
    }
}
