//! How records look in the store.
//!
//! Owns the collections and the JSON of scripts. Scripts are kept by the *id* of their namespace, so that
//! renaming it is one write. The JSON of a script holds its secrets: it goes to the store and nowhere else.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Result;
use super::collection::{Collection, Seen, Transaction};
use crate::error::RegistryError;
use wasmyard_model::assets::VersionAssets;
use wasmyard_model::bindings::BindingDecl;
use wasmyard_model::code::Code;
use wasmyard_model::config_keys::ConfigKeys;
use wasmyard_model::cron::Schedule;
use wasmyard_model::deployment::{Deployment, PastDeployment, Share};
use wasmyard_model::digest::Digest;
use wasmyard_model::domain::Domain;
use wasmyard_model::limits::LimitSpec;
use wasmyard_model::name::{ConfigName, NamespaceName, Tag};
use wasmyard_model::namespace::Namespace;
use wasmyard_model::route::{Route, RoutePattern};
use wasmyard_model::script::{Gradual, Script, ScriptKey, Version};
use wasmyard_model::timestamp::Timestamp;

/// Namespaces, by id.
pub(super) const NAMESPACES: Collection<Namespace> = Collection::at("namespace/");
/// Makes names unique; the record is the id.
pub(super) const NAMESPACE_NAMES: Collection<String> = Collection::at("namespace-name/");
/// Namespaces that are gone, with scripts that may not be gone yet, by id.
pub(super) const PURGES: Collection<NamespaceName> = Collection::at("purge/");
/// Platform scripts, by name.
pub(super) const PLATFORM_SCRIPTS: Collection<ScriptRecord> = Collection::at("platform/");
/// User scripts, by their namespace's id and their name.
pub(super) const USER_SCRIPTS: Collection<ScriptRecord> = Collection::at("script/");
/// Versions of scripts that do not serve, by the key of the script's record and their number. They go with the script, and
/// whoever writes one writes the script as well.
pub(super) const VERSIONS: Collection<VersionRecord> = Collection::at("version/");
/// Deployments of scripts that have ended, by the key of the script's record, the newest first.
pub(super) const PAST_DEPLOYMENTS: Collection<Vec<PastDeployment>> = Collection::at("past-deployments/");
/// Scripts of namespaces that were deleted together, by their ids: what is kept of their history is yet to go.
pub(super) const HISTORIES_LEFT: Collection<Vec<String>> = Collection::at("histories-left/");
/// Routes, by id.
pub(super) const ROUTES: Collection<RouteRecord> = Collection::at("route/");
/// Makes patterns unique; the record is the id. Hashed, because a pattern may be longer than a key.
pub(super) const ROUTE_PATTERNS: Collection<String> = Collection::at("route-pattern/");
/// What a configuration declares, by the configuration's name.
pub(super) const CONFIGURATIONS: Collection<Declared> = Collection::at("configuration/");
/// Blobs that were put, by name.
pub(super) const BLOBS: Collection<BlobRecord> = Collection::at("blob/");
/// Who refers to a blob, by the blob's name and the key of the record that does.
pub(super) const REFERENCES: Collection<Reference> = Collection::at("ref/");

/// What the keys of records begin with that hold secrets: bindings of versions, what webhooks are signed with, what tokens of
/// uploads are, secrets of stores, keys of certificates that scripts show, and hashes of tokens, which are the secrets of access keys.
pub(super) const SEALED: &[&str] = &[
    "platform/",
    "script/",
    "version/",
    "alert-webhook/",
    "asset-token-key",
    "stored-secret/",
    "mtls-key/",
    "token/",
];

/// A route, and which configuration declares it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct RouteRecord {
    #[serde(flatten)]
    pub(super) route: Route,
    /// Whose it is, where a configuration declares it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) configuration: Option<ConfigName>,
}

/// What a configuration declared at the last start, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Declared {
    pub(super) namespaces: Vec<NamespaceName>,
    /// As texts: `production/customer-a`, or `dispatcher`.
    pub(super) scripts: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) zones: Vec<Domain>,
    /// As texts: `saas.test/shop.customer.test`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) hostnames: Vec<String>,
}

