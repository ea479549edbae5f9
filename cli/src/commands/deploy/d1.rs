//! Databases that a configuration names by their names, looked up through the API.

use reqwest::Method;
use serde_json::json;
use wasmyard_namespaces::DatabaseId;

use crate::client::{Body, Client};
use crate::commands::text;
use crate::failure::Failure;

/// The database of a name; makes it where there is none.
pub(super) async fn named(client: &Client, name: &str) -> Result<DatabaseId, Failure> {
    const NAME_TAKEN: i64 = 7_502;
    let path = ["d1", "database"];
    let made = client.call_account(Method::POST, &path, &[], Body::Json(json!({ "name": name }))).await;
    let found = match made {
        Err(error) if error.code() == Some(NAME_TAKEN) => {
            client.call_account(Method::GET, &["d1", "database", name], &[], Body::Empty).await?
        }
        made => made?,
    };
    DatabaseId::parse(&text(&found, "/uuid"))
        .ok_or_else(|| Failure::failed(format!("the database {name:?} was neither found nor made")))
}
