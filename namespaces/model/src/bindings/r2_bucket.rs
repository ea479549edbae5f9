//! `r2_bucket`: a bucket of objects.

use std::fmt;
use std::sync::Arc;

use serde_json::{Map, Value};

use super::fields::Fields;
use super::{Binding, BindingError, Reference};

/// A bucket of objects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct R2Bucket {
    /// Which bucket.
    pub bucket_name: BucketName,
    /// Where its data have to stay, as the uploader said. There is one place, so that it is kept and means nothing.
    pub jurisdiction: Option<String>,
}

/// Names a bucket: 3 to 63 lower-case letters, digits and hyphens, neither the first nor the last a hyphen.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BucketName(Arc<str>);

impl BucketName {
    /// What a name may be, in words.
    pub const RULE: &'static str = "a bucket's name has 3 to 63 lower-case letters, digits and hyphens, and begins and ends with a letter or a digit";

    /// The name, if the text is one.
    #[must_use]
    pub fn parse(text: &str) -> Option<BucketName> {
        let inner = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let bytes = text.as_bytes();
        let is_one = (3..=63).contains(&bytes.len())
            && bytes.iter().all(|byte| inner(byte) || *byte == b'-')
            && bytes.first().is_some_and(inner)
            && bytes.last().is_some_and(inner);
        is_one.then(|| BucketName(Arc::from(text)))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for BucketName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Where data can be asked to stay.
const JURISDICTIONS: [&str; 3] = ["eu", "fedramp", "default"];

impl Binding for R2Bucket {
    const TYPE: &'static str = "r2_bucket";
    const FIELDS: &'static [&'static str] = &["bucket_name", "jurisdiction"];

    fn parse(fields: &Fields<'_>) -> Result<Self, BindingError> {
        let bucket_name = BucketName::parse(fields.text("bucket_name")?)
            .ok_or_else(|| fields.wrong("bucket_name", BucketName::RULE))?;
        let jurisdiction = match fields.get("jurisdiction") {
            None => None,
            Some(_) => Some(fields.text("jurisdiction")?),
        };
        if jurisdiction.is_some_and(|text| !JURISDICTIONS.contains(&text)) {
            return Err(fields.wrong("jurisdiction", "one of \"eu\", \"fedramp\" and \"default\""));
        }
        Ok(Self { bucket_name, jurisdiction: jurisdiction.map(str::to_owned) })
    }

    fn view(&self, fields: &mut Map<String, Value>) {
        fields.insert("bucket_name".to_owned(), Value::from(self.bucket_name.as_str()));
        if let Some(jurisdiction) = &self.jurisdiction {
            fields.insert("jurisdiction".to_owned(), Value::from(jurisdiction.as_str()));
        }
    }

    fn refers_to(&self) -> Vec<Reference<'_>> {
        vec![Reference::R2Bucket(&self.bucket_name)]
    }
}
