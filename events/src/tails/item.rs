//! The form in which watchers see an invocation: `TraceItem` of the hosted product.

use std::time::SystemTime;

use serde_json::{Map, Value, json};

use super::{Traced, redacted};
use crate::event::{Fault, Trigger};
use crate::level::Level;

impl Traced {
    /// The message about it, as `trace-v1` has it. `lost` says how many came before it that nobody saw.
    #[must_use]
    pub fn message(&self, lost: u64) -> Value {
        let record = &*self.record;
        let usage = &record.usage;
        let began = record.time.checked_sub(usage.wall).unwrap_or(record.time);
        let logs = self.lines.iter().map(|line| {
            json!({ "level": level(line.level), "timestamp": milliseconds(line.time), "message": [line.text] })
        });
        let exceptions = record.fault.iter().map(|fault| exception(fault, record.time));
        let mut item = json!({
            "scriptName": usage.script.script().as_str(),
            "scriptVersion": { "id": usage.version },
            "outcome": record.outcome,
            "eventTimestamp": milliseconds(began),
            "event": event(&record.trigger, usage.status),
            "logs": logs.collect::<Vec<_>>(),
            "exceptions": exceptions.collect::<Vec<_>>(),
            "diagnosticsChannelEvents": [],
            "executionModel": "stateless",
            "truncated": self.truncated,
            "cpuTime": usage.cpu.as_secs_f64() * 1_000.0,
            "wallTime": usage.wall.as_secs_f64() * 1_000.0,
            "rayId": &*record.ray_id,
        });
        if let Value::Object(fields) = &mut item {
            if let Some(namespace) = usage.script.namespace() {
                fields.insert("dispatchNamespace".to_owned(), Value::from(namespace.as_str()));
            }
            if lost > 0 {
                fields.insert("lostBefore".to_owned(), Value::from(lost));
            }
        }
        item
    }
}

/// What it ran for.
fn event(trigger: &Trigger, status: Option<u16>) -> Value {
    match trigger {
        Trigger::Fetch { method, url, head } => {
            let mut request = Map::new();
            request.insert("method".to_owned(), Value::from(method.as_str()));
            request.insert("url".to_owned(), Value::from(redacted::url(url)));
            let headers = head.as_ref().map(|head| redacted::headers(&head.headers));
            request.insert("headers".to_owned(), headers.unwrap_or_else(|| json!({})));
            request.insert("cf".to_owned(), json!({}));
            match status {
                Some(status) => json!({ "request": request, "response": { "status": status } }),
                None => json!({ "request": request }),
            }
        }
        Trigger::Scheduled { cron, due } => json!({ "cron": &**cron, "scheduledTime": milliseconds(*due) }),
        Trigger::Queue { queue, messages } => json!({ "queue": &**queue, "batchSize": messages }),
        Trigger::Tail { invocations } => json!({ "consumedEvents": invocations }),
    }
}

/// A failure with the name that its text begins with, where that is one of an error.
fn exception(fault: &Fault, time: SystemTime) -> Value {
    let (name, message) = fault
        .message
        .split_once(": ")
        .filter(|(name, _)| name.ends_with("Error") && name.bytes().all(|byte| byte.is_ascii_alphanumeric()))
        .unwrap_or(("Error", fault.message.as_str()));
    json!({ "name": name, "message": message, "timestamp": milliseconds(time) })
}

fn level(level: Level) -> &'static str {
    match level {
        Level::Debug => "debug",
        Level::Info => "info",
        Level::Log => "log",
        Level::Warn => "warn",
        Level::Error => "error",
    }
}

fn milliseconds(time: SystemTime) -> u64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
