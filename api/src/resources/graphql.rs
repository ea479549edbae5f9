//! Owns the one call of the analytics' query language, which this server does not speak: it says so in that language's own
//! form, so that clients which ask for figures beside something else go on without.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::body::Json;
use axum::response::{IntoResponse as _, Response};

/// A query.
#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "GraphQlQuery")]
pub(crate) struct Query {
    /// In GraphQL.
    query: String,
    /// What it is called.
    #[serde(rename = "operationName")]
    operation_name: Option<String>,
}

#[derive(Serialize)]
struct Answer {
    data: Option<()>,
    errors: [Complaint; 1],
}

#[derive(Serialize)]
struct Complaint {
    message: String,
}

pub(crate) async fn query(Json(asked, _): Json<Query>) -> Response {
    let Query { query, operation_name } = asked;
    let named = operation_name.unwrap_or_else(|| query.chars().take(40).collect());
    let message = format!(
        "{named}: this server keeps no figures that GraphQL asks for; GET /metrics has those there are"
    );
    axum::Json(Answer { data: None, errors: [Complaint { message }] }).into_response()
}
