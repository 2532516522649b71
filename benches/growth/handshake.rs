//! Heads and what is in them, both roles.

use ws_proto::deflate::Parameters;
use ws_proto::extension;
use ws_proto::handshake::{
    Accept, Answer, Client, ClientRequest, Field, HeadLimits, Key, Offer, RequestHead, Response, Server, Url,
};
use ws_proto::{Outbox, Role};

use super::workload::{self, REQUEST};
use super::{Job, Path, path};

const WHOLE: usize = usize::MAX;

pub(crate) const PATHS: &[Path] = &[
    path("request: field lines in one read, up to 64 in all", 28, |n| {
        request(&lines(n, 3000), WHOLE)
    }),
    path("request: field lines in one read, more", 500, |n| {
        request(&lines(n, 40), WHOLE)
    }),
    path("request: field lines, byte by byte", 500, |n| {
        request(&lines(n, 40), 1)
    }),
    path("request: bytes of a field in one read", 256 << 10, |n| {
        request(&lines(1, n), WHOLE)
    }),
    path("request: bytes of a field, byte by byte", 32 << 10, |n| {
        request(&lines(1, n), 1)
    }),
    path("request: bytes of the target", 64 << 10, |n| {
        let target = "/".repeat(n);
        let bytes = String::from_utf8_lossy(REQUEST).replace("/chat?room=lobby", &target);
        read_request(bytes.into_bytes(), WHOLE)
    }),
    path("request: plain ones, one behind the other", 100, |n| {
        let bytes = "GET / HTTP/1.1\r\nHost: server.example.com\r\n\r\n".repeat(n);
        Box::new(move || {
            let (mut server, mut rest) = (Server::new(limits()), bytes.as_bytes());
            for _ in 0..n {
                let Ok(received) = server.receive(rest) else {
                    return false;
                };
                rest = &rest[received.consumed..];
            }
            rest.is_empty()
        })
    }),
    path("request: field lines of HTTP done elsewhere", 500, |n| {
        let values = values(n, 40);
        Box::new(move || {
            let fields: Vec<_> = values.iter().map(|value| Field::new("X-Field", value)).collect();
            RequestHead::from_fields("GET", "/", &fields).is_ok_and(|head| head.upgrade().is_err())
        })
    }),
    path("request: subprotocols, the last of them chosen", 32, |n| {
        let names = values(n, 64);
        let list = names.join(", ");
        judge("Sec-WebSocket-Protocol", vec![list], move |request| {
            request.choose_subprotocol(&[&names[n - 1]]).is_some()
        })
    }),
    path("request: subprotocols, a field line for each", 32, |n| {
        let names = values(n, 64);
        judge("Sec-WebSocket-Protocol", names.clone(), move |request| {
            request.choose_subprotocol(&[&names[n - 1]]).is_some()
        })
    }),
    path("extensions: in one list", 8, |n| {
        extensions(&values(n, 64), |list| list.join(", "))
    }),
    path("extensions: parameters of one", 8, |n| {
        extensions(&values(n, 64), |list| list.join("; "))
    }),
    path(
        "extensions: offers of permessage-deflate, the last of them acceptable",
        8,
        |n| {
            let list =
                "permessage-deflate; unknown_parameter=0123456789, ".repeat(n - 1) + "permessage-deflate";
            Box::new(move || {
                let offers = extension::parse([list.as_bytes()]);
                offers.is_ok_and(|offers| Parameters::default().accept(offers).is_some())
            })
        },
    ),
    path("extensions: bytes of a quoted value", 16 << 10, |n| {
        extensions(&values(1, n), |list| {
            format!("name; parameter=\"{}\"", list.concat())
        })
    }),
    path("answer: fields of ours", 500, |n| {
        let values = values(n, 40);
        let mut outbox = Outbox::new();
        Box::new(move || {
            let fields: Vec<_> = values.iter().map(|value| Field::new("X-Field", value)).collect();
            let mut server = Server::new(HeadLimits::default());
            let received = server.receive(REQUEST).ok().and_then(|received| received.head);
            let accept = Accept {
                fields: &fields,
                ..Accept::default()
            };
            received.is_some_and(|head| {
                head.upgrade()
                    .is_ok_and(|request| request.accept(&accept, &mut outbox).is_ok())
            })
        })
    }),
    path("answer: bytes of a body", 256 << 10, |n| {
        let body = vec![b'.'; n];
        let mut outbox = Outbox::new();
        Box::new(move || {
            Response {
                status: 404,
                fields: &[],
                body: &body,
            }
            .write(&mut outbox)
            .is_ok()
        })
    }),
    path("client: fields of ours", 500, |n| {
        let values = values(n, 40);
        Box::new(move || {
            let fields: Vec<_> = values.iter().map(|value| Field::new("X-Field", value)).collect();
            start(&[], &fields).is_some()
        })
    }),
    path("client: subprotocols of ours", 2000, |n| {
        let names = values(n, 40);
        Box::new(move || {
            let names: Vec<_> = names.iter().map(String::as_str).collect();
            start(&names, &[]).is_some()
        })
    }),
    path("response: field lines in one read", 200, |n| {
        response("", &lines(n, 40), WHOLE)
    }),
    path("response: field lines, byte by byte", 200, |n| {
        response("", &lines(n, 40), 1)
    }),
    path("response: folded lines", 200, |n| {
        response("", &lines(n, 40).replace("\r\nX-Field: ", "\r\n "), WHOLE)
    }),
    path("response: bytes of a field in one read", 64 << 10, |n| {
        response("", &lines(1, n), WHOLE)
    }),
    path("response: informational ones before it", 400, |n| {
        response(
            &"HTTP/1.1 103 Early Hints\r\nLink: </style.css>\r\n\r\n".repeat(n),
            "",
            WHOLE,
        )
    }),
    path("response: informational ones before it, byte by byte", 200, |n| {
        response(
            &"HTTP/1.1 103 Early Hints\r\nLink: </style.css>\r\n\r\n".repeat(n),
            "",
            1,
        )
    }),
    path("response: extensions, of one offered", 8, |n| {
        let list = vec![String::from("one") + &"; parameter=0123456789".repeat(16); n].join(", ");
        check("one", &list)
    }),
    path("response: one extension, of many offered", 8, |n| {
        let mut offered = values(n - 1, 1000);
        offered.push("one".into());
        check(&offered.join(", "), "one")
    }),
    path("URL: bytes of the path", 64 << 10, |n| {
        let text = format!("ws://example.com/{}", "%20".repeat(n / 3));
        Box::new(move || Url::parse(&text).is_ok_and(|url| url.path().len() == text.len() - 16))
    }),
    path("URL: bytes of the host", 64 << 10, |n| {
        let text = format!("ws://{}/", "a".repeat(n));
        Box::new(move || Url::parse(&text).is_ok_and(|url| url.host().len() == n))
    }),
];

