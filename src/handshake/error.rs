//! Why an opening handshake fails: by the client's request, by the server's response, by what we were asked to write.

#[cfg(feature = "alloc")]
use super::outgoing::FieldError;
use crate::deflate::NegotiationError;
use crate::extension::ExtensionError;

/// Why a request is refused. It knows the status to answer with, and holds nothing of the request.
///
/// The variants stand in the order in which the checks are made; the first that fails counts.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// The request line breaks the grammar of RFC 9112 §3, or these bytes are not HTTP at all. 400.
    #[error("malformed request line")]
    RequestLine,
    /// A field line breaks the grammar of RFC 9112 §5, folded lines included. 400.
    #[error("malformed field line")]
    FieldLine,
    /// More empty lines before the request line than the limit. 400.
    #[error("too many empty lines before the request")]
    EmptyLines,
    /// The target is longer than the limit. 414.
    #[error("request target too long")]
    TargetTooLong,
    /// The head is longer than the limit. 431.
    #[error("request head too large")]
    HeadTooLarge,
    /// A field line is longer than the limit. 431.
    #[error("field line too large")]
    FieldTooLarge,
    /// More field lines than the limit. 431.
    #[error("too many field lines")]
    TooManyFields,
    /// The major version of HTTP is not 1. 505.
    #[error("HTTP version is not 1.1")]
    HttpVersion,
    /// HTTP/1.0, which knows no Upgrade (RFC 9110 §7.8). 400.
    #[error("HTTP/1.0 cannot be upgraded to WebSocket")]
    Http10,
    /// The method is not GET (RFC 6455 §4.2.1 item 1). 405, with `Allow: GET`.
    #[error("the method of an opening handshake is GET")]
    MethodNotGet,
    /// The target is neither a path nor an http or https URI with a valid authority (RFC 9112 §3.2). 400.
    #[error("the request target is neither a path nor an http URI")]
    Target,
    /// Host is missing, repeated or malformed (RFC 9112 §3.2). 400.
    #[error("Host is missing, repeated or malformed")]
    Host,
    /// Content-Length that is not 0, or Transfer-Encoding. 400.
    #[error("an opening handshake has no body")]
    Body,
    /// More than 16 empty elements in Upgrade or Connection (RFC 9110 §5.6.1.2). 400.
    #[error("too many empty elements in Upgrade or Connection")]
    EmptyElements,
    /// Not a request for WebSocket: no `websocket` in Upgrade or no `Upgrade` in Connection (RFC 6455 §4.2.1 items
    /// 3 and 4). 426, unless the embedder serves plain HTTP.
    #[error("this is a WebSocket endpoint")]
    NotWebSocket,
    /// Sec-WebSocket-Version is missing, repeated or malformed (RFC 6455 §4.3). 400.
    #[error("Sec-WebSocket-Version is missing, repeated or malformed")]
    Version,
    /// Another version than 13 is asked for (RFC 6455 §4.4). 426.
    #[error("the only version of the WebSocket protocol spoken here is 13")]
    VersionUnknown,
    /// Sec-WebSocket-Key is missing, repeated or not the base64 of 16 bytes (RFC 6455 §4.2.1 item 5). 400.
    #[error("Sec-WebSocket-Key is missing, repeated or malformed")]
    Key,
    /// Origin is repeated or malformed (RFC 6454 §7). 400.
    #[error("Origin is repeated or malformed")]
    Origin,
    /// Sec-WebSocket-Protocol is not a list of tokens, or has more than 64 of them or 16 empty elements (RFC 6455 §4.2.1 item 8). 400.
    #[error("malformed Sec-WebSocket-Protocol")]
    Subprotocols,
    /// Sec-WebSocket-Extensions is malformed, or has too many elements (RFC 6455 §9.1). 400.
    #[error("malformed Sec-WebSocket-Extensions: {0}")]
    Extensions(ExtensionError),
    /// Expect asks for something else than `100-continue` (RFC 9110 §10.1.1). 417.
    #[error("Expect asks for something else than 100-continue")]
    Expectation,
    /// Bytes behind the head: a client has to wait for the answer (RFC 6455 §4.1). 400.
    #[error("data before the opening handshake was answered")]
    EarlyData,
}

