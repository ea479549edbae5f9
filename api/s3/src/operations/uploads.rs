//! Uploads in parts.

use axum::body::Body;
use http::Response;
use wasmyard_r2::limits::MAX_PARTS;
use wasmyard_r2::{Bucket, Part};

use super::{document_of, expected, incoming, lists::moment, with_etag};
use crate::fault::Fault;
use crate::fields;
use crate::request::Asked;
use crate::signature::Payload;
use crate::xml::{Xml, rows};

/// Uploads, or parts, of one page.
const PAGE: usize = 1_000;

pub(super) async fn begin(bucket: &Bucket, key: &str, asked: &Asked<'_>) -> Result<Response<Body>, Fault> {
    let id = bucket.create_upload(key, fields::metadata(asked)?).await?;
    let mut xml = Xml::new();
    xml.begin("InitiateMultipartUploadResult").text("Bucket", bucket.name().as_str());
    xml.text("Key", key).text("UploadId", &id).close("InitiateMultipartUploadResult");
    Ok(document_of(xml))
}

pub(super) async fn put(
    bucket: &Bucket,
    key: &str,
    upload: &str,
    asked: &Asked<'_>,
    payload: Payload,
    body: Body,
) -> Result<Response<Body>, Fault> {
    let number = asked.number("partNumber")?;
    let number = number.ok_or_else(|| Fault::ARGUMENT.saying("partNumber is missing"))?;
    let checksums = expected(asked, payload)?;
    let part = bucket.upload_part(key, upload, number, incoming(asked, body), checksums).await?;
    Ok(with_etag(&format!("\"{}\"", part.etag)))
}

pub(super) async fn complete(
    bucket: &Bucket,
    key: &str,
    upload: &str,
    document: Vec<u8>,
) -> Result<Response<Body>, Fault> {
    let most = usize::try_from(MAX_PARTS).unwrap_or(usize::MAX);
    let parts = rows(&document, "Part", most)?.into_iter().map(|fields| {
        let field = |name: &str| fields.iter().find(|(known, _)| known == name).map(|(_, text)| text.trim());
        let number = field("PartNumber").and_then(|number| number.parse().ok()).ok_or(Fault::MALFORMED)?;
        Ok(Part { number, etag: field("ETag").ok_or(Fault::MALFORMED)?.to_owned() })
    });
    let parts: Vec<Part> = parts.collect::<Result<_, Fault>>()?;
    if !parts.is_sorted_by_key(|part| part.number) {
        let (status, code) = (http::StatusCode::BAD_REQUEST, "InvalidPartOrder");
        return Err(Fault::of(status, code, "The parts are not in the order of their numbers"));
    }
    let object = bucket.complete_upload(key, upload, parts).await?;
    let mut xml = Xml::new();
    xml.begin("CompleteMultipartUploadResult").text("Bucket", bucket.name().as_str());
    xml.text("Key", key).text("ETag", &object.http_etag()).close("CompleteMultipartUploadResult");
    Ok(document_of(xml))
}

pub(super) async fn parts(
    bucket: &Bucket,
    key: &str,
    upload: &str,
    asked: &Asked<'_>,
) -> Result<Response<Body>, Fault> {
    let after = asked.number("part-number-marker")?.unwrap_or(0);
    let mut found = bucket.parts(key, upload, after, PAGE + 1).await?;
    let more = found.len() > PAGE;
    found.truncate(PAGE);
    let mut xml = Xml::new();
    xml.begin("ListPartsResult").text("Bucket", bucket.name().as_str()).text("Key", key);
    xml.text("UploadId", upload).text("IsTruncated", if more { "true" } else { "false" });
    if let Some(last) = found.last().filter(|_| more) {
        xml.text("NextPartNumberMarker", &last.number.to_string());
    }
    for part in found {
        xml.open("Part").text("PartNumber", &part.number.to_string());
        xml.text("LastModified", &moment(part.uploaded)).text("ETag", &format!("\"{}\"", part.etag));
        xml.text("Size", &part.size.to_string()).close("Part");
    }
    xml.close("ListPartsResult");
    Ok(document_of(xml))
}

pub(super) async fn list(bucket: &Bucket, asked: &Asked<'_>) -> Result<Response<Body>, Fault> {
    let given = |name| asked.parameter(name).unwrap_or_default().to_owned();
    let after = (given("key-marker"), given("upload-id-marker"));
    let mut found = bucket.uploads(&given("prefix"), after, PAGE + 1).await?;
    let more = found.len() > PAGE;
    found.truncate(PAGE);
    let mut xml = Xml::new();
    xml.begin("ListMultipartUploadsResult").text("Bucket", bucket.name().as_str());
    xml.text("IsTruncated", if more { "true" } else { "false" });
    if let Some(last) = found.last().filter(|_| more) {
        xml.text("NextKeyMarker", &last.key).text("NextUploadIdMarker", &last.id);
    }
    for upload in found {
        xml.open("Upload").text("Key", &upload.key).text("UploadId", &upload.id);
        xml.text("Initiated", &moment(upload.started)).close("Upload");
    }
    xml.close("ListMultipartUploadsResult");
    Ok(document_of(xml))
}
