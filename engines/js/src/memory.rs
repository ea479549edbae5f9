//! The one allocator of the engine: for JavaScript, for Rust, and for what C asks of `malloc`.
//!
//! It knows three phases. In the first the engine itself is made, in the second a script's top level runs, in the third
//! one request. What an earlier phase allocated is never handed out again and never freed, and each phase begins at a
//! page of its own. So the pages that a script's top level changed are few and lie together: they are what is kept of a
//! script. What a request makes lies behind them, and is thrown away with the instance.

use core::alloc::{GlobalAlloc, Layout};
use core::cell::UnsafeCell;
use core::ptr;

/// How many phases there are before the one of requests.
const REQUEST: u32 = 2;
const PAGE: usize = 4096;
const WASM_PAGE: usize = 65536;
/// Memory grows by so many pages of 64 KiB at least.
const GROWTH: usize = 16;
/// Sizes up to 1 KiB in steps of 16 bytes, then four steps for each doubling.
const CLASSES: usize = 160;

/// Before each block. 16 bytes, so that every block is aligned to 16.
#[repr(C, align(16))]
struct Head {
    /// The block's size, without this.
    size: u32,
    phase: u32,
}

const HEAD: usize = size_of::<Head>();

struct Heap {
    /// Freed blocks of this phase, by class: each holds the address of the next.
    free: [*mut u8; CLASSES],
    bump: usize,
    end: usize,
    phase: u32,
}

/// The allocator.
pub(crate) struct Phased(UnsafeCell<Heap>);

// SAFETY: a guest has one thread, and no function of the allocator calls anything that allocates.
unsafe impl Sync for Phased {}

#[global_allocator]
pub(crate) static ALLOCATOR: Phased =
    Phased(UnsafeCell::new(Heap { free: [ptr::null_mut(); CLASSES], bump: 0, end: 0, phase: 0 }));

unsafe extern "C" {
    static __heap_base: u8;
    static mut wasmyard_zero_freed: bool;
}

/// The class of a block of `bytes`, head included, and how large such blocks are.
fn class_of(bytes: usize) -> (usize, usize) {
    if bytes <= 1024 {
        let class = bytes.div_ceil(16);
        return (class, class * 16);
    }
    let log = (usize::BITS - 1 - (bytes - 1).leading_zeros()) as usize;
    let step = 1 << (log - 2);
    let rounded = (bytes + step - 1) & !(step - 1);
    let quarter = (rounded - (1 << log)) >> (log - 2);
    (64 + (log - 10) * 4 + quarter, rounded)
}

impl Heap {
    fn allocate(&mut self, size: usize) -> *mut u8 {
        let Some(bytes) = size.checked_add(HEAD).filter(|bytes| *bytes <= (1 << 31)) else {
            return ptr::null_mut();
        };
        let (class, rounded) = class_of(bytes);
        let freed = self.free[class];
        if !freed.is_null() {
            // SAFETY: what is on a list was allocated here, is of this class, and holds the address of the next.
            unsafe {
                self.free[class] = freed.cast::<*mut u8>().read();
                if self.phase < REQUEST {
                    freed.cast::<*mut u8>().write(ptr::null_mut());
                }
            }
            return freed;
        }
        if self.end == 0 {
            // The linker's symbol is an address: nothing is read there.
            let base = (&raw const __heap_base) as usize;
            self.bump = base.next_multiple_of(WASM_PAGE);
            self.end = core::arch::wasm32::memory_size(0) * WASM_PAGE;
            self.bump = self.bump.min(self.end);
        }
        if rounded > self.end - self.bump {
            let want = (rounded - (self.end - self.bump)).div_ceil(WASM_PAGE).max(GROWTH);
            if core::arch::wasm32::memory_grow(0, want) == usize::MAX {
                return ptr::null_mut();
            }
            self.end += want * WASM_PAGE;
        }
        let head = self.bump as *mut Head;
        self.bump += rounded;
        // SAFETY: `bump..bump + rounded` is memory that nobody had, aligned to 16, and as large as the class.
        unsafe {
            head.write(Head { size: (rounded - HEAD) as u32, phase: self.phase });
            head.add(1).cast()
        }
    }

    /// # Safety
    ///
    /// `block` came from `allocate` and is not used again.
    unsafe fn free(&mut self, block: *mut u8) {
        // SAFETY: every block has a head.
        unsafe {
            let head = block.cast::<Head>().sub(1);
            if (*head).phase != self.phase {
                return;
            }
            let size = (*head).size as usize;
            if self.phase < REQUEST {
                ptr::write_bytes(block, 0, size);
            }
            let (class, _) = class_of(size + HEAD);
            block.cast::<*mut u8>().write(self.free[class]);
            self.free[class] = block;
        }
    }

    /// # Safety
    ///
    /// As [`Heap::free`].
    unsafe fn reallocate(&mut self, block: *mut u8, size: usize) -> *mut u8 {
        // SAFETY: every block has a head; both blocks are as large as is copied.
        unsafe {
            let had = (*block.cast::<Head>().sub(1)).size as usize;
            if size <= had && had - size < 64 + size / 2 {
                return block;
            }
            let new = self.allocate(size);
            if !new.is_null() {
                ptr::copy_nonoverlapping(block, new, had.min(size));
                self.free(block);
            }
            new
        }
    }

