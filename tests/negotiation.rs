//! What client and server agree on of permessage-deflate, and of extensions of others (RFC 7692 §5, §7.1).
#![cfg(feature = "alloc")]
#![allow(clippy::unwrap_used, clippy::panic)]

mod heads;

use heads::{client, request_with, response_with, vectors};
use proptest::collection::vec;
use proptest::prelude::*;
use ws_proto::Outbox;
use ws_proto::deflate::{NAME, NegotiationError, Parameters};
use ws_proto::extension::{self, Extension};
use ws_proto::handshake::{
    Accept, Answer, AnswerError, Client, ClientRequest, Field, Fields, HeadLimits, Key, Offer, RequestHead,
    ResponseError, Server, Url,
};

const NONE: Parameters = Parameters {
    server_no_context_takeover: false,
    client_no_context_takeover: false,
    server_max_window_bits: None,
    client_max_window_bits: None,
};

/// The extensions in a text, which may be empty.
fn list(text: &str) -> impl Iterator<Item = Extension<'_>> + Clone {
    let line = Some(text.as_bytes()).filter(|line| !line.is_empty());
    extension::parse(line).unwrap()
}

/// The server's answer to a list of offers, as text.
fn answer(policy: &Parameters, offers: &str) -> Option<String> {
    policy
        .accept(list(offers))
        .map(|agreed| agreed.answer().to_string())
}

/// What the client makes of an answer to its list of offers.
fn check(offers: &str, answer: &str) -> Result<Option<Parameters>, NegotiationError> {
    Parameters::check(list(offers).filter_map(Parameters::from_offer), list(answer))
}

fn elements(texts: &[Parameters]) -> String {
    let texts: Vec<_> = texts.iter().map(|offer| offer.offer().to_string()).collect();
    texts.join(", ")
}

// ---- the vectors ----

/// The answer to a request with these offers, through the bytes of both: the value of Sec-WebSocket-Extensions, or
/// `declined`, or the status of a refusal.
fn served(offers: &str, policy: &Parameters) -> String {
    let (mut server, mut outbox) = (Server::new(HeadLimits::default()), Outbox::new());
    let bytes = request_with(&[&format!("Sec-WebSocket-Extensions: {offers}")]);
    let request = match server.receive(&bytes).unwrap().head.unwrap().upgrade() {
        Ok(request) => request,
        Err(error) => return error.status().to_string(),
    };
    let text = request.deflate(policy).map(|agreed| agreed.answer());
    let text = text.as_deref();
    let accept = Accept {
        extensions: text.as_slice(),
        ..Accept::default()
    };
    request.accept(&accept, &mut outbox).unwrap();
    let written = std::str::from_utf8(outbox.bytes()).unwrap();
    let value = written
        .lines()
        .find_map(|line| line.strip_prefix("Sec-WebSocket-Extensions: "));
    value.unwrap_or("declined").to_string()
}

#[test]
fn r7692_7_1_offer_vectors() {
    let vectors = vectors(include_str!("vectors/offers.txt"));
    assert_eq!(vectors.len(), 25);
    for cells in vectors {
        let [id, offers, expected] = cells[..] else {
            panic!("{cells:?}")
        };
        assert_eq!(served(offers, &NONE), expected, "{id}");
    }
}

/// The result of an answer at a client that sent these offers, in the notation of the vectors.
fn asked(offers: &[&str], answer: &str) -> String {
    let mut client = client(&[], offers, HeadLimits::default());
    let bytes = response_with(&[&format!("Sec-WebSocket-Extensions: {answer}")]);
    let agreed = match client.receive(&bytes) {
        Ok(reply) => match reply.answer {
            Some(Answer::Open(opened)) => opened.deflate(),
            answer => panic!("{answer:?}"),
        },
        Err(_) => return "fail".into(),
    };
    let agreed = agreed.unwrap();
    format!(
        "ok s_nct={} c_nct={} s_bits={} c_bits={}",
        u8::from(agreed.server_no_context_takeover),
        u8::from(agreed.client_no_context_takeover),
        agreed.server_window_bits(),
        agreed.client_window_bits()
    )
}

