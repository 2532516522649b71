//! JSON to compress.

/// Text such as servers send it, `len` bytes: the same fields again and again, with other values each time; `seed` tells
/// messages apart.
pub(crate) fn text(seed: usize, len: usize) -> String {
    const NAMES: [&str; 8] = ["Ada", "Bo", "Chiara", "Deniz", "Emeka", "Freya", "Goran", "Hana"];
    const STATES: [&str; 3] = ["open", "filled", "cancelled"];
    let mut text = String::from("[");
    let mut state = seed as u64;
    // A linear congruential generator: the same values each time.
    let mut below = |n: u64| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % n
    };
    while text.len() < len {
        text += &format!(
            r#"{{"id":"{:08x}-{:08x}","customer":"{}","status":"{}","price":{}.{:02},"amount":{},"updated":"2026-11-{:02}T{:02}:{:02}:{:02}Z"}},"#,
            below(1 << 32),
            below(1 << 32),
            NAMES[below(8) as usize],
            STATES[below(3) as usize],
            below(1000),
            below(100),
            below(10_000),
            below(30) + 1,
            below(24),
            below(60),
            below(60),
        );
    }
    text.truncate(len);
    text
}
