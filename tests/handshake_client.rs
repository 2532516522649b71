//! The client's opening handshake (RFC 6455 §4.1).
#![cfg(feature = "alloc")]
#![allow(clippy::unwrap_used, clippy::panic)]

mod heads;

use heads::{NONCE, REQUEST, RESPONSE, ask, ask_cut, client, cuts, edited, head, response_with, vectors};
use proptest::prelude::*;
use ws_proto::Outbox;
use ws_proto::extension::ExtensionError;
use ws_proto::handshake::{
    Answer, Client, ClientRequest, Field, FieldError, Fields, HeadLimits, Key, Offer, ResponseError,
    StartError, Url,
};

fn url() -> Url<'static> {
    Url::parse("ws://server.example.com/chat").unwrap()
}

/// What the client writes, or why it does not; asserts that it is all or nothing.
fn start(request: &ClientRequest<'_>) -> Result<String, StartError> {
    let mut outbox = Outbox::client([7; 16]);
    let result = Client::start_with_nonce(request, NONCE, &mut outbox);
    let output = String::from_utf8_lossy(outbox.bytes()).into_owned();
    assert_eq!(result.is_err(), output.is_empty());
    result.map(|_| output)
}

#[test]
fn s4_1_response_vectors() {
    let vectors = vectors(include_str!("vectors/responses.txt"));
    assert_eq!(vectors.len(), 42);
    for cells in vectors {
        let [id, offers, edits, expected] = cells[..] else {
            panic!("{cells:?}")
        };
        let list = |prefix| {
            offers
                .strip_prefix(prefix)
                .map_or(vec![], |list: &str| list.split(", ").collect())
        };
        let asked = ask_cut(&list("proto "), &list("ext "), &edited(&RESPONSE, edits));
        let tail: &[u8] = if edits.contains("tail") {
            b"\x81\x05Hello"
        } else {
            b""
        };
        match asked {
            // The events of the tail are the connection's business: here its bytes are all there.
            Ok((answer, left)) => {
                assert_eq!(answer, expected.trim_end_matches(" text \"Hello\""), "{id}");
                assert_eq!(left, tail, "{id}");
            }
            Err(_) => assert_eq!("fail", expected, "{id}: {asked:?}"),
        }
    }
}

#[test]
fn s4_1_which_check_failed() {
    let error = |edits| ask_cut(&["chat"], &["foo"], &edited(&RESPONSE, edits)).unwrap_err();
    assert_eq!(error("status HTTP/1.1 10 x"), ResponseError::StatusLine);
    assert_eq!(error("status HTTP/1.1 10a x"), ResponseError::StatusLine);
    assert_eq!(error("status HTTP/1.1 099 x"), ResponseError::StatusLine);
    assert_eq!(error("status HTTP/1.1  101 x"), ResponseError::StatusLine);
    assert_eq!(error("status HTTP/1.1\\t101 x"), ResponseError::StatusLine);
    assert_eq!(error("status HTTP/11 101 x"), ResponseError::StatusLine);
    assert_eq!(error("status HTTP/1.1 101 a\\x07b"), ResponseError::StatusLine);
    assert_eq!(error("status HTTP/1.1 101 a\\nb"), ResponseError::StatusLine);
    assert_eq!(error("pre \\r\\n"), ResponseError::StatusLine);
    assert_eq!(error("status HTTP/2.0 101 x"), ResponseError::HttpVersion);
    assert_eq!(error("status HTTP/2.0 200 x"), ResponseError::HttpVersion);
    assert_eq!(error("status HTTP/1.0 101 x"), ResponseError::HttpVersion);
    assert_eq!(
        error("status HTTP/1.1 101 x\\r\\n folded"),
        ResponseError::FieldLine
    );
    assert_eq!(error("raw X: a\\nY: b"), ResponseError::FieldLine);
    assert_eq!(error("raw X: a\\rb"), ResponseError::FieldLine);
    assert_eq!(error("raw nocolon"), ResponseError::FieldLine);
    assert_eq!(error("add Upgrade: websocket"), ResponseError::Upgrade);
    assert_eq!(error("set Upgrade:"), ResponseError::Upgrade);
    assert_eq!(error("set Connection: xUpgrade"), ResponseError::Connection);
    assert_eq!(error("del Sec-WebSocket-Accept"), ResponseError::AcceptMissing);
    assert_eq!(error("set Sec-WebSocket-Accept: x"), ResponseError::AcceptWrong);
    assert_eq!(
        error("add Sec-WebSocket-Protocol: Chat"),
        ResponseError::SubprotocolNotOffered
    );
    assert_eq!(
        error("add Sec-WebSocket-Extensions: Foo"),
        ResponseError::ExtensionNotOffered
    );
    let malformed = ResponseError::Extensions(ExtensionError::Malformed);
    assert_eq!(error("add Sec-WebSocket-Extensions:"), malformed);
}

