//! Owns the one call of the analytics' query language. It answers one question, which wrangler asks of a bucket; to any other it
//! says in that language's own form that there is no answer, so that clients which ask beside something else go on without.

use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};
use wasmyard_namespaces::BucketName;
use wasmyard_namespaces::access::{Family, Place};

use crate::body::Json;
use crate::caller::Sight;
use crate::error::ApiError;
use crate::state::SharedState;

/// What is asked for: how much a bucket holds.
const STORAGE: &str = "r2StorageAdaptiveGroups";

/// A query.
#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "GraphQlQuery")]
pub(crate) struct Query {
    /// In GraphQL.
    query: String,
    /// What it refers to.
    #[serde(default)]
    variables: Option<Value>,
    #[serde(default, rename = "operationName")]
    operation_name: Option<String>,
}

pub(crate) async fn query(
    State(shared): SharedState,
    sight: Sight,
    Json(asked, _): Json<Query>,
) -> Result<Response, ApiError> {
    let Query { query, variables, operation_name } = asked;
    let named = variables.as_ref().and_then(|all| all.pointer("/filter/bucketName")).and_then(Value::as_str);
    // Any token may ask; figures are for those that may see what they are of.
    let sees = sight.shows(Family::R2, Place::Account);
    let bucket = named.filter(|_| query.contains(STORAGE) && sees);
    // Whoever asks for a jurisdiction has it before the name.
    let bucket = bucket.and_then(|name| BucketName::parse(name.rsplit('_').next().unwrap_or(name)));
    let Some(bucket) = bucket else {
        let named = operation_name.unwrap_or_else(|| query.chars().take(40).collect());
        let message = format!(
            "{named}: this server keeps no figures that this asks for; GET /metrics has those there are"
        );
        return Ok(axum::Json(json!({ "data": null, "errors": [{ "message": message }] })).into_response());
    };
    let info = shared.control.r2()?.info(&bucket).await?;
    let groups = json!([{
        "max": { "objectCount": info.objects, "uploadCount": info.uploads, "payloadSize": info.bytes, "metadataSize": 0 },
        "dimensions": { "datetime": shared.control.registry().clock().now().to_string() },
    }]);
    let data = json!({ "viewer": { "accounts": [{ STORAGE: groups }] } });
    Ok(axum::Json(json!({ "data": data, "errors": null })).into_response())
}
