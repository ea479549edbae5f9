//! Entries that are written: to a file without a name, which gets one when it is whole.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use uuid::Uuid;

use super::file::{Draft, file_bytes};
use super::owner::{Owner, Place};
use super::{EntryKey, Small, blocking, lock};
use crate::limits::{SMALL_BYTES, weight};

/// What is written at once.
const GATHERED: usize = 256 << 10;

/// An entry that is being written. Dropping it keeps nothing.
#[derive(Debug)]
pub struct Writing {
    owner: Owner,
    sheet: Option<Sheet>,
    /// What is not written yet; all of a small body.
    pieces: Vec<Bytes>,
    gathered: usize,
    length: u64,
    _place: Place,
}

/// The file, and what it counts for.
#[derive(Debug)]
struct Sheet {
    owner: Owner,
    path: PathBuf,
    draft: Option<Draft>,
    stamp: super::Stamp,
    counted: u64,
}

impl Writing {
    pub(super) fn begin(owner: &Owner, place: Place) -> Option<Writing> {
        let (owner, sheet) = (owner.clone(), Some(Sheet::new(owner)?));
        Some(Writing { owner, sheet, pieces: Vec::new(), gathered: 0, length: 0, _place: place })
    }

    /// How many bytes came.
    #[must_use]
    pub fn length(&self) -> u64 {
        self.length
    }

    /// More of the body. False: it cannot be kept, and what comes is passed over.
    ///
    /// # Cancel safety
    /// What is being written when the future is dropped is not kept: the entry is given up.
    pub async fn write(&mut self, bytes: Bytes) -> bool {
        if self.sheet.is_none() {
            return false;
        }
        self.length = self.length.saturating_add(bytes.len() as u64);
        if self.length > self.owner.most() {
            self.sheet = None;
            self.pieces = Vec::new();
            return false;
        }
        self.gathered += bytes.len();
        self.pieces.push(bytes);
        if self.gathered >= GATHERED { self.flush().await } else { true }
    }

    async fn flush(&mut self) -> bool {
        self.gathered = 0;
        let (pieces, sheet) = (std::mem::take(&mut self.pieces), self.sheet.take());
        let Some(mut sheet) = sheet else { return false };
        let Some(place) = self.owner.call().await else { return false };
        let written = blocking(move || {
            let written = sheet.write(&pieces);
            drop(place);
            written.then_some(sheet)
        });
        self.sheet = written.await.flatten();
        self.sheet.is_some()
    }

    /// The body is whole: whether the entry is kept. Where it is not, none is there in its place.
    pub async fn commit(mut self, at: EntryKey, key: Bytes, meta: Bytes) -> bool {
        let (pieces, length) = (std::mem::take(&mut self.pieces), self.length);
        let (owner, sheet) = (self.owner.clone(), self.sheet.take());
        let Some(place) = owner.call().await else { return false };
        let committed = blocking(move || {
            let Some(sheet) = sheet else {
                owner.discard(at);
                return false;
            };
            // A body that is this small was not written in part.
            let small = (length <= SMALL_BYTES
                && length == pieces.iter().map(|piece| piece.len() as u64).sum::<u64>())
            .then(|| Bytes::from(pieces.concat()));
            let committed = sheet.commit(at, &key, &meta, &pieces, length, small);
            drop(place);
            committed
        });
        committed.await.unwrap_or(false)
    }

    /// Puts an entry that is there as a whole.
    pub(super) fn put(owner: &Owner, at: EntryKey, key: &Bytes, meta: &Bytes, body: Bytes) -> bool {
        let length = body.len() as u64;
        let Some(sheet) = Sheet::new(owner).filter(|_| length <= owner.most()) else {
            owner.discard(at);
            return false;
        };
        let small = (length <= SMALL_BYTES).then(|| body.clone());
        sheet.commit(at, key, meta, &[body], length, small)
    }
}

