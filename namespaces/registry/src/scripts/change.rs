//! How a script changes: read, decide, append on condition, show in the cache, all in the key's turn.
//!
//! Owns the one way in which records of scripts are written. When somebody else wrote the script or its
//! namespace in the meantime, nothing happened, and it is read and decided anew.

use std::sync::Arc;

use tokio::sync::MutexGuard;

use super::Place;
use super::history::Histories;
use crate::assets::{MANIFESTS, manifest_id};
use crate::cache::Cached;
use crate::collection::{ATTEMPTS, Seen, Transaction, step_aside};
use crate::error::RegistryError;
use crate::record::{NAMESPACES, ScriptRecord, blobs_of_script, script_of};
use crate::{Inner, Result};
use wasmyard_model::assets::AssetUploadError;
use wasmyard_model::script::{Script, ScriptKey, Version};

/// What a change decides to do.
pub(crate) enum Decision {
    Write(Box<Script>),
    /// The script, and beside it a version that does not serve.
    Shelve(Box<Script>, Box<Version>),
    Delete {
        /// Whether its storage goes with it.
        with_storage: bool,
    },
    Nothing,
}

/// One change of one script, decided and not yet made.
struct Decided<'c> {
    place: &'c Place,
    seen: &'c Seen<ScriptRecord>,
    /// The versions that do not serve before.
    idle: Vec<Version>,
    before: Option<Script>,
    after: Option<Script>,
    shelved: Option<Version>,
    /// Where it goes: whether its storage does as well.
    drops_storage: bool,
}

impl Inner {
    /// Reads a script, has it decided what becomes of it, and makes it so; decides again when somebody else
    /// was faster. Returns the script as it is afterwards.
    pub(crate) async fn change_script(
        &self,
        key: &ScriptKey,
        mut decide: impl FnMut(Option<&Script>) -> Result<Decision>,
    ) -> Result<Option<Arc<Script>>> {
        self.change_versions(key, |before, _| decide(before)).await
    }

    /// The same for whoever decides by the versions that do not serve, the newest first, as well.
    pub(crate) async fn change_versions(
        &self,
        key: &ScriptKey,
        mut decide: impl FnMut(Option<&Script>, &[Version]) -> Result<Decision>,
    ) -> Result<Option<Arc<Script>>> {
        for attempt in 0..ATTEMPTS {
            let place = self.place(key).ok_or_else(|| no_place(key))?;
            let turn = self.scripts.turn(&place.cache_key).await;
            let seen = self.log.read(place.scripts, &place.id).await?;
            let before = script_of(&seen, key.clone())?;
            // What is found of one that was not there is another script's, which was deleted under that name.
            let idle = self.idle_versions(&seen).await?;
            let own = if before.is_some() { idle.as_slice() } else { &[] };
            let mut drops_storage = false;
            let (after, shelved) = match decide(before.as_ref(), own)? {
                Decision::Nothing => return Ok(before.map(Arc::new)),
                Decision::Write(script) => (Some(*script), None),
                Decision::Shelve(script, version) => (Some(*script), Some(*version)),
                Decision::Delete { with_storage } => {
                    drops_storage = with_storage;
                    (None, None)
                }
            };
            let decided = Decided { place: &place, seen: &seen, idle, before, after, shelved, drops_storage };
            match self.append_script(decided, turn).await {
                Err(RegistryError::Conflict(_)) => self.after_conflict(&place, attempt).await?,
                done => return done,
            }
        }
        Err(RegistryError::Conflict(format!("script {key}")))
    }

    /// Deletes a script whose record cannot be read. Returns whether it was there. What it referred to is not
    /// known and stays.
    pub(super) async fn delete_damaged(&self, key: &ScriptKey, drops_storage: bool) -> Result<bool> {
        for attempt in 0..ATTEMPTS {
            let place = self.place(key).ok_or_else(|| no_place(key))?;
            let turn = self.scripts.turn(&place.cache_key).await;
            let seen = self.log.read(place.scripts, &place.id).await?;
            if !seen.exists() {
                return Ok(false);
            }
            let idle = self.idle_versions(&seen).await?;
            let (before, after, shelved) = (None, None, None);
            let decided = Decided { place: &place, seen: &seen, idle, before, after, shelved, drops_storage };
            match self.append_script(decided, turn).await {
                Err(RegistryError::Conflict(_)) => self.after_conflict(&place, attempt).await?,
                done => return done.map(|_| true),
            }
        }
        Err(RegistryError::Conflict(format!("script {key}")))
    }

    /// Appends a change and shows it in the cache, all in the key's turn.
    async fn append_script(
        &self,
        decided: Decided<'_>,
        _turn: Option<MutexGuard<'_, ()>>,
    ) -> Result<Option<Arc<Script>>> {
        let Decided { place, seen, idle, before, after, shelved, drops_storage } = decided;
        let mut transaction = Transaction::default();
        match &after {
            Some(script) => transaction.put(seen, &ScriptRecord::from(script))?,
            None => {
                transaction.delete(seen);
                self.leave_storage(&mut transaction, seen, drops_storage).await?;
            }
        }
        if let Some((id, revision)) = &place.namespace {
            transaction.expect_unchanged(&NAMESPACES, id, *revision);
        }
        let blobs = |script: &Option<Script>| script.as_ref().map(blobs_of_script).unwrap_or_default();
        let (old, new) = (blobs(&before), blobs(&after));
        for blob in old.iter().filter(|blob| !new.contains(blob)) {
            transaction.retire(seen, blob, self.clock().now())?;
        }
        for blob in new.iter().filter(|blob| !old.contains(blob)) {
            let kept = self.kept_blob(blob).await?.ok_or(RegistryError::ComponentMissing(*blob))?;
            transaction.refer(seen, blob, &kept)?;
        }
        let written = after.iter().flat_map(|script| script.serving().map(|(version, _)| version));
        for assets in written.chain(&shelved).filter_map(|version| version.assets.as_ref()) {
            if assets.scope != place.asset_scope() {
                let script = after.as_ref().map(|script| script.key.to_string()).unwrap_or_default();
                return Err(AssetUploadError::OtherScope { script }.into());
            }
            // Written at each deploy: a sweep that found the manifest unused must not win over this one.
            transaction.put_with(seen, &MANIFESTS, &manifest_id(&assets.scope, &assets.manifest), &())?;
        }
        let (known, before, now) = (&idle, before.as_ref(), after.as_ref());
        self.write_ticks(&mut transaction, seen, before, now).await?;
        let change = Histories { seen, known, before, after: now, shelved };
        self.write_history(&mut transaction, change).await?;
        let revision = self.log.commit(&transaction).await?;
        if now.is_some_and(|script| !script.schedules.is_empty()) {
            self.ticks_made.notify_waiters();
        }
        let script = after.map(Arc::new);
        self.scripts.put(place.cache_key.clone(), Cached { revision, script: script.clone() });
        Ok(script)
    }

    /// The namespace's record may be the one that was not as expected.
    async fn after_conflict(&self, place: &Place, attempt: u32) -> Result<()> {
        step_aside(attempt).await;
        if let Some((id, _)) = &place.namespace {
            self.refresh_namespace(id).await?;
        }
        Ok(())
    }
}

fn no_place(key: &ScriptKey) -> RegistryError {
    let namespace = key.namespace().cloned();
    namespace.map_or_else(|| RegistryError::ScriptNotFound(key.clone()), RegistryError::NamespaceNotFound)
}
