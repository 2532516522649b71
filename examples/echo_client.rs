//! A client that sends every message back until the connection is closed.
//!
//! ```text
//! cargo run --release --example echo_client -- ws://127.0.0.1:9001/
//! ```
//!
//! It answers Pings and completes the closing handshake. Exit code 0 after a clean close; 1 otherwise, with
//! one line on stderr that says why; 2 if the command line is wrong.

mod common;

use std::process::ExitCode;

use common::Client;

fn main() -> ExitCode {
    common::run("echo_client", |url| Client::connect(url, None)?.echo())
}
