//! What the handshake's tests share: base heads and their edits, the vector files, and the ways to cut an input.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use ws_proto::Outbox;
use ws_proto::handshake::{
    Accept, Answer, Client, ClientRequest, HeadLimits, RequestError, ResponseError, Server, Url,
};

/// The request line and the field lines of the base request.
pub(crate) const REQUEST: [&str; 6] = [
    "GET /chat HTTP/1.1",
    "Host: server.example.com",
    "Upgrade: websocket",
    "Connection: Upgrade",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Version: 13",
];

/// The status line and the field lines of the base response.
pub(crate) const RESPONSE: [&str; 4] = [
    "HTTP/1.1 101 Switching Protocols",
    "Upgrade: websocket",
    "Connection: Upgrade",
    "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
];

pub(crate) const NONCE: [u8; 16] = *b"the sample nonce";

/// The lines of a vector file, cut into cells.
pub(crate) fn vectors(file: &'static str) -> Vec<Vec<&'static str>> {
    let lines = file
        .lines()
        .filter(|line| !line.starts_with('#') && !line.is_empty());
    lines.map(|line| line.split('\t').collect()).collect()
}

/// The bytes of a text with `\r`, `\n`, `\t` and `\xhh`. A quoted-pair stays as it is.
pub(crate) fn unescape(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        bytes.extend_from_slice(&rest.as_bytes()[..at]);
        let (byte, length) = match &rest[at + 1..at + 2] {
            "r" => (b'\r', 2),
            "n" => (b'\n', 2),
            "t" => (b'\t', 2),
            "x" => (u8::from_str_radix(&rest[at + 2..at + 4], 16).unwrap(), 4),
            _ => (b'\\', 1),
        };
        bytes.push(byte);
        rest = &rest[at + length..];
    }
    bytes.extend_from_slice(rest.as_bytes());
    bytes
}

/// A head: lines joined, each with CR LF, and the empty line.
pub(crate) fn head<L: AsRef<[u8]>>(lines: impl IntoIterator<Item = L>) -> Vec<u8> {
    let mut head = Vec::new();
    for line in lines {
        head.extend_from_slice(line.as_ref());
        head.extend_from_slice(b"\r\n");
    }
    head.extend_from_slice(b"\r\n");
    head
}

/// The base request with further lines.
pub(crate) fn request_with(lines: &[&str]) -> Vec<u8> {
    head(REQUEST.iter().chain(lines))
}

/// The base response with further lines.
pub(crate) fn response_with(lines: &[&str]) -> Vec<u8> {
    head(RESPONSE.iter().chain(lines))
}

/// The base head with the edits of a vector; the bytes before and behind it.
pub(crate) fn edited(base: &[&str], edits: &str) -> Vec<u8> {
    let mut lines: Vec<Vec<u8>> = base.iter().map(|line| line.as_bytes().to_vec()).collect();
    let (mut before, mut behind) = (Vec::new(), Vec::new());
    for edit in edits.split(" && ").filter(|&edit| edit != "none") {
        let (verb, argument) = edit.split_once(' ').unwrap();
        let bytes = unescape(argument);
        let name = argument.split(':').next().unwrap();
        let is_named = |line: &Vec<u8>| {
            let prefix = line.get(..=name.len()).unwrap_or_default();
            prefix.eq_ignore_ascii_case(format!("{name}:").as_bytes())
        };
        match verb {
            "set" => {
                let at = lines.iter().position(is_named).unwrap();
                lines[at] = bytes;
            }
            "add" | "raw" => lines.push(bytes),
            "del" => lines.retain(|line| !is_named(line)),
            "line" | "status" => lines[0] = bytes,
            "pre" => before = bytes,
            "tail" => {
                behind = argument
                    .split(' ')
                    .map(|hex| u8::from_str_radix(hex, 16).unwrap())
                    .collect()
            }
            _ => panic!("unknown edit: {edit}"),
        }
    }
    [before, head(lines), behind].concat()
}

/// The input whole, byte by byte, and cut at every point.
pub(crate) fn cuts(input: &[u8]) -> impl Iterator<Item = Vec<&[u8]>> {
    let in_two = (1..input.len()).map(|at| vec![&input[..at], &input[at..]]);
    [vec![input], input.chunks(1).collect()].into_iter().chain(in_two)
}

/// What a server made of an input.
#[derive(Debug, PartialEq)]
pub(crate) struct Served {
    /// `None`: more bytes are needed. Otherwise the subprotocols offered.
    pub(crate) result: Result<Option<Vec<String>>, RequestError>,
    /// How many bytes belong to the head; 0 if it was not read to its end.
    pub(crate) consumed: usize,
    /// What it wrote.
    pub(crate) output: String,
}

