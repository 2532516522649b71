//! Streams of frames to try an endpoint with, right ones and nearly right ones; and what an endpoint saw of them.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[allow(clippy::duplicate_mod, reason = "some tests have common and streams")]
#[path = "../roles/mod.rs"]
mod roles;

use proptest::prelude::*;
use proptest::sample::Index;
#[allow(unused_imports, reason = "not every test asks for each")]
pub(crate) use roles::{ROLES, outbox, peer_of};
use ws_proto::frame::{Header, Opcode, Rsv};
use ws_proto::mask::MaskingKey;
use ws_proto::{Config, Connection, Event, MessageKind, Outbox, Role};

// ---- what is observed ----

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Seen {
    Text(String),
    Binary(Vec<u8>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(Option<(u16, String)>),
}

impl Seen {
    pub(crate) fn new(event: Event<'_>) -> Self {
        match event {
            Event::Text(text) => {
                assert!(std::str::from_utf8(text.as_bytes()).is_ok(), "text is UTF-8");
                Self::Text(text.into())
            }
            Event::Binary(data) => Self::Binary(data.into()),
            Event::Ping(data) => Self::Ping(data.into()),
            Event::Pong(data) => Self::Pong(data.into()),
            Event::Close(close) => Self::Close(close.map(|close| (close.code.get(), close.reason.into()))),
        }
    }

    pub(crate) fn payload(&self) -> &[u8] {
        match self {
            Self::Text(text) => text.as_bytes(),
            Self::Binary(data) | Self::Ping(data) | Self::Pong(data) => data,
            Self::Close(_) => &[],
        }
    }
}

/// What an endpoint saw, with messages put together that were lent in pieces.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Collector {
    pub(crate) seen: Vec<Seen>,
    /// The message of which the last piece has not come.
    unfinished: Option<(bool, Vec<u8>)>,
}

impl Collector {
    pub(crate) fn take(&mut self, event: Event<'_>, is_message_end: bool) {
        let (text, piece) = match event {
            Event::Text(text) => (true, text.as_bytes()),
            Event::Binary(data) => (false, data),
            control => {
                assert!(is_message_end, "a control frame is no piece");
                return self.seen.push(Seen::new(control));
            }
        };
        assert!(
            !text || std::str::from_utf8(piece).is_ok(),
            "text is cut between characters"
        );
        assert!(
            is_message_end || !piece.is_empty(),
            "only the last piece may be empty"
        );
        let (of_text, mut message) = self.unfinished.take().unwrap_or((text, Vec::new()));
        assert_eq!(of_text, text, "pieces are of the message's type");
        message.extend_from_slice(piece);
        if !is_message_end {
            self.unfinished = Some((text, message));
        } else if text {
            self.seen.push(Seen::Text(String::from_utf8(message).unwrap()));
        } else {
            self.seen.push(Seen::Binary(message));
        }
    }
}

/// How a stream reaches the connection.
#[derive(Clone, Debug)]
pub(crate) enum Way {
    /// In slices that end at these places.
    Cut(Vec<Index>),
    /// In slices of this many bytes, giving memory back behind each.
    Slices(usize),
    /// Through an `Input` that owns a buffer of this many bytes and the inbox, giving memory back now and then.
    Space(usize),
}

pub(crate) fn way() -> impl Strategy<Value = Way> {
    let sizes = prop::sample::select(vec![1, 2, 3, 5, 7, 13, 61, 127, 1021]);
    prop_oneof![
        2 => prop::collection::vec(any::<Index>(), 0..6).prop_map(Way::Cut),
        1 => sizes.clone().prop_map(Way::Slices),
        2 => sizes.prop_map(Way::Space),
    ]
}

pub(crate) fn slices(len: usize, way: &Way) -> Vec<(usize, usize)> {
    let mut ends: Vec<usize> = match way {
        Way::Cut(cuts) => cuts.iter().map(|cut| cut.index(len + 1)).collect(),
        Way::Slices(size) | Way::Space(size) => (0..len).step_by(*size).skip(1).collect(),
    };
    ends.sort_unstable();
    ends.push(len);
    let starts: Vec<usize> = std::iter::once(0).chain(ends.iter().copied()).collect();
    starts.into_iter().zip(ends).collect()
}

// ---- what goes in ----

