//! The caches of scripts, as the Cache API has them: responses under URLs, each script's for itself.
//!
//! Owns what the product says beside RFC 9111, and how a response finds its entry. A script's caches are named by the
//! identifier that it has from its first upload until it is deleted, which no script can say: there is no way to another's.

mod storing;

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::header::{HeaderMap, HeaderValue};
use http::{HeaderName, Method, StatusCode};
use url::Url;
use uuid::Uuid;
use wasmyard_model::Clock;

use crate::error::CacheError;
use crate::limits::{CacheLimits, MAX_HEAD_BYTES, MAX_NAME_BYTES, MAX_URL_BYTES};
use crate::meta::{Head, Meta};
use crate::rules::{self, CACHE_STATUS, Left, Part, Policy, Vary};
use crate::store::{EntryKey, Found, OwnerId, Space, Store, Stored};
pub use storing::{Incoming, Storing};

/// What the product does: times by status where a response says none, and no cookies.
pub const CACHE_API: Policy = Policy { unsaid, keeps_cookies: false };

/// The product's times for responses that say nothing.
fn unsaid(status: StatusCode) -> Option<Duration> {
    let minutes = match status.as_u16() {
        200 | 301 => 120,
        302 | 303 => 20,
        404 | 410 => 3,
        _ => return None,
    };
    Some(Duration::from_secs(minutes * 60))
}

/// The caches of all scripts of a node. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Caches {
    store: Store,
    clock: Clock,
    lookups: Arc<Lookups>,
}

/// How often something was looked for.
#[derive(Debug, Default)]
struct Lookups {
    hits: AtomicU64,
    misses: AtomicU64,
}

/// The caches of one script. Cheap to clone.
#[derive(Clone, Debug)]
pub struct ScriptCaches {
    space: Space,
    clock: Clock,
    lookups: Arc<Lookups>,
}

/// One cache of a script.
#[derive(Clone, Debug)]
pub struct Cache {
    of: ScriptCaches,
    name: Option<Arc<str>>,
}

/// What a cache is asked about.
#[derive(Clone, Debug)]
pub struct Request {
    /// The method.
    pub method: Method,
    /// The URL, whole.
    pub url: String,
    /// The fields.
    pub headers: HeaderMap,
}

/// What may be kept for one URL in one cache.
#[derive(Debug)]
pub struct Resource {
    of: ScriptCaches,
    at: EntryKey,
    key: Vec<u8>,
    headers: HeaderMap,
}

/// A response from a cache.
#[derive(Debug)]
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// Its fields.
    pub headers: HeaderMap,
    /// Its body; none where it has none.
    pub body: Option<Stored>,
}

impl Caches {
    /// Opens the store of a folder.
    ///
    /// # Errors
    /// Why the folder cannot be used.
    pub fn open(folder: &Path, clock: Clock, limits: CacheLimits) -> io::Result<Caches> {
        Ok(Caches { store: Store::open(folder, clock.clone(), limits)?, clock, lookups: Arc::default() })
    }

    /// The caches of the script with this identifier, a UUID; none where it is none. The name is for [`Caches::scripts`].
    #[must_use]
    pub fn of(&self, id: &str, name: &str) -> Option<ScriptCaches> {
        let owner = OwnerId(Uuid::try_parse(id).ok()?);
        let (space, clock) = (self.store.space(owner, name), self.clock.clone());
        Some(ScriptCaches { space, clock, lookups: Arc::clone(&self.lookups) })
    }

    /// The scripts that have something in a cache, by name and identifier: those of one name, or all.
    #[must_use]
    pub fn scripts(&self, name: Option<&str>) -> Vec<(String, String)> {
        let all = self.store.owners(name).into_iter();
        all.map(|(name, owner)| (name, owner.0.hyphenated().to_string())).collect()
    }

    /// Forgets all that a script has: nobody finds it any more when this returns, and the disk has it no longer.
    pub async fn forget(&self, id: &str) {
        if let Ok(id) = Uuid::try_parse(id) {
            self.store.forget(OwnerId(id)).await;
        }
    }

    /// How often a response was found, and how often none was.
    #[must_use]
    pub fn hits_and_misses(&self) -> (u64, u64) {
        (self.lookups.hits.load(Ordering::Relaxed), self.lookups.misses.load(Ordering::Relaxed))
    }

    /// Where it is all kept.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.store
    }
}

impl ScriptCaches {
    /// The cache of a name; the one without, which the product calls the default.
    ///
    /// # Errors
    /// [`CacheError::Name`].
    pub fn open(&self, name: Option<&str>) -> Result<Cache, CacheError> {
        if name.is_some_and(|name| name.len() > MAX_NAME_BYTES) {
            return Err(CacheError::Name);
        }
        Ok(Cache { of: self.clone(), name: name.map(Arc::from) })
    }
}

impl Cache {
    /// What a request is about; none where only a GET could be, and its method is another one.
    ///
    /// # Errors
    /// [`CacheError::Url`].
    pub fn resource(&self, request: Request, ignore_method: bool) -> Result<Option<Resource>, CacheError> {
        let key = self.key(&request.url)?;
        if !ignore_method && request.method != Method::GET {
            return Ok(None);
        }
        let mut primary = [0; 16];
        blake3::Hasher::new().update(&key).finalize_xof().fill(&mut primary);
        let at = EntryKey::first(primary);
        Ok(Some(Resource { of: self.of.clone(), at, key, headers: request.headers }))
    }

