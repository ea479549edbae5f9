//! Bytes that the kernel sends without copying them: contents in memory files that nobody can change any more.
//!
//! Owns those files, their mappings, and the one table that leads from a slice of such bytes back to its file. Bytes
//! travel through the platform as any others do; [`crate::socket`] is where the file is asked for. Must never hold a
//! range that is not mapped: another allocation could have taken its place.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Write as _};
use std::sync::{Arc, PoisonError, RwLock};

use bytes::Bytes;
use memmap2::{Mmap, MmapOptions};
use rustix::fs::{MemfdFlags, SealFlags};

/// From this length on it is worth it: below, a copy costs less than what the kernel does to avoid it.
pub const LEAST: usize = 64 << 10;

/// The mapped ranges: where each begins, how long it is, and its file.
static RANGES: RwLock<BTreeMap<usize, (usize, Arc<File>)>> = RwLock::new(BTreeMap::new());

/// A memory file, mapped.
struct Sealed(Mmap);

/// Puts bytes into a memory file of their own.
///
/// # Errors
///
/// When the system has no memory files, or no more.
pub fn seal(bytes: &[u8]) -> io::Result<Bytes> {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    let mut file = File::from(rustix::fs::memfd_create("wasmyard-content", flags)?);
    file.write_all(bytes)?;
    rustix::fs::fcntl_add_seals(
        &file,
        SealFlags::WRITE | SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL,
    )?;
    #[expect(unsafe_code, reason = "a mapping is the only way to have the bytes and their file at once")]
    // SAFETY: a mapping must not change while it is a slice. This file has no name, nobody else has it, and the seals
    // have the kernel refuse whatever would change its content or its length, for ever.
    let mapped = unsafe { MmapOptions::new().len(bytes.len()).map_copy_read_only(&file)? };
    let range = (mapped.len(), Arc::new(file));
    RANGES.write().unwrap_or_else(PoisonError::into_inner).insert(mapped.as_ptr().addr(), range);
    Ok(Bytes::from_owner(Sealed(mapped)))
}

/// The file that holds a slice, and where in it the slice begins. None for slices of anything else.
pub(crate) fn file_of(slice: &[u8]) -> Option<(Arc<File>, u64)> {
    if slice.len() < LEAST {
        return None;
    }
    let begins = slice.as_ptr().addr();
    let ranges = RANGES.read().unwrap_or_else(PoisonError::into_inner);
    let (start, (len, file)) = ranges.range(..=begins).next_back()?;
    let at = begins - start;
    (at.checked_add(slice.len())? <= *len).then(|| (Arc::clone(file), at as u64))
}

impl AsRef<[u8]> for Sealed {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

/// Before the mapping goes: whoever finds a range in the table has a slice of it, so it is still mapped.
impl Drop for Sealed {
    fn drop(&mut self) {
        RANGES.write().unwrap_or_else(PoisonError::into_inner).remove(&self.0.as_ptr().addr());
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;
    use std::os::unix::fs::FileExt as _;

    use super::*;

    fn content(len: usize) -> Vec<u8> {
        (0..len).map(|n| u8::try_from(n % 251).unwrap()).collect()
    }

    #[test]
    fn a_slice_leads_to_its_place_in_the_file() {
        let content = content(3 * LEAST);
        let sealed = seal(&content).unwrap();
        assert!(sealed == content);
        let (_, at) = file_of(&sealed).unwrap();
        assert_eq!(at, 0);
        let part = sealed.slice(LEAST + 7..);
        let (file, at) = file_of(&part).unwrap();
        let mut read = vec![0; part.len()];
        file.read_exact_at(&mut read, at).unwrap();
        assert!(part == read && at == LEAST as u64 + 7);
    }

    #[test]
    fn nothing_else_leads_to_a_file() {
        let sealed = seal(&content(LEAST)).unwrap();
        let ordinary = content(2 * LEAST);
        assert!(file_of(&ordinary).is_none());
        assert!(file_of(&sealed[1..]).is_none(), "too short to be worth it");
        let begins = sealed.as_ptr().addr();
        drop(sealed);
        assert!(!RANGES.read().unwrap().contains_key(&begins), "it is not mapped any more");
    }

    #[test]
    fn nobody_can_change_it() {
        let sealed = seal(&content(LEAST)).unwrap();
        let (file, _) = file_of(&sealed).unwrap();
        assert!(file.write_at(b"changed", 0).is_err());
        assert!(file.set_len(1).is_err() && file.set_len(1 << 20).is_err());
        let mut first = [0];
        (&*file).read_exact(&mut first).unwrap_err();
        file.read_exact_at(&mut first, 1).unwrap();
        assert_eq!(first, [1]);
    }
}
