//! DEFLATE (RFC 1951) for tests, slow and clear: blocks written bit by bit, and read with an eye on distances.
#![allow(dead_code, clippy::unwrap_used, clippy::panic)]

/// The order of the lengths that begin a dynamic block (RFC 1951 §3.2.7).
const ORDER: [usize; 19] = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];

// ---- writing ----

/// Writes blocks.
#[derive(Clone, Debug, Default)]
pub(crate) struct Writer {
    bytes: Vec<u8>,
    /// Bits used of the last byte; 0 if none is begun.
    used: u32,
}

impl Writer {
    /// A number of `n` bits, the lowest first.
    pub(crate) fn bits(&mut self, value: u32, n: u32) -> &mut Self {
        for i in 0..n {
            if self.used == 0 {
                self.bytes.push(0);
            }
            *self.bytes.last_mut().unwrap() |= ((value >> i & 1) as u8) << self.used;
            self.used = (self.used + 1) % 8;
        }
        self
    }

    /// A Huffman code of `n` bits, the highest first.
    pub(crate) fn code(&mut self, code: u32, n: u32) -> &mut Self {
        for i in (0..n).rev() {
            self.bits(code >> i, 1);
        }
        self
    }

    /// The header of a block: BFINAL and BTYPE.
    pub(crate) fn block(&mut self, last: bool, kind: u32) -> &mut Self {
        self.bits(u32::from(last), 1).bits(kind, 2)
    }

    /// A symbol of a block with fixed codes.
    pub(crate) fn fixed(&mut self, symbol: u32) -> &mut Self {
        match symbol {
            0..=143 => self.code(0x30 + symbol, 8),
            144..=255 => self.code(0x190 + symbol - 144, 9),
            256..=279 => self.code(symbol - 256, 7),
            _ => self.code(0xc0 + symbol - 280, 8),
        }
    }

    /// A whole block with fixed codes.
    pub(crate) fn fixed_block(&mut self, last: bool, text: &[u8]) -> &mut Self {
        self.block(last, 1);
        for octet in text {
            self.fixed(u32::from(*octet));
        }
        self.fixed(256)
    }

    /// A whole stored block.
    pub(crate) fn stored_block(&mut self, last: bool, data: &[u8]) -> &mut Self {
        let len = data.len() as u16;
        self.block(last, 0).align();
        self.bytes.extend(len.to_le_bytes());
        self.bytes.extend((!len).to_le_bytes());
        self.bytes.extend(data);
        self
    }

    /// The beginning of a block with dynamic codes: the lengths of the codes for lengths of codes, by symbol, and then
    /// these symbols, each with the bits behind it.
    pub(crate) fn dynamic(
        &mut self,
        last: bool,
        counts: (u32, u32),
        lens: &[u8; 19],
        symbols: &[(usize, u32)],
    ) -> &mut Self {
        let (literals, distances) = counts;
        self.block(last, 2);
        self.bits(literals - 257, 5).bits(distances - 1, 5).bits(15, 4);
        for symbol in ORDER {
            self.bits(u32::from(lens[symbol]), 3);
        }
        for (symbol, extra) in symbols {
            let extra_bits = [2, 3, 7].get(symbol.wrapping_sub(16)).copied().unwrap_or(0);
            self.code(canonical(lens, *symbol), u32::from(lens[*symbol]))
                .bits(*extra, extra_bits);
        }
        self
    }

    /// [`dynamic`](Self::dynamic) that writes each length by itself.
    pub(crate) fn dynamic_lens(&mut self, last: bool, literals: &[u8], distances: &[u8]) -> &mut Self {
        let mut lens = [4; 19];
        lens[16..].fill(0);
        let symbols: Vec<(usize, u32)> = [literals, distances]
            .concat()
            .iter()
            .map(|len| (usize::from(*len), 0))
            .collect();
        let counts = (literals.len() as u32, distances.len() as u32);
        self.dynamic(last, counts, &lens, &symbols)
    }

    /// Ends a byte.
    pub(crate) fn align(&mut self) -> &mut Self {
        self.used = 0;
        self
    }

    /// The payload data of a message that ends with the header of an empty stored block.
    pub(crate) fn message(&mut self) -> Vec<u8> {
        self.block(false, 0).align();
        self.bytes.clone()
    }

    /// The bytes so far.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.bytes.clone()
    }
}

/// The code of a symbol (RFC 1951 §3.2.2).
fn canonical(lens: &[u8], symbol: usize) -> u32 {
    let mut code = 0;
    for len in 1..=lens[symbol] {
        code <<= 1;
        let of_len = lens.iter().enumerate().filter(|(_, l)| **l == len);
        code += of_len.filter(|(s, _)| len < lens[symbol] || *s < symbol).count() as u32;
    }
    code
}

// ---- reading ----

/// Inflates messages one after another, and notes how far matches reach back.
#[derive(Clone, Debug, Default)]
pub(crate) struct Walker {
    history: Vec<u8>,
    /// The largest distance so far.
    pub(crate) farthest: usize,
}

impl Walker {
    /// What a message inflates to; `None` if it is not one, or cut off. `takes_over`: or else it begins with nothing.
    pub(crate) fn message(&mut self, payload: &[u8], takes_over: bool) -> Option<Vec<u8>> {
        if !takes_over {
            self.history.clear();
        }
        let start = self.history.len();
        let mut bits = Bits { data: payload, at: 0 };
        while !self.block(&mut bits)? {}
        Some(self.history[start..].to_vec())
    }

