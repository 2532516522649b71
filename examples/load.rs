//! Many clients on one thread, for an echo server to bear: opens the connections, lets each have one message on its way
//! for some seconds, and closes them.
//!
//! ```text
//! cargo run --release --example load -- ws://127.0.0.1:9001/ [--connections N] [--seconds N] [--bytes N] [--steps]
//! ```
//!
//! With `--deflate` it offers permessage-deflate. With `--steps` it waits for a line on stdin after each step, for
//! somebody to look at the server: after the first connection, after all, and after the messages.
//! `benches/ten_thousand` does.

#[path = "common/deflate.rs"]
mod deflate;
#[path = "common/link.rs"]
mod link;

use std::error::Error;
use std::io::{self, Write};
use std::net::{SocketAddr, ToSocketAddrs};
use std::num::NonZeroUsize;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use lexopt::{Arg, ValueExt};
use link::{End, Link};
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};
use ws_proto::deflate::Parameters;
use ws_proto::handshake::{ClientRequest, Url};
use ws_proto::{CloseCode, SendError, Timing};

/// Connections being opened at once: fewer than a listener's queue has room for.
const MOST_OPENING: usize = 128;

#[cfg(unix)]
/// Connections from one source address, which has some 28,000 ports to give.
const PER_SOURCE: usize = 20_000;

const READ_BYTES: usize = 64 << 10;

/// Nothing may take longer than this to go on.
const PATIENCE: Duration = Duration::from_secs(20);

type Result<T> = std::result::Result<T, Box<dyn Error>>;

const HELP: &str = "\
Usage: load ws://HOST[:PORT]/[PATH] [options]

  --connections N         [1000]
  --seconds N             how long each has a message on its way [5]
  --bytes N               length of a message [32]
  --deflate[=PARAMETERS]  offers permessage-deflate
  --steps                 waits for a line on stdin after each step; Pings have no answer meanwhile, and a server may give up
  --help                  this text
";

struct Options {
    url: String,
    connections: usize,
    duration: Duration,
    bytes: usize,
    /// The offer of permessage-deflate.
    deflate: Option<Parameters>,
    steps: bool,
}

struct Load {
    poll: Poll,
    events: Events,
    origin: Instant,
    timing: Timing,
    buffer: Vec<u8>,
    /// By token; `None` when it has ended.
    links: Vec<Option<Link>>,
    open: usize,
    /// Whether the end has begun. Before that, nobody is to close.
    closing: bool,
    messages: u64,
    clean: usize,
}

fn main() -> ExitCode {
    let options = match parse() {
        Ok(Some(options)) => options,
        Ok(None) => {
            let _ = io::stdout().write_all(HELP.as_bytes());
            return ExitCode::SUCCESS;
        }
        Err(error) => return fail(2, error.into()),
    };
    match Url::parse(&options.url) {
        Err(error) => fail(2, error.into()),
        Ok(url) if url.is_secure() => fail(2, "wss needs TLS, which this example does not have".into()),
        Ok(url) => match run(&options, url) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => fail(1, error),
        },
    }
}

fn fail(code: u8, error: Box<dyn Error>) -> ExitCode {
    let _ = writeln!(io::stderr(), "load: {error}");
    ExitCode::from(code)
}

fn run(options: &Options, url: Url<'_>) -> Result<()> {
    let mut addrs = (url.host().trim_matches(['[', ']']), url.port()).to_socket_addrs()?;
    let addr = addrs.find(SocketAddr::is_ipv4);
    let addr = addr.ok_or("the host has no IPv4 address")?;
    let offer = options.deflate.map(|offer| offer.offer());
    let offer = offer.as_deref();
    let request = ClientRequest {
        extensions: offer.as_slice(),
        ..ClientRequest::new(url)
    };
    let mut load = Load::new()?;
    for connections in [1, options.connections] {
        load.open(connections, addr, &request)?;
        report(options, format_args!("open {connections}"))?;
    }
    let began = Instant::now();
    load.echo(&"x".repeat(options.bytes), options.duration)?;
    let seconds = began.elapsed().as_secs_f64();
    report(
        options,
        format_args!("echoed {} in {seconds:.3} s", load.messages),
    )?;
    load.close()?;
    let closed = format_args!("closed {}, {} clean", options.connections, load.clean);
    Ok(report(options, closed)?)
}

impl Load {
    fn new() -> Result<Self> {
        Ok(Self {
            poll: Poll::new()?,
            events: Events::with_capacity(1024),
            origin: Instant::now(),
            timing: Timing::default(),
            buffer: vec![0; READ_BYTES],
            links: Vec::new(),
            open: 0,
            closing: false,
            messages: 0,
            clean: 0,
        })
    }

    /// Opens connections until there are so many.
    fn open(&mut self, connections: usize, addr: SocketAddr, request: &ClientRequest<'_>) -> Result<()> {
        while self.open < connections {
            while self.links.len() < connections && self.links.len() - self.open < MOST_OPENING {
                let token = Token(self.links.len());
                let mut stream = connect(addr, token.0)?;
                let interest = Interest::READABLE | Interest::WRITABLE;
                self.poll.registry().register(&mut stream, token, interest)?;
                let link = Link::open(stream, request, self.origin.elapsed())?;
                self.links.push(Some(link));
            }
            self.turn(None)?;
        }
        Ok(())
    }

