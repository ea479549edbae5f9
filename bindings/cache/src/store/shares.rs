//! What is kept, for whom, and what goes first when there is too much.
//!
//! Pure bookkeeping, of the memory and of the disk alike. The bound of all is kept by taking from whoever has most, so that
//! nobody pushes out those who have less than an equal part; within one owner the entry goes that was not used for longest.
//! Must never touch a file.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::RangeInclusive;

use super::{EntryKey, OwnerId};

/// How much may be kept, in bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// Of all owners together.
    pub(crate) all: u64,
    /// Of one.
    pub(crate) own: u64,
}

/// The entries of all owners.
#[derive(Debug)]
pub(crate) struct Shares<V> {
    bounds: Bounds,
    each: HashMap<OwnerId, Own<V>>,
    /// Owners by how much they hold, the largest last.
    sizes: BTreeSet<(u64, OwnerId)>,
    total: u64,
    /// The moment of the last use: each use has one of its own.
    last: u64,
}

#[derive(Debug)]
struct Own<V> {
    bytes: u64,
    /// Of these, what is being written: it has no entry yet, and cannot go.
    writing: u64,
    slots: BTreeMap<EntryKey, Slot<V>>,
    /// Entries by when they were used.
    uses: BTreeSet<(u64, EntryKey)>,
}

#[derive(Debug)]
struct Slot<V> {
    bytes: u64,
    used: u64,
    value: V,
}

/// An entry that had to go.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Gone<V> {
    pub(crate) owner: OwnerId,
    pub(crate) key: EntryKey,
    pub(crate) value: V,
}

/// There is no room, whatever goes.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct NoRoom;

impl<V> Shares<V> {
    /// None yet; at this moment, in nanoseconds since 1970.
    pub(crate) fn new(bounds: Bounds, now: u64) -> Shares<V> {
        Shares { bounds, each: HashMap::new(), sizes: BTreeSet::new(), total: 0, last: now }
    }

    /// Bytes of all entries, and of what is being written.
    pub(crate) fn total(&self) -> u64 {
        self.total
    }

    /// Bytes of one owner's.
    #[cfg(test)]
    pub(crate) fn of(&self, owner: OwnerId) -> u64 {
        self.each.get(&owner).map_or(0, |own| own.bytes)
    }

    /// How many entries there are.
    pub(crate) fn entries(&self) -> usize {
        self.each.values().map(|own| own.slots.len()).sum()
    }

    /// Whether an entry of this size can be there at all.
    pub(crate) fn fits(&self, bytes: u64) -> bool {
        bytes <= self.bounds.own.min(self.bounds.all)
    }

    /// Puts an entry, in place of any that is there: what had to go for it, the one that it replaces not among that. One that
    /// cannot be there is gone itself.
    pub(crate) fn put(&mut self, owner: OwnerId, key: EntryKey, bytes: u64, value: V) -> Vec<Gone<V>> {
        let used = self.tick();
        self.put_used_at(owner, key, bytes, value, used)
    }

    /// The same for an entry that was there before: it was used at a moment of the past, in nanoseconds since 1970.
    pub(crate) fn put_used_at(
        &mut self,
        owner: OwnerId,
        key: EntryKey,
        bytes: u64,
        value: V,
        used: u64,
    ) -> Vec<Gone<V>> {
        self.remove(owner, key);
        if !self.fits(bytes) {
            return vec![Gone { owner, key, value }];
        }
        self.change(owner, |own| {
            own.bytes += bytes;
            own.uses.insert((used, key));
            own.slots.insert(key, Slot { bytes, used, value });
        });
        let mut gone = Vec::new();
        // What has just come is the last to go, and fits.
        self.make_room(owner, 0, &mut gone).ok();
        gone
    }

    /// Makes room for more of what is being written.
    ///
    /// # Errors
    /// [`NoRoom`]: nothing is counted then, though entries may have gone.
    pub(crate) fn write(
        &mut self,
        owner: OwnerId,
        bytes: u64,
        gone: &mut Vec<Gone<V>>,
    ) -> Result<(), NoRoom> {
        let writing = self.each.get(&owner).map_or(0, |own| own.writing);
        if !self.fits(writing.saturating_add(bytes)) {
            return Err(NoRoom);
        }
        self.make_room(owner, bytes, gone)?;
        self.change(owner, |own| {
            own.bytes += bytes;
            own.writing += bytes;
        });
        Ok(())
    }

