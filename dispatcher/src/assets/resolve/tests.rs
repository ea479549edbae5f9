//! One row for each sentence of the semantics that concern html handling and what is not found.

use std::collections::HashMap;

use HtmlHandling::{AutoTrailingSlash as Auto, DropTrailingSlash as Drop, ForceTrailingSlash as Force};
use proptest::prelude::*;

use super::*;

const MODES: [HtmlHandling; 4] = [Auto, Force, Drop, HtmlHandling::None];

/// What a request comes to, as a text: a file, `-> path`, `404 file`, or `miss`.
fn outcome(files: &[&str], html: HtmlHandling, not_found: NotFoundHandling, path: &str) -> String {
    let names: HashMap<&str, usize> = files.iter().copied().zip(0..).collect();
    match resolve(html, not_found, path, &|path: &str| names.get(path).copied()) {
        Some(Resolved::File(file)) => files[file].to_owned(),
        Some(Resolved::NotFound { file, status }) => format!("{status} {}", files[file]),
        Some(Resolved::Moved(to)) => format!("-> {to}"),
        None => "miss".to_owned(),
    }
}

/// Files, then rows of a path and its outcome in the modes auto, force, drop and none.
fn check(files: &[&str], rows: &[(&str, [&str; 4])]) {
    for (path, expected) in rows {
        for (html, expected) in MODES.into_iter().zip(expected) {
            let found = outcome(files, html, NotFoundHandling::None, path);
            assert_eq!(found, *expected, "{path} with {files:?} in mode {html:?}");
        }
    }
}

#[test]
fn a_page() {
    check(
        &["/file.html"],
        &[
            ("/file", ["/file.html", "-> /file/", "/file.html", "miss"]),
            ("/file/", ["-> /file", "/file.html", "-> /file", "miss"]),
            ("/file.html", ["-> /file", "-> /file/", "-> /file", "/file.html"]),
            ("/file/index", ["-> /file", "-> /file/", "-> /file", "miss"]),
            ("/file/index.html", ["-> /file", "-> /file/", "-> /file", "miss"]),
            ("/file.html/", ["miss", "miss", "miss", "miss"]),
            ("/other", ["miss", "miss", "miss", "miss"]),
            ("/File", ["miss", "miss", "miss", "miss"]),
        ],
    );
}

#[test]
fn a_folder() {
    check(
        &["/dir/index.html"],
        &[
            ("/dir", ["-> /dir/", "-> /dir/", "/dir/index.html", "miss"]),
            ("/dir/", ["/dir/index.html", "/dir/index.html", "-> /dir", "miss"]),
            ("/dir/index", ["-> /dir/", "-> /dir/", "-> /dir", "miss"]),
            ("/dir/index.html", ["-> /dir/", "-> /dir/", "-> /dir", "/dir/index.html"]),
            ("/dir.html", ["-> /dir/", "-> /dir/", "-> /dir", "miss"]),
        ],
    );
}

#[test]
fn a_page_and_a_folder_of_one_name() {
    check(
        &["/both.html", "/both/index.html"],
        &[
            ("/both", ["/both.html", "-> /both/", "/both.html", "miss"]),
            ("/both/", ["/both/index.html", "/both/index.html", "-> /both", "miss"]),
            ("/both.html", ["-> /both", "/both.html", "-> /both", "/both.html"]),
            ("/both/index.html", ["-> /both/", "-> /both/", "/both/index.html", "/both/index.html"]),
            ("/both/index", ["-> /both/", "-> /both/", "-> /both", "miss"]),
        ],
    );
}

#[test]
fn the_root() {
    check(
        &["/index.html"],
        &[
            ("/", ["/index.html", "/index.html", "/index.html", "miss"]),
            ("/index", ["-> /", "-> /", "-> /", "miss"]),
            ("/index.html", ["-> /", "-> /", "-> /", "/index.html"]),
        ],
    );
}

#[test]
fn an_exact_file_wins_over_the_forms_of_a_page() {
    check(
        &["/file", "/file.html", "/file/index.html", "/dir/index"],
        &[
            ("/file", ["/file", "/file", "/file", "/file"]),
            // Nothing is sent to a path that is a file of its own; the folder's page is another matter.
            ("/file.html", ["-> /file/", "/file.html", "/file.html", "/file.html"]),
            ("/dir/index", ["/dir/index", "/dir/index", "/dir/index", "/dir/index"]),
        ],
    );
    check(&["/a.js", "/a.js.html"], &[("/a.js", ["/a.js", "/a.js", "/a.js", "/a.js"])]);
}

#[test]
fn a_page_is_sent_on_only_to_where_it_is_served() {
    // `/x/` is for the folder's file, so the page stays at its own name where pages get a slash.
    check(&["/x.html", "/x/index.html"], &[("/x.html", ["-> /x", "/x.html", "-> /x", "/x.html"])]);
    // A page with a name like an ending.
    check(&["/.html"], &[("/", ["/.html", "/.html", "/.html", "miss"])]);
}

#[test]
fn a_single_page_application_answers_whatever_is_not_there() {
    let found = |files: &[&str], path| outcome(files, Auto, NotFoundHandling::SinglePageApplication, path);
    assert_eq!(found(&["/index.html", "/app.js"], "/deep/link"), "200 /index.html");
    assert_eq!(found(&["/index.html", "/app.js"], "/app.js"), "/app.js");
    assert_eq!(found(&["/index.html"], "/missing.png"), "200 /index.html");
    assert_eq!(found(&["/app.js"], "/deep/link"), "miss", "there is no page to answer with");
    for html in MODES {
        let found = outcome(&["/index.html"], html, NotFoundHandling::SinglePageApplication, "/a/");
        assert_eq!(found, "200 /index.html", "{html:?}");
    }
}

#[test]
fn the_nearest_404_page_answers() {
    let files = ["/404.html", "/blog/404.html"];
    let found = |path| outcome(&files, Auto, NotFoundHandling::Page404, path);
    for (path, expected) in [
        ("/missing", "404 /404.html"),
        ("/", "404 /404.html"),
        ("/blog/missing", "404 /blog/404.html"),
        ("/blog/", "404 /blog/404.html"),
        ("/blog", "404 /404.html"),
        ("/blog/2024/05/missing", "404 /blog/404.html"),
        ("/other/deep/missing/", "404 /404.html"),
    ] {
        assert_eq!(found(path), expected, "{path}");
    }
    assert_eq!(outcome(&["/a/404.html"], Auto, NotFoundHandling::Page404, "/b/x"), "miss");
    // Asked for by its name it is a page like any other.
    assert_eq!(found("/404"), "/404.html");
}

proptest! {
    /// Whatever there is: a move leads to a file at once, never to another move.
    #[test]
    fn every_move_ends_at_a_file(
        files in proptest::collection::hash_set("(/[ab](\\.html)?(/[ab]|/index)?(\\.html)?|/index.html)", 1..6),
        path in "(/[ab](\\.html)?)?(/[ab])?(/index)?(\\.html)?/?",
        mode in 0..4usize,
    ) {
        let path = format!("/{}", path.trim_start_matches('/'));
        let files: Vec<&str> = files.iter().map(String::as_str).collect();
        let html = MODES[mode];
        let found = outcome(&files, html, NotFoundHandling::None, &path);
        if let Some(to) = found.strip_prefix("-> ") {
            let then = outcome(&files, html, NotFoundHandling::None, to);
            prop_assert!(files.contains(&then.as_str()), "{path} -> {to} -> {then} with {files:?}");
        }
    }
}
