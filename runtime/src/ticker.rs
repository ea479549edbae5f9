//! The thread that moves an engine's epoch on. A guest looks at the epoch in every loop and function and is
//! stopped or made to let others run when it has moved.

use std::sync::{Arc, Weak};
use std::time::Duration;

use thread_priority::{
    RealtimeThreadSchedulePolicy, ThreadPriority, ThreadSchedulePolicy, set_thread_priority_and_policy,
    thread_native_id,
};

/// How often a running guest is looked at. A budget is enforced to within one tick.
const TICK: Duration = Duration::from_micros(500);

/// Starts the thread; it ends when `alive` has no owner any more.
///
/// A dedicated one, so that a runtime busy with guests cannot starve its own clock.
pub(crate) fn start(engine: &wasmtime::Engine, alive: &Arc<()>) -> wasmtime::Result<()> {
    let engine = engine.weak();
    let alive: Weak<()> = Arc::downgrade(alive);
    std::thread::Builder::new().name("epoch-ticker".into()).spawn(move || {
        go_first();
        while alive.strong_count() > 0 {
            std::thread::sleep(TICK);
            match engine.upgrade() {
                Some(engine) => engine.increment_epoch(),
                None => break,
            }
        }
    })?;
    Ok(())
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