    /// Has one message on its way over each connection for a while.
    fn echo(&mut self, message: &str, duration: Duration) -> Result<()> {
        for link in self.links.iter_mut().flatten() {
            send(link, message, self.origin.elapsed())?;
        }
        let began = Instant::now();
        while began.elapsed() < duration {
            self.turn(Some(message))?;
        }
        Ok(())
    }

    /// Closes all connections.
    fn close(&mut self) -> Result<()> {
        self.closing = true;
        for link in self.links.iter_mut().flatten() {
            link.close(CloseCode::NORMAL)?;
            link.flush()?;
        }
        while self.links.iter().any(Option::is_some) {
            self.turn(None)?;
        }
        Ok(())
    }

    /// Waits, and steps those that are ready. Each message that came is counted, and followed by the `next` one.
    fn turn(&mut self, next: Option<&str>) -> Result<()> {
        self.poll.poll(&mut self.events, Some(PATIENCE))?;
        if self.events.is_empty() {
            return Err("the server was silent for too long".into());
        }
        let now = self.origin.elapsed();
        for event in &self.events {
            let place = &mut self.links[event.token().0];
            let Some(link) = place else {
                continue;
            };
            let (was_open, mut came) = (link.is_open(), 0);
            match link.step(now, &self.timing, &mut self.buffer, |_| came += 1) {
                Ok(()) => {}
                Err(End::Closed(CloseCode::NORMAL)) if self.closing => {
                    self.clean += 1;
                    *place = None;
                    continue;
                }
                Err(end) => return Err(end.to_string().into()),
            }
            self.open += usize::from(link.is_open() && !was_open);
            self.messages += came;
            for message in next.iter().take(came as usize) {
                send(link, message, now)?;
            }
        }
        Ok(())
    }
}

/// Sends a message, unless the connection is closing: its end will say why.
fn send(link: &mut Link, message: &str, now: Duration) -> Result<()> {
    match link.send(message, now) {
        Ok(()) | Err(SendError::Closed) => Ok(link.flush()?),
        Err(error) => Err(error.into()),
    }
}

/// Begins to connect the transport of this number, loopback from as many source addresses as it takes.
#[cfg(unix)]
fn connect(addr: SocketAddr, number: usize) -> io::Result<TcpStream> {
    use std::net::Ipv4Addr;

    use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, socket_with};

    if number < PER_SOURCE || !addr.ip().is_loopback() {
        return TcpStream::connect(addr);
    }
    let source = Ipv4Addr::from_bits(Ipv4Addr::LOCALHOST.to_bits() + (number / PER_SOURCE) as u32);
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let socket = socket_with(AddressFamily::INET, SocketType::STREAM, flags, None)?;
    bind(&socket, &SocketAddr::from((source, 0)))?;
    match rustix::net::connect(&socket, &addr) {
        Ok(()) | Err(rustix::io::Errno::INPROGRESS) => Ok(TcpStream::from_std(socket.into())),
        Err(error) => Err(error.into()),
    }
}

#[cfg(not(unix))]
fn connect(addr: SocketAddr, _: usize) -> io::Result<TcpStream> {
    TcpStream::connect(addr)
}

/// Says that a step is done, and waits for leave to go on.
fn report(options: &Options, step: std::fmt::Arguments<'_>) -> io::Result<()> {
    writeln!(io::stdout(), "{step}")?;
    if options.steps {
        io::stdin().read_line(&mut String::new())?;
    }
    Ok(())
}

/// The command line; `None` if help is asked for.
fn parse() -> std::result::Result<Option<Options>, lexopt::Error> {
    let mut url = None;
    let mut options = Options {
        url: String::new(),
        connections: 1000,
        duration: Duration::from_secs(5),
        bytes: 32,
        deflate: None,
        steps: false,
    };
    let mut parser = lexopt::Parser::from_env();
    while let Some(arg) = parser.next()? {
        match arg {
            Arg::Value(value) if url.is_none() => url = Some(value.string()?),
            Arg::Long("connections") => options.connections = parser.value()?.parse::<NonZeroUsize>()?.get(),
            Arg::Long("seconds") => {
                let duration = Duration::try_from_secs_f64(parser.value()?.parse()?);
                options.duration = duration.map_err(|error| lexopt::Error::Custom(error.into()))?;
            }
            Arg::Long("bytes") => options.bytes = parser.value()?.parse()?,
            Arg::Long("deflate") => options.deflate = Some(deflate::parameters(&mut parser, deflate::ANY)?),
            Arg::Long("steps") => options.steps = true,
            Arg::Long("help") => return Ok(None),
            other => return Err(other.unexpected()),
        }
    }
    options.url = url.ok_or("a URL is missing, such as ws://127.0.0.1:9001/")?;
    Ok(Some(options))
}
