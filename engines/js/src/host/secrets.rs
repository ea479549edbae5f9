//! Secrets of stores.

use rquickjs_core::{Ctx, Function, IntoJs, Object, Result, Value};

use super::failure;
use crate::bindings::wasmyard::platform::secrets::SecretError;
use crate::table::{self, Resource};

pub(super) fn add<'js>(ctx: &Ctx<'js>, host: &Object<'js>) -> Result<()> {
    host.set("secret", Function::new(ctx.clone(), secret)?)
}

/// The value that it has now.
fn secret<'js>(ctx: Ctx<'js>, id: u32) -> Result<Value<'js>> {
    let asked = table::with(id, |resource| match resource {
        Resource::Secret(secret) => Some(secret.get()),
        _ => None,
    });
    match asked.flatten() {
        Some(Ok(value)) => value.into_js(&ctx),
        Some(Err(SecretError::NotFound(text))) => failure(&ctx, "not-found", &text),
        Some(Err(SecretError::ExceededSubrequests(text))) => failure(&ctx, "exceeded-subrequests", &text),
        Some(Err(SecretError::Internal(text))) => failure(&ctx, "internal", &text),
        None => failure(&ctx, "internal", "no such secret"),
    }
}