#[test]
fn r7692_7_1_answer_vectors() {
    let vectors = vectors(include_str!("vectors/answers.txt"));
    assert_eq!(vectors.len(), 23);
    for cells in vectors {
        let [id, offers, answer, expected] = cells[..] else {
            panic!("{cells:?}")
        };
        let offered: Vec<&str> = offers.split(", ").filter(|offer| *offer != "-").collect();
        assert_eq!(asked(&offered, answer), expected, "{id}");
        assert_eq!(
            check(offers.trim_matches('-'), answer).is_ok(),
            expected != "fail",
            "{id}"
        );
    }
}

#[test]
fn r7692_7_1_which_rule_an_answer_breaks() {
    let offer = "permessage-deflate; server_max_window_bits=10";
    let bare = "permessage-deflate";
    use NegotiationError as E;
    for (offers, answer, error) in [
        ("", bare, E::NotOffered),
        ("foo", bare, E::NotOffered),
        // What is no valid offer allows nothing.
        ("permessage-deflate; foo", bare, E::NotOffered),
        (
            bare,
            "permessage-deflate, foo, permessage-deflate",
            E::AcceptedTwice,
        ),
        (bare, "permessage-deflate; foo", E::UnknownParameter),
        (
            bare,
            "permessage-deflate; Server_no_context_takeover",
            E::UnknownParameter,
        ),
        (
            bare,
            "permessage-deflate; client_no_context_takeover; client_no_context_takeover",
            E::RepeatedParameter,
        ),
        (
            bare,
            "permessage-deflate; server_max_window_bits=9; server_max_window_bits=9",
            E::RepeatedParameter,
        ),
        (
            bare,
            "permessage-deflate; server_no_context_takeover=\"1\"",
            E::InvalidValue,
        ),
        (
            bare,
            "permessage-deflate; server_max_window_bits=010",
            E::InvalidValue,
        ),
        (
            bare,
            "permessage-deflate; client_max_window_bits",
            E::InvalidValue,
        ),
        (
            bare,
            "permessage-deflate; client_max_window_bits=15",
            E::ClientWindowNotOffered,
        ),
        (
            offer,
            "permessage-deflate; server_max_window_bits=10; client_max_window_bits=15",
            E::ClientWindowNotOffered,
        ),
        (offer, bare, E::NoSuchOffer),
        (
            offer,
            "permessage-deflate; server_max_window_bits=11",
            E::NoSuchOffer,
        ),
    ] {
        assert_eq!(check(offers, answer), Err(error), "{offers} / {answer}");
    }
}

#[test]
fn r7692_7_1_no_single_offer_covers_a_mixed_answer() {
    let offers = "permessage-deflate; server_no_context_takeover; client_max_window_bits, \
                  permessage-deflate; server_max_window_bits=9";
    for (answer, fits) in [
        ("permessage-deflate", false),
        ("permessage-deflate; server_no_context_takeover", true),
        ("permessage-deflate; server_max_window_bits=9", true),
        ("permessage-deflate; server_max_window_bits=10", false),
        (
            "permessage-deflate; server_no_context_takeover; server_max_window_bits=10",
            true,
        ),
        ("permessage-deflate; client_max_window_bits=9", false),
        (
            "permessage-deflate; client_max_window_bits=9; server_max_window_bits=9",
            false,
        ),
        (
            "permessage-deflate; client_max_window_bits=9; server_no_context_takeover",
            true,
        ),
    ] {
        let expected = if fits {
            check("permessage-deflate; client_max_window_bits", answer)
        } else {
            Err(NegotiationError::NoSuchOffer)
        };
        assert_eq!(check(offers, answer), expected, "{answer}");
    }
}

#[test]
fn d_18_client_accepts_a_window_larger_than_its_hint_and_server_never_sends_one() {
    let offer = "permessage-deflate; client_max_window_bits=10";
    for bits in 8..=15 {
        let answer = format!("permessage-deflate; client_max_window_bits={bits}");
        assert_eq!(check(offer, &answer).unwrap().unwrap().client_window_bits(), bits);
        let policy = Parameters {
            client_max_window_bits: Some(bits),
            ..NONE
        };
        let agreed = policy.accept(list(offer)).unwrap();
        assert_eq!(agreed.client_max_window_bits, Some(bits.min(10)));
    }
}

