//! `wasmyard queues`: queues, who consumes them, their messages.
//!
//! Owns what is asked and shown about them. A queue is named by its name here; calls go by its id.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::Method;
use serde_json::{Value, json};

use super::{client, forced, items, moment, text};
use crate::args::queues::{ConsumerCommand, QueueSettingsArgs, QueuesCommand};
use crate::args::{ApiArgs, ListingArgs};
use crate::client::{Body, Client};
use crate::failure::Failure;
use crate::output::Output;

/// Runs one of the commands of queues.
///
/// # Errors
/// The [`Failure`] that decides the exit code.
pub async fn run(command: QueuesCommand, output: &Output) -> Result<(), Failure> {
    match command {
        QueuesCommand::List { output: listing } => list(&listing, output).await,
        QueuesCommand::Info { queue, output: listing } => {
            let client = client(&listing.api, output)?;
            let found = found(&client, &queue).await?;
            shown(&client, &found, &listing, output).await
        }
        QueuesCommand::Create { queue, settings, output: listing } => {
            let client = client(&listing.api, output)?;
            let body = json!({ "queue_name": queue, "settings": settings_of(&settings) });
            let made = client.call_account(Method::POST, &path(&[]), &[], Body::Json(body)).await?;
            shown(&client, &made, &listing, output).await
        }
        QueuesCommand::Update { queue, settings, output: listing } => {
            let client = client(&listing.api, output)?;
            let changed = changed(&client, &queue, settings_of(&settings)).await?;
            shown(&client, &changed, &listing, output).await
        }
        QueuesCommand::Delete { queue, change, api } => {
            let client = client(&api, output)?;
            let id = id_of(&client, &queue).await?;
            client.call_account(Method::DELETE, &path(&[&id]), forced(&change), Body::Empty).await?;
            output.line(&format!("deleted {queue}"));
            Ok(())
        }
        QueuesCommand::Pause { queue, api } => paused(&queue, true, &api, output).await,
        QueuesCommand::Resume { queue, api } => paused(&queue, false, &api, output).await,
        QueuesCommand::Purge { queue, api } => {
            let client = client(&api, output)?;
            let id = id_of(&client, &queue).await?;
            let body = Body::Json(json!({ "delete_messages_permanently": true }));
            client.call_account(Method::POST, &path(&[&id, "purge"]), &[], body).await?;
            output.line(&format!("emptied {queue}"));
            Ok(())
        }
        QueuesCommand::Consumer(command) => consumer(command, output).await,
        QueuesCommand::Send { queue, body, text: is_text, delay, api } => {
            let client = client(&api, output)?;
            let id = id_of(&client, &queue).await?;
            let message = json!({
                "body": if is_text { Value::from(body) } else { parsed(&body)? },
                "content_type": if is_text { "text" } else { "json" },
                "delay_seconds": delay,
            });
            client.call_account(Method::POST, &path(&[&id, "messages"]), &[], Body::Json(message)).await?;
            output.line(&format!("sent to {queue}"));
            Ok(())
        }
        QueuesCommand::Peek { queue, count, output: listing } => {
            let client = client(&listing.api, output)?;
            let id = id_of(&client, &queue).await?;
            let body = Body::Json(json!({ "batch_size": count }));
            let path = path(&[&id, "messages", "preview"]);
            let found = client.call_account(Method::POST, &path, &[], body).await?;
            messages(&found, listing.json, output);
            Ok(())
        }
        QueuesCommand::Pull { queue, count, visibility, ack, output: listing } => {
            let client = client(&listing.api, output)?;
            pull(&client, &queue, (count, visibility, ack), &listing, output).await
        }
    }
}

/// The path of queues, or of something below them, under the account.
pub(super) fn path<'a>(rest: &[&'a str]) -> Vec<&'a str> {
    [&["queues"], rest].concat()
}

/// The queue of a name.
pub(super) async fn found(client: &Client, queue: &str) -> Result<Value, Failure> {
    let query = [("name", queue), ("page", "1")];
    let listed = client.call_account(Method::GET, &path(&[]), &query, Body::Empty).await?;
    items(&listed).first().cloned().ok_or_else(|| {
        let remedy = "`wasmyard queues list` shows those there are";
        Failure::with_remedy(format!("there is no queue \"{queue}\""), remedy)
    })
}

async fn id_of(client: &Client, queue: &str) -> Result<String, Failure> {
    Ok(text(&found(client, queue).await?, "/queue_id"))
}

