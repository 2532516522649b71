//! Messages as they are on the wire.

use ws_proto::frame::{Header, Opcode, Rsv};
use ws_proto::mask::MaskingKey;

use crate::deflate::{self, Context};
use crate::workloads::{KEY, Message};

/// The bytes of messages, in one frame each or in fragments.
pub fn encode(server: bool, messages: &[Message], fragment_bytes: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    for message in messages {
        let mut opcode = if message.text {
            Opcode::TEXT
        } else {
            Opcode::BINARY
        };
        let mut fragments = message.payload.chunks(fragment_bytes).peekable();
        while let Some(fragment) = fragments.next() {
            let mut header = Header::new(opcode, fragment.len() as u64);
            header.fin = fragments.peek().is_none();
            push_frame(&mut bytes, server, header, fragment);
            opcode = Opcode::CONTINUATION;
        }
    }
    bytes
}

/// Texts that a client compressed.
pub fn compressed(messages: &[Message], context: Context) -> Vec<u8> {
    let mut bytes = Vec::new();
    for octets in deflate::compressed(messages, context) {
        let mut header = Header::new(Opcode::TEXT, octets.len() as u64);
        header.rsv = Rsv::RSV1;
        push_frame(&mut bytes, true, header, &octets);
    }
    bytes
}

fn push_frame(bytes: &mut Vec<u8>, server: bool, mut header: Header, payload: &[u8]) {
    header.key = server.then(|| MaskingKey::new(KEY));
    bytes.extend_from_slice(&header.encode());
    let start = bytes.len();
    bytes.extend_from_slice(payload);
    header.key.unwrap_or_default().apply(&mut bytes[start..]);
}
