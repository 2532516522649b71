//! An established connection: messages, control frames, the closing handshake, limits.
//!
//! All of its state is one plain value, [`Connection`]. Closing goes by this table (RFC 6455 §7):
//!
//! ```text
//!          close(): Close out            Close in
//!   Open ----------------------> Local ------------> Done --+
//!    |                                                |     | receive_eof()
//!    |  Close in, answered: Close out                 |     v
//!    +------------------------------------------------+   Closed
//!    |  Close in, answers are manual        close()   |     ^
//!    +----------------------> Remote -----------------+     | receive_eof(), from
//!    |                                                      | every state
//!    +--> Failed: a violation; Close out unless one was ----+
//! ```

mod beside;
#[cfg(feature = "deflate")]
mod compressed;
mod config;
mod control;
mod gather;
mod handover;
mod message;
mod options;
mod piecewise;
mod prepared;
mod receive;
mod send;
mod way_out;
mod whole;

pub use config::{Config, Limits};
pub use handover::HandoverError;
pub use prepared::Prepared;

use crate::Role;
use crate::close::CloseCode;
use crate::frame::{Decoder, Opcode, Rsv, Rules};
use crate::outbox::Outbox;
use crate::utf8::Validator;
use options::Options;
use way_out::WayOut;
use whole::ShortWay;

/// All protocol state of an established connection, in either role: a plain value that can be copied. A copy knows nothing of what
/// becomes of the other: one of them goes on with inbox and outbox. A closure or a task that is `move` makes one silently.
///
/// It holds no bytes: those of an unfinished message are in the [`Inbox`](crate::Inbox), those to be sent in the
/// [`Outbox`]. It begins behind the opening handshake.
///
/// ```
/// use ws_proto::{Config, Connection, Event, Inbox, Input, Outbox, Role};
///
/// let mut connection = Connection::new(Role::Server, &Config::default());
/// let (mut inbox, mut outbox) = (Inbox::new(), Outbox::new());
///
/// // What one read returned: a text message, and the beginning of another.
/// let mut bytes = *b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58\x81\x85\x37";
/// let mut input = Input::new(&mut bytes[..], &mut inbox);
/// while connection.receive(&mut input, &mut outbox)? {
///     if let Event::Text(text) = input.event() {
///         connection.send_text(text, &mut outbox)?;
///     }
/// }
/// assert_eq!(outbox.bytes(), b"\x81\x05Hello");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Connection {
    decoder: Decoder,
    max_message_bytes: u64,
    /// Payload bytes of the message being received so far.
    received: u64,
    /// Payload bytes of the frame being sent that were not given yet.
    frame_left: u64,
    max_fragments: u32,
    /// Fragments of the message being received, weighted.
    fragments: u32,
    /// Bytes of the frames among which `control_frames` were counted.
    control_window: u16,
    control_frames: u16,
    max_control_frames: u16,
    max_inflate_ratio: u16,
    /// Has seen the pieces of the text message being sent.
    sending_utf8: Validator,
    /// The message being sent in fragments.
    sending: Option<MessageKind>,
    /// The message being received.
    receiving: MessageKind,
    /// The frame being received.
    frame: FrameKind,
    /// Open while nothing is unfinished, or nothing but a message that is gathered: see `update_short_way`, and `gather`.
    short_way: ShortWay,
    phase: Phase,
    /// Short while nothing stands in the way of a message: see `open_short_way_out`.
    way_out: WayOut,
    closed_first: Option<Side>,
    /// The code of the peer's Close frame, as `Status::code` reports it.
    code: CloseCode,
    options: Options,
    /// The window of our compressor, as its base-2 logarithm.
    window_bits: u8,
    /// The reserved bits on the first frame of the message being received.
    message_bits: Rsv,
}

// An idle connection costs these bytes, and no heap.
const _: () = assert!(size_of::<Connection>() <= 128);
const _: () = assert!(size_of::<Connection>() + size_of::<crate::Inbox>() + size_of::<Outbox>() <= 224);

