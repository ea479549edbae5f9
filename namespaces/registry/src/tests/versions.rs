//! Versions that are kept, and deployments.

use super::*;
use crate::{PINNED, Rollout};
use wasmyard_model::deployment::Share;
use wasmyard_model::script::SettingsPatch;

fn all(id: &str) -> Rollout {
    Rollout { versions: vec![(id.to_owned(), Share::ALL)], ..Rollout::default() }
}

fn split(one: &str, percent: f64, other: &str) -> Rollout {
    let share = Share::percent(percent).unwrap();
    Rollout {
        versions: vec![(one.to_owned(), share), (other.to_owned(), share.rest())],
        ..Rollout::default()
    }
}

async fn numbers(registry: &Registry, key: &ScriptKey) -> Vec<u64> {
    registry.kept(key).await.unwrap().unwrap().versions().iter().map(|version| version.number).collect()
}

#[tokio::test]
async fn earlier_versions_are_kept_and_serve_again_with_what_they_were() {
    let registry = registry().await;
    let key = user("production", "shop");
    let first = deploy(&registry, &key, "one").await;
    let second = deploy(&registry, &key, "two").await;
    assert_eq!(numbers(&registry, &key).await, [2, 1]);
    let back = registry.roll_out(&key, &all(&first.version.id)).await.unwrap();
    assert_eq!(back.version, first.version);
    assert_ne!(back.deployment.id, second.deployment.id);
    assert_eq!(registry.script_cached(&key), Some(Some(back)));
    assert_eq!(numbers(&registry, &key).await, [2, 1], "the newer one is kept");
    // The numbers go on behind the highest.
    assert_eq!(deploy(&registry, &key, "three").await.version.number, 3);
    let past = registry.kept(&key).await.unwrap().unwrap().past;
    let told: Vec<&str> = past.iter().map(|past| past.versions[0].0.as_str()).collect();
    assert_eq!(told, [&first.version.id, &second.version.id, &first.version.id]);
}

#[tokio::test]
async fn a_version_is_uploaded_before_it_serves() {
    let registry = registry().await;
    let key = user("production", "shop");
    let next = upload(&registry, "two").await;
    let refused = registry.put_version(&key, next.clone()).await.unwrap_err();
    assert!(matches!(refused, RegistryError::ScriptNotFound(_)), "{refused:?}");
    let first = deploy(&registry, &key, "one").await;
    let (script, version) = registry.put_version(&key, next).await.unwrap();
    assert_eq!((script.version.clone(), version.number), (first.version.clone(), 2));
    assert_eq!(registry.script(&key).await.unwrap().unwrap().version, first.version);
    // A change of what serves is numbered behind it.
    let patch =
        SettingsPatch { compatibility_date: Some("2026-01-31".to_owned()), ..SettingsPatch::default() };
    assert_eq!(registry.update_settings(&key, patch).await.unwrap().version.number, 3);
    let deployed = registry.roll_out(&key, &all(&version.id)).await.unwrap();
    assert_eq!(deployed.version, version);
    assert_eq!(numbers(&registry, &key).await, [3, 2, 1]);
}

#[tokio::test]
async fn two_versions_serve_until_another_deployment() {
    let registry = registry().await;
    let key = platform("shop");
    let old = deploy(&registry, &key, "one").await.version.clone();
    let new = deploy(&registry, &key, "two").await.version.clone();
    // Whatever the order, the older one is the first.
    let script = registry.roll_out(&key, &split(&new.id, 20.0, &old.id)).await.unwrap();
    let shares: Vec<(u64, f64)> =
        script.serving().map(|(version, share)| (version.number, share.as_percent())).collect();
    assert_eq!(shares, [(1, 80.0), (2, 20.0)]);
    assert_eq!(registry.script(&key).await.unwrap(), Some(script.clone()));
    // Tags are no version's.
    let tagged = registry.set_tags(&key, tags(&["a"])).await.unwrap();
    assert_eq!((&tagged.gradual, &tagged.deployment), (&script.gradual, &script.deployment));
    let third = deploy(&registry, &key, "three").await;
    assert_eq!(third.gradual, None);
    assert_eq!(numbers(&registry, &key).await, [3, 2, 1]);
    let past = registry.kept(&key).await.unwrap().unwrap().past;
    assert_eq!(past[0].versions.len(), 2);
    assert!(registry.forget_deployment(&key, &past[0].deployment.id).await.unwrap());
    assert!(!registry.forget_deployment(&key, &past[0].deployment.id).await.unwrap());
    assert_eq!(registry.kept(&key).await.unwrap().unwrap().past.len(), past.len() - 1);
}

