//! The closing handshake, explored (RFC 6455 §5.5.1, §7.1): two connections joined back to back take every sequence of
//! steps to a fixed depth. Wherever one ends, delivering what waits and doing with the transport what the
//! connections say closes both sides.
//!
//! Histories that lead to the same state have the same future, so that each state is followed once.
#![cfg(feature = "alloc")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::{BTreeMap, HashMap};

use ws_proto::frame::{Decoder, Opcode, Part, Rules};
use ws_proto::{
    CloseCode, Config, Connection, Event, Inbox, Input, Outbox, Role, SendError, Side, State, Transport,
};

/// Steps of a history; all histories of this many are taken. One more takes six times as long.
const DEPTH: u32 = if cfg!(debug_assertions) { 5 } else { 6 };

/// One step, of the client or of the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Step {
    /// The application sends a message.
    Send,
    Ping,
    /// The application closes; or answers a Close where that is manual.
    Close,
    /// All that the peer has queued comes in; or that the transport has ended.
    Deliver,
    /// Half of it comes in.
    DeliverHalf,
    /// The transport ends, and what is on its way is lost.
    Cut,
}

const STEPS: [Step; 6] = [
    Step::Send,
    Step::Ping,
    Step::Close,
    Step::Deliver,
    Step::DeliverHalf,
    Step::Cut,
];

/// One side, and what it went through.
#[derive(Debug)]
struct Endpoint {
    connection: Connection,
    inbox: Inbox,
    outbox: Outbox,
    automatic: bool,
    messages_sent: u32,
    messages_received: u32,
    /// The application closed.
    closed: bool,
    /// The code of the peer's Close frame.
    received_close: Option<CloseCode>,
    /// Splits what went out, as a tap on the wire would.
    tap: Decoder,
    /// Close frames that went out whole.
    closes_out: u32,
    close_header_out: bool,
}

impl Endpoint {
    fn new(role: Role, automatic: bool) -> Self {
        let mut config = Config::default();
        config.automatic_close = automatic;
        let (peer, outbox) = match role {
            Role::Client => (Role::Server, Outbox::client([1; 16])),
            Role::Server => (Role::Client, Outbox::new()),
        };
        Self {
            connection: Connection::new(role, &config),
            inbox: Inbox::new(),
            outbox,
            automatic,
            messages_sent: 0,
            messages_received: 0,
            closed: false,
            received_close: None,
            tap: Decoder::new(Rules::new(peer)),
            closes_out: 0,
            close_header_out: false,
        }
    }

    fn is_closed(&self) -> bool {
        self.connection.status().state == State::Closed
    }

    /// Whether our Close frame is in the outbox or beyond.
    fn has_sent_close(&self) -> bool {
        self.closed || (self.automatic && self.received_close.is_some())
    }

    fn send(&mut self) {
        let may = !self.has_sent_close() && self.received_close.is_none() && !self.is_closed();
        let sent = self.connection.send_text("a", &mut self.outbox);
        assert_eq!(sent, if may { Ok(()) } else { Err(SendError::Closed) });
        self.messages_sent += u32::from(may);
    }

    fn ping(&mut self) {
        // RFC 6455 §5.5.2: also while our own Close frame is out.
        let may = self.received_close.is_none() && !self.is_closed();
        let sent = self.connection.ping(b"p", &mut self.outbox);
        assert_eq!(sent, if may { Ok(()) } else { Err(SendError::Closed) });
    }

    fn close(&mut self) {
        let code = match self.connection.role() {
            Role::Client => CloseCode::NORMAL,
            Role::Server => CloseCode::GOING_AWAY,
        };
        let due = !self.has_sent_close() && !self.is_closed();
        let before = self.outbox.len();
        self.connection
            .close(ws_proto::Close::from(code), &mut self.outbox)
            .unwrap();
        assert_eq!(
            self.outbox.len() > before,
            due,
            "a Close frame goes out if none has"
        );
        self.closed |= due;
    }

