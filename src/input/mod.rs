//! The bytes to look at, a cursor over them, and the event found last.

mod event;

use core::fmt;
use core::ops::Range;

use crate::buffer::{Buffer, InboxSlot};
use crate::connection::Connection;
use crate::cursor::{Cursor, Found};
use crate::inbox::Inbox;

pub use event::Event;

/// Bytes that are read by way of the buffer behind a long frame.
const LEAD_BYTES: usize = 4 << 10;

/// Received bytes, a cursor over them, and the event found last.
///
/// `B` holds the bytes: `&mut [u8]`, `[u8; N]`, `Vec<u8>`, `Box<[u8]>` and references to those. `I` is an [`Inbox`] or
/// a `&mut Inbox`. There are two ways to use it:
///
/// - [`Input::new`] for bytes that have just been read, perhaps into a buffer shared by many
///   connections. Call `Connection::receive` until it returns `false`; nothing is left in the bytes then.
/// - [`Input::with_space`] for a runtime that keeps a buffer: read into [`space`](Self::space), then say how
///   much came by [`filled`](Self::filled).
///
/// A buffer that begins with a cache line is quicker to read into: what that gains is in `docs/performance.md`.
///
/// # The receive loop, in three shapes
///
/// A readiness loop shares one read buffer between all connections; nothing is kept for an idle one:
///
/// ```
/// # use std::io::{self, Read, Write};
/// use ws_proto::{Connection, Event, Inbox, Input, Outbox, SendError, Transport};
///
/// // What to do with the socket now: see `Connection::transport`. Not to be called while more waits in the outbox than
/// // leaves room for the answers to a read.
/// fn on_readable(
///     socket: &mut (impl Read + Write),
///     buffer: &mut [u8],
///     connection: &mut Connection,
///     inbox: &mut Inbox,
///     outbox: &mut Outbox,
/// ) -> io::Result<Transport> {
///     let n = socket.read(buffer)?;
///     if n == 0 {
///         connection.receive_eof(outbox);
///     }
///     let mut input = Input::new(&mut buffer[..n], inbox);
///     if let Err(error) = echo(connection, &mut input, outbox) {
///         eprintln!("{error}"); // a violation is answered already
///         if error.is::<SendError>() {
///             connection.abort(outbox); // no room for an answer: the rest of the read is lost
///         }
///     }
///     match socket.write(outbox.bytes()) { // in any case
///         Ok(written) => outbox.consume(written),
///         Err(error) if error.kind() == io::ErrorKind::WouldBlock => {} // and once it is writable
///         Err(error) => return Err(error),
///     }
///     Ok(connection.transport(outbox))
/// }
///
/// fn echo(
///     connection: &mut Connection,
///     input: &mut Input<&mut [u8], &mut Inbox>,
///     outbox: &mut Outbox,
/// ) -> Result<(), Box<dyn std::error::Error>> {
///     while connection.receive(input, outbox)? {
///         match input.event() {
///             Event::Text(text) => connection.send_text(text, outbox)?,
///             Event::Binary(data) => connection.send_binary(data, outbox)?,
///             Event::Close(_) | Event::Ping(_) | Event::Pong(_) => {} // answered already
///         }
///     }
///     Ok(())
/// }
/// # use ws_proto::{Config, Role};
/// # struct Socket(&'static [u8], Vec<u8>);
/// # impl Read for Socket { fn read(&mut self, b: &mut [u8]) -> io::Result<usize> { self.0.read(b) } }
/// # impl Write for Socket {
/// #     fn write(&mut self, b: &[u8]) -> io::Result<usize> { self.1.write(b) }
/// #     fn flush(&mut self) -> io::Result<()> { Ok(()) }
/// # }
/// # let mut socket = Socket(b"\x81\x81\0\0\0\0a\x82\x81\0\0\0\0b\xc1", Vec::new());
/// # let mut connection = Connection::new(Role::Server, &Config::default());
/// # let (mut inbox, mut outbox) = (Inbox::new(), Outbox::new());
/// # let mut turn = |socket: &mut _| on_readable(socket, &mut [0; 64], &mut connection, &mut inbox, &mut outbox).unwrap();
/// # assert_eq!(turn(&mut socket), Transport::ShutdownWrite);
/// # assert_eq!(socket.1, b"\x81\x01a\x82\x01b\x88\x02\x03\xea");
/// # assert_eq!(turn(&mut socket), Transport::Close);
/// ```
///
/// A runtime that keeps its bytes lets the `Input` own buffer and inbox; an async `next` may lend:
///
/// ```
/// use ws_proto::{Connection, Event, Input, Outbox, Transport};
///
/// struct WebSocket<S> {
///     socket: S,
///     connection: Connection,
///     input: Input<Vec<u8>>,
///     outbox: Outbox,
/// }
/// # trait Socket {
/// #     async fn read(&mut self, space: &mut [u8]) -> std::io::Result<usize>;
/// #     async fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize>;
/// #     async fn shutdown(&mut self) -> std::io::Result<()>;
/// # }
/// # type Error = Box<dyn std::error::Error>;
///
/// impl<S: Socket> WebSocket<S> {
///     /// The next event; `None` at the end, after a closing handshake. Ask until then, for some seconds behind an error, too: the
///     /// last answers are written here, and what still comes is read, lest the transport is reset before they have arrived.
///     async fn next(&mut self) -> Result<Option<Event<'_>>, Error> {
///         loop {
///             let found = self.connection.receive(&mut self.input, &mut self.outbox);
///             if let Ok(true) = found {
///                 return Ok(Some(self.input.event()));
///             }
///             self.flush().await?; // a violation is answered, too
///             match self.connection.transport(&self.outbox) {
///                 Transport::Keep => {}
///                 Transport::ShutdownWrite => self.socket.shutdown().await?,
///                 Transport::Close => {
///                     self.connection.receive_eof(&self.outbox); // it ends here
///                     return Ok(None);
///                 }
///             }
///             found?;
///             self.fill().await?;
///         }
///     }
///
///     async fn fill(&mut self) -> Result<(), Error> {
///         let n = self.socket.read(self.input.space()).await?;
///         self.input.filled(n);
///         if n == 0 {
///             self.connection.receive_eof(&self.outbox);
///             if !self.connection.status().clean {
///                 return Err("the connection was lost".into());
///             }
///         }
///         Ok(())
///     }
///
///     async fn flush(&mut self) -> Result<(), Error> {
///         while !self.outbox.is_empty() {
///             let n = self.socket.write(self.outbox.bytes()).await?;
///             self.outbox.consume(n);
///         }
///         Ok(())
///     }
/// }
/// # use ws_proto::{Config, Inbox, Role};
/// # use std::{future::Future, pin::pin, task::{Context, Poll, Waker}};
/// # struct Loopback(&'static [u8], Vec<u8>);
/// # impl Socket for Loopback {
/// #     async fn read(&mut self, space: &mut [u8]) -> std::io::Result<usize> { std::io::Read::read(&mut self.0, space) }
/// #     async fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> { std::io::Write::write(&mut self.1, bytes) }
/// #     async fn shutdown(&mut self) -> std::io::Result<()> { self.1.push(b'.'); Ok(()) }
/// # }
/// # fn now<T>(future: impl Future<Output = T>) -> T {
/// #     let Poll::Ready(value) = pin!(future).poll(&mut Context::from_waker(Waker::noop())) else { panic!() };
/// #     value
/// # }
/// # let socket = |role, bytes, outbox| WebSocket {
/// #     socket: Loopback(bytes, Vec::new()),
/// #     connection: Connection::new(role, &Config::default()),
/// #     input: Input::with_space(vec![0; 4], Inbox::new()),
/// #     outbox,
/// # };
/// # let mut client = socket(Role::Client, b"\x81\x05Hello\x88\0", Outbox::client([7; 16]));
/// # assert_eq!(now(client.next()).unwrap(), Some(Event::Text("Hello")));
/// # assert_eq!(now(client.next()).unwrap(), Some(Event::Close(None)));
/// # assert_eq!(now(client.next()).unwrap(), None);
/// # assert_eq!(client.socket.1[..2], *b"\x88\x80");
/// # let mut server = socket(Role::Server, b"\x88\x80\0\0\0\0", Outbox::new());
/// # assert_eq!(now(server.next()).unwrap(), Some(Event::Close(None)));
/// # assert_eq!(now(server.next()).unwrap(), None);
/// # assert_eq!(server.socket.1, b"\x88\0");
/// # assert!(server.connection.status().clean);
/// # assert!(now(socket(Role::Server, b"\x81", Outbox::new()).next()).is_err());
/// # let mut server = socket(Role::Server, b"\xff\0", Outbox::new());
/// # assert!(now(server.next()).is_err() && server.socket.1 == b"\x88\x02\x03\xea.");
/// # assert!(now(server.next()).is_err() && !server.connection.status().clean);
/// ```
///
/// An owner of reference-counted memory asks where the event lies and splits the message off without a copy:
///
/// ```
/// use bytes::{Bytes, BytesMut};
/// use ws_proto::{Connection, Event, Inbox, Input, Outbox, Violation};
///
/// /// The next binary message of `received`; the bytes of what is returned, and of what was skipped, are gone from it.
/// fn next_binary(
///     received: &mut BytesMut,
///     connection: &mut Connection,
///     inbox: &mut Inbox,
///     outbox: &mut Outbox,
/// ) -> Result<Option<Bytes>, Violation> {
///     let mut input = Input::new(&mut received[..], inbox);
///     while connection.receive(&mut input, outbox)? {
///         let Event::Binary(data) = input.event() else { continue };
///         let range = input.event_range();
///         let gathered = if range.is_none() { Bytes::copy_from_slice(data) } else { Bytes::new() };
///         let consumed = input.consumed();
///         let used = received.split_to(consumed).freeze();
///         return Ok(Some(range.map_or(gathered, |range| used.slice(range))));
///     }
///     received.clear();
///     Ok(None)
/// }
/// # use ws_proto::{Config, Role};
/// # let mut received = BytesMut::from(&b"\x82\x03abc\x81\x01x\x82\x02de\x82"[..]);
/// # let mut connection = Connection::new(Role::Client, &Config::default());
/// # let (mut inbox, mut outbox) = (Inbox::new(), Outbox::client([7; 16]));
/// # let mut next = || next_binary(&mut received, &mut connection, &mut inbox, &mut outbox).unwrap();
/// # assert_eq!((next().as_deref(), next().as_deref(), next()), (Some(&b"abc"[..]), Some(&b"de"[..]), None));
/// ```
pub struct Input<B, I = Inbox> {
    buffer: B,
    inbox: I,
    cursor: Cursor,
}

