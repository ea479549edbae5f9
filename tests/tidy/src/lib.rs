//! Reads the project's own sources as text, for the tests that hold them to what the documents promise.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};

/// One crate of the workspace.
#[derive(Debug)]
pub struct Crate {
    /// Its folder, from the project's root.
    pub folder: String,
    /// Its source files, sorted by path.
    pub files: Vec<Source>,
}

/// One source file.
#[derive(Debug)]
pub struct Source {
    /// From the project's root, with `/`.
    pub path: String,
    /// The module that it is, from the crate's root: `["registry", "feed"]`; empty for the root itself.
    pub module: Vec<String>,
    /// What it says.
    pub text: String,
}

/// The project's root.
#[must_use]
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).map(Path::to_path_buf).unwrap_or_default()
}

/// All crates of the workspace, as its manifest lists them.
///
/// # Errors
///
/// When a file cannot be read.
pub fn crates(root: &Path) -> io::Result<Vec<Crate>> {
    let manifest = std::fs::read_to_string(root.join("Cargo.toml"))?;
    let members = manifest.lines().find_map(|line| line.strip_prefix("members = ")).unwrap_or_default();
    let mut crates = Vec::new();
    for folder in members.split('"').skip(1).step_by(2) {
        let src = root.join(folder).join("src");
        let mut files = Vec::new();
        for path in files_below(&src)? {
            if path.extension().is_none_or(|ending| ending != "rs") {
                continue;
            }
            let inside = path.strip_prefix(&src).unwrap_or(&path);
            files.push(Source {
                path: shown(root, &path),
                module: module(inside),
                text: std::fs::read_to_string(&path)?,
            });
        }
        crates.push(Crate { folder: folder.to_owned(), files });
    }
    Ok(crates)
}

/// All files below a folder, sorted; nothing that was built.
///
/// # Errors
///
/// When a folder cannot be read.
pub fn files_below(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder)? {
            let entry = entry?;
            let name = entry.file_name();
            let built = name.to_str().is_none_or(|name| matches!(name, "target" | "node_modules" | ".git"));
            match entry.file_type()? {
                kind if kind.is_dir() && !built => folders.push(entry.path()),
                kind if kind.is_file() => found.push(entry.path()),
                _ => {}
            }
        }
    }
    found.sort();
    Ok(found)
}

/// A path from the root, with `/`.
#[must_use]
pub fn shown(root: &Path, path: &Path) -> String {
    let inside = path.strip_prefix(root).unwrap_or(path);
    inside.iter().map(|part| part.to_string_lossy()).collect::<Vec<_>>().join("/")
}

fn module(inside: &Path) -> Vec<String> {
    let mut parts: Vec<String> = inside.iter().map(|part| part.to_string_lossy().into_owned()).collect();
    if let Some(last) = parts.pop() {
        let name = last.trim_end_matches(".rs");
        if !matches!(name, "lib" | "main" | "mod") {
            parts.push(name.to_owned());
        }
    }
    parts
}

/// Which modules of a crate name which others, by `crate::` and `super::` paths outside of tests. A module and those
/// that it stands in are one place here: a parent names its children, and they may name it.
#[must_use]
pub fn arrows(of: &Crate) -> BTreeMap<String, BTreeSet<String>> {
    let known: BTreeSet<String> = of.files.iter().map(|file| file.module.join("::")).collect();
    let mut arrows: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for file in of.files.iter().filter(|file| !is_test(file)) {
        let from = file.module.join("::");
        let to = arrows.entry(from.clone()).or_default();
        for named in named_paths(file) {
            let Some(target) = longest_known(&named, &known) else { continue };
            if !target.is_empty() && !from.is_empty() && !related(&from, &target) {
                to.insert(target);
            }
        }
    }
    arrows
}

fn is_test(file: &Source) -> bool {
    file.module.iter().any(|part| part == "tests" || part == "testing" || part == "contract")
}

fn related(one: &str, other: &str) -> bool {
    let inside = |inner: &str, outer: &str| {
        inner.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
    };
    inside(one, other) || inside(other, one)
}

/// The paths that a file names, from the crate's root. Braces are followed.
fn named_paths(file: &Source) -> Vec<Vec<String>> {
    let code = code(file);
    let mut paths = Vec::new();
    for (start, keyword) in code.match_indices("crate::").chain(code.match_indices("super::")) {
        let before = code.get(..start).and_then(|before| before.chars().next_back());
        if before.is_some_and(|before| before.is_alphanumeric() || matches!(before, '_' | ':' | '$')) {
            continue;
        }
        let mut base: Vec<String> = Vec::new();
        let mut rest = code.get(start..).unwrap_or_default();
        if keyword == "super::" {
            base.clone_from(&file.module);
            while let Some(more) = rest.strip_prefix("super::") {
                base.pop();
                rest = more;
            }
        } else {
            rest = rest.strip_prefix("crate::").unwrap_or(rest);
        }
        collect(&base, rest, &mut paths);
    }
    paths
}

