//! Frames where nothing has to be prepared: there is memory, and a masking key at hand.

use core::ops::Range;

use super::{MOST_BYTES, Outbox};
use crate::frame::{Header, MAX_CONTROL_BYTES, Opcode, Rsv};
use crate::mask::{LONG_BYTES, MaskingKey};

/// Room for a frame with at most 125 bytes, and for what is written behind it by whole vectors.
const SHORT_ROOM: usize = Header::MAX_BYTES + LONG_BYTES;

/// Lengths that a header holds in 16 bits.
const LENS_OF_16_BITS: Range<usize> = MAX_CONTROL_BYTES + 1..1 << 16;

/// Lengths of payload data that is copied by `memcpy` if it is not masked. It is not worth its call before; and with more,
/// some processors are slow at it, while a key of zeros copies as fast as any.
const PLAIN_COPY_BYTES: Range<usize> = 16..2 << 10;

/// Masks and copies a payload, to as many bytes.
#[inline(always)]
pub(crate) fn copy(key: Option<MaskingKey>, payload: &[u8], to: &mut [u8]) {
    match key {
        None if PLAIN_COPY_BYTES.contains(&payload.len()) => to.copy_from_slice(payload),
        key => key.unwrap_or_default().copy_at_once(payload, to),
    }
}

impl Outbox {
    /// [`push`](Self::push) if nothing has to be prepared: there is memory, and a key at hand. The payload is masked in the
    /// pass that copies it.
    #[inline(always)]
    pub(crate) fn put(&mut self, frame: Frame<'_>) -> Option<()> {
        let (spare, len) = self.buffer.spare_of(frame.room())?;
        // Either way by itself: what is known of the key makes both short.
        if frame.masked {
            let key = self.in_use.as_mut()?.generator.key_at_hand()?;
            frame.encode(Some(key), spare, len)
        } else {
            frame.encode(None, spare, len)
        }
    }

    /// Appends the header of a message with at most 125 bytes, which are to be written next: the key that masks them, or zero,
    /// and their place. What is behind them there may be written, too.
    #[inline(always)]
    pub(crate) fn put_short_header<const MASKED: bool>(
        &mut self,
        opcode: Opcode,
        len: usize,
    ) -> Option<(MaskingKey, &mut [u8; LONG_BYTES])> {
        let (key, to) = self.put_header::<MASKED>(opcode, len, SHORT_ROOM)?;
        Some((key.unwrap_or_default(), to.first_chunk_mut()?))
    }

    /// Appends the header of a message whose length has at most 16 bits: the key, and the place of the payload, which is to be
    /// written next.
    #[inline(always)]
    pub(crate) fn put_16_bit_header<const MASKED: bool>(
        &mut self,
        opcode: Opcode,
        len: usize,
    ) -> Option<(Option<MaskingKey>, &mut [u8])> {
        if !LENS_OF_16_BITS.contains(&len) {
            return None;
        }
        if !self.has_room(MOST_BYTES, len) {
            return None;
        }
        let (key, to) = self.put_header::<MASKED>(opcode, len, Header::MAX_BYTES + len)?;
        Some((key, to.get_mut(..len)?))
    }

    #[inline(always)]
    fn put_header<const MASKED: bool>(
        &mut self,
        opcode: Opcode,
        len: usize,
        room: usize,
    ) -> Option<(Option<MaskingKey>, &mut [u8])> {
        // Not full for sure, nor are places with a short message more beyond 32 bits: consumed bytes count, too.
        if self.buffer.len() >= self.max_bytes as usize {
            return None;
        }
        let (spare, end) = self.buffer.spare_of(room)?;
        let mut header = Header::new(opcode, len as u64);
        if MASKED {
            header.key = Some(self.in_use.as_mut()?.generator.key_at_hand()?);
        }
        let before = *end; // lest it be looked at again behind the header
        let start = header.encode_to(spare.first_chunk_mut()?);
        *end = before + start + len;
        Some((header.key, spare.get_mut(start..)?))
    }
}

/// A frame to send.
#[derive(Clone, Copy)]
pub(crate) struct Frame<'a> {
    pub(crate) fin: bool,
    pub(crate) rsv: Rsv,
    pub(crate) opcode: Opcode,
    pub(crate) payload: &'a [u8],
    pub(crate) masked: bool,
}

impl Frame<'_> {
    /// Bytes that have to be spare for it. As much for short ones as all of these take, so that there is room on their short
    /// way if there is on the long one.
    #[inline(always)]
    pub(super) fn room(&self) -> usize {
        (Header::MAX_BYTES + self.payload.len()).max(SHORT_ROOM)
    }

    /// Writes the frame to the front of `spare`, which has room for it, and adds its length to `len`.
    #[inline(always)]
    fn encode(&self, key: Option<MaskingKey>, spare: &mut [u8], len: &mut usize) -> Option<()> {
        let payload = self.payload;
        let header = Header {
            fin: self.fin,
            rsv: self.rsv,
            opcode: self.opcode,
            key,
            payload_len: payload.len() as u64,
        };
        let start = header.encode_to(spare.first_chunk_mut()?);
        let end = start + payload.len();
        let to = spare.get_mut(start..end)?;
        *len += end; // before the copy, so that nothing has to be kept across that
        copy(key, payload, to);
        Some(())
    }
}

