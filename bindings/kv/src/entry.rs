//! Keys, what is put under them, and what is found there. A [`Key`] is proof that the rules were checked.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;

use crate::error::KvError;
use crate::limits::{MAX_KEY_BYTES, MAX_LIST, MAX_METADATA_BYTES, MIN_TTL};

/// The name of a value: 1 to 512 bytes of UTF-8, and neither `.` nor `..`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(Arc<str>);

impl Key {
    /// Checks a key.
    ///
    /// # Errors
    /// [`KvError::TooLarge`] or [`KvError::Invalid`].
    pub fn parse(text: &str) -> Result<Key, KvError> {
        if text.is_empty() || text == "." || text == ".." {
            return Err(KvError::Invalid(format!(
                "the key {text:?} cannot be used: a key has at least one byte, and is neither \".\" nor \"..\"; choose another"
            )));
        }
        within("the key", text.len(), MAX_KEY_BYTES)?;
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

/// Until when a value is there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Expiry {
    /// A moment, in seconds since 1970.
    pub at: Option<u64>,
    /// Seconds from now.
    pub ttl: Option<u64>,
}

impl Expiry {
    /// The moment, in seconds since 1970; none where the value stays.
    pub(crate) fn resolve(self, now: u64) -> Result<Option<u64>, KvError> {
        match (self.at, self.ttl) {
            (Some(_), Some(_)) => Err(KvError::Invalid(
                "expiration and expiration_ttl are both given; give one of them".to_owned(),
            )),
            (None, None) => Ok(None),
            (None, Some(ttl)) if ttl < MIN_TTL => Err(KvError::Invalid(format!(
                "expiration_ttl is {ttl}, and must be at least {MIN_TTL} seconds; give a larger number"
            ))),
            (None, Some(ttl)) => Ok(Some(now.saturating_add(ttl))),
            (Some(at), None) if at < now.saturating_add(MIN_TTL) => Err(KvError::Invalid(format!(
                "expiration is {at}, and must be at least {MIN_TTL} seconds from now, which is {now}; give a later time"
            ))),
            (Some(at), None) => Ok(Some(at)),
        }
    }
}

/// What is put beside a value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PutOptions {
    /// Until when it is there.
    pub expiry: Expiry,
    /// JSON text that comes with it.
    pub metadata: Option<String>,
}

/// Checks metadata, and leaves out what says nothing.
pub(crate) fn metadata(text: Option<String>) -> Result<Option<String>, KvError> {
    let Some(text) = text else { return Ok(None) };
    within("the metadata", text.len(), MAX_METADATA_BYTES)?;
    match serde_json::from_str::<serde_json::Value>(&text) {
        Ok(serde_json::Value::Null) => Ok(None),
        Ok(_) => Ok(Some(text)),
        Err(error) => Err(KvError::Invalid(format!("the metadata is not JSON: {error}; correct it"))),
    }
}

pub(crate) fn within(what: &'static str, found: usize, most: usize) -> Result<(), KvError> {
    if found > most {
        return Err(KvError::TooLarge { what, found: found as u64, most: most as u64 });
    }
    Ok(())
}

/// A value that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The value.
    pub value: Bytes,
    /// Its metadata as JSON text.
    pub metadata: Option<String>,
    /// When it goes, in seconds since 1970.
    pub expires: Option<u64>,
}

/// A key of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// The key.
    pub name: String,
    /// The value's metadata as JSON text.
    pub metadata: Option<String>,
    /// When it goes, in seconds since 1970.
    pub expires: Option<u64>,
}

/// Which keys are listed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListOptions {
    /// Keys that begin with this.
    pub prefix: String,
    /// Where the page before ended.
    pub cursor: Option<String>,
    /// How many at most; [`MAX_LIST`] where none is given.
    pub limit: Option<usize>,
}

/// Keys in the order of their bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// The keys.
    pub keys: Vec<Listed>,
    /// Where the next page begins; none on the last.
    pub cursor: Option<String>,
}

