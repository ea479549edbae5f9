//! Owns the calls on consumers of queues: a script of the platform or of a namespace, or whoever pulls.

use std::sync::Arc;

use axum::extract::{FromRequestParts, State};
use http::request::Parts;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use wasmyard_namespaces::{NamespaceName, QueueConsumerId, ScriptKey, ScriptName};
use wasmyard_queues::{Consumer, ConsumerKind, ConsumerSettings, Queue, QueueError};

use super::{InQueue, name};
use crate::body::Json;
use crate::envelope::{Answer, Reply};
use crate::error::ApiError;
use crate::state::{Shared, SharedState};
use crate::target::named_segment;

/// A consumer as clients see it.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "QueueConsumer")]
pub(crate) struct View {
    consumer_id: String,
    created_on: String,
    queue_id: String,
    queue_name: String,
    /// `worker` or `http_pull`.
    r#type: &'static str,
    /// The script, twice: clients read either.
    #[serde(skip_serializing_if = "Option::is_none")]
    script: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    script_name: Option<String>,
    /// The namespace that the script belongs to; left out for a platform script.
    #[serde(skip_serializing_if = "Option::is_none")]
    dispatch_namespace: Option<String>,
    settings: Settings,
    #[serde(skip_serializing_if = "Option::is_none")]
    dead_letter_queue: Option<String>,
}

/// How messages are handed over.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "QueueConsumerSettings")]
struct Settings {
    batch_size: u64,
    max_retries: u64,
    /// Seconds.
    retry_delay: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_wait_time_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_concurrency: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    visibility_timeout_ms: Option<u64>,
}

/// A consumer that is asked for.
#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "QueueConsumerWanted")]
pub(crate) struct Wanted {
    /// `worker` or `http_pull`; where it is left out, a worker if a script is named.
    #[serde(default)]
    r#type: Option<Kind>,
    /// The script; `script` is taken as well.
    #[serde(default, alias = "script")]
    script_name: Option<String>,
    /// The namespace that the script belongs to; left out for a platform script.
    #[serde(default)]
    dispatch_namespace: Option<String>,
    /// Taken, and without effect: a script has one environment.
    #[serde(default)]
    #[expect(dead_code, reason = "clients send it")]
    environment_name: Option<String>,
    #[serde(default)]
    settings: SettingsWanted,
    /// The queue that messages go to which came as often as they may: made where there is none.
    #[serde(default)]
    dead_letter_queue: Option<String>,
}

/// What a consumer is.
#[derive(Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "QueueConsumerType")]
enum Kind {
    Worker,
    HttpPull,
}

/// How messages are to be handed over.
#[derive(Default, Deserialize, JsonSchema)]
#[schemars(rename = "QueueConsumerSettingsWanted")]
pub(crate) struct SettingsWanted {
    /// Messages of a batch at most: 1 to 100; 10 where it is left out.
    #[schemars(range(min = 1, max = 100))]
    batch_size: Option<u64>,
    /// How often a message comes again: 0 to 100; 3 where it is left out.
    #[schemars(range(min = 0, max = 100))]
    max_retries: Option<u64>,
    /// How long a batch waits until it is full: 0 to 60000; 5000 where it is left out. Of scripts alone.
    #[schemars(range(min = 0, max = 60_000))]
    max_wait_time_ms: Option<u64>,
    /// How many batches are handled at the same time: 1 to 250. Of scripts alone.
    #[schemars(range(min = 1, max = 250))]
    max_concurrency: Option<u64>,
    /// After how many seconds a message comes again: 0 to 86400.
    #[schemars(range(min = 0, max = 86_400))]
    retry_delay: Option<u64>,
    /// How long a pulled message stays away from others: 1000 to 43200000; 30000 where it is left out. Of pulls alone.
    #[schemars(range(min = 1_000, max = 43_200_000))]
    visibility_timeout_ms: Option<u64>,
}

impl From<SettingsWanted> for ConsumerSettings {
    fn from(wanted: SettingsWanted) -> ConsumerSettings {
        ConsumerSettings {
            batch_size: wanted.batch_size,
            max_wait_time_ms: wanted.max_wait_time_ms,
            max_retries: wanted.max_retries,
            retry_delay: wanted.retry_delay,
            max_concurrency: wanted.max_concurrency,
            visibility_timeout_ms: wanted.visibility_timeout_ms,
        }
    }
}

/// The namespace and the name of a script's key as it is kept.
pub(super) fn split(key: &str) -> (Option<String>, String) {
    match key.split_once('/') {
        Some((namespace, script)) => (Some(namespace.to_owned()), script.to_owned()),
        None => (None, key.to_owned()),
    }
}