#[test]
fn d_19_server_volunteers_what_binds_itself_and_client_accepts_it() {
    let policy = Parameters {
        server_no_context_takeover: true,
        server_max_window_bits: Some(12),
        ..NONE
    };
    let text = answer(&policy, "permessage-deflate").unwrap();
    assert_eq!(
        text,
        "permessage-deflate; server_no_context_takeover; server_max_window_bits=12"
    );
    assert_eq!(check("permessage-deflate", &text), Ok(Some(policy)));
}

/// The examples that are printed there.
#[test]
fn r7692_7_1_3_examples() {
    let small = "permessage-deflate; client_max_window_bits; server_max_window_bits=10";
    let fallback = "permessage-deflate; client_max_window_bits; server_max_window_bits=10, \
                    permessage-deflate; client_max_window_bits";
    assert_eq!(NONE.offer().as_str(), "permessage-deflate");
    assert_eq!(NONE.answer().as_str(), "permessage-deflate");
    assert_eq!(answer(&NONE, "permessage-deflate").unwrap(), "permessage-deflate");
    assert_eq!(
        Parameters::from_offer(list(small).next().unwrap()),
        Some(Parameters {
            server_max_window_bits: Some(10),
            client_max_window_bits: Some(15),
            ..NONE
        })
    );
    let first = "permessage-deflate; server_max_window_bits=10";
    for offers in [small, fallback] {
        assert_eq!(answer(&NONE, offers).unwrap(), first);
        let agreed = check(offers, first).unwrap().unwrap();
        assert_eq!(agreed.server_window_bits(), 10);
    }
    // The second option of the fallback, by a server that cannot do the first.
    assert_eq!(check(fallback, "permessage-deflate"), Ok(Some(NONE)));
    assert_eq!(
        check(small, "permessage-deflate"),
        Err(NegotiationError::NoSuchOffer)
    );
}

// ---- a server's policy ----

#[test]
fn r7692_7_1_policies() {
    let (s_nct, c_nct) = (
        Parameters {
            server_no_context_takeover: true,
            ..NONE
        },
        Parameters {
            client_no_context_takeover: true,
            ..NONE
        },
    );
    let server_bits = |bits| Parameters {
        server_max_window_bits: Some(bits),
        ..NONE
    };
    let client_bits = |bits| Parameters {
        client_max_window_bits: Some(bits),
        ..NONE
    };
    for (policy, offer, expected) in [
        (s_nct, "", "; server_no_context_takeover"),
        (
            s_nct,
            "; client_no_context_takeover",
            "; server_no_context_takeover; client_no_context_takeover",
        ),
        (c_nct, "", "; client_no_context_takeover"),
        (
            server_bits(12),
            "; server_max_window_bits=14",
            "; server_max_window_bits=12",
        ),
        (
            server_bits(12),
            "; server_max_window_bits=9",
            "; server_max_window_bits=9",
        ),
        (server_bits(15), "", "; server_max_window_bits=15"),
        // The compressor has no window of 256 bytes.
        (server_bits(8), "", "; server_max_window_bits=9"),
        (server_bits(0), "", "; server_max_window_bits=9"),
        (server_bits(255), "", "; server_max_window_bits=15"),
        (
            client_bits(10),
            "; client_max_window_bits",
            "; client_max_window_bits=10",
        ),
        (
            client_bits(10),
            "; client_max_window_bits=9",
            "; client_max_window_bits=9",
        ),
        (
            client_bits(10),
            "; client_max_window_bits=12",
            "; client_max_window_bits=10",
        ),
        (
            client_bits(15),
            "; client_max_window_bits",
            "; client_max_window_bits=15",
        ),
        (
            client_bits(3),
            "; client_max_window_bits",
            "; client_max_window_bits=8",
        ),
        (
            client_bits(99),
            "; client_max_window_bits=15",
            "; client_max_window_bits=15",
        ),
        // §7.1.2.2: not without having been offered.
        (client_bits(10), "", ""),
        (
            client_bits(10),
            "; client_no_context_takeover",
            "; client_no_context_takeover",
        ),
    ] {
        let offer = format!("{NAME}{offer}");
        assert_eq!(
            answer(&policy, &offer),
            Some(format!("{NAME}{expected}")),
            "{policy:?} {offer}"
        );
        assert_eq!(served(&offer, &policy), format!("{NAME}{expected}"));
    }
}

