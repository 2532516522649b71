//! The event loop, and the hand-over: a file with all state, and the descriptors of the sockets, survive the exec.

use std::env;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Read, Seek, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::CommandExt;
use std::process::{self, Command};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::{Errno, FdFlags, fcntl_setfd};
use signal_hook::consts::SIGUSR2;

use crate::peer::{Peer, take_array};
use crate::signals::Signals;

/// Tells the new program which process was handed over, and the descriptor of the file with the state: `PID:FD`.
/// An exec keeps the id, a child that inherits the environment has another.
const VARIABLE: &str = "WS_PROTO_HANDOVER";

const READ_BYTES: usize = 64 << 10;

/// A listener and its peers.
pub(crate) struct Server {
    listener: TcpListener,
    /// Whether the system gives no descriptors for more peers, until one of these goes.
    full: bool,
    signals: Signals,
    peers: Vec<Peer>,
}

impl Server {
    /// Takes over what the process before left, or listens anew.
    pub(crate) fn start(addr: &str) -> io::Result<Self> {
        let signals = Signals::catch(&[SIGUSR2])?;
        if let Some(fd) = inherited() {
            return Self::load(File::from(own(fd)?), signals);
        }
        let listener = TcpListener::bind(addr)
            .map_err(|error| io::Error::new(error.kind(), format!("{addr}: {error}")))?;
        listener.set_nonblocking(true)?;
        let addr = listener.local_addr()?;
        writeln!(io::stdout(), "ws://{addr}/ of process {}", process::id())?;
        Ok(Self::new(listener, signals, Vec::new()))
    }

    fn new(listener: TcpListener, signals: Signals, peers: Vec<Peer>) -> Self {
        Self {
            listener,
            full: false,
            signals,
            peers,
        }
    }

    /// Serves for ever, in this process or in one that takes over.
    pub(crate) fn run(&mut self) -> io::Result<()> {
        let mut buffer = vec![0; READ_BYTES];
        loop {
            let ready = self.wait()?;
            // From the back, so that those to be looked at stay where they are.
            for i in (0..self.peers.len()).rev().filter(|i| ready[*i]) {
                if self.peers[i].turn(&mut buffer).is_err() {
                    self.peers.swap_remove(i);
                    self.full = false;
                }
            }
            self.accept()?;
            if self.signals.came() {
                let error = self.hand_over();
                let _ = writeln!(io::stderr(), "handover: not handed over: {error}");
            }
        }
    }

    /// Waits, and says which peers are ready.
    fn wait(&self) -> io::Result<Vec<bool>> {
        let mut fds: Vec<_> = self.peers.iter().map(poll_fd).collect();
        let flags = if self.full {
            PollFlags::empty()
        } else {
            PollFlags::IN
        };
        fds.push(PollFd::new(&self.listener, flags));
        fds.push(PollFd::new(&self.signals, PollFlags::IN));
        match poll(&mut fds, None) {
            Err(Errno::INTR) => {}
            done => _ = done?,
        }
        Ok(fds.iter().map(|fd| !fd.revents().is_empty()).collect())
    }

