use proptest::prelude::*;
use sourcemap::SourceMapBuilder;
use wasmyard_namespaces::bundle::Part;

use super::*;

/// A map that says of row 2, columns 4 to 9, that it was row 12, column 8 of `../src/shop.ts`.
fn map() -> Vec<u8> {
    let mut builder = SourceMapBuilder::new(None);
    let id = builder.add_source("../src/shop.ts");
    builder.set_source_contents(id, Some("secret source"));
    builder.add(0, 0, 0, 0, Some("../src/shop.ts"), None, false);
    builder.add(1, 3, 11, 7, Some("../src/shop.ts"), None, false);
    builder.add(1, 9, 13, 0, Some("webpack://made/up"), None, false);
    let mut map = Vec::new();
    builder.into_sourcemap().to_writer(&mut map).unwrap();
    map
}

fn part(name: &str, kind: PartKind, bytes: impl Into<Bytes>) -> Part {
    Part { name: name.to_owned(), kind, bytes: bytes.into() }
}

fn maps(parts: Vec<Part>) -> Option<SourceMaps> {
    SourceMaps::of_bundle(&Bundle::new(parts).unwrap().written())
}

#[test]
fn a_place_is_where_it_was_written_wherever_the_map_is() {
    let beside = |source: &'static str, name| {
        maps(vec![part("dist/worker.js", PartKind::Module, source), part(name, PartKind::SourceMap, map())])
    };
    let encoded = base64::engine::general_purpose::STANDARD.encode(map());
    let inside = format!("x\n{NAMES_IT}data:application/json;charset=utf-8;base64,{encoded}\n");
    for maps in [
        beside("x", "dist/worker.js.map"),
        beside("x\n//# sourceMappingURL=other.map\n", "dist/other.map"),
        beside("x\n//# sourceMappingURL=./../dist/other.map", "dist/other.map"),
        maps(vec![part("dist/worker.js", PartKind::Module, inside)]),
    ] {
        let maps = maps.expect("it has a map");
        let text = "Error: no\n    at pay (dist/worker.js:2:5)\n    at dist/worker.js:1:1\n    at made (dist/worker.js:2:11)\n    at other (lib.js:2:5)";
        assert_eq!(
            maps.mapped(text).unwrap(),
            "Error: no\n    at pay (src/shop.ts:12:8)\n    at src/shop.ts:1:1\n    at made (webpack://made/up:14:1)\n    at other (lib.js:2:5)"
        );
        for same in [
            "    at pay (dist/worker.js:3:1)",
            "dist/worker.js:2:5",
            "    at pay (native)",
            "    at x (a:0:0)",
            "",
        ] {
            assert_eq!(maps.mapped(same), None, "{same}");
        }
    }
    assert!(beside("x", "elsewhere.map").is_none());
}

#[test]
fn what_is_no_map_or_too_large_is_none() {
    let of = |map: Vec<u8>| {
        maps(vec![part("a.js", PartKind::Module, "x"), part("a.js.map", PartKind::SourceMap, map)])
    };
    assert!(of(map()).is_some());
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let many = format!(
        r#"{{"version":3,"sources":["a"],"names":[],"mappings":"{}"}}"#,
        "AAAA,".repeat(MOST_PLACES + 1)
    );
    let of_maps = r#"{"version":3,"sections":[{"offset":{"line":0,"column":0},"map":{"version":3,"sources":["a"],"names":[],"mappings":"AAAA"}}]}"#;
    for broken in [
        "",
        "{",
        "null",
        deep.as_str(),
        many.as_str(),
        of_maps,
        r#"{"version":3,"sources":[],"names":[],"mappings":"AAAA"}"#,
    ] {
        assert!(of(broken.as_bytes().to_vec()).is_none(), "{:.60}", broken);
    }
    assert!(SourceMaps::of_bundle(&Bytes::from_static(b"no bundle")).is_none());
}

#[test]
fn frames_are_told_from_other_lines() {
    for frame in [
        "    at f (a.js:1:2)",
        "  at a.js:1:2",
        "\tat new Shop (lib/a b.js:10:20)",
        "at async x (a:b.js:1:2)",
    ] {
        assert!(is_frame(frame), "{frame}");
    }
    for other in [
        "",
        "at",
        "at x",
        "look at a.js:1:2",
        "    at f (native)",
        "    at f (a.js:1)",
        "    at f (a.js:x:2)",
    ] {
        assert!(!is_frame(other), "{other}");
    }
}

proptest! {
    #[test]
    fn nothing_that_a_script_says_stops_it(text in "(    at )?[ -~é\n]{0,80}", row in 0_u32..5, column in 0_u32..20) {
        let maps = maps(vec![part("a.js", PartKind::Module, "x"), part("a.js.map", PartKind::SourceMap, map())]).unwrap();
        let _whatever = maps.mapped(&text);
        let frame = format!("{text}    at f (a.js:{row}:{column})");
        let _whatever = maps.mapped(&frame);
    }
}
