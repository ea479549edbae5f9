//! When tokens are used, noted once a minute of each.
//!
//! Must never have a call wait for the note, nor keep one of a token that is gone.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::TOKENS;
use crate::collection::{Collection, Transaction};
use crate::error::RegistryError;
use crate::{Inner, MOST_TOKENS, Registry, Result};
use wasmyard_model::timestamp::Timestamp;

/// When each token was last used, as far as that was noted, by id.
pub(super) const USES: Collection<Timestamp> = Collection::at("token-use/");

/// How often it is noted of a token that it is used.
const NOTE_EVERY: Duration = Duration::from_secs(60);

impl Registry {
    /// Notes that a token is used, now and then: nobody waits for it, and what is not noted is used all the same.
    pub fn note_use(&self, id: &str) {
        let now = self.inner.clock().now();
        if !self.inner.uses.is_due(id, now) {
            return;
        }
        let (inner, id) = (Arc::clone(&self.inner), id.to_owned());
        tokio::spawn(async move {
            if let Err(error) = inner.keep_use(&id, now).await {
                tracing::debug!(%error, token = id, "the use of a token was not noted");
            }
        });
    }

    /// When each token was last used, within a minute.
    ///
    /// # Errors
    /// [`RegistryError::Store`].
    pub async fn token_uses(&self) -> Result<HashMap<String, Timestamp>> {
        let seen = self.inner.log.all(&USES, "").await?;
        Ok(seen.iter().filter_map(|seen| Some((seen.id().to_owned(), seen.whole()?))).collect())
    }
}

/// When the use of each token was noted here.
#[derive(Debug, Default)]
pub(crate) struct NotedUses(Mutex<HashMap<String, Timestamp>>);

impl NotedUses {
    /// Whether it is time to note one more; then it counts as noted.
    fn is_due(&self, id: &str, now: Timestamp) -> bool {
        let mut noted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if noted.get(id).is_some_and(|last| now >= *last && now.since(*last) < NOTE_EVERY) {
            return false;
        }
        if noted.len() >= 2 * MOST_TOKENS {
            // Those of tokens that are gone.
            noted.clear();
        }
        noted.insert(id.to_owned(), now);
        true
    }
}

impl Inner {
    async fn keep_use(&self, id: &str, now: Timestamp) -> Result<()> {
        let token = self.log.read(&TOKENS, id).await?;
        if !token.exists() {
            return Ok(());
        }
        let seen = self.log.read(&USES, id).await?;
        // Another node noted it, or this one before it was started again.
        let noted = seen.whole();
        if noted.is_some_and(|noted: Timestamp| noted <= now && now.since(noted) < NOTE_EVERY) {
            return Ok(());
        }
        let mut transaction = Transaction::default();
        // Not for one that is revoked meanwhile.
        transaction.expect(&token);
        transaction.put(&seen, &now)?;
        match self.log.commit(&transaction).await {
            Ok(_) | Err(RegistryError::Conflict(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }
}
