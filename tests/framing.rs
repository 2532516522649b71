//! RFC 6455 §5.1 to §5.3, §5.7: frame headers, masking as a receiver sees it, and the decoder by itself.
#![cfg(feature = "alloc")]
#![allow(clippy::unwrap_used)]

mod common;

use common::{Case, KEY, ROLES, all_to, feed, hex, run_vectors, to};
use ws_proto::frame::{Decoder, Header, Opcode, Part, Rsv, Rules};
use ws_proto::mask::MaskingKey;
use ws_proto::{Role, Violation};

#[test]
fn s5_frames_as_in_the_vectors() {
    run_vectors(include_str!("vectors/frames.txt"));
}

// Header codec

/// Payload lengths with their unmasked headers, of binary frames.
const LENGTHS: &[(u64, &str)] = &[
    (0, "82 00"),
    (1, "82 01"),
    (125, "82 7d"),
    (126, "82 7e 00 7e"),
    (127, "82 7e 00 7f"),
    (65_535, "82 7e ff ff"),
    (65_536, "82 7f 00 00 00 00 00 01 00 00"),
    (1 << 32, "82 7f 00 00 00 01 00 00 00 00"),
    (i64::MAX as u64, "82 7f 7f ff ff ff ff ff ff ff"),
];

#[test]
fn s5_2_header_of_every_form_of_length() {
    for (len, unmasked) in LENGTHS {
        let unmasked = hex(unmasked);
        let mut masked = unmasked.clone();
        masked[1] |= 0x80;
        masked.extend(KEY);

        for (bytes, key) in [(unmasked, None), (masked, Some(MaskingKey::new(KEY)))] {
            let header = Header {
                key,
                ..Header::new(Opcode::BINARY, *len)
            };
            assert_eq!(*header.encode(), bytes, "{len}");
            assert_eq!(Header::parse(&bytes).unwrap(), Some((header, bytes.len())));
            for cut in 0..bytes.len() {
                assert_eq!(Header::parse(&bytes[..cut]).unwrap(), None, "{len} cut at {cut}");
            }
        }
    }
}

#[test]
fn s5_2_header_parses_as_it_was_encoded_for_every_first_octet() {
    for first in 0..=255u8 {
        let opcode = Opcode::new(first);
        for (len, _) in LENGTHS {
            if opcode.is_control() && (*len > 125 || first & 0x80 == 0)
                || opcode == Opcode::CLOSE && *len == 1
            {
                continue;
            }
            for key in [None, Some(MaskingKey::new(KEY)), Some(MaskingKey::new([0; 4]))] {
                let header = Header {
                    fin: first & 0x80 != 0,
                    rsv: Rsv::new(first),
                    opcode,
                    key,
                    payload_len: *len,
                };
                let bytes = header.encode();
                assert_eq!(bytes[0], first);
                assert_eq!(Header::parse(&bytes).unwrap(), Some((header, bytes.len())));
            }
        }
    }
}

#[test]
fn s5_2_header_that_no_extension_can_allow() {
    for (bytes, violation) in [
        ("82 7f 80", Violation::LengthOverflow),
        ("82 ff ff", Violation::LengthOverflow),
        ("82 7e 00 00", Violation::NonMinimalLength),
        ("82 7e 00 7d", Violation::NonMinimalLength),
        ("82 fe 00 7d", Violation::NonMinimalLength),
        ("82 7f 00 00 00 00 00 00 00 7d", Violation::NonMinimalLength),
        ("82 7f 00 00 00 00 00 00 ff ff", Violation::NonMinimalLength),
        ("09", Violation::FragmentedControlFrame),
        ("0b", Violation::FragmentedControlFrame),
        ("89 7e", Violation::ControlFrameTooLong),
        ("8f ff", Violation::ControlFrameTooLong),
        ("88 01", Violation::CloseBodyTooShort),
    ] {
        let bytes = hex(bytes);
        assert_eq!(Header::parse(&bytes), Err(violation), "{bytes:02x?}");
        assert_eq!(
            Header::parse(&bytes[..bytes.len() - 1]),
            Ok(None),
            "one octet less proves nothing"
        );
    }
}

// Masking, by role

#[test]
fn s5_1_server_fails_on_unmasked_frame() {
    for first in [0x81, 0x82, 0x88, 0x89, 0x8a] {
        feed(Role::Server, &[first, 0])
            .saw("fail 1002 at 2")
            .sent(&["88 03ea"]);
    }
}

