//! websocket-sans-io, which splits bytes into frames and unmasks them. Messages, and so text, are its users' affair.

use std::hint::black_box;

use rand::rngs::ChaCha12Rng;
use rand::{Rng, SeedableRng};
use websocket_sans_io::{
    FrameInfo, Opcode, WebsocketFrameDecoder, WebsocketFrameEncoder, WebsocketFrameEvent,
};

use super::{FLUSH_BYTES, FRAMES_ONLY, NO_DEFLATE, NOT_ALONE, connection, rounds};
use crate::aligned::Aligned;
use crate::contender::Entry;
use crate::workloads::{Job, KEY, Message};

pub fn enter(job: &Job) -> Entry {
    let times = job.messages();
    match job {
        _ if job.deflate().is_some() => Err(NO_DEFLATE),
        Job::Receive(job) if job.is_text() => Err(FRAMES_ONLY),
        Job::Receive(job) => {
            let (mut wire, mut decoder) = (job.wire(), WebsocketFrameDecoder::new());
            let mut buffer = Aligned::space(job.read_bytes);
            let held = buffer.held_bytes();
            connection(size_of::<WebsocketFrameDecoder>(), held, move |seen| {
                let last = seen.messages + times as u64;
                while seen.messages < last {
                    let n = wire.read_into(&mut buffer);
                    let mut bytes = &mut buffer[..n];
                    loop {
                        let found = decoder.add_data(bytes).expect("never fails");
                        if found.event.is_none() && found.consumed_bytes == 0 {
                            break;
                        }
                        match found.event {
                            Some(WebsocketFrameEvent::PayloadChunk { .. }) => {
                                seen.piece(&bytes[..found.consumed_bytes]);
                            }
                            Some(WebsocketFrameEvent::Start { frame_info, .. }) => {
                                assert!(frame_info.is_reasonable());
                            }
                            Some(WebsocketFrameEvent::End { frame_info, .. }) if frame_info.fin => {
                                seen.end(false);
                            }
                            _ => {}
                        }
                        bytes = &mut bytes[found.consumed_bytes..];
                    }
                }
            })
        }
        Job::Send(job) => {
            let (mut wire, mut encoder) = (job.wire(), WebsocketFrameEncoder::new());
            let mut keys = (!job.server).then(|| ChaCha12Rng::from_seed([7; 32]));
            let messages: Vec<_> = job.messages.iter().map(Message::copy).collect();
            let (mut bytes, text) = (Vec::new(), job.is_text());
            rounds(move |seen| {
                for message in &messages {
                    let payload = black_box(&message.payload[..]);
                    let header = encoder.start_frame(&FrameInfo {
                        opcode: if text { Opcode::Text } else { Opcode::Binary },
                        payload_length: payload.len() as u64,
                        mask: keys.as_mut().map(|keys| keys.next_u32().to_le_bytes()),
                        fin: true,
                        reserved: 0,
                    });
                    bytes.extend_from_slice(&header);
                    let start = bytes.len();
                    bytes.extend_from_slice(payload);
                    encoder.transform_frame_payload(&mut bytes[start..]);
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
                    websocket_sans_io::apply_mask(KEY, black_box(&mut bytes[..]), 0);
                    seen.message(false, &bytes);
                }
            })
        }
        Job::Handshake(_) => Err("has no opening handshake"),
        _ => Err(NOT_ALONE),
    }
}
