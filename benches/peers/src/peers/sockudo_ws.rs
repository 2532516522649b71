//! sockudo-ws: its `Protocol`, which works on bytes, with one vector of messages used again and again; and its
//! `WebSocketStream`, which most users have.

use std::hint::black_box;

use futures_util::{Stream, StreamExt};
use sockudo_ws::protocol::{CompressedProtocol, Protocol};
use sockudo_ws::{CompressedWebSocketStream, Config, DeflateConfig, Message, Role, WebSocketStream};
use tokio_util::bytes::{Bytes, BytesMut};

use super::{FLUSH_BYTES, LIMIT_BYTES, NO_PIECES, NOT_ALONE, connection, rounds};
use crate::aligned::Aligned;
use crate::contender::{Entry, Seen};
use crate::deflate::{Context, LEVEL, WINDOW_BITS};
use crate::wire::{Wire, now};
use crate::workloads::{Job, KEY, REQUEST, Receive, Send};

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
            match job.deflate {
                Some(context) => {
                    let socket = CompressedWebSocketStream::server(job.wire(), config, deflate(context));
                    receive_stream(socket, messages)
                }
                None => receive_stream(
                    WebSocketStream::from_raw(job.wire(), role(job.server), config),
                    messages,
                ),
            }
        }
        _ => Err("the same as its protocol alone"),
    }
}

fn role(server: bool) -> Role {
    if server { Role::Server } else { Role::Client }
}

fn deflate(context: Context) -> DeflateConfig {
    let window_bits = WINDOW_BITS.try_into().expect("9 to 15");
    DeflateConfig {
        server_max_window_bits: window_bits,
        client_max_window_bits: window_bits,
        server_no_context_takeover: context == Context::None,
        client_no_context_takeover: context == Context::None,
        compression_level: LEVEL.into(),
        ..DeflateConfig::default()
    }
}

fn receive_stream<S>(mut socket: S, messages: usize) -> Entry
where
    S: Stream<Item = sockudo_ws::Result<Message>> + Unpin + 'static,
{
    connection(INLINE, 0, move |seen| {
        for _ in 0..messages {
            show(now(socket.next()).expect("endless").expect("a message"), seen);
        }
    })
}

#[inline(always)]
fn show(message: Message, seen: &mut Seen<'_>) {
    match message {
        Message::Text(text) => seen.message(true, &text),
        Message::Binary(data) => seen.message(false, &data),
        other => panic!("{other:?}"),
    }
}

/// Its two protocols, of which one compresses, have the same methods and no trait for them.
trait Codec: 'static {
    fn process(&mut self, bytes: &mut BytesMut, messages: &mut Vec<Message>) -> sockudo_ws::Result<()>;
    fn encode(&mut self, message: &Message, bytes: &mut BytesMut) -> sockudo_ws::Result<()>;
}

impl Codec for Protocol {
    #[inline(always)]
    fn process(&mut self, bytes: &mut BytesMut, messages: &mut Vec<Message>) -> sockudo_ws::Result<()> {
        self.process_into(bytes, messages)
    }

    #[inline(always)]
    fn encode(&mut self, message: &Message, bytes: &mut BytesMut) -> sockudo_ws::Result<()> {
        self.encode_message(message, bytes)
    }
}

impl Codec for CompressedProtocol {
    #[inline(always)]
    fn process(&mut self, bytes: &mut BytesMut, messages: &mut Vec<Message>) -> sockudo_ws::Result<()> {
        self.process_into(bytes, messages)
    }

    #[inline(always)]
    fn encode(&mut self, message: &Message, bytes: &mut BytesMut) -> sockudo_ws::Result<()> {
        self.encode_message(message, bytes)
    }
}

fn plain(server: bool) -> Protocol {
    Protocol::new(role(server), LIMIT_BYTES, LIMIT_BYTES)
}

fn compressed(context: Context) -> CompressedProtocol {
    CompressedProtocol::server(LIMIT_BYTES, LIMIT_BYTES, deflate(context))
}

pub fn enter(job: &Job) -> Entry {
    let times = job.messages();
    match job {
        Job::Receive(job) if job.pieces => Err(NO_PIECES),
        Job::Receive(job) => match job.deflate {
            Some(context) => receive(compressed(context), job),
            None => receive(plain(job.server), job),
        },
        Job::Send(job) => match job.deflate {
            Some(context) => send(compressed(context), job),
            None => send(plain(job.server), job),
        },
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
            let mut wire = Wire::new(Aligned::source(REQUEST), REQUEST.len(), tap.clone());
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

fn receive(mut protocol: impl Codec, job: &Receive) -> Entry {
    let (mut wire, read_bytes, count) = (job.wire(), job.read_bytes, job.messages.len());
    let (mut bytes, mut messages) = (BytesMut::new(), Vec::new());
    rounds(move |seen| {
        let last = seen.messages + count as u64;
        while seen.messages < last {
            bytes.reserve(read_bytes);
            now(tokio::io::AsyncReadExt::read_buf(&mut wire, &mut bytes)).expect("a transport");
            protocol.process(&mut bytes, &mut messages).expect("messages");
            for message in messages.drain(..) {
                show(message, seen);
            }
        }
    })
}

fn send(mut protocol: impl Codec, job: &Send) -> Entry {
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
            let encoded = protocol.encode(black_box(message), &mut bytes);
            encoded.expect("a frame");
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
