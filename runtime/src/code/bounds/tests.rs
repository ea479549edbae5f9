//! Tests of [`super`]: at each bound a component passes, one step past it is refused by name.

use super::*;

const MEMORY: u64 = 16 << 20;

fn refusal(text: &str) -> Option<String> {
    match check(&wat::parse_str(text).unwrap(), MEMORY) {
        Ok(()) => None,
        Err(ModuleError::Bound(text)) => Some(text),
        Err(other) => panic!("{other}"),
    }
}

/// `make` gets the number of things; the bound itself must pass, one more must not.
#[track_caller]
fn holds(bound: &Bound, make: impl Fn(u64) -> String) {
    assert_eq!(refusal(&make(bound.most)), None, "{} itself", bound.name);
    let refused = refusal(&make(bound.most + 1)).unwrap_or_else(|| panic!("{} was passed", bound.name));
    for part in
        [bound.name.to_owned(), bound.most.to_string(), (bound.most + 1).to_string(), bound.remedy.to_owned()]
    {
        assert!(refused.contains(&part), "{part:?} is not in {refused:?}");
    }
}

fn times(count: u64, text: &str) -> String {
    text.repeat(usize::try_from(count).unwrap())
}

fn module(fields: &str) -> String {
    format!("(component (core module {fields}))")
}

fn in_function(body: &str) -> String {
    module(&format!("(func {body})"))
}

#[test]
fn nothing_at_all_and_an_ordinary_component_pass() {
    assert_eq!(refusal("(component)"), None);
    assert_eq!(refusal(&module("(memory 1) (table 10 funcref) (func (loop (block)))")), None);
}

#[test]
fn nesting_and_the_number_of_modules_are_bounded() {
    holds(&DEPTH, |depth| format!("(component {}{})", times(depth, "(component "), times(depth, ")")));
    holds(&MODULES, |modules| format!("(component {} (component))", times(modules - 1, "(core module)")));
    holds(&CORE_INSTANCES, |instances| {
        let made = times(instances, "(core instance (instantiate $m))");
        // An instance of exports alone is none.
        format!("(component (core module $m) {made} (core instance))")
    });
    holds(&INSTANCES, |instances| {
        format!("(component (component $c) {})", times(instances, "(instance (instantiate $c))"))
    });
}

#[test]
fn functions_are_bounded_in_number_size_locals_and_nesting() {
    holds(&FUNCTIONS, |functions| module(&times(functions, "(func)")));
    holds(&FUNCTION_LOCALS, |locals| in_function(&format!("(local{})", times(locals, " i32"))));
    holds(&FUNCTION_NESTING, |depth| {
        in_function(&format!("{}{}", times(depth, "block "), times(depth, "end ")))
    });
    // The count of local groups, and the end, are two bytes.
    holds(&FUNCTION_BYTES, |bytes| in_function(&times(bytes - 2, "nop ")));
    holds(&LOOPS_BY_LOCALS, |product| {
        // A number of locals that divides it, so that the product can be hit exactly.
        let locals = if product % 5_000 == 0 { 5_000 } else { 3 };
        assert_eq!(product % locals, 0);
        in_function(&format!("(local{}) {}", times(locals, " i32"), times(product / locals, "(loop)")))
    });
}

#[test]
fn nesting_counts_what_is_open_and_not_what_was() {
    assert_eq!(refusal(&in_function(&times(10_000, "(block)"))), None);
    assert_eq!(refusal(&in_function(&times(10_000, "(loop)"))), None);
}

#[test]
fn definitions_are_bounded_in_all_modules_together() {
    holds(&GLOBALS, |globals| {
        let half = "(global i32 (i32.const 0))";
        format!(
            "(component (core module {}) (core module {}))",
            times(globals / 2, half),
            times(globals - globals / 2, half)
        )
    });
    holds(&MEMORIES, |memories| format!("(component {})", times(memories, "(core module (memory 0))")));
    holds(&TABLES, |tables| module(&times(tables, "(table 0 funcref)")));
    holds(&TABLE_ELEMENTS, |elements| module(&format!("(table {elements} funcref)")));
    holds(&ELEMENT_ITEMS, |items| module(&format!("(func $f) (elem func{})", times(items, " $f"))));
    holds(&TYPES, |types| module(&times(types, "(type (func))")));
    holds(&TYPES, |types| {
        // The instance's own type is one.
        format!("(component (type (instance {})))", times(types - 1, "(type u8)"))
    });
    holds(&DATA_SEGMENTS, |segments| module(&times(segments, "(data \"\")")));
    holds(&CANONICAL, |functions| {
        format!(
            "(component (type $r (resource (rep i32))) {})",
            times(functions, "(core func (canon resource.drop $r))")
        )
    });
}

#[test]
fn imports_exports_and_names_are_bounded() {
    holds(&IMPORTS, |imports| module(&times(imports, "(import \"\" \"\" (func))")));
    holds(&EXPORTS, |exports| {
        let exports = (0..exports).fold(String::new(), |all, n| all + &format!("(export \"{n}\" (func 0))"));
        module(&format!("(func) {exports}"))
    });
    holds(&NAME_BYTES, |bytes| module(&format!("(func (export \"{}\"))", times(bytes, "x"))));
    holds(&NAME_BYTES, |bytes| module(&format!("(import \"m\" \"{}\" (func))", times(bytes, "x"))));
}

