//! Lists of objects, in both versions.

use std::time::{Duration, UNIX_EPOCH};

use axum::body::Body;
use http::Response;
use wasmyard_namespaces::Timestamp;
use wasmyard_r2::limits::MAX_LIST;
use wasmyard_r2::list::behind;
use wasmyard_r2::{Bucket, ListOptions, Page, StorageClass};

use super::document_of;
use crate::fault::Fault;
use crate::request::{Asked, encoded};
use crate::xml::Xml;

/// Milliseconds since 1970 as documents have them.
pub(super) fn moment(milliseconds: u64) -> String {
    Timestamp::from(UNIX_EPOCH + Duration::from_millis(milliseconds)).to_string()
}

/// What a list of either version asks for.
struct Wanted {
    prefix: String,
    delimiter: Option<String>,
    limit: usize,
    by_url: bool,
}

impl Wanted {
    fn of(asked: &Asked<'_>) -> Result<Wanted, Fault> {
        let limit = asked.number("max-keys")?;
        let limit = limit.map_or(MAX_LIST, |most| usize::try_from(most).unwrap_or(MAX_LIST)).min(MAX_LIST);
        Ok(Wanted {
            prefix: given(asked, "prefix").unwrap_or_default(),
            delimiter: given(asked, "delimiter"),
            limit,
            by_url: asked.parameter("encoding-type") == Some("url"),
        })
    }

    async fn page(&self, bucket: &Bucket, from: ListOptions) -> Result<Page, Fault> {
        let options = ListOptions {
            prefix: self.prefix.clone(),
            delimiter: self.delimiter.clone(),
            // None are asked for by those who want to know whether the bucket is there.
            limit: Some(self.limit.max(1)),
            ..from
        };
        let page = bucket.list(options).await?;
        Ok(if self.limit == 0 { Page::default() } else { page })
    }

    fn shown(&self, text: &str) -> String {
        if self.by_url { encoded(text.as_bytes(), true) } else { text.to_owned() }
    }

    /// What both versions say, with what one of them says besides.
    fn answer(&self, bucket: &Bucket, page: &Page, more: Vec<(&str, Option<String>)>) -> Response<Body> {
        let mut xml = Xml::new();
        xml.begin("ListBucketResult").text("Name", bucket.name().as_str());
        xml.text("Prefix", &self.shown(&self.prefix)).text("MaxKeys", &self.limit.to_string());
        xml.text("IsTruncated", if page.cursor.is_some() { "true" } else { "false" });
        let both = [
            ("Delimiter", self.delimiter.as_deref().map(|text| self.shown(text))),
            ("EncodingType", self.by_url.then(|| "url".to_owned())),
        ];
        for (name, text) in both.into_iter().chain(more) {
            if let Some(text) = text {
                xml.text(name, &text);
            }
        }
        for object in &page.objects {
            let is_rare = object.metadata.storage_class == Some(StorageClass::InfrequentAccess);
            xml.open("Contents").text("Key", &self.shown(&object.key));
            xml.text("LastModified", &moment(object.uploaded)).text("ETag", &object.http_etag());
            xml.text("Size", &object.size.to_string());
            xml.text("StorageClass", if is_rare { "STANDARD_IA" } else { "STANDARD" }).close("Contents");
        }
        for prefix in &page.prefixes {
            xml.open("CommonPrefixes").text("Prefix", &self.shown(prefix)).close("CommonPrefixes");
        }
        xml.close("ListBucketResult");
        document_of(xml)
    }
}

/// A parameter that says something.
fn given(asked: &Asked<'_>, name: &str) -> Option<String> {
    asked.parameter(name).filter(|text| !text.is_empty()).map(str::to_owned)
}

/// `ListObjects`: the next page is found by the last key, or common prefix, of this one.
pub(super) async fn first(bucket: &Bucket, asked: &Asked<'_>) -> Result<Response<Body>, Fault> {
    let wanted = Wanted::of(asked)?;
    let marker = given(asked, "marker");
    let cursor = marker.as_deref().and_then(|text| behind(text, &wanted.prefix, wanted.delimiter.as_deref()));
    let page = wanted.page(bucket, ListOptions { cursor, ..ListOptions::default() }).await?;
    let marker = wanted.shown(&marker.unwrap_or_default());
    let next = page.last().map(|text| wanted.shown(&text));
    Ok(wanted.answer(bucket, &page, vec![("Marker", Some(marker)), ("NextMarker", next)]))
}

/// `ListObjectsV2`.
pub(super) async fn second(bucket: &Bucket, asked: &Asked<'_>) -> Result<Response<Body>, Fault> {
    let wanted = Wanted::of(asked)?;
    let (token, start_after) = (given(asked, "continuation-token"), given(asked, "start-after"));
    let from =
        ListOptions { cursor: token.clone(), start_after: start_after.clone(), ..ListOptions::default() };
    let page = wanted.page(bucket, from).await?;
    let count = page.objects.len() + page.prefixes.len();
    let more = vec![
        ("KeyCount", Some(count.to_string())),
        ("StartAfter", start_after.map(|text| wanted.shown(&text))),
        ("ContinuationToken", token),
        ("NextContinuationToken", page.cursor.clone()),
    ];
    Ok(wanted.answer(bucket, &page, more))
}
