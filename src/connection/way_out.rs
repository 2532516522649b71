//! The short way out: a message when nothing is unfinished and nothing has to be prepared.

use super::options::Options;
use super::{Connection, MessageKind, Phase};
use crate::Role;
#[cfg(target_feature = "sse2")]
use crate::cpu;
use crate::cpu::Cpu;
use crate::error::SendError;
use crate::frame::MAX_CONTROL_BYTES;
#[cfg(target_feature = "sse2")]
use crate::mask::avx512;
use crate::mask::{LONG_BYTES, MaskingKey};
use crate::outbox::{self, Outbox};

/// The way of messages that are sent: the long one, which is open to all, or a short one, and for whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum WayOut {
    Long,
    Server,
    Client,
    #[cfg(target_feature = "sse2")]
    ServerAvx512,
    #[cfg(target_feature = "sse2")]
    ClientAvx512,
}

type Send = unsafe fn(&mut Connection, MessageKind, &[u8], &mut Outbox) -> Result<(), SendError>;

impl WayOut {
    const ALL: &[Self] = &[
        Self::Long,
        Self::Server,
        Self::Client,
        #[cfg(target_feature = "sse2")]
        Self::ServerAvx512,
        #[cfg(target_feature = "sse2")]
        Self::ClientAvx512,
    ];

    /// [`way`](Self::way), by the variants' numbers.
    const WAYS: [Send; Self::ALL.len()] = {
        let mut ways = [Self::Long.way(); Self::ALL.len()];
        let mut i = 0;
        while i < ways.len() {
            assert!(Self::ALL[i] as usize == i);
            ways[i] = Self::ALL[i].way();
            i += 1;
        }
        ways
    };

    /// What to call. A short way leads on to the long one where it ends.
    const fn way(self) -> Send {
        match self {
            Self::Long => Connection::send_any,
            Self::Server => Connection::send_short::<false>,
            Self::Client => Connection::send_short::<true>,
            #[cfg(target_feature = "sse2")]
            Self::ServerAvx512 => Connection::send_short_avx512::<false>,
            #[cfg(target_feature = "sse2")]
            Self::ClientAvx512 => Connection::send_short_avx512::<true>,
        }
    }

    /// For an endpoint that has this role.
    fn new(role: Role, cpu: Cpu) -> Self {
        match (role, cpu.level()) {
            #[cfg(target_feature = "sse2")]
            (Role::Server, cpu::Level::Avx512) => Self::ServerAvx512,
            #[cfg(target_feature = "sse2")]
            (Role::Client, cpu::Level::Avx512) => Self::ClientAvx512,
            (Role::Server, _) => Self::Server,
            (Role::Client, _) => Self::Client,
        }
    }
}

impl Connection {
    #[inline]
    #[allow(unsafe_code)]
    pub(super) fn send_message(
        &mut self,
        kind: MessageKind,
        payload: &[u8],
        outbox: &mut Outbox,
    ) -> Result<(), SendError> {
        // SAFETY: it is this variant's function, by `WAYS`, and the processor has its instructions, by `WayOut::new`.
        unsafe { WayOut::WAYS[self.way_out as usize](self, kind, payload, outbox) }
    }

    fn send_short<const MASKED: bool>(
        &mut self,
        kind: MessageKind,
        payload: &[u8],
        outbox: &mut Outbox,
    ) -> Result<(), SendError> {
        match self.put_short_header::<MASKED>(kind, payload, outbox) {
            Some((key, to)) => key.copy_short(payload, to),
            None => return self.send_16_bits::<MASKED>(kind, payload, outbox),
        }
        Ok(())
    }

    #[cfg(target_feature = "sse2")]
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi,avx512vbmi2")]
    fn send_short_avx512<const MASKED: bool>(
        &mut self,
        kind: MessageKind,
        payload: &[u8],
        outbox: &mut Outbox,
    ) -> Result<(), SendError> {
        match self.put_short_header::<MASKED>(kind, payload, outbox) {
            Some((key, to)) => avx512::copy_short(key, payload, to),
            None => return self.send_16_bits::<MASKED>(kind, payload, outbox),
        }
        Ok(())
    }

