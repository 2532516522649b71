//! Two endpoints that talk to each other, whatever is called on them and however their bytes go over: neither finds a violation
//! by the other, all that was sent arrives, and in order, what is lent to the transport stays as it is, and a closing handshake ends.
//!
//! Octets 0 and 1 hold the options, the rest is calls: an octet for the endpoint and the call, one for a length, and one more.
#![no_main]

use std::collections::VecDeque;

use libfuzzer_sys::fuzz_target;
use ws_proto::deflate::{Parameters, Pool, Settings};
use ws_proto::{
    Close, CloseCode, Config, Connection, Event, Inbox, Input, MessageKind, Outbox, Role, SendError, State,
};

fuzz_target!(|data: &[u8]| {
    let Some((&options, calls)) = data.split_first_chunk() else {
        return;
    };
    let options = u16::from_le_bytes(options);
    let mut ends = [Role::Client, Role::Server].map(|role| End::new(role, options));
    let mut left = 200_000; // bytes of messages
    for call in calls.chunks_exact(3) {
        let [mut own, mut peer] = ends.each_mut();
        if call[0] & 0x80 != 0 {
            (own, peer) = (peer, own);
        }
        let (name, mut len) = (call[0] & 15, length(call[1]));
        if name < 8 {
            len = len.min(left);
            left -= len;
        }
        own.call(name, len, call[2], peer);
        own.assert_lent_is_unchanged();
    }
    // A round for what is there, one for each answer, and the answers to a Ping and a Close may go one by one.
    for _ in 0..6 {
        let [client, server] = &mut ends;
        client.write(usize::MAX);
        server.write(usize::MAX);
        client.read(usize::MAX, server);
        server.read(usize::MAX, client);
    }
    end(&mut ends);
});

/// All lengths up to 199, and then greater ones.
fn length(octet: u8) -> usize {
    match usize::from(octet) {
        short @ ..200 => short,
        long => (long - 199) * (long - 199) * 30,
    }
}

fn end(ends: &mut [End; 2]) {
    let in_frame = ends.iter().any(|end| end.frame_left > 0);
    let is_open = ends
        .each_ref()
        .map(|end| end.connection.status().state == State::Open);
    assert!(in_frame || is_open[0] == is_open[1], "both or none");
    for end in ends {
        assert!(end.sent.is_empty(), "did not arrive: {:?}", end.sent);
        assert!(end.outbox.is_empty() && end.wire.is_empty());
        if is_open == [true; 2] {
            assert!(in_frame || end.pings.is_empty(), "not answered: {:?}", end.pings);
        } else if !in_frame {
            end.connection.receive_eof(&end.outbox);
            assert!(end.connection.status().clean, "{:?}", end.connection.status());
        }
    }
}

#[derive(Debug, PartialEq)]
enum Sent {
    Message(MessageKind, Vec<u8>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(Option<(CloseCode, String)>),
}

/// An endpoint, and what goes out of it.
struct End {
    connection: Connection,
    inbox: Inbox,
    outbox: Outbox,
    /// What the transport was lent, and has not taken.
    lent: Vec<u8>,
    /// What the transport took, and the peer did not read.
    wire: VecDeque<u8>,
    /// What the peer has not seen.
    sent: VecDeque<Sent>,
    /// What the peer has not answered.
    pings: VecDeque<Vec<u8>>,
    next_ping: u16,
    /// The message being sent.
    begun: Option<(MessageKind, Vec<u8>)>,
    /// Of it, what is left of a frame that is sent piece by piece.
    frame_left: usize,
    /// The message being received, of which pieces were lent.
    pieces: Vec<u8>,
}

impl End {
    fn new(role: Role, options: u16) -> Self {
        let option = |bit: u32| options >> bit & 1 == 1;
        let mut config = Config::default();
        config.pieces = option(if role == Role::Client { 0 } else { 1 });
        if option(2) {
            config.deflate = Some(Parameters {
                server_no_context_takeover: option(3),
                client_no_context_takeover: option(4),
                server_max_window_bits: option(5).then_some(9),
                client_max_window_bits: option(6).then_some(10),
            });
        }
        let mut outbox = match role {
            Role::Client => Outbox::client([5; 16]),
            Role::Server => Outbox::new(),
        };
        if option(7) {
            outbox.set_max_bytes(u32::from(options >> 8) * 20);
        }
        let mut settings = Settings::default();
        settings.min_bytes = 20;
        outbox.set_pool(Pool::new(settings));
        Self {
            connection: Connection::new(role, &config),
            inbox: Inbox::new(),
            outbox,
            lent: Vec::new(),
            wire: VecDeque::new(),
            sent: VecDeque::new(),
            pings: VecDeque::new(),
            next_ping: 0,
            begun: None,
            frame_left: 0,
            pieces: Vec::new(),
        }
    }

