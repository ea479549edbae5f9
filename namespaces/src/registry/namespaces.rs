//! Namespaces: make, read, change, delete.
//!
//! Owns their records and the index of them in memory. Every write holds the `admin` lock until the index
//! shows it. Never touches the scripts of a namespace that is there.

use std::sync::Arc;

use super::configured::refuse;
use super::index::NamespaceIndex;
use super::record::{
    self, NAMESPACES, PURGES, decode, encode, namespace_key, namespace_name_key, purge_key,
    user_scripts_prefix,
};
use super::{Inner, Registry, Result};
use crate::config_keys::namespace_changes;
use crate::egress::EgressRules;
use crate::error::RegistryError;
use crate::name::NamespaceName;
use crate::namespace::{Namespace, NamespacePatch, NewNamespace};
use crate::store::{Precondition, StoreError, Write};
use crate::timestamp::Timestamp;

/// How often a change is tried again when another node was faster.
const ATTEMPTS: usize = 8;

/// How many records are read or written at a time.
pub(super) const PAGE: usize = 128;

impl Registry {
    /// Makes a namespace.
    ///
    /// # Errors
    /// [`RegistryError::NamespaceExists`]; [`RegistryError::Upload`] for limits out of range; [`RegistryError::Invalid`] for egress rules that
    /// break a rule;
    /// [`RegistryError::Store`] when the store fails.
    pub async fn create_namespace(&self, new: NewNamespace) -> Result<Arc<Namespace>> {
        let inner = &self.inner;
        new.limits.validate(&inner.options.ceiling)?;
        new.egress.as_ref().map_or(Ok(()), EgressRules::validate)?;
        let now = Timestamp::now();
        let namespace = Namespace {
            id: uuid::Uuid::new_v4().to_string(),
            name: new.name,
            created_on: now,
            modified_on: now,
            trusted_workers: new.trusted_workers,
            limits: new.limits,
            outbound: new.outbound,
            egress: new.egress.map(Arc::new),
            service_bindings: new.service_bindings,
            config: None,
        };
        let _turn = inner.admin.lock().await;
        let (key, name_key) = (namespace_key(&namespace.id), namespace_name_key(&namespace.name));
        let preconditions = [Precondition::absent(name_key.clone()), Precondition::absent(key.clone())];
        let writes =
            [Write::put(key.clone(), encode(&key, &namespace)?), Write::put(name_key, namespace.id.clone())];
        match inner.store.append(&preconditions, &writes).await {
            Ok(revision) => {
                let namespace = Arc::new(namespace);
                inner.change_index(|index| index.put(Arc::clone(&namespace), revision));
                Ok(namespace)
            }
            Err(StoreError::Conflict { .. }) => Err(RegistryError::NamespaceExists(namespace.name)),
            Err(error) => Err(error.into()),
        }
    }

    /// All namespaces, sorted by name.
    ///
    /// # Errors
    /// None at present; kept fallible for stores whose namespaces are not all in memory.
    pub async fn namespaces(&self) -> Result<Vec<Arc<Namespace>>> {
        let index = self.inner.namespaces.load();
        let mut namespaces: Vec<Arc<Namespace>> =
            index.slots().map(|slot| Arc::clone(&slot.namespace)).collect();
        namespaces.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(namespaces)
    }

    /// The namespace of that name.
    ///
    /// # Errors
    /// As [`Registry::namespaces`].
    pub async fn namespace(&self, name: &NamespaceName) -> Result<Option<Arc<Namespace>>> {
        Ok(self.namespace_cached(name))
    }

    /// The namespace of that name, from memory: for the path of a request.
    #[must_use]
    pub fn namespace_cached(&self, name: &NamespaceName) -> Option<Arc<Namespace>> {
        self.inner.namespaces.load().named(name).map(|slot| Arc::clone(&slot.namespace))
    }

    /// Changes a namespace. A new name is one write, however many scripts there are.
    ///
    /// # Errors
    /// [`RegistryError::NamespaceNotFound`]; [`RegistryError::NamespaceExists`] when the new name is taken;
    /// [`RegistryError::Upload`] for limits out of range; [`RegistryError::Invalid`] for egress rules that
    /// break a rule; [`RegistryError::Configured`] for what the configuration names, unless this handle is
    /// [over it](Registry::over_configuration); [`RegistryError::Store`] when the store fails.
    pub async fn update_namespace(
        &self,
        name: &NamespaceName,
        patch: NamespacePatch,
    ) -> Result<Arc<Namespace>> {
        let inner = &self.inner;
        if let Some(limits) = &patch.limits {
            limits.validate(&inner.options.ceiling)?;
        }
        if let Some(Some(rules)) = &patch.egress {
            rules.validate()?;
        }
        let over = self.over_configuration;
        let decide = |before: &Namespace| {
            let after = patched(before, &patch);
            refuse_configured(before, Some(&after), over)?;
            Ok(Some(after))
        };
        inner.change_namespace(name, decide).await.map(|(_, after)| after)
    }