    /// The first `n` bytes of the outbox go out, and are looked at.
    fn take(&mut self, n: usize) -> Vec<u8> {
        let bytes = self.outbox.bytes()[..n].to_vec();
        self.outbox.consume(n);
        let mut rest = &bytes[..];
        loop {
            let step = self.tap.split(rest).expect("what goes out is valid");
            match step.part {
                Part::More => return bytes,
                Part::Header(header) if header.opcode == Opcode::CLOSE => {
                    assert!(!self.close_header_out, "one Close frame at most");
                    self.close_header_out = true;
                }
                Part::Header(header) => {
                    let data = !header.opcode.is_control();
                    assert!(
                        !(self.close_header_out && data),
                        "no data frame after the Close frame"
                    );
                }
                Part::Payload { last, .. } => {
                    self.closes_out = u32::from(self.close_header_out && (last || self.closes_out == 1));
                }
            }
            rest = &rest[step.consumed..];
        }
    }

    fn receive(&mut self, mut bytes: Vec<u8>) {
        let silent = self.received_close.is_some() || self.is_closed();
        let queued = self.outbox.len();
        let mut input = Input::new(&mut bytes[..], &mut self.inbox);
        while self
            .connection
            .receive(&mut input, &mut self.outbox)
            .expect("the peer breaks no rule")
        {
            assert!(!silent, "nothing is seen after the peer's Close frame");
            match input.event() {
                Event::Text("a") => self.messages_received += 1,
                Event::Ping(b"p") | Event::Pong(b"p") => {}
                Event::Close(Some(close)) => {
                    assert_eq!(self.received_close, None);
                    self.received_close = Some(close.code);
                }
                other => panic!("{other:?} was not sent"),
            }
        }
        assert!(
            !silent || self.outbox.len() == queued,
            "nothing is sent after the peer's Close frame"
        );
    }

    fn receive_eof(&mut self) {
        self.connection.receive_eof(&self.outbox);
    }
}

/// Both sides and the transport between them.
#[derive(Debug)]
struct World {
    sides: [Endpoint; 2],
    /// The transport has ended; who does not know yet finds out with the next bytes.
    cut: bool,
}

impl World {
    fn new(automatic: [bool; 2]) -> Self {
        Self {
            sides: [
                Endpoint::new(Role::Client, automatic[0]),
                Endpoint::new(Role::Server, automatic[1]),
            ],
            cut: false,
        }
    }

    /// All that its future depends on. (What the taps keep follows from what the peers' decoders keep.)
    fn state(&self) -> String {
        let [client, server] = self.sides.each_ref().map(|side| {
            let close = (
                side.closed,
                side.received_close,
                side.close_header_out,
                side.closes_out,
            );
            // `Debug` tells how many bytes they have.
            let bytes = (
                side.inbox.unfinished(),
                side.inbox.close_reason(),
                side.outbox.bytes(),
            );
            (
                &side.connection,
                &side.inbox,
                &side.outbox,
                bytes,
                side.messages_sent,
                side.messages_received,
                close,
            )
        });
        format!("{:?}", (client, server, self.cut))
    }

    fn take(&mut self, (side, step): (usize, Step)) {
        match step {
            Step::Send => self.sides[side].send(),
            Step::Ping => self.sides[side].ping(),
            Step::Close => self.sides[side].close(),
            Step::Deliver => self.deliver(side, usize::MAX),
            Step::DeliverHalf => {
                let half = self.sides[1 - side].outbox.len().div_ceil(2);
                self.deliver(side, half);
            }
            Step::Cut => {
                self.cut = true;
                self.sides[side].receive_eof();
            }
        }
    }

    fn deliver(&mut self, to: usize, most: usize) {
        if self.cut {
            return self.sides[to].receive_eof();
        }
        let from = &mut self.sides[1 - to];
        let bytes = from.take(most.min(from.outbox.len()));
        self.sides[to].receive(bytes);
    }

    /// Everything is delivered, and the transport treated as the connections say, until nothing moves.
    fn follow(&mut self) {
        for _ in 0..4 {
            for side in 0..2 {
                self.deliver(side, usize::MAX);
            }
            for side in 0..2 {
                let Endpoint {
                    connection, outbox, ..
                } = &self.sides[side];
                if connection.transport(outbox) == Transport::Close {
                    self.take((side, Step::Cut));
                }
            }
        }
    }

