//! web-socket, without a runtime. It leaves putting fragments together and validating text to its users. It reads by the
//! field, so that one puts a `BufReader` before the transport.

use std::hint::black_box;

use tokio::io::BufReader;
use web_socket::{DataType, Event, MessageType, Stream, WebSocket};

use super::{NO_DEFLATE, NO_PIECES, NOT_ALONE, PIECES_UNCHECKED, connection, rounds};
use crate::contender::Entry;
use crate::wire::{Wire, now};
use crate::workloads::{Job, Message};

const INLINE: usize = size_of::<WebSocket<BufReader<Wire>>>() - size_of::<Wire>();

fn socket<S>(stream: S, server: bool) -> WebSocket<S> {
    if server {
        WebSocket::server(stream)
    } else {
        WebSocket::client(stream)
    }
}

pub fn enter(job: &Job) -> Entry {
    let messages = job.messages();
    match job {
        _ if job.deflate().is_some() => Err(NO_DEFLATE),
        Job::Receive(job) if job.pieces && job.is_text() => Err(PIECES_UNCHECKED),
        Job::Receive(job) if job.pieces && !job.fragmented => Err(NO_PIECES),
        Job::Receive(job) if job.fragmented && !job.pieces => Err("does not put fragments together"),
        Job::Receive(job) => {
            let mut socket = socket(BufReader::new(job.wire()), job.server);
            connection(INLINE, 0, move |seen| {
                let last = seen.messages + messages as u64;
                while seen.messages < last {
                    match now(socket.recv()).expect("an event") {
                        Event::Data {
                            ty: DataType::Complete(MessageType::Text),
                            data,
                        } => seen.message(true, str::from_utf8(&data).expect("text").as_bytes()),
                        Event::Data {
                            ty: DataType::Complete(MessageType::Binary),
                            data,
                        } => seen.message(false, &data),
                        Event::Data {
                            ty: DataType::Stream(stream),
                            data,
                        } => {
                            seen.piece(&data);
                            if matches!(stream, Stream::End(_)) {
                                seen.end(false);
                            }
                        }
                        other => panic!("{other:?}"),
                    }
                }
            })
        }
        Job::Send(job) => {
            let mut socket = socket(job.wire(), job.server);
            let messages: Vec<_> = job.messages.iter().map(Message::copy).collect();
            let text = job.is_text();
            rounds(move |seen| {
                for message in &messages {
                    let payload = black_box(&message.payload[..]);
                    if text {
                        // SAFETY: the texts of the workloads are text, and looking again is not part of sending.
                        now(socket.send(unsafe { str::from_utf8_unchecked(payload) }))
                    } else {
                        now(socket.send(payload))
                    }
                    .expect("a transport");
                }
                seen.messages += messages.len() as u64;
            })
        }
        Job::Handshake(_) => Err("has no opening handshake"),
        _ => Err(NOT_ALONE),
    }
}