#[test]
fn r9110_5_6_1_empty_elements_in_connection_have_a_limit() {
    let with = |n| edited(&RESPONSE, &format!("set Connection: {}Upgrade", ",".repeat(n)));
    assert!(ask_cut(&[], &[], &with(16)).is_ok());
    assert_eq!(ask_cut(&[], &[], &with(17)), Err(ResponseError::Connection));
}

#[test]
fn s4_1_client_sends_the_base_request() {
    assert_eq!(
        start(&ClientRequest::new(url())).unwrap().as_bytes(),
        head(REQUEST)
    );
}

#[test]
fn s4_1_client_sends_what_it_is_asked_to() {
    let request = ClientRequest {
        origin: Some("http://example.com"),
        subprotocols: &["chat", "superchat"],
        extensions: &["permessage-deflate ; client_max_window_bits", "foo;x=\"\\y\""],
        fields: &[
            Field::new("Cookie", "a=1; b=2"),
            Field::new("X-Bytes", &b"a\tb"[..]),
        ],
        ..ClientRequest::new(Url::parse("wss://[::1]:9000?q=1").unwrap())
    };
    let lines = [
        "GET /?q=1 HTTP/1.1",
        "Host: [::1]:9000",
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Version: 13",
        "Origin: http://example.com",
        "Sec-WebSocket-Protocol: chat, superchat",
        "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits, foo; x=y",
        "Cookie: a=1; b=2",
        "X-Bytes: a\tb",
    ];
    assert_eq!(start(&request).unwrap().as_bytes(), head(lines));
}

#[test]
fn s4_1_server_accepts_what_the_client_sends() {
    let request = ClientRequest {
        subprotocols: &["chat"],
        ..ClientRequest::new(url())
    };
    let served = heads::serve_cut(start(&request).unwrap().as_bytes());
    assert_eq!(served.result, Ok(Some(vec!["chat".into()])));
    assert!(ask_cut(&["chat"], &[], served.output.as_bytes()).is_ok());
}

#[test]
fn s4_1_keys_are_drawn_anew() {
    let mut outbox = Outbox::client([7; 16]);
    let mut key = || {
        Client::start(&ClientRequest::new(url()), &mut outbox).unwrap();
        let head = String::from_utf8(outbox.bytes().to_vec()).unwrap();
        outbox.consume(head.len());
        let line = head
            .lines()
            .find_map(|line| line.strip_prefix("Sec-WebSocket-Key: "));
        Key::parse(line.unwrap().as_bytes()).unwrap()
    };
    assert_ne!(key(), key());
}

#[test]
fn s4_1_servers_outbox_has_no_keys() {
    let mut outbox = Outbox::new();
    let error = Client::start(&ClientRequest::new(url()), &mut outbox).unwrap_err();
    assert_eq!(error, StartError::NoKeySource);
    assert!(outbox.is_empty());
}

#[test]
fn s4_1_malformed_requests_are_not_sent() {
    let base = ClientRequest::new(url());
    for (subprotocols, error) in [
        (&[""][..], StartError::Subprotocol),
        (&["a b"], StartError::Subprotocol),
        (&["a,b"], StartError::Subprotocol),
        (&["a\r\nX: y"], StartError::Subprotocol),
        (&["a\0"], StartError::Subprotocol),
        (&["ä"], StartError::Subprotocol),
        (&["chat", "x", "chat"], StartError::SubprotocolRepeated),
    ] {
        assert_eq!(
            start(&ClientRequest { subprotocols, ..base }),
            Err(error),
            "{subprotocols:?}"
        );
    }
    assert!(
        start(&ClientRequest {
            subprotocols: &["chat", "Chat"],
            ..base
        })
        .is_ok()
    );
    for extension in [
        "",
        ",",
        "a b",
        "a;",
        "a, b",
        "a,",
        ",a",
        "a\r\nX: y",
        "a\0",
        "a; x=\"\r\n\"",
        "ä",
    ] {
        let request = ClientRequest {
            extensions: &[extension],
            ..base
        };
        // A stray comma is not sent on: the extension is written anew.
        match extension {
            "a," | ",a" => assert!(
                start(&request)
                    .unwrap()
                    .contains("Sec-WebSocket-Extensions: a\r\n")
            ),
            _ => assert_eq!(start(&request), Err(StartError::Extension), "{extension:?}"),
        }
    }
    assert!(
        start(&ClientRequest {
            extensions: &["a"; 16],
            ..base
        })
        .is_ok()
    );
    assert_eq!(
        start(&ClientRequest {
            extensions: &["a"; 17],
            ..base
        }),
        Err(StartError::Extension)
    );
    for origin in [
        "",
        "a b",
        "a\r\nX: y",
        "https://example.com\r\nX: y",
        "\r\nX: y, and much behind that, of many octets",
        "a\0",
        "a\tb",
        "ä",
        "a\x7f",
    ] {
        let request = ClientRequest {
            origin: Some(origin),
            ..base
        };
        assert_eq!(start(&request), Err(StartError::Origin), "{origin:?}");
    }
    assert!(
        start(&ClientRequest {
            origin: Some("null"),
            ..base
        })
        .unwrap()
        .contains("\r\nOrigin: null\r\n")
    );
}

