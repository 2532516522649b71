//! Tokens, whitespace and comma lists as HTTP writes them (RFC 9110 §5.5, §5.6).
//!
//! A leaf that the handshake's fields and the extension lists share, so that each rule is decided once.

/// Empty elements that are skipped in one comma list (RFC 9110 §5.6.1.2: "a reasonable number").
pub(crate) const MAX_EMPTY_ELEMENTS: usize = 16;

/// A set of bytes.
pub(crate) struct ByteSet([bool; 256]);

impl ByteSet {
    /// The letters and digits, and `marks`.
    pub(crate) const fn alphanumeric_and(marks: &[u8]) -> Self {
        let mut set = [false; 256];
        let mut byte = 0;
        while byte < 256 {
            set[byte] = (byte as u8).is_ascii_alphanumeric();
            byte += 1;
        }
        let mut i = 0;
        while i < marks.len() {
            set[marks[i] as usize] = true;
            i += 1;
        }
        Self(set)
    }

    pub(crate) const fn has(&self, byte: u8) -> bool {
        self.0[byte as usize]
    }

    /// How many bytes at the beginning of `bytes` are in the set.
    pub(crate) fn span(&self, bytes: &[u8]) -> usize {
        // In eights, since the compiler unrolls these.
        let (eights, rest) = bytes.as_chunks::<8>();
        for (i, eight) in eights.iter().enumerate() {
            if let Some(end) = eight.iter().position(|&byte| !self.has(byte)) {
                return i * 8 + end;
            }
        }
        let end = rest.iter().take_while(|&&byte| self.has(byte)).count();
        eights.len() * 8 + end
    }
}

/// Whether each of the bytes `is` so. Without a way out in the middle of 16 of them, these are a few vector instructions; the
/// last 16 overlap those before.
#[inline]
pub(crate) fn all(bytes: &[u8], is: impl Fn(u8) -> bool) -> bool {
    let block = |block: &[u8; 16]| block.iter().fold(true, |all, &byte| all & is(byte));
    match bytes.last_chunk() {
        Some(last) => bytes.as_chunks().0.iter().all(block) && block(last),
        None => bytes.iter().all(|&byte| is(byte)),
    }
}

/// What may stand in a token (RFC 9110 §5.6.2: tchar).
pub(crate) static TOKEN: ByteSet = ByteSet::alphanumeric_and(b"!#$%&'*+-.^_`|~");

/// Whether `byte` may stand in a field value (RFC 9110 §5.5): no control byte but HTAB; 80 to FF are opaque.
pub(crate) const fn is_value_byte(byte: u8) -> bool {
    matches!(byte, b'\t' | b' '..=b'~' | 0x80..)
}

/// `bytes` as text if they are a token, which is never empty.
pub(crate) fn token(bytes: &[u8]) -> Option<&str> {
    if bytes.is_empty() || TOKEN.span(bytes) < bytes.len() {
        return None;
    }
    core::str::from_utf8(bytes).ok()
}

/// `bytes` without the optional whitespace around them, which is SP and HTAB (RFC 9110 §5.6.3).
pub(crate) fn trim(mut bytes: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] = bytes {
        bytes = rest;
    }
    while let [rest @ .., b' ' | b'\t'] = bytes {
        bytes = rest;
    }
    bytes
}

/// The elements of a comma list without quoted strings, trimmed; empty ones are not left out.
pub(crate) fn elements(value: &[u8]) -> impl Iterator<Item = &[u8]> + Clone {
    value.split(|&byte| byte == b',').map(trim)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r9110_5_6_2_exactly_77_bytes_are_tchar() {
        assert_eq!((0..=255).filter(|&byte| TOKEN.has(byte)).count(), 77);
        for byte in *b" \t\"(),/:;<=>?@[\\]{}\0\x7f\x80\xff" {
            assert!(!TOKEN.has(byte), "{byte:#04x}");
        }
    }

    #[test]
    fn r9110_5_5_control_bytes_but_htab_are_no_value() {
        let refused: usize = (0..=255).filter(|&byte| !is_value_byte(byte)).count();
        assert_eq!(refused, 32 - 1 + 1, "all but HTAB below 20, and 7f");
        assert!(is_value_byte(b'\t') && is_value_byte(0x80) && !is_value_byte(0x7f));
    }

    #[test]
    fn all_looks_at_each_byte() {
        for len in 0..70 {
            let mut bytes = [b'a'; 70];
            let bytes = &mut bytes[..len];
            assert!(all(bytes, |byte| byte.is_ascii_graphic()), "{len}");
            for at in 0..len {
                bytes[at] = b'\n';
                assert!(!all(bytes, |byte| byte.is_ascii_graphic()), "{at} of {len}");
                bytes[at] = b'a';
            }
        }
    }

    #[test]
    fn r9110_5_6_1_empty_elements_are_seen() {
        assert!(elements(b" a ,\t, b").eq([&b"a"[..], b"", b"b"]));
        assert!(elements(b"").eq([&b""[..]]));
    }
}
