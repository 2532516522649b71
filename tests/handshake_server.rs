//! The server's opening handshake (RFC 6455 §4.2): what it reads.
#![cfg(feature = "alloc")]
#![allow(clippy::unwrap_used, clippy::panic)]

mod heads;

use heads::{REQUEST, cuts, edited, head, mutated, request_with, serve, serve_cut, vectors};
use proptest::prelude::*;
use ws_proto::extension::ExtensionError;
use ws_proto::handshake::{Field, HeadLimits, RequestError, RequestHead, Server};

fn default_server() -> Server {
    Server::new(HeadLimits::default())
}

/// The error of the base request with these edits, or `None` if it is accepted.
fn error_of(edits: &str) -> Option<RequestError> {
    serve_cut(&edited(&REQUEST, edits)).result.err()
}

/// Asserts that a head is a response of this status, that ends the connection.
fn check_refusal(id: &str, output: &str, status: u16) {
    let (head, body) = output.split_at(output.find("\r\n\r\n").unwrap() + 2);
    let body = &body[2..];
    assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{id}: {output}");
    assert!(
        head.contains(&format!("\r\nContent-Length: {}\r\n", body.len())),
        "{id}: {output}"
    );
    let connection = if status == 426 { "Upgrade, close" } else { "close" };
    assert!(
        head.contains(&format!("\r\nConnection: {connection}\r\n")),
        "{id}: {output}"
    );
    assert_eq!(
        head.contains("\r\nUpgrade: websocket\r\n"),
        status == 426,
        "{id}: {output}"
    );
    assert_eq!(head.contains("\r\nAllow: GET"), status == 405, "{id}: {output}");
    assert!(
        status != 426 || head.contains("\r\nSec-WebSocket-Version: 13\r\n"),
        "{id}: {output}"
    );
}

#[test]
fn s4_2_1_request_vectors() {
    let vectors = vectors(include_str!("vectors/requests.txt"));
    assert_eq!(vectors.len(), 65);
    for cells in vectors {
        let [id, edits, expected] = cells[..] else {
            panic!("{cells:?}")
        };
        let input = edited(&REQUEST, edits);
        let served = serve_cut(&input);
        if let Some(subprotocols) = expected.trim_start_matches("100+").strip_prefix("101") {
            let expected: Vec<_> = subprotocols.trim_matches([' ', '[', ']']).split(' ').collect();
            let offers = served
                .result
                .as_ref()
                .map(|offers| offers.as_ref().unwrap().join(" "));
            assert_eq!(offers, Ok(expected.join(" ")), "{id}");
            assert_eq!(served.consumed, input.len(), "{id}");
            assert_eq!(served.output.starts_with("HTTP/1.1 100 "), id == "HS-34", "{id}");
        } else {
            assert_eq!(served.status().to_string(), expected, "{id}: {:?}", served.result);
            check_refusal(id, &served.output, served.status());
        }
    }
}

#[test]
fn s4_2_1_fields_alone_are_judged_alike() {
    for cells in vectors(include_str!("vectors/requests.txt")) {
        let [id, edits, _] = cells[..] else {
            panic!("{cells:?}")
        };
        let input = edited(&REQUEST, edits);
        let mut server = default_server();
        let Ok(received) = server.receive(&input) else {
            continue;
        };
        let head = received.head.unwrap();
        if head.minor_version() != 1 {
            continue;
        }
        let fields: Vec<Field<'_>> = head.fields().iter().collect();
        let other = RequestHead::from_fields(head.method(), head.target(), &fields).unwrap();
        let outcome = |head: &RequestHead<'_>| {
            let request = head.upgrade()?;
            Ok::<_, RequestError>((
                request.key(),
                request.authority().to_string(),
                request.subprotocols().count(),
            ))
        };
        assert_eq!(outcome(&other), outcome(&head), "{id}");
    }
}

