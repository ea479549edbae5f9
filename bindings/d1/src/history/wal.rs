//! What is in a log of SQLite: which pages, and where transactions end. Reads, and never writes.
//!
//! The form is that of SQLite's file format. Only what SQLite itself would take is taken: frames of the log's own salts,
//! whose checksums follow from those before, up to the last one that ends a transaction.

use std::fs::File;
use std::io::{self, BufReader};
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use super::big;
use crate::limits::PAGE_BYTES;

const HEADING: usize = 32;
const FRAME_HEADING: usize = 24;
const FRAME: usize = FRAME_HEADING + PAGE_BYTES;

/// A log.
#[derive(Debug)]
pub(crate) struct Wal {
    file: File,
    /// Tells the log from what was in its file before.
    pub(crate) salt: u64,
    pub(crate) frames: Vec<Frame>,
}

/// A page in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    /// The page.
    pub(crate) page: u32,
    /// How many pages the database has after the transaction that ends here; zero where none does.
    pub(crate) pages: u32,
}

impl Wal {
    /// Reads a log. None: there is nothing in it.
    pub(crate) fn read(path: &Path) -> io::Result<Option<Wal>> {
        let file = match File::open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            opened => opened?,
        };
        let mut reader = BufReader::with_capacity(256 << 10, file.try_clone()?);
        let mut heading = [0; HEADING];
        if !whole(&mut reader, &mut heading)? {
            return Ok(None);
        }
        let word = |at| big(&heading, at).unwrap_or_default();
        let magic = word(0);
        if magic & !1 != 0x377f_0682 || word(8) as usize != PAGE_BYTES {
            return Ok(None);
        }
        let mut sums = Sums { big: magic & 1 == 1, sums: (0, 0) };
        sums.add(heading.get(..24).unwrap_or_default());
        if sums.sums != (word(24), word(28)) {
            return Ok(None);
        }
        let salt = (word(16), word(20));
        let frames = frames(&mut reader, sums, salt)?;
        if frames.is_empty() {
            return Ok(None);
        }
        Ok(Some(Wal { file, salt: u64::from(salt.0) << 32 | u64::from(salt.1), frames }))
    }

    /// The page in a frame.
    pub(crate) fn page(&self, frame: usize) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; PAGE_BYTES];
        let at = HEADING + frame * FRAME + FRAME_HEADING;
        self.file.read_exact_at(&mut bytes, at as u64)?;
        Ok(bytes)
    }
}

/// Frames up to the end of the last transaction.
fn frames(reader: &mut impl io::Read, mut sums: Sums, salt: (u32, u32)) -> io::Result<Vec<Frame>> {
    let (mut found, mut ended) = (Vec::new(), 0);
    let mut bytes = vec![0; FRAME];
    while whole(reader, &mut bytes)? {
        let word = |at| big(&bytes, at).unwrap_or_default();
        if (word(8), word(12)) != salt || word(0) == 0 {
            break;
        }
        sums.add(bytes.get(..8).unwrap_or_default());
        sums.add(bytes.get(FRAME_HEADING..).unwrap_or_default());
        if sums.sums != (word(16), word(20)) {
            break;
        }
        let frame = Frame { page: word(0), pages: word(4) };
        found.push(frame);
        if frame.pages > 0 {
            ended = found.len();
        }
    }
    found.truncate(ended);
    Ok(found)
}

/// Fills a buffer; false where there is not enough.
fn whole(reader: &mut impl io::Read, buffer: &mut [u8]) -> io::Result<bool> {
    match reader.read_exact(buffer) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        read => read.map(|()| true),
    }
}

/// The checksums of a log: Fibonacci weights over pairs of words.
struct Sums {
    big: bool,
    sums: (u32, u32),
}

impl Sums {
    fn add(&mut self, bytes: &[u8]) {
        let word =
            |bytes: [u8; 4]| if self.big { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) };
        let (mut one, mut two) = self.sums;
        for pair in bytes.as_chunks::<8>().0 {
            let [a, b, c, d, e, f, g, h] = *pair;
            one = one.wrapping_add(word([a, b, c, d])).wrapping_add(two);
            two = two.wrapping_add(word([e, f, g, h])).wrapping_add(one);
        }
        self.sums = (one, two);
    }
}
