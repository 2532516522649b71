//! The head of an HTTP message, byte by byte: where it ends, or which byte makes it impossible (RFC 9112 §2 to §5).
//!
//! ```text
//! request   Start ─ Method ─ Target ─ Version ─┐
//!             └ CR LF ┘                        ├ StartLineEnd ─ LineStart ─ HeadEnd ─ Done
//! response  Version ─ Status ─ Reason ─────────┘                └ Name ─ Value ─ LineEnd ┘
//! ```
//!
//! Every byte is looked at once, whatever pieces it comes in, so the work is linear and the result does not depend
//! on the pieces. A head that lies whole in the caller's bytes is not copied.

use alloc::vec::Vec;

use super::known::TARGET;
use crate::syntax::{TOKEN, is_value_byte};

/// Limits of an HTTP head and what is read around it. A breach ends the opening handshake: a server answers it with the status that is
/// told here, a client closes the transport.
///
/// ```
/// use ws_proto::handshake::{HeadLimits, Server};
///
/// let mut limits = HeadLimits::default();
/// limits.max_head_bytes = 4096;
/// let server = Server::new(limits);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct HeadLimits {
    /// Bytes of a head with its empty line, and with empty lines before it. 16 KiB by default; a server answers more
    /// with 431, or with 414 if the head ends within the target. A client: [`ResponseError::HeadTooLarge`](super::ResponseError::HeadTooLarge).
    pub max_head_bytes: u32,
    /// Bytes of a request's target. 8 KiB by default; a server answers more with 414. Not for clients.
    pub max_target_bytes: u32,
    /// Field lines of a head. 100 by default; a server answers more with 431. A client: [`ResponseError::TooManyFields`](super::ResponseError::TooManyFields).
    pub max_fields: u32,
    /// Bytes of one field line without its CR LF; in a response, with the lines folded to it. 8 KiB by default; a
    /// server answers more with 431. A client: [`ResponseError::FieldTooLarge`](super::ResponseError::FieldTooLarge).
    pub max_field_bytes: u32,
    /// Empty lines before a request, which RFC 9112 §2.2 asks servers to skip. 2 by default; more are answered
    /// with 400. Not for clients.
    pub max_empty_lines: u32,
    /// Responses of the class 1xx before the one that counts, which a client skips (RFC 9110 §15.2). 8 by default. More:
    /// [`ResponseError::TooManyInformational`](super::ResponseError::TooManyInformational). Not for servers.
    pub max_informational_responses: u32,
}

impl Default for HeadLimits {
    fn default() -> Self {
        Self {
            max_head_bytes: 16 << 10,
            max_target_bytes: 8 << 10,
            max_fields: 100,
            max_field_bytes: 8 << 10,
            max_empty_lines: 2,
            max_informational_responses: 8,
        }
    }
}

/// Which message a head begins.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    Request,
    Response,
}

/// Why a head is refused before it is complete.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum HeadError {
    StartLine,
    FieldLine,
    EmptyLines,
    TargetTooLong,
    HeadTooLarge,
    FieldTooLarge,
    TooManyFields,
    /// The major version is not 1. Told when the head is complete, because every other error comes first.
    Version,
}

/// Reads heads, and keeps the bytes of one that comes in pieces.
#[derive(Debug)]
pub(super) struct HeadReader {
    limits: HeadLimits,
    scanner: Scanner,
    /// What was read of the head before the present call; of a complete one, all of it or nothing.
    buffer: Vec<u8>,
    failed: Option<HeadError>,
}

impl HeadReader {
    pub(super) const fn new(kind: Kind, limits: HeadLimits) -> Self {
        Self {
            limits,
            scanner: Scanner::new(kind),
            buffer: Vec::new(),
            failed: None,
        }
    }

    /// Whether no byte of the next head was read yet.
    pub(super) fn is_at_start(&self) -> bool {
        self.failed.is_none() && (self.scanner.head_bytes == 0 || self.scanner.state == State::Done)
    }

