//! Work that takes several calls, by number: what a digest, a decoder or a compressor has seen so far. What a script never
//! ends is thrown away with its request.

use std::cell::RefCell;

/// States of one kind.
pub(super) struct Running<T>(RefCell<Vec<Option<T>>>);

impl<T> Running<T> {
    pub(super) const fn new() -> Self {
        Self(RefCell::new(Vec::new()))
    }

    /// Keeps a state and names it.
    pub(super) fn begin(&self, state: T) -> u32 {
        let mut all = self.0.borrow_mut();
        let free = all.iter().position(Option::is_none);
        let id = free.unwrap_or_else(|| {
            all.push(None);
            all.len() - 1
        });
        all[id] = Some(state);
        id as u32
    }

    /// Goes on with one. None where it has ended. The function must not come back here.
    pub(super) fn with<R>(&self, id: u32, work: impl FnOnce(&mut T) -> R) -> Option<R> {
        self.0.borrow_mut().get_mut(id as usize)?.as_mut().map(work)
    }

    /// Ends one.
    pub(super) fn end(&self, id: u32) -> Option<T> {
        self.0.borrow_mut().get_mut(id as usize)?.take()
    }
}
