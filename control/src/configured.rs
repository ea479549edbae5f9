//! Remarks on changes that the next start of the server undoes, because the configuration declares what was changed.
//!
//! Must never refuse anything: the registry does, where nobody forced the change.

use std::sync::Arc;

use wasmyard_namespaces::config_keys::{namespace_changes, script_changes};
use wasmyard_namespaces::{ConfigKeys, DnsRecord, Namespace, Origin, Route, Script};

/// More names than this are no help.
pub(crate) const MOST_NAMES: usize = 20;

/// A remark on what a change did to the declared keys of a script.
pub(crate) fn changed_script(before: &Script, after: &Script) -> Vec<String> {
    let changed = before.config.as_ref().map(|keys| script_changes(keys, before, after)).unwrap_or_default();
    remark(&changed)
}

/// A remark on what a change did to the declared keys of a namespace.
pub(crate) fn changed_namespace(before: &Namespace, after: &Namespace) -> Vec<String> {
    let Some(keys) = &before.config else { return Vec::new() };
    if before.name != after.name {
        return gone(Some(keys), &format!("namespace \"{}\"", before.name));
    }
    remark(&namespace_changes(keys, before, after))
}

/// A remark on something declared that is gone.
pub(crate) fn gone(config: Option<&ConfigKeys>, what: &str) -> Vec<String> {
    let note =
        config.map(|_| format!("the configuration declares the {what}: the next start makes it again."));
    note.into_iter().collect()
}

/// A remark on a declared route that was changed or removed.
pub(crate) fn route(route: &Route) -> Vec<String> {
    match route.origin {
        Origin::Config => vec![
            "the configuration declares this route: the next start puts back what the file says.".to_owned(),
        ],
        Origin::Api => Vec::new(),
    }
}

/// A remark on a declared DNS record that was changed or removed.
pub(crate) fn record(record: &DnsRecord) -> Option<String> {
    record.configuration.as_ref()?;
    let name = &record.name;
    Some(format!(
        "the configuration declares the DNS record {name}: the next start puts back what the file says."
    ))
}

/// A remark on the scripts that a deletion by tags left alone.
pub(crate) fn kept(left: &[Arc<Script>]) -> Vec<String> {
    let declared = left.iter().filter(|script| script.config.is_some());
    let names: Vec<String> = declared.map(|script| script.key.script().to_string()).collect();
    if names.is_empty() {
        return Vec::new();
    }
    vec![format!(
        "the configuration declares {}: not deleted, because the next start would make it again; force=true deletes \
         it until then.",
        names.join(", ")
    )]
}

/// A remark on what a change did to declared keys.
pub(crate) fn remark(changed: &[String]) -> Vec<String> {
    if changed.is_empty() {
        return Vec::new();
    }
    vec![format!(
        "the configuration declares {}: this holds until the next start, which puts back what the file says.",
        changed.join(", ")
    )]
}
