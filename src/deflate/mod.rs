//! permessage-deflate: compressed messages (RFC 7692).
//!
//! It is off. To turn it on, negotiate it by [`Parameters`], and put what was agreed into `Config::deflate`:
//!
//! ```
//! # #[cfg(feature = "deflate")] {
//! use ws_proto::deflate::{Parameters, Pool};
//! use ws_proto::{Config, Connection, Event, Inbox, Input, Outbox, Role};
//!
//! let mut config = Config::default();
//! // On a server what `Request::deflate` gave, on a client what `Opened::deflate` did.
//! config.deflate = Some(Parameters { server_no_context_takeover: true, ..Parameters::default() });
//! let pool = Pool::default(); // one for each thread, say
//!
//! let mut server = Connection::new(Role::Server, &config);
//! let mut outbox = Outbox::new();
//! outbox.set_pool(pool.clone());
//! let text = "all work and no play ".repeat(50);
//! server.send_text(&text, &mut outbox)?;
//! assert!(outbox.len() < 50);
//!
//! let mut client = Connection::new(Role::Client, &config);
//! let (mut inbox, mut replies) = (Inbox::new(), Outbox::client([7; 16]));
//! let mut input = Input::new(outbox.bytes().to_vec(), &mut inbox);
//! assert!(client.receive(&mut input, &mut replies)?);
//! assert_eq!(input.event(), Event::Text(&text));
//! # }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! From there on messages are compressed as they are sent, if they have 64 bytes or more (`Settings::min_bytes`), and
//! inflated as they come, whole, in fragments or [in pieces](crate::Config::pieces). `Connection::set_compression` turns
//! sending off and on for each message. Frames of [known length](crate::Connection::begin_frame) and those whose payload
//! the embedder [writes itself](crate::Connection::send_header) go out as they are.
//!
//! # Secrets
//!
//! Whoever can choose a part of a message and see its length on the wire learns what else is in it: the message is shorter
//! where its parts agree (CRIME, BREACH; RFC 7692 §8). Encryption does not hide that. If a context is taken over, it is so
//! for everything in the last 32 KiB, whatever message that was in. Do not compress messages that hold a secret together with
//! something that others chose: turn compression off for them, and do not let contexts be taken over.
//!
//! # Memory
//!
//! | own context | the peer's | window | `mem_level` | bytes of heap of an idle connection, at most |
//! | --- | --- | --- | --- | --- |
//! | kept | kept | 15 bits | 8 | 470,000 |
//! | kept | kept | 9 bits | 1 | 220,000 |
//! | kept | – | 15 bits | 8 | 390,000 |
//! | kept | – | 12 bits | 5 | 170,000 |
//! | kept | – | 9 bits | 1 | 140,000 |
//! | – | kept | any | any | 83,000; 50,000 and what was inflated, up to 32 KiB |
//! | – | – | any | any | 0, with a `Pool` or released |
//!
//! An endpoint keeps the context of its compressor if its own messages take it over, and that of its decompressor
//! if the peer's do: the parameters `server_no_context_takeover` and `client_no_context_takeover` avoid one or the other. A server
//! can insist on both. Connections that take over no context borrow what they need from a `Pool` for each message.
//!
//! # What a peer can do
//!
//! A message is inflated step by step, and each step is held against `max_message_bytes` and `max_inflate_ratio`, so that a
//! few bytes that inflate to gigabytes cost no more than the limit. Data that is invalid, or that the four octets which its sender
//! dropped do not bring to the end of a block, fails the connection with 1007, and nothing of its message is delivered (but for
//! pieces that were lent before).
//!
//! The decompressor always keeps 32 KiB: a peer that agreed to a smaller window and does not keep to it is understood
//! all the same.

#[cfg(feature = "deflate")]
mod deflater;
#[cfg(feature = "deflate")]
mod inflater;
mod negotiation;
#[cfg(feature = "deflate")]
mod pool;
mod text;

#[cfg(feature = "deflate")]
pub(crate) use deflater::{Deflater, Shape};
#[cfg(feature = "deflate")]
pub(crate) use inflater::{Inflater, Step};
#[cfg(feature = "deflate")]
pub(crate) use negotiation::MIN_COMPRESSOR_BITS;
pub use negotiation::{NAME, NegotiationError, Parameters};
#[cfg(feature = "deflate")]
pub use pool::{Pool, Settings};
pub use text::ExtensionText;
