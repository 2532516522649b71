//! The event loop: accepts, waits for readiness, gives each ready peer its turn, and ends what takes too long.

use std::collections::{BTreeSet, HashMap};
use std::io::{self, ErrorKind, Write};
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use std::{fmt, mem};

use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};
use ws_proto::deflate::{Parameters, Pool};
use ws_proto::{Config, Outbox};

use crate::options::Options;
use crate::peer::{BACK_PRESSURE_BYTES, Next, Peer};
use crate::signals::{self, Signals};

const LISTENER: Token = Token(0);
const SIGNALS: Token = Token(1);
const FIRST_PEER: usize = 2;

/// Length of the read buffer that all peers share: a message of 64 KiB comes with its header in one read.
const READ_BYTES: usize = (64 << 10) + 64;

/// Enough for 16 MiB in fragments of 16 bytes.
const MAX_FRAGMENTS: u32 = 1 << 20;

/// When to accept again after the process ran out of file descriptors or memory.
const ACCEPT_AGAIN: Duration = Duration::from_millis(100);

/// The server: a listener, the peers, and what they share.
pub(crate) struct Server {
    poll: Poll,
    /// Until the end begins.
    listener: Option<TcpListener>,
    signals: Signals,
    /// When to accept again, if that failed.
    accept_at: Option<Duration>,
    peers: HashMap<Token, Peer>,
    next_token: usize,
    /// Who had the last turn.
    last: Token,
    /// When to look at which peer again: at most one entry for each, which is its `timer`. A deadline that moves away,
    /// as that of a heartbeat does with every byte, leaves it as it is, and is found out about when its time has come.
    timers: BTreeSet<(Duration, Token)>,
    /// What the clock of `Shared::now` counts from.
    origin: Instant,
    /// What has ended since the end of the server began.
    ended: Option<Ended>,
    shared: Shared,
}

/// How the connections ended that were there when the server was told to end.
#[derive(Default)]
pub(crate) struct Ended {
    pub(crate) connections: usize,
    pub(crate) clean: usize,
}

/// What the peers use one after the other, so that none of them keeps it while idle.
pub(crate) struct Shared {
    /// What was read last.
    pub(crate) buffer: Box<[u8]>,
    /// The time, as of the last wake-up.
    pub(crate) now: Duration,
    /// How many peers have a connection.
    pub(crate) open: usize,
    /// Who watches the connections of an id: see `tap.rs`.
    pub(crate) watchers: HashMap<String, Token>,
    pub(crate) options: Options,
    /// What compresses and decompresses, for connections that do not take contexts over.
    pool: Pool,
    spare: Option<Outbox>,
}

impl Server {
    /// Listens.
    pub(crate) fn bind(options: Options) -> io::Result<Self> {
        let addr = options.addr;
        let mut listener = TcpListener::bind(addr)
            .map_err(|error| io::Error::new(error.kind(), format!("cannot listen on {addr}: {error}")))?;
        let mut signals = Signals::catch(signals::END)?;
        let poll = Poll::new()?;
        poll.registry()
            .register(&mut listener, LISTENER, Interest::READABLE)?;
        signals.register(poll.registry(), SIGNALS)?;
        Ok(Self {
            poll,
            listener: Some(listener),
            signals,
            accept_at: None,
            peers: HashMap::new(),
            next_token: FIRST_PEER,
            last: Token(FIRST_PEER),
            timers: BTreeSet::new(),
            origin: Instant::now(),
            ended: None,
            shared: Shared {
                buffer: vec![0; READ_BYTES].into_boxed_slice(),
                now: Duration::ZERO,
                open: 0,
                watchers: HashMap::new(),
                options,
                pool: Pool::default(),
                spare: None,
            },
        })
    }

    /// Where it listens.
    pub(crate) fn local_addr(&self) -> io::Result<SocketAddr> {
        let listener = self.listener.as_ref().ok_or(ErrorKind::NotConnected)?;
        listener.local_addr()
    }

    /// Serves until a signal ends it, or waiting itself fails.
    pub(crate) fn run(&mut self) -> io::Result<Ended> {
        let mut events = Events::with_capacity(1024);
        loop {
            match self.poll.poll(&mut events, self.timeout()) {
                Err(error) if error.kind() != ErrorKind::Interrupted => return Err(error),
                _ => {}
            }
            self.shared.now = self.origin.elapsed();
            for event in &events {
                match event.token() {
                    LISTENER => self.accept(),
                    SIGNALS if !self.signals.came() => {}
                    SIGNALS if self.ended.is_none() => self.go_away(),
                    SIGNALS => self.tokens().into_iter().for_each(|token| self.remove(token)),
                    token => {
                        if event.is_read_closed()
                            && let Some(peer) = self.peers.get_mut(&token)
                        {
                            peer.announce_end();
                        }
                        self.turn(token);
                    }
                }
            }
            self.expire();
            if self.peers.is_empty()
                && let Some(ended) = self.ended.take()
            {
                return Ok(ended);
            }
        }
    }

