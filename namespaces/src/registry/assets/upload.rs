//! Uploads of assets: sessions, contents, and the manifest that comes of them.
//!
//! Owns the order that keeps them whole: a session is durable before it is said what it lacks, a content is
//! durable before its record says so, and a manifest is made of records alone. Never attaches a manifest to
//! a script: a deploy does.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::record::{ContentRecord, SessionRecord, TOKEN_KEY, content_key, session_key};
use crate::assets::{
    AssetDraft, AssetEntry, AssetHash, AssetPath, AssetScope, AssetUploadError, Declared, FinishedAssets,
    Manifest, Served, content_blob,
};
use crate::digest::Digest;
use crate::error::RegistryError;
use crate::registry::record::{self, decode, encode, namespace_key, reference_key};
use crate::registry::{Inner, Registry, Result};
use crate::script::ScriptKey;
use crate::secret::Secret;
use crate::store::{Entry, Precondition, StoreError, Write};
use crate::timestamp::Timestamp;

/// How often a change is tried again when somebody else was faster.
const ATTEMPTS: usize = 16;

/// An upload session that is open.
#[derive(Debug)]
pub struct AssetSession {
    /// A UUID.
    pub id: String,
    /// Where its contents are kept.
    pub scope: AssetScope,
    /// The name of its declared manifest.
    pub manifest: Digest,
    /// What was declared.
    pub draft: AssetDraft,
    /// When it ends.
    pub expires_on: Timestamp,
}

/// What a record says of a declared content.
enum Held {
    Yes,
    /// It is to go soon, unless somebody says that it is needed.
    Unneeded,
    No,
}

impl Registry {
    /// Begins an upload of assets for a script, which need not exist. While the session lasts, none of its
    /// contents is taken away.
    ///
    /// # Errors
    /// [`RegistryError::NamespaceNotFound`]; [`RegistryError::Conflict`] when the namespace changes at this
    /// moment; [`RegistryError::Store`] or [`RegistryError::Blob`].
    pub async fn begin_assets(
        &self,
        key: &ScriptKey,
        draft: AssetDraft,
        lifetime: Duration,
    ) -> Result<Arc<AssetSession>> {
        let inner = &self.inner;
        let (scope, preconditions) = match key.namespace() {
            None => (AssetScope::platform(), Vec::new()),
            Some(name) => {
                let index = inner.namespaces.load();
                let slot = index.named(name).ok_or_else(|| RegistryError::NamespaceNotFound(name.clone()))?;
                let unchanged = Precondition::unchanged(namespace_key(&slot.namespace.id), slot.revision);
                (AssetScope::namespace(&slot.namespace.id), vec![unchanged])
            }
        };
        let _no_sweep = inner.blob_gate.read().await;
        let manifest = inner.blobs.put(draft.encode()).await?;
        let session = AssetSession {
            id: uuid::Uuid::new_v4().simple().to_string(),
            scope,
            manifest,
            draft,
            expires_on: Timestamp::now().later(lifetime),
        };
        let record =
            SessionRecord { script: key.to_string(), draft: manifest, expires_on: session.expires_on };
        let store_key = session_key(&session.scope, &session.id);
        let writes = [
            Write::put(store_key.clone(), encode(&store_key, &record)?),
            record::referred(&manifest, &store_key)?,
        ];
        inner.store.append(&preconditions, &writes).await?;
        let session = Arc::new(session);
        inner.assets.remember(&session).await;
        Ok(session)
    }

    /// The open session of that id.
    ///
    /// # Errors
    /// [`AssetUploadError::NoSession`] when there is none, or it is over; [`RegistryError::Store`] or
    /// [`RegistryError::Blob`].
    pub async fn asset_session(&self, scope: &AssetScope, id: &str) -> Result<Arc<AssetSession>> {
        let inner = &self.inner;
        let session = match inner.assets.remembered(scope, id).await {
            Some(session) => session,
            None => {
                let session = Arc::new(inner.read_session(scope, id).await?);
                inner.assets.remember(&session).await;
                session
            }
        };
        if session.expires_on <= Timestamp::now() {
            return Err(AssetUploadError::NoSession.into());
        }
        Ok(session)
    }

