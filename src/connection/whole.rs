//! The short way of receiving: a message that lies whole in the bytes given, when nothing is unfinished.

use core::ops::Range;

use super::{Connection, MessageKind};
use crate::Role;
#[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
use crate::cpu;
use crate::cpu::Cpu;
use crate::frame::{MAX_CONTROL_BYTES, WholeMessage};
use crate::mask::MaskingKey;
use crate::utf8::kernel;

/// The short way for messages that lie whole in the bytes given: whether it is open, and for whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ShortWay {
    Closed,
    Server,
    Client,
    #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
    ServerAvx512,
    #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
    ClientAvx512,
}

/// What the short way leads to. It fits into two registers.
#[derive(Clone, Copy)]
pub(super) struct ShortMessage {
    pub(super) kind: MessageKind,
    pub(super) frame_len: usize,
}

type Take = unsafe fn(&mut Connection, &mut [u8]) -> Option<ShortMessage>;

impl ShortWay {
    const ALL: &[Self] = &[
        Self::Closed,
        Self::Server,
        Self::Client,
        #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
        Self::ServerAvx512,
        #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
        Self::ClientAvx512,
    ];

    /// [`way`](Self::way), by the variants' numbers.
    const WAYS: [(Take, usize); Self::ALL.len()] = {
        let mut ways = [Self::Closed.way(); Self::ALL.len()];
        let mut i = 0;
        while i < ways.len() {
            assert!(Self::ALL[i] as usize == i);
            ways[i] = Self::ALL[i].way();
            i += 1;
        }
        ways
    };

    /// What to call for messages of at most 125 bytes, and how long their headers are.
    const fn way(self) -> (Take, usize) {
        match self {
            Self::Closed => (|_, _| None, 0),
            Self::Server => (Connection::take_short::<true>, 6),
            Self::Client => (Connection::take_short::<false>, 2),
            #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
            Self::ServerAvx512 => (Connection::take_short_avx512::<true>, 6),
            #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
            Self::ClientAvx512 => (Connection::take_short_avx512::<false>, 2),
        }
    }

    /// For an endpoint that has this role.
    fn new(role: Role, cpu: Cpu) -> Self {
        match (role, cpu.level()) {
            #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
            (Role::Server, cpu::Level::Avx512) => Self::ServerAvx512,
            #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
            (Role::Client, cpu::Level::Avx512) => Self::ClientAvx512,
            (Role::Server, _) => Self::Server,
            (Role::Client, _) => Self::Client,
        }
    }
}

impl Connection {
    /// Takes a message of at most 125 bytes at the front of some bytes: what it is, and where in the bytes. Nothing has changed
    /// if there is none, or one for [`take_whole_message`](Self::take_whole_message) or the decoder.
    #[inline(always)]
    #[allow(unsafe_code)]
    pub(super) fn take_short_message(&mut self, bytes: &mut [u8]) -> Option<(MessageKind, Range<usize>)> {
        let (take, header_len) = ShortWay::WAYS[self.short_way as usize];
        // SAFETY: it is this variant's function, by `WAYS`, and the processor has its instructions, by `ShortWay::new`.
        let ShortMessage { kind, frame_len } = unsafe { take(self, bytes) }?;
        Some((kind, header_len..frame_len))
    }

    #[inline(never)]
    fn take_short<const MASKED: bool>(&mut self, bytes: &mut [u8]) -> Option<ShortMessage> {
        self.take_short_on(MASKED, bytes, |connection, key, text, frame_len| {
            connection.take_ascii(key, text, frame_len)
        })
    }

    #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi,avx512vbmi2")]
    #[inline(never)]
    fn take_short_avx512<const MASKED: bool>(&mut self, bytes: &mut [u8]) -> Option<ShortMessage> {
        self.take_short_on(MASKED, bytes, |connection, key, text, frame_len| {
            connection.take_text_avx512(key, text, frame_len)
        })
    }

    /// A message of at most 125 bytes. `take_text` takes a text; it is a function of its own, lest binary messages have the
    /// registers saved that it needs.
    #[inline(always)]
    fn take_short_on(
        &mut self,
        masked: bool,
        bytes: &mut [u8],
        take_text: impl FnOnce(&mut Self, MaskingKey, &mut [u8], usize) -> Option<ShortMessage>,
    ) -> Option<ShortMessage> {
        let WholeMessage { text, payload, key } = WholeMessage::recognise_short(masked, bytes)?;
        let frame_len = payload.end;
        let payload = bytes.get_mut(payload)?;
        let key = key.unwrap_or_default(); // zero changes nothing
        if text {
            return take_text(self, key, payload, frame_len);
        }
        if masked {
            key.apply_short(payload);
        }
        Some(self.short_message(MessageKind::Binary, payload, frame_len))
    }

    /// Not text that is more than ASCII.
    #[inline(never)]
    fn take_ascii(&mut self, key: MaskingKey, text: &mut [u8], frame_len: usize) -> Option<ShortMessage> {
        if !key.apply_if_short_ascii(text) {
            return None;
        }
        Some(self.short_message(MessageKind::Text, text, frame_len))
    }

    #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi,avx512vbmi2")]
    #[inline(never)]
    fn take_text_avx512(
        &mut self,
        key: MaskingKey,
        text: &mut [u8],
        frame_len: usize,
    ) -> Option<ShortMessage> {
        if !kernel::avx512::is_short_text(key, text) {
            return None;
        }
        key.apply_short(text);
        Some(self.short_message(MessageKind::Text, text, frame_len))
    }

    #[inline(always)]
    fn short_message(&mut self, kind: MessageKind, payload: &[u8], frame_len: usize) -> ShortMessage {
        self.count_frame(payload.len() as u64);
        ShortMessage { kind, frame_len }
    }

