//! wtx, without a runtime, lending payloads from its own buffer where it can.

use std::hint::black_box;
use std::sync::Arc;

use wtx::collection::Vector;
use wtx::rng::Xorshift64;
use wtx::web_socket::compression::{Flate2, NegotiatedCompression, NegotiatedFlate2, WindowBits};
use wtx::web_socket::{
    Compression, CompressionLevel, DeflateConfig, Frame, OpCode, WebSocketAcceptor, WebSocketBuffer,
    WebSocketOwned, WebSocketPayloadOrigin,
};

use super::{NO_PIECES, NOT_ALONE, connection, rounds};
use crate::contender::Entry;
use crate::deflate::{Context, LEVEL, WINDOW_BITS};
use crate::wire::{Wire, now};
use crate::workloads::{Job, Message, REQUEST, Receive, Send};

type Socket<C, const CLIENT: bool> = WebSocketOwned<C, Xorshift64, Wire, CLIENT>;

const INLINE: usize = size_of::<Socket<(), false>>() - size_of::<Wire>();

fn socket<C: NegotiatedCompression, const CLIENT: bool>(compression: C, wire: Wire) -> Socket<C, CLIENT> {
    Socket::new(
        compression,
        false,
        Xorshift64::new(0x2545_f491_4f6c_dd1d),
        wire,
        WebSocketBuffer::new(),
    )
}

/// A server's, as negotiated: it has no other way to be made.
fn deflate() -> Option<NegotiatedFlate2> {
    let window_bits = WindowBits::try_from(WINDOW_BITS).expect("8 to 15");
    let config = DeflateConfig {
        client_max_window_bits: window_bits,
        compression_level: CompressionLevel::try_from(LEVEL).expect("0 to 9"),
        server_max_window_bits: window_bits,
    };
    let offer = [&b"Sec-WebSocket-Extensions"[..], b"permessage-deflate"];
    let negotiated = Compression::<false>::negotiate(Flate2::from(config), [offer].into_iter());
    negotiated.expect("an offer")
}

pub fn enter(job: &Job) -> Entry {
    match job {
        _ if job.deflate() == Some(Context::Kept) => Err("keeps no contexts"),
        Job::Receive(job) if job.pieces => Err(NO_PIECES),
        Job::Receive(job) if job.deflate.is_some() => receive::<_, false>(deflate(), job),
        Job::Receive(job) if job.server => receive::<_, false>((), job),
        Job::Receive(job) => receive::<_, true>((), job),
        Job::Send(job) if job.deflate.is_some() => send::<_, false>(deflate(), job),
        Job::Send(job) if job.server => send::<_, false>((), job),
        Job::Send(job) => send::<_, true>((), job),
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

fn receive<C, const CLIENT: bool>(compression: C, job: &Receive) -> Entry
where
    C: NegotiatedCompression + 'static,
{
    let (mut socket, messages) = (socket::<C, CLIENT>(compression, job.wire()), job.messages.len());
    let mut gathered = Vector::new();
    connection(INLINE, 0, move |seen| {
        for _ in 0..messages {
            let read = socket.read_frame(&mut gathered, WebSocketPayloadOrigin::Adaptive);
            let frame = now(read).expect("a message");
            seen.message(frame.op_code() == OpCode::Text, frame.payload());
        }
    })
}

fn send<C, const CLIENT: bool>(compression: C, job: &Send) -> Entry
where
    C: NegotiatedCompression + 'static,
{
    let mut socket = socket::<C, CLIENT>(compression, job.wire());
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