fn settings_of(settings: &QueueSettingsArgs) -> Value {
    json!({ "delivery_delay": settings.delay, "message_retention_period": settings.retention })
}

async fn changed(client: &Client, queue: &str, settings: Value) -> Result<Value, Failure> {
    let id = id_of(client, queue).await?;
    let body = Body::Json(json!({ "settings": settings }));
    Ok(client.call_account(Method::PATCH, &path(&[&id]), &[], body).await?)
}

async fn paused(queue: &str, paused: bool, api: &ApiArgs, output: &Output) -> Result<(), Failure> {
    let client = client(api, output)?;
    changed(&client, queue, json!({ "delivery_paused": paused })).await?;
    output.line(&format!("{} {queue}", if paused { "paused" } else { "resumed" }));
    Ok(())
}

fn parsed(body: &str) -> Result<Value, Failure> {
    serde_json::from_str(body)
        .map_err(|error| Failure::Usage(format!("the body is not JSON: {error}; use --text for a text")))
}

/// Who consumes, in one word.
fn consumer_of(queue: &Value) -> String {
    let Some(consumer) = queue.pointer("/consumers/0") else { return String::new() };
    match (text(consumer, "/dispatch_namespace"), text(consumer, "/script")) {
        (_, script) if script.is_empty() => "(pull)".to_owned(),
        (namespace, script) if namespace.is_empty() => script,
        (namespace, script) => format!("{namespace}/{script}"),
    }
}

async fn list(listing: &ListingArgs, output: &Output) -> Result<(), Failure> {
    let client = client(&listing.api, output)?;
    let listed = client.call_account(Method::GET, &path(&[]), &[], Body::Empty).await?;
    if listing.json {
        output.json(&listed);
        return Ok(());
    }
    let rows: Vec<Vec<String>> = items(&listed)
        .iter()
        .map(|queue| {
            let paused = text(queue, "/settings/delivery_paused") == "true";
            let producers = text(queue, "/producers_total_count");
            let state = if paused { "paused" } else { "" };
            vec![
                text(queue, "/queue_name"),
                producers,
                consumer_of(queue),
                state.to_owned(),
                moment(queue, "/created_on"),
            ]
        })
        .collect();
    output.table(&["QUEUE", "PRODUCERS", "CONSUMER", "STATE", "SINCE"], &rows, "no queues");
    Ok(())
}

async fn shown(
    client: &Client,
    queue: &Value,
    listing: &ListingArgs,
    output: &Output,
) -> Result<(), Failure> {
    if listing.json {
        output.json(queue);
        return Ok(());
    }
    let id = text(queue, "/queue_id");
    let waiting = client.call_account(Method::GET, &path(&[&id, "metrics"]), &[], Body::Empty).await?;
    let producers: Vec<String> = items(queue.get("producers").unwrap_or(&Value::Null))
        .iter()
        .map(|one| text(one, "/script"))
        .collect();
    let rows = [
        ("name", text(queue, "/queue_name")),
        ("id", id),
        ("delay", format!("{} s", text(queue, "/settings/delivery_delay"))),
        ("retention", format!("{} s", text(queue, "/settings/message_retention_period"))),
        ("paused", text(queue, "/settings/delivery_paused")),
        ("producers", producers.join(", ")),
        ("consumer", consumer_of(queue)),
        ("dead letters", text(queue, "/consumers/0/dead_letter_queue")),
        (
            "waiting",
            format!(
                "{} messages, {} bytes",
                text(&waiting, "/backlog_count"),
                text(&waiting, "/backlog_bytes")
            ),
        ),
    ];
    let rows: Vec<Vec<String>> = rows.into_iter().map(|(name, value)| vec![name.to_owned(), value]).collect();
    output.table(&["QUEUE", ""], &rows, "");
    Ok(())
}