    /// [`take_short_message`](Self::take_short_message) for any text, and for lengths of 16 bits too.
    #[inline]
    pub(super) fn take_whole_message(&mut self, bytes: &mut [u8]) -> Option<(MessageKind, Range<usize>)> {
        if self.short_way == ShortWay::Closed {
            return None;
        }
        let message = WholeMessage::recognise(!self.masks(), bytes)?;
        let range = message.payload;
        let payload = bytes.get_mut(range.clone())?;
        let len = payload.len() as u64;
        if len > self.max_message_bytes || len > self.decoder.max_frame_bytes() {
            return None;
        }
        let key = message.key.unwrap_or_default(); // zero changes nothing
        let kind = if !message.text {
            key.apply(payload);
            MessageKind::Binary
        } else if kernel::run(Cpu::this(), key, &mut *payload) {
            MessageKind::Text
        } else {
            key.apply(payload); // as it was
            return None;
        };
        self.count_frame(len);
        Some((kind, range))
    }

    /// To be called when something may have changed that the short way depends on, which it does not look at itself.
    pub(super) fn update_short_way(&mut self) {
        let least = MAX_CONTROL_BYTES as u64;
        let unlimited = self.max_message_bytes >= least && self.decoder.max_frame_bytes() >= least;
        self.short_way = if unlimited && self.is_receiving() && self.decoder.is_at_rest() {
            ShortWay::new(self.role(), Cpu::this())
        } else {
            ShortWay::Closed
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpu::Level;
    use crate::frame::{Header, Opcode};
    use crate::{Config, Role};
    use alloc::vec::Vec;

    const KEY: MaskingKey = MaskingKey::new([0x37, 0xfa, 0x21, 0x3d]);

    type Outcome = (Option<(MessageKind, Range<usize>)>, Vec<u8>);

    /// What each way that this processor has leads to, for some bytes; and what became of these.
    fn each_way(role: Role, given: &[u8]) -> Vec<Outcome> {
        let ways = Level::ALL.iter().map(|&level| {
            let mut connection = Connection::new(role, &Config::default());
            connection.short_way = ShortWay::new(role, Cpu::this().at_most(level));
            let mut bytes = given.to_vec();
            let mut found = connection.take_short_message(&mut bytes);
            if found.is_none() {
                assert_eq!(bytes, given);
                found = connection.take_whole_message(&mut bytes);
            }
            (found, bytes)
        });
        ways.collect()
    }

    fn assert_all_right(payload: &[u8], opcode: u8) {
        for (role, key) in [
            (Role::Server, Some(KEY)),
            (Role::Server, Some(MaskingKey::default())),
            (Role::Client, None),
        ] {
            let mut header = Header::new(Opcode::new(opcode), payload.len() as u64);
            header.key = key;
            let mut frame = header.encode().to_vec();
            let header_len = frame.len();
            let plain = [&frame, payload].concat();
            frame.extend_from_slice(payload);
            key.unwrap_or_default().apply(&mut frame[header_len..]);
            let end = frame.len();
            let (kind, valid) = if opcode == 1 {
                (MessageKind::Text, core::str::from_utf8(payload).is_ok())
            } else {
                (MessageKind::Binary, true)
            };
            for behind in [&b""[..], b"\x82", &[0xff; 80]] {
                let bytes = [&frame, behind].concat();
                for (found, left) in each_way(role, &bytes) {
                    match found {
                        Some(found) => {
                            assert!(valid, "{payload:02x?}");
                            assert_eq!(found, (kind, header_len..end));
                            assert_eq!(left, [&plain, behind].concat());
                        }
                        None => {
                            assert!(!valid, "{payload:02x?}");
                            assert_eq!(left, bytes);
                        }
                    }
                }
            }
            for cut in (0..end).step_by(1 + end / 200) {
                for (found, left) in each_way(role, &frame[..cut]) {
                    assert_eq!((found, &left[..]), (None, &frame[..cut]));
                }
            }
        }
    }

    #[test]
    fn s5_6_every_length_on_every_way() {
        let text = "aé世b界 😀".repeat(12).into_bytes();
        for len in 0..=MAX_CONTROL_BYTES {
            assert_all_right(&text[..len], 2);
            assert_all_right(&text[..len], 1);
            assert_all_right(&[b'a'; MAX_CONTROL_BYTES][..len], 1);
            let mut spoilt = text[..len].to_vec();
            for place in (0..len).step_by(7) {
                spoilt[place] ^= 0x80;
                assert_all_right(&spoilt, 1);
            }
        }
    }

    #[test]
    fn s5_6_lengths_of_16_bits_on_every_way() {
        let text = "aé世b界 😀".repeat(5000).into_bytes();
        for len in [126, 127, 128, 129, 200, 1000, 0xffff] {
            let end = (0..len).rev().find(|&i| core::str::from_utf8(&text[..i]).is_ok());
            for len in [len, end.unwrap_or_default()] {
                assert_all_right(&text[..len], 1);
                assert_all_right(&text[..len], 2);
            }
        }
    }

    #[test]
    fn s5_2_whatever_else_is_left_to_the_decoder() {
        for first in 0..=0xff {
            for second in 0..=0xff {
                for role in [Role::Server, Role::Client] {
                    let masked = role == Role::Server;
                    let short = second & 0x7f <= 125 && (second >= 0x80) == masked;
                    if matches!(first, 0x81 | 0x82) && short {
                        continue;
                    }
                    let mut bytes = [0; 200];
                    bytes[..2].copy_from_slice(&[first, second]);
                    for (found, left) in each_way(role, &bytes) {
                        assert_eq!((found, &left[..]), (None, &bytes[..]));
                    }
                }
            }
        }
    }
}
