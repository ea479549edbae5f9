//! Scripts: deploy, look up, list, change, delete.
//!
//! Owns what is asked of scripts. How they change is in `change`, what may change beside the component in
//! `settings`. Never holds more of a listing than was asked for.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::cache::{CacheKey, Cached, PLATFORM_SPACE};
use super::collection::{Collection, PAGE, Seen};
use super::follow::Follow;
use super::ownership::refuse_script;
use super::record::{PLATFORM_SCRIPTS, ScriptRecord, USER_SCRIPTS, script_of, scripts_within};
use super::{Inner, Registry, RegistryEvent, Result};
use crate::error::RegistryError;
use change::Decision;
use wasmyard_model::assets::AssetScope;
use wasmyard_model::name::{NamespaceName, ScriptName};
use wasmyard_model::script::{Script, ScriptKey, Upload};
use wasmyard_model::tags::TagFilter;
use wasmyard_stores::Revision;

mod bulk;
pub(super) mod change;
mod deployments;
mod history;
mod settings;
pub(crate) mod upload;

pub use bulk::{DeletedScripts, MOST_DELETED_AT_ONCE};
pub use deployments::{Kept, Rollout};
use history::Histories;
pub use history::PINNED;
use upload::deployed;

/// Up to so many scripts are counted whenever somebody asks: that takes less than a millisecond.
const COUNTED_EACH_TIME: u64 = 10_000;
/// How long the count of more holds.
const COUNT_HOLDS: Duration = Duration::from_secs(10);
/// Of how many namespaces a count is held.
pub(super) const MOST_COUNTS: u64 = 1_000;

/// The records of scripts of one kind.
type Scripts = &'static Collection<ScriptRecord>;

/// Where a script is kept and cached.
pub(super) struct Place {
    cache_key: CacheKey,
    pub(super) scripts: Scripts,
    pub(super) id: String,
    /// Id and revision of the namespace's record; none for platform scripts.
    pub(super) namespace: Option<(String, Revision)>,
}

impl Place {
    /// Where the script's assets are kept.
    fn asset_scope(&self) -> AssetScope {
        self.namespace.as_ref().map_or_else(AssetScope::platform, |(id, _)| AssetScope::namespace(id))
    }
}

impl Registry {
    /// Makes a new version of a script the active one, and the script with it if it is new. Durable, and
    /// seen by every later lookup, when it returns.
    ///
    /// # Errors
    /// [`RegistryError::NamespaceNotFound`]; [`RegistryError::ComponentMissing`] when the component was not
    /// put before; [`RegistryError::Upload`] for limits or bindings out of bounds;
    /// [`RegistryError::Conflict`] under constant change by others; [`RegistryError::Store`].
    pub async fn deploy(&self, key: &ScriptKey, upload: Upload) -> Result<Arc<Script>> {
        self.deploy_over(key, upload, None).await
    }

    /// The same over a content alone: `etags` as for [`only_over`], held against the script that is replaced.
    ///
    /// # Errors
    /// As [`Registry::deploy`]; [`RegistryError::OtherContent`].
    pub async fn deploy_over(
        &self,
        key: &ScriptKey,
        upload: Upload,
        etags: Option<&[String]>,
    ) -> Result<Arc<Script>> {
        upload.limits.validate(&self.inner.options.ceiling)?;
        let decide = |before: Option<&Script>| {
            only_over(key, before, etags)?;
            deployed(key, before, &upload, self.inner.clock().now())
                .map(|script| Decision::Write(Box::new(script)))
        };
        self.inner.change_script(key, decide).await?.ok_or_else(|| RegistryError::ScriptNotFound(key.clone()))
    }

    /// The script with its active version; none when there is no such script or namespace.
    ///
    /// # Errors
    /// [`RegistryError::Store`] or [`RegistryError::Record`] when it is not in memory and cannot be read.
    pub async fn script(&self, key: &ScriptKey) -> Result<Option<Arc<Script>>> {
        if let Some(found) = self.script_cached(key) {
            return Ok(found);
        }
        self.inner.read_script(key).await
    }

    /// What is known of a script in memory: `Some(Some(_))` is the script, `Some(None)` that there is none,
    /// `None` that [`Registry::script`] must be asked. For the path of a request: waits for nothing.
    #[must_use]
    pub fn script_cached(&self, key: &ScriptKey) -> Option<Option<Arc<Script>>> {
        let space = match key {
            ScriptKey::Platform(_) => PLATFORM_SPACE,
            ScriptKey::User { namespace, .. } => match self.inner.namespaces.load().named(namespace) {
                Some(slot) => slot.space,
                None => return Some(None),
            },
        };
        self.inner.scripts.get(space, key.script()).map(|cached| cached.script)
    }

