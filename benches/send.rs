//! Sending: time per message put into the outbox, which the transport empties every 16 KiB.

mod workload;

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use workload::{Content, READ_BYTES, SIZES};
use ws_proto::frame::Opcode;
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
        sender.put();
        assert!(workload::is_frame(
            role,
            Opcode::TEXT,
            sender.outbox.bytes(),
            sender.payload.as_bytes()
        ));
        sender.outbox.consume(usize::MAX);
        sender
    }

    fn put(&mut self) {
        let sent = self
            .connection
            .send_text(black_box(&self.payload), &mut self.outbox);
        assert_eq!(sent, Ok(()));
    }

    fn send(&mut self) {
        self.put();
        if self.outbox.len() >= READ_BYTES {
            black_box(self.outbox.bytes());
            self.outbox.consume(usize::MAX);
        }
    }
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
