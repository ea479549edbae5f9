//! Owns the calls by which a database becomes a file of statements, and such a file is carried out in one.

use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Response};
use http::{HeaderMap, HeaderValue, header};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio_util::io::ReaderStream;
use wasmyard_d1::{DumpOptions, Loaded, Made, Meta, Progress, Wanted};

use super::InDatabase;
use super::query::MetaView;
use crate::body::{self, Bounds, Json};
use crate::envelope::{Answer, Reply};
use crate::error::ApiError;
use crate::state::SharedState;
use crate::target::{ACCOUNT, Item};

/// What is read at once of a file.
const CHUNK: usize = 64 << 10;

/// A step of an import.
#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "DatabaseImport")]
pub(crate) struct Import {
    /// "init": where is the file to be sent. "ingest": carry it out. "poll": how far is that.
    #[schemars(regex(pattern = "^(init|ingest|poll)$"))]
    action: String,
    /// The MD5 of the file.
    #[schemars(regex(pattern = "^[0-9A-Fa-f]{32}$"))]
    etag: Option<String>,
    /// The name that "init" gave.
    filename: Option<String>,
    /// The bookmark that "ingest" gave.
    current_bookmark: Option<String>,
}

/// A step of an export.
#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "DatabaseExport")]
pub(crate) struct Export {
    /// Must be "polling".
    #[schemars(regex(pattern = "^polling$"))]
    output_format: String,
    /// The bookmark that the step before gave.
    current_bookmark: Option<String>,
    dump_options: Option<Dump>,
}

/// What is exported.
#[derive(Default, Deserialize, JsonSchema)]
#[schemars(rename = "DatabaseDump")]
pub(crate) struct Dump {
    /// These tables alone.
    tables: Option<Vec<String>>,
    no_schema: Option<bool>,
    no_data: Option<bool>,
}

/// How far an import or an export is.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "DatabaseProgress")]
pub(crate) struct ProgressView {
    success: bool,
    /// "import" or "export"; left out where a file is to be sent.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    kind: Option<&'static str>,
    /// "active", "complete" or "error".
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<&'static str>,
    messages: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    at_bookmark: Option<String>,
    /// Where the file is to be sent, without any token.
    #[serde(skip_serializing_if = "Option::is_none")]
    upload_url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    filename: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    errors: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<Outcome>,
}

/// What came of it.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "DatabaseTransferred")]
#[serde(untagged)]
pub(crate) enum Outcome {
    /// A file was carried out.
    Imported { num_queries: u64, final_bookmark: String, meta: MetaView },
    /// A file was written.
    Exported {
        filename: String,
        /// Where it can be fetched for an hour, without any token.
        signed_url: String,
    },
}

impl ProgressView {
    fn of(kind: &'static str, progress: Progress, base: &str) -> ProgressView {
        let bookmark = progress.bookmark.to_string();
        let mut view = ProgressView {
            success: true,
            kind: Some(kind),
            status: Some("active"),
            messages: vec![format!("The {kind} is under way.")],
            at_bookmark: Some(bookmark),
            upload_url: None,
            filename: None,
            error: None,
            errors: None,
            result: None,
        };
        match progress.end {
            None => {}
            Some(Ok(made)) => {
                view.status = Some("complete");
                view.messages = vec![format!("The {kind} is complete.")];
                view.result = Some(outcome(made, base));
            }
            Some(Err(text)) => {
                view.status = Some("error");
                view.messages = vec![format!("The {kind} failed, and left nothing.")];
                view.errors = Some(vec![text.clone()]);
                view.error = Some(text);
            }
        }
        view
    }
}

fn outcome(made: Made, base: &str) -> Outcome {
    match made {
        Made::Loaded(loaded) => imported(*loaded),
        Made::Written { place, filename } => {
            Outcome::Exported { filename, signed_url: format!("{base}/exports/{place}") }
        }
    }
}

fn imported(loaded: Loaded) -> Outcome {
    let meta = Meta {
        duration: loaded.duration,
        changes: loaded.rows_written,
        last_row_id: loaded.last_row_id,
        rows_read: loaded.rows_read,
        rows_written: loaded.rows_written,
        size_after: loaded.size_after,
        changed_db: true,
    };
    Outcome::Imported {
        num_queries: loaded.queries,
        final_bookmark: loaded.bookmark.to_string(),
        meta: meta.into(),
    }
}