    /// Reads on. `Some(n)`: the head is complete, and the first `n` of these bytes belong to it; `None`: all do, and
    /// more are needed. After a complete head the next one begins; after an error it stays with the error.
    pub(super) fn read(&mut self, bytes: &[u8]) -> Result<Option<usize>, HeadError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        if self.scanner.state == State::Done {
            self.scanner = Scanner::new(self.scanner.kind);
            self.forget();
        }
        let end = self
            .scanner
            .scan(bytes, &self.limits)
            .inspect_err(|&error| self.failed = Some(error))?;
        let whole = end.is_some() && self.buffer.is_empty();
        if !whole || self.scanner.folded {
            self.keep(&bytes[..end.unwrap_or(bytes.len())]);
        }
        if end.is_some() && self.scanner.folded {
            unfold(&mut self.buffer);
        }
        Ok(end)
    }

    /// Forgets the head before, as the next one begins.
    #[inline]
    pub(super) fn forget(&mut self) {
        self.buffer = Vec::new();
    }

    /// The head that `read` found complete, whose last `n` bytes begin `bytes`.
    pub(super) fn head<'r>(&'r self, bytes: &'r [u8], n: usize) -> &'r [u8] {
        if self.buffer.is_empty() {
            &bytes[..n]
        } else {
            &self.buffer
        }
    }

    /// Appends to the buffer, whose memory grows with what was received and not beyond the limit.
    fn keep(&mut self, bytes: &[u8]) {
        let needed = self.buffer.len() + bytes.len();
        if needed > self.buffer.capacity() {
            let limit = usize::try_from(self.limits.max_head_bytes).unwrap_or(usize::MAX);
            let wanted = (2 * needed).min(limit).max(needed);
            self.buffer.reserve_exact(wanted - self.buffer.len());
        }
        self.buffer.extend_from_slice(bytes);
    }
}

/// The start line of a head that the scanner found well-formed, and its field lines, each with its CR LF.
pub(super) fn split(head: &[u8]) -> Option<(&[u8], &[u8])> {
    let line_end = head.iter().position(|&byte| byte == b'\r')?;
    Some((&head[..line_end], &head[line_end + 2..head.len() - 2]))
}

