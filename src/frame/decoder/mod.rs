//! Bytes to frames, in any chunks, without memory of its own.

#[cfg(feature = "alloc")]
mod handover;

use core::ops::Range;

use super::rules::{Judge, Masking, Room, Rules};
use super::{Header, Rsv};
#[cfg(feature = "alloc")]
use crate::Role;
use crate::error::Violation;
use crate::mask::MaskingKey;

/// Splits a stream of bytes into frames: headers and pieces of payload, as offsets into the bytes given
/// (RFC 6455 §5.2 to §5.5).
///
/// For proxies, taps and firmware: it keeps 40 bytes of state, allocates nothing, takes its input in any
/// chunks down to one byte, and passes on payload data as it comes. What a header proves wrong is
/// refused at the octet that proves it, a length at its last one, before any payload. It knows frames, not messages: UTF-8, the
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
        /// The key of the first of them, advanced to this place in the frame, if the frame is masked; [`Decoder::decode`] has applied
        /// it already.
        key: Option<MaskingKey>,
        /// Whether the frame ends here.
        last: bool,
    },
}

const _: () = assert!(size_of::<Decoder>() == 40);

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
    #[inline]
    pub fn decode(&mut self, bytes: &mut [u8]) -> Result<Step, Violation> {
        // Looked at where it was returned: see `split_header_within`.
        let step = self.split(bytes);
        if let Ok(Step {
            part:
                Part::Payload {
                    range,
                    key: Some(key),
                    ..
                },
            ..
        }) = &step
        {
            key.apply(&mut bytes[range.clone()]);
        }
        step
    }

    /// Finds the next part at the front of `bytes`, which stay as they are: masked payload stays masked.
    ///
    /// # Errors
    /// The [`Violation`], once; then all input is discarded.
    #[inline]
    pub fn split(&mut self, bytes: &[u8]) -> Result<Step, Violation> {
        match self.state {
            State::Payload { masked } => Ok(self.payload(masked, bytes)),
            State::Header | State::Failed => self.split_header(bytes),
        }
    }

    /// [`split`](Self::split) when no payload data is to come. Too long to be a part of the embedder's code, as the rest is.
    #[inline(never)]
    fn split_header(&mut self, bytes: &[u8]) -> Result<Step, Violation> {
        self.split_header_within(bytes, Room::ANY)
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

    /// [`split`](Self::split) when no payload data is to come, with `room` left for a data frame until its message is over the limit.
    /// The error comes with the number of bytes up to and including the octet that proves it.
    // Always, here and in the parser: what one function returns to the next is copied by words that wait for octets just written.
    #[inline(always)]
    pub(crate) fn split_header_within(
        &mut self,
        bytes: &[u8],
        room: Room,
    ) -> Result<Step, (Violation, usize)> {
        debug_assert!(!matches!(self.state, State::Payload { .. }));
        if self.state == State::Failed {
            return Ok(Step {
                consumed: bytes.len(),
                part: Part::More,
            });
        }
        let judge = Judge {
            rules: self.rules(),
            in_message: Some(self.in_message),
            room,
        };
        let before = usize::from(self.partial_len);
        let gathered;
        let octets = if before == 0 {
            bytes
        } else {
            gathered = self.gathered(bytes);
            &gathered.0[..gathered.1]
        };
        match Header::parse_by(&judge, octets) {
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

    /// What had come of a header, with as many of the bytes behind it as a header can have; how many octets that is.
    #[cold]
    fn gathered(&self, bytes: &[u8]) -> ([u8; Header::MAX_BYTES], usize) {
        let before = usize::from(self.partial_len);
        let len = Header::MAX_BYTES.min(before + bytes.len());
        let mut octets = [0; Header::MAX_BYTES];
        octets[..before].copy_from_slice(&self.partial[..before]);
        octets[before..len].copy_from_slice(&bytes[..len - before]);
        (octets, len)
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

    #[inline(always)]
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
