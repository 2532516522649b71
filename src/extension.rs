//! Extension negotiation: the lists in `Sec-WebSocket-Extensions` (RFC 6455 §9.1).
//!
//! ```text
//! extension-list = 1#extension
//! extension      = token *( ";" parameter )
//! parameter      = token [ "=" ( token | quoted-string ) ]
//! ```
//!
//! [`parse`] checks the whole list once and then cuts it lazily: no memory is allocated. Names and parameters
//! compare byte for byte.
//!
//! ```
//! use ws_proto::extension;
//!
//! let list = extension::parse([&b"foo, permessage-deflate; server_max_window_bits=\"1\\0\""[..]])?;
//! let offer = list.clone().find(|offer| offer.name() == "permessage-deflate").unwrap();
//! let bits = offer.parameters().next().unwrap();
//! assert_eq!(bits.name(), "server_max_window_bits");
//! assert!(bits.value().unwrap() == "10");
//! assert_eq!(offer.to_string(), "permessage-deflate; server_max_window_bits=10");
//! # Ok::<(), extension::ExtensionError>(())
//! ```

use core::fmt;

use crate::syntax::{MAX_EMPTY_ELEMENTS, TOKEN};

/// Extensions in one list, at most.
pub const MAX_EXTENSIONS: usize = 16;
/// Parameters of one extension, at most.
pub const MAX_PARAMETERS: usize = 16;

/// Checks the list that the field lines with these values make up together, and returns its extensions in order.
///
/// The lines of a repeated field join in order (RFC 6455 §9.1). Whitespace may stand around every token and
/// separator, because the grammar is that of RFC 2616 §2.1; empty elements are skipped. No field line at all is
/// an empty list.
///
/// # Errors
///
/// If the grammar is broken, which includes a list without any element and a quoted value that is no token once
/// unescaped (RFC 6455 §9.1: such a value fails the handshake); if there are more than 16 empty elements,
/// [`MAX_EXTENSIONS`] or, in one extension, [`MAX_PARAMETERS`].
pub fn parse<'a, L>(lines: L) -> Result<Extensions<'a, L::IntoIter>, ExtensionError>
where
    L: IntoIterator<Item = &'a [u8]>,
    L::IntoIter: Clone,
{
    let lines = lines.into_iter();
    let (mut found, mut empty, mut any_line) = (0, 0, false);
    for line in lines.clone() {
        any_line = true;
        let mut rest = Cursor { rest: line };
        while let Some(element) = rest.element() {
            match element? {
                Some(_) => found += 1,
                None => empty += 1,
            }
            if found > MAX_EXTENSIONS {
                return Err(ExtensionError::TooManyExtensions);
            }
            if empty > MAX_EMPTY_ELEMENTS {
                return Err(ExtensionError::TooManyEmptyElements);
            }
        }
    }
    if any_line && found == 0 {
        return Err(ExtensionError::Malformed);
    }
    Ok(Extensions {
        lines,
        line: Cursor { rest: b"" },
    })
}

/// The extensions of a checked list, in order; made by [`parse`].
#[derive(Clone, Debug)]
pub struct Extensions<'a, L> {
    lines: L,
    line: Cursor<'a>,
}

impl<'a, L: Iterator<Item = &'a [u8]>> Iterator for Extensions<'a, L> {
    type Item = Extension<'a>;

    fn next(&mut self) -> Option<Extension<'a>> {
        loop {
            match self.line.element() {
                Some(Ok(Some(extension))) => return Some(extension),
                Some(Ok(None)) => {}
                // The list is checked: there are no errors.
                Some(Err(_)) | None => {
                    self.line = Cursor {
                        rest: self.lines.next()?,
                    }
                }
            }
        }
    }
}

/// One extension of a list: its name and its parameters.
///
/// `Display` writes it as it goes on the wire, without spare whitespace and without quotes.
#[derive(Clone, Copy)]
pub struct Extension<'a> {
    name: Token<'a>,
    /// Checked: `*( ";" parameter )` and whitespace.
    parameters: &'a [u8],
}

impl<'a> Extension<'a> {
    /// The extension's name, a token.
    #[must_use]
    pub fn name(&self) -> &'a str {
        self.name.as_str()
    }

    /// The parameters in order, repeated ones too: what a repetition means is the extension's business.
    #[must_use]
    pub fn parameters(&self) -> Parameters<'a> {
        Parameters(Cursor {
            rest: self.parameters,
        })
    }
}

impl fmt::Display for Extension<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())?;
        self.parameters()
            .try_for_each(|parameter| write!(f, "; {parameter}"))
    }
}

impl fmt::Debug for Extension<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Extension({self})")
    }
}

/// The parameters of one extension, in order; made by [`Extension::parameters`].
#[derive(Clone, Debug)]
pub struct Parameters<'a>(Cursor<'a>);

impl<'a> Iterator for Parameters<'a> {
    type Item = Parameter<'a>;

    fn next(&mut self) -> Option<Parameter<'a>> {
        self.0.parameter()?.ok()
    }
}

/// One parameter of an extension: `name` or `name=value`.
#[derive(Clone, Copy)]
pub struct Parameter<'a> {
    name: Token<'a>,
    value: Option<Value<'a>>,
}

impl<'a> Parameter<'a> {
    /// The parameter's name, a token.
    #[must_use]
    pub fn name(&self) -> &'a str {
        self.name.as_str()
    }

    /// The value, if there is one.
    #[must_use]
    pub fn value(&self) -> Option<Value<'a>> {
        self.value
    }
}

impl fmt::Display for Parameter<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())?;
        self.value.map_or(Ok(()), |value| write!(f, "={value}"))
    }
}

