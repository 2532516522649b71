//! The source of masking keys and nonces: a cryptographic generator, seeded by the embedder (RFC 6455 §5.3, §10.3).

use alloc::boxed::Box;
use core::fmt;

use rand::rngs::ChaCha12Rng;
use rand::{Rng, SeedableRng};

use crate::mask::MaskingKey;

/// ChaCha12 from a seed of 16 bytes. At rest it is that seed alone; the cipher's state and its block of
/// keys made in advance are on the heap while keys are drawn.
#[derive(Default)]
pub(crate) enum KeySource {
    /// A server's: it sends no masked frames.
    #[default]
    None,
    Resting([u8; 16]),
    Drawing(Box<ChaCha12Rng>),
}

impl KeySource {
    /// A fresh masking key; `None` without a seed.
    #[inline]
    pub(crate) fn masking_key(&mut self) -> Option<MaskingKey> {
        self.generator()
            .map(|generator| MaskingKey::new(generator.next_u32().to_le_bytes()))
    }

    /// The 16 bytes of a Sec-WebSocket-Key (RFC 6455 §4.1); `None` without a seed.
    pub(crate) fn nonce(&mut self) -> Option<[u8; 16]> {
        let mut nonce = [0; 16];
        self.generator()?.fill_bytes(&mut nonce);
        Some(nonce)
    }

    /// Goes back to a seed, a new one, and frees the rest.
    pub(crate) fn rest(&mut self) {
        if let Self::Drawing(generator) = self {
            let mut seed = [0; 16];
            generator.fill_bytes(&mut seed);
            *self = Self::Resting(seed);
        }
    }

    #[inline]
    fn generator(&mut self) -> Option<&mut ChaCha12Rng> {
        if let Self::Resting(seed) = self {
            // A seed at rest is as small as is safe: nobody searches 128 bits. ChaCha takes it for both halves of its key.
            let mut key = [0; 32];
            key[..16].copy_from_slice(seed);
            key[16..].copy_from_slice(seed);
            *self = Self::Drawing(Box::new(ChaCha12Rng::from_seed(key)));
        }
        match self {
            Self::Drawing(generator) => Some(generator),
            _ => None,
        }
    }
}

/// Says what it is, never what it holds: whoever knows the seed knows every key (RFC 6455 §10.3).
impl fmt::Debug for KeySource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if matches!(self, Self::None) {
            "none"
        } else {
            "seeded"
        })
    }
}
