//! Compiled code on disk, one file for each (engine fingerprint, component digest).
//!
//! Loading a forged artifact would be running arbitrary native code. Each file therefore ends with a
//! hash keyed by a secret of this node; a file whose hash does not fit is removed and compiled anew,
//! never loaded.

use std::fs::{self, File};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::OFlags;
use rustix::process::geteuid;

use wasmyard_namespaces::digest::Digest;

pub(super) const MAC_BYTES: usize = 32;
/// How the names of artifacts end.
const SUFFIX: &str = ".cwasm";
/// The list of the engines that started: the last two, one line each with the names of their folders.
const STARTED: &str = "engines";
/// How the names of files begin that are not whole yet.
const NEW: &str = ".new-";
/// Such a file may still be written to while it is younger, whatever age is asked for.
const BEING_WRITTEN: Duration = Duration::from_secs(3_600);

/// A folder of artifacts.
pub(crate) struct Artifacts {
    folder: PathBuf,
    fingerprint: String,
    key: [u8; 32],
}

/// What a look into the folder found.
pub(crate) enum Found {
    /// The artifact, verified just now.
    Artifact(File),
    /// Nothing, or something that was not ours and is gone now.
    Nothing,
}

impl Artifacts {
    /// Opens the folder and makes the node's key at the first start.
    pub(crate) fn open(folder: &Path, fingerprint: &str) -> io::Result<Self> {
        let inner = folder.join(fingerprint);
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&inner)?;
        let key = node_key(&folder.join("node.key"))?;
        Ok(Self { folder: inner, fingerprint: fingerprint.to_owned(), key })
    }

    fn path(&self, digest: &Digest) -> PathBuf {
        self.folder.join(format!("{digest}{SUFFIX}"))
    }

    fn mac(&self, digest: &Digest) -> blake3::Hasher {
        let mut hasher = blake3::Hasher::new_keyed(&self.key);
        hasher.update(self.fingerprint.as_bytes());
        hasher.update(digest.as_bytes());
        hasher
    }

    /// How an artifact of that name begins, if there is one: `most` bytes of it. Whether it is ours is looked at when it is
    /// loaded. Blocks on the disk.
    pub(crate) fn begins(&self, digest: &Digest, most: u64) -> io::Result<Option<Vec<u8>>> {
        let file = match File::open(self.path(digest)) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let mut begins = Vec::new();
        file.take(most).read_to_end(&mut begins)?;
        Ok(Some(begins))
    }

    /// Looks an artifact up and verifies it. Blocks on the disk.
    pub(crate) fn find(&self, digest: &Digest) -> io::Result<Found> {
        let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed();
        let opened = fs::OpenOptions::new().read(true).custom_flags(flags).open(self.path(digest));
        let refused = match opened {
            Ok(file) => match self.fault(&file, digest)? {
                None => return Ok(Found::Artifact(file)),
                Some(fault) => fault,
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Found::Nothing),
            Err(error) if error.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error()) => {
                "it is a symbolic link"
            }
            Err(error) => return Err(error),
        };
        tracing::warn!(%digest, reason = refused, "removed compiled code that is not ours; compiling anew");
        self.remove(digest)?;
        Ok(Found::Nothing)
    }

    /// Why a file is not what [`Artifacts::put`] wrote; none if it is.
    fn fault(&self, mut file: &File, digest: &Digest) -> io::Result<Option<&'static str>> {
        let meta = file.metadata()?;
        if !meta.is_file() {
            return Ok(Some("it is not a regular file"));
        }
        // Whoever else may write to it could change it after it was verified.
        if meta.uid() != geteuid().as_raw() || meta.mode() & 0o077 != 0 {
            return Ok(Some("others than its owner may read or write it"));
        }
        let Some(code_bytes) = meta.len().checked_sub(MAC_BYTES as u64) else {
            return Ok(Some("it is too short"));
        };
        let mut hasher = self.mac(digest);
        hasher.update_reader(file.take(code_bytes))?;
        let mut mac = [0; MAC_BYTES];
        file.read_exact(&mut mac)?;
        // `blake3::Hash` compares in constant time.
        let genuine = hasher.finalize() == blake3::Hash::from_bytes(mac);
        Ok((!genuine).then_some("its keyed hash does not fit"))
    }

    /// Stores an artifact under its final name, whole or not at all. Blocks on the disk.
    pub(crate) fn put(&self, digest: &Digest, code: &[u8]) -> io::Result<File> {
        let mut file = tempfile::Builder::new().prefix(NEW).tempfile_in(&self.folder)?;
        file.write_all(code)?;
        file.write_all(self.mac(digest).update(code).finalize().as_bytes())?;
        let mut file = file.persist(self.path(digest)).map_err(|error| error.error)?;
        file.rewind()?;
        Ok(file)
    }

    /// Removes an artifact if it is there.
    pub(crate) fn remove(&self, digest: &Digest) -> io::Result<()> {
        remove(&self.path(digest))
    }
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::IsADirectory => fs::remove_dir_all(path),
        other => other,
    }
}

