//! Compressed texts: `zlib-rs` alone, and what RFC 7692 and a frame ask for around it.

use std::hint::black_box;

use zlib_rs::{Inflate, InflateFlush};

use super::Loop;
use super::kernel::{Kernel, rotated};
use crate::aligned::Aligned;
use crate::contender::Seen;
use crate::deflate::{Compressor, Context, TAIL, WINDOW_BITS};
use crate::peers::FLUSH_BYTES;
use crate::wire::Wire;
use crate::workloads::{self, Message};

/// Bytes behind a buffer that may be read.
const SLACK: usize = 64;

/// Bytes behind a message, with which `zlib-rs` writes all of it by its fast way.
const FAST: usize = 512;

/// FIN, RSV1, text.
const FIRST: u8 = 0xc1;
const MASKED: u8 = 0x80;

/// Messages of one frame each, inflated as they are read.
pub struct Receive {
    wire: Wire,
    buffer: Aligned,
    message: Vec<u8>,
    inflate: Inflate,
    context: Context,
    read_bytes: usize,
    messages: usize,
}

impl Receive {
    pub fn new(job: &workloads::Receive, context: Context) -> Self {
        assert!(job.server && job.is_text());
        Self {
            wire: job.wire(),
            buffer: Aligned::space(job.read_bytes + 2 * SLACK),
            message: vec![0; job.longest() + FAST],
            inflate: Inflate::new(false, WINDOW_BITS),
            context,
            read_bytes: job.read_bytes,
            messages: job.messages.len(),
        }
    }
}

/// Length of header, length of payload, key; `None` if there is not all of it.
#[inline(always)]
fn header(bytes: &[u8]) -> Option<(usize, usize, u32)> {
    let (first, rest) = bytes.split_first_chunk::<2>()?;
    assert!(first[0] == FIRST && first[1] & MASKED != 0);
    let (end, len) = match first[1] & !MASKED {
        126 => (4, u16::from_be_bytes(*rest.first_chunk()?).into()),
        127 => (10, u64::from_be_bytes(*rest.first_chunk()?)),
        len => (2, len.into()),
    };
    assert!(
        end == 2 || len >= if end == 4 { 126 } else { 1 << 16 },
        "the shortest form"
    );
    let key = u32::from_le_bytes(*bytes.get(end..)?.first_chunk()?);
    Some((end + 4, len as usize, key))
}

impl Loop for Receive {
    #[inline(always)]
    unsafe fn run<K: Kernel>(&mut self, seen: &mut Seen<'_>) {
        let last = seen.messages + self.messages as u64;
        let (mut left, mut key, mut filled) = (0, 0, 0);
        let (mut at, mut end) = (0, 0);
        while seen.messages < last {
            // At most the beginning of a header was not used.
            self.buffer.copy_within(at..end, 0);
            (at, end) = (0, end - at);
            end += self.wire.read_into(&mut self.buffer[end..end + self.read_bytes]);
            while at < end {
                if left == 0 {
                    let Some(header) = header(&self.buffer[at..end]) else {
                        break;
                    };
                    at += header.0;
                    (left, key) = (header.1, header.2);
                    if self.context == Context::None {
                        self.inflate.reset(false);
                    }
                }
                let part = left.min(end - at);
                let octets = self.buffer[at..].as_mut_ptr();
                // SAFETY: the caller's; there is slack behind the octets.
                unsafe {
                    if part < 126 {
                        K::xor_short(octets, part, key);
                    } else {
                        K::xor_long(octets, part, key);
                    }
                }
                filled += self.inflate(at, part, filled, part == left);
                (key, at, left) = (rotated(key, part), at + part, left - part);
                if left == 0 {
                    let text = simdutf8::basic::from_utf8(&self.message[..filled]);
                    seen.message(true, text.expect("text").as_bytes());
                    filled = 0;
                }
            }
        }
    }
}

impl Receive {
    /// Inflates octets of the buffer behind what the message has; how many bytes they gave.
    #[inline(always)]
    fn inflate(&mut self, at: usize, len: usize, filled: usize, ends: bool) -> usize {
        // The octets at the end take the place of what comes behind them, for a while, and so there is one call.
        let end = at + len;
        let behind: [u8; 4] = self.buffer[end..end + 4].try_into().expect("4 bytes");
        let octets = if ends { len + 4 } else { len };
        if ends {
            self.buffer[end..end + 4].copy_from_slice(&TAIL);
        }
        let before = (self.inflate.total_in(), self.inflate.total_out());
        let (from, to) = (&self.buffer[at..at + octets], &mut self.message[filled..]);
        let done = self.inflate.decompress(from, to, InflateFlush::NoFlush);
        let taken = (self.inflate.total_in() - before.0) as usize;
        assert!(done.is_ok() && taken == octets, "there is room for all of it");
        self.buffer[end..end + 4].copy_from_slice(&behind);
        (self.inflate.total_out() - before.1) as usize
    }
}

/// Texts of a server's, compressed behind the header.
pub struct Send {
    wire: Wire,
    out: Vec<u8>,
    compressor: Compressor,
    messages: Vec<Message>,
}

impl Send {
    pub fn new(job: &workloads::Send, context: Context) -> Self {
        let longest = job.messages.iter().map(|message| message.payload.len()).max();
        assert!(job.server && job.messages.iter().all(|message| message.text));
        Self {
            wire: job.wire(),
            out: vec![0; FLUSH_BYTES + 4 + Compressor::room(longest.unwrap_or(0))],
            compressor: Compressor::new(context),
            messages: job.messages.iter().map(Message::copy).collect(),
        }
    }
}

impl Loop for Send {
    #[inline(always)]
    unsafe fn run<K: Kernel>(&mut self, seen: &mut Seen<'_>) {
        let mut at = 0;
        for message in &self.messages {
            let payload = black_box(&message.payload[..]);
            let room = at + 4 + Compressor::room(payload.len());
            let len = self.compressor.compress(payload, &mut self.out[at + 4..room]);
            if len < 126 {
                self.out[at..at + 2].copy_from_slice(&[FIRST, len as u8]);
                self.out.copy_within(at + 4..at + 4 + len, at + 2);
                at += 2 + len;
            } else {
                let [high, low] = u16::try_from(len).expect("text gets shorter").to_be_bytes();
                self.out[at..at + 4].copy_from_slice(&[FIRST, 126, high, low]);
                at += 4 + len;
            }
            if at >= FLUSH_BYTES {
                self.wire.write_from(&self.out[..at]);
                at = 0;
            }
        }
        self.wire.write_from(&self.out[..at]);
        seen.messages += self.messages.len() as u64;
    }
}
