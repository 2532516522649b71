//! Runs every case of an Autobahn fuzzing server, and asks it for its report.
//!
//! ```text
//! cargo run --release --example autobahn_client -- ws://127.0.0.1:9001/ [--deflate]
//! ```
//!
//! With `--deflate` it offers permessage-deflate, which the cases 12.* and 13.* are about. The server judges; the exit
//! code is 0 if all cases were run and 1 if the server could not be talked to, or not for each case.

mod common;

use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Duration;

use common::{Client, Result};
use ws_proto::Event;
use ws_proto::deflate::Parameters;
use ws_proto::handshake::Url;

/// The name that the report is filed under.
const AGENT: &str = "ws-proto";

/// How long a case may be silent.
const PATIENCE: Duration = Duration::from_secs(60);

fn main() -> ExitCode {
    common::run("autobahn_client", run_cases)
}

fn run_cases(server: &Url<'_>, offer: Option<Parameters>) -> Result<()> {
    let count = case_count(server)?;
    let mut out = io::stdout();
    let mut run = 0;
    for case in 1..=count {
        write!(out, "\rcase {case} of {count}")?;
        out.flush()?;
        let error = match connect(server, &format!("runCase?case={case}&agent={AGENT}"), offer) {
            Ok(mut client) => {
                run += 1;
                // Most cases break a rule, and end as errors should: that is for the server to judge.
                client.echo().err().filter(|error| error.is::<io::Error>())
            }
            Err(error) => Some(error),
        };
        if let Some(error) = error {
            writeln!(out, ": {error}")?;
        }
    }
    connect(server, &format!("updateReports?agent={AGENT}"), None)?.echo()?;
    writeln!(out, "\r{run} cases run, and reported as {AGENT}")?;
    if run < count {
        return Err(format!("{} of {count} cases were not run", count - run).into());
    }
    Ok(())
}

/// How many cases the server has: a text message says so.
fn case_count(server: &Url<'_>) -> Result<u32> {
    let mut client = connect(server, "getCaseCount", None)?;
    let mut count = None;
    while client.receive()? {
        if let Event::Text(text) = client.input.event() {
            count = text.parse().ok();
        }
    }
    count.ok_or_else(|| "the server did not say how many cases it has".into())
}

fn connect(server: &Url<'_>, resource: &str, offer: Option<Parameters>) -> Result<Client> {
    let url = format!("ws://{}/{resource}", server.authority());
    Client::connect(&Url::parse(&url)?, offer, Some(PATIENCE))
}
