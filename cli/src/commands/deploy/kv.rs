//! KV namespaces that a configuration names by their titles, looked up through the API.

use reqwest::Method;
use serde_json::{Value, json};
use wasmyard_namespaces::KvNamespaceId;

use crate::client::{Body, Client};
use crate::commands::text;
use crate::failure::Failure;

/// The KV namespace of a title; makes it where there is none.
pub(super) async fn titled(client: &Client, title: &str) -> Result<KvNamespaceId, Failure> {
    const TITLE_TAKEN: i64 = 10_014;
    let found = match client.call_kv(Method::POST, &[], Body::Json(json!({ "title": title }))).await {
        Err(error) if error.code() == Some(TITLE_TAKEN) => known(client, title).await?,
        made => Some(made?),
    };
    found
        .and_then(|found| KvNamespaceId::parse(&text(&found, "/id")))
        .ok_or_else(|| Failure::failed(format!("the KV namespace {title:?} was neither found nor made")))
}

/// The KV namespace of a title, looked for page by page.
async fn known(client: &Client, title: &str) -> Result<Option<Value>, Failure> {
    for page in 1_u32.. {
        let (per_page, page) = (("per_page", "1000"), page.to_string());
        let listed = client.call_kv(Method::GET, &[per_page, ("page", &page)], Body::Empty).await?;
        let rows = listed.as_array().cloned().unwrap_or_default();
        if rows.is_empty() {
            break;
        }
        let found = rows.into_iter().find(|row| text(row, "/title") == title);
        if found.is_some() {
            return Ok(found);
        }
    }
    Ok(None)
}
