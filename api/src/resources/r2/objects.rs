//! Owns the calls on objects: read, put, delete, list. A content passes in pieces, and is never whole in memory.

use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Response};
use futures::{StreamExt as _, stream};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::{Duration, UNIX_EPOCH};
use wasmyard_namespaces::BucketName;
use wasmyard_r2::limits::{MAX_DELETE, MAX_KEY_BYTES};
use wasmyard_r2::{
    Bucket, Condition, GetOptions, HttpMetadata, Incoming, ListOptions, Metadata, Object, PutOptions, Range,
    StorageClass, condition,
};

use super::{InBucket, STORAGE_CLASS, moment};
use crate::body::{self, Bounds, Pieces};
use crate::envelope::{self, Answer, Reply};
use crate::error::{ApiError, Code};
use crate::state::{Shared, SharedState};
use crate::target::{Item, QueryOf};

/// An object as clients see it.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "R2Object")]
pub(crate) struct View {
    key: String,
    size: u64,
    etag: String,
    version: String,
    last_modified: String,
    http_metadata: Http,
    custom_metadata: BTreeMap<String, String>,
    storage_class: &'static str,
}

/// What clients that ask over HTTP are told with a content.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "R2HttpMetadata")]
struct Http {
    #[serde(rename = "contentType", skip_serializing_if = "Option::is_none")]
    content_type: Option<String>,
    #[serde(rename = "contentLanguage", skip_serializing_if = "Option::is_none")]
    content_language: Option<String>,
    #[serde(rename = "contentDisposition", skip_serializing_if = "Option::is_none")]
    content_disposition: Option<String>,
    #[serde(rename = "contentEncoding", skip_serializing_if = "Option::is_none")]
    content_encoding: Option<String>,
    #[serde(rename = "cacheControl", skip_serializing_if = "Option::is_none")]
    cache_control: Option<String>,
    #[serde(rename = "cacheExpiry", skip_serializing_if = "Option::is_none")]
    cache_expiry: Option<String>,
}

/// An object that is there no more.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "R2Deleted")]
pub(crate) struct Deleted {
    key: String,
}

/// `?prefix=`, `?delimiter=`, `?start_after=`, `?per_page=` and `?cursor=`.
#[derive(Deserialize)]
pub(crate) struct Which {
    prefix: Option<String>,
    delimiter: Option<String>,
    start_after: Option<String>,
    per_page: Option<usize>,
    cursor: Option<String>,
}

fn bucket(shared: &Shared, name: &BucketName) -> Result<Bucket, ApiError> {
    Ok(shared.control.r2()?.bucket(name))
}

fn view(object: Object) -> View {
    let Metadata { http, custom, storage_class } = object.metadata;
    View {
        key: object.key,
        size: object.size,
        etag: object.etag,
        version: object.version,
        last_modified: moment(object.uploaded),
        http_metadata: Http {
            content_type: http.content_type,
            content_language: http.content_language,
            content_disposition: http.content_disposition,
            content_encoding: http.content_encoding,
            cache_control: http.cache_control,
            cache_expiry: http.cache_expiry.map(moment),
        },
        custom_metadata: custom.into_iter().collect(),
        storage_class: storage_class.unwrap_or_default().as_str(),
    }
}

/// A field as text; none where it is not there.
fn text(headers: &HeaderMap, name: &HeaderName) -> Result<Option<String>, ApiError> {
    let text = headers.get(name).map(|value| String::from_utf8(value.as_bytes().to_vec()));
    text.transpose().map_err(|_| ApiError::invalid(format_args!("the header {name} is not UTF-8")))
}

/// A date as header fields have it, in milliseconds since 1970.
fn date(headers: &HeaderMap, name: &HeaderName) -> Option<u64> {
    let date = httpdate::parse_http_date(headers.get(name)?.to_str().ok()?).ok()?;
    u64::try_from(date.duration_since(UNIX_EPOCH).ok()?.as_millis()).ok()
}

