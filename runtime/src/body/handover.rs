//! A body that is lent to a guest, and can be taken back as long as the guest has not opened it.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};

use super::{Body, BodyError};
use crate::limits::arriving::{Arriving, Share, there};

/// A body lent to a guest as part of a resource, which can be taken back as long as the guest has not
/// opened it. This is how `forward` and `respond` pass bodies on without a byte entering guest memory:
/// `wasi:http` resources keep their body to themselves, so the host keeps the other end of this slot. The guest's end
/// owns the body: when the guest drops it, whoever produces the body is stopped.
pub(crate) struct Handover(Arc<Mutex<Lent>>);

/// The host's end of a [`Handover`].
pub(crate) struct HandoverSlot(Weak<Mutex<Lent>>);

/// A body that is lent, and its share in what has arrived for the guest.
struct Lent {
    body: Body,
    share: Share,
}

impl Handover {
    /// Lends a body to the guest for whom all this has arrived.
    pub(crate) fn new(body: Body, arriving: &Arriving) -> (Self, HandoverSlot) {
        let share = arriving.share(&body);
        let lent = Arc::new(Mutex::new(Lent { body, share }));
        let slot = HandoverSlot(Arc::downgrade(&lent));
        (Self(lent), slot)
    }

    fn lent(&self) -> MutexGuard<'_, Lent> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl HandoverSlot {
    /// Takes the body out, and leaves an empty one. None: the guest has dropped it.
    pub(crate) fn take(&self) -> Option<Body> {
        let lent = self.0.upgrade()?;
        let mut lent = lent.lock().unwrap_or_else(PoisonError::into_inner);
        lent.share.read(0);
        Some(std::mem::replace(&mut lent.body, super::empty()))
    }

    /// Whether the guest has dropped the body.
    pub(crate) fn is_orphaned(&self) -> bool {
        self.0.strong_count() == 0
    }
}

impl HttpBody for Handover {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let mut lent = self.lent();
        let lent = &mut *lent;
        let polled = Pin::new(&mut lent.body).poll_frame(cx);
        lent.share.read(there(&lent.body));
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.lent().body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.lent().body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt as _;

    use super::*;
    use crate::body::full;

    #[tokio::test]
    async fn a_lent_body_can_be_taken_back_whole() {
        let arriving = Arriving::default();
        let (lent, slot) = Handover::new(full("hello"), &arriving);
        assert_eq!(arriving.bytes(), 5);
        assert_eq!(lent.size_hint().exact(), Some(5));
        let back = slot.take().unwrap().collect().await.unwrap().to_bytes();
        assert_eq!(&back[..], b"hello");
        assert!(lent.is_end_stream(), "nothing is left for the guest");
        assert_eq!(arriving.bytes(), 0, "nor does the host hold it for the guest");
        drop(lent);
        assert!(slot.is_orphaned());
    }

    #[test]
    fn a_lent_body_that_is_dropped_is_gone() {
        struct Produced {
            _by: Arc<()>,
        }
        impl HttpBody for Produced {
            type Data = Bytes;
            type Error = BodyError;
            fn poll_frame(
                self: Pin<&mut Self>,
                _: &mut Context<'_>,
            ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
                Poll::Pending
            }
        }
        let producer = Arc::new(());
        let (lent, slot) =
            Handover::new(Produced { _by: Arc::clone(&producer) }.boxed_unsync(), &Arriving::default());
        assert!(!slot.is_orphaned());
        drop(lent);
        assert_eq!(Arc::strong_count(&producer), 1, "nobody produces what nobody can have");
        assert!(slot.take().is_none());
    }
}
