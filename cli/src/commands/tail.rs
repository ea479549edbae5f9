//! `wasmyard tail`: what becomes of invocations, as they happen.
//!
//! Owns what is asked and shown. Ends when it is told to, and says why when the server ends it.

use std::time::{Duration, UNIX_EPOCH};

use futures::{SinkExt as _, StreamExt as _};
use reqwest::Method;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;
use wasmyard_namespaces::Timestamp;

use super::{client, items, text};
use crate::args::TailArgs;
use crate::client::Body;
use crate::failure::Failure;
use crate::output::{Output, clean};

/// How they may have ended that are errors.
const ERRORS: &[&str] =
    &["exception", "exceededCpu", "exceededMemory", "exceededWallTime", "unknown", "internalError"];

/// Watches until it is interrupted, or the server ends it.
///
/// # Errors
/// The [`Failure`] that decides the exit code.
pub async fn run(args: &TailArgs, output: &Output) -> Result<(), Failure> {
    let client = client(&args.output.api, output)?;
    let (mut path, shown) = match (&args.namespace, &args.script) {
        (Some(namespace), Some(script)) => {
            let path = vec!["dispatch", "namespaces", namespace, "scripts", script];
            (path, format!("{namespace}/{script}"))
        }
        (Some(namespace), None) => {
            (vec!["dispatch", "namespaces", namespace], format!("all scripts of {namespace}"))
        }
        (None, Some(script)) => (vec!["scripts", script], script.clone()),
        (None, None) => return Err(Failure::Usage("say which script, or which --namespace".to_owned())),
    };
    path.push("tails");
    let body = Body::Json(json!({ "filters": filters(args)? }));
    let made = client.call(Method::POST, &path, &[], body).await?;
    let mut socket = client.socket(&text(&made, "/url"), "trace-v1").await?;
    output.note(&format!("watching {shown}; Ctrl-C ends it"));
    loop {
        tokio::select! {
            _interrupted = tokio::signal::ctrl_c() => {
                let _closed = socket.close(None).await;
                return Ok(());
            }
            said = socket.next() => match said {
                Some(Ok(Message::Text(said))) => show(said.as_str(), args.output.json, output),
                Some(Ok(Message::Close(why))) => {
                    let why = why.map(|why| why.reason.to_string()).unwrap_or_default();
                    output.note(&format!("the server ended it: {why}"));
                    return Ok(());
                }
                Some(Ok(Message::Ping(_))) => socket.flush().await.map_err(broken)?,
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(broken(error)),
                None => return Ok(()),
            }
        }
    }
}

#[expect(clippy::needless_pass_by_value, reason = "an argument of map_err")]
fn broken(error: tokio_tungstenite::tungstenite::Error) -> Failure {
    Failure::failed(format!("the connection broke: {error}"))
}

/// What the server is asked to leave out.
fn filters(args: &TailArgs) -> Result<Vec<Value>, Failure> {
    let mut filters = Vec::new();
    let mut outcomes = Vec::new();
    for status in &args.status {
        match status.as_str() {
            "ok" => outcomes.push("ok"),
            "canceled" => outcomes.push("canceled"),
            "error" => outcomes.extend(ERRORS),
            other => {
                return Err(Failure::Usage(format!("--status is ok, error or canceled, and not {other:?}")));
            }
        }
    }
    if !outcomes.is_empty() {
        filters.push(json!({ "outcome": outcomes }));
    }
    if !args.method.is_empty() {
        filters.push(json!({ "method": args.method }));
    }
    if let Some(header) = &args.header {
        filters.push(match header.split_once(':') {
            Some((name, text)) => json!({ "header": { "key": name, "query": text.trim_start() } }),
            None => json!({ "header": { "key": header } }),
        });
    }
    if !args.ip.is_empty() {
        filters.push(json!({ "client_ip": args.ip }));
    }
    if let Some(search) = &args.search {
        filters.push(json!({ "query": search }));
    }
    if let Some(version) = &args.version_id {
        filters.push(json!({ "scriptVersion": version }));
    }
    if let Some(rate) = args.sampling_rate {
        filters.push(json!({ "sampling_rate": rate }));
    }
    Ok(filters)
}

/// One invocation: a line of JSON, or a line with its own lines below it.
fn show(said: &str, as_json: bool, output: &Output) {
    if as_json {
        return output.line(&clean(said));
    }
    let Ok(item) = serde_json::from_str::<Value>(said) else { return };
    if let Some(lost) = item.get("lostBefore").and_then(Value::as_u64) {
        output.note(&format!("{lost} were lost: they came faster than they were read"));
    }
    let script = match text(&item, "/dispatchNamespace") {
        namespace if namespace.is_empty() => text(&item, "/scriptName"),
        namespace => format!("{namespace}/{}", text(&item, "/scriptName")),
    };
    let since = Duration::from_millis(item.get("eventTimestamp").and_then(Value::as_u64).unwrap_or_default());
    let when = Timestamp::from(UNIX_EPOCH.checked_add(since).unwrap_or(UNIX_EPOCH));
    let cpu = item.get("cpuTime").and_then(Value::as_f64).unwrap_or_default();
    let line = format!("{when} {script} {} - {} ({cpu:.1} ms)", what(&item), text(&item, "/outcome"));
    output.line(&clean(&line));
    for log in items(item.get("logs").unwrap_or(&Value::Null)) {
        let words: Vec<&str> =
            items(log.get("message").unwrap_or(&Value::Null)).iter().filter_map(Value::as_str).collect();
        output.line(&clean(&format!("  ({}) {}", text(log, "/level"), words.join(" "))));
    }
    for failure in items(item.get("exceptions").unwrap_or(&Value::Null)) {
        output.line(&clean(&format!("  {}: {}", text(failure, "/name"), text(failure, "/message"))));
    }
    if item.get("truncated") == Some(&Value::Bool(true)) {
        output.line("  (more was written than is kept)");
    }
}

/// What it ran for.
fn what(item: &Value) -> String {
    let event = item.get("event").unwrap_or(&Value::Null);
    if event.get("request").is_some() {
        let status = event.pointer("/response/status").map(|status| format!(" {status}")).unwrap_or_default();
        return format!("{} {}{status}", text(event, "/request/method"), text(event, "/request/url"));
    }
    if event.get("cron").is_some() {
        return format!("\"{}\"", text(event, "/cron"));
    }
    if event.get("queue").is_some() {
        return format!("queue {}", text(event, "/queue"));
    }
    "an event".to_owned()
}
