//! Stores of secrets: make, fill, change, delete, and who is bound to what is in them.
//!
//! Owns the rules that need more than the registry: what names and values may be, and that nothing goes which scripts are
//! bound to.

use wasmyard_namespaces::ids::{SecretStoreId, StoredSecretId};
use wasmyard_namespaces::registry::{NewStoredSecret, RegistryError, SecretStoreError, StoredSecretEdit};
use wasmyard_namespaces::secret_store::{
    SecretStore, StoredSecret, check_comment, check_name, check_scopes, check_value,
};
use wasmyard_namespaces::{Reference, ScriptKey};

use crate::error::ControlError;
use crate::referrers::{Referrer, Referrers};
use crate::{Control, Done, Force, Result};

/// More scripts than this are not looked at when something goes that they were bound to.
const MOST_LOOKED_AT: usize = 2_048;

impl Control {
    /// Makes a store.
    ///
    /// # Errors
    /// That the name breaks a rule, that there is one of that name, or that there are too many; or the registry's failure.
    pub async fn create_secret_store(&self, name: &str) -> Result<SecretStore> {
        check_name(name).map_err(ControlError::Invalid)?;
        let store = self.registry.create_secret_store(name).await?;
        tracing::info!(store = %store.id, name, "store of secrets made");
        Ok(store)
    }

    /// Deletes a store with the secrets in it, unless scripts are bound to one.
    ///
    /// # Errors
    /// That it is not there, or that scripts are bound to its secrets; or the registry's failure.
    pub async fn delete_secret_store(&self, id: &SecretStoreId, force: Force) -> Result<Done<()>> {
        self.registry.secret_store(id).await?;
        let (found, looked_at) = self.referrers_of_stored_secrets(id, None).await?;
        let remarks = found.stand_against("deleted", force)?;
        self.registry.delete_secret_store(id, judged(force, &looked_at)).await?;
        tracing::info!(store = %id, "store of secrets deleted");
        Ok(Done::new((), remarks))
    }

    /// Puts secrets into a store: all of them, or none.
    ///
    /// # Errors
    /// The rule that one of them breaks, that there is one of its name, that the store is full or not there; or the
    /// registry's failure.
    pub async fn create_stored_secrets(
        &self,
        store: &SecretStoreId,
        wanted: &[NewStoredSecret],
    ) -> Result<Vec<StoredSecret>> {
        for (number, secret) in wanted.iter().enumerate() {
            let NewStoredSecret { name, value, comment, scopes } = secret;
            let checked = check_name(name).and(check_value(value.expose()));
            let checked = checked.and(check_comment(comment)).and(check_scopes(scopes));
            checked.map_err(|rule| ControlError::Invalid(format!("secret {number}: {rule}")))?;
            if wanted.iter().take(number).any(|before| before.name == *name) {
                return Err(RegistryError::from(SecretStoreError::Exists {
                    what: "secret",
                    name: name.clone(),
                })
                .into());
            }
        }
        let made = self.registry.create_stored_secrets(store, wanted).await?;
        tracing::info!(store = %store, secrets = made.len(), "secrets put into a store");
        Ok(made)
    }

    /// Changes a secret: scripts that are bound to it get the new value when they next ask.
    ///
    /// # Errors
    /// The rule that the change breaks, or that the secret is not there; or the registry's failure.
    pub async fn change_stored_secret(
        &self,
        store: &SecretStoreId,
        id: &StoredSecretId,
        edit: &StoredSecretEdit,
    ) -> Result<StoredSecret> {
        checked(edit)?;
        let changed = self.registry.change_stored_secret(store, id, edit).await?;
        tracing::info!(store = %store, secret = changed.name, "secret of a store changed");
        Ok(changed)
    }

    /// Makes another secret of the same value.
    ///
    /// # Errors
    /// As [`Control::create_stored_secrets`].
    pub async fn duplicate_stored_secret(
        &self,
        store: &SecretStoreId,
        id: &StoredSecretId,
        name: &str,
        edit: StoredSecretEdit,
    ) -> Result<StoredSecret> {
        check_name(name).map_err(ControlError::Invalid)?;
        checked(&edit)?;
        Ok(self.registry.duplicate_stored_secret(store, id, name, edit).await?)
    }

    /// Deletes a secret, unless scripts are bound to it.
    ///
    /// # Errors
    /// That it is not there, or that scripts are bound to it; or the registry's failure.
    pub async fn delete_stored_secret(
        &self,
        store: &SecretStoreId,
        id: &StoredSecretId,
        force: Force,
    ) -> Result<Done<StoredSecret>> {
        let secret = self.registry.stored_secret(store, id).await?;
        let (found, looked_at) = self.referrers_of_stored_secrets(store, Some(&secret.name)).await?;
        let remarks = found.stand_against("deleted", force)?;
        self.registry.delete_stored_secret(store, id, judged(force, &looked_at)).await?;
        tracing::info!(store = %store, secret = secret.name, "secret of a store deleted");
        Ok(Done::new(secret, remarks))
    }

    /// Who is bound to the secrets of a store, or to one of them; and all who were noted and looked at.
    async fn referrers_of_stored_secrets(
        &self,
        store: &SecretStoreId,
        name: Option<&str>,
    ) -> Result<(Referrers, Vec<ScriptKey>)> {
        let noted = self.registry.bound_to_stored_secrets(store, name, MOST_LOOKED_AT).await?;
        let mut found = Referrers::default();
        let is_meant = |reference: &Reference<'_>| match reference {
            Reference::StoredSecret(in_store, named) => {
                *in_store == store && name.is_none_or(|name| name == *named)
            }
            _ => false,
        };
        for key in &noted {
            let script = self.registry.script(key).await?;
            let bindings =
                script.iter().flat_map(|script| script.serving()).flat_map(|(version, _)| &version.bindings);
            let bound = bindings.filter(|decl| decl.kind.refers_to().iter().any(is_meant));
            found
                .bindings
                .extend(bound.map(|decl| Referrer { name: decl.name.to_string(), owner: key.to_string() }));
        }
        Ok((found, noted))
    }
}

/// Those who may be bound to what goes: whoever it is, where that is forced.
fn judged(force: Force, looked_at: &[ScriptKey]) -> Option<&[ScriptKey]> {
    (force == Force::No).then_some(looked_at)
}

fn checked(edit: &StoredSecretEdit) -> Result<()> {
    let value = edit.value.as_ref().map_or(Ok(()), |value| check_value(value.expose()));
    let comment = edit.comment.as_deref().map_or(Ok(()), check_comment);
    let scopes = edit.scopes.as_deref().map_or(Ok(()), check_scopes);
    value.and(comment).and(scopes).map_err(ControlError::Invalid)
}
