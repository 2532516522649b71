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
//! A readiness loop shares one read buffer between all connections; nothing is kept for an idle one:
//!
//! ```
//! # use std::io::{self, Read, Write};
//! use ws_proto::{Connection, Event, Inbox, Input, Outbox};
//!
//! fn on_readable(
//!     socket: &mut (impl Read + Write),
//!     buffer: &mut [u8],
//!     connection: &mut Connection,
//!     inbox: &mut Inbox,
//!     outbox: &mut Outbox,
//! ) -> Result<(), Box<dyn std::error::Error>> {
//!     let n = socket.read(buffer)?;
//!     let mut input = Input::new(&mut buffer[..n], inbox);
//!     while connection.receive(&mut input, outbox)? {
//!         match input.event() {
//!             Event::Text(text) => connection.send_text(text, outbox)?,
//!             Event::Binary(data) => connection.send_binary(data, outbox)?,
//!             Event::Close(_) | Event::Ping(_) | Event::Pong(_) => {} // answered already
//!         }
//!     }
//!     let written = socket.write(outbox.bytes())?;
//!     outbox.consume(written);
//!     Ok(())
//! }
//! # use ws_proto::{Config, Role};
//! # struct Socket(&'static [u8], Vec<u8>);
//! # impl Read for Socket { fn read(&mut self, b: &mut [u8]) -> io::Result<usize> { self.0.read(b) } }
//! # impl Write for Socket {
//! #     fn write(&mut self, b: &[u8]) -> io::Result<usize> { self.1.write(b) }
//! #     fn flush(&mut self) -> io::Result<()> { Ok(()) }
//! # }
//! # let mut socket = Socket(b"\x81\x81\0\0\0\0a\x82\x81\0\0\0\0b", Vec::new());
//! # let mut connection = Connection::new(Role::Server, &Config::default());
//! # on_readable(&mut socket, &mut [0; 64], &mut connection, &mut Inbox::new(), &mut Outbox::new()).unwrap();
//! # assert_eq!(socket.1, b"\x81\x01a\x82\x01b");
//! ```
//!
//! A runtime that keeps its bytes lets the `Input` own buffer and inbox; an async `next` may lend:
//!
//! ```
//! use ws_proto::{Connection, Event, Input, Outbox};
//!
//! struct WebSocket<S> {
//!     socket: S,
//!     connection: Connection,
//!     input: Input<Vec<u8>>,
//!     outbox: Outbox,
//! }
//! # trait Socket {
//! #     async fn read(&mut self, space: &mut [u8]) -> std::io::Result<usize>;
//! #     async fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize>;
//! # }
//! # type Error = Box<dyn std::error::Error>;
//!
//! impl<S: Socket> WebSocket<S> {
//!     async fn next(&mut self) -> Result<Event<'_>, Error> {
//!         while !self.connection.receive(&mut self.input, &mut self.outbox)? {
//!             self.flush().await?;
//!             self.fill().await?;
//!         }
//!         Ok(self.input.event())
//!     }
//!
//!     async fn fill(&mut self) -> Result<(), Error> {
//!         let n = self.socket.read(self.input.space()).await?;
//!         self.input.filled(n);
//!         if n > 0 { Ok(()) } else { Err("end of stream".into()) }
//!     }
//!
//!     async fn flush(&mut self) -> Result<(), Error> {
//!         while !self.outbox.is_empty() {
//!             let n = self.socket.write(self.outbox.bytes()).await?;
//!             self.outbox.consume(n);
//!         }
//!         Ok(())
//!     }
//! }
//! # use ws_proto::{Config, Inbox, Role};
//! # use std::{future::Future, pin::pin, task::{Context, Poll, Waker}};
//! # struct Loopback(&'static [u8]);
//! # impl Socket for Loopback {
//! #     async fn read(&mut self, space: &mut [u8]) -> std::io::Result<usize> { std::io::Read::read(&mut self.0, space) }
//! #     async fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> { Ok(bytes.len()) }
//! # }
//! # let mut socket = WebSocket {
//! #     socket: Loopback(b"\x81\x05Hello"),
//! #     connection: Connection::new(Role::Client, &Config::default()),
//! #     input: Input::with_space(vec![0; 4], Inbox::new()),
//! #     outbox: Outbox::client([7; 32]),
//! # };
//! # let Poll::Ready(event) = pin!(socket.next()).poll(&mut Context::from_waker(Waker::noop())) else { panic!() };
//! # assert_eq!(event.unwrap(), Event::Text("Hello"));
//! ```
//!
//! An owner of reference-counted memory asks where the event lies and splits the message off without a copy:
//!
//! ```
//! use bytes::{Bytes, BytesMut};
//! use ws_proto::{Connection, Event, Inbox, Input, Outbox, Violation};
//!
//! /// The next binary message of `received`; the bytes of what is returned, and of what was skipped, are gone from it.
//! fn next_binary(
//!     received: &mut BytesMut,
//!     connection: &mut Connection,
//!     inbox: &mut Inbox,
//!     outbox: &mut Outbox,
//! ) -> Result<Option<Bytes>, Violation> {
//!     let mut input = Input::new(&mut received[..], inbox);
//!     while connection.receive(&mut input, outbox)? {
//!         let Event::Binary(data) = input.event() else { continue };
//!         let range = input.event_range();
//!         let gathered = if range.is_none() { Bytes::copy_from_slice(data) } else { Bytes::new() };
//!         let consumed = input.consumed();
//!         let used = received.split_to(consumed).freeze();
//!         return Ok(Some(range.map_or(gathered, |range| used.slice(range))));
//!     }
//!     received.clear();
//!     Ok(None)
//! }
//! # use ws_proto::{Config, Role};
//! # let mut received = BytesMut::from(&b"\x82\x03abc\x81\x01x\x82\x02de\x82"[..]);
//! # let mut connection = Connection::new(Role::Client, &Config::default());
//! # let (mut inbox, mut outbox) = (Inbox::new(), Outbox::client([7; 32]));
//! # let mut next = || next_binary(&mut received, &mut connection, &mut inbox, &mut outbox).unwrap();
//! # assert_eq!((next().as_deref(), next().as_deref(), next()), (Some(&b"abc"[..]), Some(&b"de"[..]), None));
//! ```
//!
//! When `receive` fails, the Close frame that tells the peer why is in the outbox: write it, then do what
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
//! | [`Connection`] | messages, control frames, closing handshake, limits | `alloc` |
//!
//! # Features
//!
//! Features only add. Without any, the crate is `no_std` and needs no allocator.
//! - `alloc`: all that keeps bytes.
//! - `std` (default): the instruction set chosen at run time, and [`Outbox::client_from_os`].
#![no_std]
#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(feature = "alloc")]
extern crate alloc;
#[cfg(all(test, not(feature = "alloc")))]
extern crate alloc;
#[cfg(any(feature = "std", test))]
extern crate std;

mod close;
#[cfg(feature = "alloc")]
mod connection;
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
mod syntax;
pub mod utf8;

pub use close::{Close, CloseCode};
#[cfg(feature = "alloc")]
pub use connection::{Config, Connection, Limits, MessageKind, Side, State, Status, Transport};
pub use error::{SendError, Violation};
#[cfg(feature = "alloc")]
pub use inbox::Inbox;
#[cfg(feature = "alloc")]
pub use input::{Buffer, Event, InboxSlot, Input};
#[cfg(feature = "alloc")]
pub use outbox::Outbox;
#[cfg(feature = "std")]
pub use outbox::RandomError;

/// The examples of the README and of the guide are doc tests.
#[cfg(all(doctest, feature = "std"))]
#[doc = include_str!("../README.md")]
#[doc = include_str!("../docs/embedding.md")]
struct Guides;

/// Which endpoint of a connection this is. A run-time value: one program may be both.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// Opened the connection. Its frames are masked (RFC 6455 §5.1).
    Client,
    /// Accepted the connection. Its frames are not masked.
    Server,
}
