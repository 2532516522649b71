//! The request of an opening handshake as data, and the one function that judges it (RFC 6455 §4.2.1).

use super::error::RequestError;
use super::fields::{Field, Fields};
use super::key::{AcceptValue, Key, KeyText};
use super::known::{self, COMMON_OFFER, EXTENSIONS, Known, Lines, Occurs, PROTOCOL, Target};
use super::url::Authority;
use crate::deflate;
use crate::extension::{self, Extension};
use crate::syntax;

/// The head of a well-formed HTTP/1.x request, whatever it asks for.
///
/// It borrows the bytes it was read from. [`upgrade`](Self::upgrade) tells whether it is a valid opening handshake;
/// an embedder that serves plain HTTP on the same port looks at method, target and fields.
///
/// ```
/// use ws_proto::handshake::{Field, RequestHead, RequestError};
///
/// let fields = [
///     Field::new("Host", "server.example.com"),
///     Field::new("Upgrade", "websocket"),
///     Field::new("Connection", "keep-alive, Upgrade"),
///     Field::new("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
///     Field::new("Sec-WebSocket-Version", "13"),
/// ];
/// let head = RequestHead::from_fields("GET", "/chat", &fields)?;
/// let request = head.upgrade()?;
/// assert_eq!(request.accept_value().as_str(), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
///
/// let plain = RequestHead::from_fields("GET", "/", &fields[..1])?;
/// assert_eq!(plain.upgrade().unwrap_err(), RequestError::NotWebSocket);
/// # Ok::<(), RequestError>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct RequestHead<'a> {
    method: &'a str,
    target: &'a str,
    minor_version: u8,
    fields: Fields<'a>,
    known: Known<'a>,
    /// Bytes came behind the head, and that is not allowed.
    pub(super) early_data: bool,
}

impl<'a> RequestHead<'a> {
    /// A request whose HTTP is done elsewhere. It counts as HTTP/1.1.
    ///
    /// `target` is the path with the query, or the whole http or https URI. The lines of `fields` are to be those
    /// of the request, each as its own entry.
    ///
    /// # Errors
    ///
    /// [`RequestError::RequestLine`] and [`RequestError::FieldLine`], if HTTP does not let the characters in.
    pub fn from_fields(
        method: &'a str,
        target: &'a str,
        fields: &'a [Field<'a>],
    ) -> Result<Self, RequestError> {
        let method = syntax::token(method.as_bytes()).ok_or(RequestError::RequestLine)?;
        if target.is_empty() || known::TARGET.span(target.as_bytes()) < target.len() {
            return Err(RequestError::RequestLine);
        }
        if !fields
            .iter()
            .all(|field| field.has_valid_name() && field.has_valid_value())
        {
            return Err(RequestError::FieldLine);
        }
        let fields = Fields::new(fields);
        Ok(Self {
            method,
            target,
            minor_version: 1,
            fields,
            known: Known::of(fields),
            early_data: false,
        })
    }

    /// The parts of a request that were checked already; `known` is what `fields` say.
    #[cfg(feature = "alloc")]
    #[inline]
    pub(super) fn from_checked(
        method: &'a str,
        target: &'a str,
        minor_version: u8,
        fields: Fields<'a>,
        known: Known<'a>,
    ) -> Self {
        Self {
            method,
            target,
            minor_version,
            fields,
            known,
            early_data: false,
        }
    }

    /// The method, in the letters it was sent in.
    #[must_use]
    pub fn method(&self) -> &'a str {
        self.method
    }

    /// The target as it was sent. Visible ASCII without `"`, `#`, `<` and `>`, never empty.
    #[must_use]
    pub fn target(&self) -> &'a str {
        self.target
    }

    /// The path of the target, also of an absolute one (RFC 9112 §3.2.2), for embedders that serve plain HTTP too. `*` and the
    /// authority of a CONNECT are told as they are.
    #[must_use]
    pub fn path(&self) -> &'a str {
        Target::parse(self.target).map_or(self.target, |target| target.path)
    }

    /// The minor version of HTTP: 1 for HTTP/1.1.
    #[must_use]
    pub fn minor_version(&self) -> u8 {
        self.minor_version
    }

    /// The field lines, in order.
    #[must_use]
    pub fn fields(&self) -> Fields<'a> {
        self.fields
    }

    /// Checks that this is a valid opening handshake (RFC 6455 §4.2.1), in the order of [`RequestError`].
    ///
    /// # Errors
    ///
    /// The first check that fails. [`RequestError::NotWebSocket`], [`RequestError::MethodNotGet`] and
    /// [`RequestError::Http10`] are those that an embedder may answer with plain HTTP instead; Host was not looked at with the last two.
    pub fn upgrade(&self) -> Result<Request<'a>, RequestError> {
        let (known, fields) = (&self.known, self.fields);
        // RFC 9110 §7.8: Upgrade in an HTTP/1.0 request is ignored.
        if self.minor_version == 0 {
            return Err(RequestError::Http10);
        }
        if self.method != "GET" {
            return Err(RequestError::MethodNotGet);
        }
        let target = Target::parse(self.target).ok_or(RequestError::Target)?;
        let host = known.host().ok_or(RequestError::Host)?;
        // The bytes behind the head would be ambiguous.
        if known.has_body {
            return Err(RequestError::Body);
        }
        if known.upgrade.has_too_many_empty() || known.connection.has_too_many_empty() {
            return Err(RequestError::EmptyElements);
        }
        if !known.upgrade.found || !known.connection.found {
            return Err(RequestError::NotWebSocket);
        }
        let key = known.key()?;
        let origin = known.origin()?;
        // Most requests have no subprotocols, and the extensions that Chromium has: not even an iterator is made.
        let are_common = match known.extensions {
            Occurs::Never => true,
            Occurs::Once(extensions) => extensions == COMMON_OFFER, // as a pattern it would be compared octet by octet
            Occurs::Repeatedly => false,
        };
        if !are_common || !matches!(known.subprotocols, Occurs::Never) {
            self.check_lists()?;
        }
        if known.expects_other {
            return Err(RequestError::Expectation);
        }
        if self.early_data {
            return Err(RequestError::EarlyData);
        }
        // RFC 9112 §3.2.2: the host of an absolute target replaces that of Host.
        let authority = target.authority.unwrap_or(host);
        Ok(Request {
            target: Target {
                authority: Some(authority),
                ..target
            },
            fields,
            key,
            origin,
            subprotocols: known.subprotocols,
            extensions: known.extensions,
            expects_continue: known.expects_continue,
        })
    }

    /// Checks the lists of subprotocols and extensions.
    #[cold]
    fn check_lists(&self) -> Result<(), RequestError> {
        let (known, fields) = (&self.known, self.fields);
        known::check_subprotocols(Lines::new(known.subprotocols, fields, PROTOCOL))?;
        extension::parse(Lines::new(known.extensions, fields, EXTENSIONS))
            .map_err(RequestError::Extensions)?;
        Ok(())
    }
}

