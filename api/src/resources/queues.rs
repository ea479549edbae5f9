//! Owns the calls on queues: list, create, show, change, delete, empty, count; consumers and messages are in files of their own.

use std::sync::Arc;

use axum::extract::{FromRequestParts, State};
use axum::response::{IntoResponse as _, Response};
use http::request::Parts;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use wasmyard_control::Control;
use wasmyard_namespaces::{QueueId, QueueName, Timestamp};
use wasmyard_queues::{Backlog, Queue, QueueChange, QueueError};

use crate::body::Json;
use crate::envelope::{Answer, Reply};
use crate::error::ApiError;
use crate::lists::{self, Paging, Rows};
use crate::patterns::QUEUE_NAME;
use crate::query::Pairs;
use crate::state::{Shared, SharedState};
use crate::target::{Forced, QueryOf, named_segment};

pub(crate) mod consumers;
pub(crate) mod messages;

/// A queue as clients see it.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Queue")]
pub(crate) struct View {
    queue_id: String,
    queue_name: String,
    created_on: String,
    modified_on: String,
    producers_total_count: usize,
    /// Scripts that are bound to it.
    producers: Vec<Producer>,
    consumers_total_count: usize,
    /// Who consumes it: nobody, or one.
    consumers: Vec<consumers::View>,
    settings: Settings,
}

/// A script that is bound to a queue.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "QueueProducer")]
struct Producer {
    r#type: &'static str,
    script: String,
    /// The namespace that the script belongs to; left out for a platform script.
    #[serde(skip_serializing_if = "Option::is_none")]
    dispatch_namespace: Option<String>,
}

/// How messages of a queue are kept and handed over.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "QueueSettings")]
struct Settings {
    /// Seconds.
    delivery_delay: u64,
    delivery_paused: bool,
    /// Seconds.
    message_retention_period: u64,
}

/// Settings that are asked for.
#[derive(Default, Deserialize, JsonSchema)]
#[schemars(rename = "QueueSettingsWanted")]
pub(crate) struct SettingsWanted {
    /// How long a message is not handed over that does not say so itself: 0 to 86400 seconds.
    #[schemars(range(min = 0, max = 86_400))]
    delivery_delay: Option<u64>,
    /// Whether no message is handed over at all.
    delivery_paused: Option<bool>,
    /// After how many seconds a message goes that nobody handled: 60 to 1209600.
    #[schemars(range(min = 60, max = 1_209_600))]
    message_retention_period: Option<u64>,
}

/// What a new queue needs.
#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "QueueWanted")]
pub(crate) struct Wanted {
    /// 1 to 63 letters, digits and `-`.
    #[schemars(regex(pattern = QUEUE_NAME))]
    queue_name: String,
    #[serde(default)]
    settings: SettingsWanted,
}

/// What can change of a queue.
#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "QueueChange")]
pub(crate) struct Change {
    #[schemars(regex(pattern = QUEUE_NAME))]
    queue_name: Option<String>,
    #[serde(default)]
    settings: SettingsWanted,
}

/// What waits in a queue.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "QueueMetrics")]
pub(crate) struct Metrics {
    backlog_count: u64,
    backlog_bytes: u64,
    /// Zero where nothing waits.
    oldest_message_timestamp_ms: u64,
}

/// That a queue is to be emptied.
#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "QueuePurge")]
pub(crate) struct Purge {
    /// Must be true: the messages are gone.
    #[schemars(extend("const" = true))]
    delete_messages_permanently: bool,
}

/// How the emptying of a queue goes.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "QueuePurged")]
pub(crate) struct Purged {
    started_at: String,
    completed: String,
}

/// The queue that the path names; it need not exist.
pub(crate) struct InQueue(pub(crate) QueueId);

impl FromRequestParts<Arc<Shared>> for InQueue {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, shared: &Arc<Shared>) -> Result<Self, ApiError> {
        let text = named_segment(parts, shared, "queue_id").await?;
        QueueId::parse(&text).map(Self).map_err(ApiError::parameter)
    }
}

/// A queue's name as a body has it.
fn name(text: &str) -> Result<QueueName, ApiError> {
    QueueName::parse(text).ok_or_else(|| {
        let found = wasmyard_namespaces::name::shorten(text);
        ApiError::invalid(format_args!("\"{found}\" is no name of a queue: it has {}.", QueueName::RULE))
    })
}

impl SettingsWanted {
    fn change(self, name: Option<QueueName>) -> QueueChange {
        let (delivery_delay, delivery_paused) = (self.delivery_delay, self.delivery_paused);
        QueueChange { name, delivery_delay, delivery_paused, retention: self.message_retention_period }
    }
}

impl From<Backlog> for Metrics {
    fn from(backlog: Backlog) -> Metrics {
        Metrics {
            backlog_count: backlog.messages,
            backlog_bytes: backlog.bytes,
            oldest_message_timestamp_ms: backlog.oldest_ms,
        }
    }
}

