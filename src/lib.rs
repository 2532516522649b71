//! The WebSocket protocol (RFC 6455) as pure state machines: bytes in, events and bytes out.
//!
//! No sockets, no clock, no threads, no randomness of its own: whoever owns a transport embeds it, be that an event
//! loop, an async runtime, a proxy, a binding for another language, or a TCP stack on a microcontroller.
//!
//! # An established connection
//!
//! is three plain values that the embedder owns: a [`Connection`] (all protocol state), an [`Inbox`] (bytes of a
//! message that is not complete yet) and an [`Outbox`] (bytes waiting to be written). While there are bytes to
//! look at, an [`Input`] holds them together with the event found last. Finding an event and lending it are two
//! steps, so that replying to what is lent just compiles, without a copy.
//!
//! Three shapes of the receive loop, each complete, are with [`Input`].
//!
//! When `receive` fails, the Close frame that tells the peer why is in the outbox, if one can be sent: write it, then do what
//! [`Connection::transport`] says.
//!
//! # Layers, each usable alone
//!
//! | module | what it does | needs |
//! | --- | --- | --- |
//! | [`frame`] | header codec; a decoder that splits any chunks into frames | – |
//! | [`mask`] | masks and unmasks payload data | – |
//! | [`utf8`] | validates text that comes in pieces | – |
//! | [`handshake`] | the opening handshake over header fields; over HTTP/1.1 bytes | –; `alloc` |
//! | [`extension`] | the list of extensions in a header field | – |
//! | [`deflate`] | permessage-deflate: its negotiation; compressed messages | –; `deflate` |
//! | [`Connection`] | messages, control frames, closing handshake, limits | `alloc` |
//! | [`Deadlines`] | opening, heartbeat, idle and closing timeouts, on the embedder's clock | `alloc` |
//! | [`Backoff`] | when to try to connect again | `alloc` |
//! | [`RateLimit`] | messages and bytes per second | – |
//!
//! # Features
//!
//! Features only add. Without any, the crate is `no_std` and needs no allocator.
//! - `alloc`: all that keeps bytes.
//! - `deflate` (default): compressed messages. It needs `std`, since `zlib-rs` does.
//! - `std` (default): the instruction set chosen at run time, and [`Outbox::client_from_os`].
#![no_std]
#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(feature = "alloc")]
extern crate alloc;
#[cfg(all(test, not(feature = "alloc")))]
extern crate alloc;
#[cfg(any(feature = "std", test))]
extern crate std;

#[cfg(feature = "alloc")]
mod backoff;
#[cfg(feature = "alloc")]
mod buffer;
#[cfg(feature = "alloc")]
mod bytes;
mod close;
#[cfg(feature = "alloc")]
mod connection;
mod cpu;
#[cfg(feature = "alloc")]
mod cursor;
#[cfg(feature = "alloc")]
mod deadlines;
pub mod deflate;
mod error;
pub mod extension;
pub mod frame;
pub mod handshake;
#[cfg(feature = "alloc")]
mod inbox;
#[cfg(feature = "alloc")]
mod input;
#[cfg(feature = "alloc")]
mod keys;
pub mod mask;
#[cfg(feature = "alloc")]
mod outbox;
mod rate;
#[cfg(feature = "alloc")]
mod store;
mod syntax;
pub mod utf8;

#[cfg(feature = "alloc")]
pub use backoff::{Backoff, Delays};
#[cfg(feature = "alloc")]
pub use buffer::{Buffer, InboxSlot};
pub use close::{Close, CloseCode, Reconnect};
#[cfg(feature = "alloc")]
pub use connection::{
    Config, Connection, HandoverError, Limits, MessageKind, Prepared, Side, State, Status, Transport,
};
#[cfg(feature = "alloc")]
pub use deadlines::{Deadlines, Timeout, Timing};
pub use error::{SendError, Violation};
#[cfg(feature = "alloc")]
pub use inbox::Inbox;
#[cfg(feature = "alloc")]
pub use input::{Event, Input};
#[cfg(feature = "alloc")]
pub use outbox::Outbox;
#[cfg(feature = "std")]
pub use outbox::RandomError;
pub use rate::{RateLimit, Rates};

/// The examples of the README and of the guide are doc tests.
#[cfg(all(doctest, feature = "std"))]
#[doc = include_str!("../README.md")]
#[doc = include_str!("../docs/embedding.md")]
struct Guides;

// A connection may go from thread to thread, and so may a compressor.
#[cfg(feature = "alloc")]
const _: () = {
    const fn crosses_threads<T: Send + Sync>() {}
    crosses_threads::<(
        Connection,
        Input<alloc::vec::Vec<u8>>,
        Outbox,
        Deadlines,
        Prepared,
    )>();
    crosses_threads::<(handshake::Server, handshake::Client)>();
    #[cfg(feature = "deflate")]
    crosses_threads::<deflate::Pool>();
};

/// Which endpoint of a connection this is. A run-time value: one program may be both.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// Opened the connection. Its frames are masked (RFC 6455 §5.1).
    Client,
    /// Accepted the connection. Its frames are not masked.
    Server,
}
