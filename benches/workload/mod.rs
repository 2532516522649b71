//! What the benches share: sizes, payloads, frames, and how criterion runs.
#![allow(dead_code, reason = "each bench takes what it needs")]

use std::time::Duration;

use criterion::Criterion;
use ws_proto::frame::{Header, Opcode};
use ws_proto::mask::MaskingKey;
use ws_proto::{Outbox, Role};

pub(crate) const SIZES: [usize; 8] = [8, 32, 125, 1 << 10, 4 << 10, 16 << 10, 64 << 10, 1 << 20];

pub(crate) const KEY: MaskingKey = MaskingKey::new([0x37, 0xfa, 0x21, 0x3d]);

/// Bytes that a read returns, unless a frame is longer: so many small frames lie behind one another.
pub(crate) const READ_BYTES: usize = 16 << 10;

/// A browser's opening handshake.
pub(crate) const REQUEST: &[u8] = b"GET /chat?room=lobby HTTP/1.1\r\n\
    Host: server.example.com:9001\r\n\
    Connection: Upgrade\r\n\
    Pragma: no-cache\r\n\
    Cache-Control: no-cache\r\n\
    User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36\r\n\
    Upgrade: websocket\r\n\
    Origin: https://server.example.com:9001\r\n\
    Sec-WebSocket-Version: 13\r\n\
    Accept-Encoding: gzip, deflate, br, zstd\r\n\
    Accept-Language: en-GB,en;q=0.9,de-DE;q=0.8,de;q=0.7\r\n\
    Cookie: session=0123456789abcdef0123456789abcdef; theme=dark; tz=Europe%2FVienna\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
    Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n\r\n";

pub(crate) fn criterion() -> Criterion {
    Criterion::default()
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1))
        .sample_size(30)
}

pub(crate) fn outbox(role: Role) -> Outbox {
    match role {
        Role::Client => Outbox::client([7; 16]),
        Role::Server => Outbox::new(),
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Content {
    Binary,
    Ascii,
    /// Characters of one to four bytes.
    Mixed,
}

impl Content {
    pub(crate) const ALL: [Self; 3] = [Self::Binary, Self::Ascii, Self::Mixed];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Binary => "binary",
            Self::Ascii => "ascii",
            Self::Mixed => "utf8",
        }
    }

    pub(crate) fn opcode(self) -> Opcode {
        match self {
            Self::Binary => Opcode::BINARY,
            _ => Opcode::TEXT,
        }
    }

    pub(crate) fn payload(self, len: usize) -> Vec<u8> {
        let characters: &[&str] = match self {
            Self::Binary => return (0..len).map(|i| ((i * 151) >> 2) as u8).collect(),
            Self::Ascii => &["q", "u", "i", "c", "k", " "],
            Self::Mixed => &["a", "é", "世", "b", "界", " ", "😀"],
        };
        let mut text = String::new();
        for character in characters.iter().cycle() {
            if text.len() + character.len() > len {
                break;
            }
            text.push_str(character);
        }
        text.extend(std::iter::repeat_n('.', len - text.len()));
        text.into_bytes()
    }
}

/// A frame as the peer of this role sends it.
pub(crate) fn frame(receiver: Role, opcode: Opcode, payload: &[u8]) -> Vec<u8> {
    let mut header = Header::new(opcode, payload.len() as u64);
    header.key = (receiver == Role::Server).then_some(KEY);
    let mut frame = header.encode().to_vec();
    let start = frame.len();
    frame.extend_from_slice(payload);
    header.key.unwrap_or_default().apply(&mut frame[start..]);
    frame
}

/// Text such as servers send it, `len` bytes: the same fields again and again, with other values each time; `seed` tells
/// messages apart.
pub(crate) fn json(seed: usize, len: usize) -> String {
    const NAMES: [&str; 8] = ["Ada", "Bo", "Chiara", "Deniz", "Emeka", "Freya", "Goran", "Hana"];
    const STATES: [&str; 3] = ["open", "filled", "cancelled"];
    let mut text = String::from("[");
    let mut state = seed as u64;
    // A linear congruential generator: the same values each time.
    let mut below = |n: u64| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % n
    };
    while text.len() < len {
        text += &format!(
            r#"{{"id":"{:08x}-{:08x}","customer":"{}","status":"{}","price":{}.{:02},"amount":{},"updated":"2026-11-{:02}T{:02}:{:02}:{:02}Z"}},"#,
            below(1 << 32),
            below(1 << 32),
            NAMES[below(8) as usize],
            STATES[below(3) as usize],
            below(1000),
            below(100),
            below(10_000),
            below(30) + 1,
            below(24),
            below(60),
            below(60),
        );
    }
    text.truncate(len);
    text
}
