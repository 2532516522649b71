//! Unmasks and validates whole texts in one pass, with the widest vectors that there are.
//!
//! A file for each set of instructions, and one algorithm for all of them. They say whether a text is valid; where it
//! ceases to be is for a slower way to find out.

#[allow(unused_macros, unused_imports, reason = "not on targets without kernels")]
mod algorithm;
#[allow(dead_code, reason = "not in the crate on targets that all have vectors")]
mod portable;
#[allow(dead_code, reason = "each set of instructions takes the tables that suit it")]
mod rules;

#[cfg(target_feature = "sse2")]
pub(crate) mod avx2;
#[cfg(target_feature = "sse2")]
pub(crate) mod avx512;
#[cfg(target_feature = "sse2")]
mod ssse3;

#[cfg(all(target_arch = "aarch64", target_endian = "little", target_feature = "neon"))]
mod neon;

#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
mod simd128;

/// Shared by the backends with tables of 16 octets.
#[cfg(any(
    target_feature = "sse2",
    all(target_arch = "aarch64", target_endian = "little", target_feature = "neon"),
    all(target_arch = "wasm32", target_feature = "simd128")
))]
mod lanes;

use crate::cpu::{Cpu, Level};
use crate::mask::{LONG_BYTES, MaskingKey, short_is_ascii};

/// A whole text: `&mut [u8]` to be unmasked where it is, or `&[u8]` that is not masked.
pub(crate) trait Text: Sized {
    fn octets(&self) -> &[u8];
    /// The octets to be unmasked, if they are masked.
    fn octets_mut(&mut self) -> Option<&mut [u8]>;
    fn split_at(self, at: usize) -> (Self, Self);
    /// The same text, to be given away.
    fn again(&mut self) -> impl Text;

    /// Unmasks it, if it is masked.
    #[inline(always)]
    fn unmask(&mut self, key: MaskingKey) {
        if let Some(octets) = self.octets_mut() {
            key.apply(octets);
        }
    }

    /// Unmasks it, if it is masked, and if it is short and ASCII; whether it is that.
    #[inline(always)]
    fn unmask_if_short_ascii(&mut self, key: MaskingKey) -> bool {
        let is_short = self.octets().len() < LONG_BYTES;
        is_short
            && match self.octets_mut() {
                Some(octets) => key.apply_short_if_ascii(octets),
                None => short_is_ascii(self.octets()),
            }
    }

    /// Makes it what it was before it was unmasked.
    #[cold]
    #[inline(never)]
    fn mask_again(mut self, key: MaskingKey) {
        self.unmask(key);
    }
}

impl Text for &mut [u8] {
    #[inline]
    fn octets(&self) -> &[u8] {
        self
    }

    #[inline]
    fn octets_mut(&mut self) -> Option<&mut [u8]> {
        Some(self)
    }

    #[inline]
    fn split_at(self, at: usize) -> (Self, Self) {
        self.split_at_mut(at)
    }

    #[inline]
    fn again(&mut self) -> impl Text {
        &mut **self
    }
}

impl Text for &[u8] {
    #[inline]
    fn octets(&self) -> &[u8] {
        self
    }

    #[inline]
    fn octets_mut(&mut self) -> Option<&mut [u8]> {
        None
    }

    #[inline]
    fn split_at(self, at: usize) -> (Self, Self) {
        <[u8]>::split_at(self, at)
    }

    #[inline]
    fn again(&mut self) -> impl Text {
        *self
    }
}

/// Unmasks a whole text, if it is masked and valid; whether it is valid. The key of one that is not masked is zero.
#[inline]
#[allow(unsafe_code)]
pub(crate) fn run<T: Text>(cpu: Cpu, key: MaskingKey, text: T) -> bool {
    match cpu.level() {
        #[cfg(target_feature = "sse2")]
        // SAFETY: the processor has the level's instructions, by `Cpu`.
        Level::Avx512 => unsafe { avx512::run(key, text) },
        #[cfg(target_feature = "sse2")]
        // SAFETY: the processor has the level's instructions, by `Cpu`.
        Level::Avx2 => unsafe { avx2::run(key, text) },
        #[cfg(target_feature = "sse2")]
        // SAFETY: the processor has the level's instructions, by `Cpu`.
        Level::Ssse3 => unsafe { ssse3::run(key, text) },
        #[cfg(all(target_arch = "aarch64", target_endian = "little", target_feature = "neon"))]
        // SAFETY: the crate is compiled for NEON.
        Level::Baseline => unsafe { neon::run(key, text) },
        #[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
        Level::Baseline => simd128::run(key, text),
        #[cfg(not(any(
            all(target_arch = "aarch64", target_endian = "little", target_feature = "neon"),
            all(target_arch = "wasm32", target_feature = "simd128")
        )))]
        Level::Baseline => portable::run(key, text),
    }
}

