//! Validating text: with every set of instructions that this processor has, beside what others do.
//!
//! The kernels are no part of the crate's interface: their source is compiled into this bench.
#![allow(unsafe_code, unreachable_pub, missing_docs, unused)]

extern crate alloc;

#[path = "../src/cpu.rs"]
mod cpu;
#[path = "../src/mask.rs"]
mod mask;
#[path = "../src/utf8/mod.rs"]
mod utf8;
mod workload;

use std::hint::black_box;

use cpu::Level;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use mask::MaskingKey;
use utf8::kernel::{self, Masked, Plain};
use workload::Content;

const SIZES: [usize; 6] = [8, 32, 125, 1 << 10, 4 << 10, 16 << 10];

/// Of zeros, so that a text stays the same however often it is unmasked. No kernel looks for it.
const KEY: MaskingKey = MaskingKey::new([0; 4]);

fn utf8(criterion: &mut Criterion) {
    for content in [Content::Ascii, Content::Mixed] {
        for len in SIZES {
            let name = format!("utf8/{}/{len}", content.name());
            let mut group = criterion.benchmark_group(name);
            group.throughput(Throughput::Bytes(len as u64));
            let mut text = content.payload(len);
            let mut wrong = text.clone();
            wrong[len - 1] = 0xff;

            assert!(simdutf8::basic::from_utf8(&text).is_ok());
            group.bench_function("simdutf8", |bencher| {
                bencher.iter(|| simdutf8::basic::from_utf8(black_box(&text)).is_ok());
            });
            group.bench_function("xor, then simdutf8", |bencher| {
                bencher.iter(|| {
                    black_box(workload::KEY).apply(black_box(&mut text));
                    simdutf8::basic::from_utf8(black_box(&text)).is_ok()
                });
            });
        }
    }
}
