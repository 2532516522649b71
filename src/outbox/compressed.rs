//! Frames of compressed messages, and what compresses them.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::ops::Range;

use super::{Frame, Outbox};
use crate::connection::wrapped;
use crate::deflate::{Deflater, Inflater, Pool, Settings, Shape};
use crate::error::SendError;
use crate::frame::{Header, Opcode, Rsv};

/// How the payload data of a frame is compressed.
#[derive(Clone, Copy)]
pub(crate) struct Compression {
    /// The window agreed, as its base-2 logarithm.
    pub(crate) window_bits: u8,
    /// Whether messages refer to those before them.
    pub(crate) takes_over: bool,
    /// Whether a message that does not get shorter is sent as it is.
    pub(crate) may_be_plain: bool,
}

impl Outbox {
    /// Has compressors and decompressors come from this pool, and go back to it; their settings too.
    ///
    /// Without one, a connection that compresses makes its own, with default settings, and keeps them until
    /// [`release`](Self::release), or, if contexts are taken over, as long as the outbox.
    pub fn set_pool(&mut self, pool: Pool) {
        self.pool = Some(pool);
    }

    /// How messages are compressed.
    #[inline]
    pub(crate) fn settings(&self) -> Settings {
        self.pool
            .as_ref()
            .map_or_else(Settings::default, |pool| *pool.settings())
    }

    /// Takes the connection's decompressor out: the one that it had, or another with an empty window.
    pub(crate) fn take_inflater(&mut self, takes_over: bool) -> Box<Inflater> {
        let own = self.in_use.as_mut().and_then(|in_use| in_use.inflater.take());
        if let Some(mut inflater) = own {
            if inflater.takes_over() != takes_over {
                inflater.reset(takes_over); // it was another connection's
            }
            return inflater;
        }
        let mut inflater = match self.pool.as_ref().and_then(Pool::take_inflater) {
            Some(inflater) => inflater,
            None => Box::new(Inflater::new()),
        };
        inflater.reset(takes_over);
        inflater
    }

    /// Puts the decompressor back: here if it has a context that is needed, else into the pool.
    pub(crate) fn put_inflater(&mut self, mut inflater: Box<Inflater>) {
        match &self.pool {
            Some(pool) if !inflater.has_context() => pool.put_inflater(inflater),
            _ => {
                if !inflater.has_context() {
                    inflater.reset(false);
                }
                self.in_use().inflater = Some(inflater);
            }
        }
    }

    /// The decompressor that the connection has, if it has one.
    pub(crate) fn inflater(&self) -> Option<&Inflater> {
        self.in_use.as_ref()?.inflater.as_deref()
    }

    fn take_deflater(&mut self, how: Compression) -> Box<Deflater> {
        let shape = Shape::new(&self.settings(), how.window_bits);
        let own = self.in_use.as_mut().and_then(|in_use| in_use.deflater.take());
        let mut deflater = match own {
            // Settings may have changed with the pool; what was agreed has not.
            Some(deflater) if deflater.has_context() && deflater.is_for(how.window_bits, how.takes_over) => {
                return deflater;
            }
            Some(deflater) if deflater.shape() == shape => deflater,
            _ => match self.pool.as_ref().and_then(|pool| pool.take_deflater(shape)) {
                Some(deflater) => deflater,
                None => Box::new(Deflater::new(shape)),
            },
        };
        deflater.reset(how.takes_over);
        deflater
    }

    fn put_deflater(&mut self, deflater: Box<Deflater>) {
        match &self.pool {
            Some(pool) if !deflater.has_context() => pool.put_deflater(deflater),
            _ => self.in_use().deflater = Some(deflater),
        }
    }

    /// Gives the decompressor away: nothing more is received.
    pub(crate) fn end_inflating(&mut self) {
        if let Some(inflater) = self.in_use.as_mut().and_then(|in_use| in_use.inflater.take())
            && let Some(pool) = &self.pool
        {
            pool.put_inflater(inflater);
        }
    }

    /// Gives the compressor away: no message is sent any more.
    pub(crate) fn end_deflating(&mut self) {
        if let Some(deflater) = self.in_use.as_mut().and_then(|in_use| in_use.deflater.take())
            && let Some(pool) = &self.pool
        {
            pool.put_deflater(deflater);
        }
    }

    /// Appends a frame with compressed payload data: straight into the buffer, and masked there.
    pub(crate) fn push_compressed(&mut self, frame: Frame<'_>, how: Compression) -> Result<(), SendError> {
        let most = wrapped(frame.payload.len() as u64);
        self.check_room(usize::try_from(most).unwrap_or(usize::MAX))?;
        let key = if frame.masked {
            Some(self.masking_key()?)
        } else {
            None
        };
        let mut header = Header {
            fin: frame.fin,
            // RFC 7692 §6.1: on the first frame only.
            rsv: if frame.opcode == Opcode::CONTINUATION {
                Rsv::NONE
            } else {
                Rsv::RSV1
            },
            opcode: frame.opcode,
            key,
            payload_len: frame.payload.len() as u64 + 64,
        };
        let room = header.encode().len();
        self.make_room(room + frame.payload.len().min(1 << 16) / 2);
        let start = self.buffer.len(); // what was consumed is gone from the front now, perhaps
        self.buffer.add_spare(room);

        let mut deflater = self.take_deflater(how);
        if let Err(error) = deflater.compress(frame.payload, frame.fin, &mut self.buffer) {
            self.buffer.truncate(start);
            return Err(error);
        }
        self.put_deflater(deflater);
        let len = self.buffer.len() - start - room;
        if how.may_be_plain && len >= frame.payload.len() {
            self.buffer.truncate(start);
            return self.push(frame);
        }
        header.payload_len = len as u64;
        let payload = self.put_header_before(start..start + room, &header);
        key.unwrap_or_default().apply(payload); // zero changes nothing
        Ok(())
    }

    /// Puts a header into the room that was kept for it before the payload data at the end, which moves if the header is shorter, or
    /// longer; that data.
    fn put_header_before(&mut self, room: Range<usize>, header: &Header) -> &mut [u8] {
        let header = header.encode();
        let (start, from, to) = (room.start, room.end, room.start + header.len());
        let end = self.buffer.len();
        if from != to {
            let longer = to.saturating_sub(from);
            self.buffer.reserve(longer);
            self.buffer.add_spare(longer);
            self.buffer.copy_within(from..end, to);
            self.buffer.truncate(to + end - from);
        }
        self.buffer[start..to].copy_from_slice(&header);
        &mut self.buffer[to..]
    }

    /// The end of what was inflated, which later messages may refer to, for a process that takes the connection over.
    /// At most 32 KiB; empty if contexts are not taken over.
    pub fn inflated(&self) -> Vec<u8> {
        match self.inflater() {
            Some(inflater) if inflater.has_context() => inflater.window().concat(),
            _ => Vec::new(),
        }
    }

    /// Goes on behind what [`inflated`](Self::inflated) gave in another process: to be called once, before the next byte is received
    /// (RFC 7692 §7.1.1). Of more than 32 KiB the last ones count. Of other bytes, later messages are inflated to others than were
    /// sent, or fail with 1007.
    pub fn resume_inflated(&mut self, inflated: &[u8]) {
        if !inflated.is_empty() {
            let mut inflater = self.take_inflater(true);
            inflater.resume(inflated);
            self.put_inflater(inflater);
        }
    }
}
