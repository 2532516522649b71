//! Receiving.

use std::slice::{from_raw_parts, from_raw_parts_mut};

use super::Loop;
use super::kernel::{Kernel, rotated};
use crate::aligned::Aligned;
use crate::contender::Seen;
use crate::wire::Wire;
use crate::workloads::Receive;

/// Bytes behind a buffer that may be read, and before it that may be written.
const SLACK: usize = 64;

const FIN: u8 = 0x80;
const CONTINUATION: u8 = 0;

/// Messages of one frame each, unmasked where the read put them; a long one is unmasked as it comes.
pub struct Whole {
    wire: Wire,
    buffer: Aligned,
    read_bytes: usize,
    messages: usize,
    masked: bool,
    text: bool,
}

impl Whole {
    pub fn new(job: &Receive) -> Self {
        Self {
            wire: job.wire(),
            buffer: Aligned::space(2 * job.read_bytes + job.longest() + 2 * SLACK),
            read_bytes: job.read_bytes,
            messages: job.messages.len(),
            masked: job.server,
            text: job.is_text(),
        }
    }
}

impl Loop for Whole {
    #[inline(always)]
    unsafe fn run<K: Kernel>(&mut self, seen: &mut Seen<'_>) {
        // SAFETY: the caller's.
        unsafe {
            match (self.masked, self.text) {
                (true, true) => self.frames::<K, true, true>(seen),
                (true, false) => self.frames::<K, true, false>(seen),
                (false, true) => self.frames::<K, false, true>(seen),
                (false, false) => self.frames::<K, false, false>(seen),
            }
        }
    }
}

/// Length of header, length of payload, key.
type Long = (usize, usize, u32);

/// A header with a length of 16 or 64 bits, of which the first two bytes were looked at.
#[inline(always)]
unsafe fn long_header<const MASKED: bool>(at: *const u8, word: u64) -> Long {
    // SAFETY: the caller's: 14 bytes may be read.
    unsafe {
        let (end, len) = if word >> 8 & 0x7f == 126 {
            (4, u64::from((word >> 16) as u16).swap_bytes() >> 48)
        } else {
            (10, at.add(2).cast::<u64>().read_unaligned().swap_bytes())
        };
        assert!(len >= 126 && (end == 4 || len > 0xffff), "the shortest form");
        let key = if MASKED {
            at.add(end).cast::<u32>().read_unaligned()
        } else {
            0
        };
        (end + if MASKED { 4 } else { 0 }, len as usize, key)
    }
}

impl Whole {
    #[inline(always)]
    unsafe fn frames<K: Kernel, const MASKED: bool, const TEXT: bool>(&mut self, seen: &mut Seen<'_>) {
        let short_header = if MASKED { 6 } else { 2 };
        let first = u16::from_le_bytes([FIN | if TEXT { 1 } else { 2 }, if MASKED { 0x80 } else { 0 }]);
        let last = seen.messages + self.messages as u64;
        let base = self.buffer.as_mut_ptr();
        let (mut at, mut end) = (0, 0);
        while seen.messages < last {
            // SAFETY: of the last frame there is less than a short one or a header; a read fits behind that. Behind the
            // buffer there is slack for what is loaded too much.
            unsafe {
                base.copy_from(base.add(at), end - at);
                (at, end) = (0, end - at);
                end += self
                    .wire
                    .read_into(from_raw_parts_mut(base.add(end), self.read_bytes));
                while end - at >= short_header {
                    let header = base.add(at);
                    let word = header.cast::<u64>().read_unaligned();
                    assert!(word as u16 & 0x80ff == first, "a whole message of this kind");
                    let short_len = (word >> 8 & 0x7f) as usize;
                    if short_len < 126 {
                        if end - at < short_header + short_len {
                            break;
                        }
                        let payload = header.add(short_header);
                        let key = if MASKED { (word >> 16) as u32 } else { 0 };
                        if TEXT {
                            assert!(K::text_short(payload, short_len, key));
                        } else if MASKED {
                            K::xor_short(payload, short_len, key);
                        }
                        seen.message(TEXT, from_raw_parts(payload, short_len));
                        at += short_header + short_len;
                        continue;
                    }
                    if end - at < 14 {
                        break;
                    }
                    let (header_len, len, key) = long_header::<MASKED>(header, word);
                    let (mut done, mut text) = (0, K::text());
                    let mut have = (end - at - header_len).min(len);
                    if have < len && at > 0 {
                        // It goes to the front, unmasked on the way, and the rest will be read behind it.
                        base.copy_from(header, header_len);
                        let (from, to) = (header.add(header_len), base.add(header_len));
                        K::copy_xor(from, to, have, if TEXT { 0 } else { key });
                        done = if TEXT { 0 } else { have };
                        (at, end) = (0, header_len + have);
                    }
                    loop {
                        let payload = base.add(at + header_len + done);
                        let mut part = have - done;
                        if TEXT {
                            part = if have == len { part } else { part & !63 };
                            assert!(K::text_long(&mut text, payload, part, key, have == len));
                        } else if MASKED && part > 0 {
                            K::xor_long(payload, part, rotated(key, done));
                        }
                        done += part;
                        if have == len {
                            break;
                        }
                        end += self
                            .wire
                            .read_into(from_raw_parts_mut(base.add(end), self.read_bytes));
                        have = (end - at - header_len).min(len);
                    }
                    seen.message(TEXT, from_raw_parts(base.add(at + header_len), len));
                    at += header_len + len;
                }
            }
        }
    }
}

