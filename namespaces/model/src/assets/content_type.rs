//! What an asset is served as.
//!
//! Owns the bounds of a `Content-Type` value, and the guess by a file's name where nobody gave one. Never
//! looks at a content.

use std::fmt;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

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

/// What an uploader said of the type of a content.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Served {
    /// Nothing: the file's name decides.
    #[default]
    ByName,
    /// Without a type.
    Untyped,
    /// As this type.
    As(ContentType),
}

/// What wrangler calls the lack of a type.
const UNTYPED: &str = "application/null";

impl Served {
    /// Reads the content type of an upload.
    ///
    /// # Errors
    /// [`ContentTypeError`] for a text that cannot be one.
    pub fn parse(text: Option<&str>) -> Result<Served, ContentTypeError> {
        match text.map(str::trim) {
            None | Some("") => Ok(Served::ByName),
            Some(text) if text.eq_ignore_ascii_case(UNTYPED) => Ok(Served::Untyped),
            Some(text) => ContentType::parse(text).map(Served::As),
        }
    }

    /// The same, where it says of these files nothing that their names do not say.
    #[must_use]
    pub fn by_name_if_same<'p>(self, mut files: impl Iterator<Item = &'p str>) -> Served {
        let same = files.all(|path| self.of(path) == ContentType::guess(path));
        if same { Served::ByName } else { self }
    }

    /// The type under which a file is served.
    #[must_use]
    pub fn of(&self, path: &str) -> Option<ContentType> {
        match self {
            Served::ByName => ContentType::guess(path),
            Served::Untyped => None,
            Served::As(content_type) => Some(content_type.clone()),
        }
    }
}

impl ContentType {
    /// The type that goes with the ending of a name; none for endings that are not known. Texts are UTF-8.
    #[must_use]
    pub fn guess(path: &str) -> Option<ContentType> {
        let text = match registered(path) {
            Some(text) => text,
            None => match mime_guess::from_path(path).first_raw()? {
                "application/javascript" | "application/x-javascript" => "text/javascript",
                other => other,
            },
        };
        let charset = if text.starts_with("text/") { "; charset=utf-8" } else { "" };
        ContentType::parse(&format!("{text}{charset}")).ok()
    }
}

/// Types that the list of the library does not know, or knows by a name from before they were registered: a browser takes
/// a module, a font or a playlist under another type for something else. They are those that wrangler gives, but for
/// `cjs`, which is a script.
fn registered(path: &str) -> Option<&'static str> {
    const TYPES: [(&str, &str); 12] = [
        ("ts", "video/mp2t"),
        ("m3u8", "application/vnd.apple.mpegurl"),
        ("woff", "font/woff"),
        ("otf", "font/otf"),
        ("ttf", "font/ttf"),
        ("usdz", "model/vnd.usdz+zip"),
        ("obj", "model/obj"),
        ("stl", "model/stl"),
        ("map", "application/json"),
        ("cjs", "text/javascript"),
        ("m4a", "audio/mp4"),
        ("manifest", "text/cache-manifest"),
    ];
    let ending = std::path::Path::new(path).extension()?.to_str()?;
    TYPES.iter().find(|(known, _)| ending.eq_ignore_ascii_case(known)).map(|(_, text)| *text)
}

impl Serialize for ContentType {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for ContentType {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<ContentType, D::Error> {
        ContentType::parse(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}
