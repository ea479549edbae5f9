//! What lies outside a memory faults, wherever it is and whoever had the slot before.

use wasmtime::{Engine, Module, Trap};

use super::{Live, PAGE, engine, module, pool};

fn reader(engine: &Engine, pages: usize) -> Module {
    let far = (1_u64 << 32) - 1;
    module(
        engine,
        &format!(
            r#"(module (memory (export "memory") {pages})
                (func (export "read") (param i32) (result i32) (i32.load8_u (local.get 0)))
                (func (export "write") (param i32) (result i32)
                    (i32.store8 (local.get 0) (i32.const 1)) (i32.const 0))
                (func (export "far") (param i32) (result i32) (i32.load8_u offset={far} (local.get 0)))
                (func (export "wide") (param i32) (result i32)
                    (drop (v128.load offset=33554400 (local.get 0))) (i32.const 0)))"#
        ),
    )
}

#[track_caller]
fn traps(live: &mut Live, name: &str, at: u64) {
    let at = i32::from_ne_bytes(u32::try_from(at).unwrap().to_ne_bytes());
    let error = live.call(name, at).unwrap_err();
    assert!(matches!(error.downcast_ref(), Some(Trap::MemoryOutOfBounds)), "{name} {at:#x}: {error:#}");
}

#[track_caller]
fn check_bounds(live: &mut Live) {
    let end = live.bytes().len() as u64;
    if end > 0 {
        assert!(live.call("read", i32::try_from(end - 1).unwrap()).is_ok());
        assert!(live.call("write", i32::try_from(end - 1).unwrap()).is_ok());
    }
    for at in [end, end + 1, end + 4095, end + PAGE as u64, 1 << 30, 1 << 31, (1 << 32) - 1] {
        traps(live, "read", at);
        traps(live, "write", at);
        traps(live, "far", at);
        traps(live, "wide", at);
    }
    traps(live, "far", 1);
    traps(live, "wide", end.saturating_sub(33_554_400));
}

#[test]
fn every_address_outside_faults_at_first_after_growth_and_after_somebody_larger() {
    let pool = pool(2);
    let engine = engine(&pool);
    let sizes = [1, 40, 0, 17, 128, 3];
    let modules: Vec<_> = sizes.iter().map(|pages| reader(&engine, *pages)).collect();
    for module in modules.iter().chain(modules.iter().rev()) {
        let mut neighbour = Live::of(&modules[1]).unwrap();
        neighbour.bytes().fill(7);
        let mut live = Live::of(module).unwrap();
        check_bounds(&mut live);
        if live.grow(5).is_ok() {
            check_bounds(&mut live);
        }
        assert!(neighbour.bytes().iter().all(|byte| *byte == 7));
    }
}

#[test]
fn a_memory_grows_to_its_bound_and_no_further() {
    let pool = pool(1);
    let engine = engine(&pool);
    let mut live = Live::of(&reader(&engine, 100)).unwrap();
    assert!(live.grow(29).is_err());
    assert_eq!(live.grow(28).unwrap(), 100);
    assert!(live.grow(1).is_err());
    check_bounds(&mut live);
}
