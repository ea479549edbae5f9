//! Uploads of assets: sessions, contents, and the manifest that comes of them.
//!
//! Owns the order that keeps them whole: a session is durable before it is said what it lacks, a content is
//! durable before its record says so, and a manifest is made of records alone. Never attaches a manifest to
//! a script: a deploy does.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::record::{
    CONTENTS, ContentRecord, SESSIONS, SessionRecord, TOKEN_KEY, content_id, hash_of, own_content_id,
    session_id,
};
use crate::collection::{ATTEMPTS, Seen, Transaction, step_aside};
use crate::error::RegistryError;
use crate::record::{NAMESPACES, REFERENCES, reference_id};
use crate::{Inner, Registry, Result};
use wasmyard_model::assets::{
    AssetDraft, AssetEntry, AssetHash, AssetPath, AssetScope, AssetUploadError, Declared, FinishedAssets,
    Manifest, Served, content_blob,
};
use wasmyard_model::digest::Digest;
use wasmyard_model::name::ScriptName;
use wasmyard_model::script::ScriptKey;
use wasmyard_model::secret::Secret;
use wasmyard_model::timestamp::Timestamp;
use wasmyard_stores::Revision;

/// An upload session that is open.
#[derive(Debug)]
pub struct AssetSession {
    /// A UUID.
    pub id: String,
    /// Where its contents are kept.
    pub scope: AssetScope,
    /// The script that it is for.
    pub script: ScriptName,
    /// The name of its declared manifest.
    pub manifest: Digest,
    /// What was declared.
    pub draft: AssetDraft,
    /// When it ends.
    pub expires_on: Timestamp,
}

/// Whether a hash follows from a content under one of the names that it has. Hashing megabytes takes too long for a
/// thread that serves requests.
async fn follows(hash: AssetHash, bytes: &Bytes, digest: Digest, paths: Vec<AssetPath>) -> Result<bool> {
    let bytes = bytes.clone();
    let follows = move || {
        // Few endings, however many files: a client with many of them need not make us hash as often.
        paths.iter().take(MOST_NAMES).any(|path| hash.follows_from(&bytes, &digest, path))
    };
    tokio::task::spawn_blocking(follows).await.map_err(|_| RegistryError::Closed)
}

