//! What the memory shows is what the store holds: under concurrency, between nodes, after canceled calls.

use std::sync::atomic::{AtomicU64, Ordering};

use super::*;
use wasmyard_model::egress::EgressRules;
use wasmyard_model::namespace::NamespacePatch;
use wasmyard_model::route::RouteTarget;
use wasmyard_stores::SqliteStore;

/// Writers deploy, readers look up; a reader must see what was acknowledged before it looked.
async fn nobody_sees_the_old_one(store: Arc<dyn Store>, options: RegistryOptions, deploys: u64) {
    let registry = Registry::open_with(store, Blobs::memory(), options).await.unwrap();
    registry.create_namespace(NewNamespace::named(ns("production"))).await.unwrap();
    let acknowledged = Arc::new(AtomicU64::new(0));
    let writers: Vec<_> = (0..4)
        .map(|_| {
            let (registry, acknowledged) = (registry.clone(), Arc::clone(&acknowledged));
            tokio::spawn(async move {
                for _ in 0..deploys {
                    let script = deploy(&registry, &user("production", "hot"), "same").await;
                    acknowledged.fetch_max(script.version.number, Ordering::SeqCst);
                    // Others come and go, so that a small cache keeps evicting.
                    registry
                        .script(&user("production", &format!("cold{}", script.version.number)))
                        .await
                        .unwrap();
                }
            })
        })
        .collect();
    let readers: Vec<_> = (0..4)
        .map(|_| {
            let (registry, acknowledged) = (registry.clone(), Arc::clone(&acknowledged));
            tokio::spawn(async move {
                let mut last = 0;
                while last < 4 * deploys {
                    let least = acknowledged.load(Ordering::SeqCst);
                    let script = registry.script(&user("production", "hot")).await.unwrap();
                    let number = script.map_or(0, |script| script.version.number);
                    assert!(number >= least, "saw version {number} after {least} was acknowledged");
                    assert!(number >= last, "saw version {number} after {last}");
                    last = number;
                    tokio::task::yield_now().await;
                }
            })
        })
        .collect();
    for task in writers.into_iter().chain(readers) {
        soon(task).await.unwrap();
    }
    let script = registry.script(&user("production", "hot")).await.unwrap().unwrap();
    assert_eq!(script.version.number, 4 * deploys, "each deploy made a version of its own");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn after_a_deploy_returned_nobody_sees_the_old_one() {
    nobody_sees_the_old_one(Arc::new(MemoryStore::new()), RegistryOptions::default(), 200).await;
}

#[tokio::test]
async fn the_same_when_the_store_answers_late() {
    nobody_sees_the_old_one(Arc::new(DawdlingStore::default()), RegistryOptions::default(), 50).await;
}

/// Forgets the script all the time, as a full cache would: each lookup is a race of a read with a deploy.
#[tokio::test]
async fn a_read_that_was_overtaken_never_covers_the_deploy() {
    let store = Arc::new(DawdlingStore::default());
    let registry = Registry::open(store, Blobs::memory()).await.unwrap();
    let key = platform("hot");
    for round in 0..100 {
        let upload = upload(&registry, "same").await;
        registry.inner.scripts.forget_all();
        let deploy = {
            let (registry, key) = (registry.clone(), key.clone());
            tokio::spawn(async move { registry.deploy(&key, upload).await.unwrap() })
        };
        // Starts the read at another moment of the deploy each time.
        for _ in 0..round {
            tokio::task::yield_now().await;
        }
        soon(registry.script(&key)).await.unwrap();
        let deployed = soon(deploy).await.unwrap();
        assert_eq!(registry.script(&key).await.unwrap(), Some(deployed), "round {round}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_same_with_a_cache_that_keeps_nothing() {
    let options = RegistryOptions { script_cache_bytes: 0, ..RegistryOptions::default() };
    nobody_sees_the_old_one(Arc::new(MemoryStore::new()), options, 200).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_same_on_disk() {
    let directory = tempfile::tempdir().unwrap();
    let store = Arc::new(SqliteStore::open(directory.path()).unwrap());
    nobody_sees_the_old_one(store, RegistryOptions::default(), 25).await;
}

#[tokio::test]
async fn two_nodes_on_one_store_follow_each_other() {
    let (store, blobs) = (Arc::new(MemoryStore::new()), Blobs::memory());
    let one = Registry::open(store.clone(), blobs.clone()).await.unwrap();
    let two = Registry::open(store, blobs).await.unwrap();
    let mut events = two.changes();
    let namespace = one.create_namespace(NewNamespace::named(ns("production"))).await.unwrap();
    let event = soon(events.recv()).await.unwrap();
    assert_eq!(event, RegistryEvent::Namespace { id: namespace.id.clone(), name: Some(ns("production")) });

    let key = user("production", "a");
    assert_eq!(two.script(&key).await.unwrap(), None);
    let script = deploy(&one, &key, "one").await;
    assert_eq!(soon(events.recv()).await.unwrap(), RegistryEvent::Script(key.clone()));
    assert_eq!(two.script(&key).await.unwrap(), Some(script));
    one.delete_script(&key).await.unwrap();
    assert_eq!(soon(events.recv()).await.unwrap(), RegistryEvent::Script(key.clone()));
    assert_eq!(two.script(&key).await.unwrap(), None);

    let target = RouteTarget::Respond(404);
    let route = one
        .add_route("a.com/*".parse().unwrap(), target, wasmyard_model::namespace::Origin::Api)
        .await
        .unwrap();
    assert_eq!(soon(events.recv()).await.unwrap(), RegistryEvent::Route { id: route.id.clone() });
    assert_eq!(two.routes().lookup("a.com", "/").unwrap().route, route);
    one.remove_route(&route.id).await.unwrap();
    assert_eq!(soon(events.recv()).await.unwrap(), RegistryEvent::Route { id: route.id.clone() });
    assert_eq!(two.routes().lookup("a.com", "/"), None);

    let (_, token) = one.create_token("t").await.unwrap();
    assert_eq!(soon(events.recv()).await.unwrap(), RegistryEvent::Tokens);
    assert!(two.verify_token(token.expose()));

    // Both at once: the slower one reads again and wins in its turn.
    let patch = |trusted| NamespacePatch { trusted_workers: Some(trusted), ..NamespacePatch::default() };
    one.update_namespace(&ns("production"), patch(true)).await.unwrap();
    two.update_namespace(&ns("production"), NamespacePatch { name: Some(ns("live")), ..patch(false) })
        .await
        .unwrap();
    until(async || one.namespace_cached(&ns("live")).is_some()).await;
    let rules = EgressRules { ports: Some(vec![443]), ..EgressRules::default() };
    let patch = NamespacePatch { egress: Some(Some(rules.clone())), ..NamespacePatch::default() };
    two.update_namespace(&ns("live"), patch).await.unwrap();
    let seen = async || one.namespace_cached(&ns("live")).unwrap().egress.as_deref() == Some(&rules);
    until(seen).await;
    let both = [&one, &two].map(|node| node.namespace_cached(&ns("live")).unwrap());
    assert_eq!(both[0], both[1]);
    assert!(one.namespace_cached(&ns("production")).is_none());
}

#[tokio::test]
async fn a_deploy_whose_caller_went_away_is_whole_or_not_there() {
    let directory = tempfile::tempdir().unwrap();
    let store: Arc<dyn Store> = Arc::new(SqliteStore::open(directory.path()).unwrap());
    let registry = Registry::open(Arc::clone(&store), Blobs::memory()).await.unwrap();
    registry.create_namespace(NewNamespace::named(ns("production"))).await.unwrap();
    let key = user("production", "a");
    deploy(&registry, &key, "first").await;
    for round in 0..40 {
        let upload = upload(&registry, &format!("round {round}")).await;
        // Dropped at a different point of its way each time.
        let deploy = registry.deploy(&key, upload);
        tokio::select! {
            biased;
            done = deploy => drop(done.unwrap()),
            () = async { for _ in 0..round { tokio::task::yield_now().await } } => {}
        }
    }
    // The writer answers in order: after this, what was handed over has happened or never will.
    let last = deploy(&registry, &key, "last").await;
    assert_eq!(registry.script(&key).await.unwrap(), Some(last.clone()));
    until(async || registry.script_cached(&key).is_some_and(|cached| cached.as_ref() == Some(&last))).await;
    assert_eq!(registry.component(&last.version.code.loads().unwrap()).await.unwrap(), "last");
}

#[tokio::test]
async fn the_feed_repairs_what_a_canceled_call_left_in_memory() {
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
    let registry = Registry::open(Arc::clone(&store), Blobs::memory()).await.unwrap();
    registry.create_namespace(NewNamespace::named(ns("production"))).await.unwrap();
    let key = user("production", "a");
    deploy(&registry, &key, "one").await;
    let mut events = registry.changes();
    // An append that this registry never saw the end of.
    let other = Registry::open(store, registry.inner.blobs.clone()).await.unwrap();
    let script = deploy(&other, &key, "two").await;
    while soon(events.recv()).await.unwrap() != RegistryEvent::Script(key.clone()) {}
    until(async || registry.script(&key).await.unwrap().as_ref() == Some(&script)).await;
}

#[tokio::test]
async fn the_log_of_changes_stays_short_and_a_node_that_missed_it_starts_over() {
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
    let options = RegistryOptions { keep_changes: 8, ..RegistryOptions::default() };
    let registry = Registry::open_with(Arc::clone(&store), Blobs::memory(), options).await.unwrap();
    registry.create_namespace(NewNamespace::named(ns("production"))).await.unwrap();
    let key = user("production", "a");
    for _ in 0..40 {
        deploy(&registry, &key, "same").await;
    }
    until(async || store.changes_since(20, 1).await.is_err()).await;
    assert!(store.changes_since(39, 1).await.is_ok());
    let mut events = registry.changes();
    let reached = registry.inner.apply_page(0).await.unwrap();
    assert_eq!(reached, Some(registry.ping().await.unwrap()));
    while soon(events.recv()).await.unwrap() != RegistryEvent::Everything {}
    assert_eq!(registry.script(&key).await.unwrap().unwrap().version.number, 40);
}

#[tokio::test]
async fn names_that_do_not_exist_do_not_fill_the_memory() {
    let options = RegistryOptions { script_cache_bytes: 64 << 10, ..RegistryOptions::default() };
    let registry = Registry::open_with(Arc::new(MemoryStore::new()), Blobs::memory(), options).await.unwrap();
    registry.create_namespace(NewNamespace::named(ns("production"))).await.unwrap();
    for n in 0..5_000 {
        assert_eq!(registry.script(&user("production", &format!("guess{n}"))).await.unwrap(), None);
    }
    assert!(registry.inner.scripts.bytes() <= 64 << 10);
}

#[tokio::test]
async fn the_last_handle_ends_the_feed() {
    let store = Arc::new(MemoryStore::new());
    let registry = Registry::open(store.clone(), Blobs::memory()).await.unwrap();
    registry.create_namespace(NewNamespace::named(ns("production"))).await.unwrap();
    drop(registry);
    until(async || Arc::strong_count(&store) == 1).await;
    assert_eq!(store.revision().await.unwrap(), 1);
}
