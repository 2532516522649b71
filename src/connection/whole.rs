//! The short way of receiving: a message that lies whole in the bytes given, when nothing is unfinished.

use super::Connection;
use super::message::{Fault, check_whole, unmask_whole};
use crate::error::Violation;
use crate::frame::{MAX_CONTROL_BYTES, WholeMessage};
use crate::inbox::Inbox;
use crate::input::{Cursor, Found};
use crate::mask::MaskingKey;
use crate::outbox::Outbox;
use crate::utf8;

impl Connection {
    /// The short way, which most messages take: one of at most 125 bytes that lies whole in the bytes given. It calls
    /// nothing. `Some(false)` if it is a text that is not known to be ASCII, and is to be checked.
    #[inline(always)]
    pub(super) fn take_short_message<const MASKED: bool>(
        &mut self,
        bytes: &mut [u8],
        cursor: &mut Cursor,
    ) -> Option<bool> {
        let start = cursor.start;
        let rest = bytes.get_mut(start..cursor.stop())?;
        let WholeMessage { text, payload, key } = WholeMessage::recognise::<false>(MASKED, rest)?;
        let range = start + payload.start..start + payload.end;
        let payload = rest.get_mut(payload)?;
        self.count_frame(payload.len() as u64);
        let key = key.unwrap_or_default(); // zero changes nothing
        let ascii = text && key.apply_if_short_ascii(payload);
        // It counts as text only once that is known.
        cursor.take_message(ascii, range);
        if MASKED && !text {
            key.apply(payload);
        }
        Some(ascii || !text)
    }

    /// Makes a text of the message found, or fails: whether it is one. Its bytes are as they came until now: what was just
    /// stored would be slow to load again.
    #[inline(never)]
    pub(super) fn check_short_text(
        &mut self,
        bytes: &mut [u8],
        cursor: &mut Cursor,
        inbox: &mut Inbox,
        outbox: &mut Outbox,
    ) -> bool {
        let Found::Binary(place) = cursor.found else {
            return true;
        };
        let range = place.range().unwrap_or_default();
        let (header, text) = bytes[..range.end].split_at_mut(range.start);
        let key = match header.last_chunk() {
            Some(octets) if !self.masks() => MaskingKey::new(*octets),
            _ => MaskingKey::default(), // zero changes nothing
        };
        if !utf8::unmask_whole(key, text)
            && let Err(at) = check_whole(text)
        {
            let fault = (Violation::InvalidUtf8, range.start + at);
            self.fail_at(fault, cursor, inbox, outbox);
            return false;
        }
        cursor.found = Found::Text(place);
        true
    }

    /// [`take_short_message`](Self::take_short_message) for lengths of 16 bits.
    #[inline]
    pub(super) fn take_whole_message<const MASKED: bool>(
        &mut self,
        bytes: &mut [u8],
        cursor: &mut Cursor,
    ) -> Option<Result<(), Fault>> {
        let start = cursor.start;
        let rest = bytes.get_mut(start..cursor.stop())?;
        let WholeMessage { text, payload, key } = WholeMessage::recognise::<true>(MASKED, rest)?;
        let range = start + payload.start..start + payload.end;
        let payload = rest.get_mut(payload)?;
        let len = payload.len() as u64;
        if len > self.max_message_bytes || len > self.decoder.max_frame_bytes() {
            return None;
        }
        self.count_frame(len);
        cursor.take_message(text, range.clone());
        let unmasked = unmask_whole(text, key, payload);
        Some(unmasked.map_err(|at| (Violation::InvalidUtf8, range.start + at)))
    }

    /// To be called when something may have changed that the short way depends on, which it does not look at itself.
    pub(super) const fn update_short_way(&mut self) {
        let least = MAX_CONTROL_BYTES as u64;
        let unlimited = self.max_message_bytes >= least && self.decoder.max_frame_bytes() >= least;
        self.short_way = if unlimited && self.is_receiving() && self.decoder.is_at_rest() {
            Some(self.role())
        } else {
            None
        };
    }
}
