//! Owns the calls on a script's settings: bindings, limits, tags, compatibility.
//! Must never touch the component.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::{Request, State};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use wasmyard_namespaces::{LimitSpec, Script, SettingsPatch};

use crate::body::{self, Bounds, Json};
use crate::configured;
use crate::envelope::{Answer, Reply};
use crate::error::ApiError;
use crate::scripts::existing;
use crate::state::{Shared, SharedState};
use crate::target::{Forced, QueryOf, Target};
use crate::{bindings, metadata, multipart, references, tags, upload};

/// Everything about a script but its component.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Settings")]
pub(crate) struct View {
    bindings: Vec<bindings::View>,
    compatibility_date: Option<String>,
    compatibility_flags: Vec<String>,
    #[schemars(with = "BTreeMap<String, Value>")]
    limits: LimitSpec,
    annotations: BTreeMap<String, String>,
    tags: Vec<String>,
    usage_model: &'static str,
    logpush: bool,
    tail_consumers: [(); 0],
}

/// What can change; what is left out stays as it is.
#[derive(Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "SettingsPatch")]
#[derive(Default)]
pub(crate) struct Patch {
    /// All bindings. One with nothing but `type` and `name` stays as it is.
    bindings: Option<Vec<Value>>,
    #[schemars(with = "Option<BTreeMap<String, Value>>")]
    limits: Option<LimitSpec>,
    tags: Option<Vec<String>>,
    compatibility_date: Option<String>,
    compatibility_flags: Option<Vec<String>>,
    annotations: Option<BTreeMap<String, String>>,
}

/// The settings that do not belong to a version.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "ScriptSettings")]
pub(crate) struct ScriptLevel {
    tags: Vec<String>,
    logpush: bool,
    tail_consumers: [(); 0],
}

/// A change of [`ScriptLevel`].
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "ScriptSettingsPatch")]
pub(crate) struct ScriptLevelPatch {
    tags: Option<Vec<String>>,
    /// Accepted, without effect.
    logpush: Option<Value>,
    /// Accepted, without effect.
    observability: Option<Value>,
    /// Accepted, without effect.
    tail_consumers: Option<Value>,
}

pub(crate) async fn get(State(shared): SharedState, Target(key): Target) -> Answer<View> {
    let script = existing(&shared, &key).await?;
    Ok(Reply::ok(view(&script)))
}

pub(crate) async fn patch(
    State(shared): SharedState,
    Target(key): Target,
    QueryOf(query): QueryOf<Forced>,
    request: Request,
) -> Answer<View> {
    let force = query.wanted()?;
    let before = existing(&shared, &key).await?;
    let mut keys = read(&shared, request).await?;
    let notes = metadata::take_without_effect(&mut keys)?;
    let wanted: Patch = serde_json::from_value(Value::Object(keys))
        .map_err(|error| ApiError::invalid(format_args!("The settings do not fit: {error}.")))?;
    if let Some(limits) = &wanted.limits {
        limits.validate(shared.ceiling()).map_err(ApiError::invalid)?;
    }
    let patch = SettingsPatch {
        bindings: wanted.bindings.as_deref().map(metadata::settings_inputs).transpose()?,
        limits: wanted.limits,
        tags: wanted.tags.as_deref().map(tags::parse_all).transpose()?,
        compatibility_date: wanted.compatibility_date,
        compatibility_flags: wanted.compatibility_flags,
        annotations: wanted.annotations,
    };
    let script = shared.registry_for(force).update_settings(&key, patch).await?;
    let mut notes = notes;
    notes.extend(configured::changed_script(&before, &script));
    notes.extend(references::of_script(&shared, &key, &script.version.bindings).await?);
    Ok(Reply::ok(view(&script)).with_notes(notes))
}

/// The JSON object of the part `settings`, or that of a plain JSON body with or without that name around it.
async fn read(shared: &Shared, request: Request) -> Result<Map<String, Value>, ApiError> {
    let limits = &shared.api.limits;
    let (parts, body) = request.into_parts();
    let boundary = upload::boundary(&parts.headers).transpose().map_err(upload::unparsable)?;
    let bounds = Bounds { bytes: limits.metadata_bytes, idle: limits.idle, total: limits.call };
    let whole = body::read(&parts.headers, body, bounds).await?;
    let json = match boundary {
        None => body::parse(&whole)?,
        Some(boundary) => {
            let form = multipart::parse(&whole, &boundary, limits.parts).map_err(upload::unparsable)?;
            let part = form.iter().find(|part| part.name == "settings");
            body::parse(
                &part.ok_or_else(|| ApiError::invalid("The form lacks the part \"settings\"."))?.content,
            )?
        }
    };
    match json {
        Value::Object(mut keys) => match keys.remove("settings") {
            Some(Value::Object(inner)) if keys.is_empty() => Ok(inner),
            Some(other) => {
                keys.insert("settings".to_owned(), other);
                Ok(keys)
            }
            None => Ok(keys),
        },
        _ => Err(ApiError::invalid("The settings must be a JSON object, like {\"tags\": [\"customer-1\"]}.")),
    }
}

pub(crate) async fn get_script_level(State(shared): SharedState, Target(key): Target) -> Answer<ScriptLevel> {
    let script = existing(&shared, &key).await?;
    Ok(Reply::ok(script_level(&script)))
}

pub(crate) async fn patch_script_level(
    State(shared): SharedState,
    Target(key): Target,
    QueryOf(query): QueryOf<Forced>,
    Json(wanted): Json<ScriptLevelPatch>,
) -> Answer<ScriptLevel> {
    let force = query.wanted()?;
    let before = existing(&shared, &key).await?;
    let mut script = Arc::clone(&before);
    if let Some(tags) = wanted.tags {
        script = shared.registry_for(force).set_tags(&key, tags::parse_all(&tags)?).await?;
    }
    let _ = (wanted.logpush, wanted.observability, wanted.tail_consumers);
    Ok(Reply::ok(script_level(&script)).with_notes(configured::changed_script(&before, &script)))
}

fn view(script: &Script) -> View {
    let version = &script.version;
    View {
        bindings: bindings::views(&version.bindings),
        compatibility_date: version.compatibility_date.clone(),
        compatibility_flags: version.compatibility_flags.clone(),
        limits: version.limits,
        annotations: version.annotations.clone(),
        tags: tags::texts(&script.tags),
        usage_model: "standard",
        logpush: false,
        tail_consumers: [],
    }
}

fn script_level(script: &Script) -> ScriptLevel {
    ScriptLevel { tags: tags::texts(&script.tags), logpush: false, tail_consumers: [] }
}
