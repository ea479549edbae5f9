//! Entries that are read: a small one at once, and into the memory; another piece by piece.

use std::io;
use std::sync::Arc;

use bytes::Bytes;

use super::file::{Entry, PIECE};
use super::owner::{Owner, Place};
use super::{EntryKey, Small, blocking, lock};
use crate::limits::{MAX_HEAD_BYTES, MAX_KEY_BYTES, SMALL_BYTES};

/// An entry that is there.
#[derive(Debug)]
pub struct Found {
    /// What was said of it.
    pub meta: Bytes,
    /// Its body.
    pub body: Stored,
}

/// A body that is kept.
#[derive(Debug)]
pub enum Stored {
    /// It is in memory.
    Whole(Bytes),
    /// It is read as it is taken.
    File(Box<Reader>),
}

impl Stored {
    /// How many bytes it has.
    #[must_use]
    pub fn length(&self) -> u64 {
        match self {
            Stored::Whole(bytes) => bytes.len() as u64,
            Stored::File(reader) => reader.left,
        }
    }

    /// A part of it: so many bytes, from this one on. Bytes that it has not are left out.
    #[must_use]
    pub fn part(self, first: u64, length: u64) -> Stored {
        let end = first.saturating_add(length).min(self.length());
        let first = first.min(end);
        match self {
            Stored::Whole(bytes) => {
                let at = |byte| usize::try_from(byte).unwrap_or(usize::MAX);
                Stored::Whole(bytes.slice(at(first)..at(end)))
            }
            Stored::File(mut reader) => {
                reader.next = first;
                reader.left = end - first;
                Stored::File(reader)
            }
        }
    }
}

/// A body that is read as it is taken. It stays readable whatever becomes of the entry.
#[derive(Debug)]
pub struct Reader {
    entry: Arc<Entry>,
    owner: Owner,
    at: EntryKey,
    next: u64,
    left: u64,
    _place: Place,
}

impl Reader {
    /// How many bytes are left.
    #[must_use]
    pub fn left(&self) -> u64 {
        self.left
    }

    /// The next bytes; none at the end.
    ///
    /// # Errors
    /// The file is damaged, or cannot be read: the log says so, and the entry is not there any more.
    ///
    /// # Cancel safety
    /// Dropping the future loses nothing: the same bytes come next.
    pub async fn next(&mut self) -> io::Result<Option<Bytes>> {
        if self.left == 0 {
            return Ok(None);
        }
        let (entry, byte) = (Arc::clone(&self.entry), self.next);
        let owner = self.owner.clone();
        let at = self.at;
        let read = blocking(move || {
            entry.piece(byte).inspect_err(|error| {
                tracing::error!(%error, "an entry of the cache is damaged, and is removed");
                owner.inner.discard(owner.own.id, at);
            })
        });
        let (begins, mut piece) = read.await.unwrap_or_else(|| Err(io::ErrorKind::Interrupted.into()))?;
        let skip = usize::try_from(byte.saturating_sub(begins)).unwrap_or(PIECE).min(piece.len());
        let mut bytes = piece.split_off(skip);
        bytes.truncate(usize::try_from(self.left).unwrap_or(usize::MAX));
        self.next += bytes.len() as u64;
        self.left -= bytes.len() as u64;
        Ok(Some(bytes))
    }
}

impl Owner {
    /// Reads an entry of the disk.
    pub(super) fn read(&self, at: EntryKey, key: &Bytes) -> Option<Found> {
        let (inner, owner) = (&self.inner, self.own.id);
        let path = inner.path(owner, at);
        let entry = match Entry::open(&path, MAX_KEY_BYTES + MAX_HEAD_BYTES) {
            Ok(entry) => entry,
            Err(error) => {
                match error.kind() {
                    io::ErrorKind::NotFound => {}
                    io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof => {
                        tracing::warn!(%error, "an entry of the cache is damaged, and is removed");
                        inner.discard(owner, at);
                    }
                    _ => inner.failed("an entry of the cache could not be read", &error),
                }
                return None;
            }
        };
        if entry.key != *key {
            return None;
        }
        match self.judged(at, entry) {
            Ok(found) => found,
            Err(error) => {
                tracing::warn!(%error, "an entry of the cache is damaged, and is removed");
                inner.discard(owner, at);
                None
            }
        }
    }

    /// The entry, once it is known that all of it is what was written: what this process has not written, or judged before, is
    /// read to its end.
    fn judged(&self, at: EntryKey, entry: Entry) -> io::Result<Option<Found>> {
        let (inner, owner, stamp) = (&self.inner, self.own.id, entry.stamp);
        let meta = entry.meta.clone();
        if entry.length <= SMALL_BYTES {
            let body = entry.whole()?;
            let small = Small { key: entry.key, meta: entry.meta, body: body.clone() };
            let mut index = lock(&inner.index);
            // What was put or removed meanwhile stays as it is.
            if let Some(held) = index.get(owner, at)
                && held.is_none_or(|known| known == stamp)
            {
                *held = Some(stamp);
                let weight = small.weight();
                lock(&inner.memory).put(owner, at, weight, Arc::new(small));
            }
            return Ok(Some(Found { meta, body: Stored::Whole(body) }));
        }
        // Too many are read: one more is not there for now.
        let Some(place) = self.stream() else { return Ok(None) };
        let is_known = lock(&inner.index).get(owner, at).is_some_and(|held| *held == Some(stamp));
        if !is_known {
            entry.verify()?;
            if let Some(held) = lock(&inner.index).get(owner, at)
                && held.is_none()
            {
                *held = Some(stamp);
            }
        }
        let left = entry.length;
        let reader = Reader { entry: Arc::new(entry), owner: self.clone(), at, next: 0, left, _place: place };
        Ok(Some(Found { meta, body: Stored::File(Box::new(reader)) }))
    }
}
