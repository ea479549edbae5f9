//! Promises that were rejected while nobody listened: the prelude asks for them when all jobs have run.

use std::cell::RefCell;

use rquickjs_core::{Array, Ctx, Function, Object, Persistent, Result, Runtime, Value};

use crate::clock;

type Kept = Persistent<Value<'static>>;

struct Rejected {
    promise: Kept,
    reason: Kept,
    /// The script was told.
    is_told: bool,
}

thread_local! {
    static REJECTED: RefCell<Vec<Rejected>> = const { RefCell::new(Vec::new()) };
    /// Those that the script was told of, and that somebody listens to by now.
    static HANDLED: RefCell<Vec<(Kept, Kept)>> = const { RefCell::new(Vec::new()) };
}

pub(super) fn add<'js>(ctx: &Ctx<'js>, host: &Object<'js>) -> Result<()> {
    host.set("rejections", Function::new(ctx.clone(), rejections)?)
}

/// Has the engine tell of rejections. Those of a top level are its errors, or nobody's.
pub(crate) fn track(runtime: &Runtime) {
    runtime.set_host_promise_rejection_tracker(Some(Box::new(|ctx, promise, reason, is_handled| {
        if !clock::is_sealed() {
            return;
        }
        if !is_handled {
            let (promise, reason) = (Persistent::save(&ctx, promise), Persistent::save(&ctx, reason));
            REJECTED.with_borrow_mut(|all| all.push(Rejected { promise, reason, is_told: false }));
            return;
        }
        let found = REJECTED.with_borrow_mut(|all| {
            let at = all.iter().rposition(|rejected| {
                rejected.promise.clone().restore(&ctx).is_ok_and(|kept| kept == promise)
            })?;
            Some(all.swap_remove(at))
        });
        if let Some(rejected) = found.filter(|rejected| rejected.is_told) {
            HANDLED.with_borrow_mut(|all| all.push((rejected.promise, rejected.reason)));
        }
    })));
}

/// Whether there are any that the script was not told of.
pub(crate) fn any() -> bool {
    REJECTED.with_borrow(|all| all.iter().any(|rejected| !rejected.is_told))
}

/// Three items for each that the script was not told of: whether it is handled by now, the promise, the reason. Null where
/// there are none.
fn rejections(ctx: Ctx<'_>) -> Result<Value<'_>> {
    let mut told = Vec::new();
    REJECTED.with_borrow_mut(|all| {
        for rejected in all.iter_mut().filter(|rejected| !rejected.is_told) {
            rejected.is_told = true;
            told.push((false, rejected.promise.clone(), rejected.reason.clone()));
        }
    });
    told.extend(HANDLED.take().into_iter().map(|(promise, reason)| (true, promise, reason)));
    if told.is_empty() {
        return Ok(Value::new_null(ctx));
    }
    let list = Array::new(ctx.clone())?;
    for (index, (is_handled, promise, reason)) in told.into_iter().enumerate() {
        list.set(index * 3, is_handled)?;
        list.set(index * 3 + 1, promise.restore(&ctx)?)?;
        list.set(index * 3 + 2, reason.restore(&ctx)?)?;
    }
    Ok(list.into_value())
}
