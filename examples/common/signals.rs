//! Signals as bytes that come in: the handler only writes one, and the event loop acts on it when it is its turn.

pub(crate) use here::*;

#[cfg(unix)]
mod here {
    use std::io::{self, Read};
    use std::os::fd::{AsFd, BorrowedFd};
    use std::os::unix::net::UnixStream;

    /// What asks a program to end.
    #[allow(dead_code)] // some examples want others
    pub(crate) const END: &[i32] = &[signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM];

    /// Signals of some kinds, which are not told apart.
    pub(crate) struct Signals(mio::net::UnixStream);

    impl Signals {
        /// From now on these signals do nothing but show here.
        pub(crate) fn catch(signals: &[i32]) -> io::Result<Self> {
            let (receiver, sender) = UnixStream::pair()?;
            for signal in signals {
                signal_hook::low_level::pipe::register(*signal, sender.try_clone()?)?;
            }
            receiver.set_nonblocking(true)?;
            Ok(Self(mio::net::UnixStream::from_std(receiver)))
        }

        /// Lets a poll wake up for them.
        #[allow(dead_code)] // the examples that use mio
        pub(crate) fn register(&mut self, registry: &mio::Registry, token: mio::Token) -> io::Result<()> {
            registry.register(&mut self.0, token, mio::Interest::READABLE)
        }

        /// Whether there were any since the last call.
        pub(crate) fn came(&mut self) -> bool {
            self.0.read(&mut [0; 64]).is_ok()
        }
    }

    impl AsFd for Signals {
        fn as_fd(&self) -> BorrowedFd<'_> {
            self.0.as_fd()
        }
    }
}

/// Elsewhere no signal is caught: each does what it does by itself.
#[cfg(not(unix))]
mod here {
    use std::io;

    pub(crate) const END: &[i32] = &[];

    pub(crate) struct Signals;

    impl Signals {
        pub(crate) fn catch(_: &[i32]) -> io::Result<Self> {
            Ok(Self)
        }

        #[allow(dead_code)]
        pub(crate) fn register(&mut self, _: &mio::Registry, _: mio::Token) -> io::Result<()> {
            Ok(())
        }

        pub(crate) fn came(&mut self) -> bool {
            false
        }
    }
}
