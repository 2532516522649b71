//! Bytes waiting to be written to the transport.

#[cfg(feature = "deflate")]
mod compressed;
mod pong;
mod put;
mod room;

#[cfg(feature = "deflate")]
pub(crate) use compressed::Compression;
use pong::{NO_PONG, Pong};
pub(crate) use put::{Frame, copy};
use room::{MOST_BYTES, MOST_BYTES_WITH_CONTROL};

use alloc::boxed::Box;
use core::mem;

#[cfg(feature = "deflate")]
use crate::deflate::{Deflater, Inflater, Pool};
use crate::error::SendError;
use crate::keys::{Generator, Seed};
use crate::mask::MaskingKey;
use crate::store::Store;

/// Bytes waiting to be written to the transport, and a client's source of masking keys.
///
/// Everything that is sent is appended here, in order: handshakes, frames, automatic replies. The
/// embedder writes [`bytes`](Self::bytes) to its transport, as many as that takes, and tells how many
/// by [`consume`](Self::consume).
///
/// An empty outbox that was [released](Self::release), or never used, has no heap memory, but for what that names.
///
/// ```
/// use ws_proto::{Config, Connection, Outbox, Role};
///
/// let mut connection = Connection::new(Role::Server, &Config::default());
/// let mut outbox = Outbox::new();
/// connection.send_text("Hello", &mut outbox)?;
/// assert_eq!(outbox.bytes(), b"\x81\x05Hello");
/// outbox.consume(3); // the transport took three bytes
/// assert_eq!(outbox.bytes(), b"ello");
/// # Ok::<(), ws_proto::SendError>(())
/// ```
#[derive(Debug)]
pub struct Outbox {
    /// Bytes before `start` were consumed.
    buffer: Store,
    start: u32,
    max_bytes: u32,
    /// Where in `buffer` the automatic Pong begins of which nothing was consumed yet, or [`NO_PONG`].
    pong: u32,
    /// Where in `buffer` the Close frame ends, until all of it is consumed; 0 if none waits.
    close_end: u32,
    seed: Seed,
    in_use: Option<Box<InUse>>,
    #[cfg(feature = "deflate")]
    pool: Option<Pool>,
}

/// What an outbox has on the heap besides bytes, while it is in use.
#[derive(Debug, Default)]
struct InUse {
    /// Draws masking keys. The seed it grew from is not used again.
    generator: Generator,
    /// The automatic Pong that goes out after the one in the buffer: the answer to the latest Ping.
    next_pong: Option<Pong>,
    /// The one in the buffer is not to be replaced: a write has it.
    pong_is_lent: bool,
    /// Not an inbox's, since that has no room for it: here one pointer serves for all.
    #[cfg(feature = "deflate")]
    inflater: Option<Box<Inflater>>,
    #[cfg(feature = "deflate")]
    deflater: Option<Box<Deflater>>,
}

impl InUse {
    fn is_empty(&self) -> bool {
        #[cfg(feature = "deflate")]
        if self.inflater.is_some() || self.deflater.is_some() {
            return false;
        }
        self.generator.is_none() && self.next_pong.is_none()
    }
}

/// The operating system gave no randomness.
#[cfg(feature = "std")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the operating system gave no randomness")]
pub struct RandomError;

impl Outbox {
    /// Default of [`set_max_bytes`](Self::set_max_bytes): 1 MiB.
    pub const DEFAULT_MAX_BYTES: u32 = 1 << 20;

    /// A server's outbox, empty. Server frames are not masked (RFC 6455 §5.1).
    ///
    /// In a client it refuses every frame with [`SendError::NoMaskingKeys`], and an automatic reply that
    /// becomes due fails the connection.
    pub const fn new() -> Self {
        Self::with_seed(Seed::NONE)
    }

