//! The thread that moves an engine's epoch on. A guest looks at the epoch in every loop and function and is
//! stopped or made to let others run when it has moved.
//!
//! While no guest has run for a while the thread sleeps: a platform that only serves files, or nothing at all, is not
//! woken two thousand times a second.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::thread::Thread;
use std::time::Duration;

use thread_priority::{
    RealtimeThreadSchedulePolicy, ThreadPriority, ThreadSchedulePolicy, set_thread_priority_and_policy,
    thread_native_id,
};

/// How often a running guest is looked at. A budget is enforced to within one tick.
const TICK: Duration = Duration::from_micros(500);
/// Ticks without a guest until the thread sleeps. To wake it is a system call, which the next guest should not need.
const IDLE_TICKS: u32 = 400;
/// How often a sleeping thread looks whether its engine is still there.
const LONG: Duration = Duration::from_secs(5);

/// The thread of one engine. It ends when this has no owner any more.
pub(crate) struct Ticker {
    thread: Thread,
    guests: Arc<Guests>,
}

#[derive(Default)]
struct Guests {
    running: AtomicUsize,
    asleep: AtomicBool,
}

/// While this is held, epochs tick. Whoever runs a guest holds one.
pub(crate) struct Ticking<'t>(&'t Ticker);

impl Ticker {
    /// Starts the thread: a dedicated one, so that a runtime busy with guests cannot starve its own clock.
    pub(crate) fn start(engine: &wasmtime::Engine) -> wasmtime::Result<Arc<Self>> {
        let engine = engine.weak();
        Self::spawn(move || engine.upgrade().map(|engine| engine.increment_epoch()).is_some())
    }

    /// Calls `tick` until it says no, or nobody needs it any more.
    fn spawn(tick: impl Fn() -> bool + Send + 'static) -> wasmtime::Result<Arc<Self>> {
        let guests: Arc<Guests> = Arc::default();
        let seen: Weak<Guests> = Arc::downgrade(&guests);
        let thread = std::thread::Builder::new().name("epoch-ticker".into()).spawn(move || {
            go_first();
            let mut idle = 0;
            loop {
                std::thread::sleep(TICK);
                let Some(guests) = seen.upgrade() else { break };
                idle = if guests.running.load(Ordering::Relaxed) == 0 { idle + 1 } else { 0 };
                if idle > IDLE_TICKS {
                    guests.sleep();
                    idle = 0;
                }
                if !tick() {
                    break;
                }
            }
        })?;
        Ok(Arc::new(Self { thread: thread.thread().clone(), guests }))
    }

    /// Makes sure that epochs tick for as long as what it returns lives.
    pub(crate) fn ticking(&self) -> Ticking<'_> {
        // Either this sees that the thread is about to sleep, or the thread sees this before it does.
        self.guests.running.fetch_add(1, Ordering::SeqCst);
        if self.guests.asleep.load(Ordering::SeqCst) {
            self.thread.unpark();
        }
        Ticking(self)
    }
}

impl Drop for Ticking<'_> {
    fn drop(&mut self) {
        self.0.guests.running.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Guests {
    /// Until there is a guest, or some time has passed.
    fn sleep(&self) {
        self.asleep.store(true, Ordering::SeqCst);
        if self.running.load(Ordering::SeqCst) == 0 {
            std::thread::park_timeout(LONG);
        }
        self.asleep.store(false, Ordering::SeqCst);
    }
}

/// Asks for a place before all ordinary threads. On processors that are all busy the scheduler would let this
/// thread wait for 5 ms now and then, in which a guest can overrun its budget; with it, ticks come within 0.1 ms
/// of their time. It takes a privilege (`CAP_SYS_NICE`, or `LimitRTPRIO=1` in a service's unit) and works
/// without, less exactly on a busy machine.
fn go_first() {
    let policy = ThreadSchedulePolicy::Realtime(RealtimeThreadSchedulePolicy::Fifo);
    if let Err(error) = set_thread_priority_and_policy(thread_native_id(), ThreadPriority::Min, policy) {
        tracing::debug!(?error, "the epoch's thread has no real-time priority; CPU limits hold less exactly");
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    /// Longer than anything here takes.
    const PATIENCE: Duration = Duration::from_secs(60);

    #[test]
    fn it_sleeps_without_guests_and_is_woken_by_one() {
        let (ticked, ticks) = mpsc::channel();
        let ticker = Ticker::spawn(move || ticked.send(()).is_ok()).unwrap();
        for _ in 0..3 {
            // Nobody runs: so many ticks, and no more.
            let begun = std::time::Instant::now();
            while !ticker.guests.asleep.load(Ordering::SeqCst) {
                assert!(begun.elapsed() < PATIENCE, "it never sleeps");
                std::thread::yield_now();
            }
            while ticks.try_recv().is_ok() {}
            let guest = ticker.ticking();
            // It is awake for as long as there is a guest, and not just once.
            for _ in 0..2 * IDLE_TICKS {
                ticks.recv_timeout(PATIENCE).unwrap();
            }
            drop(guest);
        }
    }

    #[test]
    fn it_ends_with_its_engine() {
        let (ticked, ticks) = mpsc::channel();
        let ticker = Ticker::spawn(move || ticked.send(()).is_ok()).unwrap();
        drop(ticker);
        let ended = loop {
            match ticks.recv_timeout(PATIENCE) {
                Ok(()) => {}
                Err(error) => break error,
            }
        };
        assert_eq!(ended, mpsc::RecvTimeoutError::Disconnected);
    }
}