#[test]
fn s4_2_1_fields_alone_are_checked_for_their_characters() {
    let fields = |name, value: &'static [u8]| [Field { name, value }];
    let check = |method, target, field| RequestHead::from_fields(method, target, &[field]).err();
    let [host] = fields("Host", b"h");
    assert_eq!(check("GET", "/", host), None);
    assert_eq!(check("", "/", host), Some(RequestError::RequestLine));
    assert_eq!(check("G ET", "/", host), Some(RequestError::RequestLine));
    assert_eq!(check("GET", "", host), Some(RequestError::RequestLine));
    assert_eq!(check("GET", "/a\r\nb", host), Some(RequestError::RequestLine));
    assert_eq!(
        check("GET", "/", fields("Ho st", b"h")[0]),
        Some(RequestError::FieldLine)
    );
    assert_eq!(
        check("GET", "/", fields("Host", b"h\r\nX: y")[0]),
        Some(RequestError::FieldLine)
    );
}

#[test]
fn s4_2_1_any_order_of_the_fields_is_accepted() {
    let mut orders = 0;
    let mut order = REQUEST;
    permute(&mut order[1..], &mut |fields| {
        let input = head([&REQUEST[..1], fields].concat());
        assert_eq!(serve(default_server(), &[&input]).status(), 101, "{fields:?}");
        orders += 1;
    });
    assert_eq!(orders, 120);
}

/// Calls `visit` with each order of `items` (Heap's algorithm, without the recursion's tail).
fn permute(items: &mut [&'static str], visit: &mut impl FnMut(&[&'static str])) {
    fn go(k: usize, items: &mut [&'static str], visit: &mut impl FnMut(&[&'static str])) {
        if k == items.len() {
            return visit(items);
        }
        for i in k..items.len() {
            items.swap(k, i);
            go(k + 1, items, visit);
            items.swap(k, i);
        }
    }
    go(0, items, visit);
}

#[test]
fn s7_checks_are_made_in_the_order_of_the_table() {
    // Each edit breaks one rule; a request with all of a tail of them fails by the first of that tail.
    let broken = [
        ("line GET /chat HTTP/1.0", RequestError::Http10),
        ("line POST /chat HTTP/1.1", RequestError::MethodNotGet),
        ("line GET chat HTTP/1.1", RequestError::Target),
        ("del Host", RequestError::Host),
        ("add Content-Length: 1", RequestError::Body),
        ("set Upgrade: h2c", RequestError::NotWebSocket),
        ("set Sec-WebSocket-Version: x", RequestError::Version),
        ("del Sec-WebSocket-Key", RequestError::Key),
        ("add Origin:", RequestError::Origin),
        ("add Sec-WebSocket-Protocol: a b", RequestError::Subprotocols),
        (
            "add Sec-WebSocket-Extensions: ;",
            RequestError::Extensions(ExtensionError::Malformed),
        ),
        ("add Expect: x", RequestError::Expectation),
    ];
    for first in 0..broken.len() {
        // Of the edits of the request line only the first may be made.
        let edits: Vec<_> = broken[first..]
            .iter()
            .enumerate()
            .filter(|(i, (edit, _))| *i == 0 || !edit.starts_with("line"))
            .map(|(_, (edit, _))| *edit)
            .collect();
        assert_eq!(error_of(&edits.join(" && ")), Some(broken[first].1));
        // Bytes behind the head come last.
        let early = edited(&REQUEST, &format!("{} && tail 81", edits.join(" && ")));
        let served = serve(default_server(), &[&early]);
        assert_eq!(served.result, Err(broken[first].1));
    }
    assert_eq!(
        error_of("line GET / HTTP/2.0 && raw x y"),
        Some(RequestError::FieldLine)
    );
    assert_eq!(
        error_of("line GET / HTTP/2.0 && del Host"),
        Some(RequestError::HttpVersion)
    );
}

#[test]
fn s4_2_1_a_plain_request_has_a_path() {
    for (target, path) in [
        ("/", "/"),
        ("/a?b?c", "/a"),
        ("/?", "/"),
        ("http://h/x?y", "/x"),
        ("http://h?y", "/"),
        ("*", "*"),
        ("h:80", "h:80"),
    ] {
        let bytes = format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n");
        let mut server = default_server();
        let head = server.receive(bytes.as_bytes()).unwrap().head.unwrap();
        assert_eq!((head.target(), head.path()), (target, path));
    }
}

