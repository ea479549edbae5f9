//! Owns the worker's only thread: it polls tasks, and waits in `wasi:io/poll` when none can go on.
//!
//! One invocation is one call of [`run`]; it returns when every task has ended. Nothing else in this crate
//! may block, except for calls that the platform's interface makes blocking (`forward`).

mod wait;

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use wasip2::http::types::OutgoingBody;
use wasip2::io::poll::{Pollable, poll};

use crate::body::Body;
pub(crate) use wait::Wait;

type BoxedTask = Pin<Box<dyn Future<Output = ()>>>;

thread_local! {
    static WAITING: RefCell<Vec<Slot>> = const { RefCell::new(Vec::new()) };
    static SPAWNED: RefCell<Vec<BoxedTask>> = const { RefCell::new(Vec::new()) };
    /// [`wait`], set by the first that has something to wait for: a worker that never waits is linked without it.
    static WAIT: Cell<fn()> = const { Cell::new(stuck) };
}

/// Runs a future beside the worker's own.
///
/// The invocation goes on until it ends, also after the response has been sent, and its time counts against
/// the worker's limits.
///
/// ```no_run
/// # use wasmyard::{Env, Request, Response, Result};
/// # async fn fetch(req: Request, env: Env) -> Result<Response> {
/// wasmyard::spawn(async {
///     let counted = Request::post("https://counter.example/hit").map(wasmyard::fetch);
///     if let Ok(counted) = counted {
///         if let Err(error) = counted.await {
///             eprintln!("hit was not counted: {error}");
///         }
///     }
/// });
/// Ok(Response::text("hello"))
/// # }
/// ```
pub fn spawn(task: impl Future<Output = ()> + 'static) {
    SPAWNED.with_borrow_mut(|spawned| spawned.push(Box::pin(task)));
}

/// Sends the body of a request while its answer is awaited, and after that if need be: a callee may answer
/// before it has read everything. It ends at the latest when the callee does, since nobody reads it then.
pub(crate) fn send_beside(body: Body, sink: OutgoingBody) {
    spawn(async move {
        if let Err(error) = body.send(sink).await {
            eprintln!("the body of a request was cut short: {error}");
        }
    });
}

/// Runs `main` and everything that is spawned meanwhile to the end.
pub(crate) fn run(main: impl Future<Output = ()> + 'static) {
    let mut tasks = vec![Task::new(Box::pin(main))];
    loop {
        tasks.retain_mut(|task| !task.poll_if_woken());
        SPAWNED.with_borrow_mut(|spawned| tasks.extend(spawned.drain(..).map(Task::new)));
        if tasks.is_empty() {
            return;
        }
        if !tasks.iter().any(Task::is_woken) {
            WAIT.get()();
        }
    }
}

struct Task {
    future: BoxedTask,
    woken: Arc<Flag>,
    waker: Waker,
}

impl Task {
    fn new(future: BoxedTask) -> Task {
        let woken = Arc::new(Flag(AtomicBool::new(true)));
        Task { future, waker: Waker::from(woken.clone()), woken }
    }

    fn is_woken(&self) -> bool {
        self.woken.0.load(Ordering::Relaxed)
    }

    /// True when the task has ended.
    fn poll_if_woken(&mut self) -> bool {
        self.woken.0.swap(false, Ordering::Relaxed)
            && self.future.as_mut().poll(&mut Context::from_waker(&self.waker)).is_ready()
    }
}

struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// A place in the list of what is waited for. Places are reused, so that a long stream does not lengthen it.
enum Slot {
    Free,
    Waiting { pollable: Rc<Pollable>, waker: Waker },
    Fired,
}

/// Waits until one of the registered pollables is ready and wakes whoever waits for it.
fn wait() {
    let (places, pollables): (Vec<usize>, Vec<Rc<Pollable>>) = WAITING.with_borrow(|slots| {
        let waiting = slots.iter().enumerate().filter_map(|(place, slot)| match slot {
            Slot::Waiting { pollable, .. } => Some((place, pollable.clone())),
            Slot::Free | Slot::Fired => None,
        });
        waiting.unzip()
    });
    if let [only] = pollables.as_slice() {
        only.block();
        places.into_iter().for_each(fire);
    } else if pollables.is_empty() {
        stuck();
    } else {
        let borrowed: Vec<&Pollable> = pollables.iter().map(Rc::as_ref).collect();
        for ready in poll(&borrowed) {
            if let Some(place) = places.get(ready as usize) {
                fire(*place);
            }
        }
    }
}

fn fire(place: usize) {
    let slot =
        WAITING.with_borrow_mut(|slots| slots.get_mut(place).map(|s| std::mem::replace(s, Slot::Fired)));
    // Woken outside of the borrow: a combinator's waker may do as it likes.
    if let Some(Slot::Waiting { waker, .. }) = slot {
        waker.wake();
    }
}

#[expect(
    clippy::panic,
    reason = "waiting for ever would only burn the visitor's patience: a trap names the fault"
)]
fn stuck() {
    panic!("the worker waits for something that nobody will do: a future is pending and no I/O is under way");
}

/// A future that is ready when the pollable is.
pub(crate) struct Ready {
    pollable: Rc<Pollable>,
    place: Option<usize>,
}

impl Ready {
    pub(crate) fn new(pollable: Rc<Pollable>) -> Ready {
        Ready { pollable, place: None }
    }
}

impl Future for Ready {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        WAIT.set(wait);
        WAITING.with_borrow_mut(|slots| {
            let wait = || Slot::Waiting { pollable: self.pollable.clone(), waker: cx.waker().clone() };
            match self.place {
                Some(place) => match slots.get_mut(place) {
                    Some(Slot::Waiting { waker, .. }) => {
                        waker.clone_from(cx.waker());
                        Poll::Pending
                    }
                    Some(slot) => {
                        *slot = Slot::Free;
                        self.place = None;
                        Poll::Ready(())
                    }
                    None => Poll::Ready(()),
                },
                None => {
                    let wait = wait();
                    let free = slots.iter().position(|slot| matches!(slot, Slot::Free));
                    match free.and_then(|place| slots.get_mut(place)) {
                        Some(slot) => *slot = wait,
                        None => slots.push(wait),
                    }
                    self.place = free.or_else(|| slots.len().checked_sub(1));
                    Poll::Pending
                }
            }
        })
    }
}

impl Drop for Ready {
    fn drop(&mut self) {
        let Some(place) = self.place else { return };
        let freed = WAITING
            .with_borrow_mut(|slots| slots.get_mut(place).map(|slot| std::mem::replace(slot, Slot::Free)));
        // The waker inside may own futures that own a `Ready`: it is dropped outside of the borrow.
        drop(freed);
    }
}

#[cfg(test)]
mod tests;
