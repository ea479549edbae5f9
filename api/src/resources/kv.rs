//! Owns the calls on KV namespaces: list, create, show, rename, delete; what is in one is in [`values`].

use axum::extract::{FromRequestParts, State};
use axum::response::Response;
use http::request::Parts;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use wasmyard_kv::{Kv, KvNamespace};
use wasmyard_namespaces::KvNamespaceId;

use std::sync::Arc;

use crate::body::Json;
use crate::envelope::{Answer, Reply};
use crate::error::ApiError;
use crate::lists::{self, Paging, Rows};
use crate::patterns::VISIBLE;
use crate::state::{Shared, SharedState};
use crate::target::{Forced, QueryOf, named_segment};

pub(crate) mod bulk;
pub(crate) mod values;

/// A KV namespace as clients see it.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "KvNamespace")]
pub(crate) struct View {
    id: String,
    title: String,
    /// Always true: keys come percent-encoded in paths.
    supports_url_encoding: bool,
}

/// What a new namespace needs, and what can change of one.
#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "KvNamespaceTitle")]
pub(crate) struct Titled {
    /// No other namespace has it.
    #[schemars(length(min = 1, max = 512), regex(pattern = VISIBLE))]
    title: String,
}

/// The KV namespace that the path names; it need not exist.
pub(crate) struct InKv(pub(crate) KvNamespaceId);

impl FromRequestParts<Arc<Shared>> for InKv {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, shared: &Arc<Shared>) -> Result<Self, ApiError> {
        let text = named_segment(parts, shared, "namespace_id").await?;
        KvNamespaceId::parse(&text).map(Self).ok_or_else(|| {
            ApiError::parameter("the identifier of a KV namespace has 1 to 64 letters, digits, '-' and '_'")
        })
    }
}

fn view(namespace: KvNamespace) -> View {
    View { id: namespace.id.to_string(), title: namespace.title, supports_url_encoding: true }
}

/// The namespaces by their titles.
struct All(Kv);

impl Rows for All {
    type Row = View;

    async fn page(&self, after: Option<&str>, limit: usize) -> Result<Vec<(String, View)>, ApiError> {
        let found = self.0.namespaces(after, limit).await?;
        Ok(found.into_iter().map(|namespace| (namespace.title.clone(), view(namespace))).collect())
    }

    async fn count(&self) -> Result<Option<u64>, ApiError> {
        Ok(Some(self.0.count().await?))
    }
}

pub(crate) async fn list(
    State(shared): SharedState,
    QueryOf(paging): QueryOf<Paging>,
) -> Result<Response, ApiError> {
    lists::answer(All(shared.control.kv().clone()), paging).await
}

pub(crate) async fn create(State(shared): SharedState, Json(wanted, notes): Json<Titled>) -> Answer<View> {
    let made = shared.control.create_kv_namespace(&wanted.title).await?;
    Ok(Reply::ok(view(made)).with_notes(notes))
}

pub(crate) async fn get(State(shared): SharedState, InKv(id): InKv) -> Answer<View> {
    Ok(Reply::ok(view(shared.control.kv().namespace(&id).await?)))
}

pub(crate) async fn rename(
    State(shared): SharedState,
    InKv(id): InKv,
    Json(wanted, notes): Json<Titled>,
) -> Answer<View> {
    let renamed = shared.control.kv().rename(&id, &wanted.title).await?;
    Ok(Reply::ok(view(renamed)).with_notes(notes))
}

pub(crate) async fn delete(
    State(shared): SharedState,
    InKv(id): InKv,
    QueryOf(query): QueryOf<Forced>,
) -> Answer<()> {
    let done = shared.control.delete_kv_namespace(&id, query.wanted()?).await?;
    Ok(Reply::ok(()).with_notes(done.remarks))
}
