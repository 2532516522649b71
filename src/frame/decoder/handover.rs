//! A decoder as bytes, for another process to go on with.

use super::{Decoder, State};
use crate::bytes::{Reader, Writer};
use crate::frame::rules::{Judge, Masking, Room};
use crate::frame::{Header, Rsv};
use crate::mask::MaskingKey;

impl Decoder {
    /// Length in bytes of its state.
    pub(crate) const STATE_BYTES: usize = 40;

    /// All of its state.
    pub(crate) fn to_bytes(self) -> [u8; Self::STATE_BYTES] {
        let mut bytes = [0; Self::STATE_BYTES];
        let mut to = Writer { rest: &mut bytes };
        to.put(self.max_frame_bytes.to_le_bytes());
        to.put(self.remaining.to_le_bytes());
        to.put(self.key.octets());
        to.put(self.partial);
        to.put([self.partial_len]);
        to.put([
            self.masking as u8,
            self.reserved_bits.bits(),
            self.message_bits.bits(),
        ]);
        to.put([match self.state {
            State::Header => 0,
            State::Payload { masked } => 1 + u8::from(masked),
            State::Failed => 3,
        }]);
        to.put([self.reserved_opcodes, self.in_message].map(u8::from));
        bytes
    }

    /// The decoder of a state, with `room` left for the next data frame; `None` if that is none.
    pub(crate) fn from_bytes(bytes: [u8; Self::STATE_BYTES], room: Room) -> Option<Self> {
        let from = &mut Reader { rest: &bytes };
        let decoder = Self {
            max_frame_bytes: u64::from_le_bytes(from.take()),
            remaining: u64::from_le_bytes(from.take()),
            key: MaskingKey::new(from.take()),
            partial: from.take(),
            partial_len: from.take::<1>()[0],
            masking: match from.take() {
                [0] => Masking::Required,
                [1] => Masking::Forbidden,
                [2] => Masking::Either,
                _ => return None,
            },
            reserved_bits: Rsv::new(from.take::<1>()[0]),
            message_bits: Rsv::new(from.take::<1>()[0]),
            state: match from.take() {
                [0] => State::Header,
                [masked @ 1..=2] => State::Payload { masked: masked == 2 },
                [3] => State::Failed,
                _ => return None,
            },
            reserved_opcodes: from.flag()?,
            in_message: from.flag()?,
        };
        // What is kept of a header is the beginning of one that the rules let through.
        let partial = decoder.partial.get(..usize::from(decoder.partial_len))?;
        let judge = Judge {
            rules: decoder.rules(),
            in_message: Some(decoder.in_message),
            room,
        };
        let header = matches!(Header::parse_by(&judge, partial), Ok(None));
        let payload = match decoder.state {
            State::Payload { .. } => decoder.partial_len == 0,
            State::Header | State::Failed => decoder.remaining == 0,
        };
        (header && payload && decoder.to_bytes() == bytes).then_some(decoder)
    }
}
