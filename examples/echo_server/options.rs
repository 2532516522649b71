//! The command line.

use std::net::{SocketAddr, ToSocketAddrs};
use std::time::Duration;

use lexopt::{Arg, Parser, ValueExt};
use ws_proto::Timing;
use ws_proto::deflate::Parameters;

use crate::deflate;

/// What `--help` prints.
pub(crate) const HELP: &str = "\
A WebSocket echo server, and a page that shows the frames.

Usage: echo_server [options]

  --addr HOST:PORT       where to listen; port 0 takes a free one [127.0.0.1:9001]
  --max-message-bytes N  longest message taken; a longer one is refused with 1009 [16777216]
  --ping-interval-s N    a Ping after N seconds of silence, the end after N more; 0: none [20]
  --idle-timeout-s N     Close 1001 after N seconds without a message; 0: never [0]
  --max-connections N    most WebSocket connections; one more is answered 503 [no limit]
  --rate N               messages per second that are read from a connection; 0: any number [0]
  --deflate[=PARAMETERS] compress messages (permessage-deflate), for clients that offer it; each connection keeps the
                         contexts of its own, some 470 KB at most. PARAMETERS limit both sides, written as in an
                         answer: 'server_max_window_bits=10; client_max_window_bits=10'
  --deflate-no-context   the same with an empty window for each message, on both sides: all connections share what
                         compresses, and an idle one has no heap memory
  --quiet                no line on stderr for each connection
  --help                 this text

SIGINT and SIGTERM end it: Close 1001 to all, and a few seconds for their answers. A second one ends it at once.
";

/// Larger messages than this would not fit the outbox, whose limit is 32 bits wide.
const MOST_MESSAGE_BYTES: u32 = 1 << 30;

/// How long a peer may take for the end, once that has begun.
const CLOSING: Duration = Duration::from_secs(5);

/// Neither side takes a context over.
const NO_CONTEXT: Parameters = Parameters {
    server_no_context_takeover: true,
    client_no_context_takeover: true,
    server_max_window_bits: None,
    client_max_window_bits: None,
};

/// What the command line asks for.
pub(crate) enum Command {
    Help,
    Serve(Options),
}

/// How to serve.
pub(crate) struct Options {
    pub(crate) addr: SocketAddr,
    pub(crate) max_message_bytes: u32,
    pub(crate) max_connections: usize,
    /// Messages per second; 0: any number.
    pub(crate) rate: u32,
    pub(crate) timing: Timing,
    /// What permessage-deflate is to be like; `None`: it is not negotiated.
    pub(crate) deflate: Option<Parameters>,
    pub(crate) quiet: bool,
}

/// Reads the command line.
pub(crate) fn parse() -> Result<Command, lexopt::Error> {
    let mut addr = String::from("127.0.0.1:9001");
    let mut options = Options {
        addr: ([127, 0, 0, 1], 0).into(),
        max_message_bytes: 16 << 20,
        max_connections: usize::MAX,
        rate: 0,
        timing: Timing::default(),
        deflate: None,
        quiet: false,
    };
    options.timing.close = CLOSING;
    let mut parser = Parser::from_env();
    while let Some(arg) = parser.next()? {
        match arg {
            Arg::Long("addr") => addr = parser.value()?.string()?,
            Arg::Long("max-message-bytes") => options.max_message_bytes = parser.value()?.parse()?,
            Arg::Long("ping-interval-s") => {
                options.timing.ping_after = seconds(&mut parser)?;
                options.timing.pong_within = options.timing.ping_after.unwrap_or_default();
            }
            Arg::Long("idle-timeout-s") => options.timing.idle = seconds(&mut parser)?,
            Arg::Long("max-connections") => options.max_connections = parser.value()?.parse()?,
            Arg::Long("rate") => options.rate = parser.value()?.parse()?,
            Arg::Long("deflate") => {
                options.deflate = Some(deflate::parameters(&mut parser, Parameters::default())?);
            }
            Arg::Long("deflate-no-context") => options.deflate = Some(NO_CONTEXT),
            Arg::Long("quiet") => options.quiet = true,
            Arg::Long("help") | Arg::Short('h') => return Ok(Command::Help),
            other => return Err(other.unexpected()),
        }
    }
    if options.max_message_bytes > MOST_MESSAGE_BYTES {
        return Err(format!("--max-message-bytes is at most {MOST_MESSAGE_BYTES}").into());
    }
    options.addr = resolve(&addr)?;
    Ok(Command::Serve(options))
}

/// A number of seconds; `None` for 0.
fn seconds(parser: &mut Parser) -> Result<Option<Duration>, lexopt::Error> {
    let seconds: u64 = parser.value()?.parse()?;
    Ok((seconds > 0).then(|| Duration::from_secs(seconds)))
}

fn resolve(addr: &str) -> Result<SocketAddr, lexopt::Error> {
    let mut found = addr
        .to_socket_addrs()
        .map_err(|error| format!("--addr {addr}: {error}"))?;
    found
        .next()
        .ok_or_else(|| format!("--addr {addr}: no such address").into())
}
