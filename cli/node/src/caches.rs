//! What the caches of scripts that are deleted had goes: as soon as the registry tells of it, and now and then what was missed.
//!
//! Nobody finds it any more by then: caches are named by the identifiers of scripts, and another script of the same name has
//! another one. Must never touch the caches of a script that is there.

use std::time::Duration;

use tokio::sync::broadcast::error::RecvError;
use wasmyard_cache::Caches;
use wasmyard_namespaces::Registry;
use wasmyard_namespaces::registry::RegistryEvent;
use wasmyard_namespaces::script::ScriptKey;

/// How often it is looked whether something was missed.
const EVERY: Duration = Duration::from_secs(3_600);

/// Follows the registry until it is gone, or this is dropped.
pub(crate) async fn run(caches: Caches, registry: Registry) {
    // From here on, so that a deletion is either found or heard of.
    let mut changes = registry.changes();
    caches.store().loaded().await;
    forget_gone(&caches, &registry, None).await;
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
            Ok(RegistryEvent::Script(key)) => forget_gone(&caches, &registry, Some(&key.to_string())).await,
            // Its scripts may be gone with it.
            Ok(RegistryEvent::Namespace { name: None, .. } | RegistryEvent::Everything)
            | Err(RecvError::Lagged(_)) => forget_gone(&caches, &registry, None).await,
            Ok(_) => {}
            Err(RecvError::Closed) => return,
        }
    }
}

/// Forgets what scripts have that are not there any more: those of one name, or all.
async fn forget_gone(caches: &Caches, registry: &Registry, name: Option<&str>) {
    for (name, id) in caches.scripts(name) {
        let script = match ScriptKey::parse(&name) {
            Some(key) => registry.script(&key).await,
            None => Ok(None),
        };
        match script {
            Ok(Some(script)) if script.id == id => {}
            Ok(_) => {
                tracing::debug!(script = name, "its caches go, since it is deleted");
                caches.forget(&id).await;
            }
            Err(error) => tracing::warn!(script = name, %error, "could not be looked up; its caches stay"),
        }
    }
}