    /// Whether a response is kept, before its body comes: by the rules, or why not.
    ///
    /// # Errors
    /// [`CacheError`]: what the product refuses to put.
    pub fn storing(
        &self,
        request: Request,
        status: StatusCode,
        headers: &HeaderMap,
    ) -> Result<Result<Storing, Left>, CacheError> {
        if request.method != Method::GET {
            return Err(CacheError::Method);
        }
        if status == StatusCode::PARTIAL_CONTENT {
            return Err(CacheError::Partial);
        }
        if rules::vary(headers) == Vary::ByAll {
            return Err(CacheError::VariesByAll);
        }
        let now = self.of.clock.now().unix_millis();
        let kept = rules::store(&request.method, &request.headers, status, headers, now, &CACHE_API);
        let Some(resource) = self.resource(request, true)? else { return Err(CacheError::Method) };
        let kept = match kept {
            Ok(kept) => kept,
            Err(left) => return Ok(Err(left)),
        };
        let head_bytes: usize =
            kept.headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
        let most = MAX_HEAD_BYTES / 2;
        if head_bytes > most {
            return Ok(Err(Left::TooLarge { what: "its head", most: most as u64 }));
        }
        let head = Head::new(status, &kept, now);
        Ok(Ok(Storing { resource, head, vary: kept.vary }))
    }

    /// The cache's name and the URL, without a fragment and as the URL standard writes it.
    fn key(&self, url: &str) -> Result<Vec<u8>, CacheError> {
        if url.len() > MAX_URL_BYTES {
            return Err(CacheError::Url);
        }
        let mut url = Url::parse(url).map_err(|_| CacheError::Url)?;
        if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
            return Err(CacheError::Url);
        }
        url.set_fragment(None);
        // What is escaped is longer than it was given.
        if url.as_str().len() > MAX_URL_BYTES {
            return Err(CacheError::Url);
        }
        let mut key = Vec::new();
        match &self.name {
            None => key.push(0),
            Some(name) => {
                key.push(1);
                key.extend_from_slice(&(name.len() as u32).to_le_bytes());
                key.extend_from_slice(name.as_bytes());
            }
        }
        key.extend_from_slice(url.as_str().as_bytes());
        Ok(key)
    }
}

impl Resource {
    fn now(&self) -> u64 {
        self.of.clock.now().unix_millis()
    }

    /// Where the responses of a resource that varies are: for what this request has in those fields.
    fn varied(&self, generation: &[u8; 16], names: &[HeaderName]) -> (EntryKey, Bytes) {
        let mut key = self.key.clone();
        key.extend_from_slice(generation);
        // Hashed, for a request may have much in a field.
        key.extend_from_slice(blake3::hash(&rules::selected(&self.headers, names)).as_bytes());
        let mut variant = [0; 8];
        blake3::Hasher::new().update(&key).finalize_xof().fill(&mut variant);
        // Zeros are the first entry's.
        variant[0] |= 1;
        (EntryKey { primary: self.at.primary, variant }, key.into())
    }

    async fn first(&self) -> Option<(Meta, Found)> {
        let found = self.of.space.get(self.at, Bytes::copy_from_slice(&self.key)).await?;
        Some((Meta::decode(&found.meta)?, found))
    }

    /// The response that fits the request and is fresh, as it answers the request; none where there is none.
    ///
    /// # Cancel safety
    /// Nothing is changed that matters.
    pub async fn find(&self) -> Option<Answer> {
        let found = self.looked_up().await;
        let counted = if found.is_some() { &self.of.lookups.hits } else { &self.of.lookups.misses };
        counted.fetch_add(1, Ordering::Relaxed);
        found
    }

    async fn looked_up(&self) -> Option<Answer> {
        let (meta, found) = self.first().await?;
        let (at, head, body) = match meta {
            Meta::Response(head) => (self.at, head, found.body),
            Meta::Varies { generation, names } => {
                let (at, key) = self.varied(&generation, &names_of(&names));
                let found = self.of.space.get(at, key).await?;
                match Meta::decode(&found.meta)? {
                    Meta::Response(head) => (at, head, found.body),
                    Meta::Varies { .. } => return None,
                }
            }
        };
        let Some(age) = head.age(self.now()) else {
            self.of.space.remove_one(at).await;
            return None;
        };
        let (status, headers) = head.parts()?;
        let length = body.length();
        let part = rules::choose(&self.headers, status, &headers, length);
        let (answered, mut headers) = rules::head(part, status, &headers, length, age);
        headers.insert(CACHE_STATUS, HeaderValue::from_static("HIT"));
        let body = match part {
            Part::Whole => (length > 0).then_some(body),
            Part::Range { first, length } => Some(body.part(first, length)),
            Part::NotModified | Part::OutOfRange => None,
        };
        Some(Answer { status: answered, headers, body })
    }

    /// Removes all that is kept for the URL, whatever it varies by: whether there was a response that is fresh, or one that is
    /// found by fields of requests.
    pub async fn delete(&self) -> bool {
        let was_fresh = match self.first().await {
            Some((Meta::Response(head), _)) => head.age(self.now()).is_some(),
            Some((Meta::Varies { .. }, _)) | None => false,
        };
        let had_others = self.of.space.remove(self.at.primary).await;
        was_fresh || had_others
    }
}

fn names_of(names: &[String]) -> Vec<HeaderName> {
    names.iter().filter_map(|name| HeaderName::try_from(name).ok()).collect()
}
