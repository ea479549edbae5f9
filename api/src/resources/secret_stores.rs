//! Owns the calls on stores of secrets, and on the secrets in them. No answer has a value in it.

use std::sync::Arc;

use axum::extract::{FromRequestParts, State};
use axum::response::Response;
use http::request::Parts;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use wasmyard_namespaces::Secret;
use wasmyard_namespaces::ids::{SecretStoreId, StoredSecretId};
use wasmyard_namespaces::limits::secret_stores as limits;
use wasmyard_namespaces::registry::{NewStoredSecret, SecretStoreError, StoredSecretEdit};
use wasmyard_namespaces::secret_store::{SecretStore, StoredSecret, WORKERS};

use crate::body::{Json, JsonList};
use crate::envelope::{Answer, Reply};
use crate::error::ApiError;
use crate::lists;
use crate::query::Pairs;
use crate::state::{Shared, SharedState};
use crate::target::{ACCOUNT, Account, Forced, QueryOf, named_segment};

/// A store as clients see it.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "SecretStore")]
pub(crate) struct StoreView {
    id: String,
    name: String,
    account_id: &'static str,
    created: String,
    modified: String,
}

/// A secret as clients see it: without its value.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "StoredSecret")]
pub(crate) struct View {
    id: String,
    store_id: String,
    name: String,
    comment: String,
    scopes: Vec<String>,
    /// Always "active": a secret can be used when the call returns.
    status: &'static str,
    created: String,
    modified: String,
}

/// A store to be.
#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "SecretStoreCreate")]
pub(crate) struct CreateStore {
    #[schemars(length(min = 1, max = 255), regex(pattern = "^[A-Za-z0-9_-]+$"))]
    name: String,
}

/// A secret to be.
#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "StoredSecretCreate")]
pub(crate) struct Create {
    /// What bindings name it by.
    #[schemars(length(min = 1, max = 255), regex(pattern = "^[A-Za-z0-9_-]+$"))]
    name: String,
    /// What scripts get.
    #[schemars(length(min = 1, max = 32768))]
    value: String,
    #[serde(default)]
    #[schemars(length(max = 1024))]
    comment: Option<String>,
    /// Who may use it; left out: scripts.
    #[serde(default)]
    #[schemars(length(min = 1, max = 16))]
    scopes: Option<Vec<String>>,
}

/// What is to change of a secret; what is left out stays.
#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "StoredSecretPatch")]
pub(crate) struct Patch {
    #[serde(default)]
    #[schemars(length(min = 1, max = 32768))]
    value: Option<String>,
    #[serde(default)]
    #[schemars(length(max = 1024))]
    comment: Option<String>,
    #[serde(default)]
    #[schemars(length(min = 1, max = 16))]
    scopes: Option<Vec<String>>,
}

/// Another secret of the same value.
#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "StoredSecretDuplicate")]
pub(crate) struct Duplicate {
    #[schemars(length(min = 1, max = 255), regex(pattern = "^[A-Za-z0-9_-]+$"))]
    name: String,
    #[serde(default)]
    #[schemars(length(max = 1024))]
    comment: Option<String>,
    #[serde(default)]
    #[schemars(length(min = 1, max = 16))]
    scopes: Option<Vec<String>>,
}

/// How many secrets there are, and can be.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "SecretStoreQuota")]
pub(crate) struct Quota {
    secrets: Secrets,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "SecretStoreQuotaSecrets")]
struct Secrets {
    quota: u64,
    usage: u64,
}

/// The store that the path names; it need not exist.
pub(crate) struct InStore(SecretStoreId);

impl FromRequestParts<Arc<Shared>> for InStore {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, shared: &Arc<Shared>) -> Result<Self, ApiError> {
        Account::from_request_parts(parts, shared).await?;
        let text = named_segment(parts, shared, "store_id").await?;
        SecretStoreId::parse(&text).map(Self).map_err(|_| none("store", &text))
    }
}

/// The secret that the path names; it need not exist.
pub(crate) struct One(SecretStoreId, StoredSecretId);

impl FromRequestParts<Arc<Shared>> for One {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, shared: &Arc<Shared>) -> Result<Self, ApiError> {
        let InStore(store) = InStore::from_request_parts(parts, shared).await?;
        let text = named_segment(parts, shared, "secret_id").await?;
        StoredSecretId::parse(&text).map(|id| Self(store, id)).map_err(|_| none("secret", &text))
    }
}

fn none(what: &'static str, text: &str) -> ApiError {
    let id = wasmyard_namespaces::name::shorten(text);
    wasmyard_namespaces::RegistryError::from(SecretStoreError::NotFound { what, id }).into()
}

fn store_view(store: SecretStore) -> StoreView {
    let SecretStore { id, name, created, modified } = store;
    StoreView {
        id: id.to_string(),
        name,
        account_id: ACCOUNT,
        created: created.to_string(),
        modified: modified.to_string(),
    }
}

fn view(secret: StoredSecret) -> View {
    let StoredSecret { id, store_id, name, comment, scopes, created, modified } = secret;
    View {
        id: id.to_string(),
        store_id: store_id.to_string(),
        name,
        comment,
        scopes,
        status: "active",
        created: created.to_string(),
        modified: modified.to_string(),
    }
}

