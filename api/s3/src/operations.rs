//! Which operation a request is, and what it does. A content passes in pieces, and is never whole in memory.

mod absent;
mod buckets;
mod copies;
mod lists;
mod uploads;

use axum::body::Body;
use futures::StreamExt as _;
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, header};
use wasmyard_namespaces::BucketName;
use wasmyard_r2::{Algorithm, Bucket, Checksums, GetOptions, Incoming, PutOptions, R2, Range};

use crate::body::Arriving;
use crate::checksums;
use crate::fault::Fault;
use crate::fields;
use crate::request::Asked;
use crate::signature::Payload;
use crate::xml::{Xml, child, rows};

/// Objects that one request deletes.
const MOST_DELETED: usize = 1_000;

/// Carries out a request whose signature is good.
pub(crate) async fn run(
    r2: &R2,
    asked: &Asked<'_>,
    payload: Payload,
    body: Body,
) -> Result<Response<Body>, Fault> {
    absent::refuse(asked)?;
    let Some(name) = &asked.bucket else {
        return if *asked.method == Method::GET { buckets::list(r2).await } else { Err(Fault::METHOD) };
    };
    let name = BucketName::parse(name).ok_or(Fault::NO_BUCKET)?;
    let bucket = r2.bucket(&name);
    let arriving = Arriving::of(asked, payload, body)?;
    let Some(key) = &asked.key else {
        return match *asked.method {
            Method::HEAD => r2.info(&name).await.map(|_| Response::new(Body::empty())).map_err(Fault::from),
            Method::GET if asked.has("location") => buckets::location(r2, &name).await,
            Method::GET if asked.has("uploads") => uploads::list(&bucket, asked).await,
            Method::GET if asked.parameter("list-type") == Some("2") => lists::second(&bucket, asked).await,
            Method::GET => lists::first(&bucket, asked).await,
            Method::POST if asked.has("delete") => delete_many(&bucket, arriving.document().await?).await,
            Method::PUT => buckets::create(r2, &name, arriving.document().await?).await,
            Method::DELETE => Err(Fault::MISSING),
            _ => Err(Fault::METHOD),
        };
    };
    let is_copy = asked.headers.contains_key("x-amz-copy-source");
    match (asked.method, asked.parameter("uploadId")) {
        (&Method::GET, Some(upload)) => uploads::parts(&bucket, key, upload, asked).await,
        (&Method::GET, None) if asked.has("tagging") => Ok(absent::no_tags()),
        (&Method::GET, None) => get(&bucket, key, asked).await,
        (&Method::HEAD, _) => head(&bucket, key, asked).await,
        (&Method::PUT, Some(upload)) if is_copy => copies::part(r2, &bucket, key, upload, asked).await,
        (&Method::PUT, Some(upload)) => uploads::put(&bucket, key, upload, asked, arriving).await,
        (&Method::PUT, None) if is_copy => copies::object(r2, &bucket, key, asked).await,
        (&Method::PUT, None) => put(&bucket, key, asked, arriving).await,
        (&Method::POST, None) if asked.has("uploads") => uploads::begin(&bucket, key, asked).await,
        (&Method::POST, Some(upload)) => uploads::complete(&bucket, key, upload, asked, arriving).await,
        (&Method::DELETE, Some(upload)) => {
            bucket.abort_upload(key, upload).await?;
            Ok(empty(StatusCode::NO_CONTENT))
        }
        (&Method::DELETE, None) => {
            bucket.delete(std::slice::from_ref(key)).await?;
            Ok(empty(StatusCode::NO_CONTENT))
        }
        _ => Err(Fault::METHOD),
    }
}

fn empty(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}

fn document_of(xml: Xml) -> Response<Body> {
    let mut response = Response::new(Body::from(xml.end()));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/xml"));
    response
}

/// A content that has come, by its etag and its checksums.
fn taken(etag: &str, checksums: &Checksums) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.headers_mut() = checksums::describe(checksums);
    response.headers_mut().extend(HeaderValue::from_str(etag).ok().map(|etag| (header::ETAG, etag)));
    response
}

