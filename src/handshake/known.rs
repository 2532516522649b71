//! What a request says in the fields that a handshake depends on (RFC 6455 §4.2.1), and the grammar of their values.

use super::error::RequestError;
use super::fields::{Fields, FieldsIter};
use super::key::KeyText;
use super::url::Authority;
use crate::syntax::{self, ByteSet, MAX_EMPTY_ELEMENTS};

/// Subprotocols in one request, at most.
pub const MAX_SUBPROTOCOLS: usize = 64;

pub(super) const PROTOCOL: &str = "Sec-WebSocket-Protocol";
pub(super) const EXTENSIONS: &str = "Sec-WebSocket-Extensions";
/// The list of extensions as Chromium sends it, which is known to be right.
pub(super) const COMMON_OFFER: &[u8] = b"permessage-deflate; client_max_window_bits";

/// What a head says in the fields that a handshake depends on, line by line and not judged:
/// a request for plain HTTP may say what it likes.
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct Known<'a> {
    pub(super) host: Occurs<'a>,
    pub(super) origin: Occurs<'a>,
    pub(super) key: Occurs<'a>,
    pub(super) version: Occurs<'a>,
    pub(super) subprotocols: Occurs<'a>,
    pub(super) extensions: Occurs<'a>,
    pub(super) upgrade: Membership,
    pub(super) connection: Membership,
    pub(super) has_body: bool,
    pub(super) expects_continue: bool,
    pub(super) expects_other: bool,
}

impl<'a> Known<'a> {
    /// What these lines say.
    pub(super) fn of(fields: Fields<'a>) -> Self {
        let mut known = Self::default();
        for field in fields {
            known.add(field.name, field.value);
        }
        known
    }

    /// Takes note of the next line.
    #[inline(always)]
    pub(super) fn add(&mut self, name: &str, value: &'a [u8]) {
        let name = name.as_bytes();
        let Some(first) = name.first() else { return };
        // Length and first letter, made small, leave one name to compare with.
        let is = |known: &str| is(name, known);
        match (name.len(), first | 0x20) {
            (4, b'h') if is("Host") => self.host.add(value),
            (6, b'o') if is("Origin") => self.origin.add(value),
            (6, b'e') if is("Expect") => self.add_expectations(value),
            (7, b'u') if is("Upgrade") => self.upgrade.look_in(value, "websocket"),
            (10, b'c') if is("Connection") => self.connection.look_in(value, "Upgrade"),
            // RFC 9110 §8.6: one or more digits; more than one line of zeros is still no body.
            (14, b'c') if is("Content-Length") => {
                self.has_body |= value.is_empty() || value.iter().any(|&byte| byte != b'0')
            }
            (17, b's') if is("Sec-WebSocket-Key") => self.key.add(value),
            (17, b't') if is("Transfer-Encoding") => self.has_body = true,
            (21, b's') if is("Sec-WebSocket-Version") => self.version.add(value),
            (22, b's') if is(PROTOCOL) => self.subprotocols.add(value),
            (24, b's') if is(EXTENSIONS) => self.extensions.add(value),
            _ => {}
        }
    }

    fn add_expectations(&mut self, value: &[u8]) {
        for expectation in syntax::elements(value).filter(|element| !element.is_empty()) {
            let is_continue = expectation.eq_ignore_ascii_case(b"100-continue");
            self.expects_continue |= is_continue;
            self.expects_other |= !is_continue;
        }
    }

    /// The value of Host, if it stands there once and is valid.
    pub(super) fn host(&self) -> Option<&'a [u8]> {
        let Occurs::Once(host) = self.host else {
            return None;
        };
        Authority::parse(host).ok().map(|_| host)
    }

    /// The key, of a client that asks for our version.
    #[inline(always)]
    pub(super) fn key(&self) -> Result<KeyText<'a>, RequestError> {
        match self.version {
            Occurs::Once(b"13") => {}
            Occurs::Once(version) if parse_version(version).is_some() => {
                return Err(RequestError::VersionUnknown);
            }
            _ => return Err(RequestError::Version),
        }
        match self.key {
            Occurs::Once(key) => KeyText::parse(key).ok_or(RequestError::Key),
            Occurs::Never | Occurs::Repeatedly => Err(RequestError::Key),
        }
    }

    pub(super) fn origin(&self) -> Result<Option<&'a [u8]>, RequestError> {
        match self.origin {
            Occurs::Never => Ok(None),
            Occurs::Once(origin) if is_origin(origin) => Ok(Some(origin)),
            Occurs::Once(_) | Occurs::Repeatedly => Err(RequestError::Origin),
        }
    }
}

/// Whether these are the same but for the case of letters. Most come in the letters of their standards: that comparison
/// is a few instructions, if the caller's length is known.
#[inline(always)]
fn is(bytes: &[u8], known: &str) -> bool {
    bytes == known.as_bytes() || bytes.eq_ignore_ascii_case(known.as_bytes())
}

/// How many lines a field has that should have one; the line, if there is one.
#[derive(Clone, Copy, Default, Debug)]
pub(super) enum Occurs<'a> {
    #[default]
    Never,
    Once(&'a [u8]),
    Repeatedly,
}

impl<'a> Occurs<'a> {
    pub(super) fn add(&mut self, value: &'a [u8]) {
        *self = match self {
            Self::Never => Self::Once(value),
            Self::Once(_) | Self::Repeatedly => Self::Repeatedly,
        };
    }
}

