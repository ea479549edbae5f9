//! The sweep takes contents that nothing needs, in its own time, and nothing else.

use super::*;

async fn with_store(store: Arc<dyn Store>, grace: Duration) -> Registry {
    let options = RegistryOptions { blob_grace: grace, kept_versions: 1, ..RegistryOptions::default() };
    let registry = Registry::open_with(store, Blobs::memory(), options).await.unwrap();
    registry.create_namespace(NewNamespace::named(ns("production"))).await.unwrap();
    registry
}

/// Ends the sessions of a scope at once: nothing but a version protects anything then.
pub(super) async fn end_sessions(registry: &Registry) {
    let store = registry.inner.log.store();
    let references = store.scan("ref/", None, usize::MAX).await.unwrap();
    for session in store.scan("asset-session/", None, usize::MAX).await.unwrap() {
        let own = references.iter().filter(|reference| reference.key.ends_with(&session.key));
        let keys = own.map(|reference| reference.key.clone()).chain([session.key.clone()]);
        let writes: Vec<_> = keys.map(wasmyard_stores::Write::delete).collect();
        store.append(&[], &writes).await.unwrap();
    }
}

async fn contents(registry: &Registry) -> u64 {
    registry.inner.log.store().count("asset/").await.unwrap()
}

#[tokio::test]
async fn what_no_version_has_goes_in_two_steps_and_the_rest_stays() {
    let registry = with_store(Arc::new(MemoryStore::new()), Duration::ZERO).await;
    let (a, b) = (user("production", "a"), user("production", "b"));
    deploy_assets(&registry, &a, &[("/1", "one"), ("/2", "two")]).await.unwrap();
    let b_script = deploy_assets(&registry, &b, &[("/2", "two"), ("/3", "three")]).await.unwrap();
    let new = deploy_assets(&registry, &a, &[("/4", "four")]).await.unwrap();
    registry.collect_garbage().await.unwrap();
    assert_eq!(contents(&registry).await, 4, "sessions protect what they declared");
    end_sessions(&registry).await;
    registry.collect_garbage().await.unwrap();
    assert_eq!(contents(&registry).await, 4, "the first sweep only marks");
    registry.collect_garbage().await.unwrap();
    assert_eq!(contents(&registry).await, 3, "the second takes what only the old version had");
    assert_eq!(served(&registry, &new).await, texts(&[("/4", "four")]));
    assert_eq!(served(&registry, &b_script).await, texts(&[("/2", "two"), ("/3", "three")]));
    assert!(
        registry.asset(&b_script.version.assets.as_ref().unwrap().scope, &Digest::of(b"one")).await.is_err()
    );

    registry.delete_namespace(&ns("production")).await.unwrap();
    registry.collect_garbage().await.unwrap();
    registry.collect_garbage().await.unwrap();
    for prefix in ["asset/", "asset-session/", "asset-manifest/", "ref/"] {
        assert_eq!(registry.inner.log.store().count(prefix).await.unwrap(), 0, "{prefix}");
    }
    let left: Vec<_> = futures::StreamExt::collect(registry.inner.blobs.list()).await;
    assert!(left.is_empty(), "{left:?}");
}

#[tokio::test]
async fn within_the_grace_time_nothing_goes() {
    let registry = with_store(Arc::new(MemoryStore::new()), HOUR).await;
    let key = user("production", "a");
    deploy_assets(&registry, &key, &[("/1", "one")]).await.unwrap();
    registry.delete_script(&key).await.unwrap();
    end_sessions(&registry).await;
    for _ in 0..3 {
        registry.collect_garbage().await.unwrap();
    }
    assert_eq!(contents(&registry).await, 1);
    // Its return costs no upload.
    let session = begin(&registry, &key, &[("/1", "one")]).await;
    assert_eq!(registry.missing_assets(&session).await.unwrap(), []);
}

#[tokio::test]
async fn a_session_takes_the_mark_off_what_it_needs() {
    let registry = with_store(Arc::new(MemoryStore::new()), Duration::ZERO).await;
    let key = user("production", "a");
    deploy_assets(&registry, &key, &[("/1", "one")]).await.unwrap();
    registry.delete_script(&key).await.unwrap();
    end_sessions(&registry).await;
    registry.collect_garbage().await.unwrap();
    let session = begin(&registry, &key, &[("/1", "one")]).await;
    assert_eq!(registry.missing_assets(&session).await.unwrap(), []);
    registry.collect_garbage().await.unwrap();
    registry.collect_garbage().await.unwrap();
    assert_eq!(contents(&registry).await, 1);
    let script = deploy_assets(&registry, &key, &[("/1", "one")]).await.unwrap();
    assert_eq!(served(&registry, &script).await, texts(&[("/1", "one")]));
}

#[tokio::test]
async fn a_manifest_that_cannot_be_read_stops_the_sweep() {
    let registry = with_store(Arc::new(MemoryStore::new()), Duration::ZERO).await;
    let key = user("production", "a");
    let script = deploy_assets(&registry, &key, &[("/1", "one")]).await.unwrap();
    end_sessions(&registry).await;
    let manifest = script.version.assets.as_ref().unwrap().manifest;
    registry.inner.blobs.put_as(&manifest, Bytes::from_static(b"damaged")).await.unwrap();
    for _ in 0..3 {
        assert!(registry.collect_garbage().await.is_err());
    }
    assert_eq!(contents(&registry).await, 1);
}

/// A redeploy of what a sweep is about to take, at another moment of the sweep each time. There is no grace
/// time, so that the sweep may win; then the upload must say so, and a second try must work.
#[tokio::test]
async fn a_sweep_at_any_moment_of_an_upload_leaves_it_whole_or_makes_it_fail() {
    let registry = with_store(Arc::new(DawdlingStore::default()), Duration::ZERO).await;
    let key = user("production", "a");
    let files = [("/1", "one"), ("/2", "two")];
    let (mut whole, mut failed) = (0, 0);
    for moment in (0..3_000).step_by(20) {
        // Marked, and to go with the next sweep.
        deploy_assets(&registry, &key, &files).await.unwrap();
        registry.delete_script(&key).await.unwrap();
        end_sessions(&registry).await;
        registry.collect_garbage().await.unwrap();
        let sweep = {
            let registry = registry.clone();
            tokio::spawn(async move { registry.collect_garbage().await })
        };
        for _ in 0..moment {
            tokio::task::yield_now().await;
        }
        let deployed = deploy_assets(&registry, &key, &files).await;
        soon(sweep).await.unwrap().unwrap();
        match deployed {
            Ok(script) => {
                whole += 1;
                assert_eq!(served(&registry, &script).await, texts(&files), "moment {moment}");
                registry.collect_garbage().await.unwrap();
                registry.collect_garbage().await.unwrap();
                assert_eq!(served(&registry, &script).await, texts(&files), "moment {moment}");
            }
            Err(RegistryError::ComponentMissing(_)) => failed += 1,
            Err(error) => panic!("{error:?}"),
        }
    }
    assert!(whole > 100, "{whole} whole, {failed} failed");
}
