//! What serving reads of assets is what was put, and goes with it.

use super::*;
use wasmyard_model::assets::{AssetContent, AssetScope, Encoding, Manifest};

mod collect;
mod upload;

use wasmyard_model::assets::{AssetDraft, AssetHash, AssetPath, AssetsConfig, Declared, Served};
use wasmyard_model::script::AssetsUpload;

const HOUR: Duration = Duration::from_secs(3_600);

fn hash(content: &str) -> AssetHash {
    let mut hash = [0; 16];
    hash.copy_from_slice(&Digest::of(content.as_bytes()).as_bytes()[..16]);
    AssetHash::from_bytes(hash)
}

fn asset_draft(files: &[(&str, &str)]) -> AssetDraft {
    let file = |(path, content): &(&str, &str)| {
        (AssetPath::parse(path).unwrap(), Declared { hash: hash(content), size: content.len() as u64 })
    };
    AssetDraft::new(files.iter().map(file).collect()).unwrap()
}

async fn begin(registry: &Registry, key: &ScriptKey, files: &[(&str, &str)]) -> Arc<AssetSession> {
    registry.begin_assets(key, asset_draft(files), HOUR).await.unwrap()
}

async fn put(registry: &Registry, session: &AssetSession, content: &str) -> Result<()> {
    let bytes = Bytes::copy_from_slice(content.as_bytes());
    registry.put_asset(session, hash(content), Served::ByName, bytes).await
}

/// Uploads what is missing and deploys it without code.
async fn deploy_assets(registry: &Registry, key: &ScriptKey, files: &[(&str, &str)]) -> Result<Arc<Script>> {
    let session = begin(registry, key, files).await;
    for missing in registry.missing_assets(&session).await? {
        let (_, content) = files.iter().find(|(_, content)| hash(content) == missing.hash).unwrap();
        put(registry, &session, content).await?;
    }
    let assets = registry.finish_assets(&session).await?;
    let draft = UploadDraft {
        assets: AssetsUpload::Attach { assets, config: AssetsConfig::default() },
        ..UploadDraft::default()
    };
    registry.deploy(key, Upload::parse(draft).unwrap()).await
}

/// What a script serves, read to the end.
async fn served(registry: &Registry, script: &Script) -> Vec<(String, String)> {
    let assets = script.version.assets.as_ref().unwrap();
    let manifest = registry.manifest(&assets.manifest).await.unwrap();
    let mut served = Vec::new();
    for (path, entry) in manifest.iter() {
        let content = read(registry.asset(&assets.scope, &entry.digest).await.unwrap()).await;
        served.push((path.to_owned(), String::from_utf8(content).unwrap()));
    }
    served
}

fn texts(files: &[(&str, &str)]) -> Vec<(String, String)> {
    let mut texts: Vec<_> =
        files.iter().map(|(path, content)| ((*path).to_owned(), (*content).to_owned())).collect();
    texts.sort();
    texts
}

async fn read(content: AssetContent) -> Vec<u8> {
    match content {
        AssetContent::Memory(bytes) => bytes.to_vec(),
        AssetContent::File { file, len } => {
            let mut bytes = Vec::new();
            std::io::Read::read_to_end(&mut &file, &mut bytes).unwrap();
            assert_eq!(bytes.len() as u64, len);
            bytes
        }
    }
}

#[tokio::test]
async fn a_manifest_is_read_once_and_held() {
    let registry = registry().await;
    let manifest = Manifest::new(AssetScope::platform(), Vec::new()).unwrap();
    let digest = registry.put_component(manifest.encode()).await.unwrap();
    assert!(registry.manifest_cached(&digest).is_none());
    let read = registry.manifest(&digest).await.unwrap();
    assert!(Arc::ptr_eq(&read, &registry.manifest(&digest).await.unwrap()));
    assert!(registry.manifest_cached(&digest).is_some_and(|cached| Arc::ptr_eq(&cached, &read)));
    let other = registry.put_component(Bytes::from_static(b"no manifest")).await.unwrap();
    let unreadable = registry.manifest(&other).await.unwrap_err();
    assert_eq!(unreadable.to_string(), format!("the manifest {other} cannot be read"));
    let missing = registry.manifest(&Digest::of(b"missing")).await.unwrap_err();
    assert_eq!(
        (missing.kind(), missing.to_string().as_str()),
        (
            ErrorKind::Internal,
            format!("the registry's blob store failed: there is no blob {}", Digest::of(b"missing")).as_str()
        )
    );
}

#[tokio::test]
async fn a_variant_is_what_was_put_and_goes_with_its_source() {
    let folder = tempfile::tempdir().unwrap();
    let options = RegistryOptions { blob_grace: Duration::ZERO, ..RegistryOptions::default() };
    let registry = Registry::open_directory(folder.path(), options).await.unwrap();
    let (scope, source) = (AssetScope::namespace("n"), Digest::of(b"source"));
    let name = wasmyard_model::assets::content_blob(&scope, &source);
    registry.inner.blobs.put_as(&name, Bytes::from_static(b"source")).await.unwrap();
    let referred = wasmyard_stores::Write::put(format!("ref/{name}/somebody"), "{}");
    registry.inner.log.store().append(&[], std::slice::from_ref(&referred)).await.unwrap();
    assert!(registry.variant(&scope, &source, Encoding::Br).await.unwrap().is_none());
    registry.put_variant(&scope, &source, Encoding::Br, Bytes::from_static(b"small")).await.unwrap();
    let (variant, digest) = registry.variant(&scope, &source, Encoding::Br).await.unwrap().unwrap();
    assert_eq!((read(variant).await.as_slice(), digest), (&b"small"[..], Digest::of(b"small")));
    assert_eq!(read(registry.asset(&scope, &source).await.unwrap()).await, b"source");
    for elsewhere in [AssetScope::platform(), AssetScope::namespace("m")] {
        assert!(registry.variant(&elsewhere, &source, Encoding::Br).await.unwrap().is_none());
        assert!(registry.asset(&elsewhere, &source).await.is_err());
    }
    assert_eq!(registry.collect_garbage().await.unwrap(), Swept::default());
    registry.inner.log.store().append(&[], &[wasmyard_stores::Write::delete(referred.key())]).await.unwrap();
    let mut swept = registry.collect_garbage().await.unwrap().blobs;
    // The variant may have been looked at before its source went.
    swept += registry.collect_garbage().await.unwrap().blobs;
    assert_eq!(swept, 2);
    assert!(registry.variant(&scope, &source, Encoding::Br).await.unwrap().is_none());
    assert_eq!(registry.inner.log.store().count("variant/").await.unwrap(), 0);
    assert_eq!(registry.inner.log.store().count("ref/").await.unwrap(), 0);
}
