//! The past of one database, and the way back.
//!
//! Before a log is moved into its file, the pages that it replaces are kept as they were, beside the file: what changes
//! within one second is one step. The way back is those steps, the newest first; nothing of the present is needed but the
//! file, so that what is older than the retention goes by being cut off. docs/decisions/0035-databases.md has the reasons
//! and what was measured.
//!
//! Steps are whole pages. Whatever a crash leaves half-done is done again with the same result: going back over a step that
//! was never made changes nothing.
//!
//! - [`times`]: when what is in the log was committed
//! - [`wal`]: what is in the log
//! - [`segment`]: steps as bytes
//! - [`past`]: the file that they are in
//! - [`keep`], [`back`]: from the log into that file, and the way back

pub(crate) mod back;
pub(crate) mod keep;
pub(crate) mod past;
pub(crate) mod segment;
pub(crate) mod times;
pub(crate) mod wal;

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use crate::limits::PAGE_BYTES;

/// The files of one database.
#[derive(Clone, Debug)]
pub(crate) struct Files {
    /// The database.
    pub(crate) main: PathBuf,
    /// Its log, which SQLite keeps.
    pub(crate) wal: PathBuf,
    /// When what is in the log was committed.
    pub(crate) times: PathBuf,
    /// Its past.
    pub(crate) past: PathBuf,
    /// Where it is made anew when it is restored.
    pub(crate) anew: PathBuf,
}

impl Files {
    /// Those of the database of that name in a folder.
    pub(crate) fn new(folder: &Path, name: &str) -> Files {
        let of = |suffix: &str| folder.join(format!("{name}{suffix}"));
        Files {
            main: of(".sqlite"),
            wal: of(".sqlite-wal"),
            times: of(".times"),
            past: of(".past"),
            anew: of(".anew"),
        }
    }

    /// All that there may be.
    pub(crate) fn all(&self) -> [&Path; 5] {
        [&self.wal, &self.times, &self.anew, &self.past, &self.main]
    }
}

/// A page of a database file, by its number from one. What is beyond its end is zeros.
pub(crate) fn page(file: &File, number: u32) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; PAGE_BYTES];
    let (mut read, at) = (0, place(number));
    while let Some(room) = bytes.get_mut(read..).filter(|room| !room.is_empty()) {
        match file.read_at(room, at + read as u64) {
            Ok(0) => break,
            Ok(more) => read += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(bytes)
}

/// Where a page begins.
pub(crate) fn place(number: u32) -> u64 {
    u64::from(number.saturating_sub(1)) * PAGE_BYTES as u64
}

/// How many pages a file has.
pub(crate) fn pages(file: &File) -> io::Result<u32> {
    let pages = file.metadata()?.len() / PAGE_BYTES as u64;
    Ok(u32::try_from(pages).unwrap_or(u32::MAX))
}

/// Four bytes as the number that they are in files of SQLite.
pub(crate) fn big(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

/// The same of ours.
pub(crate) fn little(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

/// Eight bytes of ours.
pub(crate) fn long(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(bytes.get(at..at + 8)?.try_into().ok()?))
}
