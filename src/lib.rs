//! The WebSocket protocol (RFC 6455) as pure state machines: bytes in, events and bytes out.
#![no_std]
#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(feature = "alloc")]
extern crate alloc;
#[cfg(feature = "std")]
extern crate std;

pub mod extension;
pub mod handshake;
#[cfg(feature = "alloc")]
mod outbox;

#[cfg(feature = "alloc")]
pub use outbox::Outbox;
