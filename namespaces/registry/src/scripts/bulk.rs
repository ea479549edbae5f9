//! Scripts that are deleted together: all of them by one append, or none.
//!
//! Owns what such an append says. The history of the scripts does not go with it: that may be ten times as much, and
//! nobody sees it without its script. A note in the same append says whose history is left, and [`Inner::sweep_histories`]
//! removes it, with the ticks of its cron expressions; a script that is deployed under such a name before that removes what
//! it finds of the one before.

use std::collections::HashSet;

use super::{Histories, listed};
use crate::collection::{ATTEMPTS, PAGE, Seen, Transaction, step_aside};
use crate::error::RegistryError;
use crate::ownership::refuse_script;
use crate::record::{
    HISTORIES_LEFT, NAMESPACES, PAST_DEPLOYMENTS, ScriptRecord, USER_SCRIPTS, blobs_of_script,
};
use crate::scripts::upload::new_id;
use crate::{Inner, Registry, Result};
use wasmyard_model::name::{NamespaceName, ScriptName};
use wasmyard_model::tags::TagFilter;
use wasmyard_stores::Revision;

/// The most scripts that are deleted by one append: some megabytes of it.
pub const MOST_DELETED_AT_ONCE: usize = 10_000;

/// What a deletion of many scripts came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeletedScripts {
    /// Their names, sorted.
    pub names: Vec<ScriptName>,
    /// Whether there are more that the filter takes: then the call is to be repeated.
    pub has_more: bool,
}

/// An append that deletes scripts, before it is made.
struct Deletion {
    transaction: Transaction,
    deleted: DeletedScripts,
}

impl Registry {
    /// Deletes the scripts of a namespace that a filter takes; without a filter, all. They are gone together: no crash and
    /// no lookup finds some of them. At most [`MOST_DELETED_AT_ONCE`] go at a time. Those of the configuration stay,
    /// unless this handle is [over it](Registry::over_configuration). Their storage is kept for a while, unless it is one
    /// [with storage](Registry::with_storage).
    ///
    /// # Errors
    /// [`RegistryError::NamespaceNotFound`]; [`RegistryError::Conflict`] under constant change by others;
    /// [`RegistryError::Store`]. Then none was deleted.
    pub async fn delete_scripts(
        &self,
        ns: &NamespaceName,
        filter: Option<&TagFilter>,
    ) -> Result<DeletedScripts> {
        let most = self.inner.options.deleted_at_once;
        for attempt in 0..ATTEMPTS {
            let (id, space, revision) = {
                let index = self.inner.namespaces.load();
                let slot = index.named(ns).ok_or_else(|| RegistryError::NamespaceNotFound(ns.clone()))?;
                (slot.namespace.id.clone(), slot.space, slot.revision)
            };
            let Deletion { mut transaction, deleted } = self.gathered(ns, filter, most).await?;
            if deleted.names.is_empty() {
                return Ok(deleted);
            }
            transaction.expect_unchanged(&NAMESPACES, &id, revision);
            let records: Vec<String> =
                deleted.names.iter().map(|name| USER_SCRIPTS.key(&format!("{id}/{name}"))).collect();
            self.inner.leave_storage_of(&mut transaction, &id, &records, self.drops_storage).await?;
            match self.inner.log.commit(&transaction).await {
                Ok(change) => {
                    self.inner.forget(space, &deleted.names, change).await;
                    return Ok(deleted);
                }
                Err(RegistryError::Conflict(_)) => {
                    step_aside(attempt).await;
                    self.inner.refresh_namespace(&id).await?;
                }
                Err(error) => return Err(error),
            }
        }
        Err(RegistryError::Conflict(format!("scripts of the namespace {ns}")))
    }

    /// Looks for what is to go, a page at a time.
    async fn gathered(
        &self,
        ns: &NamespaceName,
        filter: Option<&TagFilter>,
        most: usize,
    ) -> Result<Deletion> {
        let (scripts, within) = self.inner.scripts_of(Some(ns))?;
        let now = self.inner.clock().now();
        let (mut transaction, mut deleted) = (Transaction::default(), DeletedScripts::default());
        let (mut left, mut after) = (Vec::new(), None::<String>);
        loop {
            let page = self.inner.log.page(scripts, &within, after.as_deref(), PAGE).await?;
            for seen in &page {
                let Some(script) = listed(seen, &within, Some(ns)) else { continue };
                let is_taken = filter.is_none_or(|filter| filter.matches(&script.tags))
                    && refuse_script(&script, None, self.over_configuration).is_ok();
                if !is_taken {
                    continue;
                }
                if deleted.names.len() == most {
                    deleted.has_more = true;
                    break;
                }
                transaction.delete(seen);
                for blob in blobs_of_script(&script) {
                    transaction.retire(seen, &blob, now)?;
                }
                left.push(seen.id().to_owned());
                deleted.names.push(script.key.script().clone());
            }
            match page.last() {
                Some(last) if !deleted.has_more => after = Some(last.id().to_owned()),
                Some(_) | None => break,
            }
        }
        if !left.is_empty() {
            let note = self.inner.log.read(&HISTORIES_LEFT, &new_id()).await?;
            transaction.put(&note, &left)?;
        }
        Ok(Deletion { transaction, deleted })
    }
}

impl Inner {
    /// Takes scripts out of the cache that an append deleted.
    async fn forget(&self, space: u64, names: &[ScriptName], change: Revision) {
        for name in names {
            self.scripts.forget_in_turn(space, name, change).await;
        }
    }

    /// Removes the history of scripts that were deleted together. May run on several nodes.
    pub(crate) async fn sweep_histories(&self) -> Result<()> {
        for note in self.log.all(&HISTORIES_LEFT, "").await? {
            let left = note.whole().unwrap_or_default();
            let mut attempt = 0;
            let mut pages = left.chunks(PAGE);
            let mut page = pages.next();
            while let Some(ids) = page {
                let transaction = self.sweeping(ids).await?;
                if transaction.is_empty() || self.log.commit_page(&transaction, &mut attempt).await? {
                    page = pages.next();
                }
            }
            let mut transaction = Transaction::default();
            transaction.delete(&note);
            self.log.commit_page(&transaction, &mut attempt).await?;
        }
        Ok(())
    }

    /// What removes the history of those of these scripts that are not there again.
    async fn sweeping(&self, ids: &[String]) -> Result<Transaction> {
        let mut transaction = Transaction::default();
        let there: HashSet<String> =
            self.log.read_many(&USER_SCRIPTS, ids).await?.iter().map(|seen| seen.id().to_owned()).collect();
        for id in ids.iter().filter(|id| !there.contains(*id)) {
            let seen: Seen<ScriptRecord> = self.log.read(&USER_SCRIPTS, id).await?;
            let known = self.idle_versions(&seen).await?;
            let has_past = self.log.read(&PAST_DEPLOYMENTS, seen.key()).await?.exists();
            let has_ticks = self.has_ticks(&seen).await?;
            if seen.exists() || (known.is_empty() && !has_past && !has_ticks) {
                continue;
            }
            transaction.make_room();
            if has_ticks {
                self.write_ticks(&mut transaction, &seen, None, None).await?;
            }
            let change = Histories { seen: &seen, known: &known, before: None, after: None, shelved: None };
            self.write_history(&mut transaction, change).await?;
        }
        Ok(transaction)
    }
}
