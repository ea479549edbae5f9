//! A folder of static assets: what is in it, what of it is served, and what its files are called.
//!
//! Owns the walk over the folder with its `.assetsignore`, its `_headers` and `_redirects`, and the hash by
//! which a platform tells contents apart. It must never follow a link out of the folder, never serve the
//! three files that say how to serve, and never hold more than one file in memory.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use ignore::gitignore::{Gitignore, GitignoreBuilder};
use wasmyard_namespaces::assets::{AssetPathError, AssetsConfigError, ManifestError};
use wasmyard_namespaces::limits::{MAX_ASSET_BYTES, MAX_ASSET_FILES, MAX_ASSET_REDIRECTS_BYTES};
use wasmyard_namespaces::{AssetDraft, AssetHash, AssetPath, AssetsConfig, Declared, Digest};

/// What keeps files out, in the grammar of gitignore.
const IGNORE: &str = ".assetsignore";
const HEADERS: &str = "_headers";
const REDIRECTS: &str = "_redirects";

/// What nobody means to publish, in the grammar of gitignore. A line `!NAME` in `.assetsignore` lets one of them out.
const PRIVATE: [&str; 10] =
    [".env", ".env.*", ".dev.vars", ".git", ".hg", ".svn", ".npmrc", ".ssh", ".htpasswd", ".DS_Store"];

/// The folder of a script's assets, and how they are served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AssetsSource {
    /// Where it is. Absolute.
    pub directory: PathBuf,
    /// What the configuration says; the texts of `_headers` and `_redirects` come from the folder.
    pub config: AssetsConfig,
}

/// What a folder holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Folder {
    /// All files, sorted by path.
    pub files: Vec<Found>,
    /// How they are served.
    pub config: AssetsConfig,
    /// Links, which are left out.
    pub links: Vec<PathBuf>,
    /// Files and folders that are left out because they hold secrets or a history wherever they stand.
    pub private: Vec<PathBuf>,
}

/// A file of a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Where it is served.
    pub path: AssetPath,
    /// Where it is.
    pub file: PathBuf,
    /// Its bytes when it was found.
    pub size: u64,
}

/// Files that have been hashed.
#[derive(Debug, Clone)]
pub struct Hashed {
    /// Path, file, hash and size of each.
    pub files: Vec<(Found, Declared)>,
}

/// Why a folder cannot be deployed.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// It is not there.
    #[error("there is no folder {}", .0.display())]
    Missing(PathBuf),
    /// The walk failed.
    #[error("the folder {} cannot be read: {source}", folder.display())]
    Walk {
        /// The folder.
        folder: PathBuf,
        /// What the system, or the reader of `.assetsignore`, says.
        #[source]
        source: ignore::Error,
    },
    /// A file cannot be read.
    #[error("{} cannot be read: {source}", file.display())]
    Read {
        /// The file.
        file: PathBuf,
        /// What the system says.
        #[source]
        source: std::io::Error,
    },
    /// A name is not text.
    #[error("the name of {} is not UTF-8; rename it, or leave it out with {IGNORE}", .0.display())]
    Name(PathBuf),
    /// A name cannot be a path.
    #[error("{} cannot be served: {source}; or leave it out with {IGNORE}", file.display())]
    Path {
        /// The file.
        file: PathBuf,
        /// The rule.
        #[source]
        source: AssetPathError,
    },
    /// There are too many files.
    #[error("the folder {} has more than {MAX_ASSET_FILES} files; leave some out with {IGNORE}", .0.display())]
    TooMany(PathBuf),
    /// A file is too large.
    #[error(
        "{} has {size} bytes, more than the {MAX_ASSET_BYTES} that an asset may have; leave it out with {IGNORE}",
        file.display()
    )]
    TooLarge {
        /// The file.
        file: PathBuf,
        /// Its bytes.
        size: u64,
    },
    /// `_headers` or `_redirects` is no text, or too long.
    #[error("{} is no UTF-8 text of less than {MAX_ASSET_REDIRECTS_BYTES} bytes", .0.display())]
    Rules(PathBuf),
    /// The way of serving breaks a rule.
    #[error(transparent)]
    Config(#[from] AssetsConfigError),
    /// The files do not make a manifest.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// A file is another one by now.
    #[error("{} changed while it was being read", .0.display())]
    Changed(PathBuf),
}

