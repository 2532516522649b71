//! This crate, by its public API.

use std::hint::black_box;

use ws_proto::deflate::Pool;
use ws_proto::frame::{Decoder, Part, Rules, Step};
use ws_proto::handshake::{Accept, HeadLimits, Server};
use ws_proto::mask::MaskingKey;
use ws_proto::utf8::Validator;
use ws_proto::{Config, Connection, Event, Inbox, Input, Outbox, Role};

use super::{FLUSH_BYTES, FRAMES_ONLY, NO_DEFLATE, NOT_ALONE, connection, rounds};
use crate::aligned::Aligned;
use crate::contender::Entry;
use crate::deflate::Context;
use crate::together::{self, Together};
use crate::wire::Wire;
use crate::workloads::{Job, KEY, REQUEST, Receive, Send, TEXT_KEY};

const CONNECTION_BYTES: usize = size_of::<Connection>() + size_of::<Inbox>() + size_of::<Outbox>();

pub fn enter(job: &Job) -> Entry {
    let times = job.messages();
    match job {
        Job::Receive(job) => receive(job, CONNECTION_BYTES, next),
        Job::Send(job) => send(job),
        Job::Mask(len) => {
            let mut bytes = Aligned::new(&vec![0; *len]);
            rounds(move |seen| {
                for _ in 0..times {
                    MaskingKey::new(KEY).apply(black_box(&mut bytes[..]));
                    seen.message(false, &bytes);
                }
            })
        }
        Job::Validate(text) => {
            let text = Aligned::new(text);
            rounds(move |seen| {
                for _ in 0..times {
                    let mut validator = Validator::new();
                    let valid = validator.feed(black_box(&text[..]));
                    assert!(valid.is_ok() && validator.is_complete());
                    seen.message(true, &text);
                }
            })
        }
        Job::UnmaskText(text) => {
            let mut text = Aligned::new(text);
            rounds(move |seen| {
                for _ in 0..times {
                    let mut validator = Validator::new();
                    let valid = validator.unmask(MaskingKey::new(TEXT_KEY), black_box(&mut text[..]));
                    assert!(valid.is_ok() && validator.is_complete());
                    seen.message(true, &text);
                }
            })
        }
        Job::Handshake(tap) => {
            let mut wire = Wire::new(Aligned::source(REQUEST), REQUEST.len(), tap.clone());
            let mut buffer = Aligned::space(4096);
            let mut outbox = Outbox::new();
            rounds(move |seen| {
                for _ in 0..times {
                    let n = wire.read_into(&mut buffer);
                    let mut server = Server::new(HeadLimits::default());
                    let received = server.receive(&buffer[..n]).expect("a request");
                    let Some(head) = &received.head else {
                        panic!("a whole one");
                    };
                    match &head.upgrade() {
                        Ok(request) => assert!(request.accept(&Accept::default(), &mut outbox).is_ok()),
                        Err(error) => panic!("{error}"),
                    }
                    let written = wire.write_from(outbox.bytes());
                    outbox.consume(written);
                    seen.messages += 1;
                }
            })
        }
    }
}

/// Frames alone, for those who pass them on.
pub fn enter_decoder(job: &Job) -> Entry {
    let Job::Receive(job) = job else {
        return Err(NOT_ALONE);
    };
    if job.deflate.is_some() {
        return Err(NO_DEFLATE);
    }
    if job.is_text() {
        return Err(FRAMES_ONLY);
    }
    let (mut wire, messages) = (job.wire(), job.messages.len() as u64);
    let mut decoder = Decoder::new(Rules::new(if job.server { Role::Server } else { Role::Client }));
    let (mut buffer, mut fin) = (Aligned::space(job.read_bytes), false);
    connection(size_of::<Decoder>(), buffer.held_bytes(), move |seen| {
        let last = seen.messages + messages;
        while seen.messages < last {
            let n = wire.read_into(&mut buffer);
            let mut bytes = &mut buffer[..n];
            loop {
                let Step { consumed, part } = decoder.decode(bytes).expect("no violation");
                match part {
                    Part::More => break,
                    Part::Header(header) => fin = header.fin,
                    Part::Payload { range, last, .. } => {
                        seen.piece(&bytes[range]);
                        if last && fin {
                            seen.end(false);
                        }
                    }
                }
                bytes = &mut bytes[consumed..];
            }
        }
    })
}

