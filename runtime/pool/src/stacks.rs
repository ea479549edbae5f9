//! Stacks that guests and the host's calls for them run on. Wasm has no address of them, so what is left on one is
//! nobody's to read; only how much stays resident is bounded.

use std::ops::Range;
use std::sync::Arc;

use wasmtime::{StackCreator, StackMemory};

use crate::Refused;
use crate::shelf::Shelf;
use crate::span::{Span, page_bytes};

/// How much of a stack stays resident when it comes back: more than a request uses that does not recurse.
const KEEP_BYTES: usize = 64 << 10;

/// Stacks that wait.
pub(crate) struct Stacks {
    shelf: Shelf<Span>,
    slots: u32,
    bytes: usize,
    guard: usize,
}

impl Stacks {
    pub(crate) fn new(slots: u32, bytes: usize) -> Result<Self, Refused> {
        let guard = page_bytes();
        let bytes = bytes.checked_next_multiple_of(guard).filter(|bytes| *bytes > 0);
        let Some(bytes) = bytes else {
            return Err(Refused::Unsuitable("a stack needs a size".to_owned()));
        };
        Ok(Self { shelf: Shelf::new(crate::reserve(slots, bytes, guard)?), slots, bytes, guard })
    }

    fn lend(self: &Arc<Self>, bytes: usize, zeroed: bool) -> Result<Lent, Refused> {
        if bytes > self.bytes {
            return Err(Refused::Unsuitable(format!("a stack of {bytes} bytes, of {} at most", self.bytes)));
        }
        let span = self.shelf.take(|_| true);
        let mut span = span.ok_or(Refused::Exhausted { what: "stacks", slots: self.slots })?;
        if let Err(error) = span.resize(self.bytes) {
            self.shelf.put_bare(span);
            let refused = Refused::Machine(error);
            tracing::error!(error = %refused, "a stack cannot be lent");
            return Err(refused);
        }
        if zeroed {
            span.discard(0..self.bytes);
        }
        Ok(Lent { span: Some(span), from: Arc::clone(self) })
    }

    fn take_back(&self, mut span: Span) {
        // It is used from its end. Whoever recursed deeply has used more than is worth keeping.
        span.discard(0..self.bytes.saturating_sub(KEEP_BYTES));
        self.shelf.put(span);
    }
}

/// What Wasmtime asks for stacks.
pub(crate) struct Creator(pub(crate) Arc<Stacks>);

#[expect(unsafe_code, reason = "Wasmtime trusts whoever supplies stacks")]
// SAFETY: a stack is at least as large as asked for, begins and ends at a page, has a page before it that nobody ever
// opens, is zero where that is asked for, and belongs to one `Lent` until that is dropped.
unsafe impl StackCreator for Creator {
    fn new_stack(&self, size: usize, zeroed: bool) -> wasmtime::Result<Box<dyn StackMemory>> {
        Ok(Box::new(self.0.lend(size, zeroed)?))
    }
}

/// A stack that a store has.
struct Lent {
    /// Always there, until this is dropped.
    span: Option<Span>,
    from: Arc<Stacks>,
}

impl Lent {
    fn start(&self) -> *mut u8 {
        self.span.as_ref().map_or(std::ptr::null_mut(), Span::as_ptr)
    }
}

#[expect(unsafe_code, reason = "Wasmtime trusts whoever supplies stacks")]
// SAFETY: a span does not move, all of it is open, and what is before it is the reservation's and never opened.
unsafe impl StackMemory for Lent {
    fn top(&self) -> *mut u8 {
        self.start().wrapping_add(self.from.bytes)
    }

    fn range(&self) -> Range<usize> {
        let start = self.start() as usize;
        start..start + self.from.bytes
    }

    fn guard_range(&self) -> Range<*mut u8> {
        let start = self.start();
        start.wrapping_sub(self.from.guard)..start
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        if let Some(span) = self.span.take() {
            self.from.take_back(span);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stack_has_a_guard_and_keeps_only_what_is_used_often() {
        let stacks = Arc::new(Stacks::new(2, 1 << 20).unwrap());
        let mut lent = stacks.lend(1 << 20, false).unwrap();
        assert_eq!(lent.range().len(), 1 << 20);
        assert_eq!(lent.top() as usize, lent.range().end);
        assert_eq!(lent.guard_range().end as usize, lent.range().start);
        lent.span.as_mut().unwrap().bytes().fill(7);
        let start = lent.start();
        drop(lent);
        let mut lent = stacks.lend(1 << 20, false).unwrap();
        assert_eq!(lent.start(), start, "the one that was used last");
        let deep = &lent.span.as_mut().unwrap().bytes()[..(1 << 20) - KEEP_BYTES];
        assert!(deep.iter().all(|byte| *byte == 0));
        drop(lent);
        let mut lent = stacks.lend(1 << 20, true).unwrap();
        assert!(lent.span.as_mut().unwrap().bytes().iter().all(|byte| *byte == 0));
    }

    #[test]
    fn more_stacks_than_there_are_and_larger_ones_are_refused() {
        let stacks = Arc::new(Stacks::new(1, 1 << 16).unwrap());
        assert!(matches!(stacks.lend(1 << 17, false), Err(Refused::Unsuitable(_))));
        let lent = stacks.lend(1 << 16, false).unwrap();
        assert!(matches!(stacks.lend(1 << 16, false), Err(Refused::Exhausted { slots: 1, .. })));
        drop(lent);
        assert!(stacks.lend(1 << 16, false).is_ok());
        assert!(matches!(Stacks::new(1, 0), Err(Refused::Unsuitable(_))));
    }
}
