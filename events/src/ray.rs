//! Which visitor's request this thread works for right now, so that every line logged meanwhile can name it.
//!
//! A pointer in a thread-local that is set around every poll: a tracing span would do the same for forty
//! times the cost, because subscribers format and look up its fields. Never holds more than the ray id.

use std::cell::RefCell;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

thread_local! {
    static CURRENT: RefCell<Option<Arc<str>>> = const { RefCell::new(None) };
}

/// The ray id of the request that this thread works for, if it does.
#[must_use]
pub fn current_ray() -> Option<Arc<str>> {
    CURRENT.try_with(|current| current.borrow().clone()).ok().flatten()
}

/// Runs `work` for a request. Work for another request inside of it is that one's until it returns.
pub fn within<R>(ray_id: &Arc<str>, work: impl FnOnce() -> R) -> R {
    let _outer = Outer(CURRENT.with(|current| current.replace(Some(Arc::clone(ray_id)))));
    work()
}

/// What was current before; current again when this is dropped, also while a panic unwinds.
struct Outer(Option<Arc<str>>);

impl Drop for Outer {
    fn drop(&mut self) {
        CURRENT.with(|current| current.replace(self.0.take()));
    }
}

/// A future whose polls are work for a request.
pub struct InRay<F> {
    /// The request.
    pub ray_id: Arc<str>,
    /// The work.
    pub future: F,
}

impl<F: Future + Unpin> Future for InRay<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let Self { ray_id, future } = self.get_mut();
        within(ray_id, || Pin::new(future).poll(cx))
    }
}

/// A future for a task of its own, whose polls, and whose end, are work for the request that is current now.
pub fn carried<F: Future + Unpin>(future: F) -> Carried<F> {
    Carried { ray_id: current_ray(), future: Some(future) }
}

/// What [`carried`] makes.
pub struct Carried<F> {
    ray_id: Option<Arc<str>>,
    /// Gone when this is dropped: what a future logs then belongs to the request as well.
    future: Option<F>,
}

impl<F> Carried<F> {
    fn during<R>(&mut self, work: impl FnOnce(&mut Option<F>) -> R) -> R {
        match &self.ray_id {
            Some(ray_id) => within(ray_id, || work(&mut self.future)),
            None => work(&mut self.future),
        }
    }
}

impl<F: Future + Unpin> Future for Carried<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        self.during(|future| match future {
            Some(future) => Pin::new(future).poll(cx),
            None => Poll::Pending,
        })
    }
}

impl<F> Drop for Carried<F> {
    fn drop(&mut self) {
        self.during(|future| drop(future.take()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_outer_request_is_current_again_after_an_inner_one() {
        assert_eq!(current_ray(), None);
        within(&Arc::from("outer"), || {
            within(&Arc::from("inner"), || assert_eq!(current_ray().as_deref(), Some("inner")));
            assert_eq!(current_ray().as_deref(), Some("outer"));
        });
        assert_eq!(current_ray(), None);
    }

    #[tokio::test]
    async fn a_request_is_current_only_while_it_is_polled() {
        let future = Box::pin(async {
            tokio::task::yield_now().await;
            current_ray()
        });
        let seen = InRay { ray_id: Arc::from("mine"), future }.await;
        assert_eq!((seen.as_deref(), current_ray()), (Some("mine"), None));
    }

    #[tokio::test]
    async fn a_task_of_its_own_works_for_the_request_that_spawned_it_to_its_last_moment() {
        struct SeenAtTheEnd(std::sync::mpsc::Sender<Option<Arc<str>>>);
        impl Drop for SeenAtTheEnd {
            fn drop(&mut self) {
                self.0.send(current_ray()).unwrap();
            }
        }
        let (seen, end) = std::sync::mpsc::channel();
        let guard = SeenAtTheEnd(seen);
        let future = Box::pin(async move {
            let _guard = &guard;
            current_ray()
        });
        let task = within(&Arc::from("mine"), || tokio::spawn(carried(future)));
        assert_eq!(task.await.unwrap().as_deref(), Some("mine"));
        assert_eq!(end.recv().unwrap().as_deref(), Some("mine"));
        assert_eq!(tokio::spawn(carried(Box::pin(async { current_ray() }))).await.unwrap(), None);
    }
}
