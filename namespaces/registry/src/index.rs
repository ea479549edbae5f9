//! The namespaces in memory.
//!
//! Owns the index that every lookup of a user script begins with. Replaced as a whole on each change, read
//! without a lock. Never asks the store.

use std::collections::HashMap;
use std::sync::Arc;

use wasmyard_model::name::NamespaceName;
use wasmyard_model::namespace::Namespace;
use wasmyard_stores::Revision;

/// All namespaces, by name and by id.
#[derive(Clone, Debug, Default)]
pub(super) struct NamespaceIndex {
    by_name: HashMap<NamespaceName, Slot>,
    by_id: HashMap<String, NamespaceName>,
    /// How many spaces there were: none is given twice.
    spaces: u64,
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
        let slot = self.by_id.get(id).and_then(|name| self.by_name.get(name))?;
        (slot.namespace.id == id).then_some(slot)
    }

    pub(super) fn slots(&self) -> impl Iterator<Item = &Slot> {
        self.by_name.values()
    }

    /// Puts a namespace in, in place of the one with the same id.
    pub(super) fn put(&mut self, mut namespace: Namespace, revision: Revision) -> Arc<Namespace> {
        let before = self.take(&namespace.id);
        if let Some(slot) = before.as_ref().filter(|slot| slot.namespace.egress == namespace.egress) {
            // The same value as before: whoever made something of it need not make it again.
            namespace.egress.clone_from(&slot.namespace.egress);
        }
        let space = match &before {
            Some(slot) if slot.namespace.name == namespace.name => slot.space,
            Some(_) | None => {
                self.spaces = self.spaces.saturating_add(1);
                self.spaces
            }
        };
        let namespace = Arc::new(namespace);
        self.by_id.insert(namespace.id.clone(), namespace.name.clone());
        let slot = Slot { namespace: Arc::clone(&namespace), revision, space };
        if let Some(replaced) = self.by_name.insert(namespace.name.clone(), slot) {
            // One that is gone from the store, and whose own change was not seen yet.
            self.by_id.remove(&replaced.namespace.id);
        }
        namespace
    }

    pub(super) fn take(&mut self, id: &str) -> Option<Slot> {
        let name = self.by_id.remove(id)?;
        match self.by_name.get(&name) {
            Some(slot) if slot.namespace.id == id => self.by_name.remove(&name),
            Some(_) | None => None,
        }
    }

    /// Takes out all but these.
    pub(super) fn keep(&mut self, ids: &std::collections::HashSet<String>) {
        let gone: Vec<String> = self.by_id.keys().filter(|id| !ids.contains(*id)).cloned().collect();
        gone.iter().for_each(|id| drop(self.take(id)));
    }
}
