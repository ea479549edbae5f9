//! The tables of `docs/configuration.md`: a row for each key that is read, and in it the default that holds.

use std::collections::BTreeSet;
use std::fmt::Debug;

use super::super::raw::{RawEgress, RawEgressRules, RawServer};
use super::*;

const PAGE: &str = include_str!("../../../../../docs/configuration.md");

/// Key and default of each row of a section's first table.
fn rows(section: &str) -> Vec<(&'static str, &'static str)> {
    let (_, section) = PAGE.split_once(&format!("\n## `[{section}]`\n")).expect("the section is on the page");
    let table = section.lines().skip_while(|line| !line.starts_with("| `"));
    let row = |line: &'static str| {
        let mut cells = line.trim_matches('|').split('|').map(str::trim);
        (cells.next().unwrap().trim_matches('`'), cells.next().unwrap())
    };
    table.take_while(|line| line.starts_with("| `")).map(row).collect()
}

/// The fields of a structure, from what it prints.
fn fields(of: &impl Debug) -> BTreeSet<String> {
    let (mut depth, mut names) = (0, BTreeSet::new());
    for line in format!("{of:#?}").lines() {
        if depth == 1
            && let Some((name, _)) = line.trim().split_once(':')
        {
            names.insert(name.to_owned());
        }
        let opened = line.chars().filter(|c| "{[(".contains(*c)).count();
        depth = depth + opened - line.chars().filter(|c| "}])".contains(*c)).count();
    }
    names
}

/// What a default would be in the file; none where it is told in words.
fn literal(default: &str) -> Option<String> {
    let text = default.trim_matches('`');
    let quoted = default != text && (text.starts_with('"') || ["true", "false"].contains(&text));
    (quoted || text.chars().all(|c| c.is_ascii_digit())).then(|| text.to_owned())
}

/// The section with every default that has a literal.
fn with_defaults(section: &str) -> String {
    let lines = rows(section).into_iter().filter_map(|(key, default)| {
        let literal = literal(default)?;
        Some(format!("{key} = {literal}\n"))
    });
    format!("[{section}]\n{}", lines.collect::<String>())
}

#[test]
fn every_key_has_a_row_and_every_row_is_a_key() {
    let server = fields(&RawServer::default());
    let mut egress = fields(&RawEgress::default());
    egress.remove("rules");
    egress.extend(fields(&RawEgressRules::default()));
    for (section, keys) in [("server", server), ("egress", egress)] {
        let documented: BTreeSet<String> = rows(section).into_iter().map(|(key, _)| key.to_owned()).collect();
        assert_eq!(documented, keys, "[{section}] of docs/configuration.md");
        assert!(keys.len() > 10, "{keys:?}");
    }
}

#[test]
fn a_default_on_the_page_is_what_holds_without_the_key() {
    let text = with_defaults("server");
    assert!(text.lines().count() > 10, "{text}");
    let config = good(&text);
    assert_eq!(config.server, ServerConfig::defaults(&config.source.root), "{text}");
    let text = with_defaults("egress");
    assert!(text.lines().count() > 8, "{text}");
    assert_eq!(good(&text).egress, good("").egress, "{text}");
}
