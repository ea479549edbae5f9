//! Tests of [`super`]: one file per promise.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::*;
use crate::error::ErrorKind;
use wasmyard_model::code::Component;
use wasmyard_model::name::{BindingName, ConfigName, ScriptName, Tag};
use wasmyard_model::namespace::NewNamespace;
use wasmyard_model::script::{Script, Upload, UploadDraft};
use wasmyard_stores::{MemoryStore, StoreError};

mod assets;
mod audit;
mod coherence;
mod configured;
mod damage;
mod dawdling;
mod durability;
mod garbage;
mod jobs;
mod namespaces;
mod own;
mod routes;
mod scripts;
mod sealed;
mod secret_stores;
mod ticks;
mod tokens;
mod two_nodes;
mod versions;
mod zones;

use dawdling::DawdlingStore;

fn ns(name: &str) -> NamespaceName {
    NamespaceName::parse(name).unwrap()
}

fn user(namespace: &str, script: &str) -> ScriptKey {
    ScriptKey::user(ns(namespace), ScriptName::parse(script).unwrap())
}

fn platform(script: &str) -> ScriptKey {
    ScriptKey::Platform(ScriptName::parse(script).unwrap())
}

fn tags(names: &[&str]) -> Vec<Tag> {
    names.iter().map(|name| Tag::parse(name).unwrap()).collect()
}

fn names(scripts: &[Arc<Script>]) -> Vec<&str> {
    scripts.iter().map(|script| script.key.script().as_str()).collect()
}

/// A registry in memory with the namespace `production`.
async fn registry() -> Registry {
    let registry = Registry::in_memory().await.unwrap();
    registry.create_namespace(NewNamespace::named(ns("production"))).await.unwrap();
    registry
}

async fn draft(registry: &Registry, content: &str) -> UploadDraft {
    let digest = registry.put_component(Bytes::copy_from_slice(content.as_bytes())).await.unwrap();
    let main_module = "worker.wasm".to_owned();
    let component = Component { main_module, ..Component::new(digest, content.len() as u64) };
    UploadDraft { code: component.into(), ..UploadDraft::default() }
}

async fn upload(registry: &Registry, content: &str) -> Upload {
    Upload::parse(draft(registry, content).await).unwrap()
}

async fn deploy(registry: &Registry, key: &ScriptKey, content: &str) -> Arc<Script> {
    registry.deploy(key, upload(registry, content).await).await.unwrap()
}

/// Waits for what must come, and gives up long after it should have.
async fn soon<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(20), what).await.expect("it comes soon")
}

/// Drops the last handle and waits until the feed let go of the directory's lock.
async fn reopen(registry: Registry, directory: &std::path::Path) -> Registry {
    reopen_with(registry, directory, RegistryOptions::default).await
}

async fn reopen_with(
    registry: Registry,
    directory: &std::path::Path,
    options: impl Fn() -> RegistryOptions,
) -> Registry {
    drop(registry);
    soon(async {
        loop {
            match Registry::open_directory(directory, options()).await {
                Ok(registry) => return registry,
                Err(RegistryError::Store(StoreError::Locked { .. })) => tokio::task::yield_now().await,
                Err(error) => panic!("{error:?}"),
            }
        }
    })
    .await
}

/// Asks again and again, letting others run in between.
async fn until<F: Future<Output = bool>>(mut holds: impl FnMut() -> F) {
    soon(async {
        while !holds().await {
            tokio::task::yield_now().await;
        }
    })
    .await;
}