#[test]
fn r9112_2_2_input_that_is_not_http_fails_at_its_first_impossible_byte() {
    for (input, at) in [
        (&b"\x16\x03\x01\x02\x00"[..], 1),
        (b" GET", 1),
        (b"\nGET", 1),
        (b"\r\r", 2),
        (b"GET\t", 4),
        (b"GET  ", 5),
        (b"GET /a\"", 7),
        (b"GET /\xc3", 6),
        (b"GET / HTTQ", 10),
        (b"GET / HTTP/x", 12),
        (b"GET / HTTP/1.10", 15),
        (b"GET / HTTP/1.1\n", 15),
        (b"GET / HTTP/1.1\r\r", 16),
        (b"GET / HTTP/1.1\r\n:", 17),
        (b"GET / HTTP/1.1\r\nA\r", 18),
        (b"GET / HTTP/1.1\r\nA: \0", 20),
        (b"GET / HTTP/1.1\r\nA: b\n", 21),
        (b"GET / HTTP/1.1\r\nA: b\r\n ", 23),
        (b"GET / HTTP/1.1\r\n\r\r", 18),
        (b"GET / HTTP/1.1\r\nA: b\r\n\n", 23),
    ] {
        assert!(
            default_server().receive(&input[..at - 1]).is_ok(),
            "{}",
            input.escape_ascii()
        );
        assert!(
            default_server().receive(&input[..at]).is_err(),
            "{}",
            input.escape_ascii()
        );
        assert!(serve_cut(input).result.is_err());
    }
}

#[test]
fn s4_2_1_error_stays() {
    let mut server = default_server();
    let mut error = |bytes: &[u8]| server.receive(bytes).unwrap_err();
    assert_eq!(error(b"GET /\x00"), RequestError::RequestLine);
    // Neither bytes that would go on where the bad one stood are read, nor a request from its start.
    assert_eq!(error(&request_with(&[])[5..]), RequestError::RequestLine);
    assert_eq!(error(&request_with(&[])), RequestError::RequestLine);
}

#[test]
fn r9110_5_3_nothing_happens_before_the_whole_head_is_there() {
    let input = request_with(&[]);
    for at in 0..input.len() {
        let served = serve(default_server(), &[&input[..at]]);
        assert_eq!((served.result, served.output.as_str()), (Ok(None), ""));
    }
}

#[test]
fn r9112_3_2_hosts() {
    for valid in [
        "h",
        "h:1",
        "h:",
        "192.0.2.1:80",
        "[::1]",
        "[2001:db8::1]:443",
        "a%41.b",
        "!$&'()*+,;=",
    ] {
        assert_eq!(error_of(&format!("set Host: {valid}")), None, "{valid}");
    }
    for invalid in [
        "h:x", "h:65536", "[::1", "::1", "u@h", "h/", "h?", "http://h", "a%4", "a,b:1,", ":80", "ä",
    ] {
        assert_eq!(
            error_of(&format!("set Host: {invalid}")),
            Some(RequestError::Host),
            "{invalid}"
        );
    }
}

#[test]
fn r9112_3_2_targets() {
    for target in [
        "/",
        "/?",
        "/a/b?c=d/e?f",
        "//",
        "/%zz",
        "/?a={b}|c^`\\",
        "HTTPS://h",
        "http://h?x",
    ] {
        assert_eq!(error_of(&format!("line GET {target} HTTP/1.1")), None, "{target}");
    }
    for target in [
        "*",
        "chat",
        "h:80",
        "ws://h/",
        "ftp://h/",
        "http:/h",
        "http://",
        "http://u@h/",
        "?x",
    ] {
        let error = error_of(&format!("line GET {target} HTTP/1.1"));
        assert_eq!(error, Some(RequestError::Target), "{target}");
    }
    for target in ["", "/a b", "/#", "/\"", "/<script>", "/\\x7f", "/\\xff"] {
        let error = error_of(&format!("line GET {target} HTTP/1.1"));
        assert_eq!(error, Some(RequestError::RequestLine), "{target}");
    }
}

