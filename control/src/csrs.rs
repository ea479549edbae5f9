//! Requests for certificates: a key that is made and stays here, and what the customer takes to an authority.
//!
//! Owns the order of it: first the key is kept, then the record says so. A process that ends between the two leaves a sealed
//! key that nobody asks for.

use wasmyard_hostnames::requests;
use wasmyard_namespaces::RegistryError;
use wasmyard_namespaces::csr::{CsrError, CsrOwner, CustomCsr, NewCsr};
use wasmyard_namespaces::ids::CustomCsrId;
use wasmyard_namespaces::registry::ZoneError;
use zeroize::Zeroizing;

use crate::{Control, ControlError, Result};

/// Under which label the key of a request is kept.
fn label(id: &CustomCsrId) -> String {
    format!("csr:{id}")
}

fn refused(error: CsrError) -> ControlError {
    RegistryError::Zone(ZoneError::Csr(error)).into()
}

impl Control {
    /// Makes a key and a request that is signed with it.
    ///
    /// # Errors
    /// [`CsrError`]; that the zone is not there; or the failure of a store.
    pub async fn create_csr(&self, owner: CsrOwner, new: NewCsr) -> Result<CustomCsr> {
        let new = new.check(self.reserved_names).map_err(refused)?;
        let Some(certificates) = &self.certificates else { return Err(refused(CsrError::NoKeys)) };
        let (subject, key_type) = (new.subject.clone(), new.key_type);
        // A key of RSA takes a quarter of a second of a processor: one at a time leaves the others to visitors.
        let turn = certificates.making.lock().await;
        let made = tokio::task::spawn_blocking(move || requests::make(&subject, key_type)).await;
        drop(turn);
        let made = made.map_err(|error| ControlError::Invalid(error.to_string()))?;
        let made = made.map_err(|error| refused(CsrError::Other(error.to_string())))?;
        let id = self.registry.new_csr_id()?;
        certificates.store.keep_secret(&label(&id), made.private).await?;
        let NewCsr { subject, key_type, name, description } = new;
        let csr = CustomCsr {
            id,
            owner,
            created_at: self.now(),
            key_type,
            subject,
            name,
            description,
            request: made.request,
        };
        if let Err(error) = self.registry.create_csr(&csr).await {
            let error = ControlError::from(error);
            if error.changed_nothing() {
                certificates.store.forget_secret(&label(&csr.id)).await?;
            }
            return Err(error);
        }
        tracing::info!(id = %csr.id, name = csr.subject.common_name, "a request for a certificate made");
        Ok(csr)
    }

    /// Deletes a request with its key.
    ///
    /// # Errors
    /// [`CsrError::InUse`]; that it is not there; or the failure of a store.
    pub async fn delete_csr(&self, owner: &CsrOwner, id: &CustomCsrId) -> Result<()> {
        self.registry.delete_csr(owner, id).await?;
        self.forget_csr_key(id).await?;
        tracing::info!(%id, "a request for a certificate deleted");
        Ok(())
    }

    /// Forgets the key of a request that is gone.
    ///
    /// # Errors
    /// The failure of the store.
    pub async fn forget_csr_key(&self, id: &CustomCsrId) -> Result<()> {
        if let Some(store) = self.certificates() {
            store.forget_secret(&label(id)).await?;
        }
        Ok(())
    }

    /// The key of a request.
    pub(crate) async fn csr_key(&self, id: &CustomCsrId) -> Result<Option<Zeroizing<Vec<u8>>>> {
        match self.certificates() {
            Some(store) => Ok(store.secret(&label(id)).await?),
            None => Ok(None),
        }
    }
}
