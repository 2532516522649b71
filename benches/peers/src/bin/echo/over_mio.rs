//! tungstenite on mio.

use std::io::ErrorKind;
use std::net::TcpListener;

use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};
use tungstenite::handshake::HandshakeError;
use tungstenite::handshake::MidHandshake;
use tungstenite::handshake::server::{NoCallback, ServerHandshake};
use tungstenite::{Error, Message, WebSocket};

use crate::Result;

enum Peer {
    Opening(MidHandshake<ServerHandshake<TcpStream, NoCallback>>),
    Open(WebSocket<TcpStream>),
}

const LISTENER: Token = Token(usize::MAX);

/// Accepts connections for ever.
pub fn serve(listener: TcpListener) -> Result<()> {
    let mut listener = mio::net::TcpListener::from_std(listener);
    let (mut poll, mut events) = (Poll::new()?, Events::with_capacity(1024));
    poll.registry()
        .register(&mut listener, LISTENER, Interest::READABLE)?;
    let mut peers: Vec<Option<Peer>> = Vec::new();
    loop {
        poll.poll(&mut events, None)?;
        for event in &events {
            if event.token() != LISTENER {
                let place = &mut peers[event.token().0];
                *place = place.take().and_then(step);
                continue;
            }
            while let Ok((mut stream, _)) = listener.accept() {
                stream.set_nodelay(true)?;
                let interest = Interest::READABLE | Interest::WRITABLE;
                poll.registry()
                    .register(&mut stream, Token(peers.len()), interest)?;
                peers.push(opened(tungstenite::accept(stream)));
            }
        }
    }
}

type Opened =
    std::result::Result<WebSocket<TcpStream>, HandshakeError<ServerHandshake<TcpStream, NoCallback>>>;

fn opened(opened: Opened) -> Option<Peer> {
    match opened {
        Ok(socket) => Some(Peer::Open(socket)),
        Err(HandshakeError::Interrupted(handshake)) => Some(Peer::Opening(handshake)),
        Err(HandshakeError::Failure(_)) => None,
    }
}

/// Goes on as far as the transport lets it; `None` at its end.
fn step(peer: Peer) -> Option<Peer> {
    let mut socket = match peer {
        Peer::Opening(handshake) => match opened(handshake.handshake())? {
            Peer::Open(socket) => socket,
            opening => return Some(opening),
        },
        Peer::Open(socket) => socket,
    };
    if !is_going_on(socket.flush()) {
        return None;
    }
    loop {
        match socket.read() {
            Ok(message @ (Message::Text(_) | Message::Binary(_))) => {
                if !is_going_on(socket.send(message)) {
                    return None;
                }
            }
            Ok(_) => {}
            error => return is_going_on(error.map(drop)).then_some(Peer::Open(socket)),
        }
    }
}

/// Whether this went well, or only has to wait for the transport.
fn is_going_on(result: tungstenite::Result<()>) -> bool {
    match result {
        Ok(()) => true,
        Err(Error::Io(error)) => error.kind() == ErrorKind::WouldBlock,
        Err(_) => false,
    }
}
