//! The state of a connection as bytes, for a process that takes it over.

use alloc::vec::Vec;

use super::options::Options;
use super::{
    CloseCode, Connection, FrameKind, MOST_MESSAGE_BYTES, MessageKind, Phase, ShortWay, Side, WayOut,
};
use crate::Role;
use crate::bytes::{Reader, Writer};
use crate::error::SendError;
use crate::frame::{Decoder, MAX_CONTROL_BYTES, Room, Rsv, Rules};
use crate::inbox::Inbox;
use crate::outbox::Outbox;
use crate::utf8::Validator;

/// The bytes are no state of a connection that this version of the crate wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the bytes are no state of a connection, or one of another version")]
pub struct HandoverError;

/// First byte of the state. Another number is another layout.
const VERSION: u8 = 3;

impl Outbox {
    /// Takes all that waits, also the Pong that waits beside the bytes, to be handed over with the state of the
    /// connection.
    pub fn take_all(&mut self) -> Vec<u8> {
        let mut taken = Vec::new();
        while !self.is_empty() {
            taken.extend_from_slice(self.bytes());
            self.consume(self.len());
        }
        taken
    }

    /// Puts bytes behind all that waits: those that [`take_all`](Self::take_all) took in another process.
    ///
    /// Until they are written, a connection that ends does not count as closed cleanly: our Close frame may be among them.
    ///
    /// # Errors
    /// [`SendError::Full`] if that makes more than 4 GiB, 2 GiB on 32 bits.
    pub fn resume(&mut self, bytes: &[u8]) -> Result<(), SendError> {
        self.check_room(bytes.len())?;
        self.append(bytes);
        self.may_hold_close();
        Ok(())
    }
}

/// What values are in a state: the place of each in its list.
const SENDING: [Option<MessageKind>; 3] = [None, Some(MessageKind::Text), Some(MessageKind::Binary)];
const RECEIVING: [MessageKind; 2] = [MessageKind::Binary, MessageKind::Text];
const FRAMES: [FrameKind; 5] = [
    FrameKind::Data { fin: false },
    FrameKind::Data { fin: true },
    FrameKind::Ping,
    FrameKind::Pong,
    FrameKind::Close,
];
const ROLES: [Role; 2] = [Role::Client, Role::Server];
const PHASES: [Phase; 7] = [
    Phase::Open,
    Phase::Local,
    Phase::Remote,
    Phase::Done,
    Phase::Failed,
    Phase::ClosedCleanly,
    Phase::Closed,
];
const SIDES: [Option<Side>; 3] = [None, Some(Side::Local), Some(Side::Remote)];

fn number<T: PartialEq>(all: &[T], value: T) -> u8 {
    all.iter().position(|other| *other == value).unwrap_or_default() as u8
}

fn numbered<T: Copy>(all: &[T], from: &mut Reader<'_>) -> Option<T> {
    let [number] = from.take();
    all.get(usize::from(number)).copied()
}

impl Connection {
    /// Length in bytes of the state of a connection.
    pub const STATE_BYTES: usize = 97;

