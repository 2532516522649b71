//! The receive loop: each message is sent back.

use std::error::Error;
use std::io;
use std::time::Duration;

use mio::Token;
use ws_proto::{Event, Input, SendError, Violation};

use super::{Peer, Phase, write};
use crate::server::Shared;

impl Peer {
    /// Bytes of an open connection.
    pub(super) fn messages(&mut self, bytes: &mut [u8], token: Token, shared: &Shared) -> io::Result<()> {
        let Err(error) = self.echo(bytes, shared.now) else {
            return Ok(());
        };
        // The peer's fault is answered already: `transport` knows how it goes on.
        let violation = *error.downcast::<Violation>().map_err(io::Error::other)?;
        if let Some(tap) = &mut self.tap {
            tap.violation(violation);
        }
        shared.log(
            token,
            format_args!("failed with {}: {violation}", violation.close_code()),
        );
        Ok(())
    }

    /// The receive loop.
    fn echo(&mut self, bytes: &mut [u8], now: Duration) -> Result<(), Box<dyn Error + Send + Sync>> {
        let Phase::Open(connection) = &mut self.phase else {
            return Ok(());
        };
        let mut input = Input::new(bytes, &mut self.inbox);
        while connection.receive(&mut input, &mut self.outbox)? {
            let (sent, plain) = match input.event() {
                // At most one Pong waits in the outbox: this one goes out before the next Ping is looked at.
                Event::Ping(_) => {
                    write(&mut self.stream, &mut self.outbox, &mut self.tap)?;
                    continue;
                }
                Event::Pong(payload) => {
                    self.deadlines.answered(now, payload);
                    continue;
                }
                Event::Close(_) => continue,
                Event::Text(_) | Event::Binary(_) if self.watches => (Ok(()), 0),
                Event::Text(text) => (connection.send_text(text, &mut self.outbox), text.len()),
                Event::Binary(data) => (connection.send_binary(data, &mut self.outbox), data.len()),
            };
            if let Some(tap) = &mut self.tap {
                tap.message(plain, sent.is_ok());
            }
            match sent {
                Err(SendError::Closed) => continue, // it crossed our Close frame
                sent => sent?,
            }
            self.deadlines.active(now);
            if let Some(pace) = &mut self.pace
                && !pace.count(now)
            {
                let consumed = input.consumed();
                pace.keep(&input.into_parts().0[consumed..]);
                break;
            }
        }
        Ok(())
    }
}
