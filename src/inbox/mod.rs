//! Bytes of a message that is not complete yet.

#[cfg(feature = "deflate")]
mod inflated;

#[cfg(feature = "deflate")]
pub(crate) use inflated::InflateLimits;

use crate::frame::MAX_CONTROL_BYTES;
use crate::mask::MaskingKey;
use crate::store::Store;
use crate::utf8::{InvalidUtf8, Validator};

/// Bytes received of a message that is not complete yet, unmasked.
///
/// Only what does not lie whole in the bytes given to `Connection::receive` is copied here: a message
/// that straddles two reads, the fragments of one, a control frame cut in two. What goes on a long message can be read straight
/// to here ([`Input::spaces`](crate::Input::spaces)). Compressed messages are inflated here.
///
/// It grows with what was received, whatever a header declares: its capacity is at most the received bytes, an eighth more
/// (of `max_message_bytes` at most), and 64 KiB; for a compressed message 16 KiB more than it has inflated to so far, or
/// twice as much, within `max_message_bytes`. An inbox that was never used, or [released](Self::release), has no
/// heap memory.
///
/// ```
/// use ws_proto::{Config, Connection, Event, Inbox, Input, Outbox, Role};
///
/// let mut connection = Connection::new(Role::Client, &Config::default());
/// let (mut inbox, mut outbox) = (Inbox::new(), Outbox::client([7; 16]));
/// // Two reads, and a message that straddles them.
/// let mut input = Input::new(*b"\x81\x05Hel", &mut inbox);
/// assert!(!connection.receive(&mut input, &mut outbox)?);
/// assert_eq!(inbox.len(), 3);
/// let mut input = Input::new(*b"lo\x88\x05\x03\xe8bye", &mut inbox);
/// assert!(connection.receive(&mut input, &mut outbox)?);
/// assert_eq!(input.event(), Event::Text("Hello"));
/// assert!(connection.receive(&mut input, &mut outbox)?);
/// assert_eq!(inbox.close_reason(), "bye");
/// # Ok::<(), ws_proto::Violation>(())
/// ```
#[derive(Debug, Default)]
pub struct Inbox {
    /// The message, then `control_len` bytes of a control frame.
    bytes: Store,
    control_len: u8,
    content: Content,
    lent: Lent,
    /// Has seen all bytes of a message that is `Content::Text`: the octets of a character that is not complete are the
    /// last ones of it.
    validator: Validator,
}

/// What the bytes in front of the control frame are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Content {
    #[default]
    Binary,
    /// Valid UTF-8, as far as `validator` says.
    Text,
    /// The reason of the Close frame received.
    Reason,
}

/// What the latest event lent out. It goes before the next one is looked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Lent {
    #[default]
    Nothing,
    Message,
    Control,
}

/// Capacity beyond what was received: at least, and at most for the sake of a declared length.
const LEAST_SPARE_BYTES: usize = 256;
const MOST_DECLARED_BYTES: usize = 64 << 10;
const PAGE_BYTES: usize = 4 << 10;

/// Bytes of text that are copied and then validated, so that the second look finds them in the L1 cache.
const PIECE_BYTES: usize = 4 << 10;

impl Inbox {
    /// An empty inbox.
    pub const fn new() -> Self {
        Self {
            bytes: Store::new(),
            control_len: 0,
            content: Content::Binary,
            lent: Lent::Nothing,
            validator: Validator::new(),
        }
    }

    /// Number of bytes kept of a message or control frame that is not complete yet.
    pub fn len(&self) -> usize {
        match self.lent {
            _ if self.content == Content::Reason => 0,
            Lent::Nothing => self.bytes.len(),
            Lent::Control => self.message_len(),
            Lent::Message => self.cut_len(),
        }
    }

    /// Whether nothing is kept of a message or control frame that is not complete yet.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The bytes kept of a message, and behind them those of a control frame, that are not complete yet: the other half
    /// of what [`Connection::to_bytes`](crate::Connection::to_bytes) gives.
    pub fn unfinished(&self) -> &[u8] {
        let end = match self.lent {
            Lent::Control => self.message_len(),
            _ => self.bytes.len(),
        };
        &self.bytes[end - self.len()..end]
    }

    /// An inbox with these bytes, the last `control_len` of which are a control frame's. `None` if they cannot be.
    pub(crate) fn resume(bytes: &[u8], control_len: u8, text: bool) -> Option<Self> {
        let message = bytes.get(..bytes.len().checked_sub(usize::from(control_len))?)?;
        if usize::from(control_len) > MAX_CONTROL_BYTES {
            return None;
        }
        let mut inbox = Self::new();
        inbox.begin(text);
        inbox.extend(message, MaskingKey::default(), 0).ok()?;
        inbox.extend_control(&bytes[message.len()..], MaskingKey::default());
        Some(inbox)
    }

