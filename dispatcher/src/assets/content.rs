//! Contents of files: small ones in memory, large ones as open files.
//!
//! Owns what is held, within a bound of bytes, and the check of contents against their SHA-256: whenever one is
//! taken from the store, and now and then afterwards. What fails the check is never served, and the registry is
//! told, so that the next upload is asked for it and heals it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use moka::sync::Cache;
use tokio::sync::{Mutex, Semaphore};
use wasmyard_listener::sealed;
use wasmyard_namespaces::assets::{AssetContent, AssetScope, Encoding};
use wasmyard_namespaces::digest::Digest;
use wasmyard_namespaces::registry::Registry;

use super::body::{Buffers, OpenFile};

/// The largest content that is held in memory.
const LARGEST_HELD: u64 = 2 << 20;
/// The most open files, however much memory there may be.
const MOST_OPEN: u64 = 1_024;
/// What an open file counts as at least, so that their number is bounded, too.
const OPEN_FILE_WEIGHT: u64 = 64 << 10;
/// What anything held costs beside its bytes: as measured with 100,000 files of a few bytes (`benches/assets.sh many`).
const OVERHEAD: u32 = 2_304;
/// One in so many uses of an open file checks its content again.
const CHECK_ONE_IN: u64 = 256;
/// How many contents are read from the disk and hashed at the same time.
const HASHED_AT_ONCE: usize = 4;
/// How many turns there are to load a content. Two contents that share one wait for each other now and then, no more.
const TURNS: usize = 256;

/// Names a content, or a variant of it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key {
    pub(super) scope: AssetScope,
    /// Of the content as it was uploaded.
    pub(super) digest: Digest,
    pub(super) encoding: Option<Encoding>,
}

/// A content that can be served.
#[derive(Clone, Debug)]
pub(super) enum Content {
    Memory(Bytes),
    File {
        file: Arc<OpenFile>,
        /// What its bytes hash to.
        digest: Digest,
    },
}

/// Why a content cannot be served. For the operator.
#[derive(Clone, Debug, thiserror::Error)]
pub(super) enum ContentError {
    #[error("there is no such variant")]
    NoVariant,
    #[error("its bytes are not what was uploaded: their SHA-256 is {found}; upload it again to heal it")]
    Corrupt { found: Digest },
    #[error("{0}")]
    Unreadable(String),
}

/// All contents of this node.
pub(super) struct Contents {
    registry: Registry,
    held: Cache<Key, Content>,
    /// Whoever loads a content holds its turn, so that nobody loads it a second time.
    turns: Box<[Mutex<()>]>,
    uses: AtomicU64,
    hashing: Arc<Semaphore>,
    pub(super) buffers: Arc<Buffers>,
}

impl Contents {
    /// Holds `bytes` in memory at most, about.
    pub(super) fn new(registry: Registry, bytes: u64) -> Contents {
        let open_file = u32::try_from((bytes / MOST_OPEN).max(OPEN_FILE_WEIGHT)).unwrap_or(u32::MAX);
        let weight = move |_: &Key, content: &Content| match content {
            Content::Memory(bytes) => {
                let len = u32::try_from(bytes.len()).unwrap_or(u32::MAX).saturating_add(OVERHEAD);
                // It has an open file, too.
                if bytes.len() < sealed::LEAST { len } else { len.max(open_file) }
            }
            Content::File { .. } => open_file,
        };
        Contents {
            registry,
            held: Cache::builder().max_capacity(bytes).weigher(weight).build(),
            turns: (0..TURNS).map(|_| Mutex::default()).collect(),
            uses: AtomicU64::new(0),
            hashing: Arc::new(Semaphore::new(HASHED_AT_ONCE)),
            buffers: Arc::default(),
        }
    }

    /// The content, and whether it was held already. What is seldom is boxed: every request makes this future.
    pub(super) async fn get(&self, key: &Key) -> Result<(Content, bool), ContentError> {
        let Some(held) = self.held.get(key) else {
            return Box::pin(self.load_once(key)).await.map(|content| (content, false));
        };
        if let Content::File { file, digest } = &held
            && self.uses.fetch_add(1, Ordering::Relaxed).is_multiple_of(CHECK_ONE_IN)
        {
            Box::pin(self.check_again(key, file, *digest)).await?;
        }
        Ok((held, true))
    }

