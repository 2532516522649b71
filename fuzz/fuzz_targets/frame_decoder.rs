//! The frame decoder: the same frames and the same violation however the stream is cut, in bounded work; and under a limit those that
//! come without it, up to the one that exceeds it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ws_proto::Violation;
use ws_proto::frame::{Decoder, Header, Opcode, Part, Rsv, Rules};
use ws_proto_fuzz::{Case, Fragment, framed};

fuzz_target!(|data: &[u8]| {
    let Some(mut case) = Case::new(data) else { return };
    let mut rules = if case.option(1) {
        Rules::permissive()
    } else {
        Rules::new(case.role())
    };
    if case.option(3) {
        rules.reserved_bits = Rsv::RSV2;
    }
    if case.option(4) {
        rules.message_bits = Rsv::RSV1;
    }
    // Long frames take a short input.
    let stream = framed(case.role(), &Fragment::all(case.stream, 100_000));
    if case.option(11) {
        case.stream = &stream;
    }
    let outcome = case.assert_equal_however_cut(|pieces| run(rules, pieces, false));
    assert_eq!(run(rules, &[case.stream], true), outcome, "unmasked by hand");
    for (header, _) in &outcome.frames {
        let mut bits = rules.reserved_bits;
        if !header.opcode.is_control() && header.opcode != Opcode::CONTINUATION {
            bits = bits.union(rules.message_bits);
        }
        assert!(bits.contains(header.rsv), "{header:?}");
    }

    rules.max_frame_bytes = u64::from(10 * case.number() * case.number());
    let limited = case.assert_equal_however_cut(|pieces| run(rules, pieces, false));
    if limited.violation == Some(Violation::FrameTooBig) {
        assert!(outcome.frames.starts_with(&limited.frames), "up to the limit");
        assert!(limited.frames.iter().all(|(header, _)| {
            header.opcode.is_control() || header.payload_len <= rules.max_frame_bytes
        }));
    } else {
        assert_eq!(limited, outcome, "below the limit there is none");
    }
});

#[derive(Debug, PartialEq)]
struct Outcome {
    frames: Vec<(Header, Vec<u8>)>,
    /// Whether the last frame is whole.
    whole: bool,
    violation: Option<Violation>,
    is_at_rest: bool,
}

fn run(rules: Rules, pieces: &[&[u8]], by_hand: bool) -> Outcome {
    let mut decoder = Decoder::new(rules);
    let mut frames: Vec<(Header, Vec<u8>)> = Vec::new();
    let (mut whole, mut violation) = (true, None);
    for piece in pieces {
        let mut bytes = piece.to_vec();
        let mut rest = &mut bytes[..];
        // A header or payload ends with each call but the last, or the violation comes.
        let mut calls_left = 2 * rest.len() + 3;
        loop {
            assert!(calls_left > 0, "called without end");
            calls_left -= 1;
            let step = if by_hand {
                decoder.split(rest)
            } else {
                decoder.decode(rest)
            };
            let step = match step {
                Ok(step) => step,
                Err(new) => {
                    assert_eq!(violation, None, "reported once");
                    violation = Some(new);
                    continue;
                }
            };
            assert!(
                violation.is_none() || step.part == Part::More,
                "nothing after a violation"
            );
            match step.part {
                Part::More => {
                    assert_eq!(step.consumed, rest.len());
                    break;
                }
                Part::Header(header) => {
                    assert!(whole, "the frame before is whole");
                    whole = false;
                    frames.push((header, Vec::new()));
                }
                Part::Payload { range, key, last } => {
                    let (header, payload) = frames.last_mut().expect("a header came first");
                    assert!(!whole, "no payload after the last of it");
                    assert_eq!(key.is_some(), header.key.is_some());
                    if let (Some(key), true) = (key, by_hand) {
                        key.apply(&mut rest[range.clone()]);
                    }
                    payload.extend_from_slice(&rest[range]);
                    assert_eq!(last, payload.len() as u64 == header.payload_len);
                    whole = last;
                }
            }
            rest = &mut rest[step.consumed..];
        }
    }
    Outcome {
        frames,
        whole,
        violation,
        is_at_rest: decoder.is_at_rest(),
    }
}
