//! A future that is charged for its polls, and that ends when its budget is spent.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use crate::limits::meter::Meter;
use crate::outcome::Failure;

/// A boxed future whose polls are charged to an invocation, and which ends when the budget is spent.
///
/// Guest code is stopped by the epoch; this is for what burns CPU between two steps of guest code, such as
/// thousands of things waited for at once, each look at them being a poll.
pub(crate) struct Metered<T> {
    pub(crate) meter: Arc<Meter>,
    pub(crate) budget: Duration,
    pub(crate) future: Pin<Box<dyn Future<Output = Result<T, Failure>> + Send>>,
}

impl<T> Future for Metered<T> {
    type Output = Result<T, Failure>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        let future = this.future.as_mut();
        let polled = this.meter.cpu.charge(|| future.poll(cx));
        if polled.is_pending() && this.meter.cpu.used() >= this.budget {
            return Poll::Ready(Err(Failure::ExceededCpu { limit: this.budget }));
        }
        polled
    }
}
