//! The manifest of a version: which path is which content.
//!
//! Owns its memory and lookups. Immutable; a lookup takes the same time however many files there are.
//! Never holds a content.

use std::hash::{BuildHasher as _, RandomState};

use bytes::Bytes;
use hashbrown::HashTable;

use super::{AssetEntry, AssetPath, AssetScope};
use crate::limits::{MAX_ASSET_BYTES, MAX_ASSET_FILES};

mod wire;

/// All files of a version, sorted by path.
pub struct Manifest {
    scope: AssetScope,
    /// All paths, one after the other.
    paths: Box<str>,
    /// Where each path ends.
    ends: Box<[u32]>,
    entries: Box<[AssetEntry]>,
    /// Places in `entries`, by the hash of the path.
    index: HashTable<u32>,
    hasher: RandomState,
    bytes: u64,
}

/// What cannot be a manifest. Safe to show.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ManifestError {
    /// Too many files.
    #[error("{found} files are more than the {MAX_ASSET_FILES} that a script may have; leave some out")]
    TooManyFiles {
        /// How many there are.
        found: usize,
    },
    /// A file is too large.
    #[error("file \"{path}\" has {found} bytes, more than the {MAX_ASSET_BYTES} that a file may have")]
    TooLarge {
        /// Which, shortened.
        path: String,
        /// Its bytes.
        found: u64,
    },
    /// Two files have one path.
    #[error("two files have the path \"{path}\"; remove one")]
    Duplicate {
        /// The path, shortened.
        path: String,
    },
    /// One hash cannot name two contents.
    #[error("hash {hash} of file \"{path}\" is said to have {first} and {second} bytes; hash the files anew")]
    TwoSizes {
        /// A file that has it, shortened.
        path: String,
        /// The hash.
        hash: super::AssetHash,
        /// One size.
        first: u64,
        /// The other.
        second: u64,
    },
    /// What was read is no manifest.
    #[error("the manifest cannot be read: {0}")]
    Unreadable(&'static str),
}

impl Manifest {
    /// Makes a manifest.
    ///
    /// # Errors
    /// [`ManifestError`] when there are too many files, one is too large, or two have one path.
    pub fn new(
        scope: AssetScope,
        mut files: Vec<(AssetPath, AssetEntry)>,
    ) -> Result<Manifest, ManifestError> {
        if files.len() > MAX_ASSET_FILES {
            return Err(ManifestError::TooManyFiles { found: files.len() });
        }
        files.sort_by(|(a, _), (b, _)| a.cmp(b));
        let mut paths = String::with_capacity(files.iter().map(|(path, _)| path.as_str().len()).sum());
        let mut ends = Vec::with_capacity(files.len());
        let mut entries = Vec::with_capacity(files.len());
        let mut bytes: u64 = 0;
        let mut before: Option<AssetPath> = None;
        for (path, entry) in files {
            let shown = || crate::name::shorten(path.as_str());
            if before.as_ref() == Some(&path) {
                return Err(ManifestError::Duplicate { path: shown() });
            }
            if entry.size > MAX_ASSET_BYTES {
                return Err(ManifestError::TooLarge { path: shown(), found: entry.size });
            }
            bytes = bytes.saturating_add(entry.size);
            paths.push_str(path.as_str());
            ends.push(u32::try_from(paths.len()).map_err(|_| ManifestError::Unreadable("too long"))?);
            entries.push(entry);
            before = Some(path);
        }
        Ok(Manifest::indexed(scope, paths, ends, entries, bytes))
    }

    fn indexed(
        scope: AssetScope,
        paths: String,
        ends: Vec<u32>,
        entries: Vec<AssetEntry>,
        bytes: u64,
    ) -> Manifest {
        let mut manifest = Manifest {
            scope,
            paths: paths.into(),
            ends: ends.into(),
            entries: entries.into(),
            index: HashTable::new(),
            hasher: RandomState::new(),
            bytes,
        };
        let mut index = HashTable::with_capacity(manifest.entries.len());
        // Bounded far below this by the number of files.
        let count = u32::try_from(manifest.entries.len()).unwrap_or(u32::MAX);
        let hash_at = |at: &u32| manifest.hasher.hash_one(manifest.path_at(*at));
        for at in 0..count {
            index.insert_unique(hash_at(&at), at, hash_at);
        }
        manifest.index = index;
        manifest
    }

    /// The file at a decoded path.
    #[must_use]
    pub fn get(&self, path: &str) -> Option<&AssetEntry> {
        let hash = self.hasher.hash_one(path);
        let at = self.index.find(hash, |at| self.path_at(*at) == path)?;
        self.entries.get(usize::try_from(*at).ok()?)
    }

    fn path_at(&self, at: u32) -> &str {
        let at = usize::try_from(at).unwrap_or(usize::MAX);
        let end = self.ends.get(at).copied().unwrap_or_default();
        let start = at.checked_sub(1).and_then(|before| self.ends.get(before)).copied().unwrap_or_default();
        let (start, end) =
            (usize::try_from(start).unwrap_or_default(), usize::try_from(end).unwrap_or_default());
        self.paths.get(start..end).unwrap_or_default()
    }

    /// All files, sorted by path.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &AssetEntry)> {
        (0..).zip(self.entries.iter()).map(|(at, entry)| (self.path_at(at), entry))
    }

    /// Where the contents are kept.
    #[must_use]
    pub fn scope(&self) -> &AssetScope {
        &self.scope
    }

    /// How many files there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Bytes of all files.
    #[must_use]
    pub fn total_bytes(&self) -> u64 {
        self.bytes
    }

    /// About how much memory it takes, in bytes.
    #[must_use]
    pub fn memory(&self) -> usize {
        size_of::<Manifest>()
            + self.paths.len()
            + size_of_val(&*self.ends)
            + size_of_val(&*self.entries)
            // One control byte beside each place.
            + self.index.capacity() * (size_of::<u32>() + 1)
    }

    /// The form in which it is kept as a blob.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        wire::encode(self)
    }

    /// Reads what [`Manifest::encode`] wrote.
    ///
    /// # Errors
    /// [`ManifestError::Unreadable`] for anything else.
    pub fn decode(bytes: &Bytes) -> Result<Manifest, ManifestError> {
        wire::decode(bytes)
    }
}

impl std::fmt::Debug for Manifest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Manifest")
            .field("scope", &self.scope)
            .field("files", &self.len())
            .finish_non_exhaustive()
    }
}