/// Names of one content under which its hash is recomputed.
const MOST_NAMES: usize = 4;

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
    /// [`RegistryError::NamespaceNotFound`]; [`RegistryError::Conflict`] under constant change by others;
    /// [`RegistryError::Store`] or [`RegistryError::Blob`].
    pub async fn begin_assets(
        &self,
        key: &ScriptKey,
        draft: AssetDraft,
        lifetime: Duration,
    ) -> Result<Arc<AssetSession>> {
        let inner = &self.inner;
        let (scope, _) = inner.upload_place(key)?;
        let text = draft.encode();
        let session = Arc::new(AssetSession {
            id: uuid::Uuid::new_v4().simple().to_string(),
            scope,
            script: key.script().clone(),
            manifest: Digest::of(&text),
            draft,
            expires_on: inner.clock().now().later(lifetime),
        });
        for attempt in 0..ATTEMPTS {
            inner.put_blob(text.clone()).await?;
            let (scope, namespace) = inner.upload_place(key)?;
            if scope != session.scope {
                // Another namespace has the name now.
                return Err(RegistryError::Conflict(key.to_string()));
            }
            match inner.keep_session(&session, namespace.as_ref()).await {
                // A sweep was faster than the session that keeps it off, or the namespace changed.
                Err(RegistryError::ComponentMissing(_) | RegistryError::Conflict(_)) => {
                    step_aside(attempt).await;
                    if let Some((id, _)) = namespace {
                        inner.refresh_namespace(&id).await?;
                    }
                }
                kept => {
                    kept?;
                    inner.assets.remember(&session).await;
                    return Ok(session);
                }
            }
        }
        Err(RegistryError::Conflict(key.to_string()))
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
        if session.expires_on <= inner.clock().now() {
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
        let mut found = inner.held_contents(session).await?;
        let mut missing = Vec::new();
        for declared in session.draft.contents() {
            let seen = found.remove(&declared.hash);
            let held =
                seen.as_ref().map_or(Ok(Held::No), |seen| inner.held(&session.scope, &declared, seen))?;
            let is_held = match (held, seen) {
                (Held::Yes, _) => true,
                (Held::Unneeded, Some(seen)) => inner.need(seen, &declared).await?,
                (Held::Unneeded | Held::No, _) => false,
            };
            if !is_held {
                missing.push(declared);
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
        self.inner.log.has_room()?;
        let found = bytes.len() as u64;
        if found != declared {
            return Err(AssetUploadError::Size { hash, found, declared }.into());
        }
        let (digest, bytes) = wasmyard_stores::blob::hashed(bytes).await?;
        let paths: Vec<AssetPath> = session.draft.files_of(hash).cloned().collect();
        let served = served.by_name_if_same(paths.iter().map(AssetPath::as_str));
        let is_shared = served == Served::ByName && follows(hash, &bytes, digest, paths).await?;
        let (scope, script) = (&session.scope, &session.script);
        let (shared, own) = (content_id(scope, &hash), own_content_id(scope, script, &hash));
        let (id, other) = if is_shared { (shared, own) } else { (own, shared) };
        let record = ContentRecord { digest, size: found, served, unneeded_since: None };
        let same = |known: &ContentRecord| (known.digest, known.size) == (digest, found);
        let known = self.inner.log.read(&CONTENTS, &other).await?.record()?;
        if known.is_some_and(|known| !same(&known)) {
            return Err(AssetUploadError::OtherContent { hash }.into());
        }
        for attempt in 0..ATTEMPTS {
            match self.inner.put_content(&session.scope, &id, hash, &record, &bytes).await {
                Err(RegistryError::Conflict(_)) => step_aside(attempt).await,
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
        let mut records = HashMap::with_capacity(session.draft.len());
        for (hash, seen) in inner.held_contents(session).await? {
            records.extend(seen.record()?.map(|record| (hash, record)));
        }
        let missing = session.draft.contents().iter().filter(|one| !records.contains_key(&one.hash)).count();
        if missing > 0 {
            return Err(incomplete(missing));
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
        let digest = inner.put_blob(manifest.encode()).await?;
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
                let seen = inner.log.read(&TOKEN_KEY, "").await?;
                if let Some(text) = seen.record()? {
                    return Ok(Secret::new(text));
                }
                let mut bits = [0; 32];
                getrandom::fill(&mut bits).map_err(|_| RegistryError::Closed)?;
                let mut transaction = Transaction::default();
                transaction.put(&seen, &Digest::from_bytes(bits).to_string())?;
                match inner.log.commit(&transaction).await {
                    // Another node was faster: its key is the one.
                    Ok(_) | Err(RegistryError::Conflict(_)) => {}
                    Err(error) => return Err(error),
                }
            }
        });
        made.await.cloned()
    }
}

impl Inner {
    /// Where the assets of a script are kept, with id and revision of its namespace.
    fn upload_place(&self, key: &ScriptKey) -> Result<(AssetScope, Option<(String, Revision)>)> {
        let Some(name) = key.namespace() else { return Ok((AssetScope::platform(), None)) };
        let index = self.namespaces.load();
        let slot = index.named(name).ok_or_else(|| RegistryError::NamespaceNotFound(name.clone()))?;
        let id = slot.namespace.id.clone();
        Ok((AssetScope::namespace(&id), Some((id, slot.revision))))
    }

    /// Writes the record of a session whose draft was put.
    async fn keep_session(
        &self,
        session: &AssetSession,
        namespace: Option<&(String, Revision)>,
    ) -> Result<()> {
        let draft = session.manifest;
        let record = SessionRecord { script: session.script.clone(), draft, expires_on: session.expires_on };
        let seen = self.log.read(&SESSIONS, &session_id(&session.scope, &session.id)).await?;
        let kept = self.kept_blob(&draft).await?.ok_or(RegistryError::ComponentMissing(draft))?;
        let mut transaction = Transaction::default();
        transaction.put(&seen, &record)?;
        transaction.refer(&seen, &draft, &kept)?;
        if let Some((id, revision)) = namespace {
            transaction.expect_unchanged(&NAMESPACES, id, *revision);
        }
        self.log.commit(&transaction).await?;
        Ok(())
    }

    async fn read_session(&self, scope: &AssetScope, id: &str) -> Result<AssetSession> {
        let seen = self.log.read(&SESSIONS, &session_id(scope, id)).await?;
        let record = seen.record()?.ok_or(AssetUploadError::NoSession)?;
        let draft = AssetDraft::decode(&self.blobs.get(&record.draft).await?)
            .map_err(|source| RegistryError::Manifest { digest: record.draft, source })?;
        Ok(AssetSession {
            id: id.to_owned(),
            scope: scope.clone(),
            script: record.script,
            manifest: record.draft,
            draft,
            expires_on: record.expires_on,
        })
    }

    fn held(&self, scope: &AssetScope, declared: &Declared, seen: &Seen<ContentRecord>) -> Result<Held> {
        let Some(record) = seen.record()? else { return Ok(Held::No) };
        Ok(if record.size != declared.size || self.assets.is_damaged(&content_blob(scope, &record.digest)) {
            // Uploading it tells whether the hash names another content, or heals this one.
            Held::No
        } else if record.unneeded_since.is_some() {
            Held::Unneeded
        } else {
            Held::Yes
        })
    }

    /// The contents of a session that its script can use: its own, and those that all scripts of the scope share.
    async fn held_contents(&self, session: &AssetSession) -> Result<HashMap<AssetHash, Seen<ContentRecord>>> {
        let contents = session.draft.contents();
        let (scope, script) = (&session.scope, &session.script);
        let shared = contents.iter().map(|declared| content_id(scope, &declared.hash));
        let own = contents.iter().map(|declared| own_content_id(scope, script, &declared.hash));
        let ids: Vec<String> = shared.chain(own).collect();
        let mut held = HashMap::with_capacity(contents.len());
        // The script's own come last, and count where there are both.
        for seen in self.log.read_many(&CONTENTS, &ids).await? {
            held.extend(hash_of(seen.id()).map(|hash| (hash, seen)));
        }
        Ok(held)
    }

    /// Says that a content is needed which was to go. False when it is gone.
    async fn need(&self, mut seen: Seen<ContentRecord>, declared: &Declared) -> Result<bool> {
        for attempt in 0..ATTEMPTS {
            if !seen.exists() {
                return Ok(false);
            }
            if self.mark_needed(&seen).await? {
                return Ok(true);
            }
            step_aside(attempt).await;
            seen = self.log.read(&CONTENTS, seen.id()).await?;
        }
        Err(RegistryError::Conflict(format!("asset {}", declared.hash)))
    }

    /// Takes the mark from a record, unless somebody else changed it in the meantime.
    pub(super) async fn mark_needed(&self, seen: &Seen<ContentRecord>) -> Result<bool> {
        let Some(mut record) = seen.record()? else { return Ok(false) };
        if record.unneeded_since.take().is_none() {
            return Ok(true);
        }
        let mut transaction = Transaction::default();
        transaction.put(seen, &record)?;
        match self.log.commit(&transaction).await {
            Ok(_) => Ok(true),
            Err(RegistryError::Conflict(_)) => Ok(false),
            Err(error) => Err(error),
        }
    }

    async fn put_content(
        &self,
        scope: &AssetScope,
        id: &str,
        hash: AssetHash,
        record: &ContentRecord,
        bytes: &Bytes,
    ) -> Result<()> {
        let blob = content_blob(scope, &record.digest);
        let before = self.log.read(&CONTENTS, id).await?;
        if let Some(known) = before.record()? {
            if (known.digest, known.size) != (record.digest, record.size) {
                return Err(AssetUploadError::OtherContent { hash }.into());
            }
            if !self.assets.is_damaged(&blob) {
                return match self.mark_needed(&before).await? {
                    true => Ok(()),
                    false => Err(RegistryError::Conflict(format!("asset {hash}"))),
                };
            }
        }
        let place = self.blob_place(&blob).await?;
        self.blobs.put_as(&blob, bytes.clone()).await?;
        let mut transaction = Transaction::default();
        transaction.put(&before, record)?;
        transaction.put(&place, &self.kept_now())?;
        transaction.refer(&before, &blob, &place)?;
        self.log.commit(&transaction).await?;
        self.assets.heal(&blob);
        Ok(())
    }
}

impl Transaction {
    /// Takes away a content with the reference that it has on its blob.
    pub(super) fn delete_content(&mut self, scope: &AssetScope, seen: &Seen<ContentRecord>, digest: &Digest) {
        self.delete(seen);
        self.delete_with(seen, &REFERENCES, &reference_id(&content_blob(scope, digest), seen.key()));
    }
}
