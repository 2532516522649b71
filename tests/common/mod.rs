//! What the tests share: the [`feed`] harness, a notation for events, hex, and the vector files.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[allow(clippy::duplicate_mod, reason = "some tests have common and streams")]
#[path = "../roles/mod.rs"]
mod roles;

use std::fmt;

#[allow(unused_imports, reason = "not every test asks for each")]
pub(crate) use roles::{ROLES, outbox, peer_of};
use ws_proto::frame::{Decoder, Header, Opcode, Part, Rsv, Rules};
use ws_proto::mask::MaskingKey;
use ws_proto::{
    Buffer, Close, CloseCode, Config, Connection, Event, Inbox, InboxSlot, Input, Outbox, Role, Status,
    Transport, Violation,
};

/// The masking key of RFC 6455's examples, which [`to`] uses.
pub(crate) const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// Something that an endpoint saw, in the notation of the vector files.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Seen {
    Text(String),
    Binary(Vec<u8>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(Option<(u16, String)>),
    /// The code of a violation, and how many octets of the whole input prove it. `None` in what is inflated, where it
    /// depends on how the input is cut.
    Fail(u16, Option<usize>),
    /// Nothing is wrong, and something is unfinished.
    More,
}

impl Seen {
    fn of(event: Event<'_>) -> Self {
        match event {
            Event::Text(text) => Self::Text(text.into()),
            Event::Binary(data) => Self::Binary(data.into()),
            Event::Ping(data) => Self::Ping(data.into()),
            Event::Pong(data) => Self::Pong(data.into()),
            Event::Close(close) => Self::Close(close.map(|close| (close.code.get(), close.reason.into()))),
        }
    }

    /// The word of the notation, and the payload data behind it.
    fn parts(&self) -> (String, &[u8]) {
        match self {
            Self::Text(text) => ("text".into(), text.as_bytes()),
            Self::Binary(data) => ("bin".into(), data),
            Self::Ping(data) => ("ping".into(), data),
            Self::Pong(data) => ("pong".into(), data),
            Self::Close(None) => ("close none".into(), &[]),
            Self::Close(Some((code, reason))) => (format!("close {code}"), reason.as_bytes()),
            Self::Fail(code, None) => (format!("fail {code}"), &[]),
            Self::Fail(code, Some(at)) => (format!("fail {code} at {at}"), &[]),
            Self::More => ("more".into(), &[]),
        }
    }

    /// Whether `notation` describes this, for instance `text "Hello"`, `bin len=256` or `fail 1002 at 2`.
    fn is(&self, notation: &str) -> bool {
        let (word, payload) = self.parts();
        let Some(rest) = notation.strip_prefix(&word) else {
            return false;
        };
        match self {
            Self::More | Self::Fail(..) | Self::Close(None) => rest.is_empty(),
            _ => match rest.trim_start() {
                "-" => payload.is_empty(),
                rest if rest.starts_with("len=") => payload.len().to_string() == rest[4..],
                rest if rest.starts_with("hex:") => payload == hex(&rest[4..]),
                rest if rest.starts_with('"') => payload == rest.trim_matches('"').as_bytes(),
                rest => payload == hex(rest),
            },
        }
    }
}

impl fmt::Debug for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (word, payload) = self.parts();
        match (self, payload.len()) {
            (Self::More | Self::Fail(..) | Self::Close(None), _) => f.write_str(&word),
            (_, 125..) => write!(f, "{word} len={}", payload.len()),
            (Self::Text(text) | Self::Close(Some((_, text))), _) => write!(f, "{word} {text:?}"),
            (_, 0) => write!(f, "{word} -"),
            _ => write!(f, "{word} {}", to_hex(payload)),
        }
    }
}

/// What came of an input.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Outcome {
    pub(crate) seen: Vec<Seen>,
    /// The frames in the outbox, as [`frames`] gives them.
    pub(crate) sent: Vec<String>,
    pub(crate) status: Status,
    /// What to do with the transport once the outbox is empty.
    pub(crate) transport: Transport,
    pub(crate) close_reason: String,
}

impl Outcome {
    /// Asserts the events, in the notation of the vector files.
    #[track_caller]
    pub(crate) fn saw(&self, notation: &str) -> &Self {
        let expected: Vec<&str> = notation.split("; ").filter(|part| !part.is_empty()).collect();
        let same = self.seen.len() == expected.len() && self.seen.iter().zip(&expected).all(|(s, e)| s.is(e));
        assert!(same, "saw {:?}, not {notation}", self.seen);
        self
    }

