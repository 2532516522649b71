//! What the benches share: sizes, payloads, frames, and how criterion runs.
#![allow(dead_code, reason = "each bench takes what it needs")]

pub(crate) mod json;

use std::time::Duration;

use criterion::Criterion;
use ws_proto::frame::{Decoder, Header, Opcode, Part, Rules, Step};
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

/// Whether bytes that an endpoint of this role sent are one message in one frame.
pub(crate) fn is_frame(sender: Role, opcode: Opcode, bytes: &[u8], payload: &[u8]) -> bool {
    let mut decoder = Decoder::new(Rules::new(match sender {
        Role::Client => Role::Server,
        Role::Server => Role::Client,
    }));
    let mut bytes = bytes.to_vec();
    let start = match decoder.decode(&mut bytes) {
        Ok(Step {
            consumed,
            part: Part::Header(header),
        }) if header.fin && header.opcode == opcode => consumed,
        _ => return false,
    };
    let bytes = &mut bytes[start..];
    decoder.decode(bytes).is_ok_and(|step| {
        let all = step.consumed == bytes.len();
        all && matches!(step.part, Part::Payload { range, last: true, .. } if bytes[range.clone()] == *payload)
    })
}
