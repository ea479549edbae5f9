//! Owns the calls on buckets: list, create, show, change, delete, how much is in one; what is in one is in [`objects`].

use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use axum::extract::{FromRequestParts, State};
use http::HeaderMap;
use http::request::Parts;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use wasmyard_namespaces::{BucketName, Timestamp};
use wasmyard_r2::{BucketInfo, StorageClass};

use axum::response::Response;

use crate::body::Json;
use crate::envelope::{self, Answer, Reply};
use crate::error::ApiError;
use crate::query::{DIRECTIONS, Pairs};
use crate::state::{Shared, SharedState};
use crate::target::{Forced, QueryOf, named_segment};

pub(crate) mod objects;

/// What a list can be in the order of.
pub(crate) const ORDERS: &[&str] = &["name"];
/// Buckets of a page where nobody says.
const PER_PAGE: usize = 20;
/// The most of a page.
const MOST: usize = 1_000;
/// Names a storage class.
const STORAGE_CLASS: &str = "cf-r2-storage-class";

/// A bucket as clients see it.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "R2Bucket")]
pub(crate) struct View {
    name: String,
    creation_date: String,
    /// Where its maker wanted it; there is one place.
    #[serde(skip_serializing_if = "Option::is_none")]
    location: Option<String>,
    jurisdiction: &'static str,
    storage_class: &'static str,
}

/// Some buckets.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "R2Buckets")]
pub(crate) struct Listed {
    buckets: Vec<View>,
}

/// What a new bucket needs.
#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "R2BucketWanted")]
pub(crate) struct Wanted {
    /// 3 to 63 lower-case letters, digits and hyphens.
    #[schemars(length(min = 3, max = 63), regex(pattern = "^[a-z0-9][a-z0-9-]*[a-z0-9]$"))]
    name: String,
    /// Where it is wanted: kept and shown, as there is one place.
    #[serde(default, rename = "locationHint")]
    #[schemars(length(max = 16))]
    location_hint: Option<String>,
    /// Of what is put without one: `Standard` or `InfrequentAccess`.
    #[serde(default, rename = "storageClass")]
    #[schemars(extend("enum" = ["Standard", "InfrequentAccess", null]))]
    storage_class: Option<String>,
}

/// How much is in a bucket.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "R2Usage")]
pub(crate) struct Usage {
    /// When it was so.
    end: String,
    /// Bytes of keys, metadata, contents and parts, as a number in digits; so are the next ones.
    #[serde(rename = "payloadSize")]
    payload_size: String,
    #[serde(rename = "metadataSize")]
    metadata_size: String,
    #[serde(rename = "objectCount")]
    object_count: String,
    /// Uploads that are not complete.
    #[serde(rename = "uploadCount")]
    upload_count: String,
}

/// The bucket that the path names; it need not exist.
pub(crate) struct InBucket(pub(crate) BucketName);

impl FromRequestParts<Arc<Shared>> for InBucket {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, shared: &Arc<Shared>) -> Result<Self, ApiError> {
        let text = named_segment(parts, shared, "bucket_name").await?;
        BucketName::parse(&text).map(Self).ok_or_else(|| ApiError::parameter(BucketName::RULE))
    }
}

/// Milliseconds since 1970 as clients write moments.
fn moment(milliseconds: u64) -> String {
    Timestamp::from(UNIX_EPOCH + Duration::from_millis(milliseconds)).to_string()
}

fn view(bucket: BucketInfo) -> View {
    View {
        name: bucket.name.to_string(),
        creation_date: moment(bucket.created),
        location: bucket.location,
        jurisdiction: "default",
        storage_class: bucket.storage_class.as_str(),
    }
}

pub(crate) async fn list(State(shared): SharedState, query: Pairs) -> Result<Response, ApiError> {
    query.choice("order", ORDERS)?;
    let backwards = query.choice("direction", DIRECTIONS)? == Some("desc");
    let per_page = match query.get("per_page").map(str::parse::<usize>) {
        None => PER_PAGE,
        Some(Ok(number)) if (1..=MOST).contains(&number) => number,
        Some(_) => return Err(ApiError::parameter(format_args!("per_page is a number from 1 to {MOST}"))),
    };
    let after = query.get("cursor").or(query.get("start_after"));
    let contains = query.get("name_contains");
    let mut found = shared.control.r2()?.buckets(after, contains, per_page + 1, backwards).await?;
    let more = found.len() > per_page;
    found.truncate(per_page);
    // A name is its own cursor.
    let cursor = found.last().filter(|_| more).map(|last| last.name.to_string());
    let count = found.len();
    let mut info = json!({ "per_page": per_page, "count": count });
    if let (Some(cursor), Value::Object(fields)) = (cursor, &mut info) {
        fields.insert("cursor".to_owned(), Value::from(cursor));
    }
    let listed = Listed { buckets: found.into_iter().map(view).collect() };
    Ok(envelope::with_info(&listed, &info))
}

pub(crate) async fn create(State(shared): SharedState, Json(wanted, notes): Json<Wanted>) -> Answer<View> {
    let name = BucketName::parse(&wanted.name).ok_or_else(|| ApiError::invalid(BucketName::RULE))?;
    let class = wanted.storage_class.as_deref().map(StorageClass::parse).transpose()?.unwrap_or_default();
    if wanted.location_hint.as_ref().is_some_and(|hint| hint.len() > 16) {
        return Err(ApiError::invalid("locationHint has more than 16 bytes; name a place like \"weur\""));
    }
    let made = shared.control.create_bucket(&name, wanted.location_hint, class).await?;
    Ok(Reply::ok(view(made)).with_notes(notes))
}

pub(crate) async fn get(State(shared): SharedState, InBucket(name): InBucket) -> Answer<View> {
    Ok(Reply::ok(view(shared.control.r2()?.info(&name).await?)))
}

pub(crate) async fn edit(
    State(shared): SharedState,
    InBucket(name): InBucket,
    headers: HeaderMap,
) -> Answer<View> {
    let class = headers.get(STORAGE_CLASS).and_then(|value| value.to_str().ok());
    let class = class.ok_or_else(|| {
        ApiError::invalid("the header cf-r2-storage-class is missing: it names the storage class")
    })?;
    Ok(Reply::ok(view(shared.control.r2()?.reclass(&name, StorageClass::parse(class)?).await?)))
}

pub(crate) async fn delete(
    State(shared): SharedState,
    InBucket(name): InBucket,
    QueryOf(query): QueryOf<Forced>,
) -> Answer<()> {
    let done = shared.control.delete_bucket(&name, query.wanted()?).await?;
    Ok(Reply::ok(()).with_notes(done.remarks))
}

pub(crate) async fn usage(State(shared): SharedState, InBucket(name): InBucket) -> Answer<Usage> {
    let bucket = shared.control.r2()?.info(&name).await?;
    Ok(Reply::ok(Usage {
        end: shared.control.registry().clock().now().to_string(),
        payload_size: bucket.bytes.to_string(),
        metadata_size: "0".to_owned(),
        object_count: bucket.objects.to_string(),
        upload_count: bucket.uploads.to_string(),
    }))
}
