//! Where an `Input` stands, and what was found there.

use core::ops::Range;

use crate::close::CloseCode;
use crate::connection::MessageKind;
use crate::error::Violation;
use crate::frame::Rsv;

/// Where an [`Input`](crate::Input) stands.
#[derive(Debug)]
pub(crate) struct Cursor {
    /// Bytes before `start` are used up, bytes from `end` on are not filled.
    pub(crate) start: usize,
    pub(crate) end: usize,
    /// `receive` looks at no bytes from here on, by `Input::limit`.
    pub(crate) limit: usize,
    /// Where the bytes to look at end: at `end` or `limit`.
    pub(crate) stop: usize,
    /// Bytes before those that were read straight to the inbox's memory, and are not used up.
    pub(crate) gathered: usize,
    /// How many may be read there now.
    pub(crate) gather_space: usize,
    /// Where the space ends that bytes may be read into now, behind `end`.
    pub(crate) space_end: usize,
    pub(crate) found: Found,
    /// Whether the message goes on behind the piece of it that was found.
    pub(crate) goes_on: bool,
}

impl Cursor {
    /// To be called when `end` or `limit` has changed.
    pub(crate) fn update_stop(&mut self) {
        self.stop = self.end.min(self.limit);
    }

    /// Discards all bytes, those beyond the limit too.
    pub(crate) fn discard(&mut self) {
        self.gathered = 0;
        self.start = self.end;
        self.limit = self.limit.max(self.end);
        self.update_stop();
    }

    /// Goes behind a message that lies whole in the bytes. Nothing was unfinished before it, so that `goes_on` is false.
    #[inline]
    pub(crate) fn take_message(&mut self, kind: MessageKind, range: Range<usize>) {
        self.start = range.end;
        self.found = Found::message(kind == MessageKind::Text, Place::buffer(range));
    }
}

/// The event found last, as a place and not a borrow.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Found {
    /// Validated in the same call that found it.
    Text(Place),
    Binary(Place),
    Nothing,
    /// What an extension of the embedder's made of a message, what that is, and the bits on it.
    Extended(Place, MessageKind, Rsv),
    Ping(Place),
    Pong(Place),
    /// The code, if the Close frame had a body. The reason lies in the inbox.
    Close(Option<CloseCode>),
    /// No event, and there will be none.
    Violation(Violation),
}

impl Found {
    /// A message, or a piece of it.
    #[inline]
    pub(crate) fn message(text: bool, place: Place) -> Self {
        if text {
            Self::Text(place)
        } else {
            Self::Binary(place)
        }
    }
}

/// A range of the bytes given, or [`INBOX`](Self::INBOX).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    start: usize,
    end: usize,
}

impl Place {
    /// In the inbox: its message, or its control frame. No bytes have such a range.
    pub(crate) const INBOX: Self = Self { start: 1, end: 0 };

    #[inline]
    pub(crate) const fn buffer(range: Range<usize>) -> Self {
        Self {
            start: range.start,
            end: range.end,
        }
    }

    /// The range, unless it is in the inbox.
    #[inline]
    pub(crate) const fn range(self) -> Option<Range<usize>> {
        if self.start <= self.end {
            Some(self.start..self.end)
        } else {
            None
        }
    }

    /// The bytes there, unless that is the inbox: one comparison tells, as for any range.
    #[inline]
    pub(crate) fn of(self, bytes: &[u8]) -> Option<&[u8]> {
        bytes.get(self.start..self.end)
    }
}
