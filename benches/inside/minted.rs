//! Thousands of scripts without hours of compiling: the compiled code of one, under the names of many. Each is
//! a file of its own with a hash of its own, as the platform would have made it, so that nothing is shared
//! but what the code says.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use wasmyard_namespaces::Digest;
use wasmyard_runtime::EngineConfig;

use crate::fixture::{Error, artifacts, guest, module, runtime};

const MAC_BYTES: usize = 32;

/// A folder of artifacts, and the digests that they are found by.
pub(crate) struct Minted {
    pub(crate) folder: PathBuf,
    pub(crate) digests: Vec<Digest>,
    inner: PathBuf,
    /// Bytes of one artifact.
    pub(crate) size: u64,
}

/// Makes what is not there from an earlier run.
pub(crate) fn minted(count: usize) -> Result<Minted, Error> {
    let folder = artifacts("minted")?;
    let tokio = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let compiled = runtime(&folder, EngineConfig::default(), 1 << 30)?;
    tokio.block_on(module(&compiled, "hello"))?;
    drop(compiled);
    let hello = Digest::of(&guest("hello")?);
    let inner = folder_of(&folder, &hello)?;
    let fingerprint = inner.file_name().ok_or("a folder without a name")?.to_string_lossy().into_owned();
    let key: [u8; 32] =
        fs::read(folder.join("node.key"))?.try_into().map_err(|_| "the node key has another length")?;
    let original = fs::read(path(&inner, &hello))?;
    let code = original.split_last_chunk::<MAC_BYTES>().map(|(code, _)| code).ok_or("an empty artifact")?;
    let digests: Vec<Digest> =
        (0..count).map(|number| Digest::of(format!("minted {number}").as_bytes())).collect();
    for digest in &digests {
        let path = path(&inner, digest);
        if fs::metadata(&path).is_ok_and(|file| file.len() == original.len() as u64) {
            continue;
        }
        let mut hasher = blake3::Hasher::new_keyed(&key);
        hasher.update(fingerprint.as_bytes()).update(digest.as_bytes()).update(code);
        // Only what nobody else may touch is taken.
        let mut file =
            fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&path)?;
        file.write_all(code)?;
        file.write_all(hasher.finalize().as_bytes())?;
    }
    // Only what is on the disk can be dropped from memory and read again.
    rustix::fs::sync();
    Ok(Minted { folder, digests, inner, size: original.len() as u64 })
}

impl Minted {
    /// Sees to it that the next read of an artifact comes from memory.
    pub(crate) fn warm(&self, digest: &Digest) -> Result<(), Error> {
        fs::read(path(&self.inner, digest))?;
        Ok(())
    }

    /// Sees to it that the next read of an artifact comes from the disk.
    pub(crate) fn chill(&self, digest: &Digest) -> Result<(), Error> {
        let file = fs::File::open(path(&self.inner, digest))?;
        rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed)?;
        Ok(())
    }
}

fn path(inner: &Path, digest: &Digest) -> PathBuf {
    inner.join(format!("{digest}.cwasm"))
}

/// The engine's folder, of which there may be others': the one that holds the script.
fn folder_of(folder: &Path, digest: &Digest) -> Result<PathBuf, Error> {
    for entry in fs::read_dir(folder)? {
        let inner = entry?.path();
        if path(&inner, digest).is_file() {
            return Ok(inner);
        }
    }
    Err("the runtime kept no artifact".into())
}
