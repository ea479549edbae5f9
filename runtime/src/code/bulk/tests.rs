//! Tests of [`super`]: what comes out is valid, and does the same. That it can be stopped is shown where guests run.

use super::*;

fn valid(bytes: &[u8]) {
    wasmparser::Validator::new().validate_all(bytes).unwrap();
}

fn cut(wat: &str) -> Option<Vec<u8>> {
    let bytes = wat::parse_str(wat).unwrap();
    match in_pieces(&bytes, false) {
        Cow::Borrowed(_) => None,
        Cow::Owned(cut) => {
            valid(&cut);
            Some(cut)
        }
    }
}

/// How many functions a module defines.
fn functions(bytes: &[u8]) -> u32 {
    let section = sections(bytes).flatten().find(|section| section.id == core::FUNCTION).unwrap();
    counted(section.payload).unwrap().0
}

const ALL: &str = r#"(module
    (import "env" "log" (func $log (param i32)))
    (memory (export "memory") 40)
    (data $long "PLACE")
    (func (export "fill") (param i32 i32 i32)
        (memory.fill (local.get 0) (local.get 1) (local.get 2)))
    (func (export "twice") (param i32 i32 i32)
        (memory.fill (local.get 0) (local.get 1) (local.get 2))
        (memory.copy (local.get 0) (local.get 1) (local.get 2)))
    (func (export "copy") (param i32 i32 i32)
        (call $log (i32.const 252))
        (memory.copy (local.get 0) (local.get 1) (local.get 2)))
    (func (export "init") (param i32 i32 i32)
        (memory.init $long (local.get 0) (local.get 1) (local.get 2))))"#;

fn all(segment_bytes: usize) -> Vec<u8> {
    cut(&ALL.replace("PLACE", &"x".repeat(segment_bytes))).unwrap()
}

#[test]
fn one_function_is_added_for_each_kind_of_instruction() {
    assert_eq!(functions(&all(10)), 4 + 2, "a short segment needs none");
    assert_eq!(functions(&all(PIECE as usize + 1)), 4 + 3);
}

#[test]
fn what_is_known_to_be_short_stays_as_it_is() {
    let short = "(module (memory 1) (func (memory.fill (i32.const 0) (i32.const 0) (i32.const 100))))";
    assert_eq!(cut(short), None);
    assert!(cut(&short.replace("100", "2000000")).is_some());
    assert_eq!(cut("(module (func))"), None);
    assert_eq!(cut("(component)"), None);
}

#[test]
fn where_fuel_is_counted_every_init_is_charged_by_a_function() {
    let short = r#"(module (memory 1) (data $short "abc") (func
        (memory.init $short (i32.const 0) (i32.const 0) (i32.const 3))))"#;
    assert_eq!(cut(short), None);
    let bytes = wat::parse_str(short).unwrap();
    let charged = in_pieces(&bytes, true);
    valid(&charged);
    assert_eq!(functions(&charged), 2);
}

/// The segments of a module: how it is copied (none: when an instruction says so), and how long.
fn segments(bytes: &[u8]) -> Vec<(Option<u32>, usize)> {
    let section = sections(bytes).flatten().find(|section| section.id == core::DATA).unwrap();
    let reader = wasmparser::DataSectionReader::new(BinaryReader::new(section.payload, 0)).unwrap();
    let kind = |kind: &wasmparser::DataKind<'_>| match kind {
        wasmparser::DataKind::Active { memory_index, .. } => Some(*memory_index),
        wasmparser::DataKind::Passive => None,
    };
    reader.into_iter().map(|segment| segment.unwrap()).map(|one| (kind(&one.kind), one.data.len())).collect()
}

#[test]
fn long_segments_are_copied_in_pieces_and_numbers_and_order_stay() {
    const LONG: usize = 2 * PIECE as usize + 5;
    let module = format!(
        r#"(module (import "env" "base" (global $base i32)) (memory 40)
            (data (i32.const 8) "first")
            (data (offset (global.get $base)) "{}")
            (data $passive "passive")
            (data (i32.const 9) "over it")
            (func (memory.init $passive (i32.const 0) (i32.const 0) (i32.const 3)) (data.drop $passive)))"#,
        "x".repeat(LONG)
    );
    let piece = PIECE as usize;
    let expected = [(Some(0), 5), (None, 0), (None, 7), (None, 0), (Some(0), piece), (Some(0), piece)];
    let expected: Vec<_> = expected.into_iter().chain([(Some(0), 5), (Some(0), 7)]).collect();
    assert_eq!(segments(&cut(&module).unwrap()), expected);
    assert_eq!(cut(&module.replace(&"x".repeat(LONG), "short")), None);
    // A module without any code, and one with an exact length.
    let exact = format!(r#"(module (memory 40) (data (i32.const 0) "{}"))"#, "x".repeat(2 * piece));
    assert_eq!(segments(&cut(&exact).unwrap()), [(None, 0), (Some(0), piece), (Some(0), piece)]);
}

#[test]
fn modules_inside_of_components_are_found_at_any_depth() {
    let module = "(core module (memory 1) (func (param i32)
        (memory.fill (i32.const 0) (i32.const 0) (local.get 0))))";
    assert!(cut(&format!("(component {module})")).is_some());
    assert!(cut(&format!("(component (component (component {module})))")).is_some());
}

#[test]
fn what_cannot_be_read_is_left_as_it_is() {
    let good = wat::parse_str(ALL).unwrap();
    for bytes in [&b""[..], b"\0asm", b"\0asm\x01\0\0\0\x0a\xff\xff\xff\xff\xff\xff", &good[..good.len() - 3]]
    {
        assert_eq!(&*in_pieces(bytes, false), bytes);
    }
    for at in 8..good.len() {
        let mut bytes = good.clone();
        bytes[at] ^= 0x55;
        // Whatever comes of it: no panic, and no more than was there before and the functions.
        assert!(in_pieces(&bytes, false).len() < good.len() + 1_000);
    }
}

#[test]
fn numbers_are_written_as_they_are_read() {
    for value in [0, 1, 127, 128, 16_383, 16_384, u32::MAX] {
        let mut bytes = Vec::new();
        push_leb(&mut bytes, value);
        assert_eq!(leb(&bytes), Some((value, &[][..])));
        let mut signed = Vec::new();
        push_signed_leb(&mut signed, i64::from(value));
        assert_eq!(BinaryReader::new(&signed, 0).read_var_i64().unwrap(), i64::from(value));
        let mut signed = Vec::new();
        push_signed_leb(&mut signed, -i64::from(value));
        assert_eq!(BinaryReader::new(&signed, 0).read_var_i64().unwrap(), -i64::from(value));
    }
}
