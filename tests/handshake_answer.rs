//! What a server decides and writes (RFC 6455 §4.2.2).
#![cfg(feature = "alloc")]
#![allow(clippy::unwrap_used, clippy::panic)]

mod heads;

use heads::{REQUEST, RESPONSE, edited, head, request_with, response_with};
use ws_proto::Outbox;
use ws_proto::extension::MAX_EXTENSIONS;
use ws_proto::handshake::{
    Accept, AnswerError, Field, FieldError, HeadLimits, Request, RequestError, Response, Server,
};

/// Calls `decide` with the request of these lines, and returns its result and what was written; asserts that a
/// failure writes nothing.
fn with_request<T>(
    input: &[u8],
    decide: impl FnOnce(&Request<'_>, &mut Outbox) -> Result<T, AnswerError>,
) -> Result<String, AnswerError> {
    let (mut server, mut outbox) = (Server::new(HeadLimits::default()), Outbox::new());
    let request = server.receive(input).unwrap().head.unwrap().upgrade().unwrap();
    let result = decide(&request, &mut outbox);
    assert_eq!(result.is_err(), outbox.is_empty());
    result.map(|_| String::from_utf8_lossy(outbox.bytes()).into_owned())
}

fn accept(lines: &[&str], accept: &Accept<'_>) -> Result<String, AnswerError> {
    with_request(&request_with(lines), |request, outbox| {
        request.accept(accept, outbox)
    })
}

fn respond(status: u16, fields: &[Field<'_>], body: &[u8]) -> Result<String, AnswerError> {
    with_request(&request_with(&[]), |request, outbox| {
        request.reject(&Response { status, fields, body }, outbox)
    })
}

#[test]
fn s4_2_2_base_request_gets_the_base_response() {
    assert_eq!(
        accept(&[], &Accept::default()).unwrap().as_bytes(),
        head(RESPONSE)
    );
    let chat = Accept {
        subprotocol: Some("chat"),
        ..Accept::default()
    };
    let answer = accept(&["Sec-WebSocket-Protocol: chat"], &chat).unwrap();
    assert_eq!(
        answer.as_bytes(),
        response_with(&["Sec-WebSocket-Protocol: chat"])
    );
    assert_eq!(
        accept(&["Sec-WebSocket-Protocol: chat"], &Accept::default())
            .unwrap()
            .as_bytes(),
        head(RESPONSE)
    );
}

#[test]
fn s4_2_2_key_is_hashed_as_it_was_sent() {
    let input = edited(&REQUEST, "set Sec-WebSocket-Key: AQIDBAUGBwgJCgsMDQ4PEC==");
    let answer = with_request(&input, |request, outbox| {
        request.accept(&Accept::default(), outbox)
    });
    assert!(
        answer
            .unwrap()
            .contains("\r\nSec-WebSocket-Accept: OfS0wDaT5NoxF2gqm7Zj2YtetzM=\r\n")
    );
}

#[test]
fn r9110_7_8_continue_comes_before_the_101() {
    let answer = accept(&["Expect: 100-continue"], &Accept::default()).unwrap();
    assert_eq!(
        answer.as_bytes(),
        [b"HTTP/1.1 100 Continue\r\n\r\n", &head(RESPONSE)[..]].concat()
    );
}

#[test]
fn s4_2_2_answer_with_everything() {
    let lines = [
        "Sec-WebSocket-Protocol: a, b",
        "Sec-WebSocket-Extensions: foo; x, bar, foo",
    ];
    let fields = [
        Field::new("Set-Cookie", "a=1"),
        Field::new("Set-Cookie", "b=2"),
        Field::new("X", &b"a\tb\xff"[..]),
    ];
    let all = Accept {
        subprotocol: Some("b"),
        extensions: &["bar ; y = \"\\1\"", "foo"],
        fields: &fields,
    };
    let expected = response_with(&[
        "Sec-WebSocket-Protocol: b",
        "Sec-WebSocket-Extensions: bar; y=1, foo",
        "Set-Cookie: a=1",
        "Set-Cookie: b=2",
        "X: a\tb\u{fffd}",
    ]);
    assert_eq!(accept(&lines, &all).unwrap().as_bytes(), expected);
}

#[test]
fn s4_2_2_only_what_was_offered_is_accepted() {
    let lines = [
        "Sec-WebSocket-Protocol: chat, superchat",
        "Sec-WebSocket-Extensions: foo",
    ];
    for subprotocol in ["", "Chat", "other", "chat, superchat", "chat\r\nX: y", "chat "] {
        let result = accept(
            &lines,
            &Accept {
                subprotocol: Some(subprotocol),
                ..Accept::default()
            },
        );
        assert_eq!(result, Err(AnswerError::SubprotocolNotOffered), "{subprotocol:?}");
    }
    for (extension, error) in [
        ("bar", AnswerError::ExtensionNotOffered),
        ("Foo", AnswerError::ExtensionNotOffered),
        ("", AnswerError::Extension),
        ("foo, foo", AnswerError::Extension),
        ("foo;", AnswerError::Extension),
        ("foo\r\nX: y", AnswerError::Extension),
        ("foo; x=\"\0\"", AnswerError::Extension),
    ] {
        let result = accept(
            &lines,
            &Accept {
                extensions: &[extension],
                ..Accept::default()
            },
        );
        assert_eq!(result, Err(error), "{extension:?}");
    }
}

#[test]
fn s9_1_no_more_extensions_are_accepted_than_a_client_takes() {
    let names = ["foo"; MAX_EXTENSIONS + 1];
    let offer = ["Sec-WebSocket-Extensions: foo"];
    for (extensions, error) in [(&names[1..], Ok(())), (&names[..], Err(AnswerError::Extension))] {
        let answer = Accept {
            extensions,
            ..Accept::default()
        };
        assert_eq!(accept(&offer, &answer).map(drop), error, "{}", extensions.len());
    }
}

#[test]
fn r9110_5_5_no_field_smuggles_a_line() {
    let one = |name, value: &[u8]| {
        let fields = [Field { name, value }];
        let accepted = accept(
            &[],
            &Accept {
                fields: &fields,
                ..Accept::default()
            },
        )
        .err();
        assert_eq!(respond(404, &fields, b"").err(), accepted);
        accepted
    };
    for byte in 0..=255u8 {
        let control = byte != b'\t' && byte.is_ascii_control();
        let expected = control.then_some(AnswerError::Field(FieldError::Value));
        for value in [vec![byte], vec![b'a', byte], vec![b'a', byte, b'b']] {
            assert_eq!(one("X", &value), expected, "{value:?}");
        }
    }
    for name in ["", " ", "a b", "a:", "a\r\nb", "a\n", "\0", "ä", "a\t"] {
        assert_eq!(
            one(name, b"x"),
            Some(AnswerError::Field(FieldError::Name)),
            "{name:?}"
        );
    }
    for name in [
        "Upgrade",
        "connection",
        "CONTENT-LENGTH",
        "Transfer-Encoding",
        "Sec-WebSocket-Accept",
    ] {
        assert_eq!(
            one(name, b"x"),
            Some(AnswerError::Field(FieldError::Owned)),
            "{name:?}"
        );
    }
    let twice = [Field::new("Location", "/a"), Field::new("location", "/b")];
    assert_eq!(
        respond(302, &twice, b""),
        Err(AnswerError::Field(FieldError::Repeated))
    );
    let cookies = [Field::new("Set-Cookie", "a=1"), Field::new("Set-Cookie", "b=2")];
    assert!(respond(302, &cookies, b"").is_ok());
}

#[test]
fn s4_2_2_refusals() {
    let page = respond(404, &[Field::new("Content-Type", "text/plain")], b"gone\n").unwrap();
    let expected = "HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length: 5\r\n\
        Content-Type: text/plain\r\n\r\ngone\n";
    assert_eq!(page, expected);
    let upgrade = "HTTP/1.1 426 Upgrade Required\r\nUpgrade: websocket\r\nConnection: Upgrade, close\r\n\
        Sec-WebSocket-Version: 13\r\nContent-Length: 0\r\n\r\n";
    assert_eq!(respond(426, &[], b"").unwrap(), upgrade);
    let unknown = "HTTP/1.1 599 \r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
    assert_eq!(respond(599, &[], b"").unwrap(), unknown);
    assert_eq!(
        respond(304, &[], b"").unwrap(),
        "HTTP/1.1 304 Not Modified\r\nConnection: close\r\n\r\n"
    );
}

#[test]
fn s4_2_2_statuses_that_refuse() {
    for status in [0, 99, 100, 101, 199, 200, 204, 299, 600, 1010, u16::MAX] {
        assert_eq!(respond(status, &[], b""), Err(AnswerError::Status), "{status}");
    }
    assert_eq!(respond(401, &[], b""), Err(AnswerError::FieldMissing));
    assert!(respond(401, &[Field::new("www-authenticate", "Basic")], b"").is_ok());
    assert_eq!(
        respond(405, &[Field::new("Allowed", "GET")], b""),
        Err(AnswerError::FieldMissing)
    );
    assert!(respond(405, &[Field::new("Allow", "GET")], b"").is_ok());
    assert_eq!(respond(304, &[], b"x"), Err(AnswerError::Body));
}

#[test]
fn r9110_plain_answers() {
    let write = |status, body| {
        let (mut outbox, mut head) = (Outbox::new(), Outbox::new());
        let fields = &[];
        let response = Response { status, fields, body };
        let result = response.write(&mut outbox);
        assert_eq!(result.is_err(), outbox.is_empty());
        // To a HEAD, the same but for the body: RFC 9110 §8.6, §9.3.2.
        assert_eq!(response.write_head(&mut head), result);
        assert_eq!(
            outbox.bytes().strip_suffix(body).unwrap_or_default(),
            head.bytes()
        );
        result.map(|()| String::from_utf8(outbox.bytes().to_vec()).unwrap())
    };
    let page = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nhi";
    assert_eq!(write(200, b"hi").unwrap(), page);
    // RFC 9110 §8.6: no Content-Length with 204.
    assert_eq!(
        write(204, b"").unwrap(),
        "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n"
    );
    for status in [204, 205] {
        assert_eq!(write(status, b"x"), Err(AnswerError::Body), "{status}");
    }
    for status in [100, 101, 199, 600] {
        assert_eq!(write(status, b""), Err(AnswerError::Status), "{status}");
    }
}

#[test]
fn s7_every_error_has_its_response() {
    let refuse = |error: RequestError| {
        let mut outbox = Outbox::new();
        error.refuse(&mut outbox);
        String::from_utf8(outbox.bytes().to_vec()).unwrap()
    };
    let method =
        "HTTP/1.1 405 Method Not Allowed\r\nConnection: close\r\nContent-Length: 0\r\nAllow: GET\r\n\r\n";
    assert_eq!(refuse(RequestError::MethodNotGet), method);
    // RFC 9110 §9.3.2: what may answer a HEAD has no body.
    let old = "HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
    assert_eq!(refuse(RequestError::Http10), old);
    let mut limits = HeadLimits::default();
    limits.max_target_bytes = 20;
    limits.max_field_bytes = 60;
    limits.max_fields = 2;
    limits.max_head_bytes = 120;
    let lines = |line: &str, times| format!(" / HTTP/1.1\r\n{}\r\n", line.repeat(times));
    for (rest, error) in [
        (lines("no colon\r\n", 1), RequestError::FieldLine),
        (
            lines(&format!("a:{}\r\n", "b".repeat(60)), 1),
            RequestError::FieldTooLarge,
        ),
        (lines("a:b\r\n", 3), RequestError::TooManyFields),
        (
            lines(&format!("a:{}\r\n", "b".repeat(50)), 2),
            RequestError::HeadTooLarge,
        ),
        (" / HTTP/1.1 \r\n\r\n".to_owned(), RequestError::RequestLine),
        (" / HTTP/2.0\r\n\r\n".to_owned(), RequestError::HttpVersion),
        (
            format!(" /{} HTTP/1.1\r\n\r\n", "a".repeat(20)),
            RequestError::TargetTooLong,
        ),
    ] {
        let head = format!("HEAD{rest}");
        let found = Server::new(limits).receive(head.as_bytes()).unwrap_err();
        assert_eq!(found, error);
        let response = refuse(error);
        assert!(response.contains("\r\nContent-Length: 0\r\n"), "{error:?}");
        assert!(response.ends_with("\r\n\r\n"), "{error:?}");
    }
    let plain = "HTTP/1.1 426 Upgrade Required\r\nUpgrade: websocket\r\nConnection: Upgrade, close\r\n\
        Sec-WebSocket-Version: 13\r\nContent-Length: 29\r\nContent-Type: text/plain\r\n\r\n\
        this is a WebSocket endpoint\n";
    assert_eq!(refuse(RequestError::NotWebSocket), plain);
    for (error, status, line) in [
        (
            RequestError::HttpVersion,
            505,
            "HTTP/1.1 505 HTTP Version Not Supported\r\n",
        ),
        (RequestError::TargetTooLong, 414, "HTTP/1.1 414 URI Too Long\r\n"),
        (
            RequestError::TooManyFields,
            431,
            "HTTP/1.1 431 Request Header Fields Too Large\r\n",
        ),
        (
            RequestError::Expectation,
            417,
            "HTTP/1.1 417 Expectation Failed\r\n",
        ),
        (RequestError::EarlyData, 400, "HTTP/1.1 400 Bad Request\r\n"),
    ] {
        assert_eq!(error.status(), status);
        assert!(refuse(error).starts_with(line), "{error:?}");
    }
}

#[test]
fn lim_h3_refusals_echo_nothing() {
    let lines = [
        "Origin: http://secret",
        "Sec-WebSocket-Protocol: secret",
        "X: secret",
    ];
    let base = edited(&REQUEST, "line GET /secret?<script> HTTP/1.1");
    for input in [
        base,
        head(["secret /secret HTTP/1.1"].iter().chain(&lines)),
        request_with(&["secret"]),
    ] {
        let served = heads::serve_cut(&input);
        assert!(served.result.is_err());
        assert!(
            !served.output.contains("secret") && !served.output.contains("script"),
            "{}",
            served.output
        );
    }
}

/// The answer of `check` for the base request with this origin and these edits.
fn about_origin(origin: &str, edits: &str, check: impl FnOnce(&Request<'_>) -> bool) -> bool {
    let edits = [edits, &format!("add Origin: {origin}")].join(" && ");
    let mut result = false;
    with_request(&edited(&REQUEST, &edits), |request, outbox| {
        assert_eq!(request.origin(), Some(origin));
        result = check(request);
        request.accept(&Accept::default(), outbox)
    })
    .unwrap();
    result
}

#[test]
fn s10_2_same_origin() {
    for (host, origin, plain, secure) in [
        ("h", "http://h", true, false),
        ("h", "https://h", false, true),
        ("H:80", "http://h", true, false),
        ("h", "http://H:80", true, false),
        ("h:443", "https://h", false, true),
        ("h:443", "http://h", false, false),
        ("h:9001", "http://h:9001", true, false),
        ("h:9001", "http://h", false, false),
        ("h", "http://h.evil.example", false, false),
        ("h", "http://evil/h", false, false),
        ("[::1]:9001", "http://[::1]:9001", true, false),
        ("h", "null", false, false),
        ("h", "h", false, false),
        ("h", "ftp://h", false, false),
    ] {
        let edits = format!("set Host: {host}");
        let same = |secure| about_origin(origin, &edits, |request| request.is_same_origin(secure));
        assert_eq!((same(false), same(true)), (plain, secure), "{host} {origin}");
    }
}

#[test]
fn s10_2_allowed_origins() {
    let allowed = ["https://example.com", "http://localhost:9001"];
    for (origin, expected) in [
        ("https://example.com", true),
        ("HTTPS://Example.com", true),
        ("https://example.com.evil", false),
        ("https://example.co", false),
        ("http://localhost:9001", true),
        ("null", false),
    ] {
        let answer = about_origin(origin, "none", |request| request.is_origin_allowed(&allowed));
        assert_eq!(answer, expected, "{origin}");
    }
    let answer = with_request(&request_with(&[]), |request, outbox| {
        assert_eq!(request.origin(), None);
        assert!(!request.is_origin_allowed(&allowed) && !request.is_same_origin(false));
        request.accept(&Accept::default(), outbox)
    });
    assert!(answer.is_ok());
}

#[test]
fn s4_2_1_malformed_origins_are_refused() {
    for origin in ["", "a b", "http://\\xe4"] {
        let served = heads::serve_cut(&edited(&REQUEST, &format!("add Origin: {origin}")));
        assert_eq!(served.result, Err(RequestError::Origin), "{origin:?}");
    }
}

#[test]
fn s4_2_2_subprotocol_is_chosen_by_the_clients_preference() {
    let lines = [
        "Sec-WebSocket-Protocol: chat, v2",
        "sec-websocket-protocol: ,v12.stomp",
    ];
    let answer = with_request(&request_with(&lines), |request, outbox| {
        assert!(request.subprotocols().eq(["chat", "v2", "v12.stomp"]));
        assert_eq!(request.choose_subprotocol(&["v12.stomp", "v2"]), Some("v2"));
        assert_eq!(request.choose_subprotocol(&["Chat", "x"]), None);
        assert_eq!(request.choose_subprotocol(&[]), None);
        let subprotocol = request.choose_subprotocol(&["v12.stomp"]);
        request.accept(
            &Accept {
                subprotocol,
                ..Accept::default()
            },
            outbox,
        )
    });
    assert!(
        answer
            .unwrap()
            .contains("\r\nSec-WebSocket-Protocol: v12.stomp\r\n")
    );
}

#[test]
fn s4_2_1_extensions_are_listed_in_order() {
    let lines = [
        "Sec-WebSocket-Extensions: foo",
        "Sec-WebSocket-Extensions: bar; baz=\"2\", foo",
    ];
    let answer = with_request(&request_with(&lines), |request, outbox| {
        let offers: Vec<_> = request.extensions().map(|offer| offer.to_string()).collect();
        assert_eq!(offers, ["foo", "bar; baz=2", "foo"]);
        request.accept(&Accept::default(), outbox)
    });
    assert!(!answer.unwrap().contains("Sec-WebSocket-Extensions"));
}
