//! Where on a host the assets of a version begin.
//!
//! Owns the grammar of that path. Files are kept by their names in the folder; only where they are looked up is the path
//! taken off, and put before addresses that visitors are sent to.

use serde::{Deserialize, Serialize};

use crate::limits::MAX_ASSET_PATH_BYTES;
use crate::name::shorten;
use crate::url_path::{decoded, normalized};

/// A path that all files are below: decoded, with a slash in front and none at the end. Empty where they are at the root.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct BasePath(String);

/// A text that is no such path.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("base_path \"{given}\" {fault}; write a path like /docs")]
pub struct BasePathError {
    given: String,
    fault: &'static str,
}

impl BasePath {
    /// Reads it as it is written: `docs`, `/docs` and `/docs/` are one.
    ///
    /// # Errors
    /// [`BasePathError`] for what is no path alone, or too long.
    pub fn parse(text: &str) -> Result<BasePath, BasePathError> {
        let fault = |fault| Err(BasePathError { given: shorten(text), fault });
        if text.len() > MAX_ASSET_PATH_BYTES {
            return fault("is too long");
        }
        if text.contains("://") || text.starts_with("//") || text.contains(['?', '#', '\\']) {
            return fault("is more than a path");
        }
        if text.chars().any(char::is_control) {
            return fault("has a control character");
        }
        let rooted = format!("/{}", text.trim_start_matches('/'));
        let path = normalized(&rooted);
        Ok(BasePath(decoded(&path).trim_end_matches('/').to_owned()))
    }

    /// Whether files are at the root.
    #[must_use]
    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    /// The path below this one that a decoded path names, with a slash in front; none where it is not below.
    #[must_use]
    pub fn within<'p>(&self, path: &'p str) -> Option<&'p str> {
        match path.strip_prefix(self.0.as_str())? {
            "" => Some("/"),
            inner => inner.starts_with('/').then_some(inner),
        }
    }

    /// The whole path of one that is below this one.
    #[must_use]
    pub fn whole(&self, inner: &str) -> String {
        format!("{}{inner}", self.0)
    }

    /// As text: empty at the root.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for BasePath {
    type Error = BasePathError;

    fn try_from(text: String) -> Result<BasePath, BasePathError> {
        BasePath::parse(&text)
    }
}

impl From<BasePath> for String {
    fn from(path: BasePath) -> String {
        path.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_path_is_written_in_many_ways() {
        for text in ["docs", "/docs", "/docs/", "docs//", "/x/../docs", "/%64ocs"] {
            assert_eq!(BasePath::parse(text).unwrap().as_str(), "/docs", "{text}");
        }
        for text in ["", "/", "./"] {
            assert!(BasePath::parse(text).unwrap().is_root(), "{text}");
        }
        for text in ["https://a.test/docs", "//a.test/docs", "/docs?a", "/docs#a", "\\docs", "/do\ncs"] {
            assert!(BasePath::parse(text).unwrap_err().to_string().contains("like /docs"), "{text}");
        }
        assert!(BasePath::parse(&"a".repeat(MAX_ASSET_PATH_BYTES + 1)).is_err());
    }

    #[test]
    fn only_what_is_below_has_a_path_there() {
        let docs = BasePath::parse("/docs").unwrap();
        for (path, inner) in [
            ("/docs", Some("/")),
            ("/docs/", Some("/")),
            ("/docs/a", Some("/a")),
            ("/docsa", None),
            ("/", None),
            ("/other/docs/a", None),
        ] {
            assert_eq!(docs.within(path), inner, "{path}");
        }
        assert_eq!(docs.whole("/a"), "/docs/a");
        assert_eq!(BasePath::default().within("/a"), Some("/a"));
    }
}
