//! How the records of assets look in the store.
//!
//! Owns the keys and the JSON of contents, upload sessions, the index of manifests, and the key of tokens.

use serde::{Deserialize, Serialize};

use crate::assets::{AssetHash, AssetScope, Served};
use crate::digest::Digest;
use crate::timestamp::Timestamp;

pub(super) const CONTENTS: &str = "asset/";
pub(super) const SESSIONS: &str = "asset-session/";
pub(super) const MANIFESTS: &str = "asset-manifest/";
/// What tokens of uploads are signed with.
pub(super) const TOKEN_KEY: &str = "asset-token-key";

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
    /// The script, as text, for whoever looks at the store.
    pub(super) script: String,
    pub(super) draft: Digest,
    pub(super) expires_on: Timestamp,
}

pub(super) fn content_key(scope: &AssetScope, hash: &AssetHash) -> String {
    format!("{CONTENTS}{scope}/{hash}")
}

pub(super) fn session_key(scope: &AssetScope, id: &str) -> String {
    format!("{SESSIONS}{scope}/{id}")
}

/// Lists the manifests of a scope that versions had; the value says nothing.
pub(in crate::registry) fn manifest_key(scope: &AssetScope, manifest: &Digest) -> String {
    format!("{MANIFESTS}{scope}/{manifest}")
}
