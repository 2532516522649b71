//! Kernels alone; the opening handshake.

use std::hint::black_box;
use std::mem::MaybeUninit;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use sha1::{Digest, Sha1};

use super::Loop;
use super::kernel::Kernel;
use crate::aligned::Aligned;
use crate::contender::{Contender, Seen};
use crate::wire::Wire;
use crate::workloads::{Job, KEY, MaybeTap, REQUEST, TEXT_KEY};

/// Masks in place, again and again.
pub struct Mask(pub Aligned);

impl Loop for Mask {
    #[inline(always)]
    unsafe fn run<K: Kernel>(&mut self, seen: &mut Seen<'_>) {
        let Self(bytes) = self;
        let len = bytes.len();
        for _ in 0..Job::Mask(len).messages() {
            // SAFETY: the caller's; there is slack behind the bytes.
            unsafe { K::xor_long(black_box(bytes.as_mut_ptr()), len, u32::from_le_bytes(KEY)) };
            seen.message(false, bytes);
        }
    }
}

/// Validates text; masked text becomes another one that is text, too.
pub struct Text {
    text: Aligned,
    key: u32,
    times: usize,
}

impl Text {
    pub fn new(text: &[u8], masked: bool) -> Self {
        Self {
            text: Aligned::new(text),
            key: if masked { u32::from_le_bytes(TEXT_KEY) } else { 0 },
            times: Job::Validate(text.to_vec()).messages(),
        }
    }
}

impl Loop for Text {
    #[inline(always)]
    unsafe fn run<K: Kernel>(&mut self, seen: &mut Seen<'_>) {
        let len = self.text.len();
        for _ in 0..self.times {
            let text = black_box(self.text.as_mut_ptr());
            // SAFETY: the caller's; there is slack behind the text.
            let valid = unsafe {
                if len < 126 {
                    K::text_short(text, len, self.key)
                } else {
                    K::text_long(&mut K::text(), text, len, self.key, true)
                }
            };
            assert!(valid);
            seen.message(true, &self.text);
        }
    }
}

/// The least that answers a request: its head parsed, the key hashed and encoded.
pub struct Handshake {
    wire: Wire,
    buffer: Aligned,
    times: usize,
}

impl Handshake {
    pub fn new(tap: &MaybeTap) -> Self {
        Self {
            wire: Wire::new(Aligned::source(REQUEST), REQUEST.len(), tap.clone()),
            buffer: Aligned::space(1024),
            times: Job::Handshake(None).messages(),
        }
    }
}

impl Contender for Handshake {
    fn run(&mut self, seen: &mut Seen<'_>) {
        const BEGIN: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\n\
            Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ";
        for _ in 0..self.times {
            let n = self.wire.read_into(&mut self.buffer);
            let mut fields = [const { MaybeUninit::uninit() }; 32];
            let mut request = httparse::Request::new(&mut []);
            let parsed = request.parse_with_uninit_headers(&self.buffer[..n], &mut fields);
            assert!(parsed.is_ok_and(|parsed| parsed.is_complete()));
            let mut fields = request.headers.iter();
            let key = fields.find(|field| field.name.eq_ignore_ascii_case("Sec-WebSocket-Key"));
            let mut hash = Sha1::new();
            hash.update(key.expect("a key").value);
            hash.update(b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
            let mut response = [0; BEGIN.len() + 32];
            response[..BEGIN.len()].copy_from_slice(BEGIN);
            let encoded = BASE64_STANDARD.encode_slice(hash.finalize(), &mut response[BEGIN.len()..]);
            assert_eq!(encoded, Ok(28));
            response[BEGIN.len() + 28..].copy_from_slice(b"\r\n\r\n");
            self.wire.write_from(&response);
            seen.messages += 1;
        }
    }
}