impl RequestError {
    /// The HTTP status that says so. Whoever writes the response with another HTTP library adds what [`refuse`](Self::refuse) does:
    /// with 405 `Allow: GET`; with 426 `Upgrade: websocket` and `Upgrade` in Connection (RFC 9110 §15.5.22), and
    /// `Sec-WebSocket-Version: 13`, as with [`Version`](Self::Version) (RFC 6455 §4.4).
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Self::MethodNotGet => 405,
            Self::TargetTooLong => 414,
            Self::Expectation => 417,
            Self::NotWebSocket | Self::VersionUnknown => 426,
            Self::HeadTooLarge | Self::FieldTooLarge | Self::TooManyFields => 431,
            Self::HttpVersion => 505,
            _ => 400,
        }
    }
}

/// Why a response fails the connection (RFC 6455 §4.1). The transport is to be closed; nothing more is sent.
///
/// Such a connection is reported with code 1006 and not clean (RFC 6455 §7.1.5).
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ResponseError {
    /// The status line breaks the grammar of RFC 9112 §4, or these bytes are not HTTP at all.
    #[error("malformed status line")]
    StatusLine,
    /// A field line breaks the grammar of RFC 9112 §5.
    #[error("malformed field line")]
    FieldLine,
    /// The head is longer than the limit.
    #[error("response head too large")]
    HeadTooLarge,
    /// A field line is longer than the limit.
    #[error("field line too large")]
    FieldTooLarge,
    /// More field lines than the limit.
    #[error("too many field lines")]
    TooManyFields,
    /// More responses of the class 1xx than the limit.
    #[error("too many informational responses")]
    TooManyInformational,
    /// The version of HTTP is not 1.x, or a 101 came with HTTP/1.0, which has none.
    #[error("HTTP version is not 1.1")]
    HttpVersion,
    /// The status is not 101. Only from [`Offer::check`](super::Offer::check).
    #[error("the server answered with HTTP status {0}")]
    NotSwitched(u16),
    /// Upgrade is missing, or is not `websocket` alone (RFC 6455 §4.1, response item 2).
    #[error("Upgrade is missing or not websocket")]
    Upgrade,
    /// Connection is missing, `Upgrade` is not in it, or more than 16 of its elements are empty (item 3).
    #[error("Connection is missing or without Upgrade")]
    Connection,
    /// Sec-WebSocket-Accept is missing or repeated (item 4).
    #[error("Sec-WebSocket-Accept is missing or repeated")]
    AcceptMissing,
    /// Sec-WebSocket-Accept is not the answer to the key that was sent (item 4).
    #[error("Sec-WebSocket-Accept does not match the key")]
    AcceptWrong,
    /// Sec-WebSocket-Extensions is malformed (RFC 6455 §9.1).
    #[error("malformed Sec-WebSocket-Extensions: {0}")]
    Extensions(ExtensionError),
    /// An extension that was not offered (item 5).
    #[error("the server uses an extension that was not offered")]
    ExtensionNotOffered,
    /// An answer to `permessage-deflate` that does not fit the offers (RFC 7692 §5, §7).
    #[error(transparent)]
    Deflate(#[from] NegotiationError),
    /// Sec-WebSocket-Protocol is repeated, or is not one of the subprotocols offered (item 6).
    #[error("the server chose a subprotocol that was not offered")]
    SubprotocolNotOffered,
    /// Subprotocols were offered, none was chosen, and the embedder requires one.
    #[error("the server chose none of the subprotocols offered")]
    SubprotocolMissing,
    /// The transport ended before the response did (RFC 6455 §7.2.1).
    #[error("end of stream before the opening handshake was answered")]
    EndOfStream,
    /// The handshake is over: it was answered, or it failed before.
    #[error("the opening handshake is over")]
    Finished,
}

/// Why an answer to a request is not written. Nothing was queued.
#[cfg(feature = "alloc")]
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AnswerError {
    /// The status may not be sent this way: 1xx, and 2xx where a refusal is due; or not a status at all.
    #[error("this HTTP status may not be sent here")]
    Status,
    /// A field that the caller gave.
    #[error(transparent)]
    Field(#[from] FieldError),
    /// 401 needs `WWW-Authenticate`, and 405 needs `Allow` (RFC 9110 §15.5.2, §15.5.6).
    #[error("the field that this HTTP status requires is missing")]
    FieldMissing,
    /// A body with a status that has none, 204, 205 or 304; or one of more than 4 GiB.
    #[error("this HTTP status has no body, or the body is over 4 GiB")]
    Body,
    /// The client did not offer this subprotocol (RFC 6455 §4.2.2).
    #[error("the client did not offer this subprotocol")]
    SubprotocolNotOffered,
    /// An extension that is not one well-formed element of the list (RFC 6455 §9.1), or more than
    /// [`MAX_EXTENSIONS`](crate::extension::MAX_EXTENSIONS).
    #[error("malformed extension, or too many")]
    Extension,
    /// The client did not offer this extension (RFC 6455 §9.1).
    #[error("the client did not offer this extension")]
    ExtensionNotOffered,
    /// An answer to `permessage-deflate` that does not fit the client's offers, so that the client would fail the
    /// connection (RFC 7692 §5, §7).
    #[error(transparent)]
    Deflate(#[from] NegotiationError),
}

/// Why a handshake is not begun. Nothing was queued.
#[cfg(feature = "alloc")]
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The outbox has no key source: it was not made for a client.
    #[error("the outbox has no source of random keys: it was not made for a client")]
    NoKeySource,
    /// The origin is empty, or has a character that is not visible ASCII.
    #[error("malformed origin")]
    Origin,
    /// A subprotocol is not a token (RFC 6455 §4.1 item 10).
    #[error("a subprotocol is not a token")]
    Subprotocol,
    /// A subprotocol is offered twice (RFC 6455 §4.1 item 10).
    #[error("a subprotocol is offered twice")]
    SubprotocolRepeated,
    /// An extension that is not one well-formed element of the list (RFC 6455 §9.1), or more than
    /// [`MAX_EXTENSIONS`](crate::extension::MAX_EXTENSIONS).
    #[error("malformed extension, or too many")]
    Extension,
    /// A field that the caller gave.
    #[error(transparent)]
    Field(#[from] FieldError),
}

#[cfg(feature = "alloc")]
impl From<super::head::HeadError> for RequestError {
    fn from(error: super::head::HeadError) -> Self {
        use super::head::HeadError;
        match error {
            HeadError::StartLine => Self::RequestLine,
            HeadError::FieldLine => Self::FieldLine,
            HeadError::EmptyLines => Self::EmptyLines,
            HeadError::TargetTooLong => Self::TargetTooLong,
            HeadError::HeadTooLarge => Self::HeadTooLarge,
            HeadError::FieldTooLarge => Self::FieldTooLarge,
            HeadError::TooManyFields => Self::TooManyFields,
            HeadError::Version => Self::HttpVersion,
        }
    }
}

#[cfg(feature = "alloc")]
impl From<super::head::HeadError> for ResponseError {
    fn from(error: super::head::HeadError) -> Self {
        use super::head::HeadError;
        match error {
            // A response has neither empty lines before it nor a target.
            HeadError::StartLine | HeadError::EmptyLines | HeadError::TargetTooLong => Self::StatusLine,
            HeadError::FieldLine => Self::FieldLine,
            HeadError::HeadTooLarge => Self::HeadTooLarge,
            HeadError::FieldTooLarge => Self::FieldTooLarge,
            HeadError::TooManyFields => Self::TooManyFields,
            HeadError::Version => Self::HttpVersion,
        }
    }
}
