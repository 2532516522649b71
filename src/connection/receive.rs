//! Bytes in, events out.

use super::message::{Fault, Piece};
use super::options::Options;
use super::whole::Short;
use super::{Connection, FrameKind, Limits, MessageKind, Phase, Side};
use crate::buffer::{Buffer, InboxSlot};
use crate::close::{Close, CloseCode};
use crate::cpu::Cpu;
use crate::cursor::{Cursor, Found, Place};
use crate::error::Violation;
use crate::frame::{Header, MAX_CONTROL_BYTES, Opcode, Part, Room, Rsv, Step};
use crate::inbox::Inbox;
use crate::input::Input;
use crate::outbox::{Frame, Outbox};

impl Connection {
    /// Looks for the next event: `true` if there is one, to be had by [`Input::event`]; `false` if all input is used
    /// up and more is needed, or none is wanted since the connection is closing.
    ///
    /// Pings and the peer's Close frame are answered into the outbox, unless the configuration says
    /// otherwise. After the peer's Close frame, and after a violation, input is discarded
    /// (RFC 6455 §1.4, §7.1.7). While only our own Close frame is out, messages go on coming.
    ///
    /// # Errors
    /// The peer's [`Violation`], once, at the octet that proves it: [`Input::consumed`] says which. The
    /// Close frame with its code is in the outbox then; nothing after it is looked at.
    // Always, for the short way: as a call it took a quarter more.
    #[inline(always)]
    pub fn receive<B: Buffer, I: InboxSlot>(
        &mut self,
        input: &mut Input<B, I>,
        outbox: &mut Outbox,
    ) -> Result<bool, Violation> {
        let (bytes, cursor, _) = input.parts();
        let short = self.take_short(bytes, cursor);
        if short == Short::Taken || self.receive_from(short == Short::Text, input, outbox) {
            return Ok(true);
        }
        let (_, cursor, _) = input.parts();
        match cursor.found {
            Found::Violation(violation) => Err(violation),
            _ => Ok(false),
        }
    }

    /// [`receive`](Self::receive) for what is not taken in passing. A function of its own that takes the input apart again: what is
    /// handed over for it stands in the way of messages that are.
    #[inline(never)]
    fn receive_from<B: Buffer, I: InboxSlot>(
        &mut self,
        short_text: bool,
        input: &mut Input<B, I>,
        outbox: &mut Outbox,
    ) -> bool {
        let (bytes, cursor, inbox) = input.parts();
        if short_text {
            self.receive_text(Cpu::known(), bytes, cursor, inbox, outbox)
        } else {
            self.advance(bytes, cursor, inbox, outbox)
        }
    }

    /// [`receive`](Self::receive) for what is not short.
    #[inline(never)]
    pub(super) fn advance(
        &mut self,
        bytes: &mut [u8],
        cursor: &mut Cursor,
        inbox: &mut Inbox,
        outbox: &mut Outbox,
    ) -> bool {
        if self.take_longer(bytes, cursor).is_some() {
            return true;
        }
        self.advance_on(bytes, cursor, inbox, outbox)
    }

    /// Goes on where the short way does not lead.
    #[inline(never)]
    fn advance_on(
        &mut self,
        bytes: &mut [u8],
        cursor: &mut Cursor,
        inbox: &mut Inbox,
        outbox: &mut Outbox,
    ) -> bool {
        inbox.settle();
        cursor.found = Found::Nothing;
        cursor.goes_on = false;
        if self.is_receiving() && cursor.gathered == 0 && self.is_used_up(cursor) {
            // As `find` would say: each read ends so.
            return false;
        }
        self.begin_longer(bytes, cursor, inbox);
        if let Err(fault) = self.find(bytes, cursor, inbox, outbox) {
            self.fail_at(fault, cursor, inbox, outbox);
            return false;
        }
        self.update_short_way();
        let extension_bits = self.extension_bits();
        if let Found::Binary(place) = cursor.found
            && !extension_bits.is_empty()
        {
            cursor.found = Found::Extended(place, self.receiving, extension_bits);
        }
        !matches!(cursor.found, Found::Nothing)
    }

    #[cold]
    fn fail_at(
        &mut self,
        (violation, offset): Fault,
        cursor: &mut Cursor,
        inbox: &mut Inbox,
        outbox: &mut Outbox,
    ) {
        cursor.found = Found::Violation(violation);
        cursor.start = offset;
        inbox.discard();
        self.fail(violation, outbox);
        self.update_short_way();
    }

