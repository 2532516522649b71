//! Sending: time per message put into the outbox, which the transport empties every 16 KiB.

mod workload;

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use workload::{Content, READ_BYTES, SIZES};
use ws_proto::frame::{Decoder, Part, Rules};
use ws_proto::{Config, Connection, Outbox, Role};

struct Sender {
    connection: Connection,
    outbox: Outbox,
    payload: String,
}

impl Sender {
    fn new(role: Role, len: usize) -> Self {
        let payload = String::from_utf8(Content::Mixed.payload(len)).unwrap_or_default();
        assert_eq!(payload.len(), len);
        let mut sender = Self {
            connection: Connection::new(role, &Config::default()),
            outbox: workload::outbox(role),
            payload,
        };
        sender.send();
        assert_is_one_frame(role, sender.outbox.bytes().to_vec(), sender.payload.as_bytes());
        sender.outbox.consume(usize::MAX);
        sender
    }

    fn send(&mut self) {
        let sent = self
            .connection
            .send_text(black_box(&self.payload), &mut self.outbox);
        assert_eq!(sent, Ok(()));
        if self.outbox.len() >= READ_BYTES {
            black_box(self.outbox.bytes());
            self.outbox.consume(usize::MAX);
        }
    }
}

fn assert_is_one_frame(sender: Role, mut bytes: Vec<u8>, payload: &[u8]) {
    if bytes.is_empty() {
        return; // long enough for the transport to have taken it
    }
    let mut decoder = Decoder::new(Rules::new(match sender {
        Role::Client => Role::Server,
        Role::Server => Role::Client,
    }));
    let Ok(step) = decoder.decode(&mut bytes) else {
        unreachable!("a valid header")
    };
    let rest = &mut bytes[step.consumed..];
    let Ok(step) = decoder.decode(rest) else {
        unreachable!("valid payload")
    };
    assert!(matches!(step.part, Part::Payload { range, last: true, .. } if rest[range.clone()] == *payload));
}

fn send(criterion: &mut Criterion) {
    for (role, masking) in [(Role::Client, "masked"), (Role::Server, "unmasked")] {
        let mut group = criterion.benchmark_group(format!("send/{masking}"));
        for len in SIZES {
            let mut sender = Sender::new(role, len);
            group.bench_function(BenchmarkId::from_parameter(len), |bencher| {
                bencher.iter(|| sender.send())
            });
        }
    }
}

criterion_group! { name = benches; config = workload::criterion(); targets = send }
criterion_main!(benches);
