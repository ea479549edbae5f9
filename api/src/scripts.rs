//! Owns the calls on whole scripts of both kinds: list, show, upload, delete.
//! Must never show what a secret holds: views are built from what is listed here and from nothing else.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::{Request, State};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;
use wasmyard_namespaces::{
    AssetsConfig, AssetsUpload, LimitSpec, Origin, Script, ScriptKey, Upload, UploadDraft,
};

use crate::envelope::{Answer, Reply};
use crate::error::ApiError;
use crate::metadata::{Assets, InheritQuery};
use crate::state::{Shared, SharedState};
use crate::target::{Account, Forced, InNamespace, Paging, QueryOf, Tagged, Target};
use crate::upload::{self, Received};
use crate::{assets, configured, namespaces, references, referrers, tags};

/// What clients see of a script.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Script")]
pub(crate) struct View {
    /// The script's name: that is what clients know as its id.
    id: String,
    /// An identifier that outlives renames and uploads.
    tag: String,
    tags: Vec<String>,
    etag: String,
    created_on: String,
    modified_on: String,
    /// The identifier of the version that serves.
    deployment_id: String,
    version_number: u64,
    handlers: [&'static str; 1],
    has_assets: bool,
    has_modules: bool,
    usage_model: &'static str,
    last_deployed_from: &'static str,
    logpush: bool,
    compatibility_date: Option<String>,
    compatibility_flags: Vec<String>,
    #[schemars(with = "BTreeMap<String, Value>")]
    limits: LimitSpec,
    /// "api" or "config".
    #[schemars(with = "String")]
    origin: Origin,
    /// What the configuration names of it, and so only the configuration changes for good.
    declared: Vec<String>,
    main_module: String,
    /// Bytes of the component.
    size: u64,
    /// The assets, if there are any.
    #[serde(skip_serializing_if = "Option::is_none")]
    assets: Option<AssetsView>,
}

/// What clients see of a script's assets.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Assets")]
pub(crate) struct AssetsView {
    /// How many files there are.
    files: u64,
    /// Bytes of all files.
    bytes: u64,
    /// How they are served.
    #[schemars(with = "BTreeMap<String, Value>")]
    config: AssetsConfig,
}

/// A user script: clients look for the times and the name both outside and inside `script`.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "NamespacedScript")]
pub(crate) struct NamespacedView {
    id: String,
    dispatch_namespace: String,
    created_on: String,
    modified_on: String,
    tags: Vec<String>,
    script: View,
}

/// The answer to an upload.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Uploaded {
    #[serde(flatten)]
    script: View,
    /// How long the component took to start when it was checked.
    startup_time_ms: u64,
}

/// What a deletion by tags deleted: all of it, in one call.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Deleted {
    deleted: Vec<DeletedScript>,
    deleted_count: usize,
    has_more: bool,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct DeletedScript {
    id: String,
}

pub(crate) async fn list_in_namespace(
    State(shared): SharedState,
    InNamespace(namespace): InNamespace,
    QueryOf(query): QueryOf<Tagged>,
) -> Answer<Vec<NamespacedView>> {
    let filter = query.filter()?;
    let scripts = shared.registry().scripts(&namespace, filter.as_ref()).await?;
    Ok(Reply::list(scripts.iter().map(|script| namespaced(script)).collect(), query.page))
}

pub(crate) async fn delete_by_tags(
    State(shared): SharedState,
    InNamespace(namespace): InNamespace,
    QueryOf(query): QueryOf<Tagged>,
    QueryOf(forced): QueryOf<Forced>,
) -> Answer<Deleted> {
    let filter = query.filter()?.ok_or_else(|| {
        // Without this rule a forgotten parameter would empty the namespace.
        ApiError::parameter("Which scripts to delete must be said with ?tags=, like ?tags=customer-1:yes.")
    })?;
    let force = forced.wanted()?;
    let names = shared.registry_for(force).delete_scripts(&namespace, Some(&filter)).await?;
    let notes = if force { Vec::new() } else { configured::kept(&shared, &namespace, &filter).await? };
    let deleted: Vec<_> = names.iter().map(|name| DeletedScript { id: name.to_string() }).collect();
    Ok(Reply::ok(Deleted { deleted_count: deleted.len(), deleted, has_more: false }).with_notes(notes))
}

pub(crate) async fn list_platform(
    State(shared): SharedState,
    QueryOf(query): QueryOf<Paging>,
) -> Answer<Vec<View>> {
    let scripts = shared.registry().platform_scripts().await?;
    Ok(Reply::list(scripts.iter().map(|script| view(script)).collect(), query.page))
}

pub(crate) async fn get_in_namespace(
    State(shared): SharedState,
    Target(key): Target,
) -> Answer<NamespacedView> {
    let script = existing(&shared, &key).await?;
    Ok(Reply::ok(namespaced(&script)))
}

