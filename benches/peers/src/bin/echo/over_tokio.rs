//! Peers for tokio, and this crate on tokio: a task for each connection.

use std::cell::RefCell;
use std::future::Future;
use std::io::{ErrorKind, IoSlice};

use futures_util::{SinkExt, StreamExt};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::spawn_local;
use tokio_util::compat::TokioAsyncReadCompatExt;
use ws_proto::handshake::{Accept, HeadLimits, Server};
use ws_proto::{Config, Connection, Event, Inbox, Input, Outbox, Role};

use crate::{LIMIT_BYTES, Result, over_hyper};

/// Accepts connections for ever.
pub async fn serve(peer: &str, listener: TcpListener) -> Result<()> {
    match peer {
        "ws-proto-tokio" => each(listener, ws_proto).await,
        "tokio-websockets" => each(listener, tokio_websockets).await,
        "fastwebsockets" => each(listener, over_hyper::fastwebsockets).await,
        "soketto" => each(listener, soketto).await,
        "yawc" => each(listener, over_hyper::yawc).await,
        "sockudo-ws" => each(listener, sockudo_ws).await,
        "wtx" => each(listener, wtx).await,
        other => Err(format!("no echo server on {other}").into()),
    }
}

async fn each<F: Future<Output = Result<()>> + 'static>(
    listener: TcpListener,
    echo: impl Fn(TcpStream) -> F,
) -> Result<()> {
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let connection = echo(stream);
        // How a connection ends is nobody's concern here.
        spawn_local(async { drop(connection.await) });
    }
}

/// Bytes from which on a message goes out by itself, as from `examples/echo_server`.
const LONG_BYTES: usize = 16 << 10;

thread_local! {
    /// What all connections read into.
    static BUFFER: RefCell<Vec<u8>> = RefCell::new(vec![0; 64 << 10]);
}

async fn ws_proto(mut stream: TcpStream) -> Result<()> {
    let (mut inbox, mut outbox) = (Inbox::new(), Outbox::new());
    let mut handshake = Server::new(HeadLimits::default());
    let mut open = None;
    loop {
        stream.readable().await?;
        BUFFER.with_borrow_mut(|buffer| -> Result<()> {
            let n = match stream.try_read(buffer) {
                Ok(0) => return Err("the end".into()),
                Ok(n) => n,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error.into()),
            };
            let Some(connection) = &mut open else {
                if let Some(head) = handshake.receive(&buffer[..n])?.head {
                    head.upgrade()?.accept(&Accept::default(), &mut outbox)?;
                    open = Some(Connection::new(Role::Server, &Config::default()));
                }
                return Ok(());
            };
            let mut input = Input::new(&mut buffer[..n], &mut inbox);
            while connection.receive(&mut input, &mut outbox)? {
                match input.event() {
                    Event::Text(text) if text.len() >= LONG_BYTES => {
                        let header = connection.send_text_header(text, &mut outbox)?;
                        write_message(&stream, &mut outbox, [&header, text.as_bytes()])?;
                    }
                    Event::Binary(data) if data.len() >= LONG_BYTES => {
                        let header = connection.send_binary_header(data, &mut outbox)?;
                        write_message(&stream, &mut outbox, [&header, data])?;
                    }
                    Event::Text(text) => connection.send_text(text, &mut outbox)?,
                    Event::Binary(data) => connection.send_binary(data, &mut outbox)?,
                    Event::Close(_) | Event::Ping(_) | Event::Pong(_) => {}
                }
            }
            Ok(())
        })?;
        while !outbox.is_empty() {
            let n = stream.write(outbox.bytes()).await?;
            outbox.consume(n);
        }
    }
}

/// Writes what waits, and a message from where it lies behind that. What the transport does not take of it waits, too.
fn write_message(stream: &TcpStream, outbox: &mut Outbox, message: [&[u8]; 2]) -> Result<()> {
    let slices = [outbox.bytes(), message[0], message[1]];
    let n = match stream.try_write_vectored(&slices.map(IoSlice::new)) {
        Ok(n) => n,
        Err(error) if error.kind() == ErrorKind::WouldBlock => 0,
        Err(error) => return Err(error.into()),
    };
    outbox.consume_with(n, &message)?;
    Ok(())
}

async fn tokio_websockets(stream: TcpStream) -> Result<()> {
    let (_, mut socket) = tokio_websockets::ServerBuilder::new().accept(stream).await?;
    while let Some(message) = socket.next().await {
        let message = message?;
        if message.is_text() || message.is_binary() {
            socket.send(message).await?;
        }
    }
    Ok(())
}

async fn soketto(stream: TcpStream) -> Result<()> {
    use soketto::handshake::Server;
    use soketto::handshake::server::Response;

    let mut server = Server::new(stream.compat());
    let key = server.receive_request().await?.key();
    server
        .send_response(&Response::Accept { key, protocol: None })
        .await?;
    let (mut sender, mut receiver) = server.into_builder().finish();
    let mut message = Vec::new();
    loop {
        message.clear();
        if receiver.receive_data(&mut message).await?.is_text() {
            sender.send_text(str::from_utf8(&message)?).await?;
        } else {
            sender.send_binary(&message).await?;
        }
        sender.flush().await?;
    }
}

async fn sockudo_ws(mut stream: TcpStream) -> Result<()> {
    use sockudo_ws::{Config, WebSocketStream, handshake};

    handshake::server_handshake(&mut stream).await?;
    let limits = Config::builder()
        .max_frame_size(LIMIT_BYTES)
        .max_message_size(LIMIT_BYTES);
    let mut socket = WebSocketStream::server(stream, limits.build());
    while let Some(message) = socket.next().await {
        let message = message?;
        if message.is_text() || message.is_binary() {
            socket.send(message).await?;
        }
    }
    Ok(())
}

async fn wtx(stream: TcpStream) -> Result<()> {
    use wtx::collections::Vector;
    use wtx::rng::ChaCha20;
    use wtx::tls::{TlsAcceptor, TlsConfig};
    use wtx::web_socket::{Frame, OpCode, WebSocketAcceptor, WebSocketPayloadOrigin};

    // Without TLS nothing is drawn of the generator.
    let tls = TlsAcceptor::new(TlsConfig::plaintext(), ChaCha20::from_key([7; 32]), stream);
    let mut socket = WebSocketAcceptor::default()
        .accept(tls)
        .await
        .map_err(|error: wtx::Error| error)?;
    let mut message = Vector::new();
    loop {
        let frame = socket
            .read_frame(&mut message, WebSocketPayloadOrigin::Consistent)
            .await?;
        let opcode = frame.op_code();
        if matches!(opcode, OpCode::Text | OpCode::Binary) {
            let mut answer = Frame::new_fin(opcode, &mut message[..])?;
            socket.write_frame(&mut answer).await?;
        }
    }
}
