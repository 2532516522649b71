//! WebSocket URIs (RFC 6455 §3), and the authority that Host and absolute targets share with them.

use core::fmt;
use core::net::Ipv6Addr;

use crate::syntax::ByteSet;

/// A ws or wss URI, cut into its parts. It borrows the text and allocates nothing.
///
/// Everything is kept as written: letters of the host keep their case, `%23` stays `%23`.
///
/// ```
/// use ws_proto::handshake::Url;
///
/// let url = Url::parse("wss://example.com/chat?room=1")?;
/// assert!(url.is_secure());
/// assert_eq!((url.host(), url.port()), ("example.com", 443));
/// assert_eq!(url.resource_name().to_string(), "/chat?room=1");
/// assert_eq!(url.authority().to_string(), "example.com");
/// # Ok::<(), ws_proto::handshake::UrlError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Url<'a> {
    secure: bool,
    host: &'a str,
    port: u16,
    path: &'a str,
    query: &'a str,
}

impl<'a> Url<'a> {
    /// Cuts a URI of the scheme ws or wss (RFC 6455 §3).
    ///
    /// # Errors
    ///
    /// If it has another scheme, userinfo, a fragment, an empty or malformed host, port 0 or one over 65535, or a
    /// character that RFC 3986 does not allow there. Text that is not ASCII has to be converted first: the host by
    /// IDNA, path and query by percent-encoding (RFC 6455 §11.1.1).
    pub fn parse(text: &'a str) -> Result<Self, UrlError> {
        Self::parse_scheme(text, false)
    }

    /// The same, but http is read as ws and https as wss, as browsers do (WHATWG WebSockets, constructor).
    ///
    /// # Errors
    ///
    /// As [`Url::parse`].
    pub fn parse_mapping_http(text: &'a str) -> Result<Self, UrlError> {
        Self::parse_scheme(text, true)
    }

    fn parse_scheme(text: &'a str, map_http: bool) -> Result<Self, UrlError> {
        if !text.is_ascii() {
            return Err(UrlError::NotAscii);
        }
        let (scheme, rest) = text.split_once("://").ok_or(UrlError::Scheme)?;
        let is = |plain: &str, http: &str| {
            scheme.eq_ignore_ascii_case(plain) || map_http && scheme.eq_ignore_ascii_case(http)
        };
        let secure = is("wss", "https");
        if !secure && !is("ws", "http") {
            return Err(UrlError::Scheme);
        }
        if rest.contains('#') {
            return Err(UrlError::Fragment);
        }
        let (authority, tail) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        let Authority { host, port } = Authority::parse(authority.as_bytes()).map_err(|error| {
            if authority.contains('@') {
                UrlError::Userinfo
            } else {
                error
            }
        })?;
        let port = port.unwrap_or(default_port(secure));
        if port == 0 {
            return Err(UrlError::Port);
        }
        let (path, query) = tail.split_once('?').unwrap_or((tail, ""));
        if !is_encoded(path.as_bytes(), b":@/") || !is_encoded(query.as_bytes(), b":@/?") {
            return Err(UrlError::Character);
        }
        let path = if path.is_empty() { "/" } else { path };
        Ok(Self {
            secure,
            host: &authority[..host.len()],
            port,
            path,
            query,
        })
    }

    /// Whether the scheme is wss: the connection has to be made with TLS.
    #[must_use]
    pub const fn is_secure(&self) -> bool {
        self.secure
    }

    /// The host as written: a name, an IPv4 address, or an IPv6 address in brackets.
    ///
    /// For resolvers that take IPv6 addresses bare: `url.host().trim_matches(['[', ']'])`.
    #[must_use]
    pub const fn host(&self) -> &'a str {
        self.host
    }

    /// The port; 80 for ws and 443 for wss if none is written. Never 0.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// The path, `/` if it is empty.
    #[must_use]
    pub const fn path(&self) -> &'a str {
        self.path
    }

    /// The query without its question mark; empty if there is none.
    #[must_use]
    pub const fn query(&self) -> &'a str {
        self.query
    }

    /// The path, and `?` with the query unless that is empty: the target of the request.
    #[must_use]
    pub const fn resource_name(&self) -> ResourceName<'a> {
        ResourceName(*self)
    }

    /// The host, and `:` with the port unless that is the scheme's default: the value of Host.
    #[must_use]
    pub const fn authority(&self) -> UrlAuthority<'a> {
        UrlAuthority(*self)
    }
}

impl fmt::Display for Url<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.secure { "wss" } else { "ws" };
        write!(f, "{scheme}://{}{}", self.authority(), self.resource_name())
    }
}

