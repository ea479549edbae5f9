//! The feed of changes: what keeps the memory true when somebody else wrote.
//!
//! Owns the task that follows the store's log, tells whoever listens, and keeps the log short. Reads the
//! current state of each changed key, never a state from the log, so that repeating a change is harmless.

use std::sync::Weak;
use std::time::Duration;

use tokio::sync::watch;

use super::cache::{CacheKey, PLATFORM_SPACE};
use super::record::{NAMESPACES, PLATFORM_SCRIPTS, ROUTES, TOKENS, USER_SCRIPTS};
use super::{Inner, RegistryEvent, Result};
use crate::name::ScriptName;
use crate::script::ScriptKey;
use crate::store::{Change, Revision, StoreError};

const PAGE: usize = 256;
/// How long the feed waits after the store failed.
const PAUSE: Duration = Duration::from_secs(1);

/// Follows the store until the registry or the store is gone. Holds the registry only while it works.
pub(super) async fn run(registry: Weak<Inner>, mut newest: watch::Receiver<Revision>, loaded: Revision) {
    if let Some(inner) = registry.upgrade()
        && let Err(error) = inner.resume_purges().await
    {
        tracing::error!(error = %error, "could not finish the deletion of a namespace, trying at the next start");
    }
    let mut applied = loaded;
    // Unknown: the first changes after a start compact, or the log would grow over many short lives.
    let mut compacted = 0;
    loop {
        let target = *newest.borrow_and_update();
        while applied < target {
            let Some(inner) = registry.upgrade() else { return };
            match inner.apply_page(applied).await {
                Ok(revision) => applied = revision.unwrap_or(target),
                Err(error) => {
                    tracing::error!(error = %error, source = ?std::error::Error::source(&error), "could not follow the registry's changes");
                    drop(inner);
                    tokio::time::sleep(PAUSE).await;
                    continue;
                }
            }
            compacted = inner.compact_after(applied, compacted).await;
        }
        if newest.changed().await.is_err() {
            return;
        }
    }
}

impl Inner {
    /// Applies one page of changes. Returns the revision reached; none when there is nothing more.
    pub(super) async fn apply_page(&self, applied: Revision) -> Result<Option<Revision>> {
        let changes = match self.store.changes_since(applied, PAGE).await {
            Ok(changes) => changes,
            Err(StoreError::Compacted { .. }) => {
                let revision = self.load().await?;
                self.scripts.forget_all();
                self.tell(RegistryEvent::Everything);
                return Ok(Some(revision));
            }
            Err(error) => return Err(error.into()),
        };
        for change in &changes {
            self.apply(change).await?;
        }
        Ok(changes.last().map(|change| change.revision))
    }

    async fn apply(&self, change: &Change) -> Result<()> {
        let key = change.key.as_str();
        if let Some(rest) = key.strip_prefix(USER_SCRIPTS) {
            self.apply_user_script(rest, change.revision).await;
        } else if let Some(name) = key.strip_prefix(PLATFORM_SCRIPTS) {
            if let Ok(name) = ScriptName::parse(name) {
                self.forget_script(PLATFORM_SPACE, &name, change.revision).await;
                self.tell(RegistryEvent::Script(ScriptKey::Platform(name)));
            }
        } else if let Some(id) = key.strip_prefix(NAMESPACES) {
            let name = self.reload_namespace(id).await?;
            self.tell(RegistryEvent::Namespace { id: id.to_owned(), name });
        } else if let Some(id) = key.strip_prefix(ROUTES) {
            self.reload_route(id).await?;
            self.tell(RegistryEvent::Route { id: id.to_owned() });
        } else if key.starts_with(TOKENS) {
            self.reload_tokens().await?;
            self.tell(RegistryEvent::Tokens);
        }
        Ok(())
    }

    async fn apply_user_script(&self, rest: &str, change: Revision) {
        let Some((id, name)) = rest.split_once('/') else { return };
        let Ok(script) = ScriptName::parse(name) else { return };
        // A namespace that is not known is deleted, or its own change comes later in the feed. Either way
        // nothing is cached for it.
        let slot = self.namespaces.load().with_id(id).cloned();
        let Some(slot) = slot else { return };
        self.forget_script(slot.space, &script, change).await;
        self.tell(RegistryEvent::Script(ScriptKey::User { namespace: slot.namespace.name.clone(), script }));
    }

    async fn forget_script(&self, space: u64, name: &ScriptName, change: Revision) {
        let key = CacheKey { space, name: name.clone() };
        let _turn = self.scripts.turn(&key).await;
        self.scripts.forget_before(&key, change);
    }

    fn tell(&self, event: RegistryEvent) {
        // An error says that nobody listens.
        drop(self.events.send(event));
    }

    /// Compacts the log now and then. Returns up to where it is compacted.
    async fn compact_after(&self, applied: Revision, compacted: Revision) -> Revision {
        let keep = self.options.keep_changes;
        // A quarter more than what is kept, so that not every append compacts.
        if applied.saturating_sub(compacted) < keep.saturating_add(keep / 4).max(1) {
            return compacted;
        }
        let keep_from = applied.saturating_sub(keep).saturating_add(1);
        match self.store.compact(keep_from).await {
            Ok(()) => keep_from.saturating_sub(1),
            Err(error) => {
                tracing::warn!(error = %error, "could not compact the log of changes");
                compacted
            }
        }
    }
}