#[test]
fn s5_1_client_fails_on_masked_frame() {
    for first in [0x81, 0x82, 0x88, 0x89, 0x8a] {
        feed(Role::Client, &[first, 0x80, 0, 0, 0, 0])
            .saw("fail 1002 at 2")
            .sent(&["88 03ea"]);
    }
}

#[test]
fn s5_3_server_unmasks_whatever_the_key() {
    for key in ["00 00 00 00", "ff ff ff ff", "00 00 00 01", "37 fa 21 3d"] {
        let mut frame = hex(&format!("82 fe 01 00 {key} (00..ff)"));
        let key = MaskingKey::new(hex(key).try_into().unwrap());
        key.apply(&mut frame[8..]);
        feed(Role::Server, &frame).saw("bin (00..ff)");
    }
}

#[test]
fn s5_3_masking_goes_on_across_reads() {
    let payload: Vec<u8> = (0..=255).cycle().take(5000).collect();
    let frame = to(Role::Server, 0x82, &payload);
    feed(Role::Server, &frame).saw(&format!("bin {}", common::to_hex(&payload)));
}

#[test]
fn s5_6_binary_carries_any_octets() {
    for role in ROLES {
        feed(role, &to(role, 0x82, &hex("(00..ff)"))).saw("bin (00..ff)");
    }
}

#[test]
fn s5_2_length_counts_this_frame_alone() {
    for role in ROLES {
        let frames = all_to(role, &[(0x01, b"ab"), (0x80, b"c"), (0x82, b"d"), (0x81, b"")]);
        feed(role, &frames).saw("text \"abc\"; bin 64; text \"\"");
    }
}

// Reserved bits and opcodes

#[test]
fn s5_2_reserved_bits_fail_at_the_first_octet() {
    for role in ROLES {
        for rsv in [0x10, 0x20, 0x40, 0x70] {
            for opcode in [0x81, 0x01, 0x82, 0x88, 0x89, 0x8a] {
                feed(role, &to(role, opcode | rsv, b"")).saw("fail 1002 at 1");
            }
        }
    }
}

#[test]
fn s5_2_reserved_opcodes_fail_at_the_first_octet() {
    for role in ROLES {
        for opcode in (0x3..=0x7).chain(0xb..=0xf) {
            feed(role, &[0x80 | opcode])
                .saw("fail 1002 at 1")
                .sent(&["88 03ea"]);
            feed(role, &[opcode]).saw("fail 1002 at 1");
        }
    }
}

// Early reports: what a header proves wrong is refused before the next octet comes

/// Headers, cut behind the octet that proves the violation.
const PROVEN: &[(Role, &str, Violation)] = &[
    (Role::Client, "c1", Violation::ReservedBit),
    (Role::Client, "83", Violation::ReservedOpcode(3)),
    (Role::Server, "8f", Violation::ReservedOpcode(15)),
    (Role::Client, "80", Violation::UnexpectedContinuation),
    (Role::Client, "01 00 81", Violation::InterleavedMessage),
    (Role::Client, "09", Violation::FragmentedControlFrame),
    (Role::Client, "81 80", Violation::MaskedFrame),
    (Role::Server, "81 00", Violation::UnmaskedFrame),
    (Role::Client, "89 7e", Violation::ControlFrameTooLong),
    (Role::Server, "8a ff", Violation::ControlFrameTooLong),
    (Role::Client, "88 01", Violation::CloseBodyTooShort),
    (Role::Client, "82 7f 80", Violation::LengthOverflow),
    (Role::Server, "82 ff ff", Violation::LengthOverflow),
    (Role::Client, "82 7e 00 7d", Violation::NonMinimalLength),
    (
        Role::Server,
        "82 ff 00 00 00 00 00 00 ff ff",
        Violation::NonMinimalLength,
    ),
    (
        Role::Client,
        "82 7f 00 00 00 00 01 00 00 01",
        Violation::FrameTooBig,
    ),
    (
        Role::Server,
        "82 ff 00 00 00 00 01 00 00 01",
        Violation::FrameTooBig,
    ),
];

#[test]
fn s5_2_header_is_refused_at_the_octet_that_proves_it() {
    for (role, bytes, violation) in PROVEN {
        let bytes = hex(bytes);
        let code = violation.close_code();
        let outcome = feed(*role, &bytes);
        outcome.saw(&format!("fail {code} at {}", bytes.len()));
        assert_eq!(outcome.sent, [format!("88 {:04x}", code.get())]);
        assert!(
            feed(*role, &bytes[..bytes.len() - 1]).sent.is_empty(),
            "one octet less proves nothing"
        );
        assert_eq!(decode(*role, &bytes), Err(*violation));
    }
}

