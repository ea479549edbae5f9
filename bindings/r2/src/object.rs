//! Objects, and what is known of them beside their contents. A [`Key`] is proof that the rules were checked.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::checksum::Checksums;
use crate::error::R2Error;
use crate::limits::{MAX_KEY_BYTES, MAX_METADATA_BYTES};

/// The name of an object: 1 to 1024 bytes of UTF-8.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(Arc<str>);

impl Key {
    /// Checks a key.
    ///
    /// # Errors
    /// [`R2Error::TooLarge`] or [`R2Error::Invalid`].
    pub fn parse(text: &str) -> Result<Key, R2Error> {
        if text.is_empty() {
            return Err(R2Error::Invalid("the key is empty; give it at least one character".to_owned()));
        }
        if text.len() > MAX_KEY_BYTES {
            return Err(R2Error::TooLarge { what: "the key", most: MAX_KEY_BYTES as u64 });
        }
        Ok(Key(Arc::from(text)))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a client that asks over HTTP is told with the content.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct HttpMetadata {
    /// `content-type`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_type: Option<String>,
    /// `content-language`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_language: Option<String>,
    /// `content-disposition`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_disposition: Option<String>,
    /// `content-encoding`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_encoding: Option<String>,
    /// `cache-control`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cache_control: Option<String>,
    /// `expires`, in milliseconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cache_expiry: Option<u64>,
}

impl HttpMetadata {
    fn texts(&self) -> [&Option<String>; 5] {
        [
            &self.content_type,
            &self.content_language,
            &self.content_disposition,
            &self.content_encoding,
            &self.cache_control,
        ]
    }
}

/// How an object is kept. There is one way: the class is what the uploader said, for clients that look for it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum StorageClass {
    /// Read often.
    #[default]
    Standard,
    /// Read rarely.
    InfrequentAccess,
}

impl StorageClass {
    /// Its name on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            StorageClass::Standard => "Standard",
            StorageClass::InfrequentAccess => "InfrequentAccess",
        }
    }

    /// The class of that name.
    ///
    /// # Errors
    /// [`R2Error::Invalid`].
    pub fn parse(text: &str) -> Result<StorageClass, R2Error> {
        match text {
            "Standard" | "STANDARD" => Ok(StorageClass::Standard),
            "InfrequentAccess" | "STANDARD_IA" => Ok(StorageClass::InfrequentAccess),
            other => Err(R2Error::Invalid(format!(
                "the storage class {other:?} is not known; write \"Standard\" or \"InfrequentAccess\""
            ))),
        }
    }
}

/// What is known of an object beside its content.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Metadata {
    /// For clients over HTTP.
    pub http: HttpMetadata,
    /// The uploader's own: names and values, in the order in which they were given.
    pub custom: Vec<(String, String)>,
    /// How it is kept; the bucket says so where none is given.
    pub storage_class: Option<StorageClass>,
}

impl Metadata {
    /// Bytes of names and values.
    #[must_use]
    pub fn size(&self) -> usize {
        let http: usize = self.http.texts().iter().map(|text| text.as_ref().map_or(0, String::len)).sum();
        let custom: usize = self.custom.iter().map(|(name, value)| name.len() + value.len()).sum();
        http + custom
    }

    /// Checks size and characters: what is put has to be sayable in a header field later.
    pub(crate) fn check(&self) -> Result<(), R2Error> {
        if self.size() > MAX_METADATA_BYTES {
            return Err(R2Error::TooLarge { what: "the metadata", most: MAX_METADATA_BYTES as u64 });
        }
        let breaks = |text: &str| text.chars().any(|each| matches!(each, '\0' | '\r' | '\n'));
        let custom = self.custom.iter().flat_map(|(name, value)| [name, value]);
        let http = self.http.texts().into_iter().flatten();
        if let Some(text) = custom.chain(http).find(|text| breaks(text)) {
            return Err(R2Error::Invalid(format!(
                "the metadata {text:?} has a line break or a zero in it, and goes into no header field; take it out"
            )));
        }
        Ok(())
    }
}

/// An object, without its content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    /// Its name.
    pub key: String,
    /// Names this content under this key, and no other one ever.
    pub version: String,
    /// Bytes of its content.
    pub size: u64,
    /// The MD5 of its content in hexadecimal digits; for an object of parts, that of their MD5s, with their number behind a
    /// hyphen.
    pub etag: String,
    /// When it was put, in milliseconds since 1970.
    pub uploaded: u64,
    /// What is known of it.
    pub metadata: Metadata,
    /// Checksums of its content.
    pub checksums: Checksums,
}

impl Object {
    /// The etag as header fields have it.
    #[must_use]
    pub fn http_etag(&self) -> String {
        format!("\"{}\"", self.etag)
    }

    /// Bytes that it counts for.
    pub(crate) fn weight(&self) -> u64 {
        self.size + (self.key.len() + self.metadata.size()) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_have_bounds() {
        for good in ["a", "photos/å b", "..", &"k".repeat(MAX_KEY_BYTES)] {
            assert_eq!(Key::parse(good).unwrap().as_str(), good);
        }
        assert!(matches!(Key::parse(""), Err(R2Error::Invalid(_))));
        let long = "k".repeat(MAX_KEY_BYTES + 1);
        assert!(matches!(Key::parse(&long), Err(R2Error::TooLarge { what: "the key", most: 1_024 })));
    }

    #[test]
    fn metadata_is_short_and_goes_into_header_fields() {
        let custom =
            |value: String| Metadata { custom: vec![("n".to_owned(), value)], ..Metadata::default() };
        assert!(custom("v".repeat(MAX_METADATA_BYTES - 1)).check().is_ok());
        assert!(matches!(custom("v".repeat(MAX_METADATA_BYTES)).check(), Err(R2Error::TooLarge { .. })));
        assert!(matches!(custom("a\r\nset-cookie: b".to_owned()).check(), Err(R2Error::Invalid(_))));
    }
}
