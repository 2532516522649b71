//! The client's side of the opening handshake over HTTP/1.1 bytes (RFC 6455 §4.1).

use alloc::collections::BTreeSet;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::error::{ResponseError, StartError};
use super::fields::{Field, Fields};
use super::head::{self, HeadLimits, HeadReader, Kind};
use super::key::Key;
use super::known::{EXTENSIONS, PROTOCOL, is_origin};
use super::outgoing::{self, Text};
use super::response::{Offer, Opened, ResponseHead};
use super::url::Url;
use crate::Outbox;
use crate::syntax;

/// What a client asks for.
#[derive(Clone, Copy, Debug)]
pub struct ClientRequest<'a> {
    /// The resource.
    pub url: Url<'a>,
    /// The origin, which browsers must send and others may (RFC 6455 §4.1 item 8).
    pub origin: Option<&'a str>,
    /// Subprotocols in order of preference: tokens, none of them twice. A server of this crate takes at most
    /// [`MAX_SUBPROTOCOLS`](super::MAX_SUBPROTOCOLS).
    pub subprotocols: &'a [&'a str],
    /// Extensions with their parameters in order of preference, such as
    /// `permessage-deflate; client_max_window_bits`; at most [`MAX_EXTENSIONS`](crate::extension::MAX_EXTENSIONS). That of permessage-deflate is written by
    /// [`Parameters::offer`](crate::deflate::Parameters::offer).
    pub extensions: &'a [&'a str],
    /// Further fields, such as `Cookie` or `Authorization`.
    pub fields: &'a [Field<'a>],
    /// Whether to fail if subprotocols are offered and the server chooses none, as browsers do.
    pub require_subprotocol: bool,
    /// Limits of the response.
    pub limits: HeadLimits,
}

impl<'a> ClientRequest<'a> {
    /// A request for this resource that offers nothing.
    #[must_use]
    pub fn new(url: Url<'a>) -> Self {
        Self {
            url,
            origin: None,
            subprotocols: &[],
            extensions: &[],
            fields: &[],
            require_subprotocol: false,
            limits: HeadLimits::default(),
        }
    }

    fn check(&self) -> Result<(), StartError> {
        if self.origin.is_some_and(|origin| !is_origin(origin.as_bytes())) {
            return Err(StartError::Origin);
        }
        let mut seen = BTreeSet::new();
        for subprotocol in self.subprotocols {
            if syntax::token(subprotocol.as_bytes()).is_none() {
                return Err(StartError::Subprotocol);
            }
            if !seen.insert(subprotocol) {
                return Err(StartError::SubprotocolRepeated);
            }
        }
        if !outgoing::are_extensions(self.extensions) {
            return Err(StartError::Extension);
        }
        Ok(outgoing::check_fields(self.fields)?)
    }

    /// The extensions as they are offered, without what is spare in their texts: that could add up to more than a list may have.
    fn extension_list(&self) -> String {
        let extensions = self.extensions.iter();
        let texts = extensions.filter_map(|text| outgoing::single_extension(text));
        let texts: Vec<_> = texts.map(|extension| extension.to_string()).collect();
        texts.join(", ")
    }

    /// Writes the request, which was checked (RFC 6455 §4.1, second list), with these lists of subprotocols and extensions.
    fn write(&self, key: Key, subprotocols: &str, extensions: &str, outbox: &mut Outbox) {
        let (resource, authority) = (self.url.resource_name(), self.url.authority());
        // RFC 9110 §7.2: Host comes first.
        Text(outbox).append(format_args!("GET {resource} HTTP/1.1\r\nHost: {authority}\r\n"));
        outbox.append_all([
            b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: ",
            key.as_str().as_bytes(),
            b"\r\nSec-WebSocket-Version: 13\r\n",
        ]);
        if let Some(origin) = self.origin {
            outgoing::append_field(outbox, "Origin", origin.as_bytes());
        }
        for (name, list) in [(PROTOCOL, subprotocols), (EXTENSIONS, extensions)] {
            if !list.is_empty() {
                outgoing::append_field(outbox, name, list.as_bytes());
            }
        }
        outgoing::append_fields(outbox, self.fields);
        outbox.append(b"\r\n");
    }
}

/// A client that has sent its request and waits for the answer.
///
/// ```
/// use ws_proto::Outbox;
/// use ws_proto::handshake::{Answer, Client, ClientRequest, Url};
///
/// let request = ClientRequest {
///     subprotocols: &["chat", "superchat"],
///     ..ClientRequest::new(Url::parse("ws://server.example.com/chat")?)
/// };
/// let mut outbox = Outbox::client([7; 16]);
/// let mut client = Client::start_with_nonce(&request, *b"the sample nonce", &mut outbox)?;
/// assert!(outbox.bytes().starts_with(b"GET /chat HTTP/1.1\r\nHost: server.example.com\r\n"));
///
/// let bytes = b"HTTP/1.1 101 Switching Protocols\r\n\
///     Upgrade: websocket\r\n\
///     Connection: Upgrade\r\n\
///     Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\
///     Sec-WebSocket-Protocol: chat\r\n\r\n\x81\x05Hello";
/// let reply = client.receive(bytes)?;
/// assert_eq!(bytes[reply.consumed..], *b"\x81\x05Hello");
/// match reply.answer {
///     Some(Answer::Open(opened)) => assert_eq!(opened.subprotocol(), Some("chat")),
///     Some(Answer::Refused(head)) => panic!("HTTP status {}", head.status()),
///     None => panic!("more bytes are needed"),
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Client {
    reader: HeadReader,
    key: Key,
    /// The fields that were sent, empty if they were not.
    subprotocols: String,
    extensions: String,
    require_subprotocol: bool,
    /// How many more responses of the class 1xx may come.
    informational_left: u32,
    finished: bool,
}

