//! `docs/configuration.md`: its tables of keys are made from the declarations, and what they say is so.

use std::collections::BTreeSet;

use serde_json::Value;
use wasmyard_namespaces::AssetsConfig;
use wasmyard_namespaces::bindings::BindingType;

use super::super::keys::{RawAssets, RawConfig, RawEgress, RawServer};
use super::super::section::{Key, Section};
use super::*;

const PATH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/configuration.md");

#[test]
fn the_page_has_every_key_as_it_is_declared() {
    let page = std::fs::read_to_string(PATH).unwrap();
    let mut now = page.clone();
    for (name, table) in reference() {
        let opening = format!("<!-- keys: {name} -->\n");
        let (before, rest) =
            now.split_once(&opening).unwrap_or_else(|| panic!("the page has no {opening:?}"));
        let (_, after) = rest.split_once("<!-- /keys -->").expect("the page has the closing marker");
        now = format!("{before}{opening}{table}<!-- /keys -->{after}");
    }
    if std::env::var_os("WASMYARD_REFRESH").is_some() {
        std::fs::write(PATH, now).unwrap();
        return;
    }
    assert!(page == now, "docs/configuration.md is out of date: run the tests with WASMYARD_REFRESH=1");
}

#[test]
fn every_section_has_a_heading() {
    let page = std::fs::read_to_string(PATH).unwrap();
    let headings: Vec<&str> = page.lines().filter(|line| line.starts_with("## ")).collect();
    for key in RawConfig::keys() {
        let [table, list] = [format!("`[{}]`", key.name), format!("`[[{}]]`", key.name)];
        let has = headings.iter().any(|heading| heading.contains(&table) || heading.contains(&list));
        assert!(has, "{} is not among {headings:?}", key.name);
    }
}

/// The section with every default that can be written.
fn with_defaults(section: &str, keys: &[Key]) -> String {
    let line = |key: &Key| {
        let quoted = key.default.strip_prefix('`').and_then(|rest| rest.strip_suffix('`'));
        let number = key.default.parse::<u64>().is_ok().then_some(key.default.as_str());
        Some(format!("{} = {}\n", key.name, quoted.or(number)?))
    };
    let lines: String = keys.iter().filter_map(line).collect();
    format!("[{section}]\n{lines}")
}

#[test]
fn a_default_on_the_page_is_what_holds_without_the_key() {
    let text = with_defaults("server", &RawServer::keys());
    assert!(text.lines().count() > 10, "{text}");
    let config = good(&text);
    assert_eq!(config.server, ServerConfig::defaults(&config.source.root), "{text}");
    let text = with_defaults("egress", &RawEgress::keys());
    assert!(text.lines().count() > 8, "{text}");
    assert_eq!(good(&text).egress, good("").egress, "{text}");
}

#[test]
fn a_bound_on_the_page_is_the_last_value_that_is_taken() {
    let mut seen = 0;
    for (section, keys) in [("server", RawServer::keys()), ("egress", RawEgress::keys())] {
        for key in keys {
            let Some((least, most)) = key.value.split_once(" to ") else { continue };
            let Ok(least) = least.parse::<u64>() else { continue };
            let told = |value: u64| {
                let found = findings(&format!("[{section}]\n{} = {value}\n", key.name), Purpose::Check);
                found.iter().any(|finding| finding.contains("expected a whole number from"))
            };
            assert!(!told(least), "{section}.{} = {least}", key.name);
            assert!(least == 0 || told(least - 1), "{section}.{} from {least}", key.name);
            if let Ok(most) = most.parse::<u64>() {
                assert!(!told(most) && told(most + 1), "{section}.{} to {most}", key.name);
            }
            seen += 1;
        }
    }
    assert!(seen > 15, "{seen}");
}

#[test]
fn the_ways_of_serving_are_those_of_the_model() {
    // An error of serde lists the fields that there are.
    let error = serde_json::from_value::<AssetsConfig>(json!({ "?": 1 })).unwrap_err().to_string();
    let theirs: BTreeSet<String> = error.split('`').skip(3).step_by(2).map(str::to_owned).collect();
    let ours = RawAssets::keys().into_iter().map(|key| key.name);
    let ours = ours.filter(|name| !["directory", "binding"].contains(&name.as_str()));
    let files = ["_headers", "_redirects"].map(str::to_owned);
    assert_eq!(theirs, ours.chain(files).collect(), "{error}");
    // And their defaults.
    let defaults = RawAssets::keys().into_iter().filter(|key| key.default.starts_with('`'));
    let written: serde_json::Map<String, Value> = defaults
        .map(|key| (key.name, serde_json::from_str(key.default.trim_matches('`')).unwrap()))
        .collect();
    assert_eq!(written.len(), 4);
    let parsed: AssetsConfig = serde_json::from_value(Value::Object(written)).unwrap();
    assert_eq!(parsed, AssetsConfig::default());
}

#[test]
fn the_page_has_every_type_of_binding_with_its_fields() {
    let page = std::fs::read_to_string(PATH).unwrap();
    let (_, table) = page.split_once("| binding `type` | keys | gives |\n|---|---|---|\n").unwrap();
    let rows = table.lines().take_while(|line| line.starts_with('|')).map(|line| {
        let mut cells = line.trim_matches('|').split('|');
        let [name, fields] = [cells.next().unwrap(), cells.next().unwrap()];
        let fields: Vec<String> = fields.split('`').skip(1).step_by(2).map(str::to_owned).collect();
        (name.trim().trim_matches('`').to_owned(), fields)
    });
    let declared = BindingType::ALL.map(|kind| {
        let fields = kind.fields().iter().map(ToString::to_string).collect();
        (kind.as_str().to_owned(), fields)
    });
    assert_eq!(rows.collect::<BTreeSet<(String, Vec<String>)>>(), declared.into_iter().collect());
}