/// A message or a control frame to send.
#[derive(Clone, Debug)]
pub(crate) enum Item {
    Message {
        kind: MessageKind,
        payload: Payload,
        /// Where fragments end; none for a message in one frame. A control frame goes behind each.
        cuts: Vec<(Index, Option<Vec<u8>>)>,
    },
    Ping(Vec<u8>),
    Pong(Vec<u8>),
}

/// Bytes made when needed: generating and shrinking them one by one would take long.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Payload {
    pub(crate) len: usize,
    pub(crate) seed: u32,
}

impl Payload {
    pub(crate) fn bytes(self, kind: MessageKind) -> Vec<u8> {
        let mut random = self.seed;
        let mut next = || {
            random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            random >> 16
        };
        let mut bytes = Vec::with_capacity(self.len);
        while bytes.len() < self.len {
            match kind {
                MessageKind::Binary => bytes.push(next() as u8),
                MessageKind::Text => {
                    const CHARACTERS: [&str; 8] = ["a", "z", " ", "\0", "é", "€", "\u{ffff}", "😀"];
                    let character = CHARACTERS[next() as usize % CHARACTERS.len()].as_bytes();
                    let fits = bytes.len() + character.len() <= self.len;
                    bytes.extend_from_slice(if fits { character } else { b"." });
                }
            }
        }
        bytes
    }
}

pub(crate) fn kind() -> impl Strategy<Value = MessageKind> {
    prop_oneof![Just(MessageKind::Text), Just(MessageKind::Binary)]
}

pub(crate) fn control_payload() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        3 => prop::collection::vec(any::<u8>(), 0..9),
        1 => Just(vec![b'c'; 125]),
    ]
}

pub(crate) fn item(max_len: usize) -> impl Strategy<Value = Item> {
    let edges: Vec<usize> = [0, 0, 1, 7, 8, 125, 126, 127, 4096, 65_535, 65_536]
        .into_iter()
        .filter(|&edge| edge <= max_len)
        .collect();
    let len = prop_oneof![
        4 => prop::sample::select(edges),
        4 => 0..max_len.min(300),
        1 => 0..max_len,
    ];
    let payload = (len, any::<u32>()).prop_map(|(len, seed)| Payload { len, seed });
    let cut = (any::<Index>(), prop::option::weighted(0.3, control_payload()));
    let cuts = prop_oneof![Just(Vec::new()), prop::collection::vec(cut, 1..6)];
    prop_oneof![
        4 => (kind(), payload, cuts).prop_map(|(kind, payload, cuts)| Item::Message { kind, payload, cuts }),
        1 => control_payload().prop_map(Item::Ping),
        1 => control_payload().prop_map(Item::Pong),
    ]
}

/// Sends the items; tells what the peer has to see.
pub(crate) fn send(connection: &mut Connection, items: &[Item], outbox: &mut Outbox) -> Vec<Seen> {
    outbox.set_max_bytes(u32::MAX);
    let mut expected = Vec::new();
    for item in items {
        match item {
            Item::Ping(data) => {
                connection.ping(data, outbox).unwrap();
                expected.push(Seen::Ping(data.clone()));
            }
            Item::Pong(data) => {
                connection.pong(data, outbox).unwrap();
                expected.push(Seen::Pong(data.clone()));
            }
            Item::Message { kind, payload, cuts } => {
                let bytes = payload.bytes(*kind);
                send_message(connection, *kind, &bytes, cuts, outbox, &mut expected);
                expected.push(match kind {
                    MessageKind::Text => Seen::Text(String::from_utf8(bytes).unwrap()),
                    MessageKind::Binary => Seen::Binary(bytes),
                });
            }
        }
    }
    expected
}

pub(crate) fn send_message(
    connection: &mut Connection,
    kind: MessageKind,
    bytes: &[u8],
    cuts: &[(Index, Option<Vec<u8>>)],
    outbox: &mut Outbox,
    expected: &mut Vec<Seen>,
) {
    let mut cuts: Vec<_> = cuts
        .iter()
        .map(|(cut, ping)| (cut.index(bytes.len() + 1), ping))
        .collect();
    cuts.sort_by_key(|(cut, _)| *cut);
    let mut start = 0;
    for (i, (end, ping)) in cuts.iter().enumerate() {
        let fragment = &bytes[start..*end];
        if i == 0 {
            connection.begin_message(kind, fragment, outbox).unwrap();
        } else {
            connection.continue_message(fragment, outbox).unwrap();
        }
        if let Some(data) = ping {
            connection.ping(data, outbox).unwrap();
            expected.push(Seen::Ping(data.clone()));
        }
        start = *end;
    }
    if !cuts.is_empty() {
        connection.finish_message(&bytes[start..], outbox).unwrap();
    } else if kind == MessageKind::Text {
        connection
            .send_text(std::str::from_utf8(bytes).unwrap(), outbox)
            .unwrap();
    } else {
        connection.send_binary(bytes, outbox).unwrap();
    }
}

