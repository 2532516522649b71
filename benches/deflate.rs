//! Compressed messages, in and out, beside `zlib-rs` alone on the same bytes: what is ours on top of it.
//!
//! `alone` does with `zlib-rs` what a WebSocket endpoint cannot do without: inflate the octets of a message and the four
//! that were dropped, or compress with a sync flush and drop them, after a reset if contexts are not taken over. Its
//! buffers are ready.

mod workload;

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use workload::json;
use ws_proto::deflate::{Parameters, Pool};
use ws_proto::frame::Header;
use ws_proto::{Config, Connection, Event, Inbox, Input, Outbox, Role};
use zlib_rs::{Deflate, DeflateFlush, Inflate, InflateFlush};

const SIZES: [usize; 3] = [256, 4 << 10, 64 << 10];

/// Messages that follow one another, so that a context has something to refer to. They come round again, further away
/// than the window reaches.
fn texts(len: usize) -> Vec<String> {
    let count = (128 << 10) / len;
    (0..count.max(4)).map(|seed| json::text(seed, len)).collect()
}

const TAIL: [u8; 4] = [0, 0, 0xff, 0xff];

/// One end of a connection that compresses.
struct End {
    connection: Connection,
    inbox: Inbox,
    outbox: Outbox,
}

impl End {
    fn new(role: Role, takes_over: bool) -> Self {
        let mut config = Config::default();
        config.deflate = Some(Parameters {
            server_no_context_takeover: !takes_over,
            client_no_context_takeover: !takes_over,
            ..Parameters::default()
        });
        let mut outbox = workload::outbox(role);
        if !takes_over {
            outbox.set_pool(Pool::default());
        }
        Self {
            connection: Connection::new(role, &config),
            inbox: Inbox::new(),
            outbox,
        }
    }

    fn send(&mut self, text: &str) {
        self.outbox.consume(usize::MAX);
        assert_eq!(self.connection.send_text(text, &mut self.outbox), Ok(()));
    }

    /// The length of the message that these bytes are.
    fn receive(&mut self, bytes: &mut [u8]) -> usize {
        let mut input = Input::new(bytes, &mut self.inbox);
        assert_eq!(self.connection.receive(&mut input, &mut self.outbox), Ok(true));
        match input.event() {
            Event::Text(text) => black_box(text).len(),
            other => unreachable!("{other:?}"),
        }
    }
}

/// The frames that a client sends: each round of messages after the first refers to the round before.
fn frames(texts: &[String], takes_over: bool) -> Vec<Vec<u8>> {
    let mut client = End::new(Role::Client, takes_over);
    let mut frames = Vec::new();
    for _ in 0..2 {
        frames.clear();
        for text in texts {
            client.send(text);
            frames.push(client.outbox.bytes().to_vec());
        }
    }
    frames
}

/// The payload data of a masked frame.
fn payload(frame: &[u8]) -> Vec<u8> {
    let Ok(Some((header, len))) = Header::parse(frame) else {
        unreachable!("a frame")
    };
    let mut payload = frame[len..].to_vec();
    header.key.unwrap_or_default().apply(&mut payload);
    payload
}

fn inflate_alone(inflate: &mut Inflate, octets: &[u8], to: &mut [u8], takes_over: bool) -> usize {
    if !takes_over {
        inflate.reset(false);
    }
    let before = inflate.total_out();
    for part in [octets, &TAIL] {
        let at = (inflate.total_out() - before) as usize;
        assert!(
            inflate
                .decompress(part, &mut to[at..], InflateFlush::SyncFlush)
                .is_ok()
        );
    }
    (inflate.total_out() - before) as usize
}

fn deflate_alone(deflate: &mut Deflate, text: &[u8], to: &mut [u8], takes_over: bool) -> usize {
    if !takes_over {
        deflate.reset();
    }
    let before = deflate.total_out();
    assert!(deflate.compress(text, to, DeflateFlush::SyncFlush).is_ok());
    (deflate.total_out() - before) as usize - TAIL.len()
}

fn receive(criterion: &mut Criterion) {
    for (takes_over, context) in [(true, "kept"), (false, "none")] {
        let mut group = criterion.benchmark_group(format!("deflate/receive/context {context}"));
        for len in SIZES {
            let texts = texts(len);
            let frames = frames(&texts, takes_over);
            let payloads: Vec<_> = frames.iter().map(|frame| payload(frame)).collect();

            let mut server = End::new(Role::Server, takes_over);
            let mut inflate = Inflate::new(false, 15);
            let mut to = vec![0; len + 1];
            let mut read = frames.clone();
            // The first round of a context that is kept refers to one that this receiver has not seen.
            if takes_over {
                let mut client = End::new(Role::Client, true);
                for text in &texts {
                    client.send(text);
                    let mut frame = client.outbox.bytes().to_vec();
                    inflate_alone(&mut inflate, &payload(&frame), &mut to, true);
                    assert_eq!(server.receive(&mut frame), len);
                }
            }
            let mut i = 0;
            group.bench_function(BenchmarkId::new("ours", len), |bencher| {
                bencher.iter(|| {
                    i = (i + 1) % texts.len();
                    // Unmasking changes what was read.
                    read[i].copy_from_slice(&frames[i]);
                    assert_eq!(server.receive(&mut read[i]), len);
                });
            });
            let mut i = 0;
            group.bench_function(BenchmarkId::new("alone", len), |bencher| {
                bencher.iter(|| {
                    i = (i + 1) % texts.len();
                    assert_eq!(
                        inflate_alone(&mut inflate, &payloads[i], &mut to, takes_over),
                        len
                    );
                    black_box(&to);
                });
            });
        }
    }
}

fn send(criterion: &mut Criterion) {
    for (takes_over, context) in [(true, "kept"), (false, "none")] {
        let mut group = criterion.benchmark_group(format!("deflate/send/context {context}"));
        for len in SIZES {
            let texts = texts(len);
            let mut server = End::new(Role::Server, takes_over);
            let mut deflate = Deflate::new(6, false, 15);
            let mut to = vec![0; len + 64];
            for text in &texts {
                server.send(text);
                let alone = deflate_alone(&mut deflate, text.as_bytes(), &mut to, takes_over);
                assert!(server.outbox.bytes().ends_with(&to[..alone]), "the same octets");
            }
            let mut i = 0;
            group.bench_function(BenchmarkId::new("ours", len), |bencher| {
                bencher.iter(|| {
                    i = (i + 1) % texts.len();
                    server.send(&texts[i]);
                    black_box(server.outbox.bytes());
                });
            });
            let mut i = 0;
            group.bench_function(BenchmarkId::new("alone", len), |bencher| {
                bencher.iter(|| {
                    i = (i + 1) % texts.len();
                    black_box(deflate_alone(
                        &mut deflate,
                        texts[i].as_bytes(),
                        &mut to,
                        takes_over,
                    ));
                });
            });
        }
    }
}

criterion_group! { name = benches; config = workload::criterion(); targets = receive, send }
criterion_main!(benches);
