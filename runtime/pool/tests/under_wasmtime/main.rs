//! The pool under Wasmtime: what one instance leaves another never finds, and what lies outside a memory faults.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "tests stop where something is wrong"
)]

mod isolation;
mod lending;
mod outside;

use wasmtime::{Config, Engine, Instance, Memory, Module, Store};
use wasmyard_pool::{Pool, PoolConfig};

const PAGE: usize = 64 << 10;

/// A pool of so many slots of at most 128 pages.
fn pool(slots: u32) -> Pool {
    Pool::new(&config(slots)).unwrap()
}

fn config(slots: u32) -> PoolConfig {
    PoolConfig {
        slots,
        max_memory_bytes: 128 * PAGE,
        stack_bytes: 1 << 20,
        keep_bytes: 1 << 20,
        keep_bytes_together: 8 << 20,
    }
}

fn engine(pool: &Pool) -> Engine {
    let mut config = Config::new();
    wasmyard_pool::shape(&mut config);
    config.async_stack_size(1 << 20);
    pool.supply(&mut config);
    Engine::new(&config).unwrap()
}

fn module(engine: &Engine, text: &str) -> Module {
    Module::new(engine, wat::parse_str(text).unwrap()).unwrap()
}

/// One of a module that exports its memory as `memory`.
struct Live {
    store: Store<()>,
    instance: Instance,
    memory: Memory,
}

impl Live {
    fn of(module: &Module) -> wasmtime::Result<Self> {
        let mut store = Store::new(module.engine(), ());
        let instance = Instance::new(&mut store, module, &[])?;
        let memory = instance.get_memory(&mut store, "memory").unwrap();
        Ok(Self { store, instance, memory })
    }

    fn bytes(&mut self) -> &mut [u8] {
        self.memory.data_mut(&mut self.store)
    }

    fn grow(&mut self, pages: u64) -> wasmtime::Result<u64> {
        self.memory.grow(&mut self.store, pages)
    }

    fn call(&mut self, name: &str, argument: i32) -> wasmtime::Result<i32> {
        self.instance.get_typed_func(&mut self.store, name)?.call(&mut self.store, argument)
    }
}