impl fmt::Debug for Parameter<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Parameter({self})")
    }
}

/// The value of a parameter: always a token, whether it was sent as one or as a quoted string.
///
/// It compares with text, and `Display` writes it, without quotes and with `\x` read as `x` (RFC 9110 §5.6.4).
#[derive(Clone, Copy)]
pub struct Value<'a> {
    /// What was sent, without the quotes; backslashes still in place.
    escaped: &'a [u8],
}

impl<'a> Value<'a> {
    /// The characters of the value, all of them ASCII.
    pub fn bytes(&self) -> impl Iterator<Item = u8> + Clone + use<'a> {
        // A token has no backslash, and `\\` is refused for the same reason: each one here escapes its neighbour.
        self.escaped.iter().copied().filter(|&byte| byte != b'\\')
    }
}

impl fmt::Display for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.bytes()
            .try_for_each(|byte| fmt::Write::write_char(f, char::from(byte)))
    }
}

impl fmt::Debug for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Value({self})")
    }
}

impl PartialEq for Value<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.bytes().eq(other.bytes())
    }
}

impl Eq for Value<'_> {}

impl PartialEq<str> for Value<'_> {
    fn eq(&self, other: &str) -> bool {
        self.bytes().eq(other.bytes())
    }
}

impl PartialEq<&str> for Value<'_> {
    fn eq(&self, other: &&str) -> bool {
        self == *other
    }
}

/// Why a list of extensions is refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExtensionError {
    /// The grammar of RFC 6455 §9.1 is broken.
    #[error("malformed list of extensions")]
    Malformed,
    /// More than [`MAX_EXTENSIONS`].
    #[error("more than {MAX_EXTENSIONS} extensions")]
    TooManyExtensions,
    /// More than [`MAX_PARAMETERS`] in one extension.
    #[error("more than {MAX_PARAMETERS} parameters of one extension")]
    TooManyParameters,
    /// More than 16 empty elements.
    #[error("more than {MAX_EMPTY_ELEMENTS} empty elements in the list of extensions")]
    TooManyEmptyElements,
}

/// A token, which is ASCII and not empty. It becomes text when somebody reads it.
#[derive(Clone, Copy)]
struct Token<'a>(&'a [u8]);

impl<'a> Token<'a> {
    fn as_str(self) -> &'a str {
        core::str::from_utf8(self.0).unwrap_or_default()
    }
}

/// What is left of one field line.
#[derive(Clone, Copy, Debug)]
struct Cursor<'a> {
    rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    /// Takes the next element and the comma behind it. The inner `None` is an empty element.
    fn element(&mut self) -> Option<Result<Option<Extension<'a>>, ExtensionError>> {
        self.skip_whitespace();
        if self.rest.is_empty() {
            return None;
        }
        if self.skip(b',') {
            return Some(Ok(None));
        }
        Some(self.extension().map(Some))
    }

    fn extension(&mut self) -> Result<Extension<'a>, ExtensionError> {
        let name = self.token()?;
        let parameters = self.rest;
        let mut count = 0;
        while let Some(parameter) = self.parameter() {
            parameter?;
            count += 1;
            if count > MAX_PARAMETERS {
                return Err(ExtensionError::TooManyParameters);
            }
        }
        let parameters = &parameters[..parameters.len() - self.rest.len()];
        if self.rest.is_empty() || self.skip(b',') {
            Ok(Extension { name, parameters })
        } else {
            Err(ExtensionError::Malformed)
        }
    }

    /// Takes `";" token [ "=" ( token | quoted-string ) ]`, if a semicolon is next.
    fn parameter(&mut self) -> Option<Result<Parameter<'a>, ExtensionError>> {
        // What stands before it has taken the whitespace.
        if !self.skip(b';') {
            return None;
        }
        Some(self.token().and_then(|name| {
            let value = match self.skip(b'=') {
                true => Some(self.value()?),
                false => None,
            };
            Ok(Parameter { name, value })
        }))
    }

    fn value(&mut self) -> Result<Value<'a>, ExtensionError> {
        self.skip_whitespace();
        if !self.skip(b'"') {
            return self.token().map(|Token(escaped)| Value { escaped });
        }
        let mut end = 0;
        let mut length = 0;
        loop {
            let escaped = self.rest.get(end) == Some(&b'\\');
            end += usize::from(escaped);
            match self.rest.get(end) {
                Some(b'"') if !escaped && length > 0 => break,
                // RFC 6455 §9.1: "the value after quoted-string unescaping MUST conform to the 'token' ABNF".
                Some(&byte) if TOKEN.has(byte) => (end, length) = (end + 1, length + 1),
                _ => return Err(ExtensionError::Malformed),
            }
        }
        let value = Value {
            escaped: &self.rest[..end],
        };
        self.rest = &self.rest[end + 1..];
        self.skip_whitespace();
        Ok(value)
    }

    /// Takes a token and the whitespace around it.
    fn token(&mut self) -> Result<Token<'a>, ExtensionError> {
        self.skip_whitespace();
        let (token, rest) = self.rest.split_at(TOKEN.span(self.rest));
        self.rest = rest;
        self.skip_whitespace();
        if token.is_empty() {
            Err(ExtensionError::Malformed)
        } else {
            Ok(Token(token))
        }
    }

    fn skip(&mut self, byte: u8) -> bool {
        match self.rest {
            [first, rest @ ..] if *first == byte => {
                self.rest = rest;
                true
            }
            _ => false,
        }
    }

    fn skip_whitespace(&mut self) {
        while self.skip(b' ') || self.skip(b'\t') {}
    }
}