/// One message in fragments, put together as it is unmasked; or one message shown piece by piece.
pub struct Parts {
    wire: Wire,
    buffer: Aligned,
    message: Vec<u8>,
    read_bytes: usize,
    text: bool,
    pieces: bool,
}

impl Parts {
    pub fn new(job: &Receive) -> Self {
        assert!(job.server && job.messages.len() == 1);
        Self {
            wire: job.wire(),
            buffer: Aligned::space(job.read_bytes + 2 * SLACK),
            message: vec![0; job.longest() + 2 * SLACK],
            read_bytes: job.read_bytes,
            text: job.is_text(),
            pieces: job.pieces,
        }
    }
}

impl Loop for Parts {
    #[inline(always)]
    unsafe fn run<K: Kernel>(&mut self, seen: &mut Seen<'_>) {
        // SAFETY: the caller's.
        unsafe {
            match (self.text, self.pieces) {
                (true, true) => self.frames::<K, true, true>(seen),
                (true, false) => self.frames::<K, true, false>(seen),
                (false, true) => self.frames::<K, false, true>(seen),
                (false, false) => self.frames::<K, false, false>(seen),
            }
        }
    }
}

/// The first bytes of a character.
#[derive(Default)]
struct Cut {
    octets: [u8; 3],
    len: usize,
}

impl Parts {
    #[inline(always)]
    unsafe fn frames<K: Kernel, const TEXT: bool, const PIECES: bool>(&mut self, seen: &mut Seen<'_>) {
        let base = self.buffer.as_mut_ptr();
        let mut opcode = if TEXT { 1 } else { 2 };
        let (mut left, mut key, mut fin) = (0, 0, false);
        let (mut filled, mut checked, mut text) = (0, 0, K::text());
        let mut cut = Cut::default();
        let mut kept = 0;
        loop {
            // SAFETY: what was kept of a header lies in the slack before the read. The message is as long as all parts.
            unsafe {
                let read = from_raw_parts_mut(base.add(SLACK), self.read_bytes);
                let end = SLACK + self.wire.read_into(read);
                let mut at = SLACK - kept;
                kept = 0;
                while at < end {
                    if left == 0 {
                        let header = base.add(at);
                        if end - at < 14 && !(end - at >= 8 && *header.add(1) & 0x7f <= 126) {
                            kept = end - at;
                            base.add(SLACK - kept).copy_from(header, kept);
                            break;
                        }
                        let word = header.cast::<u64>().read_unaligned();
                        assert!(word as u8 & 0x7f == opcode && word >> 15 & 1 == 1);
                        fin = word as u8 & FIN != 0;
                        opcode = CONTINUATION;
                        let header_len;
                        (header_len, left, key) = long_header::<true>(header, word);
                        at += header_len;
                        continue;
                    }
                    let payload = base.add(at);
                    let part = left.min(end - at);
                    let done = fin && part == left;
                    match (PIECES, TEXT) {
                        (true, true) => show(base.add(at), part, key, done, &mut cut, &mut |p, n, k| {
                            assert!(K::text_long(&mut K::text(), p, n, k, true));
                            seen.piece(from_raw_parts(p, n));
                        }),
                        (true, false) => {
                            K::xor_long(payload, part, key);
                            seen.piece(from_raw_parts(payload, part));
                        }
                        (false, _) => K::copy_xor(payload, self.message.as_mut_ptr().add(filled), part, key),
                    }
                    filled += part;
                    if TEXT && !PIECES {
                        let n = if done { filled } else { filled & !63 } - checked;
                        let from = self.message.as_mut_ptr().add(checked);
                        assert!(K::text_long(&mut text, from, n, 0, done));
                        checked += n;
                    }
                    key = rotated(key, part);
                    (at, left) = (at + part, left - part);
                    if done {
                        if PIECES {
                            seen.end(TEXT);
                        } else {
                            seen.message(TEXT, &self.message[..filled]);
                        }
                        return;
                    }
                }
            }
        }
    }
}

/// Shows a part of a text, cut between characters: the first bytes of the one that is cut go before the next part, masked
/// again, so that it is one pass.
#[inline(always)]
unsafe fn show(
    payload: *mut u8,
    len: usize,
    key: u32,
    done: bool,
    cut: &mut Cut,
    piece: &mut impl FnMut(*mut u8, usize, u32),
) {
    // SAFETY: the caller's: there is a header or slack before the payload.
    unsafe {
        let before = cut.len;
        let start = payload.sub(before);
        let key = rotated(key, 4 - before);
        for i in 0..before {
            *start.add(i) = cut.octets[i] ^ key.to_le_bytes()[i % 4];
        }
        let len = len + before;
        *cut = Cut::default();
        if !done {
            let octet = |i: usize| *start.add(i) ^ key.to_le_bytes()[i % 4];
            for back in 1..=len.min(3) {
                let needs = match octet(len - back) {
                    0x80..0xc0 => continue,
                    0xf0.. => 4,
                    0xe0.. => 3,
                    0xc0.. => 2,
                    _ => 1,
                };
                if needs > back {
                    cut.len = back;
                    for i in 0..back {
                        cut.octets[i] = octet(len - back + i);
                    }
                }
                break;
            }
        }
        piece(start, len - cut.len, key);
    }
}
