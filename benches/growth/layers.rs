//! The parts that keep no bytes: masking, UTF-8, frames.

use std::hint::black_box;

use ws_proto::Role;
use ws_proto::frame::{Decoder, Opcode, Part, Rules};
use ws_proto::utf8::Validator;

use super::workload::{Content, KEY, frame};
use super::{Job, Path, path};

pub(crate) const PATHS: &[Path] = &[
    path("mask: bytes", 512 << 10, |n| {
        let mut bytes = Content::Binary.payload(n);
        let masked = masked_ends(&bytes);
        Box::new(move || {
            KEY.apply(black_box(&mut bytes));
            ends(&bytes) == masked
        })
    }),
    path("mask: bytes, in pieces of 7", 16 << 10, |n| {
        let mut bytes = Content::Binary.payload(n);
        let masked = masked_ends(&bytes);
        Box::new(move || {
            let mut key = KEY;
            for piece in bytes.chunks_mut(7) {
                key.apply(black_box(&mut *piece));
                key = key.advanced(piece.len() as u64);
            }
            ends(&bytes) == masked
        })
    }),
    path("UTF-8: bytes", 128 << 10, |n| text(n, n)),
    path("UTF-8: bytes, in pieces of 7", 16 << 10, |n| text(n, 7)),
    path("UTF-8: bytes, one by one", 16 << 10, |n| text(n, 1)),
    path("UTF-8: bytes before an invalid one", 128 << 10, |n| {
        let mut bytes = Content::Mixed.payload(n);
        bytes[n - 1] = 0xff;
        Box::new(move || {
            Validator::new()
                .feed(&bytes)
                .is_err_and(|error| error.offset == bytes.len() - 1)
        })
    }),
    path("decoder: frames in one read", 4000, |n| frames(n, usize::MAX)),
    path("decoder: frames, byte by byte", 500, |n| frames(n, 1)),
    path("decoder: bytes of one frame", 128 << 10, |n| {
        decode(
            frame(Role::Server, Opcode::BINARY, &Content::Binary.payload(n)),
            usize::MAX,
            n,
        )
    }),
];

/// The first and the last of some bytes, which tell without a look at all of them.
fn ends(bytes: &[u8]) -> [u8; 2] {
    [bytes[0], bytes[bytes.len() - 1]]
}

/// [`ends`] once they are masked.
fn masked_ends(bytes: &[u8]) -> [u8; 2] {
    let key = KEY.octets();
    let [first, last] = ends(bytes);
    [first ^ key[0], last ^ key[(bytes.len() - 1) % 4]]
}

fn text(n: usize, piece: usize) -> Job {
    let bytes = Content::Mixed.payload(n);
    Box::new(move || {
        let mut validator = Validator::new();
        bytes.chunks(piece).all(|piece| validator.feed(piece).is_ok()) && validator.is_complete()
    })
}

fn frames(n: usize, read: usize) -> Job {
    decode(
        frame(Role::Server, Opcode::BINARY, b"8 octets").repeat(n),
        read,
        8 * n,
    )
}

/// Bytes that come in reads of this length are frames with so many bytes of payload data.
fn decode(mut bytes: Vec<u8>, read: usize, payload: usize) -> Job {
    Box::new(move || {
        let mut decoder = Decoder::new(Rules::new(Role::Server));
        let mut seen = 0;
        for mut rest in bytes.chunks_mut(read) {
            while let Ok(step) = decoder.decode(rest) {
                match step.part {
                    Part::More => break,
                    Part::Header(_) => {}
                    Part::Payload { range, .. } => seen += range.len(),
                }
                rest = &mut rest[step.consumed..];
            }
        }
        seen == payload && decoder.is_at_rest()
    })
}