/// The folders of all engines whose artifacts are kept.
fn engines(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut engines = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            engines.push(entry.path());
        }
    }
    Ok(engines)
}

/// Removes a component's artifacts, whichever engine they are for.
pub(crate) fn remove_everywhere(folder: &Path, digest: &Digest) -> io::Result<()> {
    let name = format!("{digest}{SUFFIX}");
    engines(folder)?.iter().try_for_each(|engine| remove(&engine.join(&name)))
}

/// The components whose artifacts, for whichever engine, are older than `age`. What a start that was killed left half
/// written goes on the way.
pub(crate) fn older_than(folder: &Path, age: Duration) -> io::Result<Vec<Digest>> {
    let mut old = Vec::new();
    for engine in engines(folder)? {
        older_in(&engine, age, &mut old)?;
    }
    old.sort_unstable();
    old.dedup();
    Ok(old)
}

fn older_in(engine: &Path, age: Duration, old: &mut Vec<Digest>) -> io::Result<()> {
    for entry in fs::read_dir(engine)? {
        let entry = entry?;
        let meta = match entry.metadata() {
            Ok(meta) => meta,
            // Removed meanwhile.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        let for_so_long = meta.modified()?.elapsed().unwrap_or_default();
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if let Some(digest) = name.strip_suffix(SUFFIX).and_then(|digest| digest.parse().ok()) {
            if for_so_long >= age {
                old.push(digest);
            }
        } else if name.starts_with(NEW) && for_so_long >= age.max(BEING_WRITTEN) {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// Notes that an engine of these fingerprints starts, and removes what engines compiled that are older than the one
/// before it. What the one before compiled stays, so that whoever goes back to it compiles nothing anew.
pub(crate) fn retire(folder: &Path, own: &[String]) -> io::Result<()> {
    let mut own: Vec<&str> = own.iter().map(String::as_str).collect();
    own.sort_unstable();
    own.dedup();
    let here = engines(folder)?;
    let here: Vec<_> = here.iter().filter_map(|path| path.file_name()?.to_str()).collect();
    let path = folder.join(STARTED);
    let told = match fs::read_to_string(&path) {
        Ok(told) => told,
        // An engine that kept no list, or nobody: what is here is of the one before.
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let before: Vec<_> = here.iter().copied().filter(|engine| !own.contains(engine)).collect();
            before.join(" ")
        }
        Err(error) => return Err(error),
    };
    let now = own.join(" ");
    let before = told.lines().rfind(|line| *line != now && !line.trim().is_empty()).unwrap_or_default();
    let known: Vec<&str> = before.split_whitespace().chain(own).collect();
    let list = format!("{before}\n{now}\n");
    // Nothing is written where nothing changed: the same engine starts on a full disk, too.
    if told != list {
        let mut file = tempfile::Builder::new().prefix(NEW).tempfile_in(folder)?;
        file.write_all(list.as_bytes())?;
        file.persist(&path).map_err(|error| error.error)?;
    }
    for engine in here.iter().filter(|engine| !known.contains(engine)) {
        fs::remove_dir_all(folder.join(engine))?;
    }
    Ok(())
}

/// Reads the key, or makes one that only this user can read.
fn node_key(path: &Path) -> io::Result<[u8; 32]> {
    let refused = |rule: &str| {
        let text = format!("{}: {rule}; remove the file to make a new one", path.display());
        io::Error::new(io::ErrorKind::InvalidData, text)
    };
    match fs::read(path) {
        // Who knows it can sign code that this node executes.
        Ok(_) if fs::metadata(path)?.mode() & 0o077 != 0 => {
            Err(refused("a node key may be readable by its owner only (mode 0600)"))
        }
        Ok(bytes) => bytes.try_into().map_err(|_| refused("a node key has 32 bytes")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let mut key = [0; 32];
            getrandom::fill(&mut key).map_err(io::Error::other)?;
            // A name of its own until it is whole: a start that was killed here leaves no short key.
            let new = path.with_extension("new");
            fs::OpenOptions::new()
                .write(true)
                .create(true)
                .truncate(true)
                .mode(0o600)
                .open(&new)
                .and_then(|mut file| file.write_all(&key).and_then(|()| file.sync_all()))?;
            fs::rename(&new, path)?;
            Ok(key)
        }
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests;
