//! Owns the few combinators that a worker needs to wait for several things, and for time.
//!
//! Those of the `futures` crate work as well: nothing here is special.

use std::future::Future;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use wasip2::clocks::monotonic_clock::subscribe_duration;

use crate::executor::Ready;

/// Waits for both futures at the same time.
///
/// ```no_run
/// # use wasmyard::{Request, Response, Result};
/// # async fn both() -> Result<()> {
/// let (news, weather) = wasmyard::join(
///     wasmyard::fetch(Request::get("https://news.example/")?),
///     wasmyard::fetch(Request::get("https://weather.example/")?),
/// )
/// .await;
/// # Ok(()) }
/// ```
pub async fn join<A: Future, B: Future>(first: A, second: B) -> (A::Output, B::Output) {
    let (mut first, mut second) = (pin!(first), pin!(second));
    let (mut a, mut b) = (None, None);
    std::future::poll_fn(move |cx| {
        poll_into(first.as_mut(), &mut a, cx);
        poll_into(second.as_mut(), &mut b, cx);
        match (a.take(), b.take()) {
            (Some(x), Some(y)) => Poll::Ready((x, y)),
            (x, y) => {
                (a, b) = (x, y);
                Poll::Pending
            }
        }
    })
    .await
}

/// Waits for all futures at the same time. The results are in the order of the futures.
pub async fn join_all<F: Future>(futures: impl IntoIterator<Item = F>) -> Vec<F::Output> {
    let mut futures: Vec<_> = futures.into_iter().map(|future| (Box::pin(future), None)).collect();
    std::future::poll_fn(move |cx| {
        for (future, output) in &mut futures {
            poll_into(future.as_mut(), output, cx);
        }
        if futures.iter().any(|(_, output)| output.is_none()) {
            return Poll::Pending;
        }
        Poll::Ready(futures.iter_mut().filter_map(|(_, output)| output.take()).collect())
    })
    .await
}

fn poll_into<F: Future>(future: Pin<&mut F>, output: &mut Option<F::Output>, cx: &mut Context<'_>) {
    if output.is_none() {
        if let Poll::Ready(value) = future.poll(cx) {
            *output = Some(value);
        }
    }
}

/// Waits for that long. It costs the worker no CPU time, but the visitor's.
pub async fn sleep(duration: Duration) {
    let nanoseconds = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
    Ready::new(Rc::new(subscribe_duration(nanoseconds))).await;
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    /// Becomes ready when it is polled for the n-th time.
    fn nth(n: u32) -> impl Future<Output = u32> {
        let polled = Cell::new(0);
        std::future::poll_fn(move |cx| {
            polled.set(polled.get() + 1);
            assert!(polled.get() <= n, "a future must not be polled after it is ready");
            cx.waker().wake_by_ref();
            if polled.get() == n { Poll::Ready(n) } else { Poll::Pending }
        })
    }

    fn run<T: 'static>(future: impl Future<Output = T> + 'static) -> T {
        let result = Rc::new(Cell::new(None));
        let out = result.clone();
        crate::executor::run(async move { out.set(Some(future.await)) });
        result.take().unwrap()
    }

    #[test]
    fn join_waits_for_the_slower_one_and_polls_neither_again() {
        assert_eq!(run(join(nth(1), nth(4))), (1, 4));
        assert_eq!(run(join(nth(3), nth(2))), (3, 2));
    }

    #[test]
    fn join_all_keeps_the_order() {
        assert_eq!(run(join_all([3, 1, 2].map(nth))), [3, 1, 2]);
        assert_eq!(run(join_all(Vec::<std::future::Ready<()>>::new())), []);
    }
}
