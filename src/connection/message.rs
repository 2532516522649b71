//! The payload data of messages: lent whole from where it lies, gathered in the inbox, or lent in pieces.

use core::ops::Range;

use super::{Connection, FrameKind};
use crate::error::Violation;
use crate::inbox::Inbox;
use crate::input::{Cursor, Found, Place};
use crate::mask::MaskingKey;
use crate::utf8::{InvalidUtf8, Validator};

/// What stands in the way of going on: a violation, at this offset in the bytes given.
pub(super) type Fault = (Violation, usize);

/// Octets of a compressed message that are looked at for a piece of it.
const COMPRESSED_OCTETS: usize = 16 << 10;

/// Payload data that has come, at a place in the bytes given.
pub(super) struct Piece {
    pub(super) range: Range<usize>,
    pub(super) key: Option<MaskingKey>,
    /// Whether the frame ends with it.
    pub(super) last: bool,
}

impl Connection {
    /// Payload data of a text, binary or continuation frame.
    pub(super) fn data(
        &mut self,
        bytes: &mut [u8],
        piece: Piece,
        fin: bool,
        cursor: &mut Cursor,
        inbox: &mut Inbox,
    ) -> Result<Found, Fault> {
        let Piece { range, key, last } = piece;
        let text = self.receives_text();
        let ends = last && fin;
        let whole = ends && self.received == 0;
        self.received = if ends {
            0
        } else {
            self.received + range.len() as u64
        };
        if whole {
            let payload = &mut bytes[range.clone()];
            unmask_whole(text, key, payload).map_err(|at| (Violation::InvalidUtf8, range.start + at))?;
            return Ok(Found::message(text, Place::buffer(range)));
        }
        if self.lends_pieces() && inbox.message_len() == 0 {
            let found = lend_piece(text, ends, bytes, range, key, inbox)?;
            cursor.goes_on = !ends && !matches!(found, Found::Nothing);
            return Ok(found);
        }
        // A character at most, if messages are lent in pieces.
        let declared = if self.lends_pieces() {
            0
        } else {
            self.decoder.remaining()
        };
        inbox
            .extend(&bytes[range.clone()], key, declared)
            .map_err(|error| (Violation::InvalidUtf8, range.start + error.offset + 1))?;
        if ends && !inbox.may_end() {
            return Err((Violation::InvalidUtf8, range.end));
        }
        // In pieces, the inbox keeps the beginning of a character: see `end_of_piece`.
        let piece_ends = self.lends_pieces() && inbox.may_end();
        if !ends && !piece_ends {
            return Ok(Found::Nothing);
        }
        cursor.goes_on = !ends;
        inbox.lend_message();
        Ok(Found::message(text, Place::INBOX))
    }

    /// Where the bytes end that are looked at next, if messages are lent in pieces. If a character of a text was cut by the
    /// last one: behind the rest of it. Of a compressed message: near enough that masking again what gives later pieces costs
    /// little.
    pub(super) fn end_of_piece(&self, cursor: &Cursor, inbox: &Inbox) -> usize {
        let end = cursor.stop();
        let in_data = self.decoder.remaining() > 0 && matches!(self.frame, FrameKind::Data { .. });
        if !self.lends_pieces() || !in_data {
            return end;
        }
        let most = match inbox.message_len() {
            _ if self.is_compressed() => COMPRESSED_OCTETS,
            0 => return end,
            _ => inbox.missing_octets(),
        };
        end.min(cursor.start + most)
    }
}

/// Unmasks a piece of a message where it is. The beginning of a character at its end goes to the inbox.
fn lend_piece(
    text: bool,
    ends: bool,
    bytes: &mut [u8],
    mut range: Range<usize>,
    key: Option<MaskingKey>,
    inbox: &mut Inbox,
) -> Result<Found, Fault> {
    let payload = &mut bytes[range.clone()];
    let key = key.unwrap_or_default(); // zero changes nothing
    if text {
        let cut = inbox
            .unmask_around(key, payload)
            .map_err(|error| (Violation::InvalidUtf8, range.start + error.offset + 1))?;
        if ends && cut > 0 {
            return Err((Violation::InvalidUtf8, range.end));
        }
        range.end -= cut;
    } else {
        key.apply(payload);
    }
    if range.is_empty() && !ends {
        return Ok(Found::Nothing);
    }
    Ok(Found::message(text, Place::buffer(range)))
}

/// Unmasks a message that lies whole in the bytes given, where it is. If it is to be text and is not: how many of its
/// octets prove that.
#[inline]
pub(super) fn unmask_whole(text: bool, key: Option<MaskingKey>, payload: &mut [u8]) -> Result<(), usize> {
    let key = key.unwrap_or_default(); // zero changes nothing
    if !text {
        key.apply(payload);
        return Ok(());
    }
    let mut validator = Validator::new();
    let validated = validator.unmask(key, payload);
    outcome(validated, &validator, payload)
}

/// Validates a text that is whole. If it is none: how many of its octets prove that.
pub(super) fn check_whole(text: &[u8]) -> Result<(), usize> {
    let mut validator = Validator::new();
    let validated = validator.feed(text);
    outcome(validated, &validator, text)
}

fn outcome(validated: Result<(), InvalidUtf8>, validator: &Validator, text: &[u8]) -> Result<(), usize> {
    validated.map_err(|error| error.offset + 1)?;
    if validator.is_complete() {
        Ok(())
    } else {
        Err(text.len())
    }
}
