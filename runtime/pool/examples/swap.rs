//! Shows that what a guest wrote is gone for the next one when it was swapped out meanwhile, and that this test can
//! tell: Wasmtime's own pool, as it was configured once, fails it. `scripts/swap-test.sh` runs it where there is swap.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "it says what it found")]

use std::process::ExitCode;

use wasmtime::{
    Config, Enabled, Engine, Instance, InstanceAllocationStrategy, Memory, Module, PoolingAllocationConfig,
    Store,
};
use wasmyard_pool::{Pool, PoolConfig};

type Error = Box<dyn std::error::Error>;

const PAGE: usize = 64 << 10;
const SLOTS: u32 = 4;
const MARK: u8 = 0x5a;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("swap-test: FAILED: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Error> {
    let pool = Pool::new(&PoolConfig {
        slots: SLOTS,
        max_memory_bytes: 128 << 20,
        stack_bytes: 1 << 20,
        keep_bytes: 4 << 20,
        keep_bytes_together: 64 << 20,
    })?;
    println!(
        "swap-test: the kernel lists pages: {}, notes writes: {}",
        pool.lists_pages(),
        pool.notes_writes()
    );
    let mut ours = Config::new();
    wasmyard_pool::shape(&mut ours);
    pool.supply(&mut ours);
    let ours = Engine::new(&ours)?;
    shows_nothing("our pool", &ours)?;
    // As the runtime had it between the two: right, and slower.
    shows_nothing("Wasmtime's pool without its scan", &Engine::new(&wasmtimes(Enabled::No, 128 << 10))?)?;

    let Ok(theirs) = Engine::new(&wasmtimes(Enabled::Yes, 4 << 20)) else {
        println!(
            "swap-test: this kernel has no PAGEMAP_SCAN, so that the configuration of once cannot be compared"
        );
        return Ok(());
    };
    let mut shown = 0;
    for _ in 0..8 {
        let (away, found) = found_after_swap(&theirs)?;
        println!("swap-test: Wasmtime's pool with its scan: {away} pages swapped out, {found} bytes found");
        shown += found;
    }
    if shown == 0 {
        return Err("the configuration of once passed: this test would not see the fault".into());
    }
    Ok(())
}

/// Wasmtime's pool, which keeps so many bytes of a memory.
fn wasmtimes(scan: Enabled, keep: usize) -> Config {
    let mut slots = PoolingAllocationConfig::new();
    slots
        .total_core_instances(SLOTS)
        .total_memories(SLOTS)
        .max_memory_size(128 << 20)
        .pagemap_scan(scan)
        .linear_memory_keep_resident(keep);
    let mut config = Config::new();
    config.allocation_strategy(InstanceAllocationStrategy::Pooling(slots));
    config
}

/// Fails where the next guests find anything of those before, in one of several rounds.
fn shows_nothing(name: &str, engine: &Engine) -> Result<(), Error> {
    for round in 0..8 {
        let (away, found) = found_after_swap(engine)?;
        println!(
            "swap-test: {name}, round {round}: {away} pages swapped out, {found} bytes found by the next guests"
        );
        if found > 0 {
            return Err(format!("{name}: {found} bytes of one guest were shown to others").into());
        }
    }
    Ok(())
}

/// Fills all slots, has the kernel swap them out, and looks what the next guests find in them: how many pages were
/// away, and how many bytes were not zero.
fn found_after_swap(engine: &Engine) -> Result<(usize, usize), Error> {
    let filled = module(engine, r#"(module (memory (export "memory") 41))"#)?;
    let next = [
        module(engine, r#"(module (memory (export "memory") 1))"#)?,
        module(engine, r#"(module (memory (export "memory") 1) (data (i32.const 0) "own"))"#)?,
        module(engine, r#"(module (memory (export "memory") 41))"#)?,
    ];
    let mut lives = Vec::new();
    for _ in 0..SLOTS {
        let (mut store, memory) = instance(engine, &filled)?;
        // Not all of it: stretches with gaps between them, as guests leave them.
        for stretch in memory.data_mut(&mut store).chunks_mut(5 * PAGE) {
            let len = stretch.len().min(4 * PAGE);
            stretch.get_mut(..len).ok_or("no stretch")?.fill(MARK);
        }
        lives.push((store, memory));
    }
    let mut away = 0;
    for (store, memory) in &mut lives {
        away += page_out(memory.data_mut(store))?;
    }
    if away == 0 {
        return Err("the kernel swapped nothing out".into());
    }
    drop(lives);
    let mut found = 0;
    let mut lives = Vec::new();
    for (module, _) in next.iter().cycle().zip(0..SLOTS) {
        let (mut store, memory) = instance(engine, module)?;
        let missing = 41 - memory.size(&store);
        memory.grow(&mut store, missing)?;
        found += memory.data(&store).iter().filter(|byte| **byte == MARK).count();
        lives.push(store);
    }
    Ok((away, found))
}

fn module(engine: &Engine, text: &str) -> Result<Module, Error> {
    Ok(Module::new(engine, wat::parse_str(text)?)?)
}

fn instance(engine: &Engine, module: &Module) -> Result<(Store<()>, Memory), Error> {
    let mut store = Store::new(engine, ());
    let instance = Instance::new(&mut store, module, &[])?;
    let memory = instance.get_memory(&mut store, "memory").ok_or("no memory")?;
    Ok((store, memory))
}

/// Has the kernel swap a range out, and says how many pages of it are in swap then.
#[expect(unsafe_code, reason = "madvise")]
fn page_out(bytes: &mut [u8]) -> Result<usize, Error> {
    for _ in 0..100 {
        // SAFETY: the range is a slice of this process, borrowed exclusively; the advice changes no content.
        if unsafe { libc::madvise(bytes.as_mut_ptr().cast(), bytes.len(), libc::MADV_PAGEOUT) } != 0 {
            return Err(std::io::Error::last_os_error().into());
        }
        let away = swapped(bytes)?;
        if away > 0 {
            return Ok(away);
        }
        std::thread::yield_now();
    }
    Ok(0)
}

/// Counts the pages that are in swap, by the page map's old interface, which is not what is tried here.
fn swapped(bytes: &[u8]) -> Result<usize, Error> {
    use std::os::unix::fs::FileExt as _;
    const SWAPPED: u64 = 1 << 62;
    const HOST_PAGE: usize = 4096;
    let file = std::fs::File::open("/proc/self/pagemap")?;
    let first = bytes.as_ptr() as usize / HOST_PAGE;
    let mut entries = vec![0_u8; bytes.len() / HOST_PAGE * 8];
    file.read_exact_at(&mut entries, u64::try_from(first * 8)?)?;
    let away = |entry: &[u8]| entry.try_into().is_ok_and(|entry| u64::from_ne_bytes(entry) & SWAPPED != 0);
    Ok(entries.chunks_exact(8).filter(|entry| away(entry)).count())
}