fn condition_of(headers: &HeaderMap) -> Result<Condition, ApiError> {
    let etags = |name| {
        let field = text(headers, name)?;
        Ok::<_, ApiError>(field.as_deref().map(condition::etags_of_field).unwrap_or_default())
    };
    Ok(Condition {
        etag_matches: etags(&header::IF_MATCH)?,
        etag_does_not_match: etags(&header::IF_NONE_MATCH)?,
        uploaded_before: date(headers, &header::IF_UNMODIFIED_SINCE),
        uploaded_after: date(headers, &header::IF_MODIFIED_SINCE),
        seconds_granularity: true,
    })
}

fn metadata_of(headers: &HeaderMap) -> Result<Metadata, ApiError> {
    let class = headers.get(STORAGE_CLASS).and_then(|value| value.to_str().ok());
    Ok(Metadata {
        http: HttpMetadata {
            content_type: text(headers, &header::CONTENT_TYPE)?,
            content_language: text(headers, &header::CONTENT_LANGUAGE)?,
            content_disposition: text(headers, &header::CONTENT_DISPOSITION)?,
            content_encoding: text(headers, &header::CONTENT_ENCODING)?,
            cache_control: text(headers, &header::CACHE_CONTROL)?,
            cache_expiry: date(headers, &header::EXPIRES),
        },
        custom: Vec::new(),
        storage_class: class.map(StorageClass::parse).transpose()?,
    })
}

pub(crate) async fn get(
    State(shared): SharedState,
    InBucket(name): InBucket,
    Item(key): Item,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let range = text(&headers, &header::RANGE)?.as_deref().and_then(Range::of_field);
    let condition = condition_of(&headers)?;
    let is_look = condition.etag_matches.is_empty() && condition.uploaded_before.is_none();
    let options = GetOptions { condition, range };
    let found = bucket(&shared, &name)?.get(&key, &options).await?.ok_or_else(not_found)?;
    let mut response = match found.body {
        Some(body) => {
            let pieces = body.into_stream().inspect(|piece| {
                if let Err(error) = piece {
                    tracing::error!(%error, "an object could not be read to its end");
                }
            });
            Body::from_stream(pieces).into_response()
        }
        // A reader that has it already, or one that wanted another.
        None if is_look => StatusCode::NOT_MODIFIED.into_response(),
        None => {
            return Err(ApiError::new(Code::R2Precondition, "The condition does not hold of the object."));
        }
    };
    let is_body = response.status() == StatusCode::OK;
    let (offset, length) = found.range;
    let fields = response.headers_mut();
    describe(fields, &found.object);
    if is_body {
        fields.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
        if range.is_some() {
            let range = format!("bytes {offset}-{}/{}", offset + length.saturating_sub(1), found.object.size);
            fields.extend(HeaderValue::from_str(&range).ok().map(|value| (header::CONTENT_RANGE, value)));
            *response.status_mut() = StatusCode::PARTIAL_CONTENT;
        }
    }
    Ok(response)
}

/// What an answer says of an object beside its content.
fn describe(fields: &mut HeaderMap, object: &Object) {
    let HttpMetadata {
        content_type,
        content_language,
        content_disposition,
        content_encoding,
        cache_control,
        cache_expiry,
    } = &object.metadata.http;
    let date = |time| httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_millis(time));
    let each = [
        (
            header::CONTENT_TYPE,
            Some(content_type.clone().unwrap_or_else(|| "application/octet-stream".to_owned())),
        ),
        (header::CONTENT_LANGUAGE, content_language.clone()),
        (header::CONTENT_DISPOSITION, content_disposition.clone()),
        (header::CONTENT_ENCODING, content_encoding.clone()),
        (header::CACHE_CONTROL, cache_control.clone()),
        (header::EXPIRES, cache_expiry.map(date)),
        (header::ETAG, Some(object.http_etag())),
        (header::LAST_MODIFIED, Some(date(object.uploaded))),
    ];
    for (name, value) in each {
        // What is no field value stays out: the content comes all the same.
        fields.extend(value.and_then(|value| HeaderValue::from_str(&value).ok()).map(|value| (name, value)));
    }
    fields.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    // Whoever opens it in a browser is not to run it.
    fields.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
}

