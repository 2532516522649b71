//! A message that is encoded once and sent to many.

use alloc::vec::Vec;

#[cfg(feature = "deflate")]
use super::options::Options;
use super::{Connection, MessageKind};
#[cfg(feature = "deflate")]
use crate::deflate::Pool;
use crate::error::SendError;
use crate::frame::Header;
use crate::outbox::Outbox;

/// A message encoded once, for any number of server connections: [`Connection::send_prepared`] copies its bytes,
/// [`Connection::share_prepared`] lends them. Frames of servers are all alike, since they are not masked
/// (RFC 6455 §5.1); a client cannot send one.
///
/// ```
/// use ws_proto::{Config, Connection, Outbox, Prepared, Role};
///
/// let message = Prepared::text("Hello");
/// for _ in 0..3 {
///     let mut connection = Connection::new(Role::Server, &Config::default());
///     let mut outbox = Outbox::new();
///     connection.send_prepared(&message, &mut outbox)?;
///     assert_eq!(outbox.bytes(), b"\x81\x05Hello");
/// }
/// # Ok::<(), ws_proto::SendError>(())
/// ```
///
/// Connections that compress and do not take over their context can share a compressed frame, too: see
/// [`prepare_for`](Self::prepare_for).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prepared {
    kind: MessageKind,
    /// The frame of those that do not compress.
    plain: Vec<u8>,
    header_len: u8,
    /// The frames of those that do, by the window they agreed on: the plain one if that is shorter.
    #[cfg(feature = "deflate")]
    compressed: Vec<(u8, Vec<u8>)>,
}

impl Prepared {
    /// A text message.
    pub fn text(text: &str) -> Self {
        Self::new(MessageKind::Text, text.as_bytes())
    }

    /// A binary message.
    pub fn binary(data: &[u8]) -> Self {
        Self::new(MessageKind::Binary, data)
    }

    /// The frame, header included, as it goes to those that do not compress.
    pub fn bytes(&self) -> &[u8] {
        &self.plain
    }

    /// Compresses the message for this connection and all others with the same parameters, unless that is done already.
    ///
    /// It is for connections that compress and do not take over their context (RFC 7692 §7.1.1). The context of
    /// others is their own, so that each compresses the message when it is [sent](Connection::send_prepared); what is
    /// [shared](Connection::share_prepared) with those is the plain frame.
    ///
    /// ```
    /// use ws_proto::deflate::{Parameters, Pool};
    /// use ws_proto::{Config, Connection, Outbox, Prepared, Role};
    ///
    /// let agreed = Parameters { server_no_context_takeover: true, ..Parameters::default() };
    /// let mut config = Config::default();
    /// config.deflate = Some(agreed);
    /// let pool = Pool::default();
    /// let mut message = Prepared::text(&"Hello ".repeat(100));
    /// for _ in 0..3 {
    ///     let mut connection = Connection::new(Role::Server, &config);
    ///     let mut outbox = Outbox::new();
    ///     message.prepare_for(&connection, &pool)?; // compresses once
    ///     connection.send_prepared(&message, &mut outbox)?;
    ///     assert!(outbox.len() < 30);
    /// }
    /// # Ok::<(), ws_proto::SendError>(())
    /// ```
    ///
    /// # Errors
    /// [`SendError::Compressor`]; [`SendError::Full`] if the message has nearly 4 GiB (2 GiB on 32 bits); [`SendError::NoMaskingKeys`] for a client's connection
    /// that compresses so: clients send no prepared messages.
    #[cfg(feature = "deflate")]
    pub fn prepare_for(&mut self, connection: &Connection, pool: &Pool) -> Result<(), SendError> {
        let bits = connection.window_bits;
        let payload = &self.plain[usize::from(self.header_len)..];
        if !connection.shares_compressed(payload.len(), pool.settings().min_bytes)
            || self.compressed.iter().any(|(made, _)| *made == bits)
        {
            return Ok(());
        }
        let mut outbox = Outbox::new();
        outbox.set_pool(pool.clone());
        connection.push_compressed(
            connection.frame_of(self.kind.opcode(), payload),
            true,
            &mut outbox,
        )?;
        self.compressed.push((bits, outbox.bytes().to_vec()));
        Ok(())
    }

    fn new(kind: MessageKind, payload: &[u8]) -> Self {
        let header = Header::new(kind.opcode(), payload.len() as u64).encode();
        Self {
            kind,
            plain: [&header, payload].concat(),
            header_len: header.len() as u8,
            #[cfg(feature = "deflate")]
            compressed: Vec::new(),
        }
    }
}

impl Connection {
    /// Sends a message that was encoded once for many connections: one copy of its bytes. A connection that compresses and
    /// takes over its context compresses it. One that does not gets it compressed if it was [prepared](Prepared::prepare_for) for its
    /// window, and else as it is.
    ///
    /// # Errors
    /// As [`send_text`](Self::send_text), and [`SendError::MustMask`].
    pub fn send_prepared(&mut self, message: &Prepared, outbox: &mut Outbox) -> Result<(), SendError> {
        let frame = self.prepared(message, outbox)?;
        #[cfg(feature = "deflate")]
        if self.options.has(Options::TAKES_OVER) {
            let payload = &message.plain[usize::from(message.header_len)..];
            return self.send_message(message.kind, payload, outbox);
        }
        outbox.check_room(frame.len())?;
        outbox.append(frame);
        Ok(())
    }

    /// The bytes of a message that was encoded once, for an embedder who writes them itself, without a copy:
    /// behind all of [`Outbox::bytes`], and before what is sent later. [`Outbox::consume_with`] keeps what a write did not take.
    ///
    /// # Errors
    /// As [`send_prepared`](Self::send_prepared).
    pub fn share_prepared<'m>(
        &mut self,
        message: &'m Prepared,
        outbox: &mut Outbox,
    ) -> Result<&'m [u8], SendError> {
        let frame = self.prepared(message, outbox)?;
        outbox.settle();
        Ok(frame)
    }

    /// The frame of a prepared message, if it may be sent now.
    fn prepared<'m>(&self, message: &'m Prepared, outbox: &Outbox) -> Result<&'m [u8], SendError> {
        self.may_begin_unmasked(outbox)?;
        #[cfg(feature = "deflate")]
        if self.shares_compressed(message.plain.len(), 0)
            && let Some((_, frame)) = message
                .compressed
                .iter()
                .find(|(bits, _)| *bits == self.window_bits)
        {
            return Ok(frame);
        }
        Ok(message.bytes())
    }

    /// Whether compressed messages of so many bytes are the same for all with the same window.
    #[cfg(feature = "deflate")]
    fn shares_compressed(&self, len: usize, min_bytes: u32) -> bool {
        self.compression() && !self.options.has(Options::TAKES_OVER) && len >= min_bytes as usize
    }
}
