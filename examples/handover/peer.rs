//! One connection: the echo, and its state as bytes.

use std::error::Error;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};

use ws_proto::handshake::{Accept, HeadLimits, Received, Server};
use ws_proto::{Config, Connection, Event, Inbox, Input, Outbox, Role, SendError, Transport, Violation};

/// Bytes waiting for a peer from which on nothing more is read from it.
const BACK_PRESSURE_BYTES: usize = 256 << 10;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// A connected peer.
pub(crate) struct Peer {
    pub(crate) stream: TcpStream,
    phase: Phase,
    inbox: Inbox,
    outbox: Outbox,
}

enum Phase {
    /// The request is still coming. Its bytes are kept, for another process to read them again.
    Opening {
        server: Server,
        bytes: Vec<u8>,
    },
    Open(Connection),
    /// The request was refused.
    Refused,
}

impl Peer {
    pub(crate) fn new(stream: TcpStream) -> Self {
        let mut outbox = Outbox::new();
        outbox.set_max_bytes(u32::MAX); // nothing is read above the mark, and what one read brings is to fit
        Self {
            stream,
            phase: Phase::Opening {
                server: Server::new(HeadLimits::default()),
                bytes: Vec::new(),
            },
            inbox: Inbox::new(),
            outbox,
        }
    }

    /// Whether bytes wait for the transport to take them.
    pub(crate) fn wants_to_write(&self) -> bool {
        !self.outbox.is_empty()
    }

    /// Whether the peer takes what it is sent, so that it may send more.
    pub(crate) fn wants_to_read(&self) -> bool {
        self.outbox.len() < BACK_PRESSURE_BYTES
    }

    /// Reads once, and writes what the transport takes; an error at the end.
    pub(crate) fn turn(&mut self, buffer: &mut [u8]) -> Result<()> {
        self.write()?;
        if self.wants_to_read()
            && let Some(n) = ready(self.stream.read(buffer))?
        {
            match &self.phase {
                _ if n == 0 => return Err(io::Error::from(ErrorKind::UnexpectedEof).into()),
                Phase::Opening { .. } => self.open(&buffer[..n])?,
                Phase::Open(_) => self.receive(&mut buffer[..n])?,
                Phase::Refused => {}
            }
            self.write()?;
        }
        let is_over = match &self.phase {
            Phase::Opening { .. } => false,
            Phase::Open(connection) => connection.transport(&self.outbox) != Transport::Keep,
            Phase::Refused => true,
        };
        if is_over && !self.wants_to_write() {
            self.stream.shutdown(Shutdown::Write)?; // and read on until the peer is done
        }
        Ok(())
    }

    /// The opening handshake.
    fn open(&mut self, received: &[u8]) -> Result<()> {
        let Phase::Opening { server, bytes } = &mut self.phase else {
            return Ok(());
        };
        bytes.extend_from_slice(received);
        let upgrade = match server.receive(received) {
            Ok(Received { head: None, .. }) => return Ok(()),
            Ok(Received { head: Some(head), .. }) => head.upgrade(),
            Err(error) => Err(error),
        };
        self.phase = match upgrade {
            Ok(request) => {
                request.accept(&Accept::default(), &mut self.outbox)?;
                Phase::Open(Connection::new(Role::Server, &Config::default()))
            }
            Err(error) => {
                error.refuse(&mut self.outbox);
                Phase::Refused
            }
        };
        Ok(())
    }

    /// The receive loop. A violation is answered by the connection itself.
    fn receive(&mut self, bytes: &mut [u8]) -> Result<()> {
        match self.echo(bytes) {
            Err(error) if error.is::<Violation>() => Ok(()),
            done => done,
        }
    }