/// Unmasks a text of less than 128 octets, if it is masked, and if it is valid; whether it is ASCII then. Otherwise it stays as it
/// is. For levels without a way of their own, and for AVX2 where that leads no further. What is masked was tried for ASCII by the caller, or is not likely to be.
#[cfg(feature = "alloc")]
#[inline(always)]
pub(crate) fn unmask_short<const MASKED: bool>(cpu: Cpu, key: MaskingKey, text: &mut [u8]) -> Option<bool> {
    if !MASKED && short_is_ascii(text) {
        return Some(true);
    }
    let valid = if MASKED {
        run(cpu, key, &mut *text)
    } else {
        run(cpu, key, &*text)
    };
    valid.then(|| MASKED && text.is_ascii())
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;
    use proptest::prelude::*;

    const KEY: MaskingKey = MaskingKey::new([0x37, 0xfa, 0x21, 0x3d]);

    /// What every backend that this processor has says of a text, plain and masked.
    fn assert_all_right(text: &[u8], key: MaskingKey) {
        assert_all_right_from(0, text, key);
    }

    /// The same, the text beginning at that place of a cache line.
    fn assert_all_right_from(place: usize, text: &[u8], key: MaskingKey) {
        let valid = core::str::from_utf8(text).is_ok();
        let mut buffer = alloc::vec![0; text.len() + 128];
        let start = buffer.as_ptr().align_offset(64) + place;
        let mut assert = |cpu: Option<Cpu>, run: &dyn Fn(&mut [u8]) -> bool, key: MaskingKey| {
            let buffer = &mut buffer[start..][..text.len()];
            buffer.copy_from_slice(text);
            key.apply(buffer);
            assert_eq!(run(buffer), valid, "{cpu:?} {key:?} {text:02x?}");
            if !valid {
                key.apply(buffer); // it stayed as it was
            }
            assert_eq!(buffer, text, "{cpu:?} {key:?}");
        };
        let none = MaskingKey::default();
        // Vectors take its place there.
        #[cfg(any(target_arch = "aarch64", target_arch = "wasm32"))]
        {
            assert(None, &|text| portable::run(none, &*text), none);
            assert(None, &|text| portable::run(key, text), key);
        }
        for cpu in Cpu::each() {
            assert(Some(cpu), &|text| run(cpu, none, &*text), none);
            assert(Some(cpu), &|text| run(cpu, key, text), key);
        }
        #[cfg(feature = "alloc")]
        if text.len() < 128 {
            assert_short(text, key);
        }
    }

    /// What each level does to a short text: unmask it, or leave it as it is.
    #[cfg(feature = "alloc")]
    #[allow(unsafe_code)]
    fn assert_short(text: &[u8], key: MaskingKey) {
        let mut masked = text.to_vec();
        key.apply(&mut masked);
        let valid = core::str::from_utf8(text).is_ok();
        let assert = |cpu: Cpu, ascii: Option<bool>, buffer: &[u8]| {
            assert_eq!(ascii, valid.then_some(text.is_ascii()), "{cpu:?} {text:02x?}");
            assert_eq!(buffer, if valid { text } else { &masked }, "{cpu:?} {text:02x?}");
        };
        for cpu in Cpu::each() {
            let mut buffer = masked.clone();
            match cpu.level() {
                #[cfg(target_feature = "sse2")]
                // SAFETY: the processor has the level's instructions, by `Cpu`.
                Level::Avx512 => unsafe {
                    assert(cpu, avx512::unmask_short::<true>(key, &mut buffer), &buffer);
                },
                #[cfg(target_feature = "sse2")]
                Level::Avx2 => {
                    let behind = [0xff; 128];
                    buffer.extend_from_slice(&behind);
                    let len = text.len();
                    // SAFETY: the processor has the level's instructions, by `Cpu`.
                    let ascii = unsafe { avx2::unmask_short::<true>(key, &mut buffer, len) };
                    assert_eq!(buffer.split_off(len), behind);
                    assert(cpu, ascii, &buffer);
                    if cfg!(miri) {
                        continue; // the same loads, and no stores
                    }
                    let mut plain = [text, &behind[..]].concat();
                    let none = MaskingKey::default();
                    // SAFETY: as above.
                    let ascii = unsafe { avx2::unmask_short::<false>(none, &mut plain, len) };
                    assert_eq!((ascii, &plain[..len]), (valid.then_some(text.is_ascii()), text));
                    if !len.is_multiple_of(32) {
                        // SAFETY: as above.
                        let ascii = unsafe { avx2::unmask_short::<true>(key, &mut masked.clone(), len) };
                        assert_eq!(ascii, None, "for less than whole vectors");
                    }
                }
                _ => assert(cpu, unmask_short::<true>(cpu, key, &mut buffer), &buffer),
            }
        }
    }

    #[test]
    fn rfc3629_a_character_at_every_place_of_texts_of_every_length() {
        let places = if cfg!(miri) { 62..63 } else { 0..280 };
        for character in ["é", "\u{800}", "\u{d7ff}", "\u{10ffff}"] {
            for before in places.clone() {
                for behind in [0, 1, 14, 30, 63, 130] {
                    let mut text = alloc::vec![b'a'; before];
                    text.extend_from_slice(character.as_bytes());
                    text.resize(text.len() + behind, b'z');
                    assert_all_right(&text, KEY);
                    // Cut, and wrong behind the cut.
                    text.truncate(before + character.len() - 1);
                    assert_all_right(&text, KEY);
                    text.resize(text.len() + behind, b'z');
                    assert_all_right(&text, KEY);
                }
            }
        }
    }

    #[test]
    fn rfc3629_every_kind_of_triple_across_the_seams_of_vectors() {
        // The first three are one of each kind: what goes behind a lead, ASCII, and a lead.
        let edges = [
            0x80, 0x61, 0xe2, 0x00, 0x7f, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc1, 0xc2, 0xdf, 0xe0, 0xe1,
            0xec, 0xed, 0xee, 0xef, 0xf0, 0xf1, 0xf3, 0xf4, 0xf5, 0xff,
        ];
        let edges = &edges[..if cfg!(miri) { 3 } else { edges.len() }];
        let places = [62, 0, 14, 30, 126, 254];
        for &before in &places[..if cfg!(miri) { 1 } else { places.len() }] {
            let mut front = "aé".repeat(before / 3).into_bytes();
            front.resize(before, b'a');
            for first in edges {
                for second in edges {
                    for third in edges.iter().step_by(3) {
                        for end in [&b""[..], b"\x80", b"aaaa"] {
                            assert_all_right(&[&front, &[*first, *second, *third][..], end].concat(), KEY);
                        }
                    }
                }
            }
        }
    }

    /// Text of many vectors, characters of all lengths in runs, with some octets spoilt.
    fn nearly_text() -> impl Strategy<Value = Vec<u8>> {
        let run = prop_oneof![
            "[a-z]{0,200}",
            "[é€😀]{0,80}",
            "[a-zé€😀]{0,120}",
            "[ࠀ-\u{d7ff}]{0,60}"
        ];
        let spoilt = prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..2);
        (prop::collection::vec(run, 0..6), spoilt).prop_map(|(runs, spoilt)| {
            let mut text = runs.concat().into_bytes();
            for (place, octet) in spoilt {
                if !text.is_empty() {
                    let place = place.index(text.len());
                    text[place] = octet;
                }
            }
            text
        })
    }

    /// Texts that begin and end in ASCII, about the lengths from which they are taken for ASCII, aligned, and tested in groups.
    #[test]
    fn rfc3629_ascii_but_for_one_octet_or_character() {
        let lens = [127, 128, 129, 511, 512, 513, 1000, 3071, 3072, 3073, 3200];
        let (lens, places) = if cfg!(miri) {
            (&lens[1..2], 1)
        } else {
            (&lens[..], 64)
        };
        for &len in lens {
            for place in (0..places).step_by(7) {
                let ascii = alloc::vec![b'a'; len];
                assert_all_right_from(place, &ascii, KEY);
                for at in [16, 64, 65, 100, len / 2, len - 65, len - 17] {
                    let mut text = ascii.clone();
                    text[at] = 0xff;
                    assert_all_right_from(place, &text, KEY);
                    text[at..at + 2].copy_from_slice("é".as_bytes());
                    assert_all_right_from(place, &text, KEY);
                }
            }
        }
    }

    /// About the place from which the vectors of a long text are aligned.
    #[test]
    #[cfg_attr(miri, ignore = "takes minutes; what is unsafe there shorter ones take, too")]
    fn rfc3629_one_octet_or_character_where_vectors_begin_to_be_aligned() {
        for filler in ["a", "é"] {
            let filled = filler.repeat(3200 / filler.len()).into_bytes();
            for place in (0..64).step_by(3) {
                for at in 0..132 {
                    let mut text = filled.clone();
                    text[at] = 0xff;
                    assert_all_right_from(place, &text, KEY);
                    text[at..at + 4].copy_from_slice("😀".as_bytes());
                    assert_all_right_from(place, &text, KEY);
                }
            }
        }
    }

    #[cfg(feature = "alloc")]
    #[test]
    fn one_octet_makes_a_short_text_more_than_ascii() {
        for len in (0..LONG_BYTES).step_by(if cfg!(miri) { 19 } else { 1 }) {
            let mut text = alloc::vec![b'a'; len];
            assert!(short_is_ascii(&text));
            for at in 0..len {
                text[at] = 0x80;
                assert!(!short_is_ascii(&text), "{at} of {len}");
                text[at] = b'a';
            }
        }
    }

    proptest! {
        #[test]
        fn rfc3629_every_backend_on_long_texts(key: [u8; 4], text in nearly_text()) {
            assert_all_right(&text, MaskingKey::new(key));
        }

        #[test]
        fn rfc3629_every_backend_on_texts_at_every_place_of_a_cache_line(
            place in 0usize..64, text in "[a-zé€😀]{110,140}", spoilt in prop::option::of((0usize..2000, any::<u8>())),
        ) {
            let mut text = text.repeat(16).into_bytes(); // drawing all of it took most of the time
            if let Some((place, octet)) = spoilt {
                text[place / 2] = octet; // near the front, where vectors are aligned
            }
            assert_all_right_from(place, &text, KEY);
        }
    }
}