    /// Asserts the frames in the outbox.
    #[track_caller]
    pub(crate) fn sent(&self, frames: &[&str]) -> &Self {
        assert_eq!(self.sent, frames);
        self
    }
}

/// An endpoint and what it is given.
pub(crate) struct Case<'a> {
    pub(crate) role: Role,
    pub(crate) config: Config,
    /// What the endpoint did before the input comes. What that puts into the outbox was written.
    pub(crate) before: &'a dyn Fn(&mut Connection, &mut Outbox),
}

impl Case<'_> {
    /// A new endpoint with the default configuration.
    pub(crate) fn new(role: Role) -> Self {
        Self {
            role,
            config: Config::default(),
            before: &|_, _| {},
        }
    }
}

/// [`Case::feed`] for a new endpoint with the default configuration.
#[track_caller]
pub(crate) fn feed(role: Role, input: &[u8]) -> Outcome {
    Case::new(role).feed(input)
}

/// Inputs longer than this are cut at each of their first and last octets, and at some places between.
const SHORT_BYTES: usize = 2048;

impl Case<'_> {
    /// Gives the input to a fresh endpoint: whole, one byte at a time, cut at every point, and through
    /// buffers of the `Input`'s own. The outcome, which is the same each time.
    #[track_caller]
    pub(crate) fn feed(&self, input: &[u8]) -> Outcome {
        self.feed_cut(input, &cuts(input.len()))
    }

    /// [`feed`](Self::feed) with the input cut at these points only.
    #[track_caller]
    pub(crate) fn feed_cut(&self, input: &[u8], cuts: &[usize]) -> Outcome {
        let whole = self.pieces(&[input]);
        let same = |outcome: Outcome, how: &str| assert_eq!(outcome, whole, "{how}, and whole");

        let octets: Vec<_> = input.chunks(1).collect();
        same(self.pieces(&octets), "byte by byte");
        same(self.pieces_released(&octets), "byte by byte, memory released");
        for cut in cuts {
            let (front, back) = input.split_at(*cut);
            same(self.pieces(&[front, back]), &format!("cut at {cut}"));
        }
        for len in [1, 2, 3, 7, 64] {
            same(
                self.buffered(vec![0; len], input),
                &format!("in a buffer of {len}"),
            );
        }
        same(self.buffered([0; 5], input), "in an array of 5");
        same(
            self.buffered(vec![0; input.len() + 1].into_boxed_slice(), input),
            "in a buffer of more",
        );
        whole
    }

    fn begin(&self) -> Endpoint {
        let mut connection = Connection::new(self.role, &self.config);
        let mut outbox = outbox(self.role);
        (self.before)(&mut connection, &mut outbox);
        outbox.consume(usize::MAX);
        Endpoint {
            connection,
            outbox,
            seen: Vec::new(),
            given: 0,
            unfinished: None,
            decoder: Decoder::new(Rules {
                message_bits: message_bits(&self.config),
                ..Rules::new(self.role)
            }),
            inflates: inflates(&self.config),
        }
    }

    /// A fresh slice for each piece, and one inbox.
    #[track_caller]
    fn pieces(&self, pieces: &[&[u8]]) -> Outcome {
        self.pieces_and(pieces, |_, _| {})
    }

    /// [`pieces`](Self::pieces), releasing after each what memory is not needed.
    #[track_caller]
    fn pieces_released(&self, pieces: &[&[u8]]) -> Outcome {
        self.pieces_and(pieces, |inbox, outbox| {
            inbox.release();
            outbox.release();
        })
    }

    #[track_caller]
    fn pieces_and(&self, pieces: &[&[u8]], between: impl Fn(&mut Inbox, &mut Outbox)) -> Outcome {
        let mut endpoint = self.begin();
        let mut inbox = Inbox::new();
        for piece in pieces {
            let mut bytes = piece.to_vec();
            let mut input = Input::new(&mut bytes[..], &mut inbox);
            endpoint.take(&mut input, piece);
            between(&mut inbox, &mut endpoint.outbox);
        }
        endpoint.end(&inbox)
    }

    /// A buffer that the `Input` keeps, with an inbox of its own.
    #[track_caller]
    fn buffered(&self, buffer: impl Buffer, bytes: &[u8]) -> Outcome {
        let mut endpoint = self.begin();
        let mut input = Input::with_space(buffer, Inbox::new());
        let mut rest = bytes;
        while !rest.is_empty() {
            let space = input.space();
            let n = space.len().min(rest.len());
            space[..n].copy_from_slice(&rest[..n]);
            input.filled(n);
            endpoint.take(&mut input, &rest[..n]);
            rest = &rest[n..];
        }
        endpoint.end(input.inbox())
    }
}

