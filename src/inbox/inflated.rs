//! Bytes of a compressed message: inflated into the inbox.

use super::{Content, Inbox};
use crate::deflate::{Inflater, Step};
use crate::error::Violation;

/// Of a message that is lent in pieces, one is lent once so many bytes are inflated. It has at most little more.
const PIECE_TO_LEND_BYTES: usize = 16 << 10;

/// Bytes that one step of inflating has room for, at least, below the limit.
const LEAST_ROOM_BYTES: usize = 512;

/// What inflating has to keep to.
pub(crate) struct InflateLimits {
    /// Bytes left of the message.
    pub(crate) room: u64,
    /// Most bytes for each octet, once there are many.
    pub(crate) max_ratio: u16,
    /// Whether to stop after a while, to lend what there is.
    pub(crate) pieces: bool,
    /// Whether the message has these octets and no others.
    pub(crate) whole: bool,
    /// Whether later octets may refer to what is inflated now.
    pub(crate) remember: bool,
}

impl Inbox {
    /// Adds what octets of a compressed message inflate to, validating text: how many of them it took, and how many bytes
    /// those gave.
    pub(crate) fn inflate(
        &mut self,
        inflater: &mut Inflater,
        octets: &[u8],
        limits: InflateLimits,
    ) -> Result<(usize, u64), Violation> {
        if self.control_len > 0 {
            self.drop_control();
        }
        let first = self.bytes.len();
        let (mut taken, mut remembered) = (0, first);
        // The ratio is judged at places of the message, whatever the octets are cut into, when all is there that they inflate to.
        let judges = limits.max_ratio < u16::MAX;
        let mut is_judged = false;
        loop {
            let start = self.bytes.len();
            let left = limits.room - (start - first) as u64;
            let room =
                self.room_to_inflate(octets.len() - taken, left, limits.pieces.then_some(start - first));
            let to = &mut self.bytes.spare()[..room];
            let next = &octets[taken..];
            let next = if judges {
                inflater.up_to_judgement(next, is_judged)
            } else {
                next
            };
            let step = if limits.whole && next.len() == octets.len() {
                inflater.step_of_whole(octets, to)
            } else {
                inflater.step(next, to)
            };
            self.bytes.add_spare(step.produced);
            taken += step.taken;
            let is_full = step.produced == room;
            self.judge_step(start, &step, left, !is_full && !next.is_empty())?;
            if step.final_block {
                inflater.remember(&self.bytes[remembered..]);
                remembered = self.bytes.len();
                inflater.restart()?;
            }
            is_judged = judges && !is_full && inflater.is_to_be_judged();
            if is_judged {
                inflater.judge(limits.max_ratio)?;
            }
            let is_enough = limits.pieces && self.bytes.len() - first >= PIECE_TO_LEND_BYTES;
            if (taken == octets.len() && !is_full) || (taken < octets.len() && is_enough) {
                break;
            }
        }
        if limits.remember {
            inflater.remember(&self.bytes[remembered..]);
        }
        Ok((taken, (self.bytes.len() - first) as u64))
    }

    /// Judges a step that began at `start`, `left` bytes below the limit. `may_go_on`: it had octets, and room for more bytes. What
    /// comes first in the message fails it, however the octets are cut: text within the limit, the limit, and what could not be inflated.
    fn judge_step(&mut self, start: usize, step: &Step, left: u64, may_go_on: bool) -> Result<(), Violation> {
        let exceeds = step.produced as u64 > left;
        if self.content == Content::Text {
            let within = self.bytes.len() - usize::from(exceeds);
            let fed = self.validator.feed(&self.bytes[start..within]);
            fed.map_err(|_| Violation::InvalidUtf8)?;
        }
        if exceeds {
            return Err(Violation::MessageTooBig);
        }
        let is_stuck = may_go_on && step.taken == 0 && !step.final_block;
        if step.failed || is_stuck {
            Err(Violation::InvalidDeflate)
        } else {
            Ok(())
        }
    }

    /// Room for the next step of inflating so many octets, `left` bytes below the limit: one more than that, to tell that
    /// it is exceeded. The capacity doubles, but not beyond the limit. Of a message that is lent in pieces there are `piece` bytes to lend
    /// already.
    fn room_to_inflate(&mut self, octets: usize, left: u64, piece: Option<usize>) -> usize {
        let most = usize::try_from(left).unwrap_or(usize::MAX).saturating_add(1);
        let least = octets
            .saturating_mul(4)
            .clamp(LEAST_ROOM_BYTES, PIECE_TO_LEND_BYTES)
            .min(most);
        let len = self.bytes.len();
        if self.bytes.capacity() - len < least {
            self.bytes
                .reserve_ahead(least, len.min(most).saturating_sub(least));
        }
        let room = self.bytes.spare().len().min(most);
        match piece {
            Some(bytes) => room.min(PIECE_TO_LEND_BYTES.saturating_sub(bytes).max(LEAST_ROOM_BYTES)),
            None => room,
        }
    }

    /// Whether there is something to lend of a message that goes on.
    pub(crate) fn has_piece(&self) -> bool {
        self.message_len() > self.cut_len()
    }
}