    /// The scripts of a namespace that a filter takes, sorted by name.
    ///
    /// # Errors
    /// [`RegistryError::NamespaceNotFound`]; [`RegistryError::Store`] when the store fails.
    pub async fn scripts(&self, ns: &NamespaceName, filter: Option<&TagFilter>) -> Result<Vec<Arc<Script>>> {
        self.scripts_page(Some(ns), filter, None, usize::MAX).await
    }

    /// All platform scripts, sorted by name.
    ///
    /// # Errors
    /// [`RegistryError::Store`] when the store fails.
    pub async fn platform_scripts(&self) -> Result<Vec<Arc<Script>>> {
        self.scripts_page(None, None, None, usize::MAX).await
    }

    /// Scripts of a namespace, or platform scripts, that a filter takes and whose names come after `after`;
    /// `limit` at most, sorted by name.
    ///
    /// # Errors
    /// [`RegistryError::NamespaceNotFound`]; [`RegistryError::Store`] when the store fails.
    pub async fn scripts_page(
        &self,
        ns: Option<&NamespaceName>,
        filter: Option<&TagFilter>,
        after: Option<&ScriptName>,
        limit: usize,
    ) -> Result<Vec<Arc<Script>>> {
        let (scripts, within) = self.inner.scripts_of(ns)?;
        let mut after = after.map(|name| format!("{within}{name}"));
        let mut found = Vec::new();
        while found.len() < limit {
            let page = self.inner.log.page(scripts, &within, after.as_deref(), PAGE).await?;
            for seen in &page {
                let Some(script) = listed(seen, &within, ns) else { continue };
                if filter.is_none_or(|filter| filter.matches(&script.tags)) && found.len() < limit {
                    found.push(Arc::new(script));
                }
            }
            match page.last() {
                Some(last) => after = Some(last.id().to_owned()),
                None => break,
            }
        }
        Ok(found)
    }

    /// How many scripts a namespace has. Where they are many this may be some seconds old: they are counted key by key, and
    /// a page of their list must not cost as much as all of it.
    ///
    /// # Errors
    /// [`RegistryError::NamespaceNotFound`]; [`RegistryError::Store`] when the store fails.
    pub async fn script_count(&self, ns: &NamespaceName) -> Result<u64> {
        let (scripts, within) = self.inner.scripts_of(Some(ns))?;
        let known = self.inner.counts.get(&within).filter(|(counted, _)| counted.elapsed() < COUNT_HOLDS);
        if let Some((_, count)) = known {
            return Ok(count);
        }
        let count = self.inner.log.count(scripts, &within).await?;
        if count > COUNTED_EACH_TIME {
            self.inner.counts.insert(within, (tokio::time::Instant::now(), count));
        }
        Ok(count)
    }

    /// Deletes a script. Returns whether it was there. Its storage is kept for a while, unless this handle is one
    /// [with storage](Registry::with_storage).
    ///
    /// # Errors
    /// [`RegistryError::NamespaceNotFound`]; [`RegistryError::Configured`] for one of the configuration, unless
    /// this handle is [over it](Registry::over_configuration); [`RegistryError::Store`] when the store fails.
    pub async fn delete_script(&self, key: &ScriptKey) -> Result<bool> {
        let mut was_there = false;
        let (over, with_storage) = (self.over_configuration, self.drops_storage);
        let decide = |before: Option<&Script>| {
            if let Some(before) = before {
                refuse_script(before, None, over)?;
            }
            was_there = before.is_some();
            Ok(if was_there { Decision::Delete { with_storage } } else { Decision::Nothing })
        };
        match self.inner.change_script(key, decide).await {
            // What it was cannot be read; that it is to go can be done.
            Err(RegistryError::Record { .. }) => self.inner.delete_damaged(key, with_storage).await,
            done => done.map(|_| was_there),
        }
    }
}

/// Refuses a change that is meant for another content: of `etags` one must be the script's, and `*` is that of any script. None
/// takes any, and a script that is not there.
///
/// # Errors
/// [`RegistryError::OtherContent`].
pub fn only_over(key: &ScriptKey, before: Option<&Script>, etags: Option<&[String]>) -> Result<()> {
    let Some(etags) = etags else { return Ok(()) };
    let found = before.map(|script| script.version.etag.as_str());
    if etags.iter().any(|etag| Some(etag.as_str()) == found || (etag == "*" && found.is_some())) {
        return Ok(());
    }
    let found = found.unwrap_or("none").to_owned();
    Err(RegistryError::OtherContent { key: key.clone(), found })
}

