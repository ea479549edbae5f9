//! The file of a database's past: segments one after another, the newest at the end, the oldest cut off.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use super::long;
use wasmyard_sqlite::sync_folder;

use super::segment::{self, Before, HEADING, Heading, TRAILER};

const MAGIC: &[u8; 8] = b"WYPAST01";
/// The magic, and the moment from which on there is a way back.
const START: u64 = 16;

/// The past of one database.
#[derive(Debug)]
pub(crate) struct Past {
    path: PathBuf,
    file: File,
    len: u64,
    /// The oldest moment that can be gone back to.
    pub(crate) floor: u64,
}

/// Where a segment is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Placed {
    at: u64,
    pub(crate) heading: Heading,
}

impl Past {
    /// Opens a past, or begins one at `now`. What was not written to its end is cut off: nothing relies on it.
    pub(crate) fn open(path: &Path, now: u64) -> io::Result<Past> {
        let file = options().open(path)?;
        let mut past = Past { path: path.to_owned(), file, len: 0, floor: now };
        let mut start = [0; START as usize];
        let is_one = match past.file.read_exact_at(&mut start, 0) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => false,
            read => read.map(|()| start.starts_with(MAGIC))?,
        };
        past.len = past.file.metadata()?.len();
        if is_one {
            past.floor = long(&start, 8).unwrap_or(now);
            if past.len > START && past.tail()?.is_none() {
                past.mend()?;
            }
        } else {
            if past.len >= START {
                tracing::error!(path = %path.display(), "the past of a database is damaged; it begins anew");
            }
            past.file.set_len(0)?;
            past.file.write_all_at(&started(now), 0)?;
            past.len = START;
        }
        Ok(past)
    }

    /// Bytes of it.
    pub(crate) fn len(&self) -> u64 {
        self.len
    }

    /// The newest segment; none where there is none, or where the file ends within one.
    pub(crate) fn tail(&self) -> io::Result<Option<Placed>> {
        let Some(at) = self.len.checked_sub(TRAILER as u64).filter(|at| *at >= START) else {
            return Ok(None);
        };
        let mut bytes = [0; TRAILER];
        self.file.read_exact_at(&mut bytes, at)?;
        let Some((_, len)) = segment::trailer(&bytes) else { return Ok(None) };
        let Some(at) = self.len.checked_sub(u64::from(len)).filter(|at| *at >= START) else {
            return Ok(None);
        };
        let placed = self.at(at)?;
        Ok(placed.filter(|placed| placed.heading.len() == u64::from(len)))
    }

    /// All segments, the oldest first.
    pub(crate) fn all(&self) -> io::Result<Vec<Placed>> {
        let (mut found, mut at) = (Vec::new(), START);
        while let Some(placed) = self.at(at)? {
            at += placed.heading.len();
            if at > self.len {
                break;
            }
            found.push(placed);
        }
        Ok(found)
    }

    /// The steps of a segment.
    pub(crate) fn steps(&self, placed: Placed) -> io::Result<Vec<Before>> {
        let mut packed = vec![0; (placed.heading.len() as usize).saturating_sub(HEADING + TRAILER)];
        self.file.read_exact_at(&mut packed, placed.at + HEADING as u64)?;
        placed.heading.unpack(&packed).ok_or_else(|| {
            let text = format!("{} is damaged at byte {}", self.path.display(), placed.at);
            io::Error::new(io::ErrorKind::InvalidData, text)
        })
    }

    /// Adds a segment. It is on the disk after [`Past::sync`].
    pub(crate) fn add(&mut self, segment: &[u8]) -> io::Result<()> {
        self.file.write_all_at(segment, self.len)?;
        self.len += segment.len() as u64;
        Ok(())
    }

    pub(crate) fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    /// Cuts off what was over before `oldest`, and the oldest of what is more than `most` bytes, once that is worth copying
    /// the rest.
    pub(crate) fn forget(&mut self, oldest: u64, most: u64) -> io::Result<()> {
        if self.len <= most && self.at(START)?.is_none_or(|first| first.heading.last >= oldest) {
            return Ok(());
        }
        let all = self.all()?;
        let goes = |placed: &&Placed| placed.heading.last < oldest || self.len - placed.at > most;
        let Some(last) = all.iter().take_while(goes).last().copied() else { return Ok(()) };
        let from = last.at + last.heading.len();
        // Each byte is copied no more than once for each that goes, unless there are too many.
        if self.len - from > from && self.len <= most {
            return Ok(());
        }
        let anew = self.path.with_extension("past-anew");
        let mut file = options().truncate(true).open(&anew)?;
        file.write_all(&started(last.heading.last))?;
        let mut rest = &self.file;
        io::Seek::seek(&mut rest, io::SeekFrom::Start(from))?;
        io::copy(&mut io::Read::take(rest, self.len - from), &mut file)?;
        file.sync_data()?;
        std::fs::rename(&anew, &self.path)?;
        // What is added from here on is in the new file: the old one must not come back.
        self.path.parent().map_or(Ok(()), sync_folder)?;
        (self.len, self.floor) = (START + self.len - from, last.heading.last);
        self.file = file;
        Ok(())
    }

    fn at(&self, at: u64) -> io::Result<Option<Placed>> {
        let mut bytes = [0; HEADING];
        match self.file.read_exact_at(&mut bytes, at) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
            read => read.map(|()| Heading::read(&bytes).map(|heading| Placed { at, heading })),
        }
    }

    /// Cuts off what a crash left at the end.
    fn mend(&mut self) -> io::Result<()> {
        let end = self.all()?.last().map_or(START, |last| last.at + last.heading.len());
        tracing::info!(path = %self.path.display(), bytes = self.len - end, "the end of a past was not written whole, and is cut off");
        self.file.set_len(end)?;
        self.len = end;
        Ok(())
    }
}

