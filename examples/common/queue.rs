//! Lines that a server has not acknowledged yet, in order, and at most so many.

use std::collections::VecDeque;

/// The queue. Each line has a number, and waits here until the server has sent that back.
pub(crate) struct Queue {
    lines: VecDeque<Line>,
    most: usize,
    /// How many, from the front, were sent over the present connection.
    sent: usize,
    next_number: u64,
    pub(crate) acknowledged: u64,
}

struct Line {
    number: u64,
    text: String,
    /// Whether it was sent over an earlier connection: nobody knows if it arrived.
    doubtful: bool,
}

impl Queue {
    /// A queue for this many lines.
    pub(crate) fn new(most: usize) -> Self {
        Self {
            lines: VecDeque::new(),
            most,
            sent: 0,
            next_number: 1,
            acknowledged: 0,
        }
    }

    /// How many lines wait.
    pub(crate) fn len(&self) -> usize {
        self.lines.len()
    }

    /// Whether no more lines are taken.
    pub(crate) fn is_full(&self) -> bool {
        self.lines.len() >= self.most
    }

    /// Takes a line; `Err` with its number if there is no room.
    pub(crate) fn push(&mut self, text: String) -> Result<(), u64> {
        let number = self.next_number;
        self.next_number += 1;
        if self.is_full() {
            return Err(number);
        }
        self.lines.push_back(Line {
            number,
            text,
            doubtful: false,
        });
        Ok(())
    }

    /// The next message to send, and its number if it may be received for the second time; the message says so too,
    /// by an asterisk.
    pub(crate) fn next_to_send(&self) -> Option<(String, Option<u64>)> {
        let Line {
            number,
            text,
            doubtful,
        } = self.lines.get(self.sent)?;
        Some(if *doubtful {
            (format!("{number}* {text}"), Some(*number))
        } else {
            (format!("{number} {text}"), None)
        })
    }

    /// That message was sent.
    pub(crate) fn sent(&mut self) {
        self.sent += 1;
    }

    /// The connection is gone: what was sent over it and not acknowledged is to be sent again.
    pub(crate) fn disconnected(&mut self) {
        for line in self.lines.iter_mut().take(self.sent) {
            line.doubtful = true;
        }
        self.sent = 0;
    }

    /// A message came back, which acknowledges the oldest line. `None` if it is not that one.
    pub(crate) fn acknowledge(&mut self, message: &str) -> Option<String> {
        let number = message.split([' ', '*']).next()?.parse().ok()?;
        if self.sent == 0 || self.lines.front()?.number != number {
            return None;
        }
        self.sent -= 1;
        self.acknowledged += 1;
        self.lines.pop_front().map(|line| line.text)
    }
}
