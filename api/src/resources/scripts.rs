//! Owns the calls on whole scripts of both kinds: list, show, upload, delete.

use axum::extract::{Request, State};
use axum::response::Response;
use http::{HeaderMap, header};
use schemars::JsonSchema;
use serde::Serialize;
use wasmyard_control::{Component, Deploy, Files};
use wasmyard_namespaces::access::{Family, Place};
use wasmyard_namespaces::{CapabilityDiff, NamespaceName, Registry, ScriptKey, ScriptName, TagFilter};

use super::assets;
use crate::caller::{Caller, Sight};
use crate::envelope::{Answer, Reply};
use crate::error::ApiError;
use crate::lists::{self, Paging, Rows, Visible};
use crate::metadata::{Assets, InheritQuery};
use crate::state::{Shared, SharedState};
use crate::target::{Account, Forced, InNamespace, Purged, QueryOf, Tagged, Target};
use crate::upload::{self, Received};
use crate::views::script::{NamespacedView, View, namespaced, view};

/// The answer to an upload.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Uploaded {
    #[serde(flatten)]
    script: View,
    /// How long the component took to start when it was checked.
    startup_time_ms: u64,
    /// What it can reach more and less than what served before.
    capabilities: CapabilityChange,
}

/// Imports and bindings by which a version differs from the one before.
#[derive(Serialize, JsonSchema)]
pub(crate) struct CapabilityChange {
    added: Vec<String>,
    removed: Vec<String>,
}

/// What a deletion by tags deleted, all at once. Where there is more of it, the call is to be repeated.
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

/// The scripts of a namespace that a filter takes, by their names.
struct InOneNamespace {
    registry: Registry,
    namespace: NamespaceName,
    filter: Option<TagFilter>,
}

impl Rows for InOneNamespace {
    type Row = NamespacedView;

    async fn page(
        &self,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<(String, NamespacedView)>, ApiError> {
        let after = after.map(ScriptName::parse).transpose().map_err(ApiError::parameter)?;
        let namespace = Some(&self.namespace);
        let found =
            self.registry.scripts_page(namespace, self.filter.as_ref(), after.as_ref(), limit).await?;
        Ok(found.iter().map(|script| (script.key.script().to_string(), namespaced(script))).collect())
    }

    async fn count(&self) -> Result<Option<u64>, ApiError> {
        match &self.filter {
            Some(_) => Ok(None),
            None => Ok(Some(self.registry.script_count(&self.namespace).await?)),
        }
    }
}

/// The platform scripts, by their names.
struct OfThePlatform(Registry);

impl Rows for OfThePlatform {
    type Row = View;

    async fn page(&self, after: Option<&str>, limit: usize) -> Result<Vec<(String, View)>, ApiError> {
        let after = after.map(ScriptName::parse).transpose().map_err(ApiError::parameter)?;
        let found = self.0.scripts_page(None, None, after.as_ref(), limit).await?;
        Ok(found.iter().map(|script| (script.key.script().to_string(), view(script))).collect())
    }

