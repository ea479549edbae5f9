//! Static assets: paths, hashes, manifests, and how they are served.
//!
//! Owns the values that control and data plane share: what a manifest may hold ([`AssetPath`],
//! [`AssetHash`]), the immutable [`Manifest`] of a version, and its [`AssetsConfig`]. A client's hash is an
//! opaque name inside its scope; beside it stands the SHA-256 of the content, which is what counts. Never
//! reads or writes a store: the registry does.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::digest::Digest;

pub use base_path::{BasePath, BasePathError};
pub use config::{AssetsConfig, AssetsConfigError, HtmlHandling, NotFoundHandling, RunWorkerFirst};
pub use content_type::{ContentType, ContentTypeError, Served};
pub use draft::{AssetDraft, Declared};
pub use hash::{AssetHash, AssetHashError};
pub use manifest::{Manifest, ManifestError};
pub use path::{AssetPath, AssetPathError};

mod base_path;
mod config;
mod content_type;
mod draft;
mod hash;
mod manifest;
mod path;
pub mod rules;
mod verified;

/// Where assets are shared: the scripts of one namespace, or the platform scripts. Nothing of one scope is
/// ever found from another.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct AssetScope(Arc<str>);

impl AssetScope {
    /// The scope of the platform scripts.
    #[must_use]
    pub fn platform() -> AssetScope {
        AssetScope("platform".into())
    }

    /// The scope of a namespace, by its id: it keeps its assets when it is renamed.
    #[must_use]
    pub fn namespace(id: &str) -> AssetScope {
        AssetScope(id.into())
    }

    /// As it is written in keys of the store.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for AssetScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What is known of one file of a manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AssetEntry {
    /// The client's name for the content.
    pub hash: AssetHash,
    /// Bytes of the content.
    pub size: u64,
    /// SHA-256 of the content.
    pub digest: Digest,
    /// What it is served as; none: without a type.
    pub content_type: Option<ContentType>,
}

/// The assets of a version of a script.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VersionAssets {
    /// Where the contents are kept.
    pub scope: AssetScope,
    /// The manifest's name in the registry.
    pub manifest: Digest,
    /// How many files the manifest has.
    pub files: u64,
    /// Bytes of all files.
    pub bytes: u64,
    /// How they are served.
    pub config: AssetsConfig,
}

/// Why an upload of assets is refused. Safe to show.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AssetUploadError {
    /// There is no such session, or not any more.
    #[error("the upload session is over; begin another one, which asks only for what is missing")]
    NoSession,
    /// The session's manifest does not have the content.
    #[error("no file of the session's manifest has the hash {hash}; upload only what its buckets list")]
    NotDeclared {
        /// The hash.
        hash: AssetHash,
    },
    /// The content is not as long as declared.
    #[error("the content of {hash} has {found} bytes, the manifest says {declared}; send the whole file")]
    Size {
        /// The hash.
        hash: AssetHash,
        /// How many came.
        found: u64,
        /// How many were declared.
        declared: u64,
    },
    /// The hash names another content already.
    #[error("the hash {hash} names another content already; make hashes that differ when files differ")]
    OtherContent {
        /// The hash.
        hash: AssetHash,
    },
    /// Not everything was uploaded.
    #[error("{missing} contents of the manifest are not uploaded; upload them before the script")]
    Incomplete {
        /// How many are missing.
        missing: usize,
    },
    /// The assets are those of another namespace.
    #[error("the assets were uploaded for another namespace than that of {script}; upload them for this one")]
    OtherScope {
        /// Which script they were to be attached to.
        script: String,
    },
}

/// A manifest whose contents are all there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FinishedAssets {
    /// Where the contents are kept.
    pub scope: AssetScope,
    /// The manifest's name.
    pub manifest: Digest,
    /// How many files it has.
    pub files: u64,
    /// Bytes of all files.
    pub bytes: u64,
}

/// How a variant of an asset is encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Encoding {
    /// Brotli.
    Br,
    /// Zstandard.
    Zstd,
    /// Gzip.
    Gzip,
}

impl Encoding {
    /// All of them.
    pub const ALL: [Encoding; 3] = [Encoding::Br, Encoding::Zstd, Encoding::Gzip];

    /// As in `Content-Encoding`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Encoding::Br => "br",
            Encoding::Zstd => "zstd",
            Encoding::Gzip => "gzip",
        }
    }
}

/// The bytes of an asset or of a variant.
#[derive(Debug)]
pub enum AssetContent {
    /// In memory; checked against its digest.
    Memory(Bytes),
    /// An open file of the local disk, read-only and never written to again. Its length is right; its
    /// content is checked against its digest now and then, not at each opening.
    File {
        /// The file, at its start. Read by position or mapped, it may be shared.
        file: std::fs::File,
        /// Its length in bytes.
        len: u64,
    },
}

impl AssetContent {
    /// Bytes of the content.
    #[must_use]
    pub fn len(&self) -> u64 {
        match self {
            AssetContent::Memory(bytes) => bytes.len() as u64,
            AssetContent::File { len, .. } => *len,
        }
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// The blob that holds a content of a scope. Two scopes never share a blob, whatever is in it.
pub fn content_blob(scope: &AssetScope, digest: &Digest) -> Digest {
    blob_name(&[b"asset", scope.as_str().as_bytes(), digest.as_bytes()])
}

/// The blob that holds a variant of a content.
pub fn variant_blob(scope: &AssetScope, digest: &Digest, encoding: Encoding) -> Digest {
    let parts: [&[u8]; 4] =
        [b"variant", scope.as_str().as_bytes(), digest.as_bytes(), encoding.as_str().as_bytes()];
    blob_name(&parts)
}

/// No part but the digest, which has a fixed length, can hold a zero byte: no two lists of parts look alike.
fn blob_name(parts: &[&[u8]]) -> Digest {
    Digest::of(&parts.join(&0))
}

#[cfg(test)]
mod tests;
