//! The payload data of messages: lent whole from where it lies, gathered in the inbox, or lent in pieces.

use core::mem;
use core::ops::Range;

use super::{Connection, FrameKind};
use crate::cursor::{Cursor, Found, Place};
use crate::error::Violation;
use crate::inbox::Inbox;
use crate::mask::{CACHED_BYTES, MaskingKey};
use crate::utf8::Validator;

/// What stands in the way of going on: a violation, at this offset in the bytes given.
pub(super) type Fault = (Violation, usize);

/// Octets of a compressed message that are looked at for a piece of it.
const COMPRESSED_OCTETS: usize = 16 << 10;

/// Payload data that has come, at a place in the bytes given.
pub(super) struct Piece {
    pub(super) range: Range<usize>,
    /// Zero if the frame is not masked.
    pub(super) key: MaskingKey,
    /// Whether the frame ends with it.
    pub(super) last: bool,
}

impl Connection {
    /// Payload data of a text, binary or continuation frame.
    // Always, in `gather` as well: both look at the same state before.
    #[inline(always)]
    pub(super) fn data(
        &mut self,
        bytes: &mut [u8],
        piece: Piece,
        fin: bool,
        cursor: &mut Cursor,
        inbox: &mut Inbox,
    ) -> Result<(), Fault> {
        let Piece { range, key, last } = piece;
        let text = self.receives_text();
        let ends = last && fin;
        let whole = ends && self.received == 0;
        self.count_data(range.len() as u64, ends);
        if whole {
            let payload = &mut bytes[range.clone()];
            unmask_whole(text, key, payload).map_err(|at| (Violation::InvalidUtf8, range.start + at))?;
            cursor.found = Found::message(text, Place::buffer(range));
            return Ok(());
        }
        if self.lends_pieces() && inbox.message_len() == 0 {
            return lend_piece(text, ends, bytes, range, key, cursor, inbox);
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
        if ends || piece_ends {
            lend_gathered(text, ends, cursor, inbox);
        }
        Ok(())
    }

    /// Counts payload data of a message, which may end with it.
    fn count_data(&mut self, n: u64, ends: bool) {
        self.received = if ends { 0 } else { self.received + n };
    }

    /// How many of the bytes that come next are payload data to be gathered in the inbox.
    pub(crate) fn gatherable(&self) -> u64 {
        let in_data = self.is_receiving() && matches!(self.frame, FrameKind::Data { .. });
        if in_data && !self.lends_pieces() && !self.is_compressed() {
            self.decoder.remaining()
        } else {
            0
        }
    }

    /// Whether data that comes by way of a buffer so long is gathered as fast as if it was read straight to the inbox: where one
    /// pass unmasks and copies it out of the L1 cache. Not if all of its message stays there.
    pub(crate) fn copies_freely(&self, buffer_bytes: usize) -> bool {
        let stays_in_cache =
            self.is_in_long_frame(buffer_bytes) && self.first_frame_bytes() <= CACHED_BYTES as u64;
        buffer_bytes <= CACHED_BYTES && !self.masks() && !self.receives_text() && !stays_in_cache
    }

    /// Whether a message begins with a frame that is received now, and that has as many bytes as the buffer, or more.
    pub(crate) fn is_in_long_frame(&self, buffer_bytes: usize) -> bool {
        self.fragments == 1 && self.first_frame_bytes() >= buffer_bytes as u64
    }

    /// Payload bytes of the first frame of a message that is being received.
    fn first_frame_bytes(&self) -> u64 {
        self.received.saturating_add(self.decoder.remaining())
    }

    /// Payload data that was read straight to the inbox's memory.
    pub(super) fn gathered_data(&mut self, cursor: &mut Cursor, inbox: &mut Inbox) -> Result<(), Fault> {
        // Fewer are gatherable, or none, only for those who mix connections up.
        let n = self.gatherable().min(mem::take(&mut cursor.gathered) as u64);
        let (FrameKind::Data { fin }, 1..) = (self.frame, n) else {
            return Ok(());
        };
        let (key, last) = self.decoder.split_payload(n);
        let ends = last && fin;
        self.count_data(n, ends);
        let taken = inbox.take_space(n as usize, key);
        if taken.is_err() || ends && !inbox.may_end() {
            return Err((Violation::InvalidUtf8, cursor.start));
        }
        if ends {
            lend_gathered(self.receives_text(), ends, cursor, inbox);
        }
        Ok(())
    }

    /// Where the bytes end that are looked at next, if messages are lent in pieces. If a character of a text was cut by the
    /// last one: behind the rest of it. Of a compressed message: near enough that masking again what gives later pieces costs
    /// little.
    pub(super) fn end_of_piece(&self, cursor: &Cursor, inbox: &Inbox) -> usize {
        let end = cursor.stop;
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
    key: MaskingKey,
    cursor: &mut Cursor,
    inbox: &mut Inbox,
) -> Result<(), Fault> {
    let payload = &mut bytes[range.clone()];
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
    if ends || !range.is_empty() {
        cursor.goes_on = !ends;
        cursor.found = Found::message(text, Place::buffer(range));
    }
    Ok(())
}

/// Lends what was gathered of a message, which may end with it.
pub(super) fn lend_gathered(text: bool, ends: bool, cursor: &mut Cursor, inbox: &mut Inbox) {
    inbox.lend_message();
    cursor.goes_on = !ends;
    cursor.found = Found::message(text, Place::INBOX);
}

/// Unmasks a message that lies whole in the bytes given, where it is. If it is to be text and is not: how many of its
/// octets prove that.
fn unmask_whole(text: bool, key: MaskingKey, payload: &mut [u8]) -> Result<(), usize> {
    if !text {
        key.apply(payload);
        return Ok(());
    }
    let mut validator = Validator::new();
    validator.unmask(key, payload).map_err(|error| error.offset + 1)?;
    if validator.is_complete() {
        Ok(())
    } else {
        Err(payload.len())
    }
}
