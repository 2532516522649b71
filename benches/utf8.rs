//! Validating text: our kernels with every set of instructions that this processor has, beside what others do.
//!
//! Kernels are no part of the crate's interface, and which one runs is not to be chosen there, so that their source is
//! compiled into this bench.
#![allow(
    dead_code,
    unreachable_pub,
    unused_imports,
    reason = "of a source that is made for the crate"
)]

extern crate alloc;

#[path = "../src/cpu.rs"]
mod cpu;
#[path = "../src/mask/mod.rs"]
mod mask;
#[path = "../src/utf8/mod.rs"]
mod utf8;
mod workload;

use std::hint::black_box;

use cpu::Cpu;
use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use mask::MaskingKey;
use utf8::kernel;
use workload::Content;

const SIZES: [usize; 6] = [8, 32, 125, 1 << 10, 4 << 10, 16 << 10];

/// Turns the characters of the payloads into others of the same length, so that a text stays one however often it is
/// unmasked.
const KEY: MaskingKey = MaskingKey::new([1; 4]);

/// Bytes of all texts of a run, one behind the other as in a read: no text is looked at while its stores are under way.
const READ_BYTES: usize = 16 << 10;

fn utf8(criterion: &mut Criterion) {
    for content in [Content::Ascii, Content::Mixed] {
        for len in SIZES {
            let mut group = criterion.benchmark_group(format!("utf8/{}/{len}", content.name()));
            let mut texts = content.payload(len).repeat(READ_BYTES / len);
            group.throughput(Throughput::Bytes(texts.len() as u64));
            let mut contend = |name: &str, key, valid: &dyn Fn(&mut [u8]) -> bool| {
                contend(&mut group, name, key, &mut texts, len, valid);
            };
            let none = MaskingKey::default();
            contend("simdutf8", none, &|text| simdutf8::basic::from_utf8(text).is_ok());
            contend("xor, then simdutf8", KEY, &|text| {
                KEY.apply(text);
                simdutf8::basic::from_utf8(text).is_ok()
            });
            for cpu in Cpu::each() {
                let level = cpu.level();
                contend(&format!("{level:?}"), KEY, &|text| kernel::run(cpu, KEY, text));
                contend(&format!("{level:?}, not masked"), none, &|text| {
                    kernel::run(cpu, none, &*text)
                });
            }
        }
    }
}

/// Times a way to validate all texts, and to unmask them by this key; that it does, and tells a wrong one, is asserted first.
fn contend(
    group: &mut BenchmarkGroup<'_, WallTime>,
    name: &str,
    key: MaskingKey,
    texts: &mut [u8],
    len: usize,
    valid: &dyn Fn(&mut [u8]) -> bool,
) {
    let mut unmasked = texts[..len].to_vec();
    assert!(valid(&mut unmasked), "{name}");
    let key_octets = key.octets().into_iter().cycle();
    assert!(
        unmasked
            .iter()
            .zip(&*texts)
            .zip(key_octets)
            .all(|((to, from), key)| *to == from ^ key),
        "{name}"
    );
    let mut wrong = texts[..len].to_vec();
    wrong[len - 1] = 0xff;
    assert!(!valid(&mut wrong), "{name}");
    let all_valid = |texts: &mut [u8]| texts.chunks_exact_mut(len).all(|text| valid(black_box(text)));
    assert!(all_valid(texts) && all_valid(texts), "{name}");
    group.bench_function(BenchmarkId::from_parameter(name), |bencher| {
        bencher.iter(|| all_valid(black_box(texts)));
    });
}

criterion_group! { name = benches; config = workload::criterion(); targets = utf8 }
criterion_main!(benches);
