//! Compressed messages as a receiver sees them (RFC 7692 §6.2, §7.2.2), and the DEFLATE data in them (RFC 1951).
#![cfg(feature = "deflate")]
#![allow(clippy::unwrap_used, clippy::panic)]

mod blocks;
mod common;

use blocks::{Walker, Writer};
use common::{Case, ROLES, all_to, hex, run_vectors_with, to};
use ws_proto::deflate::{Parameters, Pool};
use ws_proto::{Config, Connection, Event, Inbox, Input, Outbox, Role, Violation};

const HELLO: &[u8] = b"\xf2\x48\xcd\xc9\xc9\x07\x00";
/// "Hello" again, by its distance.
const HELLO_AGAIN: &[u8] = b"\xf2\x00\x11\x00\x00";

fn config() -> Config {
    let mut config = Config::default();
    config.deflate = Some(Parameters::default());
    config
}

/// An endpoint with permessage-deflate, lending pieces or not.
fn case(role: Role, pieces: bool) -> Case<'static> {
    let mut case = Case::new(role);
    case.config = config();
    case.config.pieces = pieces;
    case
}

/// Frames with these first octets and payloads give these events, in both roles, in pieces and whole.
#[track_caller]
fn assert_gives(frames: &[(u8, &[u8])], events: &str) {
    assert_gives_within(frames, events, Config::default().limits.max_message_bytes);
}

#[track_caller]
fn assert_gives_within(frames: &[(u8, &[u8])], events: &str, max_message_bytes: u64) {
    for role in ROLES {
        for pieces in [false, true] {
            let mut case = case(role, pieces);
            case.config.limits.max_message_bytes = max_message_bytes;
            case.feed(&all_to(role, frames)).saw(events);
        }
    }
}

// ---- vectors ----

/// A frame with 1 MiB of zeros, as a server sends it.
fn zeros() -> Vec<u8> {
    let mut server = Connection::new(Role::Server, &config());
    let mut outbox = Outbox::new();
    server.send_binary(&[0; 1 << 20], &mut outbox).unwrap();
    assert!((1030..1100).contains(&outbox.len()), "{}", outbox.len());
    outbox.bytes().to_vec()
}

