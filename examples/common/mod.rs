//! What the client examples share: a blocking client over one `TcpStream`, and the command line around it.

mod deflate;

use std::error::Error;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream, ToSocketAddrs};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use lexopt::{Arg, ValueExt};
use ws_proto::deflate::Parameters;
use ws_proto::handshake::{self, Answer, ClientRequest, Url};
use ws_proto::{Config, Connection, Event, Inbox, Input, Outbox, Role, State, Transport, Violation};

/// How long to wait for the transport, for the answer to the request, and for the end of the connection, whatever comes meanwhile.
const CONNECTING: Duration = Duration::from_secs(10);
const CLOSING: Duration = Duration::from_secs(5);

/// Length of the read buffer.
const READ_BYTES: usize = 64 << 10;

/// Enough for 16 MiB in fragments of 16 bytes.
const MAX_FRAGMENTS: u32 = 1 << 20;

pub(crate) type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// A client's connection.
pub(crate) struct Client {
    stream: TcpStream,
    connection: Connection,
    /// The read buffer, and the beginning of a message that is not complete yet.
    pub(crate) input: Input<Vec<u8>>,
    outbox: Outbox,
    violation: Option<Violation>,
    /// Until when to wait for the end of the connection.
    ends_by: Option<Instant>,
}

impl Client {
    /// Connects and does the opening handshake, with this offer of permessage-deflate. Later waits for the peer, to
    /// read and to write, take `patience` at most.
    pub(crate) fn connect(
        url: &Url<'_>,
        offer: Option<Parameters>,
        patience: Option<Duration>,
    ) -> Result<Self> {
        let mut stream = connect(url)?;
        stream.set_nodelay(true)?;
        stream.set_write_timeout(Some(CONNECTING))?;
        let mut outbox = Outbox::client_from_os()?;
        let (input, agreed) = open(url, offer, &mut stream, &mut outbox)?;
        stream.set_read_timeout(patience)?;
        stream.set_write_timeout(patience)?;
        let mut config = Config::default();
        config.limits.max_fragments = MAX_FRAGMENTS;
        config.deflate = agreed;
        let connection = Connection::new(Role::Client, &config);
        Ok(Self {
            stream,
            connection,
            input,
            outbox,
            violation: None,
            ends_by: None,
        })
    }

    /// Sends every message back until the connection is closed.
    pub(crate) fn echo(&mut self) -> Result<()> {
        while self.receive()? {
            match self.input.event() {
                Event::Text(text) => self.connection.send_text(text, &mut self.outbox)?,
                Event::Binary(data) => self.connection.send_binary(data, &mut self.outbox)?,
                Event::Ping(_) | Event::Pong(_) | Event::Close(_) => {}
            }
        }
        Ok(())
    }

    /// Waits for the next event, which is in `input` then: `false` once the connection is closed. Any end that was
    /// not clean is an error, which says why.
    pub(crate) fn receive(&mut self) -> Result<bool> {
        let ended = self.advance();
        match (ended, self.violation) {
            (Ok(true), _) => Ok(true),
            // What the peer did wrong explains what came of it.
            (_, Some(violation)) => Err(violation.into()),
            (Err(error), None) => Err(in_words(error)),
            (Ok(false), None) if self.connection.status().clean => Ok(false),
            (Ok(false), None) => Err("end of stream without the closing handshake".into()),
        }
    }

    /// Moves bytes until there is an event, or the end.
    fn advance(&mut self) -> io::Result<bool> {
        self.flush()?; // what the event before led to
        loop {
            match self.connection.receive(&mut self.input, &mut self.outbox) {
                Ok(true) => return Ok(true),
                Ok(false) => {}
                // Our Close frame says why. It is to arrive before the transport ends.
                Err(violation) => self.violation = Some(violation),
            }
            self.flush()?;
            match self.connection.transport(&self.outbox) {
                Transport::Keep => {}
                Transport::ShutdownWrite => self.stream.shutdown(Shutdown::Write)?,
                Transport::Close => return Ok(false),
            }
            self.fill()?;
        }
    }

    /// Writes all that waits. What was written may make room for more.
    fn flush(&mut self) -> io::Result<()> {
        while !self.outbox.is_empty() {
            self.stream.write_all(self.outbox.bytes())?;
            self.outbox.consume(self.outbox.len());
        }
        Ok(())
    }

    /// Reads once.
    fn fill(&mut self) -> io::Result<()> {
        let closing = self.connection.status().state == State::Closing;
        let space = self.input.space();
        if closing && self.ends_by.is_none() {
            self.stream.set_write_timeout(Some(CLOSING))?;
            self.ends_by = Some(Instant::now() + CLOSING);
        }
        let done = match self.ends_by {
            Some(until) => read_until(until, &mut self.stream, space),
            None => read(&mut self.stream, space),
        };
        match done {
            // In the end, a reset or too long a wait is as good as the end of the stream.
            Ok(0) => self.connection.receive_eof(&self.outbox),
            Err(_) if closing => self.connection.receive_eof(&self.outbox),
            Ok(n) => self.input.filled(n),
            Err(error) => return Err(error),
        }
        Ok(())
    }
}

