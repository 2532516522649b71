//! The opening handshake (RFC 6455 §4), both roles, over HTTP/1.1 bytes or over fields alone.
//!
//! ```text
//! server   Server::receive ── RequestHead ── upgrade ── Request ── accept ──────────── 101, open
//!             │                  └ plain HTTP: Response    │           └ reject: Response ── refused
//!             └─ RequestError ───────── refuse ────────────┘
//!
//! client   Client::start ── Client::receive ── Answer::Open
//!                                │       └──── Answer::Refused, an HTTP response to look at
//!                                └─ ResponseError: close the transport
//! ```
//!
//! Bytes behind a head are never consumed: they are the peer's first frames. No Close frame is sent from here, since the
//! connection is not established yet (RFC 6455 §7.2.2).
//!
//! Without the feature `alloc` there are the parts that need no bytes kept: [`Url`], [`Key`], [`RequestHead`] made of
//! fields, and [`Offer`] for the response.

#[cfg(feature = "alloc")]
mod answer;
#[cfg(feature = "alloc")]
mod client;
mod error;
mod fields;
#[cfg(feature = "alloc")]
mod head;
mod key;
mod known;
#[cfg(feature = "alloc")]
mod outgoing;
mod request;
mod response;
#[cfg(feature = "alloc")]
mod server;
mod url;

#[cfg(feature = "alloc")]
pub use answer::{Accept, Response};
#[cfg(feature = "alloc")]
pub use client::{Answer, Client, ClientRequest, Reply};
#[cfg(feature = "alloc")]
pub use error::{AnswerError, StartError};
pub use error::{RequestError, ResponseError};
pub use fields::{Field, Fields, FieldsIter};
#[cfg(feature = "alloc")]
pub use head::HeadLimits;
pub use key::{AcceptValue, Key};
pub use known::MAX_SUBPROTOCOLS;
#[cfg(feature = "alloc")]
pub use outgoing::FieldError;
pub use request::{Request, RequestHead};
pub use response::{Offer, Opened, ResponseHead};
#[cfg(feature = "alloc")]
pub use server::{Received, Server};
pub use url::{ResourceName, Url, UrlAuthority, UrlError};
