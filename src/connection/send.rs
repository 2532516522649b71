//! Messages and control frames out.

use super::options::Options;
use super::way_out::WayOut;
use super::{Connection, MessageKind, Phase, Side};
use crate::close::Close;
use crate::error::SendError;
use crate::frame::{MAX_CONTROL_BYTES, Opcode, Rsv};
use crate::outbox::{Frame, Outbox};
use crate::utf8::Validator;

/// On an error nothing is queued, and the connection is as it was.
impl Connection {
    /// Sends a text message in one frame (RFC 6455 §5.6).
    ///
    /// # Errors
    /// [`SendError::Closed`], [`SendError::Full`], [`SendError::MessageUnfinished`], [`SendError::NoMaskingKeys`]; and where
    /// messages are compressed [`SendError::Compressor`].
    #[inline]
    pub fn send_text(&mut self, text: &str, outbox: &mut Outbox) -> Result<(), SendError> {
        self.send_message(MessageKind::Text, text.as_bytes(), outbox)
    }

    /// Sends a binary message in one frame (RFC 6455 §5.6).
    ///
    /// # Errors
    /// As [`send_text`](Self::send_text).
    #[inline]
    pub fn send_binary(&mut self, data: &[u8], outbox: &mut Outbox) -> Result<(), SendError> {
        self.send_message(MessageKind::Binary, data, outbox)
    }

    /// Begins a message that is sent in fragments, and sends the first one (RFC 6455 §5.4). Control frames may be sent
    /// between them; another message may not. Text may be cut anywhere, inside a character too.
    ///
    /// ```
    /// use ws_proto::{Config, Connection, MessageKind, Outbox, Role};
    ///
    /// let mut connection = Connection::new(Role::Server, &Config::default());
    /// let mut outbox = Outbox::new();
    /// connection.begin_message(MessageKind::Text, b"Hel", &mut outbox)?;
    /// connection.finish_message(b"lo", &mut outbox)?;
    /// assert_eq!(outbox.bytes(), b"\x01\x03Hel\x80\x02lo");
    /// # Ok::<(), ws_proto::SendError>(())
    /// ```
    ///
    /// # Errors
    /// As [`send_text`](Self::send_text), and [`SendError::InvalidUtf8`].
    pub fn begin_message(
        &mut self,
        kind: MessageKind,
        payload: &[u8],
        outbox: &mut Outbox,
    ) -> Result<(), SendError> {
        self.may_begin(outbox)?;
        let before = self.options;
        let compresses = before.has(Options::COMPRESSES);
        self.options = before.with(Options::SENDING_COMPRESSED, compresses);
        self.send_fragment(kind, kind.opcode(), Validator::new(), payload, false, outbox)
            .inspect_err(|_| self.options = before)
    }

    /// Sends a fragment that is neither the first nor the last.
    ///
    /// # Errors
    /// [`SendError::NoMessage`] if none was begun; else as [`begin_message`](Self::begin_message).
    pub fn continue_message(&mut self, payload: &[u8], outbox: &mut Outbox) -> Result<(), SendError> {
        let kind = self.may_continue(outbox)?;
        self.send_fragment(
            kind,
            Opcode::CONTINUATION,
            self.sending_utf8,
            payload,
            false,
            outbox,
        )
    }

    /// Sends the last fragment of the message that was begun.
    ///
    /// # Errors
    /// As [`continue_message`](Self::continue_message); [`SendError::InvalidUtf8`] too if text ends inside a character.
    pub fn finish_message(&mut self, payload: &[u8], outbox: &mut Outbox) -> Result<(), SendError> {
        let kind = self.may_continue(outbox)?;
        self.send_fragment(
            kind,
            Opcode::CONTINUATION,
            self.sending_utf8,
            payload,
            true,
            outbox,
        )
    }

    /// Sends a Ping with at most 125 bytes (RFC 6455 §5.5.2).
    ///
    /// # Errors
    /// [`SendError::ControlFrameTooLong`], [`SendError::Closed`] once a Close frame was received,
    /// [`SendError::MessageUnfinished`] inside a frame, [`SendError::Full`], [`SendError::NoMaskingKeys`].
    pub fn ping(&mut self, payload: &[u8], outbox: &mut Outbox) -> Result<(), SendError> {
        self.send_control(Opcode::PING, payload, outbox)
    }

