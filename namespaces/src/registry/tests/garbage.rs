//! The sweep takes what nobody refers to, and nothing else.

use super::*;
use crate::error::RegistryError;

async fn with_grace(grace: Duration) -> Registry {
    let options = RegistryOptions { blob_grace: grace, ..RegistryOptions::default() };
    let registry = Registry::open_with(Arc::new(MemoryStore::new()), Blobs::memory(), options).await.unwrap();
    registry.create_namespace(NewNamespace::named(ns("production"))).await.unwrap();
    registry
}

#[tokio::test]
async fn what_is_in_use_stays_and_the_rest_goes() {
    let registry = with_grace(Duration::ZERO).await;
    let orphan = registry.put_component(Bytes::from_static(b"orphan")).await.unwrap();
    let key = user("production", "a");
    let old = deploy(&registry, &key, "old").await.version.component.unwrap();
    let new = deploy(&registry, &key, "new").await.version.component.unwrap();
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
    assert_eq!(registry.inner.store.count("ref/").await.unwrap(), 0);
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
    let one = deploy(&registry, &key, "one").await.version.component.unwrap();
    assert_eq!(registry.collect_garbage().await.unwrap().blobs, 1);
    assert_eq!(registry.component(&one).await.unwrap(), "one");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_sweep_beside_uploads_never_takes_what_was_deployed() {
    // No grace time at all: the sweep may win between upload and deploy, and then the deploy must say so.
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
                    let content = format!("code {}", (round + uploader) % 5);
                    let deployed = loop {
                        match registry.deploy(&key, upload(&registry, &content).await).await {
                            Ok(script) => break script,
                            Err(RegistryError::ComponentMissing(_)) => {}
                            Err(error) => panic!("{error:?}"),
                        }
                    };
                    let component = registry.component(&deployed.version.component.unwrap()).await.unwrap();
                    assert_eq!(component, content);
                }
            })
        })
        .collect();
    for uploader in uploaders {
        soon(uploader).await.unwrap();
    }
    sweeper.abort();
}
