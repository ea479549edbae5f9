//! Stores of secrets: made, filled, read by the scripts that are bound to them, and deleted.
//!
//! Owns that a secret which scripts are bound to stays, and that no value leaves but by [`Registry::stored_secret_value`].
//! Values are sealed where they lie: the records that hold them are named in `record::SEALED`.

use serde::{Deserialize, Serialize};

use super::collection::{ATTEMPTS, Collection, Seen, Transaction, step_aside};
use super::{Inner, Registry, Result};
use crate::error::RegistryError;
use crate::secret_store_error::SecretStoreError;
use wasmyard_model::ids::{IdError, SecretStoreId, StoredSecretId};
use wasmyard_model::limits::secret_stores as limits;
use wasmyard_model::script::ScriptKey;
use wasmyard_model::secret::Secret;
use wasmyard_model::secret_store::{SecretStore, StoredSecret};

mod bound;

/// Stores, by id.
const STORES: Collection<SecretStore> = Collection::at("secret-store/");
/// Makes names of stores unique; the record is the id.
const STORE_NAMES: Collection<SecretStoreId> = Collection::at("secret-store-name/");
/// Secrets with their values, by store and name.
const SECRETS: Collection<SecretRecord> = Collection::at("stored-secret/");
/// Where a secret is, by store and id; the record is the name. Whoever binds a script to the secret writes it again, so that
/// the secret is not deleted meanwhile.
const SECRET_IDS: Collection<String> = Collection::at("stored-secret-id/");
/// Scripts that were bound to a secret, by store, secret and script; what is noted may be stale, and is never missing.
const BOUND: Collection<()> = Collection::at("stored-secret-bound/");

/// A secret in the store: here, and nowhere else, with its value.
#[derive(Serialize, Deserialize)]
struct SecretRecord {
    #[serde(flatten)]
    secret: StoredSecret,
    value: String,
}

/// A secret to be.
#[derive(Clone, Debug)]
pub struct NewStoredSecret {
    /// What bindings name it by.
    pub name: String,
    /// What scripts get.
    pub value: Secret,
    /// What somebody says of it.
    pub comment: String,
    /// Who may use it.
    pub scopes: Vec<String>,
}

/// What is to change of a secret; what is left out stays.
#[derive(Clone, Debug, Default)]
pub struct StoredSecretEdit {
    /// What scripts get from then on.
    pub value: Option<Secret>,
    /// What somebody says of it.
    pub comment: Option<String>,
    /// Who may use it.
    pub scopes: Option<Vec<String>>,
}

fn within(store: &SecretStoreId) -> String {
    format!("{store}/")
}

fn at(store: &SecretStoreId, name: &str) -> String {
    format!("{store}/{name}")
}

fn no_store(id: &SecretStoreId) -> RegistryError {
    SecretStoreError::NotFound { what: "store", id: id.to_string() }.into()
}

fn no_secret(id: &str) -> RegistryError {
    SecretStoreError::NotFound { what: "secret", id: wasmyard_model::name::shorten(id) }.into()
}

fn made<T>(parse: impl Fn(&str) -> std::result::Result<T, IdError>) -> Result<T> {
    let text = uuid::Uuid::new_v4().simple().to_string();
    parse(&text).map_err(|error| RegistryError::Invalid(error.to_string()))
}

impl Registry {
    /// Makes a store.
    ///
    /// # Errors
    /// [`SecretStoreError::Exists`], [`SecretStoreError::TooMany`]; [`RegistryError::Store`].
    pub async fn create_secret_store(&self, name: &str) -> Result<SecretStore> {
        let now = self.inner.clock().now();
        let store = SecretStore {
            id: made(SecretStoreId::parse)?,
            name: name.to_owned(),
            created: now,
            modified: now,
        };
        let log = &self.inner.log;
        self.inner
            .retried("a store of secrets", || async {
                let free = log.read(&STORE_NAMES, name).await?;
                if free.exists() {
                    return Err(SecretStoreError::Exists { what: "store", name: name.to_owned() }.into());
                }
                if log.count(&STORES, "").await? >= limits::STORES {
                    return Err(SecretStoreError::TooMany { what: "stores", most: limits::STORES }.into());
                }
                let mut transaction = Transaction::default();
                transaction.put(&free, &store.id)?;
                transaction.put(&log.read(&STORES, store.id.as_str()).await?, &store)?;
                Ok(transaction)
            })
            .await?;
        Ok(store)
    }

    /// All stores, by their names.
    ///
    /// # Errors
    /// [`RegistryError::Store`].
    pub async fn secret_stores(&self) -> Result<Vec<SecretStore>> {
        let seen = self.inner.log.all(&STORES, "").await?;
        let mut stores: Vec<SecretStore> = seen.iter().filter_map(Seen::whole).collect();
        stores.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(stores)
    }

