//! tokio-websockets, without a runtime.

use futures_util::{SinkExt, StreamExt};
use tokio_websockets::proto::{Message, Payload};
use tokio_websockets::{ClientBuilder, ServerBuilder, WebSocketStream};

use super::{NO_DEFLATE, NO_PIECES, NOT_ALONE, connection, rounds};
use crate::aligned::Aligned;
use crate::contender::Entry;
use crate::wire::{Wire, now};
use crate::workloads::{Job, REQUEST};

const INLINE: usize = size_of::<WebSocketStream<Wire>>() - size_of::<Wire>();

fn socket(wire: Wire, server: bool) -> WebSocketStream<Wire> {
    if server {
        ServerBuilder::new().serve(wire)
    } else {
        ClientBuilder::new().take_over(wire)
    }
}

pub fn enter(job: &Job) -> Entry {
    let messages = job.messages();
    match job {
        _ if job.deflate().is_some() => Err(NO_DEFLATE),
        Job::Receive(job) if job.pieces => Err(NO_PIECES),
        Job::Receive(job) => {
            let mut socket = socket(job.wire(), job.server);
            connection(INLINE, 0, move |seen| {
                for _ in 0..messages {
                    let message = now(socket.next()).expect("endless").expect("a message");
                    seen.message(message.is_text(), message.as_payload());
                }
            })
        }
        Job::Send(job) => {
            let mut socket = socket(job.wire(), job.server);
            let messages = job.messages.iter().map(|message| {
                let payload = Payload::from(tungstenite::Bytes::copy_from_slice(&message.payload));
                if message.text {
                    Message::text(payload)
                } else {
                    Message::binary(payload)
                }
            });
            let messages: Vec<_> = messages.collect();
            rounds(move |seen| {
                for message in &messages {
                    now(socket.feed(message.clone())).expect("there is room");
                }
                now(SinkExt::<Message>::flush(&mut socket)).expect("a transport");
                seen.messages += messages.len() as u64;
            })
        }
        Job::Handshake(tap) => {
            let (request, tap) = (Aligned::source(REQUEST), tap.clone());
            rounds(move |seen| {
                for _ in 0..messages {
                    let wire = Wire::new(request.clone(), REQUEST.len(), tap.clone());
                    let builder = ServerBuilder::new();
                    assert!(now(builder.accept(wire)).is_ok());
                    seen.messages += 1;
                }
            })
        }
        _ => Err(NOT_ALONE),
    }
}