    fn next_phase(&mut self) {
        for first in &mut self.free {
            let mut block = core::mem::replace(first, ptr::null_mut());
            while !block.is_null() {
                // SAFETY: as in `allocate`. The addresses go, so that they are in nobody's pages.
                unsafe {
                    let next = block.cast::<*mut u8>().read();
                    block.cast::<*mut u8>().write(ptr::null_mut());
                    block = next;
                }
            }
        }
        self.bump = self.bump.next_multiple_of(PAGE).min(self.end);
        self.phase += 1;
        // SAFETY: one thread; C reads it when it frees.
        unsafe { wasmyard_zero_freed = self.phase < REQUEST };
    }
}

impl Phased {
    /// # Safety
    ///
    /// Nothing that it gave out is borrowed: no function of `Heap` calls back.
    #[expect(clippy::mut_from_ref, reason = "a guest has one thread")]
    unsafe fn heap(&self) -> &mut Heap {
        // SAFETY: see above.
        unsafe { &mut *self.0.get() }
    }

    /// Ends a phase.
    pub(crate) fn next_phase(&self) {
        // SAFETY: nothing calls back.
        unsafe { self.heap() }.next_phase();
    }
}

// SAFETY: blocks are as large as asked for, aligned to 16, and given to one owner until they are freed. What wants more
// alignment gets a larger block with an aligned address inside, and its block's address is kept right before that.
unsafe impl GlobalAlloc for Phased {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: nothing calls back.
        let heap = unsafe { self.heap() };
        if layout.align() <= HEAD {
            return heap.allocate(layout.size());
        }
        let block = heap.allocate(layout.size().saturating_add(layout.align() + HEAD));
        if block.is_null() {
            return block;
        }
        let aligned = (block as usize + HEAD).next_multiple_of(layout.align()) as *mut u8;
        // SAFETY: there are `HEAD` bytes at least between the two.
        unsafe { aligned.sub(HEAD).cast::<*mut u8>().write(block) };
        aligned
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the caller's contract; see `alloc` for large alignments.
        unsafe {
            let block = if layout.align() <= HEAD { block } else { block.sub(HEAD).cast::<*mut u8>().read() };
            self.heap().free(block);
        }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        if layout.align() <= HEAD {
            // SAFETY: the caller's contract.
            return unsafe { self.heap().reallocate(block, size) };
        }
        // SAFETY: the caller's contract; both are as large as is copied.
        unsafe {
            let new = self.alloc(Layout::from_size_align_unchecked(size, layout.align()));
            if !new.is_null() {
                ptr::copy_nonoverlapping(block, new, layout.size().min(size));
                self.dealloc(block, layout);
            }
            new
        }
    }
}

/// What QuickJS allocates with.
pub(crate) struct ForQuickJs;

// SAFETY: as above: blocks are aligned to 16.
unsafe impl rquickjs_core::allocator::Allocator for ForQuickJs {
    fn alloc(&mut self, size: usize) -> *mut u8 {
        malloc(size)
    }

    fn calloc(&mut self, count: usize, size: usize) -> *mut u8 {
        calloc(count, size)
    }

    unsafe fn dealloc(&mut self, block: *mut u8) {
        // SAFETY: the caller's contract.
        unsafe { free(block) };
    }

    unsafe fn realloc(&mut self, block: *mut u8, size: usize) -> *mut u8 {
        // SAFETY: the caller's contract.
        unsafe { realloc(block, size) }
    }

    unsafe fn usable_size(block: *mut u8) -> usize {
        // SAFETY: the caller's contract.
        unsafe { malloc_usable_size(block) }
    }
}

// What C and its library call, in place of the C library's own.

#[unsafe(no_mangle)]
extern "C" fn malloc(size: usize) -> *mut u8 {
    // SAFETY: nothing calls back.
    unsafe { ALLOCATOR.heap() }.allocate(size)
}

#[unsafe(no_mangle)]
extern "C" fn calloc(count: usize, size: usize) -> *mut u8 {
    let Some(bytes) = count.checked_mul(size) else { return ptr::null_mut() };
    let block = malloc(bytes);
    if !block.is_null() {
        // SAFETY: the block is as large.
        unsafe { ptr::write_bytes(block, 0, bytes) };
    }
    block
}

#[unsafe(no_mangle)]
unsafe extern "C" fn free(block: *mut u8) {
    if !block.is_null() {
        // SAFETY: the caller's contract.
        unsafe { ALLOCATOR.heap().free(block) };
    }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn realloc(block: *mut u8, size: usize) -> *mut u8 {
    if block.is_null() {
        return malloc(size);
    }
    // SAFETY: the caller's contract.
    unsafe {
        if size == 0 {
            free(block);
            return ptr::null_mut();
        }
        ALLOCATOR.heap().reallocate(block, size)
    }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn malloc_usable_size(block: *mut u8) -> usize {
    if block.is_null() {
        return 0;
    }
    // SAFETY: every block has a head.
    unsafe { (*block.cast::<Head>().sub(1)).size as usize }
}

/// Memory aligned to 16 is what there is; more is not asked for by anything that is linked.
#[unsafe(no_mangle)]
extern "C" fn aligned_alloc(alignment: usize, size: usize) -> *mut u8 {
    if alignment <= HEAD { malloc(size) } else { ptr::null_mut() }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn posix_memalign(to: *mut *mut u8, alignment: usize, size: usize) -> i32 {
    let block = aligned_alloc(alignment, size);
    if block.is_null() {
        return 12; // ENOMEM
    }
    // SAFETY: the caller's contract.
    unsafe { to.write(block) };
    0
}
