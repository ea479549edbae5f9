//! What clients see of records: the shapes that more than one resource answers with.
//!
//! Must never show what a secret holds: views are built from what is listed here and from nothing else.

pub(crate) mod binding;
pub(crate) mod custom_hostname;
pub(crate) mod namespace;
pub(crate) mod script;
pub(crate) mod zone;

use wasmyard_namespaces::{ConfigKeys, Tag};

/// Tags as clients read them.
pub(crate) fn tags(tags: &[Tag]) -> Vec<String> {
    tags.iter().map(ToString::to_string).collect()
}

/// The keys that the configuration names.
pub(crate) fn declared(config: Option<&ConfigKeys>) -> Vec<String> {
    config.into_iter().flat_map(ConfigKeys::iter).map(str::to_owned).collect()
}
