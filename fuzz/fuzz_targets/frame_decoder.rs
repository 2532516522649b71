//! The frame decoder: the same frames and the same violation however the stream is cut, in bounded work.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ws_proto::frame::{Decoder, Header, Part, Rules};
use ws_proto::{Role, Violation};
use ws_proto_fuzz::Case;

fuzz_target!(|data: &[u8]| {
    let Some(case) = Case::new(data) else { return };
    let mut rules = match (case.option(0), case.option(1)) {
        (true, _) => Rules::permissive(),
        (_, true) => Rules::new(Role::Client),
        (_, false) => Rules::new(Role::Server),
    };
    if case.option(2) {
        rules.max_frame_bytes = 300;
    }
    let outcome = case.assert_equal_however_cut(|pieces| run(rules, pieces, false));
    assert_eq!(run(rules, &[case.stream], true), outcome, "unmasked by hand");
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
