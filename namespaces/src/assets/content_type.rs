//! What an asset is served as.
//!
//! Owns the bounds of a `Content-Type` value. Never guesses one.

use std::fmt;

use bytes::Bytes;

/// Longest content type, in bytes.
const LONGEST: usize = 255;

/// A `Content-Type` value: 1 to 255 visible ASCII characters and blanks. Cheap to clone.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ContentType(Bytes);

/// A text that cannot be a content type.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a content type is 1 to {LONGEST} visible ASCII characters like text/html, this is \"{value}\"")]
pub struct ContentTypeError {
    /// The text, shortened.
    pub value: String,
}

impl ContentType {
    /// Checks a text.
    ///
    /// # Errors
    /// [`ContentTypeError`] when it is empty, too long, or has other characters.
    pub fn parse(text: &str) -> Result<ContentType, ContentTypeError> {
        ContentType::from_bytes(Bytes::copy_from_slice(text.trim().as_bytes()))
            .ok_or_else(|| ContentTypeError { value: crate::name::shorten(text) })
    }

    pub(crate) fn from_bytes(bytes: Bytes) -> Option<ContentType> {
        let fits =
            (1..=LONGEST).contains(&bytes.len()) && bytes.iter().all(|byte| matches!(byte, b' '..=b'~'));
        fits.then_some(ContentType(bytes))
    }

    /// As it is written in the header.
    #[must_use]
    pub fn as_str(&self) -> &str {
        // Only ASCII gets in.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// The same, for a header value that shares the memory.
    #[must_use]
    pub fn bytes(&self) -> Bytes {
        self.0.clone()
    }
}

impl fmt::Display for ContentType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for ContentType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}
