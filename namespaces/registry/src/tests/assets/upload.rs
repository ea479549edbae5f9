//! An upload asks for what is missing, takes what was declared, and serves what was taken.

use super::*;
use wasmyard_model::assets::AssetUploadError;
use wasmyard_model::code::CodeUpload;

const SITE: [(&str, &str); 4] =
    [("/index.html", "home"), ("/copy.html", "home"), ("/style.css", "body{}"), ("/empty", "")];

fn refused<T: std::fmt::Debug>(result: Result<T>) -> AssetUploadError {
    match result.unwrap_err() {
        RegistryError::Assets(error) => error,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn only_what_is_missing_is_asked_for_once_and_in_the_order_of_paths() {
    let registry = registry().await;
    let key = user("production", "a");
    let session = begin(&registry, &key, &SITE).await;
    let missing = registry.missing_assets(&session).await.unwrap();
    let hashes: Vec<_> = missing.iter().map(|declared| declared.hash).collect();
    assert_eq!(hashes, ["home", "", "body{}"].map(hash));
    put(&registry, &session, "home").await.unwrap();
    assert_eq!(registry.missing_assets(&session).await.unwrap().len(), 2);
    assert_eq!(refused(registry.finish_assets(&session).await), AssetUploadError::Incomplete { missing: 2 });
    // Another script of the namespace has the same content already; one of another namespace has not.
    let other = begin(&registry, &user("production", "b"), &[("/x", "home")]).await;
    assert_eq!(registry.missing_assets(&other).await.unwrap(), []);
    registry.create_namespace(NewNamespace::named(ns("staging"))).await.unwrap();
    for elsewhere in [user("staging", "a"), platform("a")] {
        let session = begin(&registry, &elsewhere, &[("/x", "home")]).await;
        assert_eq!(registry.missing_assets(&session).await.unwrap().len(), 1);
    }
}

#[tokio::test]
async fn what_was_uploaded_is_served_and_kept_over_new_code_and_new_settings() {
    let registry = registry().await;
    let key = user("production", "a");
    let script = deploy_assets(&registry, &key, &SITE).await.unwrap();
    assert_eq!(served(&registry, &script).await, texts(&SITE));
    let assets = script.version.assets.clone().unwrap();
    assert_eq!((assets.files, assets.bytes, script.version.code.loads()), (4, 14, None));
    let manifest = registry.manifest(&assets.manifest).await.unwrap();
    let content_type = |path| manifest.get(path).unwrap().content_type.as_ref().map(ToString::to_string);
    assert_eq!(content_type("/style.css").as_deref(), Some("text/css; charset=utf-8"));
    assert_eq!(content_type("/empty"), None);

    let config = AssetsConfig { immutable_fingerprinted: true, ..AssetsConfig::default() };
    let keep = UploadDraft {
        assets: AssetsUpload::Keep { config: Some(config.clone()) },
        ..draft(&registry, "code").await
    };
    let with_code = registry.deploy(&key, Upload::parse(keep).unwrap()).await.unwrap();
    let kept = with_code.version.assets.clone().unwrap();
    assert_eq!((kept.manifest, kept.config), (assets.manifest, config));
    assert_ne!(with_code.version.etag, script.version.etag);
    let patched =
        registry.update_settings(&key, wasmyard_model::script::SettingsPatch::default()).await.unwrap();
    assert_eq!(patched.version.assets, with_code.version.assets);
    // The code stays when only files come.
    let session = begin(&registry, &key, &SITE[..1]).await;
    let files = registry.finish_assets(&session).await.unwrap();
    let only_files = UploadDraft {
        code: CodeUpload::Keep,
        assets: AssetsUpload::Attach { assets: files, config: AssetsConfig::default() },
        ..UploadDraft::default()
    };
    let script = registry.deploy(&key, Upload::parse(only_files).unwrap()).await.unwrap();
    assert_eq!(script.version.code, with_code.version.code);
    assert_eq!(script.version.code.main_module(), "worker.wasm");
    assert_eq!(served(&registry, &script).await, texts(&SITE[..1]));
    // A deploy that says nothing of assets has none.
    assert_eq!(deploy(&registry, &key, "code").await.version.assets, None);
    let empty = Upload::parse(UploadDraft::default()).unwrap();
    assert!(matches!(
        registry.deploy(&key, empty).await,
        Err(RegistryError::Upload(wasmyard_model::script::UploadError::Empty))
    ));
}

#[tokio::test]
async fn a_hash_means_one_content_for_ever() {
    let registry = registry().await;
    let key = user("production", "a");
    let session = begin(&registry, &key, &[("/a", "first")]).await;
    put(&registry, &session, "first").await.unwrap();
    put(&registry, &session, "first").await.unwrap();
    let put_as = |bytes: &'static [u8]| {
        registry.put_asset(&session, hash("first"), Served::ByName, Bytes::from_static(bytes))
    };
    assert_eq!(refused(put_as(b"other").await), AssetUploadError::OtherContent { hash: hash("first") });
    let size = refused(put_as(b"firs").await);
    assert_eq!(size, AssetUploadError::Size { hash: hash("first"), found: 4, declared: 5 });
    assert_eq!(
        refused(put(&registry, &session, "unknown").await),
        AssetUploadError::NotDeclared { hash: hash("unknown") }
    );
    // A second session that says another size is asked for the content, and cannot give one.
    let declared = Declared { hash: hash("first"), size: 4 };
    let lying = AssetDraft::new(vec![(AssetPath::parse("/a").unwrap(), declared)]).unwrap();
    let lying = registry.begin_assets(&key, lying, HOUR).await.unwrap();
    assert_eq!(registry.missing_assets(&lying).await.unwrap(), [declared]);
    let put = registry.put_asset(&lying, hash("first"), Served::ByName, Bytes::from_static(b"firs")).await;
    assert_eq!(refused(put), AssetUploadError::OtherContent { hash: hash("first") });
    let script = deploy_assets(&registry, &key, &[("/a", "first")]).await.unwrap();
    assert_eq!(served(&registry, &script).await, texts(&[("/a", "first")]));
}

#[tokio::test]
async fn a_session_is_found_by_its_id_in_its_scope_until_it_ends() {
    let registry = registry().await;
    let key = user("production", "a");
    let session = begin(&registry, &key, &SITE).await;
    let again = registry.asset_session(&session.scope, &session.id).await.unwrap();
    assert_eq!(again.draft, session.draft);
    // Another node knows nothing but the store.
    let (store, blobs) = (Arc::clone(registry.inner.log.store()), registry.inner.blobs.clone());
    let node = Registry::open(store, blobs).await.unwrap();
    let read = node.asset_session(&session.scope, &session.id).await.unwrap();
    assert_eq!((&read.draft, read.manifest), (&session.draft, session.manifest));
    let over = registry.begin_assets(&key, asset_draft(&SITE), Duration::ZERO).await.unwrap();
    for (scope, id) in [
        (&AssetScope::platform(), session.id.as_str()),
        (&session.scope, "nobody"),
        (&session.scope, over.id.as_str()),
    ] {
        assert_eq!(refused(registry.asset_session(scope, id).await), AssetUploadError::NoSession);
    }
    let nowhere = registry.begin_assets(&user("nowhere", "a"), asset_draft(&SITE), HOUR).await;
    assert!(matches!(nowhere, Err(RegistryError::NamespaceNotFound(_))));
    // All nodes sign with one key, which is not that of another store.
    let key = registry.asset_token_key().await.unwrap();
    assert_eq!(key.expose().len(), 64);
    assert_eq!(node.asset_token_key().await.unwrap(), key);
    let other = super::super::registry().await;
    assert_ne!(other.asset_token_key().await.unwrap(), key);
}

#[tokio::test]
async fn assets_of_one_namespace_cannot_be_attached_in_another() {
    let registry = registry().await;
    let session = begin(&registry, &user("production", "a"), &[]).await;
    let assets = registry.finish_assets(&session).await.unwrap();
    let attach = || {
        let assets = AssetsUpload::Attach { assets: assets.clone(), config: AssetsConfig::default() };
        Upload::parse(UploadDraft { assets, ..UploadDraft::default() }).unwrap()
    };
    let script = registry.deploy(&user("production", "a"), attach()).await.unwrap();
    assert_eq!(script.version.assets.as_ref().map(|assets| assets.files), Some(0));
    let refused = refused(registry.deploy(&platform("a"), attach()).await);
    assert_eq!(refused, AssetUploadError::OtherScope { script: "a".to_owned() });
    // A namespace that was made anew under the old name is another one.
    registry.delete_namespace(&ns("production")).await.unwrap();
    registry.create_namespace(NewNamespace::named(ns("production"))).await.unwrap();
    assert!(registry.deploy(&user("production", "a"), attach()).await.is_err());
}

#[tokio::test]
async fn a_damaged_file_is_found_refused_asked_for_again_and_healed() {
    let folder = tempfile::tempdir().unwrap();
    let registry = Registry::open_directory(folder.path(), RegistryOptions::default()).await.unwrap();
    let key = platform("a");
    let script = deploy_assets(&registry, &key, &[("/a", "good")]).await.unwrap();
    let (scope, digest) = (AssetScope::platform(), Digest::of(b"good"));
    let name = wasmyard_model::assets::content_blob(&scope, &digest).to_string();
    let file = folder.path().join("blobs").join(&name[..2]).join(&name[2..]);
    assert_eq!(std::fs::read(&file).unwrap(), b"good");
    std::fs::write(&file, b"evil").unwrap();
    // One opening in many is checked, behind the back of whoever opened it.
    until(async || registry.asset(&scope, &digest).await.is_err()).await;
    let session = begin(&registry, &key, &[("/a", "good")]).await;
    assert_eq!(registry.missing_assets(&session).await.unwrap().len(), 1);
    put(&registry, &session, "good").await.unwrap();
    assert_eq!(registry.missing_assets(&session).await.unwrap(), []);
    assert_eq!(served(&registry, &script).await, texts(&[("/a", "good")]));
    // A file that is gone is noticed at once.
    std::fs::remove_file(&file).unwrap();
    assert!(registry.asset(&scope, &digest).await.is_err());
    assert_eq!(registry.missing_assets(&session).await.unwrap().len(), 1);
}

#[tokio::test]
async fn what_was_acknowledged_is_there_after_the_process_died() {
    let folder = tempfile::tempdir().unwrap();
    let registry = Registry::open_directory(folder.path(), RegistryOptions::default()).await.unwrap();
    let session = begin(&registry, &platform("a"), &SITE).await;
    put(&registry, &session, "home").await.unwrap();
    let (scope, id) = (session.scope.clone(), session.id.clone());
    drop(session);
    let registry = reopen(registry, folder.path()).await;
    let session = registry.asset_session(&scope, &id).await.unwrap();
    assert_eq!(registry.missing_assets(&session).await.unwrap().len(), 2);
    for content in ["", "body{}"] {
        put(&registry, &session, content).await.unwrap();
    }
    let assets = registry.finish_assets(&session).await.unwrap();
    let assets = AssetsUpload::Attach { assets, config: AssetsConfig::default() };
    let upload = Upload::parse(UploadDraft { assets, ..UploadDraft::default() }).unwrap();
    let script = registry.deploy(&platform("a"), upload).await.unwrap();
    assert_eq!(served(&registry, &script).await, texts(&SITE));
}

/// Prints what twenty thousand files cost; the bounds are far above it, for slow machines.
#[tokio::test]
async fn twenty_thousand_files_are_looked_through_in_no_time() {
    let folder = tempfile::tempdir().unwrap();
    let registry = Registry::open_directory(folder.path(), RegistryOptions::default()).await.unwrap();
    let names: Vec<String> = (0..20_000).map(|n| format!("/assets/chunk-{n:05}/index.html")).collect();
    let files: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), name.as_str())).collect();
    let started = std::time::Instant::now();
    let session = begin(&registry, &platform("a"), &files).await;
    assert_eq!(registry.missing_assets(&session).await.unwrap().len(), 20_000);
    let session_took = started.elapsed();
    println!("session of 20,000 files: {session_took:?}, {} bytes in memory", session.draft.memory());
    assert!(session_took < Duration::from_secs(20), "{session_took:?}");
    let entry = |name: &str| wasmyard_model::assets::AssetEntry {
        hash: hash(name),
        size: 1,
        digest: Digest::of(name.as_bytes()),
        content_type: wasmyard_model::assets::ContentType::guess(name),
    };
    let entries = names.iter().map(|name| (AssetPath::parse(name).unwrap(), entry(name))).collect::<Vec<_>>();
    let manifest = Manifest::new(AssetScope::platform(), entries).unwrap();
    let started = std::time::Instant::now();
    assert!(names.iter().all(|name| manifest.get(name).is_some()));
    let lookup = started.elapsed() / 20_000;
    println!(
        "lookup: {lookup:?}, {} bytes in memory, {} encoded",
        manifest.memory(),
        manifest.encode().len()
    );
    assert!(manifest.memory() < 20_000 * 256, "{}", manifest.memory());
}