fn config(deflate: Option<Context>) -> Config {
    let mut config = Config::default();
    config.deflate = deflate.map(Context::parameters);
    config
}

/// Without context, compressors are shared.
fn outbox(server: bool, deflate: Option<Context>) -> Outbox {
    let mut outbox = if server {
        Outbox::new()
    } else {
        Outbox::client([7; 16])
    };
    if deflate == Some(Context::None) {
        outbox.set_pool(Pool::default());
    }
    outbox
}

/// `Connection::receive` in the loop itself: without the call of [`next`].
pub fn enter_own_loop(job: &Job) -> Entry {
    match job {
        Job::Receive(job) => receive(job, 0, |state, input, outbox| {
            state.receive(input, outbox).expect("no violation")
        }),
        _ => Err(NOT_ALONE),
    }
}

/// A call that is not inlined for each message, as of a runtime that others call.
#[inline(never)]
fn next(state: &mut Connection, input: &mut Input<&mut [u8], &mut Inbox>, outbox: &mut Outbox) -> bool {
    state.receive(input, outbox).expect("no violation")
}

/// The readiness loop: one buffer for all connections of a thread, which hold `inline` bytes each.
fn receive(
    job: &Receive,
    inline: usize,
    next: impl Fn(&mut Connection, &mut Input<&mut [u8], &mut Inbox>, &mut Outbox) -> bool + 'static,
) -> Entry {
    let (mut wire, messages, pieces) = (job.wire(), job.messages.len() as u64, job.pieces);
    let mut config = config(job.deflate);
    config.pieces = pieces;
    let role = if job.server { Role::Server } else { Role::Client };
    let mut state = Connection::new(role, &config);
    let (mut inbox, mut outbox) = (Inbox::new(), outbox(true, job.deflate));
    let mut buffer = Aligned::space(job.read_bytes);
    connection(inline, buffer.held_bytes(), move |seen| {
        let last = seen.messages + messages;
        while seen.messages < last {
            let mut input = Input::with_space(&mut buffer[..], &mut inbox);
            let n = wire.read_into_all(&mut input.spaces(&state));
            input.filled(n);
            while next(&mut state, &mut input, &mut outbox) {
                let (text, payload) = match input.event() {
                    Event::Text(text) => (true, text.as_bytes()),
                    Event::Binary(data) => (false, data),
                    other => panic!("{other:?}"),
                };
                if !pieces {
                    seen.message(text, payload);
                    continue;
                }
                seen.piece(payload);
                if input.is_message_end() {
                    seen.end(text);
                }
            }
        }
    })
}

fn send(job: &Send) -> Entry {
    let mut wire = job.wire();
    let role = if job.server { Role::Server } else { Role::Client };
    let mut outbox = outbox(job.server, job.deflate);
    let mut state = Connection::new(role, &config(job.deflate));
    let messages: Vec<_> = job.messages.iter().map(crate::workloads::Message::copy).collect();
    let (text, from_where_they_lie) = (job.is_text(), together::pays(job));
    rounds(move |seen| {
        seen.messages += messages.len() as u64;
        let mut together = Together::new();
        for message in &messages {
            if from_where_they_lie {
                let payload = black_box(&message.payload[..]);
                let header = if text {
                    // SAFETY: as below.
                    state.send_text_header(unsafe { str::from_utf8_unchecked(payload) }, &mut outbox)
                } else {
                    state.send_binary_header(payload, &mut outbox)
                };
                if together.add(header.expect("the connection is open"), payload) {
                    together.write(outbox.bytes(), &mut wire);
                    outbox.consume(outbox.len());
                }
                continue;
            }
            let payload = black_box(&message.payload[..]);
            let sent = if text {
                // SAFETY: the texts of the workloads are text, and looking again is not part of sending.
                state.send_text(unsafe { str::from_utf8_unchecked(payload) }, &mut outbox)
            } else {
                state.send_binary(payload, &mut outbox)
            };
            sent.expect("there is room");
            if outbox.len() >= FLUSH_BYTES {
                let written = wire.write_from(outbox.bytes());
                outbox.consume(written);
            }
        }
        together.write(outbox.bytes(), &mut wire);
        outbox.consume(outbox.len());
    })
}
