//! The sweep of contents that no manifest and no session needs any more.
//!
//! Owns the two steps in which a content goes. A sweep first learns what is needed, then marks what is not;
//! only a later sweep, which has learnt anew, takes away what was marked before it began. Whoever needs a
//! content in between takes the mark off: both change the same record on condition, so that one of them
//! sees the other. Works beside uploads, deploys, other nodes and crashes without holding any of them off.
//! Never removes a blob: that is the other sweep's work, once no record refers to it.

use std::collections::HashSet;
use std::time::Duration;

use super::record::{CONTENTS, ContentRecord, MANIFESTS, SESSIONS, SessionRecord};
use super::upload::content_reference;
use crate::assets::{AssetDraft, AssetHash, AssetScope, Manifest};
use crate::digest::Digest;
use crate::error::RegistryError;
use crate::registry::namespaces::PAGE;
use crate::registry::record::{Reference, decode, encode, reference_key, references_prefix};
use crate::registry::{Inner, Result};
use crate::store::{Entry, Precondition, Revision, StoreError, Write};
use crate::timestamp::Timestamp;

/// A session protects its contents for this long after it ended: a deploy that began in time may be slow.
const LEEWAY: Duration = Duration::from_secs(600);
/// Most hashes that are held at once; a scope with more is gone through several times.
const HASHES_AT_ONCE: u64 = 1_000_000;

/// What a scope has that protects contents.
struct Protected {
    manifests: Vec<Digest>,
    drafts: Vec<Digest>,
}

impl Inner {
    /// Marks and removes the records of contents that nothing needs. Returns how many it removed.
    pub(in crate::registry) async fn collect_contents(&self) -> Result<u64> {
        let mut removed = 0;
        for scope in self.asset_scopes().await? {
            removed += self.collect_scope(&scope).await?;
        }
        Ok(removed)
    }

    /// Every scope that has contents, sessions or manifests.
    async fn asset_scopes(&self) -> Result<std::collections::BTreeSet<AssetScope>> {
        let mut scopes = std::collections::BTreeSet::new();
        for prefix in [CONTENTS, SESSIONS, MANIFESTS] {
            let mut after: Option<String> = None;
            while let Some(entry) = self.store.scan(prefix, after.as_deref(), 1).await?.pop() {
                let rest = entry.key.get(prefix.len()..).unwrap_or_default();
                let scope = rest.split('/').next().unwrap_or_default();
                scopes.insert(AssetScope::namespace(scope));
                // Behind every key of this scope.
                after = Some(format!("{prefix}{scope}/{}", char::MAX));
            }
        }
        Ok(scopes)
    }

    async fn collect_scope(&self, scope: &AssetScope) -> Result<u64> {
        // Before anything is learnt: what was marked later than this may be needed by what is not seen here.
        let begun = self.store.revision().await?;
        let protected = self.protected(scope).await?;
        let prefix = format!("{CONTENTS}{scope}/");
        let parts = self.store.count(&prefix).await? / HASHES_AT_ONCE + 1;
        let mut removed = 0;
        for part in 0..parts {
            let in_part = |hash: &AssetHash| u64::from(u16::from_le_bytes(first_two(hash))) % parts == part;
            let needed = self.needed(&protected, in_part).await?;
            let mut after: Option<String> = None;
            loop {
                let page = self.store.scan(&prefix, after.as_deref(), PAGE).await?;
                let mut unneeded = Vec::new();
                for entry in &page {
                    let text = entry.key.get(prefix.len()..).unwrap_or_default();
                    let Ok(hash) = text.parse::<AssetHash>() else { continue };
                    if !in_part(&hash) {
                        continue;
                    }
                    if needed.contains(&hash) {
                        self.mark_needed(entry).await?;
                    } else {
                        unneeded.push(entry);
                    }
                }
                removed += self.let_go(scope, &unneeded, begun).await?;
                match page.into_iter().last() {
                    Some(last) => after = Some(last.key),
                    None => break,
                }
            }
        }
        Ok(removed)
    }

    /// Forgets sessions and manifests that are over, and lists the others. Manifests come first: one that a
    /// deploy adds afterwards has a session that is still there.
    async fn protected(&self, scope: &AssetScope) -> Result<Protected> {
        let prefix = format!("{MANIFESTS}{scope}/");
        let mut manifests = Vec::new();
        for entry in self.all(&prefix).await? {
            let digest = entry.key.get(prefix.len()..).unwrap_or_default().parse::<Digest>();
            let Ok(digest) = digest else { continue };
            if self.is_referred(&digest).await? || !self.forget(&entry, Vec::new()).await? {
                manifests.push(digest);
            }
        }
        let mut drafts = Vec::new();
        for entry in self.all(&format!("{SESSIONS}{scope}/")).await? {
            let session: SessionRecord = decode(&entry)?;
            let reference = Write::delete(reference_key(&session.draft, &entry.key));
            if session.expires_on.age() < LEEWAY || !self.forget(&entry, vec![reference]).await? {
                drafts.push(session.draft);
            }
        }
        Ok(Protected { manifests, drafts })
    }

