//! What a client says that it is going to upload.
//!
//! Owns the check of a declared manifest as a whole, and the text in which an upload session keeps it.
//! Never believes that a declared content is there.

use std::collections::HashMap;

use bytes::{BufMut as _, Bytes, BytesMut};

use super::{AssetHash, AssetPath, ManifestError};
use crate::limits::{MAX_ASSET_BYTES, MAX_ASSET_FILES};

/// A file as its client declares it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Declared {
    /// The client's name for the content.
    pub hash: AssetHash,
    /// Bytes of the content.
    pub size: u64,
}

/// A declared manifest within all bounds, sorted by path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AssetDraft {
    files: Vec<(AssetPath, Declared)>,
    sizes: HashMap<AssetHash, u64>,
}

impl AssetDraft {
    /// Checks a list of files.
    ///
    /// # Errors
    /// [`ManifestError`] when there are too many files, one is too large, two have one path, or one hash is
    /// said to have two sizes.
    pub fn new(mut files: Vec<(AssetPath, Declared)>) -> Result<AssetDraft, ManifestError> {
        if files.len() > MAX_ASSET_FILES {
            return Err(ManifestError::TooManyFiles { found: files.len() });
        }
        files.sort_by(|(a, _), (b, _)| a.cmp(b));
        let mut sizes = HashMap::with_capacity(files.len());
        let mut before: Option<&AssetPath> = None;
        for (path, declared) in &files {
            let shown = || crate::name::shorten(path.as_str());
            if before == Some(path) {
                return Err(ManifestError::Duplicate { path: shown() });
            }
            if declared.size > MAX_ASSET_BYTES {
                return Err(ManifestError::TooLarge { path: shown(), found: declared.size });
            }
            let known = *sizes.entry(declared.hash).or_insert(declared.size);
            if known != declared.size {
                let (hash, first, second) = (declared.hash, known, declared.size);
                return Err(ManifestError::TwoSizes { path: shown(), hash, first, second });
            }
            before = Some(path);
        }
        Ok(AssetDraft { files, sizes })
    }

    /// All files, sorted by path.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&AssetPath, Declared)> {
        self.files.iter().map(|(path, declared)| (path, *declared))
    }

    /// How many files there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.files.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// The declared size of a content; none when no file has it.
    #[must_use]
    pub fn size_of(&self, hash: &AssetHash) -> Option<u64> {
        self.sizes.get(hash).copied()
    }

    /// The files that have a content.
    pub fn files_of(&self, hash: AssetHash) -> impl Iterator<Item = &AssetPath> {
        self.files.iter().filter(move |(_, declared)| declared.hash == hash).map(|(path, _)| path)
    }

    /// Every content once, in the order of the paths that have it first: what belongs together is uploaded
    /// together.
    #[must_use]
    pub fn contents(&self) -> Vec<Declared> {
        let mut seen = std::collections::HashSet::with_capacity(self.sizes.len());
        self.files
            .iter()
            .map(|(_, declared)| *declared)
            .filter(|declared| seen.insert(declared.hash))
            .collect()
    }

    /// About how much memory it takes, in bytes.
    #[must_use]
    pub fn memory(&self) -> usize {
        let paths: usize = self.files.iter().map(|(path, _)| path.as_str().len()).sum();
        paths + self.files.len() * size_of::<(AssetPath, Declared)>() + self.sizes.capacity() * 32
    }

    /// One line for each file. Paths have no line breaks.
    pub fn encode(&self) -> Bytes {
        let mut out = BytesMut::with_capacity(self.files.len() * 96);
        for (path, declared) in &self.files {
            out.put_slice(format!("{} {} {path}\n", declared.hash, declared.size).as_bytes());
        }
        out.freeze()
    }

    /// Reads what [`AssetDraft::encode`] wrote.
    pub fn decode(bytes: &[u8]) -> Result<AssetDraft, ManifestError> {
        let unreadable = || ManifestError::Unreadable("a line is no file");
        let text = std::str::from_utf8(bytes).map_err(|_| ManifestError::Unreadable("it is not UTF-8"))?;
        let files: Option<Vec<_>> = text.lines().take(MAX_ASSET_FILES + 1).map(line).collect();
        AssetDraft::new(files.ok_or_else(unreadable)?)
    }
}

fn line(line: &str) -> Option<(AssetPath, Declared)> {
    let mut fields = line.splitn(3, ' ');
    let (hash, size) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    Some((AssetPath::parse(fields.next()?).ok()?, Declared { hash, size }))
}
