//! What a configuration binds scripts to by a name that people gave: its identifier is looked up when it is applied.

use wasmyard_namespaces::bindings::{D1, KvNamespace};
use wasmyard_namespaces::{BindingDecl, BindingKind, BindingName, DatabaseId, KvNamespaceId};

/// A KV namespace, named by its title.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KvByTitle {
    /// The name under which the script sees it.
    pub binding: BindingName,
    /// The title.
    pub title: String,
}

impl KvByTitle {
    /// The binding, now that the namespace's identifier is known.
    pub fn bound_to(&self, namespace_id: KvNamespaceId) -> BindingDecl {
        let kind = BindingKind::KvNamespace(KvNamespace { namespace_id });
        BindingDecl { name: self.binding.clone(), kind }
    }
}

/// A database, named by its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct D1ByName {
    /// The name under which the script sees it.
    pub binding: BindingName,
    /// The database's name.
    pub database: String,
}

impl D1ByName {
    /// The binding, now that the database's identifier is known.
    pub fn bound_to(&self, database_id: DatabaseId) -> BindingDecl {
        BindingDecl { name: self.binding.clone(), kind: BindingKind::D1(D1 { database_id }) }
    }
}
