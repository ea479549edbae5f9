//! Linear memories: lent to one instance each. When they are, they hold what was ordered: zeros, or an image with the
//! stretches of one script on top, and nothing of whoever had them before.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use wasmtime::{LinearMemory, MemoryCreator, MemoryType};

use crate::image::{Capture, Image, Order};
use crate::pagemap::Pagemap;
use crate::shelf::Shelf;
use crate::span::{Span, page_bytes};
use crate::watch::Watch;
use crate::wipe::wipe;
use crate::{GUARD, PoolConfig, RESERVATION, Refused};

/// How many cold memories one that comes back may have give up what they keep.
const COOLED_AT_ONCE: usize = 2;

/// Memories that wait, and what is known about those that are lent.
pub(crate) struct Memories {
    shelf: Shelf<Idle>,
    pagemap: Option<&'static Pagemap>,
    watch: Option<&'static Watch>,
    slots: u32,
    max_bytes: usize,
    keep: usize,
    keep_together: usize,
    kept: AtomicUsize,
    lent: AtomicUsize,
}

/// A memory that nobody has. **All of it is zero, or its image**, as much as is open and whatever is not.
struct Idle {
    span: Span,
    /// How much of it is resident.
    kept: usize,
}

impl Memories {
    pub(crate) fn new(config: &PoolConfig) -> Result<Self, Refused> {
        let max_bytes = config.max_memory_bytes;
        if max_bytes > RESERVATION {
            return Err(Refused::Unsuitable(format!(
                "a memory of {max_bytes} bytes does not fit in {RESERVATION} bytes of address space"
            )));
        }
        let spans = crate::reserve(config.slots, RESERVATION, GUARD)?;
        let pagemap = Pagemap::of_this_process();
        let watch =
            pagemap.and_then(|pagemap| Watch::of_this_process().filter(|watch| pagemap.agrees_with(watch)));
        Ok(Self {
            shelf: Shelf::new(spans.into_iter().map(|span| Idle { span, kept: 0 }).collect()),
            pagemap,
            watch,
            slots: config.slots,
            max_bytes,
            keep: config.keep_bytes,
            keep_together: config.keep_bytes_together,
            kept: AtomicUsize::new(0),
            lent: AtomicUsize::new(0),
        })
    }

    pub(crate) fn lists_pages(&self) -> bool {
        self.pagemap.is_some()
    }

    pub(crate) fn notes_writes(&self) -> bool {
        self.watch.is_some()
    }

    pub(crate) fn lent(&self) -> usize {
        self.lent.load(Ordering::Relaxed)
    }

    pub(crate) fn kept(&self) -> usize {
        self.kept.load(Ordering::Relaxed)
    }

    /// A memory as ordered, of which `open` bytes can be used, or as many as its content has.
    fn lend(self: &Arc<Self>, open: usize, order: Order) -> Result<Lent, Refused> {
        let image = order.content.as_ref().map(|content| content.image());
        let open = order.content.as_ref().map_or(open, |content| open.max(content.len()));
        if open > self.max_bytes {
            let most = self.max_bytes;
            return Err(Refused::Unsuitable(format!(
                "{open} bytes of memory at its start, of {most} at most"
            )));
        }
        let idle = self.shelf.take(|idle| idle.span.open() == open && begins_with(&idle.span, image));
        let Some(Idle { mut span, kept }) = idle else {
            return Err(Refused::Exhausted { what: "memories", slots: self.slots });
        };
        self.kept.fetch_sub(kept, Ordering::Relaxed);
        if !begins_with(&span, image)
            && let Err(error) = span.begin_with(image.cloned(), self.watch)
        {
            // What it holds now is not known. Nobody gets this one any more.
            let refused = Refused::Machine(error);
            tracing::error!(error = %refused, "a memory cannot be mapped anew and is not used again");
            return Err(refused);
        }
        if let Err(error) = fit(&mut span, open) {
            // As zero as it was, and no larger: it can wait for somebody else.
            self.keep(span, kept);
            let refused = Refused::Machine(error);
            tracing::error!(error = %refused, "a memory cannot be lent");
            return Err(refused);
        }
        for (at, bytes) in order.content.iter().flat_map(|content| content.stretches()) {
            span.write(*at, bytes);
        }
        self.lent.fetch_add(1, Ordering::Relaxed);
        Ok(Lent { initial: open, span: Some(span), from: Arc::clone(self), capture: order.capture })
    }

    /// Takes a memory back that began with `initial` bytes.
    fn take_back(&self, mut span: Span, initial: usize) {
        self.lent.fetch_sub(1, Ordering::Relaxed);
        // What it grew by goes first: it is not to be reached by whoever is next.
        if let Err(error) = fit(&mut span, initial) {
            // The machine is out of mappings, which closing needs none of. Nobody gets this one any more.
            tracing::error!(%error, "a memory cannot be closed and is not used again");
            return;
        }
        let kept = wipe(&mut span, self.pagemap, self.keep);
        self.keep(span, kept);
    }

