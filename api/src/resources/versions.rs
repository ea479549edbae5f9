//! Owns the calls on the versions of a script: those that serve, and those that are kept and do not.
//! Must never change what serves.

use std::collections::BTreeMap;

use axum::extract::{Request, State};
use schemars::JsonSchema;
use serde::Serialize;
use wasmyard_namespaces::name::shorten;
use wasmyard_namespaces::{Script, ScriptKey, Version};

use crate::envelope::{Answer, Reply};
use crate::error::{ApiError, Code};
use crate::lists::Paging;
use crate::metadata::InheritQuery;
use crate::resources::scripts;
use crate::state::SharedState;
use crate::target::{Account, EMAIL, Item, QueryOf, Target};
use crate::views;

/// One version.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Version")]
pub(crate) struct View {
    id: String,
    number: u64,
    annotations: BTreeMap<String, String>,
    metadata: VersionMetadata,
    /// Milliseconds that its start-up code took, where it was uploaded a moment ago.
    #[serde(skip_serializing_if = "Option::is_none")]
    startup_time_ms: Option<u64>,
    resources: VersionResources,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct VersionMetadata {
    author_email: &'static str,
    source: &'static str,
    created_on: String,
    modified_on: String,
    #[serde(rename = "hasPreview")]
    has_preview: bool,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct VersionResources {
    bindings: Vec<views::binding::View>,
    script: views::script::View,
    script_runtime: Runtime,
}

/// What a version asks of what runs it.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "VersionRuntime")]
pub(crate) struct Runtime {
    #[serde(skip_serializing_if = "Option::is_none")]
    compatibility_date: Option<String>,
    compatibility_flags: Vec<String>,
    usage_model: &'static str,
    #[schemars(with = "BTreeMap<String, serde_json::Value>")]
    limits: wasmyard_namespaces::LimitSpec,
}

/// The versions of a script.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Versions {
    items: Vec<View>,
}

pub(crate) async fn list(
    State(shared): SharedState,
    Target(key): Target,
    QueryOf(query): QueryOf<Paging>,
) -> Answer<Versions> {
    let kept = shared.control.kept(&key).await?;
    let items: Vec<View> = kept.versions().into_iter().map(|version| view(&kept.script, version)).collect();
    // Few enough for one page; clients ask for page after page until one is empty.
    let items = if query.page <= 1 { items } else { Vec::new() };
    Ok(Reply::ok(Versions { items }))
}

pub(crate) async fn get(State(shared): SharedState, Target(key): Target, Item(id): Item) -> Answer<View> {
    let kept = shared.control.kept(&key).await?;
    let versions = kept.versions();
    let found = versions.iter().find(|version| version.id == id);
    let found = found.ok_or_else(|| not_kept(&key, &id, versions.len()))?;
    Ok(Reply::ok(view(&kept.script, found)))
}

pub(crate) async fn create(
    State(shared): SharedState,
    Target(key): Target,
    Account(account): Account,
    QueryOf(query): QueryOf<InheritQuery>,
    request: Request,
) -> Answer<View> {
    shared.control.existing(&key).await?;
    let (deploy, mut notes) = scripts::received(&shared, &key, &account, query, request).await?;
    let done = shared.control.upload_version(&key, deploy).await?;
    let (script, version) = done.result;
    notes.extend(done.remarks);
    let startup_time_ms = Some(version.code.startup_time_ms());
    Ok(Reply::ok(View { startup_time_ms, ..view(&script, &version) }).with_notes(notes))
}

fn not_kept(key: &ScriptKey, id: &str, kept: usize) -> ApiError {
    let id = shorten(id);
    ApiError::new(
        Code::VersionNotFound,
        format!("The script \"{key}\" has no version {id:?}; {kept} are kept, GET .../versions lists them."),
    )
}

fn view(script: &Script, version: &Version) -> View {
    let created_on = version.created_on.to_string();
    View {
        id: version.id.clone(),
        number: version.number,
        annotations: version.annotations.clone(),
        metadata: VersionMetadata {
            author_email: EMAIL,
            source: "api",
            modified_on: created_on.clone(),
            created_on,
            has_preview: false,
        },
        startup_time_ms: None,
        resources: VersionResources {
            bindings: views::binding::views(&version.bindings),
            script: views::script::view(&script.with(version)),
            script_runtime: Runtime {
                compatibility_date: version.compatibility_date.clone(),
                compatibility_flags: version.compatibility_flags.clone(),
                usage_model: "standard",
                limits: version.limits,
            },
        },
    }
}
