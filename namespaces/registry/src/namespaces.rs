//! Namespaces: make, read, change, delete.
//!
//! Owns their records and how the index of them in memory keeps up. Never touches the scripts of a namespace that
//! is there.

use std::collections::HashSet;
use std::sync::Arc;

use async_trait::async_trait;

use super::collection::{ATTEMPTS, PAGE, Seen, Transaction, step_aside};
use super::follow::Follow;
use super::own::DROPPED_WITH;
use super::ownership::refuse;
use super::record::{NAMESPACE_NAMES, NAMESPACES, PURGES, USER_SCRIPTS, scripts_within};
use super::{Inner, Registry, RegistryEvent, Result};
use crate::error::RegistryError;
use wasmyard_model::capabilities::CapabilityPolicy;
use wasmyard_model::config_keys::namespace_changes;
use wasmyard_model::egress::EgressRules;
use wasmyard_model::name::NamespaceName;
use wasmyard_model::namespace::{Namespace, NamespacePatch, NewNamespace};
use wasmyard_model::timestamp::Timestamp;
use wasmyard_stores::Revision;

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
        new.capabilities.as_ref().map_or(Ok(()), CapabilityPolicy::validate)?;
        let now = inner.clock().now();
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
            callable_by: new.callable_by,
            capabilities: new.capabilities,
            config: None,
        };
        let seen = inner.log.read(&NAMESPACES, &namespace.id).await?;
        let name_seen = inner.log.read(&NAMESPACE_NAMES, namespace.name.as_str()).await?;
        if name_seen.exists() {
            return Err(RegistryError::NamespaceExists(namespace.name));
        }
        let mut transaction = Transaction::default();
        transaction.put(&name_seen, &namespace.id)?;
        transaction.put(&seen, &namespace)?;
        match inner.log.commit(&transaction).await {
            Ok(revision) => inner.show_namespace(namespace, revision).await,
            Err(RegistryError::Conflict(_)) => Err(RegistryError::NamespaceExists(namespace.name)),
            Err(error) => Err(error),
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
        if let Some(Some(policy)) = &patch.capabilities {
            policy.validate()?;
        }
        let (over, now) = (self.over_configuration, inner.clock().now());
        let decide = |before: &Namespace| {
            let after = patched(before, &patch, now);
            refuse_configured(before, Some(&after), over)?;
            // Nothing to write where nothing changes: an unchanged file works on a full disk.
            let same = Namespace { modified_on: before.modified_on, ..after.clone() } == *before;
            Ok((!same).then_some(after))
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
        let id = self.inner.unlist_namespace(name, self.over_configuration, self.drops_storage).await?;
        self.inner.purge_scripts(&id).await
    }
}