impl Folder {
    /// What to say of files that are left out because they are private.
    pub fn left_out(&self) -> Option<String> {
        let first = self.private.first()?;
        let name = first.file_name().unwrap_or_default().to_string_lossy();
        let more = match self.private.len() {
            1 => "is".to_owned(),
            number => format!("and {} more are", number - 1),
        };
        Some(format!(
            "{} {more} left out: such files hold secrets or a history; a line `!{name}` in {IGNORE} publishes it",
            first.display()
        ))
    }
}

impl AssetsSource {
    /// Looks at every file of the folder, without reading it.
    ///
    /// # Errors
    /// [`FolderError`] for the first thing that keeps the folder from being deployed.
    pub fn scan(&self) -> Result<Folder, FolderError> {
        let root = &self.directory;
        if !root.is_dir() {
            return Err(FolderError::Missing(root.clone()));
        }
        let mut folder =
            Folder { files: Vec::new(), config: self.config.clone(), links: Vec::new(), private: Vec::new() };
        let private = Arc::new(Mutex::new(Vec::new()));
        // Beside those, nothing is left out but what the folder's own file says: not hidden files, nor what git ignores.
        let walk = ignore::WalkBuilder::new(root)
            .standard_filters(false)
            .follow_links(false)
            .add_custom_ignore_filename(IGNORE)
            .filter_entry(without_private(root, &private)?)
            .build();
        for entry in walk {
            let entry = entry.map_err(|source| FolderError::Walk { folder: root.clone(), source })?;
            if let Some(source) = entry.error() {
                return Err(FolderError::Walk { folder: root.clone(), source: source.clone() });
            }
            let kind = entry.file_type();
            if kind.is_some_and(|kind| kind.is_symlink()) && entry.depth() > 0 {
                folder.links.push(entry.into_path());
            } else if kind.is_some_and(|kind| kind.is_file()) && entry.file_name() != IGNORE {
                let top = entry.depth() == 1;
                if top && entry.file_name() == HEADERS {
                    folder.config.headers = Some(rules(entry.path())?);
                } else if top && entry.file_name() == REDIRECTS {
                    folder.config.redirects = Some(rules(entry.path())?);
                } else if folder.files.len() == MAX_ASSET_FILES {
                    return Err(FolderError::TooMany(root.clone()));
                } else {
                    folder.files.push(found(root, entry.into_path())?);
                }
            }
        }
        folder.files.sort_by(|a, b| a.path.cmp(&b.path));
        folder.private = std::mem::take(&mut *private.lock().unwrap_or_else(PoisonError::into_inner));
        folder.config.validate()?;
        Ok(folder)
    }
}

/// Says no to what is private, and notes it.
fn without_private(
    root: &Path,
    noted: &Arc<Mutex<Vec<PathBuf>>>,
) -> Result<impl Fn(&ignore::DirEntry) -> bool + Send + Sync + 'static, FolderError> {
    let failed = |source| FolderError::Walk { folder: root.to_owned(), source };
    let mut private = GitignoreBuilder::new(root);
    for name in PRIVATE {
        private.add_line(None, name).map_err(failed)?;
    }
    let private = private.build().map_err(failed)?;
    // What is wrong in it is told by the walk.
    let (own, _mistakes) = Gitignore::new(root.join(IGNORE));
    let noted = Arc::clone(noted);
    Ok(move |entry: &ignore::DirEntry| {
        let is_folder = entry.file_type().is_some_and(|kind| kind.is_dir());
        let lets = entry.depth() == 0
            || !private.matched(entry.path(), is_folder).is_ignore()
            || own.matched(entry.path(), is_folder).is_whitelist();
        // What the folder's own file leaves out, too, is no news.
        if !lets && !own.matched(entry.path(), is_folder).is_ignore() {
            noted.lock().unwrap_or_else(PoisonError::into_inner).push(entry.path().to_owned());
        }
        lets
    })
}

