//! Owns the calls on many DNS records at once: a batch, and files as name servers have them.

use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Response};
use http::{HeaderValue, header};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use wasmyard_namespaces::DnsRecordId;
use wasmyard_namespaces::limits::hostnames::{DNS_BATCH, ZONE_FILE_BYTES};
use wasmyard_namespaces::registry::{DnsChange, ZoneError};
use wasmyard_namespaces::zone::{DnsRecordEdit, ZoneFile};

use super::{View, Wanted, view};
use crate::body::{self, Bounds, Json};
use crate::envelope::{Answer, Reply};
use crate::error::{ApiError, Code};
use crate::multipart;
use crate::resources::zones::InZone;
use crate::state::SharedState;
use crate::target::{Forced, QueryOf};

/// What may come in a form beside the file.
const FORM_BYTES: usize = 16 << 10;
/// Parts of a form: the file, whether its records are proxied, and some that clients may add.
const PARTS: usize = 8;
/// More lines than this are no help.
const MOST_LINES: usize = 20;

/// Changes that are made in this order, all or none.
#[derive(Deserialize, JsonSchema)]
#[serde(default)]
#[derive(Default)]
#[schemars(rename = "DnsRecordBatch")]
pub(crate) struct Batch {
    /// Records that go.
    deletes: Vec<Target>,
    /// Records that change.
    patches: Vec<Changed>,
    /// Records that are replaced.
    puts: Vec<Changed>,
    /// Records that are added.
    posts: Vec<Wanted>,
}

#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "DnsRecordTarget")]
struct Target {
    id: String,
}

#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "DnsRecordChanged")]
struct Changed {
    id: String,
    #[serde(flatten)]
    wanted: Wanted,
}

/// What a batch made.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "DnsRecordBatchDone")]
pub(crate) struct Done {
    deletes: Vec<View>,
    patches: Vec<View>,
    puts: Vec<View>,
    posts: Vec<View>,
}

/// What came of a file.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "DnsRecordsImported")]
pub(crate) struct Imported {
    recs_added: usize,
    total_records_parsed: usize,
}

fn id(text: &str) -> Result<DnsRecordId, ApiError> {
    DnsRecordId::parse(text).map_err(|_| ZoneError::RecordNotFound(text.chars().take(64).collect()).into())
}

pub(crate) async fn batch(
    State(shared): SharedState,
    InZone(zone): InZone,
    QueryOf(query): QueryOf<Forced>,
    Json(batch, notes): Json<Batch>,
) -> Answer<Done> {
    let Batch { deletes, patches, puts, posts } = batch;
    let counts = [deletes.len(), patches.len(), puts.len(), posts.len()];
    if counts.iter().sum::<usize>() > DNS_BATCH {
        return Err(ApiError::invalid(format_args!("a batch has {DNS_BATCH} changes at most; send several")));
    }
    let mut changes = Vec::with_capacity(counts.iter().sum());
    for Target { id: text } in deletes {
        changes.push(DnsChange::Delete(id(&text)?));
    }
    for Changed { id: text, wanted } in patches {
        changes.push(DnsChange::Edit(id(&text)?, wanted.edit(false)));
    }
    for Changed { id: text, wanted } in puts {
        changes.push(DnsChange::Edit(id(&text)?, wanted.edit(true)));
    }
    changes.extend(posts.into_iter().map(|wanted| DnsChange::Create(wanted.edit(true))));
    let name = shared.control.zone(&zone)?.name.clone();
    let done = shared.control.change_dns_records(&zone, &changes, query.wanted()?).await?;
    let mut views = done.result.iter().map(|record| view(record, name.as_str()));
    let [deletes, patches, puts, posts] = counts.map(|count| views.by_ref().take(count).collect());
    Ok(Reply::ok(Done { deletes, patches, puts, posts }).with_notes(notes).with_notes(done.remarks))
}

/// The records as a name server has them in a file.
pub(crate) async fn export(State(shared): SharedState, InZone(id): InZone) -> Result<Response, ApiError> {
    let zone = shared.control.zone(&id)?;
    let text = ZoneFile::write(&zone.name, &shared.registry().dns_records(&id).await?);
    let mut response = text.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    Ok(response)
}

/// Adds the records of a file; what is passed over is told by its line.
pub(crate) async fn import(
    State(shared): SharedState,
    InZone(id): InZone,
    request: Request,
) -> Answer<Imported> {
    let zone = shared.control.zone(&id)?;
    let limits = &shared.api.limits;
    let bounds = Bounds { bytes: ZONE_FILE_BYTES + FORM_BYTES, idle: limits.idle, total: limits.call };
    let (parts, content) = request.into_parts();
    let Some(boundary) = multipart::of_headers(&parts.headers) else {
        let text = "The records come in the part file of a multipart/form-data body.";
        return Err(ApiError::new(Code::ContentType, text));
    };
    let boundary = boundary.map_err(multipart::unparsable)?;
    let whole = body::read(&parts.headers, content, bounds).await?;
    let parts = multipart::parse(&whole, &boundary, PARTS).map_err(multipart::unparsable)?;
    let part = |name: &str| parts.iter().find(|part| part.name == name).map(|part| &part.content);
    let file =
        part("file").ok_or_else(|| ApiError::invalid("the form has no part file; send the records in it"))?;
    if file.len() > ZONE_FILE_BYTES {
        let text = format!("A file of records may have {ZONE_FILE_BYTES} bytes.");
        return Err(ApiError::new(Code::TooLarge, text));
    }
    let file = std::str::from_utf8(file).map_err(|_| ApiError::invalid("the file is not UTF-8 text"))?;
    let proxied = part("proxied").is_some_and(|value| value.as_ref() == b"true");
    let ZoneFile { records, mut skipped } = ZoneFile::read(file, &zone.name, proxied);
    let edits: Vec<DnsRecordEdit> = records.iter().map(|(_, edit)| edit.clone()).collect();
    let done = shared.control.import_dns_records(&id, &edits).await?;
    let mut recs_added = 0;
    for ((line, _), done) in records.iter().zip(done) {
        match done {
            Ok(_) => recs_added += 1,
            Err(refused) => skipped.push((*line, refused.to_string())),
        }
    }
    let total_records_parsed = records.len();
    skipped.sort();
    Ok(Reply::ok(Imported { recs_added, total_records_parsed }).with_notes(told(&skipped)))
}

fn told(skipped: &[(usize, String)]) -> Vec<String> {
    let mut notes: Vec<String> = skipped
        .iter()
        .take(MOST_LINES)
        .map(|(line, why)| format!("line {line} was passed over: {why}."))
        .collect();
    let more = skipped.len().saturating_sub(MOST_LINES);
    if more > 0 {
        notes.push(format!("{more} more lines were passed over."));
    }
    notes
}
