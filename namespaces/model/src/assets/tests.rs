//! Tests of [`super`].

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

fn path(text: &str) -> AssetPath {
    AssetPath::parse(text).unwrap()
}

fn entry(content: &str, content_type: Option<&str>) -> AssetEntry {
    let digest = Digest::of(content.as_bytes());
    let mut hash = [0; 16];
    hash.copy_from_slice(&digest.as_bytes()[..16]);
    AssetEntry {
        hash: AssetHash::from_bytes(hash),
        size: content.len() as u64,
        digest,
        content_type: content_type.map(|text| ContentType::parse(text).unwrap()),
    }
}

#[test]
fn paths_have_one_spelling() {
    assert_eq!(path("/a//b///c.html").as_str(), "/a/b/c.html");
    for kept in ["/a", "/a b", "/50%.txt", "/a%20b", "/é/ü.css", "/.well-known/x", "/...", "/a..b", "/%2"] {
        assert_eq!(path(kept).as_str(), kept);
    }
}

#[test]
fn paths_that_two_readers_may_read_in_two_ways_are_refused() {
    let long = format!("/{}", "x".repeat(1024));
    for bad in [
        "",
        "a",
        "index.html",
        "/",
        "//",
        "/a/",
        "/..",
        "/a/../b",
        "/./a",
        "/a/.",
        "/%2e%2e/a",
        "/%2E./a",
        "/a%2fb",
        "/a%5Cb",
        "/a\\b",
        "/a\0b",
        "/a%00b",
        "/a\nb",
        "/a\u{7f}",
        "/a\u{85}",
        &long,
    ] {
        let error = AssetPath::parse(bad).unwrap_err();
        assert!(error.to_string().len() < 400, "{error}");
    }
    assert!(AssetPath::parse(&long[..1024]).is_ok());
}

#[test]
fn hashes_are_32_hex_digits_in_any_case() {
    let hash: AssetHash = "36B8be012ee77df5f269b11b975611d3".parse().unwrap();
    assert_eq!(hash.to_string(), "36b8be012ee77df5f269b11b975611d3");
    for bad in [
        "",
        "36b8",
        "08f1dfda4574284ab3c21666d1ee8c7d4",
        "g6b8be012ee77df5f269b11b975611d3",
        "é6b8be012ee77df5f269b11b975611d",
    ] {
        assert!(bad.parse::<AssetHash>().is_err(), "{bad}");
    }
}

#[test]
fn a_content_type_is_a_header_value() {
    assert_eq!(
        ContentType::parse(" text/html; charset=utf-8 ").unwrap().as_str(),
        "text/html; charset=utf-8"
    );
    for bad in ["", "  ", "text/html\r\nX: y", "text/\u{e9}", &"x".repeat(256)] {
        assert!(ContentType::parse(bad).is_err(), "{bad:?}");
    }
}

#[test]
fn a_type_is_said_denied_or_guessed() {
    let of = |said: Option<&str>, path| {
        Served::parse(said).unwrap().of(path).map(|content_type| content_type.to_string())
    };
    assert_eq!(of(Some("image/x"), "/a.html").as_deref(), Some("image/x"));
    assert_eq!(of(Some("application/null"), "/a.html"), None);
    for (path, guessed) in [
        ("/a.html", Some("text/html; charset=utf-8")),
        ("/a.js", Some("text/javascript; charset=utf-8")),
        ("/a.mjs", Some("text/javascript; charset=utf-8")),
        ("/a.json", Some("application/json")),
        ("/a.wasm", Some("application/wasm")),
        ("/a.svg", Some("image/svg+xml")),
        ("/a.woff2", Some("font/woff2")),
        ("/a.ts", Some("video/mp2t")),
        ("/a.M3U8", Some("application/vnd.apple.mpegurl")),
        ("/a.woff", Some("font/woff")),
        ("/a.otf", Some("font/otf")),
        ("/a.usdz", Some("model/vnd.usdz+zip")),
        ("/a.obj", Some("model/obj")),
        ("/a.stl", Some("model/stl")),
        ("/a.js.map", Some("application/json")),
        ("/a.cjs", Some("text/javascript; charset=utf-8")),
        ("/a.m4a", Some("audio/mp4")),
        ("/a.manifest", Some("text/cache-manifest; charset=utf-8")),
        ("/.ts", None),
        ("/a", None),
        ("/.html", None),
    ] {
        assert_eq!(of(None, path).as_deref(), guessed, "{path}");
    }
    assert!(Served::parse(Some("a\nb")).is_err());
}

