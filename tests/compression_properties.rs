//! Properties of compressed messages: what went in comes out, through any parameters; and any bytes behind RSV1 have one
//! outcome, within the limits.
#![cfg(feature = "deflate")]
#![allow(clippy::unwrap_used, clippy::panic)]

mod streams;

use proptest::prelude::*;
use proptest::sample::Index;
use streams::{Collector, Item, Seen, Way, item, outbox, peer_of, role, send, slices, way};
use ws_proto::deflate::{Parameters, Pool, Settings};
use ws_proto::frame::{Header, Opcode, Rsv};
use ws_proto::mask::MaskingKey;
use ws_proto::{Config, Connection, Inbox, Input, Outbox, Role, Violation};

fn parameters() -> impl Strategy<Value = Parameters> {
    let bits = || prop::option::of(8u8..=15);
    (any::<bool>(), any::<bool>(), bits(), bits()).prop_map(|(server, client, server_bits, client_bits)| {
        Parameters {
            server_no_context_takeover: server,
            client_no_context_takeover: client,
            server_max_window_bits: server_bits,
            client_max_window_bits: client_bits,
        }
    })
}

fn settings() -> impl Strategy<Value = Settings> {
    let min_bytes = prop::sample::select(vec![0, 64, 1000]);
    (0u8..=9, 1u8..=9, min_bytes).prop_map(|(level, mem_level, min_bytes)| {
        let mut settings = Settings::default();
        (settings.level, settings.mem_level, settings.min_bytes) = (level, mem_level, min_bytes);
        settings
    })
}

/// All that a connection saw of a stream, with messages put together, and the violation that it failed with.
fn run(
    role: Role,
    config: &Config,
    stream: &[u8],
    way: &Way,
    pool: Option<&Pool>,
) -> (Vec<Seen>, Option<Violation>) {
    let mut connection = Connection::new(role, config);
    let (mut inbox, mut replies) = (Inbox::new(), outbox(role));
    if let Some(pool) = pool {
        replies.set_pool(pool.clone());
    }
    let (mut seen, mut failed) = (Collector::default(), None);
    for (start, end) in slices(stream.len(), way) {
        let mut input = Input::new(stream[start..end].to_vec(), &mut inbox);
        loop {
            match connection.receive(&mut input, &mut replies) {
                Ok(true) => seen.take(input.event(), input.is_message_end()),
                Ok(false) => break assert_eq!(input.remaining(), 0, "all input is used up"),
                Err(violation) => {
                    assert_eq!(failed, None, "reported once");
                    failed = Some(violation);
                }
            }
        }
        assert!(inbox.len() as u64 <= config.limits.max_message_bytes.saturating_add(125));
        replies.consume(usize::MAX);
        replies.release();
    }
    (seen.seen, failed)
}

/// Messages of which some are compressed, through one connection.
fn sent(sender: &mut Connection, items: &[(Item, bool)], wire: &mut Outbox) -> Vec<Seen> {
    let mut expected = Vec::new();
    for (item, compressed) in items {
        sender.set_compression(*compressed);
        expected.extend(send(sender, std::slice::from_ref(item), wire));
        expected.extend(repeated(sender, item, wire));
    }
    expected
}