#[tokio::test]
async fn what_cannot_be_deployed_together_is_refused() {
    let registry = registry().await;
    let key = platform("shop");
    let old = deploy(&registry, &key, "one").await.version.id.clone();
    let new = deploy(&registry, &key, "two").await.version.id.clone();
    let refused = registry.roll_out(&key, &all("9c3a")).await.unwrap_err();
    assert_eq!(refused.to_string(), "script shop has no version \"9c3a\"; 2 are kept and can be listed");
    let half = Share::percent(50.0).unwrap();
    for versions in [
        vec![],
        vec![(old.clone(), half)],
        vec![(old.clone(), half), (old.clone(), half)],
        vec![(old.clone(), half), (new.clone(), Share::percent(49.0).unwrap())],
        vec![(old.clone(), half), (new.clone(), half), ("9c3a".to_owned(), half)],
    ] {
        let refused = registry
            .roll_out(&key, &Rollout { versions, ..Rollout::default() })
            .await
            .unwrap_err()
            .to_string();
        assert!(refused.starts_with("a deployment has one version with 100%"), "{refused}");
    }
    for cookie in ["", "a b", "a=b", "a;b"] {
        let rollout = Rollout { cookie: Some(cookie.to_owned()), ..split(&old, 50.0, &new) };
        let refused = registry.roll_out(&key, &rollout).await.unwrap_err().to_string();
        assert!(refused.contains("is not the name of a cookie"), "{refused}");
    }
    assert_eq!(registry.script(&key).await.unwrap().unwrap().version.id, new);
}

#[tokio::test]
async fn the_last_ten_are_kept_and_those_that_are_pinned() {
    let registry = registry().await;
    let key = user("production", "shop");
    for number in 1..=14 {
        let mut draft = draft(&registry, &format!("code {number}")).await;
        if number == 2 {
            draft.annotations.insert(PINNED.to_owned(), "the last one before the move".to_owned());
        }
        registry.deploy(&key, Upload::parse(draft).unwrap()).await.unwrap();
    }
    assert_eq!(numbers(&registry, &key).await, [14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 2]);
    assert_eq!(registry.kept(&key).await.unwrap().unwrap().past.len(), 10);
}

#[tokio::test]
async fn the_code_of_what_is_kept_stays_and_that_of_what_is_gone_goes() {
    let options = RegistryOptions { blob_grace: Duration::ZERO, ..RegistryOptions::default() };
    let registry = Registry::open_with(Arc::new(MemoryStore::new()), Blobs::memory(), options).await.unwrap();
    registry.create_namespace(NewNamespace::named(ns("production"))).await.unwrap();
    let key = user("production", "shop");
    let digests: Vec<Digest> =
        (1..=12).map(|number| Digest::of(format!("code {number}").as_bytes())).collect();
    for number in 1..=12 {
        deploy(&registry, &key, &format!("code {number}")).await;
    }
    registry.collect_garbage().await.unwrap();
    let mut there = Vec::new();
    for digest in &digests {
        there.push(registry.component(digest).await.is_ok());
    }
    assert_eq!(there, [[false; 2].as_slice(), &[true; 10]].concat());
    let oldest = registry.kept(&key).await.unwrap().unwrap().idle.last().unwrap().id.clone();
    registry.roll_out(&key, &all(&oldest)).await.unwrap();
    registry.collect_garbage().await.unwrap();
    assert!(registry.component(&digests[2]).await.is_ok() && registry.component(&digests[11]).await.is_ok());
    // With the script everything goes.
    assert!(registry.delete_script(&key).await.unwrap());
    registry.collect_garbage().await.unwrap();
    for digest in &digests {
        assert!(registry.component(digest).await.is_err());
    }
    assert!(registry.kept(&key).await.unwrap().is_none());
    assert_eq!(deploy(&registry, &key, "anew").await.version.number, 1);
    assert_eq!(numbers(&registry, &key).await, [1]);
}

#[tokio::test]
async fn a_namespace_takes_the_history_of_its_scripts_along() {
    let registry = registry().await;
    let key = user("production", "shop");
    deploy(&registry, &key, "one").await;
    deploy(&registry, &key, "two").await;
    let kept_of = |registry: &Registry| {
        let log = Arc::clone(registry.inner.log.store());
        async move {
            let versions = log.scan("version/", None, 10).await.unwrap().len();
            versions + log.scan("past-deployments/", None, 10).await.unwrap().len()
        }
    };
    assert_eq!(kept_of(&registry).await, 2);
    registry.delete_namespace(&ns("production")).await.unwrap();
    assert_eq!(kept_of(&registry).await, 0);
}