pub(super) fn pattern_id(pattern: &RoutePattern) -> String {
    Digest::of(pattern.to_string().as_bytes()).to_string()
}

/// The ids of a namespace's scripts start with it.
pub(super) fn scripts_within(namespace_id: &str) -> String {
    format!("{namespace_id}/")
}

/// The ids of the references to a blob start with it.
pub(super) fn references_within(blob: &Digest) -> String {
    format!("{blob}/")
}

/// A blob, as the nodes agree on it. The record is written after the content: whoever sees it finds the content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum BlobRecord {
    /// It is there.
    Kept {
        /// When it was last put.
        put_on: Timestamp,
    },
    /// A sweep removes it, until that moment at most. Nobody may refer to it or put it meanwhile.
    Going {
        /// The end of the sweep's lease.
        until: Timestamp,
    },
}

/// A reference to a blob; its id says whose.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Reference {
    /// Since when the owner no longer refers to the blob; none while it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) retired_on: Option<Timestamp>,
    /// The blob that this one was made from: the reference, and the owner's record, go when it is gone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) made_from: Option<Digest>,
}

/// A script in the store; its key says which.
#[derive(Serialize, Deserialize)]
pub(super) struct ScriptRecord {
    id: String,
    created_on: Timestamp,
    modified_on: Timestamp,
    #[serde(default)]
    tags: Vec<Tag>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    schedules: Vec<Schedule>,
    version: VersionRecord,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    gradual: Option<GradualRecord>,
    /// None: the version's own deployment, as every script had it before there were others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    deployment: Option<Deployment>,
    /// Zero: the version's number.
    #[serde(default)]
    last_number: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    config: Option<ConfigKeys>,
}

#[derive(Serialize, Deserialize)]
struct GradualRecord {
    share: Share,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cookie: Option<String>,
    version: VersionRecord,
}

/// A version in the store; it holds secrets.
#[derive(Serialize, Deserialize)]
pub(super) struct VersionRecord {
    id: String,
    number: u64,
    created_on: Timestamp,
    code: Code,
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
    #[serde(default, skip_serializing_if = "Option::is_none")]
    assets: Option<VersionAssets>,
}

impl From<&Script> for ScriptRecord {
    fn from(script: &Script) -> ScriptRecord {
        let gradual = script.gradual.as_deref().map(|gradual| GradualRecord {
            share: gradual.share,
            cookie: gradual.cookie.clone(),
            version: VersionRecord::from(&gradual.version),
        });
        ScriptRecord {
            id: script.id.clone(),
            created_on: script.created_on,
            modified_on: script.modified_on,
            tags: script.tags.clone(),
            schedules: script.schedules.clone(),
            version: VersionRecord::from(&script.version),
            gradual,
            deployment: Some(script.deployment.clone()),
            last_number: script.last_number,
            config: script.config.clone(),
        }
    }
}

impl From<&Version> for VersionRecord {
    fn from(version: &Version) -> VersionRecord {
        let version = version.clone();
        VersionRecord {
            id: version.id,
            number: version.number,
            created_on: version.created_on,
            code: version.code,
            bindings: version.bindings.iter().map(BindingDecl::to_record).collect(),
            limits: version.limits,
            compatibility_date: version.compatibility_date,
            compatibility_flags: version.compatibility_flags,
            etag: version.etag,
            annotations: version.annotations,
            assets: version.assets,
        }
    }
}

impl VersionRecord {
    /// The version; `key` is that of its record.
    pub(super) fn version(self, key: &str) -> Result<Version> {
        let bindings: std::result::Result<Vec<BindingDecl>, _> =
            self.bindings.iter().map(BindingDecl::from_json).collect();
        let bindings = bindings.map_err(|error| RegistryError::Record {
            key: key.to_owned(),
            source: <serde_json::Error as serde::de::Error>::custom(error),
        })?;
        Ok(Version {
            id: self.id,
            number: self.number,
            created_on: self.created_on,
            code: self.code,
            bindings,
            limits: self.limits,
            compatibility_date: self.compatibility_date,
            compatibility_flags: self.compatibility_flags,
            etag: self.etag,
            annotations: self.annotations,
            assets: self.assets,
        })
    }