    /// Deletes a namespace with all its scripts. When it returns, none of them is found any more; a crash
    /// in the middle is finished at the next start.
    ///
    /// # Errors
    /// [`RegistryError::NamespaceNotFound`]; [`RegistryError::Configured`] for one of the configuration, unless
    /// this handle is [over it](Registry::over_configuration); [`RegistryError::Store`] when the store fails.
    pub async fn delete_namespace(&self, name: &NamespaceName) -> Result<()> {
        let id = self.inner.unlist_namespace(name, self.over_configuration).await?;
        self.inner.purge_scripts(&id).await
    }
}

fn patched(namespace: &Namespace, patch: &NamespacePatch) -> Namespace {
    Namespace {
        id: namespace.id.clone(),
        name: patch.name.clone().unwrap_or_else(|| namespace.name.clone()),
        created_on: namespace.created_on,
        modified_on: Timestamp::now(),
        trusted_workers: patch.trusted_workers.unwrap_or(namespace.trusted_workers),
        limits: patch.limits.unwrap_or(namespace.limits),
        outbound: patch.outbound.clone().unwrap_or_else(|| namespace.outbound.clone()),
        egress: match &patch.egress {
            None => namespace.egress.clone(),
            Some(rules) => rules.clone().map(Arc::new),
        },
        service_bindings: patch.service_bindings.unwrap_or(namespace.service_bindings),
        config: namespace.config.clone(),
    }
}

/// Refuses a change of what the configuration names: the next start would undo it. `after` is none for a deletion.
fn refuse_configured(before: &Namespace, after: Option<&Namespace>, over: bool) -> Result<()> {
    let Some(keys) = before.config.as_ref().filter(|_| !over) else { return Ok(()) };
    let changed = match after {
        Some(after) if after.name == before.name => namespace_changes(keys, before, after),
        Some(_) | None => vec!["namespace".to_owned()],
    };
    refuse(&changed, &format!("namespace {}", before.name))
}

impl Inner {
    /// Reads a namespace, has it decided what becomes of it, and makes it so; decides again when another node
    /// was faster. Returns it as it was and as it is; nothing decided leaves it as it is.
    pub(super) async fn change_namespace(
        &self,
        name: &NamespaceName,
        mut decide: impl FnMut(&Namespace) -> Result<Option<Namespace>>,
    ) -> Result<(Arc<Namespace>, Arc<Namespace>)> {
        let _turn = self.admin.lock().await;
        for _ in 0..ATTEMPTS {
            let slot = self.namespaces.load().named(name).cloned();
            let slot = slot.ok_or_else(|| RegistryError::NamespaceNotFound(name.clone()))?;
            let Some(namespace) = decide(&slot.namespace)? else {
                return Ok((Arc::clone(&slot.namespace), slot.namespace));
            };
            let key = namespace_key(&namespace.id);
            let mut preconditions = vec![Precondition::unchanged(key.clone(), slot.revision)];
            let mut writes = vec![Write::put(key.clone(), encode(&key, &namespace)?)];
            let name_key = namespace_name_key(&namespace.name);
            if namespace.name != *name {
                preconditions.push(Precondition::absent(name_key.clone()));
                writes.push(Write::delete(namespace_name_key(name)));
                writes.push(Write::put(name_key.clone(), namespace.id.clone()));
            }
            match self.store.append(&preconditions, &writes).await {
                Ok(revision) => {
                    let namespace = Arc::new(namespace);
                    self.change_index(|index| index.put(Arc::clone(&namespace), revision));
                    return Ok((slot.namespace, namespace));
                }
                Err(StoreError::Conflict { key }) if key == name_key => {
                    return Err(RegistryError::NamespaceExists(namespace.name));
                }
                Err(StoreError::Conflict { .. }) => self.load_namespaces().await?,
                Err(error) => return Err(error.into()),
            }
        }
        Err(RegistryError::Conflict(format!("namespace {name}")))
    }

