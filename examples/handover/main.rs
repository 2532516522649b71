//! An echo server that can be replaced while its connections stay: on SIGUSR2 it executes its program anew, which takes
//! the sockets over, and every connection with them, in the middle of a message or not.
//!
//! ```text
//! cargo run --release --example handover -- [127.0.0.1:9001]
//! kill -USR2 PID
//! ```
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

#[cfg(unix)]
fn run() -> io::Result<()> {
    server::Server::start()?.run()
}

#[cfg(not(unix))]
fn run() -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "handover: {error}");
            ExitCode::FAILURE
        }
    }
}