    /// The blobs that the version refers to by name.
    pub(super) fn blobs(&self) -> Vec<Digest> {
        blobs(&self.code, self.assets.as_ref())
    }
}

/// The script that was seen; none when there is none.
pub(super) fn script_of(seen: &Seen<ScriptRecord>, key: ScriptKey) -> Result<Option<Script>> {
    let Some(record) = seen.record()? else { return Ok(None) };
    let version = record.version.version(seen.key())?;
    let gradual = match record.gradual {
        None => None,
        Some(GradualRecord { share, cookie, version }) => {
            Some(Box::new(Gradual { share, cookie, version: version.version(seen.key())? }))
        }
    };
    let of_version = || Deployment {
        id: version.id.clone(),
        created_on: version.created_on,
        annotations: BTreeMap::new(),
        rollback: None,
    };
    Ok(Some(Script {
        key,
        id: record.id,
        created_on: record.created_on,
        modified_on: record.modified_on,
        tags: record.tags,
        schedules: record.schedules,
        deployment: record.deployment.unwrap_or_else(of_version),
        last_number: record.last_number.max(version.number),
        version,
        gradual,
        config: record.config,
    }))
}

/// The blobs that a version refers to by name: those of its code, and its manifest.
pub(super) fn blobs_of(version: &Version) -> Vec<Digest> {
    blobs(&version.code, version.assets.as_ref())
}

/// The blobs that the versions which serve refer to by name, each once.
pub(super) fn blobs_of_script(script: &Script) -> Vec<Digest> {
    let mut blobs: Vec<Digest> = script.serving().flat_map(|(version, _)| blobs_of(version)).collect();
    blobs.sort_unstable();
    blobs.dedup();
    blobs
}

fn blobs(code: &Code, assets: Option<&VersionAssets>) -> Vec<Digest> {
    code.blobs().chain(assets.map(|assets| assets.manifest)).collect()
}

impl ScriptRecord {
    /// The blobs that the versions which serve refer to by name.
    pub(super) fn blobs(&self) -> Vec<Digest> {
        let gradual = self.gradual.iter().flat_map(|gradual| gradual.version.blobs());
        self.version.blobs().into_iter().chain(gradual).collect()
    }
}

/// The id of the reference that the record under `owner` has on a blob.
pub(super) fn reference_id(blob: &Digest, owner: &str) -> String {
    format!("{blob}/{owner}")
}

impl Transaction {
    /// Notes that `owner` refers to a blob, which must still be there as it was seen.
    pub(super) fn refer<O>(&mut self, owner: &Seen<O>, blob: &Digest, kept: &Seen<BlobRecord>) -> Result<()> {
        self.refer_of(owner, owner.key(), blob, kept)
    }

    /// The same for a record that belongs to `owner` and has the key `referrer`.
    pub(super) fn refer_of<O>(
        &mut self,
        owner: &Seen<O>,
        referrer: &str,
        blob: &Digest,
        kept: &Seen<BlobRecord>,
    ) -> Result<()> {
        self.expect(kept);
        self.put_with(owner, &REFERENCES, &reference_id(blob, referrer), &Reference::default())
    }

    /// Notes that `owner` no longer refers to a blob. Kept for the grace time: a request that found the old
    /// version may read its component yet.
    pub(super) fn retire<O>(&mut self, owner: &Seen<O>, blob: &Digest, now: Timestamp) -> Result<()> {
        self.retire_of(owner, owner.key(), blob, now)
    }

    /// The same for a record that belongs to `owner` and has the key `referrer`.
    pub(super) fn retire_of<O>(
        &mut self,
        owner: &Seen<O>,
        referrer: &str,
        blob: &Digest,
        now: Timestamp,
    ) -> Result<()> {
        let reference = Reference { retired_on: Some(now), made_from: None };
        self.put_with(owner, &REFERENCES, &reference_id(blob, referrer), &reference)
    }

    /// Notes that `owner` refers to a blob for as long as another one is there.
    pub(super) fn refer_while<O>(&mut self, owner: &Seen<O>, blob: &Digest, made_from: Digest) -> Result<()> {
        let reference = Reference { retired_on: None, made_from: Some(made_from) };
        self.put_with(owner, &REFERENCES, &reference_id(blob, owner.key()), &reference)
    }
}
