//! Which operation a request is, and what it does. A content passes in pieces, and is never whole in memory.

mod lists;
mod uploads;

use std::time::Duration;

use axum::body::Body;
use futures::{StreamExt as _, stream};
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Limited};
use tokio::time::timeout;
use wasmyard_namespaces::BucketName;
use wasmyard_r2::{Algorithm, Bucket, GetOptions, Incoming, PutOptions, R2, Range};

use crate::fault::Fault;
use crate::fields;
use crate::request::{Asked, decoded};
use crate::signature::Payload;
use crate::xml::{Xml, rows};

/// How long a body may make no progress.
const IDLE: Duration = Duration::from_secs(30);
/// The longest document that is read: ten thousand parts, or a thousand of the longest keys.
const DOCUMENT: usize = 4 << 20;
/// Objects that one request deletes.
const MOST_DELETED: usize = 1_000;

/// Carries out a request whose signature is good.
pub(crate) async fn run(
    r2: &R2,
    asked: &Asked<'_>,
    payload: Payload,
    body: Body,
) -> Result<Response<Body>, Fault> {
    let Some(name) = &asked.bucket else {
        return if *asked.method == Method::GET { lists::buckets(r2).await } else { Err(Fault::METHOD) };
    };
    let name = BucketName::parse(name).ok_or(Fault::NO_BUCKET)?;
    let bucket = r2.bucket(&name);
    let upload = asked.parameter("uploadId");
    let Some(key) = &asked.key else {
        return match *asked.method {
            Method::HEAD => r2.info(&name).await.map(|_| Response::new(Body::empty())).map_err(Fault::from),
            Method::GET if asked.has("location") => lists::location(r2, &name).await,
            Method::GET if asked.has("uploads") => uploads::list(&bucket, asked).await,
            Method::GET if asked.parameter("list-type") == Some("2") => lists::objects(&bucket, asked).await,
            Method::POST if asked.has("delete") => {
                delete_many(&bucket, document(body, &payload).await?).await
            }
            _ => Err(Fault::MISSING),
        };
    };
    match (asked.method, upload) {
        (&Method::GET, Some(upload)) => uploads::parts(&bucket, key, upload, asked).await,
        (&Method::GET, None) => get(&bucket, key, asked).await,
        (&Method::HEAD, _) => head(&bucket, key, asked).await,
        (&Method::PUT, Some(upload)) => {
            if asked.has("x-amz-copy-source") || asked.headers.contains_key("x-amz-copy-source") {
                return Err(Fault::MISSING.saying("a part is not copied; upload it"));
            }
            uploads::put(&bucket, key, upload, asked, payload, body).await
        }
        (&Method::PUT, None) if asked.headers.contains_key("x-amz-copy-source") => {
            copy(r2, &bucket, key, asked).await
        }
        (&Method::PUT, None) => put(&bucket, key, asked, payload, body).await,
        (&Method::POST, None) if asked.has("uploads") => uploads::begin(&bucket, key, asked).await,
        (&Method::POST, Some(upload)) => {
            uploads::complete(&bucket, key, upload, document(body, &payload).await?).await
        }
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

/// A body that is read whole, with the hash that was signed.
async fn document(body: Body, payload: &Payload) -> Result<Vec<u8>, Fault> {
    let read = timeout(IDLE, Limited::new(body, DOCUMENT).collect()).await;
    let whole = read.ok().and_then(Result::ok).ok_or(Fault::MALFORMED)?.to_bytes();
    if let Payload::Hash(hash) = payload
        && aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &whole).as_ref() != hash
    {
        return Err(Fault::SIGNATURE.saying("the body has another SHA-256 than was signed"));
    }
    Ok(whole.to_vec())
}

/// A content as it comes.
fn incoming(asked: &Asked<'_>, body: Body) -> Incoming {
    let length = asked.field("content-length").and_then(|length| length.parse().ok());
    let pieces = stream::try_unfold(body, |mut body| async move {
        loop {
            let frame = timeout(IDLE, body.frame()).await;
            let frame = frame.map_err(|_| format!("it made no progress for {} s", IDLE.as_secs()))?;
            let Some(frame) = frame else { return Ok(None) };
            if let Ok(data) = frame.map_err(|error| error.to_string())?.into_data() {
                return Ok(Some((data, body)));
            }
        }
    });
    Incoming::new(pieces, length)
}

/// The checksums that a content must have, the one that was signed among them.
fn expected(asked: &Asked<'_>, payload: Payload) -> Result<Vec<(Algorithm, Vec<u8>)>, Fault> {
    let mut checksums = fields::checksums(asked)?;
    if let Payload::Hash(hash) = payload {
        checksums.retain(|(algorithm, _)| *algorithm != Algorithm::Sha256);
        checksums.push((Algorithm::Sha256, hash));
    }
    Ok(checksums)
}

async fn put(
    bucket: &Bucket,
    key: &str,
    asked: &Asked<'_>,
    payload: Payload,
    body: Body,
) -> Result<Response<Body>, Fault> {
    let options = PutOptions {
        condition: fields::condition(asked),
        metadata: fields::metadata(asked)?,
        checksums: expected(asked, payload)?,
    };
    let made = bucket.put(key, incoming(asked, body), options).await?.ok_or(Fault::CONDITION)?;
    Ok(with_etag(&made.http_etag()))
}

fn with_etag(etag: &str) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    response.headers_mut().extend(HeaderValue::from_str(etag).ok().map(|etag| (header::ETAG, etag)));
    response
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
    *response.headers_mut() = fields::describe(&found.object, asked);
    ranged(&mut response, found.range, found.object.size, range.is_some());
    Ok(response)
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
    *response.headers_mut() = fields::describe(&object, asked);
    let range = asked.field("range").and_then(Range::of_field);
    let part = range.map_or(Ok((0, object.size)), |range| range.within(object.size))?;
    ranged(&mut response, part, object.size, range.is_some());
    Ok(response)
}

