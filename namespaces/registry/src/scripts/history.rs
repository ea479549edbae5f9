//! Versions that do not serve, and deployments that have ended: kept beside a script, written with it, gone with it.
//!
//! Owns which of them are kept. A version is either part of the script's record, when it serves, or a record here, with
//! references to its blobs of its own; it moves from one to the other in the append that changes what serves.

use wasmyard_model::deployment::{PastDeployment, Share};
use wasmyard_model::script::{Script, Version};

use crate::collection::{PAGE, Seen, Transaction};
use crate::record::{PAST_DEPLOYMENTS, ScriptRecord, VERSIONS, VersionRecord, blobs_of};
use crate::{Inner, Result};

/// The annotation by which a version is kept however many come after it.
pub const PINNED: &str = "wasmyard/pinned";
/// How many more than [`crate::RegistryOptions::kept_versions`], where they are pinned.
const MOST_PINNED: usize = 90;
/// How many deployments that have ended are told.
const MOST_PAST: usize = 10;

/// What becomes of a script's history in one change.
pub(super) struct Histories<'h> {
    pub(super) seen: &'h Seen<ScriptRecord>,
    /// The versions that did not serve before.
    pub(super) known: &'h [Version],
    pub(super) before: Option<&'h Script>,
    pub(super) after: Option<&'h Script>,
    /// A version that was uploaded and does not serve.
    pub(super) shelved: Option<Version>,
}

impl Inner {
    /// The versions of a script that do not serve, the newest first. A damaged one is told and left out.
    pub(super) async fn idle_versions(&self, seen: &Seen<ScriptRecord>) -> Result<Vec<Version>> {
        let mut versions = Vec::new();
        for found in self.log.all(&VERSIONS, &within(seen)).await? {
            match found.whole().map(|record| record.version(found.key())) {
                Some(Ok(version)) => versions.push(version),
                Some(Err(error)) => {
                    tracing::error!(%error, "a version that does not serve is damaged and left out");
                }
                None => {}
            }
        }
        versions.reverse();
        Ok(versions)
    }

    /// The deployments of a script that have ended, the newest first.
    pub(super) async fn past_deployments(&self, seen: &Seen<ScriptRecord>) -> Result<Vec<PastDeployment>> {
        let found = self.log.read(&PAST_DEPLOYMENTS, seen.key()).await?;
        Ok(found.whole().unwrap_or_default())
    }

    /// Removes the history of all scripts whose records' keys begin like this: they are gone.
    pub(crate) async fn purge_history(&self, scripts: &str) -> Result<()> {
        let (now, mut attempt) = (self.clock().now(), 0);
        loop {
            let versions = self.log.page(&VERSIONS, scripts, None, PAGE).await?;
            let deployments = self.log.page(&PAST_DEPLOYMENTS, scripts, None, PAGE).await?;
            if versions.is_empty() && deployments.is_empty() {
                return Ok(());
            }
            let mut transaction = Transaction::default();
            for seen in &versions {
                transaction.delete(seen);
                for blob in seen.whole().map(|record| each_once(record.blobs())).unwrap_or_default() {
                    transaction.retire(seen, &blob, now)?;
                }
            }
            deployments.iter().for_each(|seen| transaction.delete(seen));
            self.log.commit_page(&transaction, &mut attempt).await?;
        }
    }

    /// Says in the transaction of a script's change what becomes of its history.
    pub(super) async fn write_history(
        &self,
        transaction: &mut Transaction,
        change: Histories<'_>,
    ) -> Result<()> {
        let Histories { seen, known, before, after, shelved } = change;
        let now = self.clock().now();
        let kept = kept(self.options.kept_versions, known, before, after, shelved);
        for version in known.iter().filter(|known| !kept.iter().any(|kept| kept.id == known.id)) {
            let id = id_of(seen, version);
            transaction.delete_with(seen, &VERSIONS, &id);
            for blob in each_once(blobs_of(version)) {
                transaction.retire_of(seen, &VERSIONS.key(&id), &blob, now)?;
            }
        }
        for version in kept.iter().filter(|kept| !known.iter().any(|known| known.id == kept.id)) {
            let id = id_of(seen, version);
            let mut blobs = Vec::new();
            for blob in each_once(blobs_of(version)) {
                blobs.push((blob, self.kept_blob(&blob).await?));
            }
            if blobs.iter().any(|(_, kept)| kept.is_none()) {
                // It could not serve again.
                continue;
            }
            transaction.put_with(seen, &VERSIONS, &id, &VersionRecord::from(version))?;
            for (blob, kept) in &blobs {
                if let Some(kept) = kept {
                    transaction.refer_of(seen, &VERSIONS.key(&id), blob, kept)?;
                }
            }
        }
        match (before, after) {
            (_, None) => transaction.delete_with(seen, &PAST_DEPLOYMENTS, seen.key()),
            // That of a script which was deleted under this name.
            (None, Some(_)) => {
                if self.log.read(&PAST_DEPLOYMENTS, seen.key()).await?.exists() {
                    transaction.delete_with(seen, &PAST_DEPLOYMENTS, seen.key());
                }
            }
            (Some(before), Some(after)) if after.deployment.id == before.deployment.id => {}
            (Some(before), Some(_)) => {
                let mut past = self.past_deployments(seen).await?;
                past.insert(0, ended(before));
                past.truncate(MOST_PAST);
                transaction.put_with(seen, &PAST_DEPLOYMENTS, seen.key(), &past)?;
            }
        }
        Ok(())
    }
}

/// A deployment as it is told when it has ended.
fn ended(script: &Script) -> PastDeployment {
    let versions: Vec<(String, Share)> =
        script.serving().map(|(version, share)| (version.id.clone(), share)).collect();
    PastDeployment { deployment: script.deployment.clone(), versions }
}

/// The versions that are kept though they do not serve.
fn kept(
    most: usize,
    known: &[Version],
    before: Option<&Script>,
    after: Option<&Script>,
    shelved: Option<Version>,
) -> Vec<Version> {
    let Some(after) = after else { return Vec::new() };
    let is_new = shelved.is_some();
    let served = before.into_iter().flat_map(|before| before.serving().map(|(version, _)| version));
    let known = if before.is_some() { known } else { &[] };
    let mut all: Vec<Version> = served.chain(known).cloned().chain(shelved).collect();
    all.retain(|version| !after.serving().any(|(serving, _)| serving.id == version.id));
    all.sort_by_key(|version| std::cmp::Reverse(version.number));
    all.dedup_by(|one, other| one.id == other.id);
    // What was uploaded a moment ago is kept until the next change at least.
    let room = most.saturating_sub(after.serving().count()).max(usize::from(is_new));
    let (mut unpinned, mut pinned) = (room, MOST_PINNED);
    all.retain(|version| {
        let room = if version.annotations.contains_key(PINNED) { &mut pinned } else { &mut unpinned };
        let stays = *room > 0;
        *room = room.saturating_sub(1);
        stays
    });
    all
}

/// The ids of a script's versions begin with it: it is the key of the script's record.
fn within(seen: &Seen<ScriptRecord>) -> String {
    format!("{}/", seen.key())
}

fn id_of(seen: &Seen<ScriptRecord>, version: &Version) -> String {
    format!("{}{:010}", within(seen), version.number)
}

fn each_once<T: Ord>(mut all: Vec<T>) -> Vec<T> {
    all.sort_unstable();
    all.dedup();
    all
}
