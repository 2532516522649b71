//! RFC 6455 §10.4: `RateLimit`, on its own. Simulated time only.
#![allow(clippy::unwrap_used)]

use std::time::Duration;

use proptest::prelude::*;
use ws_proto::{RateLimit, Rates};

const NS: Duration = Duration::from_nanos(1);

fn rates(messages_per_s: u32, burst_messages: u32, bytes_per_s: u32, burst_bytes: u32) -> Rates {
    let mut rates = Rates::default();
    rates.messages_per_s = messages_per_s;
    rates.burst_messages = burst_messages;
    rates.bytes_per_s = bytes_per_s;
    rates.burst_bytes = burst_bytes;
    rates
}

fn at_s(s: u64) -> Duration {
    Duration::from_secs(s)
}

#[test]
fn s10_4_defaults() {
    assert_eq!(Rates::default(), rates(100, 200, 1 << 20, 4 << 20));
    assert!(size_of::<RateLimit>() <= 40);
}

#[test]
fn s10_4_messages() {
    let mut limit = RateLimit::new(&rates(3, 5, 0, 0));
    for _ in 0..5 {
        assert_eq!(limit.check(at_s(9), usize::MAX), Ok(()));
    }
    let wait = Duration::from_nanos(333_333_334);
    assert_eq!(limit.check(at_s(9), 0), Err(wait));
    assert_eq!(limit.check(at_s(9) + wait - NS, 0), Err(NS));
    assert_eq!(limit.check(at_s(9) + wait, 0), Ok(()));
    while limit.check(at_s(10), 0).is_ok() {}
    // Nothing is lost by rounding: three come in each second, for ever.
    for s in 11..10_000 {
        for _ in 0..3 {
            assert_eq!(limit.check(at_s(s), 0), Ok(()));
        }
        assert!(limit.check(at_s(s), 0).is_err());
    }
    // No more is saved up than a burst.
    assert_eq!(
        (0..100).filter(|_| limit.check(at_s(1 << 40), 0).is_ok()).count(),
        5
    );
}

#[test]
fn s10_4_bytes() {
    let mut limit = RateLimit::new(&rates(0, 0, 1000, 4000));
    assert_eq!(limit.check(at_s(0), 4000), Ok(()));
    assert_eq!(limit.check(at_s(0), 0), Ok(()), "an empty message takes no bytes");
    assert_eq!(limit.check(at_s(0), 1), Err(Duration::from_millis(1)));
    assert_eq!(limit.check(at_s(1), 2000), Err(at_s(1)));
    assert_eq!(
        limit.check(at_s(1), 1000),
        Ok(()),
        "what was refused was not counted"
    );
}

#[test]
fn s10_4_a_message_over_the_burst_passes_a_full_bucket() {
    let mut limit = RateLimit::new(&rates(0, 0, 1000, 4000));
    assert_eq!(limit.check(at_s(0), 10_000), Ok(()), "a debt of 6000");
    assert_eq!(limit.check(at_s(0), 0), Err(at_s(6)), "in debt, nothing passes");
    assert_eq!(limit.check(at_s(6), 0), Ok(()));
    assert_eq!(limit.check(at_s(6), 10_000), Err(at_s(4)), "until it is full");
    assert_eq!(limit.check(at_s(10), 10_000), Ok(()));
}

#[test]
fn s10_4_without_a_burst_one_passes_at_a_time() {
    let mut limit = RateLimit::new(&rates(10, 0, 100, 0));
    assert_eq!(limit.check(at_s(0), 50), Ok(()));
    assert_eq!(
        limit.check(at_s(0), 0),
        Err(Duration::from_millis(500)),
        "the longer of both"
    );
    assert_eq!(limit.check(Duration::from_millis(500), 0), Ok(()));
    assert_eq!(
        limit.check(Duration::from_millis(500), 0),
        Err(Duration::from_millis(100))
    );
}

#[test]
fn s10_4_no_limit() {
    let mut limit = RateLimit::new(&rates(0, 0, 0, 0));
    for _ in 0..1000 {
        assert_eq!(limit.check(Duration::ZERO, usize::MAX), Ok(()));
    }
}

#[test]
fn s10_4_extremes() {
    let most = u32::MAX;
    for case in [
        rates(most, most, most, most),
        rates(1, most, 1, most),
        rates(1, 0, 1, 0),
    ] {
        let mut limit = RateLimit::new(&case);
        for now in [
            Duration::ZERO,
            Duration::MAX,
            NS,
            Duration::MAX,
            at_s(u64::MAX),
            Duration::ZERO,
        ] {
            for bytes in [0, 1, usize::MAX, most as usize, usize::MAX - 1] {
                let _ = limit.check(now, bytes);
            }
        }
    }
    // The greatest debt: 18 GB, or as many as there are addresses.
    let debt = Duration::from_nanos((usize::MAX as u64).saturating_mul(1_000_000_000));
    let mut limit = RateLimit::new(&rates(0, 0, 1, 0));
    assert_eq!(limit.check(NS, usize::MAX), Ok(()));
    assert_eq!(limit.check(NS, 0), Err(debt));
    assert_eq!(limit.check(NS * 2, 1), Err(debt - NS));
}

