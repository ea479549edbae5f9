//! Checksums: what is kept of a content, and what a client says that it must be.

use aws_lc_rs::digest::{self, Context};
use md5::{Digest as _, Md5};
use serde::{Deserialize, Serialize};

use crate::error::R2Error;

/// How a checksum is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// 16 bytes.
    Md5,
    /// 20 bytes.
    Sha1,
    /// 32 bytes.
    Sha256,
    /// 48 bytes.
    Sha384,
    /// 64 bytes.
    Sha512,
}

impl Algorithm {
    /// Its name, as fields have it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Algorithm::Md5 => "md5",
            Algorithm::Sha1 => "sha1",
            Algorithm::Sha256 => "sha256",
            Algorithm::Sha384 => "sha384",
            Algorithm::Sha512 => "sha512",
        }
    }

    /// Bytes of such a checksum.
    #[must_use]
    pub const fn length(self) -> usize {
        match self {
            Algorithm::Md5 => 16,
            Algorithm::Sha1 => 20,
            Algorithm::Sha256 => 32,
            Algorithm::Sha384 => 48,
            Algorithm::Sha512 => 64,
        }
    }
}

/// Checksums of a content, in hexadecimal digits. Each is there that was asked for; MD5 wherever the content came at once.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Checksums {
    /// MD5.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub md5: Option<String>,
    /// SHA-1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sha1: Option<String>,
    /// SHA-256.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// SHA-384.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sha384: Option<String>,
    /// SHA-512.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sha512: Option<String>,
}

impl Checksums {
    /// One of them, if it is there.
    #[must_use]
    pub fn of(&self, algorithm: Algorithm) -> Option<&str> {
        match algorithm {
            Algorithm::Md5 => self.md5.as_deref(),
            Algorithm::Sha1 => self.sha1.as_deref(),
            Algorithm::Sha256 => self.sha256.as_deref(),
            Algorithm::Sha384 => self.sha384.as_deref(),
            Algorithm::Sha512 => self.sha512.as_deref(),
        }
    }

    fn set(&mut self, algorithm: Algorithm, digits: String) {
        let field = match algorithm {
            Algorithm::Md5 => &mut self.md5,
            Algorithm::Sha1 => &mut self.sha1,
            Algorithm::Sha256 => &mut self.sha256,
            Algorithm::Sha384 => &mut self.sha384,
            Algorithm::Sha512 => &mut self.sha512,
        };
        *field = Some(digits);
    }
}

/// What a content must have, as its sender said.
#[derive(Clone, Debug, Default)]
pub(crate) struct Expected(Vec<(Algorithm, String)>);

impl Expected {
    /// Checks their lengths.
    pub(crate) fn of(given: &[(Algorithm, Vec<u8>)]) -> Result<Expected, R2Error> {
        let digits = given.iter().map(|(algorithm, bytes)| {
            if bytes.len() != algorithm.length() {
                return Err(R2Error::Invalid(format!(
                    "the {} checksum has {} bytes, and such a one has {}; give it whole",
                    algorithm.name(),
                    bytes.len(),
                    algorithm.length()
                )));
            }
            Ok((*algorithm, hex(bytes)))
        });
        digits.collect::<Result<Vec<_>, _>>().map(Expected)
    }
}

/// A content's checksums in the making.
pub(crate) struct Hashing {
    md5: Md5,
    others: Vec<(Algorithm, Context)>,
    expected: Expected,
}

impl Hashing {
    pub(crate) fn new(expected: Expected) -> Hashing {
        let others = expected.0.iter().filter_map(|(algorithm, _)| {
            let of = match algorithm {
                Algorithm::Md5 => return None,
                Algorithm::Sha1 => &digest::SHA1_FOR_LEGACY_USE_ONLY,
                Algorithm::Sha256 => &digest::SHA256,
                Algorithm::Sha384 => &digest::SHA384,
                Algorithm::Sha512 => &digest::SHA512,
            };
            Some((*algorithm, Context::new(of)))
        });
        Hashing { md5: Md5::new(), others: others.collect(), expected }
    }

    pub(crate) fn update(&mut self, bytes: &[u8]) {
        self.md5.update(bytes);
        self.others.iter_mut().for_each(|(_, context)| context.update(bytes));
    }

    /// The checksums, if they are those that were said.
    pub(crate) fn finish(self) -> Result<Checksums, R2Error> {
        let mut found = Checksums { md5: Some(hex(&self.md5.finalize())), ..Checksums::default() };
        for (algorithm, context) in self.others {
            found.set(algorithm, hex(context.finish().as_ref()));
        }
        for (algorithm, given) in self.expected.0 {
            let came = found.of(algorithm).unwrap_or_default();
            if came != given {
                let (algorithm, found) = (algorithm.name(), came.to_owned());
                return Err(R2Error::BadDigest { algorithm, given, found });
            }
        }
        Ok(found)
    }
}

/// The etag of an object of parts, of which these are the MD5s.
pub(crate) fn etag_of_parts<'p>(parts: impl Iterator<Item = &'p str>) -> String {
    let (mut md5, mut count) = (Md5::new(), 0u64);
    for part in parts {
        md5.update(from_hex(part).unwrap_or_default());
        count += 1;
    }
    format!("{}-{count}", hex(&md5.finalize()))
}

/// Bytes in hexadecimal digits.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    let mut digits = vec![0; bytes.len() * 2];
    wasmyard_model::hex::encode(bytes, &mut digits).to_owned()
}

/// The bytes of hexadecimal digits, if they are some.
#[must_use]
pub fn from_hex(digits: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let (pairs, rest) = digits.as_bytes().as_chunks::<2>();
    if !rest.is_empty() {
        return None;
    }
    pairs.iter().map(|[high, low]| u8::try_from(digit(*high)? * 16 + digit(*low)?).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_are_those_that_the_world_knows() {
        let given = [Algorithm::Sha1, Algorithm::Sha256, Algorithm::Sha384, Algorithm::Sha512];
        let whole = |expected| {
            let mut hashing = Hashing::new(expected);
            hashing.update(b"ab");
            hashing.update(b"c");
            hashing.finish()
        };
        let none: Vec<_> = given.iter().map(|algorithm| (*algorithm, vec![0; algorithm.length()])).collect();
        assert!(matches!(
            whole(Expected::of(&none).unwrap()),
            Err(R2Error::BadDigest { algorithm: "sha1", .. })
        ));
        let abc = [
            (Algorithm::Md5, "900150983cd24fb0d6963f7d28e17f72"),
            (Algorithm::Sha1, "a9993e364706816aba3e25717850c26c9cd0d89d"),
            (Algorithm::Sha256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        ];
        let expected: Vec<_> = abc.iter().map(|(of, digits)| (*of, from_hex(digits).unwrap())).collect();
        let found = whole(Expected::of(&expected).unwrap()).unwrap();
        for (algorithm, digits) in abc {
            assert_eq!(found.of(algorithm), Some(digits));
        }
        assert_eq!(found.sha512, None, "nobody asked for it");
        assert!(matches!(Expected::of(&[(Algorithm::Md5, vec![1])]), Err(R2Error::Invalid(_))));
    }

    #[test]
    fn an_object_of_parts_has_an_etag_with_their_number() {
        // The MD5 of the sixteen bytes of the MD5 of nothing.
        let part = "d41d8cd98f00b204e9800998ecf8427e";
        assert_eq!(etag_of_parts([part].into_iter()), "59adb24ef3cdbe0297f05b395827453f-1");
    }
}
