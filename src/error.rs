//! The two kinds of failure: the peer broke the protocol ([`Violation`]), or the embedder asked for
//! something that may not be sent ([`SendError`]).

use thiserror::Error;

use crate::CloseCode;
use crate::utf8::InvalidUtf8;

/// What the peer did wrong. It fails the connection (RFC 6455 §7.1.7).
///
/// A violation is reported once, as soon as it is known: at the octet of a header or of a text that proves it, a length and a
/// count at the last octet of theirs, the body of a Close frame when all of it is there. Nothing that the peer sends after it is
/// looked at. [`close_code`](Self::close_code) is the status code for the Close frame;
/// a `Connection` queues that frame itself, if one can be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
#[non_exhaustive]
pub enum Violation {
    /// A reserved bit that no negotiated extension defines (RFC 6455 §5.2); or that one does which
    /// [`Config`](crate::Config) was not told of.
    #[error("the peer set a reserved bit that no extension defines")]
    ReservedBit,
    /// Opcode 3 to 7 or 11 to 15 (RFC 6455 §5.2).
    #[error("the peer sent reserved opcode {0}")]
    ReservedOpcode(u8),
    /// A control frame without FIN (RFC 6455 §5.5).
    #[error("the peer fragmented a control frame")]
    FragmentedControlFrame,
    /// A control frame that declares more than 125 bytes (RFC 6455 §5.5).
    #[error("the peer sent a control frame of more than 125 bytes")]
    ControlFrameTooLong,
    /// A text or binary frame while a fragmented message is unfinished (RFC 6455 §5.4).
    #[error("the peer began a message inside a fragmented message")]
    InterleavedMessage,
    /// A continuation frame while no fragmented message is unfinished (RFC 6455 §5.4).
    #[error("the peer continued a message that it had not begun")]
    UnexpectedContinuation,
    /// An unmasked frame from a client (RFC 6455 §5.1).
    #[error("the client sent an unmasked frame")]
    UnmaskedFrame,
    /// A masked frame from a server (RFC 6455 §5.1).
    #[error("the server sent a masked frame")]
    MaskedFrame,
    /// A length in more bytes than it needs (RFC 6455 §5.2).
    #[error("the peer encoded a payload length in more bytes than it needs")]
    NonMinimalLength,
    /// A 64-bit length whose most significant bit is set (RFC 6455 §5.2).
    #[error("the peer sent a payload length of 2^63 or more")]
    LengthOverflow,
    /// A Close frame with a body of one byte (RFC 6455 §5.5.1).
    #[error("the peer sent a close frame with half a status code")]
    CloseBodyTooShort,
    /// A status code that must not be on the wire (RFC 6455 §7.4).
    #[error("the peer sent a close frame with invalid status code {0}")]
    InvalidCloseCode(u16),
    /// A reason in a Close frame that is not UTF-8 (RFC 6455 §5.5.1, §8.1).
    #[error("the peer sent a close frame whose reason is not valid UTF-8")]
    InvalidCloseReason,
    /// A text message that is not UTF-8, or ends inside a character (RFC 6455 §8.1).
    #[error("the peer sent a text message that is not valid UTF-8")]
    InvalidUtf8,
    /// A compressed message that is not DEFLATE data, or ends inside of it (RFC 7692 §7.2.2).
    #[error("the peer sent a compressed message that is invalid or cut off")]
    InvalidDeflate,
    /// A frame that declares more bytes than `max_frame_bytes` (RFC 6455 §10.4).
    #[error("the peer sent a frame over the limit of bytes per frame")]
    FrameTooBig,
    /// A message of more bytes than `max_message_bytes` (RFC 6455 §10.4).
    #[error("the peer sent a message over the limit of bytes per message")]
    MessageTooBig,
    /// A compressed message of more bytes for each of its octets than `max_inflate_ratio`.
    #[error("the peer sent a compressed message over the limit of the ratio")]
    InflateRatio,
    /// More final blocks in compressed messages than one for each message, one for each 64 octets, and some ahead (64, or 4
    /// in each message if contexts are not taken over): behind each, the decompressor has to be loaded anew.
    #[error("the peer ended its compressed data too often within messages")]
    TooManyFinalBlocks,
    /// A message in more fragments than `max_fragments` (RFC 6455 §10.4).
    #[error("the peer sent a message over the limit of fragments per message")]
    TooManyFragments,
    /// More than `max_control_frames` in a window of received bytes (RFC 6455 §10.4).
    #[error("the peer sent too many control frames for what else it sent")]
    TooManyControlFrames,
}

