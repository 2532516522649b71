//! The algorithm, once for all backends.

/// Defines the `run` of a backend, compiled for `$features`.
///
/// The backend defines, for those features, `Vector` of `BYTES` octets, and:
/// - `load`, `store`, `zero`, `repeated` (a key), `xor`, `or`, `and`, `is_ascii`, `is_zero`;
/// - `asks` and `is`: what `rules` say of each octet; what it is comes twice, to be compared with what `behind` gives;
/// - `behind`: what the octets before each one ask of a pair with it, in the bits of `rules::PAIR`, and of it alone, in
///   that of `rules::LEAD`; the other bits may be anything;
/// - `short`: a text of less than `BYTES` octets unmasked, with zeros behind it;
/// - `head`: the first so many octets of a vector, at least one, at its end, with zeros before them;
/// - `tail`: the last so many octets of a vector, with zeros behind them.
macro_rules! kernel {
    ($features:literal) => {
        use crate::mask::{LONG_BYTES, MaskingKey, blocks};
        use crate::utf8::kernel::{Text, rules};

        /// Length in bytes from which it pays to align the vectors, since those that straddle cache lines cost twice, and to test
        /// them in groups alone.
        const ALIGNED_BYTES: usize = 3 << 10;

        /// Vectors that are tested for ASCII together.
        const GROUP: usize = 4;

        /// Unmasks a whole text, if it is masked and valid; whether it is valid.
        #[target_feature(enable = $features)]
        pub(super) fn run<T: Text>(key: MaskingKey, mut text: T) -> bool {
            if !ends_in_ascii(key, text.octets()) {
                return judge(key, text);
            }
            let ascii = match text.octets_mut() {
                Some(octets) => blocks::<true>(key, octets),
                None => all_ascii(text.octets()),
            };
            if ascii {
                return true;
            }
            // It is unmasked now.
            let valid = judge(MaskingKey::default(), text.octets());
            if !valid {
                text.mask_again(key);
            }
            valid
        }

        /// Whether a text begins and ends with a vector of ASCII, and is of a length for which it pays to take the rest for the
        /// same. Short ones were tried for that before, or are not likely to be.
        #[target_feature(enable = $features)]
        #[inline]
        fn ends_in_ascii(key: MaskingKey, text: &[u8]) -> bool {
            let len = text.len();
            if let LONG_BYTES..ALIGNED_BYTES = len
                && let (Some(first), Some(last)) = (text.first_chunk(), text.last_chunk())
            {
                return is_ascii(xor(load(first), repeated(key)))
                    && is_ascii(xor(load(last), repeated(key.advanced(len as u64))));
            }
            false
        }

        /// Whether a text is ASCII, but for octets behind the last whole vector.
        #[target_feature(enable = $features)]
        #[inline]
        fn all_ascii(text: &[u8]) -> bool {
            let mut all = zero();
            for block in text.as_chunks().0 {
                all = or(all, load(block));
            }
            is_ascii(all)
        }

        /// [`run`], a few vectors at a time.
        #[target_feature(enable = $features)]
        fn judge<T: Text>(key: MaskingKey, mut text: T) -> bool {
            let mut check = Check::new();
            let (Some(first), Some(last)) = (text.octets().first_chunk(), text.octets().last_chunk()) else {
                check.group(&[short(key, text.octets())]);
                let valid = check.finish();
                if valid {
                    text.unmask(key);
                }
                return valid;
            };
            // Read before their neighbours are written, with which they share octets.
            let (len, start) = (text.octets().len(), text.octets().as_ptr().addr());
            let last = xor(load(last), repeated(key.advanced(len as u64)));
            let first = xor(load(first), repeated(key));
            let aligned = len >= ALIGNED_BYTES;
            let mut at = 0;
            if aligned {
                at = BYTES - start % BYTES;
                if !is_ascii(first) {
                    check.characters(&[head(first, at)]);
                }
            }
            let keys = repeated(key.advanced(at as u64));
            while len - at >= GROUP * BYTES {
                check.group(&take::<_, GROUP>(&mut text, at, keys));
                at += GROUP * BYTES;
            }
            while len - at >= BYTES {
                check.group(&take::<_, 1>(&mut text, at, keys));
                at += BYTES;
            }
            if is_ascii(last) {
                check.ascii();
            } else if at < len {
                check.characters(&[tail(last, len - at)]);
            }
            if let Some(octets) = text.octets_mut() {
                if aligned && let Some(to) = octets.first_chunk_mut() {
                    store(first, to);
                }
                if let Some(to) = octets.last_chunk_mut() {
                    store(last, to);
                }
            }
            let valid = check.finish();
            if !valid {
                text.mask_again(key);
            }
            valid
        }

        /// Unmasks `N` vectors.
        #[target_feature(enable = $features)]
        #[inline]
        fn take<T: Text, const N: usize>(text: &mut T, at: usize, key: Vector) -> [Vector; N] {
            let masked = text.octets_mut().is_some();
            let mut blocks = [zero(); N];
            let (from, _) = text.octets()[at..][..N * BYTES].as_chunks();
            for (block, from) in blocks.iter_mut().zip(from) {
                *block = if masked {
                    xor(load(from), key)
                } else {
                    load(from)
                };
            }
            if let Some(octets) = text.octets_mut() {
                let (to, _) = octets[at..][..N * BYTES].as_chunks_mut();
                for (block, to) in blocks.iter().zip(to) {
                    store(*block, to);
                }
            }
            blocks
        }

        /// A text up to some place.
        struct Check {
            /// What the last octets ask.
            asked: Vector,
            /// Where octets are continuations without being asked for, or the other way around: in the highest bit.
            miscounted: Vector,
            /// Where pairs are wrong: in the bits of `rules::PAIR`.
            mispaired: Vector,
            /// Where ASCII or the end came too soon: in any bit.
            unfinished: Vector,
            /// Whether the last vector was more than ASCII.
            in_characters: bool,
            any_characters: bool,
        }

        impl Check {
            #[target_feature(enable = $features)]
            #[inline]
            fn new() -> Self {
                Self {
                    asked: zero(),
                    miscounted: zero(),
                    mispaired: zero(),
                    unfinished: zero(),
                    in_characters: false,
                    any_characters: false,
                }
            }

            #[target_feature(enable = $features)]
            #[inline]
            fn group(&mut self, blocks: &[Vector]) {
                let mut all = zero();
                for &block in blocks {
                    all = or(all, block);
                }
                if is_ascii(all) {
                    self.ascii();
                } else {
                    self.characters(blocks);
                }
            }

            #[target_feature(enable = $features)]
            #[inline]
            fn ascii(&mut self) {
                if self.in_characters {
                    self.end();
                    self.asked = zero();
                    self.in_characters = false;
                }
            }

            #[target_feature(enable = $features)]
            #[inline]
            fn characters(&mut self, blocks: &[Vector]) {
                self.in_characters = true;
                self.any_characters = true;
                for &block in blocks {
                    let asked = asks(block);
                    let (continuation, pair) = is(block, asked);
                    let (of_pair, of_each) = behind(asked, self.asked);
                    self.miscounted = or(self.miscounted, xor(of_each, continuation));
                    self.mispaired = or(self.mispaired, and(of_pair, pair));
                    self.asked = asked;
                }
            }

            /// The text may end here, or go on in ASCII.
            #[target_feature(enable = $features)]
            #[inline]
            fn end(&mut self) {
                const UNFINISHED: [u8; BYTES] = rules::unfinished();
                self.unfinished = or(self.unfinished, and(self.asked, load(&UNFINISHED)));
            }

            #[target_feature(enable = $features)]
            #[inline]
            fn finish(mut self) -> bool {
                if !self.any_characters {
                    return true;
                }
                const COUNT: [u8; BYTES] = [rules::LEAD; BYTES];
                const PAIR: [u8; BYTES] = [rules::PAIR; BYTES];
                self.end();
                let miscounted = and(self.miscounted, load(&COUNT));
                let mispaired = and(self.mispaired, load(&PAIR));
                is_zero(or(or(miscounted, mispaired), self.unfinished))
            }
        }
    };
}
pub(super) use kernel;
