//! The receive loop: each message is sent back.

use std::error::Error;
use std::io::{self, IoSliceMut, Read};
use std::mem;
use std::time::Duration;

use mio::Token;
use ws_proto::{CloseCode, Event, Input, SendError, Violation};

use super::write::{write, write_message};
use super::{Peer, Phase};
use crate::server::Shared;

/// Bytes from which on a message goes out by itself and from where it lies, not copied. Shorter ones go out together.
const LONG_BYTES: usize = 16 << 10;

impl Peer {
    /// [`read`](Self::read) from an open connection: what goes on a long message straight to where it is gathered.
    pub(super) fn read_messages(&mut self, token: Token, shared: &mut Shared) -> io::Result<usize> {
        let mut input = Input::with_space(mem::take(&mut shared.buffer), mem::take(&mut self.inbox));
        let read = self.fill(&mut input);
        let done = match read {
            Ok(1..) => {
                self.deadlines.received(shared.now);
                self.messages(&mut input, token, shared)
            }
            _ => Ok(()),
        };
        shared.buffer = self.put_back(input);
        done.and(read)
    }

    fn fill(&mut self, input: &mut Input<Box<[u8]>>) -> io::Result<usize> {
        let Phase::Open(connection) = &self.phase else {
            return Ok(0);
        };
        let [inbox, buffer] = input.spaces(connection);
        let space = inbox.len() + buffer.len();
        let n = self
            .stream
            .read_vectored(&mut [IoSliceMut::new(inbox), IoSliceMut::new(buffer)])?;
        // What comes behind a violation, or the peer's Close frame, with which there is another code, is discarded.
        if let Some(tap) = &mut self.tap
            && !self.is_shut
            && connection.status().code == CloseCode::ABNORMAL
        {
            let gathered = n.min(inbox.len());
            tap.incoming(&inbox[..gathered]);
            tap.incoming(&buffer[..n - gathered]);
        }
        input.filled(n);
        self.note_read(n, space);
        Ok(n)
    }

    /// Takes the inbox back, and what was not looked at: the buffer.
    pub(super) fn put_back(&mut self, input: Input<Box<[u8]>>) -> Box<[u8]> {
        let rest = input.consumed()..input.consumed() + input.remaining();
        let (buffer, inbox) = input.into_parts();
        self.inbox = inbox;
        if let Some(pace) = &mut self.pace {
            pace.keep(&buffer[rest]);
        }
        buffer
    }

    /// What was read from an open connection.
    pub(super) fn messages(
        &mut self,
        input: &mut Input<Box<[u8]>>,
        token: Token,
        shared: &Shared,
    ) -> io::Result<()> {
        let Err(error) = self.echo(input, shared.now) else {
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
    fn echo(
        &mut self,
        input: &mut Input<Box<[u8]>>,
        now: Duration,
    ) -> Result<(), Box<dyn Error + Send + Sync>> {
        let Phase::Open(connection) = &mut self.phase else {
            return Ok(());
        };
        let is_long = |len: usize| len >= LONG_BYTES && !self.compresses;
        while connection.receive(input, &mut self.outbox)? {
            let (payload, sent) = match input.event() {
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
                Event::Text(_) | Event::Binary(_) if self.watches => (&[][..], Ok(None)),
                Event::Text(text) if is_long(text.len()) => (
                    text.as_bytes(),
                    connection.send_text_header(text, &mut self.outbox).map(Some),
                ),
                Event::Binary(data) if is_long(data.len()) => (
                    data,
                    connection.send_binary_header(data, &mut self.outbox).map(Some),
                ),
                Event::Text(text) => (
                    text.as_bytes(),
                    connection.send_text(text, &mut self.outbox).map(|()| None),
                ),
                Event::Binary(data) => (
                    data,
                    connection.send_binary(data, &mut self.outbox).map(|()| None),
                ),
            };
            if let Some(tap) = &mut self.tap {
                tap.message(payload.len(), sent.is_ok());
            }
            let header = match sent {
                Err(SendError::Closed) => continue, // it crossed our Close frame
                sent => sent?,
            };
            if let Some(header) = header {
                write_message(
                    &mut self.stream,
                    &mut self.outbox,
                    &mut self.tap,
                    [&header, payload],
                )?;
            }
            self.deadlines.active(now);
            if let Some(pace) = &mut self.pace
                && !pace.count(now)
            {
                break; // the rest waits
            }
        }
        Ok(())
    }
}
