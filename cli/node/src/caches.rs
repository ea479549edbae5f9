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
