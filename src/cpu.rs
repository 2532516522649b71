//! Which vectors the processor has.
//!
//! Those of x86 need SSE2 in the target: where that has none, as `x86_64-unknown-none`, the compiler has no vectors for any of them.

#[cfg(all(feature = "std", target_feature = "sse2"))]
use core::sync::atomic::{AtomicU8, Ordering};

/// Sets of instructions that kernels are compiled for. Each includes the ones before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Level {
    /// What every processor of the target has.
    Baseline,
    /// 16 octets, with table lookups.
    #[cfg(target_feature = "sse2")]
    Ssse3,
    /// 32 octets.
    #[cfg(target_feature = "sse2")]
    Avx2,
    /// 64 octets: AVX-512 F, BW, VL, VBMI and VBMI2. Processors that have it without the last one lower their clock for 64 octets.
    #[cfg(target_feature = "sse2")]
    Avx512,
}

impl Level {
    /// The lowest first.
    #[allow(dead_code, reason = "tests and benches choose, the crate does not")]
    const ALL: &[Self] = &[
        Self::Baseline,
        #[cfg(target_feature = "sse2")]
        Self::Ssse3,
        #[cfg(target_feature = "sse2")]
        Self::Avx2,
        #[cfg(target_feature = "sse2")]
        Self::Avx512,
    ];
}

/// A level that this processor has: the proof that its instructions may be used.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cpu(Level);

impl Cpu {
    /// This processor, at its highest level. Found out once.
    #[inline]
    pub(crate) fn this() -> Self {
        Self(found().unwrap_or_else(find))
    }

    /// This processor as far as it is known: at its lowest level until [`this`](Self::this) was called. It calls nothing.
    #[cfg(feature = "alloc")]
    #[inline]
    pub(crate) fn known() -> Self {
        Self(found().unwrap_or(Level::Baseline))
    }

    /// Each level that this processor has, the lowest first.
    #[allow(dead_code, reason = "tests and benches choose, the crate does not")]
    pub(crate) fn each() -> impl Iterator<Item = Self> {
        let highest = Self::this().0;
        let levels = Level::ALL.iter().filter(move |&&level| level <= highest);
        levels.map(|&level| Self(level))
    }

    #[inline]
    pub(crate) const fn level(self) -> Level {
        self.0
    }
}

/// A level and one; zero as long as nobody has asked.
#[cfg(all(feature = "std", target_feature = "sse2"))]
static FOUND: AtomicU8 = AtomicU8::new(0);

#[cfg(all(feature = "std", target_feature = "sse2"))]
#[inline]
fn found() -> Option<Level> {
    const BASELINE: u8 = Level::Baseline as u8 + 1;
    const SSSE3: u8 = Level::Ssse3 as u8 + 1;
    const AVX2: u8 = Level::Avx2 as u8 + 1;
    const AVX512: u8 = Level::Avx512 as u8 + 1;

    match FOUND.load(Ordering::Relaxed) {
        AVX512 => Some(Level::Avx512),
        AVX2 => Some(Level::Avx2),
        SSSE3 => Some(Level::Ssse3),
        BASELINE => Some(Level::Baseline),
        _ => None,
    }
}

#[cfg(all(feature = "std", target_feature = "sse2"))]
#[cold]
fn find() -> Level {
    let level = detect();
    FOUND.store(level as u8 + 1, Ordering::Relaxed);
    level
}

#[cfg(not(all(feature = "std", target_feature = "sse2")))]
#[inline]
fn found() -> Option<Level> {
    Some(find())
}

#[cfg(not(all(feature = "std", target_feature = "sse2")))]
#[inline]
fn find() -> Level {
    #[cfg(target_feature = "sse2")]
    return detect();
    #[cfg(not(target_feature = "sse2"))]
    Level::Baseline
}

#[cfg(all(feature = "std", target_feature = "sse2"))]
use std::is_x86_feature_detected as has;