#[test]
fn data_is_bounded_in_bytes() {
    holds(&DATA_BYTES, |bytes| module(&format!("(data \"{}\")", times(bytes, "x"))));
}

#[test]
fn memory_at_the_start_is_bounded_by_the_engines_ceiling() {
    let pages = MEMORY / PAGE_BYTES;
    for (most, fields) in [(pages, "(memory PAGES)"), (pages, "(import \"m\" \"m\" (memory PAGES))")] {
        assert_eq!(refusal(&module(&fields.replace("PAGES", &most.to_string()))), None);
        let refused = refusal(&module(&fields.replace("PAGES", &(most + 1).to_string()))).unwrap();
        assert!(refused.contains("16842752 bytes") && refused.contains("16777216"), "{refused}");
    }
    let refused = refusal(&module("(memory 65536)")).unwrap();
    assert!(refused.contains("4294967296"), "{refused}");
}

#[test]
fn what_cannot_be_read_is_invalid() {
    let whole = wat::parse_str(module("(func (loop (block)))")).unwrap();
    for length in 0..whole.len() {
        // Cut between two parts it is a shorter component, which is for the validator to judge.
        let cut = check(&whole[..length], MEMORY);
        assert!(matches!(cut, Ok(()) | Err(ModuleError::Invalid(_))), "{length}");
    }
    assert!(matches!(check(&whole[..whole.len() - 1], MEMORY), Err(ModuleError::Invalid(_))));
    assert!(matches!(check(b"", MEMORY), Err(ModuleError::Invalid(_))));
}

#[test]
fn instances_are_counted_unfolded() {
    // Each makes two of the one before: 2 to the power of `links` core instances.
    let chain = |links: usize| {
        let links = (1..=links).fold(String::new(), |all, n| {
            let twice = format!("(instance (instantiate $c{0})) (instance (instantiate $c{0}))", n - 1);
            all + &format!("(component $c{n} (alias outer 1 {} (component $c{})) {twice})", n - 1, n - 1)
        });
        format!("(component (component $c0 (core module $m) (core instance (instantiate $m))) {links}")
    };
    let made = |links: usize| chain(links) + &format!("(instance (instantiate $c{links})))");
    assert_eq!(refusal(&made(4)), None, "16 core instances");
    let refused = refusal(&made(5)).unwrap();
    assert!(refused.contains("32 instances of core modules"), "{refused}");
    let refused = refusal(&made(40)).unwrap();
    assert!(refused.contains("core_instances"), "{refused}");
    // What nobody instantiates costs nothing, up to the point where one of it would be too much.
    assert_eq!(refusal(&(chain(4) + ")")), None);
    // An export is one more name for the same.
    let renamed = "(component (component $c (core module $m) (core instance (instantiate $m)))
        (export $d \"d\" (component $c)) INSTANCES)";
    let instances = "(instance (instantiate $d))";
    assert_eq!(refusal(&renamed.replace("INSTANCES", &instances.repeat(20))), None);
    assert!(refusal(&renamed.replace("INSTANCES", &instances.repeat(21))).is_some());
}

#[test]
fn a_component_that_comes_from_elsewhere_is_not_instantiated() {
    let given = "(component (import \"c\" (component $c)) (instance (instantiate $c)))";
    assert!(refusal(given).unwrap().contains("it was given"));
}

#[test]
fn a_component_for_another_version_of_wasi_is_told_so_by_the_interface() {
    let refused =
        |text: &str| check(&wat::parse_str(text).unwrap(), MEMORY).err().map(|error| error.to_string());
    let import = |name: &str| format!("(component (import \"{name}\" (instance)))");
    for name in [
        "wasi:http/types@0.3.0",
        "wasi:clocks/types@0.3.0-rc-2025-09-16",
        "wasi:cli/run@1.0.0",
        "wasi:io/x@0.1.0",
    ] {
        for (does, text) in [
            ("imports", import(name)),
            ("exports", format!("(component (instance $i) (export \"{name}\" (instance $i)))")),
        ] {
            let text = refused(&text).unwrap_or_else(|| panic!("{name} was taken"));
            for part in [
                &format!("{does} {name}"),
                "WASI version 0.2",
                "wasm32-wasip2",
                "wasi:http/proxy@0.2",
                "wasmyard wit",
            ] {
                assert!(text.contains(part), "{part:?} is not in {text:?}");
            }
        }
        let inside = format!("(component {})", import(name));
        assert_eq!(refused(&inside), None, "what is inside may be given it there");
    }
    for name in [
        "wasi:http/types@0.2.0",
        "wasi:http/types@0.2.99",
        "wasi:keyvalue/store@0.2.0-draft",
        "wasi:logging/logging",
        "acme:a/b@0.3.0",
    ] {
        assert_eq!(refused(&import(name)), None, "{name}");
    }
    // By what it is for, and not by what its types need of the engine.
    let streams = r#"(component (import "wasi:http/types@0.3.0" (instance (type (stream u8)))))"#;
    assert!(refused(streams).unwrap().contains("wasi:http/types@0.3.0"));
}