fn started(floor: u64) -> Vec<u8> {
    let mut bytes = MAGIC.to_vec();
    bytes.extend(floor.to_le_bytes());
    bytes
}

fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false).mode(0o600);
    options
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::segment::Filling;
    use crate::limits::PAGE_BYTES;

    fn segment(moment: u64) -> Vec<u8> {
        let mut filling = Filling::default();
        filling.begin(moment, moment, 1);
        // Pages that do not pack.
        let page: Vec<u8> =
            blake3::Hasher::new().update(&moment.to_le_bytes()).finalize_xof().by_ref().take(PAGE_BYTES);
        filling.add(1, &page);
        filling.finish(1, 2).unwrap()
    }

    trait Take {
        fn by_ref(&mut self) -> &mut Self;
        fn take(&mut self, bytes: usize) -> Vec<u8>;
    }

    impl Take for blake3::OutputReader {
        fn by_ref(&mut self) -> &mut Self {
            self
        }

        fn take(&mut self, bytes: usize) -> Vec<u8> {
            let mut taken = vec![0; bytes];
            self.fill(&mut taken);
            taken
        }
    }

    #[test]
    fn what_a_crash_left_at_the_end_is_cut_off() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("past");
        let mut past = Past::open(&path, 5).unwrap();
        for moment in [10, 20, 30] {
            past.add(&segment(moment)).unwrap();
        }
        let whole = past.len();
        drop(past);
        let file = OpenOptions::new().write(true).open(&path).unwrap();
        file.set_len(whole - 3).unwrap();
        let past = Past::open(&path, 99).unwrap();
        let moments: Vec<u64> = past.all().unwrap().iter().map(|placed| placed.heading.last).collect();
        assert_eq!(moments, [10, 20]);
        assert_eq!((past.tail().unwrap().unwrap().heading.last, past.floor), (20, 5));
    }

    #[test]
    fn the_oldest_goes_by_age_and_by_bytes() {
        let folder = tempfile::tempdir().unwrap();
        let mut past = Past::open(&folder.path().join("past"), 5).unwrap();
        for moment in 1..=10 {
            past.add(&segment(moment * 10)).unwrap();
        }
        let one = segment(10).len() as u64;
        past.forget(30, u64::MAX).unwrap();
        assert_eq!((past.all().unwrap().len(), past.floor), (10, 5), "too little to be worth it");
        past.forget(70, u64::MAX).unwrap();
        assert_eq!((past.all().unwrap().len(), past.floor), (4, 60));
        past.forget(0, 3 * one).unwrap();
        assert_eq!((past.all().unwrap().len(), past.floor), (3, 70));
        past.add(&segment(110)).unwrap();
        assert_eq!(past.tail().unwrap().unwrap().heading.last, 110);
        assert_eq!(past.steps(past.all().unwrap()[0]).unwrap()[0].first, 80);
    }
}
