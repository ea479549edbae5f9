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
pub(crate) fn within<R>(ray_id: &Arc<str>, work: impl FnOnce() -> R) -> R {
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
pub(crate) struct InRay<F> {
    pub(crate) ray_id: Arc<str>,
    pub(crate) future: F,
}

impl<F: Future + Unpin> Future for InRay<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let Self { ray_id, future } = self.get_mut();
        within(ray_id, || Pin::new(future).poll(cx))
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
}
