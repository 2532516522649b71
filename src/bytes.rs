//! Values of fixed length, one behind the other.

/// Writes one value behind the other. The lengths add up to that of the whole, by the tests.
pub(crate) struct Writer<'a> {
    pub(crate) rest: &'a mut [u8],
}

impl Writer<'_> {
    pub(crate) fn put<const N: usize>(&mut self, value: [u8; N]) {
        if let Some((to, rest)) = core::mem::take(&mut self.rest).split_first_chunk_mut() {
            *to = value;
            self.rest = rest;
        }
    }
}

/// Reads one value behind the other; zero behind the last one.
pub(crate) struct Reader<'a> {
    pub(crate) rest: &'a [u8],
}

impl Reader<'_> {
    pub(crate) fn take<const N: usize>(&mut self) -> [u8; N] {
        match self.rest.split_first_chunk() {
            Some((value, rest)) => {
                self.rest = rest;
                *value
            }
            None => [0; N],
        }
    }

    pub(crate) fn flag(&mut self) -> Option<bool> {
        match self.take() {
            [0] => Some(false),
            [1] => Some(true),
            _ => None,
        }
    }
}
