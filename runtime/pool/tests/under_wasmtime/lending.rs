//! How many there are, what is said when there are no more, and how much is kept.

use wasmtime::{Config, Engine};
use wasmyard_pool::{Pool, PoolConfig, Refused};

use super::{Live, PAGE, config, engine, module, pool};

#[test]
fn when_all_memories_are_lent_the_next_is_refused_with_a_word_and_later_there_are_some_again() {
    let pool = pool(2);
    let engine = engine(&pool);
    let module = module(&engine, r#"(module (memory (export "memory") 1))"#);
    let first = Live::of(&module).unwrap();
    let second = Live::of(&module).unwrap();
    assert_eq!(pool.memories_lent(), 2);
    let error = Live::of(&module).err().unwrap();
    assert!(Refused::is_for_now(&error), "{error:#}");
    assert!(format!("{error:#}").contains("all 2 memories are in use"), "{error:#}");
    drop(first);
    let third = Live::of(&module).unwrap();
    drop((second, third));
    assert_eq!(pool.memories_lent(), 0);
}

#[test]
fn other_errors_are_not_taken_for_the_pools() {
    let pool = pool(1);
    let engine = engine(&pool);
    let module =
        module(&engine, r#"(module (memory (export "memory") 1) (data (i32.const 70000) "beyond"))"#);
    assert!(!Refused::is_for_now(&Live::of(&module).err().unwrap()));
    assert_eq!(pool.memories_lent(), 0, "what could not be made has given its memory back");
}

#[test]
fn what_is_kept_stays_within_its_bounds() {
    let pool = pool(64);
    let engine = engine(&pool);
    let module = module(&engine, r#"(module (memory (export "memory") 40))"#);
    for round in 0..3 {
        let mut all: Vec<_> = (0..64).map(|_| Live::of(&module).unwrap()).collect();
        for live in &mut all {
            assert!(live.bytes().iter().all(|byte| *byte == 0));
            live.bytes().fill(1);
        }
        assert_eq!(pool.memories_lent(), 64);
        drop(all);
        let bound = config(64).keep_bytes_together;
        assert!(pool.bytes_kept() <= bound, "round {round}: {}", pool.bytes_kept());
        if pool.lists_pages() {
            assert!(
                pool.bytes_kept() >= bound - config(64).keep_bytes,
                "round {round}: {}",
                pool.bytes_kept()
            );
        }
    }
    // Those that were used last stay warm: one at a time needs no other.
    for _ in 0..8 {
        Live::of(&module).unwrap().bytes()[..PAGE].fill(1);
        assert!(pool.bytes_kept() > 0 || !pool.lists_pages());
    }
}

#[test]
fn sizes_that_cannot_be_are_refused_with_a_word() {
    let too_large = PoolConfig { max_memory_bytes: (4 << 30) + 1, ..config(1) };
    assert!(matches!(Pool::new(&too_large), Err(Refused::Unsuitable(_))));
    assert!(matches!(Pool::new(&config(u32::MAX)), Err(Refused::Unsuitable(_))));
    // 390 TiB, of the 128 that a process can name.
    let error = Pool::new(&config(100_000)).err().unwrap();
    assert!(matches!(error, Refused::AddressSpace { slots: 100_000, .. }), "{error}");
}

#[test]
fn code_that_relies_on_more_than_there_is_is_refused() {
    let pool = pool(1);
    let mut config = Config::new();
    wasmyard_pool::shape(&mut config);
    config.memory_guard_size(1 << 30);
    pool.supply(&mut config);
    let engine = Engine::new(&config).unwrap();
    let module = module(&engine, r#"(module (memory (export "memory") 1))"#);
    let error = Live::of(&module).err().unwrap();
    assert!(!Refused::is_for_now(&error) && format!("{error:#}").contains("relies on"), "{error:#}");
}

#[test]
fn memories_and_stacks_outlive_the_pools_own_handle() {
    let pool = pool(1);
    let engine = engine(&pool);
    let mut live = Live::of(&module(&engine, r#"(module (memory (export "memory") 1))"#)).unwrap();
    drop((pool, engine));
    live.bytes().fill(1);
}
