//! RFC 6455 §7.2.3: when to connect again, and whether.
#![cfg(feature = "alloc")]
#![allow(clippy::unwrap_used)]

use std::time::Duration;

use proptest::prelude::*;
use ws_proto::{Backoff, CloseCode, Delays, Reconnect, Violation};

fn delays(spread: Duration, first: Duration, cap: Duration, max_tries: Option<u32>) -> Delays {
    let mut delays = Delays::default();
    (delays.spread, delays.first, delays.cap, delays.max_tries) = (spread, first, cap, max_tries);
    delays
}

fn secs(s: u64) -> Duration {
    Duration::from_secs(s)
}

#[test]
fn s7_2_3_defaults() {
    assert_eq!(Delays::default(), delays(secs(5), secs(10), secs(120), None));
}

#[test]
fn s7_2_3_delays_grow_to_the_cap() {
    // Of many clients, the longest and the mean delay of each try.
    let bounds_s = [5, 10, 20, 40, 80, 120, 120, 120];
    let clients = 2000;
    let mut sums = [Duration::ZERO; 8];
    let mut longest = [Duration::ZERO; 8];
    for seed in 0..clients.into() {
        let mut backoff = Backoff::new(seed, &Delays::default());
        for (i, bound_s) in bounds_s.into_iter().enumerate() {
            let delay = backoff.next_delay().unwrap();
            assert!(delay <= secs(bound_s));
            sums[i] += delay;
            longest[i] = longest[i].max(delay);
        }
        assert_eq!(backoff.tries(), 8);
    }
    for (i, bound_s) in bounds_s.into_iter().enumerate() {
        let mean = (sums[i] / clients).as_secs_f64() / bound_s as f64;
        assert!((0.47..0.53).contains(&mean), "try {i}: {mean} of the bound");
        assert!(longest[i] > secs(bound_s).mul_f64(0.98), "try {i}");
    }
}

#[test]
fn s7_2_3_a_crowd_spreads_over_the_window() {
    // Seeds that differ little, as those of a crowd may: each tenth of the window gets about its share.
    let mut tenths = [0; 10];
    for seed in 0..10_000 {
        let delay = Backoff::new(seed, &Delays::default()).next_delay().unwrap();
        tenths[(delay.as_nanos() / 500_000_000).min(9) as usize] += 1;
    }
    for count in tenths {
        assert!((850..1150).contains(&count), "{tenths:?}");
    }
}

#[test]
fn s7_2_3_success_begins_anew_with_other_delays() {
    let mut backoff = Backoff::new(1, &Delays::default());
    let before: Vec<_> = (0..6).map(|_| backoff.next_delay().unwrap()).collect();
    backoff.succeeded();
    assert_eq!(backoff.tries(), 0);
    let after: Vec<_> = (0..6).map(|_| backoff.next_delay().unwrap()).collect();
    assert!(after[0] <= secs(5) && after[1] <= secs(10));
    assert!(before.iter().zip(&after).all(|(a, b)| a != b));
}

#[test]
fn s7_2_3_the_same_seed_gives_the_same_delays() {
    let of = |seed| {
        let mut backoff = Backoff::new(seed, &Delays::default());
        [(); 9].map(|()| backoff.next_delay())
    };
    assert_eq!(of(7), of(7));
    assert_ne!(of(7), of(8));
    assert_ne!(of(7), of(7 << 32));
}

#[test]
fn s7_2_3_limit_of_tries() {
    let mut backoff = Backoff::new(1, &delays(secs(5), secs(1), secs(60), Some(3)));
    for _ in 0..2 {
        assert_eq!((0..10).filter(|_| backoff.next_delay().is_some()).count(), 3);
        assert_eq!(backoff.tries(), 3);
        backoff.succeeded();
    }
    let mut never = Backoff::new(1, &delays(secs(5), secs(1), secs(60), Some(0)));
    assert_eq!(never.next_delay(), None);
}