impl Served {
    pub(crate) fn status(&self) -> u16 {
        self.result.as_ref().map_or_else(|error| error.status(), |_| 101)
    }
}

/// Gives a server the pieces, and accepts.
pub(crate) fn serve(mut server: Server, pieces: &[&[u8]]) -> Served {
    let mut outbox = Outbox::new();
    let mut consumed = 0;
    let mut result = Ok(None);
    for piece in pieces {
        let received = match server.receive(piece) {
            Ok(received) => received,
            Err(error) => {
                (result, consumed) = (Err(error), 0);
                break;
            }
        };
        consumed += received.consumed;
        let Some(head) = received.head else {
            assert_eq!(
                received.consumed,
                piece.len(),
                "an unfinished head takes all bytes"
            );
            continue;
        };
        result = head.upgrade().map(|request| {
            request.accept(&Accept::default(), &mut outbox).unwrap();
            Some(request.subprotocols().map(String::from).collect())
        });
        break;
    }
    match result {
        Err(error) => error.refuse(&mut outbox),
        Ok(None) => consumed = 0,
        Ok(Some(_)) => {}
    }
    Served {
        result,
        consumed,
        output: String::from_utf8(outbox.bytes().to_vec()).unwrap(),
    }
}

/// The same with default limits, asserting that no cut changes it.
pub(crate) fn serve_cut(input: &[u8]) -> Served {
    let mut served = cuts(input).map(|pieces| serve(Server::new(HeadLimits::default()), &pieces));
    let first = served.next().unwrap();
    served.for_each(|other| assert_eq!(other, first, "{}", input.escape_ascii()));
    first
}

/// What a client made of an input: `open [chat]`, `http 401 versions 13` or `more`, and the bytes left.
pub(crate) type Asked = Result<(String, Vec<u8>), ResponseError>;

/// A client that has sent the base request with these offers.
pub(crate) fn client(subprotocols: &[&str], extensions: &[&str], limits: HeadLimits) -> Client {
    let url = Url::parse("ws://server.example.com/chat").unwrap();
    let request = ClientRequest {
        subprotocols,
        extensions,
        limits,
        ..ClientRequest::new(url)
    };
    Client::start_with_nonce(&request, NONCE, &mut Outbox::client([7; 16])).unwrap()
}

/// Gives a client the pieces.
pub(crate) fn ask(mut client: Client, pieces: &[&[u8]]) -> Asked {
    for (i, piece) in pieces.iter().enumerate() {
        let reply = client.receive(piece)?;
        let Some(answer) = reply.answer else {
            assert_eq!(reply.consumed, piece.len(), "an unfinished head takes all bytes");
            continue;
        };
        let answer = match answer {
            Answer::Open(opened) => opened
                .subprotocol()
                .map_or("open".into(), |name| format!("open [{name}]")),
            Answer::Refused(head) => {
                let versions: String = head.versions().map(|version| format!(" {version}")).collect();
                let label = if versions.is_empty() { "" } else { " versions" };
                format!("http {}{label}{versions}", head.status())
            }
        };
        let left = [&piece[reply.consumed..], &pieces[i + 1..].concat()].concat();
        return Ok((answer, left));
    }
    Ok(("more".into(), Vec::new()))
}

/// The same with default limits, asserting that no cut changes it.
pub(crate) fn ask_cut(subprotocols: &[&str], extensions: &[&str], input: &[u8]) -> Asked {
    let start = || client(subprotocols, extensions, HeadLimits::default());
    let mut asked = cuts(input).map(|pieces| ask(start(), &pieces));
    let first = asked.next().unwrap();
    asked.for_each(|other| assert_eq!(other, first, "{}", input.escape_ascii()));
    first
}

/// The input with bytes replaced (0), inserted (1) and removed (2).
pub(crate) fn mutated(mut input: Vec<u8>, edits: &[(proptest::sample::Index, i32, u8)]) -> Vec<u8> {
    // Bytes that mean something in a head are worth more than any others.
    const SPECIAL: &[u8; 16] = b"\r\n :,\t;=\"\\\0#/1?x";
    for &(at, what, byte) in edits {
        let byte = if byte < 0xc0 {
            SPECIAL[usize::from(byte) % 16]
        } else {
            byte << 2
        };
        let at = at.index(input.len());
        match what {
            0 => input[at] = byte,
            1 => input.insert(at, byte),
            _ => drop(input.remove(at)),
        }
    }
    input
}
