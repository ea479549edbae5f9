//! Lists of buckets and of objects.

use std::time::{Duration, UNIX_EPOCH};

use axum::body::Body;
use http::Response;
use wasmyard_namespaces::{BucketName, Timestamp};
use wasmyard_r2::limits::MAX_LIST;
use wasmyard_r2::{Bucket, ListOptions, R2, StorageClass};

use super::document_of;
use crate::fault::Fault;
use crate::request::{Asked, encoded};
use crate::xml::Xml;

/// Buckets that are listed.
const MOST_BUCKETS: usize = 1_000;

/// Milliseconds since 1970 as documents have them.
pub(super) fn moment(milliseconds: u64) -> String {
    Timestamp::from(UNIX_EPOCH + Duration::from_millis(milliseconds)).to_string()
}

pub(super) async fn buckets(r2: &R2) -> Result<Response<Body>, Fault> {
    let mut xml = Xml::new();
    xml.begin("ListAllMyBucketsResult").open("Buckets");
    for bucket in r2.buckets(None, None, MOST_BUCKETS, false).await? {
        xml.open("Bucket").text("Name", bucket.name.as_str());
        xml.text("CreationDate", &moment(bucket.created)).close("Bucket");
    }
    xml.close("Buckets").close("ListAllMyBucketsResult");
    Ok(document_of(xml))
}

pub(super) async fn location(r2: &R2, name: &BucketName) -> Result<Response<Body>, Fault> {
    r2.info(name).await?;
    let mut xml = Xml::new();
    xml.begin("LocationConstraint").close("LocationConstraint");
    Ok(document_of(xml))
}

pub(super) async fn objects(bucket: &Bucket, asked: &Asked<'_>) -> Result<Response<Body>, Fault> {
    let given = |name| asked.parameter(name).filter(|text| !text.is_empty()).map(str::to_owned);
    let limit = asked.number("max-keys")?.map_or(MAX_LIST, |most| usize::try_from(most).unwrap_or(MAX_LIST));
    let limit = limit.min(MAX_LIST);
    let (prefix, delimiter) = (given("prefix").unwrap_or_default(), given("delimiter"));
    let (token, start_after) = (given("continuation-token"), given("start-after"));
    let options = ListOptions {
        prefix: prefix.clone(),
        delimiter: delimiter.clone(),
        cursor: token.clone(),
        start_after: start_after.clone(),
        // None are asked for by those who want to know whether the bucket is there.
        limit: Some(limit.max(1)),
    };
    let mut page = bucket.list(options).await?;
    if limit == 0 {
        page = wasmyard_r2::Page::default();
    }
    let by_url = asked.parameter("encoding-type") == Some("url");
    let shown = |text: &str| if by_url { encoded(text.as_bytes(), true) } else { text.to_owned() };
    let count = page.objects.len() + page.prefixes.len();
    let mut xml = Xml::new();
    xml.begin("ListBucketResult").text("Name", bucket.name().as_str()).text("Prefix", &shown(&prefix));
    xml.text("MaxKeys", &limit.to_string()).text("KeyCount", &count.to_string());
    xml.text("IsTruncated", if page.cursor.is_some() { "true" } else { "false" });
    let optional = [
        ("Delimiter", delimiter.as_deref().map(shown)),
        ("StartAfter", start_after.as_deref().map(shown)),
        ("ContinuationToken", token),
        ("NextContinuationToken", page.cursor),
        ("EncodingType", by_url.then(|| "url".to_owned())),
    ];
    for (name, text) in optional {
        if let Some(text) = text {
            xml.text(name, &text);
        }
    }
    for object in page.objects {
        let is_rare = object.metadata.storage_class == Some(StorageClass::InfrequentAccess);
        xml.open("Contents").text("Key", &shown(&object.key)).text("LastModified", &moment(object.uploaded));
        xml.text("ETag", &object.http_etag()).text("Size", &object.size.to_string());
        xml.text("StorageClass", if is_rare { "STANDARD_IA" } else { "STANDARD" }).close("Contents");
    }
    for prefix in page.prefixes {
        xml.open("CommonPrefixes").text("Prefix", &shown(&prefix)).close("CommonPrefixes");
    }
    xml.close("ListBucketResult");
    Ok(document_of(xml))
}