    /// A store.
    ///
    /// # Errors
    /// [`SecretStoreError::NotFound`]; [`RegistryError::Store`].
    pub async fn secret_store(&self, id: &SecretStoreId) -> Result<SecretStore> {
        self.inner.log.read(&STORES, id.as_str()).await?.record()?.ok_or_else(|| no_store(id))
    }

    /// Deletes a store with all secrets in it; `looked_at` as for [`Registry::delete_stored_secret`].
    ///
    /// # Errors
    /// As there.
    pub async fn delete_secret_store(
        &self,
        id: &SecretStoreId,
        looked_at: Option<&[ScriptKey]>,
    ) -> Result<()> {
        let log = &self.inner.log;
        self.inner
            .retried("a store of secrets", || async {
                let seen = log.read(&STORES, id.as_str()).await?;
                let store = seen.record()?.ok_or_else(|| no_store(id))?;
                let mut transaction = Transaction::default();
                transaction.delete(&seen);
                transaction.delete(&log.read(&STORE_NAMES, &store.name).await?);
                log.all(&SECRETS, &within(id)).await?.iter().for_each(|seen| transaction.delete(seen));
                log.all(&SECRET_IDS, &within(id)).await?.iter().for_each(|seen| transaction.delete(seen));
                let bound = log.all(&BOUND, &within(id)).await?;
                self.inner.expect_looked_at(&bound, looked_at)?;
                bound.iter().for_each(|seen| transaction.delete(seen));
                Ok(transaction)
            })
            .await
    }

    /// Puts secrets into a store: all of them, or none.
    ///
    /// # Errors
    /// [`SecretStoreError::NotFound`], [`SecretStoreError::Exists`], [`SecretStoreError::TooMany`];
    /// [`RegistryError::Store`].
    pub async fn create_stored_secrets(
        &self,
        store: &SecretStoreId,
        wanted: &[NewStoredSecret],
    ) -> Result<Vec<StoredSecret>> {
        let now = self.inner.clock().now();
        let mut records = Vec::new();
        for NewStoredSecret { name, value, comment, scopes } in wanted {
            let secret = StoredSecret {
                id: made(StoredSecretId::parse)?,
                store_id: store.clone(),
                name: name.clone(),
                comment: comment.clone(),
                scopes: scopes.clone(),
                created: now,
                modified: now,
            };
            records.push(SecretRecord { secret, value: value.expose().to_owned() });
        }
        let log = &self.inner.log;
        self.inner
            .retried("a store of secrets", || async {
                let owner = log.read(&STORES, store.as_str()).await?;
                let found = owner.record()?.ok_or_else(|| no_store(store))?;
                let there = log.count(&SECRETS, &within(store)).await?;
                if there.saturating_add(records.len() as u64) > limits::SECRETS {
                    return Err(SecretStoreError::TooMany { what: "secrets", most: limits::SECRETS }.into());
                }
                let mut transaction = Transaction::default();
                // Written again, so that two who fill it at once count one after the other.
                transaction.put(&owner, &SecretStore { modified: now, ..found })?;
                for record in &records {
                    let StoredSecret { id, name, .. } = &record.secret;
                    let free = log.read(&SECRETS, &at(store, name)).await?;
                    if free.exists() {
                        return Err(SecretStoreError::Exists { what: "secret", name: name.clone() }.into());
                    }
                    transaction.put(&free, record)?;
                    transaction.put(&log.read(&SECRET_IDS, &at(store, id.as_str())).await?, name)?;
                }
                Ok(transaction)
            })
            .await?;
        Ok(records.into_iter().map(|record| record.secret).collect())
    }

    /// The secrets of a store, by their names, without their values.
    ///
    /// # Errors
    /// [`SecretStoreError::NotFound`]; [`RegistryError::Store`].
    pub async fn stored_secrets(&self, store: &SecretStoreId) -> Result<Vec<StoredSecret>> {
        self.secret_store(store).await?;
        let seen = self.inner.log.all(&SECRETS, &within(store)).await?;
        Ok(seen.iter().filter_map(Seen::whole).map(|record| record.secret).collect())
    }

    /// How many secrets there are in all stores.
    ///
    /// # Errors
    /// [`RegistryError::Store`].
    pub async fn count_stored_secrets(&self) -> Result<u64> {
        self.inner.log.count(&SECRETS, "").await
    }

    /// A secret without its value.
    ///
    /// # Errors
    /// [`SecretStoreError::NotFound`]; [`RegistryError::Store`].
    pub async fn stored_secret(&self, store: &SecretStoreId, id: &StoredSecretId) -> Result<StoredSecret> {
        let record = self.inner.stored(store, id).await?.record()?;
        record.map(|record| record.secret).ok_or_else(|| no_secret(id.as_str()))
    }

