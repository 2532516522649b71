//! What we are asked to write: checked first, so that nothing can end its line or the head, then appended.

use core::fmt::{self, Write};

use super::fields::Field;
use super::known::EXTENSIONS;
use crate::Outbox;
use crate::extension::{self, Extension, MAX_EXTENSIONS};

/// Why a field that we are asked to write is refused. Nothing was queued.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FieldError {
    /// The name is not a token (RFC 9110 §5.1).
    #[error("a field name is not a token")]
    Name,
    /// The value holds CR, LF, NUL or another control byte that is not HTAB (RFC 9110 §5.5).
    #[error("a field value holds a control byte")]
    Value,
    /// The field is written by the codec: Host, Upgrade, Connection, Content-Length and Transfer-Encoding, Expect, Origin,
    /// and all whose name begins with `Sec-WebSocket-`.
    #[error("a field is written by the codec itself")]
    Owned,
    /// A field that may occur only once is given twice (RFC 9110 §5.3).
    #[error("a field that may occur only once is repeated")]
    Repeated,
}

/// Fields that we write, or that would change what our message means.
const OWNED: [&str; 7] = [
    "host",
    "upgrade",
    "connection",
    "content-length",
    "transfer-encoding",
    "expect",
    "origin",
];

/// Fields that are no lists, so that they may occur only once.
const SINGLETONS: [&str; 24] = [
    "access-control-allow-origin",
    "age",
    "authorization",
    "content-location",
    "content-range",
    "content-type",
    "cookie",
    "date",
    "etag",
    "expires",
    "from",
    "if-modified-since",
    "if-range",
    "if-unmodified-since",
    "last-modified",
    "location",
    "max-forwards",
    "proxy-authorization",
    "range",
    "referer",
    "retry-after",
    "server",
    "strict-transport-security",
    "user-agent",
];

/// Checks fields that somebody asks us to write, so that none can end its line, end the head or contradict it.
pub(super) fn check_fields(fields: &[Field<'_>]) -> Result<(), FieldError> {
    for (i, field) in fields.iter().enumerate() {
        if !field.has_valid_name() {
            return Err(FieldError::Name);
        }
        if !field.has_valid_value() {
            return Err(FieldError::Value);
        }
        let prefix = field.name.as_bytes().get(..14).unwrap_or_default();
        if OWNED.iter().any(|name| field.is(name)) || prefix.eq_ignore_ascii_case(b"sec-websocket-") {
            return Err(FieldError::Owned);
        }
        let singleton = SINGLETONS.iter().any(|name| field.is(name));
        if singleton && fields[..i].iter().any(|earlier| earlier.is(field.name)) {
            return Err(FieldError::Repeated);
        }
    }
    Ok(())
}

/// Whether each of these is one extension alone, and they are no more than the other end takes (RFC 6455 §9.1).
pub(super) fn are_extensions(texts: &[&str]) -> bool {
    texts.len() <= MAX_EXTENSIONS && texts.iter().all(|text| single_extension(text).is_some())
}

/// The extension in `text`, if there is one alone.
pub(super) fn single_extension(text: &str) -> Option<Extension<'_>> {
    let mut list = extension::parse([text.as_bytes()]).ok()?;
    list.next().filter(|_| list.next().is_none())
}

/// Writes checked extensions as one line without spare characters, if there are any.
pub(super) fn append_extensions(outbox: &mut Outbox, extensions: &[&str]) {
    for (i, extension) in extensions
        .iter()
        .filter_map(|text| single_extension(text))
        .enumerate()
    {
        if i == 0 {
            outbox.append_all([EXTENSIONS.as_bytes(), b": "]);
        } else {
            outbox.append(b", ");
        }
        Text(outbox).append(format_args!("{extension}"));
    }
    if !extensions.is_empty() {
        outbox.append(b"\r\n");
    }
}

/// Writes checked fields.
pub(super) fn append_fields(outbox: &mut Outbox, fields: &[Field<'_>]) {
    for field in fields {
        append_field(outbox, field.name, field.value);
    }
}

/// Writes a checked field line.
pub(super) fn append_field(outbox: &mut Outbox, name: &str, value: &[u8]) {
    outbox.append_all([name.as_bytes(), b": ", value, b"\r\n"]);
}

/// Formats into an outbox.
pub(super) struct Text<'o>(pub(super) &'o mut Outbox);

impl Text<'_> {
    pub(super) fn append(&mut self, text: fmt::Arguments<'_>) {
        // An outbox takes everything, so there is no error.
        let _ = self.write_fmt(text);
    }
}

impl Write for Text<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.append(text.as_bytes());
        Ok(())
    }
}
