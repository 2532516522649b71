//! The short way of receiving: a message that lies whole in the bytes given, when nothing is unfinished.

use super::{Connection, MessageKind};
use crate::cpu::Cpu;
use crate::cursor::Cursor;
use crate::frame::{MAX_CONTROL_BYTES, WholeMessage};
use crate::utf8::kernel;

/// The short way for messages that lie whole in the bytes given: whether it is open, and for what frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ShortWay {
    Closed,
    Masked,
    Unmasked,
}

impl Connection {
    /// Takes a message of at most 125 bytes at the cursor, and goes behind it. Nothing has changed if there is none, or one for
    /// [`take_longer_message`](Self::take_longer_message) or the decoder.
    #[inline(always)]
    pub(super) fn take_short_message(&mut self, bytes: &mut [u8], cursor: &mut Cursor) -> Option<()> {
        // Compiled twice: one way for both roles took a fifth more.
        match self.short_way {
            ShortWay::Closed => None,
            ShortWay::Masked => self.take_short(true, bytes, cursor),
            ShortWay::Unmasked => self.take_short(false, bytes, cursor),
        }
    }

    #[inline(always)]
    fn take_short(&mut self, masked: bool, bytes: &mut [u8], cursor: &mut Cursor) -> Option<()> {
        let rest = bytes.get_mut(cursor.start..cursor.stop)?;
        let WholeMessage { text, payload, key } = WholeMessage::recognise_short(masked, rest)?;
        let place = cursor.start + payload.start..cursor.start + payload.end;
        let payload = rest.get_mut(payload)?;
        let key = key.unwrap_or_default(); // zero changes nothing
        let kind = if !text {
            if masked {
                key.apply_short(payload);
            }
            MessageKind::Binary
        } else if kernel::unmask_short(key, payload) {
            MessageKind::Text
        } else {
            return None;
        };
        self.count_frame(payload.len() as u64);
        cursor.take_message(kind, place);
        Some(())
    }

    /// [`take_short_message`](Self::take_short_message) for lengths of 16 bits.
    #[inline]
    pub(super) fn take_longer_message(&mut self, bytes: &mut [u8], cursor: &mut Cursor) -> Option<()> {
        if self.short_way == ShortWay::Closed {
            return None;
        }
        let rest = bytes.get_mut(cursor.start..cursor.stop)?;
        let WholeMessage { text, payload, key } = WholeMessage::recognise_longer(!self.masks(), rest)?;
        let place = cursor.start + payload.start..cursor.start + payload.end;
        let payload = rest.get_mut(payload)?;
        let len = payload.len() as u64;
        if len > self.max_message_bytes || len > self.decoder.max_frame_bytes() {
            return None;
        }
        let key = key.unwrap_or_default(); // zero changes nothing
        let kind = if !text {
            key.apply(payload);
            MessageKind::Binary
        } else if kernel::unmask(key, payload) {
            MessageKind::Text
        } else {
            return None;
        };
        self.count_frame(len);
        cursor.take_message(kind, place);
        Some(())
    }

    /// To be called when something may have changed that the short way depends on, which it does not look at itself.
    pub(super) fn update_short_way(&mut self) {
        Cpu::this(); // short texts ask for what is known of the processor
        let least = MAX_CONTROL_BYTES as u64;
        let unlimited = self.max_message_bytes >= least && self.decoder.max_frame_bytes() >= least;
        self.short_way = if !(unlimited && self.is_receiving() && self.decoder.is_at_rest()) {
            ShortWay::Closed
        } else if self.masks() {
            ShortWay::Unmasked
        } else {
            ShortWay::Masked
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::{Header, Opcode};
    use crate::mask::MaskingKey;
    use crate::{Config, Event, Inbox, Input, Role};
    use alloc::vec::Vec;
    use core::ops::Range;

    const KEY: MaskingKey = MaskingKey::new([0x37, 0xfa, 0x21, 0x3d]);

    type Outcome = (Option<(MessageKind, Range<usize>)>, Vec<u8>);

    /// What the short way leads to, for some bytes; and what became of these.
    fn short_way(role: Role, given: &[u8]) -> Outcome {
        let mut connection = Connection::new(role, &Config::default());
        connection.update_short_way();
        let mut given_bytes = given.to_vec();
        let mut input = Input::new(&mut given_bytes, Inbox::new());
        let (bytes, cursor, _) = input.parts();
        let mut taken = connection.take_short_message(bytes, cursor).is_some();
        if !taken {
            assert_eq!((cursor.start, &*bytes), (0, given));
            taken = connection.take_longer_message(bytes, cursor).is_some();
        }
        let place = input.event_range().map(|range| {
            let kind = match input.event() {
                Event::Text(_) => MessageKind::Text,
                _ => MessageKind::Binary,
            };
            (kind, range)
        });
        assert_eq!(place.is_some(), taken);
        assert_eq!(input.consumed(), place.as_ref().map_or(0, |(_, range)| range.end));
        (place, given_bytes)
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
                match short_way(role, &bytes) {
                    (Some(found), left) => {
                        assert!(valid, "{payload:02x?}");
                        assert_eq!(found, (kind, header_len..end));
                        assert_eq!(left, [&plain, behind].concat());
                    }
                    (None, left) => {
                        assert!(!valid, "{payload:02x?}");
                        assert_eq!(left, bytes);
                    }
                }
            }
            for cut in (0..end).step_by(1 + end / 200) {
                assert_eq!(short_way(role, &frame[..cut]), (None, frame[..cut].to_vec()));
            }
        }
    }

    #[test]
    fn s5_6_every_length() {
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
    fn s5_6_lengths_of_16_bits() {
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
                    assert_eq!(short_way(role, &bytes), (None, bytes.to_vec()));
                }
            }
        }
    }
}
