//! Owns the calls on uploads of static assets: begin a session, take contents, recognise a finished upload.
//! Must never take a content without the token of its session, nor hold more of an upload than one content and
//! the few that are being written.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use http::StatusCode;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use wasmyard_namespaces::{AssetDraft, AssetSession, AssetUploadError, Declared, RegistryError, ScriptKey};

use crate::body::{self, Bounds};
use crate::envelope::{Answer, Reply};
use crate::error::{ApiError, Code};
use crate::guard;
use crate::multipart::{self, reader::FormReader};
use crate::spool;
use crate::state::{Shared, SharedState};
use crate::target::{Account, QueryOf, Target};
use manifest::Files;
use receive::Receiver;
use token::{Claims, Purpose};

mod base64;
mod manifest;
mod receive;
mod token;

/// How long a session and its tokens last.
const LIFETIME: Duration = Duration::from_secs(3_600);
/// Contents in one bucket. Small ones cost requests, not bytes.
const BUCKET_FILES: usize = 250;
/// Bytes of the contents of one bucket; a larger content has a bucket of its own.
const BUCKET_BYTES: u64 = 16 << 20;

/// What is going to be uploaded.
#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "AssetsManifest")]
pub(crate) struct Begin {
    /// Every file by its path, with the client's hash of it and its size in bytes.
    #[schemars(with = "std::collections::BTreeMap<String, manifest::File>")]
    manifest: Files,
}

/// A session.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "AssetsSession")]
pub(crate) struct Begun {
    /// The bearer token of the uploads; when nothing is missing, the completion token.
    jwt: String,
    /// Hashes of missing contents: those of one list are uploaded by one request.
    buckets: Vec<Vec<String>>,
}

/// What an upload of contents led to.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "AssetsUploaded")]
pub(crate) struct Uploaded {
    /// The completion token, once all contents are there.
    #[serde(skip_serializing_if = "Option::is_none")]
    jwt: Option<String>,
}

/// `?base64=`
#[derive(Deserialize)]
pub(crate) struct UploadQuery {
    base64: Option<String>,
}

pub(crate) async fn begin(
    State(shared): SharedState,
    Target(key): Target,
    Account(account): Account,
    request: Request,
) -> Answer<Begun> {
    if let Some(namespace) = key.namespace() {
        shared.control.existing_namespace(namespace).await?;
    }
    let limits = &shared.api.limits;
    let bounds = Bounds { bytes: limits.manifest_bytes, idle: limits.idle, total: limits.upload };
    let (parts, body) = spool::arrived(&shared, request, bounds).await?.into_parts();
    let _permit = shared.asset_permit().await?;
    let whole = body::read(&parts.headers, body, bounds).await?;
    // Twenty thousand files take tens of milliseconds: too long for a thread that serves others.
    let draft = tokio::task::spawn_blocking(move || draft(&whole)).await.map_err(ApiError::internal)??;
    let session = shared.registry().begin_assets(&key, draft, LIFETIME).await?;
    let missing = shared.registry().missing_assets(&session).await?;
    tracing::info!(script = %key, files = session.draft.len(), missing = missing.len(), "upload of assets begun");
    let purpose = if missing.is_empty() { Purpose::Deploy } else { Purpose::Upload };
    let claims = Claims::new(purpose, &account, key.to_string(), &session);
    let jwt = claims.sign(&shared.registry().asset_token_key().await?);
    Ok(Reply::ok(Begun { jwt, buckets: buckets(&missing) }))
}

fn draft(body: &[u8]) -> Result<AssetDraft, ApiError> {
    let begin: Begin = body::parse(body)?;
    begin.manifest.into_draft()
}

/// Groups what is missing. The order is that of the paths: a folder's files travel together.
fn buckets(missing: &[Declared]) -> Vec<Vec<String>> {
    let mut buckets: Vec<Vec<String>> = Vec::new();
    let mut bytes = 0;
    for declared in missing {
        bytes += declared.size;
        match buckets.last_mut() {
            Some(bucket) if bucket.len() < BUCKET_FILES && bytes <= BUCKET_BYTES => {
                bucket.push(declared.hash.to_string());
            }
            Some(_) | None => {
                bytes = declared.size;
                buckets.push(vec![declared.hash.to_string()]);
            }
        }
    }
    buckets
}

