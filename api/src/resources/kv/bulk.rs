//! Owns the calls on many keys of a KV namespace at once. A call is made whole, or not at all.

use std::collections::BTreeMap;

use axum::extract::{FromRequest as _, Request, State};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use wasmyard_kv::limits::{MAX_BULK, MAX_VALUE_BYTES};
use wasmyard_kv::{Expiry, NewValue, PutOptions};

use super::InKv;
use super::values::{handle, json as parsed};
use crate::body::{self, Bounds, Small};
use crate::envelope::{Answer, Reply};
use crate::error::ApiError;
use crate::spool;
use crate::state::SharedState;

/// The body of a call that puts: values in Base64 take a third more, and JSON has escapes.
const MOST_BYTES: usize = 2 * MAX_VALUE_BYTES;
/// Keys that one call reads.
const MOST_READ: usize = 100;
/// Bytes of values that one call reads.
const MOST_READ_BYTES: u64 = 25 << 20;

/// One value to be put.
#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "KvBulkPut")]
pub(crate) struct Put {
    #[schemars(length(min = 1, max = 512))]
    key: String,
    value: String,
    #[serde(default)]
    expiration: Option<u64>,
    #[serde(default)]
    #[schemars(range(min = 60))]
    expiration_ttl: Option<u64>,
    #[serde(default)]
    metadata: Option<Value>,
    /// Whether `value` is Base64.
    #[serde(default)]
    base64: bool,
}

/// What became of the keys: all of them.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "KvBulkDone")]
pub(crate) struct Done {
    successful_key_count: usize,
    unsuccessful_keys: [(); 0],
}

/// Which keys are read.
#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "KvBulkGet")]
pub(crate) struct Get {
    keys: Vec<String>,
    /// `text` is the default.
    #[serde(default, rename = "type")]
    #[schemars(extend("enum" = ["text", "json", null]))]
    kind: Option<String>,
    /// Whether each value comes as an object with its metadata.
    #[serde(default, rename = "withMetadata")]
    with_metadata: bool,
}

/// Values by their keys; `null` for those that are not there.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "KvBulkFound")]
pub(crate) struct Values {
    values: BTreeMap<String, Value>,
}

pub(crate) async fn put(State(shared): SharedState, InKv(id): InKv, request: Request) -> Answer<Done> {
    let limits = &shared.api.limits;
    let bounds = Bounds { bytes: MOST_BYTES, idle: limits.idle, total: limits.upload };
    let request = spool::arrived(&shared, request, bounds).await?;
    let _permit = shared.value_permit().await?;
    let (parts, content) = request.into_parts();
    let whole = body::read(&parts.headers, content, bounds).await?;
    let values =
        body::parse::<Vec<Put>>(&whole)?.into_iter().map(Put::checked).collect::<Result<Vec<_>, _>>()?;
    let count = values.len();
    handle(&shared, &id).put_all(values).await?;
    Ok(Reply::ok(Done { successful_key_count: count, unsuccessful_keys: [] }))
}

impl Put {
    fn checked(self) -> Result<NewValue, ApiError> {
        let value = if self.base64 {
            let decoded = STANDARD.decode(&self.value);
            Bytes::from(decoded.map_err(|error| {
                ApiError::invalid(format_args!("the value of the key {:?} is not Base64: {error}", self.key))
            })?)
        } else {
            Bytes::from(self.value)
        };
        let expiry = Expiry { at: self.expiration, ttl: self.expiration_ttl };
        let metadata = self.metadata.map(|metadata| metadata.to_string());
        Ok(NewValue { key: self.key, value, options: PutOptions { expiry, metadata } })
    }
}

pub(crate) async fn delete(State(shared): SharedState, InKv(id): InKv, request: Request) -> Answer<Done> {
    let limits = &shared.api.limits;
    // The longest keys, each with quotes and some escapes.
    let most = MAX_BULK * 2 * wasmyard_kv::limits::MAX_KEY_BYTES;
    let bounds = Bounds { bytes: most, idle: limits.idle, total: limits.upload };
    let request = spool::arrived(&shared, request, bounds).await?;
    let _permit = shared.value_permit().await?;
    let (parts, content) = request.into_parts();
    let keys: Vec<String> = body::parse(&body::read(&parts.headers, content, bounds).await?)?;
    handle(&shared, &id).delete_all(&keys).await?;
    Ok(Reply::ok(Done { successful_key_count: keys.len(), unsuccessful_keys: [] }))
}

pub(crate) async fn get(State(shared): SharedState, InKv(id): InKv, request: Request) -> Answer<Values> {
    let Small(bytes) = Small::from_request(request, &shared).await?;
    let Get { keys, kind, with_metadata } = body::parse(&bytes)?;
    if keys.len() > MOST_READ {
        return Err(ApiError::invalid(format_args!(
            "{} keys were asked for, and one call reads at most {MOST_READ}; make several calls",
            keys.len()
        )));
    }
    let as_json = match kind.as_deref() {
        None | Some("text") => false,
        Some("json") => true,
        Some(_) => return Err(ApiError::invalid("type can be \"text\" or \"json\"; write one of them")),
    };
    let _permit = shared.value_permit().await?;
    let kv = handle(&shared, &id);
    let mut room = MOST_READ_BYTES;
    let mut values = BTreeMap::new();
    for key in keys {
        let Some(found) = kv.get(&key, room).await? else {
            values.insert(key, Value::Null);
            continue;
        };
        room = room.saturating_sub(found.value.len() as u64);
        let value = if as_json {
            serde_json::from_slice(&found.value).map_err(|error| {
                ApiError::invalid(format_args!("the value of the key {key:?} is not JSON: {error}"))
            })?
        } else {
            Value::from(String::from_utf8_lossy(&found.value).into_owned())
        };
        let shown = if with_metadata {
            json!({ "value": value, "metadata": parsed(found.metadata.as_deref()) })
        } else {
            value
        };
        values.insert(key, shown);
    }
    Ok(Reply::ok(Values { values }))
}