    /// A client's outbox, empty. Masking keys, a fresh one for every frame, and the Sec-WebSocket-Key come from a
    /// ChaCha12 generator with this seed (RFC 6455 §5.3).
    ///
    /// The seed has to be 16 bytes that nobody can foresee, from the operating system or a hardware
    /// generator, and must not be used twice. The same seed gives the same keys, for tests.
    pub const fn client(seed: [u8; 16]) -> Self {
        Self::with_seed(Seed::new(seed))
    }

    /// A client's outbox seeded by the operating system.
    ///
    /// # Errors
    /// [`RandomError`] if that gives no randomness.
    #[cfg(feature = "std")]
    pub fn client_from_os() -> Result<Self, RandomError> {
        use rand::TryRng;
        let mut seed = [0; 16];
        rand::rngs::SysRng
            .try_fill_bytes(&mut seed)
            .map_err(|_| RandomError)?;
        Ok(Self::client(seed))
    }

    const fn with_seed(seed: Seed) -> Self {
        Self {
            buffer: Store::new(),
            start: 0,
            max_bytes: Self::DEFAULT_MAX_BYTES,
            pong: NO_PONG,
            close_end: 0,
            seed,
            in_use: None,
            #[cfg(feature = "deflate")]
            pool: None,
        }
    }

