//! What validating costs apart.

use std::hint::black_box;

use ::ws_proto::mask::MaskingKey;

use super::rounds;
use crate::aligned::Aligned;
use crate::contender::Entry;
use crate::workloads::{Job, TEXT_KEY};

const NOT_TEXT: &str = "validates text alone";

pub fn simdutf8(job: &Job) -> Entry {
    let (Job::Validate(text) | Job::UnmaskText(text)) = job else {
        return Err(NOT_TEXT);
    };
    let (text, times) = (Aligned::new(text), job.messages());
    rounds(move |seen| {
        for _ in 0..times {
            let text = black_box(&text[..]);
            assert!(simdutf8::basic::from_utf8(text).is_ok());
            seen.message(true, text);
        }
    })
}

pub fn xor_simdutf8(job: &Job) -> Entry {
    let Job::UnmaskText(text) = job else {
        return Err(NOT_TEXT);
    };
    let (mut text, times) = (Aligned::new(text), job.messages());
    rounds(move |seen| {
        for _ in 0..times {
            MaskingKey::new(TEXT_KEY).apply(black_box(&mut text[..]));
            assert!(simdutf8::basic::from_utf8(&text).is_ok());
            seen.message(true, &text);
        }
    })
}
