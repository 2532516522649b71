//! An echo server that can be replaced while its connections stay: on SIGUSR2 it executes its program anew, which takes
//! the sockets over, and every connection with them, in the middle of a message or not.
//!
//! ```text
//! cargo run --release --example handover -- [127.0.0.1:9001]
//! kill -USR2 PID
//! ```
//!
//! The next signal may follow once it says that it took over: one that comes before ends the process, as it does any that is not
//! prepared for it.
//!
//! `peer.rs` is one connection and its state as bytes; `server.rs` is the event loop, and what happens on the signal.
//! There are no timers here: see `echo_server`.

#[cfg(unix)]
mod peer;
#[cfg(unix)]
mod server;
#[cfg(unix)]
#[path = "../common/signals.rs"]
mod signals;

use std::io::{self, Write};
use std::process::ExitCode;

use lexopt::{Arg, ValueExt};

const HELP: &str = "\
Usage: handover [HOST:PORT]

Echoes what comes to HOST:PORT [127.0.0.1:9001], port 0 takes a free one. On SIGUSR2 it executes its program anew, which goes on
with all connections.
";

#[cfg(unix)]
fn run(addr: &str) -> io::Result<()> {
    server::Server::start(addr)?.run()
}

#[cfg(not(unix))]
fn run(_: &str) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

fn main() -> ExitCode {
    match parse() {
        Ok(None) => {
            let _ = io::stdout().write_all(HELP.as_bytes());
            ExitCode::SUCCESS
        }
        Ok(Some(addr)) => match run(&addr) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => fail(1, &error),
        },
        Err(error) => fail(2, &error),
    }
}

fn fail(code: u8, error: &dyn std::error::Error) -> ExitCode {
    let _ = writeln!(io::stderr(), "handover: {error}");
    ExitCode::from(code)
}

/// Where to listen; `None` to print the help.
fn parse() -> Result<Option<String>, lexopt::Error> {
    let mut addr = None;
    let mut parser = lexopt::Parser::from_env();
    while let Some(arg) = parser.next()? {
        match arg {
            Arg::Value(value) if addr.is_none() => addr = Some(value.string()?),
            Arg::Long("help") => return Ok(None),
            other => return Err(other.unexpected()),
        }
    }
    Ok(Some(addr.unwrap_or_else(|| "127.0.0.1:9001".into())))
}
