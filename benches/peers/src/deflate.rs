//! What is compressed, and how: permessage-deflate (RFC 7692), the same for all who let one choose.

use ws_proto::deflate::Parameters;
use zlib_rs::{Deflate, DeflateFlush};

use crate::aligned::Aligned;
use crate::workloads::Message;

#[path = "../../workload/json.rs"]
mod json;

/// zlib's defaults, which are this crate's: `mem_level` is 8 with all.
pub const LEVEL: u8 = 6;
pub const WINDOW_BITS: u8 = 15;

/// A sender drops these octets from the end of a message, a receiver adds them (RFC 7692 §7.2.1, §7.2.2).
pub const TAIL: [u8; 4] = [0x00, 0x00, 0xff, 0xff];

/// Whether messages refer to those before them.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Context {
    Kept,
    None,
}

impl Context {
    pub const ALL: [(Self, &str); 2] = [(Self::Kept, "kept"), (Self::None, "none")];

    pub fn parameters(self) -> Parameters {
        Parameters {
            server_no_context_takeover: self == Self::None,
            client_no_context_takeover: self == Self::None,
            ..Parameters::default()
        }
    }
}

/// Payload of a round that is received: more than the processor's prediction of branches learns by heart.
pub const RECEIVED_BYTES: usize = 512 << 10;

/// Payload of a round that is sent: more than a window reaches back to.
pub const SENT_BYTES: usize = 128 << 10;

/// Texts that follow one another, `len` bytes each.
pub fn messages(len: usize, round_bytes: usize) -> Vec<Message> {
    let message = |seed| Message {
        text: true,
        payload: Aligned::new(json::text(seed, len).as_bytes()),
    };
    (0..round_bytes / len).map(message).collect()
}

/// `zlib-rs` alone, compressing.
pub struct Compressor {
    deflate: Deflate,
    context: Context,
}

impl Compressor {
    pub fn new(context: Context) -> Self {
        Self {
            deflate: Deflate::new(LEVEL.into(), false, WINDOW_BITS),
            context,
        }
    }

    /// Room for a message of so many bytes, whatever it is.
    pub fn room(len: usize) -> usize {
        len + len / 8 + 64
    }

    /// Writes the octets of a message to the front of `to`; how many.
    pub fn compress(&mut self, payload: &[u8], to: &mut [u8]) -> usize {
        let flush = match self.context {
            Context::Kept => DeflateFlush::SyncFlush,
            // It forgets what it compressed, for less than a reset.
            Context::None => DeflateFlush::FullFlush,
        };
        let before = self.deflate.total_out();
        let done = self.deflate.compress(payload, to, flush);
        let len = (self.deflate.total_out() - before) as usize;
        assert!(done.is_ok() && len < to.len(), "all of it is flushed");
        len - TAIL.len()
    }
}

/// The compressed octets of each message.
pub fn compressed(messages: &[Message], context: Context) -> Vec<Vec<u8>> {
    let mut compressor = Compressor::new(context);
    let octets = messages.iter().map(|message| {
        let mut octets = vec![0; Compressor::room(message.payload.len())];
        let len = compressor.compress(&message.payload, &mut octets);
        octets.truncate(len);
        octets
    });
    octets.collect()
}