/// Connects to the first address of the host that answers.
fn connect(url: &Url<'_>) -> Result<TcpStream> {
    let host = url.host().trim_matches(['[', ']']);
    let mut error = io::Error::new(ErrorKind::NotFound, "the host has no address");
    let addrs = (host, url.port()).to_socket_addrs();
    for addr in addrs.map_err(|error| format!("cannot find {host}: {error}"))? {
        match TcpStream::connect_timeout(&addr, CONNECTING) {
            Ok(stream) => return Ok(stream),
            Err(failed) => error = failed,
        }
    }
    Err(format!("cannot connect to {}: {error}", url.authority()).into())
}

/// The opening handshake: what the server sent behind its answer, which is the first input, and what was agreed on
/// permessage-deflate.
fn open(
    url: &Url<'_>,
    offer: Option<Parameters>,
    stream: &mut TcpStream,
    outbox: &mut Outbox,
) -> Result<(Input<Vec<u8>>, Option<Parameters>)> {
    let offer = offer.map(|offer| offer.offer());
    let offer = offer.as_deref();
    let request = ClientRequest {
        extensions: offer.as_slice(),
        ..ClientRequest::new(*url)
    };
    let mut handshake = handshake::Client::start(&request, outbox)?;
    stream.write_all(outbox.bytes())?;
    outbox.consume(outbox.len());
    let mut buffer = vec![0; READ_BYTES];
    let until = Instant::now() + CONNECTING;
    loop {
        let n = read_until(until, stream, &mut buffer).map_err(in_words)?;
        if n == 0 {
            return Err(handshake.receive_eof().into());
        }
        let reply = handshake.receive(&buffer[..n])?;
        match reply.answer {
            None => {}
            Some(Answer::Refused(head)) => {
                return Err(format!("the server answered with HTTP status {}", head.status()).into());
            }
            Some(Answer::Open(opened)) => {
                let agreed = opened.deflate();
                let rest = &buffer[reply.consumed..n];
                let mut input = Input::with_space(vec![0; READ_BYTES], Inbox::new());
                input.space()[..rest.len()].copy_from_slice(rest);
                input.filled(rest.len());
                return Ok((input, agreed));
            }
        }
    }
}

/// Reads once, and waits no longer than this.
fn read_until(until: Instant, stream: &mut TcpStream, buffer: &mut [u8]) -> io::Result<usize> {
    let left = until.saturating_duration_since(Instant::now());
    if left.is_zero() {
        return Err(ErrorKind::TimedOut.into());
    }
    stream.set_read_timeout(Some(left))?;
    read(stream, buffer)
}

/// Reads once, whatever interrupts.
fn read(stream: &mut TcpStream, buffer: &mut [u8]) -> io::Result<usize> {
    loop {
        match stream.read(buffer) {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            done => return done,
        }
    }
}

/// An error of the transport. Blocking sockets say of a timeout that they would block.
fn in_words(error: io::Error) -> Box<dyn Error> {
    match error.kind() {
        ErrorKind::WouldBlock | ErrorKind::TimedOut => {
            io::Error::new(ErrorKind::TimedOut, "the peer was silent for too long").into()
        }
        _ => error.into(),
    }
}

/// A program that takes one URL, and perhaps `--deflate`: exit code 0; or 1 if `work` fails, 2 if the command line is
/// wrong, and a line on stderr that says why.
pub(crate) fn run(name: &str, work: impl FnOnce(&Url<'_>, Option<Parameters>) -> Result<()>) -> ExitCode {
    let (done, failure) = match arguments() {
        Ok(Some((text, offer))) => match parse(&text) {
            Ok(url) => (work(&url, offer), 1),
            Err(error) => (Err(error), 2),
        },
        Ok(None) => (help(name).map_err(Into::into), 1),
        Err(error) => (Err(error.into()), 2),
    };
    if let Err(error) = done {
        let _ = writeln!(io::stderr(), "{name}: {error}");
        return ExitCode::from(failure);
    }
    ExitCode::SUCCESS
}

/// The URL on the command line, and what to offer; `None` if help is asked for.
fn arguments() -> std::result::Result<Option<(String, Option<Parameters>)>, lexopt::Error> {
    let (mut url, mut offer) = (None, None);
    let mut parser = lexopt::Parser::from_env();
    while let Some(arg) = parser.next()? {
        match arg {
            Arg::Value(value) if url.is_none() => url = Some(value.string()?),
            Arg::Long("deflate") => offer = Some(deflate::parameters(&mut parser, deflate::ANY)?),
            Arg::Long("help") | Arg::Short('h') => return Ok(None),
            other => return Err(other.unexpected()),
        }
    }
    let url = url.ok_or("a URL is missing, such as ws://127.0.0.1:9001/")?;
    Ok(Some((url, offer)))
}

fn help(name: &str) -> io::Result<()> {
    writeln!(
        io::stdout(),
        "Usage: {name} ws://HOST[:PORT]/[PATH] [--deflate[=PARAMETERS]]"
    )
}

fn parse(text: &str) -> Result<Url<'_>> {
    match Url::parse(text)? {
        url if url.is_secure() => Err("wss needs TLS, which this example does not have".into()),
        url => Ok(url),
    }
}
