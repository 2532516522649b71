//! What the fuzz targets share: one input that says which options to take, where to cut, and what the stream is.

/// A fuzzer's input.
///
/// Octet 0 holds the options, octet 1 in its low three bits how many lengths of pieces follow; the rest is the stream.
#[derive(Clone, Copy, Debug)]
pub struct Case<'a> {
    options: u8,
    lengths: &'a [u8],
    pub stream: &'a [u8],
}

impl<'a> Case<'a> {
    pub fn new(data: &'a [u8]) -> Option<Self> {
        let (&[options, count], rest) = data.split_first_chunk()?;
        let (lengths, stream) = rest.split_at_checked(usize::from(count % 8))?;
        Some(Self {
            options,
            lengths,
            stream,
        })
    }

    /// Whether option 0 to 7 is on.
    pub fn option(&self, bit: u32) -> bool {
        self.options >> bit & 1 == 1
    }

    /// The ways in which the stream may come, all of which have to give one result: whole, cut as the input
    /// says, and octet by octet.
    pub fn ways(&self) -> [Vec<&'a [u8]>; 3] {
        let mut rest = self.stream;
        let mut cut = Vec::new();
        for &length in self.lengths {
            let (piece, behind) = rest.split_at(usize::from(length).min(rest.len()));
            cut.push(piece);
            rest = behind;
        }
        cut.push(rest);
        [vec![self.stream], cut, self.stream.chunks(1).collect()]
    }

    /// Asserts that `run` gives the same result whichever way the stream comes, and returns it.
    pub fn assert_equal_however_cut<T: PartialEq + std::fmt::Debug>(&self, run: impl Fn(&[&[u8]]) -> T) -> T {
        let [whole, cut, octets] = self.ways().map(|pieces| run(&pieces));
        assert_eq!(whole, cut, "whole and cut");
        assert_eq!(whole, octets, "whole and octet by octet");
        whole
    }
}
