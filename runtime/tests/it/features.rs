//! Proposals that are off: a component that uses one is refused, and the text says which.

use wasmyard_runtime::{CompileJob, Metering, ModuleError, compile};

fn refusal(component: &str) -> String {
    let component = wat::parse_str(component).unwrap().into();
    let job = CompileJob {
        metering: Metering::Time,
        max_memory_bytes: 128 << 20,
        threads: 1,
        in_background: false,
        javascript: None,
        component,
    };
    match compile(&job) {
        Err(ModuleError::Invalid(text)) => text,
        Err(other) => panic!("{other}"),
        Ok(_) => "taken".to_owned(),
    }
}

#[test]
fn a_core_module_that_uses_what_is_off_is_refused_by_name() {
    for (fields, named) in [
        ("(memory 1 1 shared)", "threads"),
        ("(memory 1) (func (drop (i32.atomic.load (i32.const 0))))", "threads"),
        ("(global (shared i32) (i32.const 0))", "shared-everything"),
        ("(type (struct (field i32)))", "gc"),
        ("(type (array i8))", "gc"),
        ("(func (param (ref null any)))", "gc"),
        ("(func (param externref))", "gc"),
        ("(type $f (func)) (func (param (ref $f)) (call_ref $f (local.get 0)))", "function references"),
        ("(tag)", "exceptions"),
        ("(tag $t) (func (throw $t))", "exceptions"),
        ("(memory i64 1)", "memory64"),
        ("(table i64 1 funcref)", "memory64"),
        ("(memory 1 (pagesize 1))", "custom page sizes"),
        ("(memory 1) (memory 1)", "multiple memories"),
        (
            "(func (param i64 i64) (result i64 i64) (i64.add128 (local.get 0) (local.get 1) (local.get 0) (local.get 1)))",
            "wide arithmetic",
        ),
        ("(type $f (func)) (type (cont $f))", "stack switching"),
        (
            "(func (param v128 v128 v128) (result v128) (i8x16.relaxed_laneselect (local.get 0) (local.get 1) (local.get 2)))",
            "relaxed SIMD",
        ),
    ] {
        let text = refusal(&format!("(component (core module {fields}))"));
        assert!(text.to_lowercase().contains(&named.to_lowercase()), "{named} in {fields}: {text}");
    }
}

#[test]
fn a_component_that_uses_what_is_off_is_refused_by_name() {
    for (fields, named) in [
        (
            "(core module $m (func (export \"f\") (result i32) i32.const 0)) (core instance $i (instantiate $m)) (func async (canon lift (core func $i \"f\") async))",
            "async",
        ),
        ("(type (stream u8))", "async"),
        ("(type (future u8))", "async"),
        ("(core func (canon task.return))", "async"),
        ("(core func (canon waitable-set.new))", "async"),
        ("(core func (canon error-context.drop))", "error"),
        ("(core func (canon thread.available_parallelism))", "thread"),
        ("(type (map string u8))", "map"),
        ("(type (list u8 4))", "fixed"),
    ] {
        let text = refusal(&format!("(component {fields})"));
        assert!(text.contains(named), "{named} in {fields}: {text}");
    }
}

#[test]
fn what_toolchains_emit_is_taken() {
    for fields in [
        "(memory 1) (func (memory.fill (i32.const 0) (i32.const 0) (i32.const 1)))",
        "(func (result i32 i32) i32.const 1 i32.const 2)",
        "(func (result i32) (i32.extend8_s (i32.const 1)))",
        "(func (result i32) (i32.trunc_sat_f32_s (f32.const 1)))",
        "(func (result v128) (i32x4.splat (i32.const 1)))",
        "(func $f (return_call $f))",
        "(table 1 funcref) (func (table.set (i32.const 0) (ref.null func)))",
        "(global i32 (i32.add (i32.const 1) (i32.const 2)))",
    ] {
        assert_eq!(refusal(&format!("(component (core module {fields}))")), "taken", "{fields}");
    }
}
