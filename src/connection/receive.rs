//! Bytes in, events out.

use super::{Connection, FrameKind, MessageKind, Phase, Side};
use crate::close::{Close, CloseCode};
use crate::error::Violation;
use crate::frame::{Header, MAX_CONTROL_BYTES, Opcode, Part};
use crate::inbox::Inbox;
use crate::input::{Buffer, Cursor, Found, InboxSlot, Input, Place};
use crate::mask::MaskingKey;
use crate::outbox::{Frame, Outbox};
use crate::utf8::Validator;

/// What stands in the way of going on: a violation, at this offset in the bytes given.
type Fault = (Violation, usize);

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
    #[inline]
    pub fn receive<B: Buffer, I: InboxSlot>(
        &mut self,
        input: &mut Input<B, I>,
        outbox: &mut Outbox,
    ) -> Result<bool, Violation> {
        let (bytes, cursor, inbox) = input.parts();
        self.advance(bytes, cursor, inbox, outbox)
    }

    fn advance(
        &mut self,
        bytes: &mut [u8],
        cursor: &mut Cursor,
        inbox: &mut Inbox,
        outbox: &mut Outbox,
    ) -> Result<bool, Violation> {
        inbox.settle();
        let found = match self.find(bytes, cursor, inbox, outbox) {
            Ok(found) => found,
            Err((violation, offset)) => {
                cursor.found = Found::Nothing;
                cursor.start = offset;
                self.fail(violation, outbox);
                return Err(violation);
            }
        };
        cursor.found = found;
        Ok(!matches!(cursor.found, Found::Nothing))
    }

    /// The next event behind the cursor.
    fn find(
        &mut self,
        bytes: &mut [u8],
        cursor: &mut Cursor,
        inbox: &mut Inbox,
        outbox: &mut Outbox,
    ) -> Result<Found, Fault> {
        loop {
            if !matches!(self.phase, Phase::Open | Phase::Local) {
                cursor.start = cursor.end;
                return Ok(Found::Nothing);
            }
            let start = cursor.start;
            if let Some(short) = self
                .decoder
                .whole_short_message(&bytes[start..cursor.end], self.max_message_bytes)
            {
                let payload = start + short.payload.start..start + short.payload.end;
                self.control_frames = 0;
                cursor.start = payload.end;
                return whole_message(bytes, payload, short.key, short.text);
            }
            let room = self.max_message_bytes.saturating_sub(inbox.message_len() as u64);
            let step = self
                .decoder
                .split_within(&bytes[start..cursor.end], room)
                .map_err(|(violation, at)| (violation, start + at))?;
            cursor.start = start + step.consumed;
            let found = match step.part {
                Part::More => return Ok(Found::Nothing),
                Part::Header(header) => {
                    self.begin_frame(&header, inbox)
                        .map_err(|violation| (violation, cursor.start))?;
                    continue;
                }
                Part::Payload { range, key, last } => {
                    let piece = Piece {
                        range: start + range.start..start + range.end,
                        key,
                        last,
                    };
                    match self.frame {
                        FrameKind::Data { fin } => self.data(bytes, piece, fin, inbox)?,
                        control => self.control(control, bytes, piece, inbox, outbox)?,
                    }
                }
            };
            if !matches!(found, Found::Nothing) {
                return Ok(found);
            }
        }
    }

    /// A header that the decoder let through: counts it.
    fn begin_frame(&mut self, header: &Header, inbox: &mut Inbox) -> Result<(), Violation> {
        if header.opcode.is_control() {
            self.frame = match header.opcode {
                Opcode::PING => FrameKind::Ping,
                Opcode::PONG => FrameKind::Pong,
                _ => FrameKind::Close,
            };
            self.control_frames = self.control_frames.saturating_add(1);
            let too_many = self.control_frames > self.max_control_frames && header.opcode != Opcode::CLOSE;
            return if too_many {
                Err(Violation::TooManyControlFrames)
            } else {
                Ok(())
            };
        }
        self.frame = FrameKind::Data { fin: header.fin };
        self.control_frames = 0;
        if header.opcode != Opcode::CONTINUATION {
            let text = header.opcode == Opcode::TEXT;
            self.receiving = if text {
                MessageKind::Text
            } else {
                MessageKind::Binary
            };
            self.fragments = 0;
            inbox.begin(text);
        }
        self.fragments = self.fragments.saturating_add(1);
        if self.fragments > self.max_fragments {
            Err(Violation::TooManyFragments)
        } else {
            Ok(())
        }
    }

    /// Payload data of a text, binary or continuation frame.
    fn data(&mut self, bytes: &mut [u8], piece: Piece, fin: bool, inbox: &mut Inbox) -> Result<Found, Fault> {
        let Piece { range, key, last } = piece;
        let text = self.receiving == MessageKind::Text;
        let ends = last && fin;
        if ends && inbox.message_len() == 0 {
            return whole_message(bytes, range, key.unwrap_or_default(), text);
        }
        inbox
            .extend(&bytes[range.clone()], key, self.decoder.remaining())
            .map_err(|error| (Violation::InvalidUtf8, range.start + error.offset + 1))?;
        if !ends {
            return Ok(Found::Nothing);
        }
        if !inbox.may_end() {
            return Err((Violation::InvalidUtf8, range.end));
        }
        inbox.lend_message();
        Ok(if text {
            Found::Text(Place::Inbox)
        } else {
            Found::Binary(Place::Inbox)
        })
    }

    /// Payload data of a control frame, which may lie between the fragments of a message.
    fn control(
        &mut self,
        kind: FrameKind,
        bytes: &mut [u8],
        piece: Piece,
        inbox: &mut Inbox,
        outbox: &mut Outbox,
    ) -> Result<Found, Fault> {
        let Piece { range, key, last } = piece;
        if !last || inbox.has_control() {
            inbox.extend_control(&bytes[range.clone()], key);
            if !last {
                return Ok(Found::Nothing);
            }
            inbox.lend_control();
            return self
                .control_frame(kind, None, Place::Inbox, inbox, outbox)
                .map_err(|violation| (violation, range.end));
        }
        let (place, end) = (Place::Buffer(range.clone()), range.end);
        let payload = &mut bytes[range];
        key.unwrap_or_default().apply(payload);
        self.control_frame(kind, Some(payload), place, inbox, outbox)
            .map_err(|violation| (violation, end))
    }

    /// A whole control frame; its payload data is in the inbox if it is not given.
    fn control_frame(
        &mut self,
        kind: FrameKind,
        payload: Option<&[u8]>,
        place: Place,
        inbox: &mut Inbox,
        outbox: &mut Outbox,
    ) -> Result<Found, Violation> {
        let mut gathered = [0; MAX_CONTROL_BYTES];
        let payload = match payload {
            Some(payload) => payload,
            None => inbox.copy_control(&mut gathered),
        };
        match kind {
            FrameKind::Ping => {
                // RFC 6455 §5.5.2: a Ping is answered unless a Close frame has been received.
                if self.automatic_pong && outbox.push_pong(payload, self.masks()).is_err() {
                    self.give_up();
                }
                Ok(Found::Ping(place))
            }
            FrameKind::Close => {
                let close = Close::parse(payload)?;
                inbox.keep_reason(close.map_or("", |close| close.reason));
                self.receive_close(close, payload, outbox);
                Ok(Found::Close(close.map(|close| close.code)))
            }
            _ => Ok(Found::Pong(place)),
        }
    }

    /// The peer's Close frame, valid: the second of the closing handshake, or the first, to be answered.
    fn receive_close(&mut self, close: Option<Close<'_>>, payload: &[u8], outbox: &mut Outbox) {
        outbox.forget_next_pong();
        self.code = close.map_or(CloseCode::NO_STATUS, |close| close.code);
        self.closed_first.get_or_insert(Side::Remote);
        if self.phase == Phase::Local {
            self.phase = Phase::Done;
            return;
        }
        self.phase = Phase::Remote;
        if self.automatic_close {
            // RFC 6455 §5.5.1: the answer "typically echos the status code it received"; no reason.
            self.push_close(&payload[..payload.len().min(2)], Phase::Done, outbox);
        }
    }

    /// Fails the connection (RFC 6455 §7.1.7), with a Close frame if none is out.
    fn fail(&mut self, violation: Violation, outbox: &mut Outbox) {
        outbox.forget_next_pong();
        self.closed_first.get_or_insert(Side::Local);
        if self.phase == Phase::Open {
            self.push_close(&violation.close_code().get().to_be_bytes(), Phase::Failed, outbox);
        }
        self.give_up();
    }

    /// Queues a Close frame that is owed and goes on to `phase`.
    fn push_close(&mut self, payload: &[u8], phase: Phase, outbox: &mut Outbox) {
        let frame = Frame {
            fin: true,
            opcode: Opcode::CLOSE,
            payload,
            masked: self.masks(),
        };
        self.sending = None;
        match outbox.push_close(frame) {
            Ok(()) => self.phase = phase,
            Err(_) => self.give_up(),
        }
    }

    /// Sends nothing more and looks at nothing more: failed, or a reply is owed that the outbox cannot mask.
    fn give_up(&mut self) {
        self.closed_first.get_or_insert(Side::Local);
        self.sending = None;
        self.phase = Phase::Failed;
    }
}

/// Payload data that has come, at a place in the bytes given.
struct Piece {
    range: core::ops::Range<usize>,
    key: Option<MaskingKey>,
    /// Whether the frame ends with it.
    last: bool,
}

/// A message that lies whole in the bytes given: unmasked and validated in place.
#[inline]
fn whole_message(
    bytes: &mut [u8],
    range: core::ops::Range<usize>,
    key: MaskingKey,
    text: bool,
) -> Result<Found, Fault> {
    let payload = &mut bytes[range.clone()];
    if !text {
        key.apply(payload);
        return Ok(Found::Binary(Place::Buffer(range)));
    }
    let mut validator = Validator::new();
    validator
        .unmask(key, payload)
        .map_err(|error| (Violation::InvalidUtf8, range.start + error.offset + 1))?;
    if validator.is_complete() {
        Ok(Found::Text(Place::Buffer(range)))
    } else {
        Err((Violation::InvalidUtf8, range.end))
    }
}
