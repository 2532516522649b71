//! Messages whose payload data the embedder writes itself, beside the outbox.

use super::{Connection, MessageKind};
use crate::error::SendError;
use crate::frame::{EncodedHeader, Header, Opcode};
use crate::mask::MaskingKey;
use crate::outbox::Outbox;
use crate::utf8::Validator;

impl Connection {
    /// Makes the header of a message whose payload data the embedder writes itself, without a copy: behind all
    /// of [`Outbox::bytes`] goes the header, behind that the payload, and then what is sent later. A client's
    /// payload is masked in place. Several messages can go out by one write, each payload behind its header, as long as
    /// the outbox takes nothing in between. [`Outbox::consume_with`] keeps what a write did not take.
    ///
    /// ```
    /// use ws_proto::{Config, Connection, MessageKind, Outbox, Role};
    ///
    /// let mut connection = Connection::new(Role::Server, &Config::default());
    /// let (mut outbox, mut payload) = (Outbox::new(), *b"Hello");
    /// let header = connection.send_header(MessageKind::Text, &mut payload, &mut outbox)?;
    /// let vectored = [outbox.bytes(), &header, &payload]; // for one writev
    /// assert_eq!(vectored.concat(), b"\x81\x05Hello");
    /// # Ok::<(), ws_proto::SendError>(())
    /// ```
    ///
    /// # Errors
    /// As [`send_text`](Self::send_text), and [`SendError::InvalidUtf8`]. The payload is as it was then.
    #[inline]
    pub fn send_header(
        &mut self,
        kind: MessageKind,
        payload: &mut [u8],
        outbox: &mut Outbox,
    ) -> Result<EncodedHeader, SendError> {
        // Made here of words: bytes that were just returned would be waited for where they are copied on.
        let mut header = Header::new(kind.opcode(), payload.len() as u64);
        header.key = self.mask_for_header(kind, payload, outbox)?;
        Ok(header.encode())
    }

    /// [`send_header`](Self::send_header) for a server's text, which is not looked at, since it is valid.
    ///
    /// # Errors
    /// As [`send_text`](Self::send_text), and [`SendError::MustMask`].
    #[inline]
    pub fn send_text_header(&mut self, text: &str, outbox: &mut Outbox) -> Result<EncodedHeader, SendError> {
        self.send_unmasked_header(Opcode::TEXT, text.len(), outbox)
    }

    /// [`send_header`](Self::send_header) for a server's binary data, which stays as it is.
    ///
    /// # Errors
    /// As [`send_binary`](Self::send_binary), and [`SendError::MustMask`].
    #[inline]
    pub fn send_binary_header(
        &mut self,
        data: &[u8],
        outbox: &mut Outbox,
    ) -> Result<EncodedHeader, SendError> {
        self.send_unmasked_header(Opcode::BINARY, data.len(), outbox)
    }

    #[inline]
    fn send_unmasked_header(
        &mut self,
        opcode: Opcode,
        len: usize,
        outbox: &mut Outbox,
    ) -> Result<EncodedHeader, SendError> {
        self.may_begin_unmasked(outbox)?;
        outbox.settle();
        Ok(Header::new(opcode, len as u64).encode())
    }

    /// [`send_header`](Self::send_header) but for the header: the key that a client's payload is masked with now.
    #[inline(never)]
    fn mask_for_header(
        &mut self,
        kind: MessageKind,
        payload: &mut [u8],
        outbox: &mut Outbox,
    ) -> Result<Option<MaskingKey>, SendError> {
        self.may_begin(outbox)?;
        kind.check(&mut Validator::new(), payload, true)?;
        let mut key = None;
        if self.masks() {
            let drawn = outbox.masking_key()?;
            drawn.apply(payload);
            key = Some(drawn);
        }
        outbox.settle();
        Ok(key)
    }
}