    /// The contents of a session that its scope does not hold yet, in the order of their paths.
    ///
    /// # Errors
    /// [`RegistryError::Store`] or [`RegistryError::Conflict`].
    pub async fn missing_assets(&self, session: &AssetSession) -> Result<Vec<Declared>> {
        let inner = &self.inner;
        let contents = session.draft.contents();
        let keys: Vec<String> =
            contents.iter().map(|declared| content_key(&session.scope, &declared.hash)).collect();
        let mut entries = inner.store.get_many(&keys).await?.into_iter().peekable();
        let mut missing = Vec::new();
        for (declared, key) in contents.into_iter().zip(keys) {
            // What is found comes in the order of what was asked for.
            let entry = entries.next_if(|entry| entry.key == key);
            let held = match entry {
                Some(entry) => inner.held(&session.scope, &declared, &entry)?,
                None => Held::No,
            };
            match held {
                Held::Yes => {}
                Held::No => missing.push(declared),
                Held::Unneeded if inner.need(&session.scope, &declared).await? => {}
                Held::Unneeded => missing.push(declared),
            }
        }
        Ok(missing)
    }

    /// Keeps a content of a session, durably when it returns. The same content again is taken; another one
    /// under the same hash is not.
    ///
    /// # Errors
    /// [`AssetUploadError::NotDeclared`], [`AssetUploadError::Size`] or [`AssetUploadError::OtherContent`];
    /// [`RegistryError::Store`] or [`RegistryError::Blob`].
    pub async fn put_asset(
        &self,
        session: &AssetSession,
        hash: AssetHash,
        served: Served,
        bytes: Bytes,
    ) -> Result<()> {
        let declared = session.draft.size_of(&hash).ok_or(AssetUploadError::NotDeclared { hash })?;
        let found = bytes.len() as u64;
        if found != declared {
            return Err(AssetUploadError::Size { hash, found, declared }.into());
        }
        let (digest, bytes) = crate::blob::hashed(bytes).await?;
        let record = ContentRecord { digest, size: found, served, unneeded_since: None };
        for _ in 0..ATTEMPTS {
            match self.inner.put_content(&session.scope, hash, &record, &bytes).await {
                Err(RegistryError::Conflict(_)) => {}
                done => return done,
            }
        }
        Err(RegistryError::Conflict(format!("asset {hash}")))
    }

    /// Makes the manifest of a session whose contents are all there. A deploy may refer to it afterwards.
    ///
    /// # Errors
    /// [`AssetUploadError::Incomplete`]; [`RegistryError::Store`] or [`RegistryError::Blob`].
    pub async fn finish_assets(&self, session: &AssetSession) -> Result<FinishedAssets> {
        let inner = &self.inner;
        let incomplete = |missing| RegistryError::from(AssetUploadError::Incomplete { missing });
        let keys: Vec<String> = session
            .draft
            .contents()
            .iter()
            .map(|declared| content_key(&session.scope, &declared.hash))
            .collect();
        let found = inner.store.get_many(&keys).await?;
        if found.len() < keys.len() {
            return Err(incomplete(keys.len() - found.len()));
        }
        let mut records = std::collections::HashMap::with_capacity(found.len());
        for entry in &found {
            let hash = entry.key.rsplit('/').next().and_then(|text| text.parse::<AssetHash>().ok());
            let record: ContentRecord = decode(entry)?;
            records.extend(hash.map(|hash| (hash, record)));
        }
        let mut files: Vec<(AssetPath, AssetEntry)> = Vec::with_capacity(session.draft.len());
        for (path, declared) in session.draft.iter() {
            let record = records.get(&declared.hash).ok_or_else(|| incomplete(1))?;
            let entry = AssetEntry {
                hash: declared.hash,
                size: record.size,
                digest: record.digest,
                content_type: record.served.of(path.as_str()),
            };
            files.push((path.clone(), entry));
        }
        let manifest = Manifest::new(session.scope.clone(), files)
            .map_err(|error| RegistryError::Invalid(error.to_string()))?;
        let _no_sweep = inner.blob_gate.read().await;
        let digest = inner.blobs.put(manifest.encode()).await?;
        let (files, bytes) = (manifest.len() as u64, manifest.total_bytes());
        Ok(FinishedAssets { scope: session.scope.clone(), manifest: digest, files, bytes })
    }