impl Violation {
    /// The status code that the Close frame carries: 1002, 1007 for text and compressed data, 1009 for sizes, 1008 for
    /// counts.
    pub const fn close_code(self) -> CloseCode {
        match self {
            Self::InvalidUtf8 | Self::InvalidCloseReason | Self::InvalidDeflate => CloseCode::INVALID_PAYLOAD,
            Self::FrameTooBig | Self::MessageTooBig | Self::InflateRatio => CloseCode::MESSAGE_TOO_BIG,
            Self::TooManyFragments | Self::TooManyControlFrames | Self::TooManyFinalBlocks => {
                CloseCode::POLICY_VIOLATION
            }
            _ => CloseCode::PROTOCOL_ERROR,
        }
    }
}

/// For whoever uses the frame decoder alone, and validates text beside it.
///
/// ```
/// use ws_proto::{Violation, utf8::Validator};
///
/// fn text(payload: &[u8]) -> Result<(), Violation> {
///     Ok(Validator::new().feed(payload)?)
/// }
/// assert_eq!(text(b"\xff"), Err(Violation::InvalidUtf8));
/// ```
impl From<InvalidUtf8> for Violation {
    fn from(_: InvalidUtf8) -> Self {
        Self::InvalidUtf8
    }
}

/// What the embedder may not send. Nothing is queued, and the connection goes on as it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
#[non_exhaustive]
pub enum SendError {
    /// The closing handshake has begun, or the connection has ended (RFC 6455 §5.5.1, §6.1).
    #[error("the connection is closing or closed")]
    Closed,
    /// The outbox holds as much as it may: write its bytes to the transport first. While nothing waits, it is one message of more
    /// than 4 GiB (2 GiB on 32 bits), or [`set_max_bytes`](crate::Outbox::set_max_bytes) was told 0.
    #[error("the outbox is full")]
    Full,
    /// Payload data of a Ping or Pong of more than 125 bytes (RFC 6455 §5.5).
    #[error("a control frame carries at most 125 bytes")]
    ControlFrameTooLong,
    /// A status code that this endpoint must not send (RFC 6455 §7.4).
    #[error("status code {0} must not be sent")]
    InvalidCloseCode(u16),
    /// A reason of more than 123 bytes (RFC 6455 §5.5).
    #[error("a close reason has at most 123 bytes")]
    ReasonTooLong,
    /// A message, or a frame of it, was begun and not finished (RFC 6455 §5.4).
    #[error("the message begun before is not finished")]
    MessageUnfinished,
    /// There is no message to continue or to finish (RFC 6455 §5.4).
    #[error("no message has been begun")]
    NoMessage,
    /// More payload data than the frame was begun with.
    #[error("the frame was begun with less payload data")]
    FrameTooLong,
    /// A client cannot send this way, since its frames are masked (RFC 6455 §5.1, §10.3).
    #[error("a client's frames are masked, which this way of sending does not do")]
    MustMask,
    /// Text in pieces that is not UTF-8, or ends inside a character (RFC 6455 §5.6).
    #[error("the text is not valid UTF-8")]
    InvalidUtf8,
    /// Reserved bits that the configuration does not name (RFC 6455 §5.2).
    #[error("these reserved bits belong to no extension in use")]
    ReservedBits,
    /// The compressor failed.
    #[error("the message could not be compressed")]
    Compressor,
    /// A client's frame with an outbox that has no source of masking keys: see `Outbox::client`.
    #[error("the outbox has no source of masking keys")]
    NoMaskingKeys,
}
