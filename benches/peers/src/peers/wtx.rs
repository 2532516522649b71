//! wtx, without a runtime, lending payloads from its own buffer where it can.

use std::hint::black_box;
use std::sync::Arc;

use wtx::collection::Vector;
use wtx::rng::Xorshift64;
use wtx::web_socket::{
    Frame, OpCode, WebSocketAcceptor, WebSocketBuffer, WebSocketOwned, WebSocketPayloadOrigin,
};

use super::{NO_PIECES, NOT_ALONE, connection, rounds};
use crate::contender::Entry;
use crate::wire::{Wire, now};
use crate::workloads::{Job, Message, REQUEST, Receive, Send};

type Socket<const CLIENT: bool> = WebSocketOwned<(), Xorshift64, Wire, CLIENT>;

const INLINE: usize = size_of::<Socket<false>>() - size_of::<Wire>();

fn socket<const CLIENT: bool>(wire: Wire) -> Socket<CLIENT> {
    Socket::new(
        (),
        false,
        Xorshift64::new(0x2545_f491_4f6c_dd1d),
        wire,
        WebSocketBuffer::new(),
    )
}

pub fn enter(job: &Job) -> Entry {
    match job {
        Job::Receive(job) if job.pieces => Err(NO_PIECES),
        Job::Receive(job) if job.server => receive::<false>(job),
        Job::Receive(job) => receive::<true>(job),
        Job::Send(job) if job.server => send::<false>(job),
        Job::Send(job) => send::<true>(job),
        Job::Handshake(tap) => {
            let (request, tap) = (Arc::<[u8]>::from(REQUEST), tap.clone());
            let messages = job.messages();
            rounds(move |seen| {
                for _ in 0..messages {
                    let wire = Wire::new(request.clone(), REQUEST.len(), tap.clone());
                    let acceptor = WebSocketAcceptor::default();
                    assert!(now(acceptor.accept::<Wire>(wire)).is_ok());
                    seen.messages += 1;
                }
            })
        }
        _ => Err(NOT_ALONE),
    }
}

fn receive<const CLIENT: bool>(job: &Receive) -> Entry {
    let (mut socket, messages) = (socket::<CLIENT>(job.wire()), job.messages.len());
    let mut gathered = Vector::new();
    connection(INLINE, 0, move |seen| {
        for _ in 0..messages {
            let read = socket.read_frame(&mut gathered, WebSocketPayloadOrigin::Adaptive);
            let frame = now(read).expect("a message");
            seen.message(frame.op_code() == OpCode::Text, frame.payload());
        }
    })
}

fn send<const CLIENT: bool>(job: &Send) -> Entry {
    let mut socket = socket::<CLIENT>(job.wire());
    let messages: Vec<_> = job.messages.iter().map(Message::copy).collect();
    // It masks in place, and so what is to be sent has to be copied first.
    let mut copy = Vec::new();
    rounds(move |seen| {
        for message in &messages {
            copy.clear();
            copy.extend_from_slice(black_box(&message.payload));
            let opcode = if message.text {
                OpCode::Text
            } else {
                OpCode::Binary
            };
            now(socket.write_frame(&mut Frame::new_fin(opcode, &mut copy[..]))).expect("a transport");
        }
        seen.messages += messages.len() as u64;
    })
}
