//! Frames where nothing has to be prepared: there is memory, and a masking key at hand.

use core::ops::Range;

use super::Outbox;
use super::room::MOST_BYTES;
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
