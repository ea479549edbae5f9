//! Messages that are sent to queues.

use rquickjs_core::{Array, ArrayBuffer, Ctx, Function, Object, Result, Value};

use super::{bytes, failure};
use crate::bindings::wasmyard::platform::queues::{ContentType, NewMessage, SendError};
use crate::table::{self, Resource};

pub(super) fn add<'js>(ctx: &Ctx<'js>, host: &Object<'js>) -> Result<()> {
    host.set("queueSend", Function::new(ctx.clone(), send)?)
}

/// Sends messages: content types, bodies and delays in turn. A delay below zero is left out.
fn send<'js>(ctx: Ctx<'js>, id: u32, messages: Array<'js>) -> Result<Value<'js>> {
    let mut sent = Vec::with_capacity(messages.len() / 3);
    for at in (0..messages.len()).step_by(3) {
        let word: String = messages.get(at)?;
        let content_type = match word.as_str() {
            "text" => ContentType::Text,
            "bytes" => ContentType::Bytes,
            "v8" => ContentType::V8,
            _ => ContentType::Json,
        };
        let body: ArrayBuffer<'js> = messages.get(at + 1)?;
        let delay: f64 = messages.get(at + 2)?;
        let delay_seconds = (delay >= 0.0).then_some(delay as u32);
        sent.push(NewMessage { content_type, body: bytes(&ctx, &body)?, delay_seconds });
    }
    let done = table::with(id, |resource| match resource {
        Resource::Queue(queue) => Some(queue.send(&sent)),
        _ => None,
    });
    match done.flatten() {
        Some(Ok(())) => Ok(Value::new_null(ctx)),
        Some(Err(error)) => refused(&ctx, error),
        None => failure(&ctx, "internal", "no such queue"),
    }
}

fn refused<'js>(ctx: &Ctx<'js>, error: SendError) -> Result<Value<'js>> {
    let (word, text) = match error {
        SendError::InvalidArgument(text) => ("invalid-argument", text),
        SendError::QueueNotFound(text) => ("queue-not-found", text),
        SendError::ExceededQuota(text) => ("exceeded-quota", text),
        SendError::ExceededSubrequests(text) => ("exceeded-subrequests", text),
        SendError::Overloaded(text) => ("overloaded", text),
        SendError::Internal(text) => ("internal", text),
    };
    failure(ctx, word, &text)
}
