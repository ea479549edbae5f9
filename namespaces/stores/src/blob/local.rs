//! The folder of blobs on a local disk.
//!
//! Owns its shards and the removal of half-written files. Never touches a file that could be a blob.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io;
use std::path::Path;

use wasmyard_model::digest::Digest;
use wasmyard_sqlite::sync_folder;

/// Makes the folder with all 256 shards, and removes what a crash left half-written.
///
/// The shards are all made, and made durable, before the first put: a put then never has to make the folder
/// of its shard durable, nor rely on another put that is doing so at the same moment.
pub(super) fn prepare(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    for shard in 0..=u8::MAX {
        let shard = folder.join(format!("{shard:02x}"));
        match fs::create_dir(&shard) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => remove_half_written(&shard)?,
            Err(error) => return Err(error),
        }
    }
    sync_folder(folder)?;
    folder.parent().filter(|parent| !parent.as_os_str().is_empty()).map_or(Ok(()), sync_folder)
}

/// Whether there is a blob.
pub(super) fn has_any(folder: &Path) -> io::Result<bool> {
    for shard in 0..=u8::MAX {
        let files = match fs::read_dir(folder.join(format!("{shard:02x}"))) {
            Ok(files) => files,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        for file in files {
            if is_blob_name(&file?.file_name()) {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

fn remove_half_written(shard: &Path) -> io::Result<()> {
    for file in fs::read_dir(shard)? {
        let file = file?;
        if !is_blob_name(&file.file_name()) && file.file_type()?.is_file() {
            tracing::info!(file = %file.path().display(), "removing a half-written blob");
            fs::remove_file(file.path())?;
        }
    }
    Ok(())
}

/// A blob is named by the 62 hex digits after its shard's two; a staged file has a suffix after them.
fn is_blob_name(name: &OsStr) -> bool {
    let bytes = name.as_encoded_bytes();
    bytes.len() == 62 && bytes.iter().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

/// Opens a blob for reading. It is complete: it got its name after its content was on the disk.
pub(super) fn open(path: &Path) -> io::Result<(File, u64)> {
    let file = File::open(path)?;
    let len = file.metadata()?.len();
    Ok((file, len))
}

/// Whether a file is what was put. Reads by position, so that the file may be read by others meanwhile. A file
/// that cannot be read is for whoever reads it next to tell.
pub fn is_content(file: &File, len: u64, digest: &Digest) -> bool {
    use std::os::unix::fs::FileExt as _;

    use sha2::Digest as _;
    let mut hasher = sha2::Sha256::new();
    let mut piece = vec![0; 256 * 1_024];
    let mut at = 0;
    while at < len {
        match file.read_at(&mut piece, at) {
            Ok(0) => return false,
            Ok(read) => {
                hasher.update(piece.get(..read).unwrap_or_default());
                at = at.saturating_add(read as u64);
            }
            Err(error) => {
                tracing::warn!(%error, "the content of an asset could not be checked");
                return true;
            }
        }
    }
    Digest::from_bytes(hasher.finalize().into()) == *digest
}