    async fn count(&self) -> Result<Option<u64>, ApiError> {
        Ok(None)
    }
}

pub(crate) async fn list_in_namespace(
    State(shared): SharedState,
    InNamespace(namespace): InNamespace,
    sight: Sight,
    QueryOf(query): QueryOf<Tagged>,
    QueryOf(paging): QueryOf<Paging>,
) -> Result<Response, ApiError> {
    let (registry, within) = (shared.registry().clone(), namespace.clone());
    let rows = InOneNamespace { registry, namespace, filter: query.filter()? };
    let whole = sight.is_whole();
    let shows = move |name: &str| {
        let script = ScriptName::parse(name).ok();
        let key = script.map(|script| ScriptKey::User { namespace: within.clone(), script });
        key.is_some_and(|key| sight.shows(Family::Scripts, Place::Script(key)))
    };
    lists::answer(Visible { rows, whole, shows }, paging).await
}

pub(crate) async fn list_platform(
    State(shared): SharedState,
    sight: Sight,
    QueryOf(paging): QueryOf<Paging>,
) -> Result<Response, ApiError> {
    let (rows, whole) = (OfThePlatform(shared.registry().clone()), sight.is_whole());
    let shows = move |name: &str| {
        let key = ScriptName::parse(name).ok().map(ScriptKey::Platform);
        key.is_some_and(|key| sight.shows(Family::Scripts, Place::Script(key)))
    };
    lists::answer(Visible { rows, whole, shows }, paging).await
}

pub(crate) async fn delete_by_tags(
    State(shared): SharedState,
    InNamespace(namespace): InNamespace,
    QueryOf(query): QueryOf<Tagged>,
    QueryOf(forced): QueryOf<Forced>,
    QueryOf(purged): QueryOf<Purged>,
) -> Answer<Deleted> {
    let filter = query.filter()?.ok_or_else(|| {
        // Without this rule a forgotten parameter would empty the namespace.
        ApiError::parameter("Which scripts to delete must be said with ?tags=, like ?tags=customer-1:yes.")
    })?;
    let done = shared.control.delete_scripts(&namespace, &filter, forced.wanted()?, purged.wanted()?).await?;
    let names = done.result.names.iter();
    let deleted: Vec<_> = names.map(|name| DeletedScript { id: name.to_string() }).collect();
    let answer = Deleted { deleted_count: deleted.len(), deleted, has_more: done.result.has_more };
    Ok(Reply::ok(answer).with_notes(done.remarks))
}

pub(crate) async fn get_in_namespace(
    State(shared): SharedState,
    Target(key): Target,
) -> Answer<NamespacedView> {
    let script = shared.control.existing(&key).await?;
    Ok(Reply::ok(namespaced(&script)))
}

pub(crate) async fn upload(
    State(shared): SharedState,
    Target(key): Target,
    Account(account): Account,
    QueryOf(query): QueryOf<InheritQuery>,
    request: Request,
) -> Answer<Uploaded> {
    let before = shared.control.find(&key).await?;
    let (deploy, mut notes) = received(&shared, &key, &account, query, request).await?;
    let done = shared.control.deploy(&key, deploy).await?;
    let startup_time_ms = done.result.version.code.startup_time_ms();
    notes.extend(done.remarks);
    let before = before.as_ref().map(|script| &script.version);
    let CapabilityDiff { added, removed } = done.result.version.capabilities_over(before);
    let capabilities = CapabilityChange { added, removed };
    Ok(Reply::ok(Uploaded { script: view(&done.result), startup_time_ms, capabilities }).with_notes(notes))
}

/// What an upload brings, and remarks on what it says.
pub(crate) async fn received(
    shared: &Shared,
    key: &ScriptKey,
    account: &str,
    query: InheritQuery,
    request: Request,
) -> Result<(Deploy, Vec<String>), ApiError> {
    let strict = query.strict()?;
    let only_over = if_match(request.headers());
    let caller = request.extensions().get::<Caller>().cloned();
    let request = upload::arrived(shared, request).await?;
    let _permit = shared.upload_permit().await?;
    let fallback_name = format!("{}.wasm", key.script());
    let Received { mut declared, module_name, code } =
        upload::receive(shared, request, &fallback_name).await?;
    let config = declared.metadata.assets_config()?;
    let assets = declared.metadata.assets.take();
    let keep_assets = declared.metadata.keep_assets;
    let component = match code {
        Some(code) => Component::New(code),
        None if module_name.is_empty() => Component::None,
        None => Component::Keep { name: module_name },
    };
    let draft = declared.metadata.into_draft(strict)?;
    if let Some(caller) = caller {
        caller.may_bind(&draft.bindings)?;
    }
    let files = match assets {
        Some(Assets { jwt: Some(token), .. }) => Files::Of {
            session: assets::completed(shared, account, key, &token).await?,
            config: config.unwrap_or_default(),
        },
        Some(_) if !keep_assets => return Err(assets::no_token()),
        Some(_) | None if keep_assets => Files::Keep { config },
        Some(_) | None => Files::None,
    };
    Ok((Deploy { draft, component, files, only_over }, declared.notes))
}

/// The etags of `If-Match`, without quotes and marks of weakness; none when there is no such field.
pub(crate) fn if_match(headers: &HeaderMap) -> Option<Vec<String>> {
    let fields: Vec<_> = headers.get_all(header::IF_MATCH).iter().collect();
    if fields.is_empty() {
        return None;
    }
    let texts = fields.iter().filter_map(|field| field.to_str().ok()).flat_map(|field| field.split(','));
    Some(texts.map(|tag| tag.trim().trim_start_matches("W/").trim_matches('"').to_owned()).collect())
}

pub(crate) async fn delete(
    State(shared): SharedState,
    Target(key): Target,
    QueryOf(query): QueryOf<Forced>,
    QueryOf(purged): QueryOf<Purged>,
) -> Answer<()> {
    let done = shared.control.delete_script(&key, query.wanted()?, purged.wanted()?).await?;
    Ok(Reply::ok(()).with_notes(done.remarks))
}
