//! The audit log: entries that are appended and read, and forgotten when they are as old as they may be.
//!
//! Owns their order: newer ones come first. Must never change an entry, nor forget one before its time.

use std::time::Duration;

use super::collection::{Collection, PAGE, Seen, Transaction};
use super::{Registry, Result};
use wasmyard_model::audit::AuditEntry;
use wasmyard_model::timestamp::Timestamp;

/// Entries, by when they were made, the newest first.
const AUDIT: Collection<AuditEntry> = Collection::at("audit/");

/// Which entries are read, and from which end.
#[derive(Clone, Copy, Debug, Default)]
pub struct AuditRange {
    /// Made then or later.
    pub since: Option<Timestamp>,
    /// Made before that.
    pub before: Option<Timestamp>,
    /// Whether the oldest one is the first.
    pub oldest_first: bool,
}

impl AuditRange {
    /// The keys of all entries that were made before a moment come after this one, and no others.
    fn edge(moment: Timestamp) -> String {
        // What was made at that very moment has a longer key, and so comes after it: a moment earlier is meant.
        format!("{}-~", newest_first(moment))
    }

    /// Whether an entry still belongs to it, in its order from where it begins.
    fn reaches(&self, entry: &AuditEntry) -> bool {
        if self.oldest_first {
            self.before.is_none_or(|before| entry.when < before)
        } else {
            self.since.is_none_or(|since| entry.when >= since)
        }
    }
}

impl Registry {
    /// An id that no entry has.
    #[must_use]
    pub fn audit_id() -> String {
        uuid::Uuid::new_v4().to_string()
    }

    /// Appends an entry, durably when it returns.
    ///
    /// # Errors
    /// [`RegistryError::Store`](super::RegistryError::Store). On a full disk only the entry of a change that was made is
    /// taken, out of the room that deletions have.
    pub async fn append_audit(&self, entry: &AuditEntry) -> Result<()> {
        let log = &self.inner.log;
        let free = log.read(&AUDIT, &format!("{}-{}", newest_first(entry.when), entry.id)).await?;
        let mut transaction = Transaction::default();
        transaction.put(&free, entry)?;
        if entry.succeeded() {
            transaction.make_room();
        }
        log.commit(&transaction).await.map(drop)
    }

    /// Entries with their keys, in the order of the range: those that come after a key; `limit` at most.
    ///
    /// # Errors
    /// [`RegistryError::Store`](super::RegistryError::Store).
    pub async fn audit_page(
        &self,
        range: &AuditRange,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<(String, AuditEntry)>> {
        let log = &self.inner.log;
        let seen = if range.oldest_first {
            let edge = range.since.map(AuditRange::edge);
            let from = after.into_iter().chain(edge.as_deref()).min();
            log.page_back(&AUDIT, from, limit).await?
        } else {
            let edge = range.before.map(AuditRange::edge);
            let from = after.into_iter().chain(edge.as_deref()).max();
            log.page(&AUDIT, "", from, limit).await?
        };
        let entries = seen.iter().filter_map(|seen| Some((seen.id().to_owned(), seen.whole()?)));
        Ok(entries.take_while(|(_, entry)| range.reaches(entry)).collect())
    }

    /// Forgets what is older than the audit log is kept for. Says how many entries that were.
    ///
    /// # Errors
    /// [`RegistryError::Store`](super::RegistryError::Store), or that others were faster over and over.
    pub async fn forget_old_audit(&self) -> Result<u64> {
        let log = &self.inner.log;
        let kept = self.inner.options.audit_kept;
        let now = self.clock().now();
        // What is exactly as old as that is before it, and stays.
        let after = format!("{}-~", newest_first_micros(now.unix_micros().saturating_sub(micros(kept))));
        let (mut forgotten, mut attempt) = (0, 0);
        loop {
            let old = log.page(&AUDIT, "", Some(&after), PAGE).await?;
            if old.is_empty() {
                return Ok(forgotten);
            }
            let mut transaction = Transaction::default();
            old.iter().for_each(|seen: &Seen<AuditEntry>| transaction.delete(seen));
            if log.commit_page(&transaction, &mut attempt).await? {
                forgotten += old.len() as u64;
            }
        }
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

/// A text that sorts the other way round than the moment.
fn newest_first(moment: Timestamp) -> String {
    newest_first_micros(moment.unix_micros())
}

fn newest_first_micros(micros: u64) -> String {
    format!("{:020}", u64::MAX - micros)
}
