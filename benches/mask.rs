//! Masking: in place, and into a copy.

mod workload;

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use workload::{Content, KEY, SIZES};

fn mask(criterion: &mut Criterion) {
    let naive = |payload: &[u8]| -> Vec<u8> {
        let key = KEY.octets();
        payload
            .iter()
            .zip(key.iter().cycle())
            .map(|(octet, key)| octet ^ key)
            .collect()
    };

    let mut group = criterion.benchmark_group("mask/in_place");
    for len in SIZES {
        let mut payload = Content::Binary.payload(len);
        let masked = naive(&payload);
        KEY.apply(&mut payload);
        assert_eq!(payload, masked);
        group.throughput(Throughput::Bytes(len as u64));
        group.bench_function(BenchmarkId::from_parameter(len), |bencher| {
            bencher.iter(|| black_box(KEY).apply(black_box(&mut payload)));
        });
    }
    group.finish();

    let mut group = criterion.benchmark_group("mask/copy");
    for len in SIZES {
        let payload = Content::Binary.payload(len);
        let mut masked = vec![0; len];
        KEY.copy(&payload, &mut masked);
        assert_eq!(masked, naive(&payload));
        group.throughput(Throughput::Bytes(len as u64));
        group.bench_function(BenchmarkId::from_parameter(len), |bencher| {
            bencher.iter(|| black_box(KEY).copy(black_box(&payload), black_box(&mut masked)));
        });
    }
}

criterion_group! { name = benches; config = workload::criterion(); targets = mask }
criterion_main!(benches);
