//! The events of a worker: each is handed to the prelude, which calls the script and answers.

use rquickjs_core::promise::PromiseState;
use rquickjs_core::{Array, ArrayBuffer, CatchResultExt as _, Ctx, Error, Object, Result, Value};

use crate::bindings::exports::wasi::http::incoming_handler;
use crate::bindings::exports::wasmyard::platform::{entrypoint, queue, scheduled, tail};
use crate::bindings::wasi::http::types::{IncomingRequest, ResponseOutparam};
use crate::script::Booted;
use crate::table::{self, Handled, Resource};
use crate::turns::{self, End};
use crate::{Engine, host, script};

/// What the product says of a handler that waits for nothing.
const NEVER: &str = "The Workers runtime canceled this request because it detected that your Worker's code had hung and would \
    never generate a response. Refer to: https://developers.cloudflare.com/workers/observability/errors/";

impl incoming_handler::Guest for Engine {
    fn handle(request: IncomingRequest, out: ResponseOutparam) {
        host::http::begin(out);
        let id = table::put(Resource::Request(Handled { request: Some(request), head: None }));
        let handled = run(|ctx, booted| booted.on_fetch.clone().restore(ctx)?.call((id,)), |_| Ok(()));
        if let Err(text) = handled {
            host::http::fail(&text);
        }
    }
}

impl entrypoint::Guest for Engine {
    fn handle(
        name: Option<String>,
        props: Option<String>,
        by_call: bool,
        request: IncomingRequest,
        out: ResponseOutparam,
    ) {
        host::http::begin(out);
        let id = table::put(Resource::Request(Handled { request: Some(request), head: None }));
        let handled = run(
            |ctx, booted| booted.on_entry.clone().restore(ctx)?.call((id, name, props, by_call)),
            |_| Ok(()),
        );
        if let Err(text) = handled {
            host::http::fail(&text);
        }
    }
}

impl scheduled::Guest for Engine {
    fn handle(cron: String, due: u64) -> std::result::Result<(), String> {
        run(|ctx, booted| on_event(ctx, booted, "scheduled", due_time(ctx, cron, due)?), |_| Ok(()))
    }
}

impl queue::Guest for Engine {
    fn handle(batch: queue::Batch) -> std::result::Result<queue::Answer, String> {
        // A list: for the rest, then each message's id with its verdict. A verdict is negative for `ack`, a delay in seconds,
        // or null for a retry after the queue's own time.
        run(
            |ctx, booted| on_event(ctx, booted, "queue", messages(ctx, batch)?),
            |answer| {
                let verdict = |value: Option<f64>| match value {
                    Some(seconds) if seconds < 0.0 => queue::Verdict::Ack,
                    Some(seconds) => queue::Verdict::Retry(Some(seconds as u32)),
                    None => queue::Verdict::Retry(None),
                };
                let answer: Array<'_> = answer.into_array().ok_or(Error::Unknown)?;
                let rest = verdict(answer.get(0)?);
                let mut each = Vec::new();
                for index in (1..answer.len()).step_by(2) {
                    each.push((answer.get(index)?, verdict(answer.get(index + 1)?)));
                }
                Ok(queue::Answer { rest, each })
            },
        )
    }
}

impl tail::Guest for Engine {
    fn handle(traces: Vec<tail::Trace>) -> std::result::Result<(), String> {
        run(|ctx, booted| on_event(ctx, booted, "tail", traced(ctx, traces)?.into_value()), |_| Ok(()))
    }
}

fn due_time<'js>(ctx: &Ctx<'js>, cron: String, due: u64) -> Result<Value<'js>> {
    let event = Object::new(ctx.clone())?;
    event.set("cron", cron)?;
    event.set("scheduledTime", due as f64)?;
    Ok(event.into_value())
}

fn messages<'js>(ctx: &Ctx<'js>, batch: queue::Batch) -> Result<Value<'js>> {
    let event = Object::new(ctx.clone())?;
    event.set("queue", batch.queue)?;
    let messages = Array::new(ctx.clone())?;
    for (index, sent) in batch.messages.into_iter().enumerate() {
        let message = Object::new(ctx.clone())?;
        message.set("id", sent.id)?;
        message.set("timestamp", sent.timestamp as f64)?;
        message.set("contentType", sent.content_type)?;
        message.set("body", ArrayBuffer::new_copy(ctx.clone(), sent.body)?)?;
        message.set("attempts", sent.attempts)?;
        messages.set(index, message)?;
    }
    event.set("messages", messages)?;
    Ok(event.into_value())
}

