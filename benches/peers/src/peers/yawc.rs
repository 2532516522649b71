//! yawc, without a runtime, with `simdutf8`.

use futures_util::SinkExt;
use yawc::{CompressionLevel, Frame, OpCode, Options, Role, WebSocket};

use super::{HYPER, LIMIT_BYTES, NO_PIECES, NOT_ALONE, PIECES_UNCHECKED, connection, rounds};
use crate::contender::Entry;
use crate::deflate::{Context, LEVEL};
use crate::wire::{Wire, now};
use crate::workloads::Job;

const INLINE: usize = size_of::<WebSocket<Wire>>() - size_of::<Wire>();

fn socket(wire: Wire, server: bool, deflate: Option<Context>) -> WebSocket<Wire> {
    let role = if server { Role::Server } else { Role::Client };
    let mut options = Options::default()
        .with_limits(LIMIT_BYTES, LIMIT_BYTES)
        .with_utf8();
    if deflate.is_some() {
        options = options.with_compression_level(CompressionLevel::new(LEVEL.into()));
    }
    let extensions = deflate.map(|context| context.parameters().answer().to_string());
    WebSocket::from_stream_with_extensions(wire, role, extensions.as_deref(), options).expect("extensions")
}

pub fn enter(job: &Job) -> Entry {
    let messages = job.messages();
    match job {
        Job::Receive(job) if job.pieces && job.is_text() => Err(PIECES_UNCHECKED),
        Job::Receive(job) if job.pieces && !job.fragmented => Err(NO_PIECES),
        Job::Receive(job) if job.pieces => {
            let mut socket = socket(job.wire(), job.server, job.deflate).into_streaming();
            rounds(move |seen| {
                loop {
                    let frame = now(socket.next_frame()).expect("a frame");
                    seen.piece(frame.payload());
                    if frame.is_fin() {
                        return seen.end(false);
                    }
                }
            })
        }
        Job::Receive(job) => {
            let mut socket = socket(job.wire(), job.server, job.deflate);
            connection(INLINE, 0, move |seen| {
                for _ in 0..messages {
                    let frame = now(socket.next_frame()).expect("a message");
                    seen.message(frame.opcode() == OpCode::Text, frame.payload());
                }
            })
        }
        Job::Send(job) => {
            let mut socket = socket(job.wire(), job.server, job.deflate);
            let messages = job
                .messages
                .iter()
                .map(|message| tungstenite::Bytes::copy_from_slice(&message.payload));
            let messages: Vec<_> = messages.collect();
            let text = job.is_text();
            rounds(move |seen| {
                for payload in &messages {
                    let payload = payload.clone();
                    let frame = if text {
                        Frame::text(payload)
                    } else {
                        Frame::binary(payload)
                    };
                    now(socket.feed(frame)).expect("there is room");
                }
                now(SinkExt::<Frame>::flush(&mut socket)).expect("a transport");
                seen.messages += messages.len() as u64;
            })
        }
        Job::Handshake(_) => Err(HYPER),
        _ => Err(NOT_ALONE),
    }
}
