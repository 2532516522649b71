//! Automatic Pongs that wait: one in the buffer, one beside it.

use super::{Frame, Outbox};
use crate::error::SendError;
use crate::frame::{MAX_CONTROL_BYTES, Opcode, Rsv};

/// Beyond every place in a buffer.
pub(super) const NO_PONG: u32 = u32::MAX;

/// Bytes of a Pong's header.
const fn pong_header_len(masked: bool) -> usize {
    if masked { 6 } else { 2 }
}

/// The payload data of a Pong that waits for its turn.
#[derive(Debug)]
pub(super) struct Pong {
    payload: [u8; MAX_CONTROL_BYTES],
    len: u8,
    masked: bool,
    /// Whether a frame is being sent piece by piece, which it has to wait for.
    held: bool,
}

impl Outbox {
    /// Says that bytes of the embedder's own go behind all that waits: that stays as it is now.
    pub(crate) fn settle(&mut self) {
        // With another Pong behind it, the one that waits is not replaced any more.
        if self
            .in_use
            .as_ref()
            .is_none_or(|in_use| in_use.next_pong.is_none())
        {
            self.pong = NO_PONG;
        }
    }

    /// Says whether a frame is being sent piece by piece: nothing may come between its bytes.
    pub(crate) fn hold_pong(&mut self, held: bool) {
        if let Some(in_use) = &mut self.in_use
            && let Some(next) = &mut in_use.next_pong
        {
            next.held = held;
            if self.pong == NO_PONG {
                self.push_next_pong();
            }
        }
    }

    /// Puts the Pong that waits for its turn into the buffer, unless it is held.
    pub(super) fn push_next_pong(&mut self) {
        if let Some(in_use) = &mut self.in_use
            && let Some(next) = in_use.next_pong.take_if(|next| !next.held)
        {
            // Masking keys are there: they were for the frame before.
            let _ = self.push_pong(&next.payload[..usize::from(next.len)], next.masked, false);
        }
    }

    /// Answers a Ping. Of several that come while nothing is consumed, the latest is answered
    /// (RFC 6455 §5.5.3): it replaces the Pong that waits, if that is the last thing waiting and not lent, or follows once
    /// that one goes out. `held`: a frame is being sent piece by piece.
    pub(crate) fn push_pong(&mut self, payload: &[u8], masked: bool, held: bool) -> Result<(), SendError> {
        if held {
            self.keep_pong(payload, masked, held);
            return Ok(());
        }
        if self.pong != NO_PONG {
            let start = self.pong as usize;
            let pong_len = pong_header_len(masked) + usize::from(self.buffer[start + 1] & 0x7f);
            let is_lent = self.in_use.as_ref().is_some_and(|in_use| in_use.pong_is_lent);
            if is_lent || start + pong_len < self.buffer.len() {
                self.keep_pong(payload, masked, held);
                return Ok(());
            }
            self.buffer.truncate(start);
            self.pong = NO_PONG;
        }
        self.push(Frame {
            fin: true,
            rsv: Rsv::NONE,
            opcode: Opcode::PONG,
            payload,
            masked,
        })?;
        self.pong = (self.buffer.len() - payload.len() - pong_header_len(masked)) as u32;
        if let Some(in_use) = &mut self.in_use {
            in_use.pong_is_lent = false;
        }
        Ok(())
    }

    fn keep_pong(&mut self, payload: &[u8], masked: bool, held: bool) {
        let mut next = Pong {
            payload: [0; MAX_CONTROL_BYTES],
            len: payload.len() as u8,
            masked,
            held,
        };
        next.payload[..payload.len()].copy_from_slice(payload);
        self.in_use().next_pong = Some(next);
    }

    /// Drops the Pong that has not been put into the buffer: none is owed after the peer's Close.
    pub(crate) fn forget_next_pong(&mut self) {
        if let Some(in_use) = &mut self.in_use {
            in_use.next_pong = None;
        }
    }
}
