//! Room in the buffer, where places have 32 bits: how much there is, and how it grows.

use super::{NO_PONG, Outbox};
use crate::error::SendError;
use crate::frame::{Header, MAX_CONTROL_BYTES};

/// What may go behind the most bytes of messages: a header, a short message or a Ping, and then the automatic replies, two Pongs and
/// one Close frame.
const RESERVED_BYTES: u32 = 4 * (Header::MAX_BYTES + MAX_CONTROL_BYTES) as u32;

/// Most bytes in a buffer: places in it have 32 bits, and half of what these count is the most where addresses have no more.
const PLACES: u32 = if usize::BITS > 32 {
    u32::MAX
} else {
    isize::MAX as u32
};

const _: () = assert!(PLACES as usize <= isize::MAX as usize);

/// Most bytes of messages in a buffer.
pub(super) const MOST_BYTES: u32 = PLACES - RESERVED_BYTES;

/// The same with the control frames that go behind, but for the last one's header.
pub(super) const MOST_BYTES_WITH_CONTROL: u32 = PLACES - Header::MAX_BYTES as u32;

impl Outbox {
    /// Sees to it that places in the buffer still have 32 bits with `n` bytes more of a message's payload.
    #[inline]
    pub(crate) fn check_room(&mut self, n: usize) -> Result<(), SendError> {
        self.check_room_below(MOST_BYTES, n)
    }

    /// [`check_room`](Self::check_room) with this limit. Before it is full, the room of consumed bytes is reused.
    #[inline]
    pub(super) fn check_room_below(&mut self, most: u32, n: usize) -> Result<(), SendError> {
        if self.has_room(most, n) {
            return Ok(());
        }
        self.reuse_consumed();
        if self.has_room(most, n) {
            Ok(())
        } else {
            Err(SendError::Full)
        }
    }

    #[inline]
    pub(super) fn has_room(&self, most: u32, n: usize) -> bool {
        (most as usize)
            .checked_sub(self.buffer.len())
            .is_some_and(|room| n <= room)
    }

    #[inline]
    pub(super) fn make_room(&mut self, n: usize) {
        if self.buffer.spare().len() < n {
            self.grow(n);
        }
    }

    /// Makes room for `n` bytes, by reusing that of consumed ones where this costs less than it gains.
    #[cold]
    #[inline(never)]
    fn grow(&mut self, n: usize) {
        if self.start as usize > self.buffer.len() / 2 {
            self.reuse_consumed();
        }
        self.buffer.reserve(n);
    }

    /// Moves what waits to the front, where consumed bytes were.
    #[cold]
    fn reuse_consumed(&mut self) {
        self.buffer.keep_end(self.len());
        if self.pong != NO_PONG {
            self.pong -= self.start;
        }
        self.close_end = self.close_end.saturating_sub(self.start);
        self.start = 0;
    }
}

#[cfg(all(test, target_pointer_width = "64"))]
mod tests {
    use super::*;
    use crate::{Config, Connection, MessageKind, Prepared, Role, SendError};

    #[test]
    fn places_have_32_bits_on_the_short_way_too() {
        let (mut connection, mut outbox) = waiting(MOST_BYTES - 200);
        let before = outbox.len();
        assert_eq!(
            connection.send_binary(&[1; 60_000], &mut outbox),
            Err(SendError::Full)
        );
        // What would wait counts, whatever was given.
        for (taken, fits) in [
            (0, false),
            (59_899, false),
            (before - 1000, true), // with more before, all of that would be moved
            (before + 100, true),
        ] {
            let parts: [&[u8]; 2] = [&[1; 100], &[1; 60_000]];
            let kept = outbox.consume_with(taken, &parts);
            assert_eq!(kept, if fits { Ok(()) } else { Err(SendError::Full) });
            let waits = if fits { before + 60_100 - taken } else { before };
            assert_eq!(outbox.len(), waits, "{taken}");
            outbox = waiting(MOST_BYTES - 200).1;
        }
        assert!(!outbox.is_full());
    }

