//! stub
use alloc::vec::Vec;
/// Bytes waiting to be written to the transport.
#[derive(Debug, Default)]
pub struct Outbox { bytes: Vec<u8> }
impl Outbox {
    /// A server's outbox.
    pub fn new() -> Self { Self::default() }
    /// The bytes to write next.
    pub fn bytes(&self) -> &[u8] { &self.bytes }
    pub(crate) fn append(&mut self, bytes: &[u8]) { self.bytes.extend_from_slice(bytes) }
    /// `None`: no key source (an `Outbox::new()`, for servers).
    pub(crate) fn nonce(&mut self) -> Option<[u8; 16]> { Some(*b"the sample nonce") }
}
