//! What `AsyncLocalStorage` stores: one value that the engine takes along to whatever waits for a promise. QuickJS-ng is
//! changed for it (`change-quickjs.py`): the value is noted when a reaction is added, and is current while that runs.

use rquickjs_core::{Ctx, Function, Object, Result, Value};

unsafe extern "C" {
    fn wasmyard_context(ctx: *mut rquickjs_sys::JSContext) -> rquickjs_sys::JSValue;
    fn wasmyard_set_context(ctx: *mut rquickjs_sys::JSContext, value: rquickjs_sys::JSValue);
}

pub(super) fn add<'js>(ctx: &Ctx<'js>, host: &Object<'js>) -> Result<()> {
    host.set("asyncContext", Function::new(ctx.clone(), current)?)?;
    host.set("setAsyncContext", Function::new(ctx.clone(), set)?)?;
    Ok(())
}

fn current(ctx: Ctx<'_>) -> Value<'_> {
    // SAFETY: the context lives as long as it is borrowed, and the function gives a reference of its own, which the value
    // gives back when it is dropped.
    unsafe { Value::from_raw(ctx.clone(), wasmyard_context(ctx.as_raw().as_ptr())) }
}

fn set<'js>(ctx: Ctx<'js>, value: Value<'js>) {
    // SAFETY: the context lives as long as it is borrowed; the function takes a reference of its own.
    unsafe { wasmyard_set_context(ctx.as_raw().as_ptr(), value.as_raw()) };
}