#[test]
fn s5_2_grammar_comes_before_limits() {
    let mut case = Case::new(Role::Client);
    case.config.limits.max_frame_bytes = 1;
    for (input, events) in [
        ("82 7f 80 00 00 00 00 00 00 00", "fail 1002 at 3"),
        ("82 7e 00 7d", "fail 1002 at 4"),
        ("82 7f 00 00 00 00 00 00 ff ff", "fail 1002 at 10"),
        ("82 7e 00 7e", "fail 1009 at 4"),
    ] {
        case.feed(&hex(input)).saw(events);
    }
}

// The decoder by itself: proxies, taps, firmware

/// Headers and unmasked payloads of a stream, each byte given by itself.
fn decode(receiver: Role, bytes: &[u8]) -> Result<Vec<(Header, Vec<u8>)>, Violation> {
    decode_by(Rules::new(receiver), bytes)
}

fn decode_by(rules: Rules, bytes: &[u8]) -> Result<Vec<(Header, Vec<u8>)>, Violation> {
    let mut decoder = Decoder::new(rules);
    let mut frames = Vec::new();
    for byte in bytes {
        let mut byte = [*byte];
        let mut rest = &mut byte[..];
        loop {
            let step = decoder.decode(rest)?;
            match step.part {
                Part::More => break,
                Part::Header(header) => frames.push((header, Vec::new())),
                Part::Payload { range, .. } => frames.last_mut().unwrap().1.extend_from_slice(&rest[range]),
            }
            rest = &mut rest[step.consumed..];
        }
    }
    Ok(frames)
}

#[test]
fn s5_2_decoder_gives_headers_and_payloads() {
    for role in ROLES {
        let stream = all_to(
            role,
            &[(0x01, b"Hel"), (0x89, b""), (0x80, b"lo"), (0x88, b"\x03\xe8")],
        );
        let frames = decode(role, &stream).unwrap();
        let seen: Vec<_> = frames
            .iter()
            .map(|(header, payload)| (header.opcode, header.fin, &payload[..]))
            .collect();
        assert_eq!(
            seen,
            [
                (Opcode::TEXT, false, &b"Hel"[..]),
                (Opcode::PING, true, b""),
                (Opcode::CONTINUATION, true, b"lo"),
                (Opcode::CLOSE, true, b"\x03\xe8"),
            ]
        );
    }
}

#[test]
fn s5_2_decoder_tells_a_violation_once() {
    let mut decoder = Decoder::new(Rules::new(Role::Client));
    assert_eq!(decoder.split(b"\xc1\x00"), Err(Violation::ReservedBit));
    let step = decoder.split(b"\x81\x00").unwrap();
    assert_eq!((step.consumed, step.part), (2, Part::More));
}

#[test]
fn s5_2_decoder_knows_whether_the_stream_may_end() {
    let mut decoder = Decoder::new(Rules::new(Role::Client));
    let at_rest: Vec<bool> = [0x01, 0x01, b'a', 0x89, 0x00, 0x80, 0x00]
        .map(|octet| {
            let mut rest = &[octet][..];
            while let step = decoder.split(rest).unwrap()
                && step.part != Part::More
            {
                rest = &rest[step.consumed..];
            }
            decoder.is_at_rest()
        })
        .to_vec();
    assert_eq!(at_rest, [false, false, false, false, false, false, true]);
}

#[test]
fn s5_2_rules_let_negotiated_bits_through_and_no_others() {
    let mut rules = Rules::new(Role::Client);
    rules.reserved_bits = Rsv::RSV1;
    let (header, _) = decode_by(rules, &hex("c1 00")).unwrap()[0];
    assert_eq!((header.rsv, header.opcode), (Rsv::RSV1, Opcode::TEXT));
    for refused in ["a1", "91", "e1", "f1"] {
        assert_eq!(
            decode_by(rules, &hex(refused)),
            Err(Violation::ReservedBit),
            "{refused}"
        );
    }
    rules.reserved_bits = Rsv::RSV1.union(Rsv::RSV3);
    assert!(decode_by(rules, &hex("d1 00")).is_ok());
}

