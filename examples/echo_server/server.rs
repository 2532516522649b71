//! The event loop: accepts, waits for readiness, gives each ready peer its turn, and ends what takes too long.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::io::{self, ErrorKind, Write};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};
use ws_proto::{Config, Outbox};

use crate::options::Options;
use crate::peer::{BACK_PRESSURE_BYTES, Next, Peer};

const LISTENER: Token = Token(0);

/// Length of the read buffer that all peers share.
const READ_BYTES: usize = 64 << 10;

/// Enough for 16 MiB in fragments of 16 bytes.
const MAX_FRAGMENTS: u32 = 1 << 20;

/// How long a peer may take for its request, and how long for the end, once that has begun.
const OPENING: Duration = Duration::from_secs(10);
const CLOSING: Duration = Duration::from_secs(5);

/// When to accept again after the process ran out of file descriptors or memory.
const ACCEPT_AGAIN: Duration = Duration::from_millis(100);

/// The server: a listener, the peers, and what they share.
pub(crate) struct Server {
    poll: Poll,
    listener: TcpListener,
    /// When to accept again, if that failed.
    accept_at: Option<Instant>,
    peers: HashMap<Token, Peer>,
    next_token: usize,
    deadlines: Deadlines,
    shared: Shared,
}

/// What the peers use one after the other, so that none of them keeps it while idle.
pub(crate) struct Shared {
    /// What was read last.
    pub(crate) buffer: Box<[u8]>,
    /// Who watches the connections of an id: see `tap.rs`.
    pub(crate) watchers: HashMap<String, Token>,
    pub(crate) options: Options,
    spare: Option<Outbox>,
}

/// When peers have to be done. Each queue is in order of time, since each has one duration; an entry
/// is looked at when its time has come, and means nothing if the peer has moved on by then.
#[derive(Default)]
struct Deadlines {
    opening: VecDeque<(Instant, Token)>,
    closing: VecDeque<(Instant, Token)>,
}

impl Server {
    /// Listens.
    pub(crate) fn bind(options: Options) -> io::Result<Self> {
        let addr = options.addr;
        let mut listener = TcpListener::bind(addr)
            .map_err(|error| io::Error::new(error.kind(), format!("cannot listen on {addr}: {error}")))?;
        let poll = Poll::new()?;
        poll.registry()
            .register(&mut listener, LISTENER, Interest::READABLE)?;
        Ok(Self {
            poll,
            listener,
            accept_at: None,
            peers: HashMap::new(),
            next_token: LISTENER.0 + 1,
            deadlines: Deadlines::default(),
            shared: Shared {
                buffer: vec![0; READ_BYTES].into_boxed_slice(),
                watchers: HashMap::new(),
                options,
                spare: None,
            },
        })
    }

    /// Where it listens.
    pub(crate) fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves until waiting itself fails.
    pub(crate) fn run(&mut self) -> io::Result<()> {
        let mut events = Events::with_capacity(1024);
        loop {
            match self.poll.poll(&mut events, self.timeout()) {
                Err(error) if error.kind() != ErrorKind::Interrupted => return Err(error),
                _ => {}
            }
            for event in &events {
                match event.token() {
                    LISTENER => self.accept(),
                    token => self.turn(token),
                }
            }
            self.expire(Instant::now());
        }
    }

    /// Accepts whoever waits.
    fn accept(&mut self) {
        self.accept_at = None;
        loop {
            match self.listener.accept() {
                Ok((stream, from)) => self.welcome(stream, from),
                Err(error) => match error.kind() {
                    ErrorKind::WouldBlock => return,
                    ErrorKind::Interrupted | ErrorKind::ConnectionAborted => {}
                    // Out of file descriptors, say. Those who wait are not announced again.
                    _ => return self.accept_at = Some(Instant::now() + ACCEPT_AGAIN),
                },
            }
        }
    }

    fn welcome(&mut self, mut stream: TcpStream, from: SocketAddr) {
        let token = Token(self.next_token);
        self.next_token += 1;
        // Without it the kernel holds small frames back; a socket that cannot be set up is just dropped.
        let registry = self.poll.registry();
        let ready = stream
            .set_nodelay(true)
            .and_then(|()| registry.register(&mut stream, token, Interest::READABLE));
        if ready.is_ok() {
            self.shared.log(token, format_args!("connected from {from}"));
            self.peers.insert(token, Peer::new(stream));
            let deadline = Instant::now() + OPENING;
            self.deadlines.opening.push_back((deadline, token));
        }
    }

