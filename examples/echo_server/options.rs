//! The command line.

use std::net::{SocketAddr, ToSocketAddrs};

use lexopt::{Arg, Parser, ValueExt};

/// What `--help` prints.
pub(crate) const HELP: &str = "\
A WebSocket echo server, and a page that shows the frames.

Usage: echo_server [options]

  --addr HOST:PORT       where to listen; port 0 takes a free one [127.0.0.1:9001]
  --max-message-bytes N  longest message taken; a longer one is refused with 1009 [16777216]
  --quiet                no line on stderr for each connection
  --help                 this text
";

/// Larger messages than this would not fit the outbox, whose limit is 32 bits wide.
const MOST_MESSAGE_BYTES: u32 = 1 << 30;

/// What the command line asks for.
pub(crate) enum Command {
    Help,
    Serve(Options),
}

/// How to serve.
pub(crate) struct Options {
    pub(crate) addr: SocketAddr,
    pub(crate) max_message_bytes: u32,
    pub(crate) quiet: bool,
}

/// Reads the command line.
pub(crate) fn parse() -> Result<Command, lexopt::Error> {
    let mut addr = String::from("127.0.0.1:9001");
    let mut max_message_bytes = 16 << 20;
    let mut quiet = false;
    let mut parser = Parser::from_env();
    while let Some(arg) = parser.next()? {
        match arg {
            Arg::Long("addr") => addr = parser.value()?.string()?,
            Arg::Long("max-message-bytes") => max_message_bytes = parser.value()?.parse()?,
            Arg::Long("quiet") => quiet = true,
            Arg::Long("help") | Arg::Short('h') => return Ok(Command::Help),
            other => return Err(other.unexpected()),
        }
    }
    if max_message_bytes > MOST_MESSAGE_BYTES {
        return Err(format!("--max-message-bytes is at most {MOST_MESSAGE_BYTES}").into());
    }
    Ok(Command::Serve(Options {
        addr: resolve(&addr)?,
        max_message_bytes,
        quiet,
    }))
}

fn resolve(addr: &str) -> Result<SocketAddr, lexopt::Error> {
    let mut found = addr
        .to_socket_addrs()
        .map_err(|error| format!("--addr {addr}: {error}"))?;
    found
        .next()
        .ok_or_else(|| format!("--addr {addr}: no such address").into())
}
