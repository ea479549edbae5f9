//! Header fields of objects: what a request says beside a content, and what an answer does.

use std::time::{Duration, UNIX_EPOCH};

use http::{HeaderMap, HeaderName, HeaderValue, header};
use wasmyard_r2::condition::etags_of_field;
use wasmyard_r2::{Condition, HttpMetadata, Metadata, Object, StorageClass};

use crate::fault::Fault;
use crate::request::Asked;

/// What names of custom metadata begin with.
const CUSTOM: &str = "x-amz-meta-";

/// A date as header fields have it, in milliseconds since 1970.
pub(crate) fn date_of(text: &str) -> Option<u64> {
    let since = httpdate::parse_http_date(text).ok()?.duration_since(UNIX_EPOCH).ok()?;
    u64::try_from(since.as_millis()).ok()
}

/// Milliseconds since 1970 as header fields have them.
pub(crate) fn http_date(milliseconds: u64) -> String {
    httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_millis(milliseconds))
}

/// What must hold of the object.
pub(crate) fn condition(asked: &Asked<'_>) -> Condition {
    condition_of(asked, "")
}

/// What must hold of the object that is copied.
pub(crate) fn condition_of_source(asked: &Asked<'_>) -> Condition {
    condition_of(asked, "x-amz-copy-source-")
}

fn condition_of(asked: &Asked<'_>, prefix: &str) -> Condition {
    let field = |name: &str| asked.field(&format!("{prefix}{name}"));
    let etags = |name| field(name).map(etags_of_field).unwrap_or_default();
    let date = |name| field(name).and_then(date_of);
    Condition {
        etag_matches: etags("if-match"),
        etag_does_not_match: etags("if-none-match"),
        uploaded_before: date("if-unmodified-since"),
        uploaded_after: date("if-modified-since"),
        seconds_granularity: true,
    }
}

/// What is kept beside a content.
pub(crate) fn metadata(asked: &Asked<'_>) -> Result<Metadata, Fault> {
    let text = |name| asked.field(name).map(str::to_owned);
    let custom = asked.headers.iter().filter_map(|(name, value)| {
        let name = name.as_str().strip_prefix(CUSTOM)?;
        Some((name.to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
    });
    // What a body was sent in is no part of the content.
    let encodings = asked.field("content-encoding").unwrap_or_default().split(',').map(str::trim);
    let encodings: Vec<&str> =
        encodings.filter(|encoding| !encoding.is_empty() && *encoding != "aws-chunked").collect();
    let encoding = Some(encodings.join(", ")).filter(|encoding| !encoding.is_empty());
    Ok(Metadata {
        http: HttpMetadata {
            content_type: text("content-type"),
            content_language: text("content-language"),
            content_disposition: text("content-disposition"),
            content_encoding: encoding,
            cache_control: text("cache-control"),
            cache_expiry: asked.field("expires").and_then(date_of),
        },
        custom: custom.collect(),
        storage_class: asked.field("x-amz-storage-class").map(StorageClass::parse).transpose()?,
    })
}

/// What an answer says of an object. Of a URL that is signed the query may say otherwise.
pub(crate) fn describe(object: &Object, asked: &Asked<'_>) -> HeaderMap {
    let http = &object.metadata.http;
    let or = |parameter: &str, kept: &Option<String>| {
        asked.parameter(parameter).map(str::to_owned).or_else(|| kept.clone())
    };
    let kind = or("response-content-type", &http.content_type);
    let each = [
        (header::CONTENT_TYPE, Some(kind.unwrap_or_else(|| "application/octet-stream".to_owned()))),
        (header::CONTENT_LANGUAGE, or("response-content-language", &http.content_language)),
        (header::CONTENT_DISPOSITION, or("response-content-disposition", &http.content_disposition)),
        (header::CONTENT_ENCODING, or("response-content-encoding", &http.content_encoding)),
        (header::CACHE_CONTROL, or("response-cache-control", &http.cache_control)),
        (header::EXPIRES, or("response-expires", &http.cache_expiry.map(http_date))),
        (header::ETAG, Some(object.http_etag())),
        (header::LAST_MODIFIED, Some(http_date(object.uploaded))),
        (header::ACCEPT_RANGES, Some("bytes".to_owned())),
    ];
    let mut fields = HeaderMap::new();
    for (name, value) in each {
        // What is no field value stays out: the content comes all the same.
        fields.extend(value.and_then(|value| HeaderValue::from_str(&value).ok()).map(|value| (name, value)));
    }
    for (name, value) in &object.metadata.custom {
        let name = HeaderName::try_from(format!("{CUSTOM}{name}"));
        if let (Ok(name), Ok(value)) = (name, HeaderValue::from_str(value)) {
            fields.append(name, value);
        }
    }
    if object.metadata.storage_class == Some(StorageClass::InfrequentAccess) {
        let class = HeaderValue::from_static("STANDARD_IA");
        fields.insert(HeaderName::from_static("x-amz-storage-class"), class);
    }
    fields
}