#[test]
fn r9112_3_2_2_absolute_target_replaces_host() {
    let parts = |target: &str| {
        let input = edited(&REQUEST, &format!("line GET {target} HTTP/1.1"));
        let mut server = default_server();
        let head = server.receive(&input).unwrap().head.unwrap();
        assert_eq!(head.target(), target);
        let request = head.upgrade().unwrap();
        let query = request.query().map(String::from);
        (request.authority().to_string(), request.path().to_string(), query)
    };
    let expected = |authority: &str, path: &str, query: Option<&str>| {
        (authority.to_string(), path.to_string(), query.map(String::from))
    };
    assert_eq!(
        parts("/chat?a?b"),
        expected("server.example.com", "/chat", Some("a?b"))
    );
    assert_eq!(parts("http://other:81/chat"), expected("other:81", "/chat", None));
    assert_eq!(parts("https://other"), expected("other", "/", None));
    assert_eq!(parts("http://other?"), expected("other", "/", Some("")));
}

#[test]
fn r9112_6_bodies_are_refused() {
    for (edits, error) in [
        ("add Content-Length: 0 && add Content-Length: 00", None),
        ("add Content-Length: 0x", Some(RequestError::Body)),
        ("add Content-Length:", Some(RequestError::Body)),
        (
            "add Content-Length: 0 && add Content-Length: 1",
            Some(RequestError::Body),
        ),
        ("add Transfer-Encoding: identity", Some(RequestError::Body)),
        ("add transfer-encoding:", Some(RequestError::Body)),
    ] {
        assert_eq!(error_of(edits), error, "{edits}");
    }
}

#[test]
fn r9110_10_1_1_expectations() {
    assert_eq!(error_of("add Expect: 100-Continue"), None);
    assert_eq!(error_of("add Expect:"), None);
    assert_eq!(
        error_of("add Expect: 100-continue, x=y"),
        Some(RequestError::Expectation)
    );
    assert_eq!(error_of("add Expect: 100"), Some(RequestError::Expectation));
}

#[test]
fn s4_3_versions() {
    for version in [
        "", "013", "256", "-1", "1 3", "13a", "+13", "13, 8", "00", "1000", "\\xff",
    ] {
        let edits = format!("set Sec-WebSocket-Version: {version}");
        assert_eq!(error_of(&edits), Some(RequestError::Version), "{version}");
    }
    for version in ["0", "1", "12", "14", "99", "100", "255"] {
        let edits = format!("set Sec-WebSocket-Version: {version}");
        assert_eq!(error_of(&edits), Some(RequestError::VersionUnknown), "{version}");
    }
    // RFC 6455 §4.4: the answer to a version names the one spoken here.
    let served = serve_cut(&edited(&REQUEST, "del Sec-WebSocket-Version"));
    assert!(
        served.output.contains("\r\nSec-WebSocket-Version: 13\r\n"),
        "{}",
        served.output
    );
}

#[test]
fn s4_1_data_before_the_answer_is_refused() {
    let input = [&request_with(&[])[..], b"\x81\x80\0\0\0\0"].concat();
    let head_bytes = input.len() - 6;
    assert_eq!(
        serve(default_server(), &[&input]).result,
        Err(RequestError::EarlyData)
    );
    assert_eq!(
        serve(default_server(), &[&input[..9], &input[9..]]).result,
        Err(RequestError::EarlyData)
    );
    for pieces in cuts(&input) {
        let served = serve(default_server().allow_early_data(), &pieces);
        assert_eq!((served.status(), served.consumed), (101, head_bytes));
    }
}

