//! How records look in the store.
//!
//! Owns the keys and the JSON of scripts. Scripts are kept by the *id* of their namespace, so that renaming
//! it is one write. The JSON of a script holds its secrets: it goes to the store and nowhere else.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Result;
use crate::assets::VersionAssets;
use crate::binding::BindingDecl;
use crate::config_keys::ConfigKeys;
use crate::digest::Digest;
use crate::error::RegistryError;
use crate::limits::LimitSpec;
use crate::name::{NamespaceName, ScriptName, Tag};
use crate::route::RoutePattern;
use crate::script::{Script, ScriptKey, Version};
use crate::store::{Entry, Write};
use crate::timestamp::Timestamp;

pub(super) const NAMESPACES: &str = "namespace/";
pub(super) const PURGES: &str = "purge/";
pub(super) const PLATFORM_SCRIPTS: &str = "platform/";
pub(super) const USER_SCRIPTS: &str = "script/";
pub(super) const ROUTES: &str = "route/";
pub(super) const TOKENS: &str = "token/";

pub(super) fn namespace_key(id: &str) -> String {
    format!("{NAMESPACES}{id}")
}

/// Makes names unique; the value is the id.
pub(super) fn namespace_name_key(name: &NamespaceName) -> String {
    format!("namespace-name/{name}")
}

/// A namespace that is gone, with scripts that may not be gone yet.
pub(super) fn purge_key(id: &str) -> String {
    format!("{PURGES}{id}")
}

pub(super) fn user_scripts_prefix(namespace_id: &str) -> String {
    format!("{USER_SCRIPTS}{namespace_id}/")
}

pub(super) fn user_script_key(namespace_id: &str, script: &ScriptName) -> String {
    format!("{USER_SCRIPTS}{namespace_id}/{script}")
}

pub(super) fn platform_script_key(script: &ScriptName) -> String {
    format!("{PLATFORM_SCRIPTS}{script}")
}

pub(super) fn route_key(id: &str) -> String {
    format!("{ROUTES}{id}")
}

/// Makes patterns unique; the value is the id. Hashed, because a pattern may be longer than a key.
pub(super) fn route_pattern_key(pattern: &RoutePattern) -> String {
    format!("route-pattern/{}", Digest::of(pattern.to_string().as_bytes()))
}

pub(super) fn token_key(id: &str) -> String {
    format!("{TOKENS}{id}")
}

/// The scripts that the operator's configuration declared at the last start, as a list of their names.
pub(super) const CONFIGURED_SCRIPTS: &str = "configured/scripts";

pub(super) fn references_prefix(blob: &Digest) -> String {
    format!("ref/{blob}/")
}

/// Says that a blob is, or was, referred to by the record under `owner`.
pub(super) fn reference_key(blob: &Digest, owner: &str) -> String {
    format!("ref/{blob}/{owner}")
}

pub(super) fn variant_key(blob: &Digest) -> String {
    format!("variant/{blob}")
}

/// The value under a reference key.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Reference {
    /// Since when the owner no longer refers to the blob; none while it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) retired_on: Option<Timestamp>,
    /// The blob that this one was made from: the reference, and the owner's record, go when it is gone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) made_from: Option<Digest>,
}

/// Whose reference a reference key is.
pub(super) fn owner_of<'k>(key: &'k str, blob: &Digest) -> &'k str {
    key.get(references_prefix(blob).len()..).unwrap_or_default()
}

/// The JSON of a record.
pub(super) fn encode<T: Serialize>(key: &str, record: &T) -> Result<Bytes> {
    serde_json::to_vec(record)
        .map(Bytes::from)
        .map_err(|source| RegistryError::Record { key: key.to_owned(), source })
}

/// A record from its JSON.
pub(super) fn decode<T: DeserializeOwned>(entry: &Entry) -> Result<T> {
    serde_json::from_slice(&entry.value)
        .map_err(|source| RegistryError::Record { key: entry.key.clone(), source })
}

/// A script in the store; its key says which.
#[derive(Serialize, Deserialize)]
struct ScriptRecord {
    id: String,
    created_on: Timestamp,
    modified_on: Timestamp,
    #[serde(default)]
    tags: Vec<Tag>,
    version: VersionRecord,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    config: Option<ConfigKeys>,
}

