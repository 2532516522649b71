//! How large messages are, plain and as they are on the wire: in one direction of a connection that compresses.
//!
//! A tap sees frames, and so what is on the wire; the receive loop sees messages, and so how many bytes those have.
//! Which of them sees a message first depends on the direction.

use std::collections::VecDeque;

use ws_proto::frame::{Header, Opcode, Rsv};

/// Counts the messages of one direction.
#[derive(Default)]
pub(crate) struct Sizes {
    /// The message whose frames are passing.
    passing: Wire,
    /// Messages of which the number of bytes is not known yet.
    passed: VecDeque<Wire>,
    /// Bytes of messages that have not passed yet.
    plain: VecDeque<usize>,
    messages: u64,
    plain_total: u64,
    wire_total: u64,
}

/// A message on the wire.
#[derive(Default)]
struct Wire {
    compressed: bool,
    /// Bytes of payload data in all of its frames. The headers, which compression leaves alone, do not count.
    bytes: u64,
}

impl Sizes {
    /// A frame has passed.
    pub(crate) fn frame(&mut self, header: &Header) {
        if header.opcode.is_control() {
            return;
        }
        // RFC 7692 §6: the first frame tells.
        if header.opcode != Opcode::CONTINUATION {
            self.passing.compressed = header.rsv.contains(Rsv::RSV1);
        }
        self.passing.bytes += header.payload_len;
        if header.fin {
            self.passed.push_back(std::mem::take(&mut self.passing));
        }
    }

    /// A message of so many bytes was received, or is to be sent.
    pub(crate) fn message(&mut self, plain: usize) {
        self.plain.push_back(plain);
    }

    /// The next message of which both is known, as the members of a JSON object: its sizes, and those of all so far.
    pub(crate) fn describe_next(&mut self) -> Option<String> {
        let (&plain, wire) = (self.plain.front()?, self.passed.pop_front()?);
        self.plain.pop_front();
        self.messages += 1;
        self.plain_total += plain as u64;
        self.wire_total += wire.bytes;
        Some(format!(
            r#""compressed":{},"plain":{plain},"wire":{},"messages":{},"plain_total":{},"wire_total":{}"#,
            wire.compressed, wire.bytes, self.messages, self.plain_total, self.wire_total,
        ))
    }
}