pub(crate) async fn upload(
    State(shared): SharedState,
    Account(account): Account,
    QueryOf(query): QueryOf<UploadQuery>,
    request: Request,
) -> Answer<Uploaded> {
    let (parts, body) = request.into_parts();
    let key = shared.registry().asset_token_key().await?;
    let now = shared.registry().clock().now();
    let claims = guard::bearer(&parts.headers)
        .ok_or(token::Fault::Unreadable)
        .and_then(|token| Claims::verify(&key, token, Purpose::Upload, &account, now))
        .map_err(|fault| ApiError::new(Code::Authentication, format!("Authentication error: {fault}.")))?;
    if query.base64.as_deref() != Some("true") {
        return Err(ApiError::parameter("contents come in Base64: add ?base64=true to the path"));
    }
    let session = shared.registry().asset_session(&claims.scope(), &claims.session).await.map_err(ended)?;
    let boundary = multipart::of_headers(&parts.headers).ok_or_else(|| {
        ApiError::new(
            Code::ContentType,
            "Content-Type must be multipart/form-data, with a part for each content.",
        )
    })?;
    let boundary = boundary.map_err(multipart::unparsable)?;
    let limits = &shared.api.limits;
    let bounds = Bounds { bytes: limits.asset_upload_bytes, idle: limits.idle, total: limits.upload };
    let arrived = spool::arrived(&shared, Request::from_parts(parts, body), bounds).await?;
    let body = arrived.into_body();
    let _permit = shared.asset_permit().await?;
    let form = FormReader::new(body, &boundary, bounds, limits.asset_parts);
    Receiver::new(shared.registry().clone(), Arc::clone(&session)).receive(form).await?;
    if !shared.registry().missing_assets(&session).await?.is_empty() {
        return Ok(Reply::ok(Uploaded { jwt: None }).with_status(StatusCode::ACCEPTED));
    }
    let jwt = Claims::new(Purpose::Deploy, &account, claims.script, &session).sign(&key);
    Ok(Reply::ok(Uploaded { jwt: Some(jwt) }).with_status(StatusCode::CREATED))
}

/// For an upload, a session that is gone is a token that is worth nothing any more.
fn ended(error: RegistryError) -> ApiError {
    match error {
        RegistryError::Assets(AssetUploadError::NoSession) => {
            ApiError::new(Code::Authentication, format!("Authentication error: {}.", token::Fault::Expired))
        }
        other => other.into(),
    }
}

/// The session whose contents are all there, by its completion token for this very script.
pub(crate) async fn completed(
    shared: &Shared,
    account: &str,
    key: &ScriptKey,
    token: &str,
) -> Result<Arc<AssetSession>, ApiError> {
    let refused = |fault: token::Fault| {
        ApiError::new(Code::CompletionToken, format!("assets.jwt cannot be used: {fault}."))
    };
    let secret = shared.registry().asset_token_key().await?;
    let now = shared.registry().clock().now();
    let claims = Claims::verify(&secret, token, Purpose::Deploy, account, now).map_err(refused)?;
    if claims.script != key.to_string() {
        return Err(refused(token::Fault::OtherScript));
    }
    let session = shared.registry().asset_session(&claims.scope(), &claims.session).await?;
    if session.manifest.to_string() != claims.manifest {
        return Err(refused(token::Fault::Signature));
    }
    let missing = shared.registry().missing_assets(&session).await?.len();
    if missing > 0 {
        return Err(AssetUploadError::Incomplete { missing }.into());
    }
    Ok(session)
}

/// `assets` that say nothing of which.
pub(crate) fn no_token() -> ApiError {
    ApiError::invalid(
        "metadata.assets lacks \"jwt\": put the completion token of an upload there, or set \"keep_assets\" to keep those of the version before",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_are_bounded_in_number_and_bytes_and_keep_the_order() {
        let declared = |n: usize, size| {
            let mut hash = [0; 16];
            hash[..8].copy_from_slice(&n.to_be_bytes());
            Declared { hash: wasmyard_namespaces::AssetHash::from_bytes(hash), size }
        };
        let small: Vec<_> = (0..601).map(|n| declared(n, 10)).collect();
        let sizes = |buckets: &[Vec<String>]| buckets.iter().map(Vec::len).collect::<Vec<_>>();
        let grouped = buckets(&small);
        assert_eq!(sizes(&grouped), [250, 250, 101]);
        let flat: Vec<_> = grouped.concat();
        assert!(flat.iter().zip(&small).all(|(hash, declared)| *hash == declared.hash.to_string()));
        let large: Vec<_> =
            [25 << 20, 1, 10 << 20, 6 << 20, 0].iter().enumerate().map(|(n, s)| declared(n, *s)).collect();
        assert_eq!(sizes(&buckets(&large)), [1, 2, 2]);
        assert!(buckets(&[]).is_empty());
    }
}