impl ListOptions {
    /// Prefix, the key to begin after, and how many.
    pub(crate) fn resolve(self) -> Result<(String, Option<String>, usize), KvError> {
        within("the prefix", self.prefix.len(), MAX_KEY_BYTES)?;
        let limit = self.limit.unwrap_or(MAX_LIST);
        if !(1..=MAX_LIST).contains(&limit) {
            return Err(KvError::Invalid(format!(
                "limit is {limit}, and must be from 1 to {MAX_LIST}; give another number"
            )));
        }
        let after = match self.cursor.filter(|cursor| !cursor.is_empty()) {
            None => None,
            Some(cursor) => Some(from_cursor(&cursor).ok_or_else(|| {
                KvError::Invalid(
                    "the cursor is none that a list of this namespace ended with; begin without one"
                        .to_owned(),
                )
            })?),
        };
        Ok((self.prefix, after, limit))
    }
}

/// A cursor is the last key of a page in hexadecimal, so that it passes through any URL.
pub(crate) fn to_cursor(key: &str) -> String {
    let mut digits = vec![0; key.len() * 2];
    wasmyard_model::hex::encode(key.as_bytes(), &mut digits).to_owned()
}

fn from_cursor(cursor: &str) -> Option<String> {
    if cursor.len() > MAX_KEY_BYTES * 2 || !cursor.len().is_multiple_of(2) {
        return None;
    }
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let mut bytes = Vec::with_capacity(cursor.len() / 2);
    for pair in cursor.as_bytes().chunks_exact(2) {
        let [high, low] = pair else { return None };
        bytes.push(u8::try_from(digit(*high)? * 16 + digit(*low)?).ok()?);
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_have_bounds() {
        for good in ["a", "some key/å", "...", &"k".repeat(MAX_KEY_BYTES)] {
            assert_eq!(Key::parse(good).unwrap().as_str(), good);
        }
        for bad in ["", ".", ".."] {
            assert!(matches!(Key::parse(bad), Err(KvError::Invalid(_))), "{bad:?}");
        }
        let long = "k".repeat(MAX_KEY_BYTES + 1);
        assert!(matches!(Key::parse(&long), Err(KvError::TooLarge { what: "the key", most: 512, .. })));
    }

    #[test]
    fn an_expiry_is_a_minute_from_now_at_least() {
        let at = |at| Expiry { at: Some(at), ttl: None };
        let ttl = |ttl| Expiry { at: None, ttl: Some(ttl) };
        assert_eq!(ttl(60).resolve(1_000).unwrap(), Some(1_060));
        assert_eq!(at(1_060).resolve(1_000).unwrap(), Some(1_060));
        assert_eq!(Expiry::default().resolve(1_000).unwrap(), None);
        for bad in [ttl(59), at(1_059), at(0), Expiry { at: Some(2_000), ttl: Some(60) }] {
            assert!(matches!(bad.resolve(1_000), Err(KvError::Invalid(_))), "{bad:?}");
        }
        assert_eq!(ttl(u64::MAX).resolve(1_000).unwrap(), Some(u64::MAX));
    }

    #[test]
    fn metadata_is_json_and_short() {
        assert_eq!(metadata(Some("{\"a\":1}".to_owned())).unwrap().as_deref(), Some("{\"a\":1}"));
        assert_eq!(metadata(Some("null".to_owned())).unwrap(), None);
        assert!(matches!(metadata(Some("{".to_owned())), Err(KvError::Invalid(_))));
        let text = format!("\"{}\"", "x".repeat(MAX_METADATA_BYTES - 2));
        assert!(metadata(Some(text.clone())).is_ok());
        assert!(matches!(metadata(Some(format!("{text} "))), Err(KvError::TooLarge { .. })));
    }

    #[test]
    fn a_cursor_leads_back_to_its_key() {
        for key in ["a", "some key/å", &"k".repeat(MAX_KEY_BYTES)] {
            assert_eq!(from_cursor(&to_cursor(key)).as_deref(), Some(key));
        }
        for bad in ["a", "zz", "ff", &"61".repeat(MAX_KEY_BYTES + 1), "åå"] {
            assert_eq!(from_cursor(bad), None, "{bad}");
        }
    }
}