#[cfg(all(test, target_pointer_width = "64"))]
mod tests {
    use super::*;
    use crate::{Config, Connection, MessageKind, Prepared, Role, SendError};

    #[test]
    fn places_have_32_bits_on_the_short_way_too() {
        let (mut connection, mut outbox) = waiting(MOST_BYTES - 200);
        let before = outbox.len();
        assert_eq!(
            connection.send_binary(&[1; 60_000], &mut outbox),
            Err(SendError::Full)
        );
        // What would wait counts, whatever was given.
        for (taken, fits) in [
            (0, false),
            (59_899, false),
            (before - 1000, true), // with more before, all of that would be moved
            (before + 100, true),
        ] {
            let parts: [&[u8]; 2] = [&[1; 100], &[1; 60_000]];
            let kept = outbox.consume_with(taken, &parts);
            assert_eq!(kept, if fits { Ok(()) } else { Err(SendError::Full) });
            let waits = if fits { before + 60_100 - taken } else { before };
            assert_eq!(outbox.len(), waits, "{taken}");
            outbox = waiting(MOST_BYTES - 200).1;
        }
        assert!(!outbox.is_full());
    }

    /// So many bytes of messages wait, in memory that nobody touches: the system gives none for it.
    fn waiting(len: u32) -> (Connection, Outbox) {
        let mut connection = Connection::new(Role::Server, &Config::default());
        let mut outbox = Outbox::new();
        outbox.set_max_bytes(u32::MAX);
        outbox.buffer.reserve_exact((1 << 32) + (1 << 20));
        assert_eq!(connection.send_binary(b"opens it", &mut outbox), Ok(()));
        outbox.buffer.add_spare(len as usize - outbox.buffer.len());
        (connection, outbox)
    }

    #[test]
    fn automatic_replies_fit_behind_the_most_that_may_wait() {
        let (mut connection, mut outbox) = waiting(MOST_BYTES - 1);
        assert_eq!(connection.send_binary(&[1; 125], &mut outbox), Ok(()));
        assert_eq!(connection.send_binary(b"", &mut outbox), Err(SendError::Full));
        assert_eq!(connection.ping(b"", &mut outbox), Err(SendError::Full));
        let before = outbox.len();
        assert_eq!(
            outbox.push_pong(&[2; 125], true, false),
            Err(SendError::NoMaskingKeys)
        );
        assert_eq!(outbox.push_pong(&[2; 125], false, false), Ok(()));
        assert_eq!(connection.close(None, &mut outbox), Ok(()));
        assert_eq!(outbox.push_pong(&[3; 125], false, false), Ok(()));
        outbox.consume(before);
        assert_eq!(outbox.len(), 127 + 2);
        outbox.consume(1);
        assert_eq!(outbox.len(), 126 + 2 + 127);
    }

    type Send = fn(&mut Connection, &mut Outbox) -> Result<(), SendError>;

    #[test]
    fn what_has_no_room_is_refused_on_every_way() {
        let ways: [Send; 5] = [
            |connection, outbox| connection.send_binary(&[1; 60_000], outbox),
            |connection, outbox| connection.send_binary(&[1; 70_000], outbox),
            |connection, outbox| connection.begin_message(MessageKind::Binary, &[1; 60_000], outbox),
            |connection, outbox| connection.send_prepared(&Prepared::binary(&[1; 60_000]), outbox),
            |connection, outbox| {
                connection.begin_frame(MessageKind::Binary, 60_000, outbox)?;
                connection.continue_frame(&[1; 60_000], outbox)
            },
        ];
        for send in ways {
            let (mut connection, mut outbox) = waiting(MOST_BYTES - 1000);
            assert!(!outbox.is_full());
            assert_eq!(send(&mut connection, &mut outbox), Err(SendError::Full));
            assert!(outbox.len() < MOST_BYTES as usize - 900, "but for a header");
        }
        let (mut connection, mut outbox) = waiting(MOST_BYTES - 3);
        let begun = connection.begin_frame(MessageKind::Binary, 60_000, &mut outbox);
        assert_eq!(begun, Err(SendError::Full));
    }

    #[test]
    fn room_of_consumed_bytes_is_reused_before_it_is_full() {
        let ways: [Send; 5] = [
            |connection, outbox| connection.send_binary(&[1; 125], outbox),
            |connection, outbox| connection.send_binary(&[1; 60_000], outbox),
            |connection, outbox| connection.ping(b"", outbox),
            |connection, outbox| connection.begin_message(MessageKind::Text, b"", outbox),
            |_, outbox| outbox.consume_with(0, &[&[1; 60_000]]),
        ];
        for send in ways {
            let (mut connection, mut outbox) = waiting(MOST_BYTES);
            outbox.buffer.push(b"the last");
            outbox.consume(outbox.len() - 8);
            assert_eq!(send(&mut connection, &mut outbox), Ok(()));
            assert!(outbox.bytes().starts_with(b"the last") && outbox.len() > 8);
        }
    }
}