    /// Every hash of one part that is needed. Fails when anything that protects cannot be read: then nothing
    /// may go.
    async fn needed(
        &self,
        protected: &Protected,
        in_part: impl Fn(&AssetHash) -> bool,
    ) -> Result<HashSet<AssetHash>> {
        let mut needed = HashSet::new();
        for digest in &protected.manifests {
            let manifest = Manifest::decode(&self.blobs.get(digest).await?)
                .map_err(|source| RegistryError::Manifest { digest: *digest, source })?;
            needed.extend(manifest.iter().map(|(_, entry)| entry.hash).filter(|hash| in_part(hash)));
        }
        for digest in &protected.drafts {
            let draft = AssetDraft::decode(&self.blobs.get(digest).await?)
                .map_err(|source| RegistryError::Manifest { digest: *digest, source })?;
            needed.extend(draft.iter().map(|(_, declared)| declared.hash).filter(|hash| in_part(hash)));
        }
        Ok(needed)
    }

    /// Marks what is not marked, and removes what was marked long enough ago.
    async fn let_go(&self, scope: &AssetScope, entries: &[&Entry], begun: Revision) -> Result<u64> {
        let (mut marks, mut removals) = (Vec::new(), Vec::new());
        for entry in entries {
            let record: ContentRecord = decode(entry)?;
            match record.unneeded_since {
                None => {
                    let marked = ContentRecord { unneeded_since: Some(Timestamp::now()), ..record };
                    let write = Write::put(entry.key.clone(), encode(&entry.key, &marked)?);
                    marks.push((*entry, vec![write]));
                }
                Some(since) if since.age() >= self.options.blob_grace && entry.revision <= begun => {
                    let reference = content_reference(scope, &record.digest, &entry.key);
                    removals.push((*entry, vec![Write::delete(entry.key.clone()), Write::delete(reference)]));
                }
                Some(_) => {}
            }
        }
        self.change_all(marks).await?;
        self.change_all(removals).await
    }

    /// Makes changes to records that are as they were read: all at once, or where somebody was faster, each
    /// by itself. Returns how many were made.
    async fn change_all(&self, changes: Vec<(&Entry, Vec<Write>)>) -> Result<u64> {
        if changes.is_empty() {
            return Ok(0);
        }
        let unchanged = |entry: &Entry| Precondition::unchanged(entry.key.clone(), entry.revision);
        let conditions: Vec<Precondition> = changes.iter().map(|(entry, _)| unchanged(entry)).collect();
        let writes: Vec<Write> = changes.iter().flat_map(|(_, writes)| writes).cloned().collect();
        match self.store.append(&conditions, &writes).await {
            Ok(_) => return Ok(changes.len() as u64),
            Err(StoreError::Conflict { .. }) => {}
            Err(error) => return Err(error.into()),
        }
        let mut made = 0;
        for (entry, writes) in changes {
            match self.store.append(&[unchanged(entry)], &writes).await {
                Ok(_) => made += 1,
                Err(StoreError::Conflict { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(made)
    }

    /// Deletes a record that is as it was read, with what goes with it. False when it is not.
    async fn forget(&self, entry: &Entry, mut with: Vec<Write>) -> Result<bool> {
        with.push(Write::delete(entry.key.clone()));
        Ok(self.change_all(vec![(entry, with)]).await? == 1)
    }

    /// Whether a version has the manifest, or had it within the grace time.
    async fn is_referred(&self, manifest: &Digest) -> Result<bool> {
        for entry in self.all(&references_prefix(manifest)).await? {
            let reference: Reference = decode(&entry)?;
            if reference.retired_on.is_none_or(|retired| retired.age() < self.options.blob_grace) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    async fn all(&self, prefix: &str) -> Result<Vec<Entry>> {
        let mut all: Vec<Entry> = Vec::new();
        loop {
            let after = all.last().map(|entry| entry.key.clone());
            let page = self.store.scan(prefix, after.as_deref(), PAGE).await?;
            if page.is_empty() {
                return Ok(all);
            }
            all.extend(page);
        }
    }
}

fn first_two(hash: &AssetHash) -> [u8; 2] {
    let [first, second, ..] = *hash.as_bytes();
    [first, second]
}
