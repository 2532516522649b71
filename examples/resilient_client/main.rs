//! A client that outlives its connections: sends the lines of stdin as messages to an echo server, and connects again
//! whenever it has to.
//!
//! ```text
//! cargo run --release --example resilient_client -- ws://127.0.0.1:9001/ [--token T] [--queue N]
//! ```
//!
//! Each message carries a number, and its echo acknowledges it: then the line goes to stdout. What was not acknowledged
//! when the connection broke is sent again over the next one. Nobody can know whether it had arrived; so that is said,
//! on stderr and by an asterisk behind the number in the message. Lines that come in while there is no connection wait
//! in a queue, and are dropped when that is full, which is said too.
//!
//! At the end of stdin it waits until everything is acknowledged, and closes with 1000; Ctrl-C closes with 1001. Exit
//! code 0 in both cases; 1 if the server does not want it back, 2 if the command line is wrong.
//!
//! Where to look: `Client::run` is the event loop, and `Client::lost` decides whether and when to connect again. In
//! `common/`, `queue.rs` keeps the messages, and `link.rs` is one connection.

#[path = "../common/link.rs"]
mod link;
mod options;
#[path = "../common/queue.rs"]
mod queue;
#[path = "../common/signals.rs"]
mod signals;
#[path = "../common/wait.rs"]
mod wait;

use std::collections::VecDeque;
use std::error::Error;
use std::hash::{BuildHasher, RandomState};
use std::io::{self, IsTerminal, Write};
use std::net::{SocketAddr, ToSocketAddrs};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use link::{End, Link};
use mio::net::TcpStream;
use options::{HELP, Options};
use queue::Queue;
use signals::Signals;
use wait::Wait;
use ws_proto::handshake::{ClientRequest, Field, Url};
use ws_proto::{Backoff, CloseCode, Reconnect, SendError};

/// A server that asks for time gets so much more than the usual delay.
const LATER: Duration = Duration::from_secs(5);

/// Bytes read at once.
const READ_BYTES: usize = 64 << 10;

/// A line without an end is cut here.
const MAX_LINE_BYTES: usize = 1 << 20;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

struct Client<'a> {
    options: &'a Options,
    url: Url<'a>,
    origin: Instant,
    now: Duration,
    signals: Signals,
    link: Option<Link>,
    /// Addresses of the server that are still to be tried.
    addrs: VecDeque<SocketAddr>,
    /// When to connect, while there is no link.
    connect_at: Duration,
    backoff: Backoff,
    queue: Queue,
    /// Bytes of stdin that are no line yet, or for which there is no room yet.
    typed: VecDeque<u8>,
    stdin_ended: bool,
    /// Set when the end has begun: what the server was told.
    ending: Option<CloseCode>,
    dropped: u64,
    /// The state shown last.
    shown: &'static str,
}

fn main() -> ExitCode {
    let options = match Options::parse() {
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
        Ok(url) => match Client::new(&options, url).and_then(|mut client| client.run()) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => fail(1, error),
        },
    }
}

impl<'a> Client<'a> {
    fn new(options: &'a Options, url: Url<'a>) -> Result<Self> {
        // Each client needs a seed of its own, lest all come back at the same time.
        let seed = RandomState::new().hash_one(());
        Ok(Self {
            options,
            url,
            origin: Instant::now(),
            now: Duration::ZERO,
            signals: Signals::catch(signals::END)?,
            link: None,
            addrs: VecDeque::new(),
            connect_at: Duration::ZERO,
            backoff: Backoff::new(seed, &options.delays),
            queue: Queue::new(options.queue),
            typed: VecDeque::new(),
            stdin_ended: false,
            ending: None,
            dropped: 0,
            shown: "",
        })
    }

    /// The event loop.
    fn run(&mut self) -> Result<()> {
        let mut buffer = vec![0; READ_BYTES];
        let mut done = Ok(());
        while done.is_ok() && !self.is_done() {
            done = self.turn(&mut buffer);
        }
        if self.queue.len() > 0 {
            note(&format!("{} lines were not acknowledged", self.queue.len()));
        }
        done?;
        note("closed");
        Ok(())
    }