#[test]
fn lim_d1_window_of_256_bytes_is_left_for_the_next_offer() {
    let offers = "permessage-deflate; server_max_window_bits=8, permessage-deflate; client_max_window_bits=8";
    assert_eq!(
        answer(&NONE, offers).unwrap(),
        "permessage-deflate; client_max_window_bits=8"
    );
}

#[test]
fn r7692_7_1_2_windows_written_are_8_to_15() {
    for bits in 0..=255 {
        let both = Parameters {
            server_max_window_bits: Some(bits),
            client_max_window_bits: Some(bits),
            ..NONE
        };
        let shown = bits.clamp(8, 15);
        assert_eq!(
            (both.server_window_bits(), both.client_window_bits()),
            (shown, shown)
        );
        assert_eq!(
            both.answer().as_str(),
            format!("permessage-deflate; server_max_window_bits={shown}; client_max_window_bits={shown}")
        );
        let hint = if shown < 15 {
            format!("={shown}")
        } else {
            String::new()
        };
        assert_eq!(
            both.offer().as_str(),
            format!("permessage-deflate; server_max_window_bits={shown}; client_max_window_bits{hint}")
        );
    }
    assert_eq!((NONE.server_window_bits(), NONE.client_window_bits()), (15, 15));
}

#[test]
fn r7692_7_1_the_longest_text_fits() {
    let all = Parameters {
        server_no_context_takeover: true,
        client_no_context_takeover: true,
        server_max_window_bits: Some(15),
        client_max_window_bits: Some(15),
    };
    let text = all.answer();
    assert_eq!(
        text.as_ref(),
        "permessage-deflate; server_no_context_takeover; client_no_context_takeover; \
         server_max_window_bits=15; client_max_window_bits=15"
    );
    assert_eq!(text.len(), 128);
    assert_eq!(
        format!("{text} {text:?}"),
        format!("{0} ExtensionText({0})", &*text)
    );
    assert_eq!(check(&all.offer(), &text), Ok(Some(all)));
}

#[test]
fn r7692_5_what_is_no_offer_of_this_extension() {
    for text in [
        "foo",
        "Permessage-Deflate",
        "permessage-deflate2",
        "x-webkit-deflate-frame",
    ] {
        assert_eq!(Parameters::from_offer(list(text).next().unwrap()), None, "{text}");
        assert_eq!(answer(&NONE, text), None);
        assert_eq!(
            check("permessage-deflate", text),
            Ok(None),
            "another extension's business"
        );
    }
    assert_eq!(answer(&NONE, ""), None);
    assert_eq!(check("permessage-deflate", ""), Ok(None));
}

// ---- in the handshake ----

/// What comes of a server's decision for these answers, if the client offered `offers`.
fn accept(offers: &str, answers: &[&str]) -> Result<(), AnswerError> {
    let (mut server, mut outbox) = (Server::new(HeadLimits::default()), Outbox::new());
    let bytes = request_with(&[&format!("Sec-WebSocket-Extensions: {offers}")]);
    let request = server.receive(&bytes).unwrap().head.unwrap().upgrade().unwrap();
    let accept = Accept {
        extensions: answers,
        ..Accept::default()
    };
    let result = request.accept(&accept, &mut outbox);
    assert_eq!(result.is_err(), outbox.is_empty());
    result
}

