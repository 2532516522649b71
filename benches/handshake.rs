//! The opening handshake: a browser's request read, judged and accepted; the response judged by the client.

mod workload;

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use workload::REQUEST;
use ws_proto::Outbox;
use ws_proto::handshake::{Accept, Answer, Client, ClientRequest, HeadLimits, Server, Url};

const RESPONSE: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\n\
    Upgrade: websocket\r\n\
    Connection: Upgrade\r\n\
    Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

/// Whether the request, in these pieces, was accepted.
fn serve<'a>(pieces: impl Iterator<Item = &'a [u8]>, outbox: &mut Outbox) -> bool {
    let mut server = Server::new(HeadLimits::default());
    for piece in pieces {
        match server.receive(piece) {
            Ok(received) => {
                let Some(head) = received.head else { continue };
                return head
                    .upgrade()
                    .is_ok_and(|request| request.accept(&Accept::default(), outbox).is_ok());
            }
            Err(_) => return false,
        }
    }
    false
}

fn server(criterion: &mut Criterion) {
    let mut outbox = Outbox::new();
    for (name, piece_bytes) in [("whole", REQUEST.len()), ("in_two", 400), ("octets", 1)] {
        assert!(serve(REQUEST.chunks(piece_bytes), &mut outbox));
        assert!(outbox.bytes().starts_with(b"HTTP/1.1 101 "));
        assert!(
            outbox
                .bytes()
                .windows(28)
                .any(|bytes| bytes == b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
        );
        outbox.consume(usize::MAX);
        criterion.bench_function(&format!("handshake/server/{name}"), |bencher| {
            bencher.iter(|| {
                let accepted = serve(black_box(REQUEST).chunks(piece_bytes), &mut outbox);
                outbox.consume(usize::MAX);
                accepted
            });
        });
    }
}

fn client(criterion: &mut Criterion) {
    let mut outbox = Outbox::new();
    let mut open = || {
        let Ok(url) = Url::parse(black_box("ws://server.example.com:9001/chat?room=lobby")) else {
            return false;
        };
        let client = Client::start_with_nonce(&ClientRequest::new(url), *b"the sample nonce", &mut outbox);
        outbox.consume(usize::MAX);
        client.is_ok_and(|mut client| {
            let reply = client.receive(black_box(RESPONSE));
            reply.is_ok_and(|reply| matches!(reply.answer, Some(Answer::Open(_))))
        })
    };
    assert!(open());
    criterion.bench_function("handshake/client", |bencher| bencher.iter(&mut open));
}

criterion_group! { name = benches; config = workload::criterion(); targets = server, client }
criterion_main!(benches);
