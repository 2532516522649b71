//! Which vectors the processor has.

/// Sets of instructions that kernels are compiled for. Each includes the ones before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Level {
    /// What every processor of the target has.
    Baseline,
    /// 16 octets, with table lookups.
    #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
    Ssse3,
    /// 32 octets.
    #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
    Avx2,
    /// 64 octets, with VBMI2: processors that have AVX-512 without that lower their clock for it.
    #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
    Avx512,
}

impl Level {
    /// All there are, the highest last.
    #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
    pub(crate) const ALL: &[Self] = &[Self::Baseline, Self::Ssse3, Self::Avx2, Self::Avx512];
    /// All there are, the highest last.
    #[cfg(not(any(target_arch = "x86", target_arch = "x86_64")))]
    pub(crate) const ALL: &[Self] = &[Self::Baseline];

    pub(crate) const HIGHEST: Self = Self::ALL[Self::ALL.len() - 1];
}

/// The highest level that this processor has. Found out once.
#[cfg(all(feature = "std", any(target_arch = "x86", target_arch = "x86_64")))]
#[inline]
pub(crate) fn level() -> Level {
    use core::sync::atomic::{AtomicU8, Ordering};

    /// A level and one; zero as long as nobody asked.
    static FOUND: AtomicU8 = AtomicU8::new(0);

    #[cold]
    fn find() -> Level {
        let level = detect();
        FOUND.store(level as u8 + 1, Ordering::Relaxed);
        level
    }

    const BASELINE: u8 = Level::Baseline as u8 + 1;
    const SSSE3: u8 = Level::Ssse3 as u8 + 1;
    const AVX2: u8 = Level::Avx2 as u8 + 1;
    const AVX512: u8 = Level::Avx512 as u8 + 1;
    match FOUND.load(Ordering::Relaxed) {
        AVX512 => Level::Avx512,
        AVX2 => Level::Avx2,
        SSSE3 => Level::Ssse3,
        BASELINE => Level::Baseline,
        _ => find(),
    }
}

#[cfg(all(feature = "std", any(target_arch = "x86", target_arch = "x86_64")))]
fn detect() -> Level {
    use std::is_x86_feature_detected as has;

    if !has!("ssse3") {
        Level::Baseline
    } else if !has!("avx2") {
        Level::Ssse3
    } else if has!("avx512f")
        && has!("avx512bw")
        && has!("avx512vl")
        && has!("avx512vbmi")
        && has!("avx512vbmi2")
    {
        Level::Avx512
    } else {
        Level::Avx2
    }
}

/// The level that the crate is compiled for.
#[cfg(not(all(feature = "std", any(target_arch = "x86", target_arch = "x86_64"))))]
#[inline]
pub(crate) const fn level() -> Level {
    #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
    if cfg!(all(
        target_feature = "avx512f",
        target_feature = "avx512bw",
        target_feature = "avx512vl",
        target_feature = "avx512vbmi",
        target_feature = "avx512vbmi2"
    )) {
        return Level::Avx512;
    } else if cfg!(target_feature = "avx2") {
        return Level::Avx2;
    } else if cfg!(target_feature = "ssse3") {
        return Level::Ssse3;
    }
    Level::Baseline
}
