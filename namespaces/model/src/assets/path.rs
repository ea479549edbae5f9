//! The path of an asset.
//!
//! Owns which paths a manifest may hold and their one spelling. Never touches a file system.

use std::borrow::Borrow;
use std::fmt;

use crate::limits::MAX_ASSET_PATH_BYTES;

/// Where an asset is served: the decoded path, beginning with a slash, without empty, `.` or `..` segments.
///
/// A percent sign is an ordinary character: a file `50%.txt` is `/50%.txt` here and `/50%25.txt` in a
/// request. What some reader might decode to a dot, a slash, a backslash or NUL is refused, because two
/// readers would then see two paths.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AssetPath(Box<str>);

/// A text that cannot be the path of an asset. Safe to show.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("asset path \"{value}\" {rule}")]
pub struct AssetPathError {
    /// The path, shortened.
    pub value: String,
    /// What is wrong, and what to do.
    pub rule: &'static str,
}

/// Escapes that may not stand in a path.
const ESCAPES: [&str; 4] = ["2e", "2f", "5c", "00"];

impl AssetPath {
    /// Checks a path and makes runs of slashes one.
    ///
    /// # Errors
    /// [`AssetPathError`] with the rule that it breaks.
    pub fn parse(text: &str) -> Result<AssetPath, AssetPathError> {
        let fault = |rule| Err(AssetPathError { value: crate::name::shorten(text), rule });
        if text.len() > MAX_ASSET_PATH_BYTES {
            return fault("is longer than 1024 bytes; shorten it");
        }
        if !text.starts_with('/') {
            return fault("does not begin with a slash; write it like /index.html");
        }
        if text.chars().any(char::is_control) {
            return fault("has a control character; rename the file");
        }
        if text.contains('\\') {
            return fault("has a backslash; separate folders by slashes");
        }
        if text.ends_with('/') {
            return fault("ends in a slash; name a file");
        }
        if has_escape(text) {
            return fault("has an escaped dot, slash, backslash or NUL; write paths decoded");
        }
        if text.split('/').any(|segment| segment == "." || segment == "..") {
            return fault("has a segment \".\" or \"..\"; write the path from the root");
        }
        let mut path = String::with_capacity(text.len());
        for segment in text.split('/').filter(|segment| !segment.is_empty()) {
            path.push('/');
            path.push_str(segment);
        }
        Ok(AssetPath(path.into()))
    }

    /// The path.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn has_escape(text: &str) -> bool {
    text.match_indices('%').any(|(at, _)| {
        text.get(at + 1..at + 3)
            .is_some_and(|digits| ESCAPES.iter().any(|escape| digits.eq_ignore_ascii_case(escape)))
    })
}

impl Borrow<str> for AssetPath {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for AssetPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for AssetPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}