    /// Puts a memory of zeros away, as far as what is kept stays within its bound.
    fn keep(&self, mut span: Span, mut kept: usize) {
        let before = self.kept.fetch_add(kept, Ordering::Relaxed);
        let mut over = before.saturating_add(kept) > self.keep_together;
        for _ in 0..COOLED_AT_ONCE {
            // What nobody has wanted for longest gives way to what was just used.
            let Some(mut cold) = over.then(|| self.shelf.coldest()).flatten() else { break };
            cold.span.discard(0..cold.span.open());
            self.kept.fetch_sub(cold.kept, Ordering::Relaxed);
            self.shelf.put_bare(Idle { span: cold.span, kept: 0 });
            over = self.kept() > self.keep_together;
        }
        if over {
            span.discard(0..span.open());
            self.kept.fetch_sub(kept, Ordering::Relaxed);
            kept = 0;
        }
        if kept == 0 {
            self.shelf.put_bare(Idle { span, kept });
        } else {
            self.shelf.put(Idle { span, kept });
        }
    }
}

/// Whether a span begins with this image, or with zeros where there is none.
fn begins_with(span: &Span, image: Option<&Arc<Image>>) -> bool {
    match (span.image(), image) {
        (Some(has), Some(wants)) => Arc::ptr_eq(has, wants),
        (None, None) => true,
        _ => false,
    }
}

/// Has exactly `open` bytes be usable. What is closed is given back: when it is opened again it is zero.
fn fit(span: &mut Span, open: usize) -> std::io::Result<()> {
    span.discard(open..span.open().max(open));
    span.resize(open)
}

/// What Wasmtime asks for memories.
pub(crate) struct Creator(pub(crate) Arc<Memories>);

#[expect(unsafe_code, reason = "Wasmtime trusts whoever supplies memories")]
// SAFETY: a memory is `RESERVATION` bytes of address space with `GUARD` bytes before and behind it that nobody ever
// opens; that this is as much as compiled code relies on is checked here. It begins at a page, for the reservation and all
// offsets do. It is zero, or what was ordered: see `Idle`. It belongs to one `Lent` until that is dropped: a `Span` cannot be copied.
unsafe impl MemoryCreator for Creator {
    fn new_memory(
        &self,
        ty: MemoryType,
        minimum: usize,
        _maximum: Option<usize>,
        reserved_size_in_bytes: Option<usize>,
        guard_size_in_bytes: usize,
    ) -> Result<Box<dyn LinearMemory>, String> {
        let lent = suitable(&ty, reserved_size_in_bytes, guard_size_in_bytes)
            .and_then(|()| self.0.lend(minimum, Order::current()));
        match lent {
            Ok(lent) => Ok(Box::new(lent)),
            Err(refused) => Err(refused.to_string()),
        }
    }
}

/// Whether compiled code relies on no more than there is.
fn suitable(ty: &MemoryType, reserved: Option<usize>, guard: usize) -> Result<(), Refused> {
    if ty.is_shared() || ty.is_64() || !ty.page_size().is_multiple_of(page_bytes() as u64) {
        return Err(Refused::Unsuitable("memories are of 32 bits, unshared, and of whole pages".to_owned()));
    }
    if reserved != Some(RESERVATION) || guard > GUARD {
        return Err(Refused::Unsuitable(format!(
            "code that relies on {reserved:?} bytes of address space and {guard} of guard; there are {RESERVATION} and {GUARD}"
        )));
    }
    Ok(())
}

/// A memory that an instance has.
struct Lent {
    /// Always there, until this is dropped.
    span: Option<Span>,
    /// How large it was at first.
    initial: usize,
    from: Arc<Memories>,
    /// Who takes what it holds in the end.
    capture: Option<Arc<Capture>>,
}

#[expect(unsafe_code, reason = "Wasmtime trusts whoever supplies memories")]
// SAFETY: it does not move, for a span does not. Exactly `byte_size` bytes of it can be used, in whole pages, for its size
// is what is open of the span; everything behind faults, to the end of the guard.
unsafe impl LinearMemory for Lent {
    fn byte_size(&self) -> usize {
        self.span.as_ref().map_or(0, Span::open)
    }

    fn byte_capacity(&self) -> usize {
        self.span.as_ref().map_or(0, Span::len)
    }

    fn grow_to(&mut self, new_size: usize) -> wasmtime::Result<()> {
        let most = self.from.max_bytes;
        if new_size > most {
            return Err(Refused::Unsuitable(format!("{new_size} bytes of memory, of {most} at most")).into());
        }
        match &mut self.span {
            Some(span) if new_size >= span.open() => Ok(span.resize(new_size).map_err(Refused::Machine)?),
            _ => Err(Refused::Unsuitable("a memory does not become smaller".to_owned()).into()),
        }
    }

    fn as_ptr(&self) -> *mut u8 {
        self.span.as_ref().map_or(std::ptr::null_mut(), Span::as_ptr)
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        if let Some(span) = self.span.take() {
            if let Some(capture) = &self.capture {
                capture.put(span.copied());
            }
            self.from.take_back(span, self.initial);
        }
    }
}