/// The length of the buffer, and not its bytes: those are other people's, and may be many.
impl<B: Buffer, I: InboxSlot> fmt::Debug for Input<B, I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Input")
            .field("buffer", &format_args!("{} bytes", self.buffer.bytes().len()))
            .field("inbox", self.inbox.inbox())
            .field("cursor", &self.cursor)
            .finish()
    }
}

impl<B: Buffer, I: InboxSlot> Input<B, I> {
    /// Input of which all `bytes` have been received.
    pub fn new(bytes: B, inbox: I) -> Self {
        let filled = 0..bytes.bytes().len();
        Self::with_filled(bytes, filled, inbox)
    }

    /// Input with a buffer to read into, of which nothing is filled. Its length counts: `vec![0; 4096]` has space,
    /// `Vec::with_capacity(4096)` has none.
    pub fn with_space(buffer: B, inbox: I) -> Self {
        Self::with_filled(buffer, 0..0, inbox)
    }

    /// Input with a buffer to read into, of which this range was received: behind the head of an opening
    /// handshake, for instance. What lies beyond the buffer does not count.
    pub fn with_filled(buffer: B, filled: Range<usize>, inbox: I) -> Self {
        let end = filled.end.min(buffer.bytes().len());
        let cursor = Cursor {
            start: filled.start.min(end),
            end,
            limit: usize::MAX,
            stop: end,
            gathered: 0,
            gather_space: 0,
            space_end: buffer.bytes().len(),
            found: Found::Nothing,
            goes_on: false,
        };
        Self {
            buffer,
            inbox,
            cursor,
        }
    }