/// Where files go to and come from, as whoever made this call reaches this server.
fn base(headers: &HeaderMap) -> Result<String, ApiError> {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let host =
        host.ok_or_else(|| ApiError::parameter("the call needs a Host, for the address of the file"))?;
    // The API itself speaks plain HTTP; what speaks TLS for it says so.
    let forwarded = headers.get("x-forwarded-proto").and_then(|proto| proto.to_str().ok());
    let scheme = if forwarded == Some("https") { "https" } else { "http" };
    Ok(format!("{scheme}://{host}/client/v4/accounts/{ACCOUNT}/d1"))
}

pub(crate) async fn import(
    State(shared): SharedState,
    named: InDatabase,
    headers: HeaderMap,
    Json(step, notes): Json<Import>,
) -> Answer<ProgressView> {
    let (id, base) = (named.find(&shared).await?.id, base(&headers)?);
    let d1 = shared.control.d1()?;
    let missing = |field| ApiError::invalid(format_args!("this step of an import needs {field}"));
    let progress = match step.action.as_str() {
        "init" => match d1.want(&id, &step.etag.ok_or_else(|| missing("etag"))?).await? {
            Wanted::There(progress) => progress,
            Wanted::At { place, filename } => {
                let view = ProgressView {
                    success: true,
                    kind: None,
                    status: None,
                    messages: Vec::new(),
                    at_bookmark: None,
                    upload_url: Some(format!("{base}/uploads/{place}")),
                    filename: Some(filename),
                    error: None,
                    errors: None,
                    result: None,
                };
                return Ok(Reply::ok(view).with_notes(notes));
            }
        },
        "ingest" => {
            let (etag, name) = (step.etag.ok_or_else(|| missing("etag"))?, step.filename);
            d1.ingest(&id, &name.ok_or_else(|| missing("filename"))?, &etag).await?
        }
        "poll" => {
            step.current_bookmark.ok_or_else(|| missing("current_bookmark"))?;
            d1.ingested(&id).await?
        }
        _ => return Err(ApiError::invalid("action is \"init\", \"ingest\" or \"poll\"")),
    };
    Ok(Reply::ok(ProgressView::of("import", progress, &base)).with_notes(notes))
}

pub(crate) async fn export(
    State(shared): SharedState,
    named: InDatabase,
    headers: HeaderMap,
    Json(step, notes): Json<Export>,
) -> Answer<ProgressView> {
    if step.output_format != "polling" {
        return Err(ApiError::invalid("output_format must be \"polling\""));
    }
    let (id, base) = (named.find(&shared).await?.id, base(&headers)?);
    let dump = step.dump_options.unwrap_or_default();
    let options = DumpOptions {
        tables: dump.tables.unwrap_or_default(),
        no_schema: dump.no_schema.unwrap_or_default(),
        no_data: dump.no_data.unwrap_or_default(),
    };
    if options.no_schema && options.no_data {
        return Err(ApiError::invalid("no_schema and no_data together leave nothing; give one of them"));
    }
    let progress = shared.control.d1()?.export(&id, options, step.current_bookmark.as_deref()).await?;
    Ok(Reply::ok(ProgressView::of("export", progress, &base)).with_notes(notes))
}

/// Takes a file. Whoever knows the place may send it.
pub(crate) async fn upload(
    State(shared): SharedState,
    Item(place): Item,
    request: Request,
) -> Result<Response, ApiError> {
    let _place = shared.arriving_permit().await?;
    let mut arriving = shared.control.d1()?.arriving(&place).await?;
    let limits = &shared.api.limits;
    // The file's own bound is the service's.
    let bounds = Bounds { bytes: usize::MAX, idle: limits.idle, total: limits.upload };
    let mut pieces = body::Pieces::of(request.into_body(), bounds);
    while let Some(piece) = pieces.next().await? {
        arriving.take(&piece).await?;
    }
    let etag = HeaderValue::try_from(format!("\"{}\"", arriving.end().await?)).map_err(ApiError::internal)?;
    Ok(([(header::ETAG, etag)], Body::empty()).into_response())
}

/// Gives a file. Whoever knows the place may fetch it.
pub(crate) async fn download(State(shared): SharedState, Item(place): Item) -> Result<Response, ApiError> {
    let path = shared.control.d1()?.written(&place)?;
    let file = tokio::fs::File::open(path).await.map_err(ApiError::internal)?;
    let bytes = file.metadata().await.map_err(ApiError::internal)?.len();
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("application/sql")),
        (header::CONTENT_LENGTH, HeaderValue::from(bytes)),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    ];
    Ok((headers, Body::from_stream(ReaderStream::with_capacity(file, CHUNK))).into_response())
}
