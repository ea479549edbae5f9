//! A guest whose response is complete and who goes on: to deliver a log, to fill a cache. Nobody waits for it; its
//! limits hold as before, and so do the places that its request takes up, until it ends or its time is over.
//!
//! A guest whose answer nobody reads any more is also here, until it shows whether it has done its part: it was perhaps
//! interrupted a moment before its last byte, and what becomes of it must not depend on that moment.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use http_body::Body as _;
use tokio::task::unconstrained;

use crate::body::Body;
use crate::limits::metered::Metered;
use crate::limits::scheduler::Fair;
use crate::outcome::{End, Failure};

/// How long a guest may go on after its response is complete.
const AFTER_RESPONSE: Duration = Duration::from_secs(30);
/// How much of a body is taken off a guest that writes one to nobody, as in the answer to HEAD: a short one is, so
/// that the guest sees no error; a long one is not worth its work.
const UNREAD_BYTES: usize = 64 << 10;
/// CPU time in which a guest has to come to the end of an answer that nobody reads, if it never waits.
const UNREAD_CPU: Duration = Duration::from_millis(10);

/// A guest that goes on, and what it still writes to nobody.
pub(crate) struct Afterwards {
    guest: Fair<Metered<()>>,
    unread: Option<Body>,
    taken: usize,
    /// The CPU time by which the body has to be complete; none when the guest's part is done, whatever it writes.
    complete_by: Option<Duration>,
}

impl Afterwards {
    /// A guest that has done its part.
    pub(crate) fn of_a_complete_answer(guest: Fair<Metered<()>>) -> Self {
        Self { guest, unread: None, taken: 0, complete_by: None }
    }

    /// A guest whose answer nobody will read. What it still writes is taken off it, up to a bound. Unless its answer
    /// is `complete` as far as anybody wants it, the guest is stopped as soon as it waits before its last byte.
    pub(crate) fn of_an_unread_answer(guest: Fair<Metered<()>>, unread: Body, complete: bool) -> Self {
        let complete_by = (!complete).then(|| guest.inner().meter.cpu.used() + UNREAD_CPU);
        Self { guest, unread: Some(unread), taken: 0, complete_by }
    }

    /// Drives the guest to its end in a task of its own, for as long as it may take, and tells how it ended.
    pub(crate) fn spawn(self, ended: impl FnOnce(End) + Send + 'static) {
        // Bodies are dropped anywhere, at the very end of the process outside of any runtime.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            // A guest that is interrupted for the sake of others would look like one that waits; it yields by itself.
            let to_its_end = Box::pin(async move { ended(self.within(AFTER_RESPONSE).await) });
            runtime.spawn(unconstrained(wasmyard_events::carried(to_its_end)));
        }
    }

    async fn within(self, limit: Duration) -> End {
        let timed_out = End::Failed(Failure::TimedOut { limit });
        tokio::time::timeout(limit, self).await.unwrap_or(timed_out)
    }

    /// Takes what the guest has written. Says whether there was anything.
    fn take_unread(&mut self, cx: &mut Context<'_>) -> bool {
        let before = self.taken;
        while let Some(body) = &mut self.unread {
            match Pin::new(body).poll_frame(cx) {
                Poll::Ready(Some(Ok(frame))) => {
                    self.taken += frame.data_ref().map_or(0, bytes::Bytes::len);
                    if self.taken > UNREAD_BYTES {
                        self.unread = None;
                    }
                }
                Poll::Ready(None) => {
                    self.unread = None;
                    self.complete_by = None;
                }
                Poll::Ready(Some(Err(_))) => self.unread = None,
                Poll::Pending => break,
            }
        }
        self.taken > before
    }
}