    /// How many of the bytes given are used up. After a [`Violation`](crate::Violation), up to and including
    /// the octet that proved it, unless that was read straight to the inbox ([`spaces`](Self::spaces)) or is one of a compressed
    /// message: then up to the last one that was looked at with it.
    pub fn consumed(&self) -> usize {
        self.cursor.start
    }

    /// How many of the bytes given are not used up, those among them that were read straight to the inbox
    /// ([`spaces`](Self::spaces)): they lie in front of the buffer's until the next `Connection::receive`, which takes them all.
    pub fn remaining(&self) -> usize {
        self.cursor.gathered + self.cursor.end - self.cursor.start
    }

    /// Lets `Connection::receive` look at `n` bytes more and then say that there is no event, so that one connection
    /// with much to say does not keep the others waiting. [`remaining`](Self::remaining) tells whether more is left; the
    /// next `limit` lets it go on. [`space`](Self::space) ends the limit. What was read straight to the inbox
    /// ([`spaces`](Self::spaces)) does not count.
    ///
    /// A message that lies across it is gathered in the inbox, as one that straddles two reads is.
    pub fn limit(&mut self, n: usize) {
        self.cursor.limit = self.cursor.start.saturating_add(n);
        self.cursor.update_stop();
    }

    /// The inbox.
    pub fn inbox(&self) -> &Inbox {
        self.inbox.inbox()
    }