pub(crate) async fn list_stores(
    State(shared): SharedState,
    _: Account,
    query: Pairs,
) -> Result<Response, ApiError> {
    let (page, per_page) = query.paging(20, 1_000)?;
    let mut stores = shared.registry().secret_stores().await?;
    if query.is_backwards()? {
        stores.reverse();
    }
    let rows: Vec<StoreView> = stores.into_iter().map(store_view).collect();
    Ok(lists::slice(&rows, page, per_page))
}

pub(crate) async fn create_store(
    State(shared): SharedState,
    _: Account,
    Json(wanted, notes): Json<CreateStore>,
) -> Answer<StoreView> {
    let made = shared.control.create_secret_store(&wanted.name).await?;
    Ok(Reply::ok(store_view(made)).with_notes(notes))
}

pub(crate) async fn get_store(State(shared): SharedState, InStore(id): InStore) -> Answer<StoreView> {
    Ok(Reply::ok(store_view(shared.registry().secret_store(&id).await?)))
}

pub(crate) async fn delete_store(
    State(shared): SharedState,
    InStore(id): InStore,
    QueryOf(query): QueryOf<Forced>,
) -> Answer<()> {
    let done = shared.control.delete_secret_store(&id, query.wanted()?).await?;
    Ok(Reply::ok(()).with_notes(done.remarks))
}

/// By what secrets can be ordered.
pub(crate) const ORDERS: &[&str] = &["name", "comment", "created", "modified", "status"];

pub(crate) async fn list(
    State(shared): SharedState,
    InStore(store): InStore,
    query: Pairs,
) -> Result<Response, ApiError> {
    let (page, per_page) = query.paging(20, 1_000)?;
    let mut secrets = shared.registry().stored_secrets(&store).await?;
    if let Some(search) = query.get("search") {
        secrets.retain(|secret| secret.name.contains(search) || secret.comment.contains(search));
    }
    let scopes: Vec<&str> = query.all("scopes").filter(|scope| !scope.is_empty()).collect();
    secrets.retain(|secret| scopes.iter().all(|scope| secret.scopes.iter().any(|one| one == scope)));
    // They come by their names, and all have the same status.
    match query.choice("order", ORDERS)? {
        Some("comment") => secrets.sort_by(|a, b| a.comment.cmp(&b.comment)),
        Some("created") => secrets.sort_by_key(|secret| secret.created),
        Some("modified") => secrets.sort_by_key(|secret| secret.modified),
        Some(_) | None => {}
    }
    if query.is_backwards()? {
        secrets.reverse();
    }
    let rows: Vec<View> = secrets.into_iter().map(view).collect();
    Ok(lists::slice(&rows, page, per_page))
}

pub(crate) async fn create(
    State(shared): SharedState,
    InStore(store): InStore,
    JsonList(wanted, notes): JsonList<Create>,
) -> Answer<Vec<View>> {
    let secrets: Vec<NewStoredSecret> = wanted
        .into_iter()
        .map(|Create { name, value, comment, scopes }| NewStoredSecret {
            name,
            value: Secret::new(value),
            comment: comment.unwrap_or_default(),
            scopes: scopes.unwrap_or_else(|| vec![WORKERS.to_owned()]),
        })
        .collect();
    let made = shared.control.create_stored_secrets(&store, &secrets).await?;
    Ok(Reply::ok(made.into_iter().map(view).collect()).with_notes(notes))
}

pub(crate) async fn get(State(shared): SharedState, One(store, id): One) -> Answer<View> {
    Ok(Reply::ok(view(shared.registry().stored_secret(&store, &id).await?)))
}

pub(crate) async fn edit(
    State(shared): SharedState,
    One(store, id): One,
    Json(patch, notes): Json<Patch>,
) -> Answer<View> {
    let Patch { value, comment, scopes } = patch;
    let edit = StoredSecretEdit { value: value.map(Secret::new), comment, scopes };
    let changed = shared.control.change_stored_secret(&store, &id, &edit).await?;
    Ok(Reply::ok(view(changed)).with_notes(notes))
}

pub(crate) async fn duplicate(
    State(shared): SharedState,
    One(store, id): One,
    Json(wanted, notes): Json<Duplicate>,
) -> Answer<View> {
    let Duplicate { name, comment, scopes } = wanted;
    let edit = StoredSecretEdit { value: None, comment, scopes };
    let made = shared.control.duplicate_stored_secret(&store, &id, &name, edit).await?;
    Ok(Reply::ok(view(made)).with_notes(notes))
}

pub(crate) async fn delete(
    State(shared): SharedState,
    One(store, id): One,
    QueryOf(query): QueryOf<Forced>,
) -> Answer<View> {
    let done = shared.control.delete_stored_secret(&store, &id, query.wanted()?).await?;
    Ok(Reply::ok(view(done.result)).with_notes(done.remarks))
}

pub(crate) async fn quota(State(shared): SharedState, _: Account) -> Answer<Quota> {
    let usage = shared.registry().count_stored_secrets().await?;
    let quota = limits::STORES * limits::SECRETS;
    Ok(Reply::ok(Quota { secrets: Secrets { quota, usage } }))
}
