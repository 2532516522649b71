//! Bytes in, events out.

use super::message::{Fault, Piece};
use super::options::Options;
use super::whole::Short;
use super::{Connection, FrameKind, Limits, MessageKind, Phase, wrapped};
use crate::buffer::{Buffer, InboxSlot};
use crate::cpu::Cpu;
use crate::cursor::{Cursor, Found};
use crate::error::Violation;
use crate::frame::{Header, Opcode, Part, Room, Rsv, Step};
use crate::inbox::Inbox;
use crate::input::Input;
use crate::outbox::Outbox;

impl Connection {
    /// Looks for the next event: `true` if there is one, to be had by [`Input::event`]; `false` if all input is used
    /// up and more is needed, or none is wanted since the connection is closing.
    ///
    /// Pings and the peer's Close frame are answered into the outbox, unless the configuration says
    /// otherwise. After the peer's Close frame, and after a violation, input is discarded
    /// (RFC 6455 §1.4, §7.1.7). While only our own Close frame is out, messages go on coming.
    ///
    /// # Errors
    /// The peer's [`Violation`], once, as soon as it is known: [`Input::consumed`] says where. The
    /// Close frame with its code is in the outbox then, unless one was sent before or none can be: inside a frame that
    /// [`begin_frame`](Self::begin_frame) began, and without masking keys. Nothing after it is looked at.
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
    // Not that it is rare: its callers have short messages go straight on, and jump to what leads here.
    #[cold]
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
        self.take_longer(bytes, cursor).is_some() || self.gather(bytes, cursor, inbox, outbox)
    }

    /// Goes on where the short way does not lead.
    #[cold]
    #[inline(never)]
    pub(super) fn advance_on(
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
    pub(super) fn fail_at(
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
            if self.is_used_up(cursor) {
                break;
            }
            let goes_on = if self.decoder.is_in_payload() {
                self.find_payload(bytes, cursor, inbox, outbox)?
            } else {
                self.find_header(bytes, cursor, inbox)?
            };
            if !goes_on {
                break;
            }
        }
        Ok(())
    }

    /// Takes the payload data behind the cursor; whether there was any.
    #[inline(always)]
    fn find_payload(
        &mut self,
        bytes: &mut [u8],
        cursor: &mut Cursor,
        inbox: &mut Inbox,
        outbox: &mut Outbox,
    ) -> Result<bool, Fault> {
        let start = cursor.start;
        let end = self.end_of_piece(cursor, inbox);
        let n = self.decoder.remaining().min((end - start) as u64);
        if n == 0 && self.decoder.remaining() > 0 {
            return Ok(false); // only for those who mix connections up
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
        Ok(true)
    }

    /// Takes the header behind the cursor; whether all of it was there.
    #[inline(always)]
    fn find_header(&mut self, bytes: &[u8], cursor: &mut Cursor, inbox: &mut Inbox) -> Result<bool, Fault> {
        let start = cursor.start;
        // Looked at where it was returned: words of a copy would wait for octets that were just written.
        match &self
            .decoder
            .split_header_within(&bytes[start..cursor.stop], self.room())
        {
            Ok(Step {
                consumed,
                part: Part::Header(header),
            }) => {
                cursor.start = start + consumed;
                self.receive_header(header, inbox)
                    .map_err(|violation| (violation, cursor.start))?;
                Ok(true)
            }
            Ok(step) => {
                cursor.start = start + step.consumed;
                Ok(false)
            }
            Err((violation, at)) => Err((*violation, start + at)),
        }
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
        let compressed = wrapped(most).saturating_sub(self.received);
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
        self.without_deflate(self.message_bits)
    }

    /// Those of these bits that are not permessage-deflate's.
    pub(super) fn without_deflate(&self, bits: Rsv) -> Rsv {
        if self.options.has(Options::DEFLATE) {
            bits.without(Rsv::RSV1)
        } else {
            bits
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
            let kind = if header.opcode == Opcode::TEXT {
                MessageKind::Text
            } else {
                MessageKind::Binary
            };
            self.receive_message(kind, header.rsv, inbox);
            self.fragments = 0;
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

    #[inline]
    pub(super) fn receive_message(&mut self, kind: MessageKind, bits: Rsv, inbox: &mut Inbox) {
        (self.receiving, self.message_bits) = (kind, bits);
        inbox.begin(self.receives_text());
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
}
