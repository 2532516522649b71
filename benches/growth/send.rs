//! A connection and its outbox.

use ws_proto::{Config, Connection, MessageKind, Outbox, Prepared, Role, SendError};

use super::workload::{self, Content};
use super::{Job, Path, path};

type Sent = Result<(), SendError>;

pub(crate) const PATHS: &[Path] = &[
    path("send: messages, masked, 8 B, none taken", 4000, |n| {
        messages(Role::Client, 8, n)
    }),
    path("send: messages, unmasked, 125 B, none taken", 4000, |n| {
        messages(Role::Server, 125, n)
    }),
    path("send: bytes of a message, masked", 96 << 10, |n| {
        message(Role::Client, n)
    }),
    path("send: bytes of a message, unmasked", 64 << 10, |n| {
        message(Role::Server, n)
    }),
    path("send: bytes of a message, masked in place", 320 << 10, |n| {
        let mut payload = Content::Binary.payload(n);
        let (mut connection, mut outbox) = open(Role::Client);
        Box::new(move || {
            connection
                .send_header(MessageKind::Binary, &mut payload, &mut outbox)
                .is_ok_and(|header| header.len() == 14)
        })
    }),
    path("send: fragments of a text", 2000, |n| {
        let text = Content::Mixed.payload(13 * n);
        sends(Role::Client, 13 * n, move |connection, outbox| {
            connection.begin_message(MessageKind::Text, b"", outbox)?;
            text.chunks(13)
                .try_for_each(|piece| connection.continue_message(piece, outbox))?;
            connection.finish_message(b"", outbox)
        })
    }),
    path("send: pieces of one frame of text", 2000, |n| {
        let text = Content::Mixed.payload(13 * n);
        sends(Role::Server, 13 * n, move |connection, outbox| {
            connection.begin_frame(MessageKind::Text, text.len() as u64, outbox)?;
            text.chunks(13)
                .try_for_each(|piece| connection.continue_frame(piece, outbox))
        })
    }),
    path("send: Pings, none taken", 2000, |n| {
        sends(Role::Client, 8 * n, move |connection, outbox| {
            (0..n).try_for_each(|_| connection.ping(b"8 octets", outbox))
        })
    }),
    path("send: prepared messages, copied", 2000, |n| {
        let message = Prepared::text("Hello");
        sends(Role::Server, 5 * n, move |connection, outbox| {
            (0..n).try_for_each(|_| connection.send_prepared(&message, outbox))
        })
    }),
    path("send: prepared messages, shared", 4000, |n| {
        let message = Prepared::text("Hello");
        let (mut connection, mut outbox) = open(Role::Server);
        Box::new(move || {
            (0..n).all(|_| {
                let shared = connection.share_prepared(&message, &mut outbox);
                shared.is_ok_and(|frame| frame.len() == 7)
            })
        })
    }),
    path("outbox: bytes that wait, taken 7 at a time", 64 << 10, |n| {
        let (_, mut outbox) = with_backlog(n);
        let writes = outbox.len().div_ceil(7);
        Box::new(move || {
            let mut written = 0;
            while !outbox.is_empty() {
                outbox.consume(7);
                written += 1;
            }
            written == writes
        })
    }),
    path(
        "outbox: bytes that wait, while eight times as many go through",
        32 << 10,
        |n| {
            let (mut connection, mut outbox) = with_backlog(n);
            let before = outbox.len();
            Box::new(move || {
                for _ in 0..8 * n / 128 {
                    if connection.send_binary(&[1; 126], &mut outbox).is_err() {
                        return false;
                    }
                    outbox.consume(130);
                }
                outbox.len() == before
            })
        },
    ),
    path("outbox: bytes that a write did not take", 128 << 10, |n| {
        let payload = Content::Binary.payload(n);
        let (mut connection, mut outbox) = open(Role::Server);
        Box::new(move || {
            let Ok(header) = connection.send_binary_header(&payload, &mut outbox) else {
                return false;
            };
            let kept = outbox.consume_with(1000, &[&header, &payload]);
            let waits = header.len() + n - 1000;
            kept.is_ok() && outbox.len() == waits && {
                outbox.consume(waits);
                true
            }
        })
    }),
    path("outbox: bytes that wait, handed over", 64 << 10, |n| {
        let (_, mut outbox) = with_backlog(n);
        Box::new(move || {
            let taken = outbox.take_all();
            Outbox::new().resume(&taken).is_ok() && taken.len() >= n
        })
    }),
];

fn open(role: Role) -> (Connection, Outbox) {
    let mut outbox = workload::outbox(role);
    outbox.set_max_bytes(u32::MAX);
    (Connection::new(role, &Config::default()), outbox)
}

/// So many bytes wait behind it, and their headers.
fn sends(
    role: Role,
    bytes: usize,
    mut send: impl FnMut(&mut Connection, &mut Outbox) -> Sent + 'static,
) -> Job {
    let (mut connection, mut outbox) = open(role);
    Box::new(move || {
        send(&mut connection, &mut outbox).is_ok() && (bytes..=2 * bytes).contains(&outbox.len())
    })
}

fn messages(role: Role, len: usize, n: usize) -> Job {
    let payload = Content::Binary.payload(len);
    sends(role, n * len, move |connection, outbox| {
        (0..n).try_for_each(|_| connection.send_binary(&payload, outbox))
    })
}

/// One message, for which there is memory.
fn message(role: Role, len: usize) -> Job {
    let payload = Content::Binary.payload(len);
    let (mut connection, mut outbox) = open(role);
    let is_warm = connection.send_binary(&payload, &mut outbox).is_ok();
    outbox.consume(usize::MAX);
    Box::new(move || {
        is_warm && connection.send_binary(&payload, &mut outbox).is_ok() && outbox.len() > payload.len()
    })
}

/// So many bytes, or a few more, wait.
fn with_backlog(n: usize) -> (Connection, Outbox) {
    let (mut connection, mut outbox) = open(Role::Server);
    while outbox.len() < n && connection.send_binary(&[0; 126], &mut outbox).is_ok() {}
    (connection, outbox)
}
