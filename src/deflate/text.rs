//! An extension as text, in memory of its own: there may be no allocator.

use core::fmt;
use core::ops::Deref;

/// The name, and each of the parameters once, with values of two digits.
const MAX_TEXT_BYTES: usize = 128;

/// One extension as text, as it goes into a list of extensions; made by
/// [`Parameters::offer`](super::Parameters::offer) and [`Parameters::answer`](super::Parameters::answer).
///
/// ```
/// use ws_proto::deflate::Parameters;
///
/// let offer = Parameters { client_max_window_bits: Some(15), ..Parameters::default() }.offer();
/// assert_eq!(offer.as_str(), "permessage-deflate; client_max_window_bits");
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct ExtensionText {
    /// Zeros from `len` on.
    bytes: [u8; MAX_TEXT_BYTES],
    len: usize,
}

impl ExtensionText {
    pub(super) fn new(name: &str) -> Self {
        let mut text = Self {
            bytes: [0; MAX_TEXT_BYTES],
            len: 0,
        };
        text.push(name);
        text
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        core::str::from_utf8(&self.bytes[..self.len]).unwrap_or_default()
    }

    pub(super) fn push_parameter(&mut self, name: &str, value: Option<&str>) {
        self.push("; ");
        self.push(name);
        if let Some(value) = value {
            self.push("=");
            self.push(value);
        }
    }

    fn push(&mut self, text: &str) {
        let end = self.len + text.len();
        self.bytes[self.len..end].copy_from_slice(text.as_bytes());
        self.len = end;
    }
}

impl Deref for ExtensionText {
    type Target = str;

    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl AsRef<str> for ExtensionText {
    fn as_ref(&self) -> &str {
        self
    }
}

impl fmt::Display for ExtensionText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self)
    }
}

impl fmt::Debug for ExtensionText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ExtensionText({self})")
    }
}