async fn view(control: &Control, queue: Queue) -> Result<View, ApiError> {
    let mut scripts: Vec<String> =
        control.producers_of(&queue).await?.bindings.into_iter().map(|bound| bound.owner).collect();
    scripts.dedup();
    let producers: Vec<Producer> = scripts
        .into_iter()
        .map(|key| {
            let (namespace, script) = consumers::split(&key);
            Producer { r#type: "worker", script, dispatch_namespace: namespace }
        })
        .collect();
    let consumers: Vec<consumers::View> =
        queue.consumer.iter().map(|consumer| consumers::View::of(&queue, consumer)).collect();
    Ok(View {
        queue_id: queue.id.to_string(),
        queue_name: queue.name.to_string(),
        created_on: queue.created.to_string(),
        modified_on: queue.modified.to_string(),
        producers_total_count: producers.len(),
        producers,
        consumers_total_count: consumers.len(),
        consumers,
        settings: Settings {
            delivery_delay: queue.settings.delivery_delay,
            delivery_paused: queue.settings.delivery_paused,
            message_retention_period: queue.settings.retention,
        },
    })
}

/// The queues by their names.
struct All(Control);

impl Rows for All {
    type Row = View;

    async fn page(&self, after: Option<&str>, limit: usize) -> Result<Vec<(String, View)>, ApiError> {
        let mut page = Vec::new();
        for queue in self.0.queues()?.queues(after, limit).await? {
            page.push((queue.name.to_string(), view(&self.0, queue).await?));
        }
        Ok(page)
    }

    async fn count(&self) -> Result<Option<u64>, ApiError> {
        Ok(Some(self.0.queues()?.count().await?))
    }
}

/// Names that one call may ask for.
const MOST_NAMES: usize = 100;

pub(crate) async fn list(
    State(shared): SharedState,
    QueryOf(paging): QueryOf<Paging>,
    query: Pairs,
) -> Result<Response, ApiError> {
    let names: Vec<&str> = query.each("name").collect();
    if names.is_empty() {
        return lists::answer(All(shared.control.clone()), paging).await;
    }
    if names.len() > MOST_NAMES {
        return Err(ApiError::parameter(format_args!("name can be given {MOST_NAMES} times")));
    }
    let mut found: Vec<View> = Vec::new();
    for text in names.into_iter().filter(|_| paging.page <= 1) {
        let Some(name) = QueueName::parse(text) else { continue };
        match shared.control.queues()?.named(&name).await {
            Ok(queue) if found.iter().all(|known| known.queue_name != queue.name.as_str()) => {
                found.push(view(&shared.control, queue).await?);
            }
            Ok(_) | Err(QueueError::NameNotFound(_)) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(Reply::ok(found).into_response())
}

pub(crate) async fn create(State(shared): SharedState, Json(wanted, notes): Json<Wanted>) -> Answer<View> {
    let name = name(&wanted.queue_name)?;
    let made = shared.control.create_queue(&name, &wanted.settings.change(None)).await?;
    Ok(Reply::ok(view(&shared.control, made).await?).with_notes(notes))
}

pub(crate) async fn get(State(shared): SharedState, InQueue(id): InQueue) -> Answer<View> {
    let queue = shared.control.queues()?.queue(&id).await?;
    Ok(Reply::ok(view(&shared.control, queue).await?))
}

pub(crate) async fn update(
    State(shared): SharedState,
    InQueue(id): InQueue,
    QueryOf(query): QueryOf<Forced>,
    Json(wanted, notes): Json<Change>,
) -> Answer<View> {
    let name = wanted.queue_name.as_deref().map(name).transpose()?;
    let done = shared.control.change_queue(&id, wanted.settings.change(name), query.wanted()?).await?;
    let shown = view(&shared.control, done.result).await?;
    Ok(Reply::ok(shown).with_notes(notes).with_notes(done.remarks))
}

pub(crate) async fn delete(
    State(shared): SharedState,
    InQueue(id): InQueue,
    QueryOf(query): QueryOf<Forced>,
) -> Answer<()> {
    let done = shared.control.delete_queue(&id, query.wanted()?).await?;
    Ok(Reply::ok(()).with_notes(done.remarks))
}

pub(crate) async fn metrics(State(shared): SharedState, InQueue(id): InQueue) -> Answer<Metrics> {
    Ok(Reply::ok(shared.control.queues()?.backlog(&id).await?.into()))
}

pub(crate) async fn purge(
    State(shared): SharedState,
    InQueue(id): InQueue,
    Json(wanted, notes): Json<Purge>,
) -> Answer<View> {
    if !wanted.delete_messages_permanently {
        return Err(ApiError::invalid(
            "delete_messages_permanently must be true: the messages of the queue are gone then.",
        ));
    }
    let queues = shared.control.queues()?;
    let removed = queues.purge(&id).await?;
    tracing::info!(queue = %id, removed, "queue emptied");
    let shown = view(&shared.control, queues.queue(&id).await?).await?;
    Ok(Reply::ok(shown).with_notes(notes))
}

pub(crate) async fn purged(State(shared): SharedState, InQueue(id): InQueue) -> Answer<Purged> {
    shared.control.queues()?.queue(&id).await?;
    let now: Timestamp = shared.control.queues()?.clock().now();
    Ok(Reply::ok(Purged { started_at: now.to_string(), completed: "true".to_owned() }))
}