/// The two types of message, numbered as their opcodes are (RFC 6455 §5.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum MessageKind {
    /// UTF-8.
    Text = Opcode::TEXT.get(),
    /// Anything.
    Binary = Opcode::BINARY.get(),
}

/// The frame whose payload data is coming in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum FrameKind {
    Data { fin: bool },
    Ping,
    Pong,
    Close,
}

/// How far the closing handshake is: see the table above.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Open,
    /// Our Close frame is out, the peer's has not come.
    Local,
    /// The peer's Close frame came, ours is owed.
    Remote,
    /// Both.
    Done,
    /// The connection was failed (RFC 6455 §7.1.7).
    Failed,
    /// The transport ended, after both Close frames had been sent and received.
    ClosedCleanly,
    /// It ended before that.
    Closed,
}

/// The state of a connection as applications see it (RFC 6455 §4.1, §7.1.3, §7.1.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Messages go both ways.
    Open,
    /// The closing handshake has begun, or the connection was failed.
    Closing,
    /// The transport has ended.
    Closed,
}

/// One of the two endpoints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// This endpoint.
    Local,
    /// The peer.
    Remote,
}

/// How a connection stands, and how it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status {
    /// Open, closing or closed.
    pub state: State,
    /// Who began to close it, by a Close frame, by failing the connection or by ending the transport;
    /// `None` while it is open.
    pub closed_first: Option<Side>,
    /// The code of the peer's Close frame: 1005 if that had none, 1006 if no Close frame came (yet), which is also
    /// so if this endpoint failed the connection (RFC 6455 §7.1.5). Its reason is
    /// [`Inbox::close_reason`](crate::Inbox::close_reason).
    pub code: CloseCode,
    /// Whether the transport ended after both Close frames had been sent and received (RFC 6455 §7.1.4).
    pub clean: bool,
}

/// What to do with the transport next, once the outbox's bytes are written (RFC 6455 §7.1.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// Keep it: bytes wait to be written, or are expected.
    ///
    /// A client that has sent and received a Close frame waits for the server to close the transport;
    /// after a while it may close it itself.
    Keep,
    /// Shut down writing and go on reading until the end of the stream, for a few seconds at most: the
    /// connection was failed, and closing at once could reset the transport before the peer has read why.
    /// It is said again until [`Connection::receive_eof`].
    ShutdownWrite,
    /// Close it: the closing handshake is complete, or the transport has ended.
    ///
    /// Bytes that a peer sent behind its Close frame may still come in, and unread they make some systems reset
    /// the transport. RFC 6455 §7.1.1 asks to close cleanly: shut down writing, discard what comes until the
    /// end of the stream, then close.
    Close,
}

/// A whole message is one slice, and a control frame may lie behind it. What cannot be one is over the limit, on targets of 32
/// bits too.
const MOST_MESSAGE_BYTES: u64 = isize::MAX as u64 - 255;

/// The most octets that so many bytes take on the wire with permessage-deflate: what does not compress takes up to 9 bits for 8 with fixed
/// codes (RFC 1951 §3.2.6), and the ends of blocks.
pub(crate) const fn wrapped(bytes: u64) -> u64 {
    bytes.saturating_add(bytes / 8).saturating_add(64)
}

