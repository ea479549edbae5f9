//! Owns the calls on messages of queues: send, pull, settle, look at.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::extract::State;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use wasmyard_namespaces::QueueId;
use wasmyard_queues::limits::{MAX_BATCH, MAX_DELAY};
use wasmyard_queues::{ContentType, LeaseId, Leased, NewMessage, Settlement};

use super::{InQueue, Metrics};
use crate::body::Json;
use crate::envelope::{Answer, Reply};
use crate::error::ApiError;
use crate::patterns::LEASE;
use crate::state::{Shared, SharedState};

/// A message that is sent.
#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "QueueMessageWanted")]
pub(crate) struct Pushed {
    /// A text for the content type `text`; Base64 for `bytes`; anything for `json`.
    #[serde(default)]
    body: Value,
    /// `json`, `text` or `bytes`; `json` where it is left out.
    #[schemars(extend("enum" = ["json", "text", "bytes", null]))]
    #[serde(default)]
    content_type: Option<String>,
    /// How long it is not handed over: 0 to 86400 seconds.
    #[schemars(range(min = 0, max = 86_400))]
    #[serde(default)]
    delay_seconds: Option<u64>,
}

/// Messages that are sent together.
#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "QueueMessagesWanted")]
pub(crate) struct PushedBatch {
    #[schemars(length(min = 1, max = 100))]
    messages: Vec<Pushed>,
    /// How long those are not handed over that do not say so themselves: 0 to 86400 seconds.
    #[schemars(range(min = 0, max = 86_400))]
    #[serde(default)]
    delay_seconds: Option<u64>,
}

/// What waits in the queue by now.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "QueueMetadata")]
pub(crate) struct Metadata {
    metrics: Metrics,
}

/// That messages were sent.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "QueueMessagesSent")]
pub(crate) struct Sent {
    metadata: Metadata,
}

/// What is to be handed over.
#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "QueuePull")]
pub(crate) struct Pull {
    /// 1 to 100 messages; what the consumer's settings say where it is left out.
    #[schemars(range(min = 1, max = 100))]
    #[serde(default)]
    batch_size: Option<u64>,
    /// How long nobody else has them; what the consumer's settings say where it is left out.
    #[schemars(range(min = 0, max = 43_200_000))]
    #[serde(default, alias = "visibility_timeout")]
    visibility_timeout_ms: Option<u64>,
}

/// What was handed over.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "QueueMessagesHanded")]
pub(crate) struct Handed {
    message_backlog_count: u64,
    messages: Vec<View>,
    metadata: Metadata,
}

/// A message as clients see it.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "QueueMessage")]
pub(crate) struct View {
    id: String,
    /// The text of a message of the content type `text`; Base64 of any other.
    body: String,
    attempts: u32,
    /// By which it is settled; left out where it was not handed over.
    #[serde(skip_serializing_if = "Option::is_none")]
    lease_id: Option<String>,
    timestamp_ms: u64,
    metadata: Value,
}

/// What becomes of messages.
#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "QueueAck")]
pub(crate) struct Ack {
    /// Those that were handled, and go.
    #[serde(default)]
    #[schemars(length(max = 100))]
    acks: Vec<Acknowledged>,
    /// Those that are to come again.
    #[serde(default)]
    retries: Vec<Retried>,
}

/// A message that was handled.
#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "QueueAcknowledged")]
struct Acknowledged {
    #[schemars(regex(pattern = LEASE))]
    lease_id: String,
}

/// A message that is to come again.
#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "QueueRetried")]
struct Retried {
    #[schemars(regex(pattern = LEASE))]
    lease_id: String,
    /// 0 to 86400 seconds.
    #[schemars(range(min = 0, max = 86_400))]
    #[serde(default)]
    delay_seconds: Option<u64>,
}

/// What became of them.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "QueueAcked")]
pub(crate) struct Acked {
    #[serde(rename = "ackCount")]
    acked: u64,
    /// Those among them that came as often as they may are counted as well.
    #[serde(rename = "retryCount")]
    retried: u64,
    /// By lease: what was not done.
    warnings: BTreeMap<String, String>,
}

/// How many messages are looked at.
#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "QueuePreview")]
pub(crate) struct Preview {
    /// 1 to 100; 10 where it is left out.
    #[schemars(range(min = 1, max = 100))]
    #[serde(default)]
    batch_size: Option<u64>,
}

/// What is there.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "QueuePreviewed")]
pub(crate) struct Previewed {
    messages: Vec<View>,
}

impl Pushed {
    fn message(self) -> Result<NewMessage, ApiError> {
        let wrong = |rule: &str| ApiError::invalid(format_args!("body: {rule}"));
        let kind = self.content_type.as_deref().unwrap_or("json");
        let (content_type, body) = match (ContentType::parse(kind), self.body) {
            (Some(ContentType::Json), body) => (ContentType::Json, Bytes::from(body.to_string())),
            (Some(ContentType::Text), Value::String(text)) => (ContentType::Text, Bytes::from(text)),
            (Some(ContentType::Text), _) => return Err(wrong("the content type \"text\" needs a string.")),
            (Some(ContentType::Bytes), Value::String(text)) => {
                let bytes =
                    STANDARD.decode(text).map_err(|_| wrong("the content type \"bytes\" needs Base64."))?;
                (ContentType::Bytes, Bytes::from(bytes))
            }
            (Some(ContentType::Bytes), _) => return Err(wrong("the content type \"bytes\" needs Base64.")),
            (Some(ContentType::V8) | None, _) => {
                return Err(ApiError::invalid(
                    "content_type is \"json\", \"text\" or \"bytes\"; write one of them.",
                ));
            }
        };
        Ok(NewMessage { content_type, body, delay: self.delay_seconds })
    }
}

