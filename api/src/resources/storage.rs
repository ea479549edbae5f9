//! Owns what a script keeps things in that is its own: list it, remove what is not used.
//! Must never make any: a deploy does.

use axum::extract::State;
use schemars::JsonSchema;
use serde::Serialize;
use wasmyard_control::StorageInfo;
use wasmyard_namespaces::bindings::Stored;

use crate::envelope::{Answer, Reply};
use crate::state::SharedState;
use crate::target::{Forced, QueryOf, Target};

/// Storage of a script's own.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "OwnStorage")]
pub(crate) struct View {
    /// The type of the binding that leads to it.
    #[serde(rename = "type")]
    kind: &'static str,
    /// The binding.
    binding: String,
    /// Under which name it lies: a title, a name of a database, of a queue or of a bucket.
    name: String,
    /// What bindings and calls name it by; null where it was not made yet, or is gone.
    id: Option<String>,
    /// Bytes that it holds.
    bytes: u64,
    /// Keys, objects or messages in it; left out of databases.
    #[serde(skip_serializing_if = "Option::is_none")]
    entries: Option<u64>,
    /// Since when no version of the script leads to it; left out while one does.
    #[serde(skip_serializing_if = "Option::is_none")]
    unused_since: Option<String>,
}

/// How much was removed.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "StorageRemoved")]
pub(crate) struct Removed {
    /// How many.
    removed: u64,
}

pub(crate) async fn list(State(shared): SharedState, Target(key): Target) -> Answer<Vec<View>> {
    let all = shared.control.storage_of(&key).await?;
    Ok(Reply::ok(all.into_iter().map(view).collect()))
}

pub(crate) async fn remove(
    State(shared): SharedState,
    Target(key): Target,
    QueryOf(forced): QueryOf<Forced>,
) -> Answer<Removed> {
    let removed = shared.control.remove_unused_storage(&key, forced.wanted()?).await?;
    Ok(Reply::ok(Removed { removed }))
}

fn view(info: StorageInfo) -> View {
    let StorageInfo { own, stored, bytes, entries } = info;
    let id = stored.map(|stored| match stored {
        Stored::Kv(id) => id.to_string(),
        Stored::Database(id) => id.to_string(),
        Stored::Queue(name) => name.to_string(),
        Stored::Bucket(name) => name.to_string(),
    });
    View {
        kind: own.kind.binding_type().as_str(),
        binding: own.binding.to_string(),
        name: own.name,
        id,
        bytes,
        entries,
        unused_since: own.unused_since.map(|since| since.to_string()),
    }
}
