//! The short way of receiving: a message that lies whole in the bytes given, when nothing is unfinished.

use core::ops::Range;

use super::{Connection, MessageKind};
#[cfg(target_feature = "sse2")]
use crate::cpu;
use crate::cpu::Cpu;
use crate::cursor::Cursor;
use crate::frame::{MAX_CONTROL_BYTES, WholeMessage};
use crate::inbox::Inbox;
use crate::mask::MaskingKey;
use crate::outbox::Outbox;
use crate::utf8::kernel;

/// The short way for messages that lie whole in the bytes given: whether it is open, and for what frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ShortWay {
    Masked,
    /// The last short text was more than ASCII, as the next one will be, if nothing that is no whole message comes between them.
    MaskedCharacters,
    Unmasked,
    /// Open for the rest of a message alone: see `gather`.
    Gathering,
    Closed,
}

/// What the cursor stood before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Short {
    /// A message of at most 125 bytes. It was taken, and the cursor stands behind it.
    Taken,
    /// A text of at most 125 bytes, or the beginning of one, to be [judged](Connection::receive_text). Nothing has changed.
    Text,
    /// Anything else. Nothing has changed.
    Other,
}

impl Connection {
    /// Takes a message of at most 125 bytes at the cursor, if it is binary, or masked and ASCII, and none of more was last.
    #[inline(always)]
    pub(super) fn take_short(&mut self, bytes: &mut [u8], cursor: &mut Cursor) -> Short {
        // Compiled twice: one way for both roles took a fifth more.
        let taken = match self.short_way {
            ShortWay::Gathering | ShortWay::Closed => None,
            ShortWay::Unmasked => self.take_short_of(false, bytes, cursor),
            ShortWay::Masked | ShortWay::MaskedCharacters => self.take_short_of(true, bytes, cursor),
        };
        taken.unwrap_or(Short::Other)
    }

    #[inline(always)]
    fn take_short_of(&mut self, masked: bool, bytes: &mut [u8], cursor: &mut Cursor) -> Option<Short> {
        let rest = bytes.get_mut(cursor.start..cursor.stop)?;
        let WholeMessage { text, payload, key } = WholeMessage::recognise_short(masked, rest)?;
        if text && (!masked || self.short_way == ShortWay::MaskedCharacters) {
            return Some(Short::Text);
        }
        let place = cursor.start + payload.start..cursor.start + payload.end;
        let payload = rest.get_mut(payload)?;
        let key = key.unwrap_or_default(); // zero changes nothing
        if !text {
            // First, so that nothing has to be kept across what may be a call.
            self.take(MessageKind::Binary, payload.len(), place, cursor);
            if masked {
                key.apply_short(payload);
            }
        } else if key.apply_short_if_ascii(payload) {
            self.take(MessageKind::Text, payload.len(), place, cursor);
        } else {
            return Some(Short::Text);
        }
        Some(Short::Taken)
    }

    #[inline(always)]
    fn take(&mut self, kind: MessageKind, len: usize, place: Range<usize>, cursor: &mut Cursor) {
        self.count_frame(len as u64);
        cursor.take_message(kind, place);
    }

