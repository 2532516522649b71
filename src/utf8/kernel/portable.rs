//! Without vectors of a known kind: the loop of `mask`, then the standard library if there is more than ASCII.

use super::Text;

/// Unmasks a whole text, if it is masked; whether it is valid.
pub(crate) fn run<T: Text>(mut text: T) -> bool {
    let key = text.key();
    if let Some(octets) = text.octets_mut() {
        if key.apply_and_check_ascii(octets) {
            return true;
        }
    }
    core::str::from_utf8(text.octets()).is_ok()
}
