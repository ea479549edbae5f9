//! Namespaces: make, change, delete.

use super::*;
use crate::record::{NAMESPACE_NAMES, NAMESPACES, PURGES, USER_SCRIPTS, scripts_within};
use wasmyard_model::bindings::OutboundDecl;
use wasmyard_model::egress::EgressRules;
use wasmyard_model::limits::LimitSpec;
use wasmyard_model::namespace::NamespacePatch;
use wasmyard_stores::Write;

fn renamed(name: &str) -> NamespacePatch {
    NamespacePatch { name: Some(ns(name)), ..NamespacePatch::default() }
}

#[tokio::test]
async fn names_are_unique() {
    let registry = registry().await;
    let taken = registry.create_namespace(NewNamespace::named(ns("production"))).await.unwrap_err();
    assert_eq!(taken.kind(), ErrorKind::Exists);
    registry.create_namespace(NewNamespace::named(ns("staging"))).await.unwrap();
    let taken = registry.update_namespace(&ns("staging"), renamed("production")).await.unwrap_err();
    assert!(matches!(taken, RegistryError::NamespaceExists(name) if name == ns("production")));
    let listed = registry.namespaces().await.unwrap();
    assert_eq!(listed.iter().map(|n| n.name.as_str()).collect::<Vec<_>>(), ["production", "staging"]);
}

#[tokio::test]
async fn a_new_name_takes_all_scripts_along_and_the_old_one_finds_nothing() {
    let registry = registry().await;
    let id = registry.namespace(&ns("production")).await.unwrap().unwrap().id.clone();
    let (old, new) = (user("production", "a"), user("live", "a"));
    deploy(&registry, &old, "one").await;
    assert_eq!(registry.script(&new).await.unwrap(), None);
    let revision = registry.ping().await.unwrap();
    let namespace = registry.update_namespace(&ns("production"), renamed("live")).await.unwrap();
    assert_eq!((namespace.id.as_str(), registry.ping().await.unwrap()), (id.as_str(), revision + 1));
    assert_eq!(registry.script_cached(&old), Some(None));
    assert_eq!(registry.script(&new).await.unwrap().unwrap().key, new);
    deploy(&registry, &new, "two").await;
    // The old name is free, for another namespace with scripts of its own.
    registry.create_namespace(NewNamespace::named(ns("production"))).await.unwrap();
    assert_eq!(registry.script(&old).await.unwrap(), None);
    // There and back again: nothing that was cached under the name in the meantime shows.
    registry.delete_namespace(&ns("production")).await.unwrap();
    registry.update_namespace(&ns("live"), renamed("production")).await.unwrap();
    let script = registry.script(&old).await.unwrap().unwrap();
    assert_eq!((&script.key, script.version.number), (&old, 2));
}

#[tokio::test]
async fn a_patch_changes_what_it_names() {
    let registry = registry().await;
    let outbound = OutboundDecl { worker: ScriptName::parse("out").unwrap(), params: vec!["p".to_owned()] };
    let patch = NamespacePatch {
        trusted_workers: Some(true),
        limits: Some(LimitSpec { cpu_ms: Some(9), ..LimitSpec::default() }),
        outbound: Some(Some(outbound.clone())),
        ..NamespacePatch::default()
    };
    let patched = registry.update_namespace(&ns("production"), patch).await.unwrap();
    assert!(patched.trusted_workers && patched.outbound == Some(outbound));
    let none = NamespacePatch { outbound: Some(None), ..NamespacePatch::default() };
    let patched = registry.update_namespace(&ns("production"), none).await.unwrap();
    assert_eq!((patched.limits.cpu_ms, patched.outbound.clone()), (Some(9), None));
    let too_much = LimitSpec { depth: Some(99), ..LimitSpec::default() };
    let patch = NamespacePatch { limits: Some(too_much), ..NamespacePatch::default() };
    assert_eq!(
        registry.update_namespace(&ns("production"), patch).await.unwrap_err().kind(),
        ErrorKind::Invalid
    );
}