/// Short messages once more, so that there is something to refer to.
fn repeated(sender: &mut Connection, item: &Item, wire: &mut Outbox) -> Vec<Seen> {
    match item {
        Item::Message { payload, .. } if payload.len < 300 => send(sender, std::slice::from_ref(item), wire),
        _ => Vec::new(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn r7692_6_messages_come_out_as_they_went_in(
        sender_role in role(),
        (agreed, settings, pooled) in (parameters(), settings(), any::<bool>()),
        items in prop::collection::vec((item(70_000), prop::bool::weighted(0.8)), 1..6),
        ways in [way(), way()],
    ) {
        let mut config = Config::default();
        config.deflate = Some(agreed);
        let pool = Pool::new(settings);
        let (mut sender, mut wire) = (Connection::new(sender_role, &config), outbox(sender_role));
        wire.set_pool(pool.clone());
        let expected = sent(&mut sender, &items, &mut wire);
        let stream = wire.take_all();
        for (pieces, way) in [(false, &ways[0]), (true, &ways[1])] {
            config.pieces = pieces;
            let pool = pooled.then_some(&pool);
            let (seen, failed) = run(peer_of(sender_role), &config, &stream, way, pool);
            prop_assert_eq!(failed, None);
            prop_assert!(seen == expected, "pieces {}: not as they went in", pieces);
        }
    }

    #[test]
    fn r7692_7_2_2_any_octets_behind_rsv1_have_one_outcome(
        receiver in role(),
        (takes_over, limit) in (any::<bool>(), prop::sample::select(vec![0u64, 5, 300, 1 << 24])),
        ratio in prop::sample::select(vec![1, 10, 100, u16::MAX]),
        messages in prop::collection::vec(octets(), 1..5),
        ways in [way(), way()],
    ) {
        let mut config = Config::default();
        config.deflate = Some(Parameters {
            server_no_context_takeover: !takes_over,
            client_no_context_takeover: !takes_over,
            ..Parameters::default()
        });
        config.limits.max_message_bytes = limit;
        config.limits.max_inflate_ratio = ratio;
        let stream: Vec<u8> = messages.iter().flat_map(|message| framed(receiver, message)).collect();
        let whole = run(receiver, &config, &stream, &Way::Cut(Vec::new()), None);
        for message in &whole.0 {
            prop_assert!(message.payload().len() as u64 <= limit);
        }
        for way in ways.iter().chain([&Way::Slices(1)]) {
            for pieces in [false, true] {
                config.pieces = pieces;
                prop_assert_eq!(&run(receiver, &config, &stream, way, None), &whole);
            }
        }
    }
}

/// What is inside a compressed message: nearly right, mostly. With the places where its fragments end, and its type.
#[derive(Clone, Debug)]
struct Octets {
    text: bool,
    octets: Vec<u8>,
    cuts: Vec<Index>,
}

fn octets() -> impl Strategy<Value = Octets> {
    let payload = prop_oneof![
        "[a-cé]{0,40}".prop_map(String::into_bytes),
        "[a-z ]{0,9}".prop_map(|text| text.repeat(60).into_bytes()),
        prop::collection::vec(any::<u8>(), 0..60),
        Just(vec![0; 5000]),
        // Over the ratio in its middle, perhaps not in its end.
        (65_000_usize..80_000, prop::collection::vec(any::<u8>(), 0..3000)).prop_map(|(zeros, rest)| [
            vec![0; zeros],
            rest
        ]
        .concat()),
    ];
    let right = (payload, settings()).prop_map(|(payload, mut settings)| {
        settings.min_bytes = 0;
        let mut config = Config::default();
        config.deflate = Some(Parameters::default());
        let (mut sender, mut wire) = (Connection::new(Role::Server, &config), Outbox::new());
        wire.set_pool(Pool::new(settings));
        sender.send_binary(&payload, &mut wire).unwrap();
        let (_, header) = Header::parse(wire.bytes()).unwrap().unwrap();
        wire.bytes()[header..].to_vec()
    });
    let changes = prop::collection::vec(
        (
            any::<Index>(),
            0usize..2,
            prop::collection::vec(any::<u8>(), 0..3),
        ),
        0..3,
    );
    let spoilt = (right, changes).prop_map(|(mut octets, changes)| {
        for (place, gone, put_in) in changes {
            let place = place.index(octets.len() + 1);
            let end = (place + gone).min(octets.len());
            octets.splice(place..end, put_in);
        }
        octets
    });
    let octets = prop_oneof![5 => spoilt, 1 => prop::collection::vec(any::<u8>(), 0..40)];
    let cuts = prop::collection::vec(any::<Index>(), 0..3);
    (any::<bool>(), octets, cuts).prop_map(|(text, octets, cuts)| Octets { text, octets, cuts })
}

/// The frames of a compressed message.
fn framed(receiver: Role, message: &Octets) -> Vec<u8> {
    let mut stream = Vec::new();
    let fragments = slices(message.octets.len(), &Way::Cut(message.cuts.clone()));
    for (i, (start, end)) in fragments.iter().enumerate() {
        let opcode = match (i, message.text) {
            (0, true) => Opcode::TEXT,
            (0, false) => Opcode::BINARY,
            _ => Opcode::CONTINUATION,
        };
        let mut payload = message.octets[*start..*end].to_vec();
        let mut header = Header::new(opcode, payload.len() as u64);
        header.fin = i + 1 == fragments.len();
        header.rsv = if i == 0 { Rsv::RSV1 } else { Rsv::NONE };
        header.key = (receiver == Role::Server).then_some(MaskingKey::new([0x37, 0xfa, 0x21, 0x3d]));
        header.key.unwrap_or_default().apply(&mut payload);
        stream.extend_from_slice(&header.encode());
        stream.extend(payload);
    }
    stream
}
