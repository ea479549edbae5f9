//! The lock on a data directory.
//!
//! Owns the rule that one process at a time has the directory. The operating system lets go of the lock
//! when the process ends, however it ends. Never removes the lock's file: that would be a race.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::path::Path;

use crate::store::StoreError;

/// Held for as long as the directory is ours.
#[derive(Debug)]
pub(super) struct DirectoryLock {
    _file: File,
}

impl DirectoryLock {
    /// Makes the directory if need be, and takes its lock without waiting.
    pub(super) fn acquire(directory: &Path) -> Result<DirectoryLock, StoreError> {
        let mut builder = DirBuilder::new();
        builder.recursive(true);
        private_directory(&mut builder);
        builder.create(directory).map_err(|source| StoreError::engine("make the data directory", source))?;
        let mut options = OpenOptions::new();
        options.create(true).truncate(false).write(true);
        let file = options
            .open(directory.join("wasmyard.lock"))
            .map_err(|source| StoreError::engine("open the lock of the data directory", source))?;
        match file.try_lock() {
            Ok(()) => Ok(DirectoryLock { _file: file }),
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
