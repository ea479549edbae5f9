//! Owns the reading of a declared manifest: its bounds hold while it is being read.
//! Must never build a table of more files than a script may have.

use std::fmt;

use schemars::JsonSchema;
use serde::de::{Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use wasmyard_namespaces::limits::MAX_ASSET_FILES;
use wasmyard_namespaces::{AssetDraft, AssetHash, AssetPath, Declared};

use crate::error::{ApiError, Code, sentence};

/// A file as it is declared.
#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "AssetsManifestFile")]
pub(super) struct File {
    /// 32 hex digits that differ when contents differ.
    hash: String,
    /// Bytes of the content, 25 MiB at most.
    #[schemars(with = "u64")]
    size: serde_json::Number,
}

/// The files in the order in which they came; a path may be there twice yet.
pub(super) struct Files(Vec<(String, File)>);

impl<'de> Deserialize<'de> for Files {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Files, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Files;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(
                    "an object of files by path, like {\"/index.html\": {\"hash\": \"...\", \"size\": 1}}",
                )
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Files, A::Error> {
                let mut files = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    if files.len() == MAX_ASSET_FILES {
                        return Err(A::Error::custom(format_args!(
                            "the manifest has more than {MAX_ASSET_FILES} files, the most that a script may have"
                        )));
                    }
                    files.push(entry);
                }
                Ok(Files(files))
            }
        }
        deserializer.deserialize_map(Reader)
    }
}

impl Files {
    pub(super) fn into_draft(self) -> Result<AssetDraft, ApiError> {
        let files: Result<Vec<_>, ApiError> = self.0.into_iter().map(declared).collect();
        AssetDraft::new(files?).map_err(refused)
    }
}

fn declared((path, file): (String, File)) -> Result<(AssetPath, Declared), ApiError> {
    let parsed = AssetPath::parse(&path).map_err(refused)?;
    let hash: AssetHash = file.hash.parse().map_err(|error| refused(format!("file {parsed}: {error}")))?;
    let size = file.size.as_u64().ok_or_else(|| {
        refused(format!(
            "file {parsed}: size {} is not a whole number of bytes; give that of the content",
            file.size
        ))
    })?;
    Ok((parsed, Declared { hash, size }))
}

fn refused(error: impl fmt::Display) -> ApiError {
    ApiError::new(Code::AssetManifest, sentence(&error.to_string()))
}