#[test]
fn a_declared_manifest_is_checked_as_a_whole() {
    let declared = |hash: u8, size| Declared { hash: AssetHash::from_bytes([hash; 16]), size };
    let of = |files: &[(&str, Declared)]| {
        AssetDraft::new(files.iter().map(|(text, declared)| (path(text), *declared)).collect())
    };
    let draft = of(&[("/c", declared(1, 5)), ("/a b", declared(2, 0)), ("/b", declared(1, 5))]).unwrap();
    assert_eq!(draft.contents(), [declared(2, 0), declared(1, 5)]);
    assert_eq!((draft.size_of(&declared(1, 0).hash), draft.size_of(&declared(3, 0).hash)), (Some(5), None));
    assert_eq!(AssetDraft::decode(&draft.encode()).unwrap(), draft);
    assert!(matches!(
        of(&[("/a", declared(1, 5)), ("/b", declared(1, 6))]),
        Err(ManifestError::TwoSizes { .. })
    ));
    assert!(matches!(
        of(&[("/a", declared(1, 5)), ("//a", declared(1, 5))]),
        Err(ManifestError::Duplicate { .. })
    ));
    assert!(matches!(of(&[("/a", declared(1, 26_214_401))]), Err(ManifestError::TooLarge { .. })));
    for bad in
        ["x", "00 1 /a", "00000000000000000000000000000000 1 a", "00000000000000000000000000000000 -1 /a"]
    {
        assert!(AssetDraft::decode(bad.as_bytes()).is_err(), "{bad}");
    }
}

#[test]
fn a_manifest_finds_what_was_put_and_nothing_else() {
    let scope = AssetScope::namespace("ns");
    let files = vec![
        (path("/style.css"), entry("a", Some("text/css"))),
        (path("/index.html"), entry("b", Some("text/html"))),
        (path("/raw"), entry("", None)),
    ];
    let manifest = Manifest::new(scope.clone(), files.clone()).unwrap();
    for (path, entry) in &files {
        assert_eq!(manifest.get(path.as_str()), Some(entry));
    }
    assert!(
        manifest.get("/").is_none() && manifest.get("/index.htm").is_none() && manifest.get("").is_none()
    );
    let paths: Vec<&str> = manifest.iter().map(|(path, _)| path).collect();
    assert_eq!(paths, ["/index.html", "/raw", "/style.css"]);
    assert_eq!((manifest.len(), manifest.total_bytes()), (3, 2));
    let again = Manifest::decode(&manifest.encode()).unwrap();
    assert!(again.iter().eq(manifest.iter()));
    assert_eq!(again.scope(), &scope);
    // The same files in another order, or in another scope: one name, and another.
    let turned = Manifest::new(scope, files.iter().rev().cloned().collect()).unwrap();
    assert_eq!(turned.encode(), manifest.encode());
    let elsewhere = Manifest::new(AssetScope::platform(), files).unwrap();
    assert_ne!(elsewhere.encode(), manifest.encode());
}

#[test]
fn a_manifest_has_bounds() {
    let of = |files| Manifest::new(AssetScope::platform(), files);
    let twice = vec![(path("/a/b"), entry("x", None)), (path("//a//b"), entry("y", None))];
    assert!(matches!(of(twice), Err(ManifestError::Duplicate { .. })));
    let large = AssetEntry { size: 25 * 1024 * 1024 + 1, ..entry("x", None) };
    assert!(matches!(of(vec![(path("/a"), large.clone())]), Err(ManifestError::TooLarge { .. })));
    assert!(of(vec![(path("/a"), AssetEntry { size: large.size - 1, ..large })]).is_ok());
    let many =
        |count: usize| (0..count).map(|n| (path(&format!("/{n}")), entry("x", None))).collect::<Vec<_>>();
    assert!(matches!(of(many(20_001)), Err(ManifestError::TooManyFiles { found: 20_001 })));
    assert_eq!(of(many(20_000)).unwrap().len(), 20_000);
}

