//! The upload of a folder through the v4 API: begin a session, send what it lacks, bring back its token.
//!
//! Owns the buckets on their way: a few at the same time, each tried again after a pause that grows. A session
//! that ends midway is followed by another one. Whatever ends it all, what has arrived stays: the next session
//! asks only for the rest.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use futures::{StreamExt as _, TryStreamExt as _};
use reqwest::{Method, StatusCode};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use wasmyard_namespaces::assets::ContentType;
use wasmyard_namespaces::{AssetHash, AssetPath, Declared};
use wasmyard_node::assets::{AssetsSource, FolderError, Found, Hashed};

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
pub(super) struct Uploaded {
    /// `assets` of the metadata.
    pub(super) metadata: Value,
}

/// Uploads a folder for the script at `path` below `/accounts/{id}/workers`.
///
/// # Errors
/// The [`Failure`] that decides the exit code.
pub(super) async fn run(
    client: &Client,
    path: &[&str],
    source: &AssetsSource,
    output: &Output,
) -> Result<Uploaded, Failure> {
    let wanted = source.clone();
    let scanned = tokio::task::spawn_blocking(move || {
        let folder = wanted.scan()?;
        let (config, links, private) = (folder.config.clone(), folder.links.len(), folder.left_out());
        Ok::<_, FolderError>((folder.hash()?, config, links, private))
    });
    let (hashed, config, links, private) =
        scanned.await.map_err(|error| Failure::failed(error.to_string()))??;
    if hashed.files.is_empty() {
        output.note(&format!("warning: there is no file to serve in {}", source.directory.display()));
    }
    if let Some(private) = private {
        output.note(&format!("warning: {private}"));
    }
    if links > 0 {
        output.note(&format!("warning: {links} links in {} are left out", source.directory.display()));
    }
    for (file, mistake) in config.mistakes() {
        let file = source.directory.join(file);
        output.note(&format!("warning: {}: {mistake}; this line is left out", file.display()));
    }
    let path: Vec<&str> = path.iter().copied().chain(["assets-upload-session"]).collect();
    let manifest = manifest(&hashed);
    let mut before = usize::MAX;
    let completion = loop {
        let begun = client.call(Method::POST, &path, &[], Body::Json(manifest.clone())).await?;
        let Begun { jwt: token, buckets } = serde_json::from_value(begun)
            .map_err(|_| Failure::failed("the API did not say which contents it lacks"))?;
        let missing: usize = buckets.iter().map(Vec::len).sum();
        output.note(&format!("{} files, {missing} to upload", hashed.files.len()));
        if missing == 0 {
            break token;
        }
        // Each session brings some files in, or there is no point in another one.
        if missing >= before {
            return Err(Failure::with_remedy(
                "the API ends upload sessions before any file has arrived",
                "look at the server's log and at its clock",
            ));
        }
        before = missing;
        match send_all(client, &token, &hashed, buckets, output).await? {
            Some(completion) => break completion,
            None => output.note("the upload session has ended; another one is begun for the rest"),
        }
    };
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

/// A session on the side of the client.
struct Session<'s> {
    token: &'s str,
    /// Its token is refused: nothing more is sent with it. What is on its way already may still arrive.
    over: AtomicBool,
}

/// Sends all buckets. Returns the completion token; none when the session ended before all had arrived.
async fn send_all(
    client: &Client,
    token: &str,
    hashed: &Hashed,
    buckets: Vec<Vec<AssetHash>>,
    output: &Output,
) -> Result<Option<String>, Failure> {
    let session = &Session { token, over: AtomicBool::new(false) };
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
    match tokens?.into_iter().flatten().next_back() {
        None if !session.over.load(Ordering::Relaxed) => Err(Failure::with_remedy(
            "the API took all files and gave no completion token",
            "deploy again: only what is missing is uploaded",
        )),
        completion => Ok(completion),
    }
}

/// Sends one bucket until it has arrived, or the session is over.
async fn send(
    client: &Client,
    session: &Session<'_>,
    files: Arc<Hashed>,
    progress: &Progress,
) -> Result<Option<String>, Failure> {
    let bytes: u64 = files.files.iter().map(|(_, declared)| declared.size).sum();
    let mut attempt = 1;
    loop {
        if session.over.load(Ordering::Relaxed) {
            return Ok(None);
        }
        // Read anew each time, so that waiting holds no memory.
        let read = Arc::clone(&files);
        let contents = tokio::task::spawn_blocking(move || contents(&read)).await;
        let contents = contents.map_err(|error| Failure::failed(error.to_string()))??;
        match client.upload_contents(session.token, contents).await {
            Ok(result) => {
                progress.add(bytes);
                return Ok(result.get("jwt").and_then(Value::as_str).map(str::to_owned));
            }
            Err(error) if attempt < ATTEMPTS && may_pass(&error) => {
                tokio::time::sleep(PAUSE * 2_u32.pow(attempt - 1)).await;
                attempt += 1;
            }
            Err(ClientError::Refused { status: StatusCode::UNAUTHORIZED, .. }) => {
                session.over.store(true, Ordering::Relaxed);
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