fn not_found() -> ApiError {
    ApiError::new(Code::R2ObjectNotFound, "The specified key does not exist.")
}

pub(crate) async fn put(
    State(shared): SharedState,
    InBucket(name): InBucket,
    Item(key): Item,
    request: Request,
) -> Answer<View> {
    let limits = &shared.api.limits;
    let (parts, content) = request.into_parts();
    let headers = &parts.headers;
    let options = PutOptions {
        condition: condition_of(headers)?,
        metadata: metadata_of(headers)?,
        checksums: Vec::new(),
    };
    let bounds = Bounds { bytes: usize::MAX, idle: limits.idle, total: limits.upload };
    let length = body::announced(headers, bounds.bytes)?.map(|length| length as u64);
    let made = bucket(&shared, &name)?.put(&key, incoming(content, bounds, length), options).await?;
    let made = made.ok_or_else(|| {
        ApiError::new(Code::R2Precondition, "The condition does not hold of what is there.")
    })?;
    Ok(Reply::ok(view(made)))
}

/// A body as it comes, within its times; the bucket has the bound on its bytes.
fn incoming(content: Body, bounds: Bounds, length: Option<u64>) -> Incoming {
    let pieces = stream::try_unfold(Pieces::of(content, bounds), |mut pieces| async move {
        let next = pieces.next().await.map_err(|error| error.message().to_owned())?;
        Ok(next.map(|piece| (piece, pieces)))
    });
    Incoming::new(pieces, length)
}

pub(crate) async fn delete(
    State(shared): SharedState,
    InBucket(name): InBucket,
    Item(key): Item,
) -> Answer<Deleted> {
    bucket(&shared, &name)?.delete(std::slice::from_ref(&key)).await?;
    Ok(Reply::ok(Deleted { key }))
}

pub(crate) async fn delete_many(
    State(shared): SharedState,
    InBucket(name): InBucket,
    request: Request,
) -> Answer<Vec<Deleted>> {
    let limits = &shared.api.limits;
    // The longest keys, each with quotes and some escapes.
    let most = MAX_DELETE * 2 * MAX_KEY_BYTES;
    let bounds = Bounds { bytes: most, idle: limits.idle, total: limits.upload };
    let (parts, content) = request.into_parts();
    let keys: Vec<String> = body::parse(&body::read(&parts.headers, content, bounds).await?)?;
    bucket(&shared, &name)?.delete(&keys).await?;
    Ok(Reply::ok(keys.into_iter().map(|key| Deleted { key }).collect()))
}

pub(crate) async fn list(
    State(shared): SharedState,
    InBucket(name): InBucket,
    QueryOf(query): QueryOf<Which>,
) -> Result<Response, ApiError> {
    let options = ListOptions {
        prefix: query.prefix.unwrap_or_default(),
        delimiter: query.delimiter,
        cursor: query.cursor,
        start_after: query.start_after,
        limit: query.per_page,
    };
    let page = bucket(&shared, &name)?.list(options).await?;
    let is_truncated = page.cursor.is_some();
    let rows: Vec<View> = page.objects.into_iter().map(view).collect();
    let mut info =
        json!({ "delimited": page.prefixes, "is_truncated": is_truncated, "per_page": rows.len() });
    if let (Some(cursor), Value::Object(fields)) = (page.cursor, &mut info) {
        fields.insert("cursor".to_owned(), Value::from(cursor));
    }
    Ok(envelope::with_info(&rows, &info))
}
