//! Rate limits.

use rquickjs_core::{Ctx, Function, Object, Result, Value};

use super::failure;
use crate::table::{self, Resource};

pub(super) fn add<'js>(ctx: &Ctx<'js>, host: &Object<'js>) -> Result<()> {
    host.set("limit", Function::new(ctx.clone(), limit)?)
}

/// Whether one more is let through.
fn limit<'js>(ctx: Ctx<'js>, id: u32, key: String) -> Result<Value<'js>> {
    let asked = table::with(id, |resource| match resource {
        Resource::Limiter(limiter) => Some(limiter.limit(&key)),
        _ => None,
    });
    match asked.flatten() {
        Some(Ok(is_allowed)) => Ok(Value::new_bool(ctx, is_allowed)),
        Some(Err(text)) => failure(&ctx, "invalid-argument", &text),
        None => failure(&ctx, "internal", "no such rate limit"),
    }
}
