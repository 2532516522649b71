//! How cost grows: each parser and buffer does a job of size `n` and one of twice that, and the second is to take twice
//! what the first takes.
//!
//! `growth` times them, in turns; `growth list` says what they are; `growth once` does each of both sizes one time, for
//! `run` to have the instructions counted. A part of their names, behind that, takes those alone.

mod deflate;
mod handshake;
mod layers;
mod receive;
mod send;
#[path = "../workload/mod.rs"]
mod workload;

use std::hint::black_box;
use std::process::ExitCode;
use std::time::Duration;

/// Work that is prepared, to be done once: whether its result is as expected.
pub(crate) type Job = Box<dyn FnMut() -> bool>;

#[derive(Clone, Copy)]
pub(crate) struct Path {
    what: &'static str,
    n: usize,
    prepare: fn(usize) -> Job,
}

pub(crate) const fn path(what: &'static str, n: usize, prepare: fn(usize) -> Job) -> Path {
    Path { what, n, prepare }
}

/// cost(2n) / cost(n) of what is linear.
const LINEAR: std::ops::RangeInclusive<f64> = 1.9..=2.2;

const ROUNDS: usize = 101;

/// What is timed takes at least so long, or nearly.
const LEAST_MICROS: usize = 4;

fn main() -> ExitCode {
    // Cargo adds options of its own.
    let arguments: Vec<_> = std::env::args()
        .skip(1)
        .filter(|argument| !argument.starts_with("--"))
        .collect();
    let paths: Vec<_> = [
        layers::PATHS,
        receive::PATHS,
        send::PATHS,
        deflate::PATHS,
        handshake::PATHS,
    ]
    .concat();
    for _ in 0..2 {
        // The usual allocator of Linux takes such a piece from the system the first time, from its heap the second time, and
        // keeps that: no memory is new from then on.
        drop(black_box(vec![0u8; 31 << 20]));
    }
    let (command, part) = match &arguments[..] {
        [command, rest @ ..] if matches!(&command[..], "list" | "once") => (&command[..], rest.first()),
        rest => ("time", rest.first()),
    };
    let part = part.map_or("", String::as_str);
    let mut paths = paths.iter().filter(|path| path.what.contains(part));
    match command {
        "list" => paths.for_each(|path| println!("{}\t{}", path.n, path.what)),
        "once" => paths.for_each(once),
        _ => return time(&mut paths),
    }
    ExitCode::SUCCESS
}

/// What is measured, told by its name from what prepares a job. It returns by itself, not by a jump.
#[inline(never)]
fn measured(job: &mut Job) -> bool {
    black_box(job())
}

fn once(path: &Path) {
    // What is done the first time only is not counted.
    assert!((path.prepare)(path.n)(), "{}", path.what);
    for n in [path.n, 2 * path.n] {
        assert!(measured(&mut (path.prepare)(n)), "{}: {n}", path.what);
    }
}

fn time(paths: &mut dyn Iterator<Item = &Path>) -> ExitCode {
    let (mut pass, mut fail) = (0, 0);
    println!("| what | n | time for n, µs | time(2n) / time(n) |\n| --- | --- | --- | --- |");
    for path in paths {
        // As much work in the same memory, whatever its size, and enough of it to be timed.
        let one = timed(path, path.n, 1).as_micros().max(1) as usize;
        let jobs = (LEAST_MICROS / one).max(1);
        let rounds = (0..ROUNDS).map(|_| (timed(path, path.n, 2 * jobs), timed(path, 2 * path.n, jobs)));
        let (times, ratios) = rounds
            .map(|(once, twice)| {
                let (once, twice) = (once.as_secs_f64() / 2.0, twice.as_secs_f64());
                (once * 1e6 / jobs as f64, twice / once)
            })
            .unzip();
        let (time, ratio) = (median(times), median(ratios));
        *if LINEAR.contains(&ratio) {
            &mut pass
        } else {
            &mut fail
        } += 1;
        println!("| {} | {} | {time:.1} | {ratio:.2} |", path.what, path.n);
    }
    println!("# pass {pass}\n# fail {fail}");
    ExitCode::from(u8::from(fail > 0))
}

fn timed(path: &Path, n: usize, jobs: usize) -> Duration {
    let mut jobs: Vec<_> = (0..jobs).map(|_| (path.prepare)(n)).collect();
    let before = cpu_time();
    let succeed = jobs.iter_mut().all(measured);
    let time = cpu_time() - before;
    assert!(succeed, "{}: {n}", path.what);
    time
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_unstable_by(f64::total_cmp);
    figures[figures.len() / 2]
}

/// The processor's time that this thread took: what others do on the machine counts little.
#[cfg(unix)]
fn cpu_time() -> Duration {
    use rustix::time::{ClockId, clock_gettime};
    let now = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(now.tv_sec as u64, now.tv_nsec as u32)
}

#[cfg(not(unix))]
fn cpu_time() -> Duration {
    use std::time::{SystemTime, UNIX_EPOCH};
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}
