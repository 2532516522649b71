//! Receiving: time per message, many in one read.
//!
//! Receiving unmasks in place, so that every read begins with a copy of the masked bytes, which is not timed. It
//! leaves them in the cache, as a read from a socket does.

mod workload;

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use workload::{Content, READ_BYTES, SIZES};
use ws_proto::{Config, Connection, Event, Inbox, Input, Outbox, Role};

/// A connection, and what one read returns again and again.
struct Reads {
    connection: Connection,
    inbox: Inbox,
    outbox: Outbox,
    masked: Vec<u8>,
    buffer: Vec<u8>,
    messages: u32,
}

impl Reads {
    fn new(role: Role, content: Content, len: usize) -> Self {
        let payload = content.payload(len);
        let frame = workload::frame(role, content.opcode(), &payload);
        let messages = (READ_BYTES / frame.len()).max(1);
        let masked = frame.repeat(messages);
        let mut reads = Self {
            connection: Connection::new(role, &Config::default()),
            inbox: Inbox::new(),
            outbox: workload::outbox(role),
            buffer: masked.clone(),
            masked,
            messages: messages as u32,
        };
        let mut seen = 0;
        reads.once(|event| {
            match event {
                Event::Text(text) => assert!(content != Content::Binary && text.as_bytes() == payload),
                Event::Binary(data) => assert!(content == Content::Binary && data == payload),
                other => unreachable!("{other:?}"),
            }
            seen += 1;
        });
        assert_eq!(seen, messages);
        reads
    }

    /// One read; how long its messages took.
    fn once(&mut self, mut seen: impl FnMut(Event<'_>)) -> Duration {
        self.buffer.copy_from_slice(&self.masked);
        let begin = Instant::now();
        let mut input = Input::new(&mut self.buffer[..], &mut self.inbox);
        while self.connection.receive(&mut input, &mut self.outbox) == Ok(true) {
            seen(input.event());
        }
        begin.elapsed()
    }

    /// How long `messages` take, from as many whole reads as that needs.
    fn time(&mut self, messages: u64) -> Duration {
        let reads = messages.div_ceil(u64::from(self.messages));
        let elapsed: Duration = (0..reads).map(|_| self.once(|event| _ = black_box(event))).sum();
        elapsed.mul_f64(messages as f64 / (reads * u64::from(self.messages)) as f64)
    }
}

fn receive(criterion: &mut Criterion) {
    for (role, masking) in [(Role::Server, "masked"), (Role::Client, "unmasked")] {
        for content in Content::ALL {
            let mut group = criterion.benchmark_group(format!("receive/{masking}/{}", content.name()));
            for len in SIZES {
                let mut reads = Reads::new(role, content, len);
                group.bench_function(BenchmarkId::from_parameter(len), |bencher| {
                    bencher.iter_custom(|messages| reads.time(messages));
                });
            }
        }
    }
}

criterion_group! { name = benches; config = workload::criterion(); targets = receive }
criterion_main!(benches);
