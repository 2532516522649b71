//! Bytes out.

use std::io::{self, ErrorKind, IoSlice, Write};

use mio::net::TcpStream;
use ws_proto::Outbox;

use crate::tap::Tap;

/// Writes what waits, as far as the transport takes it.
pub(super) fn write(
    stream: &mut TcpStream,
    outbox: &mut Outbox,
    tap: &mut Option<Box<Tap>>,
) -> io::Result<()> {
    while !outbox.is_empty() {
        match stream.write(outbox.bytes()) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(n) => {
                if let Some(tap) = tap {
                    tap.outgoing(&outbox.bytes()[..n]);
                }
                outbox.consume(n);
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Writes what waits, and behind it a message from where it lies, header and payload. What the transport does not take of it waits,
/// too.
pub(super) fn write_message(
    stream: &mut TcpStream,
    outbox: &mut Outbox,
    tap: &mut Option<Box<Tap>>,
    message: [&[u8]; 2],
) -> io::Result<()> {
    let slices = [outbox.bytes(), message[0], message[1]];
    let n = match stream.write_vectored(&slices.map(IoSlice::new)) {
        Ok(n) => n,
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => 0,
        Err(error) => return Err(error),
    };
    if let Some(tap) = tap {
        let mut left = n;
        for slice in slices {
            let taken = left.min(slice.len());
            tap.outgoing(&slice[..taken]);
            left -= taken;
        }
    }
    outbox.consume_with(n, &message).map_err(io::Error::other)
}
