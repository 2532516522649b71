//! Decompression of messages, step by step (RFC 7692 §7.2.2).

use alloc::vec::Vec;
use core::fmt;
use core::panic::{RefUnwindSafe, UnwindSafe};

use zlib_rs::{Inflate, InflateFlush, Status};

use crate::connection::Limits;
use crate::error::Violation;

/// The sender drops these four octets from the end of a message (RFC 7692 §7.2.1).
pub(super) const TAIL: [u8; 4] = [0x00, 0x00, 0xff, 0xff];

/// Most bytes that a match can lie behind (RFC 1951 §3.2.5).
const WINDOW_BYTES: usize = 32 << 10;

/// Most octets of a message that is copied, to have its end behind it.
const SHORT_OCTETS: usize = 1 << 10;

/// That end: the octets that were dropped, and others, which no message takes that is right. With so many octets behind it, it is
/// inflated by the fast way of `zlib-rs` to its last one.
const BEHIND: [u8; 16] = {
    let mut behind = [0; 16];
    behind.split_at_mut(TAIL.len()).0.copy_from_slice(&TAIL);
    behind
};

/// Octets of a message after which its ratio is judged, again and again: what is inflated in between is 258 KiB at most.
const RATIO_OCTETS: u64 = 256;

/// What a final block (BFINAL) costs of the credit that a peer earns by other octets.
const FINAL_BLOCK_OCTETS: u32 = 64;
const MOST_FINAL_BLOCKS: u32 = 64;

/// Inflates the messages of a connection, or of many that do not take over contexts.
pub(crate) struct Inflater {
    inflate: Inflate,
    window: Window,
    /// Octets of the message so far.
    compressed: u64,
    /// Bytes that they were inflated to.
    inflated: u64,
    /// Octets that may still be spent on final blocks.
    credit: u32,
    /// The message may end here: a final block (BFINAL) has just ended, or the octets that were dropped were there too.
    at_end: bool,
    /// Whether messages may refer to those before them.
    takes_over: bool,
    /// A short message, and what goes behind it.
    short: [u8; SHORT_OCTETS + BEHIND.len()],
}

/// What one step did.
pub(crate) struct Step {
    /// How many octets it took.
    pub(crate) taken: usize,
    /// How many bytes it made of them, and of those taken before.
    pub(crate) produced: usize,
    /// Whether a final block (BFINAL) ended here: call [`Inflater::restart`].
    pub(crate) final_block: bool,
    /// Whether what comes behind these bytes is no DEFLATE data.
    pub(crate) failed: bool,
}

impl Inflater {
    pub(crate) fn new() -> Self {
        Self {
            // What a window smaller than 32 KiB would save, `zlib-rs` allocates anyway.
            inflate: Inflate::new(false, 15),
            window: Window::default(),
            compressed: 0,
            inflated: 0,
            credit: 0,
            at_end: false,
            takes_over: false,
            short: [0; SHORT_OCTETS + BEHIND.len()],
        }
    }

    /// Begins with an empty window, for messages that take over contexts or not.
    pub(crate) fn reset(&mut self, takes_over: bool) {
        self.inflate.reset(false);
        self.window.clear();
        (self.compressed, self.inflated, self.at_end) = (0, 0, false);
        // Without context that is for one message, which has little to load.
        let blocks = if takes_over { MOST_FINAL_BLOCKS } else { 4 };
        (self.credit, self.takes_over) = (blocks * FINAL_BLOCK_OCTETS, takes_over);
    }

    /// Whether something in it will be needed: the context, or a message that is not complete.
    pub(crate) fn has_context(&self) -> bool {
        self.takes_over || self.compressed > 0
    }

    pub(crate) fn takes_over(&self) -> bool {
        self.takes_over
    }