fn run(change: impl Fn(&mut Case<'_>)) {
    run_vectors_with(include_str!("vectors/compressed.txt"), change, |input| {
        if input == "@zeros" { zeros() } else { hex(input) }
    });
}

#[test]
fn r7692_7_2_2_messages_as_in_the_vectors() {
    run(|_| {});
}

#[test]
fn r7692_7_2_2_messages_as_in_the_vectors_in_pieces() {
    run(|case| case.config.pieces = true);
}

#[test]
fn r7692_7_2_2_messages_as_in_the_vectors_with_a_pool() {
    run(|case| case.before = &|_, outbox| outbox.set_pool(Pool::default()));
}

// ---- final blocks: RFC 7692 §7.2.3.4 ----

/// "Hello" in blocks of which the `last` is final.
fn hello_in_blocks(last: usize) -> Writer {
    let mut writer = Writer::default();
    for (i, part) in [&b"He"[..], b"l", b"lo"].into_iter().enumerate() {
        if i == 1 {
            writer.stored_block(i == last, part);
        } else {
            writer.fixed_block(i == last, part);
        }
        if i == last {
            writer.align();
        }
    }
    writer
}

#[test]
fn r7692_7_2_3_4_any_block_may_be_final() {
    let hello = "text \"Hello\"";
    for last in 0..3 {
        let octet = hello_in_blocks(last).message();
        assert_gives(&[(0xc1, &octet)], hello);
        for cut in 0..=octet.len() {
            let (front, back) = octet.split_at(cut);
            assert_gives(&[(0x41, front), (0x80, back)], hello);
        }
    }
    // All of them at once, and empty ones.
    let mut writer = Writer::default();
    for part in [&b""[..], b"Hel", b"", b"lo", b""] {
        writer.fixed_block(true, part).align();
        writer.stored_block(true, b"");
    }
    assert_gives(&[(0xc1, &writer.message())], hello);
}

#[test]
fn r7692_7_2_3_4_the_window_survives_final_blocks() {
    let hello = "text \"Hello\"";
    for last in 0..3 {
        for octet in [true, false] {
            // D-15: without the octet behind it, too.
            let mut writer = hello_in_blocks(last);
            let first = if octet || last < 2 {
                writer.message()
            } else {
                writer.bytes()
            };
            assert_gives(
                &[(0xc1, &first), (0xc1, HELLO_AGAIN), (0xc1, HELLO_AGAIN)],
                &[hello; 3].join("; "),
            );
        }
    }
    // Inside a message, across messages that do not touch the window, and with nothing but a final block in between.
    let mut again = Writer::default();
    again.fixed_block(true, b"Hello").align();
    let both = [&again.bytes()[..], HELLO_AGAIN].concat();
    assert_gives(&[(0xc1, &both)], "text \"HelloHello\"");
    let nothing = Writer::default().stored_block(true, b"").bytes();
    assert_gives(
        &[
            (0xc1, HELLO),
            (0xc2, &nothing),
            (0xc2, b""),
            (0x82, b"plain"),
            (0xc1, HELLO_AGAIN),
        ],
        "text \"Hello\"; bin -; bin -; bin hex:706c61696e; text \"Hello\"",
    );
}

#[test]
fn r7692_7_2_3_4_all_of_the_window_survives() {
    // 40 000 bytes that do not repeat, in stored blocks that are final; then three from 32 768 before.
    let data: Vec<u8> = (0..40_000u32)
        .map(|i| (i.wrapping_mul(0x9e37_79b1) >> 24) as u8)
        .collect();
    let mut writer = Writer::default();
    for part in data.chunks(9000) {
        writer.stored_block(true, part);
    }
    let first = writer.message();
    // Symbol 257 is length 3; 29 with thirteen ones is distance 32 768.
    let mut writer = Writer::default();
    writer.block(false, 1).fixed(257).code(29, 5).bits(0x1fff, 13);
    let second = writer.fixed(256).message();
    let at = data.len() - 32_768;
    let events = format!(
        "bin hex:{}; bin hex:{}",
        common::to_hex(&data),
        common::to_hex(&data[at..at + 3])
    );
    for pieces in [false, true] {
        let frames = all_to(Role::Client, &[(0xc2, &first), (0xc2, &second)]);
        case(Role::Client, pieces)
            .feed_cut(&frames, &[1, 20_000])
            .saw(&events);
    }
}

/// A compressor that ends its stream in the four octets that it drops (`Z_FINISH` where `Z_SYNC_FLUSH` was meant).
#[test]
fn r7692_7_2_3_4_a_final_block_may_end_in_the_octets_that_were_dropped() {
    let first = Writer::default()
        .fixed_block(false, b"Hello")
        .block(true, 0)
        .bytes();
    assert_gives(
        &[(0xc1, &first), (0xc1, HELLO_AGAIN), (0xc1, HELLO)],
        &["text \"Hello\""; 3].join("; "),
    );
}

// ---- DEFLATE: RFC 1951 ----

/// Lengths of codes for these symbols, and 0 for the others.
fn lens(of: &[(usize, u8)], all: usize) -> Vec<u8> {
    let mut lens = vec![0; all];
    for (symbol, len) in of {
        lens[*symbol] = *len;
    }
    lens
}

const A: usize = b'a' as usize;

#[test]
fn r1951_3_2_5_the_longest_match_overlaps_itself() {
    // 285 is length 258; distance 1.
    let message = Writer::default()
        .block(false, 1)
        .fixed(A as u32)
        .fixed(285)
        .code(0, 5)
        .fixed(256)
        .message();
    assert_gives(&[(0xc1, &message)], "text hex:(61)*259");
}

#[test]
fn r1951_3_2_4_stored_blocks_of_any_length() {
    for len in [0, 1, 65_535] {
        let data = vec![b's'; len];
        let message = Writer::default().stored_block(false, &data).message();
        let frames = to(Role::Client, 0xc1, &message);
        case(Role::Client, false)
            .feed_cut(&frames, &[3])
            .saw(&format!("text len={len}"));
    }
    assert_gives(&[(0xc1, b"\x00\x01\x00\xfe\xfe\x61\x00")], "fail 1007");
}

#[test]
fn r7692_7_2_2_what_is_behind_a_message_is_no_part_of_its_last_block() {
    // Two literals, the end of their block, and the first bits of a dynamic one, which fails with the last octet behind the message.
    assert_gives(&[(0xc2, b"\x3a\x71\x02\x40")], "fail 1007");
    // Two empty blocks of ten bits, and no more.
    assert_gives(&[(0xc2, b"\x02\x08\x00"), (0xc1, HELLO)], "bin -; text \"Hello\"");
}

/// The text "aa" in a dynamic block with these lengths of codes.
fn two_in_dynamic(literals: &[u8], distances: &[u8], codes: &[(u32, u32)]) -> Vec<u8> {
    let mut writer = Writer::default();
    writer.dynamic_lens(false, literals, distances);
    for (code, len) in codes {
        writer.code(*code, *len);
    }
    writer.message()
}

#[test]
fn r1951_3_2_7_codes_are_complete_or_have_one_symbol() {
    // a: 0, 256: 1, and one distance: unused, without a code; or of length 1.
    let (two, a_and_end) = (lens(&[(A, 1), (256, 1)], 257), [(0, 1), (0, 1), (1, 1)]);
    for distances in [&[0][..], &[1], &[1, 1], &[0, 1], &[1, 2, 2]] {
        let message = two_in_dynamic(&two, distances, &a_and_end);
        assert_gives(&[(0xc1, &message)], "text \"aa\"");
    }
    // Length 258 and distance 1, of one code; its other half is nothing.
    let match_len = lens(&[(A, 1), (256, 2), (285, 2)], 286);
    let message = two_in_dynamic(&match_len, &[1], &[(0, 1), (3, 2), (0, 1), (2, 2)]);
    assert_gives(&[(0xc1, &message)], "text hex:(61)*259");
    let message = two_in_dynamic(&match_len, &[1], &[(0, 1), (3, 2), (1, 1), (2, 2)]);
    assert_gives(&[(0xc1, &message)], "fail 1007");
    // A match where no distance has a code.
    let message = two_in_dynamic(&match_len, &[0], &[(0, 1), (3, 2), (0, 1), (2, 2)]);
    assert_gives(&[(0xc1, &message)], "fail 1007");
}

#[test]
fn r1951_3_2_7_codes_that_are_none() {
    let fine = lens(&[(A, 1), (256, 1)], 257);
    let over = lens(&[(A, 1), (A + 1, 1), (256, 1)], 257);
    let incomplete = lens(&[(A, 1), (256, 2)], 257);
    let endless = lens(&[(A, 1), (A + 1, 1)], 257);
    let nothing = lens(&[], 257);
    for (literals, distances) in [
        (&over, &[0][..]),
        (&incomplete, &[0]),
        (&endless, &[0]),
        (&nothing, &[0]),
        (&fine, &[1, 1, 1]),
        (&fine, &[2]),
        (&fine, &[1, 2]),
    ] {
        let message = two_in_dynamic(literals, distances, &[(0, 1), (0, 1), (1, 1)]);
        assert_gives(&[(0xc1, &message)], "fail 1007");
    }
    // Of the code for lengths of codes: over-subscribed, incomplete, empty.
    for of_lens in [[1; 19], lens(&[(0, 1), (1, 2)], 19).try_into().unwrap(), [0; 19]] {
        let message = Writer::default()
            .dynamic(false, (257, 1), &of_lens, &[])
            .message();
        assert_gives(&[(0xc1, &message)], "fail 1007");
    }
}

#[test]
fn r1951_3_2_7_repeats() {
    // Codes for 0, 1, 16 and 18.
    let of_lens: [u8; 19] = lens(&[(0, 2), (1, 2), (16, 2), (18, 2)], 19).try_into().unwrap();
    let build = |symbols: &[(usize, u32)]| {
        let mut writer = Writer::default();
        writer.dynamic(false, (257, 4), &of_lens, symbols);
        writer.code(0, 1).code(0, 1).code(1, 1).message()
    };
    // 97 zeros, a, 158 zeros, 256 and a distance by itself, and zeros; or the zeros run across the border.
    let front = [(18, 86), (1, 0), (18, 127), (18, 9)];
    let right = [&front[..], &[(1, 0), (1, 0), (0, 0), (0, 0), (0, 0)]].concat();
    assert_gives(&[(0xc1, &build(&right))], "text \"aa\"");
    let message = build(&[&front[..], &[(1, 0), (16, 0), (0, 0)]].concat());
    // 1, 1, 1 for distances: over-subscribed, so that the repeat was taken as one.
    assert_gives(&[(0xc1, &message)], "fail 1007");
    // 16 runs across the border: 255 has no code, 256 and 0 have.
    let runs = [
        (18, 86),
        (1, 0),
        (18, 127),
        (18, 8),
        (0, 0),
        (1, 0),
        (0, 0),
        (16, 0),
    ];
    assert_gives(&[(0xc1, &build(&runs))], "text \"aa\"");
    // Three more than there is room for; and one.
    for overrun in [&[(1, 0), (0, 0), (18, 0)][..], &[(1, 0), (0, 0), (0, 0), (16, 0)]] {
        let message = build(&[&front[..], overrun].concat());
        assert_gives(&[(0xc1, &message)], "fail 1007");
    }
    // Nothing to repeat.
    let message = build(&[(16, 0), (18, 127), (18, 105), (1, 0), (1, 0), (0, 0)]);
    assert_gives(&[(0xc1, &message)], "fail 1007");
}

#[test]
fn r1951_3_2_7_counts_of_codes() {
    // HLIT 287.
    assert_gives(&[(0xc1, b"\xf4\x00\x00")], "fail 1007");
    for (literals, fits) in [(286, true), (287, false), (288, false)] {
        let literals = lens(&[(A, 1), (256, 1)], literals);
        let message = two_in_dynamic(&literals, &[0], &[(0, 1), (0, 1), (1, 1)]);
        assert_gives(
            &[(0xc1, &message)],
            if fits { "text \"aa\"" } else { "fail 1007" },
        );
    }
    // D-23: HDIST 31 and 32 are refused by zlib-rs, as by zlib, also where the codes that never occur are not used.
    for (distances, fits) in [(30, true), (31, false), (32, false)] {
        let literals = lens(&[(A, 1), (256, 1)], 257);
        let message = two_in_dynamic(&literals, &vec![0; distances], &[(0, 1), (0, 1), (1, 1)]);
        assert_gives(
            &[(0xc1, &message)],
            if fits { "text \"aa\"" } else { "fail 1007" },
        );
        let inflated = Walker::default().message(&message, false);
        assert_eq!(inflated.as_deref(), Some(&b"aa"[..]), "which the format allows");
    }
}

// ---- what is cut off ----

/// Messages that end where they should, of all types of block.
fn whole_messages() -> Vec<Vec<u8>> {
    let mut mixed = Writer::default();
    mixed.fixed_block(false, b"fixed").stored_block(false, b"stored");
    mixed.dynamic_lens(false, &lens(&[(A, 1), (256, 1)], 257), &[1]);
    mixed.code(0, 1).code(1, 1);
    let flushed = b"\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00";
    let again = [HELLO, b"\x00\x00\xff\xff", HELLO_AGAIN].concat();
    vec![HELLO.to_vec(), mixed.message(), flushed.to_vec(), again]
}

#[test]
fn r7692_7_2_2_a_message_that_is_cut_off_is_never_taken() {
    let (mut whole, mut cut_off) = (0, 0);
    for message in whole_messages() {
        for end in 1..=message.len() {
            let message = &message[..end];
            let inflated = Walker::default().message(message, false);
            let events = match &inflated {
                Some(bytes) => format!("bin hex:{}", common::to_hex(bytes)),
                None => "fail 1007".into(),
            };
            case(Role::Client, false)
                .feed(&to(Role::Client, 0xc2, message))
                .saw(&events);
            case(Role::Client, true)
                .feed(&all_to(Role::Client, &[(0x42, message), (0x80, b"")]))
                .saw(&events);
            *(if inflated.is_some() {
                &mut whole
            } else {
                &mut cut_off
            }) += 1;
        }
    }
    // Besides the four, those that end behind a flush but for its four octets.
    assert!(whole >= 6 && cut_off > 100, "{whole} whole, {cut_off} cut off");
}

#[test]
fn r7692_7_2_2_bytes_may_fill_all_room_there_is() {
    for extra in 0..=30 {
        // 284 is length 227 and more: 486 to 516 bytes.
        let mut writer = Writer::default();
        writer.block(false, 1).fixed(A as u32).fixed(285).code(0, 5);
        writer.fixed(284).bits(extra, 5).code(0, 5);
        let (len, message) = (486 + extra, writer.fixed(256).message());
        let frames = [(0xc1, &message[..]), (0xc1, &message)];
        assert_gives(&frames, &format!("text len={len}; text len={len}"));
        assert_gives_within(&frames[..1], &format!("text len={len}"), len.into());
        assert_gives_within(&frames[..1], "fail 1009", u64::from(len) - 1);
    }
}

/// The four octets that were dropped complete the header of this block and end it, inside the last of them: what is
/// left of that would be taken for the next message.
#[test]
fn r7692_7_2_2_a_message_ends_between_octets() {
    for message in messages_that_end_inside_an_octet() {
        assert_eq!(Walker::default().message(&message, false), None);
        assert_gives(&[(0xc1, &message)], "fail 1007");
    }
}

/// The beginning of a dynamic block, behind others and by itself. In the code for lengths 18 is 0, 17 is 111; in that for
/// literals 256 is 11. So the four octets are 18 and 7 bits, twice; 17 and 3 bits, twice; 256; and two bits are left.
fn messages_that_end_inside_an_octet() -> [Vec<u8>; 3] {
    let of_lens: [u8; 19] = lens(&[(18, 1), (1, 2), (2, 3), (17, 3)], 19).try_into().unwrap();
    let mut behind_others = Writer::default();
    for _ in 0..3 {
        behind_others.fixed_block(false, b"");
    }
    let lens = [(18, 86), (1, 0), (2, 0), (18, 127), (18, 8), (2, 0)];
    behind_others.dynamic(false, (286, 13), &of_lens, &lens);
    // 97 zeros in other words, for which it ends with an octet, too.
    let lens = [&[(18, 83), (17, 0)], &lens[1..]].concat();
    let mut alone = Writer::default();
    alone.dynamic(false, (286, 13), &of_lens, &lens);
    let one_before = [b"\x00\x00\x00\xff\xff", &alone.bytes()[..]].concat();
    let messages = [behind_others.bytes(), alone.bytes(), one_before];
    assert_eq!(messages.each_ref().map(Vec::len), [17, 14, 19]);
    messages
}

// ---- text ----

#[test]
fn r7692_6_1_text_is_judged_inflated_and_at_once() {
    // Cut inside a character: by blocks, by fragments, and by the end.
    let text = "aé€😀".as_bytes();
    for cut in 0..=text.len() {
        let mut writer = Writer::default();
        writer.fixed_block(false, &text[..cut]);
        let message = writer.stored_block(false, &text[cut..]).message();
        for at in 0..=message.len() {
            let (front, back) = message.split_at(at);
            let frames = all_to(Role::Client, &[(0x41, front), (0x80, back)]);
            for pieces in [false, true] {
                case(Role::Client, pieces)
                    .feed_cut(&frames, &[])
                    .saw("text \"aé€😀\"");
            }
        }
        let whole = std::str::from_utf8(&text[..cut]).is_ok();
        let message = Writer::default().fixed_block(false, &text[..cut]).message();
        assert_eq!(
            case(Role::Server, false)
                .feed(&to(Role::Server, 0xc1, &message))
                .seen
                .len(),
            1
        );
        if !whole {
            assert_gives(&[(0xc1, &message)], "fail 1007");
        }
    }
}

#[test]
fn r7692_6_1_text_that_is_none_fails_in_the_fragment_that_holds_it() {
    for role in ROLES {
        for pieces in [false, true] {
            // The fragment is not complete, and the message is not either.
            let fragment = Writer::default().fixed_block(false, b"a\xff").bytes();
            let mut frame = to(role, 0x41, &[&fragment[..], &[0; 100]].concat());
            frame.truncate(frame.len() - 100);
            case(role, pieces)
                .feed(&frame)
                .saw("fail 1007")
                .sent(&["88 03ef"]);
        }
    }
}

// ---- limits ----

/// `len` bytes in a fixed block: one, and matches of it.
fn run_of(len: usize) -> Writer {
    assert!(len % 258 == 1);
    let mut writer = Writer::default();
    writer.block(false, 1).fixed(A as u32);
    for _ in 0..len / 258 {
        writer.fixed(285).code(0, 5);
    }
    writer.fixed(256);
    writer
}

#[test]
fn r7692_10_4_a_message_has_at_most_its_limit_of_bytes_inflated() {
    for len in [259, 258 * 20 + 1, 258 * 70 + 1] {
        let message = run_of(len).message();
        let (front, back) = message.split_at(message.len() / 2);
        for (limit, fits) in [(len, true), (len - 1, false), (len + 1, true)] {
            let events = if fits {
                format!("text len={len}")
            } else {
                "fail 1009".into()
            };
            let limit = limit as u64;
            assert_gives_within(&[(0xc1, &message)], &events, limit);
            assert_gives_within(&[(0x41, front), (0x80, back)], &events, limit);
            assert_gives_within(
                &[(0x41, front), (0x00, b""), (0x00, back), (0x80, b"")],
                &events,
                limit,
            );
        }
    }
}

/// What a message has on the wire besides what it inflates to: blocks, and the end.
#[test]
fn r7692_10_4_octets_that_inflate_to_nothing_do_not_count() {
    assert_gives_within(&[(0xc1, HELLO)], "text \"Hello\"", 5);
    assert_gives_within(&[(0xc1, HELLO)], "fail 1009", 4);
    assert_gives_within(&[(0xc1, b"\x00")], "text \"\"", 0);
    // The first fragment has all of it.
    let front = [HELLO, b"\x00\x00\xff\xff"].concat();
    assert_gives_within(&[(0x41, &front), (0x80, b"\x00")], "text \"Hello\"", 5);
    assert_gives_within(
        &[(0x41, HELLO), (0x80, b"\x00\x00\xff\xff\x00")],
        "text \"Hello\"",
        5,
    );
}

#[test]
fn r7692_10_4_a_frame_may_be_longer_than_its_message_but_not_by_much() {
    // Fixed codes of 9 bits: the most that a compressor makes of what does not compress.
    let data = vec![200; 10_000];
    let message = Writer::default().fixed_block(false, &data).message();
    assert_eq!(message.len(), 11_252);
    assert_gives_within(&[(0xc2, &message)], "bin len=10000", 10_000);
    assert_gives_within(&[(0xc2, &message)], "fail 1009", 9999);
    // Far more than that, and nothing of it has come.
    let mut case = case(Role::Client, false);
    case.config.limits.max_message_bytes = 10_000;
    case.feed(&hex("c2 7e 40 00")).saw("fail 1009").sent(&["88 03f1"]);
    // The limit for a frame has the same on top. What is not compressed has nothing on top of that for the message.
    case.config.limits.max_frame_bytes = 10_000;
    case.feed(&to(Role::Client, 0xc2, &message)).saw("bin len=10000");
    case.feed(&hex("82 7e 27 11")).saw("fail 1009");
    case.config.limits.max_message_bytes = 1 << 20;
    case.feed(&hex("c2 7e 2c 32")).saw("more");
    case.feed(&hex("c2 7e 2c 33")).saw("fail 1009 at 4");
}

#[test]
fn r7692_10_4_the_largest_message_that_may_be_sent_may_be_received() {
    let most = Config::default().limits.max_message_bytes as usize;
    let mut state = 1u32;
    let noise: Vec<u8> = (0..most)
        .map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        })
        .collect();
    let mut server = Connection::new(Role::Server, &config());
    let mut outbox = Outbox::new();
    server.send_binary(&noise, &mut outbox).unwrap();
    assert!(outbox.len() > most + 14, "{}", outbox.len());
    let mut client = Connection::new(Role::Client, &config());
    let (mut replies, mut bytes) = (common::outbox(Role::Client), outbox.bytes().to_vec());
    let mut input = Input::new(&mut bytes[..], Inbox::new());
    assert_eq!(client.receive(&mut input, &mut replies), Ok(true));
    assert!(matches!(input.event(), Event::Binary(data) if data == noise));
}