#[test]
fn s10_4_a_clock_that_goes_back_blocks_nothing() {
    let mut limit = RateLimit::new(&rates(1, 2, 0, 0));
    assert_eq!(limit.check(at_s(1_000_000), 0), Ok(()));
    assert_eq!(limit.check(at_s(3), 0), Ok(()));
    assert_eq!(limit.check(at_s(2), 0), Err(at_s(1)), "and gives nothing away");
    assert_eq!(limit.check(at_s(3), 0), Ok(()));
}

/// Some rates, and messages: nanoseconds since the one before, bytes.
fn traffic() -> impl Strategy<Value = (Rates, Vec<(u64, usize)>)> {
    let rate = || prop_oneof![Just(0), 1..50_u32, 1..100_000_u32, any::<u32>()];
    let gap = prop_oneof![
        3 => Just(0),
        3 => 0..1_000_000_u64,
        2 => 0..1_000_000_000_u64,
        1 => 0..100_000_000_000_u64,
    ];
    let bytes = prop_oneof![0..10_usize, 0..5_000_usize, 0..20_000_000_usize];
    (
        (rate(), 0..30_u32, rate(), 0..100_000_u32).prop_map(|(a, b, c, d)| rates(a, b, c, d)),
        prop::collection::vec((gap, bytes), 1..150),
    )
}

/// Billionths of a token that may have passed in so many nanoseconds.
fn allowed(per_s: u32, burst: u32, ns: u64, largest: u128) -> u128 {
    u128::from(per_s) * u128::from(ns) + (u128::from(burst) + largest) * 1_000_000_000
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn s10_4_over_any_window_no_more_passes_than_may((rates, traffic) in traffic(), start_ns in 0..u64::MAX / 4) {
        let mut limit = RateLimit::new(&rates);
        let mut now_ns = start_ns;
        let mut passed: Vec<(u64, u128)> = Vec::new();
        for (gap_ns, bytes) in traffic {
            now_ns += gap_ns;
            if limit.check(Duration::from_nanos(now_ns), bytes).is_ok() {
                passed.push((now_ns, bytes as u128));
            }
        }
        prop_assert!(!passed.is_empty(), "the first always passes");
        for (first, &(from, _)) in passed.iter().enumerate() {
            let (mut count, mut sum, mut largest) = (0, 0, 0);
            for &(to, bytes) in &passed[first..] {
                (count, sum, largest) = (count + 1, sum + bytes, largest.max(bytes));
                if rates.messages_per_s > 0 {
                    let most = allowed(rates.messages_per_s, rates.burst_messages, to - from, 1);
                    prop_assert!(count * 1_000_000_000 <= most);
                }
                if rates.bytes_per_s > 0 {
                    let most = allowed(rates.bytes_per_s, rates.burst_bytes, to - from, largest);
                    prop_assert!(sum * 1_000_000_000 <= most);
                }
            }
        }
    }

    #[test]
    fn s10_4_waiting_as_long_as_told_passes_and_less_does_not((rates, traffic) in traffic()) {
        let mut limit = RateLimit::new(&rates);
        let mut now = Duration::ZERO;
        for (gap_ns, bytes) in traffic {
            now += Duration::from_nanos(gap_ns);
            let Err(wait) = limit.check(now, bytes) else { continue };
            prop_assert!(wait > Duration::ZERO);
            let (mut early, mut half) = (limit, limit);
            prop_assert_eq!(early.check(now + wait - NS, bytes), Err(NS));
            prop_assert_eq!(half.check(now + wait / 2, bytes), Err(wait - wait / 2));
            let mut exact = limit;
            prop_assert_eq!(exact.check(now + wait, bytes), Ok(()));
            // Some peers wait, some try again.
            if bytes % 2 == 0 {
                (limit, now) = (exact, now + wait);
            }
        }
    }

    #[test]
    fn s10_4_any_clock_is_harmless(times in prop::collection::vec(any::<(u64, u32)>(), 1..50)) {
        let mut limit = RateLimit::new(&rates(7, 3, 1000, 100));
        for (s, ns) in times {
            let now = Duration::new(s >> (ns % 64), ns % 1_000_000_000);
            if let Err(wait) = limit.check(now, 50) {
                prop_assert!(wait <= Duration::from_millis(143), "one message and 50 bytes take no longer");
            }
        }
    }
}
