//! Certificates that scripts show: their keys, and which scripts are bound to them.
//!
//! Owns that a certificate which scripts are bound to stays, and that no key leaves but by [`Registry::client_identity`]. Keys
//! are records of their own, sealed where they lie: `record::SEALED` names them.

use crate::collection::{Collection, Seen, Transaction};
use crate::error::RegistryError;
use crate::zone_error::ZoneError;
use crate::zones::client_ca::{AUTHORITIES, KEYS};
use crate::{Inner, Registry, Result};
use wasmyard_model::client_ca::{MtlsCertificate, MtlsError};
use wasmyard_model::ids::MtlsCertificateId;
use wasmyard_model::script::ScriptKey;
use wasmyard_model::secret::Secret;

/// Scripts that were bound to a certificate, by its id and the script; what is noted may be stale, and is never missing.
const BOUND: Collection<()> = Collection::at("mtls-bound/");

/// A certificate with its key, as it is shown.
#[derive(Clone, Debug)]
pub struct ClientIdentity {
    /// The certificate.
    pub certificate: MtlsCertificate,
    /// Its key, in PEM form.
    pub key: Secret,
}

fn within(id: &MtlsCertificateId) -> String {
    format!("{id}/")
}

impl Registry {
    /// A certificate with its key; none where it is gone.
    ///
    /// # Errors
    /// [`RegistryError::Store`] or [`RegistryError::Record`] when it cannot be read.
    pub async fn client_identity(&self, id: &MtlsCertificateId) -> Result<Option<ClientIdentity>> {
        let log = &self.inner.log;
        let key = log.read(&KEYS, id.as_str()).await?.record()?;
        let certificate = log.read(&AUTHORITIES, id.as_str()).await?.record()?;
        Ok(certificate
            .zip(key)
            .map(|(certificate, key)| ClientIdentity { certificate, key: Secret::new(key) }))
    }

    /// Notes that a script is about to be bound to a certificate.
    ///
    /// # Errors
    /// [`MtlsError::NotFound`], [`MtlsError::NoIdentity`]; [`RegistryError::NamespaceNotFound`]; [`RegistryError::Store`].
    pub async fn bind_mtls_certificate(&self, id: &MtlsCertificateId, script: &ScriptKey) -> Result<()> {
        let log = &self.inner.log;
        let script = self.inner.note_of(script)?;
        self.inner
            .log
            .retried("the mTLS certificate", || async {
                let (seen, found) = self.inner.find_authority(id).await?;
                if found.ca {
                    return Err(ZoneError::Mtls(MtlsError::NoIdentity(id.clone())).into());
                }
                let note = log.read(&BOUND, &format!("{}{script}", within(id))).await?;
                let mut transaction = Transaction::default();
                if !note.exists() {
                    // Written again, so that whoever deletes it at the same moment has to look again.
                    transaction.put(&seen, &found)?;
                    transaction.put(&note, &())?;
                }
                Ok(transaction)
            })
            .await
    }

    /// Scripts that were bound to a certificate, after one of them; some may not be bound any more. At most `limit`.
    ///
    /// # Errors
    /// [`RegistryError::Store`].
    pub async fn bound_to_mtls_certificate(
        &self,
        id: &MtlsCertificateId,
        after: Option<&ScriptKey>,
        limit: usize,
    ) -> Result<Vec<ScriptKey>> {
        let mut after =
            after.map(|script| self.inner.note_of(script)).transpose()?.map(|note| within(id) + &note);
        loop {
            let page = self.inner.log.page(&BOUND, &within(id), after.as_deref(), limit).await?;
            let found: Vec<ScriptKey> =
                page.iter().filter_map(|seen| self.inner.bound_script(seen)).collect();
            // Those of namespaces that are gone are nobody.
            match page.last().filter(|_| found.is_empty()) {
                Some(last) => after = Some(last.id().to_owned()),
                None => return Ok(found),
            }
        }
    }

    /// Forgets that a script was bound to a certificate: it is so no more.
    ///
    /// # Errors
    /// [`RegistryError::Store`].
    pub async fn unbind_mtls_certificate(&self, id: &MtlsCertificateId, script: &ScriptKey) -> Result<()> {
        let note = within(id) + &self.inner.note_of(script)?;
        self.inner
            .log
            .retried("the mTLS certificate", || async {
                let mut transaction = Transaction::default();
                let seen = self.inner.log.read(&BOUND, &note).await?;
                if seen.exists() {
                    transaction.delete(&seen);
                }
                Ok(transaction)
            })
            .await
    }
}

impl Inner {
    fn bound_script(&self, seen: &Seen<()>) -> Option<ScriptKey> {
        self.noted(seen.id().split_once('/')?.1)
    }

    /// Deletes what belongs to a certificate; where that is not forced, if nobody is noted as bound to it.
    pub(crate) async fn delete_identity(
        &self,
        transaction: &mut Transaction,
        id: &MtlsCertificateId,
        is_forced: bool,
    ) -> Result<()> {
        let key = self.log.read(&KEYS, id.as_str()).await?;
        if key.exists() {
            transaction.delete(&key);
        }
        for seen in self.log.all(&BOUND, &within(id)).await? {
            if !is_forced && self.bound_script(&seen).is_some() {
                return Err(RegistryError::Conflict("who is bound to the mTLS certificate".to_owned()));
            }
            transaction.delete(&seen);
        }
        Ok(())
    }
}
