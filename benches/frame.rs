//! Frames: headers alone, and a stream split by the decoder.

mod workload;

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use workload::{Content, KEY, READ_BYTES, SIZES};
use ws_proto::Role;
use ws_proto::frame::{Decoder, Header, Opcode, Part, Rules};

fn header(criterion: &mut Criterion) {
    for (masking, key) in [("masked", Some(KEY)), ("unmasked", None)] {
        for len in [125, 126, 65_536] {
            let mut header = Header::new(Opcode::BINARY, len);
            header.key = key;
            let bytes = header.encode();
            assert_eq!(Header::parse(&bytes), Ok(Some((header, bytes.len()))));
            let name = format!("{masking}/{len}");
            criterion.bench_function(&format!("frame/parse/{name}"), |bencher| {
                bencher.iter(|| Header::parse(black_box(&bytes)));
            });
            criterion.bench_function(&format!("frame/encode/{name}"), |bencher| {
                bencher.iter(|| black_box(&header).encode());
            });
        }
    }
}

/// Time per read of many frames, none of them unmasked.
fn split(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("frame/split_16_kib_of");
    for len in SIZES.into_iter().filter(|&len| len < READ_BYTES) {
        let frame = workload::frame(Role::Server, Opcode::BINARY, &Content::Binary.payload(len));
        let frames = READ_BYTES / frame.len();
        let stream = frame.repeat(frames);
        let mut decoder = Decoder::new(Rules::new(Role::Server));
        assert_eq!(count(&mut decoder, &stream), frames);
        group.bench_function(BenchmarkId::from_parameter(len), |bencher| {
            bencher.iter(|| count(&mut decoder, black_box(&stream)));
        });
    }
}

fn count(decoder: &mut Decoder, mut stream: &[u8]) -> usize {
    let mut frames = 0;
    while let Ok(step) = decoder.split(stream) {
        match step.part {
            Part::More => break,
            Part::Header(_) => {}
            Part::Payload { last, .. } => frames += usize::from(last),
        }
        stream = &stream[step.consumed..];
    }
    frames
}

criterion_group! { name = benches; config = workload::criterion(); targets = header, split }
criterion_main!(benches);
