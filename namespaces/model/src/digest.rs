//! The content hash that names a blob.
//!
//! Owns SHA-256 digests and their hex form. Never trusts a digest that somebody else computed: what is
//! read back is hashed again by the store of blobs.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest as _, Sha256};

/// A SHA-256 digest. Written as 64 lower-case hex digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest([u8; 32]);

/// A text that is not 64 hex digits.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a digest is 64 hex digits, this is \"{value}\"; copy it whole")]
pub struct DigestError {
    /// The text, shortened.
    pub value: String,
}

impl Digest {
    /// Hashes bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Digest {
        Digest(Sha256::digest(bytes).into())
    }

    /// Hashes the first `len` bytes of a file, wherever the file stands. Waits for the disk.
    ///
    /// # Errors
    /// When the file cannot be read, or is shorter.
    pub fn of_file(file: &std::fs::File, len: u64) -> std::io::Result<Digest> {
        use std::os::unix::fs::FileExt as _;
        let mut hasher = Sha256::new();
        let mut buffer = vec![0; 256 << 10];
        let mut at = 0;
        while at < len {
            let wanted = usize::try_from(len - at).unwrap_or(buffer.len()).min(buffer.len());
            let chunk = buffer.get_mut(..wanted).unwrap_or_default();
            file.read_exact_at(chunk, at)?;
            hasher.update(&*chunk);
            at += wanted as u64;
        }
        Ok(Digest(hasher.finalize().into()))
    }

    /// Takes a digest as it comes from a hasher.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Digest {
        Digest(bytes)
    }

    /// The 32 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(crate::hex::encode(&self.0, &mut [0; 64]))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Digest {
    type Err = DigestError;

    fn from_str(text: &str) -> Result<Digest, DigestError> {
        decode_hex(text).map(Digest).ok_or_else(|| DigestError { value: crate::name::shorten(text) })
    }
}

fn decode_hex(text: &str) -> Option<[u8; 32]> {
    if text.len() != 64 {
        return None;
    }
    let mut bytes = [0; 32];
    for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        let (high, low) = (pair.first()?, pair.last()?);
        *byte = (nibble(*high)? << 4) | nibble(*low)?;
    }
    Some(bytes)
}

/// Lower case only, so that a digest has one spelling.
fn nibble(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Digest, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_digest_of_nothing_is_the_published_one() {
        let text = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(Digest::of(b"").to_string(), text);
    }

    #[test]
    fn other_spellings_are_refused() {
        let good = Digest::of(b"x").to_string();
        assert!(good.to_uppercase().parse::<Digest>().is_err());
        assert!(good[1..].parse::<Digest>().is_err());
        assert!(format!("{}é", &good[2..]).parse::<Digest>().is_err());
    }

    proptest! {
        #[test]
        fn text_and_digest_are_the_same_thing(bytes in any::<[u8; 32]>()) {
            let digest = Digest::from_bytes(bytes);
            prop_assert_eq!(digest.to_string().parse::<Digest>().unwrap(), digest);
            let json = serde_json::to_string(&digest).unwrap();
            prop_assert_eq!(serde_json::from_str::<Digest>(&json).unwrap(), digest);
        }

        #[test]
        fn no_text_makes_it_panic(text in ".{0,80}") {
            if let Ok(digest) = text.parse::<Digest>() {
                prop_assert_eq!(digest.to_string(), text);
            }
        }
    }
}