impl Future for Afterwards {
    type Output = End;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<End> {
        let this = &mut *self;
        loop {
            match Pin::new(&mut this.guest).poll(cx) {
                Poll::Ready(Ok(())) => return Poll::Ready(End::Ok),
                Poll::Ready(Err(failure)) => return Poll::Ready(End::Failed(failure)),
                Poll::Pending => {}
            }
            let took = this.take_unread(cx);
            let Some(complete_by) = this.complete_by else { return Poll::Pending };
            if this.unread.is_none() || this.guest.inner().meter.cpu.used() >= complete_by {
                return Poll::Ready(End::Canceled);
            }
            if !this.guest.is_waiting() {
                return Poll::Pending;
            }
            // It may have waited for its answer to be taken.
            if !took {
                return Poll::Ready(End::Canceled);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Instant;

    use bytes::Bytes;
    use futures::StreamExt as _;
    use http_body::Frame;
    use http_body_util::{BodyExt as _, StreamBody};
    use tokio::sync::mpsc;
    use tokio::task::yield_now;

    use super::*;
    use crate::limits::meter::Meter;
    use crate::limits::scheduler::{Background, stepped_back};

    /// Longer than anything here takes.
    const PATIENCE: Duration = Duration::from_secs(60);

    fn guest(future: impl Future<Output = ()> + Send + 'static) -> Fair<Metered<()>> {
        let future = async move {
            future.await;
            Ok(())
        };
        let guest =
            Metered { meter: Arc::new(Meter::default()), budget: Duration::MAX, future: Box::pin(future) };
        Fair::new(guest, &Arc::new(Background::new(None)), &Arc::default())
    }

    /// An answer of which one chunk at a time is on its way to the reader, as the guests' are.
    fn answer() -> (mpsc::Sender<&'static str>, Body) {
        let (writer, reader) = mpsc::channel(1);
        let chunks = futures::stream::unfold(reader, |mut reader| async {
            let chunk: &str = reader.recv().await?;
            Some((Ok(Frame::data(Bytes::from_static(chunk.as_bytes()))), reader))
        });
        (writer, StreamBody::new(chunks.boxed()).boxed_unsync())
    }

    /// Is interrupted by the engine.
    async fn interrupted() {
        stepped_back(Duration::from_micros(500));
        yield_now().await;
    }

    /// How it ends for a guest whose answer nobody reads.
    async fn unread(guest: impl Future<Output = ()> + Send + 'static, answer: Body) -> End {
        Afterwards::of_an_unread_answer(self::guest(guest), answer, false).within(PATIENCE).await
    }

    #[tokio::test]
    async fn a_guest_that_never_ends_is_ended() {
        let limit = Duration::from_millis(20);
        let endless = Afterwards::of_a_complete_answer(guest(std::future::pending()));
        assert_eq!(endless.within(limit).await, End::Failed(Failure::TimedOut { limit }));
    }

    #[tokio::test]
    async fn what_is_logged_of_a_guest_that_goes_on_names_its_request() {
        let (seen, end) = tokio::sync::oneshot::channel();
        let afterwards = Afterwards::of_a_complete_answer(guest(async {
            assert_eq!(wasmyard_events::current_ray().as_deref(), Some("mine"));
        }));
        wasmyard_events::within(&Arc::from("mine"), || {
            afterwards.spawn(move |end| seen.send((end, wasmyard_events::current_ray())).unwrap());
        });
        assert_eq!(end.await.unwrap(), (End::Ok, Some(Arc::from("mine"))));
    }

    #[tokio::test]
    async fn a_guest_is_not_held_by_a_body_that_nobody_reads_nor_may_it_write_one_for_ever() {
        for (complete, expected) in [(true, End::Ok), (false, End::Canceled)] {
            let taken = Arc::new(AtomicUsize::new(0));
            let count = Arc::clone(&taken);
            let endless = futures::stream::repeat_with(move || {
                count.fetch_add(1 << 10, Ordering::Relaxed);
                Ok(Frame::data(Bytes::from_static(&[0; 1 << 10])))
            });
            let body = StreamBody::new(endless.boxed()).boxed_unsync();
            let afterwards = Afterwards::of_an_unread_answer(guest(yield_now()), body, complete);
            assert_eq!(afterwards.within(PATIENCE).await, expected);
            let taken = taken.load(Ordering::Relaxed);
            assert!((UNREAD_BYTES..UNREAD_BYTES + (4 << 10)).contains(&taken), "{taken}");
        }
    }

    #[tokio::test]
    async fn a_guest_that_was_interrupted_before_its_last_byte_goes_on() {
        let (writer, body) = answer();
        let ended = unread(
            async move {
                for chunk in ["first", "second", "third"] {
                    interrupted().await;
                    writer.send(chunk).await.unwrap();
                }
                interrupted().await;
                drop(writer);
                // It waits now, and may.
                tokio::spawn(yield_now()).await.unwrap();
            },
            body,
        );
        assert_eq!(ended.await, End::Ok);
    }

    #[tokio::test]
    async fn a_guest_that_waits_before_its_last_byte_is_stopped() {
        let (writer, body) = answer();
        let ended = unread(
            async move {
                writer.send("first").await.unwrap();
                std::future::pending::<()>().await;
            },
            body,
        );
        assert_eq!(ended.await, End::Canceled);
    }

    #[tokio::test]
    async fn a_guest_that_computes_on_and_on_before_its_last_byte_is_stopped() {
        let (writer, body) = answer();
        let ended = unread(
            async move {
                loop {
                    let slice = Instant::now();
                    while slice.elapsed() < Duration::from_micros(500) {}
                    assert!(!writer.is_closed());
                    interrupted().await;
                }
            },
            body,
        );
        assert_eq!(ended.await, End::Canceled);
    }
}