#[test]
fn r7692_5_server_sends_no_answer_that_the_client_must_refuse() {
    use NegotiationError as E;
    let offers =
        "permessage-deflate; server_max_window_bits=10, permessage-deflate; server_max_window_bits=12";
    let ten = "permessage-deflate; server_max_window_bits=10";
    for (answers, error) in [
        (&[ten, ten][..], E::AcceptedTwice),
        (&["permessage-deflate"], E::NoSuchOffer),
        (
            &["permessage-deflate; server_max_window_bits=9; client_max_window_bits=9"],
            E::ClientWindowNotOffered,
        ),
        (
            &["permessage-deflate; server_max_window_bits=08"],
            E::InvalidValue,
        ),
        (&["permessage-deflate; x"], E::UnknownParameter),
    ] {
        assert_eq!(accept(offers, answers), Err(AnswerError::Deflate(error)));
    }
    assert_eq!(accept(offers, &[ten]), Ok(()));
    assert_eq!(accept(offers, &[]), Ok(()));
}

#[test]
fn r7692_7_client_says_why_it_fails() {
    let mut client = client(&[], &["permessage-deflate"], HeadLimits::default());
    let bytes = response_with(&["Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits=9"]);
    let error = client.receive(&bytes).unwrap_err();
    assert_eq!(
        error,
        ResponseError::Deflate(NegotiationError::ClientWindowNotOffered)
    );
    assert_eq!(
        error.to_string(),
        "the server limited the client's window, which was not offered"
    );
}

#[test]
fn r7692_5_declined_is_open_without_compression() {
    let offer = Parameters {
        client_max_window_bits: Some(15),
        ..NONE
    }
    .offer();
    assert_eq!(offer.as_str(), "permessage-deflate; client_max_window_bits");
    let mut client = client(&[], &[&offer], HeadLimits::default());
    let bytes = response_with(&[]);
    match client.receive(&bytes).unwrap().answer {
        Some(Answer::Open(opened)) => assert_eq!(opened.deflate(), None),
        answer => panic!("{answer:?}"),
    }
}

#[test]
fn r6455_9_1_offers_and_answers_may_be_spread_over_lines() {
    let lines = [
        Field::new("Host", "server.example.com"),
        Field::new("Upgrade", "websocket"),
        Field::new("Connection", "Upgrade"),
        Field::new("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
        Field::new("Sec-WebSocket-Version", "13"),
        Field::new("Sec-WebSocket-Extensions", "foo"),
        Field::new(
            "sec-websocket-extensions",
            "permessage-deflate; server_max_window_bits=8",
        ),
        Field::new(
            "Sec-WebSocket-Extensions",
            "permessage-deflate; server_max_window_bits=\"\\1\\2\"",
        ),
    ];
    let head = RequestHead::from_fields("GET", "/", &lines).unwrap();
    let agreed = head.upgrade().unwrap().deflate(&NONE).unwrap();
    assert_eq!(agreed.server_max_window_bits, Some(12));

    let lines = [
        Field::new("Upgrade", "websocket"),
        Field::new("Connection", "Upgrade"),
        Field::new("Sec-WebSocket-Accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="),
        Field::new("Sec-WebSocket-Extensions", "foo"),
        Field::new(
            "Sec-WebSocket-Extensions",
            "permessage-deflate; server_max_window_bits=12",
        ),
    ];
    let offer = Offer {
        extensions: "foo, permessage-deflate",
        ..Offer::new(Key::from_nonce(heads::NONCE))
    };
    let opened = offer.check(101, Fields::new(&lines)).unwrap();
    assert_eq!(opened.deflate(), Some(agreed));
    assert_eq!(opened.extensions().count(), 2);
}

/// An invented extension beside permessage-deflate, from the client's offer to what both know in the end.
#[test]
fn r6455_9_extensions_of_others_are_negotiated_by_the_same_types() {
    let wish = Parameters {
        client_max_window_bits: Some(15),
        ..NONE
    };
    let request = ClientRequest {
        extensions: &["x-stamp; unit=ms; signed", "x-stamp; unit=s", &wish.offer()],
        ..ClientRequest::new(Url::parse("ws://server.example.com/chat").unwrap())
    };
    let mut sent = Outbox::client([7; 16]);
    let mut client = Client::start(&request, &mut sent).unwrap();

    // The server takes the first offer whose parameters it knows.
    let mut server = Server::new(HeadLimits::default());
    let request = server
        .receive(sent.bytes())
        .unwrap()
        .head
        .unwrap()
        .upgrade()
        .unwrap();
    let seconds = |offer: &Extension<'_>| {
        offer.name() == "x-stamp"
            && offer.parameters().all(|parameter| {
                parameter.name() == "unit" && parameter.value().is_some_and(|unit| unit == "s")
            })
    };
    let stamp = request.extensions().find(seconds).map(|offer| offer.to_string());
    let policy = Parameters {
        client_max_window_bits: Some(11),
        ..NONE
    };
    let agreed = request.deflate(&policy).unwrap();
    let accept = Accept {
        extensions: &[&agreed.answer(), &stamp.unwrap()],
        ..Accept::default()
    };
    let mut answer = Outbox::new();
    request.accept(&accept, &mut answer).unwrap();

    let reply = client.receive(answer.bytes()).unwrap();
    let Some(Answer::Open(opened)) = reply.answer else {
        panic!("{reply:?}")
    };
    assert_eq!(opened.deflate(), Some(agreed));
    let names: Vec<_> = opened
        .extensions()
        .map(|extension| extension.to_string())
        .collect();
    assert_eq!(
        names,
        ["permessage-deflate; client_max_window_bits=11", "x-stamp; unit=s"],
        "in the order of processing"
    );
}