/// Writes the resource name of a [`Url`].
#[derive(Clone, Copy, Debug)]
pub struct ResourceName<'a>(Url<'a>);

impl fmt::Display for ResourceName<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.path)?;
        if !self.0.query.is_empty() {
            write!(f, "?{}", self.0.query)?;
        }
        Ok(())
    }
}

/// Writes host and port of a [`Url`] as the field Host wants them.
#[derive(Clone, Copy, Debug)]
pub struct UrlAuthority<'a>(Url<'a>);

impl fmt::Display for UrlAuthority<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.host)?;
        if self.0.port != default_port(self.0.secure) {
            write!(f, ":{}", self.0.port)?;
        }
        Ok(())
    }
}

/// Why a text is no WebSocket URI.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UrlError {
    /// The scheme is not ws or wss, or no `//` follows it.
    #[error("the URL does not begin with ws:// or wss://")]
    Scheme,
    /// A character that is not ASCII.
    #[error("the URL is not ASCII: host not in IDNA form, or path not percent-encoded")]
    NotAscii,
    /// A fragment; `#` in a path has to be written `%23` (RFC 6455 §3).
    #[error("the URL has a fragment")]
    Fragment,
    /// User name or password.
    #[error("the URL has a user name or password")]
    Userinfo,
    /// The host is empty or malformed.
    #[error("the URL's host is empty or malformed")]
    Host,
    /// The port is not a number from 1 to 65535.
    #[error("the URL's port is not a number from 1 to 65535")]
    Port,
    /// A character in path or query that must be percent-encoded, or `%` without two hexadecimal digits.
    #[error("the URL's path or query has a character that must be percent-encoded")]
    Character,
}

/// `host [ ":" port ]` (RFC 3986 §3.2): what Host holds, and what stands behind `//`. ASCII.
#[derive(Clone, Copy, Debug)]
pub(super) struct Authority<'a> {
    pub(super) host: &'a [u8],
    pub(super) port: Option<u16>,
}

impl<'a> Authority<'a> {
    pub(super) fn parse(text: &'a [u8]) -> Result<Self, UrlError> {
        let (host, rest) = match text.strip_prefix(b"[") {
            Some(inner) => {
                let end = inner
                    .iter()
                    .position(|&byte| byte == b']')
                    .ok_or(UrlError::Host)?;
                let address = core::str::from_utf8(&inner[..end]).map_err(|_| UrlError::Host)?;
                address.parse::<Ipv6Addr>().map_err(|_| UrlError::Host)?;
                text.split_at(end + 2)
            }
            None => text.split_at(encoded_span(text, b"")),
        };
        if host.is_empty() {
            return Err(UrlError::Host);
        }
        let port = match rest {
            [] | [b':'] => None,
            [b':', digits @ ..] => Some(parse_port(digits).ok_or(UrlError::Port)?),
            _ => return Err(UrlError::Host),
        };
        Ok(Self { host, port })
    }

    /// Whether both name the same host and port, where http has port 80 and https 443 by default.
    pub(super) fn same_as(&self, other: &Self, secure: bool) -> bool {
        let port = |authority: &Self| authority.port.unwrap_or(default_port(secure));
        self.host.eq_ignore_ascii_case(other.host) && port(self) == port(other)
    }
}

const fn default_port(secure: bool) -> u16 {
    if secure { 443 } else { 80 }
}

/// The number in decimal digits, as many as there are.
fn parse_port(digits: &[u8]) -> Option<u16> {
    digits.iter().try_fold(0u16, |port, digit| match digit {
        b'0'..=b'9' => port.checked_mul(10)?.checked_add(u16::from(digit - b'0')),
        _ => None,
    })
}

/// The unreserved characters and sub-delims (RFC 3986 §2.2, §2.3).
static AS_THEY_ARE: ByteSet = ByteSet::alphanumeric_and(b"-._~!$&'()*+,;=");

/// Whether `text` has only unreserved characters, sub-delims, percent-encoded bytes and `also` (RFC 3986 §2).
fn is_encoded(text: &[u8], also: &[u8]) -> bool {
    encoded_span(text, also) == text.len()
}

/// How many bytes at the beginning of `text` are such.
fn encoded_span(text: &[u8], also: &[u8]) -> usize {
    let mut rest = text;
    loop {
        rest = match &rest[AS_THEY_ARE.span(rest)..] {
            [b'%', a, b, rest @ ..] if a.is_ascii_hexdigit() && b.is_ascii_hexdigit() => rest,
            [byte, rest @ ..] if also.contains(byte) => rest,
            rest => return text.len() - rest.len(),
        }
    }
}
