//! The accounts that are had with authorities.

use wasmyard_namespaces::hostname::CertificateAuthority;

use crate::{Control, ControlError, Result};

impl Control {
    /// Gives the account that is had with an authority another key. Orders go on with it.
    ///
    /// # Errors
    /// [`ControlError::Invalid`] where no such authority is set up; [`ControlError::Authority`] with its reason.
    pub async fn roll_account_key(&self, authority: CertificateAuthority) -> Result<()> {
        let issuer = self.issuers.as_ref().and_then(|issuers| issuers.get(authority));
        let issuer = issuer.ok_or_else(|| {
            ControlError::Invalid(format!(
                "no authority is set up as {authority}: describe it under [certificates.authorities.{authority}]"
            ))
        })?;
        issuer.roll_key().await.map_err(|failure| ControlError::Authority(failure.to_string()))
    }
}
