//! sockudo-ws: its `Protocol`, which works on bytes, with one vector of messages used again and again; and its
//! `WebSocketStream`, which most users have.

use std::hint::black_box;
use std::sync::Arc;

use futures_util::StreamExt;
use sockudo_ws::protocol::Protocol;
use sockudo_ws::{Config, Message, Role, WebSocketStream};
use tokio_util::bytes::{Bytes, BytesMut};

use super::{FLUSH_BYTES, LIMIT_BYTES, NO_PIECES, NOT_ALONE, connection, rounds};
use crate::aligned::Aligned;
use crate::contender::Entry;
use crate::wire::{Wire, now};
use crate::workloads::{Job, KEY, REQUEST};

const INLINE: usize = size_of::<WebSocketStream<Wire>>() - size_of::<Wire>();

/// The stream, without a runtime, and so without its timers.
pub fn enter_stream(job: &Job) -> Entry {
    let messages = job.messages();
    match job {
        Job::Receive(job) if job.pieces => Err(NO_PIECES),
        Job::Receive(job) => {
            let limits = Config::builder()
                .max_frame_size(LIMIT_BYTES)
                .max_message_size(LIMIT_BYTES);
            let config = limits.auto_ping(false).idle_timeout(0).build();
            let role = if job.server { Role::Server } else { Role::Client };
            let mut socket = WebSocketStream::from_raw(job.wire(), role, config);
            connection(INLINE, 0, move |seen| {
                for _ in 0..messages {
                    match now(socket.next()).expect("endless").expect("a message") {
                        Message::Text(text) => seen.message(true, &text),
                        Message::Binary(data) => seen.message(false, &data),
                        other => panic!("{other:?}"),
                    }
                }
            })
        }
        _ => Err("the same as its protocol alone"),
    }
}

pub fn enter(job: &Job) -> Entry {
    let times = job.messages();
    match job {
        Job::Receive(job) if job.pieces => Err(NO_PIECES),
        Job::Receive(job) => {
            let role = if job.server { Role::Server } else { Role::Client };
            let mut protocol = Protocol::new(role, LIMIT_BYTES, LIMIT_BYTES);
            let (mut wire, read_bytes) = (job.wire(), job.read_bytes);
            let (mut bytes, mut messages) = (BytesMut::new(), Vec::new());
            rounds(move |seen| {
                let last = seen.messages + times as u64;
                while seen.messages < last {
                    bytes.reserve(read_bytes);
                    now(tokio::io::AsyncReadExt::read_buf(&mut wire, &mut bytes)).expect("a transport");
                    protocol
                        .process_into(&mut bytes, &mut messages)
                        .expect("messages");
                    for message in messages.drain(..) {
                        match message {
                            Message::Text(text) => seen.message(true, &text),
                            Message::Binary(data) => seen.message(false, &data),
                            other => panic!("{other:?}"),
                        }
                    }
                }
            })
        }
        Job::Send(job) => {
            let role = if job.server { Role::Server } else { Role::Client };
            let mut protocol = Protocol::new(role, LIMIT_BYTES, LIMIT_BYTES);
            let (mut wire, mut bytes) = (job.wire(), BytesMut::new());
            let messages = job.messages.iter().map(|message| {
                let payload = Bytes::copy_from_slice(&message.payload);
                if message.text {
                    Message::Text(payload)
                } else {
                    Message::Binary(payload)
                }
            });
            let messages: Vec<_> = messages.collect();
            rounds(move |seen| {
                for message in &messages {
                    protocol
                        .encode_message(black_box(message), &mut bytes)
                        .expect("a frame");
                    if bytes.len() >= FLUSH_BYTES {
                        wire.write_from(&bytes);
                        bytes.clear();
                    }
                }
                wire.write_from(&bytes);
                bytes.clear();
                seen.messages += messages.len() as u64;
            })
        }
        Job::Mask(len) => {
            let mut bytes = Aligned::new(&vec![0; *len]);
            rounds(move |seen| {
                for _ in 0..times {
                    sockudo_ws::simd::apply_mask(black_box(&mut bytes[..]), KEY);
                    seen.message(false, &bytes);
                }
            })
        }
        Job::Handshake(tap) => {
            let mut wire = Wire::new(Arc::from(REQUEST), REQUEST.len(), tap.clone());
            rounds(move |seen| {
                for _ in 0..times {
                    assert!(now(sockudo_ws::handshake::server_handshake(&mut wire)).is_ok());
                    seen.messages += 1;
                }
            })
        }
        _ => Err(NOT_ALONE),
    }
}
