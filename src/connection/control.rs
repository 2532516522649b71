//! Control frames that come in, what answers them, and failing the connection.

use super::message::{Fault, Piece};
use super::options::Options;
use super::{Connection, FrameKind, Phase, Side};
use crate::close::{Close, CloseCode};
use crate::cursor::{Cursor, Found, Place};
use crate::error::{SendError, Violation};
use crate::frame::{MAX_CONTROL_BYTES, Opcode};
use crate::inbox::Inbox;
use crate::outbox::Outbox;

impl Connection {
    /// Payload data of a control frame, which may lie between the fragments of a message.
    pub(super) fn control(
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
        let mut gathered;
        let payload = match payload {
            Some(payload) => payload,
            None => {
                gathered = [0; MAX_CONTROL_BYTES];
                inbox.copy_control(&mut gathered)
            }
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
    pub(super) fn fail(&mut self, violation: Violation, outbox: &mut Outbox) {
        self.closed_first.get_or_insert(Side::Local);
        if self.phase == Phase::Open && self.frame_left == 0 {
            self.push_close(&violation.close_code().get().to_be_bytes(), Phase::Failed, outbox);
        }
        self.give_up(outbox);
    }

    /// Queues a Close frame that is owed and goes on to `phase`.
    fn push_close(&mut self, payload: &[u8], phase: Phase, outbox: &mut Outbox) {
        if self.queue_close(payload, phase, outbox).is_err() {
            self.give_up(outbox);
        }
    }

    /// Queues a Close frame, behind which nothing is sent, and goes on to `phase`.
    pub(super) fn queue_close(
        &mut self,
        payload: &[u8],
        phase: Phase,
        outbox: &mut Outbox,
    ) -> Result<(), SendError> {
        outbox.push_close(self.frame_of(Opcode::CLOSE, payload))?;
        outbox.end_sending();
        self.enter(phase);
        Ok(())
    }

    /// Sends nothing more and looks at nothing more: failed, or a reply is owed that the outbox cannot mask.
    fn give_up(&mut self, outbox: &mut Outbox) {
        outbox.forget_contexts();
        self.closed_first.get_or_insert(Side::Local);
        self.frame_left = 0;
        self.enter(Phase::Failed);
    }
}
