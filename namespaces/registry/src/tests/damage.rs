//! One damaged record harms nobody but itself.

use super::*;
use wasmyard_model::namespace::Origin;
use wasmyard_model::route::RouteTarget;
use wasmyard_stores::Write;

/// Puts something under a key that is no record.
async fn damage(registry: &Registry, prefix: &str, id: &str) {
    let key = format!("{prefix}{id}");
    registry.inner.log.store().append(&[], &[Write::put(key, "{\"id\": 7")]).await.unwrap();
}

#[tokio::test]
async fn a_damaged_script_is_left_out_of_lists_and_can_be_deleted_and_deployed_anew() {
    let registry = registry().await;
    for name in ["a", "b", "c"] {
        deploy(&registry, &user("production", name), "code").await;
        deploy(&registry, &platform(name), "code").await;
    }
    let id = registry.namespace_cached(&ns("production")).unwrap().id.clone();
    damage(&registry, "script/", &format!("{id}/b")).await;
    damage(&registry, "platform/", "b").await;
    assert_eq!(names(&registry.scripts(&ns("production"), None).await.unwrap()), ["a", "c"]);
    assert_eq!(names(&registry.platform_scripts().await.unwrap()), ["a", "c"]);
    // Nobody takes it for a script that is not there.
    for key in [user("production", "b"), platform("b")] {
        until(async || registry.script(&key).await.is_err()).await;
        assert!(registry.deploy(&key, upload(&registry, "new").await).await.is_err());
        assert!(registry.delete_script(&key).await.unwrap());
        assert_eq!(registry.script(&key).await.unwrap(), None);
        assert!(!registry.delete_script(&key).await.unwrap());
        assert_eq!(deploy(&registry, &key, "new").await.version.number, 1);
    }
    assert_eq!(names(&registry.scripts(&ns("production"), None).await.unwrap()), ["a", "b", "c"]);
    damage(&registry, "script/", &format!("{id}/b")).await;
    registry.delete_namespace(&ns("production")).await.unwrap();
    assert_eq!(registry.inner.log.store().count("script/").await.unwrap(), 0);
}

#[tokio::test]
async fn a_start_passes_over_what_is_damaged() {
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
    let registry = Registry::open(Arc::clone(&store), Blobs::memory()).await.unwrap();
    for name in ["kept", "broken"] {
        registry.create_namespace(NewNamespace::named(ns(name))).await.unwrap();
        let pattern = format!("{name}.test/*").parse().unwrap();
        registry.add_route(pattern, RouteTarget::Respond(404), Origin::Api).await.unwrap();
    }
    let (_, kept) = registry.create_token("kept").await.unwrap();
    let (info, _) = registry.create_token("broken").await.unwrap();
    let broken = registry.namespace_cached(&ns("broken")).unwrap().id.clone();
    damage(&registry, "namespace/", &broken).await;
    damage(&registry, "route/", &registry.routes().lookup("broken.test", "/").unwrap().route.id).await;
    damage(&registry, "token/", &info.id).await;
    drop(registry);
    let registry = Registry::open(store, Blobs::memory()).await.unwrap();
    let namespaces = registry.namespaces().await.unwrap();
    assert_eq!(namespaces.iter().map(|found| found.name.as_str()).collect::<Vec<_>>(), ["kept"]);
    assert_eq!(registry.list_routes().len(), 1);
    assert!(registry.verify_token(kept.expose()));
}

#[tokio::test]
async fn code_of_a_kind_that_does_not_run_here_is_refused_by_its_name() {
    let registry = registry().await;
    let key = platform("later");
    deploy(&registry, &key, "code").await;
    let store = registry.inner.log.store();
    let record = store.get("platform/later").await.unwrap().unwrap().value;
    let mut record: serde_json::Value = serde_json::from_slice(&record).unwrap();
    record["version"]["code"] = serde_json::json!({"kind": "programs", "engine": "e", "entry": "index.js"});
    let write = Write::put("platform/later".to_owned(), serde_json::to_vec(&record).unwrap());
    store.append(&[], &[write]).await.unwrap();
    until(async || registry.script(&key).await.is_err()).await;
    let error = registry.script(&key).await.unwrap_err();
    let text = format!("{error} {:?}", std::error::Error::source(&error).map(ToString::to_string));
    assert!(text.contains("of the kind \\\"programs\\\", which this program does not run"), "{text}");
}