#[test]
fn r9110_5_5_no_field_smuggles_a_line() {
    let one = |name, value: &[u8]| {
        let fields = [Field { name, value }];
        start(&ClientRequest {
            fields: &fields,
            ..ClientRequest::new(url())
        })
        .err()
    };
    for byte in 0..=255u8 {
        let control = byte != b'\t' && byte.is_ascii_control();
        let expected = control.then_some(StartError::Field(FieldError::Value));
        for value in [vec![byte], vec![b'a', byte], vec![b'a', byte, b'b']] {
            assert_eq!(one("X", &value), expected, "{value:?}");
        }
    }
    for name in ["", " ", "a b", "a:", "a\r\nb", "a\n", "\0", "ä", "a\t"] {
        assert_eq!(
            one(name, b"x"),
            Some(StartError::Field(FieldError::Name)),
            "{name:?}"
        );
    }
}

#[test]
fn s4_1_fields_of_the_codec_are_refused() {
    let error = |fields: &[Field<'_>]| {
        start(&ClientRequest {
            fields,
            ..ClientRequest::new(url())
        })
        .err()
    };
    for name in [
        "Host",
        "upgrade",
        "CONNECTION",
        "Content-Length",
        "Transfer-Encoding",
        "Expect",
        "Origin",
        "Sec-WebSocket-Key",
        "sec-websocket-version",
        "Sec-WebSocket-Protocol",
        "Sec-WebSocket-Extensions",
        "Sec-WebSocket-Anything",
    ] {
        assert_eq!(
            error(&[Field::new(name, "x")]),
            Some(StartError::Field(FieldError::Owned)),
            "{name}"
        );
    }
    let twice = |a, b| error(&[Field::new(a, "x"), Field::new("Via", "x"), Field::new(b, "y")]);
    assert_eq!(
        twice("Authorization", "authorization"),
        Some(StartError::Field(FieldError::Repeated))
    );
    assert_eq!(twice("Via", "Via"), None, "a list may be spread over lines");
}

#[test]
fn s4_1_wanted_subprotocol_is_required_on_demand() {
    let client = |require_subprotocol, subprotocols| {
        let request = ClientRequest {
            require_subprotocol,
            subprotocols,
            ..ClientRequest::new(url())
        };
        Client::start_with_nonce(&request, NONCE, &mut Outbox::client([7; 16])).unwrap()
    };
    let (without, with) = (
        response_with(&[]),
        response_with(&["Sec-WebSocket-Protocol: chat"]),
    );
    assert!(ask(client(false, &["chat"]), &[&without]).is_ok());
    assert_eq!(
        ask(client(true, &["chat"]), &[&without]),
        Err(ResponseError::SubprotocolMissing)
    );
    assert!(ask(client(true, &["chat"]), &[&with]).is_ok());
    assert!(ask(client(true, &[]), &[&without]).is_ok());
}

#[test]
fn s4_1_extensions_in_use_are_told_in_order() {
    let mut client = client(&[], &["foo", "bar; x"], HeadLimits::default());
    let lines = [
        "Sec-WebSocket-Extensions: bar; y=\"1\"",
        "sec-websocket-extensions: foo",
    ];
    let input = response_with(&lines);
    let Some(Answer::Open(opened)) = client.receive(&input).unwrap().answer else {
        panic!()
    };
    let used: Vec<_> = opened
        .extensions()
        .map(|extension| extension.to_string())
        .collect();
    assert_eq!(used, ["bar; y=1", "foo"]);
}

