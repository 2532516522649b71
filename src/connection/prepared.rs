//! A message that is encoded once and sent to many.

use alloc::vec::Vec;

use super::{Connection, MessageKind};
use crate::error::SendError;
use crate::frame::Header;
use crate::outbox::Outbox;

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

impl Connection {
    /// Sends a message that was encoded once for many connections: one copy of its bytes.
    ///
    /// # Errors
    /// As [`send_text`](Self::send_text), and [`SendError::MustMask`].
    pub fn send_prepared(&mut self, message: &Prepared, outbox: &mut Outbox) -> Result<(), SendError> {
        let frame = self.prepared(message, outbox)?;
        outbox.check_room(frame.len())?;
        outbox.append(frame);
        Ok(())
    }

    /// The bytes of a message that was encoded once, for an embedder who writes them itself, without a copy:
    /// behind all of [`Outbox::bytes`], and before what is sent later.
    ///
    /// # Errors
    /// As [`send_prepared`](Self::send_prepared).
    pub fn share_prepared<'m>(
        &mut self,
        message: &'m Prepared,
        outbox: &mut Outbox,
    ) -> Result<&'m [u8], SendError> {
        let frame = self.prepared(message, outbox)?;
        outbox.settle();
        Ok(frame)
    }

    /// The frame of a prepared message, if it may be sent now.
    fn prepared<'m>(&self, message: &'m Prepared, outbox: &Outbox) -> Result<&'m [u8], SendError> {
        self.may_begin(outbox)?;
        if self.masks() {
            Err(SendError::MustMask)
        } else {
            Ok(message.bytes())
        }
    }
}
