//! What a header may say: one place that judges it, octet by octet.

use super::header::{FIN, LEN_16};
use super::{MAX_CONTROL_BYTES, Opcode, Rsv};
use crate::Role;
use crate::error::Violation;

/// Whether received frames have to be masked (RFC 6455 §5.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Masking {
    /// Frames from a client are.
    Required,
    /// Frames from a server are not.
    Forbidden,
    /// Let both through.
    Either,
}

/// What a [`Decoder`](super::Decoder) lets through.
///
/// ```
/// use ws_proto::Role;
/// use ws_proto::frame::{Decoder, Rsv, Rules};
///
/// // A server's rules, with permessage-deflate, and frames of at most 64 KiB.
/// let rules = Rules { message_bits: Rsv::RSV1, max_frame_bytes: 64 << 10, ..Rules::new(Role::Server) };
/// let decoder = Decoder::new(rules);
/// # assert!(decoder.is_at_rest());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// Whether frames have to be masked.
    pub masking: Masking,
    /// The reserved bits that are let through on every frame: those of negotiated extensions, or all of them in a
    /// proxy that passes on what it does not know. Default: none.
    pub reserved_bits: Rsv,
    /// The reserved bits that are let through on the first frame of a message only: those of extensions that transform
    /// messages, such as permessage-deflate (RFC 7692 §6.1). Default: none.
    pub message_bits: Rsv,
    /// Whether reserved opcodes are let through. Those above 7 follow the rules of control frames, the
    /// others those of data frames. Default: no.
    pub reserved_opcodes: bool,
    /// Most payload bytes of a data frame; a longer one is [`Violation::FrameTooBig`] at its header.
    /// Default: 16 MiB.
    pub max_frame_bytes: u64,
}

impl Rules {
    /// The rules of RFC 6455 for an endpoint that receives in this role, without extensions.
    pub const fn new(role: Role) -> Self {
        Self {
            masking: match role {
                Role::Server => Masking::Required,
                Role::Client => Masking::Forbidden,
            },
            reserved_bits: Rsv::NONE,
            message_bits: Rsv::NONE,
            reserved_opcodes: false,
            max_frame_bytes: 16 << 20,
        }
    }

    /// Lets through whatever an extension may allow, masked or not, of any size: for proxies and tools.
    pub const fn permissive() -> Self {
        Self {
            masking: Masking::Either,
            reserved_bits: Rsv::ALL,
            message_bits: Rsv::NONE,
            reserved_opcodes: true,
            max_frame_bytes: u64::MAX,
        }
    }
}

/// Judges a header by the rules, and by where in the stream of frames it stands.
pub(crate) struct Judge {
    pub(crate) rules: Rules,
    /// Whether a fragmented message is unfinished; `None` if it does not matter.
    pub(crate) in_message: Option<bool>,
    /// Bytes that a data frame may carry until its message is over the limit.
    pub(crate) room: Room,
}

/// How many bytes of payload data the next data frame may declare.
#[derive(Clone, Copy)]
pub(crate) struct Room {
    pub(crate) plain: u64,
    /// If it begins a message that is compressed.
    pub(crate) compressed: u64,
}

impl Room {
    pub(crate) const ANY: Self = Self {
        plain: u64::MAX,
        compressed: u64::MAX,
    };
}

impl Judge {
    /// Knows nothing but the header.
    pub(super) const PERMISSIVE: Self = Self {
        rules: Rules::permissive(),
        in_message: None,
        room: Room::ANY,
    };

    /// What the first octet proves wrong: reserved bits, opcode, FIN and the order of fragments.
    pub(super) fn first_octet(&self, octet: u8) -> Result<(), Violation> {
        let opcode = Opcode::new(octet);
        // RFC 7692 §6.1: RSV1 stands on the first frame of a message, not on the others and not on control frames.
        let begins = !opcode.is_control() && opcode != Opcode::CONTINUATION;
        let of_message = if begins {
            self.rules.message_bits
        } else {
            Rsv::NONE
        };
        // RFC 6455 §5.2: "MUST be 0 unless an extension is negotiated that defines meanings".
        if !self
            .rules
            .reserved_bits
            .union(of_message)
            .contains(Rsv::new(octet))
        {
            return Err(Violation::ReservedBit);
        }
        if opcode.is_reserved() && !self.rules.reserved_opcodes {
            return Err(Violation::ReservedOpcode(opcode.get()));
        }
        // RFC 6455 §5.5: control frames "MUST NOT be fragmented".
        if opcode.is_control() {
            return if octet & FIN != 0 {
                Ok(())
            } else {
                Err(Violation::FragmentedControlFrame)
            };
        }
        // RFC 6455 §5.4: the fragments of one message are not interleaved with those of another.
        match (self.in_message, opcode == Opcode::CONTINUATION) {
            (Some(true), false) => Err(Violation::InterleavedMessage),
            (Some(false), true) => Err(Violation::UnexpectedContinuation),
            _ => Ok(()),
        }
    }

    /// What the second octet proves wrong: masking, and the length of a control frame.
    pub(super) fn second_octet(&self, opcode: Opcode, masked: bool, len_7: u8) -> Result<(), Violation> {
        match self.rules.masking {
            Masking::Required if !masked => return Err(Violation::UnmaskedFrame),
            Masking::Forbidden if masked => return Err(Violation::MaskedFrame),
            _ => {}
        }
        // RFC 6455 §5.5: "MUST have a payload length of 125 bytes or less".
        if opcode.is_control() && usize::from(len_7) > MAX_CONTROL_BYTES {
            return Err(Violation::ControlFrameTooLong);
        }
        // RFC 6455 §5.5.1: a body begins with a status code of two octets.
        if opcode == Opcode::CLOSE && len_7 == 1 {
            Err(Violation::CloseBodyTooShort)
        } else {
            Ok(())
        }
    }

    /// What the length proves wrong, `len_bytes` after the first seven bits. What breaks the grammar
    /// comes before what is over a limit.
    pub(super) fn len(&self, first: u8, len: u64, len_bytes: usize) -> Result<(), Violation> {
        // RFC 6455 §5.2: "the minimal number of bytes MUST be used to encode the length".
        let least = match len_bytes {
            0 => 0,
            2 => u64::from(LEN_16),
            _ => 1 << 16,
        };
        if len < least {
            return Err(Violation::NonMinimalLength);
        }
        if Opcode::new(first).is_control() {
            return Ok(()); // at most 125 bytes, by the second octet
        }
        if len > self.rules.max_frame_bytes {
            return Err(Violation::FrameTooBig);
        }
        let room = if Rsv::new(first).contains(Rsv::RSV1) {
            self.room.compressed
        } else {
            self.room.plain
        };
        if len > room {
            Err(Violation::MessageTooBig)
        } else {
            Ok(())
        }
    }
}