/// Whether a token is a member of a comma list, which may be spread over several lines (RFC 9110 §7.6.1).
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct Membership {
    pub(super) found: bool,
    /// Or as many as can be counted.
    empty_elements: u8,
}

impl Membership {
    /// Whether there are more empty elements than a list may have.
    pub(super) fn has_too_many_empty(&self) -> bool {
        usize::from(self.empty_elements) > MAX_EMPTY_ELEMENTS
    }

    /// Looks for the token in one more line.
    #[inline(always)]
    pub(super) fn look_in(&mut self, value: &[u8], token: &str) {
        // Most lists are of one element.
        if is(value, token) {
            self.found = true;
        } else {
            self.look_in_list(value, token);
        }
    }

    fn look_in_list(&mut self, value: &[u8], token: &str) {
        const { assert!(MAX_EMPTY_ELEMENTS < u8::MAX as usize) };
        for element in syntax::elements(value) {
            self.empty_elements = self.empty_elements.saturating_add(element.is_empty().into());
            self.found |= is(element, token);
        }
    }
}

/// The values of all lines of one name, in order; looked for only if there is more than one.
#[derive(Clone, Debug)]
pub(super) enum Lines<'a> {
    One(Option<&'a [u8]>),
    All(FieldsIter<'a>, &'static str),
}

impl<'a> Lines<'a> {
    pub(super) fn new(occurs: Occurs<'a>, fields: Fields<'a>, name: &'static str) -> Self {
        match occurs {
            Occurs::Never => Self::One(None),
            Occurs::Once(value) => Self::One(Some(value)),
            Occurs::Repeatedly => Self::All(fields.iter(), name),
        }
    }
}

impl<'a> Iterator for Lines<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        match self {
            Self::One(value) => value.take(),
            Self::All(fields, name) => fields.find(|field| field.is(name)).map(|field| field.value),
        }
    }
}

/// The target of a GET (RFC 9112 §3.2.1, §3.2.2).
#[derive(Clone, Copy, Debug)]
pub(super) struct Target<'a> {
    /// Of an absolute target. ASCII, which becomes text when somebody reads it.
    pub(super) authority: Option<&'a [u8]>,
    /// Never empty.
    pub(super) path: &'a str,
    pub(super) query: Option<&'a str>,
}

impl<'a> Target<'a> {
    /// A path, or an absolute URI of the scheme http or https; authority-form and `*` are for other methods.
    pub(super) fn parse(target: &'a str) -> Option<Self> {
        let (authority, rest) = if target.starts_with('/') {
            (None, target)
        } else {
            Self::split_absolute(target)?
        };
        // Targets are short, and `split_once` is made for long texts.
        let (path, query) = match rest.bytes().position(|byte| byte == b'?') {
            Some(end) => (&rest[..end], Some(&rest[end + 1..])),
            None => (rest, None),
        };
        Some(Self {
            authority,
            path: if path.is_empty() { "/" } else { path },
            query,
        })
    }

    /// The authority of an absolute URI, and what is behind it.
    #[cold]
    fn split_absolute(target: &'a str) -> Option<(Option<&'a [u8]>, &'a str)> {
        let (scheme, rest) = target.split_once("://")?;
        if !scheme.eq_ignore_ascii_case("http") && !scheme.eq_ignore_ascii_case("https") {
            return None;
        }
        let (authority, rest) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        Authority::parse(authority.as_bytes()).ok()?;
        Some((Some(authority.as_bytes()), rest))
    }
}

/// What may stand in a request's target.
///
/// Wider than RFC 3986 by what browsers leave as it is in a path or query, such as `|` and `{` (WHATWG URL, "query
/// percent-encode set"); neither a fragment nor the characters that end a quotation or open a tag are let in.
pub(super) static TARGET: ByteSet = ByteSet::alphanumeric_and(b"!$%&'()*+,-./:;=?@[\\]^_`{|}~");

/// The number in a version, 0 to 255 without leading zeros (RFC 6455 §4.3).
pub(super) fn parse_version(value: &[u8]) -> Option<u8> {
    match value {
        [b'0'] => Some(0),
        [b'1'..=b'9', ..] => value.iter().try_fold(0u8, |number, digit| match digit {
            b'0'..=b'9' => number.checked_mul(10)?.checked_add(digit - b'0'),
            _ => None,
        }),
        _ => None,
    }
}

/// An origin is not empty and visible ASCII: nothing else comes out of a serialization (RFC 6454 §6.2).
pub(super) fn is_origin(origin: &[u8]) -> bool {
    !origin.is_empty() && syntax::all(origin, |byte| byte.is_ascii_graphic())
}

/// Checks that the lines are one list of at least one token, if there are any (RFC 6455 §4.3: "1#token").
pub(super) fn check_subprotocols(lines: Lines<'_>) -> Result<(), RequestError> {
    let (mut offers, mut empty) = (0, 0);
    for element in lines.flat_map(syntax::elements) {
        if element.is_empty() {
            empty += 1;
        } else if syntax::token(element).is_some() {
            offers += 1;
        } else {
            return Err(RequestError::Subprotocols);
        }
        if offers > MAX_SUBPROTOCOLS || empty > MAX_EMPTY_ELEMENTS {
            return Err(RequestError::Subprotocols);
        }
    }
    if offers == 0 && empty > 0 {
        Err(RequestError::Subprotocols)
    } else {
        Ok(())
    }
}
