//! Field lines, as they came (RFC 9110 §5).

use core::fmt;

use crate::syntax::{self, is_value_byte};

/// One field line of an HTTP head: a name, which compares case-insensitively, and the bytes of its value.
///
/// ```
/// use ws_proto::handshake::Field;
///
/// let cookie = Field::new("Cookie", "session=1");
/// assert_eq!((cookie.name, cookie.value), ("Cookie", &b"session=1"[..]));
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Field<'a> {
    /// The field name, a token.
    pub name: &'a str,
    /// The value without the whitespace around it. Bytes from 80 to FF are opaque (RFC 9110 §5.5).
    pub value: &'a [u8],
}

impl<'a> Field<'a> {
    /// A field line of this name and value. It is checked where it is used.
    pub fn new(name: &'a str, value: &'a (impl AsRef<[u8]> + ?Sized)) -> Self {
        Self {
            name,
            value: value.as_ref(),
        }
    }

    /// Whether this is the field's name, which compares without case (RFC 9110 §5.1).
    pub(super) fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name)
    }

    pub(super) fn has_valid_name(&self) -> bool {
        syntax::token(self.name.as_bytes()).is_some()
    }

    pub(super) fn has_valid_value(&self) -> bool {
        self.value.iter().all(|&byte| is_value_byte(byte))
    }
}

impl fmt::Debug for Field<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name, self.value.escape_ascii())
    }
}

/// The field lines of a head, one by one, in order, their bytes unchanged.
///
/// Lines of the same name are not joined (RFC 9110 §5.3: `Set-Cookie` must not be).
///
/// ```
/// use ws_proto::handshake::{Field, Fields};
///
/// let lines = [Field::new("Via", "a"), Field::new("Host", "example.com"), Field::new("via", "b")];
/// let fields = Fields::new(&lines);
/// assert_eq!(fields.get("host"), Some(&b"example.com"[..]));
/// assert!(fields.all("Via").eq([b"a", b"b"]));
/// assert_eq!(fields.iter().count(), 3);
/// ```
#[derive(Clone, Copy)]
pub struct Fields<'a>(Source<'a>);

#[derive(Clone, Copy)]
enum Source<'a> {
    /// Whole field lines of a head that was checked, each with its CR LF.
    #[cfg_attr(
        not(feature = "alloc"),
        expect(dead_code, reason = "heads are read with `alloc` only")
    )]
    Lines(&'a [u8]),
    Cut(&'a [Field<'a>]),
}

impl<'a> Fields<'a> {
    /// The given field lines.
    #[must_use]
    pub const fn new(fields: &'a [Field<'a>]) -> Self {
        Self(Source::Cut(fields))
    }

    /// The field lines of a head that was checked, each with its CR LF.
    #[cfg(feature = "alloc")]
    pub(super) const fn of_lines(lines: &'a [u8]) -> Self {
        Self(Source::Lines(lines))
    }

    /// All lines, in order.
    #[must_use]
    pub fn iter(&self) -> FieldsIter<'a> {
        FieldsIter(self.0)
    }

    /// The value of the first line of this name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&'a [u8]> {
        self.all(name).next()
    }

    /// The values of all lines of this name, in order.
    pub fn all<'n>(&self, name: &'n str) -> impl Iterator<Item = &'a [u8]> + Clone + use<'a, 'n> {
        self.iter()
            .filter(move |field| field.is(name))
            .map(|field| field.value)
    }
}

impl<'a> IntoIterator for Fields<'a> {
    type Item = Field<'a>;
    type IntoIter = FieldsIter<'a>;

    fn into_iter(self) -> FieldsIter<'a> {
        self.iter()
    }
}

impl fmt::Debug for Fields<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(*self).finish()
    }
}

/// The field lines of a head, in order; made by [`Fields::iter`].
#[derive(Clone)]
pub struct FieldsIter<'a>(Source<'a>);

impl<'a> Iterator for FieldsIter<'a> {
    type Item = Field<'a>;

    fn next(&mut self) -> Option<Field<'a>> {
        match &mut self.0 {
            Source::Cut(fields) => fields.split_off_first().copied(),
            Source::Lines(lines) => {
                // No CR stands in a checked line but the one that ends it.
                let end = lines.iter().position(|&byte| byte == b'\r')?;
                let (line, rest) = lines.split_at(end);
                *lines = rest.get(2..)?;
                let colon = line.iter().position(|&byte| byte == b':')?;
                let name = core::str::from_utf8(&line[..colon]).ok()?;
                Some(Field {
                    name,
                    value: syntax::trim(&line[colon + 1..]),
                })
            }
        }
    }
}

impl fmt::Debug for FieldsIter<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Fields(self.0).fmt(f)
    }
}
