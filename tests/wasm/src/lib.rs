//! Masking and UTF-8 compared with the standard library, in a module that `run.mjs` calls.

use ws_proto::mask::MaskingKey;
use ws_proto::utf8::Validator;

/// Compares that many texts, most of which are nearly valid. The number of those that were valid; any difference is a
/// trap.
#[unsafe(no_mangle)]
pub extern "C" fn compare(texts: u32) -> u32 {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    (0..texts).map(|_| u32::from(compare_one(&mut random))).sum()
}

fn compare_one(random: &mut Random) -> bool {
    let text = random.nearly_text();
    let expected = match core::str::from_utf8(&text) {
        Ok(_) => Ok(true),
        Err(error) if error.error_len().is_none() => Ok(false),
        Err(_) => Err(()),
    };
    let key = (random.next() as u32).to_be_bytes();
    let mut masked: Vec<u8> = text.iter().zip(key.iter().cycle()).map(|(octet, key)| octet ^ key).collect();

    let mut unmasked = masked.clone();
    MaskingKey::new(key).apply(&mut unmasked);
    assert_eq!(unmasked, text);

    let cut = random.below(text.len() + 1);
    let mut validator = Validator::new();
    let (front, back) = masked.split_at_mut(cut);
    let result = validator
        .unmask(MaskingKey::new(key), front)
        .and_then(|()| validator.unmask(MaskingKey::new(key).advanced(cut as u64), back));
    assert_eq!(result.map(|()| validator.is_complete()).map_err(drop), expected);
    if result.is_ok() {
        assert_eq!(masked, text);
    }

    let mut validator = Validator::new();
    let result = validator.feed(&text);
    assert_eq!(result.map(|()| validator.is_complete()).map_err(drop), expected);
    expected == Ok(true)
}

struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    /// Characters of all lengths, or ASCII, with an octet spoilt in half of them.
    fn nearly_text(&mut self) -> Vec<u8> {
        let ascii = self.below(4) == 0;
        let mut text = String::new();
        for _ in 0..self.below(1200) {
            text.push(match (ascii, self.below(5)) {
                (false, 0) => 'é',
                (false, 1) => '世',
                (false, 2) => '😀',
                _ => 'a',
            });
        }
        let mut text = text.into_bytes();
        if !text.is_empty() && self.below(2) == 0 {
            let place = self.below(text.len());
            text[place] = self.next() as u8;
        }
        text
    }
}