    /// Ends the run from here, and checks how it ended.
    fn finish(mut self, history: &[(usize, Step)]) {
        let mode = self.sides.each_ref().map(|side| side.automatic);
        self.follow();
        // What the application still has to do: begin to close, answer where that is manual.
        let begun = self
            .sides
            .iter()
            .any(|side| side.connection.status().state != State::Open);
        if !begun {
            self.sides[history.len() % 2].close();
        }
        self.follow();
        for side in 0..2 {
            if !self.sides[side].automatic && self.sides[side].received_close.is_some() {
                self.sides[side].close();
            }
        }
        self.follow();

        let handshake = self.sides.iter().all(|side| side.closes_out == 1);
        for (side, peer) in [(0, 1), (1, 0)].map(|(side, peer)| (&self.sides[side], &self.sides[peer])) {
            let status = side.connection.status();
            let context = || format!("{history:?} automatic {mode:?}\n{side:#?}");
            assert_eq!(status.state, State::Closed, "{}", context());
            assert_eq!(status.clean, handshake, "{}", context());
            assert_eq!(
                status.code,
                side.received_close.unwrap_or(CloseCode::ABNORMAL),
                "{}",
                context()
            );
            assert_eq!(
                side.received_close.is_some(),
                peer.closes_out == 1,
                "{}",
                context()
            );
            let first = status.closed_first.expect("somebody did");
            assert!(first == Side::Remote || side.closed, "{}", context());
            // RFC 6455 §1.4: nothing is lost that was sent before a Close frame that arrived.
            if side.received_close.is_some() {
                assert_eq!(side.messages_received, peer.messages_sent, "{}", context());
            }
            assert_eq!(side.connection.transport(&side.outbox), Transport::Close);
        }
    }
}

/// Takes all histories of `DEPTH` steps; returns how many they are, and how many states they went through.
fn explore(automatic: [bool; 2]) -> (u64, usize) {
    let replay = |history: &[(usize, Step)]| {
        let mut world = World::new(automatic);
        history.iter().for_each(|&step| world.take(step));
        world
    };
    // The states met so far, each with the first history that led there.
    let mut ids = HashMap::from([(replay(&[]).state(), 0)]);
    let mut histories = vec![Vec::new()];
    let mut successors: Vec<Vec<usize>> = Vec::new();
    // How many histories lead to which state.
    let mut reached = BTreeMap::from([(0, 1)]);
    for _ in 0..DEPTH {
        let mut next = BTreeMap::new();
        for (id, count) in reached {
            // States are met in the order of their numbers, so that all before this one have successors.
            if id == successors.len() {
                let history: Vec<(usize, Step)> = histories[id].clone();
                let steps = (0..2).flat_map(|side| STEPS.map(|step| (side, step)));
                let follow = |step| {
                    let history = [&history[..], &[step]].concat();
                    let world = replay(&history);
                    *ids.entry(world.state()).or_insert_with(|| {
                        world.finish(&history);
                        histories.push(history);
                        histories.len() - 1
                    })
                };
                successors.push(steps.map(follow).collect());
            }
            for &successor in &successors[id] {
                *next.entry(successor).or_default() += count;
            }
        }
        reached = next;
    }
    (reached.into_values().sum(), histories.len())
}

fn assert_all_end_closed(automatic: [bool; 2]) {
    let (histories, states) = explore(automatic);
    assert_eq!(histories, (2 * STEPS.len() as u64).pow(DEPTH));
    assert!(states > 8_000, "{states} states only");
}

#[test]
fn s7_1_every_history_ends_closed_both_automatic() {
    assert_all_end_closed([true, true]);
}

#[test]
fn s7_1_every_history_ends_closed_client_automatic() {
    assert_all_end_closed([true, false]);
}

#[test]
fn s7_1_every_history_ends_closed_server_automatic() {
    assert_all_end_closed([false, true]);
}

#[test]
fn s7_1_every_history_ends_closed_both_manual() {
    assert_all_end_closed([false, false]);
}
