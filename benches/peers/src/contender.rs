//! What is measured: a contender does one job again and again, and shows each result to [`Seen`].

use std::hint::black_box;

use crate::workloads::Message;

/// One way to do a job.
pub trait Contender {
    /// Does the job once: a round of messages.
    fn run(&mut self, seen: &mut Seen<'_>);

    /// What an idle connection holds; `None` if this is none.
    fn idle(&self) -> Option<Idle> {
        None
    }
}

/// What of a contender's memory is the connection's.
pub struct Idle {
    /// Bytes of the connection's own values, without the transport.
    pub inline: usize,
    /// Bytes on the heap that serve all connections of a thread.
    pub shared: usize,
}

/// A contender, or why it is left out.
pub type Entry = Result<Box<dyn Contender>, &'static str>;

/// The application that the messages are for. It counts them; in a check it compares them, too.
pub struct Seen<'a> {
    pub messages: u64,
    pub bytes: u64,
    expected: Option<&'a [Message]>,
    /// Of the message that comes in pieces.
    gathered: Vec<u8>,
}

impl<'a> Seen<'a> {
    pub fn counting() -> Self {
        Self {
            messages: 0,
            bytes: 0,
            expected: None,
            gathered: Vec::new(),
        }
    }

    pub fn comparing(expected: &'a [Message]) -> Self {
        Self {
            expected: Some(expected),
            ..Self::counting()
        }
    }

    /// A whole message.
    #[inline(always)]
    pub fn message(&mut self, text: bool, payload: &[u8]) {
        self.messages += 1;
        self.bytes += payload.len() as u64;
        if self.expected.is_some() {
            self.compare(text, payload);
        }
        black_box(payload);
    }

    /// A piece of a message; [`end`](Self::end) comes behind the last one.
    #[inline(always)]
    pub fn piece(&mut self, piece: &[u8]) {
        self.bytes += piece.len() as u64;
        if self.expected.is_some() {
            self.gathered.extend_from_slice(piece);
        }
        black_box(piece);
    }

    #[inline(always)]
    pub fn end(&mut self, text: bool) {
        self.messages += 1;
        if self.expected.is_some() {
            let gathered = std::mem::take(&mut self.gathered);
            self.compare(text, &gathered);
        }
    }

    #[cold]
    #[inline(never)]
    fn compare(&mut self, text: bool, payload: &[u8]) {
        let expected = self.expected.unwrap_or_default();
        let message = &expected[(self.messages - 1) as usize % expected.len()];
        assert_eq!(text, message.text, "the kind of message {}", self.messages);
        assert!(
            *payload == message.payload[..],
            "the payload of message {}",
            self.messages
        );
    }
}
