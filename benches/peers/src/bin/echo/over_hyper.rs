//! Peers that take a connection over from hyper.

use std::convert::Infallible;
use std::future::Future;

use futures_util::{SinkExt, StreamExt};
use hyper::body::{Body, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::task::spawn_local;

use crate::{LIMIT_BYTES, Result};

/// Answers one request, and has the connection afterwards.
async fn upgrade<B, F>(
    stream: TcpStream,
    answer: impl Fn(Request<Incoming>) -> (Response<B>, F),
) -> Result<()>
where
    B: Body<Data: Send, Error: std::error::Error + Send + Sync> + 'static,
    F: Future<Output = Result<()>> + 'static,
{
    let service = service_fn(|request| {
        let (response, connection) = answer(request);
        spawn_local(async { drop(connection.await) });
        async { Ok::<_, Infallible>(response) }
    });
    let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    Ok(connection.with_upgrades().await?)
}

pub async fn fastwebsockets(stream: TcpStream) -> Result<()> {
    use fastwebsockets::{FragmentCollector, OpCode, upgrade::upgrade as accept};

    upgrade(stream, |mut request| {
        let (response, socket) = accept(&mut request).expect("an upgrade");
        let connection = async {
            let mut socket = FragmentCollector::new(socket.await?);
            loop {
                let frame = socket.read_frame().await?;
                match frame.opcode {
                    OpCode::Text | OpCode::Binary => socket.write_frame(frame).await?,
                    OpCode::Close => return Ok(()),
                    _ => {}
                }
            }
        };
        (response, connection)
    })
    .await
}

pub async fn yawc(stream: TcpStream) -> Result<()> {
    use yawc::{OpCode, Options, WebSocket};

    upgrade(stream, |mut request| {
        let options = Options::default()
            .with_limits(LIMIT_BYTES, LIMIT_BYTES)
            .with_utf8();
        let (response, socket) = WebSocket::upgrade_with_options(&mut request, options).expect("an upgrade");
        let connection = async {
            let mut socket = socket.await?;
            while let Some(frame) = socket.next().await {
                if matches!(frame.opcode(), OpCode::Text | OpCode::Binary) {
                    socket.send(frame).await?;
                }
            }
            Ok(())
        };
        (response, connection)
    })
    .await
}
