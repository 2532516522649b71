//! An echo server on one thread, to look at: opened with a browser, the same port serves a page that
//! shows each frame as the codec saw it.
//!
//! ```text
//! cargo run --release --example echo_server -- [--addr 127.0.0.1:9001] [--ping-interval-s N] [--deflate] [--quiet]
//! ```
//!
//! `--help` tells all options. Ctrl-C ends it: every peer gets a Close frame, and a few seconds to answer it.
//!
//! Where to look, if you want to embed the crate in a readiness loop of your own: `peer.rs` is one connection, with
//! the receive loop in `peer/echo.rs`; `server.rs` is the event loop around it, with its timers; `http.rs` answers the
//! opening handshake; `pace.rs` slows down who sends too much; `tap.rs` stands beside a connection and splits its
//! bytes into frames; `sizes.rs` counts what compression does to messages.

#[path = "../common/deflate.rs"]
mod deflate;
mod http;
mod options;
mod pace;
mod peer;
mod server;
#[path = "../common/signals.rs"]
mod signals;
mod sizes;
mod tap;

use std::io::{self, Write};
use std::process::ExitCode;

use options::{Command, Options};
use server::{Ended, Server};

fn main() -> ExitCode {
    let done = match options::parse() {
        Ok(Command::Help) => io::stdout().write_all(options::HELP.as_bytes()),
        Ok(Command::Serve(options)) => serve(options),
        Err(error) => {
            let _ = writeln!(io::stderr(), "echo_server: {error} (--help says more)");
            return ExitCode::from(2);
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "echo_server: {error}");
            ExitCode::FAILURE
        }
    }
}

fn serve(options: Options) -> io::Result<()> {
    let mut server = Server::bind(options)?;
    let addr = server.local_addr()?;
    writeln!(
        io::stdout(),
        "ws-proto echo server: ws://{addr}/ (page: http://{addr}/)"
    )?;
    let Ended { connections, clean } = server.run()?;
    writeln!(io::stdout(), "closed {connections} connections, {clean} clean")
}