#[test]
fn every_offer_and_answer_is_looked_at_once() {
    let offers = vec!["permessage-deflate; server_max_window_bits=8"; 16].join(", ");
    let answers = format!("permessage-deflate, {}", vec!["foo"; 15].join(", "));
    let (mut accepted, mut offered, mut answered) = (0, 0, 0);
    let declined = NONE.accept(list(&offers).inspect(|_| accepted += 1));
    let offers = list(&offers).inspect(|_| offered += 1);
    let refused = Parameters::check(
        offers.filter_map(Parameters::from_offer),
        list(&answers).inspect(|_| answered += 1),
    );
    assert_eq!(declined, None);
    assert_eq!(refused, Err(NegotiationError::NoSuchOffer));
    assert_eq!((accepted, offered, answered), (16, 16, 16));
}

// ---- properties ----

fn bits() -> impl Strategy<Value = Option<u8>> {
    prop_oneof![3 => Just(None), 6 => (7..=16u8).prop_map(Some), 1 => any::<u8>().prop_map(Some)]
}

fn parameters() -> impl Strategy<Value = Parameters> {
    (any::<bool>(), any::<bool>(), bits(), bits()).prop_map(|(s_nct, c_nct, s_bits, c_bits)| Parameters {
        server_no_context_takeover: s_nct,
        client_no_context_takeover: c_nct,
        server_max_window_bits: s_bits,
        client_max_window_bits: c_bits,
    })
}

/// The parameters as they are on the wire.
fn clamped(parameters: Parameters) -> Parameters {
    Parameters {
        server_max_window_bits: parameters
            .server_max_window_bits
            .map(|_| parameters.server_window_bits()),
        client_max_window_bits: parameters
            .client_max_window_bits
            .map(|_| parameters.client_window_bits()),
        ..parameters
    }
}

/// Pieces of lists that mean something, and some that do not.
fn piece() -> impl Strategy<Value = Vec<u8>> {
    const WORDS: [&str; 22] = [
        "permessage-deflate",
        "permessage-deflate; ",
        "server_no_context_takeover",
        "client_no_context_takeover",
        "server_max_window_bits",
        "client_max_window_bits",
        "server_max_window_bits=",
        "client_max_window_bits=",
        "; ",
        ", ",
        "=",
        "7",
        "8",
        "9",
        "10",
        "15",
        "16",
        "\"",
        "\\",
        " ",
        "foo",
        "0",
    ];
    prop_oneof![
        20 => (0..WORDS.len()).prop_map(|i| WORDS[i].as_bytes().to_vec()),
        1 => vec(any::<u8>(), 1..4),
    ]
}

