//! The namespaces in memory.
//!
//! Owns the index that every lookup of a user script begins with. Replaced as a whole on each change, read
//! without a lock. Never asks the store.

use std::collections::HashMap;
use std::sync::Arc;

use crate::name::NamespaceName;
use crate::namespace::Namespace;
use crate::store::Revision;

/// All namespaces, by name and by id.
#[derive(Clone, Debug, Default)]
pub(super) struct NamespaceIndex {
    by_name: HashMap<NamespaceName, Slot>,
    by_id: HashMap<String, NamespaceName>,
}

/// A namespace with what the registry knows of it.
#[derive(Clone, Debug)]
pub(super) struct Slot {
    pub(super) namespace: Arc<Namespace>,
    /// The append that wrote the record.
    pub(super) revision: Revision,
    /// Stands for id and name together in keys of the script cache. A new name is a new space, so that
    /// scripts which were cached with the old name in their key are never found again.
    pub(super) space: u64,
}

impl NamespaceIndex {
    pub(super) fn named(&self, name: &NamespaceName) -> Option<&Slot> {
        self.by_name.get(name)
    }

    pub(super) fn with_id(&self, id: &str) -> Option<&Slot> {
        self.by_id.get(id).and_then(|name| self.by_name.get(name))
    }

    pub(super) fn slots(&self) -> impl Iterator<Item = &Slot> {
        self.by_name.values()
    }

    /// Puts a namespace in, in place of the one with the same id.
    pub(super) fn put(&mut self, namespace: Arc<Namespace>, revision: Revision) {
        let before = self.take(&namespace.id);
        let space = match before {
            Some(slot) if slot.namespace.name == namespace.name => slot.space,
            // Revisions start at 1, and each writes one namespace at most: no two spaces are the same.
            Some(_) | None => revision,
        };
        self.by_id.insert(namespace.id.clone(), namespace.name.clone());
        self.by_name.insert(namespace.name.clone(), Slot { namespace, revision, space });
    }

    pub(super) fn take(&mut self, id: &str) -> Option<Slot> {
        let name = self.by_id.remove(id)?;
        self.by_name.remove(&name)
    }
}
