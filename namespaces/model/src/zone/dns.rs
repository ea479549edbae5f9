//! DNS records of a zone, as far as they say where an origin or the target of a CNAME is.
//!
//! Owns names, contents and what may be set about a record. Wasmyard answers no DNS for a zone: the builder keeps the
//! same records at the zone's name server. Never resolves anything.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::closed::closed;
use crate::domain::{Domain, DomainError};
use crate::ids::{DnsRecordId, ZoneId};
use crate::limits::hostnames::{COMMENT_BYTES, RECORD_TAGS};
use crate::name::{ConfigName, Tag, shorten};
use crate::timestamp::Timestamp;

closed! {
    /// What a record says.
    DnsRecordType {
        /// An IPv4 address.
        A = "A",
        /// An IPv6 address.
        Aaaa = "AAAA",
        /// Another name.
        Cname = "CNAME",
    }
}

/// What a record says of its name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", content = "content")]
pub enum DnsContent {
    /// An IPv4 address.
    A(Ipv4Addr),
    /// An IPv6 address.
    #[serde(rename = "AAAA")]
    Aaaa(Ipv6Addr),
    /// Another name.
    #[serde(rename = "CNAME")]
    Cname(Domain),
}

/// The name of a record: one of the zone, or `*.` in front of one.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DnsName(Arc<str>);

/// A record that cannot be. Safe to show.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DnsRecordError {
    /// A type that says nothing about where an origin is.
    #[error(
        "records of type \"{0}\" are not kept here; A, AAAA and CNAME are, the others belong to the zone's name server"
    )]
    Type(String),
    /// The name is none.
    #[error("name: {0}")]
    Name(DomainError),
    /// The name is not in the zone.
    #[error("name: \"{name}\" is not in zone {zone}")]
    OutsideZone {
        /// The name.
        name: String,
        /// The zone's.
        zone: Domain,
    },
    /// The content does not suit the type.
    #[error("content: \"{content}\" is no {expected}")]
    Content {
        /// The content, shortened.
        content: String,
        /// What it should be.
        expected: &'static str,
    },
    /// A CNAME that leads to itself.
    #[error("content: a CNAME cannot lead to its own name")]
    Itself,
    /// A time to live that no record has.
    #[error("ttl = {0} is out of range; 1 lets the platform choose, else it is 30 to 86400 seconds")]
    Ttl(u64),
    /// Too long a comment.
    #[error("comment: it may have {COMMENT_BYTES} bytes")]
    Comment,
    /// Too many tags, or one that is none.
    #[error(
        "tags: a record may have {RECORD_TAGS} of them, each of 1 to 1024 characters without ',' and '&'"
    )]
    Tags,
}

/// A DNS record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DnsRecord {
    /// Its id.
    pub id: DnsRecordId,
    /// Its zone.
    pub zone: ZoneId,
    /// Its name.
    pub name: DnsName,
    /// What it says.
    #[serde(flatten)]
    pub content: DnsContent,
    /// Seconds that an answer may be kept; 1 lets the platform choose.
    pub ttl: u32,
    /// Whether requests for the name come through the platform.
    pub proxied: bool,
    /// What its maker noted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
    /// What its maker sorts it by.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<Tag>,
    /// When it was made.
    pub created_on: Timestamp,
    /// When it last changed.
    pub modified_on: Timestamp,
    /// The configuration that declares it, and so owns it; none: the API made it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub configuration: Option<ConfigName>,
}

impl DnsRecord {
    /// What it says, without whose it is and since when.
    #[must_use]
    pub fn to_new(&self) -> NewDnsRecord {
        NewDnsRecord {
            name: self.name.clone(),
            content: self.content.clone(),
            ttl: self.ttl,
            proxied: self.proxied,
            comment: self.comment.clone(),
            tags: self.tags.clone(),
        }
    }
}

/// What a new record says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewDnsRecord {
    /// Its name.
    pub name: DnsName,
    /// What it says.
    pub content: DnsContent,
    /// Seconds that an answer may be kept.
    pub ttl: u32,
    /// Whether requests come through the platform.
    pub proxied: bool,
    /// A note.
    pub comment: Option<String>,
    /// Tags.
    pub tags: Vec<Tag>,
}

/// What a caller gives of a record, as texts; what is none was not given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DnsRecordEdit {
    /// Its type.
    pub kind: Option<String>,
    /// Its name: whole, or without the zone's; `@` is the zone itself.
    pub name: Option<String>,
    /// What it says.
    pub content: Option<String>,
    /// Seconds that an answer may be kept.
    pub ttl: Option<u64>,
    /// Whether requests come through the platform.
    pub proxied: Option<bool>,
    /// A note, or (`Some(None)`) none any more.
    pub comment: Option<Option<String>>,
    /// Tags, in place of all before.
    pub tags: Option<Vec<String>>,
}