#[test]
fn s4_1_refusal_is_handed_over_whole() {
    let lines = [
        "HTTP/1.0 302 Not \u{e9} here",
        "Location: http://example.com/",
        "Set-Cookie: a=1",
        "Folded: one,\r\n\t two\r\n  three",
        "Set-Cookie: b=2",
        "Content-Length: 4",
    ];
    let input = [head(lines), b"body".to_vec()].concat();
    for pieces in cuts(&input) {
        let mut client = client(&["chat"], &[], HeadLimits::default());
        let mut pieces = pieces.into_iter();
        let reply = loop {
            let reply = client.receive(pieces.next().unwrap()).unwrap();
            if reply.answer.is_some() {
                break reply;
            }
        };
        let Some(Answer::Refused(response)) = reply.answer else {
            panic!("{reply:?}")
        };
        assert_eq!((response.status(), response.minor_version()), (302, 0));
        assert_eq!(response.reason(), "Not \u{e9} here".as_bytes());
        assert!(response.fields().all("set-cookie").eq([b"a=1", b"b=2"]));
        let folded = String::from_utf8(response.fields().get("Folded").unwrap().to_vec()).unwrap();
        assert_eq!(
            folded.split_whitespace().collect::<Vec<_>>(),
            ["one,", "two", "three"]
        );
        assert!(!folded.contains(['\r', '\n']));
        assert_eq!(response.fields().iter().count(), 5);
        assert_eq!(response.versions().count(), 0);
    }
}

#[test]
fn s4_4_versions_are_listed() {
    let lines = [
        "HTTP/1.1 400 ",
        "Sec-WebSocket-Version: 13, 013,, 256, x",
        "Sec-WebSocket-Version: 0,255",
    ];
    let (answer, _) = ask_cut(&[], &[], &head(lines)).unwrap();
    assert_eq!(answer, "http 400 versions 13 0 255");
}

#[test]
fn lim_05_response_head_is_bounded() {
    let mut limits = HeadLimits::default();
    let over = |limits: HeadLimits, input: &[u8]| {
        let whole = ask(client(&[], &[], limits), &[input]);
        assert_eq!(
            ask(client(&[], &[], limits), &input.chunks(1).collect::<Vec<_>>()),
            whole
        );
        whole.err()
    };
    let input = response_with(&["X: 1", "Y: 22\r\n  3"]);
    limits.max_head_bytes = input.len() as u32;
    limits.max_fields = 5;
    limits.max_field_bytes = 50;
    assert_eq!(over(limits, &input), None);
    limits.max_head_bytes -= 1;
    assert_eq!(over(limits, &input), Some(ResponseError::HeadTooLarge));
    limits.max_head_bytes += 1;
    limits.max_fields = 4;
    assert_eq!(over(limits, &input), Some(ResponseError::TooManyFields));
    limits.max_fields = 5;
    let folded = response_with(&["X: 1", &format!("Y: 22\r\n {}", "3".repeat(44))]);
    limits.max_head_bytes = 1000;
    assert_eq!(
        over(limits, &folded),
        None,
        "the line is 50 bytes long without its line ends"
    );
    limits.max_field_bytes = 49;
    assert_eq!(over(limits, &folded), Some(ResponseError::FieldTooLarge));
    let endless = vec![b'a'; 20_000];
    let endless = [b"HTTP/1.1 101 ", &endless[..]].concat();
    assert_eq!(
        over(HeadLimits::default(), &endless),
        Some(ResponseError::HeadTooLarge)
    );
}

#[test]
fn lim_06_informational_responses_are_counted() {
    let input = |n| {
        [
            b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n".repeat(n),
            response_with(&[]),
        ]
        .concat()
    };
    assert_eq!(ask_cut(&[], &[], &input(8)).unwrap().0, "open");
    assert_eq!(
        ask_cut(&[], &[], &input(9)),
        Err(ResponseError::TooManyInformational)
    );
    // Each has a head of its own, so the limit of the head is not theirs together.
    let large = format!("HTTP/1.1 102 \r\nX: {}\r\n\r\n", "a".repeat(8000)).repeat(4);
    let input = [large.into_bytes(), response_with(&[])].concat();
    assert_eq!(
        ask(client(&[], &[], HeadLimits::default()), &[&input]).unwrap().0,
        "open"
    );
}

#[test]
fn s7_2_1_end_of_stream_fails_the_handshake() {
    let input = response_with(&[]);
    for at in 0..input.len() {
        let mut client = client(&[], &[], HeadLimits::default());
        assert!(client.receive(&input[..at]).unwrap().answer.is_none());
        assert_eq!(client.receive_eof(), ResponseError::EndOfStream);
        assert_eq!(client.receive(&input[at..]).unwrap_err(), ResponseError::Finished);
        assert_eq!(client.receive_eof(), ResponseError::Finished);
    }
}