    /// Lets a peer move its bytes.
    fn turn(&mut self, token: Token) {
        let Some(peer) = self.peers.get_mut(&token) else {
            return;
        };
        let was_closing = peer.is_closing();
        let next = peer.turn(token, &mut self.shared);
        if peer.is_closing() && !was_closing {
            let deadline = Instant::now() + CLOSING;
            self.deadlines.closing.push_back((deadline, token));
        }
        let registry = self.poll.registry();
        let kept = match next {
            Next::Wait(interest) if interest == peer.interest => true,
            // To register anew also announces anew what is ready already.
            Next::Wait(interest) | Next::Yield(interest) => {
                peer.interest = interest;
                registry.reregister(&mut peer.stream, token, interest).is_ok()
            }
            Next::Close => false,
        };
        self.report(token);
        if !kept {
            self.remove(token);
        }
    }

    /// Passes the frames that a peer's tap has seen on to the one that watches.
    fn report(&mut self, token: Token) {
        let Some(peer) = self.peers.get_mut(&token) else {
            return;
        };
        let Some(mut tap) = peer.tap.take_if(|tap| tap.has_reports()) else {
            return;
        };
        let watcher = tap.watcher;
        // If it is gone, so is the tap.
        let Some(peer) = self.peers.get_mut(&watcher) else {
            return;
        };
        tap.report(|frame| peer.report(frame));
        if let Some(peer) = self.peers.get_mut(&token) {
            peer.tap = Some(tap);
        }
        self.turn(watcher);
    }

    fn remove(&mut self, token: Token) {
        let Some(mut peer) = self.peers.remove(&token) else {
            return;
        };
        let _ = self.poll.registry().deregister(&mut peer.stream);
        if peer.watches() {
            self.shared.watchers.retain(|_, watcher| *watcher != token);
        }
    }

    /// Drops the peers whose time is over, and accepts again if that is due.
    fn expire(&mut self, now: Instant) {
        while let Some(token) = due(&mut self.deadlines.opening, now) {
            if self.peers.get(&token).is_some_and(Peer::is_opening) {
                self.shared
                    .log(token, format_args!("dropped: no request in time"));
                self.remove(token);
            }
        }
        while let Some(token) = due(&mut self.deadlines.closing, now) {
            if self.peers.contains_key(&token) {
                self.shared.log(token, format_args!("dropped: no end in time"));
                self.remove(token);
            }
        }
        if self.accept_at.is_some_and(|at| at <= now) {
            self.accept();
        }
    }

    /// How long to wait for readiness: until something else is due.
    fn timeout(&self) -> Option<Duration> {
        let Deadlines { opening, closing } = &self.deadlines;
        let fronts = [opening.front(), closing.front()]
            .into_iter()
            .flatten()
            .map(|(at, _)| *at);
        let next = fronts.chain(self.accept_at).min()?;
        Some(next.saturating_duration_since(Instant::now()))
    }
}

impl Shared {
    /// The outbox that waits to be used, or a new one.
    pub(crate) fn take_outbox(&mut self) -> Outbox {
        let mut outbox = self.spare.take().unwrap_or_default();
        // More is read only below the mark, so that this has room for all that one read can bring:
        // the end of one message, and small ones behind it.
        let room = BACK_PRESSURE_BYTES + self.options.max_message_bytes as usize + READ_BYTES;
        outbox.set_max_bytes(u32::try_from(room).unwrap_or(u32::MAX));
        outbox
    }

    /// Gives an empty outbox back.
    pub(crate) fn put_outbox(&mut self, outbox: Outbox) {
        self.spare = Some(outbox);
    }

    /// What connections are told.
    pub(crate) fn config(&self) -> Config {
        let mut config = Config::default();
        config.limits.max_message_bytes = self.options.max_message_bytes.into();
        config.limits.max_frame_bytes = self.options.max_message_bytes.into();
        config.limits.max_fragments = MAX_FRAGMENTS;
        config
    }

    /// A line for whoever runs the server.
    pub(crate) fn log(&self, peer: Token, what: fmt::Arguments<'_>) {
        if !self.options.quiet {
            let _ = writeln!(io::stderr(), "{}: {what}", peer.0);
        }
    }
}

/// The first in the queue, if its time has come.
fn due(queue: &mut VecDeque<(Instant, Token)>, now: Instant) -> Option<Token> {
    let (at, token) = *queue.front()?;
    if at > now {
        return None;
    }
    queue.pop_front();
    Some(token)
}
