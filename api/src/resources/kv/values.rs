//! Owns the calls on what is in a KV namespace: values, their metadata, the list of keys.
//! Must never hold more than one value at a time for a client, nor hold one without a permit.

use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use http::{HeaderName, HeaderValue, header};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use wasmyard_kv::limits::MAX_VALUE_BYTES;
use wasmyard_kv::{Expiry, KvHandle, ListOptions, Listed, PutOptions};
use wasmyard_namespaces::KvNamespaceId;

use super::InKv;
use crate::body::{self, Bounds};
use crate::envelope::{self, Answer, Reply};
use crate::error::{ApiError, Code};
use crate::multipart;
use crate::spool;
use crate::state::{Shared, SharedState};
use crate::target::{Item, QueryOf};

/// What may come in a form beside the value: metadata, boundaries, headers of parts.
const FORM_BYTES: usize = 64 << 10;
/// Parts of a form: value and metadata, and some that clients may add.
const PARTS: usize = 8;
/// Says when a value goes, in seconds since 1970.
const EXPIRATION: HeaderName = HeaderName::from_static("expiration");

/// `?expiration=` and `?expiration_ttl=`.
#[derive(Deserialize)]
pub(crate) struct Expires {
    expiration: Option<u64>,
    expiration_ttl: Option<u64>,
}

/// `?prefix=`, `?cursor=` and `?limit=`.
#[derive(Deserialize)]
pub(crate) struct Which {
    prefix: Option<String>,
    cursor: Option<String>,
    limit: Option<usize>,
}

/// A key of a list.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "KvKey")]
pub(crate) struct KeyView {
    name: String,
    /// When its value goes, in seconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    expiration: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    metadata: Option<Value>,
}

/// `result_info` of a list of keys. `cursor` asks for the next page; it is empty on the last.
#[derive(Serialize)]
struct Info {
    count: usize,
    cursor: String,
}

pub(super) fn handle(shared: &Shared, id: &KvNamespaceId) -> KvHandle {
    shared.control.kv().handle(id)
}

/// Metadata was JSON when it came.
pub(super) fn json(metadata: Option<&str>) -> Option<Value> {
    serde_json::from_str(metadata?).ok()
}

pub(crate) async fn get(
    State(shared): SharedState,
    InKv(id): InKv,
    Item(key): Item,
) -> Result<Response, ApiError> {
    let _permit = shared.value_permit().await?;
    let found = handle(&shared, &id).get(&key, u64::MAX).await?.ok_or_else(not_found)?;
    let mut response = found.value.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // Whoever opens it in a browser is not to run it.
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if let Some(expires) = found.expires {
        headers.insert(EXPIRATION, HeaderValue::from(expires));
    }
    Ok(response)
}

pub(crate) async fn metadata(State(shared): SharedState, InKv(id): InKv, Item(key): Item) -> Answer<Value> {
    // Of the keys that begin with this one, it is the first itself; the value is not read.
    let options = ListOptions { prefix: key.clone(), limit: Some(1), cursor: None };
    let found = handle(&shared, &id).list(options).await?.keys.into_iter().find(|found| found.name == key);
    let found = found.ok_or_else(not_found)?;
    Ok(Reply::ok(json(found.metadata.as_deref()).unwrap_or(Value::Null)))
}

fn not_found() -> ApiError {
    ApiError::new(Code::KvKeyNotFound, "get: 'key not found'")
}

/// Takes the value as the body, or as the part `value` of a form whose part `metadata` is JSON.
pub(crate) async fn put(
    State(shared): SharedState,
    InKv(id): InKv,
    Item(key): Item,
    QueryOf(query): QueryOf<Expires>,
    request: Request,
) -> Answer<()> {
    let limits = &shared.api.limits;
    let bounds = |bytes| Bounds { bytes, idle: limits.idle, total: limits.upload };
    let request = spool::arrived(&shared, request, bounds(MAX_VALUE_BYTES + FORM_BYTES)).await?;
    let _permit = shared.value_permit().await?;
    let (parts, content) = request.into_parts();
    let (value, metadata) = match multipart::of_headers(&parts.headers) {
        None => (body::read(&parts.headers, content, bounds(MAX_VALUE_BYTES)).await?, None),
        Some(boundary) => {
            let boundary = boundary.map_err(multipart::unparsable)?;
            let whole = body::read(&parts.headers, content, bounds(MAX_VALUE_BYTES + FORM_BYTES)).await?;
            of_form(&whole, &boundary)?
        }
    };
    let expiry = Expiry { at: query.expiration, ttl: query.expiration_ttl };
    handle(&shared, &id).put(&key, value, PutOptions { expiry, metadata }).await?;
    Ok(Reply::ok(()))
}

fn of_form(whole: &Bytes, boundary: &str) -> Result<(Bytes, Option<String>), ApiError> {
    let (mut value, mut metadata) = (None, None);
    for part in multipart::parse(whole, boundary, PARTS).map_err(multipart::unparsable)? {
        match part.name.as_str() {
            "value" => value = Some(part.content),
            "metadata" => {
                let text = String::from_utf8(part.content.to_vec());
                metadata = Some(text.map_err(|_| ApiError::invalid("the part metadata is not UTF-8"))?);
            }
            _ => {}
        }
    }
    let value = value.ok_or_else(|| {
        ApiError::invalid("the form has no part called value; send one, or the value as the body")
    })?;
    Ok((value, metadata))
}

pub(crate) async fn delete(State(shared): SharedState, InKv(id): InKv, Item(key): Item) -> Answer<()> {
    handle(&shared, &id).delete(&key).await?;
    Ok(Reply::ok(()))
}

pub(crate) async fn keys(
    State(shared): SharedState,
    InKv(id): InKv,
    QueryOf(query): QueryOf<Which>,
) -> Result<Response, ApiError> {
    let options =
        ListOptions { prefix: query.prefix.unwrap_or_default(), cursor: query.cursor, limit: query.limit };
    let page = handle(&shared, &id).list(options).await?;
    let rows: Vec<KeyView> = page.keys.into_iter().map(key_view).collect();
    let info = Info { count: rows.len(), cursor: page.cursor.unwrap_or_default() };
    Ok(envelope::page(&rows, &info))
}

fn key_view(key: Listed) -> KeyView {
    KeyView { metadata: json(key.metadata.as_deref()), name: key.name, expiration: key.expires }
}