    /// The state of this connection and its inbox, idle or in the middle of a message or frame, for another process that
    /// takes the transport over. Beside it go [`Inbox::unfinished`] and [`Outbox::take_all`].
    ///
    /// Not inside a compressed message that is being received: see [`may_hand_over`](Self::may_hand_over). If the peer takes
    /// over contexts, [`Outbox::inflated`] goes over too.
    ///
    /// No event is to be in use: the state is that after it. Input that was read and not looked at
    /// ([`Input::remaining`](crate::Input::remaining)) has to go over too; what was read by [`Input::spaces`](crate::Input::spaces)
    /// is to be looked at first. A client's outbox is seeded anew on the other
    /// side. A Pong that waits for the end of a frame being sent is dropped.
    ///
    /// ```
    /// use ws_proto::{Config, Connection, Event, Inbox, Input, Outbox, Role};
    ///
    /// let mut connection = Connection::new(Role::Client, &Config::default());
    /// let (mut inbox, mut outbox) = (Inbox::new(), Outbox::client([7; 16]));
    /// let mut input = Input::new(*b"\x81\x05Hel", &mut inbox);
    /// assert!(!connection.receive(&mut input, &mut outbox)?);
    /// let (state, unfinished) = (connection.to_bytes(&mut inbox), inbox.unfinished());
    ///
    /// // In the other process:
    /// let (mut connection, mut inbox) = Connection::from_bytes(&state, unfinished)?;
    /// let mut input = Input::new(*b"lo", &mut inbox);
    /// assert!(connection.receive(&mut input, &mut outbox)?);
    /// assert_eq!(input.event(), Event::Text("Hello"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn to_bytes(&self, inbox: &mut Inbox) -> [u8; Self::STATE_BYTES] {
        inbox.settle();
        let mut bytes = [0; Self::STATE_BYTES];
        let mut to = Writer { rest: &mut bytes };
        to.put([VERSION]);
        to.put(self.decoder.to_bytes());
        to.put(self.max_message_bytes.to_le_bytes());
        to.put(self.received.to_le_bytes());
        to.put([self.message_bits.bits()]);
        to.put(self.frame_left.to_le_bytes());
        to.put(self.max_fragments.to_le_bytes());
        to.put(self.fragments.to_le_bytes());
        to.put(self.control_window.to_le_bytes());
        to.put(self.control_frames.to_le_bytes());
        to.put(self.max_control_frames.to_le_bytes());
        to.put(self.max_inflate_ratio.to_le_bytes());
        to.put(self.sending_utf8.to_bytes());
        to.put([
            number(&SENDING, self.sending),
            number(&RECEIVING, self.receiving),
            number(&FRAMES, self.frame),
            number(&ROLES, self.role()),
            number(&PHASES, self.phase),
            number(&SIDES, self.closed_first),
        ]);
        to.put(self.code.get().to_le_bytes());
        to.put([self.options.bits(), self.window_bits]);
        to.put([inbox.control_len()]);
        bytes
    }

    /// Whether the connection can be handed over now: not inside a compressed message that is being received, since the state
    /// of the decompressor cannot be written down. Receive on until its end.
    pub fn may_hand_over(&self) -> bool {
        let in_message = self.decoder.is_in_message() || self.is_in_data();
        !(self.is_compressed() && in_message && self.is_receiving())
    }

    fn is_in_data(&self) -> bool {
        self.decoder.is_in_payload() && matches!(self.frame, FrameKind::Data { .. })
    }

    /// The connection and the inbox of a state and the inbox's unfinished bytes. The reason of a Close frame is not
    /// among them.
    ///
    /// # Errors
    /// [`HandoverError`] if they are not what [`to_bytes`](Self::to_bytes) and [`Inbox::unfinished`] gave. It does not
    /// tell every change of the bytes: they are to come from where they are trusted.
    pub fn from_bytes(
        bytes: &[u8; Self::STATE_BYTES],
        unfinished: &[u8],
    ) -> Result<(Self, Inbox), HandoverError> {
        Self::read(&mut Reader { rest: bytes }, unfinished).ok_or(HandoverError)
    }

    fn read(from: &mut Reader<'_>, unfinished: &[u8]) -> Option<(Self, Inbox)> {
        if from.take() != [VERSION] {
            return None;
        }
        let decoder = from.take();
        let max_message_bytes = u64::from_le_bytes(from.take());
        let received = u64::from_le_bytes(from.take());
        let message_bits = Rsv::new(from.take::<1>()[0]);
        let role;
        let mut connection = Self {
            // Read last, by what the rest says.
            decoder: Decoder::new(Rules::permissive()),
            max_message_bytes,
            received,
            message_bits,
            frame_left: u64::from_le_bytes(from.take()),
            max_fragments: u32::from_le_bytes(from.take()),
            fragments: u32::from_le_bytes(from.take()),
            control_window: u16::from_le_bytes(from.take()),
            control_frames: u16::from_le_bytes(from.take()),
            max_control_frames: u16::from_le_bytes(from.take()),
            max_inflate_ratio: u16::from_le_bytes(from.take()),
            sending_utf8: Validator::from_bytes(from.take())?,
            sending: numbered(&SENDING, from)?,
            receiving: numbered(&RECEIVING, from)?,
            frame: numbered(&FRAMES, from)?,
            phase: {
                role = numbered(&ROLES, from)?;
                numbered(&PHASES, from)?
            },
            closed_first: numbered(&SIDES, from)?,
            code: CloseCode::new(u16::from_le_bytes(from.take())),
            options: Options::from_bits(from.take::<1>()[0])?,
            window_bits: from.take::<1>()[0],
            short_way: ShortWay::Closed, // until the first event
            way_out: WayOut::Long,       // until the first message
        };
        let [control_len] = from.take();
        connection.max_message_bytes.checked_sub(connection.received)?;
        // Who still receives is not inside a compressed message, so that the decoder need not be asked for the room.
        let room = if connection.is_receiving() {
            connection.room()
        } else {
            Room::ANY
        };
        connection.decoder = Decoder::from_bytes(decoder, room)?;
        let inbox = Inbox::resume(unfinished, control_len, connection.receives_text())?;
        let consistent = connection.is_consistent(&inbox) && connection.decoder.is_for(role);
        consistent.then_some((connection, inbox))
    }

    /// Whether the parts of a state that was read fit together.
    fn is_consistent(&self, inbox: &Inbox) -> bool {
        let (left, control) = (self.decoder.remaining(), u64::from(inbox.control_len()));
        let in_message = self.decoder.is_in_message();
        let frame = match self.frame {
            _ if !self.decoder.is_in_payload() => control == 0,
            FrameKind::Data { fin } => {
                let fits = left <= self.max_message_bytes - self.received || !self.is_receiving();
                control == 0 && fits && fin != in_message
            }
            _ => control.saturating_add(left) <= MAX_CONTROL_BYTES as u64,
        };
        let kept = if self.lends_pieces() {
            inbox.partial_len() as u64
        } else {
            self.received
        };
        // Once nothing is looked at any more, what is kept of a message does not matter.
        let gathered = kept == inbox.message_len() as u64 && !self.decoder.has_failed();
        let counted = self.is_in_data() || in_message || self.received == 0;
        frame
            && (gathered && counted || !self.is_receiving())
            && self.may_hand_over()
            && self.decoder.message_bits().contains(self.message_bits)
            && self.options.fit(self.decoder.message_bits(), self.window_bits)
            && (self.frame_left == 0 || (self.sending.is_some() && !self.masks()))
            && (self.lends_pieces() || self.max_message_bytes <= MOST_MESSAGE_BYTES)
    }
}