#[test]
fn s4_2_1_plain_http_is_left_to_the_embedder() {
    let input = head([
        "PUT /form?x HTTP/1.0",
        "X-Bytes: \u{e9} ",
        "Content-Length: 4",
        "x-bytes:",
    ]);
    let input = [&input[..], b"body"].concat();
    for pieces in cuts(&input[..input.len() - 4]) {
        let mut server = default_server();
        let (last, first) = pieces.split_last().unwrap();
        for piece in first {
            server.receive(piece).unwrap();
        }
        let head = server.receive(last).unwrap().head.unwrap();
        assert_eq!(
            (head.method(), head.target(), head.minor_version()),
            ("PUT", "/form?x", 0)
        );
        let fields: Vec<_> = head
            .fields()
            .iter()
            .map(|field| (field.name, field.value))
            .collect();
        let expected: [(_, &[u8]); 3] = [
            ("X-Bytes", b"\xc3\xa9"),
            ("Content-Length", b"4"),
            ("x-bytes", b""),
        ];
        assert_eq!(fields, expected);
        assert_eq!(head.upgrade().unwrap_err(), RequestError::Http10);
    }
    let received = default_server().receive(&input).map(|received| received.consumed);
    assert_eq!(received, Ok(input.len() - 4), "the body is not consumed");
}

#[test]
fn s4_2_1_one_request_after_another() {
    let plain = head(["GET / HTTP/1.1", "Host: h"]);
    let input = [&plain[..], b"\r\n", &request_with(&[])].concat();
    for first_piece in 1..input.len() {
        let mut server = default_server();
        let (mut heads, mut at, mut end) = (Vec::new(), 0, first_piece);
        while at < input.len() {
            let received = server.receive(&input[at..end]).unwrap();
            heads.extend(
                received
                    .head
                    .map(|head| (head.target().to_string(), head.fields().iter().count())),
            );
            at += received.consumed;
            end = input.len();
        }
        assert_eq!(heads, [("/".into(), 1), ("/chat".into(), 5)]);
    }
}

#[test]
fn s4_2_1_whole_head_is_not_copied() {
    let input = request_with(&[]);
    let mut server = default_server();
    let head = server.receive(&input).unwrap().head.unwrap();
    assert!(input.as_ptr_range().contains(&head.target().as_ptr()));
    let key = head.fields().get("Sec-WebSocket-Key").unwrap();
    assert!(input.as_ptr_range().contains(&key.as_ptr()));
}

#[test]
fn r9112_3_request_lines_of_8000_octets_are_read() {
    let input = edited(&REQUEST, &format!("line GET /{} HTTP/1.1", "a".repeat(7969)));
    assert_eq!(serve_ends(HeadLimits::default(), &input), None);
}

/// Whole, byte by byte, and cut around the limit, which must give the same.
fn serve_ends(limits: HeadLimits, input: &[u8]) -> Option<RequestError> {
    let whole = serve(Server::new(limits), &[input]);
    assert_eq!(
        serve(Server::new(limits), &input.chunks(1).collect::<Vec<_>>()),
        whole
    );
    let (a, b) = input.split_at(input.len() / 2);
    assert_eq!(serve(Server::new(limits), &[a, b]), whole);
    if let Err(error) = whole.result {
        check_refusal("limit", &whole.output, error.status());
    }
    whole.result.err()
}

#[test]
fn lim_01_to_04_and_07_of_heads() {
    // At each limit the request is accepted, and over it refused; empty lines before it make no difference.
    let check = |edits: &str, at: usize, set: fn(&mut HeadLimits) -> &mut u32, error| {
        let input = edited(&REQUEST, edits);
        let with = |value: usize| {
            let mut limits = HeadLimits::default();
            *set(&mut limits) = value as u32;
            serve_ends(limits, &input)
        };
        assert_eq!((with(at), with(at - 1)), (None, Some(error)), "{edits}");
    };
    let empty_lines = "pre \\r\\n\\r\\n";
    for edits in ["none", empty_lines] {
        let length = edited(&REQUEST, edits).len();
        check(
            edits,
            length,
            |limits| &mut limits.max_head_bytes,
            RequestError::HeadTooLarge,
        );
        check(
            edits,
            5,
            |limits| &mut limits.max_target_bytes,
            RequestError::TargetTooLong,
        );
        check(
            edits,
            5,
            |limits| &mut limits.max_fields,
            RequestError::TooManyFields,
        );
        let longest = REQUEST[4].len();
        check(
            edits,
            longest,
            |limits| &mut limits.max_field_bytes,
            RequestError::FieldTooLarge,
        );
    }
    check(
        empty_lines,
        2,
        |limits| &mut limits.max_empty_lines,
        RequestError::EmptyLines,
    );
}