    /// Bytes kept of a control frame.
    pub(crate) fn control_len(&self) -> u8 {
        self.control_len
    }

    /// Gives all heap memory back if nothing is kept, and there is no [`close_reason`](Self::close_reason). Later messages take it anew.
    ///
    /// Call it when a connection goes idle, and not while an event is in use.
    pub fn release(&mut self) {
        self.settle();
        // What a message is, and where its text stands, is to be kept though none of its bytes have come.
        if self.bytes.is_empty() {
            self.bytes = Store::new();
        }
    }

    /// The reason of the Close frame received; empty if none came, or without one (RFC 6455 §7.1.6).
    ///
    /// It is for developers and logs. RFC 6455 §5.5.1 forbids to show it to end users.
    pub fn close_reason(&self) -> &str {
        match self.content {
            Content::Reason => core::str::from_utf8(&self.bytes).unwrap_or_default(),
            _ => "",
        }
    }

    /// Bytes of the message so far.
    pub(crate) fn message_len(&self) -> usize {
        self.bytes.len() - usize::from(self.control_len)
    }

    /// Drops what the latest event lent.
    #[inline]
    pub(crate) fn settle(&mut self) {
        match self.lent {
            Lent::Nothing => return,
            Lent::Message => {
                // The beginning of a character stays, for the next piece.
                let cut = self.cut_len();
                self.bytes.keep_end(cut);
            }
            Lent::Control => self.bytes.truncate(self.message_len()),
        }
        self.control_len = 0;
        self.lent = Lent::Nothing;
    }

    /// Begins a message.
    pub(crate) fn begin(&mut self, text: bool) {
        self.bytes.truncate(0);
        self.control_len = 0;
        self.content = if text { Content::Text } else { Content::Binary };
        self.validator = Validator::new();
    }

    /// Adds bytes to the message, unmasking them (a key of zeros changes nothing) and validating text. `declared` more are to come in
    /// their frame.
    pub(crate) fn extend(&mut self, bytes: &[u8], key: MaskingKey, declared: u64) -> Result<(), InvalidUtf8> {
        if self.control_len > 0 {
            self.drop_control();
        }
        self.make_room(bytes.len(), declared);
        if self.content != Content::Text {
            self.bytes.push_masked(key, bytes);
            return Ok(());
        }
        for (i, piece) in bytes.chunks(PIECE_BYTES).enumerate() {
            let start = self.bytes.len();
            self.bytes.push_masked(key, piece);
            if let Err(error) = self.validator.feed(&self.bytes[start..]) {
                self.begin(false); // no connection is to go on with what is no text
                return Err(InvalidUtf8 {
                    offset: i * PIECE_BYTES + error.offset,
                });
            }
        }
        Ok(())
    }

    /// Memory for the next bytes of the message, of which so many are to come in their frame: to be written to, and then
    /// [taken](Self::take_space). None for less than a page, which is copied as fast. What the latest event lent is dropped.
    pub(crate) fn space(&mut self, declared: u64) -> &mut [u8] {
        self.settle();
        let declared_len = usize::try_from(declared).unwrap_or(usize::MAX);
        if declared_len < PAGE_BYTES {
            return &mut [];
        }
        self.drop_control();
        if self.bytes.spare().len() < PAGE_BYTES {
            self.grow(0, declared);
        }
        let spare = self.bytes.spare();
        let len = spare.len().min(declared_len);
        &mut spare[..len]
    }

    /// Adds the first `n` bytes of [`space`](Self::space) to the message, unmasking them where they are and validating text.
    pub(crate) fn take_space(&mut self, n: usize, key: MaskingKey) -> Result<(), InvalidUtf8> {
        let Some(bytes) = self.bytes.spare().get_mut(..n) else {
            return Ok(()); // whoever mixes connections up may have filled it
        };
        if self.content != Content::Text {
            key.apply(bytes);
        } else if let Err(error) = self.validator.unmask(key, bytes) {
            self.begin(false); // no connection is to go on with what is no text
            return Err(error);
        }
        self.bytes.add_spare(n);
        Ok(())
    }

