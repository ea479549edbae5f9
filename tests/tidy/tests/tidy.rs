//! The lists beside this file may only get shorter: an entry that is no longer true fails, too.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use wasmyard_tidy::{arrows, circles, clocks, crates, files_below, listed, root, shown};

/// From this many lines on, a file needs a reason.
const LINES: usize = 400;

fn list(name: &str) -> BTreeMap<String, String> {
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap();
    let listed = listed(&text);
    let unreasoned: Vec<_> = listed.iter().filter(|(_, why)| why.is_empty()).collect();
    assert!(unreasoned.is_empty(), "{name}: a reason is missing after \": \": {unreasoned:?}");
    listed
}

/// Both ways: what is found must be listed, and what is listed must be found.
fn agree(name: &str, found: &BTreeSet<String>) {
    let listed: BTreeSet<String> = list(name).into_keys().collect();
    let new: Vec<_> = found.difference(&listed).collect();
    let gone: Vec<_> = listed.difference(found).collect();
    assert!(new.is_empty(), "new, and not in tests/tidy/{name}: mend it, or give a reason there: {new:#?}");
    assert!(gone.is_empty(), "no longer so: take it out of tests/tidy/{name}: {gone:#?}");
}

#[test]
fn modules_do_not_go_round_in_circles() {
    let mut found = BTreeSet::new();
    for part in crates(&root()).unwrap() {
        for circle in circles(&arrows(&part)) {
            found.insert(format!("{} {}", part.folder, Vec::from_iter(circle).join(" ")));
        }
    }
    agree("circles.txt", &found);
}

#[test]
fn large_files_have_a_reason() {
    let crates = crates(&root()).unwrap();
    let large = crates.iter().flat_map(|part| &part.files).filter(|file| file.text.lines().count() > LINES);
    agree("large-files.txt", &large.map(|file| file.path.clone()).collect());
}

#[test]
fn clocks_are_handed_in() {
    let crates = crates(&root()).unwrap();
    // What measures reads the clock.
    let host = crates.iter().filter(|part| part.folder != "benches" && !part.folder.starts_with("tests/"));
    agree("clocks.txt", &host.flat_map(clocks).collect());
}

#[test]
fn a_public_name_stands_for_one_type_of_its_crate() {
    let mut doubled = BTreeSet::new();
    for part in crates(&root()).unwrap() {
        let mut names: BTreeMap<&str, usize> = BTreeMap::new();
        for line in part.files.iter().flat_map(|file| file.text.lines()) {
            let Some(rest) = line.strip_prefix("pub ") else { continue };
            let kinds = ["struct ", "enum ", "trait ", "type ", "union "];
            let Some(rest) = kinds.iter().find_map(|kind| rest.strip_prefix(kind)) else { continue };
            let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
            *names.entry(rest.get(..end).unwrap()).or_default() += 1;
        }
        let twice = names.into_iter().filter(|(_, count)| *count > 1);
        doubled.extend(twice.map(|(name, _)| format!("{} {name}", part.folder)));
    }
    agree("public-names.txt", &doubled);
}

#[test]
fn the_map_names_every_crate_and_folder() {
    let root = root();
    let map = std::fs::read_to_string(root.join("ARCHITECTURE.md")).unwrap();
    let missing: Vec<String> = crates(&root)
        .unwrap()
        .into_iter()
        .map(|part| part.folder)
        .filter(|folder| !map.contains(&format!("`{folder}`")) && !map.contains(&format!("{folder}/")))
        .collect();
    assert!(missing.is_empty(), "ARCHITECTURE.md does not name these crates: {missing:?}");
    let folders = std::fs::read_dir(&root).unwrap().map(|entry| entry.unwrap());
    let folders = folders.filter(|entry| entry.file_type().unwrap().is_dir());
    let names = folders.map(|entry| entry.file_name().into_string().unwrap());
    let unnamed: Vec<String> = names
        .filter(|name| !name.starts_with('.') && name != "target" && name != "node_modules")
        .filter(|name| !map.contains(&format!("{name}/")) && !map.contains(&format!("`{name}`")))
        .collect();
    assert!(unnamed.is_empty(), "ARCHITECTURE.md does not name these folders: {unnamed:?}");
}

#[test]
fn links_in_documents_lead_somewhere() {
    let root = root();
    let mut broken = Vec::new();
    for page in files_below(&root).unwrap() {
        if page.extension().is_none_or(|ending| ending != "md") {
            continue;
        }
        let text = std::fs::read_to_string(&page).unwrap();
        for target in targets(&text) {
            let (path, anchor) = target.split_once('#').unwrap_or((target, ""));
            let file = if path.is_empty() { page.clone() } else { page.parent().unwrap().join(path) };
            let found = file.exists() && (anchor.is_empty() || file.is_dir() || has_heading(&file, anchor));
            if !found {
                broken.push(format!("{}: {target}", shown(&root, &page)));
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}

/// Where links lead that stay in the project. Code is left out.
fn targets(text: &str) -> Vec<&str> {
    let mut fenced = false;
    let mut found = Vec::new();
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        }
        if fenced {
            continue;
        }
        let prose = line.split('`').step_by(2);
        for part in prose.flat_map(|part| part.split("](").skip(1)) {
            let target = part.split([')', ' ']).next().unwrap_or_default();
            let outside = target.contains("://") || target.starts_with("mailto:") || target.is_empty();
            found.extend((!outside).then_some(target));
        }
    }
    found
}

/// Whether a page has a heading with that anchor: lower case, spaces as hyphens, nothing but letters, digits, hyphens
/// and underscores.
fn has_heading(page: &Path, anchor: &str) -> bool {
    let text = std::fs::read_to_string(page).unwrap_or_default();
    text.lines().filter(|line| line.starts_with('#')).any(|line| {
        let title = line.trim_start_matches('#').trim().to_lowercase();
        let kept = title.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
        kept.map(|c| if c == ' ' { '-' } else { c }).collect::<String>() == anchor
    })
}