#[tokio::test]
async fn rules_of_egress_are_kept_and_stay_the_same_value_as_long_as_nobody_changes_them() {
    let registry = registry().await;
    let rules =
        |text: &str| EgressRules { allow_hosts: Some(vec![text.parse().unwrap()]), ..EgressRules::default() };
    let change = |egress| NamespacePatch { egress: Some(egress), ..NamespacePatch::default() };
    let name = ns("production");
    let made = registry.update_namespace(&name, change(Some(rules("*.a.test")))).await.unwrap();
    let kept = made.egress.clone().unwrap();
    assert_eq!(*kept, rules("*.a.test"));
    // Whoever made something of them need not make it again.
    registry.update_namespace(&name, renamed("live")).await.unwrap();
    let name = ns("live");
    let now = registry.namespace_cached(&name).unwrap().egress.clone().unwrap();
    assert!(Arc::ptr_eq(&now, &kept));
    let changed = registry.update_namespace(&name, change(Some(rules("b.test")))).await.unwrap();
    assert_eq!(changed.egress.as_deref(), Some(&rules("b.test")));
    let wrong = EgressRules { ports: Some(vec![0]), ..EgressRules::default() };
    let refused = registry.update_namespace(&name, change(Some(wrong))).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Invalid);
    let none = registry.update_namespace(&name, change(None)).await.unwrap();
    assert_eq!(none.egress, None);
}

#[tokio::test]
async fn a_deleted_namespace_takes_its_scripts_with_it() {
    let registry = registry().await;
    for n in 0..200 {
        deploy(&registry, &user("production", &format!("s{n}")), "same").await;
    }
    let key = user("production", "s7");
    assert!(registry.script(&key).await.unwrap().is_some());
    let id = registry.namespace(&ns("production")).await.unwrap().unwrap().id.clone();
    registry.delete_namespace(&ns("production")).await.unwrap();
    assert_eq!(registry.script_cached(&key), Some(None));
    assert_eq!(registry.inner.log.store().count(&USER_SCRIPTS.key(&scripts_within(&id))).await.unwrap(), 0);
    assert_eq!(registry.inner.log.store().count("purge/").await.unwrap(), 0);
    assert_eq!(registry.delete_namespace(&ns("production")).await.unwrap_err().kind(), ErrorKind::NotFound);
    registry.create_namespace(NewNamespace::named(ns("production"))).await.unwrap();
    assert_eq!(registry.script(&key).await.unwrap(), None);
}

#[tokio::test]
async fn a_deletion_that_a_crash_interrupted_is_finished_at_the_next_start() {
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
    let registry = Registry::open(Arc::clone(&store), Blobs::memory()).await.unwrap();
    let namespace = registry.create_namespace(NewNamespace::named(ns("production"))).await.unwrap();
    deploy(&registry, &user("production", "a"), "one").await;
    drop(registry);
    // The first of the two steps, and then nothing more.
    let id = &namespace.id;
    let writes = [
        Write::delete(NAMESPACES.key(id)),
        Write::delete(NAMESPACE_NAMES.key(namespace.name.as_str())),
        Write::put(PURGES.key(id), "\"production\""),
    ];
    store.append(&[], &writes).await.unwrap();
    let registry = Registry::open(Arc::clone(&store), Blobs::memory()).await.unwrap();
    assert_eq!(registry.script(&user("production", "a")).await.unwrap(), None);
    until(async || store.count("purge/").await.unwrap() == 0).await;
    assert_eq!(store.count(&USER_SCRIPTS.key(&scripts_within(id))).await.unwrap(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_deploy_slips_into_a_namespace_that_is_being_deleted() {
    let registry = registry().await;
    let id = registry.namespace(&ns("production")).await.unwrap().unwrap().id.clone();
    let deploys: Vec<_> = (0..64)
        .map(|n| {
            let registry = registry.clone();
            tokio::spawn(async move {
                let upload = upload(&registry, "same").await;
                registry.deploy(&user("production", &format!("s{n}")), upload).await
            })
        })
        .collect();
    tokio::task::yield_now().await;
    registry.delete_namespace(&ns("production")).await.unwrap();
    for deploy in deploys {
        if let Err(refused) = deploy.await.unwrap() {
            assert!(matches!(refused, RegistryError::NamespaceNotFound(_)), "{refused}");
        }
    }
    assert_eq!(registry.inner.log.store().count(&USER_SCRIPTS.key(&scripts_within(&id))).await.unwrap(), 0);
}
