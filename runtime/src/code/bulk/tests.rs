//! Tests of [`super`]: what comes out is valid, and does the same. That it can be stopped is shown where guests run.

use super::*;

fn valid(bytes: &[u8]) {
    wasmparser::Validator::new().validate_all(bytes).unwrap();
}

fn cut(wat: &str) -> Option<Vec<u8>> {
    let bytes = wat::parse_str(wat).unwrap();
    match in_pieces(&bytes) {
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
        assert_eq!(&*in_pieces(bytes), bytes);
    }
    for at in 8..good.len() {
        let mut bytes = good.clone();
        bytes[at] ^= 0x55;
        // Whatever comes of it: no panic, and no more than was there before and the functions.
        assert!(in_pieces(&bytes).len() < good.len() + 1_000);
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