/// Where to cut an input of this length.
fn cuts(len: usize) -> Vec<usize> {
    (0..=len)
        .filter(|cut| len <= SHORT_BYTES || *cut <= 32 || len - cut <= 32 || cut % (len / 8) == 5)
        .collect()
}

#[cfg(feature = "deflate")]
fn inflates(config: &Config) -> bool {
    config.deflate.is_some()
}

#[cfg(not(feature = "deflate"))]
fn inflates(_: &Config) -> bool {
    false
}

/// The reserved bits that may stand on the first frame of a message.
fn message_bits(config: &Config) -> Rsv {
    let compressed = if inflates(config) { Rsv::RSV1 } else { Rsv::NONE };
    config.reserved_bits.union(compressed)
}

struct Endpoint {
    connection: Connection,
    outbox: Outbox,
    seen: Vec<Seen>,
    /// The pieces so far of a message that is lent in pieces.
    unfinished: Option<Seen>,
    inflates: bool,
    /// Bytes given before.
    given: usize,
    /// Beside the connection, to tell whether a frame or message is unfinished.
    decoder: Decoder,
}

impl Endpoint {
    /// Takes all events of the input, which holds `piece` and nothing else.
    #[track_caller]
    fn take<B: Buffer, I: InboxSlot>(&mut self, input: &mut Input<B, I>, piece: &[u8]) {
        loop {
            match self.connection.receive(input, &mut self.outbox) {
                Ok(true) => {
                    self.see(Seen::of(input.event()), input.is_message_end());
                    let range = input.event_range().unwrap_or_default();
                    assert!(range.end <= input.consumed() && input.consumed() <= piece.len());
                }
                Ok(false) => break,
                Err(violation) => {
                    let inside = self.inflates && is_of_contents(violation);
                    let at = (!inside).then_some(self.given + input.consumed());
                    self.seen.push(Seen::Fail(violation.close_code().get(), at));
                }
            }
        }
        assert_eq!(
            input.consumed(),
            piece.len(),
            "what is left when there is no event"
        );
        self.given += piece.len();
        let mut rest = piece;
        while let Ok(step) = self.decoder.split(rest) {
            rest = &rest[step.consumed..];
            if step.part == Part::More {
                break;
            }
        }
    }

    /// Puts the pieces of a message together.
    #[track_caller]
    fn see(&mut self, seen: Seen, ends: bool) {
        if !matches!(seen, Seen::Text(_) | Seen::Binary(_)) {
            assert!(ends, "a control frame is no piece");
            return self.seen.push(seen);
        }
        let (_, piece) = seen.parts();
        assert!(ends || !piece.is_empty(), "only the last piece may be empty");
        let message = match (self.unfinished.take(), seen) {
            (None, seen) => seen,
            (Some(Seen::Text(front)), Seen::Text(back)) => Seen::Text(front + &back),
            (Some(Seen::Binary(front)), Seen::Binary(back)) => Seen::Binary([front, back].concat()),
            (front, back) => panic!("{front:?} goes on as {back:?}"),
        };
        if ends {
            self.seen.push(message);
        } else {
            self.unfinished = Some(message);
        }
    }

    fn end(mut self, inbox: &Inbox) -> Outcome {
        let ended = matches!(self.seen.last(), Some(Seen::Fail(..) | Seen::Close(_)));
        if !ended && !self.decoder.is_at_rest() {
            self.seen.push(Seen::More);
        }
        let sent = drain(self.connection.role(), &mut self.outbox);
        Outcome {
            seen: self.seen,
            sent,
            status: self.connection.status(),
            transport: self.connection.transport(&self.outbox),
            close_reason: inbox.close_reason().into(),
        }
    }
}

