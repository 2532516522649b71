//! The WebSocket protocol (RFC 6455) as pure state machines: bytes in, events and bytes out.
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

/// Which endpoint of a connection this is. A run-time value: one program may be both.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// Opened the connection. Its frames are masked (RFC 6455 §5.1).
    Client,
    /// Accepted the connection. Its frames are not masked.
    Server,
}