    /// Free space of the buffer, to read into; the event found last is gone. Empty only if the buffer is, or is
    /// full of bytes that `Connection::receive` has not been asked to look at.
    ///
    /// What [remains](Self::remaining) moves to the front of the buffer. With a [limit](Self::limit) that may be most of it:
    /// read on when little is left.
    pub fn space(&mut self) -> &mut [u8] {
        let cursor = &mut self.cursor;
        cursor.found = Found::Nothing;
        cursor.limit = usize::MAX;
        cursor.gather_space = 0;
        if cursor.start > 0 {
            self.buffer.bytes_mut().copy_within(cursor.start..cursor.end, 0);
            cursor.end -= cursor.start;
            cursor.start = 0;
        }
        cursor.update_stop();
        let buffer = self.buffer.bytes_mut();
        cursor.space_end = buffer.len();
        &mut buffer[cursor.end..]
    }

    /// Free space in two places, to be filled one after the other by a vectored read: what comes next of a message that is being
    /// gathered in the inbox goes straight there, and what follows to the [`space`](Self::space) of the buffer. This saves
    /// long messages the way through the buffer.
    ///
    /// The first place ends with the frame, or sooner, since the inbox grows with what was received. It is empty if no message is being
    /// gathered, while bytes that came before are not used up, and where it would gain nothing: for less than 4 KiB of a frame,
    /// and for masked binary data with a buffer of at most 16 KiB, which are unmasked in the pass that copies them, unless
    /// the frame has 16 KiB at most and as many bytes as the buffer, or more. It
    /// may be filled alone, by a read that knows one place only; to fill the buffer alone, ask for its [`space`](Self::space).
    ///
    /// If a message begins with a frame that has as many bytes as the buffer, or more, the second place reaches 4 KiB beyond that frame at
    /// most: the next one
    /// may be as long, and most of it can go straight to the inbox, too, if little of it comes by the buffer.
    ///
    /// `Connection::receive` is to be called before the parts are taken, or the state is handed over: what was read to the inbox
    /// cannot be had otherwise. Of a [`Violation`](crate::Violation) in that, [`consumed`](Self::consumed) does not tell the place.
    ///
    /// ```
    /// # use std::io::{self, IoSliceMut, Read};
    /// use ws_proto::{Connection, Inbox, Input};
    ///
    /// fn read<'a>(
    ///     socket: &mut impl Read,
    ///     buffer: &'a mut [u8],
    ///     connection: &Connection,
    ///     inbox: &'a mut Inbox,
    /// ) -> io::Result<Input<&'a mut [u8], &'a mut Inbox>> {
    ///     let mut input = Input::with_space(buffer, inbox);
    ///     let n = socket.read_vectored(&mut input.spaces(connection).map(IoSliceMut::new))?;
    ///     input.filled(n);
    ///     Ok(input) // to be received from, as ever
    /// }
    /// # use ws_proto::{Config, Event, Outbox, Role};
    /// # let mut connection = Connection::new(Role::Client, &Config::default());
    /// # let (mut buffer, mut inbox, mut outbox) = ([0; 5], Inbox::new(), Outbox::client([7; 16]));
    /// # let stream = [b"\x81\x7e\x20\0", &b"text"[..].repeat(2048)[..]].concat();
    /// # let mut socket = &stream[..];
    /// # let mut input = read(&mut socket, &mut buffer, &connection, &mut inbox).unwrap();
    /// # assert!(!connection.receive(&mut input, &mut outbox).unwrap());
    /// # let mut input = read(&mut socket, &mut buffer, &connection, &mut inbox).unwrap();
    /// # assert_eq!(input.remaining(), 4096 + 5);
    /// # while !connection.receive(&mut input, &mut outbox).unwrap() {
    /// #     drop(input);
    /// #     input = read(&mut socket, &mut buffer, &connection, &mut inbox).unwrap();
    /// # }
    /// # assert!(matches!(input.event(), Event::Text(text) if text == "text".repeat(2048)));
    /// ```
    pub fn spaces(&mut self, connection: &Connection) -> [&mut [u8]; 2] {
        let buffer_bytes = self.space().len();
        let gatherable = if self.remaining() > 0 || connection.copies_freely(buffer_bytes) {
            0
        } else {
            connection.gatherable()
        };
        let inbox = self.inbox.inbox_mut().space(gatherable);
        self.cursor.gather_space = inbox.len();
        if gatherable > 0 && connection.is_in_long_frame(buffer_bytes) {
            let rest = usize::try_from(gatherable).unwrap_or(usize::MAX) - inbox.len();
            let len = rest.saturating_add(LEAD_BYTES).min(buffer_bytes);
            self.cursor.space_end = self.cursor.end + len;
        }
        let buffer = &mut self.buffer.bytes_mut()[self.cursor.end..self.cursor.space_end];
        [inbox, buffer]
    }

