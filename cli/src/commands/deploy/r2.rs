//! Buckets that a configuration names, made through the API where they are missing.

use reqwest::Method;
use serde_json::json;
use wasmyard_namespaces::BucketName;

use crate::client::{Body, Client};
use crate::failure::Failure;

/// Makes a bucket, unless it is there.
pub(super) async fn ensure(client: &Client, bucket: &BucketName) -> Result<(), Failure> {
    const BUCKET_EXISTS: i64 = 10_004;
    let wanted = Body::Json(json!({ "name": bucket.as_str() }));
    match client.call_account(Method::POST, &["r2", "buckets"], &[], wanted).await {
        Err(error) if error.code() == Some(BUCKET_EXISTS) => Ok(()),
        made => made.map(drop).map_err(Failure::from),
    }
}
