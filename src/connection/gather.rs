//! The short way of receiving goes on: a message of one frame, with a length of 16 bits, whose header lies in the bytes given, but not
//! all of its payload data.
//!
//! Everything is as if the decoder had found the header, so that `advance_on` can go on with the message at any time. What that does
//! for any frame is left out of what is known of this one: its message has one fragment, no bits, and is not lent in pieces.

use super::message::{Fault, Piece};
use super::whole::ShortWay;
use super::{Connection, FrameKind, MessageKind};
use crate::cursor::{Cursor, Found};
use crate::frame::{Header, Rsv};
use crate::inbox::Inbox;
use crate::outbox::Outbox;

impl Connection {
    /// [`receive`](Self::receive) for such a message, and for all others that the short way does not lead to.
    #[cold]
    #[inline(never)]
    pub(super) fn gather(
        &mut self,
        bytes: &mut [u8],
        cursor: &mut Cursor,
        inbox: &mut Inbox,
        outbox: &mut Outbox,
    ) -> bool {
        inbox.settle();
        if self.begin_gathering(bytes, cursor, inbox).is_none() {
            return self.advance_on(bytes, cursor, inbox, outbox);
        }
        cursor.found = Found::Nothing;
        if let Err(fault) = self.gather_more(bytes, cursor, inbox) {
            self.fail_at(fault, cursor, inbox, outbox);
            return false;
        }
        let complete = !self.decoder.is_in_payload();
        if complete {
            self.open_short_way();
        }
        complete
    }

    /// Takes the header, as if the decoder had found it, unless that was done. `None` if there is no such message, and nothing has
    /// changed.
    #[inline(always)]
    fn begin_gathering(&mut self, bytes: &[u8], cursor: &mut Cursor, inbox: &mut Inbox) -> Option<()> {
        match self.short_way {
            ShortWay::Gathering => {
                debug_assert!(self.decoder.is_in_payload() && self.frame == FrameKind::Data { fin: true });
                return Some(());
            }
            ShortWay::Closed => return None,
            _ if self.lends_pieces() => return None,
            _ => {}
        }
        let message = self.recognise_longer(!self.masks(), bytes.get(cursor.start..cursor.stop)?)?;
        let kind = if message.text {
            MessageKind::Text
        } else {
            MessageKind::Binary
        };
        let len = message.payload.len() as u64;
        let mut header = Header::new(kind.opcode(), len);
        header.key = message.key;
        self.decoder.begin(&header);
        self.count_frame(len);
        self.frame = FrameKind::Data { fin: true };
        self.receive_message(kind, Rsv::NONE, inbox);
        self.fragments = 1; // within every limit
        self.short_way = ShortWay::Gathering;
        cursor.start += message.payload.start;
        Some(())
    }

    /// Takes the payload data that has come.
    #[inline(always)]
    fn gather_more(&mut self, bytes: &mut [u8], cursor: &mut Cursor, inbox: &mut Inbox) -> Result<(), Fault> {
        if cursor.gathered > 0 {
            self.gathered_data(cursor, inbox)?;
        }
        let n = self
            .decoder
            .remaining()
            .min(cursor.stop.saturating_sub(cursor.start) as u64);
        if n > 0 {
            let range = cursor.start..cursor.start + n as usize;
            cursor.start = range.end;
            let (key, last) = self.decoder.split_payload(n);
            self.data(bytes, Piece { range, key, last }, true, cursor, inbox)?;
        }
        Ok(())
    }
}
