//! Storage of scripts' own: none is lost track of, whatever becomes of its script.

use super::*;
use wasmyard_model::bindings::StorageKind::{self, D1, KvNamespace, Queue};
use wasmyard_model::clock::Clock;
use wasmyard_model::namespace::NamespacePatch;
use wasmyard_model::tags::TagFilter;

const DAY: Duration = Duration::from_secs(86_400);

async fn at_a_clock() -> (Registry, wasmyard_model::clock::ClockHand) {
    let (clock, hand) = Clock::by_hand("2026-01-02T03:04:05Z".parse().unwrap());
    let options = RegistryOptions { clock, ..RegistryOptions::default() };
    let registry = Registry::open_with(Arc::new(MemoryStore::new()), Blobs::memory(), options).await.unwrap();
    registry.create_namespace(NewNamespace::named(ns("production"))).await.unwrap();
    (registry, hand)
}

async fn own(registry: &Registry, key: &ScriptKey, kind: StorageKind, binding: &str) -> OwnStorage {
    registry.own_storage(key, kind, &BindingName::parse(binding).unwrap()).await.unwrap()
}

async fn to_remove(registry: &Registry) -> Vec<(String, StorageKind)> {
    registry.storage_to_remove(None, 100).await.unwrap()
}

#[tokio::test]
async fn it_is_the_same_at_each_deploy_and_nobody_elses() {
    let (registry, _) = at_a_clock().await;
    let (a, b, p) = (user("production", "a"), user("production", "b"), platform("a"));
    let first = own(&registry, &a, KvNamespace, "NOTES").await;
    assert_eq!(own(&registry, &a, KvNamespace, "NOTES").await, first);
    assert_eq!((first.script.as_ref(), first.unused_since), (Some(&a), None));
    let mut names = vec![first.name.clone()];
    for (key, kind, binding) in
        [(&a, D1, "NOTES"), (&a, KvNamespace, "NOTE"), (&b, KvNamespace, "NOTES"), (&p, KvNamespace, "NOTES")]
    {
        names.push(own(&registry, key, kind, binding).await.name);
    }
    names.sort();
    names.dedup();
    assert_eq!(names.len(), 5);
    assert_eq!(registry.own_storage_of(&a).await.unwrap().len(), 3);
    assert_eq!(registry.own_storage_page(None, 100).await.unwrap().len(), 5);
    let nowhere = registry.own_storage(&user("nowhere", "a"), D1, &BindingName::parse("DB").unwrap()).await;
    assert!(matches!(nowhere, Err(RegistryError::NamespaceNotFound(_))));
}

#[tokio::test]
async fn two_who_deploy_at_once_have_one() {
    let (registry, _) = at_a_clock().await;
    let key = user("production", "a");
    let both = futures::future::join_all((0..8).map(|_| own(&registry, &key, D1, "DB"))).await;
    assert!(both.iter().all(|one| *one == both[0]), "{both:?}");
    // A namespace takes its name along: what belongs to its scripts stays theirs.
    let patch = NamespacePatch { name: Some(ns("renamed")), ..NamespacePatch::default() };
    registry.update_namespace(&ns("production"), patch).await.unwrap();
    assert_eq!(own(&registry, &user("renamed", "a"), D1, "DB").await.name, both[0].name);
}

#[tokio::test]
async fn it_is_kept_when_its_script_goes_and_is_the_scripts_again_when_it_comes_back() {
    let (registry, hand) = at_a_clock().await;
    let key = user("production", "a");
    let before = own(&registry, &key, KvNamespace, "NOTES").await;
    deploy(&registry, &key, "one").await;
    hand.advance(DAY);
    registry.delete_script(&key).await.unwrap();
    let left = registry.own_storage_of(&key).await.unwrap();
    assert_eq!(left[0].unused_since, Some(registry.clock().now()));
    assert_eq!(own(&registry, &key, KvNamespace, "NOTES").await, before);
    assert_eq!(to_remove(&registry).await, []);
    // What was listed and has changed since is not taken.
    assert!(!registry.drop_own_storage(&left[0]).await.unwrap());
    assert!(!registry.note_own_storage(&left[0], true).await.unwrap());
    assert!(registry.drop_own_storage(&before).await.unwrap());
    assert_eq!(to_remove(&registry).await, [(before.name.clone(), KvNamespace)]);
    assert_ne!(own(&registry, &key, KvNamespace, "NOTES").await.name, before.name);
    registry.storage_was_removed(&before.name).await.unwrap();
    registry.storage_was_removed(&before.name).await.unwrap();
    assert_eq!(to_remove(&registry).await, []);
}