#[test]
fn the_configuration_has_the_names_of_the_wire() {
    let text = r#"{"html_handling":"drop-trailing-slash","not_found_handling":"404-page","run_worker_first":["/api/*","!/api/x"],"_headers":"/*\n  a: b","_redirects":"/a /b"}"#;
    let config: AssetsConfig = serde_json::from_str(text).unwrap();
    assert_eq!(config.html_handling, HtmlHandling::DropTrailingSlash);
    assert_eq!(config.not_found_handling, NotFoundHandling::Page404);
    assert_eq!(serde_json::to_string(&config).unwrap(), text);
    assert!(config.validate().is_ok());
    let spa: AssetsConfig =
        serde_json::from_str(r#"{"not_found_handling":"single-page-application","run_worker_first":true}"#)
            .unwrap();
    assert_eq!(spa.not_found_handling, NotFoundHandling::SinglePageApplication);
    assert_eq!(spa.run_worker_first, RunWorkerFirst::All(true));
    assert!(serde_json::from_str::<AssetsConfig>(r#"{"html_handling":"sometimes"}"#).is_err());
    assert!(serde_json::from_str::<AssetsConfig>(r#"{"run_worker_first":3}"#).is_err());
}

#[test]
fn rules_and_texts_have_bounds() {
    let rules = |rules: &[&str]| AssetsConfig {
        run_worker_first: RunWorkerFirst::Rules(rules.iter().map(ToString::to_string).collect()),
        ..AssetsConfig::default()
    };
    for good in [&["/api/*", "!/api/static/*"][..], &["/*"], &["/a", "/b"]] {
        assert_eq!(rules(good).validate(), Ok(()), "{good:?}");
    }
    let long = format!("/{}", "x".repeat(100));
    for bad in [&["api/*"][..], &["!/a"], &["/a", "/a"], &["/api/*", "/api/x"], &[&long], &[], &["/a\n"]] {
        assert!(rules(bad).validate().is_err(), "{bad:?}");
    }
    let many: Vec<String> = (0..101).map(|n| format!("/{n}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    assert!(rules(&many).validate().is_err() && rules(&many[..100]).validate().is_ok());
    let headers = AssetsConfig { headers: Some("x".repeat(128 * 1024 + 1)), ..AssetsConfig::default() };
    assert!(headers.validate().is_err());
}

#[test]
fn names_of_blobs_differ_by_scope_and_kind() {
    let digest = Digest::of(b"x");
    let (a, b) = (AssetScope::namespace("a"), AssetScope::namespace("b"));
    let mut names = vec![digest, content_blob(&a, &digest), content_blob(&b, &digest)];
    names.extend(Encoding::ALL.map(|encoding| variant_blob(&a, &digest, encoding)));
    let distinct: std::collections::BTreeSet<_> = names.iter().collect();
    assert_eq!(distinct.len(), names.len());
}

proptest! {
    #[test]
    fn no_path_makes_it_panic_and_a_parsed_one_stays(text in "/?.{0,40}") {
        if let Ok(parsed) = AssetPath::parse(&text) {
            prop_assert_eq!(AssetPath::parse(parsed.as_str()).unwrap(), parsed);
        }
    }

    #[test]
    fn no_bytes_make_the_decoder_panic(mut bytes in proptest::collection::vec(any::<u8>(), 0..200), good in any::<bool>()) {
        if good {
            let manifest = Manifest::new(AssetScope::platform(), vec![(path("/a"), entry("x", Some("text/plain")))]).unwrap();
            let mut start = manifest.encode().to_vec();
            start.truncate(bytes.len());
            start.iter().zip(&mut bytes).take(60).for_each(|(from, to)| *to = *from);
        }
        prop_assert!(Manifest::decode(&Bytes::from(bytes)).is_err() || good);
    }

    #[test]
    fn a_manifest_comes_back_as_it_was(files in proptest::collection::btree_map("[a-zA-Z0-9é. -]{1,12}", (".{0,9}", any::<bool>()), 0..40)) {
        let files: BTreeMap<_, _> = files
            .into_iter()
            .filter_map(|(name, content)| AssetPath::parse(&format!("/{name}")).ok().map(|path| (path, content)))
            .collect();
        let files: Vec<_> = files
            .into_iter()
            .map(|(path, (content, typed))| (path, entry(&content, typed.then_some("text/plain"))))
            .collect();
        let manifest = Manifest::new(AssetScope::platform(), files.clone()).unwrap();
        let again = Manifest::decode(&manifest.encode()).unwrap();
        prop_assert_eq!(again.len(), files.len());
        for (path, entry) in &files {
            prop_assert_eq!(again.get(path.as_str()), Some(entry));
        }
    }
}
