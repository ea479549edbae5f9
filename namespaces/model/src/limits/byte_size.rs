//! Byte sizes as people write them.
//!
//! Owns the reading of `"128MiB"`. Never rounds: a size that is no whole number of bytes is an error.

use std::fmt;
use std::str::FromStr;

use serde::de::Visitor;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A number of bytes. Reads an integer, or a text with a unit: `B`, `kB`, `MB`, `GB` (powers of 1000),
/// `KiB`, `MiB`, `GiB` (powers of 1024); upper and lower case are the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ByteSize(pub u64);

/// A text that is no byte size.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{value}\" is not a size: {rule}; write it like \"128MiB\" or 134217728")]
pub struct ByteSizeError {
    /// The text, shortened.
    pub value: String,
    /// The rule it breaks.
    pub rule: &'static str,
}

impl ByteSize {
    /// The number of bytes.
    #[must_use]
    pub const fn bytes(self) -> u64 {
        self.0
    }
}

const UNITS: [(&str, u64); 7] = [
    ("b", 1),
    ("kb", 1_000),
    ("mb", 1_000_000),
    ("gb", 1_000_000_000),
    ("kib", 1 << 10),
    ("mib", 1 << 20),
    ("gib", 1 << 30),
];

impl FromStr for ByteSize {
    type Err = ByteSizeError;

    fn from_str(text: &str) -> Result<ByteSize, ByteSizeError> {
        let error = |rule| ByteSizeError { value: crate::name::shorten(text), rule };
        let trimmed = text.trim();
        let digits = trimmed.len() - trimmed.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (number, unit) = trimmed.split_at(digits);
        if number.is_empty() {
            return Err(error("it must start with a whole number"));
        }
        let number: u64 = number.parse().map_err(|_| error("the number is too large"))?;
        let unit = unit.trim_start();
        if unit.is_empty() {
            return Ok(ByteSize(number));
        }
        let factor =
            UNITS.iter().find(|(name, _)| unit.eq_ignore_ascii_case(name)).map(|(_, factor)| *factor);
        let factor = factor.ok_or_else(|| error("the units are B, kB, MB, GB, KiB, MiB and GiB"))?;
        number.checked_mul(factor).map(ByteSize).ok_or_else(|| error("the number is too large"))
    }
}

impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let exact = [(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")]
            .into_iter()
            .find(|(factor, _): &(u64, _)| self.0 != 0 && self.0.is_multiple_of(*factor));
        match exact {
            Some((factor, unit)) => write!(f, "{}{unit}", self.0 / factor),
            None => write!(f, "{}B", self.0),
        }
    }
}

impl Serialize for ByteSize {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(self.0)
    }
}

impl<'de> Deserialize<'de> for ByteSize {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<ByteSize, D::Error> {
        deserializer.deserialize_any(ByteSizeVisitor)
    }
}

struct ByteSizeVisitor;

impl Visitor<'_> for ByteSizeVisitor {
    type Value = ByteSize;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number of bytes, or a text like \"128MiB\"")
    }

    fn visit_u64<E: serde::de::Error>(self, bytes: u64) -> Result<ByteSize, E> {
        Ok(ByteSize(bytes))
    }

    fn visit_i64<E: serde::de::Error>(self, bytes: i64) -> Result<ByteSize, E> {
        u64::try_from(bytes).map(ByteSize).map_err(|_| E::custom("a size may not be negative"))
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<ByteSize, E> {
        text.parse().map_err(E::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn units_mean_what_they_say() {
        for (text, bytes) in [
            ("0", 0),
            ("17", 17),
            ("17B", 17),
            ("128MiB", 128 << 20),
            ("128 mib", 128 << 20),
            ("1kB", 1_000),
            ("2GB", 2_000_000_000),
            ("1GiB", 1 << 30),
        ] {
            assert_eq!(text.parse::<ByteSize>().unwrap().bytes(), bytes, "{text}");
        }
        for text in
            ["", "MiB", "-1", "1.5MiB", "1 MiBi", "1K", "99999999999999999999", "18446744073709551615KiB"]
        {
            assert!(text.parse::<ByteSize>().is_err(), "{text}");
        }
    }

    #[test]
    fn json_takes_numbers_and_texts() {
        assert_eq!(serde_json::from_str::<ByteSize>("4096").unwrap(), ByteSize(4096));
        assert_eq!(serde_json::from_str::<ByteSize>("\"4KiB\"").unwrap(), ByteSize(4096));
        assert!(serde_json::from_str::<ByteSize>("-4").is_err());
        assert!(serde_json::from_str::<ByteSize>("4.5").is_err());
    }

    proptest! {
        #[test]
        fn what_is_shown_reads_back(bytes in any::<u64>(), shift in 0u32..40) {
            let size = ByteSize((bytes >> 20) << (shift % 20));
            prop_assert_eq!(size.to_string().parse::<ByteSize>().unwrap(), size);
        }

        #[test]
        fn no_text_makes_it_panic(text in "[0-9]{0,24}[ a-zA-Z]{0,5}|.{0,40}") {
            let parsed = text.parse::<ByteSize>();
            prop_assert_eq!(parsed.is_ok(), parsed.ok().map(|size| size.to_string().parse::<ByteSize>()).is_some());
        }
    }
}