#[test]
fn lim_01_head_that_ends_within_the_target_is_414() {
    let error = |at: &str| {
        let mut limits = HeadLimits::default();
        limits.max_head_bytes = at.len() as u32;
        serve_ends(limits, &request_with(&[]))
    };
    assert_eq!(error("GET"), Some(RequestError::HeadTooLarge));
    assert_eq!(error("GET /ch"), Some(RequestError::TargetTooLong));
    assert_eq!(error("GET /chat "), Some(RequestError::HeadTooLarge));
}

#[test]
fn lim_defaults_of_heads() {
    let fields = |n: usize| request_with(&vec!["X: y"; n - 5]);
    assert_eq!(serve_ends(HeadLimits::default(), &fields(100)), None);
    assert_eq!(
        serve_ends(HeadLimits::default(), &fields(101)),
        Some(RequestError::TooManyFields)
    );
    let target = |n: usize| edited(&REQUEST, &format!("line GET /{} HTTP/1.1", "a".repeat(n - 1)));
    assert_eq!(serve_ends(HeadLimits::default(), &target(8192)), None);
    assert_eq!(
        serve_ends(HeadLimits::default(), &target(8193)),
        Some(RequestError::TargetTooLong)
    );
    let field = |n: usize| request_with(&[&format!("X: {}", "a".repeat(n - 3))]);
    assert_eq!(serve_ends(HeadLimits::default(), &field(8192)), None);
    assert_eq!(
        serve_ends(HeadLimits::default(), &field(8193)),
        Some(RequestError::FieldTooLarge)
    );
    let head = |n: usize| {
        let base = request_with(&[]).len();
        let (line, rest) = (format!("X: {}", "a".repeat(7995)), n - base - 2 * 8000 - 5);
        request_with(&[&line, &line, &format!("X: {}", "a".repeat(rest))])
    };
    assert_eq!(head(16384).len(), 16384);
    assert_eq!(serve_ends(HeadLimits::default(), &head(16384)), None);
    assert_eq!(
        serve_ends(HeadLimits::default(), &head(16385)),
        Some(RequestError::HeadTooLarge)
    );
    let method = vec![b'A'; 20_000];
    assert_eq!(
        serve_ends(HeadLimits::default(), &method),
        Some(RequestError::HeadTooLarge)
    );
    assert_eq!(
        serve_ends(HeadLimits::default(), &head_of_method(100)),
        Some(RequestError::MethodNotGet)
    );
}

fn head_of_method(length: usize) -> Vec<u8> {
    edited(&REQUEST, &format!("line {} /chat HTTP/1.1", "A".repeat(length)))
}

#[test]
fn lim_08_to_10_of_lists() {
    for (name, value, error) in [
        ("Connection", "Upgrade", RequestError::EmptyElements),
        ("Upgrade", "websocket", RequestError::EmptyElements),
    ] {
        let edits = |n| format!("set {name}: {}{value}", ",".repeat(n));
        // As many as a byte counts, and one more.
        assert_eq!(error_of(&edits(255)), Some(error), "{name}");
        assert_eq!(error_of(&edits(256)), Some(error), "{name}");
        assert_eq!(
            (error_of(&edits(16)), error_of(&edits(17))),
            (None, Some(error)),
            "{name}"
        );
    }
    let offers = |n| error_of(&format!("add Sec-WebSocket-Protocol: {}", vec!["a"; n].join(",")));
    assert_eq!((offers(64), offers(65)), (None, Some(RequestError::Subprotocols)));
    let empty = |n| error_of(&format!("add Sec-WebSocket-Protocol: {}a", ",".repeat(n)));
    assert_eq!((empty(16), empty(17)), (None, Some(RequestError::Subprotocols)));
    let offers = |n| {
        error_of(&format!(
            "add Sec-WebSocket-Extensions: {}",
            vec!["a"; n].join(",")
        ))
    };
    let error = RequestError::Extensions(ExtensionError::TooManyExtensions);
    assert_eq!((offers(16), offers(17)), (None, Some(error)));
    let parameters = |n| error_of(&format!("add Sec-WebSocket-Extensions: a{}", ";b".repeat(n)));
    let error = RequestError::Extensions(ExtensionError::TooManyParameters);
    assert_eq!((parameters(16), parameters(17)), (None, Some(error)));
}