impl Connection {
    /// A connection that has just been established, in the role of this endpoint.
    pub const fn new(role: Role, config: &Config) -> Self {
        let limits = &config.limits;
        let mut rules = Rules::new(role);
        rules.max_frame_bytes = limits.max_frame_bytes;
        rules.message_bits = config.reserved_bits;
        let (options, window_bits) = Options::new(role, config);
        if options.has(Options::DEFLATE) {
            rules.max_frame_bytes = wrapped(rules.max_frame_bytes);
            rules.message_bits = rules.message_bits.union(Rsv::RSV1);
        }
        let most = if config.pieces {
            u64::MAX
        } else {
            MOST_MESSAGE_BYTES
        };
        Self {
            decoder: Decoder::new(rules),
            max_message_bytes: if limits.max_message_bytes < most {
                limits.max_message_bytes
            } else {
                most
            },
            // A message in one frame is one fragment.
            max_fragments: if limits.max_fragments > 1 {
                limits.max_fragments
            } else {
                1
            },
            max_control_frames: limits.max_control_frames,
            max_inflate_ratio: limits.max_inflate_ratio,
            short_way: ShortWay::Closed, // until the first event
            received: 0,
            frame_left: 0,
            fragments: 0,
            control_window: 0,
            control_frames: 0,
            sending_utf8: Validator::new(),
            sending: None,
            receiving: MessageKind::Binary,
            frame: FrameKind::Pong,
            phase: Phase::Open,
            way_out: WayOut::Long, // until the first message
            closed_first: None,
            code: CloseCode::ABNORMAL,
            options,
            window_bits,
            message_bits: Rsv::NONE,
        }
    }

    /// The role of this endpoint.
    pub const fn role(&self) -> Role {
        self.decoder.role()
    }

    /// Control frames received in the current [window](Limits::CONTROL_WINDOW_BYTES), for an embedder's own policy.
    pub const fn control_frames(&self) -> u16 {
        self.control_frames
    }

    /// How the connection stands.
    #[must_use]
    pub const fn status(&self) -> Status {
        Status {
            state: match self.phase {
                Phase::Open => State::Open,
                Phase::ClosedCleanly | Phase::Closed => State::Closed,
                _ => State::Closing,
            },
            closed_first: self.closed_first,
            code: self.code,
            clean: matches!(self.phase, Phase::ClosedCleanly),
        }
    }

    /// What to do with the transport next. Ask after each round of receiving, sending and writing.
    #[must_use]
    pub fn transport(&self, outbox: &Outbox) -> Transport {
        match (self.phase, self.role()) {
            (Phase::ClosedCleanly | Phase::Closed, _) => Transport::Close,
            _ if !outbox.is_empty() => Transport::Keep,
            // RFC 6455 §7.1.1: the server closes first; the client waits for it.
            (Phase::Done, Role::Server) => Transport::Close,
            (Phase::Failed, _) => Transport::ShutdownWrite,
            _ => Transport::Keep,
        }
    }

    /// Says that the transport has ended: by the peer, by an error, or because [`transport`](Self::transport) said to
    /// close it. The connection is closed then, cleanly if the closing handshake was complete and written.
    pub fn receive_eof(&mut self, outbox: &Outbox) {
        self.end(Side::Remote, outbox);
    }

    /// Says that this endpoint ends the transport of its own accord, without a closing handshake or before its end:
    /// a deadline has passed, say.
    pub fn abort(&mut self, outbox: &Outbox) {
        self.end(Side::Local, outbox);
    }

    fn end(&mut self, by: Side, outbox: &Outbox) {
        let next = match self.phase {
            Phase::ClosedCleanly | Phase::Closed => return,
            Phase::Done if !outbox.has_close() => Phase::ClosedCleanly,
            _ => Phase::Closed,
        };
        self.closed_first.get_or_insert(by);
        self.enter(next);
        self.update_short_way();
    }

    /// Goes on to a phase.
    fn enter(&mut self, phase: Phase) {
        self.phase = phase;
        self.way_out = WayOut::Long;
    }

    /// Begins a message that is sent in fragments or piece by piece, or ends it.
    fn set_sending(&mut self, sending: Option<MessageKind>) {
        self.sending = sending;
        self.way_out = WayOut::Long;
    }

    /// Whether messages are lent piece by piece.
    const fn lends_pieces(&self) -> bool {
        self.options.has(Options::PIECES)
    }

    /// Client frames are masked, server frames are not (RFC 6455 §5.1).
    const fn masks(&self) -> bool {
        matches!(self.role(), Role::Client)
    }
}
