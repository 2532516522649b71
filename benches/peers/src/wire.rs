//! The transport of all contenders: bytes in memory that come round again and again, and a place where what is written is
//! copied, as into a socket, and kept if it is to be checked.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::hint::black_box;
use std::io::{self, IoSlice, Read, Write};
use std::num::NonZeroUsize;
use std::pin::{Pin, pin};
use std::ptr;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use tokio::io::ReadBuf;
use wtx::collections::MaybeUninitSlice;

use crate::aligned::Aligned;

/// What was written, for a check.
pub type Tap = Arc<Mutex<Vec<u8>>>;

pub struct Wire {
    bytes: Arc<Aligned>,
    at: usize,
    read_bytes: usize,
    tap: Option<Tap>,
}

/// As much as a socket takes at once.
const SINK_BYTES: usize = 64 << 10;

/// Bytes copied at once. With more, `memcpy` takes the processor's own instruction for it, which on some takes 20 times as
/// long where source and target begin nearly alike within a page: where bytes lie must not decide who is faster.
const COPIED_BYTES: usize = 1 << 10;

/// To the front of `to`.
fn copy(from: &[u8], to: &mut [u8]) {
    for (from, to) in from.chunks(COPIED_BYTES).zip(to.chunks_mut(COPIED_BYTES)) {
        to[..from.len()].copy_from_slice(from);
    }
}

thread_local! {
    /// Where writes go, over one another.
    static SINK: RefCell<[u8; SINK_BYTES]> = const { RefCell::new([0; SINK_BYTES]) };

    /// How many reads and writes there were: calls of the system, if this were a socket.
    static CALLS: Cell<(u64, u64)> = const { Cell::new((0, 0)) };
}

/// Reads and writes so far.
pub fn calls() -> (u64, u64) {
    CALLS.get()
}

impl Wire {
    /// A read returns at most `read_bytes`, and never goes over the end of `bytes`: the next one begins anew.
    pub fn new(bytes: Arc<Aligned>, read_bytes: usize, tap: Option<Tap>) -> Self {
        Self {
            bytes,
            at: 0,
            read_bytes,
            tap,
        }
    }

    /// As a read from a socket: copies what there is.
    #[inline]
    pub fn read_into(&mut self, space: &mut [u8]) -> usize {
        CALLS.set((CALLS.get().0 + 1, CALLS.get().1));
        let n = self.next_len(space.len());
        copy(&self.bytes[self.at..self.at + n], space);
        self.advance(n);
        n
    }

    /// As a vectored read.
    #[inline]
    pub fn read_into_all(&mut self, spaces: &mut [&mut [u8]]) -> usize {
        CALLS.set((CALLS.get().0 + 1, CALLS.get().1));
        let n = self.next_len(spaces.iter().map(|space| space.len()).sum());
        let mut at = self.at;
        for space in spaces {
            let part = space.len().min(self.at + n - at);
            copy(&self.bytes[at..at + part], space);
            at += part;
        }
        self.advance(n);
        n
    }

    #[inline]
    fn next_len(&self, space: usize) -> usize {
        (self.bytes.len() - self.at).min(self.read_bytes).min(space)
    }

    #[inline]
    fn advance(&mut self, n: usize) {
        self.at += n;
        if self.at == self.bytes.len() {
            self.at = 0;
        }
    }

    /// As a write to a socket that takes everything: copies it.
    #[inline]
    pub fn write_from(&mut self, bytes: &[u8]) -> usize {
        CALLS.set((CALLS.get().0, CALLS.get().1 + 1));
        self.write_slice(bytes)
    }

    #[inline]
    fn write_slice(&mut self, bytes: &[u8]) -> usize {
        SINK.with_borrow_mut(|sink| {
            for piece in bytes.chunks(SINK_BYTES) {
                copy(piece, &mut *sink);
                black_box(&mut *sink);
            }
        });
        if let Some(tap) = &self.tap {
            tap.lock().expect("one thread").extend_from_slice(bytes);
        }
        bytes.len()
    }

    /// One call with several slices.
    pub fn write_slices(&mut self, slices: &[IoSlice<'_>]) -> usize {
        CALLS.set((CALLS.get().0, CALLS.get().1 + 1));
        slices.iter().map(|slice| self.write_slice(slice)).sum()
    }
}

/// What a future gives that need not wait: the wire is always ready.
#[inline]
pub fn now<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("waits for something that is not the wire"),
    }
}

impl Read for Wire {
    #[inline]
    fn read(&mut self, space: &mut [u8]) -> io::Result<usize> {
        Ok(self.read_into(space))
    }
}

impl Write for Wire {
    #[inline]
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(self.write_from(bytes))
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        Ok(self.write_slices(slices))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl tokio::io::AsyncRead for Wire {
    #[inline]
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        space: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        // No byte is initialised first, as a socket's bytes are not.
        CALLS.set((CALLS.get().0 + 1, CALLS.get().1));
        let n = self.next_len(space.remaining());
        for piece in self.bytes[self.at..self.at + n].chunks(COPIED_BYTES) {
            space.put_slice(piece);
        }
        self.advance(n);
        Poll::Ready(Ok(()))
    }
}

impl tokio::io::AsyncWrite for Wire {
    #[inline]
    fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(self.write_from(bytes)))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(self.write_slices(slices)))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl futures_util::io::AsyncRead for Wire {
    #[inline]
    fn poll_read(mut self: Pin<&mut Self>, _: &mut Context<'_>, space: &mut [u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(self.read_into(space)))
    }
}

impl futures_util::io::AsyncWrite for Wire {
    #[inline]
    fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(self.write_from(bytes)))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(self.write_slices(slices)))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl wtx::net::StreamCommon for Wire {}

impl wtx::net::Stream for Wire {
    type BridgeOwned = ();
    type ReadHalfOwned = Self;
    type WriteHalfOwned = ();

    fn into_split(self) -> wtx::Result<((), Self, ())> {
        Ok(((), self, ()))
    }
}

impl wtx::net::StreamReader for Wire {
    #[inline]
    async fn read(&mut self, mut space: MaybeUninitSlice<'_, u8>) -> wtx::Result<Option<NonZeroUsize>> {
        // SAFETY: the wire only writes there, and says how much.
        let space = unsafe { &mut *(ptr::from_mut(space.all_mut()) as *mut [u8]) };
        Ok(NonZeroUsize::new(self.read_into(space)))
    }
}

impl wtx::net::StreamWriter for Wire {
    #[inline]
    async fn write_all(&mut self, bytes: &[u8]) -> wtx::Result<()> {
        self.write_from(bytes);
        Ok(())
    }

    #[inline]
    async fn write_all_vectored(&mut self, slices: &[&[u8]]) -> wtx::Result<()> {
        CALLS.set((CALLS.get().0, CALLS.get().1 + 1));
        for slice in slices {
            self.write_slice(slice);
        }
        Ok(())
    }
}
