//! What the folder had when it was opened, put into the index: names and sizes, for nothing is read until somebody asks.

use std::fs::{self, DirEntry};
use std::sync::{Arc, Weak};
use std::time::UNIX_EPOCH;

use uuid::Uuid;

use super::{EntryKey, Inner, NAME_FILE, OwnerId, lock};
use crate::limits::weight;

/// Looks through the folder until the store is gone.
pub(super) fn run(store: &Weak<Inner>) {
    let Some(folder) = store.upgrade().map(|inner| inner.folder.clone()) else { return };
    let Ok(folders) = fs::read_dir(&folder) else { return };
    for folder in folders.flatten() {
        let Some(owner) = folder.file_name().to_str().and_then(|name| Uuid::try_parse(name).ok()) else {
            continue;
        };
        let owner = OwnerId(owner);
        let Some(inner) = store.upgrade() else { return };
        let name = fs::read_to_string(folder.path().join(NAME_FILE)).unwrap_or_default();
        lock(&inner.owners).named.insert((Arc::from(name), owner));
        let Ok(files) = fs::read_dir(folder.path()) else { continue };
        for file in files.flatten() {
            note(&inner, owner, &file);
        }
    }
    if let Some(inner) = store.upgrade() {
        inner.loaded.send_replace(true);
    }
}

fn note(inner: &Inner, owner: OwnerId, file: &DirEntry) {
    let Some(key) = file.file_name().to_str().and_then(EntryKey::parse) else { return };
    let _files = lock(&inner.files);
    // It may be gone, or another one, since the folder was read.
    let Ok(found) = fs::metadata(file.path()) else { return };
    let used = found.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    let used = used.map_or(0, |since| u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)).min(inner.began);
    let gone = {
        let mut index = lock(&inner.index);
        if !index.keys(owner, key..=key).is_empty() {
            return;
        }
        index.put_used_at(owner, key, weight(found.len()), None, used)
    };
    inner.bury(gone);
}