    fn call(&mut self, call: u8, len: usize, octet: u8, peer: &mut Self) {
        match call {
            0..=7 => self.send(call, len, octet),
            8 => {
                self.lent = self.outbox.lend().to_vec();
            }
            9 | 10 => self.write(len),
            11 | 12 => self.read(len, peer),
            13 => {
                self.inbox.release();
                self.outbox.release();
            }
            14 => self.connection.set_compression(octet & 1 == 0),
            _ => self.hand_over(),
        }
    }

    // ---- out ----

    fn send(&mut self, call: u8, len: usize, octet: u8) {
        let kind = match octet & 1 {
            0 => MessageKind::Text,
            _ => MessageKind::Binary,
        };
        let (connection, outbox) = (&mut self.connection, &mut self.outbox);
        let (is_full, waits, is_open) = (
            outbox.is_full(),
            outbox.len(),
            connection.status().state == State::Open,
        );
        let (kind, before) = match &self.begun {
            Some((kind, before)) if matches!(call, 2 | 3 | 5) => (*kind, before.len()),
            _ => (kind, 0),
        };
        let mut payload = payload(kind, before, len, octet);
        if call == 6 {
            // No Ping is like another, and no answer to one like another Pong.
            let name = if octet & 2 == 0 {
                self.next_ping.to_be_bytes()
            } else {
                *b"!!"
            };
            payload.splice(..0, name);
        }
        let result = match call {
            0 if octet & 2 != 0 => self.send_beside(kind, payload.clone()),
            0 => match (kind, std::str::from_utf8(&payload)) {
                (MessageKind::Text, Ok(text)) => connection.send_text(text, outbox),
                (MessageKind::Text, Err(_)) => Err(SendError::InvalidUtf8),
                (MessageKind::Binary, _) => connection.send_binary(&payload, outbox),
            },
            1 => connection.begin_message(kind, &payload, outbox),
            2 => connection.continue_message(&payload, outbox),
            3 => connection.finish_message(&payload, outbox),
            4 => connection.begin_frame(kind, len as u64, outbox),
            5 => connection.continue_frame(&payload, outbox),
            6 if octet & 2 == 0 => connection.ping(&payload, outbox),
            6 => connection.pong(&payload, outbox),
            _ if octet & 2 == 0 => connection.close(None, outbox),
            _ => connection.close(Close::new(CloseCode::NORMAL, "why"), outbox),
        };
        let waits_more = self.outbox.len() > waits;
        if let Err(error) = result {
            assert!(!waits_more, "nothing is queued: {error}");
            let is_right = match error {
                SendError::Closed => !is_open,
                SendError::Full => is_full,
                SendError::MessageUnfinished => self.begun.is_some(),
                SendError::NoMessage => self.frame_left == 0,
                SendError::FrameTooLong => len > self.frame_left,
                SendError::ControlFrameTooLong => payload.len() > 125,
                SendError::MustMask => call == 4 && self.connection.role() == Role::Client,
                SendError::InvalidUtf8 => {
                    let ends = matches!(call, 0 | 3) || (call == 5 && len == self.frame_left);
                    ends && kind == MessageKind::Text && ![0, 1, 3, 6].contains(&((before + len) % 10))
                }
                _ => false,
            };
            return assert!(is_right, "{error} by call {call}");
        }
        match call {
            0 => self.sent.push_back(Sent::Message(kind, payload)),
            1 => self.begun = Some((kind, payload)),
            4 if len == 0 => self.sent.push_back(Sent::Message(kind, Vec::new())),
            4 => (self.begun, self.frame_left) = (Some((kind, Vec::new())), len),
            2 | 3 | 5 => {
                let (kind, mut message) = self.begun.take().expect("it was begun");
                message.extend(payload);
                self.frame_left = self.frame_left.saturating_sub(len);
                if call == 2 || (call == 5 && self.frame_left > 0) {
                    self.begun = Some((kind, message));
                } else {
                    self.sent.push_back(Sent::Message(kind, message));
                }
            }
            6 if !is_open => {} // it is behind our Close frame, and not looked at
            6 if octet & 2 == 0 => {
                self.next_ping += 1;
                self.pings.push_back(payload.clone());
                self.sent.push_back(Sent::Ping(payload));
            }
            6 => self.sent.push_back(Sent::Pong(payload)),
            _ if !waits_more => {} // it did nothing
            _ => {
                let close = (octet & 2 != 0).then(|| (CloseCode::NORMAL, "why".into()));
                self.sent.push_back(Sent::Close(close));
            }
        }
    }

