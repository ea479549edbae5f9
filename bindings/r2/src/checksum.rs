//! Checksums: what is kept of a content, and what a client says that it must be.

use serde::{Deserialize, Serialize};

use crate::error::R2Error;
use making::Making;

pub(crate) use making::{Composing, etag_of_parts};
pub use making::{Promise, digest};

mod making;

/// How a checksum is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Algorithm {
    /// 4 bytes: CRC-32 of ISO-HDLC.
    Crc32,
    /// 4 bytes: CRC-32 of Castagnoli.
    Crc32c,
    /// 8 bytes: CRC-64 of the NVM Express.
    Crc64Nvme,
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
    /// Each of them.
    pub const ALL: [Algorithm; 8] = [
        Algorithm::Crc32,
        Algorithm::Crc32c,
        Algorithm::Crc64Nvme,
        Algorithm::Md5,
        Algorithm::Sha1,
        Algorithm::Sha256,
        Algorithm::Sha384,
        Algorithm::Sha512,
    ];

    /// Its name, as fields have it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Algorithm::Crc32 => "crc32",
            Algorithm::Crc32c => "crc32c",
            Algorithm::Crc64Nvme => "crc64nvme",
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
            Algorithm::Crc32 | Algorithm::Crc32c => 4,
            Algorithm::Crc64Nvme => 8,
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
    /// CRC-32.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub crc32: Option<String>,
    /// CRC-32C.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub crc32c: Option<String>,
    /// CRC-64/NVME.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub crc64nvme: Option<String>,
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
    /// Of an object of parts: a checksum of their checksums, which is none of the content.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub of_parts: Option<OfParts>,
}

/// A checksum of the checksums of an object's parts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OfParts {
    /// By which they and it are made.
    pub algorithm: Algorithm,
    /// In hexadecimal digits.
    pub digits: String,
    /// How many parts there are.
    pub parts: u64,
}

impl Checksums {
    /// One of them, if it is there.
    #[must_use]
    pub fn of(&self, algorithm: Algorithm) -> Option<&str> {
        match algorithm {
            Algorithm::Crc32 => self.crc32.as_deref(),
            Algorithm::Crc32c => self.crc32c.as_deref(),
            Algorithm::Crc64Nvme => self.crc64nvme.as_deref(),
            Algorithm::Md5 => self.md5.as_deref(),
            Algorithm::Sha1 => self.sha1.as_deref(),
            Algorithm::Sha256 => self.sha256.as_deref(),
            Algorithm::Sha384 => self.sha384.as_deref(),
            Algorithm::Sha512 => self.sha512.as_deref(),
        }
    }

    /// Whether each that the others have is here, and the same.
    pub(crate) fn has_all_of(&self, others: &Checksums) -> bool {
        Algorithm::ALL
            .into_iter()
            .all(|algorithm| others.of(algorithm).is_none_or(|digits| self.of(algorithm) == Some(digits)))
    }

    /// Keeps one, in hexadecimal digits.
    pub fn set(&mut self, algorithm: Algorithm, digits: String) {
        let field = match algorithm {
            Algorithm::Crc32 => &mut self.crc32,
            Algorithm::Crc32c => &mut self.crc32c,
            Algorithm::Crc64Nvme => &mut self.crc64nvme,
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
        let digits = given
            .iter()
            .map(|(algorithm, bytes)| digits(*algorithm, bytes).map(|digits| (*algorithm, digits)));
        digits.collect::<Result<Vec<_>, _>>().map(Expected)
    }
}

/// A checksum as it is kept, if it has the bytes of one.
fn digits(algorithm: Algorithm, bytes: &[u8]) -> Result<String, R2Error> {
    if bytes.len() == algorithm.length() {
        return Ok(hex(bytes));
    }
    Err(R2Error::Invalid(format!(
        "the {} checksum has {} bytes, and such a one has {}; give it whole",
        algorithm.name(),
        bytes.len(),
        algorithm.length()
    )))
}

/// A content's checksums in the making.
pub(crate) struct Hashing {
    md5: Making,
    others: Vec<(Algorithm, Making)>,
    expected: Expected,
    promised: Vec<(Algorithm, Promise)>,
}

impl Hashing {
    pub(crate) fn new(expected: Expected) -> Hashing {
        let md5 = Making::new(Algorithm::Md5);
        let mut hashing =
            Hashing { md5, others: Vec::new(), expected: Expected::default(), promised: Vec::new() };
        for (algorithm, _) in &expected.0 {
            hashing.note(*algorithm);
        }
        Hashing { expected, ..hashing }
    }

    /// Makes this one, too.
    pub(crate) fn note(&mut self, algorithm: Algorithm) {
        if algorithm != Algorithm::Md5 && self.others.iter().all(|(known, _)| *known != algorithm) {
            self.others.push((algorithm, Making::new(algorithm)));
        }
    }

    /// What it must be is said when the content has come.
    pub(crate) fn expect_later(&mut self, algorithm: Algorithm, promise: Promise) {
        self.note(algorithm);
        self.promised.push((algorithm, promise));
    }

    pub(crate) fn update(&mut self, bytes: &[u8]) {
        self.md5.update(bytes);
        self.others.iter_mut().for_each(|(_, making)| making.update(bytes));
    }

    /// The checksums, if they are those that were said.
    pub(crate) fn finish(self) -> Result<Checksums, R2Error> {
        let mut found = Checksums { md5: Some(hex(&self.md5.finish())), ..Checksums::default() };
        for (algorithm, making) in self.others {
            found.set(algorithm, hex(&making.finish()));
        }
        let mut expected = self.expected.0;
        for (algorithm, promise) in self.promised {
            let given = promise.kept().ok_or_else(|| {
                R2Error::Interrupted(format!("the {} checksum did not come behind it", algorithm.name()))
            })?;
            expected.push((algorithm, digits(algorithm, given)?));
        }
        for (algorithm, given) in expected {
            let came = found.of(algorithm).unwrap_or_default();
            if came != given {
                let (algorithm, found) = (algorithm.name(), came.to_owned());
                return Err(R2Error::BadDigest { algorithm, given, found });
            }
        }
        Ok(found)
    }
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
}
