//! Sending: header and payload in one go; keys from the cryptographic generator that this crate's clients use.

use std::ops::Deref;

use rand::rngs::ChaCha12Rng;
use rand::{Rng, SeedableRng};

use super::Loop;
use super::kernel::Kernel;
use crate::contender::Seen;
use crate::peers::FLUSH_BYTES;
use crate::together::{self, Together};
use crate::wire::Wire;
use crate::workloads::{Message, Send};

/// An unmasked header with a length of 16 or 64 bits.
struct Header {
    octets: [u8; 10],
    len: usize,
}

impl Deref for Header {
    type Target = [u8];

    #[inline(always)]
    fn deref(&self) -> &[u8] {
        &self.octets[..self.len]
    }
}

impl Header {
    #[inline(always)]
    fn new(opcode: u64, len: usize) -> Self {
        let mut octets = [0; 10];
        let long = (len as u64).swap_bytes();
        let (word, rest, len) = if len <= 0xffff {
            (opcode | 126 << 8 | long >> 48 << 16, 0, 4)
        } else {
            (opcode | 127 << 8 | long << 16, (long >> 48) as u16, 10)
        };
        octets[..8].copy_from_slice(&word.to_le_bytes());
        octets[8..].copy_from_slice(&rest.to_le_bytes());
        Self { octets, len }
    }
}

pub struct Frames {
    wire: Wire,
    out: Vec<u8>,
    keys: ChaCha12Rng,
    messages: Vec<Message>,
    masked: bool,
    text: bool,
    from_where_they_lie: bool,
}

impl Frames {
    pub fn new(job: &Send) -> Self {
        let longest = job.messages.iter().map(|message| message.payload.len()).max();
        Self {
            wire: job.wire(),
            out: vec![0; FLUSH_BYTES + longest.unwrap_or(0) + 64],
            keys: ChaCha12Rng::from_seed([7; 32]),
            messages: job.messages.iter().map(Message::copy).collect(),
            masked: !job.server,
            text: job.is_text(),
            from_where_they_lie: together::pays(job),
        }
    }
}

impl Loop for Frames {
    #[inline(always)]
    unsafe fn run<K: Kernel>(&mut self, seen: &mut Seen<'_>) {
        // SAFETY: the caller's.
        unsafe {
            if self.from_where_they_lie {
                self.together();
            } else if self.masked {
                self.frames::<K, true>();
            } else {
                self.frames::<K, false>();
            }
        }
        seen.messages += self.messages.len() as u64;
    }
}

impl Frames {
    fn together(&mut self) {
        let opcode = 0x80 | if self.text { 1 } else { 2 };
        let mut together = Together::new();
        for message in &self.messages {
            let payload = std::hint::black_box(&message.payload[..]);
            if together.add(Header::new(opcode, payload.len()), payload) {
                together.write(&[], &mut self.wire);
            }
        }
        together.write(&[], &mut self.wire);
    }

    #[inline(always)]
    unsafe fn frames<K: Kernel, const MASKED: bool>(&mut self) {
        let opcode = 0x80 | if self.text { 1 } else { 2 };
        let masked = if MASKED { 0x80 } else { 0 };
        let mut at = 0;
        for message in &self.messages {
            let payload = std::hint::black_box(&message.payload[..]);
            let len = payload.len();
            let key = if MASKED { self.keys.next_u32() } else { 0 };
            // SAFETY: there is room for the longest message and its header behind what was not written yet.
            unsafe {
                let to = self.out.as_mut_ptr().add(at);
                let header_len = if len < 126 {
                    let word = opcode | (masked | len as u64) << 8 | u64::from(key) << 16;
                    to.cast::<u64>().write_unaligned(word);
                    2
                } else if len <= 0xffff {
                    let len = u64::from((len as u16).swap_bytes());
                    let word = opcode | (masked | 126) << 8 | len << 16 | u64::from(key) << 32;
                    to.cast::<u64>().write_unaligned(word);
                    4
                } else {
                    to.cast::<u64>().write_unaligned(opcode | (masked | 127) << 8);
                    to.add(2).cast::<u64>().write_unaligned((len as u64).swap_bytes());
                    to.add(10).cast::<u32>().write_unaligned(key);
                    10
                } + if MASKED { 4 } else { 0 };
                let to = to.add(header_len);
                K::copy_xor(payload.as_ptr(), to, len, key);
                at += header_len + len;
            }
            if at >= FLUSH_BYTES {
                self.wire.write_from(&self.out[..at]);
                at = 0;
            }
        }
        if at > 0 {
            self.wire.write_from(&self.out[..at]);
        }
    }
}