#[test]
fn s7_2_3_extremes() {
    let mut none = Backoff::new(1, &delays(Duration::ZERO, Duration::ZERO, Duration::MAX, None));
    assert!((0..100).all(|_| none.next_delay() == Some(Duration::ZERO)));
    let mut longest = Backoff::new(1, &delays(Duration::MAX, Duration::MAX, Duration::MAX, None));
    assert!((0..100).all(|_| longest.next_delay().unwrap() <= Duration::from_nanos(u64::MAX)));
    let mut capped = Backoff::new(1, &delays(Duration::MAX, Duration::MAX, secs(1), None));
    assert!((0..100).all(|_| capped.next_delay().unwrap() <= secs(1)));
}

#[test]
fn s7_2_3_after_many_failures_the_bound_is_the_cap() {
    let clients = 50;
    let mut sums = [Duration::ZERO; 200];
    for seed in 0..clients.into() {
        let mut backoff = Backoff::new(seed, &delays(secs(5), Duration::from_nanos(4), secs(60), None));
        for sum in &mut sums {
            *sum += backoff.next_delay().unwrap();
        }
    }
    for (i, sum) in sums.into_iter().enumerate().skip(40) {
        assert!(sum / clients > secs(20), "try {i}");
    }
}

proptest! {
    #[test]
    fn s7_2_3_every_delay_is_within_its_bound(
        seed: u64,
        spread_ns in 0..10_000_000_000_u64,
        first_ns in 0..10_000_000_000_u64,
        cap_ns in 0..1_000_000_000_000_u64,
        max_tries in prop::option::of(0..80_u32),
        successes in prop::collection::vec(prop::bool::weighted(0.05), 150),
    ) {
        let ns = Duration::from_nanos;
        let mut backoff = Backoff::new(seed, &delays(ns(spread_ns), ns(first_ns), ns(cap_ns), max_tries));
        let (mut tries, mut bound_ns) = (0, u128::from(spread_ns));
        for success in successes {
            if success {
                backoff.succeeded();
                (tries, bound_ns) = (0, spread_ns.into());
            }
            match backoff.next_delay() {
                None => prop_assert_eq!(Some(tries), max_tries),
                Some(delay) => {
                    prop_assert!(max_tries.is_none_or(|most| tries < most));
                    prop_assert!(delay.as_nanos() <= bound_ns.min(cap_ns.into()));
                    bound_ns = if tries == 0 { first_ns.into() } else { (bound_ns * 2).min(1 << 64) };
                    tries += 1;
                }
            }
            prop_assert_eq!(backoff.tries(), tries);
        }
    }
}

#[test]
fn s7_4_which_codes_say_come_back() {
    use Reconnect::{Later, Never, Soon};
    for (code, reconnect) in [
        (CloseCode::NORMAL, Never),
        (CloseCode::GOING_AWAY, Later),
        (CloseCode::PROTOCOL_ERROR, Never),
        (CloseCode::UNSUPPORTED_DATA, Never),
        (CloseCode::new(1004), Soon),
        (CloseCode::NO_STATUS, Soon),
        (CloseCode::ABNORMAL, Soon),
        (CloseCode::INVALID_PAYLOAD, Never),
        (CloseCode::POLICY_VIOLATION, Never),
        (CloseCode::MESSAGE_TOO_BIG, Never),
        (CloseCode::MANDATORY_EXTENSION, Never),
        (CloseCode::INTERNAL_ERROR, Later),
        (CloseCode::SERVICE_RESTART, Later),
        (CloseCode::TRY_AGAIN_LATER, Later),
        (CloseCode::BAD_GATEWAY, Later),
        (CloseCode::TLS_HANDSHAKE, Later),
        (CloseCode::new(1016), Soon),
        (CloseCode::new(3000), Never),
        (CloseCode::new(3003), Never),
        (CloseCode::new(3008), Soon),
        (CloseCode::new(4000), Soon),
    ] {
        assert_eq!(code.reconnect(), reconnect, "{code}");
    }
    for code in (0..1000).chain(1016..3000).chain(3009..=u16::MAX) {
        assert_eq!(CloseCode::new(code).reconnect(), Soon, "{code}");
    }
    assert_eq!(Violation::InvalidUtf8.close_code().reconnect(), Never);
}
