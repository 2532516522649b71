//! Frames: the header codec and an incremental decoder (RFC 6455 §5.2). No allocation.
//!
//! ```text
//!  octet 0            octet 1           then
//! +-+-+-+-+--------+ +-+-------------+ +------------------+-------------+--------------+
//! |F|R|R|R| opcode | |M| payload     | | length, 16 or 64 | masking key | payload data |
//! |I|S|S|S|        | |A| length      | | bits, if the 7   | 4 octets,   |              |
//! |N|V|V|V| 4 bits | |S| 7 bits      | | bits are 126 or  | if MASK is  |              |
//! | |1|2|3|        | |K|             | | 127, big-endian  | set         |              |
//! +-+-+-+-+--------+ +-+-------------+ +------------------+-------------+--------------+
//! ```

mod decoder;
mod header;
mod rules;
#[cfg(feature = "alloc")]
mod whole;

pub use decoder::{Decoder, Part, Step};
pub use header::{EncodedHeader, Header};
#[cfg(feature = "alloc")]
pub(crate) use rules::Room;
pub use rules::{Masking, Rules};
#[cfg(feature = "alloc")]
pub(crate) use whole::WholeMessage;

use core::fmt;

/// Most payload bytes of a control frame (RFC 6455 §5.5).
pub const MAX_CONTROL_BYTES: usize = 125;

/// What a frame is, 4 bits (RFC 6455 §5.2, §11.8).
///
/// The ten values without a constant are reserved; a [`Decoder`] refuses them unless told otherwise.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Opcode(u8);

impl Opcode {
    /// 0: goes on with the message that an earlier frame began.
    pub const CONTINUATION: Self = Self(0x0);
    /// 1: begins a text message.
    pub const TEXT: Self = Self(0x1);
    /// 2: begins a binary message.
    pub const BINARY: Self = Self(0x2);
    /// 8: begins or answers the closing handshake.
    pub const CLOSE: Self = Self(0x8);
    /// 9: asks for a Pong.
    pub const PING: Self = Self(0x9);
    /// 10: answers a Ping, or says unasked that the endpoint lives.
    pub const PONG: Self = Self(0xa);

    /// The opcode of a frame's first octet: its low four bits.
    pub const fn new(octet: u8) -> Self {
        Self(octet & 0x0f)
    }

    /// The number, 0 to 15.
    pub const fn get(self) -> u8 {
        self.0
    }

    /// Whether frames of this opcode are control frames: the most significant of the four bits (RFC 6455 §5.5).
    pub const fn is_control(self) -> bool {
        self.0 & 0x8 != 0
    }

    /// Whether RFC 6455 gives the opcode no meaning: 3 to 7 and 11 to 15.
    pub const fn is_reserved(self) -> bool {
        matches!(self.0, 0x3..=0x7 | 0xb..=0xf)
    }
}

impl fmt::Debug for Opcode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Opcode({self})")
    }
}

impl fmt::Display for Opcode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match *self {
            Self::CONTINUATION => "continuation",
            Self::TEXT => "text",
            Self::BINARY => "binary",
            Self::CLOSE => "close",
            Self::PING => "ping",
            Self::PONG => "pong",
            Self(reserved) => return write!(f, "reserved {reserved}"),
        })
    }
}

/// The three reserved bits of a frame (RFC 6455 §5.2). Extensions give them meaning.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Rsv(u8);

impl Rsv {
    /// None of the bits.
    pub const NONE: Self = Self(0);
    /// RSV1, which permessage-deflate uses.
    pub const RSV1: Self = Self(0x40);
    /// RSV2.
    pub const RSV2: Self = Self(0x20);
    /// RSV3.
    pub const RSV3: Self = Self(0x10);
    /// All three bits.
    pub const ALL: Self = Self(0x70);

    /// The reserved bits of a frame's first octet.
    pub const fn new(octet: u8) -> Self {
        Self(octet & Self::ALL.0)
    }

    /// The bits in their place in a frame's first octet.
    pub const fn bits(self) -> u8 {
        self.0
    }

    /// The bits of both.
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether all bits of `other` are set here.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// The bits that are not in `other`.
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Whether no bit is set.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }
}
