//! What the fuzz targets share: one input that says which options to take, where to cut, and what the stream is; and what an endpoint
//! in any role sends.

use ws_proto::Role;
use ws_proto::frame::{Decoder, Header, Opcode, Part, Rsv, Rules};
use ws_proto::mask::MaskingKey;

/// A fuzzer's input.
///
/// Octets 0 and 1 hold the options, octets 2 to 5 the lengths of pieces; the rest is the stream. Each has its place, so that a change
/// of one leaves the others what they are.
#[derive(Clone, Copy, Debug)]
pub struct Case<'a> {
    options: u16,
    lengths: [u8; 4],
    pub stream: &'a [u8],
}

impl<'a> Case<'a> {
    pub fn new(data: &'a [u8]) -> Option<Self> {
        let (&options, rest) = data.split_first_chunk()?;
        let (&lengths, stream) = rest.split_first_chunk()?;
        Some(Self {
            options: u16::from_le_bytes(options),
            lengths,
            stream,
        })
    }

    /// Whether option 0 to 15 is on.
    pub fn option(&self, bit: u32) -> bool {
        self.options >> bit & 1 == 1
    }

    /// The role that option 0 says.
    pub fn role(&self) -> Role {
        if self.option(0) {
            Role::Client
        } else {
            Role::Server
        }
    }

    /// Options 12 to 15 as a number.
    pub fn number(&self) -> u32 {
        u32::from(self.options >> 12)
    }

    /// The ways in which the stream may come, all of which have to give one result: whole, cut as the input
    /// says, and octet by octet, or in a few hundred reads if it is long.
    pub fn ways(&self) -> [Vec<&'a [u8]>; 3] {
        let mut rest = self.stream;
        let mut cut = Vec::new();
        for length in self.lengths {
            let (piece, behind) = rest.split_at(usize::from(length).min(rest.len()));
            cut.push(piece);
            rest = behind;
        }
        cut.push(rest);
        let octets = self.stream.chunks(1 + self.stream.len() / 500);
        [vec![self.stream], cut, octets.collect()]
    }

    /// Asserts that `run` gives the same result whichever way the stream comes, and returns it.
    pub fn assert_equal_however_cut<T: PartialEq + std::fmt::Debug>(&self, run: impl Fn(&[&[u8]]) -> T) -> T {
        let [whole, cut, octets] = self.ways().map(|pieces| run(&pieces));
        assert_eq!(whole, cut, "whole and cut");
        assert_eq!(whole, octets, "whole and octet by octet");
        whole
    }
}

/// The role of this one's peer.
pub fn peer_of(role: Role) -> Role {
    match role {
        Role::Client => Role::Server,
        Role::Server => Role::Client,
    }
}

/// A fragment to send: in the input an octet of flags, one of length, and that many octets.
pub struct Fragment {
    /// Of the message, if it is the first one.
    pub text: bool,
    pub compressed: bool,
    pub fin: bool,
    /// Whether a Ping goes before it.
    pub ping: bool,
    /// Those of the input, once or many times over.
    pub octets: Vec<u8>,
}

impl Fragment {
    /// All that the input holds, of no more than about so many bytes.
    pub fn all(mut rest: &[u8], most_bytes: usize) -> Vec<Self> {
        let (mut all, mut left) = (Vec::new(), most_bytes);
        while let Some((&[flags, len], behind)) = rest.split_first_chunk() {
            let (octets, behind) = behind.split_at(usize::from(len).min(behind.len()));
            let times = [1, 4, 20, 300][usize::from(flags >> 4 & 3)];
            let octets = octets.repeat(times.min(left / octets.len().max(1)).max(1));
            left = left.saturating_sub(octets.len());
            all.push(Self {
                text: flags & 1 != 0,
                compressed: flags & 2 == 0,
                fin: flags & 4 == 0,
                ping: flags & 8 != 0,
                octets,
            });
            rest = behind;
        }
        all
    }
}

/// Right frames with these octets, for this receiver. A message that is compressed has RSV1.
pub fn framed(receiver: Role, fragments: &[Fragment]) -> Vec<u8> {
    let (mut stream, mut goes_on) = (Vec::new(), false);
    let mut push = |fin: bool, rsv, opcode, octets: &[u8]| {
        let key = (receiver == Role::Server).then_some(MaskingKey::new([0x37, 0xfa, 0x21, 0x3d]));
        let header = Header {
            fin,
            rsv,
            key,
            ..Header::new(opcode, octets.len() as u64)
        };
        stream.extend_from_slice(&header.encode());
        let start = stream.len();
        stream.extend_from_slice(octets);
        key.unwrap_or_default().apply(&mut stream[start..]);
    };
    for fragment in fragments {
        if fragment.ping {
            push(true, Rsv::NONE, Opcode::PING, b"p");
        }
        let opcode = match (goes_on, fragment.text) {
            (true, _) => Opcode::CONTINUATION,
            (false, true) => Opcode::TEXT,
            (false, false) => Opcode::BINARY,
        };
        let rsv = if fragment.compressed && !goes_on {
            Rsv::RSV1
        } else {
            Rsv::NONE
        };
        push(fragment.fin, rsv, opcode, &fragment.octets);
        goes_on = !fragment.fin;
    }
    stream
}

/// The frames of a stream, with their payload data unmasked. By these rules they are right, and all of them are whole.
pub fn frames(rules: Rules, mut stream: Vec<u8>) -> Vec<(Header, Vec<u8>)> {
    let mut decoder = Decoder::new(rules);
    let mut frames: Vec<(Header, Vec<u8>)> = Vec::new();
    let mut whole = 0;
    let mut rest = &mut stream[..];
    loop {
        let step = decoder.decode(rest).expect("what is sent is valid");
        match step.part {
            Part::More => break,
            Part::Header(header) => {
                whole += header.encode().len() + header.payload_len as usize;
                frames.push((header, Vec::new()));
            }
            Part::Payload { range, .. } => {
                let (_, payload) = frames.last_mut().expect("a header came first");
                payload.extend_from_slice(&rest[range]);
            }
        }
        rest = &mut rest[step.consumed..];
    }
    assert_eq!(whole, stream.len(), "only whole frames are sent");
    frames
}
