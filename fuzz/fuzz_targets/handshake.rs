//! The opening handshake: heads of requests and responses, the same however they are cut; URLs; lists of extensions.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ws_proto::handshake::{
    Accept, Answer, Client, ClientRequest, Fields, HeadLimits, RequestError, ResponseError, Server, Url,
};
use ws_proto::{Outbox, extension};
use ws_proto_fuzz::Case;

fuzz_target!(|data: &[u8]| {
    let Some(case) = Case::new(data) else { return };
    match (case.option(0), case.option(1)) {
        (false, false) => drop(case.assert_equal_however_cut(|pieces| request(&case, pieces))),
        (false, true) => drop(case.assert_equal_however_cut(|pieces| response(&case, pieces))),
        (true, false) => url(case.stream),
        (true, true) => extensions(case.stream),
    }
});

fn limits(case: &Case<'_>) -> HeadLimits {
    let mut limits = HeadLimits::default();
    if case.option(2) {
        limits.max_head_bytes = 300;
        limits.max_fields = 8;
        limits.max_target_bytes = 12;
        limits.max_field_bytes = 60;
        limits.max_empty_lines = 1;
    }
    limits
}

fn lines(fields: Fields<'_>) -> Vec<(String, Vec<u8>)> {
    fields
        .iter()
        .map(|field| (field.name.into(), field.value.into()))
        .collect()
}

#[derive(Debug, PartialEq)]
struct Head {
    consumed: usize,
    /// Method and target; or status and reason.
    start: (String, Vec<u8>),
    minor_version: u8,
    fields: Vec<(String, Vec<u8>)>,
    answer: Result<Vec<u8>, String>,
}

fn request(case: &Case<'_>, pieces: &[&[u8]]) -> Result<Option<Head>, RequestError> {
    // Early data is told by what comes in one call with the end of the head, and would depend on the cuts.
    let mut server = Server::new(limits(case)).allow_early_data();
    let mut before = 0;
    for piece in pieces {
        let received = server.receive(piece).inspect_err(|error| {
            let mut outbox = Outbox::new();
            error.refuse(&mut outbox);
            assert!(
                outbox
                    .bytes()
                    .starts_with(format!("HTTP/1.1 {} ", error.status()).as_bytes())
            );
        })?;
        let Some(head) = received.head else {
            assert_eq!(received.consumed, piece.len());
            before += piece.len();
            continue;
        };
        let answer = head.upgrade().map_err(|error| error.to_string()).map(|request| {
            let mut outbox = Outbox::new();
            let subprotocol = request.subprotocols().last();
            let accept = Accept {
                subprotocol,
                ..Accept::default()
            };
            request.accept(&accept, &mut outbox).expect("it was offered");
            let _ = (
                request.is_same_origin(true),
                request.is_origin_allowed(&["https://a"]),
            );
            request.extensions().for_each(|offer| drop(offer.to_string()));
            outbox.bytes().to_vec()
        });
        return Ok(Some(Head {
            consumed: before + received.consumed,
            start: (head.method().into(), head.target().into()),
            minor_version: head.minor_version(),
            fields: lines(head.fields()),
            answer,
        }));
    }
    Ok(None)
}

fn response(case: &Case<'_>, pieces: &[&[u8]]) -> Result<Option<Head>, ResponseError> {
    let url = Url::parse("ws://server.example.com/chat").expect("valid");
    let request = ClientRequest {
        subprotocols: &["chat", "superchat"],
        extensions: &["permessage-deflate; client_max_window_bits"],
        limits: limits(case),
        ..ClientRequest::new(url)
    };
    let mut client =
        Client::start_with_nonce(&request, *b"the sample nonce", &mut Outbox::new()).expect("valid");
    let mut before = 0;
    for piece in pieces {
        let reply = client.receive(piece)?;
        let head = match reply.answer {
            None => {
                assert_eq!(reply.consumed, piece.len());
                before += piece.len();
                continue;
            }
            Some(Answer::Open(opened)) => Head {
                consumed: before + reply.consumed,
                start: (opened.subprotocol().unwrap_or_default().into(), Vec::new()),
                minor_version: 1,
                fields: lines(opened.fields()),
                answer: Ok(opened
                    .extensions()
                    .flat_map(|extension| extension.to_string().into_bytes())
                    .collect()),
            },
            Some(Answer::Refused(head)) => Head {
                consumed: before + reply.consumed,
                start: (head.status().to_string(), head.reason().into()),
                minor_version: head.minor_version(),
                fields: lines(head.fields()),
                answer: Ok(head.versions().collect()),
            },
        };
        return Ok(Some(head));
    }
    Ok(None)
}

fn url(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let Ok(url) = Url::parse(text) else { return };
    // What it writes is the same URL again, and makes a request that a server takes.
    let written = url.to_string();
    let again = Url::parse(&written).expect("what is written is valid");
    assert_eq!(again.to_string(), written);
    assert_eq!(
        (
            again.is_secure(),
            again.host(),
            again.port(),
            again.path(),
            again.query()
        ),
        (url.is_secure(), url.host(), url.port(), url.path(), url.query())
    );
    let mut outbox = Outbox::new();
    Client::start_with_nonce(&ClientRequest::new(url), [0; 16], &mut outbox).expect("valid");
    let mut server = Server::new(HeadLimits::default());
    match server.receive(outbox.bytes()) {
        Ok(received) => {
            let head = received.head.expect("it is whole");
            assert_eq!(head.target(), url.resource_name().to_string());
            let request = head.upgrade().expect("it is valid");
            assert_eq!(request.authority(), url.authority().to_string());
        }
        Err(error) => assert!(text.len() > 1000, "{error} in a request of ours"),
    }
}

fn extensions(bytes: &[u8]) {
    let Ok(list) = extension::parse(bytes.split(|&byte| byte == b'\n')) else {
        return;
    };
    // What it writes is the same list again.
    let written: Vec<String> = list.map(|extension| extension.to_string()).collect();
    let joined = written.join(", ");
    let again: Vec<String> = extension::parse([joined.as_bytes()])
        .expect("what is written is valid")
        .map(|extension| extension.to_string())
        .collect();
    assert_eq!(again, written);
}
