//! A message that is encoded once and sent to many.

use alloc::vec::Vec;

use super::MessageKind;
use crate::frame::Header;

/// A message encoded once, for any number of server connections: [`Connection::send_prepared`] copies its bytes,
/// [`Connection::share_prepared`] lends them. Frames of servers are all alike, since they are not masked
/// (RFC 6455 §5.1); a client cannot send one.
///
/// ```
/// use ws_proto::{Config, Connection, Outbox, Prepared, Role};
///
/// let message = Prepared::text("Hello");
/// for _ in 0..3 {
///     let mut connection = Connection::new(Role::Server, &Config::default());
///     let mut outbox = Outbox::new();
///     connection.send_prepared(&message, &mut outbox)?;
///     assert_eq!(outbox.bytes(), b"\x81\x05Hello");
/// }
/// # Ok::<(), ws_proto::SendError>(())
/// ```
///
/// [`Connection::send_prepared`]: crate::Connection::send_prepared
/// [`Connection::share_prepared`]: crate::Connection::share_prepared
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prepared {
    /// The frame of those that negotiated no extension. Other variants will stand beside it.
    plain: Vec<u8>,
}

impl Prepared {
    /// A text message.
    pub fn text(text: &str) -> Self {
        Self::new(MessageKind::Text, text.as_bytes())
    }

    /// A binary message.
    pub fn binary(data: &[u8]) -> Self {
        Self::new(MessageKind::Binary, data)
    }

    /// The frame, header included.
    pub fn bytes(&self) -> &[u8] {
        &self.plain
    }

    fn new(kind: MessageKind, payload: &[u8]) -> Self {
        let header = Header::new(kind.opcode(), payload.len() as u64).encode();
        Self {
            plain: [&header, payload].concat(),
        }
    }
}
