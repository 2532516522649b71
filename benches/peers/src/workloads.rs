//! The jobs: messages, in which bytes, read how.

use std::sync::Arc;

use crate::aligned::Aligned;
use crate::deflate::Context;
use crate::wire::{Tap, Wire};

pub const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// Swaps characters of [`Content::Mixed`] for others, so that masked text is text, too.
pub const TEXT_KEY: [u8; 4] = [1; 4];

/// Payload of a round, unless a few messages have more.
pub const ROUND_BYTES: usize = 64 << 10;

pub const FRAGMENT_BYTES: usize = 4 << 10;

/// A browser's request.
pub const REQUEST: &[u8] = b"GET /chat?room=lobby&lang=en HTTP/1.1\r\n\
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
    Cookie: session=0123456789abcdef0123456789abcdef; theme=light; tz=Europe%2FVienna\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
    Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n\r\n";

pub const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

pub struct Workload {
    /// One plot: workloads that differ in the case alone.
    pub group: String,
    pub case: String,
    pub job: Job,
}

pub struct Message {
    pub text: bool,
    pub payload: Aligned,
}

impl Message {
    pub fn copy(&self) -> Self {
        Self {
            text: self.text,
            payload: Aligned::new(&self.payload),
        }
    }
}

pub enum Job {
    Receive(Receive),
    Send(Send),
    /// Masks so many bytes in place.
    Mask(usize),
    /// Validates text.
    Validate(Vec<u8>),
    /// Unmasks text with [`TEXT_KEY`] and validates it.
    UnmaskText(Vec<u8>),
    Handshake(MaybeTap),
}

pub struct Receive {
    pub server: bool,
    pub messages: Vec<Message>,
    pub bytes: Arc<Aligned>,
    pub read_bytes: usize,
    pub fragmented: bool,
    /// Whether messages may be shown piece by piece.
    pub pieces: bool,
    /// Messages are compressed, with this context.
    pub deflate: Option<Context>,
}

pub struct Send {
    pub server: bool,
    pub messages: Vec<Message>,
    /// To compress them with.
    pub deflate: Option<Context>,
    pub tap: MaybeTap,
}

/// Where to write, if somebody looks.
pub type MaybeTap = Option<Tap>;

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Content {
    Binary,
    Ascii,
    Mixed,
}

impl Content {
    pub fn name(self) -> &'static str {
        match self {
            Self::Binary => "binary",
            Self::Ascii => "ascii",
            Self::Mixed => "utf8",
        }
    }

    /// Binary messages of different numbers differ.
    pub fn message(self, len: usize, number: usize) -> Message {
        let characters: &[&str] = match self {
            Self::Binary => &[],
            Self::Ascii => &["q", "u", "i", "c", "k", " "],
            Self::Mixed => &["a", "é", "世", "b", "界", " ", "😀"],
        };
        let mut payload = Vec::with_capacity(len);
        for character in characters.iter().cycle() {
            if payload.len() + character.len() > len {
                break;
            }
            payload.extend_from_slice(character.as_bytes());
        }
        let rest = (payload.len()..len).map(|i| match self {
            Self::Binary => ((i * 151) >> 2 ^ number) as u8,
            _ => b'.',
        });
        payload.extend(rest.collect::<Vec<_>>());
        Message {
            text: self != Self::Binary,
            payload: Aligned::new(&payload),
        }
    }
}

impl Receive {
    pub fn wire(&self) -> Wire {
        Wire::new(self.bytes.clone(), self.read_bytes, None)
    }

    pub fn longest(&self) -> usize {
        self.messages
            .iter()
            .map(|message| message.payload.len())
            .max()
            .unwrap_or(0)
    }

    /// The messages are all of one kind.
    pub fn is_text(&self) -> bool {
        self.messages[0].text
    }
}

impl Send {
    /// As for [`Receive`].
    pub fn is_text(&self) -> bool {
        self.messages[0].text
    }

    /// There is nothing to read.
    pub fn wire(&self) -> Wire {
        Wire::new(Aligned::source(&[]), 0, self.tap.clone())
    }
}

impl Job {
    /// How many messages a round has.
    pub fn messages(&self) -> usize {
        match self {
            Self::Receive(receive) => receive.messages.len(),
            Self::Send(send) => send.messages.len(),
            Self::Mask(len) => (ROUND_BYTES / len).max(1),
            Self::Validate(text) | Self::UnmaskText(text) => (ROUND_BYTES / text.len()).max(1),
            Self::Handshake(_) => 64,
        }
    }

    /// How messages are compressed, if they are.
    pub fn deflate(&self) -> Option<Context> {
        match self {
            Self::Receive(receive) => receive.deflate,
            Self::Send(send) => send.deflate,
            _ => None,
        }
    }

    /// What a kernel shows, again and again: masked, and then as it was; or the text.
    pub fn kernel_results(&self) -> Vec<Message> {
        let masked = |bytes: &[u8], key: [u8; 4]| {
            let octets = bytes.iter().zip(key.iter().cycle());
            octets.map(|(octet, key)| octet ^ key).collect()
        };
        let (text, payloads) = match self {
            Self::Mask(len) => (false, vec![masked(&vec![0; *len], KEY), vec![0; *len]]),
            Self::Validate(text) => (true, vec![text.clone()]),
            Self::UnmaskText(text) => (true, vec![masked(text, TEXT_KEY), text.clone()]),
            _ => return Vec::new(),
        };
        payloads
            .into_iter()
            .map(|payload| Message {
                text,
                payload: Aligned::new(&payload),
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_request_is_as_long_as_a_browsers() {
        assert_eq!(REQUEST.len(), 633);
    }

    #[test]
    fn mixed_text_stays_text_under_the_text_key() {
        let text = Content::Mixed.message(1000, 0).payload.to_vec();
        let masked: Vec<u8> = text.iter().map(|octet| octet ^ 1).collect();
        assert!(str::from_utf8(&text).is_ok() && str::from_utf8(&masked).is_ok());
    }
}