    /// Inflates octets of the message into the front of `to`, until they are used up or `to` is full.
    pub(crate) fn step(&mut self, octets: &[u8], to: &mut [u8]) -> Step {
        self.at_end &= octets.is_empty();
        let step = decompress(&mut self.inflate, octets, to, InflateFlush::NoFlush);
        self.count(step)
    }

    /// The first step of a message that has these octets and no others. For one that is short and has one block, as most
    /// are, it proves the end, too: [`finish`](Self::finish) has nothing left to do.
    pub(crate) fn step_of_whole(&mut self, octets: &[u8], to: &mut [u8]) -> Step {
        let len = octets.len();
        // A single octet may be the empty block that ends behind it.
        if !(2..=SHORT_OCTETS).contains(&len) {
            return self.step(octets, to);
        }
        self.at_end = false;
        let short = &mut self.short[..len + BEHIND.len()];
        short[..len].copy_from_slice(octets);
        short[len..].copy_from_slice(&BEHIND);
        let mut step = decompress(&mut self.inflate, short, to, InflateFlush::Block);
        let room = &mut to[step.produced..];
        if step.taken + 1 < len || (step.taken <= len && room.is_empty()) {
            return self.count(step);
        }
        if step.taken <= len {
            // Behind a block at most 15 bits are left. An empty stored block takes them and then four octets, for its length, ends
            // with the last of those and gives nothing. Any other takes less or more, gives bytes, for which there is room, or fails.
            let end = decompress(&mut self.inflate, &short[step.taken..], room, InflateFlush::Block);
            let taken = step.taken + end.taken;
            self.at_end = taken == len + TAIL.len() && end.produced == 0 && !end.failed;
            step.produced += end.produced;
            if self.at_end {
                step.taken = len;
                return self.count(step);
            }
            if taken <= len {
                // Another block ended here, perhaps a final one: without a flush that is told.
                let rest = decompress(
                    &mut self.inflate,
                    &octets[taken..],
                    &mut to[step.produced..],
                    InflateFlush::NoFlush,
                );
                return self.count(Step {
                    taken: taken + rest.taken,
                    produced: step.produced + rest.produced,
                    ..rest
                });
            }
        }
        // It took octets behind it: it does not end where it has to. What is wrong is found without those.
        self.load_window();
        self.step(octets, to)
    }

    fn count(&mut self, step: Step) -> Step {
        self.compressed += step.taken as u64;
        self.add_credit(step.taken as u64);
        self.inflated += step.produced as u64;
        step
    }

    /// Keeps what the next blocks may refer to. To be told of all bytes of a message that goes on, or is taken over.
    pub(crate) fn remember(&mut self, inflated: &[u8]) {
        self.window.push(inflated);
    }

    /// Goes on behind a final block. It ends neither the message nor the window (RFC 7692 §7.2.3.4).
    pub(crate) fn restart(&mut self) -> Result<(), Violation> {
        // That costs a copy of the window, and the peer as little as ten bits.
        let credit = self.credit.checked_sub(FINAL_BLOCK_OCTETS);
        self.credit = credit.ok_or(Violation::TooManyFinalBlocks)?;
        self.load_window();
        self.at_end = true;
        Ok(())
    }

    fn add_credit(&mut self, octets: u64) {
        self.credit = u64::from(self.credit)
            .saturating_add(octets)
            .min(u64::from(MOST_FINAL_BLOCKS * FINAL_BLOCK_OCTETS)) as u32;
    }

    fn load_window(&mut self) {
        self.inflate.reset(false);
        for part in self.window.parts() {
            // It is refused only where a zlib header names another one. There is none.
            let _ = self.inflate.set_dictionary(part);
        }
    }

    /// Whether the message has no octets so far. It is empty then, and nothing of it went through the inflater.
    pub(crate) fn is_untouched(&self) -> bool {
        self.compressed == 0
    }

    /// Whether the message is at a place where its ratio is to be judged.
    pub(crate) fn is_to_be_judged(&self) -> bool {
        self.compressed.is_multiple_of(RATIO_OCTETS)
    }

