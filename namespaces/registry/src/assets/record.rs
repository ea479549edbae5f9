//! How the records of assets look in the store.
//!
//! Owns the collections of contents, upload sessions, variants, the index of manifests, and the key of tokens.

use serde::{Deserialize, Serialize};

use crate::collection::Collection;
use wasmyard_model::assets::{AssetHash, AssetScope, Served};
use wasmyard_model::digest::Digest;
use wasmyard_model::name::ScriptName;
use wasmyard_model::timestamp::Timestamp;

/// Contents that a scope holds, by scope and the client's hash. One whose hash does not follow from it, or whose
/// uploader gave it a type of their own, belongs to the script that it was uploaded for, whose name comes before the
/// hash: else whoever is first would decide what all others serve under that hash.
pub(super) const CONTENTS: Collection<ContentRecord> = Collection::at("asset/");
/// Upload sessions, by scope and id.
pub(super) const SESSIONS: Collection<SessionRecord> = Collection::at("asset-session/");
/// Lists the manifests of a scope that versions had; the record says nothing.
pub(crate) const MANIFESTS: Collection<()> = Collection::at("asset-manifest/");
/// Variants of contents, by the name of their blob.
pub(crate) const VARIANTS: Collection<VariantRecord> = Collection::at("variant/");
/// What tokens of uploads are signed with: one record, whose id is empty.
pub(super) const TOKEN_KEY: Collection<String> = Collection::at("asset-token-key");

/// A variant in the store.
#[derive(Serialize, Deserialize)]
pub(crate) struct VariantRecord {
    pub(super) digest: Digest,
    pub(super) size: u64,
}

/// A content that a scope holds; the key has the client's hash.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ContentRecord {
    pub(super) digest: Digest,
    pub(super) size: u64,
    #[serde(default)]
    pub(super) served: Served,
    /// Since when nothing is known to need it. Gone for good if that is still so a grace time later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) unneeded_since: Option<Timestamp>,
}

/// An upload session. While it is there, no content of its draft is taken away.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct SessionRecord {
    /// The script that it is for.
    pub(super) script: ScriptName,
    pub(super) draft: Digest,
    pub(super) expires_on: Timestamp,
}

pub(super) fn content_id(scope: &AssetScope, hash: &AssetHash) -> String {
    format!("{scope}/{hash}")
}

/// Where a content is that belongs to one script.
pub(super) fn own_content_id(scope: &AssetScope, script: &ScriptName, hash: &AssetHash) -> String {
    format!("{scope}/{script}/{hash}")
}

/// The client's hash in the id of a content.
pub(super) fn hash_of(id: &str) -> Option<AssetHash> {
    id.rsplit('/').next().and_then(|text| text.parse().ok())
}

pub(super) fn session_id(scope: &AssetScope, id: &str) -> String {
    format!("{scope}/{id}")
}

pub(crate) fn manifest_id(scope: &AssetScope, manifest: &Digest) -> String {
    format!("{scope}/{manifest}")
}