    /// The bytes to write next; empty if nothing waits.
    ///
    /// Until something is received: a newer Ping replaces the Pong at their end. For a write that may last longer, see [`lend`](Self::lend).
    #[inline]
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.buffer[self.start as usize..]
    }

    /// [`bytes`](Self::bytes) for a write that is in flight while something is received or sent, as in a completion loop, or that has to be
    /// tried again with the same bytes, as with some TLS libraries: until they are [consumed](Self::consume), what comes goes behind
    /// them. They may move in memory.
    ///
    /// ```
    /// use ws_proto::{Config, Connection, Inbox, Input, Outbox, Role};
    ///
    /// let mut connection = Connection::new(Role::Server, &Config::default());
    /// let (mut inbox, mut outbox) = (Inbox::new(), Outbox::new());
    /// let mut input = Input::new(*b"\x89\x82\0\0\0\0p1\x89\x82\0\0\0\0p2", &mut inbox);
    ///
    /// connection.receive(&mut input, &mut outbox)?; // the first Ping
    /// let in_flight = outbox.lend().to_vec();
    /// connection.receive(&mut input, &mut outbox)?; // the second one
    /// assert_eq!((&in_flight[..], outbox.bytes()), (&b"\x8a\x02p1"[..], &b"\x8a\x02p1"[..]));
    /// outbox.consume(in_flight.len());
    /// assert_eq!(outbox.bytes(), b"\x8a\x02p2");
    /// # Ok::<(), ws_proto::Violation>(())
    /// ```
    #[must_use]
    pub fn lend(&mut self) -> &[u8] {
        if self.pong != NO_PONG {
            self.in_use().pong_is_lent = true;
        }
        self.bytes()
    }

    /// Number of bytes that wait.
    #[inline]
    pub fn len(&self) -> usize {
        self.buffer.len() - self.start as usize
    }

    /// Whether nothing waits.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether as many bytes wait as may, or more: messages, Pings and Pongs that the embedder sends are refused with
    /// [`SendError::Full`] until some are consumed.
    #[inline]
    pub fn is_full(&self) -> bool {
        self.len() >= self.max_bytes as usize
    }

    /// Sets the high-water mark in bytes; with 0 nothing is sent but automatic replies and Close frames. One message may pass it, up
    /// to 4 GiB in all, 2 GiB on 32 bits; what is sent after it is refused. Automatic replies always fit below that: they are at most two
    /// Pongs, one of which waits outside, and one Close frame.
    ///
    /// The buffer is at most 600 bytes and four times what has waited at once: it doubles when it grows, and the room of consumed
    /// bytes is used again once they are more than half of it.
    pub fn set_max_bytes(&mut self, max_bytes: u32) {
        self.max_bytes = max_bytes.min(MOST_BYTES);
    }

    /// Forgets the first `n` of [`bytes`](Self::bytes): the transport has taken them. More than there are
    /// counts as all. A Pong that waited for its turn may move up, so that bytes may wait again.
    pub fn consume(&mut self, n: usize) {
        if self.forget(n) {
            self.push_next_pong();
        }
    }

    /// [`consume`](Self::consume) for a write of more than [`bytes`](Self::bytes): of `parts` behind them, a header of
    /// [`Connection::send_header`](crate::Connection::send_header), say, and the payload. What it did not take of these is copied and waits,
    /// so that nobody else has to keep them. To be called before anything else is received or sent.
    ///
    /// ```
    /// use ws_proto::{Config, Connection, Outbox, Role};
    ///
    /// let mut connection = Connection::new(Role::Server, &Config::default());
    /// let mut outbox = Outbox::new();
    /// let header = connection.send_text_header("Hello", &mut outbox)?;
    /// let parts: [&[u8]; 2] = [&header, b"Hello"]; // behind `outbox.bytes()`, by one write, which took 4 bytes
    /// outbox.consume_with(4, &parts)?;
    /// assert_eq!(outbox.bytes(), b"llo");
    /// # Ok::<(), ws_proto::SendError>(())
    /// ```
    ///
    /// # Errors
    /// [`SendError::Full`] if more than 4 GiB would wait, 2 GiB on 32 bits. Nothing is forgotten then, nor copied.
    pub fn consume_with(&mut self, n: usize, parts: &[&[u8]]) -> Result<(), SendError> {
        let mut taken = n.saturating_sub(self.len());
        let given = parts
            .iter()
            .fold(0, |sum: usize, part| sum.saturating_add(part.len()));
        let rest = given.saturating_sub(taken);
        let left = self.len().saturating_sub(n);
        if rest > 0 && left.saturating_add(rest) > MOST_BYTES as usize {
            return Err(SendError::Full);
        }
        let pong_is_due = self.forget(n);
        if rest > 0 {
            self.check_room(rest)?; // there is, if need be where consumed bytes were
        }
        for part in parts {
            let (_, rest) = part.split_at(taken.min(part.len()));
            taken -= part.len() - rest.len();
            self.append(rest);
        }
        if pong_is_due {
            self.push_next_pong();
        }
        Ok(())
    }

    /// Forgets the first `n` bytes; whether the automatic Pong goes out among them, so that the next one may move up.
    fn forget(&mut self, n: usize) -> bool {
        self.start += n.min(self.len()) as u32; // 32 bits count them all: see `check_room`
        let pong_goes_out = self.pong < self.start;
        if pong_goes_out {
            self.pong = NO_PONG;
        }
        if self.is_empty() {
            self.buffer.truncate(0);
            self.start = 0;
            self.close_end = 0;
        }
        pong_goes_out
    }

    /// Gives all heap memory back if nothing waits, but for the contexts of compression that are taken over from one
    /// message to the next, and for the answer to a Ping that came inside of a frame which is being sent. Later sends take it anew.
    pub fn release(&mut self) {
        if !self.is_empty() {
            return;
        }
        self.buffer = Store::new();
        self.start = 0;
        if let Some(mut in_use) = self.in_use.take() {
            if let Some(nonce) = mem::take(&mut in_use.generator).nonce() {
                self.seed = Seed::new(nonce);
            }
            #[cfg(feature = "deflate")]
            {
                in_use.inflater.take_if(|inflater| !inflater.has_context());
                in_use.deflater.take_if(|deflater| !deflater.has_context());
            }
            self.in_use = Some(in_use).filter(|in_use| !in_use.is_empty());
        }
    }

    /// Forgets what was compressed and decompressed, and the answer to a Ping that waits beside the bytes: for another connection,
    /// whose peer knows nothing of them.
    ///
    /// The opening handshake does so. For whoever does that elsewhere and uses an outbox again.
    pub fn forget_contexts(&mut self) {
        self.forget_next_pong();
        self.end_receiving();
        self.end_sending();
    }

    /// Says that nothing more is received.
    pub(crate) fn end_receiving(&mut self) {
        #[cfg(feature = "deflate")]
        self.end_inflating();
    }

    /// Says that no message is sent any more.
    pub(crate) fn end_sending(&mut self) {
        #[cfg(feature = "deflate")]
        self.end_deflating();
    }

    /// Appends bytes as they are.
    pub(crate) fn append(&mut self, bytes: &[u8]) {
        self.append_all([bytes]);
    }

    /// Appends these as they are, one behind the other, with one look at the room.
    #[inline(always)]
    pub(crate) fn append_all<const N: usize>(&mut self, parts: [&[u8]; N]) {
        let len = parts.iter().map(|part| part.len()).sum();
        self.make_room(len);
        let mut spare = &mut self.buffer.spare()[..len];
        for part in parts {
            let room = spare.split_off_mut(..part.len()).unwrap_or_default();
            room.copy_from_slice(part);
        }
        self.buffer.add_spare(len);
    }

    /// 16 fresh bytes for a Sec-WebSocket-Key; `None` in a server's outbox.
    pub(crate) fn nonce(&mut self) -> Option<[u8; 16]> {
        self.generator()?.nonce()
    }

    /// Draws masking keys, if the generator is in use and no key is at hand; whether it did.
    pub(crate) fn draw_keys(&mut self) -> bool {
        self.in_use.as_mut().is_some_and(|in_use| in_use.generator.draw())
    }

    /// A fresh masking key.
    pub(crate) fn masking_key(&mut self) -> Result<MaskingKey, SendError> {
        let generator = self.generator().ok_or(SendError::NoMaskingKeys)?;
        generator.draw();
        generator.key_at_hand().ok_or(SendError::NoMaskingKeys)
    }

    /// The generator in use, if there is a seed for one.
    fn generator(&mut self) -> Option<&mut Generator> {
        if self
            .in_use
            .as_ref()
            .is_none_or(|in_use| in_use.generator.is_none())
        {
            let generator = self.seed.generator()?;
            self.in_use().generator = generator;
        }
        Some(&mut self.in_use().generator)
    }

    fn in_use(&mut self) -> &mut InUse {
        self.in_use.get_or_insert_default()
    }

    /// Appends a frame.
    pub(crate) fn push(&mut self, frame: Frame<'_>) -> Result<(), SendError> {
        let most = if frame.opcode.is_control() {
            MOST_BYTES_WITH_CONTROL
        } else {
            MOST_BYTES
        };
        self.check_room_below(most, frame.payload.len())?;
        match self.put(frame) {
            Some(()) => Ok(()),
            None => self.prepare_and_push(frame),
        }
    }

    /// Makes room and draws keys first.
    #[cold]
    fn prepare_and_push(&mut self, frame: Frame<'_>) -> Result<(), SendError> {
        self.make_room(frame.room());
        if frame.masked {
            self.generator().ok_or(SendError::NoMaskingKeys)?.draw();
        }
        self.push(frame)
    }

    /// Appends our Close frame.
    pub(crate) fn push_close(&mut self, frame: Frame<'_>) -> Result<(), SendError> {
        self.push(frame)?;
        self.may_hold_close();
        Ok(())
    }

    /// Says that the bytes that wait may hold our Close frame.
    pub(crate) fn may_hold_close(&mut self) {
        self.close_end = self.buffer.len() as u32; // 32 bits count them all: see `check_room`
    }

    /// Whether our Close frame, or a part of it, was not consumed yet. What waits behind it, the answer to a Ping
    /// that came before the peer's Close, does not count.
    pub(crate) fn has_close(&self) -> bool {
        self.close_end > self.start
    }
}

impl Default for Outbox {
    fn default() -> Self {
        Self::new()
    }
}