    /// Of these octets, which come next, those up to where the ratio is judged next: none at such a place, until it was.
    pub(crate) fn up_to_judgement<'o>(&self, octets: &'o [u8], is_judged: bool) -> &'o [u8] {
        let most = match self.compressed % RATIO_OCTETS {
            0 if !is_judged => 0,
            behind => (RATIO_OCTETS - behind) as usize,
        };
        &octets[..octets.len().min(most)]
    }

    /// Judges the message so far by the most bytes for each of its octets. All has to be there that these inflate to.
    pub(crate) fn judge(&self, max_ratio: u16) -> Result<(), Violation> {
        let most = self.compressed.saturating_mul(u64::from(max_ratio));
        if self.inflated > most.max(Limits::RATIO_FREE_BYTES) {
            Err(Violation::InflateRatio)
        } else {
            Ok(())
        }
    }

    /// Ends the message: its octets and the four that were dropped have to end at the end of a block.
    pub(crate) fn finish(&mut self) -> Result<(), Violation> {
        (self.compressed, self.inflated) = (0, 0);
        self.add_credit(u64::from(FINAL_BLOCK_OCTETS)); // one for each message
        // What ends in a final block needs no more: the octet behind it, which makes room for the four, may be missing.
        if core::mem::take(&mut self.at_end) {
            return Ok(());
        }
        // They are the length of the empty stored block whose first three bits end the message. They give no bytes, and a
        // decoder that stops between blocks takes exactly them. One that waited for something else takes the fifth too, but for the
        // header of a block that was made to be completed by them, as a message is that is taken for what they complete.
        let [a, b, c, d] = TAIL;
        let first = self.skip_to_next_block([a, b, c, d, 0]);
        if first.taken != 4 || first.produced > 0 || first.failed {
            return Err(Violation::InvalidDeflate);
        }
        // A block can end inside the last of them. Then another empty one is none. A final one ends the octet, too.
        let second = self.skip_to_next_block([0, a, b, c, d]);
        let taken = if second.final_block { 0 } else { 5 };
        if second.taken != taken || second.produced > 0 || second.failed {
            return Err(Violation::InvalidDeflate);
        }
        Ok(())
    }

    /// Takes octets up to the end of a block.
    fn skip_to_next_block(&mut self, octets: [u8; 5]) -> Step {
        decompress(&mut self.inflate, &octets, &mut [0; 8], InflateFlush::Block)
    }

    /// What later messages may refer to, the oldest byte first.
    pub(crate) fn window(&self) -> [&[u8]; 2] {
        self.window.parts()
    }

    /// Goes on behind these bytes, with the next message.
    pub(crate) fn resume(&mut self, window: &[u8]) {
        self.reset(true);
        self.remember(window);
        self.load_window();
    }
}

fn decompress(inflate: &mut Inflate, octets: &[u8], to: &mut [u8], flush: InflateFlush) -> Step {
    let (taken, produced) = (inflate.total_in(), inflate.total_out());
    let status = inflate.decompress(octets, to, flush);
    Step {
        taken: (inflate.total_in() - taken) as usize,
        produced: (inflate.total_out() - produced) as usize,
        final_block: status == Ok(Status::StreamEnd),
        failed: status.is_err(),
    }
}

// After a panic nothing of it is used again that was not reset, as after a violation.
impl UnwindSafe for Inflater {}
impl RefUnwindSafe for Inflater {}

impl fmt::Debug for Inflater {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inflater")
            .field("compressed", &self.compressed)
            .field("inflated", &self.inflated)
            .field("takes_over", &self.takes_over)
            .finish_non_exhaustive()
    }
}

/// The latest 32 KiB that were inflated. `zlib-rs` keeps them too, but loses them behind a final block, and does not
/// give them out.
#[derive(Default)]
struct Window {
    /// A ring once it is full.
    bytes: Vec<u8>,
    /// Where the oldest byte is.
    start: usize,
}

