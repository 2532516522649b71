//! The server's response as data, and the one function that judges it (RFC 6455 §4.1).

use super::error::ResponseError;
use super::fields::Fields;
use super::key::Key;
use super::known::{self, EXTENSIONS, Membership, PROTOCOL};
use crate::deflate;
use crate::extension::{self, Extension};
use crate::syntax;

/// What a client's request said, to check the response against.
///
/// ```
/// use ws_proto::handshake::{Field, Fields, Key, Offer};
///
/// let offer = Offer { subprotocols: "chat, superchat", ..Offer::new(Key::from_nonce(*b"the sample nonce")) };
/// let response = [
///     Field::new("Upgrade", "websocket"),
///     Field::new("Connection", "Upgrade"),
///     Field::new("Sec-WebSocket-Accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="),
///     Field::new("Sec-WebSocket-Protocol", "chat"),
/// ];
/// let opened = offer.check(101, Fields::new(&response))?;
/// assert_eq!(opened.subprotocol(), Some("chat"));
/// # Ok::<(), ws_proto::handshake::ResponseError>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Offer<'a> {
    /// The key that was sent.
    pub key: Key,
    /// The value of Sec-WebSocket-Protocol that was sent; empty for none.
    pub subprotocols: &'a str,
    /// The value of Sec-WebSocket-Extensions that was sent; empty for none.
    pub extensions: &'a str,
    /// Whether to fail if subprotocols were offered and the server chose none, as browsers do (WHATWG WebSockets);
    /// RFC 6455 §4.1 leaves the connection open without one.
    pub require_subprotocol: bool,
}

impl<'a> Offer<'a> {
    /// A request with this key that offered nothing.
    #[must_use]
    pub const fn new(key: Key) -> Self {
        Self {
            key,
            subprotocols: "",
            extensions: "",
            require_subprotocol: false,
        }
    }

    /// Checks a final response (RFC 6455 §4.1, "the client MUST validate the server's response").
    ///
    /// # Errors
    ///
    /// [`ResponseError::NotSwitched`] if the status is not 101: usual HTTP then, and the embedder's business. Every
    /// other error fails the connection.
    pub fn check<'r>(&self, status: u16, fields: Fields<'r>) -> Result<Opened<'r>, ResponseError> {
        if status != 101 {
            return Err(ResponseError::NotSwitched(status));
        }
        let mut upgrades = fields.all("Upgrade");
        if !upgrades
            .next()
            .is_some_and(|value| value.eq_ignore_ascii_case(b"websocket"))
            || upgrades.next().is_some()
        {
            return Err(ResponseError::Upgrade);
        }
        let mut connection = Membership::default();
        fields
            .all("Connection")
            .for_each(|value| connection.look_in(value, "Upgrade"));
        if !connection.found || connection.has_too_many_empty() {
            return Err(ResponseError::Connection);
        }
        let mut accepts = fields.all("Sec-WebSocket-Accept");
        let (Some(accept), None) = (accepts.next(), accepts.next()) else {
            return Err(ResponseError::AcceptMissing);
        };
        if accept != self.key.accept_value().as_bytes() {
            return Err(ResponseError::AcceptWrong);
        }
        let extensions = extension::parse(fields.all(EXTENSIONS)).map_err(ResponseError::Extensions)?;
        for extension in extensions.clone() {
            if !self
                .offered_extensions()
                .any(|offered| offered.name() == extension.name())
            {
                return Err(ResponseError::ExtensionNotOffered);
            }
        }
        let offers = self
            .offered_extensions()
            .filter_map(deflate::Parameters::from_offer);
        let deflate = deflate::Parameters::check(offers, extensions)?;
        let subprotocol = self.chosen_subprotocol(fields)?;
        Ok(Opened {
            subprotocol,
            deflate,
            fields,
        })
    }

    fn chosen_subprotocol<'r>(&self, fields: Fields<'r>) -> Result<Option<&'r str>, ResponseError> {
        let mut chosen = fields.all(PROTOCOL);
        let Some(value) = chosen.next() else {
            let missing = self.require_subprotocol && !self.subprotocols.is_empty();
            return if missing {
                Err(ResponseError::SubprotocolMissing)
            } else {
                Ok(None)
            };
        };
        // RFC 6455 §11.3.4: at most once in a response; RFC 7936 §2: names compare byte for byte.
        let mut offered = syntax::elements(self.subprotocols.as_bytes());
        match syntax::token(value) {
            Some(token) if chosen.next().is_none() && offered.any(|offer| offer == value) => Ok(Some(token)),
            _ => Err(ResponseError::SubprotocolNotOffered),
        }
    }

    fn offered_extensions(&self) -> impl Iterator<Item = Extension<'a>> + use<'a> {
        let line = Some(self.extensions.as_bytes()).filter(|line| !line.is_empty());
        extension::parse(line).into_iter().flatten()
    }
}