fn patched(namespace: &Namespace, patch: &NamespacePatch, now: Timestamp) -> Namespace {
    Namespace {
        id: namespace.id.clone(),
        name: patch.name.clone().unwrap_or_else(|| namespace.name.clone()),
        created_on: namespace.created_on,
        modified_on: now,
        trusted_workers: patch.trusted_workers.unwrap_or(namespace.trusted_workers),
        limits: patch.limits.unwrap_or(namespace.limits),
        outbound: patch.outbound.clone().unwrap_or_else(|| namespace.outbound.clone()),
        egress: match &patch.egress {
            None => namespace.egress.clone(),
            Some(rules) => rules.clone().map(Arc::new),
        },
        service_bindings: patch.service_bindings.unwrap_or(namespace.service_bindings),
        callable_by: patch.callable_by.clone().unwrap_or_else(|| namespace.callable_by.clone()),
        capabilities: patch.capabilities.clone().unwrap_or_else(|| namespace.capabilities.clone()),
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

/// A namespace as the store has it.
struct Found {
    name: Seen<String>,
    seen: Seen<Namespace>,
    namespace: Namespace,
}

impl Inner {
    /// Reads the namespace of that name from the store: the memory of this node may not show yet what another
    /// one did.
    async fn find_namespace(&self, name: &NamespaceName) -> Result<Found> {
        let not_found = || RegistryError::NamespaceNotFound(name.clone());
        for attempt in 0..ATTEMPTS {
            let name_seen = self.log.read(&NAMESPACE_NAMES, name.as_str()).await?;
            let id = name_seen.record()?.ok_or_else(not_found)?;
            let seen = self.log.read(&NAMESPACES, &id).await?;
            match seen.record()? {
                Some(namespace) if namespace.name == *name => {
                    return Ok(Found { name: name_seen, seen, namespace });
                }
                // It got another name, or went, between the two reads.
                Some(_) | None => step_aside(attempt).await,
            }
        }
        Err(RegistryError::Conflict(format!("namespace {name}")))
    }

    /// Reads a namespace, has it decided what becomes of it, and makes it so; decides again when somebody else
    /// was faster. Returns it as it was and as it is; nothing decided leaves it as it is.
    pub(super) async fn change_namespace(
        &self,
        name: &NamespaceName,
        mut decide: impl FnMut(&Namespace) -> Result<Option<Namespace>>,
    ) -> Result<(Arc<Namespace>, Arc<Namespace>)> {
        for attempt in 0..ATTEMPTS {
            let found = self.find_namespace(name).await?;
            let Some(namespace) = decide(&found.namespace)? else {
                let revision = found.seen.revision().unwrap_or_default();
                let shown = self.show_namespace(found.namespace, revision).await?;
                return Ok((Arc::clone(&shown), shown));
            };
            let mut transaction = Transaction::default();
            transaction.put(&found.seen, &namespace)?;
            if namespace.name != *name {
                let new_name = self.log.read(&NAMESPACE_NAMES, namespace.name.as_str()).await?;
                if new_name.exists() {
                    return Err(RegistryError::NamespaceExists(namespace.name));
                }
                transaction.delete(&found.name);
                transaction.put(&new_name, &namespace.id)?;
            }
            match self.log.commit(&transaction).await {
                Ok(revision) => {
                    let shown = self.show_namespace(namespace, revision).await?;
                    return Ok((Arc::new(found.namespace), shown));
                }
                Err(RegistryError::Conflict(_)) => step_aside(attempt).await,
                Err(error) => return Err(error),
            }
        }
        Err(RegistryError::Conflict(format!("namespace {name}")))
    }

    /// Shows a namespace that was written, or what has become of it since. Returns what was written.
    async fn show_namespace(&self, namespace: Namespace, revision: Revision) -> Result<Arc<Namespace>> {
        self.refresh_namespace(&namespace.id).await?;
        let index = self.namespaces.load();
        let shown = index.with_id(&namespace.id).filter(|slot| slot.revision == revision);
        Ok(shown.map_or_else(|| Arc::new(namespace), |slot| Arc::clone(&slot.namespace)))
    }

    /// Reads one namespace again, and returns its name.
    pub(super) async fn refresh_namespace(&self, id: &str) -> Result<Option<NamespaceName>> {
        let turn = self.namespaces.turn().await;
        let seen = self.log.read(&NAMESPACES, id).await?;
        let mut index = turn.copy();
        let name = match (seen.whole(), seen.revision()) {
            (Some(namespace), Some(revision)) => {
                let name = namespace.name.clone();
                if index.with_id(id).is_some_and(|slot| slot.revision == revision) {
                    return Ok(Some(name));
                }
                index.put(namespace, revision);
                Some(name)
            }
            _ => {
                index.take(id);
                None
            }
        };
        turn.show(index);
        Ok(name)
    }

    /// Takes a namespace out of sight and leaves a note that its scripts are to go. Returns its id.
    async fn unlist_namespace(
        &self,
        name: &NamespaceName,
        over: bool,
        drops_storage: bool,
    ) -> Result<String> {
        for attempt in 0..ATTEMPTS {
            let found = self.find_namespace(name).await?;
            refuse_configured(&found.namespace, None, over)?;
            let id = found.namespace.id;
            // A deploy requires the namespace's record as it was, so none can come after this.
            let mut transaction = Transaction::default();
            transaction.delete(&found.seen);
            transaction.delete(&found.name);
            transaction.put_with(&found.seen, &PURGES, &id, name)?;
            if drops_storage {
                transaction.put_with(&found.seen, &DROPPED_WITH, &id, &())?;
            }
            match self.log.commit(&transaction).await {
                Ok(_) => {
                    self.refresh_namespace(&id).await?;
                    return Ok(id);
                }
                Err(RegistryError::Conflict(_)) => step_aside(attempt).await,
                Err(error) => return Err(error),
            }
        }
        Err(RegistryError::Conflict(format!("namespace {name}")))
    }

    /// Removes the scripts of a namespace that is gone, and the note that they are to go. Several may do so at
    /// the same time.
    pub(super) async fn purge_scripts(&self, namespace_id: &str) -> Result<()> {
        let (within, now) = (scripts_within(namespace_id), self.clock().now());
        let mut attempt = 0;
        loop {
            let page = self.log.page(&USER_SCRIPTS, &within, None, PAGE).await?;
            if page.is_empty() {
                break;
            }
            let mut transaction = Transaction::default();
            for seen in &page {
                transaction.delete(seen);
                // What a damaged record referred to is not known: its blobs stay.
                for blob in seen.whole().map(|record| record.blobs()).unwrap_or_default() {
                    transaction.retire(seen, &blob, now)?;
                }
            }
            self.log.commit_page(&transaction, &mut attempt).await?;
        }
        self.purge_history(&USER_SCRIPTS.key(&within)).await?;
        self.purge_ticks(&USER_SCRIPTS.key(&within)).await?;
        self.leave_storage_within(namespace_id).await?;
        let note = self.log.read(&PURGES, namespace_id).await?;
        let mut transaction = Transaction::default();
        transaction.delete(&note);
        match self.log.commit(&transaction).await {
            Ok(_) | Err(RegistryError::Conflict(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Finishes deletions of namespaces that a crash interrupted.
    pub(super) async fn resume_purges(&self) -> Result<()> {
        for note in self.log.all(&PURGES, "").await? {
            self.purge_scripts(note.id()).await?;
        }
        Ok(())
    }
}

/// How the index of namespaces follows the store.
pub(super) struct Namespaces;

#[async_trait]
impl Follow for Namespaces {
    fn prefix(&self) -> &'static str {
        NAMESPACES.prefix()
    }

    async fn load(&self, registry: &Inner) -> Result<()> {
        let turn = registry.namespaces.turn().await;
        let mut index = turn.copy();
        let mut ids = HashSet::new();
        for seen in registry.log.all(&NAMESPACES, "").await? {
            if let (Some(namespace), Some(revision)) = (seen.whole(), seen.revision()) {
                ids.insert(namespace.id.clone());
                index.put(namespace, revision);
            }
        }
        index.keep(&ids);
        turn.show(index);
        Ok(())
    }

    async fn apply(&self, registry: &Inner, id: &str, _: Revision) -> Result<Option<RegistryEvent>> {
        let name = registry.refresh_namespace(id).await?;
        Ok(Some(RegistryEvent::Namespace { id: id.to_owned(), name }))
    }
}
