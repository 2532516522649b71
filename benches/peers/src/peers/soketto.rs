//! soketto, over the traits of `futures`. It leaves validating text to its users.

use std::hint::black_box;

use soketto::connection::{Builder, Receiver};
use soketto::handshake::Server;
use soketto::handshake::server::Response;
use soketto::{Data, Mode, Sender};

use super::{NO_PIECES, NOT_ALONE, connection, rounds};
use crate::aligned::Aligned;
use crate::contender::Entry;
use crate::wire::{Wire, now};
use crate::workloads::{Job, Message, REQUEST};

const INLINE: usize = size_of::<Receiver<Wire>>() + size_of::<Sender<Wire>>();

/// The message is put together in a vector of the user's.
const MESSAGE_BYTES: usize = 64 << 10;

fn socket(wire: Wire, server: bool) -> (Sender<Wire>, Receiver<Wire>) {
    Builder::new(wire, if server { Mode::Server } else { Mode::Client }).finish()
}

pub fn enter(job: &Job) -> Entry {
    let messages = job.messages();
    match job {
        // All of a build share one back end of `flate2`, and zlib in C goes before zlib-rs.
        _ if job.deflate().is_some() => {
            Err("its permessage-deflate needs zlib in C, which the others would then use too")
        }
        Job::Receive(job) if job.pieces => Err(NO_PIECES),
        Job::Receive(job) => {
            let (sender, mut receiver) = socket(job.wire(), job.server);
            let mut message = Vec::with_capacity(MESSAGE_BYTES);
            connection(INLINE, MESSAGE_BYTES, move |seen| {
                let _held = &sender;
                for _ in 0..messages {
                    message.clear();
                    match now(receiver.receive_data(&mut message)).expect("a message") {
                        Data::Text(_) => {
                            let text = str::from_utf8(&message).expect("text");
                            seen.message(true, text.as_bytes());
                        }
                        Data::Binary(_) => seen.message(false, &message),
                    }
                }
            })
        }
        Job::Send(job) => {
            let (mut sender, receiver) = socket(job.wire(), job.server);
            let messages: Vec<_> = job.messages.iter().map(Message::copy).collect();
            let text = job.is_text();
            rounds(move |seen| {
                let _held = &receiver;
                for message in &messages {
                    let payload = black_box(&message.payload[..]);
                    if text {
                        // SAFETY: the texts of the workloads are text, and looking again is not part of sending.
                        now(sender.send_text(unsafe { str::from_utf8_unchecked(payload) }))
                    } else {
                        now(sender.send_binary(payload))
                    }
                    .expect("a transport");
                }
                now(sender.flush()).expect("a transport");
                seen.messages += messages.len() as u64;
            })
        }
        Job::Handshake(tap) => {
            let (request, tap) = (Aligned::source(REQUEST), tap.clone());
            rounds(move |seen| {
                for _ in 0..messages {
                    let mut server = Server::new(Wire::new(request.clone(), REQUEST.len(), tap.clone()));
                    let key = now(server.receive_request()).expect("a request").key();
                    let response = Response::Accept { key, protocol: None };
                    now(server.send_response(&response)).expect("a transport");
                    seen.messages += 1;
                }
            })
        }
        _ => Err(NOT_ALONE),
    }
}