/// A hash that somebody claims, and that follows from nothing.
fn claimed(content: &str) -> AssetHash {
    hash(&format!("somebody says so of {content}"))
}

async fn site(
    registry: &Registry,
    key: &ScriptKey,
    path: &str,
    hash: AssetHash,
    size: u64,
) -> Arc<AssetSession> {
    let declared = Declared { hash, size };
    let draft = AssetDraft::new(vec![(AssetPath::parse(path).unwrap(), declared)]).unwrap();
    registry.begin_assets(key, draft, HOUR).await.unwrap()
}

async fn deploy_session(registry: &Registry, key: &ScriptKey, session: &AssetSession) -> Arc<Script> {
    let assets = registry.finish_assets(session).await.unwrap();
    let assets = AssetsUpload::Attach { assets, config: AssetsConfig::default() };
    let upload = Upload::parse(UploadDraft { assets, ..UploadDraft::default() }).unwrap();
    registry.deploy(key, upload).await.unwrap()
}

#[tokio::test]
async fn nobody_decides_what_another_script_serves_under_a_hash() {
    let registry = registry().await;
    let (mallory, victim) = (user("production", "mallory"), user("production", "victim"));
    let (good, evil) = ("alert(1)", "steal(1)");
    // Whatever kind of hash the victim's client makes: one that can be recomputed, and one that cannot.
    for hash in [hash(good), claimed(good)] {
        let size = good.len() as u64;
        let session = site(&registry, &mallory, "/app.js", hash, size).await;
        registry
            .put_asset(&session, hash, Served::ByName, Bytes::from_static(evil.as_bytes()))
            .await
            .unwrap();
        let theirs = deploy_session(&registry, &mallory, &session).await;

        let session = site(&registry, &victim, "/app.js", hash, size).await;
        assert_eq!(registry.missing_assets(&session).await.unwrap().len(), 1, "it is asked for its own");
        registry
            .put_asset(&session, hash, Served::ByName, Bytes::from_static(good.as_bytes()))
            .await
            .unwrap();
        let ours = deploy_session(&registry, &victim, &session).await;
        assert_eq!(served(&registry, &ours).await, texts(&[("/app.js", good)]));
        assert_eq!(served(&registry, &theirs).await, texts(&[("/app.js", evil)]));
    }
}