#[test]
fn s10_4_final_blocks_are_rationed() {
    let fresh = Parameters {
        server_no_context_takeover: true,
        client_no_context_takeover: true,
        ..Parameters::default()
    };
    // Each has two octets, and costs 64. There are 256 and 4096 ahead, and never more.
    let blocks = |writer: &mut Writer, n| {
        for _ in 0..n {
            writer.fixed_block(true, b"").align();
        }
    };
    let message = |n| {
        let mut writer = Writer::default();
        blocks(&mut writer, n);
        writer.message()
    };
    for (agreed, most, octets) in [(fresh, 4, 49), (Parameters::default(), 66, 55)] {
        for (role, pieces) in ROLES.into_iter().flat_map(|role| [(role, false), (role, true)]) {
            let mut case = case(role, pieces);
            case.config.deflate = Some(agreed);
            let (some, too_many) = (message(most), message(most + 1));
            case.feed(&to(role, 0xc2, &some)).saw("bin -");
            case.feed(&to(role, 0xc2, &too_many))
                .saw("fail 1008")
                .sent(&["88 03f0"]);
            // Other octets pay for one: the four of a stored block and its header, and what is in it.
            for (len, seen) in [
                (octets - 1, "fail 1008"),
                (octets, &*format!("bin hex:(07)*{octets}")),
            ] {
                let mut writer = Writer::default();
                blocks(&mut writer, most);
                writer.stored_block(false, &vec![7; len]);
                blocks(&mut writer, 1);
                case.feed(&to(role, 0xc2, &writer.message())).saw(seen);
            }
            // So does a message, for the next one. Without context each begins anew.
            let (one, two) = (message(1), message(2));
            let messages = [&some, &one, &one, &two].map(|message| (0xc2, &message[..]));
            let last = if agreed == fresh { "bin -" } else { "fail 1008" };
            case.feed(&all_to(role, &messages))
                .saw(&format!("bin -; bin -; bin -; {last}"));
        }
    }
}