pub(crate) async fn upload(
    State(shared): SharedState,
    Target(key): Target,
    Account(account): Account,
    QueryOf(query): QueryOf<InheritQuery>,
    request: Request,
) -> Answer<Uploaded> {
    let strict = query.strict()?;
    let before = find(&shared, &key).await?;
    let _permit = shared.upload_permit().await?;
    let fallback_name = format!("{}.wasm", key.script());
    let Received { mut declared, module_name, module } =
        upload::receive(&shared, request, &fallback_name).await?;
    let config = declared.metadata.assets_config()?;
    let assets = declared.metadata.assets.take();
    let keep_assets = declared.metadata.keep_assets;
    let keep_component = module.is_none() && !module_name.is_empty();
    if keep_component {
        same_component(&module_name, before.as_deref())?;
    }
    let mut draft = declared.metadata.into_draft(strict)?;
    draft.keep_component = keep_component;
    judge(&shared, &draft, before.as_deref())?;
    let session = match assets {
        Some(Assets { jwt: Some(token), .. }) => {
            Some(assets::completed(&shared, &account, &key, &token).await?)
        }
        Some(_) if !keep_assets => return Err(assets::no_token()),
        Some(_) | None => None,
    };
    if let Some(module) = module {
        draft = upload::store(&shared, &key, module, module_name, draft).await?;
    }
    draft.assets = match session {
        Some(session) => AssetsUpload::Attach {
            assets: shared.registry().finish_assets(&session).await?,
            config: config.unwrap_or_default(),
        },
        None if keep_assets => AssetsUpload::Keep { config },
        None => AssetsUpload::None,
    };
    let upload = Upload::parse(draft).map_err(ApiError::invalid)?;
    let script = shared.registry().deploy(&key, upload).await?;
    tracing::info!(script = %key, version = script.version.number, bytes = script.version.component_size, "deployed");
    let startup_time_ms = script.version.startup_time_ms;
    let mut notes = declared.notes;
    if let Some(before) = &before {
        notes.extend(configured::changed_script(before, &script));
    }
    notes.extend(references::of_script(&shared, &key, &script.version.bindings).await?);
    if let Some(attached) = &script.version.assets {
        notes.extend(assets::left_out(&attached.config));
    }
    Ok(Reply::ok(Uploaded { script: view(&script), startup_time_ms }).with_notes(notes))
}

/// An upload without a component names the one that is to stay.
fn same_component(named: &str, before: Option<&Script>) -> Result<(), ApiError> {
    let known = before.filter(|script| script.version.component.is_some());
    match known.map(|script| script.version.main_module.as_str()) {
        Some(known) if known == named => Ok(()),
        Some(known) => Err(ApiError::invalid(format_args!(
            "main_module is {named:?} and no part is called that, and the script's component is {known:?}. Send the part, or name the component that is to stay."
        ))),
        None => Err(ApiError::invalid(format_args!(
            "main_module is {named:?} and no part is called that, and the script has no component yet. Send the part, or leave main_module out for a script of assets alone."
        ))),
    }
}

/// Everything about an upload that can be refused before the component costs anything. The registry decides again
/// when it deploys, on what is true by then.
fn judge(shared: &Shared, draft: &UploadDraft, before: Option<&Script>) -> Result<(), ApiError> {
    draft.limits.validate(shared.ceiling()).map_err(ApiError::invalid)?;
    Upload::parse(draft.clone()).map_err(ApiError::invalid)?;
    let bindings = before.map_or(&[][..], |script| &script.version.bindings);
    wasmyard_namespaces::binding::resolve(
        &draft.bindings,
        bindings,
        &draft.keep_bindings,
        draft.bindings_strict,
    )?;
    Ok(())
}

pub(crate) async fn delete(
    State(shared): SharedState,
    Target(key): Target,
    QueryOf(query): QueryOf<Forced>,
) -> Answer<()> {
    let force = query.wanted()?;
    let before = existing(&shared, &key).await?;
    let mut notes = referrers::of_script(&shared, &key).await?.stand_against("deleted", force)?;
    if !shared.registry_for(force).delete_script(&key).await? {
        return Err(absent(&shared, &key).await);
    }
    notes.extend(configured::gone(before.config.as_ref(), &format!("script \"{key}\"")));
    tracing::info!(script = %key, "deleted");
    Ok(Reply::ok(()).with_notes(notes))
}

/// The script, or the error that says which part of the key names nothing.
pub(crate) async fn existing(shared: &Shared, key: &ScriptKey) -> Result<Arc<Script>, ApiError> {
    find(shared, key).await?.ok_or_else(|| ApiError::script_not_found(key))
}

/// The script, if there is one; an error if there is not even the namespace.
pub(crate) async fn find(shared: &Shared, key: &ScriptKey) -> Result<Option<Arc<Script>>, ApiError> {
    if let Some(namespace) = key.namespace() {
        namespaces::existing(shared, namespace).await?;
    }
    Ok(shared.registry().script(key).await?)
}

async fn absent(shared: &Shared, key: &ScriptKey) -> ApiError {
    find(shared, key).await.err().unwrap_or_else(|| ApiError::script_not_found(key))
}

pub(crate) fn view(script: &Script) -> View {
    let version = &script.version;
    View {
        id: script.key.script().to_string(),
        tag: script.id.clone(),
        tags: tags::texts(&script.tags),
        etag: version.etag.clone(),
        created_on: script.created_on.to_string(),
        modified_on: script.modified_on.to_string(),
        deployment_id: version.id.clone(),
        version_number: version.number,
        handlers: ["fetch"],
        has_assets: version.assets.is_some(),
        has_modules: version.component.is_some(),
        usage_model: "standard",
        // Anything else makes wrangler ask before it deploys over it.
        last_deployed_from: "wrangler",
        logpush: false,
        compatibility_date: version.compatibility_date.clone(),
        compatibility_flags: version.compatibility_flags.clone(),
        limits: version.limits,
        origin: script.origin(),
        declared: configured::keys(script.config.as_ref()),
        main_module: version.main_module.clone(),
        size: version.component_size,
        assets: version.assets.as_ref().map(|assets| AssetsView {
            files: assets.files,
            bytes: assets.bytes,
            config: assets.config.clone(),
        }),
    }
}

fn namespaced(script: &Script) -> NamespacedView {
    NamespacedView {
        id: script.key.script().to_string(),
        dispatch_namespace: script.key.namespace().map(ToString::to_string).unwrap_or_default(),
        created_on: script.created_on.to_string(),
        modified_on: script.modified_on.to_string(),
        tags: tags::texts(&script.tags),
        script: view(script),
    }
}