/// What the crate is compiled for.
#[cfg(all(not(feature = "std"), target_feature = "sse2"))]
macro_rules! has {
    ($feature:tt) => {
        cfg!(target_feature = $feature)
    };
}

#[cfg(target_feature = "sse2")]
#[inline]
fn detect() -> Level {
    highest(
        has!("ssse3"),
        has!("avx2"),
        [
            has!("avx512f"),
            has!("avx512bw"),
            has!("avx512vl"),
            has!("avx512vbmi"),
            has!("avx512vbmi2"),
        ],
    )
}

/// The highest level that is there with all below it.
#[cfg(target_feature = "sse2")]
#[inline]
fn highest(ssse3: bool, avx2: bool, avx512: [bool; 5]) -> Level {
    match (ssse3, avx2, avx512) {
        (true, true, [true, true, true, true, true]) => Level::Avx512,
        (true, true, _) => Level::Avx2,
        (true, false, _) => Level::Ssse3,
        (false, ..) => Level::Baseline,
    }
}

/// Defines `$on`: `$blocks` compiled for each level of the processor.
macro_rules! on_each_level {
    ($on:ident, $blocks:ident $(<const $flag:ident: bool>)?, ($($value:ident: $type:ty),*) $(-> $result:ty)?) => {
        #[cfg(target_feature = "sse2")]
        #[inline(always)]
        #[allow(unsafe_code)]
        pub(super) fn $on$(<const $flag: bool>)?(cpu: $crate::cpu::Cpu, $($value: $type),*) $(-> $result)? {
            #[target_feature(enable = "avx512f,avx512bw,avx512vl")]
            fn avx512$(<const $flag: bool>)?($($value: $type),*) $(-> $result)? {
                $blocks$(::<$flag>)?($($value),*)
            }
            #[target_feature(enable = "avx2")]
            fn avx2$(<const $flag: bool>)?($($value: $type),*) $(-> $result)? {
                $blocks$(::<$flag>)?($($value),*)
            }
            #[inline(never)]
            fn baseline$(<const $flag: bool>)?($($value: $type),*) $(-> $result)? {
                $blocks$(::<$flag>)?($($value),*)
            }
            match cpu.level() {
                // SAFETY: the processor has the level's instructions, by `Cpu`.
                $crate::cpu::Level::Avx512 => unsafe { avx512$(::<$flag>)?($($value),*) },
                // SAFETY: the processor has the level's instructions, by `Cpu`.
                $crate::cpu::Level::Avx2 => unsafe { avx2$(::<$flag>)?($($value),*) },
                $crate::cpu::Level::Ssse3 | $crate::cpu::Level::Baseline => baseline$(::<$flag>)?($($value),*),
            }
        }

        /// With the vectors of the target's baseline.
        #[cfg(not(target_feature = "sse2"))]
        #[inline(always)]
        pub(super) fn $on$(<const $flag: bool>)?(_: $crate::cpu::Cpu, $($value: $type),*) $(-> $result)? {
            $blocks$(::<$flag>)?($($value),*)
        }
    };
}

pub(crate) use on_each_level;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_level_is_there_from_the_baseline_to_the_highest() {
        assert_eq!(Cpu::each().next().map(Cpu::level), Some(Level::Baseline));
        assert_eq!(Cpu::each().last().map(Cpu::level), Some(Cpu::this().level()));
    }

    #[cfg(target_feature = "sse2")]
    #[test]
    fn a_level_needs_all_of_its_features_and_the_levels_below_it() {
        let all = [true; 5];
        assert_eq!(highest(true, true, all), Level::Avx512);
        for missing in 0..5 {
            let mut some = all;
            some[missing] = false;
            assert_eq!(highest(true, true, some), Level::Avx2, "{missing}");
        }
        assert_eq!(highest(true, false, all), Level::Ssse3);
        assert_eq!(highest(false, true, all), Level::Baseline);
    }
}
