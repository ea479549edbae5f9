//! Scripts: deploy, look up, list, change, delete.
//!
//! Owns what is asked of scripts. How they change is in `change`, what may change beside the component in
//! `settings`. Never holds more of a listing than was asked for.

use std::sync::Arc;

use futures::{StreamExt as _, TryStreamExt as _};

use super::cache::{CacheKey, Cached, PLATFORM_SPACE};
use super::configured::refuse_script;
use super::namespaces::PAGE;
use super::record::{
    NAMESPACES, PLATFORM_SCRIPTS, decode_script, namespace_key, platform_script_key, user_script_key,
    user_scripts_prefix,
};
use super::{Inner, Registry, Result};
use crate::assets::{AssetScope, VersionAssets};
use crate::binding;
use crate::digest::Digest;
use crate::error::RegistryError;
use crate::name::{NamespaceName, ScriptName};
use crate::script::{AssetsUpload, Script, ScriptKey, Upload, UploadError, Version, check_flags};
use crate::store::{Entry, Revision};
use crate::tags::TagFilter;
use crate::timestamp::Timestamp;
use change::Decision;

pub(super) mod change;
mod settings;

/// How many deletions of a bulk are under way at the same time; a store may make them durable together.
const DELETIONS: usize = 64;

/// Where a script is kept and cached.
struct Place {
    cache_key: CacheKey,
    store_key: String,
    /// Key and revision of the namespace's record; none for platform scripts.
    namespace: Option<(String, Revision)>,
}