impl DnsRecordEdit {
    /// The record that comes out of this in a zone: what was not given is as before, or has its default.
    ///
    /// # Errors
    /// [`DnsRecordError`] with the first rule that is broken.
    pub fn apply(&self, before: Option<&DnsRecord>, zone: &Domain) -> Result<NewDnsRecord, DnsRecordError> {
        let kind = match &self.kind {
            Some(kind) => DnsRecordType::parse(kind).ok_or_else(|| DnsRecordError::Type(shorten(kind)))?,
            None => before
                .map(|before| before.content.kind())
                .ok_or_else(|| DnsRecordError::Type(String::new()))?,
        };
        let name = match (&self.name, before) {
            (Some(name), _) => DnsName::parse(name, zone)?,
            (None, Some(before)) => before.name.clone(),
            (None, None) => DnsName::parse("", zone)?,
        };
        let content = match (&self.content, before) {
            (Some(content), _) => DnsContent::parse(kind, content, zone)?,
            (None, Some(before)) if before.content.kind() == kind => before.content.clone(),
            (None, _) => DnsContent::parse(kind, "", zone)?,
        };
        if matches!(&content, DnsContent::Cname(target) if target.as_str() == name.as_str()) {
            return Err(DnsRecordError::Itself);
        }
        let ttl = match self.ttl {
            Some(ttl @ (1 | 30..=86_400)) => u32::try_from(ttl).unwrap_or(1),
            Some(ttl) => return Err(DnsRecordError::Ttl(ttl)),
            None => before.map_or(1, |before| before.ttl),
        };
        let comment = match &self.comment {
            Some(comment) => comment.clone().filter(|comment| !comment.is_empty()),
            None => before.and_then(|before| before.comment.clone()),
        };
        if comment.as_ref().is_some_and(|comment| comment.len() as u64 > COMMENT_BYTES) {
            return Err(DnsRecordError::Comment);
        }
        let tags = match &self.tags {
            Some(tags) if tags.len() as u64 > RECORD_TAGS => return Err(DnsRecordError::Tags),
            Some(tags) => tags
                .iter()
                .map(|tag| Tag::parse(tag))
                .collect::<Result<_, _>>()
                .map_err(|_| DnsRecordError::Tags)?,
            None => before.map_or_else(Vec::new, |before| before.tags.clone()),
        };
        let proxied = self.proxied.unwrap_or_else(|| before.is_some_and(|before| before.proxied));
        Ok(NewDnsRecord { name, content, ttl, proxied, comment, tags })
    }
}

impl DnsContent {
    fn parse(kind: DnsRecordType, text: &str, zone: &Domain) -> Result<DnsContent, DnsRecordError> {
        let wrong = |expected| DnsRecordError::Content { content: shorten(text), expected };
        match kind {
            DnsRecordType::A => text.parse().map(DnsContent::A).map_err(|_| wrong("IPv4 address")),
            DnsRecordType::Aaaa => text.parse().map(DnsContent::Aaaa).map_err(|_| wrong("IPv6 address")),
            DnsRecordType::Cname if text == "@" => Ok(DnsContent::Cname(zone.clone())),
            DnsRecordType::Cname => {
                Domain::from_any_alphabet(text).map(DnsContent::Cname).map_err(|_| wrong("name"))
            }
        }
    }

    /// Its type.
    #[must_use]
    pub fn kind(&self) -> DnsRecordType {
        match self {
            DnsContent::A(_) => DnsRecordType::A,
            DnsContent::Aaaa(_) => DnsRecordType::Aaaa,
            DnsContent::Cname(_) => DnsRecordType::Cname,
        }
    }
}

impl fmt::Display for DnsContent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DnsContent::A(address) => address.fmt(f),
            DnsContent::Aaaa(address) => address.fmt(f),
            DnsContent::Cname(name) => name.fmt(f),
        }
    }
}

impl DnsName {
    /// Reads a name in a zone: whole, or without the zone's; `@` is the zone itself. The first label may be `*`.
    ///
    /// # Errors
    /// [`DnsRecordError::Name`], [`DnsRecordError::OutsideZone`].
    pub fn parse(text: &str, zone: &Domain) -> Result<DnsName, DnsRecordError> {
        if text == "@" {
            return Ok(DnsName(Arc::from(zone.as_str())));
        }
        if text == "*" {
            return Ok(DnsName(Arc::from(format!("*.{zone}"))));
        }
        let (star, rest) = match text.strip_prefix("*.") {
            Some(rest) => ("*.", rest),
            None => ("", text),
        };
        let written = Domain::from_any_alphabet(rest).map_err(DnsRecordError::Name)?;
        let whole = if written.is_within(zone) {
            written
        } else if text.ends_with('.') {
            return Err(DnsRecordError::OutsideZone { name: shorten(text), zone: zone.clone() });
        } else {
            Domain::parse(&format!("{written}.{zone}")).map_err(DnsRecordError::Name)?
        };
        Ok(DnsName(Arc::from(format!("{star}{whole}"))))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it stands for many names.
    #[must_use]
    pub fn is_wildcard(&self) -> bool {
        self.0.starts_with("*.")
    }

    /// Whether the record is one for this name: an exact one, or a wildcard above it.
    #[must_use]
    pub fn covers(&self, name: &Domain) -> bool {
        match self.0.strip_prefix("*") {
            Some(suffix) => name.as_str().len() > suffix.len() && name.as_str().ends_with(suffix),
            None => *self.0 == *name.as_str(),
        }
    }
}

impl fmt::Display for DnsName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for DnsName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}

impl Serialize for DnsName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for DnsName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<DnsName, D::Error> {
        let text = String::deserialize(deserializer)?;
        Domain::parse(text.strip_prefix("*.").unwrap_or(&text)).map_err(serde::de::Error::custom)?;
        Ok(DnsName(Arc::from(text)))
    }
}
