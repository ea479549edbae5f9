//! What is kept beside a body: the head of a response and its times, or which fields the responses of a resource vary by.

use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use http::header::{HeaderMap, HeaderName, HeaderValue};
use serde::{Deserialize, Serialize};

/// What an entry is.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Meta {
    /// A response.
    Response(Head),
    /// Responses are found by what a request has in these fields. The number is other than any before: with it those go that
    /// were found by an earlier one.
    Varies {
        /// The number.
        generation: [u8; 16],
        /// The fields.
        names: Vec<String>,
    },
}

/// The head of a response that is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Head {
    status: u16,
    fields: Vec<(String, Vec<u8>)>,
    /// When it came, in milliseconds since 1970.
    came: u64,
    /// How old it was then, and how old it may become, in milliseconds.
    age: u64,
    lifetime: u64,
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

impl Head {
    pub(crate) fn new(status: StatusCode, kept: &crate::rules::Kept, now: u64) -> Head {
        let fields = kept.headers.iter();
        let fields = fields.map(|(name, value)| (name.as_str().to_owned(), value.as_bytes().to_vec()));
        Head {
            status: status.as_u16(),
            fields: fields.collect(),
            came: now,
            age: millis(kept.age),
            lifetime: millis(kept.lifetime),
        }
    }

    /// How old it is; none where it is stale (RFC 9111, section 4.2).
    pub(crate) fn age(&self, now: u64) -> Option<Duration> {
        let age = self.age.saturating_add(now.saturating_sub(self.came));
        (age < self.lifetime).then(|| Duration::from_millis(age))
    }

    /// Status and fields; none where they are not what was kept.
    pub(crate) fn parts(&self) -> Option<(StatusCode, HeaderMap)> {
        let mut headers = HeaderMap::with_capacity(self.fields.len());
        for (name, value) in &self.fields {
            headers.append(HeaderName::try_from(name).ok()?, HeaderValue::from_bytes(value).ok()?);
        }
        Some((StatusCode::from_u16(self.status).ok()?, headers))
    }
}

impl Meta {
    pub(crate) fn encode(&self) -> Option<Bytes> {
        postcard::to_allocvec(self).map(Bytes::from).ok()
    }

    pub(crate) fn decode(bytes: &[u8]) -> Option<Meta> {
        postcard::from_bytes(bytes).ok()
    }
}
