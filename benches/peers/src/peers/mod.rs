//! The contenders, one file each: how its users would do each job with it.

mod fastwebsockets;
mod reference;
mod sockudo_ws;
mod soketto;
mod tokio_websockets;
mod tungstenite;
mod web_socket;
mod websocket_sans_io;
mod ws_proto;
mod wtx;
mod yawc;

use crate::contender::{Contender, Entry, Idle, Seen};
use crate::workloads::Job;

/// Bytes after which a contender that keeps what is to be sent gives it to the transport. Others decide themselves.
pub const FLUSH_BYTES: usize = 16 << 10;

/// Larger than all messages, for those whose limits are below by default.
const LIMIT_BYTES: usize = 16 << 20;

pub const US: &str = "ws-proto";
pub const OWN_LOOP: &str = "ws-proto own loop";
pub const DECODER: &str = "ws-proto decoder";
pub const IDEAL: &str = "ideal";
pub const NOT_ALONE: &str = "has no such function of its own";
const NO_PIECES: &str = "shows whole messages only";
const PIECES_UNCHECKED: &str = "does not validate text that it shows in pieces";
const FRAMES_ONLY: &str = "splits frames only: no messages, and so no text";
const NO_DEFLATE: &str = "has no permessage-deflate";
const HYPER: &str = "reads no head of a request: hyper does, or an HTTP server";

type Enter = fn(&Job) -> Entry;

pub const ALL: [(&str, Enter); 17] = [
    ("copy", crate::ideal::copy),
    (IDEAL, crate::ideal::ideal),
    (US, ws_proto::enter),
    (OWN_LOOP, ws_proto::enter_own_loop),
    (DECODER, ws_proto::enter_decoder),
    ("tungstenite", tungstenite::enter),
    ("tokio-websockets", tokio_websockets::enter),
    ("fastwebsockets", fastwebsockets::enter),
    ("soketto", soketto::enter),
    ("web-socket", web_socket::enter),
    ("yawc", yawc::enter),
    ("sockudo-ws protocol", sockudo_ws::enter),
    ("sockudo-ws stream", sockudo_ws::enter_stream),
    ("websocket-sans-io", websocket_sans_io::enter),
    ("wtx", wtx::enter),
    ("simdutf8", reference::simdutf8),
    ("XOR then simdutf8", reference::xor_simdutf8),
];

/// Whether this is a bound, a function alone, or this crate called otherwise or in part, and not a WebSocket crate.
pub fn is_reference(name: &str) -> bool {
    matches!(
        name,
        "copy" | IDEAL | OWN_LOOP | DECODER | "simdutf8" | "XOR then simdutf8"
    )
}

/// Whether this puts messages together and validates text by itself.
pub fn is_complete(name: &str) -> bool {
    !matches!(name, "soketto" | "web-socket" | "websocket-sans-io")
}

/// What does not come in a trait of its own: a round as a closure.
struct Peer<F> {
    run: F,
    inline: usize,
    shared: usize,
}

impl<F: FnMut(&mut Seen<'_>)> Contender for Peer<F> {
    fn run(&mut self, seen: &mut Seen<'_>) {
        (self.run)(seen);
    }

    fn idle(&self) -> Option<Idle> {
        (self.inline > 0).then_some(Idle {
            inline: self.inline,
            shared: self.shared,
        })
    }
}

/// No connection.
fn rounds(run: impl FnMut(&mut Seen<'_>) + 'static) -> Entry {
    connection(0, 0, run)
}

/// A connection of `inline` bytes without its transport, that shares so many bytes on the heap with others.
fn connection(inline: usize, shared: usize, run: impl FnMut(&mut Seen<'_>) + 'static) -> Entry {
    Ok(Box::new(Peer { run, inline, shared }))
}
