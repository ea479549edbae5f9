//! The upload of a folder through the v4 API: begin a session, send what it lacks, bring back its token.
//!
//! Owns the buckets on their way: a few at the same time, each tried again after a pause that grows. Whatever
//! ends it, what has arrived stays: the next session asks only for the rest.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use futures::{StreamExt as _, TryStreamExt as _};
use reqwest::Method;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use wasmyard_namespaces::assets::ContentType;
use wasmyard_namespaces::{AssetHash, AssetPath, Declared};

use super::{AssetsSource, FolderError, Found, Hashed};
use crate::client::{Body, Client, ClientError, Content};
use crate::failure::Failure;
use crate::output::{Output, Progress};

/// Buckets on their way at the same time.
const AT_ONCE: usize = 4;
/// How often a bucket is sent.
const ATTEMPTS: u32 = 5;
/// The pause before the second attempt; each later one is twice as long.
const PAUSE: Duration = Duration::from_millis(500);
/// What wrangler and SDKs call the lack of a content type.
const UNTYPED: &str = "application/null";

/// A session, as the API gives it.
#[derive(Deserialize)]
struct Begun {
    jwt: String,
    buckets: Vec<Vec<AssetHash>>,
}

/// What a deploy sends beside the metadata of the script.
#[derive(Debug)]
pub struct Uploaded {
    /// `assets` of the metadata.
    pub metadata: Value,
}

/// Uploads a folder for the script at `path` below `/accounts/{id}/workers`.
///
/// # Errors
/// The [`Failure`] that decides the exit code.
pub async fn run(
    client: &Client,
    path: &[&str],
    source: &AssetsSource,
    output: &Output,
) -> Result<Uploaded, Failure> {
    let wanted = source.clone();
    let scanned = tokio::task::spawn_blocking(move || {
        let folder = wanted.scan()?;
        let (config, links) = (folder.config.clone(), folder.links.len());
        Ok::<_, FolderError>((folder.hash()?, config, links))
    });
    let (hashed, config, links) = scanned.await.map_err(|error| Failure::failed(error.to_string()))??;
    if links > 0 {
        output.note(&format!("warning: {links} links in {} are left out", source.directory.display()));
    }
    let path: Vec<&str> = path.iter().copied().chain(["assets-upload-session"]).collect();
    let begun = client.call(Method::POST, &path, &[], Body::Json(manifest(&hashed))).await?;
    let Begun { jwt: token, buckets } = serde_json::from_value(begun)
        .map_err(|_| Failure::failed("the API did not say which contents it lacks"))?;
    let missing: usize = buckets.iter().map(Vec::len).sum();
    output.note(&format!("{} files, {missing} to upload", hashed.files.len()));
    let completion =
        if missing == 0 { token } else { send_all(client, &token, &hashed, buckets, output).await? };
    Ok(Uploaded { metadata: json!({ "jwt": completion, "config": config }) })
}

fn manifest(hashed: &Hashed) -> Value {
    let files: Map<String, Value> = hashed
        .files
        .iter()
        .map(|(found, declared)| {
            (found.path.to_string(), json!({ "hash": declared.hash, "size": declared.size }))
        })
        .collect();
    json!({ "manifest": files })
}

async fn send_all(
    client: &Client,
    session: &str,
    hashed: &Hashed,
    buckets: Vec<Vec<AssetHash>>,
    output: &Output,
) -> Result<String, Failure> {
    let by_hash = hashed.by_hash();
    let bytes = buckets.iter().flatten().filter_map(|hash| by_hash.get(hash)).map(|(_, of)| of.size).sum();
    let progress = output.upload("assets", bytes);
    let sending = futures::stream::iter(buckets.into_iter().map(|bucket| {
        let files: Vec<_> =
            bucket.iter().filter_map(|hash| by_hash.get(hash)).map(|file| (*file).clone()).collect();
        send(client, session, Arc::new(Hashed { files }), &progress)
    }));
    let tokens: Result<Vec<Option<String>>, Failure> = sending.buffer_unordered(AT_ONCE).try_collect().await;
    progress.done();
    tokens?.into_iter().flatten().next_back().ok_or_else(|| {
        Failure::with_remedy(
            "the API took all files and gave no completion token",
            "deploy again: only what is missing is uploaded",
        )
    })
}

/// Sends one bucket until it has arrived.
async fn send(
    client: &Client,
    session: &str,
    files: Arc<Hashed>,
    progress: &Progress,
) -> Result<Option<String>, Failure> {
    let bytes: u64 = files.files.iter().map(|(_, declared)| declared.size).sum();
    let mut attempt = 1;
    loop {
        // Read anew each time, so that waiting holds no memory.
        let read = Arc::clone(&files);
        let contents = tokio::task::spawn_blocking(move || contents(&read)).await;
        let contents = contents.map_err(|error| Failure::failed(error.to_string()))??;
        match client.upload_contents(session, contents).await {
            Ok(result) => {
                progress.add(bytes);
                return Ok(result.get("jwt").and_then(Value::as_str).map(str::to_owned));
            }
            Err(error) if attempt < ATTEMPTS && may_pass(&error) => {
                tokio::time::sleep(PAUSE * 2_u32.pow(attempt - 1)).await;
                attempt += 1;
            }
            Err(error) => return Err(error.into()),
        }
    }
}

fn contents(files: &Hashed) -> Result<Vec<Content>, FolderError> {
    let content = |(found, declared): &(Found, Declared)| {
        Ok(Content {
            name: declared.hash.to_string(),
            content_type: content_type(&found.path),
            base64: BASE64.encode(found.read_again(declared)?),
        })
    };
    files.files.iter().map(content).collect()
}

fn content_type(path: &AssetPath) -> String {
    ContentType::guess(path.as_str()).map_or_else(|| UNTYPED.to_owned(), |known| known.to_string())
}

/// Whether the same request may succeed later.
fn may_pass(error: &ClientError) -> bool {
    match error {
        ClientError::Unreachable { .. } | ClientError::Interrupted { .. } => true,
        ClientError::Refused { status, .. } | ClientError::NotTheApi { status, .. } => {
            status.is_server_error() || matches!(status.as_u16(), 408 | 429)
        }
        ClientError::BadUrl { .. } => false,
    }
}