#[tokio::test]
async fn it_goes_in_the_append_by_which_its_script_goes_where_that_is_asked_for() {
    let (registry, _) = at_a_clock().await;
    let keys = ["a", "b", "c"].map(|name| user("production", name));
    let mut names = Vec::new();
    for key in &keys {
        names.push(own(&registry, key, Queue, "JOBS").await.name);
        let mut draft = draft(&registry, "one").await;
        draft.tags = Some(tags(&["gone"]));
        registry.deploy(key, Upload::parse(draft).unwrap()).await.unwrap();
    }
    registry.with_storage().delete_script(&keys[0]).await.unwrap();
    assert_eq!(to_remove(&registry).await, [(names[0].clone(), Queue)]);
    let filter: TagFilter = "gone:yes".parse().unwrap();
    registry.with_storage().delete_scripts(&ns("production"), Some(&filter)).await.unwrap();
    let mut all: Vec<String> = to_remove(&registry).await.into_iter().map(|(name, _)| name).collect();
    all.sort();
    names.sort();
    assert_eq!(all, names);
    assert_eq!(registry.own_storage_page(None, 10).await.unwrap(), []);
}

#[tokio::test]
async fn scripts_that_are_deleted_together_leave_theirs() {
    let (registry, _) = at_a_clock().await;
    let (a, b) = (user("production", "a"), user("production", "b"));
    for key in [&a, &b] {
        own(&registry, key, D1, "DB").await;
        deploy(&registry, key, "one").await;
    }
    registry.delete_scripts(&ns("production"), None).await.unwrap();
    for key in [&a, &b] {
        assert_eq!(registry.own_storage_of(key).await.unwrap()[0].unused_since, Some(registry.clock().now()));
    }
}

#[tokio::test]
async fn what_a_namespace_leaves_is_found_under_no_script() {
    let (registry, _) = at_a_clock().await;
    registry.create_namespace(NewNamespace::named(ns("staging"))).await.unwrap();
    let kept = own(&registry, &user("production", "a"), D1, "DB").await;
    let gone = own(&registry, &user("staging", "a"), D1, "DB").await;
    registry.delete_namespace(&ns("production")).await.unwrap();
    registry.with_storage().delete_namespace(&ns("staging")).await.unwrap();
    let left = registry.own_storage_page(None, 10).await.unwrap();
    assert_eq!(left.iter().map(|own| (&own.name, &own.script)).collect::<Vec<_>>(), [(&kept.name, &None)]);
    assert_eq!(left[0].unused_since, Some(registry.clock().now()));
    assert_eq!(to_remove(&registry).await, [(gone.name, D1)]);
    // Another namespace of that name has nothing of it.
    registry.create_namespace(NewNamespace::named(ns("production"))).await.unwrap();
    assert_ne!(own(&registry, &user("production", "a"), D1, "DB").await.name, kept.name);
}

#[tokio::test]
async fn a_registry_that_forgets_finds_it_by_its_key() {
    let again = async || {
        let options = RegistryOptions { storage_named_by_key: true, ..RegistryOptions::default() };
        let store = Arc::new(MemoryStore::new());
        let registry = Registry::open_with(store, Blobs::memory(), options).await.unwrap();
        registry.create_namespace(NewNamespace::named(ns("production"))).await.unwrap();
        registry
    };
    let (one, two) = (again().await, again().await);
    let key = user("production", "a");
    let first = own(&one, &key, D1, "DB").await;
    assert_eq!(own(&two, &key, D1, "DB").await.name, first.name);
    assert_ne!(own(&one, &key, KvNamespace, "DB").await.name, first.name);
    // What is yet to be removed is not taken for it.
    assert!(one.drop_own_storage(&first).await.unwrap());
    assert_ne!(own(&one, &key, D1, "DB").await.name, first.name);
}
