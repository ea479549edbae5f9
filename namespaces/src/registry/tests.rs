//! Tests of [`super`].

use bytes::Bytes;

use super::*;
use crate::error::ErrorKind;
use crate::name::ScriptName;
use crate::namespace::NewNamespace;
use crate::script::{Upload, UploadDraft};

fn ns(name: &str) -> NamespaceName {
    NamespaceName::parse(name).unwrap()
}

fn user(namespace: &str, script: &str) -> ScriptKey {
    ScriptKey::user(ns(namespace), ScriptName::parse(script).unwrap())
}

async fn upload(registry: &Registry, content: &'static [u8]) -> Upload {
    let component = registry.put_component(Bytes::from_static(content)).await.unwrap();
    let draft = UploadDraft {
        component: Some(component),
        component_size: content.len() as u64,
        main_module: "worker.wasm".to_owned(),
        ..UploadDraft::default()
    };
    Upload::parse(draft).unwrap()
}

#[tokio::test]
async fn a_deploy_is_seen_by_the_next_lookup() {
    let registry = Registry::in_memory().await.unwrap();
    registry.create_namespace(NewNamespace::named(ns("production"))).await.unwrap();
    let key = user("production", "a");
    assert_eq!(registry.script(&key).await.unwrap(), None);
    let first = registry.deploy(&key, upload(&registry, b"one").await).await.unwrap();
    assert_eq!(registry.script_cached(&key), Some(Some(first.clone())));
    let second = registry.deploy(&key, upload(&registry, b"two").await).await.unwrap();
    assert_eq!((first.id.clone(), second.version.number), (second.id.clone(), 2));
    assert_eq!(registry.script(&key).await.unwrap(), Some(second));
    assert!(registry.delete_script(&key).await.unwrap());
    assert_eq!(registry.script(&key).await.unwrap(), None);
    assert!(!registry.delete_script(&key).await.unwrap());
}

#[tokio::test]
async fn a_deploy_into_no_namespace_is_not_found() {
    let registry = Registry::in_memory().await.unwrap();
    let refused = registry.deploy(&user("nowhere", "a"), upload(&registry, b"x").await).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::NotFound);
    assert!(matches!(refused, RegistryError::NamespaceNotFound(_)));
}
