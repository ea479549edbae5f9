//! The sweep of contents that no manifest and no session needs any more.
//!
//! Owns the two steps in which a content goes. A sweep first learns what is needed, then marks what is not;
//! only a later sweep, which has learnt anew, takes away what was marked before it began. Whoever needs a
//! content in between takes the mark off: both change the same record on condition, so that one of them
//! sees the other. Works beside uploads, deploys, other nodes and crashes without holding any of them off.
//! Never removes a blob: that is the other sweep's work, once no record refers to it.

use std::collections::{BTreeSet, HashSet};
use std::time::Duration;

use super::record::{CONTENTS, ContentRecord, MANIFESTS, SESSIONS, hash_of};
use crate::collection::{Collection, PAGE, Seen, Transaction};
use crate::error::RegistryError;
use crate::record::{REFERENCES, reference_id, references_within};
use crate::{Inner, Result};
use wasmyard_model::assets::{AssetDraft, AssetHash, AssetScope, Manifest};
use wasmyard_model::digest::Digest;
use wasmyard_stores::Revision;

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
    pub(crate) async fn collect_contents(&self) -> Result<u64> {
        let mut removed = 0;
        for scope in self.asset_scopes().await? {
            removed += self.collect_scope(&scope).await?;
        }
        Ok(removed)
    }

    /// Every scope that has contents, sessions or manifests.
    async fn asset_scopes(&self) -> Result<BTreeSet<AssetScope>> {
        let mut scopes = BTreeSet::new();
        self.scopes_of(&CONTENTS, &mut scopes).await?;
        self.scopes_of(&SESSIONS, &mut scopes).await?;
        self.scopes_of(&MANIFESTS, &mut scopes).await?;
        Ok(scopes)
    }

    async fn scopes_of<T>(&self, of: &Collection<T>, scopes: &mut BTreeSet<AssetScope>) -> Result<()> {
        let mut after: Option<String> = None;
        while let Some(seen) = self.log.page(of, "", after.as_deref(), 1).await?.pop() {
            let scope = seen.id().split('/').next().unwrap_or_default();
            scopes.insert(AssetScope::namespace(scope));
            // Behind every id of this scope.
            after = Some(format!("{scope}/{}", char::MAX));
        }
        Ok(())
    }

    async fn collect_scope(&self, scope: &AssetScope) -> Result<u64> {
        // Before anything is learnt: what was marked later than this may be needed by what is not seen here.
        let begun = self.log.revision().await?;
        let protected = self.protected(scope).await?;
        let within = format!("{scope}/");
        let parts = self.log.count(&CONTENTS, &within).await? / HASHES_AT_ONCE + 1;
        let mut removed = 0;
        for part in 0..parts {
            let in_part = |hash: &AssetHash| u64::from(u16::from_le_bytes(first_two(hash))) % parts == part;
            let needed = self.needed(&protected, in_part).await?;
            let mut after: Option<String> = None;
            loop {
                let page = self.log.page(&CONTENTS, &within, after.as_deref(), PAGE).await?;
                let mut unneeded = Vec::new();
                for seen in &page {
                    let Some(hash) = hash_of(seen.id()) else { continue };
                    if !in_part(&hash) {
                        continue;
                    }
                    if needed.contains(&hash) {
                        self.mark_needed(seen).await?;
                    } else {
                        unneeded.push(seen);
                    }
                }
                removed += self.let_go(scope, &unneeded, begun).await?;
                match page.last() {
                    Some(last) => after = Some(last.id().to_owned()),
                    None => break,
                }
            }
        }
        Ok(removed)
    }

    /// Forgets sessions and manifests that are over, and lists the others. Manifests come first: one that a
    /// deploy adds afterwards has a session that is still there.
    async fn protected(&self, scope: &AssetScope) -> Result<Protected> {
        let within = format!("{scope}/");
        let mut manifests = Vec::new();
        for seen in self.log.all(&MANIFESTS, &within).await? {
            let digest = seen.id().get(within.len()..).unwrap_or_default().parse::<Digest>();
            let Ok(digest) = digest else { continue };
            let mut forget = Transaction::default();
            forget.delete(&seen);
            if self.is_referred(&digest).await? || !self.made(&forget).await? {
                manifests.push(digest);
            }
        }
        let mut drafts = Vec::new();
        for seen in self.log.all(&SESSIONS, &within).await? {
            let Some(session) = seen.record()? else { continue };
            let mut forget = Transaction::default();
            forget.delete(&seen);
            forget.delete_with(&seen, &REFERENCES, &reference_id(&session.draft, seen.key()));
            if self.clock().age(session.expires_on) < LEEWAY || !self.made(&forget).await? {
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
    async fn let_go(
        &self,
        scope: &AssetScope,
        unneeded: &[&Seen<ContentRecord>],
        begun: Revision,
    ) -> Result<u64> {
        let (mut marks, mut removals) = (Vec::new(), Vec::new());
        for seen in unneeded {
            let Some(record) = seen.record()? else { continue };
            let mut transaction = Transaction::default();
            match record.unneeded_since {
                None => {
                    let unneeded_since = Some(self.clock().now());
                    transaction.make_room();
                    transaction.put(seen, &ContentRecord { unneeded_since, ..record })?;
                    marks.push(transaction);
                }
                Some(since) if self.clock().age(since) >= self.blob_grace() && seen.is_from(begun) => {
                    transaction.delete_content(scope, seen, &record.digest);
                    removals.push(transaction);
                }
                Some(_) => {}
            }
        }
        self.make_all(marks).await?;
        self.make_all(removals).await
    }

    /// Makes transactions: all at once, or where somebody was faster, each by itself. Returns how many were made.
    async fn make_all(&self, transactions: Vec<Transaction>) -> Result<u64> {
        let count = transactions.len() as u64;
        let mut all = Transaction::default();
        transactions.iter().for_each(|transaction| all.join(transaction));
        if count == 0 || self.made(&all).await? {
            return Ok(count);
        }
        let mut made = 0;
        for transaction in &transactions {
            made += u64::from(self.made(transaction).await?);
        }
        Ok(made)
    }

    /// Makes a transaction. False when somebody was faster.
    async fn made(&self, transaction: &Transaction) -> Result<bool> {
        match self.log.commit(transaction).await {
            Ok(_) => Ok(true),
            Err(RegistryError::Conflict(_)) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Whether a version has the manifest, or had it within the grace time.
    async fn is_referred(&self, manifest: &Digest) -> Result<bool> {
        for seen in self.log.all(&REFERENCES, &references_within(manifest)).await? {
            let retired = seen.record()?.unwrap_or_default().retired_on;
            if retired.is_none_or(|retired| self.clock().age(retired) < self.blob_grace()) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

fn first_two(hash: &AssetHash) -> [u8; 2] {
    let [first, second, ..] = *hash.as_bytes();
    [first, second]
}