/// A valid opening handshake, to be accepted or refused. It borrows the bytes of the head.
///
/// Nothing is written before the embedder decides: it looks at resource, origin and fields, and then calls
/// `accept` or `reject`.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// Its authority is there.
    target: Target<'a>,
    fields: Fields<'a>,
    key: KeyText<'a>,
    /// Visible ASCII. It becomes text when somebody reads it.
    origin: Option<&'a [u8]>,
    subprotocols: Occurs<'a>,
    extensions: Occurs<'a>,
    #[cfg_attr(
        not(feature = "alloc"),
        expect(dead_code, reason = "read when the answer is written")
    )]
    expects_continue: bool,
}

impl<'a> Request<'a> {
    /// The path of the resource: begins with `/`, percent-encoded as it was sent.
    #[must_use]
    pub fn path(&self) -> &'a str {
        self.target.path
    }

    /// What follows the question mark of the target, if there is one.
    #[must_use]
    pub fn query(&self) -> Option<&'a str> {
        self.target.query
    }

    /// Host and port that the client means, from an absolute target or else from Host. Well-formed and not empty;
    /// whether it is ours, the embedder has to check (RFC 6455 §4.2.1 item 2).
    #[must_use]
    pub fn authority(&self) -> &'a str {
        core::str::from_utf8(self.target.authority.unwrap_or_default()).unwrap_or_default()
    }

    /// The origin of the page that connects, as it was sent: visible ASCII, perhaps `null`.
    ///
    /// `None`: do not take the client for a browser (RFC 6455 §4.2.1 item 7). Other programs can send any origin,
    /// so it protects browsers' users only (§10.2).
    #[must_use]
    pub fn origin(&self) -> Option<&'a str> {
        self.origin
            .map(|origin| core::str::from_utf8(origin).unwrap_or_default())
    }

    /// Whether the origin is the one that the request is addressed to; `secure`: it came over TLS.
    ///
    /// False without an origin. Letters compare without case, and the scheme's default port may be left out. It is compared with what
    /// the client says, which a page reaches under a name of its own by an address of that that changes (DNS rebinding): compare
    /// [`authority`](Self::authority) with your own names first, or ask [`is_origin_allowed`](Self::is_origin_allowed).
    #[must_use]
    pub fn is_same_origin(&self, secure: bool) -> bool {
        let Some((scheme, origin)) = self.origin().and_then(|origin| origin.split_once("://")) else {
            return false;
        };
        let own = Authority::parse(self.target.authority.unwrap_or_default());
        scheme.eq_ignore_ascii_case(if secure { "https" } else { "http" })
            && Authority::parse(origin.as_bytes())
                .is_ok_and(|origin| own.is_ok_and(|own| origin.same_as(&own, secure)))
    }

    /// Whether the origin is one of these, such as `https://example.com`. False without an origin.
    #[must_use]
    pub fn is_origin_allowed(&self, allowed: &[&str]) -> bool {
        self.origin()
            .is_some_and(|origin| allowed.iter().any(|allowed| allowed.eq_ignore_ascii_case(origin)))
    }

    /// The key, as it was sent.
    #[must_use]
    pub fn key(&self) -> Key {
        self.key.key()
    }

    /// The value that Sec-WebSocket-Accept must have in the answer.
    #[must_use]
    pub fn accept_value(&self) -> AcceptValue {
        self.key().accept_value()
    }

    /// The subprotocols offered, in the client's order of preference; at most [`MAX_SUBPROTOCOLS`](super::MAX_SUBPROTOCOLS).
    pub fn subprotocols(&self) -> impl Iterator<Item = &'a str> + Clone + use<'a> {
        Lines::new(self.subprotocols, self.fields, PROTOCOL)
            .flat_map(syntax::elements)
            .filter_map(syntax::token)
    }

    /// The first of the client's subprotocols that is in `supported`. They compare byte for byte (RFC 7936 §2).
    #[must_use]
    pub fn choose_subprotocol(&self, supported: &[&str]) -> Option<&'a str> {
        self.subprotocols().find(|offer| supported.contains(offer))
    }

    /// The extensions offered, in the client's order of preference.
    pub fn extensions(&self) -> impl Iterator<Item = Extension<'a>> + Clone + use<'a> {
        // The list was checked: there is no error.
        extension::parse(Lines::new(self.extensions, self.fields, EXTENSIONS))
            .into_iter()
            .flatten()
    }

    /// What to agree to of the offers of permessage-deflate, if one of them can be accepted under this policy
    /// (RFC 7692 §7.1). Its [`answer`](deflate::Parameters::answer) goes into the response, and itself into the
    /// connection's configuration.
    ///
    /// Not together with another extension that uses RSV1 or needs the frames as they are (RFC 7692 §5).
    ///
    /// ```
    /// use ws_proto::deflate::Parameters;
    /// use ws_proto::handshake::{Field, RequestHead, RequestError};
    ///
    /// let fields = [
    ///     Field::new("Host", "server.example.com"),
    ///     Field::new("Upgrade", "websocket"),
    ///     Field::new("Connection", "Upgrade"),
    ///     Field::new("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ///     Field::new("Sec-WebSocket-Version", "13"),
    ///     Field::new("Sec-WebSocket-Extensions", "permessage-deflate; client_max_window_bits"),
    /// ];
    /// let request = RequestHead::from_fields("GET", "/chat", &fields)?.upgrade()?;
    ///
    /// let policy = Parameters { client_max_window_bits: Some(12), ..Parameters::default() };
    /// let agreed = request.deflate(&policy).unwrap();
    /// assert_eq!(agreed.client_window_bits(), 12);
    /// assert_eq!(agreed.answer().as_str(), "permessage-deflate; client_max_window_bits=12");
    /// # Ok::<(), RequestError>(())
    /// ```
    #[must_use]
    pub fn deflate(&self, policy: &deflate::Parameters) -> Option<deflate::Parameters> {
        policy.accept(self.extensions())
    }

    /// All field lines of the request, in order.
    #[must_use]
    pub fn fields(&self) -> Fields<'a> {
        self.fields
    }

    #[cfg(feature = "alloc")]
    pub(super) fn expects_continue(&self) -> bool {
        self.expects_continue
    }
}