/// Whether a violation is one of what a message says, and not of how it is framed.
fn is_of_contents(violation: Violation) -> bool {
    matches!(
        violation,
        Violation::InvalidUtf8
            | Violation::InvalidDeflate
            | Violation::MessageTooBig
            | Violation::InflateRatio
            | Violation::TooManyFinalBlocks
    )
}

/// All that an endpoint sent, as [`frames`] gives it; the Pong that follows when another one goes out too.
#[track_caller]
pub(crate) fn drain(sender: Role, outbox: &mut Outbox) -> Vec<String> {
    let mut sent = Vec::new();
    while !outbox.is_empty() {
        sent.extend(frames(sender, outbox.bytes()));
        outbox.consume(outbox.len());
    }
    sent
}

/// The frames that an endpoint of this role sent, unmasked: `8a 48656c6c6f`, first octet and payload data.
/// Asserts that they are masked as the role demands, and whole.
#[track_caller]
pub(crate) fn frames(sender: Role, bytes: &[u8]) -> Vec<String> {
    let mut bytes = bytes.to_vec();
    let mut rest = &mut bytes[..];
    let mut decoder = Decoder::new(Rules::permissive());
    let mut frames: Vec<String> = Vec::new();
    loop {
        let step = decoder.decode(rest).expect("frames sent are valid");
        match step.part {
            Part::More => break,
            Part::Header(header) => {
                assert_eq!(header.key.is_some(), sender == Role::Client, "masked");
                assert_eq!(header.rsv, Rsv::NONE);
                frames.push(format!("{:02x}", u8::from(header.fin) << 7 | header.opcode.get()));
            }
            Part::Payload { range, .. } if !range.is_empty() => {
                let frame = frames.last_mut().unwrap();
                frame.push(' ');
                frame.push_str(&to_hex(&rest[range]));
            }
            Part::Payload { .. } => {}
        }
        rest = &mut rest[step.consumed..];
    }
    assert!(rest.is_empty() && decoder_is_between_frames(&decoder));
    frames
}

/// Whether a header may come next: a fragmented message may be unfinished, a frame not.
fn decoder_is_between_frames(decoder: &Decoder) -> bool {
    let mut decoder = *decoder;
    matches!(decoder.split(b"\x89\x00"), Ok(step) if matches!(step.part, Part::Header(_)) && step.consumed == 2)
}

/// A frame for a receiver of this role, masked if that is the server. `first` is its first octet.
pub(crate) fn to(receiver: Role, first: u8, payload: &[u8]) -> Vec<u8> {
    let header = Header {
        fin: first & 0x80 != 0,
        rsv: Rsv::new(first),
        opcode: Opcode::new(first),
        key: (receiver == Role::Server).then_some(MaskingKey::new(KEY)),
        payload_len: payload.len() as u64,
    };
    let mut frame = header.encode().to_vec();
    frame.extend_from_slice(payload);
    let start = frame.len() - payload.len();
    header.key.unwrap_or_default().apply(&mut frame[start..]);
    frame
}

/// Several frames in a row: see [`to`].
pub(crate) fn all_to(receiver: Role, frames: &[(u8, &[u8])]) -> Vec<u8> {
    frames
        .iter()
        .flat_map(|(first, payload)| to(receiver, *first, payload))
        .collect()
}

/// Gives all of `bytes` to a connection: what it saw, failures at an offset in `bytes`.
#[track_caller]
pub(crate) fn receive(
    connection: &mut Connection,
    inbox: &mut Inbox,
    outbox: &mut Outbox,
    bytes: &[u8],
) -> Vec<Seen> {
    let mut bytes = bytes.to_vec();
    let mut input = Input::new(&mut bytes, inbox);
    let mut seen = Vec::new();
    loop {
        match connection.receive(&mut input, outbox) {
            Ok(true) => seen.push(Seen::of(input.event())),
            Ok(false) => return seen,
            Err(violation) => seen.push(Seen::Fail(violation.close_code().get(), Some(input.consumed()))),
        }
    }
}

/// A status code without a reason.
pub(crate) fn code(code: u16) -> Close<'static> {
    CloseCode::new(code).into()
}

