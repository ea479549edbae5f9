//! Uploads in parts.

use axum::body::Body;
use http::{HeaderValue, Response};
use wasmyard_r2::limits::MAX_PARTS;
use wasmyard_r2::{Bucket, CompleteOptions, Part};

use super::{document_of, lists::moment, taken};
use crate::body::Arriving;
use crate::checksums;
use crate::fault::Fault;
use crate::fields;
use crate::request::Asked;
use crate::xml::{Xml, rows};

/// Uploads, or parts, of one page.
const PAGE: usize = 1_000;

pub(super) async fn begin(bucket: &Bucket, key: &str, asked: &Asked<'_>) -> Result<Response<Body>, Fault> {
    let wanted = checksums::wanted(asked)?;
    if let Some((algorithm, name)) = wanted {
        let kind = checksums::kind_of_parts(algorithm);
        if asked.field("x-amz-checksum-type").is_some_and(|wanted| wanted != kind) {
            return Err(
                Fault::INVALID.saying(format!("a checksum by {name} of an object of parts is {kind}"))
            );
        }
    }
    let id = bucket.create_upload(key, fields::metadata(asked)?).await?;
    let mut xml = Xml::new();
    xml.begin("InitiateMultipartUploadResult").text("Bucket", bucket.name().as_str());
    xml.text("Key", key).text("UploadId", &id).close("InitiateMultipartUploadResult");
    let mut response = document_of(xml);
    if let Some((algorithm, name)) = wanted {
        let kind = checksums::kind_of_parts(algorithm);
        let fields = response.headers_mut();
        fields.insert("x-amz-checksum-algorithm", HeaderValue::from_static(name));
        fields.insert("x-amz-checksum-type", HeaderValue::from_static(kind));
    }
    Ok(response)
}

pub(super) async fn put(
    bucket: &Bucket,
    key: &str,
    upload: &str,
    asked: &Asked<'_>,
    arriving: Arriving,
) -> Result<Response<Body>, Fault> {
    let number = asked.number("partNumber")?;
    let number = number.ok_or_else(|| Fault::ARGUMENT.saying("partNumber is missing"))?;
    let (content, checksums, verdict) = arriving.content();
    let part = verdict.judged(bucket.upload_part(key, upload, number, content, checksums).await)?;
    Ok(taken(&format!("\"{}\"", part.etag), &part.checksums))
}

/// Makes an upload an object. Checksums of the request are the object's, and not the document's.
pub(super) async fn complete(
    bucket: &Bucket,
    key: &str,
    upload: &str,
    asked: &Asked<'_>,
    arriving: Arriving,
) -> Result<Response<Body>, Fault> {
    let (document, checksums) = arriving.document_of_object().await?;
    let most = usize::try_from(MAX_PARTS).unwrap_or(usize::MAX);
    let parts = rows(&document, "Part", most)?.into_iter().map(|fields| {
        let field = |name: &str| fields.iter().find(|(known, _)| known == name).map(|(_, text)| text.trim());
        let number = field("PartNumber").and_then(|number| number.parse().ok()).ok_or(Fault::MALFORMED)?;
        let etag = field("ETag").ok_or(Fault::MALFORMED)?.to_owned();
        Ok(Part { number, etag, checksums: checksums::of_part(&fields)? })
    });
    let parts: Vec<Part> = parts.collect::<Result<_, Fault>>()?;
    if !parts.is_sorted_by_key(|part| part.number) {
        let (status, code) = (http::StatusCode::BAD_REQUEST, "InvalidPartOrder");
        return Err(Fault::of(status, code, "The parts are not in the order of their numbers"));
    }
    let options = CompleteOptions { condition: fields::condition(asked), checksums };
    let object = bucket.complete_upload_with(key, upload, parts, options).await?.ok_or(Fault::CONDITION)?;
    let mut xml = Xml::new();
    xml.begin("CompleteMultipartUploadResult").text("Bucket", bucket.name().as_str());
    xml.text("Key", key).text("ETag", &object.http_etag());
    checksums::write(&mut xml, &object.checksums);
    xml.close("CompleteMultipartUploadResult");
    Ok(document_of(xml))
}

/// How many are listed, of those that a parameter asks for.
fn limit(asked: &Asked<'_>, name: &str) -> Result<usize, Fault> {
    let most = asked.number(name)?.and_then(|most| usize::try_from(most).ok());
    Ok(most.unwrap_or(PAGE).clamp(1, PAGE))
}

pub(super) async fn parts(
    bucket: &Bucket,
    key: &str,
    upload: &str,
    asked: &Asked<'_>,
) -> Result<Response<Body>, Fault> {
    let after = asked.number("part-number-marker")?.unwrap_or(0);
    let most = limit(asked, "max-parts")?;
    let mut found = bucket.parts(key, upload, after, most + 1).await?;
    let more = found.len() > most;
    found.truncate(most);
    let mut xml = Xml::new();
    xml.begin("ListPartsResult").text("Bucket", bucket.name().as_str()).text("Key", key);
    xml.text("UploadId", upload).text("PartNumberMarker", &after.to_string());
    xml.text("MaxParts", &most.to_string()).text("IsTruncated", if more { "true" } else { "false" });
    if let Some(last) = found.last().filter(|_| more) {
        xml.text("NextPartNumberMarker", &last.number.to_string());
    }
    for part in found {
        xml.open("Part").text("PartNumber", &part.number.to_string());
        xml.text("LastModified", &moment(part.uploaded)).text("ETag", &format!("\"{}\"", part.etag));
        xml.text("Size", &part.size.to_string());
        checksums::write(&mut xml, &part.checksums);
        xml.close("Part");
    }
    xml.close("ListPartsResult");
    Ok(document_of(xml))
}

pub(super) async fn list(bucket: &Bucket, asked: &Asked<'_>) -> Result<Response<Body>, Fault> {
    let given = |name| asked.parameter(name).unwrap_or_default().to_owned();
    let after = (given("key-marker"), given("upload-id-marker"));
    let most = limit(asked, "max-uploads")?;
    let mut found = bucket.uploads(&given("prefix"), after, most + 1).await?;
    let more = found.len() > most;
    found.truncate(most);
    let mut xml = Xml::new();
    xml.begin("ListMultipartUploadsResult").text("Bucket", bucket.name().as_str());
    xml.text("MaxUploads", &most.to_string()).text("IsTruncated", if more { "true" } else { "false" });
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