#[test]
fn s5_4_permissive_rules_let_through_what_extensions_may_allow() {
    let frames = "f3 01 61  8b 00  81 85 37 fa 21 3d 7f 9f 4d 51 58  81 00  0c";
    let mut frames = hex(&frames.replace("  ", " "));
    assert_eq!(
        decode_by(Rules::permissive(), &frames),
        Err(Violation::FragmentedControlFrame),
        "opcodes from 8 on are control frames whatever they mean"
    );
    frames.pop();
    let decoded = decode_by(Rules::permissive(), &frames).unwrap();
    assert_eq!(decoded.len(), 4);
    assert_eq!((decoded[0].0.rsv, decoded[0].0.opcode.get()), (Rsv::ALL, 3));
    assert_eq!(decoded[2].1, b"Hello");
    // Neither length nor memory is a decoder's limit unless it is told one.
    let longest = Header::new(Opcode::BINARY, i64::MAX as u64);
    assert_eq!(
        decode_by(Rules::permissive(), &longest.encode()).unwrap(),
        [(longest, vec![])]
    );
}

#[test]
fn s5_2_permissive_rules_keep_to_the_grammar() {
    for (bytes, violation) in [
        ("82 7f 80", Violation::LengthOverflow),
        ("82 7e 00 7d", Violation::NonMinimalLength),
        ("89 7e", Violation::ControlFrameTooLong),
        ("80", Violation::UnexpectedContinuation),
        ("01 00 01", Violation::InterleavedMessage),
    ] {
        assert_eq!(
            decode_by(Rules::permissive(), &hex(bytes)),
            Err(violation),
            "{bytes}"
        );
    }
}

/// A proxy: what the decoder splits, put together again, is what came in, however it was cut.
#[test]
fn s5_4_decoder_passes_frames_through_unchanged() {
    let mut stream = hex("d1 83 01 02 03 04 60 60 60  8d 02 ff fe"
        .replace("  ", " ")
        .as_str());
    stream.extend(all_to(
        Role::Server,
        &[(0x01, b"Hel"), (0x89, b"ping"), (0x00, b""), (0x80, b"lo")],
    ));
    stream.extend(to(Role::Server, 0x82, &[0x55; 300]));
    for chunk_len in [1, 2, 3, 5, 7, 16, stream.len()] {
        let mut decoder = Decoder::new(Rules::permissive());
        let mut out = Vec::new();
        for chunk in stream.chunks(chunk_len) {
            let mut rest = chunk;
            loop {
                let step = decoder.split(rest).unwrap();
                match step.part {
                    Part::More => break,
                    Part::Header(header) => out.extend_from_slice(&header.encode()),
                    Part::Payload { range, .. } => out.extend_from_slice(&rest[range]),
                }
                rest = &rest[step.consumed..];
            }
        }
        assert_eq!(out, stream, "chunks of {chunk_len}");
        assert!(decoder.is_at_rest());
    }
}

/// A proxy that masks anew, in one pass over the payload, in pieces of any length.
#[test]
fn s5_3_proxy_gives_client_frames_a_fresh_key() {
    let payload: Vec<u8> = (0..=255).cycle().take(700).collect();
    let fresh = MaskingKey::new([1, 2, 3, 4]);
    for chunk_len in [1, 3, 64, 1000] {
        let mut decoder = Decoder::new(Rules::new(Role::Server));
        let (mut out, mut offset) = (Vec::new(), 0);
        for chunk in to(Role::Server, 0x82, &payload).chunks(chunk_len) {
            let mut rest = chunk;
            loop {
                let step = decoder.split(rest).unwrap();
                match step.part {
                    Part::More => break,
                    Part::Header(header) => {
                        let key = Some(fresh);
                        out.extend_from_slice(&Header { key, ..header }.encode());
                    }
                    Part::Payload { range, key, .. } => {
                        let start = out.len();
                        out.extend_from_slice(&rest[range]);
                        key.unwrap()
                            .rekeyed(fresh.advanced(offset))
                            .apply(&mut out[start..]);
                        offset += (out.len() - start) as u64;
                    }
                }
                rest = &rest[step.consumed..];
            }
        }
        assert_eq!(out[4..8], [1, 2, 3, 4]);
        feed(Role::Server, &out).saw(&format!("bin {}", common::to_hex(&payload)));
    }
}

#[test]
fn s5_2_decoder_hands_out_payload_as_it_comes() {
    let mut decoder = Decoder::new(Rules::new(Role::Client));
    let header = decoder
        .split(&hex("82 7f 00 00 00 00 00 01 00 00 aa bb"))
        .unwrap();
    assert_eq!(header.consumed, 10);
    let piece = decoder.split(&hex("aa bb")).unwrap();
    assert_eq!(
        piece.part,
        Part::Payload {
            range: 0..2,
            key: None,
            last: false
        }
    );
    let rest = decoder.split(&[0; 70_000]).unwrap();
    assert_eq!(
        rest.part,
        Part::Payload {
            range: 0..65_534,
            key: None,
            last: true
        }
    );
}
