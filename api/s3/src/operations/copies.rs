//! Copies: of an object, and of a range of one as a part. The content passes in pieces, and is never whole in memory.

use axum::body::Body;
use futures::StreamExt as _;
use http::Response;
use wasmyard_namespaces::BucketName;
use wasmyard_r2::{
    Algorithm, Bucket, Checksums, Found, GetOptions, Incoming, PutOptions, R2, R2Error, Range,
};

use super::{document_of, lists::moment, noting};
use crate::checksums;
use crate::fault::Fault;
use crate::fields;
use crate::request::{Asked, decoded};
use crate::xml::Xml;

/// What is to be copied, if it is as the request says.
async fn source(r2: &R2, asked: &Asked<'_>, range: Option<Range>) -> Result<Found, Fault> {
    let wrong = || Fault::ARGUMENT.saying("x-amz-copy-source is /BUCKET/KEY, percent-encoded");
    let source = asked.field("x-amz-copy-source").unwrap_or_default();
    let (source, version) = source.split_once("?versionId=").unwrap_or((source, "null"));
    if version != "null" {
        return Err(Fault::MISSING.saying("objects have one version here; copy without versionId"));
    }
    let source = String::from_utf8(decoded(source).ok_or_else(wrong)?).map_err(|_| wrong())?;
    let (from, key) = source.strip_prefix('/').unwrap_or(&source).split_once('/').ok_or_else(wrong)?;
    let from = r2.bucket(&BucketName::parse(from).ok_or(Fault::NO_BUCKET)?);
    let options = GetOptions { condition: fields::condition_of_source(asked), range };
    let found = from.get(key, &options).await?.ok_or(Fault::NO_KEY)?;
    if found.body.is_none() {
        return Err(Fault::CONDITION);
    }
    Ok(found)
}

/// The content of what was found.
fn content(body: Option<wasmyard_r2::Body>, length: u64) -> Result<Incoming, Fault> {
    let pieces = body.ok_or(Fault::NO_KEY)?.into_stream();
    Ok(Incoming::new(pieces.map(|piece| piece.map_err(|error| error.to_string())), Some(length)))
}

/// Copies an object, within a bucket or from another.
pub(super) async fn object(
    r2: &R2,
    bucket: &Bucket,
    key: &str,
    asked: &Asked<'_>,
) -> Result<Response<Body>, Fault> {
    let wanted = checksums::wanted(asked)?;
    let is_replaced = asked.field("x-amz-metadata-directive") == Some("REPLACE");
    let given = fields::metadata(asked)?;
    let Found { object, body, .. } = source(r2, asked, None).await?;
    let mut metadata = if is_replaced { given.clone() } else { object.metadata };
    // The class is none of what is copied by default.
    metadata.storage_class = given.storage_class;
    let mut content = noting(content(body, object.size)?, wanted);
    if wanted.is_none() {
        let kept = Algorithm::ALL.into_iter().filter(|algorithm| object.checksums.of(*algorithm).is_some());
        content = kept.fold(content, Incoming::noting);
    }
    let options = PutOptions { metadata, condition: fields::condition(asked), ..PutOptions::default() };
    let made = bucket.put(key, content, options).await?.ok_or(Fault::CONDITION)?;
    Ok(copied("CopyObjectResult", made.uploaded, &made.http_etag(), &made.checksums))
}

/// Copies an object, or a range of it, as a part of an upload.
pub(super) async fn part(
    r2: &R2,
    bucket: &Bucket,
    key: &str,
    upload: &str,
    asked: &Asked<'_>,
) -> Result<Response<Body>, Fault> {
    let number = asked.number("partNumber")?;
    let number = number.ok_or_else(|| Fault::ARGUMENT.saying("partNumber is missing"))?;
    let range = asked.field("x-amz-copy-source-range");
    let wrong = || Fault::ARGUMENT.saying("x-amz-copy-source-range is bytes=FIRST-LAST");
    let range = range.map(|text| match Range::of_field(text) {
        Some(range @ Range::From { length: Some(length), .. }) => Ok((range, length)),
        _ => Err(wrong()),
    });
    let range = range.transpose()?;
    let found = source(r2, asked, range.map(|(range, _)| range)).await?;
    let (offset, length) = found.range;
    if range.is_some_and(|(_, wanted)| wanted > length) {
        return Err(R2Error::InvalidRange { offset, size: found.object.size }.into());
    }
    let content = noting(content(found.body, length)?, checksums::wanted(asked)?);
    let part = bucket.upload_part(key, upload, number, content, Vec::new()).await?;
    Ok(copied("CopyPartResult", found.object.uploaded, &format!("\"{}\"", part.etag), &part.checksums))
}

fn copied(name: &str, uploaded: u64, etag: &str, checksums: &Checksums) -> Response<Body> {
    let mut xml = Xml::new();
    xml.begin(name).text("LastModified", &moment(uploaded)).text("ETag", etag);
    checksums::write(&mut xml, checksums);
    xml.close(name);
    document_of(xml)
}