    fn turn(&mut self, buffer: &mut [u8]) -> Result<()> {
        self.now = self.origin.elapsed();
        self.connect()?;
        self.step(buffer)?;
        self.take_lines();
        self.send()?;
        self.end_if_time()?;
        self.show();
        self.wait(buffer)
    }

    /// Whether nothing is left to be done.
    fn is_done(&self) -> bool {
        self.link.is_none() && (self.ending.is_some() || self.is_all_acknowledged())
    }

    fn is_all_acknowledged(&self) -> bool {
        self.stdin_ended && self.typed.is_empty() && self.queue.len() == 0
    }

    /// Connects if it is time to.
    fn connect(&mut self) -> Result<()> {
        if self.link.is_some() || self.now < self.connect_at {
            return Ok(());
        }
        let value = self.options.authorization.as_deref();
        let fields = value.map(|value| Field::new("Authorization", value));
        let mut request = ClientRequest::new(self.url);
        request.fields = fields.as_slice();
        match self.next_addr().and_then(TcpStream::connect) {
            Ok(stream) => {
                self.link = Some(Link::open(stream, &request, self.now)?);
                Ok(())
            }
            Err(error) => self.lost(End::from(error)),
        }
    }

    /// An address of the server. They are looked up anew once all were tried, since it may have moved; this is the one
    /// thing here that may block.
    fn next_addr(&mut self) -> io::Result<SocketAddr> {
        if self.addrs.is_empty() {
            let host = self.url.host().trim_matches(['[', ']']);
            self.addrs = (host, self.url.port()).to_socket_addrs()?.collect();
        }
        let addr = self.addrs.pop_front();
        addr.ok_or_else(|| io::Error::other("the host has no address"))
    }

    /// Sends what the queue holds, as far as there is room.
    fn send(&mut self) -> Result<()> {
        let Some(link) = &mut self.link else {
            return Ok(());
        };
        while let Some((message, again)) = self.queue.next_to_send() {
            match link.send(&message, self.now) {
                Ok(()) => self.queue.sent(),
                Err(SendError::Full | SendError::Closed) => break,
                Err(error) => return Err(error.into()),
            }
            if let Some(number) = again {
                note(&format!(
                    "{number} is sent again: it may have been received before"
                ));
            }
        }
        Ok(())
    }

    /// Lets the link move its bytes. What comes back is acknowledged.
    fn step(&mut self, buffer: &mut [u8]) -> Result<()> {
        let Some(link) = &mut self.link else {
            return Ok(());
        };
        let (queue, backoff) = (&mut self.queue, &mut self.backoff);
        let stepped = link.step(self.now, &self.options.timing, buffer, |message| {
            // Now the connection is known to be good: it does more than to open.
            backoff.succeeded();
            if let Some(line) = queue.acknowledge(message) {
                clear();
                let _ = writeln!(io::stdout(), "{line}");
            }
        });
        match stepped {
            Ok(()) => Ok(()),
            Err(end) => self.lost(end),
        }
    }

    /// There is no connection any more: decides whether and when there will be another.
    fn lost(&mut self, end: End) -> Result<()> {
        self.link = None;
        self.queue.disconnected();
        if self.ending.is_some() {
            return Ok(());
        }
        if matches!(end, End::Failed(_)) && !self.addrs.is_empty() {
            return Ok(()); // another one may answer
        }
        self.addrs.clear();
        let extra = match reconnect(&end) {
            Reconnect::Never => return Err(end.to_string().into()),
            Reconnect::Soon => Duration::ZERO,
            Reconnect::Later => LATER.min(self.options.delays.cap),
        };
        let delay = self.backoff.next_delay().ok_or("tried often enough")? + extra;
        self.connect_at = self.now + delay;
        note(&format!("{end}; connecting again in {delay:.1?}"));
        Ok(())
    }

