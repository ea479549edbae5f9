//! A response on its way into a cache.

use bytes::Bytes;
use http::HeaderName;
use uuid::Uuid;

use super::Resource;
use crate::meta::{Head, Meta};
use crate::rules::Left;
use crate::store::{EntryKey, Writing};

/// A response that is kept as soon as its body is there.
#[derive(Debug)]
pub struct Storing {
    pub(super) resource: Resource,
    pub(super) head: Head,
    pub(super) vary: Vec<HeaderName>,
}

/// The same, while its body comes. Dropping it keeps nothing.
#[derive(Debug)]
pub struct Incoming {
    storing: Storing,
    writing: Writing,
}

impl Storing {
    /// Keeps it, with a body that is there as a whole.
    ///
    /// # Errors
    /// [`Left`]: it is too large, or there was no room. What was kept for the request before is not there any more then.
    pub async fn put(self, body: Bytes) -> Result<(), Left> {
        let length = body.len() as u64;
        let (at, key, meta) = self.place().await.ok_or(Left::NoRoom)?;
        let space = &self.resource.of.space;
        if space.put(at, key, meta, body).await { Ok(()) } else { Err(self.left(length)) }
    }

    /// Keeps it, with a body that comes in pieces. None: too much is written for now.
    pub async fn begin(self) -> Option<Incoming> {
        let writing = self.resource.of.space.begin().await?;
        Some(Incoming { storing: self, writing })
    }

    /// Where it goes. Where responses vary, what says so goes first.
    async fn place(&self) -> Option<(EntryKey, Bytes, Bytes)> {
        let (resource, head) = (&self.resource, Meta::Response(self.head.clone()).encode()?);
        if self.vary.is_empty() {
            return Some((resource.at, Bytes::copy_from_slice(&resource.key), head));
        }
        let names: Vec<String> = self.vary.iter().map(|name| name.as_str().to_owned()).collect();
        let known = match resource.first().await {
            Some((Meta::Varies { generation, names: known }, _)) if known == names => Some(generation),
            _ => None,
        };
        let generation = match known {
            Some(generation) => generation,
            None => {
                let generation = *Uuid::new_v4().as_bytes();
                let meta = Meta::Varies { generation, names }.encode()?;
                let key = Bytes::copy_from_slice(&resource.key);
                if !resource.of.space.put(resource.at, key, meta, Bytes::new()).await {
                    return None;
                }
                generation
            }
        };
        let (at, key) = resource.varied(&generation, &self.vary);
        Some((at, key, head))
    }

    fn left(&self, length: u64) -> Left {
        let most = self.resource.of.space.most();
        if length > most { Left::TooLarge { what: "its body", most } } else { Left::NoRoom }
    }
}

impl Incoming {
    /// More of the body. False: it will not be kept, and nothing more is needed.
    pub async fn write(&mut self, bytes: Bytes) -> bool {
        self.writing.write(bytes).await
    }

    /// The body is whole.
    ///
    /// # Errors
    /// As [`Storing::put`].
    pub async fn finish(self) -> Result<(), Left> {
        let Incoming { storing, writing } = self;
        let length = writing.length();
        let (at, key, meta) = storing.place().await.ok_or(Left::NoRoom)?;
        if writing.commit(at, key, meta).await { Ok(()) } else { Err(storing.left(length)) }
    }
}
