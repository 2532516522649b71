//! The algorithm, once for all backends.

/// Defines the `run` of a backend, compiled for `$features`.
///
/// The backend defines, for those features, `Vector` of `BYTES` octets, and:
/// - `load`, `store`, `zero`, `repeated` (a key), `xor`, `or`, `and`, `is_ascii`, `is_zero`;
/// - `asks` and `is`: what `rules` say of each octet; what it is comes twice, to be compared with what `behind` gives;
/// - `behind`: what the octets before each one ask of a pair with it, in the bits of `rules::PAIR`, and of it alone, in
///   that of `rules::LEAD`; the other bits may be anything;
/// - `short`: a text of less than `BYTES` octets unmasked, with zeros behind it;
/// - `head`: the first so many octets of a vector, which zeros follow, with zeros before them instead;
/// - `tail`: the last so many octets of a vector, with zeros behind them.
macro_rules! kernel {
    ($features:literal) => {
        use crate::mask::MaskingKey;
        use crate::utf8::kernel::{Text, rules};

        /// Length in bytes from which it pays to align the vectors: those that straddle cache lines cost twice.
        const ALIGNED_BYTES: usize = 2048;

        /// Vectors that are tested for ASCII together.
        const GROUP: usize = 4;

        /// Unmasks a whole text, if it is masked; whether it is valid.
        #[target_feature(enable = $features)]
        pub(super) fn run<T: Text>(mut key: MaskingKey, mut text: T) -> bool {
            let mut check = Check::new();
            let Some(last) = text.octets().last_chunk() else {
                let block = short(key, text.octets());
                text.unmask(key);
                if is_ascii(block) {
                    return true;
                }
                check.characters(&[block]);
                return check.finish();
            };
            // Read before what lies before it is written, since it shares octets with that.
            let last = xor(
                load(last),
                repeated(key.advanced(text.octets().len() as u64)),
            );
            if text.octets().len() >= ALIGNED_BYTES {
                let len = text.octets().as_ptr().addr().wrapping_neg() % BYTES;
                let (mut front, rest) = text.split_at(len);
                check.group(&[head(short(key, front.octets()), len)]);
                front.unmask(key);
                (key, text) = (key.advanced(len as u64), rest);
            }
            let len = text.octets().len();
            let key = repeated(key);
            let mut at = 0;
            while len - at >= GROUP * BYTES {
                check.group(&take::<_, GROUP>(&mut text, at, key));
                at += GROUP * BYTES;
            }
            while len - at >= BYTES {
                check.group(&take::<_, 1>(&mut text, at, key));
                at += BYTES;
            }
            if is_ascii(last) {
                check.ascii();
            } else if at < len {
                check.characters(&[tail(last, len - at)]);
            }
            if let Some(to) = text.octets_mut().and_then(|octets| octets.last_chunk_mut()) {
                store(last, to);
            }
            check.finish()
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
