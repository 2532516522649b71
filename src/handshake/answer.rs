//! What a server writes: the 101 that opens the connection, or another response that ends it (RFC 6455 §4.2.2).

use super::error::{AnswerError, RequestError};
use super::fields::{Field, Fields};
use super::known::PROTOCOL;
use super::outgoing::{self, Text, append_extensions, append_field, append_fields};
use super::request::Request;
use crate::extension::Extension;
use crate::{Outbox, deflate};

/// What to agree to when a request is accepted; nothing by default.
///
/// ```
/// use ws_proto::Outbox;
/// use ws_proto::deflate::Parameters;
/// use ws_proto::handshake::{Accept, HeadLimits, Server};
///
/// let bytes = b"GET /chat HTTP/1.1\r\n\
///     Host: server.example.com\r\n\
///     Upgrade: websocket\r\n\
///     Connection: Upgrade\r\n\
///     Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
///     Sec-WebSocket-Version: 13\r\n\
///     Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n\r\n";
/// let (mut server, mut outbox) = (Server::new(HeadLimits::default()), Outbox::new());
/// let request = server.receive(bytes)?.head.expect("it is whole").upgrade()?;
///
/// let agreed = request.deflate(&Parameters::default());
/// let answer = agreed.map(|agreed| agreed.answer());
/// let answer = answer.as_deref();
/// let accept = Accept { extensions: answer.as_slice(), ..Accept::default() };
/// request.accept(&accept, &mut outbox)?;
/// assert!(outbox.bytes().ends_with(b"\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Default, Debug)]
pub struct Accept<'a> {
    /// One of the client's subprotocols.
    pub subprotocol: Option<&'a str>,
    /// Extensions with their parameters, such as `permessage-deflate; server_no_context_takeover`, in the order of
    /// processing; each of a name that the client offered; at most [`MAX_EXTENSIONS`](crate::extension::MAX_EXTENSIONS). For permessage-deflate
    /// see [`Request::deflate`].
    pub extensions: &'a [&'a str],
    /// Further fields, such as `Set-Cookie` or `Server`.
    pub fields: &'a [Field<'a>],
}

impl Request<'_> {
    /// Queues the response 101, behind a response 100 if the client expects one (RFC 9110 §7.8). Once it is written,
    /// the connection is open.
    ///
    /// # Errors
    ///
    /// If something was not offered by the client, an answer to permessage-deflate does not fit its offers, or a field
    /// may not be written. Nothing is queued then.
    pub fn accept(&self, accept: &Accept<'_>, outbox: &mut Outbox) -> Result<(), AnswerError> {
        outgoing::check_fields(accept.fields)?;
        if let Some(subprotocol) = accept.subprotocol
            && !self.subprotocols().any(|offer| offer == subprotocol)
        {
            return Err(AnswerError::SubprotocolNotOffered);
        }
        self.check_extensions(accept.extensions)?;
        outbox.forget_contexts();
        if self.expects_continue() {
            outbox.append(b"HTTP/1.1 100 Continue\r\n\r\n");
        }
        outbox.append_all([
            b"HTTP/1.1 101 Switching Protocols\r\n\
            Upgrade: websocket\r\n\
            Connection: Upgrade\r\n\
            Sec-WebSocket-Accept: ",
            self.accept_value().as_bytes(),
            b"\r\n",
        ]);
        if let Some(subprotocol) = accept.subprotocol {
            append_field(outbox, PROTOCOL, subprotocol.as_bytes());
        }
        append_extensions(outbox, accept.extensions);
        append_fields(outbox, accept.fields);
        outbox.append_all([b"\r\n"]);
        Ok(())
    }

    fn check_extensions(&self, accepted: &[&str]) -> Result<(), AnswerError> {
        if accepted.is_empty() {
            return Ok(());
        }
        if !outgoing::are_extensions(accepted) {
            return Err(AnswerError::Extension);
        }
        let accepted = accepted.iter().copied().filter_map(outgoing::single_extension);
        let is_offered =
            |accepted: Extension<'_>| self.extensions().any(|offer| offer.name() == accepted.name());
        if !accepted.clone().all(is_offered) {
            return Err(AnswerError::ExtensionNotOffered);
        }
        // What the client must refuse is not sent.
        let offers = self.extensions().filter_map(deflate::Parameters::from_offer);
        deflate::Parameters::check(offers, accepted)?;
        Ok(())
    }

    /// Queues a response that refuses the handshake, with a status from 300 to 599: 401, 403, 404, a redirect.
    /// The embedder closes the transport once it is written.
    ///
    /// # Errors
    ///
    /// As [`Response::write`]. Nothing is queued then.
    pub fn reject(&self, response: &Response<'_>, outbox: &mut Outbox) -> Result<(), AnswerError> {
        if response.status < 300 {
            return Err(AnswerError::Status);
        }
        response.write(outbox)
    }
}

/// A response that ends the connection: a refusal, or an answer to a plain HTTP request.
///
/// ```
/// use ws_proto::Outbox;
/// use ws_proto::handshake::{Field, Response};
///
/// let fields = [Field::new("Content-Type", "text/plain")];
/// let response = Response { status: 404, fields: &fields, body: b"no such page\n" };
/// let mut outbox = Outbox::new();
/// response.write(&mut outbox)?;
/// assert!(outbox.bytes().starts_with(b"HTTP/1.1 404 Not Found\r\n"));
/// # Ok::<(), ws_proto::handshake::AnswerError>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Response<'a> {
    /// The status, from 200 to 599. One to a WebSocket handshake has to be 300 or more: see [`Request::reject`].
    pub status: u16,
    /// Further fields. Connection, Content-Length and, with 426, Upgrade and Sec-WebSocket-Version are written without.
    pub fields: &'a [Field<'a>],
    /// The body; empty with 204, 205 and 304.
    pub body: &'a [u8],
}