#[test]
fn r7692_10_4_ratio_of_a_message() {
    let (few, many) = (run_of(258 * 254 + 1).message(), run_of(258 * 300 + 1).message());
    for (message, ratio, fits) in [
        (&few, 1, true), // 65 533 bytes are free
        (&many, 1, false),
        (&many, 150, false),
        (&many, 200, true),
        (&many, u16::MAX, true),
    ] {
        for pieces in [false, true] {
            let mut case = case(Role::Server, pieces);
            case.config.limits.max_inflate_ratio = ratio;
            let frame = to(Role::Server, 0xc2, message);
            let seen = case.feed_cut(&frame, &[100]).seen;
            assert_eq!(
                format!("{seen:?}").contains("bin len="),
                fits,
                "{ratio}: {seen:?}"
            );
            assert_eq!(format!("{seen:?}") == "[fail 1009]", !fits);
        }
    }
}

/// A message that is worse in its middle than in the end: 69 661 bytes of 440 octets, then 3000 of as many.
#[test]
fn r7692_10_4_the_ratio_is_judged_at_the_same_places_however_the_octets_are_cut() {
    let message = run_of(258 * 270 + 1).stored_block(false, &[7; 3000]).message();
    let frame = to(Role::Server, 0xc2, &message);
    let cuts: Vec<_> = (1..frame.len())
        .step_by(if cfg!(miri) { 1000 } else { 23 })
        .collect();
    for (ratio, fits) in [(25, false), (120, false), (140, true)] {
        for pieces in [false, true] {
            let mut case = case(Role::Server, pieces);
            case.config.limits.max_inflate_ratio = ratio;
            let seen = case.feed_cut(&frame, &cuts).seen;
            let expected = if fits { "bin len=72661" } else { "[fail 1009]" };
            assert!(format!("{seen:?}").contains(expected), "{ratio}: {seen:?}");
        }
    }
}

