//! A tap beside a connection: splits a copy of its bytes into frames and describes each one as JSON.
//!
//! A connection that nobody watches has no tap; then all this costs is to see that there is none.

use std::fmt::Write as _;

use mio::Token;
use ws_proto::frame::{Decoder, Header, Part, Rsv, Rules};
use ws_proto::mask::MaskingKey;
use ws_proto::{Role, Violation};

use crate::options::Options;
use crate::sizes::Sizes;

/// Payload bytes that a report shows.
const FIRST_BYTES: usize = 32;

/// Reports held until they are passed on; what is above is counted and left out.
const MAX_REPORTS: usize = 512;

/// Both directions of a watched connection.
pub(crate) struct Tap {
    /// The connection that gets the reports.
    pub(crate) watcher: Token,
    incoming: Direction,
    outgoing: Direction,
    /// Bytes still to go out before the first frame.
    preamble: usize,
    reports: Reports,
}

/// One direction: its frames, and the one that is passing.
struct Direction {
    name: &'static str,
    decoder: Decoder,
    header: Option<Header>,
    first: Vec<u8>,
    /// There if messages may be compressed.
    sizes: Option<Sizes>,
}

/// Frames described, as JSON.
#[derive(Default)]
struct Reports {
    lines: Vec<String>,
    /// How many were left out.
    dropped: u64,
}

impl Tap {
    /// A tap on a connection that has not carried any frame yet: `preamble` bytes go out first; messages may be
    /// `compressed`.
    pub(crate) fn new(watcher: Token, options: &Options, compressed: bool, preamble: usize) -> Self {
        let mut received = Rules::new(Role::Server);
        received.max_frame_bytes = options.max_message_bytes.into();
        let mut sent = Rules::new(Role::Client);
        sent.max_frame_bytes = u64::MAX;
        if compressed {
            received.message_bits = Rsv::RSV1;
            // What does not compress grows a little. The connection knows how much is too much.
            received.max_frame_bytes *= 2;
            sent.message_bits = Rsv::RSV1;
        }
        Self {
            watcher,
            incoming: Direction::new("in", received, compressed),
            outgoing: Direction::new("out", sent, compressed),
            preamble,
            reports: Reports::default(),
        }
    }

    /// Looks at bytes as they came from the peer, still masked.
    pub(crate) fn incoming(&mut self, bytes: &[u8]) {
        self.incoming.look(bytes, &mut self.reports);
    }

    /// Looks at bytes as they went to the peer.
    pub(crate) fn outgoing(&mut self, bytes: &[u8]) {
        let skipped = self.preamble.min(bytes.len());
        self.preamble -= skipped;
        self.outgoing.look(&bytes[skipped..], &mut self.reports);
    }

    /// A message of so many bytes came, and was sent back unless the connection is closing.
    pub(crate) fn message(&mut self, plain: usize, sent_back: bool) {
        self.incoming.message(plain, &mut self.reports);
        if sent_back {
            self.outgoing.message(plain, &mut self.reports);
        }
    }

    /// The connection was failed. The text has nothing to escape.
    pub(crate) fn violation(&mut self, violation: Violation) {
        let code = violation.close_code();
        self.reports.push(format!(
            r#"{{"direction":"in","code":{code},"error":"{violation}"}}"#
        ));
    }

    /// Whether there is something to report.
    pub(crate) fn has_reports(&self) -> bool {
        !self.reports.lines.is_empty() || self.reports.dropped > 0
    }

    /// Passes the reports on by `send`, which says whether there was room.
    pub(crate) fn report(&mut self, mut send: impl FnMut(&str) -> bool) {
        for line in self.reports.lines.drain(..) {
            if !send(&line) {
                self.reports.dropped += 1;
            }
        }
        if self.reports.dropped > 0 && send(&format!(r#"{{"dropped":{}}}"#, self.reports.dropped)) {
            self.reports.dropped = 0;
        }
    }
}

impl Direction {
    fn new(name: &'static str, rules: Rules, compressed: bool) -> Self {
        Self {
            name,
            decoder: Decoder::new(rules),
            header: None,
            first: Vec::new(),
            sizes: compressed.then(Sizes::default),
        }
    }

    fn look(&mut self, mut bytes: &[u8], reports: &mut Reports) {
        loop {
            // What is wrong with a frame, the connection says: see `Tap::violation`.
            let Ok(step) = self.decoder.split(bytes) else {
                return;
            };
            match step.part {
                Part::More => return,
                Part::Header(header) => self.header = Some(header),
                Part::Payload { range, key, last } => {
                    self.keep(&bytes[range], key);
                    if last {
                        reports.push(self.describe());
                        self.first.clear();
                        self.count_frame(reports);
                    }
                }
            }
            bytes = &bytes[step.consumed..];
        }
    }

    fn count_frame(&mut self, reports: &mut Reports) {
        if let (Some(sizes), Some(header)) = (&mut self.sizes, &self.header) {
            sizes.frame(header);
            self.report_sizes(reports);
        }
    }

    fn message(&mut self, plain: usize, reports: &mut Reports) {
        if let Some(sizes) = &mut self.sizes {
            sizes.message(plain);
            self.report_sizes(reports);
        }
    }

    fn report_sizes(&mut self, reports: &mut Reports) {
        while let Some(sizes) = self.sizes.as_mut().and_then(Sizes::describe_next) {
            reports.push(format!(r#"{{"direction":"{}",{sizes}}}"#, self.name));
        }
    }

    /// Keeps the first bytes of a frame's payload data, unmasked.
    fn keep(&mut self, payload: &[u8], key: Option<MaskingKey>) {
        let start = self.first.len();
        let len = payload.len().min(FIRST_BYTES - start);
        self.first.extend_from_slice(&payload[..len]);
        if let Some(key) = key {
            key.apply(&mut self.first[start..]);
        }
    }

    /// The frame that has passed, as JSON.
    fn describe(&self) -> String {
        let Some(header) = self.header else {
            return String::new();
        };
        let key = header
            .key
            .map_or("null".into(), |key| format!("\"{}\"", hex(&key.octets())));
        format!(
            r#"{{"direction":"{}","fin":{},"rsv":{},"opcode":{},"key":{key},"length":{},"bytes":"{}"}}"#,
            self.name,
            header.fin,
            header.rsv.bits() >> 4,
            header.opcode.get(),
            header.payload_len,
            hex(&self.first),
        )
    }
}

impl Reports {
    fn push(&mut self, line: String) {
        if self.lines.len() < MAX_REPORTS {
            self.lines.push(line);
        } else {
            self.dropped += 1;
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut digits, byte| {
        let _ = write!(digits, "{byte:02x}");
        digits
    })
}
