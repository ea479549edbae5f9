//! The event loop: jobs, then timers, then one call of the host that waits for whatever is ready first.

use std::cell::RefCell;

use rquickjs_core::promise::PromiseState;
use rquickjs_core::{Ctx, Function, Persistent, Promise, Result};

use crate::bindings::wasi::clocks::monotonic_clock;
use crate::bindings::wasi::io::poll::{self, Pollable};
use crate::table;

/// Somebody who waits for a handle.
struct Waiter {
    handle: u32,
    ready: Pollable,
    resolve: Persistent<Function<'static>>,
}

thread_local! {
    static WAITERS: RefCell<Vec<Waiter>> = const { RefCell::new(Vec::new()) };
}

/// A promise that is kept when a handle has got further. One that cannot is kept at once.
pub(crate) fn wait<'js>(ctx: Ctx<'js>, handle: u32) -> Result<Promise<'js>> {
    let (promise, resolve, _) = ctx.promise()?;
    match table::with(handle, table::Resource::subscribe).flatten() {
        Some(ready) => {
            let resolve = Persistent::save(&ctx, resolve);
            WAITERS.with_borrow_mut(|waiters| waiters.push(Waiter { handle, ready, resolve }));
        }
        None => resolve.call::<_, ()>(())?,
    }
    Ok(promise)
}

/// Nobody waits for this handle any more: what waits for it must go before it does.
pub(crate) fn forget(handle: u32) {
    WAITERS.with_borrow_mut(|waiters| waiters.retain(|waiter| waiter.handle != handle));
}

/// How the loop ended.
pub(crate) enum End {
    /// The promise is settled.
    Settled,
    /// It never will be: there is nothing left that anything waits for.
    Never,
}

/// Runs until a promise is settled. `timers` runs those that are due, and says in how many milliseconds the next one is:
/// negative where there is none.
///
/// # Errors
///
/// What a timer's own machinery threw: functions of scripts are caught inside.
pub(crate) fn run<'js>(
    ctx: &Ctx<'js>,
    until: &Promise<'js>,
    timers: &Persistent<Function<'static>>,
) -> Result<End> {
    loop {
        while ctx.execute_pending_job() {}
        if until.state() != PromiseState::Pending {
            return Ok(End::Settled);
        }
        let next: f64 = timers.clone().restore(ctx)?.call(())?;
        if next == 0.0 {
            continue;
        }
        let ready = WAITERS.with_borrow(|waiters| {
            if waiters.is_empty() && next < 0.0 {
                return None;
            }
            let timer = (next > 0.0).then(|| monotonic_clock::subscribe_duration((next * 1e6) as u64));
            let all: Vec<&Pollable> = waiters.iter().map(|waiter| &waiter.ready).chain(&timer).collect();
            Some(poll::poll(&all))
        });
        let Some(mut ready) = ready else { return Ok(End::Never) };
        ready.sort_unstable();
        let mut woken = Vec::new();
        WAITERS.with_borrow_mut(|waiters| {
            // From the end, so that those before keep their places.
            for index in ready.into_iter().rev() {
                if (index as usize) < waiters.len() {
                    woken.push(waiters.remove(index as usize));
                }
            }
        });
        for waiter in woken.into_iter().rev() {
            let resolve = waiter.resolve.restore(ctx)?;
            resolve.call::<_, ()>(())?;
        }
    }
}