    /// Reads a content whole, checked, without holding it.
    pub(super) async fn read(&self, key: &Key) -> Result<Bytes, ContentError> {
        if let Some(Content::Memory(bytes)) = self.held.get(key) {
            return Ok(bytes);
        }
        let (content, digest) = self.open(key).await?;
        match content {
            AssetContent::Memory(bytes) => Ok(bytes),
            AssetContent::File { file, len } => self.whole(file, len, digest, Bytes::from).await,
        }
    }

    async fn load_once(&self, key: &Key) -> Result<Content, ContentError> {
        let [first, second, ..] = *key.digest.as_bytes();
        let _turn = match self.turns.get(usize::from(u16::from_be_bytes([first, second])) % TURNS) {
            Some(turn) => Some(turn.lock().await),
            None => None,
        };
        if let Some(held) = self.held.get(key) {
            return Ok(held);
        }
        let loaded = self.load_checked(key).await;
        self.report(key, &loaded);
        if let Ok(content) = &loaded {
            self.held.insert(key.clone(), content.clone());
        }
        loaded
    }

    /// Has a damaged file asked for again by the next upload. A variant is made again from the file.
    fn report<T>(&self, key: &Key, checked: &Result<T, ContentError>) {
        if let (Err(ContentError::Corrupt { .. }), None) = (checked, key.encoding) {
            self.registry.asset_is_damaged(&key.scope, &key.digest);
        }
    }

    async fn load_checked(&self, key: &Key) -> Result<Content, ContentError> {
        let (content, digest) = self.open(key).await?;
        match content {
            AssetContent::Memory(bytes) => Ok(Content::Memory(bytes)),
            AssetContent::File { file, len } if len <= LARGEST_HELD => {
                Ok(Content::Memory(self.whole(file, len, digest, in_form).await?))
            }
            AssetContent::File { file, len } => {
                let file = Arc::new(OpenFile { file, len });
                self.check(&file, digest).await?;
                Ok(Content::File { file, digest })
            }
        }
    }

    async fn open(&self, key: &Key) -> Result<(AssetContent, Digest), ContentError> {
        let unreadable = |error: &dyn std::error::Error| ContentError::Unreadable(chain(error));
        match key.encoding {
            None => {
                let content = self.registry.asset(&key.scope, &key.digest).await;
                Ok((content.map_err(|error| unreadable(&error))?, key.digest))
            }
            Some(encoding) => {
                let variant = self.registry.variant(&key.scope, &key.digest, encoding).await;
                variant.map_err(|error| unreadable(&error))?.ok_or(ContentError::NoVariant)
            }
        }
    }

    async fn check_again(&self, key: &Key, file: &Arc<OpenFile>, digest: Digest) -> Result<(), ContentError> {
        let checked = self.check(file, digest).await;
        self.report(key, &checked);
        if checked.is_err() {
            self.held.invalidate(key);
        }
        checked
    }

    async fn check(&self, file: &Arc<OpenFile>, expected: Digest) -> Result<(), ContentError> {
        let file = Arc::clone(file);
        let hashed = self.in_background(move || Digest::of_file(&file.file, file.len)).await?;
        is_as_expected(hashed, expected)
    }

    async fn whole(
        &self,
        file: std::fs::File,
        len: u64,
        expected: Digest,
        keep: fn(Vec<u8>) -> Bytes,
    ) -> Result<Bytes, ContentError> {
        let read = self.in_background(move || {
            use std::os::unix::fs::FileExt as _;
            let mut bytes = vec![0; usize::try_from(len).map_err(std::io::Error::other)?];
            file.read_exact_at(&mut bytes, 0)?;
            Ok((Digest::of(&bytes), keep(bytes)))
        });
        let (found, bytes) = read.await?;
        is_as_expected(found, expected)?;
        Ok(bytes)
    }

    /// Runs what reads and hashes on a thread that may wait.
    async fn in_background<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> std::io::Result<T> + Send + 'static,
    ) -> Result<T, ContentError> {
        let unreadable = |error: &dyn std::error::Error| ContentError::Unreadable(chain(error));
        let permit = Arc::clone(&self.hashing).acquire_owned().await.map_err(|error| unreadable(&error))?;
        let done = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            work()
        });
        done.await.map_err(|error| unreadable(&error))?.map_err(|error| unreadable(&error))
    }
}