fn line() -> impl Strategy<Value = Vec<u8>> {
    vec(piece(), 0..12).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn any_offer_is_read_back_as_it_was(offer in parameters()) {
        let text = offer.offer();
        let mut read = list(&text);
        prop_assert_eq!(Parameters::from_offer(read.next().unwrap()), Some(clamped(offer)));
        prop_assert!(read.next().is_none());
        // Written again, it is the same text.
        prop_assert_eq!(clamped(offer).offer(), text);
    }

    #[test]
    fn any_answer_of_ours_is_accepted_by_the_client(policy in parameters(), offers in vec(parameters(), 0..5)) {
        let text = elements(&offers);
        let taken = offers.iter().find(|offer| {
            offer.server_max_window_bits.is_none() || offer.server_window_bits() != 8
        });
        let agreed = policy.accept(list(&text));
        prop_assert_eq!(agreed.is_some(), taken.is_some(), "the first that is not beyond the compressor");
        let (Some(agreed), Some(taken)) = (agreed, taken) else { return Ok(()) };
        let answer = agreed.answer();
        prop_assert_eq!(check(&text, &answer), Ok(Some(agreed)));
        prop_assert_eq!(Parameters::check(offers.iter().copied(), list(&answer)), Ok(Some(agreed)));
        // It keeps what was asked for and what the policy demands, and nothing more.
        prop_assert_eq!(
            agreed.server_no_context_takeover,
            taken.server_no_context_takeover || policy.server_no_context_takeover
        );
        prop_assert_eq!(
            agreed.client_no_context_takeover,
            taken.client_no_context_takeover || policy.client_no_context_takeover
        );
        prop_assert_eq!(
            agreed.server_window_bits(),
            taken.server_window_bits().min(policy.server_window_bits().max(9))
        );
        let limit = match taken.client_max_window_bits {
            Some(_) => taken.client_window_bits().min(policy.client_window_bits()),
            None => 15,
        };
        prop_assert_eq!(agreed.client_window_bits(), limit);
    }

    #[test]
    fn any_answer_is_judged_by_its_rules(offers in vec(parameters(), 0..4), answer in parameters()) {
        let answer = clamped(answer);
        let fits = offers.iter().any(|offer| {
            let offer = clamped(*offer);
            // A window that is not named is larger than any that is.
            let most = offer.server_max_window_bits.unwrap_or(u8::MAX);
            offer.server_no_context_takeover <= answer.server_no_context_takeover
                && answer.server_max_window_bits.unwrap_or(u8::MAX) <= most
                && (answer.client_max_window_bits.is_none() || offer.client_max_window_bits.is_some())
        });
        let result = check(&elements(&offers), &answer.answer());
        match fits {
            true => prop_assert_eq!(result, Ok(Some(answer))),
            false => prop_assert!(result.is_err()),
        }
    }

    #[test]
    fn any_octets_are_read_without_harm(offered in line(), answered in vec(line(), 0..3), policy in parameters()) {
        let Ok(offers) = extension::parse([&offered[..]]) else { return Ok(()) };
        if let Some(agreed) = policy.accept(offers.clone()) {
            let text = agreed.answer();
            let fields = offers.clone().filter_map(Parameters::from_offer);
            prop_assert_eq!(Parameters::check(fields, list(&text)), Ok(Some(agreed)));
        }
        let mut lines = vec![
            Field::new("Upgrade", "websocket"),
            Field::new("Connection", "Upgrade"),
            Field::new("Sec-WebSocket-Accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="),
        ];
        lines.extend(answered.iter().map(|line| Field::new("Sec-WebSocket-Extensions", line)));
        let offer = Offer {
            extensions: std::str::from_utf8(&offered).unwrap(),
            ..Offer::new(Key::from_nonce(heads::NONCE))
        };
        if let Ok(opened) = offer.check(101, Fields::new(&lines)) {
            let named = opened.extensions().filter(|extension| extension.name() == NAME).count();
            prop_assert_eq!(named, usize::from(opened.deflate().is_some()));
        }
    }
}
