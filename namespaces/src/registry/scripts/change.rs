//! How a script changes: read, decide, append on condition, show in the cache, all in the key's turn.
//!
//! Owns the one way in which records of scripts are written. When somebody else wrote the script or its
//! namespace in the meantime, nothing happened, and it is read and decided anew.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::MutexGuard;

use super::Place;
use crate::assets::AssetUploadError;
use crate::error::RegistryError;
use crate::registry::assets::manifest_key;
use crate::registry::cache::Cached;
use crate::registry::record::{self, decode_script, encode_script};
use crate::registry::{Inner, Result};
use crate::script::{Script, ScriptKey};
use crate::store::{Entry, Precondition, StoreError, Write};
use crate::timestamp::Timestamp;

/// How often a change is tried again when another node, or a namespace's owner, was faster.
const ATTEMPTS: usize = 16;

/// What a change decides to do.
pub(in crate::registry) enum Decision {
    Write(Box<Script>),
    Delete,
    Nothing,
}

/// One change of one script, decided and not yet made.
struct Change<'c> {
    key: &'c ScriptKey,
    place: &'c Place,
    entry: Option<&'c Entry>,
    before: Option<Script>,
    after: Option<Script>,
}

impl Inner {
    /// Reads a script, has it decided what becomes of it, and makes it so; decides again when somebody else
    /// was faster. Returns the script as it is afterwards.
    pub(in crate::registry) async fn change_script(
        &self,
        key: &ScriptKey,
        mut decide: impl FnMut(Option<&Script>) -> Result<Decision>,
    ) -> Result<Option<Arc<Script>>> {
        for _ in 0..ATTEMPTS {
            let Some(place) = self.place(key) else {
                let namespace = key.namespace().cloned();
                return Err(namespace.map_or_else(
                    || RegistryError::ScriptNotFound(key.clone()),
                    RegistryError::NamespaceNotFound,
                ));
            };
            let _no_sweep = self.blob_gate.read().await;
            let turn = self.scripts.turn(&place.cache_key).await;
            let entry = self.store.get(&place.store_key).await?;
            let before = entry.as_ref().map(|entry| decode_script(entry, key.clone())).transpose()?;
            let after = match decide(before.as_ref())? {
                Decision::Nothing => return Ok(before.map(Arc::new)),
                Decision::Write(script) => Some(*script),
                Decision::Delete => None,
            };
            let change = Change { key, place: &place, entry: entry.as_ref(), before, after };
            match self.append_script(change, turn).await {
                Err(RegistryError::Conflict(_)) => self.reload_after_conflict(&place).await?,
                done => return done,
            }
        }
        Err(RegistryError::Conflict(format!("script {key}")))
    }

    /// Appends a change and shows it in the cache, all in the key's turn.
    async fn append_script(
        &self,
        change: Change<'_>,
        _turn: Option<MutexGuard<'_, ()>>,
    ) -> Result<Option<Arc<Script>>> {
        let Change { key, place, entry, before, after } = change;
        let mut preconditions =
            vec![Precondition::as_read(place.store_key.clone(), entry.map(|entry| entry.revision))];
        if let Some((key, revision)) = &place.namespace {
            preconditions.push(Precondition::unchanged(key.clone(), *revision));
        }
        let mut writes = Vec::with_capacity(6);
        writes.push(match &after {
            Some(script) => Write::put(place.store_key.clone(), encode_script(&place.store_key, script)?),
            None => Write::delete(place.store_key.clone()),
        });
        let blobs = |script: &Option<Script>| {
            script.as_ref().map(|script| record::blobs_of(&script.version)).unwrap_or_default()
        };
        let (old, new) = (blobs(&before), blobs(&after));
        for blob in old.iter().filter(|blob| !new.contains(blob)) {
            writes.push(record::retired(blob, &place.store_key, Timestamp::now())?);
        }
        for blob in new.iter().filter(|blob| !old.contains(blob)) {
            if !self.blobs.exists(blob).await? {
                return Err(RegistryError::ComponentMissing(*blob));
            }
            writes.push(record::referred(blob, &place.store_key)?);
        }
        if let (Some(script), Some(assets)) =
            (&after, after.as_ref().and_then(|script| script.version.assets.as_ref()))
        {
            if assets.scope != place.asset_scope() {
                return Err(AssetUploadError::OtherScope { script: script.key.to_string() }.into());
            }
            // Written at each deploy: a sweep that found the manifest unused must not win over this one.
            writes.push(Write::put(manifest_key(&assets.scope, &assets.manifest), Bytes::new()));
        }
        let revision = self.store.append(&preconditions, &writes).await.map_err(|error| match error {
            StoreError::Conflict { .. } => RegistryError::Conflict(key.to_string()),
            error => RegistryError::Store(error),
        })?;
        let script = after.map(Arc::new);
        self.scripts.put(place.cache_key.clone(), Cached { revision, script: script.clone() });
        Ok(script)
    }

    /// The namespace's record may be the one that was not as expected.
    async fn reload_after_conflict(&self, place: &Place) -> Result<()> {
        let id = place.namespace.as_ref().and_then(|(key, _)| key.strip_prefix(record::NAMESPACES));
        if let Some(id) = id {
            self.reload_namespace(id).await?;
        }
        Ok(())
    }
}