impl View {
    pub(super) fn of(queue: &Queue, consumer: &Consumer) -> View {
        let script = match &consumer.kind {
            ConsumerKind::Worker(key) => Some(split(key)),
            ConsumerKind::Pull => None,
        };
        let is_worker = script.is_some();
        let settings = &consumer.settings;
        let (dispatch_namespace, script) = script.map_or((None, None), |(of, name)| (of, Some(name)));
        View {
            consumer_id: consumer.id.to_string(),
            created_on: consumer.created.to_string(),
            queue_id: queue.id.to_string(),
            queue_name: queue.name.to_string(),
            r#type: if is_worker { "worker" } else { "http_pull" },
            script_name: script.clone(),
            script,
            dispatch_namespace,
            settings: Settings {
                batch_size: settings.batch() as u64,
                max_retries: u64::from(settings.attempts()) - 1,
                retry_delay: settings.retry_delay.unwrap_or_default(),
                max_wait_time_ms: is_worker.then(|| settings.wait_ms()),
                max_concurrency: settings.max_concurrency,
                visibility_timeout_ms: (!is_worker).then(|| settings.visibility_ms()),
            },
            dead_letter_queue: consumer.dead_letters.as_ref().map(ToString::to_string),
        }
    }
}

impl Wanted {
    /// The script that is to consume; none where whoever pulls does.
    fn script(&self) -> Result<Option<ScriptKey>, ApiError> {
        let kind =
            self.r#type.unwrap_or(if self.script_name.is_some() { Kind::Worker } else { Kind::HttpPull });
        match (kind, &self.script_name) {
            (Kind::HttpPull, None) if self.dispatch_namespace.is_none() => Ok(None),
            (Kind::HttpPull, _) => Err(ApiError::invalid(
                "A consumer of the type http_pull is no script: leave out script_name and dispatch_namespace, or ask for a worker.",
            )),
            (Kind::Worker, None) => Err(ApiError::invalid(
                "A consumer of the type worker needs script_name, the name of a script.",
            )),
            (Kind::Worker, Some(script)) => {
                let script = ScriptName::parse(script).map_err(ApiError::invalid)?;
                Ok(Some(match &self.dispatch_namespace {
                    Some(namespace) => {
                        ScriptKey::user(NamespaceName::parse(namespace).map_err(ApiError::invalid)?, script)
                    }
                    None => ScriptKey::Platform(script),
                }))
            }
        }
    }
}

/// The consumer that the path names; it need not exist.
pub(crate) struct Named(QueueConsumerId);

impl FromRequestParts<Arc<Shared>> for Named {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, shared: &Arc<Shared>) -> Result<Self, ApiError> {
        let text = named_segment(parts, shared, "consumer_id").await?;
        QueueConsumerId::parse(&text).map(Self).map_err(ApiError::parameter)
    }
}

pub(crate) async fn list(State(shared): SharedState, InQueue(id): InQueue) -> Answer<Vec<View>> {
    let queue = shared.control.queues()?.queue(&id).await?;
    Ok(Reply::ok(queue.consumer.iter().map(|consumer| View::of(&queue, consumer)).collect()))
}

pub(crate) async fn get(
    State(shared): SharedState,
    InQueue(id): InQueue,
    Named(consumer): Named,
) -> Answer<View> {
    let queue = shared.control.queues()?.queue(&id).await?;
    match &queue.consumer {
        Some(found) if found.id == consumer => Ok(Reply::ok(View::of(&queue, found))),
        _ => Err(QueueError::ConsumerNotFound(consumer).into()),
    }
}

pub(crate) async fn create(
    State(shared): SharedState,
    InQueue(id): InQueue,
    Json(wanted, notes): Json<Wanted>,
) -> Answer<View> {
    set(&shared, &id, None, wanted, notes).await
}

pub(crate) async fn update(
    State(shared): SharedState,
    InQueue(id): InQueue,
    Named(consumer): Named,
    Json(wanted, notes): Json<Wanted>,
) -> Answer<View> {
    set(&shared, &id, Some(&consumer), wanted, notes).await
}

async fn set(
    shared: &Shared,
    id: &wasmyard_namespaces::QueueId,
    of: Option<&QueueConsumerId>,
    wanted: Wanted,
    notes: Vec<String>,
) -> Answer<View> {
    let script = wanted.script()?;
    let dead = wanted.dead_letter_queue.as_deref().filter(|text| !text.is_empty()).map(name).transpose()?;
    let settings = wanted.settings.into();
    let done = shared.control.set_consumer(id, of, script.as_ref(), settings, dead).await?;
    let (queue, consumer) = &done.result;
    Ok(Reply::ok(View::of(queue, consumer)).with_notes(notes).with_notes(done.remarks))
}

pub(crate) async fn delete(
    State(shared): SharedState,
    InQueue(id): InQueue,
    Named(consumer): Named,
) -> Answer<()> {
    shared.control.remove_consumer(&id, &consumer).await?;
    Ok(Reply::ok(()))
}
