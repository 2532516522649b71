//! Without vectors of a known kind: the loop of `mask`, then the standard library if there is more than ASCII.

use super::Text;
use crate::mask::MaskingKey;

/// Unmasks a whole text, if it is masked and valid; whether it is valid.
pub(super) fn run<T: Text>(key: MaskingKey, mut text: T) -> bool {
    if let Some(octets) = text.octets_mut()
        && key.apply_and_check_ascii(octets)
    {
        return true;
    }
    let valid = core::str::from_utf8(text.octets()).is_ok();
    if !valid {
        text.mask_again(key);
    }
    valid
}
