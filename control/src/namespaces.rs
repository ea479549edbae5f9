//! Namespaces: make, change, rename, delete.

use std::sync::Arc;

use wasmyard_namespaces::{Namespace, NamespaceName, NamespacePatch, NewNamespace, RegistryError};

use crate::{Control, Done, Force, Result, Storage, configured};

impl Control {
    /// The namespace, or the error that there is none.
    ///
    /// # Errors
    /// That there is none; or the registry's failure.
    pub async fn existing_namespace(&self, name: &NamespaceName) -> Result<Arc<Namespace>> {
        let found = self.registry.namespace(name).await?;
        found.ok_or_else(|| RegistryError::NamespaceNotFound(name.clone()).into())
    }

    /// Makes a namespace.
    ///
    /// # Errors
    /// That there is one of that name, or that what was given breaks a rule; or the registry's failure.
    pub async fn create_namespace(&self, new: NewNamespace) -> Result<Done<Arc<Namespace>>> {
        let remarks = self.remarks_on_outbound(new.outbound.as_ref()).await?;
        let namespace = self.registry.create_namespace(new).await?;
        tracing::info!(namespace = %namespace.name, "namespace made");
        Ok(Done::new(namespace, remarks))
    }

    /// Changes a namespace; a new name is refused while others refer to the old one.
    ///
    /// # Errors
    /// That it is not there, that the new name is taken, that it is in use, that the configuration declares what would
    /// change, or that what was given breaks a rule; or the registry's failure.
    pub async fn change_namespace(
        &self,
        name: &NamespaceName,
        patch: NamespacePatch,
        force: Force,
    ) -> Result<Done<Arc<Namespace>>> {
        let before = self.existing_namespace(name).await?;
        let mut remarks = self.remarks_on_outbound(patch.outbound.as_ref().and_then(Option::as_ref)).await?;
        if patch.name.as_ref().is_some_and(|new| new != name) {
            // Bindings to its scripts name it, too.
            let inside = self.callers_bound(name, |_, _| true).await?;
            let found = self.referrers_of_namespace(name).await?.also(inside);
            remarks.extend(found.stand_against("renamed", force)?);
        }
        if let Some(new) = &patch.name {
            self.rename_notes(name, new).await?;
        }
        let after = self.changing(force).update_namespace(name, patch).await?;
        if after.name != *name {
            self.move_consumers(name, &after.name).await?;
        }
        remarks.extend(configured::changed_namespace(&before, &after));
        tracing::info!(namespace = %before.name, now = %after.name, "namespace changed");
        Ok(Done::new(after, remarks))
    }

    /// Deletes a namespace with all its scripts, unless others refer to it by name.
    ///
    /// # Errors
    /// That it is not there, in use, or declared in the configuration; or the registry's failure.
    pub async fn delete_namespace(
        &self,
        name: &NamespaceName,
        force: Force,
        storage: Storage,
    ) -> Result<Done<()>> {
        let before = self.existing_namespace(name).await?;
        let others = self.callers_bound(name, |caller, _| caller.namespace() != Some(name)).await?;
        let found = self.referrers_of_namespace(name).await?.also(others);
        let mut remarks = found.stand_against("deleted", force)?;
        self.deleting(force, storage).delete_namespace(name).await?;
        self.storage_left(storage).await?;
        remarks.extend(self.forget_consumers_of(name).await?);
        remarks.extend(configured::gone(before.config.as_ref(), &format!("namespace \"{name}\"")));
        tracing::info!(namespace = %name, "namespace deleted");
        Ok(Done::new((), remarks))
    }
}