    /// So many bytes of messages wait, in memory that nobody touches: the system gives none for it.
    fn waiting(len: u32) -> (Connection, Outbox) {
        let mut connection = Connection::new(Role::Server, &Config::default());
        let mut outbox = Outbox::new();
        outbox.set_max_bytes(u32::MAX);
        outbox.buffer.reserve_exact((1 << 32) + (1 << 20));
        assert_eq!(connection.send_binary(b"opens it", &mut outbox), Ok(()));
        outbox.buffer.add_spare(len as usize - outbox.buffer.len());
        (connection, outbox)
    }

    #[test]
    fn the_buffer_is_at_most_four_times_what_waited() {
        for (sent, taken) in [(1000, 999), (1000, 500), (1000, 501), (700, 1), (10, 100), (1, 0)] {
            let mut connection = Connection::new(Role::Server, &Config::default());
            let (mut outbox, mut most) = (Outbox::new(), 0);
            for _ in 0..300 {
                assert_eq!(connection.send_binary(&[1; 1000][..sent], &mut outbox), Ok(()));
                most = most.max(outbox.len());
                outbox.consume(taken);
                assert!(outbox.buffer.capacity() <= 4 * most + 600, "{sent} {taken}");
            }
        }
    }

    #[test]
    fn automatic_replies_fit_behind_the_most_that_may_wait() {
        let (mut connection, mut outbox) = waiting(MOST_BYTES - 1);
        assert_eq!(connection.send_binary(&[1; 125], &mut outbox), Ok(()));
        assert_eq!(connection.send_binary(b"", &mut outbox), Err(SendError::Full));
        assert_eq!(connection.ping(b"", &mut outbox), Err(SendError::Full));
        let before = outbox.len();
        assert_eq!(
            outbox.push_pong(&[2; 125], true, false),
            Err(SendError::NoMaskingKeys)
        );
        assert_eq!(outbox.push_pong(&[2; 125], false, false), Ok(()));
        assert_eq!(connection.close(None, &mut outbox), Ok(()));
        assert_eq!(outbox.push_pong(&[3; 125], false, false), Ok(()));
        outbox.consume(before);
        assert_eq!(outbox.len(), 127 + 2);
        outbox.consume(1);
        assert_eq!(outbox.len(), 126 + 2 + 127);
    }

    type Send = fn(&mut Connection, &mut Outbox) -> Result<(), SendError>;

    #[test]
    fn what_has_no_room_is_refused_on_every_way() {
        let ways: [Send; 5] = [
            |connection, outbox| connection.send_binary(&[1; 60_000], outbox),
            |connection, outbox| connection.send_binary(&[1; 70_000], outbox),
            |connection, outbox| connection.begin_message(MessageKind::Binary, &[1; 60_000], outbox),
            |connection, outbox| connection.send_prepared(&Prepared::binary(&[1; 60_000]), outbox),
            |connection, outbox| {
                connection.begin_frame(MessageKind::Binary, 60_000, outbox)?;
                connection.continue_frame(&[1; 60_000], outbox)
            },
        ];
        for send in ways {
            let (mut connection, mut outbox) = waiting(MOST_BYTES - 1000);
            assert!(!outbox.is_full());
            assert_eq!(send(&mut connection, &mut outbox), Err(SendError::Full));
            assert!(outbox.len() < MOST_BYTES as usize - 900, "but for a header");
        }
        let (mut connection, mut outbox) = waiting(MOST_BYTES - 3);
        let begun = connection.begin_frame(MessageKind::Binary, 60_000, &mut outbox);
        assert_eq!(begun, Err(SendError::Full));
    }

    #[test]
    fn room_of_consumed_bytes_is_reused_before_it_is_full() {
        let ways: [Send; 5] = [
            |connection, outbox| connection.send_binary(&[1; 125], outbox),
            |connection, outbox| connection.send_binary(&[1; 60_000], outbox),
            |connection, outbox| connection.ping(b"", outbox),
            |connection, outbox| connection.begin_message(MessageKind::Text, b"", outbox),
            |_, outbox| outbox.consume_with(0, &[&[1; 60_000]]),
        ];
        for send in ways {
            let (mut connection, mut outbox) = waiting(MOST_BYTES);
            outbox.buffer.push(b"the last");
            outbox.consume(outbox.len() - 8);
            assert_eq!(send(&mut connection, &mut outbox), Ok(()));
            assert!(outbox.bytes().starts_with(b"the last") && outbox.len() > 8);
        }
    }
}
