//! What a platform builder keeps of a custom hostname, for their scripts and rules.
//!
//! Owns its bound and its form: a JSON object, written without spaces. Never reads what is in it.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};

use super::HostnameError;
use crate::limits::hostnames::METADATA_BYTES;

/// A JSON object of at most 4 KB.
#[derive(Clone, PartialEq, Eq)]
pub struct HostnameMetadata(Arc<str>);

impl HostnameMetadata {
    /// Takes what a caller gave; an empty object, and null, are none.
    ///
    /// # Errors
    /// [`HostnameError::Metadata`] for what is no object, or too large.
    pub fn take(value: &Value) -> Result<Option<HostnameMetadata>, HostnameError> {
        let object = match value {
            Value::Null => return Ok(None),
            Value::Object(object) if object.is_empty() => return Ok(None),
            Value::Object(object) => object,
            _ => return Err(HostnameError::Metadata("it must be a JSON object".to_owned())),
        };
        let text =
            serde_json::to_string(object).map_err(|error| HostnameError::Metadata(error.to_string()))?;
        let bytes = text.len() as u64;
        if bytes > METADATA_BYTES {
            let rule = format!("it has {bytes} bytes as JSON without spaces, and may have {METADATA_BYTES}");
            return Err(HostnameError::Metadata(rule));
        }
        Ok(Some(HostnameMetadata(Arc::from(text))))
    }

    /// The JSON text, without spaces: for scripts, and for rules, which see it as one text.
    #[must_use]
    pub fn as_json(&self) -> &Arc<str> {
        &self.0
    }

    /// The object.
    #[must_use]
    pub fn to_object(&self) -> Map<String, Value> {
        serde_json::from_str(&self.0).unwrap_or_default()
    }
}

impl fmt::Debug for HostnameMetadata {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for HostnameMetadata {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.to_object().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for HostnameMetadata {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<HostnameMetadata, D::Error> {
        let object = Map::deserialize(deserializer)?;
        let text = serde_json::to_string(&object).map_err(serde::de::Error::custom)?;
        Ok(HostnameMetadata(Arc::from(text)))
    }
}