    /// Puts the next event behind the cursor into it, if there is one.
    fn find(
        &mut self,
        bytes: &mut [u8],
        cursor: &mut Cursor,
        inbox: &mut Inbox,
        outbox: &mut Outbox,
    ) -> Result<(), Fault> {
        while matches!(cursor.found, Found::Nothing) {
            if !self.is_receiving() {
                cursor.discard();
                break;
            }
            if cursor.gathered > 0 {
                self.gathered_data(cursor, inbox)?;
                continue;
            }
            let start = cursor.start;
            if self.is_used_up(cursor) {
                break;
            }
            if self.decoder.is_in_payload() {
                let end = self.end_of_piece(cursor, inbox);
                let n = self.decoder.remaining().min((end - start) as u64);
                if n == 0 && self.decoder.remaining() > 0 {
                    break; // only for those who mix connections up
                }
                let (key, last) = self.decoder.split_payload(n);
                cursor.start = start + n as usize;
                let range = start..cursor.start;
                let piece = Piece { range, key, last };
                match self.frame {
                    #[cfg(feature = "deflate")]
                    FrameKind::Data { fin } if self.is_compressed() => {
                        self.compressed_data(bytes, piece, fin, cursor, inbox, outbox)?
                    }
                    FrameKind::Data { fin } => self.data(bytes, piece, fin, cursor, inbox)?,
                    control => self.control(control, bytes, piece, cursor, inbox, outbox)?,
                }
                continue;
            }
            // Looked at where it was returned: words of a copy would wait for octets that were just written.
            match &self.decoder.split_within(&bytes[start..cursor.stop], self.room()) {
                Ok(Step {
                    consumed,
                    part: Part::Header(header),
                }) => {
                    cursor.start = start + consumed;
                    self.receive_header(header, inbox)
                        .map_err(|violation| (violation, cursor.start))?;
                }
                Ok(step) => {
                    cursor.start = start + step.consumed;
                    break;
                }
                Err((violation, at)) => return Err((*violation, start + at)),
            }
        }
        Ok(())
    }

    /// Whether there are no bytes to look at, and nothing is due without any.
    fn is_used_up(&self, cursor: &Cursor) -> bool {
        cursor.start >= cursor.stop && !self.decoder.is_before_empty_payload()
    }

    /// Payload bytes that the next data frame may declare until its message is over the limit.
    pub(super) fn room(&self) -> Room {
        let most = self.max_message_bytes;
        let plain = most.saturating_sub(self.received);
        if !self.options.has(Options::DEFLATE) {
            return Room {
                plain,
                compressed: plain,
            };
        }
        // Data that does not compress takes more on the wire than by itself: with fixed codes up to 9 bits for 8
        // (RFC 1951 §3.2.6), and the ends of blocks.
        let compressed = most
            .saturating_add(most / 8)
            .saturating_add(64)
            .saturating_sub(self.received);
        let goes_on = self.decoder.is_in_message() && self.is_compressed();
        Room {
            plain: if goes_on { compressed } else { plain },
            compressed,
        }
    }

    /// Whether what the peer sends is looked at: until its Close frame, or until the connection was failed.
    #[inline]
    pub(super) const fn is_receiving(&self) -> bool {
        matches!(self.phase, Phase::Open | Phase::Local)
    }

    /// Whether the message being received is to be UTF-8. What another extension made of a text is not, until the embedder
    /// has undone that.
    #[inline]
    pub(super) fn receives_text(&self) -> bool {
        self.receiving == MessageKind::Text && self.extension_bits().is_empty()
    }

    /// Whether the message being received is compressed (RFC 7692 §6).
    pub(super) fn is_compressed(&self) -> bool {
        self.options.has(Options::DEFLATE) && self.message_bits.contains(Rsv::RSV1)
    }

    /// The reserved bits of the message being received that are not permessage-deflate's.
    pub(super) fn extension_bits(&self) -> Rsv {
        if self.options.has(Options::DEFLATE) {
            self.message_bits.without(Rsv::RSV1)
        } else {
            self.message_bits
        }
    }

    /// A header that the decoder let through: counts it.
    pub(super) fn receive_header(&mut self, header: &Header, inbox: &mut Inbox) -> Result<(), Violation> {
        self.count_frame(header.payload_len);
        if header.opcode.is_control() {
            inbox.drop_control();
            self.frame = match header.opcode {
                Opcode::PING => FrameKind::Ping,
                Opcode::PONG => FrameKind::Pong,
                _ => FrameKind::Close,
            };
            self.control_frames = self.control_frames.saturating_add(1);
            let too_many = self.max_control_frames < u16::MAX
                && self.control_frames > self.max_control_frames
                && header.opcode != Opcode::CLOSE;
            return if too_many {
                Err(Violation::TooManyControlFrames)
            } else {
                Ok(())
            };
        }
        self.frame = FrameKind::Data { fin: header.fin };
        if header.opcode != Opcode::CONTINUATION {
            let text = header.opcode == Opcode::TEXT;
            self.message_bits = header.rsv;
            self.receiving = if text {
                MessageKind::Text
            } else {
                MessageKind::Binary
            };
            self.fragments = 0;
            inbox.begin(self.receives_text());
        }
        let empty = header.payload_len == 0 && !header.fin;
        let weight = if empty { Limits::EMPTY_FRAGMENT } else { 1 };
        self.fragments = self.fragments.saturating_add(weight);
        if self.fragments > self.max_fragments {
            Err(Violation::TooManyFragments)
        } else {
            Ok(())
        }
    }