    /// The header of a message of at most 125 bytes: see [`Outbox::put_short_header`].
    #[inline(always)]
    fn put_short_header<'a, const MASKED: bool>(
        &self,
        kind: MessageKind,
        payload: &[u8],
        outbox: &'a mut Outbox,
    ) -> Option<(MaskingKey, &'a mut [u8; LONG_BYTES])> {
        debug_assert!(self.may_go_short() && self.masks() == MASKED);
        if payload.len() > MAX_CONTROL_BYTES {
            return None;
        }
        outbox.put_short_header::<MASKED>(kind.opcode(), payload.len())
    }

    /// A message with a length of 16 bits. A function of its own, lest shorter ones have the registers saved that it needs.
    #[cold]
    #[inline(never)]
    fn send_16_bits<const MASKED: bool>(
        &mut self,
        kind: MessageKind,
        payload: &[u8],
        outbox: &mut Outbox,
    ) -> Result<(), SendError> {
        match outbox.put_16_bit_header::<MASKED>(kind.opcode(), payload.len()) {
            Some((key, to)) => outbox::copy(key, payload, to),
            None => return self.send_any(kind, payload, outbox),
        }
        Ok(())
    }

    /// Opens the short way, if nothing stands in it. Whatever changes that closes it.
    #[cold]
    pub(super) fn open_short_way_out(&mut self) {
        if self.may_go_short() {
            self.way_out = WayOut::new(self.role(), Cpu::this());
        }
    }

    fn may_go_short(&self) -> bool {
        self.phase == Phase::Open && self.sending.is_none() && !self.options.has(Options::COMPRESSES)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Config;
    use alloc::vec::Vec;

    fn outbox(role: Role) -> Outbox {
        match role {
            Role::Server => Outbox::new(),
            Role::Client => Outbox::client([7; 16]),
        }
    }

    #[test]
    fn s5_6_every_length_on_every_way() {
        let step = if cfg!(miri) { 37 } else { 1 };
        let lens: Vec<usize> = (0..=300)
            .step_by(step)
            .chain([1000, 2047, 2048, 8191, 8192, 65_535, 65_536, 70_000])
            .filter(|len| !cfg!(miri) || *len <= 1000)
            .collect();
        let most = lens[lens.len() - 1];
        let payload: Vec<u8> = (0..most).map(|i| ((i * 151) >> 2) as u8).collect();
        for role in [Role::Server, Role::Client] {
            for cpu in Cpu::each() {
                let mut short = Connection::new(role, &Config::default());
                let mut long = short;
                let (mut by_short, mut by_long) = (outbox(role), outbox(role));
                for &len in &lens {
                    for kind in [MessageKind::Text, MessageKind::Binary] {
                        let payload = &payload[..len];
                        short.way_out = WayOut::new(role, cpu);
                        assert_eq!(short.send_message(kind, payload, &mut by_short), Ok(()));
                        long.way_out = WayOut::Long;
                        assert_eq!(long.send_message(kind, payload, &mut by_long), Ok(()));
                        assert!(by_short.bytes() == by_long.bytes(), "{role:?} {cpu:?} {len}");
                        if by_short.len() > 500 {
                            // Not all of it: there are places before and behind what waits.
                            by_short.consume(by_short.len() - len % 7);
                            by_long.consume(by_long.len() - len % 7);
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn s5_4_the_short_way_is_closed_by_what_stands_in_it() {
        let begun = |change: fn(&mut Connection, &mut Outbox)| {
            let mut connection = Connection::new(Role::Server, &Config::default());
            let mut outbox = Outbox::new();
            assert_eq!(connection.way_out, WayOut::Long);
            assert_eq!(connection.send_text("", &mut outbox), Ok(()));
            assert_ne!(connection.way_out, WayOut::Long);
            change(&mut connection, &mut outbox);
            assert_eq!(connection.way_out, WayOut::Long);
            connection.send_text("", &mut outbox)
        };
        let unfinished = Err(SendError::MessageUnfinished);
        assert_eq!(
            begun(|connection, outbox| {
                assert_eq!(connection.begin_message(MessageKind::Text, b"", outbox), Ok(()));
            }),
            unfinished
        );
        assert_eq!(
            begun(|connection, outbox| {
                assert_eq!(connection.begin_frame(MessageKind::Text, 1, outbox), Ok(()));
            }),
            unfinished
        );
        assert_eq!(
            begun(|connection, outbox| assert_eq!(connection.close(None, outbox), Ok(()))),
            Err(SendError::Closed)
        );
        assert_eq!(
            begun(|connection, outbox| connection.receive_eof(outbox)),
            Err(SendError::Closed)
        );
    }

    #[test]
    fn a_full_outbox_is_full_on_every_way() {
        for cpu in Cpu::each() {
            for role in [Role::Server, Role::Client] {
                let mut connection = Connection::new(role, &Config::default());
                let mut outbox = outbox(role);
                outbox.set_max_bytes(300);
                connection.open_short_way_out();
                connection.way_out = WayOut::new(role, cpu);
                while outbox.len() < 300 {
                    assert_eq!(connection.send_binary(&[1; 90], &mut outbox), Ok(()));
                }
                for len in [0, 90, 126, 70_000] {
                    assert_eq!(
                        connection.send_binary(&[1; 70_000][..len], &mut outbox),
                        Err(SendError::Full)
                    );
                }
                outbox.consume(200);
                assert_eq!(connection.send_binary(&[1; 90], &mut outbox), Ok(()));
            }
        }
    }
}
