//! An echo server on one of the peers, on one thread: `echo PEER`. It says where it listens, on loopback only, and ends
//! with its standard input.

mod over_hyper;
mod over_mio;
mod over_tokio;

use std::error::Error;
use std::io::{self, Read};
use std::net::TcpListener;
use std::thread;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// More than the longest message, for peers whose limits are below by default.
const LIMIT_BYTES: usize = 16 << 20;

fn main() -> Result<()> {
    let peer = std::env::args().nth(1).ok_or("which peer?")?;
    let listener = TcpListener::bind("127.0.0.1:0")?;
    listener.set_nonblocking(true)?;
    println!("ws://{}/", listener.local_addr()?);
    thread::spawn(|| {
        let _ = io::stdin().read_to_end(&mut Vec::new());
        std::process::exit(0);
    });
    if peer == "tungstenite" {
        return over_mio::serve(listener);
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::from_std(listener)?;
        let tasks = tokio::task::LocalSet::new();
        tasks.run_until(over_tokio::serve(&peer, listener)).await
    })
}
