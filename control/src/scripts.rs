//! Scripts as a whole: look one up, delete one, delete many by their tags.

use std::collections::HashSet;
use std::sync::Arc;

use wasmyard_namespaces::registry::DeletedScripts;
use wasmyard_namespaces::{NamespaceName, RegistryError, Script, ScriptKey, ScriptName, TagFilter};

use crate::{Control, Done, Force, Result, STORAGE_JOB, Storage, configured};

impl Control {
    /// The script, or the error that says which part of the key names nothing.
    ///
    /// # Errors
    /// That there is no such script, or no such namespace; or the registry's failure.
    pub async fn existing(&self, key: &ScriptKey) -> Result<Arc<Script>> {
        self.find(key).await?.ok_or_else(|| RegistryError::ScriptNotFound(key.clone()).into())
    }

    /// The script, if there is one.
    ///
    /// # Errors
    /// That there is not even the namespace; or the registry's failure.
    pub async fn find(&self, key: &ScriptKey) -> Result<Option<Arc<Script>>> {
        if let Some(namespace) = key.namespace() {
            self.existing_namespace(namespace).await?;
        }
        Ok(self.registry.script(key).await?)
    }

    /// Deletes a script, unless others refer to it by name, or are bound to what is its own.
    ///
    /// # Errors
    /// That it is not there, in use, or declared in the configuration; or the registry's failure.
    pub async fn delete_script(&self, key: &ScriptKey, force: Force, storage: Storage) -> Result<Done<()>> {
        let before = self.existing(key).await?;
        let found = self.referrers_of_script(key).await?.also(self.others_bound_to_storage(key).await?);
        let mut remarks = found.stand_against("deleted", force)?;
        let own = self.registry.own_storage_of(key).await?;
        if !self.deleting(force, storage).delete_script(key).await? {
            return Err(RegistryError::ScriptNotFound(key.clone()).into());
        }
        remarks.extend(self.forget_consumers(&key.to_string(), |gone| gone == key).await?);
        remarks.extend(configured::gone(before.config.as_ref(), &format!("script \"{key}\"")));
        tracing::info!(script = %key, "deleted");
        if !own.is_empty() {
            self.storage_left(storage).await?;
        }
        Ok(Done::new((), remarks))
    }

    /// Deletes the scripts of a namespace that a filter takes. Those that the configuration declares stay, unless it is
    /// forced; the remarks name them, and bindings that lead nowhere now. They go together: all at once, or, where an error
    /// says so, none.
    ///
    /// # Errors
    /// That there is no such namespace; or the registry's failure.
    pub async fn delete_scripts(
        &self,
        namespace: &NamespaceName,
        filter: &TagFilter,
        force: Force,
        storage: Storage,
    ) -> Result<Done<DeletedScripts>> {
        let deleted = self.deleting(force, storage).delete_scripts(namespace, Some(filter)).await?;
        for script in &deleted.names {
            tracing::info!(script = %format_args!("{namespace}/{script}"), "deleted");
        }
        self.storage_left(storage).await?;
        let mut remarks = Vec::new();
        if !deleted.has_more {
            let left =
                self.registry.scripts_page(Some(namespace), Some(filter), None, configured::MOST_NAMES);
            remarks = configured::kept(&left.await?);
        }
        let gone: HashSet<&ScriptName> = deleted.names.iter().collect();
        let bound = self.callers_bound(namespace, |_, callee| gone.contains(callee)).await?;
        remarks.extend(bound.stand_against("deleted", Force::Yes)?);
        let is_gone = |key: &ScriptKey| key.namespace() == Some(namespace) && gone.contains(key.script());
        remarks.extend(self.forget_consumers(&format!("{namespace}/"), is_gone).await?);
        Ok(Done::new(deleted, remarks))
    }

    /// What is left of scripts that are gone is removed where that was asked for: at once, or where it is much by the job that
    /// goes on with it. Otherwise it is found in time.
    pub(crate) async fn storage_left(&self, storage: Storage) -> Result<()> {
        if storage == Storage::Kept {
            return Ok(());
        }
        if !self.remove_some_storage(None).await?.is_the_end() {
            let (kind, key) = STORAGE_JOB;
            self.registry.do_soon(kind, key).await?;
        }
        Ok(())
    }
}
