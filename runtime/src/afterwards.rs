//! A guest whose response is complete and who goes on: to deliver a log, to fill a cache. Nobody waits for it; its
//! limits hold as before, and so do the places that its request takes up, until it ends or its time is over.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use http_body::Body as _;

use crate::account::Metered;
use crate::body::Body;
use crate::fairness::Fair;
use crate::outcome::{End, Failure};

/// How long a guest may go on after its response is complete.
const AFTER_RESPONSE: Duration = Duration::from_secs(30);
/// How much of a body is taken off a guest that writes one to nobody, as in the answer to HEAD: a short one is, so
/// that the guest sees no error; a long one is not worth its work.
const UNREAD_BYTES: usize = 64 << 10;

/// Drives the guest to its end in a task of its own, for as long as it may take, and tells how it ended.
pub(crate) fn spawn(
    guest: Fair<Metered<()>>,
    unread: Option<Body>,
    ended: impl FnOnce(End) + Send + 'static,
) {
    let afterwards =
        async move { ended(Afterwards { guest, unread, taken: 0 }.within(AFTER_RESPONSE).await) };
    // Bodies are dropped anywhere, at the very end of the process outside of any runtime.
    if let Ok(runtime) = tokio::runtime::Handle::try_current() {
        runtime.spawn(afterwards);
    }
}

struct Afterwards {
    guest: Fair<Metered<()>>,
    unread: Option<Body>,
    taken: usize,
}

impl Afterwards {
    async fn within(self, limit: Duration) -> End {
        match tokio::time::timeout(limit, self).await {
            Ok(Ok(())) => End::Ok,
            Ok(Err(failure)) => End::Failed(failure),
            Err(_elapsed) => End::Failed(Failure::TimedOut { limit }),
        }
    }
}

impl Future for Afterwards {
    type Output = Result<(), Failure>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        if let Poll::Ready(ended) = Pin::new(&mut this.guest).poll(cx) {
            return Poll::Ready(ended);
        }
        while let Some(body) = &mut this.unread {
            match Pin::new(body).poll_frame(cx) {
                Poll::Ready(Some(Ok(frame))) => {
                    this.taken += frame.data_ref().map_or(0, bytes::Bytes::len);
                    if this.taken > UNREAD_BYTES {
                        this.unread = None;
                    }
                }
                Poll::Ready(_) => this.unread = None,
                Poll::Pending => break,
            }
        }
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use bytes::Bytes;
    use futures::StreamExt as _;
    use http_body::Frame;
    use http_body_util::{BodyExt as _, StreamBody};

    use super::*;
    use crate::fairness::Background;
    use crate::meter::Meter;

    fn guest(future: impl Future<Output = Result<(), Failure>> + Send + 'static) -> Fair<Metered<()>> {
        let meter = Arc::new(Meter::default());
        let guest = Metered { meter, budget: Duration::MAX, future: Box::pin(future) };
        Fair::new(guest, &Arc::new(Background::new()))
    }

    #[tokio::test]
    async fn a_guest_that_never_ends_is_ended() {
        let limit = Duration::from_millis(20);
        let endless = Afterwards { guest: guest(std::future::pending()), unread: None, taken: 0 };
        assert_eq!(endless.within(limit).await, End::Failed(Failure::TimedOut { limit }));
    }

    #[tokio::test]
    async fn a_guest_is_not_held_by_a_body_that_nobody_reads_nor_may_it_write_one_for_ever() {
        let taken = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&taken);
        let endless = futures::stream::repeat_with(move || {
            count.fetch_add(1 << 10, Ordering::Relaxed);
            Ok(Frame::data(Bytes::from_static(&[0; 1 << 10])))
        });
        let body = StreamBody::new(endless.boxed()).boxed_unsync();
        let polled = guest(async {
            tokio::task::yield_now().await;
            Ok(())
        });
        let ended =
            Afterwards { guest: polled, unread: Some(body), taken: 0 }.within(Duration::from_secs(60)).await;
        assert_eq!(ended, End::Ok);
        let taken = taken.load(Ordering::Relaxed);
        assert!((UNREAD_BYTES..UNREAD_BYTES + (4 << 10)).contains(&taken), "{taken}");
    }
}