    /// What a script gets that is bound to a secret; none where there is no such secret, or it is not for scripts.
    ///
    /// # Errors
    /// [`RegistryError::Store`] or [`RegistryError::Record`] when it cannot be read.
    pub async fn stored_secret_value(&self, store: &SecretStoreId, name: &str) -> Result<Option<Secret>> {
        let record = self.inner.log.read(&SECRETS, &at(store, name)).await?.record()?;
        Ok(record.filter(|record| record.secret.is_for_scripts()).map(|record| Secret::new(record.value)))
    }

    /// Changes a secret. Scripts that ask for it from then on get the new value.
    ///
    /// # Errors
    /// [`SecretStoreError::NotFound`]; [`RegistryError::Store`].
    pub async fn change_stored_secret(
        &self,
        store: &SecretStoreId,
        id: &StoredSecretId,
        edit: &StoredSecretEdit,
    ) -> Result<StoredSecret> {
        let now = self.inner.clock().now();
        let inner = &self.inner;
        for attempt in 0..ATTEMPTS {
            let seen = inner.stored(store, id).await?;
            let SecretRecord { secret, value } = seen.record()?.ok_or_else(|| no_secret(id.as_str()))?;
            let secret = StoredSecret {
                comment: edit.comment.clone().unwrap_or(secret.comment),
                scopes: edit.scopes.clone().unwrap_or(secret.scopes),
                modified: now,
                ..secret
            };
            let value = edit.value.as_ref().map_or(value, |value| value.expose().to_owned());
            let mut transaction = Transaction::default();
            transaction.put(&seen, &SecretRecord { secret: secret.clone(), value })?;
            match inner.log.commit(&transaction).await {
                Ok(_) => return Ok(secret),
                Err(RegistryError::Conflict(_)) => step_aside(attempt).await,
                Err(error) => return Err(error),
            }
        }
        Err(RegistryError::Conflict(format!("the secret {id}")))
    }

    /// Another secret of the same value.
    ///
    /// # Errors
    /// As [`Registry::create_stored_secrets`].
    pub async fn duplicate_stored_secret(
        &self,
        store: &SecretStoreId,
        id: &StoredSecretId,
        name: &str,
        edit: StoredSecretEdit,
    ) -> Result<StoredSecret> {
        let record = self.inner.stored(store, id).await?.record()?;
        let SecretRecord { secret, value } = record.ok_or_else(|| no_secret(id.as_str()))?;
        let wanted = NewStoredSecret {
            name: name.to_owned(),
            value: Secret::new(value),
            comment: edit.comment.unwrap_or(secret.comment),
            scopes: edit.scopes.unwrap_or(secret.scopes),
        };
        let made = self.create_stored_secrets(store, &[wanted]).await?;
        made.into_iter().next().ok_or_else(|| no_secret(name))
    }

    /// Deletes a secret. `looked_at` are the scripts that were noted as bound to it and are not any more; none: whoever is
    /// bound to it, it goes.
    ///
    /// # Errors
    /// [`SecretStoreError::NotFound`]; [`RegistryError::Conflict`] when other scripts were bound to it meanwhile;
    /// [`RegistryError::Store`].
    pub async fn delete_stored_secret(
        &self,
        store: &SecretStoreId,
        id: &StoredSecretId,
        looked_at: Option<&[ScriptKey]>,
    ) -> Result<()> {
        let log = &self.inner.log;
        self.inner
            .retried("the secret", || async {
                let place = log.read(&SECRET_IDS, &at(store, id.as_str())).await?;
                let name = place.record()?.ok_or_else(|| no_secret(id.as_str()))?;
                let bound = log.all(&BOUND, &format!("{}/", at(store, &name))).await?;
                self.inner.expect_looked_at(&bound, looked_at)?;
                let mut transaction = Transaction::default();
                transaction.delete(&place);
                transaction.delete(&log.read(&SECRETS, &at(store, &name)).await?);
                bound.iter().for_each(|seen| transaction.delete(seen));
                Ok(transaction)
            })
            .await
    }
}

impl Inner {
    /// Where a secret is, by its id.
    async fn stored(&self, store: &SecretStoreId, id: &StoredSecretId) -> Result<Seen<SecretRecord>> {
        let name = self.log.read(&SECRET_IDS, &at(store, id.as_str())).await?.record()?;
        self.log.read(&SECRETS, &at(store, &name.ok_or_else(|| no_secret(id.as_str()))?)).await
    }

    /// Commits what was decided, and has it decided again when others were faster.
    pub(crate) async fn retried<F>(&self, what: &str, decide: impl Fn() -> F) -> Result<()>
    where
        F: Future<Output = Result<Transaction>>,
    {
        for attempt in 0..ATTEMPTS {
            let transaction = decide().await?;
            if transaction.is_empty() {
                return Ok(());
            }
            match self.log.commit(&transaction).await {
                Ok(_) => return Ok(()),
                Err(RegistryError::Conflict(_)) => step_aside(attempt).await,
                Err(error) => return Err(error),
            }
        }
        Err(RegistryError::Conflict(what.to_owned()))
    }
}
