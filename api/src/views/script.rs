//! A script as clients see it: by itself, and in its namespace.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;
use wasmyard_namespaces::{AssetsConfig, LimitSpec, Origin, Script};

/// What clients see of a script.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Script")]
pub(crate) struct View {
    /// The script's name: that is what clients know as its id.
    id: String,
    /// An identifier that outlives renames and uploads.
    tag: String,
    tags: Vec<String>,
    etag: String,
    created_on: String,
    modified_on: String,
    /// The identifier of the version that serves.
    deployment_id: String,
    version_number: u64,
    handlers: Vec<&'static str>,
    has_assets: bool,
    has_modules: bool,
    usage_model: &'static str,
    last_deployed_from: &'static str,
    logpush: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    compatibility_date: Option<String>,
    compatibility_flags: Vec<String>,
    #[schemars(with = "BTreeMap<String, Value>")]
    limits: LimitSpec,
    /// "api" or "config".
    #[schemars(with = "String")]
    origin: Origin,
    /// What the configuration names of it, and so only the configuration changes for good.
    declared: Vec<String>,
    main_module: String,
    /// What its code imports of the platform, without versions.
    imports: Vec<String>,
    /// Bytes of its code.
    size: u64,
    /// The assets, if there are any.
    #[serde(skip_serializing_if = "Option::is_none")]
    assets: Option<AssetsView>,
}

/// What clients see of a script's assets.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Assets")]
pub(crate) struct AssetsView {
    /// How many files there are.
    files: u64,
    /// Bytes of all files.
    bytes: u64,
    /// How they are served.
    #[schemars(with = "BTreeMap<String, Value>")]
    config: AssetsConfig,
}

/// A user script: clients look for the times and the name both outside and inside `script`.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "NamespacedScript")]
pub(crate) struct NamespacedView {
    id: String,
    dispatch_namespace: String,
    created_on: String,
    modified_on: String,
    tags: Vec<String>,
    script: View,
}

pub(crate) fn view(script: &Script) -> View {
    let version = &script.version;
    View {
        id: script.key.script().to_string(),
        tag: script.id.clone(),
        tags: super::tags(&script.tags),
        etag: version.etag.clone(),
        created_on: script.created_on.to_string(),
        modified_on: script.modified_on.to_string(),
        deployment_id: version.id.clone(),
        version_number: version.number,
        handlers: version.code.handlers().iter().map(|kind| kind.name()).collect(),
        has_assets: version.assets.is_some(),
        has_modules: !version.code.is_none(),
        usage_model: "standard",
        // Anything else makes wrangler ask before it deploys over it.
        last_deployed_from: "wrangler",
        logpush: false,
        compatibility_date: version.compatibility_date.clone(),
        compatibility_flags: version.compatibility_flags.clone(),
        limits: version.limits,
        origin: script.origin(),
        declared: super::declared(script.config.as_ref()),
        main_module: version.code.main_module().to_owned(),
        imports: version.code.imports().to_vec(),
        size: version.code.size(),
        assets: version.assets.as_ref().map(|assets| AssetsView {
            files: assets.files,
            bytes: assets.bytes,
            config: assets.config.clone(),
        }),
    }
}

pub(crate) fn namespaced(script: &Script) -> NamespacedView {
    NamespacedView {
        id: script.key.script().to_string(),
        dispatch_namespace: script.key.namespace().map(ToString::to_string).unwrap_or_default(),
        created_on: script.created_on.to_string(),
        modified_on: script.modified_on.to_string(),
        tags: super::tags(&script.tags),
        script: view(script),
    }
}
