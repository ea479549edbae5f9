//! KV namespaces: make and delete. `bound` says who is bound to them.

use wasmyard_kv::{Kv, KvNamespace};
use wasmyard_namespaces::KvNamespaceId;

use crate::bound::Resource;
use crate::{Control, Done, Force, Result};

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
        let remarks = self.referrers_noted(Resource::Kv(id)).await?.stand_against("deleted", force)?;
        self.kv.delete(id).await?;
        tracing::info!(namespace = %id, "KV namespace deleted");
        Ok(Done::new((), remarks))
    }
}