#[tokio::test]
async fn nobody_decides_as_what_another_script_serves_a_content() {
    let registry = registry().await;
    let (mallory, victim) = (user("production", "mallory"), user("production", "victim"));
    let (hash, size) = (hash("body{}"), 6);
    let bytes = || Bytes::from_static(b"body{}");
    let html = Served::parse(Some("text/html")).unwrap();
    let session = site(&registry, &mallory, "/a.css", hash, size).await;
    registry.put_asset(&session, hash, html, bytes()).await.unwrap();
    let theirs = deploy_session(&registry, &mallory, &session).await;
    let session = site(&registry, &victim, "/a.css", hash, size).await;
    assert_eq!(registry.missing_assets(&session).await.unwrap().len(), 1);
    // As wrangler sends it, with the type that the name has anyway: that can be shared.
    let css = Served::parse(Some("text/css; charset=utf-8")).unwrap();
    registry.put_asset(&session, hash, css, bytes()).await.unwrap();
    let ours = deploy_session(&registry, &victim, &session).await;
    let third = site(&registry, &user("production", "third"), "/b.css", hash, size).await;
    assert_eq!(registry.missing_assets(&third).await.unwrap(), []);
    for (script, expected) in [(theirs, "text/html"), (ours, "text/css; charset=utf-8")] {
        let manifest = registry.manifest(&script.version.assets.as_ref().unwrap().manifest).await.unwrap();
        assert_eq!(manifest.get("/a.css").unwrap().content_type.as_ref().unwrap().as_str(), expected);
    }
}