impl Place {
    /// Where the script's assets are kept.
    fn asset_scope(&self) -> AssetScope {
        let id = self.namespace.as_ref().and_then(|(key, _)| key.strip_prefix(NAMESPACES));
        id.map_or_else(AssetScope::platform, AssetScope::namespace)
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
        upload.limits.validate(&self.inner.options.ceiling)?;
        let decide = |before: Option<&Script>| {
            deployed(key, before, &upload).map(|script| Decision::Write(Box::new(script)))
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
        let prefix = self.inner.scripts_prefix(ns)?;
        let mut after = after.map(|name| format!("{prefix}{name}"));
        let mut found = Vec::new();
        while found.len() < limit {
            let page = self.inner.store.scan(&prefix, after.as_deref(), PAGE).await?;
            for entry in &page {
                let script = decode_script(entry, key_at(entry, &prefix, ns)?)?;
                if filter.is_none_or(|filter| filter.matches(&script.tags)) && found.len() < limit {
                    found.push(Arc::new(script));
                }
            }
            match page.into_iter().last() {
                Some(last) => after = Some(last.key),
                None => break,
            }
        }
        Ok(found)
    }

    /// How many scripts a namespace has.
    ///
    /// # Errors
    /// [`RegistryError::NamespaceNotFound`]; [`RegistryError::Store`] when the store fails.
    pub async fn script_count(&self, ns: &NamespaceName) -> Result<u64> {
        Ok(self.inner.store.count(&self.inner.scripts_prefix(Some(ns))?).await?)
    }

    /// Deletes a script. Returns whether it was there.
    ///
    /// # Errors
    /// [`RegistryError::NamespaceNotFound`]; [`RegistryError::Configured`] for one of the configuration, unless
    /// this handle is [over it](Registry::over_configuration); [`RegistryError::Store`] when the store fails.
    pub async fn delete_script(&self, key: &ScriptKey) -> Result<bool> {
        let mut was_there = false;
        let over = self.over_configuration;
        let decide = |before: Option<&Script>| {
            if let Some(before) = before {
                refuse_script(before, None, over)?;
            }
            was_there = before.is_some();
            Ok(if was_there { Decision::Delete } else { Decision::Nothing })
        };
        self.inner.change_script(key, decide).await?;
        Ok(was_there)
    }

    /// Deletes the scripts of a namespace that a filter takes at the moment of their deletion; without a
    /// filter, all. Returns their names, sorted. Those of the configuration stay, unless this handle is
    /// [over it](Registry::over_configuration).
    ///
    /// # Errors
    /// [`RegistryError::NamespaceNotFound`]; [`RegistryError::Store`] when the store fails, after which some
    /// may be deleted and others not.
    pub async fn delete_scripts(
        &self,
        ns: &NamespaceName,
        filter: Option<&TagFilter>,
    ) -> Result<Vec<ScriptName>> {
        let mut deleted = Vec::new();
        let mut after: Option<ScriptName> = None;
        loop {
            let page = self.scripts_page(Some(ns), filter, after.as_ref(), PAGE).await?;
            let Some(last) = page.last() else { break };
            after = Some(last.key.script().clone());
            // Collected first: a closure inside the stream would keep this future from being `Send`.
            let deletions: Vec<_> = page.iter().map(|script| self.delete_if(&script.key, filter)).collect();
            let deletions = futures::stream::iter(deletions).buffered(DELETIONS);
            let names: Vec<Option<ScriptName>> = deletions.try_collect().await?;
            deleted.extend(names.into_iter().flatten());
        }
        Ok(deleted)
    }

    async fn delete_if(&self, key: &ScriptKey, filter: Option<&TagFilter>) -> Result<Option<ScriptName>> {
        let mut deleted = None;
        let over = self.over_configuration;
        let decide = |before: Option<&Script>| {
            let taken = before.is_some_and(|script| {
                filter.is_none_or(|filter| filter.matches(&script.tags))
                    && refuse_script(script, None, over).is_ok()
            });
            deleted = taken.then(|| key.script().clone());
            Ok(if taken { Decision::Delete } else { Decision::Nothing })
        };
        self.inner.change_script(key, decide).await?;
        Ok(deleted)
    }
}

/// The script as it is after an upload.
fn deployed(key: &ScriptKey, before: Option<&Script>, upload: &Upload) -> Result<Script> {
    check_flags(key, &upload.compatibility_flags)?;
    let now = Timestamp::now();
    let old_bindings = before.map_or(&[][..], |script| &script.version.bindings);
    let bindings =
        binding::resolve(&upload.bindings, old_bindings, &upload.keep_bindings, upload.bindings_strict)?;
    let old_tags = || before.map(|script| script.tags.clone()).unwrap_or_default();
    let kept = before.map(|script| &script.version).filter(|_| upload.keep_component);
    let assets = assets_after(before, upload);
    let component = kept.map_or(upload.component, |version| version.component);
    if component.is_none() && assets.is_none() {
        return Err(UploadError::Empty.into());
    }
    Ok(Script {
        key: key.clone(),
        id: before.map_or_else(new_id, |script| script.id.clone()),
        created_on: before.map_or(now, |script| script.created_on),
        modified_on: now,
        tags: upload.tags.clone().unwrap_or_else(old_tags),
        version: Version {
            id: new_id(),
            number: before.map_or(1, |script| script.version.number.saturating_add(1)),
            created_on: now,
            component,
            component_size: kept.map_or(upload.component_size, |version| version.component_size),
            main_module: kept
                .map_or_else(|| upload.main_module.clone(), |version| version.main_module.clone()),
            bindings,
            limits: upload.limits,
            compatibility_date: upload.compatibility_date.clone(),
            compatibility_flags: upload.compatibility_flags.clone(),
            etag: etag(component, assets.as_ref()),
            annotations: upload.annotations.clone(),
            startup_time_ms: kept.map_or(upload.startup_time_ms, |version| version.startup_time_ms),
            assets,
        },
        config: before.and_then(|script| script.config.clone()),
    })
}

fn assets_after(before: Option<&Script>, upload: &Upload) -> Option<VersionAssets> {
    match &upload.assets {
        AssetsUpload::None => None,
        AssetsUpload::Keep { config } => {
            let mut kept = before?.version.assets.clone()?;
            if let Some(config) = config {
                kept.config.clone_from(config);
            }
            Some(kept)
        }
        AssetsUpload::Attach { assets, config } => Some(VersionAssets {
            scope: assets.scope.clone(),
            manifest: assets.manifest,
            files: assets.files,
            bytes: assets.bytes,
            config: config.clone(),
        }),
    }
}

/// Identifies what a version consists of: the component's digest where that is all.
pub(super) fn etag(component: Option<Digest>, assets: Option<&VersionAssets>) -> String {
    let Some(assets) = assets else { return component.map(|digest| digest.to_string()).unwrap_or_default() };
    // Writing plain texts, numbers and switches as JSON cannot fail.
    let config = serde_json::to_vec(&assets.config).unwrap_or_default();
    let parts = [component.map(|digest| *digest.as_bytes()).unwrap_or_default(), *assets.manifest.as_bytes()];
    Digest::of(&[parts.concat(), config].concat()).to_string()
}

pub(super) fn new_id() -> String {
    uuid::Uuid::new_v4().to_string()
}

fn key_at(entry: &Entry, prefix: &str, ns: Option<&NamespaceName>) -> Result<ScriptKey> {
    let script = ScriptName::parse(entry.key.get(prefix.len()..).unwrap_or_default())?;
    Ok(match ns {
        Some(namespace) => ScriptKey::User { namespace: namespace.clone(), script },
        None => ScriptKey::Platform(script),
    })
}

impl Inner {
    /// None: there is no such namespace.
    fn place(&self, key: &ScriptKey) -> Option<Place> {
        let name = key.script().clone();
        match key {
            ScriptKey::Platform(script) => Some(Place {
                store_key: platform_script_key(script),
                cache_key: CacheKey { space: PLATFORM_SPACE, name },
                namespace: None,
            }),
            ScriptKey::User { namespace, script } => {
                let index = self.namespaces.load();
                let slot = index.named(namespace)?;
                Some(Place {
                    store_key: user_script_key(&slot.namespace.id, script),
                    cache_key: CacheKey { space: slot.space, name },
                    namespace: Some((namespace_key(&slot.namespace.id), slot.revision)),
                })
            }
        }
    }

    fn scripts_prefix(&self, ns: Option<&NamespaceName>) -> Result<String> {
        let Some(name) = ns else { return Ok(PLATFORM_SCRIPTS.to_owned()) };
        let index = self.namespaces.load();
        let slot = index.named(name).ok_or_else(|| RegistryError::NamespaceNotFound(name.clone()))?;
        Ok(user_scripts_prefix(&slot.namespace.id))
    }

    /// Reads a script that is not in the cache, and puts what it finds there.
    async fn read_script(&self, key: &ScriptKey) -> Result<Option<Arc<Script>>> {
        let Some(place) = self.place(key) else { return Ok(None) };
        let _turn = self.scripts.turn(&place.cache_key).await;
        // Whoever had the turn before may have read or written it.
        if let Some(cached) = self.scripts.get(place.cache_key.space, key.script()) {
            return Ok(cached.script);
        }
        let entry = self.store.get(&place.store_key).await?;
        let script = entry.as_ref().map(|entry| decode_script(entry, key.clone())).transpose()?.map(Arc::new);
        let revision = entry.map_or(0, |entry| entry.revision);
        self.scripts.put(place.cache_key, Cached { revision, script: script.clone() });
        Ok(script)
    }
}
