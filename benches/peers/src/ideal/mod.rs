//! Straight-line loops, one for each job, with everything that has to be done for it and nothing else: headers checked,
//! text validated; no control frames, no limits, no errors but a panic, no API.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod deflate;
mod kernel;
mod receive;
mod rest;
mod send;
#[cfg(target_arch = "x86_64")]
mod tables;

use std::sync::Arc;

use crate::aligned::Aligned;
use crate::contender::{Contender, Entry, Seen};
use crate::wire::Wire;
use crate::workloads::{Job, KEY, Receive};

use kernel::{Kernel, Portable};
#[cfg(target_arch = "x86_64")]
use {avx2::Avx2, avx512::Avx512};

/// A loop that is compiled for each kernel.
trait Loop {
    /// # Safety
    /// The processor has what the kernel is for.
    unsafe fn run<K: Kernel>(&mut self, seen: &mut Seen<'_>);
}

/// What the loops use.
#[derive(Clone, Copy, PartialEq, PartialOrd)]
pub enum Instructions {
    Portable,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    #[cfg(target_arch = "x86_64")]
    Avx512,
}

impl Instructions {
    /// The most that this processor has.
    pub fn known() -> Self {
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("avx2")
            && is_x86_feature_detected!("bmi1")
            && is_x86_feature_detected!("bmi2")
            && is_x86_feature_detected!("lzcnt")
            && is_x86_feature_detected!("popcnt")
        {
            let wide = is_x86_feature_detected!("avx512f")
                && is_x86_feature_detected!("avx512bw")
                && is_x86_feature_detected!("avx512vl");
            return if wide { Self::Avx512 } else { Self::Avx2 };
        }
        Self::Portable
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::Portable => "portable code",
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => "AVX2",
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => "AVX-512",
        }
    }
}

/// Chooses the kernel, once a round.
struct Chosen<L> {
    instructions: Instructions,
    job: L,
}

impl<L: Loop> Contender for Chosen<L> {
    fn run(&mut self, seen: &mut Seen<'_>) {
        match self.instructions {
            // SAFETY: every processor has it.
            Instructions::Portable => unsafe { self.job.run::<Portable>(seen) },
            #[cfg(target_arch = "x86_64")]
            // SAFETY: looked for when it was made.
            Instructions::Avx2 => unsafe { run_avx2(&mut self.job, seen) },
            #[cfg(target_arch = "x86_64")]
            // SAFETY: looked for when it was made.
            Instructions::Avx512 => unsafe { run_avx512(&mut self.job, seen) },
        }
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
fn run_avx2<L: Loop>(job: &mut L, seen: &mut Seen<'_>) {
    // SAFETY: these are the features that it needs.
    unsafe { job.run::<Avx2>(seen) }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,bmi1,bmi2,lzcnt,popcnt")]
fn run_avx512<L: Loop>(job: &mut L, seen: &mut Seen<'_>) {
    // SAFETY: these are the features that it needs.
    unsafe { job.run::<Avx512>(seen) }
}

fn chosen<L: Loop + 'static>(job: L) -> Entry {
    let instructions = Instructions::known();
    Ok(Box::new(Chosen { instructions, job }))
}

pub fn ideal(job: &Job) -> Entry {
    match job {
        Job::Receive(job) => match job.deflate {
            Some(context) => chosen(deflate::Receive::new(job, context)),
            None if job.fragmented || job.pieces => chosen(receive::Parts::new(job)),
            None => chosen(receive::Whole::new(job)),
        },
        Job::Send(job) => match job.deflate {
            Some(context) => chosen(deflate::Send::new(job, context)),
            None => chosen(send::Frames::new(job)),
        },
        Job::Mask(len) => chosen(rest::Mask(Aligned::new(&vec![0; *len]))),
        Job::Validate(text) => chosen(rest::Text::new(text, false)),
        Job::UnmaskText(text) => chosen(rest::Text::new(text, true)),
        Job::Handshake(tap) => Ok(Box::new(rest::Handshake::new(tap))),
    }
}

/// Less than any contender has to do: a copy of the bytes as they are read, masked if they are, in one pass.
pub fn copy(job: &Job) -> Entry {
    match job {
        _ if job.deflate().is_some() => Err("copies what is not compressed"),
        Job::Receive(job) => chosen(Copy::new(job)),
        _ => Err("there is nothing to read"),
    }
}

struct Copy {
    wire: Wire,
    read: Arc<Aligned>,
    /// Where the bytes of a read go: one place again and again, unless a message has to be whole.
    to: Aligned,
    bytes: usize,
    read_bytes: usize,
    key: u32,
    messages: u64,
    payload: u64,
}

impl Copy {
    fn new(job: &Receive) -> Self {
        let whole = if job.pieces { 0 } else { job.longest() };
        Self {
            wire: job.wire(),
            read: Aligned::source(&job.bytes),
            to: Aligned::space(whole.max(job.read_bytes) + job.read_bytes),
            bytes: job.bytes.len(),
            read_bytes: job.read_bytes,
            key: if job.server { u32::from_le_bytes(KEY) } else { 0 },
            messages: job.messages.len() as u64,
            payload: job
                .messages
                .iter()
                .map(|message| message.payload.len() as u64)
                .sum(),
        }
    }
}

impl Loop for Copy {
    #[inline(always)]
    unsafe fn run<K: Kernel>(&mut self, seen: &mut Seen<'_>) {
        let (mut from, mut to) = (0, 0);
        while from < self.bytes {
            let n = self.read_bytes.min(self.bytes - from);
            if self.key == 0 {
                let n = self.wire.read_into(&mut self.to[to..to + n]);
                debug_assert!(n > 0);
            } else {
                // SAFETY: both have so many bytes.
                unsafe {
                    K::copy_xor(
                        self.read.as_ptr().add(from),
                        self.to.as_mut_ptr().add(to),
                        n,
                        self.key,
                    )
                };
            }
            std::hint::black_box(&mut self.to);
            from += n;
            to += n;
            if to + self.read_bytes > self.to.len() {
                to = 0;
            }
        }
        seen.messages += self.messages;
        seen.bytes += self.payload;
    }
}
