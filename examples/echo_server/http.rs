//! What is answered to a request: an upgrade at any path, the page at `/`, and 404 elsewhere.

use ws_proto::Outbox;
use ws_proto::deflate::Parameters;
use ws_proto::handshake::{Accept, AnswerError, Field, Request, RequestError, RequestHead, Response};

/// Everything on one page, for the file to be opened by one request.
const PAGE: &str = include_str!("page.html");

/// The page loads nothing, and talks to this server alone.
const POLICY: &str = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:; \
    connect-src 'self' ws:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Longest id of a connection that is watched, in bytes.
const MAX_ID_BYTES: usize = 64;

/// What a request was answered with; it is in the outbox.
pub(crate) enum Answer<'a> {
    /// 101. Messages are to be sent back, compressed if that was agreed; by the id, others may watch.
    Echo {
        id: Option<&'a str>,
        deflate: Option<Parameters>,
    },
    /// 101. The frames of the connection with this id are to be shown.
    Watch { id: &'a str },
    /// A response with this status, which is all.
    Response(u16),
}

/// Answers a request; `full`: there are as many connections as may be; `deflate`: what compression is to be like.
/// Errors mean that this file asks for what may not be written.
pub(crate) fn answer<'a>(
    head: &RequestHead<'a>,
    full: bool,
    deflate: Option<&Parameters>,
    outbox: &mut Outbox,
) -> Result<Answer<'a>, AnswerError> {
    match head.upgrade() {
        Ok(request) if full => reject(&request, 503, &[Field::new("Retry-After", "10")], outbox),
        Ok(request) => upgrade(&request, deflate, outbox),
        // Not a request for WebSocket, or not one that HTTP lets upgrade.
        Err(RequestError::NotWebSocket | RequestError::MethodNotGet | RequestError::Http10)
            if matches!(head.method(), "GET" | "HEAD") =>
        {
            // RFC 9112 §3.2: one line of Host, but from HTTP/1.0. What was not looked at for WebSocket is looked at here.
            if head.minor_version() > 0 && head.fields().all("Host").count() != 1 {
                let (status, fields, body) = (400, &[], b""); // none, since it may answer a HEAD
                Response { status, fields, body }.write(outbox)?;
                return Ok(Answer::Response(status));
            }
            document(head, outbox)
        }
        Err(error) => {
            error.refuse(outbox);
            Ok(Answer::Response(error.status()))
        }
    }
}

fn upgrade<'a>(
    request: &Request<'a>,
    deflate: Option<&Parameters>,
    outbox: &mut Outbox,
) -> Result<Answer<'a>, AnswerError> {
    let id = request
        .query()
        .and_then(|query| query.strip_prefix("id="))
        .filter(|id| id.len() <= MAX_ID_BYTES);
    let answer = match (request.path(), id) {
        ("/tap", Some(id)) => Answer::Watch { id },
        (path, id) => Answer::Echo {
            id: id.filter(|_| path == "/echo"),
            deflate: deflate.and_then(|policy| request.deflate(policy)),
        },
    };
    // An echo is no secret. What a connection carries is: pages of other sites may not watch (RFC 6455 §10.2).
    let foreign = request.origin().is_some() && !request.is_same_origin(false);
    if foreign && matches!(answer, Answer::Watch { .. }) {
        return reject(request, 403, &[], outbox);
    }
    let agreed = match &answer {
        Answer::Echo { deflate, .. } => deflate.map(|agreed| agreed.answer()),
        Answer::Watch { .. } | Answer::Response(_) => None,
    };
    let agreed = agreed.as_deref();
    let accept = Accept {
        extensions: agreed.as_slice(),
        ..Accept::default()
    };
    request.accept(&accept, outbox)?;
    Ok(answer)
}

fn reject(
    request: &Request<'_>,
    status: u16,
    fields: &[Field<'_>],
    outbox: &mut Outbox,
) -> Result<Answer<'static>, AnswerError> {
    let body = b"";
    request.reject(&Response { status, fields, body }, outbox)?;
    Ok(Answer::Response(status))
}

fn document(head: &RequestHead<'_>, outbox: &mut Outbox) -> Result<Answer<'static>, AnswerError> {
    let (status, kind, body) = match head.path() {
        "/" => (200, "text/html; charset=utf-8", PAGE),
        _ => (
            404,
            "text/plain; charset=utf-8",
            "The page is at /; WebSocket connections are taken at any path.\n",
        ),
    };
    let fields = [
        Field::new("Content-Type", kind),
        Field::new("Content-Security-Policy", POLICY),
        Field::new("X-Content-Type-Options", "nosniff"),
        Field::new("Referrer-Policy", "no-referrer"),
        Field::new("Cache-Control", "no-store"),
    ];
    let response = Response {
        status,
        fields: &fields,
        body: body.as_bytes(),
    };
    match head.method() {
        "HEAD" => response.write_head(outbox)?,
        _ => response.write(outbox)?,
    }
    Ok(Answer::Response(status))
}