impl View {
    fn of(message: Leased, is_handed: bool) -> View {
        let is_text = message.content_type == ContentType::Text;
        let text = is_text.then(|| String::from_utf8_lossy(&message.body).into_owned());
        View {
            id: message.id.to_string(),
            body: text.unwrap_or_else(|| STANDARD.encode(&message.body)),
            attempts: message.attempts,
            lease_id: is_handed.then(|| message.lease.to_string()),
            timestamp_ms: message.sent_ms,
            metadata: json!({ "CF-Content-Type": message.content_type.as_str() }),
        }
    }
}

async fn metadata(shared: &Shared, id: &QueueId) -> Result<Metadata, ApiError> {
    Ok(Metadata { metrics: shared.control.queues()?.backlog(id).await?.into() })
}

async fn sent(shared: &Shared, id: &QueueId, messages: Vec<NewMessage>) -> Answer<Sent> {
    let queues = shared.control.queues()?;
    let queue = queues.queue(id).await?;
    queues.handle(&queue.name, None).send(messages).await?;
    Ok(Reply::ok(Sent { metadata: metadata(shared, id).await? }))
}

pub(crate) async fn push(
    State(shared): SharedState,
    InQueue(id): InQueue,
    Json(wanted, notes): Json<Pushed>,
) -> Answer<Sent> {
    Ok(sent(&shared, &id, vec![wanted.message()?]).await?.with_notes(notes))
}

pub(crate) async fn push_batch(
    State(shared): SharedState,
    InQueue(id): InQueue,
    Json(wanted, notes): Json<PushedBatch>,
) -> Answer<Sent> {
    if wanted.messages.is_empty() {
        return Err(ApiError::invalid("messages is empty: send one at least."));
    }
    let delay = wanted.delay_seconds;
    let messages = wanted.messages.into_iter().map(|pushed| {
        let message = pushed.message()?;
        Ok(NewMessage { delay: message.delay.or(delay), ..message })
    });
    let messages = messages.collect::<Result<Vec<NewMessage>, ApiError>>()?;
    Ok(sent(&shared, &id, messages).await?.with_notes(notes))
}

pub(crate) async fn pull(
    State(shared): SharedState,
    InQueue(id): InQueue,
    Json(wanted, notes): Json<Pull>,
) -> Answer<Handed> {
    let handed = shared.control.queues()?.pull(&id, wanted.batch_size, wanted.visibility_timeout_ms).await?;
    let metadata = metadata(&shared, &id).await?;
    let messages = handed.messages.into_iter().map(|message| View::of(message, true)).collect();
    let message_backlog_count = metadata.metrics.backlog_count;
    Ok(Reply::ok(Handed { message_backlog_count, messages, metadata }).with_notes(notes))
}

pub(crate) async fn ack(
    State(shared): SharedState,
    InQueue(id): InQueue,
    Json(wanted, notes): Json<Ack>,
) -> Answer<Acked> {
    let found = wanted.acks.len().saturating_add(wanted.retries.len());
    if found > MAX_BATCH {
        return Err(ApiError::invalid(format_args!(
            "{found} messages are settled together, and at most {MAX_BATCH} may be; settle them in parts."
        )));
    }
    let mut settlements = Vec::with_capacity(found);
    for Acknowledged { lease_id } in &wanted.acks {
        settlements.push((lease(lease_id)?, Settlement::Ack));
    }
    for Retried { lease_id, delay_seconds } in &wanted.retries {
        if let Some(delay) = delay_seconds.filter(|delay| *delay > MAX_DELAY) {
            return Err(ApiError::invalid(format_args!(
                "delay_seconds is {delay}, and must be from 0 to {MAX_DELAY}; give another number."
            )));
        }
        settlements.push((lease(lease_id)?, Settlement::Retry(delay_seconds.map(Duration::from_secs))));
    }
    let mut acked = Acked { acked: 0, retried: 0, warnings: BTreeMap::new() };
    let settled = shared.control.queues()?.settle(&id, settlements).await?;
    acked.acked = settled.acked;
    acked.retried = settled.retried + settled.dead + settled.dropped;
    if settled.unknown > 0 {
        let text = format!("{} leases were over, or none: their messages may come again.", settled.unknown);
        acked.warnings.insert("leases".to_owned(), text);
    }
    Ok(Reply::ok(acked).with_notes(notes))
}

fn lease(text: &str) -> Result<LeaseId, ApiError> {
    LeaseId::parse(text).ok_or_else(|| {
        ApiError::invalid(
            "lease_id is none that messages were handed over with; take it from the answer of a pull.",
        )
    })
}

pub(crate) async fn preview(
    State(shared): SharedState,
    InQueue(id): InQueue,
    Json(wanted, notes): Json<Preview>,
) -> Answer<Previewed> {
    let found = shared.control.queues()?.peek(&id, wanted.batch_size.unwrap_or(10)).await?;
    let messages = found.into_iter().map(|message| View::of(message, false)).collect();
    Ok(Reply::ok(Previewed { messages }).with_notes(notes))
}