/// Bytes from `48 65`, with `(61)*125` for repetition and `(00..ff)` for all octets in order; `-` is nothing.
#[track_caller]
pub(crate) fn hex(notation: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = notation.trim();
    while !rest.is_empty() && rest != "-" {
        if let Some(group) = rest.strip_prefix('(') {
            let (inner, behind) = group.split_once(')').expect("a closing parenthesis");
            let (times, behind) = match behind.strip_prefix('*') {
                Some(behind) => {
                    let (times, behind) = behind.split_once(' ').unwrap_or((behind, ""));
                    (times.parse().expect("a number"), behind)
                }
                None => (1, behind),
            };
            let inner = if inner == "00..ff" {
                (0..=255).collect()
            } else {
                hex(inner)
            };
            bytes.extend(inner.repeat(times));
            rest = behind.trim_start();
        } else {
            bytes.push(u8::from_str_radix(&rest[..2], 16).expect("hex"));
            rest = rest[2..].trim_start();
        }
    }
    bytes
}

pub(crate) fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|octet| format!("{octet:02x}")).collect()
}

/// The vectors of a file: lines of `N` cells between bars, the first of which is the id. Lines that begin with `#`
/// are comments.
#[track_caller]
pub(crate) fn vectors<const N: usize>(file: &str) -> Vec<[&str; N]> {
    let vectors: Vec<[&str; N]> = file
        .lines()
        .filter(|line| !line.starts_with('#') && !line.is_empty())
        .map(|line| {
            let cells: Vec<&str> = line.split(" | ").map(str::trim).collect();
            cells
                .try_into()
                .unwrap_or_else(|_| panic!("not {N} cells: {line}"))
        })
        .collect();
    assert!(!vectors.is_empty());
    vectors
}

/// The role of a vector's side.
#[track_caller]
pub(crate) fn side(cell: &str) -> Role {
    match cell {
        "C" => Role::Client,
        "S" => Role::Server,
        _ => panic!("no side: {cell}"),
    }
}

/// Runs the vectors of a file with the columns id, side, setup, input, events; replies too.
#[track_caller]
pub(crate) fn run_vectors(file: &str) {
    run_vectors_with(file, |_| {}, hex);
}

/// [`run_vectors`], with something changed in each case, and another notation for the input.
#[track_caller]
pub(crate) fn run_vectors_with(file: &str, change: impl Fn(&mut Case<'_>), bytes: impl Fn(&str) -> Vec<u8>) {
    for [id, receiver, setup, input, events] in vectors(file) {
        println!("{id}"); // shown if it fails
        let mut case = Case::new(side(receiver));
        for word in setup.split(' ').filter(|word| *word != "-") {
            set_up(&mut case, word);
        }
        change(&mut case);
        let outcome = case.feed(&bytes(input));
        outcome.saw(events);
        assert_eq!(outcome.sent, replies(&outcome.seen));
    }
}

/// One word of a vector's setup.
#[track_caller]
fn set_up(case: &mut Case<'_>, word: &str) {
    let (word, value) = word.split_once('=').unwrap_or((word, ""));
    match word {
        "max_msg" => case.config.limits.max_message_bytes = value.parse().unwrap(),
        #[cfg(feature = "deflate")]
        "pmd" => case.config.deflate = Some(Default::default()),
        #[cfg(feature = "deflate")]
        "nct" | "bits" => {
            let agreed = case.config.deflate.as_mut().expect("behind pmd");
            let (fresh, bits) = match case.role {
                Role::Client => (
                    &mut agreed.server_no_context_takeover,
                    &mut agreed.server_max_window_bits,
                ),
                Role::Server => (
                    &mut agreed.client_no_context_takeover,
                    &mut agreed.client_max_window_bits,
                ),
            };
            match word {
                "nct" => *fresh = true,
                _ => *bits = Some(value.parse().unwrap()),
            }
        }
        _ => panic!("no setup: {word}"),
    }
}

/// The automatic replies to events while nothing is drained: the latest Ping's Pong, then the Close frame.
fn replies(seen: &[Seen]) -> Vec<String> {
    let ping = seen.iter().rev().find_map(|seen| match seen {
        Seen::Ping(data) => Some(("8a", data.clone())),
        _ => None,
    });
    let close = match seen.last() {
        Some(Seen::Fail(code, _) | Seen::Close(Some((code, _)))) => Some(("88", code.to_be_bytes().to_vec())),
        Some(Seen::Close(None)) => Some(("88", Vec::new())),
        _ => None,
    };
    [ping, close]
        .into_iter()
        .flatten()
        .map(|(first, payload)| format!("{first} {}", to_hex(&payload)).trim_end().to_string())
        .collect()
}