    /// [`receive`](Self::receive) when the cursor stands before a [short text](Short::Text): whether there is an event.
    #[inline(always)]
    #[allow(unsafe_code)]
    pub(super) fn receive_text(
        &mut self,
        cpu: Cpu,
        bytes: &mut [u8],
        cursor: &mut Cursor,
        inbox: &mut Inbox,
        outbox: &mut Outbox,
    ) -> bool {
        match (cpu.level(), self.masks()) {
            #[cfg(target_feature = "sse2")]
            // SAFETY: the processor has the level's instructions, by `Cpu`.
            (cpu::Level::Avx512, false) => unsafe {
                self.receive_text_avx512::<true>(bytes, cursor, inbox, outbox)
            },
            #[cfg(target_feature = "sse2")]
            // SAFETY: the processor has the level's instructions, by `Cpu`.
            (cpu::Level::Avx512, true) => unsafe {
                self.receive_text_avx512::<false>(bytes, cursor, inbox, outbox)
            },
            #[cfg(target_feature = "sse2")]
            // SAFETY: the processor has the level's instructions, by `Cpu`.
            (cpu::Level::Avx2, false) => unsafe {
                self.receive_text_avx2::<true>(bytes, cursor, inbox, outbox)
            },
            #[cfg(target_feature = "sse2")]
            // SAFETY: the processor has the level's instructions, by `Cpu`.
            (cpu::Level::Avx2, true) => unsafe {
                self.receive_text_avx2::<false>(bytes, cursor, inbox, outbox)
            },
            (_, false) => self.receive_text_elsewhere::<true>(cpu, bytes, cursor, inbox, outbox),
            (_, true) => self.receive_text_elsewhere::<false>(cpu, bytes, cursor, inbox, outbox),
        }
    }

    #[cfg(target_feature = "sse2")]
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi,avx512vbmi2")]
    fn receive_text_avx512<const MASKED: bool>(
        &mut self,
        bytes: &mut [u8],
        cursor: &mut Cursor,
        inbox: &mut Inbox,
        outbox: &mut Outbox,
    ) -> bool {
        let unmask = |key, octets: &mut [u8], len: usize| {
            kernel::avx512::unmask_short::<MASKED>(key, octets.get_mut(..len)?)
        };
        self.take_text::<MASKED>(bytes, cursor, unmask).is_some()
            || self.advance_on(bytes, cursor, inbox, outbox)
    }

    #[cfg(target_feature = "sse2")]
    #[target_feature(enable = "avx2")]
    fn receive_text_avx2<const MASKED: bool>(
        &mut self,
        bytes: &mut [u8],
        cursor: &mut Cursor,
        inbox: &mut Inbox,
        outbox: &mut Outbox,
    ) -> bool {
        let unmask =
            |key, octets: &mut [u8], len: usize| kernel::avx2::unmask_short::<MASKED>(key, octets, len);
        self.take_text::<MASKED>(bytes, cursor, unmask).is_some()
            // Not the level at hand: that would be one argument more than there are registers for.
            || self.receive_text_elsewhere::<MASKED>(Cpu::known(), bytes, cursor, inbox, outbox)
    }

    #[inline(never)]
    fn receive_text_elsewhere<const MASKED: bool>(
        &mut self,
        cpu: Cpu,
        bytes: &mut [u8],
        cursor: &mut Cursor,
        inbox: &mut Inbox,
        outbox: &mut Outbox,
    ) -> bool {
        let unmask = |key, octets: &mut [u8], len: usize| {
            kernel::unmask_short::<MASKED>(cpu, key, octets.get_mut(..len)?)
        };
        self.take_text::<MASKED>(bytes, cursor, unmask).is_some()
            || self.advance_on(bytes, cursor, inbox, outbox)
    }

    /// Takes the short text that the cursor stands before, if all of it is there and valid: `unmask` tells, and whether it is ASCII.
    #[inline(always)]
    fn take_text<const MASKED: bool>(
        &mut self,
        bytes: &mut [u8],
        cursor: &mut Cursor,
        unmask: impl FnOnce(MaskingKey, &mut [u8], usize) -> Option<bool>,
    ) -> Option<()> {
        let (key, octets, len) = short_payload::<MASKED>(bytes, cursor)?;
        let ascii = unmask(key, octets, len)?;
        if MASKED {
            self.short_way = if ascii {
                ShortWay::Masked
            } else {
                ShortWay::MaskedCharacters
            };
        }
        let start = cursor.start + WholeMessage::short_header_len(MASKED);
        self.take(MessageKind::Text, len, start..start + len, cursor);
        Some(())
    }

