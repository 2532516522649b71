//! The server's side of the opening handshake over HTTP/1.1 bytes (RFC 6455 §4.2).

use core::mem::MaybeUninit;

use super::error::RequestError;
use super::fields::Fields;
use super::head::{self, HeadLimits, HeadReader, Kind};
use super::known::{Known, TARGET};
use super::request::RequestHead;
use crate::syntax::TOKEN;

/// Reads the head of a request, in whatever pieces it comes.
///
/// It has heap memory for a head that comes in pieces only, until the next one begins: none if the head lies whole in the bytes of
/// its first call.
///
/// ```
/// use ws_proto::Outbox;
/// use ws_proto::handshake::{Accept, HeadLimits, Server};
///
/// let bytes = b"GET /chat HTTP/1.1\r\n\
///     Host: server.example.com\r\n\
///     Upgrade: websocket\r\n\
///     Connection: Upgrade\r\n\
///     Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
///     Sec-WebSocket-Version: 13\r\n\r\n";
/// let (mut server, mut outbox) = (Server::new(HeadLimits::default()), Outbox::new());
///
/// let received = server.receive(bytes)?;
/// assert_eq!(received.consumed, bytes.len());
/// if let Some(head) = &received.head {
///     match &head.upgrade() {
///         Ok(request) if request.path() == "/chat" => request.accept(&Accept::default(), &mut outbox)?,
///         Ok(_) => todo!("request.reject(.., &mut outbox)"),
///         Err(error) => error.refuse(&mut outbox),
///     }
/// }
/// assert!(outbox.bytes().starts_with(b"HTTP/1.1 101 Switching Protocols\r\n"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Server {
    limits: HeadLimits,
    reader: HeadReader,
    early_data: bool,
}

/// What [`Server::receive`] made of the bytes.
#[derive(Clone, Copy, Debug)]
pub struct Received<'r> {
    /// How many of the bytes belong to the head. Those behind it are left for whoever reads on, which is the
    /// connection after the request was accepted.
    pub consumed: usize,
    /// The head, once it is complete. `None`: all bytes were consumed, and more are needed. Some 200 bytes: to look at it where it is
    /// takes less than a copy.
    pub head: Option<RequestHead<'r>>,
}

impl Server {
    /// A server that waits for the first byte of a request.
    #[must_use]
    pub const fn new(limits: HeadLimits) -> Self {
        Self {
            limits,
            reader: HeadReader::new(Kind::Request, limits),
            early_data: false,
        }
    }

    /// Lets a client send frames before it has the answer, which RFC 6455 §4.1 forbids. They are not consumed: give
    /// them to the connection. Without this, a handshake is refused that has bytes behind it in the call that ends its head. What
    /// is read later, before the answer is written, is the embedder's to refuse.
    #[must_use]
    pub const fn allow_early_data(mut self) -> Self {
        self.early_data = true;
        self
    }

    /// Reads bytes of a request, up to the end of its head.
    ///
    /// After a complete head the next call begins another one, for embedders that serve plain HTTP.
    ///
    /// # Errors
    ///
    /// At the first byte that cannot be in a request's head, or that is one too many for a limit. Answer with
    /// [`RequestError::refuse`] and close; further calls return the same error.
    pub fn receive<'r>(&'r mut self, bytes: &'r [u8]) -> Result<Received<'r>, RequestError> {
        if self.reader.is_at_start()
            && let Some((consumed, head)) = read_whole(&self.limits, bytes)
        {
            self.reader.forget();
            return Ok(self.received(bytes, consumed, Some(head)));
        }
        self.scan(bytes)
    }

    /// [`receive`](Self::receive) by the scanner.
    #[cold]
    #[inline(never)]
    fn scan<'r>(&'r mut self, bytes: &'r [u8]) -> Result<Received<'r>, RequestError> {
        let Some(consumed) = self.reader.read(bytes)? else {
            return Ok(Received {
                consumed: bytes.len(),
                head: None,
            });
        };
        let head = cut(self.reader.head(bytes, consumed));
        Ok(self.received(bytes, consumed, head))
    }

    #[inline]
    fn received<'r>(&self, bytes: &[u8], consumed: usize, mut head: Option<RequestHead<'r>>) -> Received<'r> {
        if let Some(head) = &mut head {
            head.early_data = bytes.len() > consumed && !self.early_data;
        }
        Received { consumed, head }
    }
}

/// Cuts a head that the scanner found well-formed.
fn cut(mut head: &[u8]) -> Option<RequestHead<'_>> {
    while let [b'\r', b'\n', rest @ ..] = head {
        head = rest;
    }
    let (line, lines) = head::split(head)?;
    let mut parts = core::str::from_utf8(line).ok()?.split(' ');
    let (method, target, version) = (parts.next()?, parts.next()?, parts.next()?);
    let minor = version.bytes().next_back()? - b'0';
    let fields = Fields::of_lines(lines);
    Some(RequestHead::from_checked(
        method,
        target,
        minor,
        fields,
        Known::of(fields),
    ))
}

/// Field lines that the short way has room for; heads with more go the long way.
const SHORT_WAY_FIELDS: usize = 64;

/// The short way for a head that is all there and nothing special: `None` leaves it, good or bad, to the scanner.
///
/// `httparse` reads it; the rest are the rules of ours that it does not know.
#[inline]
fn read_whole<'r>(limits: &HeadLimits, bytes: &'r [u8]) -> Option<(usize, RequestHead<'r>)> {
    // The scanner skips empty lines, and counts them.
    if !TOKEN.has(*bytes.first()?) {
        return None;
    }
    let mut room = [const { MaybeUninit::uninit() }; SHORT_WAY_FIELDS];
    let mut request = httparse::Request::new(&mut []);
    let Ok(httparse::Status::Complete(consumed)) = request.parse_with_uninit_headers(bytes, &mut room) else {
        return None;
    };
    let (method, target, minor) = (request.method?, request.path?, request.version?);
    let over = |count: usize, limit: u32| count as u64 > u64::from(limit);
    let head = &bytes[..consumed];
    // `httparse` takes a lone LF for the end of a line (RFC 9112 §2.2), and any visible character in a target. The limit of a line is
    // that of a short head, whose lines are not measured.
    if !head.ends_with(b"\r\n\r\n")
        || over(consumed, limits.max_head_bytes.min(limits.max_field_bytes))
        || over(request.headers.len(), limits.max_fields)
        || over(target.len(), limits.max_target_bytes)
        || TARGET.span(target.as_bytes()) < target.len()
    {
        return None;
    }
    let start = |line: &httparse::Header<'_>| line.name.as_ptr().addr() - head.as_ptr().addr();
    let mut known = Known::default();
    for header in request.headers.iter() {
        if head[..start(header)].last_chunk() != Some(b"\r\n") {
            return None;
        }
        known.add(header.name, header.value);
    }
    let lines_end = consumed - 2;
    let lines_start = request.headers.first().map_or(lines_end, start);
    let fields = Fields::of_lines(&head[lines_start..lines_end]);
    let head = RequestHead::from_checked(method, target, minor, fields, known);
    Some((consumed, head))
}
