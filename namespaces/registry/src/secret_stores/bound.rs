//! Which scripts were bound to which secrets, by what is noted before a script is stored.

use super::{BOUND, SECRET_IDS, SECRETS, at, no_secret, within};
use crate::collection::{Seen, Transaction};
use crate::error::RegistryError;
use crate::secret_store_error::SecretStoreError;
use crate::{Inner, Registry, Result};
use wasmyard_model::ids::SecretStoreId;
use wasmyard_model::name::ScriptName;
use wasmyard_model::script::ScriptKey;

impl Registry {
    /// Notes that a script is about to be bound to a secret.
    ///
    /// # Errors
    /// [`SecretStoreError::NotFound`], [`SecretStoreError::NotForScripts`]; [`RegistryError::NamespaceNotFound`];
    /// [`RegistryError::Store`].
    pub async fn bind_stored_secret(
        &self,
        store: &SecretStoreId,
        name: &str,
        script: &ScriptKey,
    ) -> Result<()> {
        let log = &self.inner.log;
        let script = self.inner.note_of(script)?;
        self.inner
            .log
            .retried("the secret", || async {
                let secret = log.read(&SECRETS, &at(store, name)).await?.record()?;
                let secret = secret.ok_or_else(|| no_secret(name))?.secret;
                if !secret.is_for_scripts() {
                    return Err(SecretStoreError::NotForScripts { name: name.to_owned() }.into());
                }
                let place = log.read(&SECRET_IDS, &at(store, secret.id.as_str())).await?;
                let note = log.read(&BOUND, &format!("{}/{script}", at(store, name))).await?;
                let mut transaction = Transaction::default();
                if !note.exists() {
                    transaction.put(&place, &secret.name)?;
                    transaction.put(&note, &())?;
                }
                Ok(transaction)
            })
            .await
    }

    /// Scripts that were bound to the secrets of a store, or to one of them; some may not be any more. At most `limit`.
    ///
    /// # Errors
    /// [`RegistryError::Store`].
    pub async fn bound_to_stored_secrets(
        &self,
        store: &SecretStoreId,
        name: Option<&str>,
        limit: usize,
    ) -> Result<Vec<ScriptKey>> {
        let within = name.map_or_else(|| within(store), |name| format!("{}/", at(store, name)));
        let seen = self.inner.log.page(&BOUND, &within, None, limit).await?;
        Ok(seen.iter().filter_map(|seen| self.inner.noted(seen.id().splitn(3, '/').nth(2)?)).collect())
    }
}

impl Inner {
    /// Requires that all who were noted were looked at.
    pub(super) fn expect_looked_at(&self, bound: &[Seen<()>], looked_at: Option<&[ScriptKey]>) -> Result<()> {
        let Some(looked_at) = looked_at else { return Ok(()) };
        let mut noted = bound.iter().filter_map(|seen| self.noted(seen.id().splitn(3, '/').nth(2)?));
        if noted.all(|script| looked_at.contains(&script)) {
            return Ok(());
        }
        Err(RegistryError::Conflict("who is bound to the secret".to_owned()))
    }

    /// A script as notes name it: by the id of its namespace, which stays when that is renamed.
    pub(crate) fn note_of(&self, script: &ScriptKey) -> Result<String> {
        match script {
            ScriptKey::Platform(name) => Ok(format!("/{name}")),
            ScriptKey::User { namespace, script } => {
                let index = self.namespaces.load();
                let slot = index
                    .named(namespace)
                    .ok_or_else(|| RegistryError::NamespaceNotFound(namespace.clone()))?;
                Ok(format!("{}/{script}", slot.namespace.id))
            }
        }
    }

    /// The script that a note names, where its namespace is still there.
    pub(crate) fn noted(&self, note: &str) -> Option<ScriptKey> {
        let (namespace, script) = note.split_once('/')?;
        let script = ScriptName::parse(script).ok()?;
        if namespace.is_empty() {
            return Some(ScriptKey::Platform(script));
        }
        let index = self.namespaces.load();
        Some(ScriptKey::user(index.with_id(namespace)?.namespace.name.clone(), script))
    }
}
