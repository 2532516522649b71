//! The event found last, as it is lent.

use core::ops::Range;

use super::Input;
use crate::buffer::{Buffer, InboxSlot};
use crate::close::Close;
use crate::connection::MessageKind;
use crate::cursor::{Found, Place};
use crate::frame::Rsv;

/// Something that the peer sent, lent by an [`Input`].
///
/// Pings and Close frames are answered already when the event shows, unless the [`Config`](crate::Config)
/// says otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// A text message (RFC 6455 §5.6), valid UTF-8; with [`Config::pieces`](crate::Config::pieces) a piece of one, cut between characters:
    /// [`Input::is_message_end`] tells the last.
    Text(&'a str),
    /// A binary message (RFC 6455 §5.6), or a piece of one; or what an extension of the embedder's made of a message: see [`Input::extended`].
    Binary(&'a [u8]),
    /// A Ping, with at most 125 bytes (RFC 6455 §5.5.2).
    Ping(&'a [u8]),
    /// A Pong, asked for or not, with at most 125 bytes (RFC 6455 §5.5.3).
    Pong(&'a [u8]),
    /// The peer's Close frame (RFC 6455 §5.5.1); `None` if it has no body. What comes behind it is discarded.
    Close(Option<Close<'a>>),
}

impl<B: Buffer, I: InboxSlot> Input<B, I> {
    /// The event that the latest `Connection::receive` found. It is there until the next call, and until
    /// [`space`](Self::space), [`spaces`](Self::spaces) or [`release`](Self::release).
    ///
    /// If there is none, an empty Pong, which asks for nothing.
    #[inline]
    pub fn event(&self) -> Event<'_> {
        match self.cursor.found {
            Found::Text(place) => Event::Text(self.text(place)),
            Found::Binary(place) => Event::Binary(self.message(place)),
            _ => self.rarer_event(),
        }
    }

    #[cold]
    #[inline(never)]
    fn rarer_event(&self) -> Event<'_> {
        match self.cursor.found {
            Found::Extended(place, ..) => Event::Binary(self.message(place)),
            Found::Ping(place) => Event::Ping(self.control(place)),
            Found::Close(code) => {
                Event::Close(code.map(|code| Close::new(code, self.inbox().close_reason())))
            }
            Found::Pong(place) => Event::Pong(self.control(place)),
            _ => Event::Pong(&[]),
        }
    }

    /// Where the payload data of the event lies in the bytes given, if it lies there whole; `None` if it
    /// was gathered in the inbox, or is a Close frame's.
    ///
    /// For owners of reference-counted buffers, who can split the message off without a copy.
    pub fn event_range(&self) -> Option<Range<usize>> {
        match self.cursor.found {
            Found::Text(place)
            | Found::Binary(place)
            | Found::Extended(place, ..)
            | Found::Ping(place)
            | Found::Pong(place) => place.range(),
            _ => None,
        }
    }

    /// Whether a message ends with the text or binary event found last. Always so, unless messages are lent in
    /// [pieces](crate::Config::pieces); control frames may come between those.
    pub fn is_message_end(&self) -> bool {
        !self.cursor.goes_on
    }

    /// If the event found last is a message with [reserved bits](crate::Config::reserved_bits) of an extension that the
    /// embedder does itself: what it is, and the bits. Such a message is lent as [`Event::Binary`], text too, since what
    /// is text can be said only when the extension's work is undone.
    ///
    /// If permessage-deflate is in use beside it, that is undone already.
    pub fn extended(&self) -> Option<(MessageKind, Rsv)> {
        match self.cursor.found {
            Found::Extended(_, kind, bits) => Some((kind, bits)),
            _ => None,
        }
    }

    #[inline]
    fn message(&self, place: Place) -> &[u8] {
        match place.of(self.buffer.bytes()) {
            Some(message) => message,
            None => self.inbox().message(),
        }
    }

    #[inline]
    fn control(&self, place: Place) -> &[u8] {
        match place.of(self.buffer.bytes()) {
            Some(control) => control,
            None => self.inbox().control(),
        }
    }

    #[inline]
    #[allow(unsafe_code)]
    fn text(&self, place: Place) -> &str {
        let text = match place.of(self.buffer.bytes()) {
            Some(text) => text,
            None => self.inbox().text(),
        };
        // SAFETY: in the buffer, `receive` validated exactly this range when it set `found`. Since then only `space` and `spaces`
        // gave out the buffer's bytes to change, which end `found`, and `parts`, to `receive`: that writes behind the range
        // alone, from `cursor.start` on, and sets `found` anew. The buffer is one of the types in `buffer.rs`, which change for nobody else. In the inbox, every byte of a
        // `Content::Text` message went through the validator, and `message` leaves out the octets of a character that
        // is not complete.
        unsafe { core::str::from_utf8_unchecked(text) }
    }
}
