//! Masking and validating, as fast as it goes: with AVX-512 or AVX2 where there is one, by portable code otherwise.
//!
//! The loops are generic over [`Kernel`], always inlined, and compiled once inside of a function with the target features
//! of that kernel.

/// What a straight-line loop needs of the processor. Payloads are masked in place.
///
/// # Safety
/// The processor has what the kernel is for. `payload` may be read and written for `len` bytes, and read for 64 more.
pub trait Kernel {
    /// The end of a text so far: what the next bytes have to fit to.
    type Text: Copy;

    fn text() -> Self::Text;

    /// At most 125 bytes.
    unsafe fn xor_short(payload: *mut u8, len: usize, key: u32);

    unsafe fn xor_long(payload: *mut u8, len: usize, key: u32);

    /// From one place to another.
    unsafe fn copy_xor(from: *const u8, to: *mut u8, len: usize, key: u32);

    /// Unmasks and validates a whole text of at most 125 bytes.
    unsafe fn text_short(payload: *mut u8, len: usize, key: u32) -> bool;

    /// Unmasks and validates a part of a text: a multiple of 64 bytes, or its end.
    unsafe fn text_long(text: &mut Self::Text, payload: *mut u8, len: usize, key: u32, end: bool) -> bool;
}

/// The key for the bytes from `offset` on.
#[inline(always)]
pub fn rotated(key: u32, offset: usize) -> u32 {
    key.rotate_right(8 * (offset as u32 % 4))
}

/// For processors without AVX2.
pub struct Portable;

impl Kernel for Portable {
    /// Whether the text so far is valid but for a character that is cut: up to three bytes, and how many.
    type Text = ([u8; 4], usize);

    fn text() -> Self::Text {
        ([0; 4], 0)
    }

    #[inline(always)]
    unsafe fn xor_short(payload: *mut u8, len: usize, key: u32) {
        // SAFETY: the caller's.
        let payload = unsafe { std::slice::from_raw_parts_mut(payload, len) };
        let doubled = u64::from(key) << 32 | u64::from(key);
        let (words, rest) = payload.as_chunks_mut::<8>();
        for word in words {
            *word = (u64::from_le_bytes(*word) ^ doubled).to_le_bytes();
        }
        for (octet, key) in rest.iter_mut().zip(doubled.to_le_bytes()) {
            *octet ^= key;
        }
    }

    #[inline(always)]
    unsafe fn xor_long(payload: *mut u8, len: usize, key: u32) {
        // SAFETY: the caller's.
        let payload = unsafe { std::slice::from_raw_parts_mut(payload, len) };
        let key = key.to_le_bytes();
        let (blocks, rest) = payload.as_chunks_mut::<64>();
        for block in blocks {
            for i in 0..64 {
                block[i] ^= key[i % 4];
            }
        }
        for (i, octet) in rest.iter_mut().enumerate() {
            *octet ^= key[i % 4];
        }
    }

    #[inline(always)]
    unsafe fn copy_xor(from: *const u8, to: *mut u8, len: usize, key: u32) {
        // SAFETY: the caller's.
        unsafe {
            to.copy_from_nonoverlapping(from, len);
            Self::xor_long(to, len, key);
        }
    }

    #[inline(always)]
    unsafe fn text_short(payload: *mut u8, len: usize, key: u32) -> bool {
        // SAFETY: the caller's.
        let text = unsafe {
            Self::xor_short(payload, len, key);
            std::slice::from_raw_parts(payload, len)
        };
        text.is_ascii() || str::from_utf8(text).is_ok()
    }

    #[inline(always)]
    unsafe fn text_long(
        (cut, cut_len): &mut Self::Text,
        payload: *mut u8,
        len: usize,
        key: u32,
        end: bool,
    ) -> bool {
        // SAFETY: the caller's.
        let mut bytes = unsafe {
            Self::xor_long(payload, len, key);
            std::slice::from_raw_parts(payload, len)
        };
        while *cut_len > 0 && !bytes.is_empty() {
            cut[*cut_len] = bytes[0];
            *cut_len += 1;
            bytes = &bytes[1..];
            match str::from_utf8(&cut[..*cut_len]) {
                Ok(_) => *cut_len = 0,
                Err(error) if error.error_len().is_some() => return false,
                Err(_) => {}
            }
        }
        if let Err(error) = simdutf8::compat::from_utf8(bytes) {
            let rest = &bytes[error.valid_up_to()..];
            if error.error_len().is_some() {
                return false;
            }
            cut[..rest.len()].copy_from_slice(rest);
            *cut_len = rest.len();
        }
        !end || *cut_len == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "x86_64")]
    use crate::ideal::{Instructions, avx2::Avx2, avx512::Avx512};

    /// As valid as the standard library finds it, and unmasked; whole, and in two parts.
    fn compare<K: Kernel>(text: &[u8]) {
        let (key, valid) = (0x3d21_fa37_u32, str::from_utf8(text).is_ok());
        let mut masked = text.to_vec();
        masked.resize(text.len() + 64, 0);
        let mask = |bytes: &mut [u8]| {
            for (octet, key) in bytes.iter_mut().zip(key.to_le_bytes().into_iter().cycle()) {
                *octet ^= key;
            }
        };
        mask(&mut masked[..text.len()]);
        // SAFETY: there is slack behind the text, and whoever calls this looked at the processor.
        unsafe {
            let mut bytes = masked.clone();
            if text.len() < 126 {
                assert_eq!(
                    K::text_short(bytes.as_mut_ptr(), text.len(), key),
                    valid,
                    "{text:02x?}"
                );
                assert!(&bytes[..text.len()] == text);
            }
            for cut in (0..=text.len()).step_by(64) {
                let (mut bytes, mut state) = (masked.clone(), K::text());
                let first = K::text_long(&mut state, bytes.as_mut_ptr(), cut, key, false);
                let rest = bytes.as_mut_ptr().add(cut);
                let second = first && K::text_long(&mut state, rest, text.len() - cut, key, true);
                assert_eq!(second, valid, "{text:02x?} cut at {cut}");
            }
            let mut bytes = masked.clone();
            K::xor_long(bytes.as_mut_ptr(), text.len(), key);
            assert!(&bytes[..text.len()] == text);
            K::copy_xor(text.as_ptr(), bytes.as_mut_ptr(), text.len(), key);
            assert!(bytes[..text.len()] == masked[..text.len()]);
        }
    }

    #[test]
    fn kernels_find_what_the_standard_library_finds() {
        let mut texts = Vec::new();
        for character in ["a", "\u{e9}", "\u{4e16}", "\u{1f600}"] {
            for before in (0..70).chain(115..135).chain(250..260) {
                for after in [0, 1, 3, 70, 300] {
                    texts
                        .push(format!("{}{character}{}", "x".repeat(before), "y".repeat(after)).into_bytes());
                }
            }
        }
        for i in 0..texts.len() {
            for octet in [0x00, 0x80, 0xbf, 0xc0, 0xc1, 0xe0, 0xed, 0xf0, 0xf4, 0xf5, 0xff] {
                let mut spoilt = texts[i].clone();
                let place = (i * 31) % spoilt.len();
                spoilt[place] = octet;
                spoilt.truncate(spoilt.len() - i % 2);
                texts.push(spoilt);
            }
        }
        for text in &texts {
            compare::<Portable>(text);
            #[cfg(target_arch = "x86_64")]
            if Instructions::known() >= Instructions::Avx2 {
                compare::<Avx2>(text);
            }
            #[cfg(target_arch = "x86_64")]
            if Instructions::known() >= Instructions::Avx512 {
                compare::<Avx512>(text);
            }
        }
    }
}
