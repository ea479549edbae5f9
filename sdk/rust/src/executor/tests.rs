//! The executor without pollables: what wakes itself must be polled again, what is spawned must end.

use std::cell::Cell;

use super::*;

/// Pending so many times, waking itself each time.
struct Yields(u32);

impl Future for Yields {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.0 == 0 {
            return Poll::Ready(());
        }
        self.0 -= 1;
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

#[test]
fn a_task_that_wakes_itself_is_polled_until_it_ends() {
    let done = Rc::new(Cell::new(false));
    let seen = done.clone();
    run(async move {
        Yields(5).await;
        seen.set(true);
    });
    assert!(done.get());
}

#[test]
fn tasks_spawned_by_tasks_end_before_run_returns() {
    let count = Rc::new(Cell::new(0));
    let (outer, inner) = (count.clone(), count.clone());
    run(async move {
        spawn(async move {
            Yields(2).await;
            spawn(async move { inner.set(inner.get() + 1) });
            outer.set(outer.get() + 1);
        });
    });
    assert_eq!(count.get(), 2);
}

#[test]
fn tasks_take_turns() {
    let order = Rc::new(RefCell::new(String::new()));
    let (first, second) = (order.clone(), order.clone());
    run(async move {
        spawn(async move {
            for _ in 0..3 {
                second.borrow_mut().push('b');
                Yields(1).await;
            }
        });
        for _ in 0..3 {
            first.borrow_mut().push('a');
            Yields(1).await;
        }
    });
    assert_eq!(*order.borrow(), "aababb");
}

#[test]
#[should_panic(expected = "nobody will do")]
fn a_worker_that_waits_for_nothing_is_told_so() {
    run(std::future::pending());
}