    /// Takes a message at the cursor, and goes behind it, like [`take_short`](Self::take_short), for lengths of 16 bits.
    #[inline]
    pub(super) fn take_longer(&mut self, bytes: &mut [u8], cursor: &mut Cursor) -> Option<()> {
        match self.short_way {
            ShortWay::Gathering | ShortWay::Closed => None,
            ShortWay::Unmasked => self.take_longer_of(false, bytes, cursor),
            ShortWay::Masked | ShortWay::MaskedCharacters => self.take_longer_of(true, bytes, cursor),
        }
    }

    #[inline(always)]
    fn take_longer_of(&mut self, masked: bool, bytes: &mut [u8], cursor: &mut Cursor) -> Option<()> {
        let rest = bytes.get_mut(cursor.start..cursor.stop)?;
        let WholeMessage { text, payload, key } = self.recognise_longer(masked, rest)?;
        let place = cursor.start + payload.start..cursor.start + payload.end;
        let payload = rest.get_mut(payload)?;
        let key = key.unwrap_or_default(); // zero changes nothing
        if !text {
            self.take(MessageKind::Binary, payload.len(), place, cursor); // first, as above
            if masked {
                key.apply_long(payload);
            }
        } else {
            let valid = if masked {
                kernel::run(Cpu::known(), key, &mut *payload)
            } else {
                kernel::run(Cpu::known(), key, &*payload)
            };
            if !valid {
                return None;
            }
            self.take(MessageKind::Text, payload.len(), place, cursor);
        }
        Some(())
    }

    /// A message within the limits that begins here.
    #[inline(always)]
    pub(super) fn recognise_longer(&self, masked: bool, bytes: &[u8]) -> Option<WholeMessage> {
        let message = WholeMessage::recognise_longer(masked, bytes)?;
        let len = message.payload.len() as u64;
        (len <= self.max_message_bytes && len <= self.decoder.max_frame_bytes()).then_some(message)
    }

    /// To be called when something may have changed that the short way depends on, which it does not look at itself.
    pub(super) fn update_short_way(&mut self) {
        Cpu::this(); // what short ways unmask by asks for what is known of the processor
        let least = MAX_CONTROL_BYTES as u64;
        let unlimited = self.max_message_bytes >= least && self.decoder.max_frame_bytes() >= least;
        if unlimited && self.is_receiving() && self.decoder.is_at_rest() {
            self.open_short_way();
        } else {
            self.short_way = ShortWay::Closed;
        }
    }

    #[inline]
    pub(super) fn open_short_way(&mut self) {
        self.short_way = if self.masks() {
            ShortWay::Unmasked
        } else {
            ShortWay::Masked
        };
    }
}