#[test]
fn s4_1_nothing_is_read_after_the_answer() {
    let mut answered = client(&[], &[], HeadLimits::default());
    answered.receive(&response_with(&[])).unwrap();
    assert_eq!(answered.receive(b"x").unwrap_err(), ResponseError::Finished);
    let mut failed = client(&[], &[], HeadLimits::default());
    assert_eq!(
        failed.receive(b"x").unwrap_err(),
        ResponseError::StatusLine,
        "at the first impossible byte"
    );
    assert_eq!(
        failed.receive(&response_with(&[])).unwrap_err(),
        ResponseError::Finished
    );
}

#[test]
fn s4_1_whole_response_is_not_copied() {
    let mut client = client(&[], &[], HeadLimits::default());
    let input = response_with(&["X: here"]);
    let Some(Answer::Open(opened)) = client.receive(&input).unwrap().answer else {
        panic!()
    };
    assert!(
        input
            .as_ptr_range()
            .contains(&opened.fields().get("X").unwrap().as_ptr())
    );
}

#[test]
fn s4_1_offer_checks_fields_alone() {
    let offer = Offer {
        subprotocols: "chat, superchat",
        extensions: "foo; x=1, bar",
        ..Offer::new(Key::from_nonce(NONCE))
    };
    let mut lines = vec![
        Field::new("Upgrade", "websocket"),
        Field::new("Connection", "upgrade"),
        Field::new("Sec-WebSocket-Accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="),
        Field::new("Sec-WebSocket-Protocol", "superchat"),
        Field::new("Sec-WebSocket-Extensions", "bar"),
    ];
    assert_eq!(
        offer.check(101, Fields::new(&lines)).unwrap().subprotocol(),
        Some("superchat")
    );
    assert_eq!(
        offer.check(200, Fields::new(&lines)).unwrap_err(),
        ResponseError::NotSwitched(200)
    );
    lines[4] = Field::new("Sec-WebSocket-Extensions", "x");
    assert_eq!(
        offer.check(101, Fields::new(&lines)).unwrap_err(),
        ResponseError::ExtensionNotOffered
    );
    lines[4] = Field::new("Sec-WebSocket-Protocol", "superchat");
    assert_eq!(
        offer.check(101, Fields::new(&lines)).unwrap_err(),
        ResponseError::SubprotocolNotOffered
    );
}

proptest! {
    /// Whatever comes: the same result however it is cut, and no panic.
    #[test]
    fn s4_1_no_cut_changes_the_result(
        edits in prop::collection::vec((any::<prop::sample::Index>(), 0..3, any::<u8>()), 0..4),
        at in any::<prop::sample::Index>(),
    ) {
        let lines = ["X: a,\r\n b", "Sec-WebSocket-Protocol: chat", "Sec-WebSocket-Extensions: foo; x=\"1\""];
        let input = [b"HTTP/1.1 100 \r\n\r\n".to_vec(), response_with(&lines)].concat();
        let input = heads::mutated(input, &edits);
        let start = || client(&["chat"], &["foo"], HeadLimits::default());
        let whole = ask(start(), &[&input]);
        prop_assert_eq!(&ask(start(), &input.chunks(1).collect::<Vec<_>>()), &whole);
        let (a, b) = input.split_at(at.index(input.len() + 1));
        prop_assert_eq!(&ask(start(), &[a, b]), &whole);
    }
}

/// The list of offers is kept as it was written, without what is spare in it.
#[test]
fn s9_1_offers_with_spare_commas_are_one_list() {
    let url = Url::parse("ws://server.example.com/chat").unwrap();
    let offers = [",,,,,,,,,,,,,,,a", ",,,,,,,,,,,,,,,b"];
    let request = ClientRequest {
        extensions: &offers,
        ..ClientRequest::new(url)
    };
    let mut outbox = Outbox::client([7; 16]);
    let mut client = Client::start_with_nonce(&request, NONCE, &mut outbox).unwrap();
    let sent = String::from_utf8(outbox.bytes().to_vec()).unwrap();
    assert!(sent.contains("\r\nSec-WebSocket-Extensions: a, b\r\n"), "{sent}");
    let answer = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
        Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Extensions: b\r\n\r\n";
    let reply = client.receive(answer.as_bytes()).unwrap();
    assert!(matches!(reply.answer, Some(Answer::Open(_))));
}
