//! Buckets: which there are, and one more.

use axum::body::Body;
use http::{HeaderValue, Response, header};
use wasmyard_namespaces::BucketName;
use wasmyard_r2::{R2, StorageClass};

use super::document_of;
use super::lists::moment;
use crate::fault::Fault;
use crate::xml::{Xml, child};

/// Buckets that are listed.
const MOST_BUCKETS: usize = 1_000;

pub(super) async fn list(r2: &R2) -> Result<Response<Body>, Fault> {
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

/// Makes a bucket. It is kept where its maker wants it, and means nothing: there is one place.
pub(super) async fn create(r2: &R2, name: &BucketName, document: Vec<u8>) -> Result<Response<Body>, Fault> {
    let place = match document.is_empty() {
        true => None,
        false => {
            child(&document, "LocationConstraint")?.filter(|place| !place.is_empty() && place.len() <= 64)
        }
    };
    r2.create(name, place, StorageClass::default()).await?;
    tracing::info!(bucket = %name, "bucket made");
    let mut response = Response::new(Body::empty());
    let place = HeaderValue::from_str(&format!("/{name}")).ok();
    response.headers_mut().extend(place.map(|place| (header::LOCATION, place)));
    Ok(response)
}