pub(crate) fn role() -> impl Strategy<Value = Role> {
    prop_oneof![Just(Role::Client), Just(Role::Server)]
}

/// Frames that are mostly right, for a receiver in this role.
pub(crate) fn frames(role: Role) -> impl Strategy<Value = Vec<u8>> {
    let valid = prop::collection::vec(item(200), 0..4).prop_map(move |items| {
        let sender = peer_of(role);
        let mut outbox = outbox(sender);
        send(
            &mut Connection::new(sender, &Config::default()),
            &items,
            &mut outbox,
        );
        outbox.bytes().to_vec()
    });
    let rsv = prop_oneof![
        12 => Just(Rsv::NONE),
        2 => prop::sample::select(vec![Rsv::RSV1, Rsv::RSV2, Rsv::RSV3]),
        1 => any::<u8>().prop_map(Rsv::new),
    ];
    let masked = prop::bool::weighted(if role == Role::Server { 0.95 } else { 0.05 });
    let payload = prop_oneof![
        3 => prop::collection::vec(any::<u8>(), 0..10),
        3 => "[a-zé€😀]{0,8}".prop_map(String::into_bytes),
        1 => (900u16..5100, "[a-zé]{0,9}").prop_map(|(code, reason)| [&code.to_be_bytes(), reason.as_bytes()].concat()),
    ];
    let opcode = prop_oneof![
        8 => prop::sample::select(vec![0u8, 0, 1, 1, 2, 9, 10]),
        1 => Just(8),
        1 => 0u8..16,
    ];
    let odd = (
        prop::bool::weighted(0.8),
        rsv,
        opcode,
        masked,
        any::<[u8; 4]>(),
        payload,
    )
        .prop_map(|(fin, rsv, opcode, masked, key, mut payload)| {
            let key = masked.then_some(MaskingKey::new(key));
            let header = Header {
                fin,
                rsv,
                opcode: Opcode::new(opcode),
                key,
                payload_len: payload.len() as u64,
            };
            key.unwrap_or_default().apply(&mut payload);
            [&header.encode()[..], &payload].concat()
        });
    prop_oneof![
        valid,
        prop::collection::vec(odd, 1..6).prop_map(|frames| frames.concat())
    ]
}

/// Any bytes; or frames, some octets of which are changed, put in or taken out.
pub(crate) fn stream(role: Role) -> impl Strategy<Value = Vec<u8>> {
    let spoilt = (
        prop::collection::vec(frames(role), 1..4),
        prop::collection::vec(
            (
                any::<Index>(),
                0usize..2,
                prop::collection::vec(any::<u8>(), 0..2),
            ),
            0..3,
        ),
    )
        .prop_map(|(frames, changes)| {
            let mut stream = frames.concat();
            for (place, gone, put_in) in changes {
                let place = place.index(stream.len() + 1);
                let end = (place + gone).min(stream.len());
                stream.splice(place..end, put_in);
            }
            stream
        });
    prop_oneof![1 => prop::collection::vec(any::<u8>(), 0..200), 6 => spoilt]
}

/// Without permessage-deflate: what its decompressor holds is beside the connection.
pub(crate) fn config() -> impl Strategy<Value = Config> {
    let bits = prop_oneof![2 => Just(Rsv::NONE), 1 => Just(Rsv::RSV1), 1 => Just(Rsv::RSV2.union(Rsv::RSV3))];
    let limits = prop::option::of((0u64..300, 0u64..400, 0u32..40, 0u16..6));
    (limits, any::<bool>(), any::<bool>(), bits).prop_map(
        |(limits, automatic_pong, automatic_close, bits)| {
            let mut config = Config::default();
            config.automatic_pong = automatic_pong;
            config.automatic_close = automatic_close;
            config.reserved_bits = bits;
            if let Some((frame, message, fragments, control_frames)) = limits {
                config.limits.max_frame_bytes = frame;
                config.limits.max_message_bytes = message;
                config.limits.max_fragments = fragments;
                config.limits.max_control_frames = control_frames;
            }
            config
        },
    )
}