    /// Begins the closing handshake, if that is due.
    fn end_if_time(&mut self) -> Result<()> {
        let interrupted = self.signals.came();
        if interrupted && self.ending.is_some() {
            self.link = None; // asked for twice
        }
        let code = if interrupted {
            CloseCode::GOING_AWAY
        } else if self.is_all_acknowledged() {
            CloseCode::NORMAL
        } else {
            return Ok(());
        };
        if self.ending.is_none() {
            self.ending = Some(code);
            match &mut self.link {
                Some(link) if link.is_open() => link.close(code)?,
                _ => self.link = None,
            }
        }
        Ok(())
    }

    /// Puts lines from stdin into the queue. While a connection is there, or is being made, those that have no room wait.
    fn take_lines(&mut self) {
        while !self.queue.is_full() || self.link.is_none() {
            let Some(line) = self.next_line() else {
                return;
            };
            if let Err(number) = self.queue.push(line) {
                self.dropped += 1;
                note(&format!("{number} is dropped: the queue is full"));
            }
        }
    }

    fn next_line(&mut self) -> Option<String> {
        let end = self.typed.iter().position(|&byte| byte == b'\n');
        let line: Vec<u8> = match end {
            Some(end) => self.typed.drain(..=end).take(end).collect(),
            None if self.typed.is_empty() => return None,
            None if self.stdin_ended || self.typed.len() >= MAX_LINE_BYTES => self.typed.drain(..).collect(),
            None => return None,
        };
        Some(String::from_utf8_lossy(&line).into_owned())
    }

    /// Waits until there is something to do, and reads stdin if that is it.
    fn wait(&mut self, buffer: &mut [u8]) -> Result<()> {
        if self.is_done() {
            return Ok(());
        }
        let due = match &mut self.link {
            Some(link) => link.next_timeout(self.now, &self.options.timing),
            None => Some(self.connect_at),
        };
        let has_room = !self.queue.is_full() || self.link.is_none();
        let wait = Wait {
            signals: &self.signals,
            stdin: has_room && !self.stdin_ended && self.ending.is_none(),
            transport: self
                .link
                .as_ref()
                .map(|link| (&link.stream, link.wants_to_write())),
            timeout: due.map(|due| due.saturating_sub(self.origin.elapsed())),
        };
        if wait.wait()? {
            match wait::read_stdin(buffer)? {
                0 => self.stdin_ended = true,
                n => self.typed.extend(&buffer[..n]),
            }
        }
        Ok(())
    }

    /// Shows the state on one line: in place on a terminal, else whenever it changes.
    fn show(&mut self) {
        let state = match &self.link {
            _ if self.ending.is_some() => "closing",
            Some(link) if link.is_open() => "open",
            Some(_) => "connecting",
            None => "waiting",
        };
        let is_terminal = io::stderr().is_terminal();
        if self.shown == state && !is_terminal {
            return;
        }
        self.shown = state;
        let mut line = format!(
            "{state}: {} to be acknowledged, {} acknowledged, {} dropped",
            self.queue.len(),
            self.queue.acknowledged,
            self.dropped
        );
        if let Some(time) = self.link.as_ref().and_then(Link::round_trip) {
            line += &format!(", round trip {time:.1?}");
        }
        if is_terminal {
            let _ = write!(io::stderr(), "\r\x1b[K{line}");
        } else {
            note(&line);
        }
    }
}

/// Whether a server that ended the connection so wants it back.
fn reconnect(end: &End) -> Reconnect {
    match end {
        End::Failed(_) => Reconnect::Soon,
        End::Refused(429 | 500..) => Reconnect::Later,
        End::Refused(_) => Reconnect::Never,
        End::Closed(code) => code.reconnect(),
        End::Violated(violation) => violation.close_code().reconnect(),
    }
}

/// A line on stderr.
fn note(line: &str) {
    clear();
    let _ = writeln!(io::stderr(), "{line}");
}

/// Makes way for a line where a terminal shows the state.
fn clear() {
    if io::stderr().is_terminal() {
        let _ = write!(io::stderr(), "\r\x1b[K");
    }
}

fn fail(code: u8, error: Box<dyn Error>) -> ExitCode {
    note(&format!("resilient_client: {error}"));
    ExitCode::from(code)
}