    /// Says that the first `n` bytes of [`space`](Self::space) or [`spaces`](Self::spaces) have been read into. More than there
    /// are counts as all.
    pub fn filled(&mut self, n: usize) {
        let cursor = &mut self.cursor;
        let gathered = n.min(cursor.gather_space);
        cursor.gathered += gathered;
        cursor.gather_space -= gathered;
        cursor.end += (n - gathered).min(cursor.space_end - cursor.end);
        cursor.update_stop();
    }

    /// Gives the inbox's heap memory back if nothing is kept there; the event found last is gone.
    pub fn release(&mut self) {
        self.cursor.found = Found::Nothing;
        self.cursor.gather_space = 0;
        if self.cursor.gathered == 0 {
            self.inbox.inbox_mut().release();
        }
    }

    /// Gives the parts back. Bytes that are not [consumed](Self::consumed) yet are lost unless they are kept; those read straight to
    /// the inbox ([`spaces`](Self::spaces)) are, unless `Connection::receive` was called since.
    pub fn into_parts(self) -> (B, I) {
        (self.buffer, self.inbox)
    }

    /// The parts that `Connection::receive` works on.
    #[inline]
    pub(crate) fn parts(&mut self) -> (&mut [u8], &mut Cursor, &mut Inbox) {
        (self.buffer.bytes_mut(), &mut self.cursor, self.inbox.inbox_mut())
    }
}
