//! The source of masking keys and nonces: a cryptographic generator, seeded by the embedder (RFC 6455 §5.3, §10.3).

use core::fmt;
use core::num::NonZeroU64;

use rand::rngs::ChaCha12Rng;
use rand::{Rng, SeedableRng};

use crate::mask::MaskingKey;

/// What a [`Generator`] grows from, 16 bytes; none in a server, which sends no masked frames.
#[derive(Clone, Copy)]
pub(crate) struct Seed(Option<(NonZeroU64, u64)>);

impl Seed {
    pub(crate) const NONE: Self = Self(None);

    pub(crate) const fn new(seed: [u8; 16]) -> Self {
        let both = u128::from_le_bytes(seed);
        // Zero stands for "none": eight octets that are all zero, one seed of 2^64, are taken for another number.
        let first = match NonZeroU64::new(both as u64) {
            Some(first) => first,
            None => NonZeroU64::MAX,
        };
        Self(Some((first, (both >> 64) as u64)))
    }

    /// The generator that grows from this seed: ChaCha12, which takes it for both halves of its key. A seed at rest is as
    /// small as is safe: nobody searches 128 bits.
    pub(crate) fn generator(self) -> Option<Generator> {
        let (first, second) = self.0?;
        let mut key = [0; 32];
        for (part, value) in key.chunks_exact_mut(8).zip([first.get(), second].iter().cycle()) {
            part.copy_from_slice(&value.to_le_bytes());
        }
        Some(Generator {
            cipher: Some(ChaCha12Rng::from_seed(key)),
            ..Generator::NONE
        })
    }
}

/// Says what it is, never what it holds: whoever knows the seed knows every key (RFC 6455 §10.3).
impl fmt::Debug for Seed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_none() { "none" } else { "seeded" })
    }
}

/// Masking keys drawn at a time: what ChaCha12 makes at once.
const KEYS: usize = 64;

/// Draws keys: 320 bytes of cipher state, and the keys at hand, which are taken without a look at that.
pub(crate) struct Generator {
    /// None in a server, which is told by no key being at hand.
    cipher: Option<ChaCha12Rng>,
    /// Those before `next` were taken.
    keys: [[u8; 4]; KEYS],
    next: usize,
}

impl Generator {
    pub(crate) const NONE: Self = Self {
        cipher: None,
        keys: [[0; 4]; KEYS],
        next: KEYS,
    };

    pub(crate) fn is_none(&self) -> bool {
        self.cipher.is_none()
    }

    /// A fresh masking key, if one is at hand: see [`draw`](Self::draw).
    #[inline(always)]
    pub(crate) fn key_at_hand(&mut self) -> Option<MaskingKey> {
        let key = *self.keys.get(self.next)?;
        self.next += 1;
        Some(MaskingKey::new(key))
    }

    /// Draws masking keys if none is at hand; whether it did.
    pub(crate) fn draw(&mut self) -> bool {
        match &mut self.cipher {
            Some(cipher) if self.next == KEYS => {
                cipher.fill_bytes(self.keys.as_flattened_mut());
                self.next = 0;
                true
            }
            _ => false,
        }
    }

    /// The 16 bytes of a Sec-WebSocket-Key (RFC 6455 §4.1), or of a new seed.
    pub(crate) fn nonce(&mut self) -> Option<[u8; 16]> {
        let mut nonce = [0; 16];
        self.cipher.as_mut()?.fill_bytes(&mut nonce);
        Some(nonce)
    }
}

impl Default for Generator {
    fn default() -> Self {
        Self::NONE
    }
}

/// As for [`Seed`].
impl fmt::Debug for Generator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_none() { "none" } else { "seeded" })
    }
}
