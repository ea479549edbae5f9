//! The sweep takes what nobody refers to, and nothing else.

use super::*;

async fn with_grace(grace: Duration) -> Registry {
    with_store(Arc::new(MemoryStore::new()), grace).await
}

async fn with_store(store: Arc<dyn Store>, grace: Duration) -> Registry {
    let options = RegistryOptions { blob_grace: grace, kept_versions: 1, ..RegistryOptions::default() };
    let registry = Registry::open_with(store, Blobs::memory(), options).await.unwrap();
    registry.create_namespace(NewNamespace::named(ns("production"))).await.unwrap();
    registry
}

#[tokio::test]
async fn what_is_in_use_stays_and_the_rest_goes() {
    let registry = with_grace(Duration::ZERO).await;
    let orphan = registry.put_component(Bytes::from_static(b"orphan")).await.unwrap();
    let key = user("production", "a");
    let old = deploy(&registry, &key, "old").await.version.code.loads().unwrap();
    let new = deploy(&registry, &key, "new").await.version.code.loads().unwrap();
    deploy(&registry, &user("production", "b"), "new").await;
    assert_eq!(registry.collect_garbage().await.unwrap(), Swept { blobs: 2, bytes: 9 });
    assert!(registry.component(&orphan).await.is_err() && registry.component(&old).await.is_err());
    assert_eq!(registry.component(&new).await.unwrap(), "new");
    // Two scripts share it: it goes with the second.
    registry.delete_script(&key).await.unwrap();
    assert_eq!(registry.collect_garbage().await.unwrap().blobs, 0);
    registry.delete_namespace(&ns("production")).await.unwrap();
    assert_eq!(registry.collect_garbage().await.unwrap().blobs, 1);
    assert!(registry.component(&new).await.is_err());
    assert_eq!(registry.inner.log.store().count("ref/").await.unwrap(), 0);
}

#[tokio::test]
async fn within_the_grace_time_nothing_goes() {
    let registry = with_grace(Duration::from_secs(3_600)).await;
    registry.put_component(Bytes::from_static(b"orphan")).await.unwrap();
    let key = user("production", "a");
    deploy(&registry, &key, "old").await;
    deploy(&registry, &key, "new").await;
    registry.delete_script(&key).await.unwrap();
    assert_eq!(registry.collect_garbage().await.unwrap(), Swept::default());
}

#[tokio::test]
async fn a_script_that_comes_back_to_an_old_component_keeps_it() {
    let registry = with_grace(Duration::ZERO).await;
    let key = user("production", "a");
    deploy(&registry, &key, "one").await;
    deploy(&registry, &key, "two").await;
    let one = deploy(&registry, &key, "one").await.version.code.loads().unwrap();
    assert_eq!(registry.collect_garbage().await.unwrap().blobs, 1);
    assert_eq!(registry.component(&one).await.unwrap(), "one");
}

/// One upload beside one sweep, the deploy at another moment of the sweep each time. There is no grace time
/// at all, so that the sweep may win between upload and deploy; then the deploy must say so.
#[tokio::test]
async fn a_sweep_at_any_moment_of_a_deploy_leaves_it_whole_or_makes_it_fail() {
    let registry = with_store(Arc::new(DawdlingStore::default()), Duration::ZERO).await;
    let (mut whole, mut failed) = (0, 0);
    for moment in 0..400 {
        let content = format!("code {moment}");
        let upload = upload(&registry, &content).await;
        let sweep = {
            let registry = registry.clone();
            tokio::spawn(async move { registry.collect_garbage().await })
        };
        for _ in 0..moment {
            tokio::task::yield_now().await;
        }
        let deployed = registry.deploy(&user("production", "a"), upload).await;
        soon(sweep).await.unwrap().unwrap();
        match deployed {
            Ok(script) => {
                let component = registry.component(&script.version.code.loads().unwrap()).await.unwrap();
                assert_eq!(component, content);
                whole += 1;
            }
            Err(RegistryError::ComponentMissing(_)) => failed += 1,
            Err(error) => panic!("{error:?}"),
        }
    }
    assert!(whole > 0 && failed > 0, "both are seen: {whole} whole, {failed} failed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sweeps_beside_uploads_never_take_what_was_deployed() {
    let registry = with_grace(Duration::ZERO).await;
    let sweeper = {
        let registry = registry.clone();
        tokio::spawn(async move {
            loop {
                registry.collect_garbage().await.unwrap();
                tokio::task::yield_now().await;
            }
        })
    };
    let uploaders: Vec<_> = (0..4)
        .map(|uploader| {
            let registry = registry.clone();
            tokio::spawn(async move {
                let key = user("production", &format!("s{uploader}"));
                for round in 0..100 {
                    // Components are shared between uploaders, and come back.
                    deploy_until_whole(&registry, &key, &format!("code {}", (round + uploader) % 5)).await;
                }
            })
        })
        .collect();
    for uploader in uploaders {
        soon(uploader).await.unwrap();
    }
    sweeper.abort();
}

async fn deploy_until_whole(registry: &Registry, key: &ScriptKey, content: &str) {
    loop {
        match registry.deploy(key, upload(registry, content).await).await {
            Ok(script) => {
                let component = registry.component(&script.version.code.loads().unwrap()).await.unwrap();
                assert_eq!(component, content);
                return;
            }
            Err(RegistryError::ComponentMissing(_)) => {}
            Err(error) => panic!("{error:?}"),
        }
    }
}
