//! Owns the calls on a database's past: the name of a moment, and the way back to it.

use axum::extract::State;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use wasmyard_d1::Bookmark;
use wasmyard_namespaces::timestamp::Timestamp;

use super::InDatabase;
use crate::envelope::{Answer, Reply};
use crate::error::ApiError;
use crate::state::SharedState;
use crate::target::QueryOf;

/// `?timestamp=`.
#[derive(Deserialize)]
pub(crate) struct When {
    timestamp: Option<String>,
}

/// `?bookmark=` or `?timestamp=`.
#[derive(Deserialize)]
pub(crate) struct Where {
    bookmark: Option<String>,
    timestamp: Option<String>,
}

/// The name of a moment.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "DatabaseBookmark")]
pub(crate) struct Named {
    bookmark: String,
}

/// What was gone back to.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "DatabaseRestored")]
pub(crate) struct RestoredView {
    /// The database as it is now.
    bookmark: String,
    /// The database as it was before: the way back from the way back.
    previous_bookmark: String,
    message: String,
}

/// Milliseconds since 1970 of a moment in RFC 3339.
fn millis(text: &str) -> Result<u64, ApiError> {
    let moment: Timestamp = text.parse().map_err(ApiError::parameter)?;
    Ok(moment.unix_micros() / 1_000)
}

pub(crate) async fn bookmark(
    State(shared): SharedState,
    named: InDatabase,
    QueryOf(when): QueryOf<When>,
) -> Answer<Named> {
    let at = when.timestamp.as_deref().map(millis).transpose()?;
    let bookmark = named.handle(&shared).await?.bookmark(at).await?;
    Ok(Reply::ok(Named { bookmark: bookmark.to_string() }))
}

pub(crate) async fn restore(
    State(shared): SharedState,
    named: InDatabase,
    QueryOf(to): QueryOf<Where>,
) -> Answer<RestoredView> {
    let handle = named.handle(&shared).await?;
    let to = match (to.bookmark, to.timestamp) {
        (Some(text), None) => Bookmark::parse(&text).ok_or_else(|| {
            ApiError::parameter("bookmark is not the name of a moment; ask for one by its time")
        })?,
        (None, Some(text)) => handle.bookmark(Some(millis(&text)?)).await?,
        _ => return Err(ApiError::parameter("either bookmark or timestamp is to be given")),
    };
    let done = handle.restore(&to).await?;
    Ok(Reply::ok(RestoredView {
        bookmark: done.bookmark.to_string(),
        previous_bookmark: done.previous.to_string(),
        message: format!("the database is as it was at {}", super::moment(to.moment())),
    }))
}