const REQUIRED: [(&str, &str); 5] = [
    ("Host", "server.example.com"),
    ("Upgrade", "websocket"),
    ("Connection", "Upgrade"),
    ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ("Sec-WebSocket-Version", "13"),
];

fn limits() -> HeadLimits {
    let mut limits = HeadLimits::default();
    limits.max_head_bytes = u32::MAX;
    limits.max_target_bytes = u32::MAX;
    limits.max_fields = u32::MAX;
    limits.max_field_bytes = u32::MAX;
    limits.max_informational_responses = u32::MAX;
    limits
}

/// So many tokens of this length, each another one.
fn values(n: usize, len: usize) -> Vec<String> {
    (0..n)
        .map(|i| i.to_string())
        .map(|number| "0".repeat(len - number.len()) + &number)
        .collect()
}

fn lines(n: usize, len: usize) -> String {
    values(n, len)
        .iter()
        .map(|value| format!("X-Field: {value}\r\n"))
        .collect()
}

/// An opening handshake with these field lines and no others but those that it must have.
fn request(lines: &str, read: usize) -> Job {
    let required: String = REQUIRED
        .iter()
        .map(|(name, value)| format!("{name}: {value}\r\n"))
        .collect();
    read_request(
        format!("GET / HTTP/1.1\r\n{required}{lines}\r\n").into_bytes(),
        read,
    )
}

fn read_request(bytes: Vec<u8>, read: usize) -> Job {
    Box::new(move || {
        let mut server = Server::new(limits());
        bytes.chunks(read).any(|read| {
            let head = server.receive(read).ok().and_then(|received| received.head);
            head.is_some_and(|head| head.upgrade().is_ok())
        })
    })
}

/// Judges an opening handshake with these lines of one field.
fn judge(
    name: &'static str,
    values: Vec<String>,
    mut expected: impl FnMut(ws_proto::handshake::Request<'_>) -> bool + 'static,
) -> Job {
    Box::new(move || {
        let fields: Vec<_> = REQUIRED
            .into_iter()
            .chain(values.iter().map(|value| (name, value.as_str())))
            .map(|(name, value)| Field::new(name, value))
            .collect();
        let head = RequestHead::from_fields("GET", "/", &fields);
        head.is_ok_and(|head| head.upgrade().is_ok_and(&mut expected))
    })
}

fn extensions(values: &[String], join: fn(&[String]) -> String) -> Job {
    let line = join(values);
    Box::new(move || {
        extension::parse([line.as_bytes()]).is_ok_and(|list| {
            let values = list
                .flat_map(|extension| extension.parameters())
                .filter_map(|parameter| parameter.value());
            values
                .flat_map(|value| value.bytes())
                .all(|byte| byte.is_ascii_digit())
        })
    })
}

const NONCE: [u8; 16] = *b"the sample nonce";

fn start(subprotocols: &[&str], fields: &[Field<'_>]) -> Option<(Client, Outbox)> {
    let mut outbox = workload::outbox(Role::Client);
    let request = ClientRequest {
        subprotocols,
        fields,
        limits: limits(),
        ..ClientRequest::new(Url::parse("ws://server.example.com/chat").ok()?)
    };
    let client = Client::start_with_nonce(&request, NONCE, &mut outbox).ok()?;
    Some((client, outbox))
}

fn response(before: &str, lines: &str, read: usize) -> Job {
    let response = format!(
        "{before}HTTP/1.1 101 Switching Protocols\r\n\
         Upgrade: websocket\r\n\
         Connection: Upgrade\r\n\
         Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\
         {lines}\r\n"
    );
    let mut client = start(&[], &[]);
    Box::new(move || {
        let Some((client, _)) = &mut client else {
            return false;
        };
        response.as_bytes().chunks(read).any(|read| {
            let answer = client.receive(read).ok().and_then(|reply| reply.answer);
            matches!(answer, Some(Answer::Open(_)))
        })
    })
}

/// Judges a response that accepts these extensions, of those that were offered.
fn check(offered: &str, accepted: &str) -> Job {
    let (offered, accepted) = (offered.to_owned(), accepted.to_owned());
    Box::new(move || {
        let fields = [
            Field::new("Upgrade", "websocket"),
            Field::new("Connection", "Upgrade"),
            Field::new("Sec-WebSocket-Accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="),
            Field::new("Sec-WebSocket-Extensions", &accepted),
        ];
        let offer = Offer {
            extensions: &offered,
            ..Offer::new(Key::from_nonce(NONCE))
        };
        offer
            .check(101, ws_proto::handshake::Fields::new(&fields))
            .is_ok()
    })
}
