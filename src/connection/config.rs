//! What a connection is told once: limits, and how it behaves.

#[cfg(feature = "deflate")]
use crate::deflate::Parameters;
use crate::frame::Rsv;

/// The limits that a peer has to keep to. A breach fails the connection: with 1009 for sizes, 1008 for
/// counts (RFC 6455 §10.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Most payload bytes of a data frame, as they are on the wire, checked at its header. With permessage-deflate an eighth and 64
    /// more, lest data that do not compress be refused for what they are wrapped in. Default: 16 MiB. Breach: 1009.
    pub max_frame_bytes: u64,
    /// Most bytes of a message, which `max_frame_bytes` bounds as well if it is one frame. Checked at the header of the frame that
    /// would exceed it; of a compressed one, inflated, checked while it is inflated, and its frames may declare an eighth and 64 more,
    /// as above. Without [`pieces`](Config::pieces) no more than one slice can have, less 255. Default: 16 MiB. Breach: 1009.
    pub max_message_bytes: u64,
    /// Most fragments of a message; an empty one that is not the last counts as [16](Self::EMPTY_FRAGMENT), and 0 counts as 1. Default: 65 536.
    /// Breach: 1008.
    pub max_fragments: u32,
    /// Most control frames among [64 KiB](Self::CONTROL_WINDOW_BYTES) of received frames. Default: `u16::MAX`, which
    /// is no limit; answering them costs a bounded amount anyway. Breach: 1008.
    pub max_control_frames: u16,
    /// Most bytes for each octet of a compressed message, once it has more than [64 KiB](Self::RATIO_FREE_BYTES): judged after each
    /// 256 octets, which inflate to 258 KiB at most, and at its end. Default: `u16::MAX`, which is no limit: DEFLATE reaches 1032,
    /// and a page of zeros is no attack; `max_message_bytes` holds anyway. Breach: 1009.
    pub max_inflate_ratio: u16,
}

impl Limits {
    /// How many fragments an empty one counts as: it brings nothing, and costs its sender next to nothing.
    pub const EMPTY_FRAGMENT: u32 = 16;
    /// Bytes of received frames after which control frames are counted anew: of each, its payload data and two more.
    pub const CONTROL_WINDOW_BYTES: u32 = 64 << 10;
    /// Bytes that a compressed message may have at any ratio.
    pub const RATIO_FREE_BYTES: u64 = 64 << 10;
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_frame_bytes: 16 << 20,
            max_message_bytes: 16 << 20,
            max_fragments: 65_536,
            max_control_frames: u16::MAX,
            max_inflate_ratio: u16::MAX,
        }
    }
}

/// What a [`Connection`](crate::Connection) is told once, at its beginning.
///
/// ```
/// let mut config = ws_proto::Config::default();
/// config.limits.max_message_bytes = 64 << 10;
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Config {
    /// What the peer has to keep to.
    pub limits: Limits,
    /// Whether Pings are answered by the connection itself (RFC 6455 §5.5.2). Default: yes. If not, the
    /// embedder calls [`Connection::pong`](crate::Connection::pong).
    pub automatic_pong: bool,
    /// Whether the peer's Close frame is answered by the connection itself, at once, with the code received
    /// (RFC 6455 §5.5.1). Default: yes. If not, the embedder calls [`Connection::close`](crate::Connection::close), and may finish the
    /// fragmented message that it is sending before. It chooses the code: a server, which may not send 1010 itself, answers
    /// that with another one.
    pub automatic_close: bool,
    /// Whether messages are lent piece by piece as they come, at constant memory, instead of whole. Default: no.
    ///
    /// Each piece is an event; [`Input::is_message_end`](crate::Input::is_message_end) tells the last one. Text is cut
    /// between characters only. `max_message_bytes` may be as large as `u64::MAX` then.
    pub pieces: bool,
    /// The parameters of permessage-deflate that were agreed on in the opening handshake; see [`crate::deflate`]. Default:
    /// none, so that a compressed message is a violation.
    ///
    /// To be what [`Request::deflate`](crate::handshake::Request::deflate) or
    /// [`Opened::deflate`](crate::handshake::Opened::deflate) gave, never a policy or an offer: the peer would not understand.
    #[cfg(feature = "deflate")]
    pub deflate: Option<Parameters>,
    /// Reserved bits of other extensions that were agreed on and transform messages, which the embedder does itself:
    /// see [`Input::extended`](crate::Input::extended) and [`Connection::send_extended`](crate::Connection::send_extended). RSV1 is permessage-deflate's if that is
    /// on. Default: none.
    pub reserved_bits: Rsv,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            automatic_pong: true,
            automatic_close: true,
            pieces: false,
            #[cfg(feature = "deflate")]
            deflate: None,
            reserved_bits: Rsv::NONE,
        }
    }
}
