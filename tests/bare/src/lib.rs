//! What of the library is compiled in its users' crates, compiled for targets without an operating system: the build is the test.
#![no_std]

use ws_proto::Violation;
use ws_proto::frame::{Decoder, Part};
use ws_proto::mask::MaskingKey;
use ws_proto::utf8::Validator;

/// Bytes of payload data in some frames.
pub fn payload_bytes(decoder: &mut Decoder, mut bytes: &mut [u8]) -> Result<usize, Violation> {
    let mut sum = 0;
    loop {
        let step = decoder.decode(bytes)?;
        match step.part {
            Part::More => return Ok(sum),
            Part::Header(_) => {}
            Part::Payload { range, .. } => sum += range.len(),
        }
        bytes = &mut bytes[step.consumed..];
    }
}

/// Unmasks a text, if it is one.
pub fn text(key: MaskingKey, bytes: &mut [u8]) -> bool {
    let mut validator = Validator::new();
    validator.unmask(key, bytes).is_ok() && validator.is_complete()
}

/// Sends back what comes.
#[cfg(feature = "alloc")]
pub fn echo(
    connection: &mut ws_proto::Connection,
    input: &mut ws_proto::Input<&mut [u8], &mut ws_proto::Inbox>,
    outbox: &mut ws_proto::Outbox,
) -> Result<(), Violation> {
    use ws_proto::Event;

    while connection.receive(input, outbox)? {
        let _sent = match input.event() {
            Event::Text(text) => connection.send_text(text, outbox),
            Event::Binary(data) => connection.send_binary(data, outbox),
            Event::Ping(_) | Event::Pong(_) | Event::Close(_) => Ok(()),
        };
    }
    Ok(())
}