    /// What was being written is an entry now, or is no more.
    pub(crate) fn written(&mut self, owner: OwnerId, bytes: u64) {
        self.change(owner, |own| {
            own.bytes = own.bytes.saturating_sub(bytes);
            own.writing = own.writing.saturating_sub(bytes);
        });
    }

    /// An entry, which is used now.
    pub(crate) fn get(&mut self, owner: OwnerId, key: EntryKey) -> Option<&mut V> {
        let now = self.tick();
        let own = self.each.get_mut(&owner)?;
        let slot = own.slots.get_mut(&key)?;
        own.uses.remove(&(slot.used, key));
        slot.used = now;
        own.uses.insert((now, key));
        Some(&mut slot.value)
    }

    pub(crate) fn remove(&mut self, owner: OwnerId, key: EntryKey) -> Option<V> {
        self.each.get(&owner)?.slots.get(&key)?;
        let mut removed = None;
        self.change(owner, |own| {
            if let Some(slot) = own.slots.remove(&key) {
                own.uses.remove(&(slot.used, key));
                own.bytes = own.bytes.saturating_sub(slot.bytes);
                removed = Some(slot.value);
            }
        });
        removed
    }

    /// The keys of an owner's that are within a range.
    pub(crate) fn keys(&self, owner: OwnerId, range: RangeInclusive<EntryKey>) -> Vec<EntryKey> {
        self.each
            .get(&owner)
            .map(|own| own.slots.range(range).map(|(key, _)| *key).collect())
            .unwrap_or_default()
    }

    /// Forgets all entries of an owner's. What it is writing is counted until that ends.
    pub(crate) fn remove_owner(&mut self, owner: OwnerId) {
        self.change(owner, |own| {
            own.slots.clear();
            own.uses.clear();
            own.bytes = own.writing;
        });
    }

    /// Makes all that is there smaller, down to so many bytes.
    pub(crate) fn shrink(&mut self, to: u64) -> Vec<Gone<V>> {
        let mut gone = Vec::new();
        while self.total > to {
            match self.evict_of_largest() {
                Some(one) => gone.push(one),
                None => break,
            }
        }
        gone
    }

    /// A moment that is later than all others.
    fn tick(&mut self) -> u64 {
        self.last = self.last.saturating_add(1);
        self.last
    }

    /// Changes an owner's share, and what follows from its size.
    fn change(&mut self, owner: OwnerId, change: impl FnOnce(&mut Own<V>)) {
        let own = self.each.entry(owner).or_insert_with(|| Own {
            bytes: 0,
            writing: 0,
            slots: BTreeMap::new(),
            uses: BTreeSet::new(),
        });
        let before = own.bytes;
        change(own);
        let after = own.bytes;
        self.total = self.total.saturating_sub(before).saturating_add(after);
        self.sizes.remove(&(before, owner));
        if own.slots.is_empty() && own.writing == 0 {
            self.each.remove(&owner);
        } else {
            self.sizes.insert((after, owner));
        }
    }

    /// Lets entries go until so many bytes more are within the bounds.
    fn make_room(&mut self, owner: OwnerId, bytes: u64, gone: &mut Vec<Gone<V>>) -> Result<(), NoRoom> {
        while self.each.get(&owner).is_some_and(|own| own.bytes.saturating_add(bytes) > self.bounds.own) {
            gone.push(self.evict(owner).ok_or(NoRoom)?);
        }
        while self.total.saturating_add(bytes) > self.bounds.all {
            gone.push(self.evict_of_largest().ok_or(NoRoom)?);
        }
        Ok(())
    }

    /// The entry that was not used for longest, of whoever has most and has one.
    fn evict_of_largest(&mut self) -> Option<Gone<V>> {
        let has_entries = |owner: &OwnerId| self.each.get(owner).is_some_and(|own| !own.slots.is_empty());
        let largest = self.sizes.iter().rev().map(|(_, owner)| *owner).find(has_entries)?;
        self.evict(largest)
    }

    fn evict(&mut self, owner: OwnerId) -> Option<Gone<V>> {
        let (_, key) = *self.each.get(&owner)?.uses.first()?;
        let value = self.remove(owner, key)?;
        Some(Gone { owner, key, value })
    }
}

#[cfg(test)]
mod tests;
