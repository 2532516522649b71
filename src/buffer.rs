//! What may hold the bytes of an `Input`.

use alloc::boxed::Box;
use alloc::vec::Vec;

use crate::inbox::Inbox;

/// What holds the bytes of an [`Input`](crate::Input). Sealed: a buffer that changed by itself would break the promise that a
/// text event is valid UTF-8.
pub trait Buffer: sealed::Buffer {}
impl<T: sealed::Buffer> Buffer for T {}

/// An [`Inbox`] or a `&mut Inbox`. Sealed, as [`Buffer`] is.
pub trait InboxSlot: sealed::InboxSlot {}
impl<T: sealed::InboxSlot> InboxSlot for T {}

mod sealed {
    use super::{Box, Inbox, Vec};

    pub trait Buffer {
        fn bytes(&self) -> &[u8];
        fn bytes_mut(&mut self) -> &mut [u8];
    }

    macro_rules! buffer {
        ($(($($generics:tt)*) $type:ty),* $(,)?) => {$(
            impl<$($generics)*> Buffer for $type {
                #[inline]
                fn bytes(&self) -> &[u8] {
                    &self[..]
                }
                #[inline]
                fn bytes_mut(&mut self) -> &mut [u8] {
                    &mut self[..]
                }
            }
        )*};
    }
    buffer!(() &mut [u8], () Vec<u8>, () &mut Vec<u8>, () Box<[u8]>, () &mut Box<[u8]>,
        (const N: usize) [u8; N], (const N: usize) &mut [u8; N]);

    pub trait InboxSlot {
        fn inbox(&self) -> &Inbox;
        fn inbox_mut(&mut self) -> &mut Inbox;
    }

    impl InboxSlot for Inbox {
        #[inline]
        fn inbox(&self) -> &Inbox {
            self
        }
        #[inline]
        fn inbox_mut(&mut self) -> &mut Inbox {
            self
        }
    }

    impl InboxSlot for &mut Inbox {
        #[inline]
        fn inbox(&self) -> &Inbox {
            self
        }
        #[inline]
        fn inbox_mut(&mut self) -> &mut Inbox {
            self
        }
    }
}
