//! What a connection was told at its beginning, one bit each.

use super::Config;
use crate::Role;
#[cfg(feature = "deflate")]
use crate::deflate::MIN_COMPRESSOR_BITS;
use crate::frame::Rsv;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Options(u8);

impl Options {
    pub(super) const NONE: Self = Self(0);
    pub(super) const AUTOMATIC_PONG: Self = Self(1);
    pub(super) const AUTOMATIC_CLOSE: Self = Self(1 << 1);
    pub(super) const PIECES: Self = Self(1 << 2);
    /// permessage-deflate is in use.
    pub(super) const DEFLATE: Self = Self(1 << 3);
    /// The peer takes over its context from one message to the next.
    pub(super) const PEER_TAKES_OVER: Self = Self(1 << 4);
    /// We do.
    pub(super) const TAKES_OVER: Self = Self(1 << 5);
    /// Messages are compressed as they are sent. May change.
    pub(super) const COMPRESSES: Self = Self(1 << 6);
    /// The message being sent in fragments is compressed. Changes.
    pub(super) const SENDING_COMPRESSED: Self = Self(1 << 7);

    pub(super) const fn bits(self) -> u8 {
        self.0
    }

    /// The options of a state; `None` if this build has not what they need.
    pub(super) fn from_bits(bits: u8) -> Option<Self> {
        let options = Self(bits);
        (cfg!(feature = "deflate") || !options.has(Self::DEFLATE)).then_some(options)
    }

    /// Whether options go together, with one another and with what was agreed.
    pub(super) fn fit(self, message_bits: Rsv, window_bits: u8) -> bool {
        let of_deflate = [
            Self::PEER_TAKES_OVER,
            Self::TAKES_OVER,
            Self::COMPRESSES,
            Self::SENDING_COMPRESSED,
        ];
        if self.has(Self::DEFLATE) {
            let can_compress = window_bits > 8;
            message_bits.contains(Rsv::RSV1)
                && matches!(window_bits, 8..=15)
                && (can_compress || !self.has(Self::COMPRESSES))
        } else {
            window_bits == 0 && !of_deflate.iter().any(|option| self.has(*option))
        }
    }

    pub(super) const fn has(self, option: Self) -> bool {
        self.0 & option.0 != 0
    }

    pub(super) const fn with(self, option: Self, on: bool) -> Self {
        if on {
            Self(self.0 | option.0)
        } else {
            Self(self.0 & !option.0)
        }
    }

    /// The options of a new connection, and the window of its compressor.
    pub(super) const fn new(role: Role, config: &Config) -> (Self, u8) {
        let options = Self::NONE
            .with(Self::AUTOMATIC_PONG, config.automatic_pong)
            .with(Self::AUTOMATIC_CLOSE, config.automatic_close)
            .with(Self::PIECES, config.pieces);
        #[cfg(feature = "deflate")]
        if let Some(agreed) = &config.deflate {
            let (own_fresh, peer_fresh, bits) = match role {
                Role::Server => (
                    agreed.server_no_context_takeover,
                    agreed.client_no_context_takeover,
                    agreed.server_window_bits(),
                ),
                Role::Client => (
                    agreed.client_no_context_takeover,
                    agreed.server_no_context_takeover,
                    agreed.client_window_bits(),
                ),
            };
            let options = options
                .with(Self::DEFLATE, true)
                .with(Self::PEER_TAKES_OVER, !peer_fresh)
                .with(Self::TAKES_OVER, !own_fresh)
                // In a window of 256 bytes our compressor cannot work: messages go out as they are.
                .with(Self::COMPRESSES, bits >= MIN_COMPRESSOR_BITS);
            return (options, bits);
        }
        let _ = role;
        (options, 0)
    }
}
