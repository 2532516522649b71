//! Waits for stdin, signals and one transport at once, without a thread.

use std::io;
use std::time::Duration;

use mio::net::TcpStream;

use crate::signals::Signals;

/// What to wait for.
pub(crate) struct Wait<'a> {
    pub(crate) signals: &'a Signals,
    pub(crate) stdin: bool,
    /// A transport to read, and whether to write to it too.
    pub(crate) transport: Option<(&'a TcpStream, bool)>,
    pub(crate) timeout: Option<Duration>,
}

#[cfg(unix)]
impl Wait<'_> {
    /// Waits for one of them, and says whether stdin can be read.
    pub(crate) fn wait(self) -> io::Result<bool> {
        use rustix::event::{PollFd, PollFlags, poll};

        let stdin = io::stdin();
        let mut fds = vec![PollFd::new(self.signals, PollFlags::IN)];
        if let Some((stream, write)) = self.transport {
            let out = if write { PollFlags::OUT } else { PollFlags::empty() };
            fds.push(PollFd::new(stream, PollFlags::IN | out));
        }
        if self.stdin {
            fds.push(PollFd::new(&stdin, PollFlags::IN));
        }
        let timeout = self.timeout.and_then(|timeout| timeout.try_into().ok());
        match poll(&mut fds, timeout.as_ref()) {
            Err(rustix::io::Errno::INTR) => return Ok(false),
            done => done?,
        };
        let last = fds.last().is_some_and(|fd| !fd.revents().is_empty());
        Ok(self.stdin && last)
    }
}

/// Reads what is there; 0 at the end. The standard library would read ahead, past what a poll knows.
#[cfg(unix)]
pub(crate) fn read_stdin(buffer: &mut [u8]) -> io::Result<usize> {
    match rustix::io::read(io::stdin(), buffer) {
        Err(rustix::io::Errno::IO) => Ok(0), // a terminal that is gone
        done => Ok(done?),
    }
}

#[cfg(not(unix))]
impl Wait<'_> {
    pub(crate) fn wait(self) -> io::Result<bool> {
        let _ = (self.signals, self.stdin, self.transport, self.timeout);
        Err(io::ErrorKind::Unsupported.into())
    }
}

#[cfg(not(unix))]
pub(crate) fn read_stdin(_: &mut [u8]) -> io::Result<usize> {
    Err(io::ErrorKind::Unsupported.into())
}