/// Reads each fold as spaces (RFC 9112 §5.2: "one or more SP octets").
fn unfold(head: &mut [u8]) {
    for i in 2..head.len() {
        if matches!(head[i - 2..=i], [b'\r', b'\n', b' ' | b'\t']) {
            head[i - 2..i].fill(b' ');
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    Start,
    EmptyLine,
    Method,
    TargetStart,
    Target,
    /// So many of the eight bytes of `HTTP/1.1` were read.
    Version(u8),
    /// So many of the three digits were read.
    Status(u8),
    Reason,
    StartLineEnd,
    LineStart,
    Name,
    Value,
    LineEnd,
    HeadEnd,
    Done,
}

/// The state machine: it knows what may come next, and how much of everything there was.
#[derive(Debug)]
struct Scanner {
    kind: Kind,
    state: State,
    head_bytes: u32,
    target_bytes: u32,
    line_bytes: u32,
    empty_lines: u32,
    fields: u32,
    folded: bool,
    major_is_1: bool,
}

impl Scanner {
    const fn new(kind: Kind) -> Self {
        Self {
            kind,
            state: match kind {
                Kind::Request => State::Start,
                Kind::Response => State::Version(0),
            },
            head_bytes: 0,
            target_bytes: 0,
            line_bytes: 0,
            empty_lines: 0,
            fields: 0,
            folded: false,
            major_is_1: false,
        }
    }

    /// Reads bytes up to the end of the head; how many, if it is among them.
    fn scan(&mut self, bytes: &[u8], limits: &HeadLimits) -> Result<Option<usize>, HeadError> {
        let mut at = 0;
        loop {
            at += self.skip(&bytes[at..], limits);
            let Some(&byte) = bytes.get(at) else {
                return Ok(None);
            };
            at += 1;
            self.head_bytes = self.head_bytes.saturating_add(1);
            if self.head_bytes > limits.max_head_bytes {
                return Err(match self.state {
                    State::Target => HeadError::TargetTooLong,
                    _ => HeadError::HeadTooLarge,
                });
            }
            let next = self.next(byte).ok_or(self.malformed())?;
            self.count(next, limits)?;
            if next == State::Version(6) {
                self.major_is_1 = byte == b'1';
            }
            self.state = next;
            if next == State::Done {
                return if self.major_is_1 {
                    Ok(Some(at))
                } else {
                    Err(HeadError::Version)
                };
            }
        }
    }

    /// Reads as many bytes of a field's name or value as change nothing but counts, and these within the limits.
    fn skip(&mut self, bytes: &[u8], limits: &HeadLimits) -> usize {
        let left = |limit: u32, count: u32| limit.saturating_sub(count);
        let most =
            left(limits.max_head_bytes, self.head_bytes).min(left(limits.max_field_bytes, self.line_bytes));
        let bytes = &bytes[..bytes.len().min(most as usize)];
        let n = match self.state {
            State::Name => TOKEN.span(bytes),
            State::Value => bytes.iter().take_while(|&&byte| is_value_byte(byte)).count(),
            _ => 0,
        };
        self.head_bytes += n as u32;
        self.line_bytes += n as u32;
        n
    }

    /// Where `byte` leads, if it may stand here.
    fn next(&self, byte: u8) -> Option<State> {
        let request = self.kind == Kind::Request;
        Some(match self.state {
            State::Start if byte == b'\r' => State::EmptyLine,
            State::Start | State::Method if TOKEN.has(byte) => State::Method,
            State::EmptyLine if byte == b'\n' => State::Start,
            State::Method if byte == b' ' => State::TargetStart,
            State::TargetStart | State::Target if TARGET.has(byte) => State::Target,
            State::Target if byte == b' ' => State::Version(0),
            State::Version(at @ (5 | 7)) if byte.is_ascii_digit() => State::Version(at + 1),
            State::Version(at @ (0..5 | 6)) if byte == b"HTTP/1."[usize::from(at)] => State::Version(at + 1),
            State::Version(8) if request && byte == b'\r' => State::StartLineEnd,
            State::Version(8) if !request && byte == b' ' => State::Status(0),
            // RFC 9110 §15: the first digit is the class of the response.
            State::Status(0) if matches!(byte, b'1'..=b'9') => State::Status(1),
            State::Status(at @ (1 | 2)) if byte.is_ascii_digit() => State::Status(at + 1),
            State::Status(3) if byte == b' ' => State::Reason,
            State::Status(3) | State::Reason if byte == b'\r' => State::StartLineEnd,
            State::Reason if is_value_byte(byte) => State::Reason,
            State::StartLineEnd | State::LineEnd if byte == b'\n' => State::LineStart,
            State::LineStart if byte == b'\r' => State::HeadEnd,
            // RFC 9112 §5.2: a client unfolds. §2.2: nothing but a field line may follow the start line.
            State::LineStart if !request && self.fields > 0 && matches!(byte, b' ' | b'\t') => State::Value,
            State::LineStart | State::Name if TOKEN.has(byte) => State::Name,
            State::Name if byte == b':' => State::Value,
            State::Value if is_value_byte(byte) => State::Value,
            State::Value if byte == b'\r' => State::LineEnd,
            State::HeadEnd if byte == b'\n' => State::Done,
            _ => return None,
        })
    }

    /// Counts the byte that leads to `next` where it belongs.
    fn count(&mut self, next: State, limits: &HeadLimits) -> Result<(), HeadError> {
        let (counter, limit, error) = match (self.state, next) {
            (State::EmptyLine, _) => (
                &mut self.empty_lines,
                limits.max_empty_lines,
                HeadError::EmptyLines,
            ),
            (_, State::Target) => (
                &mut self.target_bytes,
                limits.max_target_bytes,
                HeadError::TargetTooLong,
            ),
            (State::LineStart, State::Name) => {
                self.line_bytes = 1;
                (&mut self.fields, limits.max_fields, HeadError::TooManyFields)
            }
            (_, State::Name | State::Value) => {
                self.folded |= self.state == State::LineStart;
                (
                    &mut self.line_bytes,
                    limits.max_field_bytes,
                    HeadError::FieldTooLarge,
                )
            }
            _ => return Ok(()),
        };
        *counter = counter.saturating_add(1);
        if *counter > limit { Err(error) } else { Ok(()) }
    }

    const fn malformed(&self) -> HeadError {
        match self.state {
            State::LineStart | State::Name | State::Value | State::LineEnd | State::HeadEnd => {
                HeadError::FieldLine
            }
            _ => HeadError::StartLine,
        }
    }
}
