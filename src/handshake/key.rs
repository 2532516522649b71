//! Sec-WebSocket-Key and Sec-WebSocket-Accept (RFC 6455 §4.1, §4.2.2).

use core::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha1::{Digest, Sha1};

use crate::syntax::ByteSet;

/// The GUID of RFC 6455 §1.3 that is hashed behind the key.
const GUID: &[u8; 36] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// The value of Sec-WebSocket-Key: 16 bytes in base64, kept as the text that was sent.
///
/// ```
/// use ws_proto::handshake::Key;
///
/// let key = Key::from_nonce(*b"the sample nonce");
/// assert_eq!(key.as_str(), "dGhlIHNhbXBsZSBub25jZQ==");
/// assert_eq!(key.accept_value().as_str(), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Key([u8; 24]);

/// The characters of base64 but for the padding (RFC 4648 §4).
static BASE64: ByteSet = ByteSet::alphanumeric_and(b"+/");

impl Key {
    /// The key of 16 bytes, which a client must draw at random for every handshake (RFC 6455 §4.1 item 7): from the operating system, by
    /// `getrandom`, say. `Client::start` draws them from the outbox's generator.
    #[must_use]
    pub fn from_nonce(nonce: [u8; 16]) -> Self {
        Self(base64(&nonce))
    }

    /// The key in this field value, if it is one: 22 characters of base64 and `==` (RFC 6455 §4.3).
    ///
    /// Pad bits that are not zero are accepted (RFC 4648 §3.5 leaves it open): the text is hashed, not decoded.
    #[must_use]
    pub fn parse(value: &[u8]) -> Option<Self> {
        Some(KeyText::parse(value)?.key())
    }

    /// The text of the key.
    #[must_use]
    pub fn as_str(&self) -> &str {
        core::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// What a server has to answer to this key: base64 of the SHA-1 of the key and the GUID (RFC 6455 §4.2.2).
    #[must_use]
    pub fn accept_value(&self) -> AcceptValue {
        let digest = Sha1::new().chain_update(self.0).chain_update(GUID).finalize();
        AcceptValue(base64(&digest))
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({})", self.as_str())
    }
}

/// A [`Key`] where it was sent.
#[derive(Clone, Copy)]
pub(super) struct KeyText<'a>(&'a [u8; 24]);

impl<'a> KeyText<'a> {
    /// [`Key::parse`] without a copy.
    pub(super) fn parse(value: &'a [u8]) -> Option<Self> {
        let key: &[u8; 24] = value.try_into().ok()?;
        let (text, padding) = key.split_at(22);
        (padding == b"==" && BASE64.span(text) == text.len()).then_some(Self(key))
    }

    pub(super) const fn key(self) -> Key {
        Key(*self.0)
    }
}

impl fmt::Debug for KeyText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.key().fmt(f)
    }
}

/// The value of Sec-WebSocket-Accept: 28 characters; made by [`Key::accept_value`].
///
/// It proves that the server speaks WebSocket, and nothing else: it keeps no secret.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct AcceptValue([u8; 28]);

impl AcceptValue {
    /// The text of the value.
    #[must_use]
    pub fn as_str(&self) -> &str {
        core::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// The same as bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 28] {
        &self.0
    }
}

impl fmt::Debug for AcceptValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AcceptValue({})", self.as_str())
    }
}

/// Base64 with padding; `N` is four characters for every three bytes begun.
fn base64<const N: usize>(bytes: &[u8]) -> [u8; N] {
    let mut text = [0; N];
    let written = STANDARD.encode_slice(bytes, &mut text);
    debug_assert_eq!(written, Ok(N));
    text
}