    fn echo(&mut self, bytes: &mut [u8]) -> Result<()> {
        let Phase::Open(connection) = &mut self.phase else {
            return Ok(());
        };
        let mut input = Input::new(bytes, &mut self.inbox);
        while connection.receive(&mut input, &mut self.outbox)? {
            let sent = match input.event() {
                Event::Text(text) => connection.send_text(text, &mut self.outbox),
                Event::Binary(data) => connection.send_binary(data, &mut self.outbox),
                Event::Ping(_) | Event::Pong(_) | Event::Close(_) => Ok(()),
            };
            match sent {
                Ok(()) | Err(SendError::Closed) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    fn write(&mut self) -> io::Result<()> {
        while !self.outbox.is_empty() {
            let Some(n) = ready(self.stream.write(self.outbox.bytes()))? else {
                return Ok(());
            };
            self.outbox.consume(n);
        }
        Ok(())
    }

    /// Everything but the socket, for another process: what kind of state; the state; what was received of something
    /// unfinished; what waits to be written, which is taken out, and returned to be [taken back](Self::take_back) by a peer that stays.
    pub(crate) fn save(&mut self, to: &mut Vec<u8>) -> Vec<u8> {
        match &self.phase {
            Phase::Opening { bytes, .. } => {
                to.push(0);
                put(to, bytes);
            }
            Phase::Open(connection) => {
                to.push(1);
                put(to, &connection.to_bytes(&mut self.inbox));
                put(to, self.inbox.unfinished());
            }
            Phase::Refused => to.push(2),
        }
        let waiting = self.outbox.take_all();
        put(to, &waiting);
        waiting
    }

    /// Goes on with what `save` took out.
    pub(crate) fn take_back(&mut self, waiting: &[u8]) -> std::result::Result<(), SendError> {
        self.outbox.resume(waiting)
    }

    /// A peer by its socket and what `save` wrote; `None` if it cannot go on with that, as when another version of the state wrote it.
    pub(crate) fn load(stream: TcpStream, from: &mut &[u8]) -> io::Result<Option<Self>> {
        let [kind] = take_array(from)?;
        let state = if kind == 1 { take(from)? } else { &[] };
        let unfinished = if kind == 2 { &[] } else { take(from)? };
        let waiting = take(from)?;
        let mut peer = Self::new(stream);
        let resumed = peer.resume(kind, state, unfinished, waiting);
        Ok(resumed.is_ok().then_some(peer))
    }

    fn resume(&mut self, kind: u8, state: &[u8], unfinished: &[u8], waiting: &[u8]) -> Result<()> {
        match kind {
            0 => self.open(unfinished)?,
            1 => {
                let (connection, inbox) = Connection::from_bytes(state.try_into()?, unfinished)?;
                self.phase = Phase::Open(connection);
                self.inbox = inbox;
            }
            _ => self.phase = Phase::Refused,
        }
        Ok(self.outbox.resume(waiting)?)
    }
}

/// What was moved; `None` if the transport is not ready.
fn ready(moved: io::Result<usize>) -> io::Result<Option<usize>> {
    match moved {
        Ok(n) => Ok(Some(n)),
        Err(error) => match error.kind() {
            ErrorKind::WouldBlock | ErrorKind::Interrupted => Ok(None),
            _ => Err(error),
        },
    }
}

/// Appends bytes behind their number.
fn put(to: &mut Vec<u8>, bytes: &[u8]) {
    to.extend_from_slice(&(bytes.len() as u64).to_le_bytes());
    to.extend_from_slice(bytes);
}

/// Takes what `put` appended.
fn take<'a>(from: &mut &'a [u8]) -> io::Result<&'a [u8]> {
    let len = u64::from_le_bytes(take_array(from)?);
    let len = usize::try_from(len).map_err(io::Error::other)?;
    let taken = from.split_off(..len);
    taken.ok_or_else(|| ErrorKind::UnexpectedEof.into())
}

/// Takes bytes of a known number.
pub(crate) fn take_array<const N: usize>(from: &mut &[u8]) -> io::Result<[u8; N]> {
    let (taken, rest) = from.split_first_chunk().ok_or(ErrorKind::UnexpectedEof)?;
    *from = rest;
    Ok(*taken)
}