/// The key of a short message that the cursor stands before, its payload data and what lies behind, and how many octets are
/// payload data; they need not all be there. That the header is one of those is known, and not looked at again.
#[inline(always)]
fn short_payload<'a, const MASKED: bool>(
    bytes: &'a mut [u8],
    cursor: &Cursor,
) -> Option<(MaskingKey, &'a mut [u8], usize)> {
    let rest = bytes.get_mut(cursor.start..cursor.stop)?;
    let len = WholeMessage::short_len(*rest.get(1)?);
    let key = if MASKED {
        MaskingKey::new(*rest.first_chunk::<6>()?.last_chunk()?)
    } else {
        MaskingKey::default() // zero changes nothing
    };
    let octets = rest.get_mut(WholeMessage::short_header_len(MASKED)..)?;
    Some((key, octets, len))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::{Header, Opcode};
    use crate::{Config, Event, Inbox, Input, Role};
    use alloc::vec::Vec;
    use core::ops::Range;

    const KEY: MaskingKey = MaskingKey::new([0x37, 0xfa, 0x21, 0x3d]);

    type Outcome = (Option<(MessageKind, Range<usize>)>, Vec<u8>);

    /// What the short way leads to, for some bytes; and what became of these. With `characters` behind a text that was more than
    /// ASCII.
    fn short_way(cpu: Cpu, role: Role, given: &[u8], characters: bool) -> Outcome {
        let (mut connection, mut outbox) = (Connection::new(role, &Config::default()), Outbox::new());
        connection.update_short_way();
        if characters && role == Role::Server {
            connection.short_way = ShortWay::MaskedCharacters;
        }
        let mut given_bytes = given.to_vec();
        let mut input = Input::new(&mut given_bytes, Inbox::new());
        let (bytes, cursor, inbox) = input.parts();
        let short = connection.take_short(bytes, cursor);
        if short != Short::Taken {
            assert_eq!((cursor.start, &*bytes), (0, given));
        }
        let taken = match short {
            Short::Taken => true,
            Short::Text => connection.receive_text(cpu, bytes, cursor, inbox, &mut outbox),
            Short::Other => connection.take_longer(bytes, cursor).is_some(),
        };
        let place = input.event_range().map(|range| {
            let kind = match input.event() {
                Event::Text(_) => MessageKind::Text,
                _ => MessageKind::Binary,
            };
            (kind, range)
        });
        assert_eq!(place.is_some(), taken);
        if short != Short::Text || taken {
            assert_eq!(input.consumed(), place.as_ref().map_or(0, |(_, range)| range.end));
        }
        (place, given_bytes)
    }

    /// Places where frames are cut, and how far lengths are apart. Miri takes its time.
    const CUTS: usize = if cfg!(miri) { 2 } else { 200 };
    const STEP: usize = if cfg!(miri) { 41 } else { 1 };

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
                for (cpu, characters) in Cpu::each().flat_map(|cpu| [(cpu, false), (cpu, true)]) {
                    let (found, left) = short_way(cpu, role, &bytes, characters);
                    assert_eq!(found, valid.then_some((kind, header_len..end)), "{payload:02x?}");
                    // A short text that is none was taken apart by the decoder behind the short way.
                    let is_short = payload.len() <= MAX_CONTROL_BYTES;
                    if valid {
                        assert_eq!(left, [&plain, behind].concat());
                    } else if !is_short {
                        assert_eq!(left, bytes);
                    }
                }
            }
            for cut in (0..end).step_by(1 + end / CUTS) {
                assert_eq!(
                    short_way(Cpu::this(), role, &frame[..cut], false),
                    (None, frame[..cut].to_vec())
                );
            }
        }
    }

    #[test]
    fn s5_6_every_length() {
        let text = "aé世b界 😀".repeat(12).into_bytes();
        for len in (0..=MAX_CONTROL_BYTES).step_by(STEP) {
            assert_all_right(&text[..len], 2);
            assert_all_right(&text[..len], 1);
            assert_all_right(&[b'a'; MAX_CONTROL_BYTES][..len], 1);
            let mut spoilt = text[..len].to_vec();
            for place in (0..len).step_by(7 * STEP) {
                spoilt[place] ^= 0x80;
                assert_all_right(&spoilt, 1);
            }
        }
    }

    #[test]
    #[cfg_attr(miri, ignore = "takes minutes; what is unsafe there kernels take, too")]
    fn s5_6_lengths_of_16_bits() {
        let text = "aé世b界 😀".repeat(5000).into_bytes();
        for len in [126, 127, 128, 129, 200, 1000, 0xffff] {
            let end = (0..len).rev().find(|&i| core::str::from_utf8(&text[..i]).is_ok());
            for len in [len, end.unwrap_or_default()] {
                assert_all_right(&text[..len], 1);
                assert_all_right(&text[..len], 2);
            }
            let mut ascii = alloc::vec![b'a'; len];
            assert_all_right(&ascii, 1);
            ascii[len / 2] = 0xff;
            assert_all_right(&ascii, 1);
            ascii[len / 2..len / 2 + 2].copy_from_slice("é".as_bytes());
            assert_all_right(&ascii, 1);
        }
    }

    #[test]
    #[cfg_attr(miri, ignore = "takes minutes, and nothing there is unsafe")]
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
                    assert_eq!(
                        short_way(Cpu::this(), role, &bytes, false),
                        (None, bytes.to_vec())
                    );
                }
            }
        }
    }
}
