//! Compiled code on disk, one file for each (engine fingerprint, component digest).
//!
//! Loading a forged artifact would be running arbitrary native code. Each file therefore ends with a
//! hash keyed by a secret of this node; a file whose hash does not fit is removed and compiled anew,
//! never loaded.

use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use wasmyard_namespaces::digest::Digest;

const MAC_BYTES: usize = 32;

/// A folder of artifacts.
pub(crate) struct Artifacts {
    folder: PathBuf,
    fingerprint: String,
    key: [u8; 32],
}

/// What a look into the folder found.
pub(crate) enum Found {
    /// The artifact, verified just now.
    Artifact(PathBuf),
    /// Nothing, or something that was not ours and is gone now.
    Nothing,
}

impl Artifacts {
    /// Opens the folder and makes the node's key at the first start.
    pub(crate) fn open(folder: &Path, fingerprint: &str) -> io::Result<Self> {
        let inner = folder.join(fingerprint);
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&inner)?;
        let key = node_key(&folder.join("node.key"))?;
        remove_others(folder, fingerprint)?;
        Ok(Self { folder: inner, fingerprint: fingerprint.to_owned(), key })
    }

    fn path(&self, digest: &Digest) -> PathBuf {
        self.folder.join(format!("{digest}.cwasm"))
    }

    fn mac(&self, digest: &Digest, code: &[u8]) -> blake3::Hash {
        let mut hasher = blake3::Hasher::new_keyed(&self.key);
        hasher.update(self.fingerprint.as_bytes());
        hasher.update(digest.as_bytes());
        hasher.update(code);
        hasher.finalize()
    }

    /// Looks an artifact up and verifies it. Blocks on the disk.
    pub(crate) fn find(&self, digest: &Digest) -> io::Result<Found> {
        let path = self.path(digest);
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Found::Nothing),
            Err(error) => return Err(error),
        };
        let genuine = bytes.split_last_chunk::<MAC_BYTES>().is_some_and(|(code, mac)| {
            // `blake3::Hash` compares in constant time.
            self.mac(digest, code) == blake3::Hash::from_bytes(*mac)
        });
        if genuine {
            return Ok(Found::Artifact(path));
        }
        tracing::warn!(%digest, "removed an artifact whose keyed hash does not fit; compiling anew");
        self.remove(digest)?;
        Ok(Found::Nothing)
    }

    /// Stores an artifact under its final name, whole or not at all. Blocks on the disk.
    pub(crate) fn put(&self, digest: &Digest, code: &[u8]) -> io::Result<PathBuf> {
        let path = self.path(digest);
        let mut file = tempfile::Builder::new().prefix(".new-").tempfile_in(&self.folder)?;
        file.write_all(code)?;
        file.write_all(self.mac(digest, code).as_bytes())?;
        file.persist(&path).map_err(|error| error.error)?;
        Ok(path)
    }

    /// Removes an artifact if it is there.
    pub(crate) fn remove(&self, digest: &Digest) -> io::Result<()> {
        match fs::remove_file(self.path(digest)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}

/// Removes what another engine compiled: this one could not load it.
fn remove_others(folder: &Path, fingerprint: &str) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() && entry.file_name() != fingerprint {
            fs::remove_dir_all(entry.path())?;
        }
    }
    Ok(())
}

/// Reads the key, or makes one that only this user can read.
fn node_key(path: &Path) -> io::Result<[u8; 32]> {
    match fs::read(path) {
        Ok(bytes) => bytes.try_into().map_err(|_| {
            let text =
                format!("{}: a node key has 32 bytes; remove the file to make a new one", path.display());
            io::Error::new(io::ErrorKind::InvalidData, text)
        }),
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
mod tests {
    use super::*;

    fn found(artifacts: &Artifacts, digest: &Digest) -> Option<Vec<u8>> {
        match artifacts.find(digest).unwrap() {
            Found::Artifact(path) => Some(fs::read(path).unwrap()),
            Found::Nothing => None,
        }
    }

    #[test]
    fn an_artifact_is_found_again_with_the_same_key() {
        let folder = tempfile::tempdir().unwrap();
        let digest = Digest::of(b"component");
        Artifacts::open(folder.path(), "f1").unwrap().put(&digest, b"code").unwrap();
        let again = Artifacts::open(folder.path(), "f1").unwrap();
        assert_eq!(&found(&again, &digest).unwrap()[..4], b"code");
    }

    #[test]
    fn a_flipped_bit_a_foreign_key_and_another_digest_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let artifacts = Artifacts::open(folder.path(), "f1").unwrap();
        let (one, two) = (Digest::of(b"one"), Digest::of(b"two"));

        let path = artifacts.put(&one, b"code").unwrap();
        let mut bytes = fs::read(&path).unwrap();
        bytes[0] ^= 1;
        fs::write(&path, bytes).unwrap();
        assert!(found(&artifacts, &one).is_none());
        assert!(!path.exists(), "it is not left to be tried again");

        let path = artifacts.put(&one, b"code").unwrap();
        fs::copy(&path, artifacts.path(&two)).unwrap();
        assert!(found(&artifacts, &two).is_none(), "code of one component under the name of another");
        assert!(found(&artifacts, &one).is_some());

        fs::remove_file(folder.path().join("node.key")).unwrap();
        let stranger = Artifacts::open(folder.path(), "f1").unwrap();
        assert!(found(&stranger, &one).is_none());
    }

    #[test]
    fn what_another_engine_compiled_is_removed_at_start() {
        let folder = tempfile::tempdir().unwrap();
        let digest = Digest::of(b"component");
        let old = Artifacts::open(folder.path(), "f1").unwrap().put(&digest, b"code").unwrap();
        let now = Artifacts::open(folder.path(), "f2").unwrap();
        assert!(found(&now, &digest).is_none());
        assert!(!old.exists());
    }

    #[test]
    fn a_file_shorter_than_a_hash_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let artifacts = Artifacts::open(folder.path(), "f1").unwrap();
        let digest = Digest::of(b"x");
        fs::write(artifacts.path(&digest), b"short").unwrap();
        assert!(found(&artifacts, &digest).is_none());
    }
}