impl Response<'_> {
    /// Queues the response, with `Connection: close` and Content-Length. The embedder closes the transport once it
    /// is written.
    ///
    /// # Errors
    ///
    /// If the status is not from 200 to 599, has a body that it must not have, or lacks the field that it must have
    /// (401: `WWW-Authenticate`, 405: `Allow`); or if a field may not be written. Nothing is queued then.
    pub fn write(&self, outbox: &mut Outbox) -> Result<(), AnswerError> {
        self.write_head(outbox)?;
        outbox.append(self.body);
        Ok(())
    }

    /// [`write`](Self::write) without the body, for a request with the method HEAD (RFC 9110 §9.3.2): Content-Length is that of the answer
    /// to a GET, which has the body (§8.6).
    ///
    /// # Errors
    ///
    /// As [`write`](Self::write).
    pub fn write_head(&self, outbox: &mut Outbox) -> Result<(), AnswerError> {
        if !matches!(self.status, 200..=599) {
            return Err(AnswerError::Status);
        }
        outgoing::check_fields(self.fields)?;
        let required = match self.status {
            401 => Some("WWW-Authenticate"),
            405 => Some("Allow"),
            _ => None,
        };
        if required.is_some_and(|name| Fields::new(self.fields).get(name).is_none()) {
            return Err(AnswerError::FieldMissing);
        }
        let no_body = matches!(self.status, 204 | 205 | 304);
        let fields = self
            .fields
            .iter()
            .map(|field| field.name.len() + field.value.len() + 4);
        let bytes = fields.fold(MOST_HEAD_BYTES + self.body.len(), usize::saturating_add);
        if (no_body && !self.body.is_empty()) || outbox.check_room(bytes).is_err() {
            return Err(AnswerError::Body);
        }
        let versions = self.status == 426;
        append_head(outbox, self.status, versions, self.fields, self.body.len());
        Ok(())
    }
}

impl RequestError {
    /// Queues the response that tells the client: [`status`](Self::status), the fields that belong to it, and the
    /// reason as a line of text, unless the method of the request may be HEAD: where it is not GET, and where the head is
    /// refused before the method is looked at. Nothing of the request is repeated in it.
    ///
    /// The embedder closes the transport once it is written.
    pub fn refuse(self, outbox: &mut Outbox) {
        let status = self.status();
        let versions = matches!(self, Self::Version | Self::VersionUnknown | Self::NotWebSocket);
        let text = alloc::format!("{self}\n");
        let allow = [Field::new("Allow", "GET")];
        let plain = [Field::new("Content-Type", "text/plain")];
        let (fields, body) = match self {
            Self::MethodNotGet => (&allow[..], ""),
            // RFC 9110 §9.3.2: no body.
            _ if self.may_answer_head() => (&[][..], ""),
            _ => (&plain[..], &text[..]),
        };
        append_head(outbox, status, versions, fields, body.len());
        outbox.append(body.as_bytes());
    }

    /// Whether it may be one of a request with the method HEAD: those that are found later are not.
    const fn may_answer_head(self) -> bool {
        matches!(
            self,
            Self::RequestLine
                | Self::FieldLine
                | Self::EmptyLines
                | Self::TargetTooLong
                | Self::HeadTooLarge
                | Self::FieldTooLarge
                | Self::TooManyFields
                | Self::HttpVersion
                | Self::Http10
                | Self::MethodNotGet
        )
    }
}

/// Bytes of a response's head besides its fields, at most.
const MOST_HEAD_BYTES: usize = 256;

/// Writes the head of a response with so many bytes of body; `versions`: with the version that we speak (RFC 6455 §4.4).
fn append_head(outbox: &mut Outbox, status: u16, versions: bool, fields: &[Field<'_>], body_bytes: usize) {
    let mut text = Text(outbox);
    // RFC 9112 §4: the space stands there without a reason phrase, too.
    text.append(format_args!("HTTP/1.1 {status} {}\r\n", reason_phrase(status)));
    // RFC 9110 §15.5.22, §7.8: 426 names the protocol in Upgrade, and Upgrade in Connection.
    text.append(match status {
        426 => format_args!("Upgrade: websocket\r\nConnection: Upgrade, close\r\n"),
        _ => format_args!("Connection: close\r\n"),
    });
    if versions {
        text.append(format_args!("Sec-WebSocket-Version: 13\r\n"));
    }
    // RFC 9110 §8.6: a 204 has none; that of a 304 would be about a body that is not there.
    if !matches!(status, 204 | 304) {
        text.append(format_args!("Content-Length: {body_bytes}\r\n"));
    }
    append_fields(outbox, fields);
    outbox.append(b"\r\n");
}

/// The reason phrase that RFC 9110 §15 and RFC 6585 give, or nothing: it has no meaning (RFC 9112 §4).
const fn reason_phrase(status: u16) -> &'static str {
    match status {
        200 => "OK",
        204 => "No Content",
        301 => "Moved Permanently",
        302 => "Found",
        303 => "See Other",
        304 => "Not Modified",
        307 => "Temporary Redirect",
        308 => "Permanent Redirect",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        408 => "Request Timeout",
        410 => "Gone",
        413 => "Content Too Large",
        414 => "URI Too Long",
        417 => "Expectation Failed",
        421 => "Misdirected Request",
        426 => "Upgrade Required",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        505 => "HTTP Version Not Supported",
        _ => "",
    }
}
