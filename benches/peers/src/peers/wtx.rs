//! wtx, polled without a runtime, lending payloads from its own buffer where it can.

use std::hint::black_box;
use std::sync::LazyLock;

use tokio::runtime::{Builder, Runtime};
use wtx::codec::CompressionLevel;
use wtx::collections::Vector;
use wtx::rng::{ChaCha20, Xorshift64};
use wtx::tls::{KeySchedule, PlaintextCtx, TlsAcceptor, TlsBuffer, TlsConfig, TlsStream};
use wtx::web_socket::web_socket_compression::{
    NegotiatedWsCompression, NegotiatedZlibRs, WindowBits, ZlibRs,
};
use wtx::web_socket::{
    DeflateConfig, Frame, OpCode, WebSocket, WebSocketAcceptor, WebSocketBuffer, WebSocketPayloadOrigin,
    WsCompression,
};

use super::{NO_PIECES, NOT_ALONE, connection, rounds};
use crate::aligned::Aligned;
use crate::contender::Entry;
use crate::deflate::{Context, LEVEL, WINDOW_BITS};
use crate::wire::{Wire, now};
use crate::workloads::{Job, Message, REQUEST, Receive, Send};

type Socket<C, const CLIENT: bool> = WebSocket<C, Wire, PlaintextCtx, CLIENT>;

const INLINE: usize = size_of::<Socket<(), false>>() - size_of::<Wire>();

/// Each socket has a timer, which asks for one. It is never waited for.
static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    let runtime = Builder::new_current_thread().enable_time().build();
    runtime.expect("a runtime")
});

/// As wtx chooses by itself.
const FRAGMENT_BYTES: u16 = 1 << 14;

fn socket<C: NegotiatedWsCompression, const CLIENT: bool>(compression: C, wire: Wire) -> Socket<C, CLIENT> {
    let _entered = RUNTIME.enter();
    Socket::new(
        compression,
        false,
        Xorshift64::new(0x2545_f491_4f6c_dd1d),
        TlsStream::new(
            TlsBuffer::new(),
            KeySchedule::default(),
            FRAGMENT_BYTES,
            FRAGMENT_BYTES,
            wire,
        )
        .expect("no TLS"),
        WebSocketBuffer::new(),
    )
}

/// A server's, as negotiated: it has no other way to be made.
fn deflate(context: Context) -> Option<NegotiatedZlibRs> {
    let window_bits = WindowBits::try_from(WINDOW_BITS).expect("8 to 15");
    let config = DeflateConfig {
        client_max_window_bits: window_bits,
        compression_level: CompressionLevel::try_from(LEVEL).expect("0 to 9"),
        server_max_window_bits: window_bits,
    };
    let offer: &[u8] = match context {
        Context::Kept => b"permessage-deflate",
        Context::None => b"permessage-deflate; client_no_context_takeover; server_no_context_takeover",
    };
    let offer = [&b"Sec-WebSocket-Extensions"[..], offer];
    let negotiated = WsCompression::<false>::negotiate(ZlibRs::from(config), [offer].into_iter());
    negotiated.expect("an offer")
}

pub fn enter(job: &Job) -> Entry {
    match job {
        Job::Receive(job) if job.pieces => Err(NO_PIECES),
        Job::Receive(job) => match (job.deflate, job.server) {
            (Some(context), _) => receive::<_, false>(deflate(context), job),
            (None, true) => receive::<_, false>((), job),
            (None, false) => receive::<_, true>((), job),
        },
        Job::Send(job) => match (job.deflate, job.server) {
            (Some(context), _) => send::<_, false>(deflate(context), job),
            (None, true) => send::<_, false>((), job),
            (None, false) => send::<_, true>((), job),
        },
        Job::Handshake(tap) => {
            let (request, tap) = (Aligned::source(REQUEST), tap.clone());
            let (messages, plain) = (job.messages(), TlsConfig::plaintext());
            rounds(move |seen| {
                let _entered = RUNTIME.enter();
                for _ in 0..messages {
                    let wire = Wire::new(request.clone(), REQUEST.len(), tap.clone());
                    // Without TLS nothing is drawn of the generator.
                    let tls = TlsAcceptor::new(&plain, ChaCha20::from_key([7; 32]), wire);
                    let accepted = now(WebSocketAcceptor::default().accept(tls));
                    assert!(accepted.is_ok());
                    seen.messages += 1;
                }
            })
        }
        _ => Err(NOT_ALONE),
    }
}

fn receive<C, const CLIENT: bool>(compression: C, job: &Receive) -> Entry
where
    C: NegotiatedWsCompression + 'static,
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
    C: NegotiatedWsCompression + 'static,
{
    let mut socket = socket::<C, CLIENT>(compression, job.wire());
    let messages: Vec<_> = job.messages.iter().map(Message::copy).collect();
    // It masks in place, and so what is to be sent has to be copied first.
    let (mut copy, text) = (Vec::new(), job.is_text());
    rounds(move |seen| {
        for message in &messages {
            copy.clear();
            copy.extend_from_slice(black_box(&message.payload));
            let opcode = if text { OpCode::Text } else { OpCode::Binary };
            let mut frame = Frame::new_fin(opcode, &mut copy[..]).expect("data");
            now(socket.write_frame(&mut frame)).expect("a transport");
        }
        seen.messages += messages.len() as u64;
    })
}