fn traced<'js>(ctx: &Ctx<'js>, traces: Vec<tail::Trace>) -> Result<Array<'js>> {
    let list = Array::new(ctx.clone())?;
    for (index, trace) in traces.into_iter().enumerate() {
        let item = Object::new(ctx.clone())?;
        item.set("scriptName", trace.script)?;
        item.set("dispatchNamespace", trace.namespace)?;
        let version = Object::new(ctx.clone())?;
        version.set("id", trace.version)?;
        item.set("scriptVersion", version)?;
        item.set("rayId", trace.ray_id)?;
        item.set("eventTimestamp", trace.ended as f64)?;
        item.set("outcome", trace.outcome)?;
        item.set("cpuTime", trace.cpu_us as f64 / 1e3)?;
        item.set("wallTime", trace.wall_us as f64 / 1e3)?;
        item.set("truncated", trace.logs_dropped > 0)?;
        item.set("diagnosticsChannelEvents", Array::new(ctx.clone())?)?;
        let event = Object::new(ctx.clone())?;
        match trace.event {
            tail::Cause::Fetch(request) => {
                let told = Object::new(ctx.clone())?;
                told.set("method", request.method)?;
                told.set("url", request.url)?;
                event.set("request", told)?;
                if let Some(status) = trace.status {
                    let response = Object::new(ctx.clone())?;
                    response.set("status", status)?;
                    event.set("response", response)?;
                }
            }
            tail::Cause::Scheduled(time) => {
                event.set("cron", time.cron)?;
                event.set("scheduledTime", time.due as f64)?;
            }
            tail::Cause::Queue(messages) => {
                event.set("queue", messages.queue)?;
                event.set("batchSize", messages.messages)?;
            }
            tail::Cause::Tail(count) => event.set("consumedEvents", count)?,
        }
        item.set("event", event)?;
        let logs = Array::new(ctx.clone())?;
        for (index, line) in trace.logs.into_iter().enumerate() {
            let log = Object::new(ctx.clone())?;
            log.set("timestamp", line.time as f64)?;
            log.set(
                "level",
                format!("{:?}", line.level).rsplit("::").next().unwrap_or_default().to_lowercase(),
            )?;
            let message = Array::new(ctx.clone())?;
            message.set(0, line.text)?;
            log.set("message", message)?;
            logs.set(index, log)?;
        }
        item.set("logs", logs)?;
        let exceptions = Array::new(ctx.clone())?;
        for (index, thrown) in trace.exceptions.into_iter().enumerate() {
            let exception = Object::new(ctx.clone())?;
            exception.set("name", "Error")?;
            exception.set("message", thrown.message)?;
            exception.set("timestamp", trace.ended as f64)?;
            exceptions.set(index, exception)?;
        }
        item.set("exceptions", exceptions)?;
        list.set(index, item)?;
    }
    Ok(list)
}

/// Hands an event that is no request to the prelude.
fn on_event<'js>(ctx: &Ctx<'js>, booted: &Booted, kind: &str, event: Value<'js>) -> Result<Value<'js>> {
    booted.on_event.clone().restore(ctx)?.call((kind, event))
}

/// Runs what the prelude begins, until its promise is settled. Without a promise it is done already.
fn run<T>(
    begin: impl for<'js> FnOnce(&Ctx<'js>, &Booted) -> Result<Value<'js>>,
    answer: impl for<'js> FnOnce(Value<'js>) -> Result<T>,
) -> std::result::Result<T, String> {
    let ran = script::with(|booted| {
        booted.context.with(|ctx| {
            let ran = (|| {
                let handling = begin(&ctx, booted)?;
                let Some(promise) = handling.as_promise().cloned() else {
                    // What was begun besides goes as far as it can without waiting.
                    while ctx.execute_pending_job() {}
                    return answer(handling).map(Some);
                };
                match turns::run(&ctx, &promise, &booted.on_timers)? {
                    End::Never => Ok(None),
                    End::Settled if promise.state() == PromiseState::Resolved => {
                        answer(promise.finish::<Value<'_>>()?).map(Some)
                    }
                    End::Settled => promise.finish::<Value<'_>>().and_then(|_| Err(Error::Unknown)),
                }
            })();
            let ran = ran.catch(&ctx);
            // The loop tells of rejections as it turns; here are those that it did not come to.
            if host::rejections::any() {
                let told: Result<f64> =
                    booted.on_timers.clone().restore(&ctx).and_then(|on_timers| on_timers.call(()));
                told.catch(&ctx).map_err(|error| script::told(Err::<(), _>(error)))?;
            }
            match ran {
                Ok(Some(answer)) => Ok(answer),
                Ok(None) => Err(NEVER.to_owned()),
                Err(error) => Err(script::told(Err::<(), _>(error))),
            }
        })
    });
    ran.unwrap_or_else(|| Err("the engine was not booted".to_owned()))
}