#[tokio::test]
async fn a_content_of_one_script_goes_when_that_script_needs_it_no_more() {
    let options = RegistryOptions { blob_grace: Duration::ZERO, ..RegistryOptions::default() };
    let registry = Registry::open_with(Arc::new(MemoryStore::new()), Blobs::memory(), options).await.unwrap();
    let key = platform("a");
    let hash = claimed("own");
    let session = site(&registry, &key, "/a", hash, 3).await;
    registry.put_asset(&session, hash, Served::ByName, Bytes::from_static(b"own")).await.unwrap();
    let script = deploy_session(&registry, &key, &session).await;
    let count = async || registry.inner.log.store().count("asset/").await.unwrap();
    for _ in 0..3 {
        registry.collect_garbage().await.unwrap();
    }
    assert_eq!((count().await, served(&registry, &script).await), (1, texts(&[("/a", "own")])));
    // Held once for its script, however often it is uploaded.
    let again = site(&registry, &key, "/b", hash, 3).await;
    assert_eq!(registry.missing_assets(&again).await.unwrap(), []);
    registry.delete_script(&key).await.unwrap();
    super::collect::end_sessions(&registry).await;
    for _ in 0..3 {
        registry.collect_garbage().await.unwrap();
    }
    assert_eq!(count().await, 0);
}