/// What [`Client::receive`] made of the bytes.
#[derive(Clone, Copy, Debug)]
pub struct Reply<'r> {
    /// How many of the bytes belong to the response's head. Those behind it belong to the connection, or to the body
    /// of a refusal.
    pub consumed: usize,
    /// The answer, once it is complete. `None`: all bytes were consumed, and more are needed.
    pub answer: Option<Answer<'r>>,
}

/// How a server answered.
#[derive(Clone, Copy, Debug)]
pub enum Answer<'r> {
    /// The connection is open.
    Open(Opened<'r>),
    /// The server answered with usual HTTP.
    Refused(ResponseHead<'r>),
}

impl Client {
    /// Queues the request, with a key from the outbox's generator.
    ///
    /// # Errors
    ///
    /// If the request may not be written as it is, or the outbox has no generator. Nothing is queued then.
    pub fn start(request: &ClientRequest<'_>, outbox: &mut Outbox) -> Result<Self, StartError> {
        request.check()?;
        let nonce = outbox.nonce().ok_or(StartError::NoKeySource)?;
        Ok(Self::start_checked(request, nonce, outbox))
    }

    /// Queues the request, with a key of these 16 bytes: they have to be random, and new for every handshake
    /// (RFC 6455 §4.1 item 7).
    ///
    /// # Errors
    ///
    /// If the request may not be written as it is. Nothing is queued then.
    pub fn start_with_nonce(
        request: &ClientRequest<'_>,
        nonce: [u8; 16],
        outbox: &mut Outbox,
    ) -> Result<Self, StartError> {
        request.check()?;
        Ok(Self::start_checked(request, nonce, outbox))
    }

    fn start_checked(request: &ClientRequest<'_>, nonce: [u8; 16], outbox: &mut Outbox) -> Self {
        let key = Key::from_nonce(nonce);
        outbox.forget_contexts();
        let (subprotocols, extensions) = (request.subprotocols.join(", "), request.extension_list());
        request.write(key, &subprotocols, &extensions, outbox);
        Self {
            reader: HeadReader::new(Kind::Response, request.limits),
            key,
            subprotocols,
            extensions,
            require_subprotocol: request.require_subprotocol,
            informational_left: request.limits.max_informational_responses,
            finished: false,
        }
    }

    /// Reads bytes of the response, up to the end of its head. Responses of the class 1xx before it are skipped.
    ///
    /// # Errors
    ///
    /// If these bytes are no HTTP response within the limits, or one that fails the connection (RFC 6455 §4.1): close
    /// the transport. After an answer or an error there is nothing more to read: [`ResponseError::Finished`].
    pub fn receive<'r>(&'r mut self, bytes: &'r [u8]) -> Result<Reply<'r>, ResponseError> {
        if self.finished {
            return Err(ResponseError::Finished);
        }
        self.finished = true;
        let Some((start, end)) = self.find_final(bytes)? else {
            self.finished = false;
            return Ok(Reply {
                consumed: bytes.len(),
                answer: None,
            });
        };
        let head = cut(self.reader.head(&bytes[start..], end - start)).ok_or(ResponseError::StatusLine)?;
        let answer = match head.status {
            // RFC 9110 §15.2: HTTP/1.0 has no 1xx.
            101 if head.minor_version == 0 => return Err(ResponseError::HttpVersion),
            101 => Answer::Open(self.offer().check(101, head.fields)?),
            _ => Answer::Refused(head),
        };
        Ok(Reply {
            consumed: end,
            answer: Some(answer),
        })
    }

    /// Takes note that the transport ended, which fails the connection (RFC 6455 §7.2.1); code 1006, not clean.
    pub fn receive_eof(&mut self) -> ResponseError {
        let before = core::mem::replace(&mut self.finished, true);
        if before {
            ResponseError::Finished
        } else {
            ResponseError::EndOfStream
        }
    }

    /// Where in `bytes` the last piece of the final response's head lies, if its end is there.
    fn find_final(&mut self, bytes: &[u8]) -> Result<Option<(usize, usize)>, ResponseError> {
        let mut start = 0;
        while let Some(n) = self.reader.read(&bytes[start..])? {
            let head = self.reader.head(&bytes[start..], n);
            if !matches!(head.get(9..12), Some([b'1', digits @ ..]) if digits != b"01") {
                return Ok(Some((start, start + n)));
            }
            let left = self.informational_left.checked_sub(1);
            self.informational_left = left.ok_or(ResponseError::TooManyInformational)?;
            start += n;
        }
        Ok(None)
    }

    fn offer(&self) -> Offer<'_> {
        Offer {
            key: self.key,
            subprotocols: &self.subprotocols,
            extensions: &self.extensions,
            require_subprotocol: self.require_subprotocol,
        }
    }
}

/// Cuts a head that the scanner found well-formed: `HTTP/1.x sss[ reason]`, and the field lines.
fn cut(head: &[u8]) -> Option<ResponseHead<'_>> {
    let (line, lines) = head::split(head)?;
    Some(ResponseHead {
        status: core::str::from_utf8(line.get(9..12)?).ok()?.parse().ok()?,
        reason: line.get(13..).unwrap_or_default(),
        minor_version: line.get(7)? - b'0',
        fields: Fields::of_lines(lines),
    })
}