async fn consumer(command: ConsumerCommand, output: &Output) -> Result<(), Failure> {
    match command {
        ConsumerCommand::Add {
            queue,
            script,
            namespace,
            batch_timeout,
            max_concurrency,
            settings,
            output: listing,
        } => {
            let wanted = json!({
                "type": "worker",
                "script_name": script,
                "dispatch_namespace": namespace,
                "dead_letter_queue": settings.dead_letter_queue,
                "settings": {
                    "batch_size": settings.batch_size,
                    "max_wait_time_ms": batch_timeout.map(|seconds| seconds.saturating_mul(1_000)),
                    "max_retries": settings.max_retries,
                    "retry_delay": settings.retry_delay,
                    "max_concurrency": max_concurrency,
                },
            });
            set(&queue, wanted, &listing, output).await
        }
        ConsumerCommand::Pull { queue, visibility, settings, output: listing } => {
            let wanted = json!({
                "type": "http_pull",
                "dead_letter_queue": settings.dead_letter_queue,
                "settings": {
                    "batch_size": settings.batch_size,
                    "visibility_timeout_ms": visibility.map(|seconds| seconds.saturating_mul(1_000)),
                    "max_retries": settings.max_retries,
                    "retry_delay": settings.retry_delay,
                },
            });
            set(&queue, wanted, &listing, output).await
        }
        ConsumerCommand::Remove { queue, api } => {
            let client = client(&api, output)?;
            let found = found(&client, &queue).await?;
            let (id, consumer) = (text(&found, "/queue_id"), text(&found, "/consumers/0/consumer_id"));
            if consumer.is_empty() {
                return Err(Failure::failed(format!("nobody consumes the queue \"{queue}\"")));
            }
            client
                .call_account(Method::DELETE, &path(&[&id, "consumers", &consumer]), &[], Body::Empty)
                .await?;
            output.line(&format!("nobody consumes {queue}"));
            Ok(())
        }
    }
}

/// Gives a queue a consumer; the same one again is changed.
async fn set(queue: &str, wanted: Value, listing: &ListingArgs, output: &Output) -> Result<(), Failure> {
    let client = client(&listing.api, output)?;
    let found = found(&client, queue).await?;
    let id = text(&found, "/queue_id");
    let same = |field: &str, of: &Value, other: &str| {
        text(&found, &format!("/consumers/0/{field}")) == text(of, other)
    };
    let is_same = same("type", &wanted, "/type")
        && same("script", &wanted, "/script_name")
        && same("dispatch_namespace", &wanted, "/dispatch_namespace");
    let consumer = text(&found, "/consumers/0/consumer_id");
    let set = if is_same && !consumer.is_empty() {
        client
            .call_account(Method::PUT, &path(&[&id, "consumers", &consumer]), &[], Body::Json(wanted))
            .await?
    } else {
        client.call_account(Method::POST, &path(&[&id, "consumers"]), &[], Body::Json(wanted)).await?
    };
    if listing.json {
        output.json(&set);
    } else {
        output.line(&format!("{} consumes {queue}", consumer_of(&json!({ "consumers": [set] }))));
    }
    Ok(())
}

async fn pull(
    client: &Client,
    queue: &str,
    (count, visibility, ack): (Option<u64>, Option<u64>, bool),
    listing: &ListingArgs,
    output: &Output,
) -> Result<(), Failure> {
    let id = id_of(client, queue).await?;
    let visibility = visibility.map(|seconds| seconds.saturating_mul(1_000));
    let body = json!({ "batch_size": count, "visibility_timeout_ms": visibility });
    let handed =
        client.call_account(Method::POST, &path(&[&id, "messages", "pull"]), &[], Body::Json(body)).await?;
    messages(&handed, listing.json, output);
    let leases: Vec<Value> = items(handed.get("messages").unwrap_or(&Value::Null))
        .iter()
        .map(|message| json!({ "lease_id": text(message, "/lease_id") }))
        .collect();
    if ack && !leases.is_empty() {
        // After they were shown: what nobody saw comes again.
        let body = Body::Json(json!({ "acks": leases }));
        client.call_account(Method::POST, &path(&[&id, "messages", "ack"]), &[], body).await?;
    }
    Ok(())
}

fn messages(found: &Value, as_json: bool, output: &Output) {
    if as_json {
        return output.json(found);
    }
    let rows: Vec<Vec<String>> = items(found.get("messages").unwrap_or(&Value::Null))
        .iter()
        .map(|message| vec![text(message, "/id"), text(message, "/attempts"), readable(message)])
        .collect();
    output.table(&["MESSAGE", "ATTEMPTS", "BODY"], &rows, "no messages");
}

/// The body of a message, where it is a text.
fn readable(message: &Value) -> String {
    let body = text(message, "/body");
    match text(message, "/metadata/CF-Content-Type").as_str() {
        "text" => body,
        "json" => STANDARD.decode(&body).ok().and_then(|bytes| String::from_utf8(bytes).ok()).unwrap_or(body),
        kind => format!("({kind}) {body}"),
    }
}
