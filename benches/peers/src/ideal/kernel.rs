//! Masking and validating, as fast as it goes: with AVX-512 where there is one, by portable code otherwise.
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

/// For processors without AVX-512.
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