/// Copies an object, within a bucket or from another: its content passes in pieces.
async fn copy(r2: &R2, bucket: &Bucket, key: &str, asked: &Asked<'_>) -> Result<Response<Body>, Fault> {
    let wrong = || Fault::ARGUMENT.saying("x-amz-copy-source is /BUCKET/KEY, percent-encoded");
    let source = decoded(asked.field("x-amz-copy-source").unwrap_or_default()).ok_or_else(wrong)?;
    let source = String::from_utf8(source).map_err(|_| wrong())?;
    let (from, of) = source.strip_prefix('/').unwrap_or(&source).split_once('/').ok_or_else(wrong)?;
    let from = r2.bucket(&BucketName::parse(from).ok_or(Fault::NO_BUCKET)?);
    let found = from.get(of, &GetOptions::default()).await?.ok_or(Fault::NO_KEY)?;
    let body = found.body.ok_or(Fault::NO_KEY)?;
    let is_replaced = asked.field("x-amz-metadata-directive") == Some("REPLACE");
    let metadata = if is_replaced { fields::metadata(asked)? } else { found.object.metadata };
    let options = PutOptions { metadata, ..PutOptions::default() };
    let pieces = body.into_stream().map(|piece| piece.map_err(|error| error.to_string()));
    let made = bucket.put(key, Incoming::new(pieces, Some(found.object.size)), options).await?;
    let made = made.ok_or(Fault::CONDITION)?;
    let mut xml = Xml::new();
    xml.begin("CopyObjectResult").text("LastModified", &lists::moment(made.uploaded));
    xml.text("ETag", &made.http_etag()).close("CopyObjectResult");
    Ok(document_of(xml))
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
    for key in &keys {
        xml.open("Deleted").text("Key", key).close("Deleted");
    }
    xml.close("DeleteResult");
    Ok(document_of(xml))
}
