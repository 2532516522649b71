//! Tokens, whitespace and comma lists as HTTP writes them (RFC 9110 §5.5, §5.6).
//!
//! A leaf that the handshake's fields and the extension lists share, so that each rule is decided once.

/// Empty elements that are skipped in one comma list (RFC 9110 §5.6.1.2: "a reasonable number").
pub(crate) const MAX_EMPTY_ELEMENTS: usize = 16;

const TOKEN_BYTES: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = (byte as u8).is_ascii_alphanumeric();
        byte += 1;
    }
    let marks = b"!#$%&'*+-.^_`|~";
    let mut i = 0;
    while i < marks.len() {
        table[marks[i] as usize] = true;
        i += 1;
    }
    table
};

/// Whether `byte` may stand in a token (RFC 9110 §5.6.2: tchar).
pub(crate) const fn is_token_byte(byte: u8) -> bool {
    TOKEN_BYTES[byte as usize]
}

/// Whether `byte` may stand in a field value (RFC 9110 §5.5): no control byte but HTAB; 80 to FF are opaque.
pub(crate) const fn is_value_byte(byte: u8) -> bool {
    matches!(byte, b'\t' | b' '..=b'~' | 0x80..)
}

/// `bytes` as text if they are a token, which is never empty.
pub(crate) fn token(bytes: &[u8]) -> Option<&str> {
    if bytes.is_empty() || !bytes.iter().all(|&byte| is_token_byte(byte)) {
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
        assert_eq!((0..=255).filter(|&byte| is_token_byte(byte)).count(), 77);
        for byte in *b" \t\"(),/:;<=>?@[\\]{}\0\x7f\x80\xff" {
            assert!(!is_token_byte(byte), "{byte:#04x}");
        }
    }

    #[test]
    fn r9110_5_5_control_bytes_but_htab_are_no_value() {
        let refused: usize = (0..=255).filter(|&byte| !is_value_byte(byte)).count();
        assert_eq!(refused, 32 - 1 + 1, "all but HTAB below 20, and 7f");
        assert!(is_value_byte(b'\t') && is_value_byte(0x80) && !is_value_byte(0x7f));
    }

    #[test]
    fn r9110_5_6_1_empty_elements_are_seen() {
        assert!(elements(b" a ,\t, b").eq([&b"a"[..], b"", b"b"]));
        assert!(elements(b"").eq([&b""[..]]));
    }
}