    /// Whether the message ends with this block: its length was dropped (RFC 7692 §7.2.1), or nothing is behind it though
    /// it is final.
    fn block(&mut self, bits: &mut Bits<'_>) -> Option<bool> {
        let last = bits.take(1)? == 1;
        match bits.take(2)? {
            0 => {
                bits.align();
                if bits.left() == 0 {
                    return Some(true);
                }
                self.stored(bits)?;
            }
            1 => {
                let lens: Vec<u8> = (0..288)
                    .map(|symbol| match symbol {
                        0..=143 | 280.. => 8,
                        144..=255 => 9,
                        _ => 7,
                    })
                    .collect();
                self.symbols(bits, &Code::new(&lens), &Code::new(&[5; 30]))?;
            }
            2 => {
                let (lens, literals) = dynamic_lens(bits)?;
                self.symbols(bits, &Code::new(&lens[..literals]), &Code::new(&lens[literals..]))?;
            }
            _ => return None,
        }
        if last {
            bits.align();
        }
        Some(last && bits.left() == 0)
    }

    fn stored(&mut self, bits: &mut Bits<'_>) -> Option<()> {
        let (len, complement) = (bits.take(16)?, bits.take(16)?);
        if len ^ complement != 0xffff {
            return None;
        }
        for _ in 0..len {
            self.history.push(bits.take(8)? as u8);
        }
        Some(())
    }

    fn symbols(&mut self, bits: &mut Bits<'_>, literals: &Code, distances: &Code) -> Option<()> {
        const LENGTHS: [(usize, u32); 29] = bases_of_lengths();
        loop {
            match bits.symbol(literals)? {
                symbol @ 0..=255 => self.history.push(symbol as u8),
                256 => return Some(()),
                symbol => {
                    let (base, extra) = *LENGTHS.get(symbol - 257)?;
                    let len = base + bits.take(extra)? as usize;
                    let distance = match bits.symbol(distances)? {
                        symbol @ 0..=1 => symbol + 1,
                        symbol @ 2..=29 => {
                            let extra = symbol as u32 / 2 - 1;
                            ((2 + symbol % 2) << extra) + 1 + bits.take(extra)? as usize
                        }
                        _ => return None,
                    };
                    self.farthest = self.farthest.max(distance);
                    for _ in 0..len {
                        let from = self.history.len().checked_sub(distance)?;
                        self.history.push(self.history[from]);
                    }
                }
            }
        }
    }
}

/// Base and number of bits behind it, for symbols from 257 on (RFC 1951 §3.2.5).
const fn bases_of_lengths() -> [(usize, u32); 29] {
    let mut all = [(258, 0); 29];
    let (mut symbol, mut base) = (0, 3);
    while symbol < 28 {
        let extra = if symbol < 8 { 0 } else { symbol as u32 / 4 - 1 };
        all[symbol] = (base, extra);
        base += 1 << extra;
        symbol += 1;
    }
    all
}

/// The lengths of the codes of a dynamic block, and how many of them are for literals.
fn dynamic_lens(bits: &mut Bits<'_>) -> Option<(Vec<u8>, usize)> {
    let literals = bits.take(5)? as usize + 257;
    let all = literals + bits.take(5)? as usize + 1;
    let mut of_lens = [0; 19];
    let given = bits.take(4)? as usize + 4;
    for symbol in &ORDER[..given] {
        of_lens[*symbol] = bits.take(3)? as u8;
    }
    let (of_lens, mut lens) = (Code::new(&of_lens), Vec::new());
    while lens.len() < all {
        let (len, times) = match bits.symbol(&of_lens)? {
            16 => (*lens.last()?, 3 + bits.take(2)?),
            17 => (0, 3 + bits.take(3)?),
            18 => (0, 11 + bits.take(7)?),
            len => (len as u8, 1),
        };
        lens.extend(vec![len; times as usize]);
    }
    (lens.len() == all).then_some((lens, literals))
}

struct Bits<'a> {
    data: &'a [u8],
    /// In bits.
    at: usize,
}

impl Bits<'_> {
    fn left(&self) -> usize {
        8 * self.data.len() - self.at
    }

    fn take(&mut self, n: u32) -> Option<u32> {
        let mut value = 0;
        for i in 0..n {
            let octet = *self.data.get(self.at / 8)?;
            value |= u32::from(octet >> (self.at % 8) & 1) << i;
            self.at += 1;
        }
        Some(value)
    }

    fn align(&mut self) {
        self.at = self.at.next_multiple_of(8);
    }

    fn symbol(&mut self, of: &Code) -> Option<usize> {
        let (mut code, mut first, mut index) = (0, 0, 0);
        for count in &of.counts[1..] {
            code = code << 1 | self.take(1)? as usize;
            first <<= 1;
            if code < first + count {
                return of.symbols.get(index + code - first).copied();
            }
            (first, index) = (first + count, index + count);
        }
        None
    }
}

/// A Huffman code: how many codes have each length, and their symbols in order.
struct Code {
    counts: [usize; 16],
    symbols: Vec<usize>,
}

impl Code {
    fn new(lens: &[u8]) -> Self {
        let mut symbols: Vec<usize> = (0..lens.len()).filter(|symbol| lens[*symbol] > 0).collect();
        symbols.sort_by_key(|symbol| lens[*symbol]);
        let mut counts = [0; 16];
        for symbol in &symbols {
            counts[usize::from(lens[*symbol])] += 1;
        }
        Self { counts, symbols }
    }
}
