//! What was acknowledged is there after the process is gone.

use super::*;
use wasmyard_model::bindings::{BindingDecl, BindingKind, SecretText};
use wasmyard_model::route::RouteTarget;
use wasmyard_model::secret::Secret;

async fn open(directory: &std::path::Path) -> Registry {
    Registry::open_directory(directory, RegistryOptions::default()).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_is_there_after_reopening() {
    let directory = tempfile::tempdir().unwrap();
    let registry = open(directory.path()).await;
    let namespace = registry.create_namespace(NewNamespace::named(ns("production"))).await.unwrap();
    let (user, platform) = (user("production", "a"), platform("dispatcher"));
    deploy(&registry, &user, "user code").await;
    let key = BindingName::parse("KEY").unwrap();
    let secret =
        BindingDecl { name: key, kind: BindingKind::SecretText(SecretText { text: Secret::new("hunter2") }) };
    let deployed = registry.put_binding(&user, secret).await.unwrap();
    let dispatcher = deploy(&registry, &platform, "platform code").await;
    let target = RouteTarget::Script(ScriptName::parse("dispatcher").unwrap());
    let route = registry
        .add_route("*/*".parse().unwrap(), target, wasmyard_model::namespace::Origin::Api)
        .await
        .unwrap();
    let (_, token) = registry.create_token("admin").await.unwrap();

    let registry = reopen(registry, directory.path()).await;
    assert_eq!(registry.namespaces().await.unwrap(), [namespace]);
    assert_eq!(registry.script(&user).await.unwrap(), Some(deployed.clone()));
    assert_eq!(registry.script(&platform).await.unwrap(), Some(dispatcher));
    assert_eq!(registry.component(&deployed.version.code.loads().unwrap()).await.unwrap(), "user code");
    assert_eq!(registry.list_routes(), std::slice::from_ref(&route));
    assert_eq!(registry.routes().lookup("any.host", "/").unwrap().route, route);
    assert!(registry.verify_token(token.expose()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_directory_has_one_registry() {
    let directory = tempfile::tempdir().unwrap();
    let registry = open(directory.path()).await;
    let refused = Registry::open_directory(directory.path(), RegistryOptions::default()).await.unwrap_err();
    assert!(matches!(refused, RegistryError::Store(StoreError::Locked { .. })));
    assert_eq!(refused.kind(), ErrorKind::Unavailable);
    reopen(registry, directory.path()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_of_the_live_directory_holds_every_acknowledged_deploy() {
    // What kill -9 leaves: the files as they are in the middle of things.
    let (live, copy) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let registry = open(live.path()).await;
    registry.create_namespace(NewNamespace::named(ns("production"))).await.unwrap();
    for n in 0..20 {
        deploy(&registry, &user("production", &format!("s{n}")), &format!("code {n}")).await;
    }
    copy_all(live.path(), copy.path());
    std::fs::write(copy.path().join("blobs/00/torn#1"), b"half").unwrap();
    let copied = open(copy.path()).await;
    for n in 0..20 {
        let script = copied.script(&user("production", &format!("s{n}"))).await.unwrap().unwrap();
        let component = copied.component(&script.version.code.loads().unwrap()).await.unwrap();
        assert_eq!(component, format!("code {n}"));
    }
    assert!(!copy.path().join("blobs/00/torn#1").exists());
}

fn copy_all(from: &std::path::Path, to: &std::path::Path) {
    for file in std::fs::read_dir(from).unwrap() {
        let file = file.unwrap();
        let target = to.join(file.file_name());
        if file.file_type().unwrap().is_dir() {
            std::fs::create_dir(&target).unwrap();
            copy_all(&file.path(), &target);
        } else {
            std::fs::copy(file.path(), target).unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_registry_that_is_gone_is_not_made_anew_beside_its_blobs() {
    let directory = tempfile::tempdir().unwrap();
    let registry = open(directory.path()).await;
    registry.create_namespace(NewNamespace::named(ns("production"))).await.unwrap();
    deploy(&registry, &user("production", "a"), "code").await;
    registry.close().await;
    drop(registry);
    let gone = |name: &str| std::fs::remove_file(directory.path().join(name)).unwrap();
    until(async || !directory.path().join("registry.sqlite-shm").exists()).await;
    gone("registry.sqlite");
    gone("revision");
    for _ in 0..2 {
        let refused =
            Registry::open_directory(directory.path(), RegistryOptions::default()).await.unwrap_err();
        assert_eq!(refused.cause(), wasmyard_stores::Cause::Damaged, "{refused}");
        assert!(refused.to_string().contains("blobs"), "{refused}");
        // Nor is one taken that is empty.
        std::fs::write(directory.path().join("registry.sqlite"), "").unwrap();
    }
}