    /// Unmasks the next bytes of a text that is lent in pieces, where they are, and validates them. The beginning of a
    /// character at their end is kept: how many octets that is.
    pub(crate) fn unmask_around(&mut self, key: MaskingKey, text: &mut [u8]) -> Result<usize, InvalidUtf8> {
        // Nothing is kept: the beginning of a character is completed first, by `extend`. Whoever mixes connections up may
        // have left something.
        self.bytes.truncate(0);
        self.control_len = 0;
        self.validator = Validator::new();
        self.validator.unmask(key, text)?;
        let cut = self.validator.partial_len();
        if cut > 0 {
            self.make_room(cut, 0);
            self.bytes.push(&text[text.len() - cut..]);
        }
        Ok(cut)
    }

    /// Octets of the character whose beginning is kept, of a text.
    pub(crate) fn partial_len(&self) -> usize {
        self.validator.partial_len()
    }

    /// How many octets the character needs whose beginning is kept.
    pub(crate) fn missing_octets(&self) -> usize {
        self.validator.missing_octets()
    }

    /// Whether the message may end here: text does not end inside a character.
    pub(crate) fn may_end(&self) -> bool {
        self.content != Content::Text || self.validator.is_complete()
    }

    /// Adds bytes to the control frame behind the message.
    pub(crate) fn extend_control(&mut self, bytes: &[u8], key: MaskingKey) {
        if usize::from(self.control_len) + bytes.len() > MAX_CONTROL_BYTES {
            self.drop_control();
        }
        self.make_room(bytes.len(), 0);
        self.bytes.push_masked(key, bytes);
        self.control_len += bytes.len() as u8; // 125 at most, by the frame's header
    }

    /// Drops an unfinished control frame of another connection: its own comes to an end before anything else begins.
    pub(crate) fn drop_control(&mut self) {
        self.bytes.truncate(self.message_len());
        self.control_len = 0;
    }

    /// Whether a part of a control frame is kept.
    pub(crate) fn has_control(&self) -> bool {
        self.control_len > 0
    }

    /// Lends the message out until the next [`settle`](Self::settle).
    pub(crate) fn lend_message(&mut self) {
        self.drop_control();
        self.lent = Lent::Message;
    }

    /// Lends the control frame's payload data out until the next [`settle`](Self::settle).
    pub(crate) fn lend_control(&mut self) {
        self.lent = Lent::Control;
    }

    /// The message lent, or the piece of it.
    #[cold]
    #[inline(never)]
    pub(crate) fn message(&self) -> &[u8] {
        &self.bytes[..self.message_len().saturating_sub(self.cut_len())]
    }

    /// The text lent, valid UTF-8 by construction; empty if what is lent is none.
    #[cold]
    #[inline(never)]
    pub(crate) fn text(&self) -> &[u8] {
        match self.content {
            Content::Text => self.message(),
            _ => &[],
        }
    }

    /// Octets at the end of a text that are the beginning of a character.
    fn cut_len(&self) -> usize {
        if self.content == Content::Text {
            self.validator.partial_len()
        } else {
            0
        }
    }

    /// The control frame's payload data lent.
    pub(crate) fn control(&self) -> &[u8] {
        &self.bytes[self.message_len()..]
    }

    /// A copy of the control frame's payload data, at the front of `to`.
    pub(crate) fn copy_control<'a>(&self, to: &'a mut [u8; MAX_CONTROL_BYTES]) -> &'a [u8] {
        let control = self.control();
        let to = &mut to[..control.len()];
        to.copy_from_slice(control);
        to
    }

    /// Drops all that is kept, and its memory: nothing of it will be delivered.
    pub(crate) fn discard(&mut self) {
        *self = Self::new();
    }

    /// Keeps a Close frame's reason, in place of what is left of a message.
    pub(crate) fn keep_reason(&mut self, reason: &str) {
        self.bytes = Store::new();
        if !reason.is_empty() {
            self.bytes.reserve_exact(reason.len());
            self.bytes.push(reason.as_bytes());
        }
        self.control_len = 0;
        self.content = Content::Reason;
        self.lent = Lent::Nothing;
        self.validator = Validator::new();
    }

    fn make_room(&mut self, n: usize, declared: u64) {
        if self.bytes.capacity() - self.bytes.len() < n {
            self.grow(n, declared);
        }
    }

    /// Makes room for `n` bytes that came, and some of those that are declared.
    fn grow(&mut self, n: usize, declared: u64) {
        let len = self.bytes.len();
        // What is granted ahead for a declaration costs memory at once: no more than came, or a page.
        let most = (len + n).clamp(PAGE_BYTES, MOST_DECLARED_BYTES);
        let declared = declared.min(most as u64) as usize;
        self.bytes
            .reserve_ahead(n, declared.max((len + n) / 8).max(LEAST_SPARE_BYTES));
    }
}
