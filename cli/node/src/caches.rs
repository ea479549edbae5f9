//! What the caches of scripts that are deleted had goes: as soon as the registry tells of it, and now and then what was missed.
//!
//! Nobody finds it any more by then: caches are named by the identifiers of scripts, and another script of the same name has
//! another one. Must never touch the caches of a script that is there.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::broadcast::error::RecvError;
use wasmyard_cache::Caches;
use wasmyard_namespaces::namespace::Namespace;
use wasmyard_namespaces::registry::RegistryEvent;
use wasmyard_namespaces::script::ScriptKey;
use wasmyard_namespaces::{Registry, ScriptName};

/// How often it is looked whether something was missed.
const EVERY: Duration = Duration::from_secs(3_600);

/// Follows the registry until it is gone, or this is dropped.
pub(crate) async fn run(caches: Caches, registry: Registry) {
    // From here on, so that a deletion is either found or heard of.
    let mut changes = registry.changes();
    caches.store().loaded().await;
    look_at_all(&caches, &registry).await;
    let clock = registry.clock();
    let mut due = clock.now().later(EVERY);
    loop {
        let changed = tokio::select! {
            changed = changes.recv() => changed,
            () = clock.sleep_until(due) => {
                due = clock.now().later(EVERY);
                Ok(RegistryEvent::Everything)
            }
        };
        match changed {
            Ok(RegistryEvent::Script(key)) => look_at(&caches, &registry, &key).await,
            // Its scripts may be gone with it.
            Ok(RegistryEvent::Namespace { name: None, .. } | RegistryEvent::Everything)
            | Err(RecvError::Lagged(_)) => look_at_all(&caches, &registry).await,
            Ok(_) => {}
            Err(RecvError::Closed) => return,
        }
    }
}

/// Forgets what a script has, if it is not there any more.
async fn look_at(caches: &Caches, registry: &Registry, key: &ScriptKey) {
    let name = match key {
        ScriptKey::Platform(script) => script.to_string(),
        ScriptKey::User { namespace, script } => match registry.namespace_cached(namespace) {
            Some(namespace) => format!("{}/{script}", namespace.id),
            // Where that is gone, too, its own event has all looked at.
            None => return,
        },
    };
    for (_, id) in caches.scripts(Some(&name)) {
        forget_gone(caches, registry, Some(key), &id).await;
    }
}

/// The same for all scripts.
async fn look_at_all(caches: &Caches, registry: &Registry) {
    match registry.namespaces().await {
        Ok(namespaces) => {
            for (name, id) in caches.scripts(None) {
                forget_gone(caches, registry, key_of(&name, &namespaces).as_ref(), &id).await;
            }
        }
        Err(error) => {
            tracing::warn!(%error, "caches of scripts that are deleted stay: the registry cannot be read");
        }
    }
}

/// Forgets the caches of this identifier, unless the script has it.
async fn forget_gone(caches: &Caches, registry: &Registry, key: Option<&ScriptKey>, id: &str) {
    let found = match key {
        Some(key) => registry.script(key).await,
        None => Ok(None),
    };
    match found {
        Ok(Some(script)) if script.id == id => {}
        Ok(_) => {
            tracing::debug!(id, "the caches of a script go, since it is deleted");
            caches.forget(id).await;
        }
        Err(error) => tracing::warn!(id, %error, "a script could not be looked up; its caches stay"),
    }
}

/// The script by the name of its caches, which the dispatcher gives: the identifier of its namespace, and its own name.
fn key_of(name: &str, namespaces: &[Arc<Namespace>]) -> Option<ScriptKey> {
    match name.split_once('/') {
        None => ScriptKey::parse(name),
        Some((id, script)) => {
            let namespace = namespaces.iter().find(|namespace| namespace.id == id)?;
            Some(ScriptKey::user(namespace.name.clone(), ScriptName::parse(script).ok()?))
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::{HeaderMap, Method, StatusCode};
    use wasmyard_cache::{CacheLimits, Request};
    use wasmyard_namespaces::code::Component;
    use wasmyard_namespaces::namespace::{NamespacePatch, NewNamespace};
    use wasmyard_namespaces::script::{Upload, UploadDraft};
    use wasmyard_namespaces::{Clock, NamespaceName};

    use super::*;

    fn ns(name: &str) -> NamespaceName {
        NamespaceName::parse(name).unwrap()
    }

    fn key(namespace: &str, script: &str) -> ScriptKey {
        ScriptKey::user(ns(namespace), ScriptName::parse(script).unwrap())
    }

    /// Deploys a script that keeps something, under the name that the dispatcher gives its caches.
    async fn keeps(caches: &Caches, registry: &Registry, key: &ScriptKey, name: &str) -> String {
        let digest = registry.put_component(Bytes::from_static(b"x")).await.unwrap();
        let component = Component { main_module: "worker.wasm".to_owned(), ..Component::new(digest, 1) };
        let draft = UploadDraft { code: component.into(), ..UploadDraft::default() };
        let id = registry.deploy(key, Upload::parse(draft).unwrap()).await.unwrap().id.clone();
        let cache = caches.of(&id, name).unwrap().open(Some("c")).unwrap();
        let url = "https://x.test/".to_owned();
        let request = Request { method: Method::GET, url, headers: HeaderMap::new() };
        let storing = cache.storing(request, StatusCode::OK, &HeaderMap::new()).unwrap().unwrap();
        storing.put(Bytes::from_static(b"kept")).await.unwrap();
        id
    }

    #[tokio::test]
    async fn caches_go_with_their_scripts_and_not_with_the_name_of_a_namespace() {
        let folder = tempfile::tempdir().unwrap();
        let caches = Caches::open(folder.path(), Clock::system(), CacheLimits::default()).unwrap();
        let registry = Registry::in_memory().await.unwrap();
        let namespace = registry.create_namespace(NewNamespace::named(ns("before"))).await.unwrap();
        let platform = ScriptKey::parse("own").unwrap();
        let mut kept = vec![keeps(&caches, &registry, &platform, "own").await];
        for script in ["one", "two"] {
            let name = format!("{}/{script}", namespace.id);
            kept.push(keeps(&caches, &registry, &key("before", script), &name).await);
        }
        let ids = || {
            let mut ids: Vec<String> = caches.scripts(None).into_iter().map(|(_, id)| id).collect();
            ids.sort();
            ids
        };
        let sorted = |ids: &[&String]| {
            let mut ids: Vec<String> = ids.iter().map(|id| (*id).clone()).collect();
            ids.sort();
            ids
        };
        let patch = NamespacePatch { name: Some(ns("after")), ..NamespacePatch::default() };
        registry.update_namespace(&ns("before"), patch).await.unwrap();
        look_at_all(&caches, &registry).await;
        look_at(&caches, &registry, &key("before", "one")).await;
        look_at(&caches, &registry, &key("after", "one")).await;
        assert_eq!(ids(), sorted(&[&kept[0], &kept[1], &kept[2]]));
        // One that is deleted, and one that took the name of another.
        registry.delete_script(&key("after", "one")).await.unwrap();
        look_at(&caches, &registry, &key("after", "one")).await;
        assert_eq!(ids(), sorted(&[&kept[0], &kept[2]]));
        registry.delete_script(&platform).await.unwrap();
        let again = keeps(&caches, &registry, &platform, "own").await;
        look_at(&caches, &registry, &platform).await;
        assert_eq!(ids(), sorted(&[&again, &kept[2]]));
        registry.delete_namespace(&ns("after")).await.unwrap();
        look_at_all(&caches, &registry).await;
        assert_eq!(ids(), [again]);
    }
}
