//! Room that is kept back for changes which make room.
//!
//! Owns the file `reserve`: nothing but bytes on the disk. When the disk is full, they are given up, so that scripts can
//! be deleted and a server that was killed can start; when there is room again, they are taken again.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use wasmyard_sqlite::try_folder;

/// How much. A deletion needs some ten pages of the database's log, whose room is used again; this is for hundreds.
const BYTES: u64 = 2 << 20;
/// The least that is of use.
const PIECE: usize = 64 * 1_024;

/// The file, which may be empty.
#[derive(Debug)]
pub(super) struct Reserve {
    path: PathBuf,
    held: u64,
}

impl Reserve {
    /// Takes what there is already; takes nothing more.
    pub(super) fn open(directory: &Path) -> Reserve {
        let path = directory.join("reserve");
        let held = std::fs::metadata(&path).map_or(0, |found| found.len());
        Reserve { path, held }
    }

    /// Takes the room. Says whether all of it is there.
    pub(super) fn fill(&mut self) -> bool {
        if self.held >= BYTES {
            return true;
        }
        match self.write() {
            Ok(()) => self.held = BYTES,
            // A part of it is of use, too.
            Err(_) => self.held = std::fs::metadata(&self.path).map_or(0, |found| found.len()),
        }
        self.held >= BYTES
    }

    /// Takes the room, and looks whether there is more than that. Where there is not, a change could only fail.
    pub(super) fn has_room(&mut self) -> bool {
        let folder = self.path.parent().unwrap_or(&self.path).to_owned();
        self.fill() && try_folder(&folder).is_ok()
    }

    /// Written, not only promised: a hole in a file holds no room.
    fn write(&self) -> io::Result<()> {
        use std::io::{Seek as _, Write as _};
        let mut options = OpenOptions::new();
        options.create(true).truncate(false).write(true);
        #[cfg(unix)]
        {
            use std::os::unix::fs::OpenOptionsExt as _;
            options.mode(0o600);
        }
        let mut file = options.open(&self.path)?;
        file.seek(io::SeekFrom::Start(self.held))?;
        let piece = vec![0x57; PIECE];
        let mut left = usize::try_from(BYTES.saturating_sub(self.held)).unwrap_or_default();
        while left > 0 {
            let part = piece.get(..left.min(PIECE)).unwrap_or_default();
            file.write_all(part)?;
            left = left.saturating_sub(part.len());
        }
        file.sync_data()
    }

    /// Gives up half of what is held, so that what uses it up in no time leaves some. False when there is nothing.
    pub(super) fn give(&mut self) -> bool {
        let left = if self.held > 4 * PIECE as u64 { self.held / 2 } else { 0 };
        if self.held == 0 {
            return false;
        }
        let shortened = File::options().write(true).open(&self.path).and_then(|file| file.set_len(left));
        match shortened {
            Ok(()) => {
                tracing::warn!(
                    given = self.held - left,
                    left,
                    "the disk is full: gave up room that was kept back for this"
                );
                self.held = left;
                true
            }
            Err(error) => {
                tracing::error!(%error, "room that was kept back could not be given up");
                false
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_given_in_halves_and_taken_again() {
        let folder = tempfile::tempdir().unwrap();
        let mut reserve = Reserve::open(folder.path());
        assert!(reserve.fill() && reserve.has_room());
        let len = || std::fs::metadata(folder.path().join("reserve")).unwrap().len();
        assert_eq!(len(), BYTES);
        let mut gifts = 0;
        while reserve.give() {
            gifts += 1;
        }
        assert!(gifts > 2 && len() == 0, "{gifts}");
        let mut again = Reserve::open(folder.path());
        assert!(again.fill());
        assert_eq!(len(), BYTES);
    }
}