// ---- the first violation ----

/// However the input is cut, what comes first in the inflated data is what fails.
#[test]
fn r7692_7_2_2_of_several_violations_the_first_one_counts() {
    // Over the limit, and then no block at all.
    let message = run_of(259).block(false, 3).message();
    assert_gives_within(&[(0xc1, &message)], "fail 1009", 258);
    assert_gives_within(&[(0xc1, &message)], "fail 1007", 259);
    // No text, and then over the limit; and the other way round.
    let mut wrong_first = Writer::default();
    wrong_first.fixed_block(false, b"a\xffaaaaaaaaaaaaaa");
    assert_gives_within(&[(0xc1, &wrong_first.message())], "fail 1007", 10);
    let mut wrong_last = Writer::default();
    wrong_last.fixed_block(false, b"aaaaaaaaaaaaaaa\xff");
    assert_gives_within(&[(0xc1, &wrong_last.message())], "fail 1009", 10);
    assert_gives_within(&[(0xc1, &wrong_last.message())], "fail 1009", 15);
    assert_gives_within(&[(0xc1, &wrong_last.message())], "fail 1007", 16);
}

#[test]
fn r7692_7_2_2_violations_are_told_apart() {
    for (frame, violation) in [
        ("c1 01 07", Violation::InvalidDeflate),
        ("c1 03 f2 48 cd", Violation::InvalidDeflate),
        ("c1 07 00 01 00 fe ff ff 00", Violation::InvalidUtf8),
        ("c9 00", Violation::ReservedBit),
    ] {
        let mut connection = Connection::new(Role::Client, &config());
        let mut outbox = common::outbox(Role::Client);
        let mut input = Input::new(hex(frame), Inbox::new());
        assert_eq!(connection.receive(&mut input, &mut outbox), Err(violation));
        assert_eq!(connection.receive(&mut input, &mut outbox), Ok(false), "once");
    }
}
