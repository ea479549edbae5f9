//! The feed of changes: what keeps the memory true when somebody else wrote.
//!
//! Owns the task that follows the store's log, tells whoever listens, and keeps the log short; and the list of the
//! collections that are followed. What a change means is known by the collection alone. Each reads the current
//! state of a changed key, never a state from the log, so that repeating a change is harmless.

use std::sync::Weak;
use std::time::Duration;

use tokio::sync::watch;

use super::follow::Follow;
use super::{Inner, RegistryEvent, Result};
use wasmyard_stores::{Revision, StoreError};

const PAGE: usize = 256;
/// How long the feed waits after the store failed, or did not show yet what it announced.
const PAUSE: Duration = Duration::from_secs(1);
const SHORT_PAUSE: Duration = Duration::from_millis(20);

/// The collections that are held in memory. A user script is found through its namespace: namespaces come first.
const FOLLOWED: [&dyn Follow; 14] = [
    &super::namespaces::Namespaces,
    &super::scripts::PlatformScripts,
    &super::scripts::UserScripts,
    &super::routes::Routes,
    &super::tokens::Tokens,
    &super::zones::Zones,
    &super::zones::Hostnames,
    &super::zones::Claims,
    &super::zones::Origins,
    &super::zones::Waiting,
    &super::zones::Challenges,
    &super::zones::Associations,
    &super::zones::DelegatedTexts,
    &super::alerting::Alerts,
];

/// Follows the store until the registry or the store is gone. Holds the registry only while it works.
pub(super) async fn run(registry: Weak<Inner>, mut newest: watch::Receiver<Revision>, loaded: Revision) {
    if let Some(inner) = registry.upgrade() {
        if let Err(error) = inner.resume_purges().await {
            tracing::error!(error = %error, "could not finish the deletion of a namespace, trying at the next start");
        }
        if let Err(error) = inner.sweep_histories().await {
            tracing::error!(error = %error, "could not remove the history of deleted scripts, trying at the next sweep");
        }
        if let Err(error) = inner.resume_zone_purges().await {
            tracing::error!(error = %error, "could not finish the deletion of a zone, trying at the next start");
        }
    }
    let mut applied = loaded;
    // Unknown: the first changes after a start compact, or the log would grow over many short lives.
    let mut compacted = 0;
    loop {
        let target = *newest.borrow_and_update();
        while applied < target {
            let Some(inner) = registry.upgrade() else { return };
            let pause = match inner.apply_page(applied).await {
                Ok(Some(revision)) => {
                    applied = revision;
                    compacted = inner.compact_after(applied, compacted).await;
                    continue;
                }
                // The news ran ahead of what can be read, as it may where a copy of the store is read. Nothing
                // was passed over: it is asked for again.
                Ok(None) => SHORT_PAUSE,
                Err(error) => {
                    tracing::error!(error = %error, source = ?std::error::Error::source(&error), "could not follow the registry's changes");
                    PAUSE
                }
            };
            drop(inner);
            tokio::time::sleep(pause).await;
        }
        if newest.changed().await.is_err() {
            return;
        }
    }
}

impl Inner {
    /// Reads into memory what is kept there, and returns the revision it is true at, or a later one was seen.
    pub(super) async fn load(&self) -> Result<Revision> {
        // Before the reads: what changes during them comes once more through the feed.
        let revision = self.log.revision().await?;
        for collection in FOLLOWED {
            collection.load(self).await?;
        }
        Ok(revision)
    }

    /// Applies one page of changes. Returns the revision reached; none when no change can be read.
    pub(super) async fn apply_page(&self, applied: Revision) -> Result<Option<Revision>> {
        let changes = match self.log.changes_since(applied, PAGE).await {
            Ok(changes) => changes,
            Err(StoreError::Compacted { .. }) => {
                let revision = self.load().await?;
                self.tell(RegistryEvent::Everything);
                return Ok(Some(revision));
            }
            Err(error) => return Err(error.into()),
        };
        for change in &changes {
            for collection in FOLLOWED {
                let Some(id) = change.key.strip_prefix(collection.prefix()) else { continue };
                if let Some(event) = collection.apply(self, id, change.revision).await? {
                    self.tell(event);
                }
            }
        }
        Ok(changes.last().map(|change| change.revision))
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
        match self.log.compact(keep_from).await {
            Ok(()) => keep_from.saturating_sub(1),
            Err(error) => {
                tracing::warn!(error = %error, "could not compact the log of changes");
                compacted
            }
        }
    }
}