/// A script of a list. One that is damaged is told and passed over: the others are to be seen all the same.
fn listed(seen: &Seen<ScriptRecord>, within: &str, ns: Option<&NamespaceName>) -> Option<Script> {
    let name = ScriptName::parse(seen.id().get(within.len()..).unwrap_or_default());
    let script = name.map_err(RegistryError::from).and_then(|script| {
        let key = match ns {
            Some(namespace) => ScriptKey::User { namespace: namespace.clone(), script },
            None => ScriptKey::Platform(script),
        };
        script_of(seen, key)
    });
    script.unwrap_or_else(|error| {
        tracing::error!(%error, record = seen.key(), "a script's record is damaged and left out of lists; delete the script and deploy it again");
        None
    })
}

impl Inner {
    /// None: there is no such namespace.
    pub(super) fn place(&self, key: &ScriptKey) -> Option<Place> {
        let name = key.script().clone();
        match key {
            ScriptKey::Platform(script) => Some(Place {
                scripts: &PLATFORM_SCRIPTS,
                id: script.to_string(),
                cache_key: CacheKey { space: PLATFORM_SPACE, name },
                namespace: None,
            }),
            ScriptKey::User { namespace, script } => {
                let index = self.namespaces.load();
                let slot = index.named(namespace)?;
                Some(Place {
                    scripts: &USER_SCRIPTS,
                    id: format!("{}{script}", scripts_within(&slot.namespace.id)),
                    cache_key: CacheKey { space: slot.space, name },
                    namespace: Some((slot.namespace.id.clone(), slot.revision)),
                })
            }
        }
    }

    /// The key of a script's record; none where there is no such namespace.
    pub(super) fn record_key(&self, key: &ScriptKey) -> Option<String> {
        self.place(key).map(|place| place.scripts.key(&place.id))
    }

    /// The records of a namespace's scripts, or of the platform's, and what their ids begin with.
    fn scripts_of(&self, ns: Option<&NamespaceName>) -> Result<(Scripts, String)> {
        let Some(name) = ns else { return Ok((&PLATFORM_SCRIPTS, String::new())) };
        let index = self.namespaces.load();
        let slot = index.named(name).ok_or_else(|| RegistryError::NamespaceNotFound(name.clone()))?;
        Ok((&USER_SCRIPTS, scripts_within(&slot.namespace.id)))
    }

    /// Reads a script that is not in the cache, and puts what it finds there.
    async fn read_script(&self, key: &ScriptKey) -> Result<Option<Arc<Script>>> {
        let Some(place) = self.place(key) else { return Ok(None) };
        let _turn = self.scripts.turn(&place.cache_key).await;
        // Whoever had the turn before may have read or written it.
        if let Some(cached) = self.scripts.get(place.cache_key.space, key.script()) {
            return Ok(cached.script);
        }
        let seen = self.log.read(place.scripts, &place.id).await?;
        let script = script_of(&seen, key.clone())?.map(Arc::new);
        let revision = seen.revision().unwrap_or_default();
        self.scripts.put(place.cache_key, Cached { revision, script: script.clone() });
        Ok(script)
    }
}

/// How the cache of platform scripts follows the store.
pub(super) struct PlatformScripts;

#[async_trait]
impl Follow for PlatformScripts {
    fn prefix(&self) -> &'static str {
        PLATFORM_SCRIPTS.prefix()
    }

    async fn load(&self, registry: &Inner) -> Result<()> {
        registry.scripts.forget_all();
        Ok(())
    }

    async fn apply(&self, registry: &Inner, id: &str, change: Revision) -> Result<Option<RegistryEvent>> {
        let Ok(name) = ScriptName::parse(id) else { return Ok(None) };
        registry.scripts.forget_in_turn(PLATFORM_SPACE, &name, change).await;
        Ok(Some(RegistryEvent::Script(ScriptKey::Platform(name))))
    }
}

/// How the cache of user scripts follows the store.
pub(super) struct UserScripts;

#[async_trait]
impl Follow for UserScripts {
    fn prefix(&self) -> &'static str {
        USER_SCRIPTS.prefix()
    }

    async fn load(&self, registry: &Inner) -> Result<()> {
        registry.scripts.forget_all();
        Ok(())
    }

    async fn apply(&self, registry: &Inner, id: &str, change: Revision) -> Result<Option<RegistryEvent>> {
        let Some((id, name)) = id.split_once('/') else { return Ok(None) };
        let Ok(script) = ScriptName::parse(name) else { return Ok(None) };
        // A namespace that is not known is deleted, or its own change comes later in the feed. Either way
        // nothing is cached for it.
        let slot = registry.namespaces.load().with_id(id).cloned();
        let Some(slot) = slot else { return Ok(None) };
        registry.scripts.forget_in_turn(slot.space, &script, change).await;
        let namespace = slot.namespace.name.clone();
        Ok(Some(RegistryEvent::Script(ScriptKey::User { namespace, script })))
    }
}
