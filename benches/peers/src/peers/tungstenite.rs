//! tungstenite, over `Read` and `Write`.

use tungstenite::protocol::Role;
use tungstenite::{Bytes, Message, Utf8Bytes, WebSocket};

use super::{NO_DEFLATE, NO_PIECES, NOT_ALONE, connection, rounds};
use crate::aligned::Aligned;
use crate::contender::Entry;
use crate::wire::Wire;
use crate::workloads::{Job, REQUEST};

const INLINE: usize = size_of::<WebSocket<Wire>>() - size_of::<Wire>();

pub fn enter(job: &Job) -> Entry {
    let messages = job.messages();
    match job {
        _ if job.deflate().is_some() => Err(NO_DEFLATE),
        Job::Receive(job) if job.pieces => Err(NO_PIECES),
        Job::Receive(job) => {
            let role = if job.server { Role::Server } else { Role::Client };
            let mut socket = WebSocket::from_raw_socket(job.wire(), role, None);
            connection(INLINE, 0, move |seen| {
                for _ in 0..messages {
                    match socket.read().expect("a message") {
                        Message::Text(text) => seen.message(true, text.as_bytes()),
                        Message::Binary(data) => seen.message(false, &data),
                        other => panic!("{other:?}"),
                    }
                }
            })
        }
        Job::Send(job) => {
            let role = if job.server { Role::Server } else { Role::Client };
            let mut socket = WebSocket::from_raw_socket(job.wire(), role, None);
            let messages = job.messages.iter().map(|message| {
                let payload = Bytes::copy_from_slice(&message.payload);
                if message.text {
                    Message::Text(Utf8Bytes::try_from(payload).expect("text"))
                } else {
                    Message::Binary(payload)
                }
            });
            let messages: Vec<_> = messages.collect();
            rounds(move |seen| {
                for message in &messages {
                    socket.write(message.clone()).expect("there is room");
                }
                socket.flush().expect("a transport");
                seen.messages += messages.len() as u64;
            })
        }
        Job::Handshake(tap) => {
            let (request, tap) = (Aligned::source(REQUEST), tap.clone());
            rounds(move |seen| {
                for _ in 0..messages {
                    let wire = Wire::new(request.clone(), REQUEST.len(), tap.clone());
                    assert!(tungstenite::accept(wire).is_ok());
                    seen.messages += 1;
                }
            })
        }
        _ => Err(NOT_ALONE),
    }
}