/// In the form that it is held in: where it is worth it and possible, in a memory file, to be sent without a copy.
fn in_form(bytes: Vec<u8>) -> Bytes {
    if bytes.len() < sealed::LEAST {
        return Bytes::from(bytes);
    }
    sealed::seal(&bytes).unwrap_or_else(|error| {
        tracing::debug!(target: "wasmyard::assets", %error, "no memory file");
        Bytes::from(bytes)
    })
}

fn is_as_expected(found: Digest, expected: Digest) -> Result<(), ContentError> {
    if found == expected { Ok(()) } else { Err(ContentError::Corrupt { found }) }
}

/// An error with all its causes.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One content in a folder of blobs of its own: a variant, because that takes the fewest steps.
    async fn stored(content: &[u8]) -> (tempfile::TempDir, Registry, Key) {
        let folder = tempfile::tempdir().unwrap();
        let registry = Registry::open_directory(folder.path(), Default::default()).await.unwrap();
        let key = Key {
            scope: AssetScope::platform(),
            digest: Digest::of(b"source"),
            encoding: Some(Encoding::Br),
        };
        put(&registry, &key, content).await;
        (folder, registry, key)
    }

    async fn put(registry: &Registry, key: &Key, content: &[u8]) {
        let bytes = Bytes::copy_from_slice(content);
        registry.put_variant(&key.scope, &key.digest, Encoding::Br, bytes).await.unwrap();
    }

    /// Turns the first byte of every blob round.
    fn damage(folder: &std::path::Path) {
        let mut damaged = 0;
        for shard in std::fs::read_dir(folder.join("blobs")).unwrap() {
            let shard = shard.unwrap().path();
            for blob in std::fs::read_dir(&shard).into_iter().flatten() {
                let path = blob.unwrap().path();
                let mut bytes = std::fs::read(&path).unwrap();
                bytes[0] ^= 0xff;
                std::fs::write(&path, bytes).unwrap();
                damaged += 1;
            }
        }
        assert!(damaged > 0);
    }

    #[tokio::test]
    async fn small_contents_are_held_and_large_ones_stay_files() {
        let (_folder, registry, key) = stored(b"small").await;
        let contents = Contents::new(registry, 1 << 20);
        let (content, held) = contents.get(&key).await.unwrap();
        assert!(!held && matches!(&content, Content::Memory(bytes) if &bytes[..] == b"small"));
        assert!(contents.get(&key).await.unwrap().1, "the second time it is held");

        let large = vec![7; usize::try_from(LARGEST_HELD).unwrap() + 1];
        let (_folder, registry, key) = stored(&large).await;
        let contents = Contents::new(registry, 1 << 20);
        let (content, _) = contents.get(&key).await.unwrap();
        assert!(matches!(&content, Content::File { file, .. } if file.len == large.len() as u64));
        assert!(contents.read(&key).await.unwrap() == large);
    }

    #[tokio::test]
    async fn damaged_content_is_refused_until_the_right_one_is_there_again() {
        for len in [5, usize::try_from(LARGEST_HELD).unwrap() + 1] {
            let right = vec![7; len];
            let (folder, registry, key) = stored(&right).await;
            damage(folder.path());
            let contents = Contents::new(registry.clone(), 1 << 20);
            for _ in 0..2 {
                let refused = contents.get(&key).await.unwrap_err();
                assert!(matches!(refused, ContentError::Corrupt { .. }), "{refused}");
            }
            put(&registry, &key, &right).await;
            assert!(contents.get(&key).await.is_ok());
        }
    }

    #[tokio::test]
    async fn a_file_that_rots_while_it_is_open_is_found_out() {
        let large = vec![7; usize::try_from(LARGEST_HELD).unwrap() + 1];
        let (folder, registry, key) = stored(&large).await;
        let contents = Contents::new(registry, 1 << 20);
        contents.get(&key).await.unwrap();
        damage(folder.path());
        let mut found_out = false;
        for _ in 0..=CHECK_ONE_IN {
            found_out |= contents.get(&key).await.is_err();
        }
        assert!(found_out);
    }
}
