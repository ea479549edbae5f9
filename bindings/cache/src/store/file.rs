//! An entry as a file: pieces of the body, each with its checksum, then what is known of it, then where that is.
//!
//! The name, the head and every piece are bound to one another by a number of the entry's own, which goes into each checksum, so
//! that neither a file that is cut off nor one in which blocks of another one turn up after a crash is taken for a whole one.
//! Nothing is made durable: what a crash of the machine takes is a miss. Everything here blocks.

use std::fs::File;
use std::io::{self, Write as _};
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::Path;

use bytes::Bytes;

/// The bytes of a body that have one checksum.
pub(crate) const PIECE: usize = 64 << 10;
const SUM: usize = 16;
const FOOTER: usize = 8 + 16 + 8 + 4 + 4 + SUM;
const MAGIC: &[u8; 8] = b"wycache1";

/// Distinguishes one entry from all others.
pub(crate) type Stamp = [u8; 16];

fn sum(stamp: &Stamp, place: u64, bytes: &[u8]) -> [u8; SUM] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(stamp).update(&place.to_le_bytes()).update(bytes);
    let mut sum = [0; SUM];
    hasher.finalize_xof().fill(&mut sum);
    sum
}

/// The place of the head in checksums, which no piece has.
const HEAD: u64 = u64::MAX;

/// A file that is being written.
#[derive(Debug)]
pub(crate) struct Draft {
    file: File,
    stamp: Stamp,
    /// What has not made a piece yet.
    rest: Vec<u8>,
    length: u64,
}

impl Draft {
    pub(crate) fn create(path: &Path, stamp: Stamp) -> io::Result<Draft> {
        let file = File::options().write(true).create_new(true).mode(0o600).open(path)?;
        Ok(Draft { file, stamp, rest: Vec::new(), length: 0 })
    }

    pub(crate) fn write(&mut self, pieces: &[Bytes]) -> io::Result<()> {
        let mut out = Vec::new();
        for bytes in pieces {
            let mut bytes = &bytes[..];
            self.length += bytes.len() as u64;
            while !bytes.is_empty() {
                let (now, later) = bytes.split_at(bytes.len().min(PIECE - self.rest.len()));
                self.rest.extend_from_slice(now);
                bytes = later;
                if self.rest.len() == PIECE {
                    self.piece(&mut out, self.length - later.len() as u64);
                }
            }
        }
        self.file.write_all(&out)
    }

    /// Ends a piece, behind which the body has so many bytes.
    fn piece(&mut self, out: &mut Vec<u8>, behind: u64) {
        let place = behind.div_ceil(PIECE as u64).saturating_sub(1);
        out.extend_from_slice(&self.rest);
        out.extend_from_slice(&sum(&self.stamp, place, &self.rest));
        self.rest.clear();
    }

    /// Ends the file.
    pub(crate) fn finish(mut self, key: &[u8], meta: &[u8]) -> io::Result<()> {
        let mut out = Vec::with_capacity(self.rest.len() + key.len() + meta.len() + FOOTER + SUM);
        if !self.rest.is_empty() {
            self.piece(&mut out, self.length);
        }
        out.extend_from_slice(key);
        out.extend_from_slice(meta);
        let too_long = |_| io::Error::from(io::ErrorKind::InvalidInput);
        let mut bound = self.length.to_le_bytes().to_vec();
        bound.extend_from_slice(&u32::try_from(key.len()).map_err(too_long)?.to_le_bytes());
        bound.extend_from_slice(&u32::try_from(meta.len()).map_err(too_long)?.to_le_bytes());
        let sum = sum(&self.stamp, HEAD, &[&bound[..], key, meta].concat());
        out.extend_from_slice(MAGIC);
        out.extend_from_slice(&self.stamp);
        out.extend_from_slice(&bound);
        out.extend_from_slice(&sum);
        self.file.write_all(&out)
    }
}

/// How large a file becomes.
pub(crate) fn file_bytes(body: u64, key: usize, meta: usize) -> u64 {
    body + body.div_ceil(PIECE as u64) * SUM as u64 + (key + meta + FOOTER) as u64
}

/// A whole file that is read.
#[derive(Debug)]
pub(crate) struct Entry {
    file: File,
    pub(crate) stamp: Stamp,
    pub(crate) key: Bytes,
    pub(crate) meta: Bytes,
    /// Bytes of the body.
    pub(crate) length: u64,
}

/// What is not what was written.
fn damaged(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

impl Entry {
    /// Opens a file, and judges all of it but its body. `most` bounds what is taken of key and head.
    pub(crate) fn open(path: &Path, most: usize) -> io::Result<Entry> {
        let file = File::open(path)?;
        let size = file.metadata()?.len();
        let at = size.checked_sub(FOOTER as u64).ok_or_else(|| damaged("it is cut off"))?;
        let mut footer = [0; FOOTER];
        file.read_exact_at(&mut footer, at)?;
        let mut rest = &footer[..];
        if take::<8>(&mut rest)? != *MAGIC {
            return Err(damaged("it has no end"));
        }
        let stamp: Stamp = take(&mut rest)?;
        let bound = rest.get(..16).unwrap_or_default();
        let length = u64::from_le_bytes(take(&mut rest)?);
        let key = u32::from_le_bytes(take(&mut rest)?) as usize;
        let meta = u32::from_le_bytes(take(&mut rest)?) as usize;
        if key.saturating_add(meta) > most || length > size || file_bytes(length, key, meta) != size {
            return Err(damaged("its parts do not fit its size"));
        }
        let mut head = vec![0; key + meta];
        file.read_exact_at(&mut head, at - (key + meta) as u64)?;
        if sum(&stamp, HEAD, &[bound, &head].concat()) != take::<SUM>(&mut rest)? {
            return Err(damaged("its head has another checksum"));
        }
        let head = Bytes::from(head);
        let (key, meta) = (head.slice(..key), head.slice(key..));
        Ok(Entry { file, stamp, key, meta, length })
    }

    /// The piece of the body that has this byte, and where in the body it begins.
    pub(crate) fn piece(&self, byte: u64) -> io::Result<(u64, Bytes)> {
        let place = byte / PIECE as u64;
        let begins = place * PIECE as u64;
        let length = self.length.saturating_sub(begins).min(PIECE as u64) as usize;
        let mut bytes = vec![0; length + SUM];
        self.file.read_exact_at(&mut bytes, place * (PIECE + SUM) as u64)?;
        let mut found = Bytes::from(bytes);
        let expected = found.split_off(length);
        if length == 0 || sum(&self.stamp, place, &found) != expected[..] {
            return Err(damaged("a piece of its body has another checksum"));
        }
        Ok((begins, found))
    }

    /// The whole body, for entries that are small.
    pub(crate) fn whole(&self) -> io::Result<Bytes> {
        let mut body = Vec::with_capacity(usize::try_from(self.length).unwrap_or_default().min(PIECE << 4));
        while (body.len() as u64) < self.length {
            body.extend_from_slice(&self.piece(body.len() as u64)?.1);
        }
        Ok(body.into())
    }

    /// Reads all of the body, and keeps nothing of it.
    pub(crate) fn verify(&self) -> io::Result<()> {
        let mut byte = 0;
        while byte < self.length {
            let (begins, piece) = self.piece(byte)?;
            byte = begins + piece.len() as u64;
        }
        Ok(())
    }
}

fn take<const N: usize>(rest: &mut &[u8]) -> io::Result<[u8; N]> {
    let (first, behind) = rest.split_first_chunk().ok_or_else(|| damaged("it is cut off"))?;
    *rest = behind;
    Ok(*first)
}
