//! Owns the calls on a script's settings: bindings, limits, tags, compatibility.
//! Must never touch the component.

use std::collections::BTreeMap;

use axum::extract::{Request, State};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use wasmyard_namespaces::{LimitSpec, Script, SettingsPatch};

use crate::body::{self, Bounds, Json};
use crate::caller::Caller;
use crate::envelope::{Answer, Reply};
use crate::error::ApiError;
use crate::state::{Shared, SharedState};
use crate::target::{self, Forced, QueryOf, Target};
use crate::{metadata, multipart, unknown, views};

/// Everything about a script but its component.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Settings")]
pub(crate) struct View {
    bindings: Vec<views::binding::View>,
    #[serde(skip_serializing_if = "Option::is_none")]
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
    let script = shared.control.existing(&key).await?;
    Ok(Reply::ok(view(&script)))
}

pub(crate) async fn patch(
    State(shared): SharedState,
    Target(key): Target,
    QueryOf(query): QueryOf<Forced>,
    request: Request,
) -> Answer<View> {
    let force = query.wanted()?;
    shared.control.existing(&key).await?;
    let caller = request.extensions().get::<Caller>().cloned();
    let mut keys = read(&shared, request).await?;
    let mut notes = metadata::take_without_effect(&mut keys)?;
    notes.extend(unknown::take::<Patch>(&mut keys));
    let wanted: Patch = serde_json::from_value(Value::Object(keys))
        .map_err(|error| ApiError::invalid(format_args!("The settings do not fit: {error}.")))?;
    notes.extend(wanted.bindings.iter().flat_map(|all| metadata::in_bindings(all)));
    let patch = SettingsPatch {
        bindings: wanted.bindings.as_deref().map(metadata::settings_inputs).transpose()?,
        limits: wanted.limits,
        tags: wanted.tags.as_deref().map(target::tags).transpose()?,
        compatibility_date: wanted.compatibility_date.map(metadata::date),
        compatibility_flags: wanted.compatibility_flags,
        annotations: wanted.annotations,
    };
    if let Some((caller, bindings)) = caller.zip(patch.bindings.as_deref()) {
        caller.may_bind(bindings)?;
    }
    let done = shared.control.change_settings(&key, patch, force).await?;
    notes.extend(done.remarks);
    Ok(Reply::ok(view(&done.result)).with_notes(notes))
}

/// The JSON object of the part `settings`, or that of a plain JSON body with or without that name around it.
async fn read(shared: &Shared, request: Request) -> Result<Map<String, Value>, ApiError> {
    let limits = &shared.api.limits;
    let (parts, body) = request.into_parts();
    let boundary = multipart::of_headers(&parts.headers).transpose().map_err(multipart::unparsable)?;
    let bounds = Bounds { bytes: limits.metadata_bytes, idle: limits.idle, total: limits.call };
    let whole = body::read(&parts.headers, body, bounds).await?;
    let json = match boundary {
        None => body::parse(&whole)?,
        Some(boundary) => {
            let form = multipart::parse(&whole, &boundary, limits.parts).map_err(multipart::unparsable)?;
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
    let script = shared.control.existing(&key).await?;
    Ok(Reply::ok(script_level(&script)))
}

pub(crate) async fn patch_script_level(
    State(shared): SharedState,
    Target(key): Target,
    QueryOf(query): QueryOf<Forced>,
    Json(wanted, notes): Json<ScriptLevelPatch>,
) -> Answer<ScriptLevel> {
    let _ = (wanted.logpush, wanted.observability, wanted.tail_consumers);
    let Some(tags) = wanted.tags else {
        let script = shared.control.existing(&key).await?;
        return Ok(Reply::ok(script_level(&script)).with_notes(notes));
    };
    let done = shared.control.set_tags(&key, target::tags(&tags)?, query.wanted()?).await?;
    Ok(Reply::ok(script_level(&done.result)).with_notes(notes).with_notes(done.remarks))
}

fn view(script: &Script) -> View {
    let version = &script.version;
    View {
        bindings: views::binding::views(&version.bindings),
        compatibility_date: version.compatibility_date.clone(),
        compatibility_flags: version.compatibility_flags.clone(),
        limits: version.limits,
        annotations: version.annotations.clone(),
        tags: views::tags(&script.tags),
        usage_model: "standard",
        logpush: false,
        tail_consumers: [],
    }
}

fn script_level(script: &Script) -> ScriptLevel {
    ScriptLevel { tags: views::tags(&script.tags), logpush: false, tail_consumers: [] }
}
