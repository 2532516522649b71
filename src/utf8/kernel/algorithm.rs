//! The algorithm, once for all backends.

/// Defines the `run` of a backend, compiled for `$features`.
///
/// The backend defines, for those features, `Vector` of `BYTES` octets, and:
/// - `load`, `store`, `zero`, `repeated` (a key), `xor`, `or`, `and`, `is_ascii`, `is_zero`;
/// - `asks` and `is`: the tables of `rules` for each octet;
/// - `behind`: what the octets before each one ask of it and of a pair with it;
/// - `short`: a text of less than `BYTES` octets unmasked, with zeros behind it;
/// - `tail`: the last so many octets of a vector, less than all, with zeros behind them.
macro_rules! kernel {
    ($features:literal) => {
        use crate::mask::MaskingKey;
        use crate::utf8::kernel::{Text, rules};

        /// Vectors that are tested for ASCII together.
        const GROUP: usize = 4;

        /// Unmasks a whole text, if it is masked; whether it is valid.
        #[target_feature(enable = $features)]
        pub(super) fn run<T: Text>(mut text: T) -> bool {
            let key = text.key();
            let mut check = Check::new();
            let len = text.octets().len();
            let Some((_, last)) = text.octets().split_last_chunk::<BYTES>() else {
                let block = short(key, text.octets());
                text.unmask();
                check.group(&[block]);
                return check.finish();
            };
            // Read before what lies before it is written, since it shares octets with that.
            let last = xor(load(last), repeated(key.advanced(len as u64)));
            let key = repeated(key);
            let mut at = 0;
            while len - at >= GROUP * BYTES {
                check.group(&take::<_, GROUP>(&mut text, at, key));
                at += GROUP * BYTES;
            }
            let mut rest = [zero(); GROUP];
            let mut n = 0;
            while len - at >= BYTES {
                [rest[n]] = take(&mut text, at, key);
                n += 1;
                at += BYTES;
            }
            if at < len {
                rest[n] = tail(last, len - at);
                n += 1;
                put(&mut text, len - BYTES, last);
            }
            check.group(&rest[..n]);
            check.finish()
        }

        /// Unmasks `N` vectors.
        #[target_feature(enable = $features)]
        #[inline]
        fn take<T: Text, const N: usize>(text: &mut T, at: usize, key: Vector) -> [Vector; N] {
            let (from, _) = text.octets()[at..][..N * BYTES].as_chunks::<BYTES>();
            let mut blocks = [zero(); N];
            for i in 0..N {
                blocks[i] = if T::MASKED { xor(load(&from[i]), key) } else { load(&from[i]) };
            }
            for i in 0..N {
                put(text, at + i * BYTES, blocks[i]);
            }
            blocks
        }

        #[target_feature(enable = $features)]
        #[inline]
        fn put<T: Text>(text: &mut T, at: usize, block: Vector) {
            if let Some(to) = text.octets_mut().and_then(|text| text[at..].first_chunk_mut::<BYTES>()) {
                store(block, to);
            }
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
                    self.end();
                    self.asked = zero();
                    return;
                }
                for &block in blocks {
                    let (asked, being) = (asks(block), is(block));
                    let (of_pair, of_each) = behind(asked, self.asked);
                    self.miscounted = or(self.miscounted, xor(of_each, being));
                    self.mispaired = or(self.mispaired, and(of_pair, being));
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