    fn accept(&mut self) -> io::Result<()> {
        while !self.full {
            match self.listener.accept() {
                Ok((stream, _)) => {
                    // One that cannot be set up, since it was reset, is just dropped.
                    if stream.set_nonblocking(true).is_ok() && stream.set_nodelay(true).is_ok() {
                        self.peers.push(Peer::new(stream));
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::ConnectionAborted => {}
                // Nobody is dropped for those who wait.
                Err(error) if !self.peers.is_empty() => {
                    let _ = writeln!(
                        io::stderr(),
                        "handover: nobody is accepted until a peer goes: {error}"
                    );
                    self.full = true;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Executes the program anew with all sockets. Comes back only if that failed, and then everything is as it was.
    fn hand_over(&mut self) -> io::Error {
        let mut waiting = Vec::new();
        let error = match self.save(&mut waiting) {
            Ok(file) => self.execute(&file),
            Err(error) => error,
        };
        for (peer, waiting) in self.peers.iter_mut().zip(&waiting) {
            if let Err(error) = peer.take_back(waiting) {
                return io::Error::other(error);
            }
        }
        error
    }

    /// Leaves the sockets and the file to the program.
    fn execute(&self, file: &File) -> io::Error {
        let mut args = env::args_os();
        let program = args.next().unwrap_or_default(); // not `current_exe`: what was installed meanwhile is wanted
        let error = match self.survive_exec(file, FdFlags::empty()) {
            Ok(()) => Command::new(program)
                .args(args)
                .env(VARIABLE, format!("{}:{}", process::id(), file.as_raw_fd()))
                .exec(),
            Err(error) => error,
        };
        let _ = self.survive_exec(file, FdFlags::CLOEXEC);
        error
    }

    /// Lets an exec close the descriptors, as usual, or not.
    fn survive_exec(&self, file: &File, flags: FdFlags) -> io::Result<()> {
        let streams = self.peers.iter().map(|peer| peer.stream.as_fd());
        for fd in streams.chain([self.listener.as_fd(), file.as_fd()]) {
            fcntl_setfd(fd, flags)?;
        }
        Ok(())
    }

    /// Writes all state to a file that has no name any more. What waits to be written to each peer is taken out of it.
    fn save(&mut self, waiting: &mut Vec<Vec<u8>>) -> io::Result<File> {
        let mut state = self.listener.as_raw_fd().to_le_bytes().to_vec();
        for peer in &mut self.peers {
            state.extend_from_slice(&peer.stream.as_raw_fd().to_le_bytes());
            waiting.push(peer.save(&mut state));
        }
        let path = env::temp_dir().join(format!("ws-proto-handover-{}", process::id()));
        let mut file = File::options()
            .read(true)
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)?;
        fs::remove_file(&path)?;
        file.write_all(&state)?;
        file.rewind()?;
        Ok(file)
    }

    /// Reads what `save` wrote.
    fn load(mut file: File, signals: Signals) -> io::Result<Self> {
        let mut state = Vec::new();
        file.read_to_end(&mut state)?;
        let from = &mut state.as_slice();
        let listener = TcpListener::from(own(RawFd::from_le_bytes(take_array(from)?))?);
        let (mut peers, mut dropped) = (Vec::new(), 0);
        while !from.is_empty() {
            let stream = TcpStream::from(own(RawFd::from_le_bytes(take_array(from)?))?);
            match Peer::load(stream, from)? {
                Some(peer) => peers.push(peer),
                None => dropped += 1,
            }
        }
        let _ = writeln!(io::stdout(), "took over {} connections", peers.len());
        if dropped > 0 {
            let _ = writeln!(
                io::stderr(),
                "handover: dropped {dropped} of a state that is not understood"
            );
        }
        Ok(Self::new(listener, signals, peers))
    }
}

/// What to wait for, for the sake of a peer.
fn poll_fd(peer: &Peer) -> PollFd<'_> {
    let mut flags = PollFlags::empty();
    flags.set(PollFlags::IN, peer.wants_to_read());
    flags.set(PollFlags::OUT, peer.wants_to_write());
    PollFd::new(&peer.stream, flags)
}

/// The descriptor of the file that the process before left to this one.
fn inherited() -> Option<RawFd> {
    let value = env::var(VARIABLE).ok()?;
    let (pid, fd) = value.split_once(':')?;
    (pid.parse() == Ok(process::id())).then(|| fd.parse().ok())?
}

/// Takes a descriptor that survived the exec. The next exec closes it, unless it is handed over again.
fn own(fd: RawFd) -> io::Result<OwnedFd> {
    // SAFETY: the program that ran in this process before left exactly these descriptors open, to be owned by whoever
    // is named in the variable, which is this process; each is taken once, before anything else could have its number.
    #[allow(unsafe_code)]
    let fd = unsafe { OwnedFd::from_raw_fd(fd) };
    fcntl_setfd(&fd, FdFlags::CLOEXEC)?;
    Ok(fd)
}
