//! Bytes to frames, in any chunks, without memory of its own.

use core::ops::Range;

use super::rules::{Judge, Masking, Room, Rules};
use super::{Header, Rsv};
#[cfg(feature = "alloc")]
use crate::Role;
#[cfg(feature = "alloc")]
use crate::bytes::{Reader, Writer};
use crate::error::Violation;
use crate::mask::MaskingKey;

/// Splits a stream of bytes into frames: headers and pieces of payload, as offsets into the bytes given
/// (RFC 6455 §5.2 to §5.5).
///
/// For proxies, taps and firmware: it keeps 40 bytes of state, allocates nothing, takes its input in any
/// chunks down to one byte, and passes on payload data as it comes. What a header proves wrong is
/// refused at the octet that proves it, before any payload. It knows frames, not messages: UTF-8, the
/// body of Close frames and replies are a `Connection`'s, which stands on it.
///
/// Each frame gives one [`Part::Header`], then one or more [`Part::Payload`], the last of which says so: an empty one if the
/// frame is empty, for which no bytes need to be left. Ask until [`Part::More`].
///
/// ```
/// use ws_proto::frame::{Decoder, Opcode, Part, Rules};
/// use ws_proto::Role;
///
/// let mut decoder = Decoder::new(Rules::new(Role::Server));
/// let mut bytes = *b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58";
/// let mut rest = &mut bytes[..];
///
/// let step = decoder.decode(rest)?;
/// let Part::Header(header) = step.part else { panic!() };
/// assert_eq!((header.opcode, header.payload_len, step.consumed), (Opcode::TEXT, 5, 6));
///
/// rest = &mut rest[step.consumed..];
/// let step = decoder.decode(rest)?;
/// let Part::Payload { range, last, .. } = step.part else { panic!() };
/// assert_eq!((&rest[range], last), (&b"Hello"[..], true));
/// # Ok::<(), ws_proto::Violation>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Decoder {
    // The fields of `Rules`, which by itself would cost eight bytes more.
    max_frame_bytes: u64,
    masking: Masking,
    reserved_bits: Rsv,
    message_bits: Rsv,
    reserved_opcodes: bool,
    /// Payload bytes of the current frame that have not come yet.
    remaining: u64,
    /// The key for the next of them, if the frame is masked.
    key: MaskingKey,
    /// The bytes of a header that is not complete yet: at least one less than the longest has.
    partial: [u8; Header::MAX_BYTES - 1],
    partial_len: u8,
    state: State,
    /// Whether a fragmented message is unfinished.
    in_message: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Header,
    Payload { masked: bool },
    Failed,
}

/// What a [`Decoder`] found at the front of the bytes it was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// How many of the bytes this step used up. The next step begins behind them.
    pub consumed: usize,
    /// What they were.
    pub part: Part,
}

/// One part of a stream of frames.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// Nothing whole: all bytes were taken, more are needed.
    More,
    /// A header, complete.
    Header(Header),
    /// Payload data of the frame whose header came last.
    Payload {
        /// Where it lies in the bytes given.
        range: Range<usize>,
        /// The key for the first of them, advanced to this place in the frame, if the frame is masked.
        key: Option<MaskingKey>,
        /// Whether the frame ends here.
        last: bool,
    },
}

impl Decoder {
    /// A decoder at the beginning of a stream of frames.
    pub const fn new(rules: Rules) -> Self {
        Self {
            max_frame_bytes: rules.max_frame_bytes,
            masking: rules.masking,
            reserved_bits: rules.reserved_bits,
            message_bits: rules.message_bits,
            reserved_opcodes: rules.reserved_opcodes,
            remaining: 0,
            key: MaskingKey::new([0; 4]),
            partial: [0; Header::MAX_BYTES - 1],
            partial_len: 0,
            state: State::Header,
            in_message: false,
        }
    }

    /// Finds the next part at the front of `bytes` and unmasks it in place.
    ///
    /// # Errors
    /// The [`Violation`], once; then all input is discarded.
    pub fn decode(&mut self, bytes: &mut [u8]) -> Result<Step, Violation> {
        let step = self.split(bytes)?;
        if let Part::Payload {
            range,
            key: Some(key),
            ..
        } = &step.part
        {
            key.apply(&mut bytes[range.clone()]);
        }
        Ok(step)
    }

    /// Finds the next part at the front of `bytes`, which stay as they are: masked payload stays masked.
    ///
    /// # Errors
    /// The [`Violation`], once; then all input is discarded.
    pub fn split(&mut self, bytes: &[u8]) -> Result<Step, Violation> {
        self.split_within(bytes, Room::ANY)
            .map_err(|(violation, _)| violation)
    }

    /// Whether the stream may end here: no frame and no fragmented message is unfinished.
    pub const fn is_at_rest(&self) -> bool {
        matches!(self.state, State::Header) && self.partial_len == 0 && !self.in_message
    }

    /// Payload bytes of the current frame that have not come yet.
    pub const fn remaining(&self) -> u64 {
        self.remaining
    }

    /// [`split`](Self::split) with `room` left for a data frame until its message is over the limit. The error
    /// comes with the number of bytes up to and including the octet that proves it.
    #[inline]
    pub(crate) fn split_within(&mut self, bytes: &[u8], room: Room) -> Result<Step, (Violation, usize)> {
        match self.state {
            State::Header => self.header(bytes, room),
            State::Payload { masked } => Ok(self.payload(masked, bytes)),
            State::Failed => Ok(Step {
                consumed: bytes.len(),
                part: Part::More,
            }),
        }
    }

