//! Linear memories and stacks that guests are lent, and that forget whoever had them.
//!
//! Wasmtime asks a [`Pool`] for every linear memory and every stack, through its public traits. A memory that comes
//! back is made all zeros, or the [`Image`] that it is mapped from, before anybody else gets it: pages that may hold
//! something are asked of the kernel and overwritten, or given back. **Nothing here relies on a page being present**: a page that was swapped out, or that
//! the kernel is just moving, counts as written. `docs/decisions/0001-memory-pool.md` says why this is our own.
//!
//! Knows no script, no namespace and no limit of an invocation. With `runtime`'s `module.rs` and the dispatcher's
//! `sealed.rs` the only `unsafe` of the host: it is in `span.rs` (what is done to memory), `pagemap.rs` and `watch.rs` (what the
//! kernel is asked, and what it is to note) and the two trait implementations that Wasmtime trusts.
//!
//! Modules, low to high: `page`, `image`, `watch`, `span`, `pagemap`, `shelf`, `wipe` < `memories`, `stacks`.

mod image;
mod memories;
mod page;
mod pagemap;
mod shelf;
mod span;
mod stacks;
mod watch;
mod wipe;

use std::io;
use std::sync::Arc;

use wasmtime::{Config, InstanceAllocationStrategy};

pub use image::{Capture, Content, Image, Order};
use memories::Memories;
use span::Reservation;
use stacks::Stacks;

/// Address space of one memory: everything that a 32-bit guest can name.
pub const RESERVATION: usize = 4 << 30;
/// Address space before and behind each memory that nobody can read or write. Compiled code leaves out its checks of
/// bounds where an instruction's own offset is smaller than this.
pub const GUARD: usize = 32 << 20;
/// Mappings of a slot that is or was in use: an image, a memory and what follows it, a stack and what follows that.
pub const MAPPINGS_PER_SLOT: u64 = 5;

/// What a [`Pool`] is made from.
#[derive(Debug, Clone)]
pub struct PoolConfig {
    /// The most memories, and the most stacks, that are lent at once.
    pub slots: u32,
    /// The largest that a memory may become, in bytes.
    pub max_memory_bytes: usize,
    /// The size of a stack, in bytes.
    pub stack_bytes: usize,
    /// How much of a memory stays resident when it comes back, in bytes: pages that need no fault the next time.
    pub keep_bytes: usize,
    /// How much all memories together that nobody has may keep so.
    pub keep_bytes_together: usize,
}

/// Why a pool cannot be made, or does not lend what it is asked for.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Refused {
    /// The machine does not give the address space.
    #[error("{PREFIX} {bytes} bytes of address space for {slots} slots cannot be reserved: {error}")]
    AddressSpace {
        /// How many slots were to be had.
        slots: u32,
        /// What they need.
        bytes: usize,
        /// What the system said.
        error: io::Error,
    },
    /// All are lent.
    #[error("{FOR_NOW} all {slots} {what} are in use")]
    Exhausted {
        /// What was asked for.
        what: &'static str,
        /// How many there are.
        slots: u32,
    },
    /// The machine does not let memory be used that was reserved.
    #[error(
        "{FOR_NOW} reserved memory cannot be used: {0}; where it says that memory is short, raise vm.max_map_count"
    )]
    Machine(io::Error),
    /// Wasmtime asks for what this pool was not made for.
    #[error("{PREFIX} {0}")]
    Unsuitable(String),
}

/// How the texts of a [`Refused`] begin. Wasmtime hands on a memory creator's text and nothing else.
const PREFIX: &str = "the memory pool:";
const FOR_NOW: &str = "the memory pool, for now:";

impl Refused {
    /// Whether an error of Wasmtime's says that a pool has nothing to lend at the moment.
    pub fn is_for_now(error: &wasmtime::Error) -> bool {
        error.root_cause().to_string().starts_with(FOR_NOW)
    }
}

/// Tells Wasmtime what memories look like. Compiled code depends on it, so whoever compiles says the same as whoever
/// runs.
pub fn shape(config: &mut Config) {
    config
        .memory_reservation(RESERVATION as u64)
        .memory_guard_size(GUARD as u64)
        .memory_may_move(false)
        // An image of a module would be mapped into memory that Wasmtime made itself, and into no other.
        .memory_init_cow(false);
}

/// Memories and stacks for as many engines as share it.
#[derive(Clone)]
pub struct Pool {
    memories: Arc<Memories>,
    stacks: Arc<Stacks>,
}

impl Pool {
    /// Reserves address space for all slots; no memory is used before a slot is.
    ///
    /// # Errors
    ///
    /// [`Refused::AddressSpace`] when the machine does not have as much; [`Refused::Unsuitable`] for sizes that cannot be.
    pub fn new(config: &PoolConfig) -> Result<Self, Refused> {
        Ok(Self {
            memories: Arc::new(Memories::new(config)?),
            stacks: Arc::new(Stacks::new(config.slots, config.stack_bytes)?),
        })
    }

    /// Has an engine take its memories and stacks from here. [`shape`] is to be called as well.
    pub fn supply(&self, config: &mut Config) {
        config
            .allocation_strategy(InstanceAllocationStrategy::OnDemand)
            .with_host_memory(Arc::new(memories::Creator(Arc::clone(&self.memories))))
            .with_host_stack(Arc::new(stacks::Creator(Arc::clone(&self.stacks))));
    }

    /// Whether the kernel says which pages may hold something. Where it does not, every memory that comes back is
    /// given back to the kernel whole, which is as safe and slower.
    pub fn lists_pages(&self) -> bool {
        self.memories.lists_pages()
    }

    /// Whether the kernel notes which pages of an image are written to. Where it does not, or may not (a filter of
    /// system calls, as containers have), it is asked about each page instead, which is as safe and slower.
    pub fn notes_writes(&self) -> bool {
        self.memories.notes_writes()
    }

    /// How many memories are lent.
    pub fn memories_lent(&self) -> usize {
        self.memories.lent()
    }

    /// Bytes that memories keep resident that nobody has.
    pub fn bytes_kept(&self) -> usize {
        self.memories.kept()
    }
}

/// Address space that a pool of so many slots reserves.
pub const fn address_space(slots: u64, stack_bytes: u64) -> u64 {
    let slot = (RESERVATION + GUARD) as u64;
    slots.saturating_mul(slot.saturating_add(stack_bytes)).saturating_add(GUARD as u64)
}

/// Address space for `count` spans of `len` bytes with `guard` bytes before, between and behind them.
fn reserve(count: u32, len: usize, guard: usize) -> Result<Vec<span::Span>, Refused> {
    let slots = usize::try_from(count).unwrap_or(usize::MAX);
    let bytes = len.checked_add(guard).and_then(|each| each.checked_mul(slots)?.checked_add(guard));
    let Some(bytes) = bytes else {
        return Err(Refused::Unsuitable(format!("{count} slots of {len} bytes are more than can be named")));
    };
    let reservation =
        Reservation::new(bytes).map_err(|error| Refused::AddressSpace { slots: count, bytes, error })?;
    Ok(reservation.split(slots, len, guard))
}