/// A response that opens the connection. Bytes behind it are the server's first frames.
#[derive(Clone, Copy, Debug)]
pub struct Opened<'r> {
    subprotocol: Option<&'r str>,
    deflate: Option<deflate::Parameters>,
    fields: Fields<'r>,
}

impl<'r> Opened<'r> {
    /// The subprotocol in use, one of those that were offered; or none.
    #[must_use]
    pub fn subprotocol(&self) -> Option<&'r str> {
        self.subprotocol
    }

    /// The extensions in use, in the order of processing; the name of each was offered.
    pub fn extensions(&self) -> impl Iterator<Item = Extension<'r>> + Clone + use<'r> {
        // The list was checked: there is no error.
        extension::parse(self.fields.all(EXTENSIONS))
            .into_iter()
            .flatten()
    }

    /// What is agreed on permessage-deflate, for the connection's configuration: it fits one of the offers (RFC 7692
    /// §7.1). `None`: it is not in use.
    ///
    /// A client that cannot or will not go on with this closes the connection with status code 1010,
    /// [`CloseCode::MANDATORY_EXTENSION`](crate::CloseCode::MANDATORY_EXTENSION) (RFC 7692 §5.1; RFC 6455 §7.4.1).
    ///
    /// ```
    /// use ws_proto::deflate::Parameters;
    /// use ws_proto::handshake::{Field, Fields, Key, Offer};
    ///
    /// let wish = Parameters { client_max_window_bits: Some(15), ..Parameters::default() };
    /// let offer = Offer { extensions: &wish.offer(), ..Offer::new(Key::from_nonce(*b"the sample nonce")) };
    /// let response = [
    ///     Field::new("Upgrade", "websocket"),
    ///     Field::new("Connection", "Upgrade"),
    ///     Field::new("Sec-WebSocket-Accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="),
    ///     Field::new("Sec-WebSocket-Extensions", "permessage-deflate; client_max_window_bits=12"),
    /// ];
    /// let opened = offer.check(101, Fields::new(&response))?;
    /// let agreed = opened.deflate().unwrap();
    /// assert_eq!((agreed.client_window_bits(), agreed.server_window_bits()), (12, 15));
    /// # Ok::<(), ws_proto::handshake::ResponseError>(())
    /// ```
    #[must_use]
    pub fn deflate(&self) -> Option<deflate::Parameters> {
        self.deflate
    }

    /// All field lines of the response, in order. Cookies in them are the embedder's to keep.
    #[must_use]
    pub fn fields(&self) -> Fields<'r> {
        self.fields
    }
}

/// A final response that does not open the connection: usual HTTP, for the embedder (RFC 6455 §4.1 item 1).
///
/// Redirects and demands for credentials are not followed. Bytes behind the head are its body, as its fields tell.
#[derive(Clone, Copy, Debug)]
pub struct ResponseHead<'r> {
    pub(super) status: u16,
    pub(super) reason: &'r [u8],
    pub(super) minor_version: u8,
    pub(super) fields: Fields<'r>,
}

impl<'r> ResponseHead<'r> {
    /// The status, from 200 to 999.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.status
    }

    /// The reason phrase, which means nothing (RFC 9112 §4); perhaps empty.
    #[must_use]
    pub fn reason(&self) -> &'r [u8] {
        self.reason
    }

    /// The minor version of HTTP: 1 for HTTP/1.1.
    #[must_use]
    pub fn minor_version(&self) -> u8 {
        self.minor_version
    }

    /// The field lines, in order.
    #[must_use]
    pub fn fields(&self) -> Fields<'r> {
        self.fields
    }

    /// The versions of the WebSocket protocol that the server says it speaks, in its order (RFC 6455 §4.4). What is no
    /// version is left out.
    pub fn versions(&self) -> impl Iterator<Item = u8> + Clone + use<'r> {
        self.fields
            .all("Sec-WebSocket-Version")
            .flat_map(syntax::elements)
            .filter_map(known::parse_version)
    }
}