    /// Sends a Pong with at most 125 bytes: unasked, or where automatic Pongs are off (RFC 6455 §5.5.3).
    ///
    /// # Errors
    /// As [`ping`](Self::ping).
    pub fn pong(&mut self, payload: &[u8], outbox: &mut Outbox) -> Result<(), SendError> {
        self.send_control(Opcode::PONG, payload, outbox)
    }

    /// Begins the closing handshake, or answers the peer's Close frame where that is manual: sends a
    /// Close frame with code and reason, or with an empty body for `None` (RFC 6455 §7.1.2).
    ///
    /// What was sent before goes out before it; a fragmented message that is unfinished is aborted.
    /// It fits into a full outbox. Once our Close frame is out, or the connection has ended, it does nothing.
    ///
    /// ```
    /// use ws_proto::{Close, CloseCode, Config, Connection, Outbox, Role, SendError};
    ///
    /// let mut connection = Connection::new(Role::Server, &Config::default());
    /// let mut outbox = Outbox::new();
    /// connection.close(Close::new(CloseCode::NORMAL, "bye"), &mut outbox)?;
    /// assert_eq!(outbox.bytes(), b"\x88\x05\x03\xe8bye");
    /// assert_eq!(connection.send_text("more", &mut outbox), Err(SendError::Closed));
    /// # Ok::<(), SendError>(())
    /// ```
    ///
    /// # Errors
    /// [`SendError::InvalidCloseCode`], [`SendError::ReasonTooLong`], [`SendError::NoMaskingKeys`];
    /// [`SendError::MessageUnfinished`] inside a frame that [`begin_frame`](Self::begin_frame) began.
    pub fn close<'a>(
        &mut self,
        close: impl Into<Option<Close<'a>>>,
        outbox: &mut Outbox,
    ) -> Result<(), SendError> {
        let mut buffer = [0; MAX_CONTROL_BYTES];
        let len = match close.into() {
            Some(close) => close.encode(self.role(), &mut buffer)?,
            None => 0,
        };
        let next = match self.phase {
            Phase::Open => Phase::Local,
            Phase::Remote => Phase::Done,
            _ => return Ok(()),
        };
        if self.frame_left > 0 {
            return Err(SendError::MessageUnfinished);
        }
        self.queue_close(&buffer[..len], next, outbox)?;
        self.closed_first.get_or_insert(Side::Local);
        Ok(())
    }

    /// Sends a message in one frame with reserved bits of an extension that the embedder does itself: `payload` is what
    /// that made of the message. It is not compressed, and text with such bits is not checked.
    ///
    /// # Errors
    /// As [`send_text`](Self::send_text), [`SendError::InvalidUtf8`] of a text without bits, and [`SendError::ReservedBits`] if these are not all among
    /// [`Config::reserved_bits`](crate::Config::reserved_bits).
    pub fn send_extended(
        &mut self,
        kind: MessageKind,
        bits: Rsv,
        payload: &[u8],
        outbox: &mut Outbox,
    ) -> Result<(), SendError> {
        self.may_begin(outbox)?;
        if !self.without_deflate(self.decoder.message_bits()).contains(bits) {
            return Err(SendError::ReservedBits);
        }
        if bits.is_empty() {
            kind.check(&mut Validator::new(), payload, true)?;
        }
        outbox.push(Frame {
            rsv: bits,
            ..self.frame_of(kind.opcode(), payload)
        })
    }

    /// Sends any message.
    #[inline(never)]
    pub(super) fn send_any(
        &mut self,
        kind: MessageKind,
        payload: &[u8],
        outbox: &mut Outbox,
    ) -> Result<(), SendError> {
        self.may_begin(outbox)?;
        if self.way_out == WayOut::Long {
            self.open_short_way_out();
        } else if outbox.draw_keys() {
            // That was all that the short way lacked, or the rest of it ends here again.
            return self.send_message(kind, payload, outbox);
        }
        #[cfg(feature = "deflate")]
        if self.compresses(payload.len(), outbox) {
            return self.push_compressed(self.frame_of(kind.opcode(), payload), true, outbox);
        }
        outbox.push(self.frame_of(kind.opcode(), payload))
    }

    fn send_fragment(
        &mut self,
        kind: MessageKind,
        opcode: Opcode,
        mut validator: Validator,
        payload: &[u8],
        fin: bool,
        outbox: &mut Outbox,
    ) -> Result<(), SendError> {
        kind.check(&mut validator, payload, fin)?;
        let frame = Frame {
            fin,
            ..self.frame_of(opcode, payload)
        };
        self.push_fragment(frame, outbox)?;
        self.set_sending(if fin { None } else { Some(kind) });
        self.sending_utf8 = validator;
        Ok(())
    }

    fn push_fragment(&mut self, frame: Frame<'_>, outbox: &mut Outbox) -> Result<(), SendError> {
        #[cfg(feature = "deflate")]
        if self.options.has(Options::SENDING_COMPRESSED) {
            return self.push_compressed(frame, false, outbox);
        }
        outbox.push(frame)
    }

    fn send_control(&mut self, opcode: Opcode, payload: &[u8], outbox: &mut Outbox) -> Result<(), SendError> {
        if payload.len() > MAX_CONTROL_BYTES {
            return Err(SendError::ControlFrameTooLong);
        }
        if !matches!(self.phase, Phase::Open | Phase::Local) {
            return Err(SendError::Closed);
        }
        if self.frame_left > 0 {
            return Err(SendError::MessageUnfinished);
        }
        if outbox.is_full() {
            return Err(SendError::Full);
        }
        outbox.push(self.frame_of(opcode, payload))
    }

    /// Whether a new message may be sent now (RFC 6455 §5.4, §6.1).
    #[inline]
    pub(super) fn may_begin(&self, outbox: &Outbox) -> Result<(), SendError> {
        if self.phase != Phase::Open {
            Err(SendError::Closed)
        } else if self.sending.is_some() {
            Err(SendError::MessageUnfinished)
        } else if outbox.is_full() {
            Err(SendError::Full)
        } else {
            Ok(())
        }
    }

    /// [`may_begin`](Self::may_begin) for what does not mask.
    pub(super) fn may_begin_unmasked(&self, outbox: &Outbox) -> Result<(), SendError> {
        self.may_begin(outbox)?;
        if self.masks() {
            Err(SendError::MustMask)
        } else {
            Ok(())
        }
    }

    /// Whether a fragment of the message that was begun may be sent now.
    fn may_continue(&self, outbox: &Outbox) -> Result<MessageKind, SendError> {
        let kind = self.unfinished()?;
        if self.frame_left > 0 {
            Err(SendError::MessageUnfinished)
        } else if outbox.is_full() {
            Err(SendError::Full)
        } else {
            Ok(kind)
        }
    }

    /// The message being sent, if it may go on: also while the answer to a Close frame waits for it (RFC 6455 §5.5.1).
    pub(super) fn unfinished(&self) -> Result<MessageKind, SendError> {
        match (self.phase, self.sending) {
            (Phase::Open | Phase::Remote, Some(kind)) => Ok(kind),
            (Phase::Open, None) => Err(SendError::NoMessage),
            _ => Err(SendError::Closed),
        }
    }

    /// A frame with FIN, masked by our role.
    #[inline]
    pub(super) fn frame_of<'a>(&self, opcode: Opcode, payload: &'a [u8]) -> Frame<'a> {
        Frame {
            fin: true,
            rsv: Rsv::NONE,
            opcode,
            payload,
            masked: self.masks(),
        }
    }
}

impl MessageKind {
    #[inline]
    pub(super) const fn opcode(self) -> Opcode {
        Opcode::new(self as u8)
    }

    /// Checks the next bytes of a message to send, the last ones if it `ends`.
    pub(super) fn check(
        self,
        validator: &mut Validator,
        payload: &[u8],
        ends: bool,
    ) -> Result<(), SendError> {
        let valid = match self {
            Self::Text => validator.feed(payload).is_ok() && (!ends || validator.is_complete()),
            Self::Binary => true,
        };
        if valid {
            Ok(())
        } else {
            Err(SendError::InvalidUtf8)
        }
    }
}