    /// The header, and behind it the payload data, by a write that takes half of all.
    fn send_beside(&mut self, kind: MessageKind, mut payload: Vec<u8>) -> Result<(), SendError> {
        let header = self
            .connection
            .send_header(kind, &mut payload, &mut self.outbox)?;
        let all = [self.outbox.bytes(), &header, &payload].concat();
        let n = all.len() / 2;
        self.take(&all[..n]);
        self.outbox.consume_with(n, &[&header, &payload])
    }

    /// The transport takes bytes.
    fn write(&mut self, n: usize) {
        let n = n.min(self.outbox.len());
        let taken = self.outbox.bytes()[..n].to_vec();
        self.take(&taken);
        self.outbox.consume(n);
    }

    fn take(&mut self, taken: &[u8]) {
        self.assert_lent_is_unchanged();
        self.lent.drain(..taken.len().min(self.lent.len()));
        self.wire.extend(taken);
    }

    fn assert_lent_is_unchanged(&self) {
        assert!(self.outbox.bytes().starts_with(&self.lent), "it was lent");
    }

    fn hand_over(&mut self) {
        if self.connection.may_hand_over() {
            let state = self.connection.to_bytes(&mut self.inbox);
            let handed = Connection::from_bytes(&state, self.inbox.unfinished());
            (self.connection, self.inbox) = handed.expect("it is a state");
        }
    }

    // ---- in ----

    fn read(&mut self, n: usize, peer: &mut Self) {
        let n = n.min(peer.wire.len());
        let mut bytes: Vec<u8> = peer.wire.drain(..n).collect();
        let mut input = Input::new(&mut bytes[..], &mut self.inbox);
        while self
            .connection
            .receive(&mut input, &mut self.outbox)
            .expect("the peer is right")
        {
            let (kind, piece) = match input.event() {
                Event::Text(text) => (MessageKind::Text, text.as_bytes()),
                Event::Binary(data) => (MessageKind::Binary, data),
                Event::Ping(data) => {
                    assert_eq!(peer.sent.pop_front(), Some(Sent::Ping(data.into())));
                    continue;
                }
                Event::Pong(data) if data.starts_with(b"!") => {
                    assert_eq!(peer.sent.pop_front(), Some(Sent::Pong(data.into())));
                    continue;
                }
                Event::Pong(data) => {
                    // Those before it need no answer (RFC 6455 §5.5.3).
                    let answered = self.pings.iter().position(|ping| ping == data);
                    self.pings.drain(..=answered.expect("of a Ping of ours"));
                    continue;
                }
                Event::Close(close) => {
                    let close = close.map(|close| (close.code, close.reason.into()));
                    // Or else it answers ours.
                    if let Some(sent) = peer.sent.pop_front() {
                        assert_eq!(sent, Sent::Close(close));
                    }
                    continue;
                }
            };
            self.pieces.extend_from_slice(piece);
            if input.is_message_end() {
                let message = Sent::Message(kind, std::mem::take(&mut self.pieces));
                assert!(peer.sent.pop_front() == Some(message), "as it was sent");
            }
        }
        assert_eq!(input.remaining(), 0);
        self.assert_lent_is_unchanged();
    }
}

/// Bytes of a message of which some were sent before: text that may end inside a character, and binary data that compress or not.
fn payload(kind: MessageKind, before: usize, len: usize, octet: u8) -> Vec<u8> {
    match kind {
        MessageKind::Text => "aé€😀".bytes().cycle().skip(before % 10).take(len).collect(),
        MessageKind::Binary => (0..len).map(|i| (i.pow(2) >> (octet >> 2)) as u8).collect(),
    }
}