    /// Accepts whoever waits.
    fn accept(&mut self) {
        self.accept_at = None;
        while let Some(listener) = &self.listener {
            match listener.accept() {
                Ok((stream, from)) => self.welcome(stream, from),
                Err(error) => match error.kind() {
                    ErrorKind::WouldBlock => return,
                    ErrorKind::Interrupted | ErrorKind::ConnectionAborted => {}
                    // Out of file descriptors, say. Those who wait are not announced again.
                    _ => return self.accept_at = Some(self.shared.now + ACCEPT_AGAIN),
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
            self.peers.insert(token, Peer::new(stream, self.shared.now));
            self.note_timer(token);
        }
    }

    /// Lets a peer move its bytes. The last one keeps the memory of its inbox, which its next message may need.
    fn turn(&mut self, token: Token) {
        if self.last != token
            && let Some(peer) = self.peers.get_mut(&mem::replace(&mut self.last, token))
        {
            peer.release();
        }
        let Some(peer) = self.peers.get_mut(&token) else {
            return;
        };
        let next = peer.turn(token, &mut self.shared);
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
        if kept {
            self.note_timer(token);
        } else {
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
        let now = self.shared.now;
        tap.report(|frame| peer.report(frame, now));
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
        if let Some(at) = peer.timer {
            self.timers.remove(&(at, token));
        }
        if peer.watches() {
            self.shared.watchers.retain(|_, watcher| *watcher != token);
        }
        if let Some(status) = peer.status() {
            self.shared.open -= 1;
            if let Some(ended) = &mut self.ended {
                ended.connections += 1;
                ended.clean += usize::from(status.clean);
            }
        }
    }

    /// Begins the end: nobody is let in any more, and everybody is told. Who does not answer is dropped in time.
    fn go_away(&mut self) {
        self.listener = None;
        self.ended = Some(Ended::default());
        for token in self.tokens() {
            let told = self.peers.get_mut(&token).is_some_and(Peer::go_away);
            if told {
                self.turn(token);
            } else {
                self.remove(token);
            }
        }
    }

    /// All peers, to go through while some are removed.
    fn tokens(&self) -> Vec<Token> {
        self.peers.keys().copied().collect()
    }

    /// Notes when a peer wants to be looked at again, unless that is done anyway before.
    fn note_timer(&mut self, token: Token) {
        let Some(peer) = self.peers.get_mut(&token) else {
            return;
        };
        let Some(at) = peer.next_timeout(&self.shared) else {
            return;
        };
        if let Some(noted) = peer.timer {
            if noted <= at {
                return;
            }
            self.timers.remove(&(noted, token));
        }
        peer.timer = Some(at);
        self.timers.insert((at, token));
    }

    /// Gives a turn to those whose time has come, and accepts again if that is due.
    fn expire(&mut self) {
        let now = self.shared.now;
        let later = self.timers.split_off(&(now, Token(usize::MAX)));
        for (_, token) in mem::replace(&mut self.timers, later) {
            if let Some(peer) = self.peers.get_mut(&token) {
                peer.timer = None;
                self.turn(token);
            }
        }
        if self.accept_at.is_some_and(|at| at <= now) {
            self.accept();
        }
    }

    /// How long to wait for readiness: until something else is due.
    fn timeout(&self) -> Option<Duration> {
        let first = self.timers.first().map(|(at, _)| *at);
        let next = first.into_iter().chain(self.accept_at).min()?;
        Some(next.saturating_sub(self.origin.elapsed()))
    }
}

impl Shared {
    /// The outbox that waits to be used, or a new one.
    pub(crate) fn take_outbox(&mut self) -> Outbox {
        let mut outbox = self.spare.take().unwrap_or_default();
        // More is read only below the mark, so that this has room for all that one read can bring:
        // the end of one message, and small ones behind it.
        let mut read = READ_BYTES;
        if self.options.deflate.is_some() {
            outbox.set_pool(self.pool.clone());
            read *= 1032; // what it inflates to, at most
        }
        let room = BACK_PRESSURE_BYTES + self.options.max_message_bytes as usize + read;
        outbox.set_max_bytes(u32::try_from(room).unwrap_or(u32::MAX));
        outbox
    }

    /// Gives an empty outbox back.
    pub(crate) fn put_outbox(&mut self, outbox: Outbox) {
        self.spare = Some(outbox);
    }

    /// Whether there are as many connections as may be.
    pub(crate) fn is_full(&self) -> bool {
        self.open >= self.options.max_connections
    }

    /// What connections are told.
    pub(crate) fn config(&self, deflate: Option<Parameters>) -> Config {
        let mut config = Config::default();
        config.deflate = deflate;
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
