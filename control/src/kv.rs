//! KV namespaces: make, delete, and who is bound to them.
//!
//! Owns the order in which a binding comes about: the namespace notes the script before the script's version is stored,
//! so that what is noted may be stale and is never missing. Nothing is deployed that is bound to a namespace which is
//! not there.

use wasmyard_kv::{Kv, KvError, KvNamespace};
use wasmyard_namespaces::{
    BindingInput, KvNamespaceId, Namespace, NamespaceName, Reference, ScriptKey, ScriptName,
};

use crate::error::ControlError;
use crate::referrers::{Referrer, Referrers};
use crate::{Control, Done, Force, Result};

/// How many notes are looked at at a time.
const PAGE: usize = 256;

impl Control {
    /// Keys and values, for what changes nothing that others refer to.
    #[must_use]
    pub fn kv(&self) -> &Kv {
        &self.kv
    }

    /// Makes a KV namespace.
    ///
    /// # Errors
    /// That there is one of that title, or that the title breaks a rule; or the store's failure.
    pub async fn create_kv_namespace(&self, title: &str) -> Result<KvNamespace> {
        let made = self.kv.create(title).await?;
        tracing::info!(namespace = %made.id, title, "KV namespace made");
        Ok(made)
    }

    /// Deletes a KV namespace with all that is in it, unless scripts are bound to it.
    ///
    /// # Errors
    /// That it is not there, or that scripts are bound to it; or a store's failure.
    pub async fn delete_kv_namespace(&self, id: &KvNamespaceId, force: Force) -> Result<Done<()>> {
        self.kv.namespace(id).await?;
        let remarks = self.referrers_of_kv(id).await?.stand_against("deleted", force)?;
        self.kv.delete(id).await?;
        tracing::info!(namespace = %id, "KV namespace deleted");
        Ok(Done::new((), remarks))
    }

    /// Who is bound to a KV namespace, user scripts too: they are noted when they are bound. Enough of them to name.
    async fn referrers_of_kv(&self, id: &KvNamespaceId) -> Result<Referrers> {
        let mut found = Referrers::default();
        let mut after: Option<String> = None;
        loop {
            let page = self.kv.bound(id, after.as_deref(), PAGE).await?;
            for text in &page {
                let Some(script) = key_of(text) else { continue };
                let bindings = self.registry.script(&script).await?;
                let bindings = bindings.iter().flat_map(|script| script.version.bindings.iter());
                let bound: Vec<Referrer> = bindings
                    .filter(|decl| decl.kind.refers_to().contains(&Reference::KvNamespace(id)))
                    .map(|decl| Referrer { name: decl.name.to_string(), owner: text.clone() })
                    .collect();
                if bound.is_empty() {
                    self.kv.unbind(id, text).await?;
                }
                found.bindings.extend(bound);
            }
            match page.last() {
                Some(last) if !found.are_enough() => after = Some(last.clone()),
                _ => return Ok(found),
            }
        }
    }

    /// Notes the KV namespaces that a version is about to be bound to.
    pub(crate) async fn bind_kv(&self, key: &ScriptKey, inputs: &[BindingInput]) -> Result<()> {
        for input in inputs {
            // What is inherited was noted when it was declared.
            let BindingInput::Declare(decl) = input else { continue };
            for reference in decl.kind.refers_to() {
                let Reference::KvNamespace(id) = reference else { continue };
                match self.kv.bind(id, &key.to_string()).await {
                    Err(KvError::NamespaceNotFound(id)) => {
                        return Err(ControlError::Invalid(format!(
                            "binding \"{}\": there is no KV namespace \"{id}\"; make it first, or name another",
                            decl.name
                        )));
                    }
                    noted => noted?,
                }
            }
        }
        Ok(())
    }

    /// A namespace of scripts is about to have another name: what is noted of its scripts is noted under that, too.
    pub(crate) async fn rebind_kv(&self, before: &Namespace, after: &NamespaceName) -> Result<()> {
        let prefix = |name: &NamespaceName| format!("{name}/");
        Ok(self.kv.rebind(&prefix(&before.name), &prefix(after)).await?)
    }
}

/// The script that a note names.
pub(crate) fn key_of(text: &str) -> Option<ScriptKey> {
    match text.split_once('/') {
        None => ScriptName::parse(text).ok().map(ScriptKey::Platform),
        Some((namespace, script)) => {
            Some(ScriptKey::user(NamespaceName::parse(namespace).ok()?, ScriptName::parse(script).ok()?))
        }
    }
}