    /// Replaces the index by a changed copy. The caller holds the `admin` lock.
    pub(super) fn change_index(&self, change: impl FnOnce(&mut NamespaceIndex)) {
        let mut index = NamespaceIndex::clone(&self.namespaces.load());
        change(&mut index);
        self.namespaces.store(Arc::new(index));
    }

    /// Reads all namespaces. The caller holds the `admin` lock.
    pub(super) async fn load_namespaces(&self) -> Result<()> {
        let mut index = NamespaceIndex::clone(&self.namespaces.load());
        let mut gone: Vec<String> = index.slots().map(|slot| slot.namespace.id.clone()).collect();
        let mut after: Option<String> = None;
        loop {
            let page = self.store.scan(NAMESPACES, after.as_deref(), PAGE).await?;
            for entry in &page {
                let namespace: Namespace = decode(entry)?;
                gone.retain(|id| *id != namespace.id);
                index.put(Arc::new(namespace), entry.revision);
            }
            match page.into_iter().last() {
                Some(last) => after = Some(last.key),
                None => break,
            }
        }
        for id in gone {
            index.take(&id);
        }
        self.namespaces.store(Arc::new(index));
        Ok(())
    }

    /// Reads one namespace again. Called by the feed.
    pub(super) async fn reload_namespace(&self, id: &str) -> Result<Option<NamespaceName>> {
        let _turn = self.admin.lock().await;
        let Some(entry) = self.store.get(&namespace_key(id)).await? else {
            self.change_index(|index| drop(index.take(id)));
            return Ok(None);
        };
        let namespace: Namespace = decode(&entry)?;
        let name = namespace.name.clone();
        let known = self.namespaces.load().with_id(id).map(|slot| slot.revision);
        if known != Some(entry.revision) {
            self.change_index(|index| index.put(Arc::new(namespace), entry.revision));
        }
        Ok(Some(name))
    }

    /// Takes a namespace out of sight and leaves a note that its scripts are to go. Returns its id.
    async fn unlist_namespace(&self, name: &NamespaceName, over: bool) -> Result<String> {
        let _turn = self.admin.lock().await;
        for _ in 0..ATTEMPTS {
            let slot = self.namespaces.load().named(name).cloned();
            let slot = slot.ok_or_else(|| RegistryError::NamespaceNotFound(name.clone()))?;
            refuse_configured(&slot.namespace, None, over)?;
            let id = &slot.namespace.id;
            // A deploy requires the namespace's record as it was, so none can come after this append.
            let preconditions = [Precondition::unchanged(namespace_key(id), slot.revision)];
            let writes = [
                Write::delete(namespace_key(id)),
                Write::delete(namespace_name_key(name)),
                Write::put(purge_key(id), name.as_str().to_owned()),
            ];
            match self.store.append(&preconditions, &writes).await {
                Ok(_) => {
                    self.change_index(|index| drop(index.take(id)));
                    return Ok(id.clone());
                }
                Err(StoreError::Conflict { .. }) => self.load_namespaces().await?,
                Err(error) => return Err(error.into()),
            }
        }
        Err(RegistryError::Conflict(format!("namespace {name}")))
    }

    /// Removes the scripts of a namespace that is gone, and the note that they are to go.
    pub(super) async fn purge_scripts(&self, namespace_id: &str) -> Result<()> {
        let prefix = user_scripts_prefix(namespace_id);
        let now = Timestamp::now();
        loop {
            let page = self.store.scan(&prefix, None, PAGE).await?;
            if page.is_empty() {
                break;
            }
            let mut writes = Vec::with_capacity(page.len() * 2);
            for entry in &page {
                writes.push(Write::delete(entry.key.clone()));
                for blob in record::blobs_of_record(entry)? {
                    writes.push(record::retired(&blob, &entry.key, now)?);
                }
            }
            self.store.append(&[], &writes).await?;
        }
        self.store.append(&[], &[Write::delete(purge_key(namespace_id))]).await?;
        Ok(())
    }

    /// Finishes deletions of namespaces that a crash interrupted.
    pub(super) async fn resume_purges(&self) -> Result<()> {
        loop {
            let page = self.store.scan(PURGES, None, PAGE).await?;
            if page.is_empty() {
                return Ok(());
            }
            for entry in page {
                if let Some(id) = entry.key.strip_prefix(PURGES) {
                    self.purge_scripts(id).await?;
                }
            }
        }
    }
}