    fn header(&mut self, bytes: &[u8], room: Room) -> Result<Step, (Violation, usize)> {
        let judge = Judge {
            rules: self.rules(),
            in_message: Some(self.in_message),
            room,
        };
        let before = usize::from(self.partial_len);
        let parsed = if before == 0 {
            Header::parse_by(&judge, bytes)
        } else {
            let more = bytes.len().min(Header::MAX_BYTES - before);
            let mut octets = [0; Header::MAX_BYTES];
            octets[..before].copy_from_slice(&self.partial[..before]);
            octets[before..before + more].copy_from_slice(&bytes[..more]);
            Header::parse_by(&judge, &octets[..before + more])
        };
        match parsed {
            Ok(Some((header, len))) => {
                self.begin(&header);
                Ok(Step {
                    consumed: len - before,
                    part: Part::Header(header),
                })
            }
            // With 14 bytes a header is complete or wrong, so that all of an incomplete one fits.
            Ok(None) => {
                self.partial[before..before + bytes.len()].copy_from_slice(bytes);
                self.partial_len += bytes.len() as u8;
                Ok(Step {
                    consumed: bytes.len(),
                    part: Part::More,
                })
            }
            Err(fault) => {
                self.state = State::Failed;
                Err((fault.violation, fault.at - before))
            }
        }
    }

    /// Whether a frame's header came, and not all of its payload data.
    #[cfg(feature = "alloc")]
    pub(crate) const fn is_in_payload(&self) -> bool {
        matches!(self.state, State::Payload { .. })
    }

    /// Whether the next step gives an empty payload, for which it needs no bytes.
    #[cfg(feature = "alloc")]
    pub(crate) const fn is_before_empty_payload(&self) -> bool {
        self.is_in_payload() && self.remaining == 0
    }

    /// Whether a fragmented message is unfinished.
    #[cfg(feature = "alloc")]
    pub(crate) const fn is_in_message(&self) -> bool {
        self.in_message
    }

    /// Whether the stream broke the rules.
    #[cfg(feature = "alloc")]
    pub(crate) const fn has_failed(&self) -> bool {
        matches!(self.state, State::Failed)
    }

    /// Whether the rules are those of the role, but for the limit and the bits of extensions.
    #[cfg(feature = "alloc")]
    pub(crate) fn is_for(&self, role: Role) -> bool {
        let mut rules = Rules::new(role);
        rules.max_frame_bytes = self.max_frame_bytes;
        rules.message_bits = self.message_bits;
        self.rules() == rules
    }

    /// Most payload bytes of a data frame.
    #[cfg(feature = "alloc")]
    pub(crate) const fn max_frame_bytes(&self) -> u64 {
        self.max_frame_bytes
    }

    /// The role that the rules are for, if they are [for one](Self::is_for).
    #[cfg(feature = "alloc")]
    pub(crate) const fn role(&self) -> Role {
        match self.masking {
            Masking::Required => Role::Server,
            Masking::Forbidden | Masking::Either => Role::Client,
        }
    }

    /// The reserved bits that are let through on the first frame of a message.
    #[cfg(feature = "alloc")]
    pub(crate) const fn message_bits(&self) -> Rsv {
        self.message_bits
    }

    /// Takes back the last `n` payload bytes of those that the last step gave out, with this `key` for the first of them.
    #[cfg(feature = "deflate")]
    pub(crate) fn give_back(&mut self, n: u64, key: MaskingKey) {
        self.remaining += n;
        self.key = key;
        self.state = State::Payload {
            masked: matches!(self.masking, Masking::Required),
        };
    }

    /// Length in bytes of its state.
    #[cfg(feature = "alloc")]
    pub(crate) const STATE_BYTES: usize = 40;

    /// All of its state.
    #[cfg(feature = "alloc")]
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
    #[cfg(feature = "alloc")]
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

    const fn rules(&self) -> Rules {
        Rules {
            masking: self.masking,
            reserved_bits: self.reserved_bits,
            message_bits: self.message_bits,
            reserved_opcodes: self.reserved_opcodes,
            max_frame_bytes: self.max_frame_bytes,
        }
    }

    /// Goes on with the payload of a frame by its header, which is known to be right.
    pub(crate) fn begin(&mut self, header: &Header) {
        self.partial_len = 0;
        self.state = State::Payload {
            masked: header.key.is_some(),
        };
        self.remaining = header.payload_len;
        self.key = header.key.unwrap_or_default();
        if !header.opcode.is_control() {
            self.in_message = !header.fin;
        }
    }

    fn payload(&mut self, masked: bool, bytes: &[u8]) -> Step {
        let len = usize::try_from(self.remaining).map_or(bytes.len(), |remaining| remaining.min(bytes.len()));
        if len == 0 && self.remaining > 0 {
            return Step {
                consumed: 0,
                part: Part::More,
            };
        }
        let key = masked.then_some(self.key);
        let last = self.skip_payload(len as u64);
        Step {
            consumed: len,
            part: Part::Payload {
                range: 0..len,
                key,
                last,
            },
        }
    }

    /// Goes behind some of the payload data that has not come yet; whether the frame ends there.
    fn skip_payload(&mut self, n: u64) -> bool {
        self.remaining -= n;
        self.key = self.key.advanced(n);
        let last = self.remaining == 0;
        if last {
            self.state = State::Header;
        }
        last
    }

    /// [`split`](Self::split) for the next `n` bytes of payload data, of those that [remain](Self::remaining): the key, zero if there
    /// is none, and whether the frame ends there.
    #[cfg(feature = "alloc")]
    pub(crate) fn split_payload(&mut self, n: u64) -> (MaskingKey, bool) {
        (self.key, self.skip_payload(n))
    }
}
