//! Compressed messages, in and out (RFC 7692 §6, §7.2).

use super::Connection;
use super::message::{Fault, Piece, lend_gathered};
use super::options::Options;
use super::way_out::WayOut;
use crate::cursor::Cursor;
use crate::deflate::Inflater;
use crate::error::{SendError, Violation};
use crate::inbox::{Inbox, InflateLimits};
use crate::mask::MaskingKey;
use crate::outbox::{Compression, Frame, Outbox};

impl Connection {
    /// Turns the compression of messages that are sent from now on off or on again, for each message if need be: off for
    /// those that hold a secret beside something that others can choose (RFC 7692 §8), or are compressed already.
    ///
    /// It is on from the beginning if permessage-deflate was agreed on. Without that, or if the window agreed on is one of
    /// 256 bytes, which our compressor cannot keep to, it stays off. A message that was begun goes on as it began.
    pub fn set_compression(&mut self, on: bool) {
        let can =
            self.options.has(Options::DEFLATE) && self.window_bits >= crate::deflate::MIN_COMPRESSOR_BITS;
        self.options = self.options.with(Options::COMPRESSES, on && can);
        self.way_out = WayOut::Long;
    }

    /// Whether messages are compressed as they are sent, if they are not too short.
    pub fn compression(&self) -> bool {
        self.options.has(Options::COMPRESSES)
    }

    /// Payload data of a compressed message. It is inflated into the inbox.
    pub(super) fn compressed_data(
        &mut self,
        bytes: &mut [u8],
        piece: Piece,
        fin: bool,
        cursor: &mut Cursor,
        inbox: &mut Inbox,
        outbox: &mut Outbox,
    ) -> Result<(), Fault> {
        let Piece { range, key, last } = piece;
        let octets = &mut bytes[range.clone()];
        key.apply(octets);
        let mut ends = last && fin;
        // A message without any octets is empty, and does not touch what inflates the others.
        if !octets.is_empty() || outbox.inflater().is_some() {
            let mut inflater = outbox.take_inflater(self.options.has(Options::PEER_TAKES_OVER));
            ends = self
                .inflate(&mut inflater, octets, key, ends, cursor, inbox)
                .map_err(|violation| (violation, range.end))?;
            outbox.put_inflater(inflater);
        }
        if ends {
            self.received = 0;
            if !inbox.may_end() {
                return Err((Violation::InvalidUtf8, range.end));
            }
        }
        if ends || (self.lends_pieces() && inbox.has_piece()) {
            lend_gathered(self.receives_text(), ends, cursor, inbox);
        }
        Ok(())
    }

    /// Inflates octets of a message that `ends` with them; whether it has. Those that are not needed for a piece are given back, masked
    /// with the `key` again.
    fn inflate(
        &mut self,
        inflater: &mut Inflater,
        octets: &mut [u8],
        key: MaskingKey,
        ends: bool,
        cursor: &mut Cursor,
        inbox: &mut Inbox,
    ) -> Result<bool, Violation> {
        if !octets.is_empty() {
            let limits = self.inflate_limits(ends, ends && inflater.is_untouched());
            let (taken, produced) = inbox.inflate(inflater, octets, limits)?;
            self.received += produced;
            let left = octets.len() - taken;
            if left > 0 {
                // Enough for a piece. What was not taken is looked at again, and is to be as it was.
                let key = key.advanced(taken as u64);
                key.apply(&mut octets[taken..]);
                self.decoder.give_back(left as u64, key);
                cursor.start -= left;
                return Ok(false);
            }
        }
        if ends && !inflater.is_untouched() {
            inflater.judge(self.max_inflate_ratio)?;
            inflater.finish()?;
        }
        Ok(ends)
    }

    /// `ends`: whether the message ends with the octets at hand. `whole`: whether it begins with them, too.
    fn inflate_limits(&self, ends: bool, whole: bool) -> InflateLimits {
        InflateLimits {
            room: self.max_message_bytes - self.received,
            max_ratio: self.max_inflate_ratio,
            pieces: self.lends_pieces(),
            whole,
            remember: self.options.has(Options::PEER_TAKES_OVER) || self.lends_pieces() || !ends,
        }
    }

    /// Whether a message of so many bytes is compressed.
    #[inline]
    pub(super) fn compresses(&self, len: usize, outbox: &Outbox) -> bool {
        self.options.has(Options::COMPRESSES) && len >= outbox.settings().min_bytes as usize
    }

    /// Sends a message, or a fragment of one, compressed.
    pub(super) fn push_compressed(
        &self,
        frame: Frame<'_>,
        whole: bool,
        outbox: &mut Outbox,
    ) -> Result<(), SendError> {
        let takes_over = self.options.has(Options::TAKES_OVER);
        outbox.push_compressed(
            frame,
            Compression {
                window_bits: self.window_bits,
                takes_over,
                // The peer's window holds all compressed messages: one that went into ours has to go there.
                may_be_plain: whole && !takes_over,
            },
        )
    }
}
