//! The short way of receiving: a message that lies whole in the bytes given, when nothing is unfinished.

use core::ops::Range;

use super::message::{Fault, unmask_whole};
use super::{Connection, MessageKind};
use crate::Role;
use crate::cpu::{Cpu, Level};
use crate::error::Violation;
use crate::frame::{MAX_CONTROL_BYTES, WholeMessage};
use crate::input::Cursor;
use crate::mask::MaskingKey;
#[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
use crate::utf8::kernel;

/// The short way for messages of at most 125 bytes: whether it is open, and for whom.
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

/// Takes a message that lies whole at the front of some bytes. Nothing has changed if there is none, or one that is not
/// valid, or one for the longer way.
type Take = unsafe fn(&mut Connection, &mut [u8]) -> Option<ShortMessage>;

impl ShortWay {
    /// What to call for each, and how long the headers are.
    #[allow(clippy::type_complexity)]
    const WAYS: &[(Take, usize)] = &[
        (|_, _| None, 0),
        (Connection::take_short::<true>, 6),
        (Connection::take_short::<false>, 2),
        #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
        (Connection::take_short_avx512::<true>, 6),
        #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
        (Connection::take_short_avx512::<false>, 2),
    ];

    /// For an endpoint that has this role.
    fn new(role: Role, cpu: Cpu) -> Self {
        match (role, cpu.level()) {
            #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
            (Role::Server, Level::Avx512) => Self::ServerAvx512,
            #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
            (Role::Client, Level::Avx512) => Self::ClientAvx512,
            (Role::Server, _) => Self::Server,
            (Role::Client, _) => Self::Client,
        }
    }
}

impl Connection {
    /// Takes a message at the front of some bytes, if the short way leads to it: what it is, and where in the bytes.
    #[inline(always)]
    #[allow(unsafe_code)]
    pub(super) fn take_short_message(&mut self, bytes: &mut [u8]) -> Option<(MessageKind, Range<usize>)> {
        let (take, header_len) = ShortWay::WAYS[self.short_way as usize];
        // SAFETY: the processor has the instructions, by `ShortWay::new`.
        let ShortMessage { kind, frame_len } = unsafe { take(self, bytes) }?;
        Some((kind, header_len..frame_len))
    }

    /// Leaves text that is more than ASCII to others.
    #[inline(never)]
    fn take_short<const MASKED: bool>(&mut self, bytes: &mut [u8]) -> Option<ShortMessage> {
        self.take_short_on(MASKED, bytes, |text, key, payload| {
            if text {
                return key.apply_if_short_ascii(payload);
            }
            key.apply_short(payload);
            true
        })
    }

    #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi,avx512vbmi2")]
    #[inline(never)]
    fn take_short_avx512<const MASKED: bool>(&mut self, bytes: &mut [u8]) -> Option<ShortMessage> {
        self.take_short_on(MASKED, bytes, |text, key, payload| {
            if text && !kernel::avx512::is_short_text(key, payload) {
                return false;
            }
            key.apply_short(payload);
            true
        })
    }

    /// `unmask` unmasks payload data, or leaves it as it is, if it is to be text and not known to be.
    #[inline(always)]
    fn take_short_on(
        &mut self,
        masked: bool,
        bytes: &mut [u8],
        unmask: impl FnOnce(bool, MaskingKey, &mut [u8]) -> bool,
    ) -> Option<ShortMessage> {
        let WholeMessage { text, payload, key } = WholeMessage::recognise_short(masked, bytes)?;
        let frame_len = payload.end;
        let payload = bytes.get_mut(payload)?;
        if !unmask(text, key.unwrap_or_default(), payload) {
            return None;
        }
        self.count_frame(payload.len() as u64);
        let kind = if text {
            MessageKind::Text
        } else {
            MessageKind::Binary
        };
        Some(ShortMessage { kind, frame_len })
    }

    /// [`take_short_message`](Self::take_short_message) for lengths of 16 bits, too, and any text.
    pub(super) fn take_whole_message(
        &mut self,
        bytes: &mut [u8],
        cursor: &mut Cursor,
    ) -> Option<Result<(), Fault>> {
        let start = cursor.start;
        let rest = bytes.get_mut(start..cursor.stop)?;
        let WholeMessage { text, payload, key } = WholeMessage::recognise(!self.masks(), rest)?;
        let range = start + payload.start..start + payload.end;
        let payload = rest.get_mut(payload)?;
        let len = payload.len() as u64;
        if len > self.max_message_bytes || len > self.decoder.max_frame_bytes() {
            return None;
        }
        if let Err(at) = unmask_whole(text, key, payload) {
            return Some(Err((Violation::InvalidUtf8, range.start + at)));
        }
        self.count_frame(len);
        cursor.take_message(text, range);
        Some(Ok(()))
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
    use crate::{Config, Role};
    use alloc::vec::Vec;

    const KEY: MaskingKey = MaskingKey::new([0x37, 0xfa, 0x21, 0x3d]);

    type Outcome = (Option<(MessageKind, Range<usize>)>, Vec<u8>);

    /// What each way that this processor has leads to, for some bytes; and what became of these.
    fn each_way(role: Role, bytes: &[u8]) -> Vec<Outcome> {
        let ways = Level::ALL.iter().map(|&level| {
            let mut connection = Connection::new(role, &Config::default());
            connection.short_way = ShortWay::new(role, Cpu::this().at_most(level));
            let mut bytes = bytes.to_vec();
            (connection.take_short_message(&mut bytes), bytes)
        });
        ways.collect()
    }

    fn assert_all_right(payload: &[u8], opcode: u8) {
        for (role, key, header_len) in [
            (Role::Server, KEY, 6),
            (Role::Server, MaskingKey::default(), 6),
            (Role::Client, MaskingKey::default(), 2),
        ] {
            let masked = role == Role::Server;
            let mut frame = Vec::from([0x80 | opcode, payload.len() as u8 | if masked { 0x80 } else { 0 }]);
            frame.extend_from_slice(&key.octets()[..header_len - 2]);
            let mut plain = frame.clone();
            plain.extend_from_slice(payload);
            frame.extend_from_slice(payload);
            key.apply(&mut frame[header_len..]);
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
                            // Left to the longer way.
                            assert!(kind == MessageKind::Text && !payload.is_ascii(), "{payload:02x?}");
                            assert_eq!(left, bytes);
                        }
                    }
                }
            }
            for cut in 0..end {
                for (found, left) in each_way(role, &frame[..cut]) {
                    assert_eq!((found, &left[..]), (None, &frame[..cut]));
                }
            }
        }
    }

    #[test]
    fn s5_6_every_length_on_every_way() {
        let step = if cfg!(miri) { 31 } else { 1 };
        let text = "aé世b界 😀".repeat(12).into_bytes();
        for len in (0..=MAX_CONTROL_BYTES).step_by(step) {
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