/// Follows a path and the braces behind it.
fn collect(base: &[String], text: &str, paths: &mut Vec<Vec<String>>) {
    let mut path = base.to_vec();
    let mut rest = text;
    loop {
        if rest.starts_with('{') {
            for part in inside_braces(rest) {
                collect(&path, part.trim(), paths);
            }
            return;
        }
        let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
        let (name, more) = rest.split_at(end);
        if !name.is_empty() {
            path.push(name.to_owned());
        }
        match more.strip_prefix("::") {
            Some(after) if !name.is_empty() => rest = after,
            _ => break,
        }
    }
    paths.push(path);
}

/// The parts between the braces that a text begins with.
fn inside_braces(text: &str) -> Vec<&str> {
    let (mut depth, mut parts, mut from) = (0_u32, Vec::new(), 1);
    for (at, character) in text.char_indices() {
        match character {
            '{' => depth += 1,
            '}' => {
                depth -= 1;
                if depth == 0 {
                    parts.extend(text.get(from..at));
                    return parts;
                }
            }
            ',' if depth == 1 => {
                parts.extend(text.get(from..at));
                from = at + 1;
            }
            _ => {}
        }
    }
    parts
}

fn longest_known(path: &[String], known: &BTreeSet<String>) -> Option<String> {
    (0..=path.len())
        .rev()
        .filter_map(|count| path.get(..count))
        .map(|part| part.join("::"))
        .find(|part| known.contains(part))
}

/// Sets of modules that reach each other, each sorted.
#[must_use]
pub fn circles(arrows: &BTreeMap<String, BTreeSet<String>>) -> BTreeSet<BTreeSet<String>> {
    let reach = |from: &String| {
        let mut seen: BTreeSet<&String> = BTreeSet::new();
        let mut next: Vec<&String> = arrows.get(from).into_iter().flatten().collect();
        while let Some(module) = next.pop() {
            if seen.insert(module) {
                next.extend(arrows.get(module).into_iter().flatten());
            }
        }
        seen
    };
    let reached: BTreeMap<&String, BTreeSet<&String>> =
        arrows.keys().map(|from| (from, reach(from))).collect();
    let mut found = BTreeSet::new();
    for (from, seen) in &reached {
        if !seen.contains(from) {
            continue;
        }
        let circle = seen.iter().filter(|to| reached.get(**to).is_some_and(|back| back.contains(from)));
        found.insert(circle.map(|module| (*module).clone()).collect());
    }
    found
}

/// The files of a crate that read the machine's clock themselves, outside of tests: std's, or a date.
#[must_use]
pub fn clocks(of: &Crate) -> BTreeSet<String> {
    let files = of.files.iter().filter(|file| !is_test(file) && reads_clock(&code(file)));
    files.map(|file| file.path.clone()).collect()
}

fn reads_clock(code: &str) -> bool {
    // Tokio's moments stand still where a test pauses its time; std's do not.
    let mut lines = code.lines().map(str::trim_start);
    let of_std = lines.any(|line| line.starts_with("use std::time::") && line.contains("Instant"));
    ["SystemTime::now", "Timestamp::now", "now_utc", "std::time::Instant::now"]
        .iter()
        .any(|now| code.contains(now))
        || (of_std && code.contains("Instant::now"))
}

/// What a file says outside of its comments and its tests.
fn code(file: &Source) -> String {
    let code = file.text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
    code.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

/// The lines of a list: what stands before the first `:` that is followed by a space, with the reason behind it.
#[must_use]
pub fn listed(text: &str) -> BTreeMap<String, String> {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines
        .map(|line| line.split_once(": ").unwrap_or((line, "")))
        .map(|(what, why)| (what.to_owned(), why.to_owned()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(module: &str, text: &str) -> Source {
        let module = module.split("::").filter(|part| !part.is_empty()).map(str::to_owned).collect();
        Source { path: String::new(), module, text: text.to_owned() }
    }

    #[test]
    fn a_clock_is_found_where_it_is_stds_and_not_in_tests_or_comments() {
        for reads in [
            "use std::time::{Duration, Instant};\nfn f() { Instant::now(); }",
            "fn f() { std::time::SystemTime::now(); }",
            "fn f() { let began = std::time::Instant::now(); }",
            "fn f() { Timestamp::now(); }",
        ] {
            assert!(reads_clock(&code(&source("a", reads))), "{reads}");
        }
        for passes in [
            "use tokio::time::Instant;\nfn f() { Instant::now(); }",
            "use std::time::Instant;\nfn f(now: Instant) {}",
            "// SystemTime::now\n#[cfg(test)]\nmod tests { use std::time::SystemTime; fn f() { SystemTime::now(); } }",
        ] {
            assert!(!reads_clock(&code(&source("a", passes))), "{passes}");
        }
    }

    #[test]
    fn a_circle_is_found_through_braces_and_super_and_not_in_tests_or_comments() {
        let files = vec![
            source("", "mod a;"),
            source("a", "use crate::{b::Thing, c};"),
            source("b", "use super::d::e::Other;"),
            source("c", "// crate::a\n#[cfg(test)]\nmod tests { use crate::a; }"),
            source("d", ""),
            source("d::e", "use crate::a::What;\nuse super::f;"),
            source("d::f", "use super::super::d;"),
        ];
        let found = circles(&arrows(&Crate { folder: String::new(), files }));
        let circle: BTreeSet<String> = ["a", "b", "d::e"].map(str::to_owned).into();
        assert_eq!(found, [circle].into());
    }
}
