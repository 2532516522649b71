//! fastwebsockets, without a runtime.

use std::hint::black_box;

use fastwebsockets::{FragmentCollector, Frame, OpCode, Payload, Role, WebSocket};

use super::{HYPER, NO_DEFLATE, NO_PIECES, NOT_ALONE, PIECES_UNCHECKED, connection, rounds};
use crate::aligned::Aligned;
use crate::contender::Entry;
use crate::wire::{Wire, now};
use crate::workloads::{Job, KEY, Message};

const INLINE: usize = size_of::<FragmentCollector<Wire>>() - size_of::<Wire>();

fn socket(wire: Wire, server: bool) -> WebSocket<Wire> {
    let role = if server { Role::Server } else { Role::Client };
    WebSocket::after_handshake(wire, role)
}

pub fn enter(job: &Job) -> Entry {
    let messages = job.messages();
    match job {
        _ if job.deflate().is_some() => Err(NO_DEFLATE),
        Job::Receive(job) if job.pieces && job.is_text() => Err(PIECES_UNCHECKED),
        Job::Receive(job) if job.pieces && !job.fragmented => Err(NO_PIECES),
        Job::Receive(job) if job.pieces => {
            let mut socket = socket(job.wire(), job.server);
            rounds(move |seen| {
                loop {
                    let frame = now(socket.read_frame()).expect("a frame");
                    seen.piece(&frame.payload);
                    if frame.fin {
                        return seen.end(false);
                    }
                }
            })
        }
        Job::Receive(job) => {
            let mut socket = FragmentCollector::new(socket(job.wire(), job.server));
            connection(INLINE, 0, move |seen| {
                for _ in 0..messages {
                    let frame = now(socket.read_frame()).expect("a message");
                    seen.message(frame.opcode == OpCode::Text, &frame.payload);
                }
            })
        }
        Job::Send(job) => {
            let mut socket = socket(job.wire(), job.server);
            let messages: Vec<_> = job.messages.iter().map(Message::copy).collect();
            let text = job.is_text();
            rounds(move |seen| {
                for message in &messages {
                    let payload = Payload::Borrowed(black_box(&message.payload));
                    let frame = if text {
                        Frame::text(payload)
                    } else {
                        Frame::binary(payload)
                    };
                    now(socket.write_frame(frame)).expect("a transport");
                }
                seen.messages += messages.len() as u64;
            })
        }
        Job::Mask(len) => {
            let mut bytes = Aligned::new(&vec![0; *len]);
            rounds(move |seen| {
                for _ in 0..messages {
                    fastwebsockets::unmask(black_box(&mut bytes[..]), KEY);
                    seen.message(false, &bytes);
                }
            })
        }
        Job::Handshake(_) => Err(HYPER),
        _ => Err(NOT_ALONE),
    }
}