async fn put(
    bucket: &Bucket,
    key: &str,
    asked: &Asked<'_>,
    arriving: Arriving,
) -> Result<Response<Body>, Fault> {
    let (content, checksums, verdict) = arriving.content();
    let content = noting(content, checksums::wanted(asked)?);
    let (condition, metadata) = (fields::condition(asked), fields::metadata(asked)?);
    let options = PutOptions { condition, metadata, checksums };
    let made = verdict.judged(bucket.put(key, content, options).await)?.ok_or(Fault::CONDITION)?;
    Ok(taken(&made.http_etag(), &made.checksums))
}

/// A content of which a checksum is kept that its sender did not make.
fn noting(content: Incoming, wanted: Option<(Algorithm, &'static str)>) -> Incoming {
    match wanted {
        Some((algorithm, _)) => content.noting(algorithm),
        None => content,
    }
}

/// What comes of a condition that does not hold: who has the object already is told so.
fn unmet(asked: &Asked<'_>, object: &wasmyard_r2::Object) -> Result<Response<Body>, Fault> {
    let condition = fields::condition(asked);
    if !condition.etag_matches.is_empty() || condition.uploaded_before.is_some() {
        return Err(Fault::CONDITION);
    }
    let mut response = empty(StatusCode::NOT_MODIFIED);
    *response.headers_mut() = fields::describe(object, asked);
    Ok(response)
}

async fn get(bucket: &Bucket, key: &str, asked: &Asked<'_>) -> Result<Response<Body>, Fault> {
    let range = asked.field("range").and_then(Range::of_field);
    let options = GetOptions { condition: fields::condition(asked), range };
    let found = bucket.get(key, &options).await?.ok_or(Fault::NO_KEY)?;
    let Some(body) = found.body else { return unmet(asked, &found.object) };
    let pieces = body.into_stream().inspect(|piece| {
        if let Err(error) = piece {
            tracing::error!(%error, "an object could not be read to its end");
        }
    });
    let mut response = Response::new(Body::from_stream(pieces));
    *response.headers_mut() = described(&found.object, asked, range.is_some());
    ranged(&mut response, found.range, found.object.size, range.is_some());
    Ok(response)
}

/// What is said of an object. Its checksums are those of all of it.
fn described(object: &wasmyard_r2::Object, asked: &Asked<'_>, is_range: bool) -> HeaderMap {
    let mut fields = fields::describe(object, asked);
    if !is_range
        && asked.field("x-amz-checksum-mode").is_some_and(|mode| mode.eq_ignore_ascii_case("ENABLED"))
    {
        fields.extend(checksums::describe(&object.checksums));
    }
    fields
}

fn ranged(response: &mut Response<Body>, (offset, length): (u64, u64), size: u64, is_range: bool) {
    let fields: &mut HeaderMap = response.headers_mut();
    fields.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    if is_range {
        let range = format!("bytes {offset}-{}/{size}", (offset + length).saturating_sub(1));
        fields.extend(HeaderValue::from_str(&range).ok().map(|range| (header::CONTENT_RANGE, range)));
        *response.status_mut() = StatusCode::PARTIAL_CONTENT;
    }
}

async fn head(bucket: &Bucket, key: &str, asked: &Asked<'_>) -> Result<Response<Body>, Fault> {
    let object = bucket.head(key).await?.ok_or(Fault::NO_KEY)?;
    if !fields::condition(asked).holds(Some(&object)) {
        return unmet(asked, &object);
    }
    let mut response = Response::new(Body::empty());
    let range = asked.field("range").and_then(Range::of_field);
    *response.headers_mut() = described(&object, asked, range.is_some());
    let part = range.map_or(Ok((0, object.size)), |range| range.within(object.size))?;
    ranged(&mut response, part, object.size, range.is_some());
    Ok(response)
}

async fn delete_many(bucket: &Bucket, document: Vec<u8>) -> Result<Response<Body>, Fault> {
    let each = rows(&document, "Object", MOST_DELETED)?;
    let keys = each
        .into_iter()
        .filter_map(|fields| fields.into_iter().find(|(name, _)| name == "Key").map(|(_, key)| key));
    let keys: Vec<String> = keys.collect();
    if keys.is_empty() {
        return Err(Fault::MALFORMED);
    }
    bucket.delete(&keys).await?;
    let mut xml = Xml::new();
    xml.begin("DeleteResult");
    let is_quiet = child(&document, "Quiet")?.as_deref() == Some("true");
    for key in keys.iter().filter(|_| !is_quiet) {
        xml.open("Deleted").text("Key", key).close("Deleted");
    }
    xml.close("DeleteResult");
    Ok(document_of(xml))
}
