//! Owns the reading of request bodies: whole or not at all, within bounds of size and time.
//! Must never trust a Content-Length beyond refusing early what announces itself as too large.

use std::time::Duration;

use axum::body::Body;
use axum::extract::{FromRequest, Request};
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, header};
use http_body_util::BodyExt;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use tokio::time::{Instant, timeout_at};

use std::sync::Arc;

use crate::error::{ApiError, Code};
use crate::state::Shared;
use crate::{shape, unknown};

/// What a body may cost.
#[derive(Clone, Copy)]
pub(crate) struct Bounds {
    pub(crate) bytes: usize,
    pub(crate) idle: Duration,
    pub(crate) total: Duration,
}

/// A body piece by piece, within its bounds.
pub(crate) struct Pieces {
    body: Body,
    bounds: Bounds,
    deadline: Instant,
    /// Bytes so far.
    seen: usize,
}

impl Pieces {
    /// The pieces from now on.
    pub(crate) fn of(body: Body, bounds: Bounds) -> Self {
        Self { body, bounds, deadline: Instant::now() + bounds.total, seen: 0 }
    }

    /// The next piece; none at the end.
    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>, ApiError> {
        loop {
            let wait = self.deadline.min(Instant::now() + self.bounds.idle);
            let frame = timeout_at(wait, self.body.frame()).await.map_err(|_| slow(self.bounds))?;
            let Some(frame) = frame else { return Ok(None) };
            let Ok(data) = frame.map_err(|_| broken())?.into_data() else { continue };
            self.seen = self.seen.saturating_add(data.len());
            if self.seen > self.bounds.bytes {
                return Err(too_large(self.bounds.bytes));
            }
            return Ok(Some(data));
        }
    }
}

/// Reads a body to its end.
pub(crate) async fn read(headers: &HeaderMap, body: Body, bounds: Bounds) -> Result<Bytes, ApiError> {
    let announced = announced(headers, bounds.bytes)?;
    // An announced length is a hint for one allocation, capped because announcing is free.
    let mut whole = BytesMut::with_capacity(announced.unwrap_or(0).min(1024 * 1024));
    let mut pieces = Pieces::of(body, bounds);
    while let Some(data) = pieces.next().await? {
        whole.extend_from_slice(&data);
    }
    Ok(whole.freeze())
}

/// The announced length of a body; one that is too large is refused unread.
pub(crate) fn announced(headers: &HeaderMap, most: usize) -> Result<Option<usize>, ApiError> {
    let announced =
        headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    if announced.is_some_and(|length| length > most) { Err(too_large(most)) } else { Ok(announced) }
}

fn broken() -> ApiError {
    ApiError::new(Code::Unparsable, "The body stopped before its end. Send it again.")
}

fn too_large(bytes: usize) -> ApiError {
    ApiError::new(
        Code::TooLarge,
        format!("The body is larger than {bytes} bytes, the most that this endpoint takes."),
    )
}

fn slow(bounds: Bounds) -> ApiError {
    let (idle, total) = (bounds.idle.as_secs_f32(), bounds.total.as_secs_f32());
    ApiError::new(
        Code::SlowBody,
        format!("The body made no progress for {idle} s, or was not whole after {total} s. Send it again."),
    )
}

/// The media type of a request, lower case, without parameters; empty when there is none.
pub(crate) fn media_type(headers: &HeaderMap) -> String {
    let value = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// A small body, whole, of whatever content type.
pub(crate) struct Small(pub(crate) Bytes);

impl FromRequest<Arc<Shared>> for Small {
    type Rejection = ApiError;

    async fn from_request(request: Request, shared: &Arc<Shared>) -> Result<Self, ApiError> {
        let limits = &shared.api.limits;
        let bounds = Bounds { bytes: limits.metadata_bytes, idle: limits.idle, total: limits.call };
        let (parts, body) = request.into_parts();
        read(&parts.headers, body, bounds).await.map(Self)
    }
}

/// A JSON object as the body, and remarks on keys that nothing here knows. The content type is not looked at, because
/// clients in use send JSON under several.
pub(crate) struct Json<T>(pub(crate) T, pub(crate) Vec<String>);

impl<T: DeserializeOwned + JsonSchema> FromRequest<Arc<Shared>> for Json<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, shared: &Arc<Shared>) -> Result<Self, ApiError> {
        let Small(bytes) = Small::from_request(request, shared).await?;
        let mut keys = object(parse(&bytes)?)?;
        let remarks = unknown::take::<T>(&mut keys);
        Ok(Self(named::<T>(keys)?, remarks))
    }
}

/// The same without strange keys: for bodies where one could have meant that less is wanted.
pub(crate) struct Exact<T>(pub(crate) T);

impl<T: DeserializeOwned + JsonSchema> FromRequest<Arc<Shared>> for Exact<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, shared: &Arc<Shared>) -> Result<Self, ApiError> {
        let Small(bytes) = Small::from_request(request, shared).await?;
        named(object(parse(&bytes)?)?).map(Self)
    }
}

/// A JSON list of objects as the body, and remarks on keys that nothing here knows.
pub(crate) struct JsonList<T>(pub(crate) Vec<T>, pub(crate) Vec<String>);

impl<T: DeserializeOwned + JsonSchema> FromRequest<Arc<Shared>> for JsonList<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, shared: &Arc<Shared>) -> Result<Self, ApiError> {
        let Small(bytes) = Small::from_request(request, shared).await?;
        let values: Vec<Value> = parse(&bytes)?;
        let (mut rows, mut remarks) = (Vec::new(), Vec::new());
        for value in values {
            let mut keys = object(value)?;
            remarks.extend(unknown::take::<T>(&mut keys));
            rows.push(named(keys)?);
        }
        remarks.sort_unstable();
        remarks.dedup();
        Ok(Self(rows, remarks))
    }
}

/// The keys of a value that must be an object: a list of the same values is none, though it could be read by position.
pub(crate) fn object(value: Value) -> Result<Map<String, Value>, ApiError> {
    match value {
        Value::Object(keys) => Ok(keys),
        other => {
            let found = match other {
                Value::Null => "null",
                Value::Bool(_) => "a boolean",
                Value::Number(_) => "a number",
                Value::String(_) => "a string",
                Value::Array(_) => "an array",
                Value::Object(_) => "an object",
            };
            Err(ApiError::invalid(format_args!(
                "The body does not fit: it must be a JSON object, like {{\"name\": ...}}, and is {found}."
            )))
        }
    }
}

/// An object as the type that it must fit, with every object in it written by the names of its fields.
fn named<T: DeserializeOwned + JsonSchema>(keys: Map<String, Value>) -> Result<T, ApiError> {
    let value = Value::Object(keys);
    shape::check::<T>(&value)?;
    fitting(value)
}

/// A value as the type that it must fit.
pub(crate) fn fitting<T: DeserializeOwned>(value: Value) -> Result<T, ApiError> {
    serde_json::from_value(value)
        .map_err(|error| ApiError::invalid(format_args!("The body does not fit: {error}.")))
}

/// Parses JSON: text that is not JSON and JSON that does not fit are two different errors.
pub(crate) fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ApiError> {
    // Some editors and shells put a byte order mark before what they write.
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    serde_json::from_slice(bytes).map_err(|error| match error.classify() {
        serde_json::error::Category::Data => {
            ApiError::invalid(format_args!("The body does not fit: {error}."))
        }
        serde_json::error::Category::Io
        | serde_json::error::Category::Syntax
        | serde_json::error::Category::Eof => {
            ApiError::new(Code::Unparsable, format!("The body is not JSON: {error}."))
        }
    })
}