    /// Counts the bytes of a frame, by its header, so that the count does not depend on how the input is cut.
    #[inline]
    pub(super) fn count_frame(&mut self, payload_len: u64) {
        const { assert!(Limits::CONTROL_WINDOW_BYTES == 1 << 16) };
        let bytes = u16::try_from(payload_len.saturating_add(2));
        match bytes.map(|bytes| self.control_window.checked_add(bytes)) {
            Ok(Some(window)) => self.control_window = window,
            _ => (self.control_window, self.control_frames) = (0, 0),
        }
    }

    /// Payload data of a control frame, which may lie between the fragments of a message.
    fn control(
        &mut self,
        kind: FrameKind,
        bytes: &mut [u8],
        piece: Piece,
        cursor: &mut Cursor,
        inbox: &mut Inbox,
        outbox: &mut Outbox,
    ) -> Result<(), Fault> {
        let Piece { range, key, last } = piece;
        if !last || inbox.has_control() {
            inbox.extend_control(&bytes[range.clone()], key);
            if !last {
                return Ok(());
            }
            inbox.lend_control();
            return self
                .control_frame(kind, None, Place::INBOX, cursor, inbox, outbox)
                .map_err(|violation| (violation, range.end));
        }
        let (place, end) = (Place::buffer(range.clone()), range.end);
        let payload = &mut bytes[range];
        key.apply(payload);
        self.control_frame(kind, Some(payload), place, cursor, inbox, outbox)
            .map_err(|violation| (violation, end))
    }

    /// A whole control frame; its payload data is in the inbox if it is not given.
    fn control_frame(
        &mut self,
        kind: FrameKind,
        payload: Option<&[u8]>,
        place: Place,
        cursor: &mut Cursor,
        inbox: &mut Inbox,
        outbox: &mut Outbox,
    ) -> Result<(), Violation> {
        let mut gathered = [0; MAX_CONTROL_BYTES];
        let payload = match payload {
            Some(payload) => payload,
            None => inbox.copy_control(&mut gathered),
        };
        cursor.found = match kind {
            FrameKind::Ping => {
                // RFC 6455 §5.5.2: a Ping is answered unless a Close frame has been received.
                // Not inside a frame that is being sent: after it.
                let held = self.frame_left > 0;
                if self.options.has(Options::AUTOMATIC_PONG)
                    && outbox.push_pong(payload, self.masks(), held).is_err()
                {
                    self.give_up(outbox);
                }
                Found::Ping(place)
            }
            FrameKind::Close => {
                let close = Close::parse(payload)?;
                inbox.keep_reason(close.map_or("", |close| close.reason));
                self.receive_close(close, outbox);
                Found::Close(close.map(|close| close.code))
            }
            _ => Found::Pong(place),
        };
        Ok(())
    }

    /// The peer's Close frame, valid: the second of the closing handshake, or the first, to be answered.
    fn receive_close(&mut self, close: Option<Close<'_>>, outbox: &mut Outbox) {
        outbox.forget_next_pong();
        outbox.end_receiving();
        self.code = close.map_or(CloseCode::NO_STATUS, |close| close.code);
        self.closed_first.get_or_insert(Side::Remote);
        if self.phase == Phase::Local {
            self.enter(Phase::Done);
            return;
        }
        self.enter(Phase::Remote);
        // A frame that is being sent comes to its end first.
        if self.options.has(Options::AUTOMATIC_CLOSE) && self.frame_left == 0 {
            self.answer_close(outbox);
        }
    }

    /// Answers the peer's Close frame. RFC 6455 §5.5.1: the answer "typically echos the status code it received"; no reason.
    pub(super) fn answer_close(&mut self, outbox: &mut Outbox) {
        let code = self.code.get().to_be_bytes();
        let payload = if self.code == CloseCode::NO_STATUS {
            &[]
        } else {
            &code[..]
        };
        self.push_close(payload, Phase::Done, outbox);
    }

    /// Fails the connection (RFC 6455 §7.1.7), with a Close frame if none is out, and if one can be sent: inside of a
    /// frame it cannot.
    fn fail(&mut self, violation: Violation, outbox: &mut Outbox) {
        outbox.forget_next_pong();
        outbox.end_receiving();
        self.closed_first.get_or_insert(Side::Local);
        if self.phase == Phase::Open && self.frame_left == 0 {
            self.push_close(&violation.close_code().get().to_be_bytes(), Phase::Failed, outbox);
        }
        self.give_up(outbox);
    }

    /// Queues a Close frame that is owed and goes on to `phase`.
    fn push_close(&mut self, payload: &[u8], phase: Phase, outbox: &mut Outbox) {
        let frame = Frame {
            fin: true,
            rsv: Rsv::NONE,
            opcode: Opcode::CLOSE,
            payload,
            masked: self.masks(),
        };
        match outbox.push_close(frame) {
            Ok(()) => {
                outbox.end_sending();
                self.enter(phase);
            }
            Err(_) => self.give_up(outbox),
        }
    }

    /// Sends nothing more and looks at nothing more: failed, or a reply is owed that the outbox cannot mask.
    fn give_up(&mut self, outbox: &mut Outbox) {
        outbox.forget_contexts();
        self.closed_first.get_or_insert(Side::Local);
        self.frame_left = 0;
        self.enter(Phase::Failed);
    }
}
