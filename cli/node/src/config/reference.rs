//! The keys as the documentation shows them: tables in Markdown, made from the declarations.

use super::keys::RawConfig;
use super::section::{Key, Section as _};

/// A table for each part of the documentation that tells of keys, under the part's name.
pub fn reference() -> Vec<(&'static str, String)> {
    let mut parts = Vec::new();
    gather(&RawConfig::keys(), &mut parts);
    parts
}

/// Every part once: by the first section that it tells of.
fn gather(keys: &[Key], parts: &mut Vec<(&'static str, String)>) {
    for key in keys {
        if let Some(part) = key.apart
            && !parts.iter().any(|(known, _)| *known == part)
        {
            parts.push((part, markdown(&key.inside)));
        }
        gather(&key.inside, parts);
    }
}

/// Keys with those that are told of beside them, under their paths.
fn flat<'k>(prefix: &str, keys: &'k [Key]) -> Vec<(String, &'k Key)> {
    let mut found = Vec::new();
    for key in keys {
        let path = format!("{prefix}{}", key.name);
        let inside = if key.apart.is_none() { key.inside.as_slice() } else { &[] };
        found.push((path.clone(), key));
        found.extend(flat(&format!("{path}."), inside));
    }
    found
}

fn markdown(keys: &[Key]) -> String {
    let keys = flat("", keys);
    let with_defaults = keys.iter().any(|(_, key)| !key.default.is_empty());
    let mut text = if with_defaults {
        "| key | value | default | meaning |\n|---|---|---|---|\n".to_owned()
    } else {
        "| key | value | meaning |\n|---|---|---|\n".to_owned()
    };
    for (path, key) in keys {
        let default = if with_defaults { format!("{} | ", key.default) } else { String::new() };
        text += &format!("| `{path}` | {} | {default}{} |\n", key.value, key.about);
    }
    text
}
