//! A client that sends every message back until the connection is closed.
//!
//! ```text
//! cargo run --release --example echo_client -- ws://127.0.0.1:9001/ [--deflate]
//! ```
//!
//! It answers Pings and completes the closing handshake. With `--deflate` it offers permessage-deflate;
//! `--deflate='server_max_window_bits=10; client_max_window_bits'` has parameters of your choice. Exit code 0 after a
//! clean close; 1 otherwise, with one line on stderr that says why; 2 if the command line is wrong.

mod common;

use std::process::ExitCode;

use common::Client;

fn main() -> ExitCode {
    common::run("echo_client", |url, offer| {
        Client::connect(url, offer, None)?.echo()
    })
}
