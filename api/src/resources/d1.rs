//! Owns the calls on SQL databases: list, create, show, delete; what is done in one is in [`query`], [`transfer`] and
//! [`travel`].

use axum::extract::{FromRequestParts, State};
use axum::response::Response;
use http::request::Parts;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use wasmyard_d1::{D1, D1Handle, DatabaseRecord};
use wasmyard_namespaces::timestamp::Timestamp;

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::body::Json;
use crate::envelope::{Answer, Reply};
use crate::error::ApiError;
use crate::lists::{self, Paging, Rows};
use crate::state::{Shared, SharedState};
use crate::target::{Forced, QueryOf, named_segment};

pub(crate) mod query;
pub(crate) mod transfer;
pub(crate) mod travel;

/// What a name looks like.
const NAME: &str = r"^[A-Za-z0-9._-]([A-Za-z0-9._ -]*[A-Za-z0-9._-])?$";
/// A database as clients see it.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Database")]
pub(crate) struct View {
    uuid: String,
    name: String,
    created_at: String,
    /// Always "production": what clients take for a database that can be gone back in.
    version: &'static str,
    /// Bytes of its file.
    file_size: u64,
    /// How many tables it has; left out in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    num_tables: Option<u64>,
    read_replication: Replication,
}

/// Where reads may be answered: there is one place.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "DatabaseReplication")]
pub(crate) struct Replication {
    mode: &'static str,
}

/// What a new database needs.
#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "NewDatabase")]
pub(crate) struct Create {
    /// No other database has it.
    #[schemars(length(min = 1, max = 64), regex(pattern = NAME))]
    name: String,
    /// Where it is to be: there is one place, so that it means nothing.
    primary_location_hint: Option<String>,
    /// The same.
    jurisdiction: Option<String>,
}

/// What can be changed of a database: nothing yet.
#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "DatabaseChange")]
pub(crate) struct Change {
    read_replication: Option<WantedReplication>,
}

/// Where reads may be answered.
#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "DatabaseReplicationWanted")]
pub(crate) struct WantedReplication {
    /// "disabled", as there is one place; anything else is taken with a remark.
    mode: String,
}

/// `?name=`.
#[derive(Deserialize)]
pub(crate) struct Which {
    name: Option<String>,
}

/// What the path names, a database by its identifier or its name; it need not exist.
pub(crate) struct InDatabase(String);

impl FromRequestParts<Arc<Shared>> for InDatabase {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, shared: &Arc<Shared>) -> Result<Self, ApiError> {
        named_segment(parts, shared, "database_id").await.map(Self)
    }
}

impl InDatabase {
    /// The database.
    async fn find(&self, shared: &Shared) -> Result<DatabaseRecord, ApiError> {
        Ok(shared.control.d1()?.find(&self.0).await?)
    }

    /// The way into it.
    async fn handle(&self, shared: &Shared) -> Result<D1Handle, ApiError> {
        let found = self.find(shared).await?;
        Ok(shared.control.d1()?.handle(&found.id))
    }
}

fn moment(millis: u64) -> Timestamp {
    Timestamp::from(SystemTime::UNIX_EPOCH + Duration::from_millis(millis))
}

fn view(record: DatabaseRecord, file_size: u64, num_tables: Option<u64>) -> View {
    View {
        uuid: record.id.to_string(),
        name: record.name,
        created_at: moment(record.created).to_string(),
        version: "production",
        file_size,
        num_tables,
        read_replication: Replication { mode: "disabled" },
    }
}

/// The databases by their names, of those with a text in them.
struct All {
    d1: D1,
    part: String,
}

impl Rows for All {
    type Row = View;

    async fn page(&self, after: Option<&str>, limit: usize) -> Result<Vec<(String, View)>, ApiError> {
        let mut rows = Vec::new();
        for record in self.d1.databases(after, &self.part, limit).await? {
            let size = self.d1.file_size(&record.id).await;
            rows.push((record.name.clone(), view(record, size, None)));
        }
        Ok(rows)
    }

    async fn count(&self) -> Result<Option<u64>, ApiError> {
        Ok(Some(self.d1.count(&self.part).await?))
    }
}

pub(crate) async fn list(
    State(shared): SharedState,
    QueryOf(paging): QueryOf<Paging>,
    QueryOf(which): QueryOf<Which>,
) -> Result<Response, ApiError> {
    let rows = All { d1: shared.control.d1()?.clone(), part: which.name.unwrap_or_default() };
    lists::answer(rows, paging).await
}

pub(crate) async fn create(
    State(shared): SharedState,
    Json(wanted, mut notes): Json<Create>,
) -> Answer<View> {
    let made = shared.control.create_database(&wanted.name).await?;
    if wanted.primary_location_hint.is_some() || wanted.jurisdiction.is_some() {
        notes.push("the database is where this server is: there is no other place for it.".to_owned());
    }
    Ok(Reply::ok(view(made, 0, Some(0))).with_notes(notes))
}

pub(crate) async fn get(State(shared): SharedState, named: InDatabase) -> Answer<View> {
    let record = named.find(&shared).await?;
    let (tables, size) = shared.control.d1()?.handle(&record.id).measure().await?;
    Ok(Reply::ok(view(record, size, Some(tables))))
}

pub(crate) async fn update(
    State(shared): SharedState,
    named: InDatabase,
    Json(wanted, mut notes): Json<Change>,
) -> Answer<View> {
    if wanted.read_replication.is_some_and(|wanted| wanted.mode != "disabled") {
        notes.push("reads are answered where writes are: there is no other place.".to_owned());
    }
    let record = named.find(&shared).await?;
    let size = shared.control.d1()?.file_size(&record.id).await;
    Ok(Reply::ok(view(record, size, None)).with_notes(notes))
}

pub(crate) async fn delete(
    State(shared): SharedState,
    named: InDatabase,
    QueryOf(query): QueryOf<Forced>,
) -> Answer<()> {
    let record = named.find(&shared).await?;
    let done = shared.control.delete_database(&record.id, query.wanted()?).await?;
    Ok(Reply::ok(()).with_notes(done.remarks))
}