#[test]
fn lim_s1_large_head_byte_by_byte() {
    // Were the head looked at anew for each byte, these would be two thousand million steps: nobody would wait.
    let mut limits = HeadLimits::default();
    limits.max_head_bytes = 64 << 10;
    limits.max_fields = 6000;
    let base = request_with(&[]).len();
    let lines = vec!["X: 12345678"; ((64 << 10) - base) / 13];
    let input = request_with(&lines);
    assert!(input.len() > 65_000);
    let served = serve(Server::new(limits), &input.chunks(1).collect::<Vec<_>>());
    assert_eq!((served.status(), served.consumed), (101, input.len()));
}

#[test]
fn r9110_5_6_2_only_tokens_are_names_and_methods() {
    for byte in 0..=255u8 {
        let token = byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        let edits = format!("raw X\\x{byte:02x}Y: z");
        let expected = (!token && byte != b':').then_some(RequestError::FieldLine);
        assert_eq!(
            serve_ends(HeadLimits::default(), &edited(&REQUEST, &edits)),
            expected,
            "{byte:#04x}"
        );
        let input = edited(&REQUEST, &format!("line GE\\x{byte:02x}T /chat HTTP/1.1"));
        let error = serve_ends(HeadLimits::default(), &input);
        let expected = if token {
            RequestError::MethodNotGet
        } else {
            RequestError::RequestLine
        };
        assert_eq!(error, Some(expected), "{byte:#04x}");
    }
}

#[test]
fn r9110_5_5_only_control_bytes_are_no_values() {
    for byte in (0..=255u8).filter(|byte| !b"\r\n".contains(byte)) {
        let expected = (byte.is_ascii_control() && byte != b'\t').then_some(RequestError::FieldLine);
        let input = edited(&REQUEST, &format!("raw X: a\\x{byte:02x}b"));
        assert_eq!(serve_ends(HeadLimits::default(), &input), expected, "{byte:#04x}");
    }
}

proptest! {
    /// Whatever comes: the same result however it is cut, on the short way or the long one, and no panic.
    #[test]
    fn s4_2_1_no_cut_changes_the_result(
        edits in prop::collection::vec((any::<prop::sample::Index>(), 0..3, any::<u8>()), 0..4),
        at in any::<prop::sample::Index>(),
        max_head_bytes in 150u32..400,
    ) {
        let lines = ["X: \t a ", "Y:", "Sec-WebSocket-Protocol: chat, x", "Sec-WebSocket-Extensions: foo; x=\"1\""];
        let input = mutated(request_with(&lines), &edits);
        let mut limits = HeadLimits::default();
        limits.max_head_bytes = max_head_bytes;
        let server = || Server::new(limits).allow_early_data();
        let whole = serve(server(), &[&input]);
        prop_assert_eq!(&serve(server(), &input.chunks(1).collect::<Vec<_>>()), &whole);
        let (a, b) = input.split_at(at.index(input.len() + 1));
        prop_assert_eq!(&serve(server(), &[a, b]), &whole);
    }

    /// Any bytes at all.
    #[test]
    fn s4_2_1_any_bytes_give_a_result(input in prop::collection::vec(any::<u8>(), 0..200)) {
        let whole = serve(default_server().allow_early_data(), &[&input]);
        let bytes = serve(default_server().allow_early_data(), &input.chunks(1).collect::<Vec<_>>());
        prop_assert_eq!(bytes, whole);
    }
}