impl Sheet {
    fn new(owner: &Owner) -> Option<Sheet> {
        let path = owner.inner.draft_path();
        let stamp = *Uuid::new_v4().as_bytes();
        match Draft::create(&path, stamp) {
            Ok(draft) => Some(Sheet { owner: owner.clone(), path, draft: Some(draft), stamp, counted: 0 }),
            Err(error) => {
                owner.inner.failed("an entry of the cache could not be begun", &error);
                None
            }
        }
    }

    fn write(&mut self, pieces: &[Bytes]) -> bool {
        let bytes = pieces.iter().map(|piece| piece.len() as u64).sum();
        if !self.count(bytes) {
            return false;
        }
        match self.draft.as_mut().map(|draft| draft.write(pieces)) {
            Some(Ok(())) => true,
            Some(Err(error)) => {
                self.owner.inner.failed("an entry of the cache could not be written", &error);
                false
            }
            None => false,
        }
    }

    /// Counts what is written next, for which others may have to go.
    fn count(&mut self, bytes: u64) -> bool {
        let inner = &self.owner.inner;
        let _files = lock(&inner.files);
        let mut gone = Vec::new();
        let has_room = lock(&inner.index).write(self.owner.own.id, bytes, &mut gone).is_ok();
        inner.bury(gone);
        if has_room {
            self.counted += bytes;
        }
        has_room
    }

    fn commit(
        mut self,
        at: EntryKey,
        key: &Bytes,
        meta: &Bytes,
        pieces: &[Bytes],
        length: u64,
        small: Option<Bytes>,
    ) -> bool {
        let owner = self.owner.clone();
        let bytes = file_bytes(length, key.len(), meta.len());
        let fits = lock(&owner.inner.index).fits(weight(bytes));
        if !fits || !self.write(pieces) || !self.finish(key, meta) {
            owner.discard(at);
            return false;
        }
        let small = small.map(|body| Small { key: key.clone(), meta: meta.clone(), body });
        match self.name(at, weight(bytes), small) {
            Ok(is_kept) => is_kept,
            Err(error) => {
                owner.inner.failed("an entry of the cache could not be named", &error);
                owner.discard(at);
                false
            }
        }
    }

    fn finish(&mut self, key: &Bytes, meta: &Bytes) -> bool {
        match self.draft.take().map(|draft| draft.finish(key, meta)) {
            Some(Ok(())) => true,
            Some(Err(error)) => {
                self.owner.inner.failed("an entry of the cache could not be finished", &error);
                false
            }
            None => false,
        }
    }

    /// Gives the file its name. From then on it is found, and what it replaces is not.
    fn name(&mut self, at: EntryKey, bytes: u64, small: Option<Small>) -> io::Result<bool> {
        let (inner, owner) = (Arc::clone(&self.owner.inner), self.owner.own.id);
        let _files = lock(&inner.files);
        if self.owner.own.is_gone() {
            return Ok(false);
        }
        let path = inner.path(owner, at);
        match fs::rename(&self.path, &path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.owner.make_folder()?;
                fs::rename(&self.path, &path)?;
            }
            renamed => renamed?,
        }
        // With a new first entry the others of the resource are for nobody any more.
        if at.is_first() {
            for other in self.owner.forget_names(at) {
                super::remove(&inner.path(owner, other));
            }
        }
        let gone = {
            let mut index = lock(&inner.index);
            index.written(owner, std::mem::take(&mut self.counted));
            let gone = index.put(owner, at, bytes, Some(self.stamp));
            let mut memory = lock(&inner.memory);
            memory.remove(owner, at);
            if let Some(small) = small {
                let weight = small.weight();
                memory.put(owner, at, weight, Arc::new(small));
            }
            gone
        };
        inner.bury(gone);
        Ok(true)
    }
}

/// What has no name by now goes.
impl Drop for Sheet {
    fn drop(&mut self) {
        let owner = self.owner.clone();
        let (path, counted) = (std::mem::take(&mut self.path), self.counted);
        if counted > 0 {
            lock(&owner.inner.index).written(owner.own.id, counted);
        }
        let remove = move || super::remove(&path);
        match tokio::runtime::Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn_blocking(remove)),
            Err(_) => remove(),
        }
    }
}
