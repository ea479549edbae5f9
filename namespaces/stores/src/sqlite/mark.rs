//! The mark: the last revision, recorded a second time beside the database.
//!
//! Owns the file `revision`. The database's log ends where its first damaged page is, and nothing in it says what came
//! after; the mark does. It is written after each commit and not synced: it may be older than the database after a
//! loss of power, and never newer, because a commit is on the disk before. So a database that ends before its mark
//! has lost what was acknowledged. Never says what was lost.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use crate::Revision;
use wasmyard_model::digest::Digest;

/// The name of the file.
pub(super) const NAME: &str = "revision";

/// Each record has a place of its own, taken in turns: one that was torn leaves the one before.
const SLOT: u64 = 128;
const SLOTS: u64 = 2;

/// The file, open for the next record.
#[derive(Debug)]
pub(super) struct Mark {
    file: File,
    store: String,
    next: u64,
}

/// What a file says.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Marked {
    /// Which store it belongs to.
    pub(super) store: String,
    /// The last revision that was acknowledged, or one before it.
    pub(super) revision: Revision,
}

pub(super) fn path(directory: &Path) -> PathBuf {
    directory.join(NAME)
}

/// Reads the mark; none when there is no file, or nothing in it can be read.
pub(super) fn read(path: &Path) -> io::Result<Option<Marked>> {
    let mut text = Vec::new();
    match File::open(path) {
        Ok(file) => file.take(SLOT * SLOTS).read_to_end(&mut text)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    Ok(text
        .chunks(usize::try_from(SLOT).unwrap_or(usize::MAX))
        .filter_map(|slot| parse(std::str::from_utf8(slot).ok()?))
        .max_by_key(|marked| marked.revision))
}

fn parse(slot: &str) -> Option<Marked> {
    let mut words = slot.split_whitespace();
    let (store, revision, sum) = (words.next()?, words.next()?.parse().ok()?, words.next()?);
    let marked = Marked { store: store.to_owned(), revision };
    (sum == checksum(&marked.store, revision)).then_some(marked)
}

fn checksum(store: &str, revision: Revision) -> String {
    let sum = Digest::of(format!("{store} {revision}").as_bytes()).to_string();
    sum.get(..16).unwrap_or_default().to_owned()
}

impl Mark {
    /// Opens the file for a store, makes it if need be, and records a revision, durably.
    pub(super) fn open(path: &Path, store: &str, revision: Revision) -> io::Result<Mark> {
        let mut options = OpenOptions::new();
        options.create(true).truncate(false).write(true);
        #[cfg(unix)]
        {
            use std::os::unix::fs::OpenOptionsExt as _;
            options.mode(0o600);
        }
        let mut mark = Mark { file: options.open(path)?, store: store.to_owned(), next: 0 };
        // Both places: what another store left there must not count.
        for _ in 0..SLOTS {
            mark.record(revision)?;
        }
        mark.file.sync_all()?;
        Ok(mark)
    }

    /// Records a revision.
    pub(super) fn record(&mut self, revision: Revision) -> io::Result<()> {
        let sum = checksum(&self.store, revision);
        let line = format!("{} {revision} {sum}", self.store);
        let width = usize::try_from(SLOT).unwrap_or_default().saturating_sub(1);
        write_at(&self.file, format!("{line:<width$}\n").as_bytes(), self.next * SLOT)?;
        self.next = (self.next + 1) % SLOTS;
        Ok(())
    }

    pub(super) fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }
}

#[cfg(unix)]
fn write_at(file: &File, bytes: &[u8], at: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::write_all_at(file, bytes, at)
}

#[cfg(not(unix))]
fn write_at(mut file: &File, bytes: &[u8], at: u64) -> io::Result<()> {
    use std::io::{Seek as _, Write as _};
    file.seek(io::SeekFrom::Start(at))?;
    file.write_all(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_record_that_is_whole_counts() {
        let folder = tempfile::tempdir().unwrap();
        let path = path(folder.path());
        assert_eq!(read(&path).unwrap(), None);
        let mut mark = Mark::open(&path, "store", 7).unwrap();
        let marked = |revision| Some(Marked { store: "store".to_owned(), revision });
        assert_eq!(read(&path).unwrap(), marked(7));
        for revision in 8..20 {
            mark.record(revision).unwrap();
            assert_eq!(read(&path).unwrap(), marked(revision));
        }
        // One that was torn, whichever it is, leaves the one before.
        let whole = std::fs::read(&path).unwrap();
        for at in [6, 134] {
            let mut torn = whole.clone();
            torn[at] ^= 1;
            std::fs::write(&path, &torn).unwrap();
            let revision = read(&path).unwrap().unwrap().revision;
            assert!(revision == 18 || revision == 19, "{revision}");
        }
        std::fs::write(&path, b"nonsense").unwrap();
        assert_eq!(read(&path).unwrap(), None);
        assert_eq!(whole.len() as u64, SLOT * SLOTS);
    }
}
