//! The lock on a data directory.
//!
//! Owns the rule that one process at a time has the directory. It is the directory itself that is locked: a file in
//! it could be removed, and a second process would lock a new one. The operating system lets go of the lock when the
//! process ends, however it ends.

use std::fs::{DirBuilder, File, TryLockError};
use std::path::Path;

use crate::StoreError;

/// Held for as long as the directory is ours.
#[derive(Debug)]
pub(super) struct DirectoryLock {
    _directory: File,
}

impl DirectoryLock {
    /// Makes the directory if need be, and takes its lock without waiting.
    pub(super) fn acquire(directory: &Path) -> Result<DirectoryLock, StoreError> {
        let mut builder = DirBuilder::new();
        builder.recursive(true);
        private_directory(&mut builder);
        builder.create(directory).map_err(|source| StoreError::engine("make the data directory", source))?;
        let opened =
            File::open(directory).map_err(|source| StoreError::engine("open the data directory", source))?;
        match opened.try_lock() {
            Ok(()) => Ok(DirectoryLock { _directory: opened }),
            Err(TryLockError::WouldBlock) => {
                Err(StoreError::Locked { path: directory.display().to_string() })
            }
            Err(TryLockError::Error(source)) => Err(StoreError::engine("lock the data directory", source)),
        }
    }
}

/// Secrets are in there: for its owner only.
#[cfg(unix)]
fn private_directory(builder: &mut DirBuilder) {
    use std::os::unix::fs::DirBuilderExt as _;
    builder.mode(0o700);
}

#[cfg(not(unix))]
fn private_directory(_: &mut DirBuilder) {}