fn found(root: &Path, file: PathBuf) -> Result<Found, FolderError> {
    let relative = file.strip_prefix(root).unwrap_or(&file).to_str();
    let relative = relative.ok_or_else(|| FolderError::Name(file.clone()))?;
    let path = AssetPath::parse(&format!("/{relative}"))
        .map_err(|source| FolderError::Path { file: file.clone(), source })?;
    let meta = std::fs::metadata(&file).map_err(|source| FolderError::Read { file: file.clone(), source })?;
    let size = meta.len();
    if size > MAX_ASSET_BYTES {
        return Err(FolderError::TooLarge { file, size });
    }
    Ok(Found { path, file, size })
}

fn rules(file: &Path) -> Result<String, FolderError> {
    let bytes = read(file, MAX_ASSET_REDIRECTS_BYTES as u64)?;
    let text = String::from_utf8(bytes).ok();
    text.filter(|text| text.len() <= MAX_ASSET_REDIRECTS_BYTES)
        .ok_or_else(|| FolderError::Rules(file.to_owned()))
}

/// Reads a file, and one byte more than `most` if there is that much.
fn read(file: &Path, most: u64) -> Result<Vec<u8>, FolderError> {
    let failed = |source| FolderError::Read { file: file.to_owned(), source };
    let mut bytes = Vec::new();
    File::open(file).map_err(failed)?.take(most + 1).read_to_end(&mut bytes).map_err(failed)?;
    Ok(bytes)
}

impl Folder {
    /// Reads and hashes every file.
    ///
    /// # Errors
    /// [`FolderError::Read`] or [`FolderError::Changed`].
    pub fn hash(self) -> Result<Hashed, FolderError> {
        let mut files = Vec::with_capacity(self.files.len());
        for found in self.files {
            let content = found.read()?;
            let declared =
                Declared { hash: AssetHash::of(&Digest::of(&content), &found.path), size: found.size };
            files.push((found, declared));
        }
        Ok(Hashed { files })
    }
}

impl Found {
    /// The content, as long as it was found to be.
    ///
    /// # Errors
    /// [`FolderError::Read`] or [`FolderError::Changed`].
    pub fn read(&self) -> Result<Bytes, FolderError> {
        let bytes = read(&self.file, MAX_ASSET_BYTES)?;
        if bytes.len() as u64 == self.size {
            Ok(bytes.into())
        } else {
            Err(FolderError::Changed(self.file.clone()))
        }
    }

    /// The content that was hashed.
    ///
    /// # Errors
    /// [`FolderError::Read`], or [`FolderError::Changed`] when it is another one by now.
    pub fn read_again(&self, declared: &Declared) -> Result<Bytes, FolderError> {
        let content = self.read()?;
        let same = AssetHash::of(&Digest::of(&content), &self.path) == declared.hash;
        same.then_some(content).ok_or_else(|| FolderError::Changed(self.file.clone()))
    }
}

impl Hashed {
    /// What a session is begun with.
    ///
    /// # Errors
    /// [`FolderError::Manifest`].
    pub fn draft(&self) -> Result<AssetDraft, FolderError> {
        let files = self.files.iter().map(|(found, declared)| (found.path.clone(), *declared)).collect();
        Ok(AssetDraft::new(files)?)
    }

    /// The file of a content; any of them, if there are several.
    pub fn by_hash(&self) -> std::collections::HashMap<AssetHash, &(Found, Declared)> {
        self.files.iter().map(|file| (file.1.hash, file)).collect()
    }
}

#[cfg(test)]
mod tests;