#[derive(Serialize, Deserialize)]
struct VersionRecord {
    id: String,
    number: u64,
    created_on: Timestamp,
    #[serde(default)]
    component: Option<Digest>,
    #[serde(default)]
    component_size: u64,
    #[serde(default)]
    main_module: String,
    #[serde(default)]
    bindings: Vec<Value>,
    #[serde(default)]
    limits: LimitSpec,
    #[serde(default)]
    compatibility_date: Option<String>,
    #[serde(default)]
    compatibility_flags: Vec<String>,
    etag: String,
    #[serde(default)]
    annotations: BTreeMap<String, String>,
    #[serde(default)]
    startup_time_ms: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    assets: Option<VersionAssets>,
}

pub(super) fn encode_script(key: &str, script: &Script) -> Result<Bytes> {
    let version = script.version.clone();
    let record = ScriptRecord {
        id: script.id.clone(),
        created_on: script.created_on,
        modified_on: script.modified_on,
        tags: script.tags.clone(),
        version: VersionRecord {
            id: version.id,
            number: version.number,
            created_on: version.created_on,
            component: version.component,
            component_size: version.component_size,
            main_module: version.main_module,
            bindings: version.bindings.iter().map(BindingDecl::to_record).collect(),
            limits: version.limits,
            compatibility_date: version.compatibility_date,
            compatibility_flags: version.compatibility_flags,
            etag: version.etag,
            annotations: version.annotations,
            startup_time_ms: version.startup_time_ms,
            assets: version.assets,
        },
        config: script.config.clone(),
    };
    encode(key, &record)
}

pub(super) fn decode_script(entry: &Entry, key: ScriptKey) -> Result<Script> {
    let record: ScriptRecord = decode(entry)?;
    let version = record.version;
    let bindings: std::result::Result<Vec<BindingDecl>, _> =
        version.bindings.iter().map(BindingDecl::from_json).collect();
    let bindings = bindings.map_err(|error| RegistryError::Record {
        key: entry.key.clone(),
        source: <serde_json::Error as serde::de::Error>::custom(error),
    })?;
    Ok(Script {
        key,
        id: record.id,
        created_on: record.created_on,
        modified_on: record.modified_on,
        tags: record.tags,
        version: Version {
            id: version.id,
            number: version.number,
            created_on: version.created_on,
            component: version.component,
            component_size: version.component_size,
            main_module: version.main_module,
            bindings,
            limits: version.limits,
            compatibility_date: version.compatibility_date,
            compatibility_flags: version.compatibility_flags,
            etag: version.etag,
            annotations: version.annotations,
            startup_time_ms: version.startup_time_ms,
            assets: version.assets,
        },
        config: record.config,
    })
}

/// The blobs that a version refers to by name: its component, and its manifest.
pub(super) fn blobs_of(version: &Version) -> Vec<Digest> {
    let manifest = version.assets.as_ref().map(|assets| assets.manifest);
    version.component.into_iter().chain(manifest).collect()
}

/// The blobs that a script's record refers to, without reading the rest.
pub(super) fn blobs_of_record(entry: &Entry) -> Result<Vec<Digest>> {
    #[derive(Deserialize)]
    struct Head {
        version: HeadVersion,
    }
    #[derive(Deserialize)]
    struct HeadVersion {
        #[serde(default)]
        component: Option<Digest>,
        #[serde(default)]
        assets: Option<HeadAssets>,
    }
    #[derive(Deserialize)]
    struct HeadAssets {
        manifest: Digest,
    }
    let version = decode::<Head>(entry)?.version;
    Ok(version.component.into_iter().chain(version.assets.map(|assets| assets.manifest)).collect())
}

/// Notes that `owner` refers to a blob.
pub(super) fn referred(blob: &Digest, owner: &str) -> Result<Write> {
    let key = reference_key(blob, owner);
    let value = encode(&key, &Reference::default())?;
    Ok(Write::put(key, value))
}

/// Notes that `owner` no longer refers to a blob. Kept for the grace time: a request that found the old
/// version may read its component yet.
pub(super) fn retired(blob: &Digest, owner: &str, now: Timestamp) -> Result<Write> {
    let key = reference_key(blob, owner);
    let value = encode(&key, &Reference { retired_on: Some(now), made_from: None })?;
    Ok(Write::put(key, value))
}

/// Notes that `owner` refers to a blob for as long as another one is there.
pub(super) fn referred_while(blob: &Digest, owner: &str, made_from: &Digest) -> Result<Write> {
    let key = reference_key(blob, owner);
    let value = encode(&key, &Reference { retired_on: None, made_from: Some(*made_from) })?;
    Ok(Write::put(key, value))
}
