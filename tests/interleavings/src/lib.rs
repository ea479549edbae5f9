//! Runs what many tasks share under a checker of interleavings: the scheduler of guests, admission, and the connections
//! that are kept. The files of the product are compiled into this crate as they are; only what they take from their
//! crate's `sync` (locks, counters, calls, time) is another here: whoever uses it may be interrupted there, and it is the
//! checker that says who goes on. Must never hold a copy of what it checks.

// Some targets are checked as tests even though there are none in here; the files' own need files beside them.
#![cfg(not(test))]
#![expect(clippy::panic, clippy::indexing_slicing, reason = "a check fails by panicking")]

pub mod kept_connections;
pub mod permits;
pub mod scheduler;
mod sync;

#[expect(dead_code, unreachable_pub, reason = "it is public in its own crate, for more than is of use here")]
#[rustfmt::skip]
#[path = "../../../edge/net/src/kept.rs"]
mod kept;
#[rustfmt::skip]
#[path = "../../../edge/net/src/places.rs"]
mod places;

use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;

use shuttle::scheduler::{PctScheduler, RandomScheduler};
use shuttle::{Config, Runner};

/// Runs a scenario in many interleavings, always the same ones: chosen at random, and such as change rarely who runs.
/// Nobody is late: a wait that only a time-out would end is a deadlock, and found.
pub fn check(times: usize, scenario: impl Fn() + Send + Sync + Copy + 'static) {
    let scenario = move || {
        sync::begin(false);
        scenario();
    };
    Runner::new(RandomScheduler::new_from_seed(SEED, times), config()).run(scenario);
    Runner::new(PctScheduler::new_from_seed(SEED, 3, times), config()).run(scenario);
}

/// Runs a scenario in many interleavings in which any wait may take too long.
pub fn check_with_delays(times: usize, scenario: impl Fn() + Send + Sync + Copy + 'static) {
    let scenario = move || {
        sync::begin(true);
        scenario();
    };
    Runner::new(RandomScheduler::new_from_seed(SEED, times), config()).run(scenario);
}

/// Any number will do; with the same one a failure comes again.
const SEED: u64 = 0x5759;

fn config() -> Config {
    let mut config = Config::new();
    config.stack_size = 256 << 10;
    config.silence_warnings = true;
    config
}

/// Runs all tasks to their ends, at once.
fn run_all(tasks: impl IntoIterator<Item = Pin<Box<dyn Future<Output = ()> + Send>>>) {
    let running: Vec<_> = tasks.into_iter().map(shuttle::future::spawn).collect();
    shuttle::future::block_on(async {
        for task in running {
            if let Err(error) = task.await {
                panic!("a task did not end: {error}");
            }
        }
    });
}

/// Lets others go first, once.
async fn step_aside() {
    let mut done = false;
    poll_fn(|cx| {
        if std::mem::replace(&mut done, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// Polls a future so many times, and drops it then, whatever it waits for. None where it had not ended.
async fn abandoned<F: Future + Unpin>(future: F, polls: usize) -> Option<F::Output> {
    let mut future = Some(future);
    let mut left = polls;
    poll_fn(|cx| {
        let Some(running) = future.as_mut() else { return Poll::Ready(None) };
        if left == 0 {
            future = None;
            return Poll::Ready(None);
        }
        left -= 1;
        let polled = Pin::new(running).poll(cx);
        if polled.is_pending() {
            cx.waker().wake_by_ref();
        }
        polled.map(Some)
    })
    .await
}

/// A number below another, chosen by the checker.
fn any_below(most: usize) -> usize {
    use shuttle::rand::Rng as _;
    shuttle::rand::thread_rng().gen_range(0..most)
}
