//! A message in one frame of known length, whose payload data is sent piece by piece.

use super::options::Options;
use super::{Connection, MessageKind, Phase};
use crate::error::SendError;
use crate::frame::Header;
use crate::outbox::Outbox;
use crate::utf8::Validator;

impl Connection {
    /// Begins a message in one frame of known length, whose payload data follows piece by piece by
    /// [`continue_frame`](Self::continue_frame). Until it is complete, nothing else can be sent; answers to Pings and to
    /// a Close frame wait for it, and a heartbeat is not sent: whether the peer still reads is told by what its transport takes.
    ///
    /// For servers. RFC 6455 §10.3 does not let a client begin a masked frame before it knows the payload data: it
    /// sends fragments, by [`begin_message`](Self::begin_message).
    ///
    /// ```
    /// use ws_proto::{Config, Connection, MessageKind, Outbox, Role, SendError};
    ///
    /// let mut connection = Connection::new(Role::Server, &Config::default());
    /// let mut outbox = Outbox::new();
    /// connection.begin_frame(MessageKind::Text, 5, &mut outbox)?;
    /// connection.continue_frame(b"Hel", &mut outbox)?;
    /// assert_eq!(connection.send_text("?", &mut outbox), Err(SendError::MessageUnfinished));
    /// connection.continue_frame(b"lo", &mut outbox)?;
    /// assert_eq!(outbox.bytes(), b"\x81\x05Hello");
    /// # Ok::<(), SendError>(())
    /// ```
    ///
    /// # Errors
    /// As [`send_text`](Self::send_text); [`SendError::MustMask`]; [`SendError::FrameTooLong`] from 2^63 bytes on.
    pub fn begin_frame(&mut self, kind: MessageKind, len: u64, outbox: &mut Outbox) -> Result<(), SendError> {
        self.may_begin_unmasked(outbox)?;
        if len > u64::MAX >> 1 {
            return Err(SendError::FrameTooLong);
        }
        outbox.check_room(Header::MAX_BYTES)?;
        outbox.append(&Header::new(kind.opcode(), len).encode());
        if len > 0 {
            outbox.hold_pong(true);
            self.frame_left = len;
            self.set_sending(Some(kind));
            self.sending_utf8 = Validator::new();
        }
        Ok(())
    }

    /// Sends the next payload data of the frame that was begun. Text may be cut anywhere. With the last byte
    /// the message is complete.
    ///
    /// # Errors
    /// [`SendError::NoMessage`] if no frame was begun, [`SendError::FrameTooLong`] if that is more than its length,
    /// [`SendError::InvalidUtf8`], [`SendError::Closed`], [`SendError::Full`]. The frame stays begun.
    pub fn continue_frame(&mut self, payload: &[u8], outbox: &mut Outbox) -> Result<(), SendError> {
        let kind = self.unfinished()?;
        let len = payload.len() as u64;
        if self.frame_left == 0 {
            return Err(SendError::NoMessage);
        }
        if len > self.frame_left {
            return Err(SendError::FrameTooLong);
        }
        if outbox.is_full() {
            return Err(SendError::Full);
        }
        let mut validator = self.sending_utf8;
        kind.check(&mut validator, payload, len == self.frame_left)?;
        outbox.check_room(payload.len())?;
        outbox.append(payload);
        self.sending_utf8 = validator;
        self.frame_left -= len;
        if self.frame_left == 0 {
            self.set_sending(None);
            outbox.hold_pong(false);
            if self.phase == Phase::Remote && self.options.has(Options::AUTOMATIC_CLOSE) {
                self.answer_close(outbox);
            }
        }
        Ok(())
    }
}