impl Window {
    fn clear(&mut self) {
        self.bytes.clear();
        self.start = 0;
    }

    fn push(&mut self, new: &[u8]) {
        let new = &new[new.len().saturating_sub(WINDOW_BYTES)..];
        let (fills, rest) = new.split_at(new.len().min(WINDOW_BYTES - self.bytes.len()));
        self.bytes.extend_from_slice(fills);
        let (end, wraps) = rest.split_at(rest.len().min(self.bytes.len() - self.start));
        self.bytes[self.start..self.start + end.len()].copy_from_slice(end);
        self.bytes[..wraps.len()].copy_from_slice(wraps);
        self.start = (self.start + rest.len()) % WINDOW_BYTES;
    }

    fn parts(&self) -> [&[u8]; 2] {
        let (newer, older) = self.bytes.split_at(self.start);
        [older, newer]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What a message and a second one behind it inflate to, with so much room for each step; or which of them fails.
    fn inflated(
        first: impl Fn(&mut Inflater, &[u8], &mut [u8]) -> Step,
        message: &[u8],
        room: usize,
    ) -> Result<Vec<u8>, usize> {
        let mut inflater = Inflater::new();
        inflater.reset(true);
        let mut all = Vec::new();
        for (i, message) in [message, b"\xf2\x48\xcd\xc9\xc9\x07\x00"].into_iter().enumerate() {
            let (mut to, mut taken) = ([0; 300], 0);
            let to = &mut to[..room];
            let mut step = first(&mut inflater, message, to);
            loop {
                all.extend_from_slice(&to[..step.produced]);
                inflater.remember(&to[..step.produced]);
                taken += step.taken;
                if step.failed || (step.final_block && inflater.restart().is_err()) {
                    return Err(i);
                }
                if taken == message.len() && !step.final_block && step.produced < room {
                    break;
                }
                step = inflater.step(&message[taken..], to);
            }
            inflater.finish().map_err(|_| i)?;
        }
        Ok(all)
    }

    /// Up to 15 bits behind a block that ends at any bit of an octet: one of nine bits for each byte that it gives, or final.
    #[test]
    fn whatever_the_last_bits_are_a_whole_message_ends_as_any_other() {
        let mut ends = 0;
        for (last, literals) in (0_u32..8).map(|n| (0, n)).chain([(1, 0), (1, 3)]) {
            // BTYPE 01, literals 0xc8, and the end of the block, which is seven zeros.
            let block = (0..literals).fold(0b010_u128 | last, |bits, i| bits | 0b000100111 << (3 + 9 * i));
            let block_bits = 10 + 9 * literals;
            for len in [0, 1].map(|more| block_bits.div_ceil(8) + more) {
                for bits in 0..1 << (8 * len - block_bits) {
                    let octets = (block | bits << block_bits).to_le_bytes();
                    let octets = &octets[..len as usize];
                    let expected = inflated(Inflater::step, octets, 300);
                    for room in [300, literals.max(1) as usize] {
                        let whole = inflated(Inflater::step_of_whole, octets, room);
                        assert_eq!(whole, expected, "{octets:x?}, room {room}");
                    }
                    ends += usize::from(expected.is_ok());
                }
            }
        }
        assert!(ends > 1000, "{ends}");
    }

    proptest! {
        #[test]
        fn the_window_is_the_end_of_all_that_was_pushed(lens in prop::collection::vec(0usize..40_000, 0..12)) {
            let mut window = Window::default();
            let mut all = Vec::new();
            for len in lens {
                let new: Vec<u8> = (all.len()..all.len() + len).map(|i| (i % 251) as u8).collect();
                window.push(&new);
                all.extend(new);
            }
            prop_assert_eq!(window.parts().concat(), &all[all.len().saturating_sub(WINDOW_BYTES)..]);
        }
    }
}
