//! The client's name for a content.
//!
//! Owns the form: 32 hex digits. Never says what the hash was made of: that is the client's business.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A client's hash of a file, opaque. Written as 32 lower-case hex digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AssetHash([u8; 16]);

/// A text that is not 32 hex digits.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "an asset's hash is 32 hex digits, this is \"{value}\" with {length} characters; cut or fill it to 32"
)]
pub struct AssetHashError {
    /// The text, shortened.
    pub value: String,
    /// How many characters it has.
    pub length: usize,
}

impl AssetHash {
    /// Takes the first 16 bytes of a digest, as clients make hashes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 16]) -> AssetHash {
        AssetHash(bytes)
    }

    /// The 16 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl FromStr for AssetHash {
    type Err = AssetHashError;

    /// Takes capitals as well: they are the same digits.
    fn from_str(text: &str) -> Result<AssetHash, AssetHashError> {
        let error = || AssetHashError { value: crate::name::shorten(text), length: text.chars().count() };
        if text.len() != 32 {
            return Err(error());
        }
        let mut bytes = [0; 16];
        for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
            let digit = |at: Option<&u8>| at.and_then(|digit| char::from(*digit).to_digit(16));
            let (Some(high), Some(low)) = (digit(pair.first()), digit(pair.last())) else {
                return Err(error());
            };
            *byte = u8::try_from(high * 16 + low).map_err(|_| error())?;
        }
        Ok(AssetHash(bytes))
    }
}

impl fmt::Display for AssetHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(crate::hex::encode(&self.0, &mut [0; 32]))
    }
}

impl fmt::Debug for AssetHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for AssetHash {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for AssetHash {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<AssetHash, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}