    /// What tokens of uploads are signed with: 256 random bits, made once for all who share the store.
    ///
    /// # Errors
    /// [`RegistryError::Store`] when the store fails.
    pub async fn asset_token_key(&self) -> Result<Secret> {
        let inner = &self.inner;
        let made = inner.assets.token_key.get_or_try_init(|| async {
            loop {
                if let Some(entry) = inner.store.get(TOKEN_KEY).await? {
                    let text = String::from_utf8(entry.value.to_vec()).unwrap_or_default();
                    return Ok(Secret::new(text));
                }
                let mut bits = [0; 32];
                getrandom::fill(&mut bits).map_err(|_| RegistryError::Closed)?;
                let key = Digest::from_bytes(bits).to_string();
                let absent = [Precondition::absent(TOKEN_KEY)];
                match inner.store.append(&absent, &[Write::put(TOKEN_KEY, key)]).await {
                    // Another node was faster: its key is the one.
                    Ok(_) | Err(StoreError::Conflict { .. }) => {}
                    Err(error) => return Err(error.into()),
                }
            }
        });
        made.await.cloned()
    }
}

impl Inner {
    async fn read_session(&self, scope: &AssetScope, id: &str) -> Result<AssetSession> {
        let Some(entry) = self.store.get(&session_key(scope, id)).await? else {
            return Err(AssetUploadError::NoSession.into());
        };
        let record: SessionRecord = decode(&entry)?;
        let draft = AssetDraft::decode(&self.blobs.get(&record.draft).await?)
            .map_err(|source| RegistryError::Manifest { digest: record.draft, source })?;
        Ok(AssetSession {
            id: id.to_owned(),
            scope: scope.clone(),
            manifest: record.draft,
            draft,
            expires_on: record.expires_on,
        })
    }

    fn held(&self, scope: &AssetScope, declared: &Declared, entry: &Entry) -> Result<Held> {
        let record: ContentRecord = decode(entry)?;
        Ok(if record.size != declared.size || self.assets.is_damaged(&content_blob(scope, &record.digest)) {
            // Uploading it tells whether the hash names another content, or heals this one.
            Held::No
        } else if record.unneeded_since.is_some() {
            Held::Unneeded
        } else {
            Held::Yes
        })
    }

    /// Says that a content is needed which was to go. False when it is gone.
    async fn need(&self, scope: &AssetScope, declared: &Declared) -> Result<bool> {
        let key = content_key(scope, &declared.hash);
        for _ in 0..ATTEMPTS {
            let Some(entry) = self.store.get(&key).await? else { return Ok(false) };
            if self.mark_needed(&entry).await? {
                return Ok(true);
            }
        }
        Err(RegistryError::Conflict(format!("asset {}", declared.hash)))
    }

    /// Takes the mark from a record, unless somebody else changed it in the meantime.
    pub(super) async fn mark_needed(&self, entry: &Entry) -> Result<bool> {
        let mut record: ContentRecord = decode(entry)?;
        if record.unneeded_since.take().is_none() {
            return Ok(true);
        }
        let unchanged = [Precondition::unchanged(entry.key.clone(), entry.revision)];
        let write = Write::put(entry.key.clone(), encode(&entry.key, &record)?);
        match self.store.append(&unchanged, &[write]).await {
            Ok(_) => Ok(true),
            Err(StoreError::Conflict { .. }) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    async fn put_content(
        &self,
        scope: &AssetScope,
        hash: AssetHash,
        record: &ContentRecord,
        bytes: &Bytes,
    ) -> Result<()> {
        let key = content_key(scope, &hash);
        let blob = content_blob(scope, &record.digest);
        let before = self.store.get(&key).await?;
        if let Some(entry) = &before {
            let known: ContentRecord = decode(entry)?;
            if (known.digest, known.size) != (record.digest, record.size) {
                return Err(AssetUploadError::OtherContent { hash }.into());
            }
            if !self.assets.is_damaged(&blob) {
                return match self.mark_needed(entry).await? {
                    true => Ok(()),
                    false => Err(RegistryError::Conflict(format!("asset {hash}"))),
                };
            }
        }
        let _no_sweep = self.blob_gate.read().await;
        self.blobs.put_as(&blob, bytes.clone()).await?;
        let as_read = [Precondition::as_read(key.clone(), before.map(|entry| entry.revision))];
        let writes = [Write::put(key.clone(), encode(&key, record)?), record::referred(&blob, &key)?];
        self.store.append(&as_read, &writes).await?;
        self.assets.heal(&blob);
        Ok(())
    }
}

/// The reference that a content's record has on its blob.
pub(super) fn content_reference(scope: &AssetScope, digest: &Digest, key: &str) -> String {
    reference_key(&content_blob(scope, digest), key)
}
