//! What a change of a custom hostname means for its certificates: jobs, made with the change itself.

use super::check_key;
use crate::collection::Transaction;
use crate::{Inner, Result};
use wasmyard_model::hostname::{CustomHostname, CustomName, Ssl, SslStatus};
use wasmyard_model::ids::CertificatePackId;

/// The kind of the jobs that have a name served with the certificates of whoever has it. The key is the name.
pub const CERTIFICATE_DEPLOY: &str = "certificate-deploy";

/// The kind of the jobs that forget the certificates of a pack that nobody has any more. The key is the pack's id.
pub const CERTIFICATE_FORGET: &str = "certificate-forget";

/// The kind of the jobs that take the certificates away of a custom hostname that is gone. The keys are those of the jobs that
/// check it.
pub const CERTIFICATE_DELETE: &str = "certificate-delete";

/// The kind of the jobs that bring the certificates of a custom hostname. The keys are those of the jobs that check it.
pub const CERTIFICATE_ORDER: &str = "certificate-order";

impl Inner {
    /// Adds to a transaction that what is served follows a change of a hostname: the names whose claims change, those whose
    /// certificates or settings of TLS do, and the packs that nobody has any more. What serves is another store: as jobs,
    /// made with the change itself, these outlive a process that ends between the two.
    pub(super) async fn follow_certificates(
        &self,
        transaction: &mut Transaction,
        before: &CustomHostname,
        after: Option<&CustomHostname>,
        claims: &[CustomName],
    ) -> Result<()> {
        let (old, new) = (before.ssl.as_ref(), after.and_then(|after| after.ssl.as_ref()));
        let shown = |ssl: &Ssl| (ssl.id.clone(), ssl.certificates.clone(), ssl.config.settings.clone());
        let mut names = claims.to_vec();
        if let Some(after) = after.filter(|after| after.status.is_served())
            && (old.map(shown) != new.map(shown) || is_tried_again(old, new))
        {
            names.extend(after.served_names().filter(|name| !claims.contains(name)));
        }
        for name in names {
            self.job_again(transaction, CERTIFICATE_DEPLOY, name.as_str()).await?;
        }
        let is_new = new.is_some_and(|new| new.asks_anew(old));
        let is_led_here = after.is_some_and(|after| after.status.is_served()) && !before.status.is_served();
        if is_new || (is_led_here && new.is_some_and(|ssl| ssl.issuing.is_some())) {
            let key = check_key(&before.zone, &before.id);
            self.job_again(transaction, CERTIFICATE_ORDER, &key).await?;
        }
        let is_deleted = |ssl: Option<&Ssl>| ssl.is_some_and(|ssl| ssl.status == SslStatus::PendingDeletion);
        if is_deleted(new) && !is_deleted(old) {
            let key = check_key(&before.zone, &before.id);
            self.job_again(transaction, CERTIFICATE_DELETE, &key).await?;
        }
        let packs = |ssl: Option<&Ssl>| -> Vec<CertificatePackId> {
            ssl.into_iter().flat_map(|ssl| std::iter::once(&ssl.id).chain(&ssl.next)).cloned().collect()
        };
        let kept = packs(new);
        for pack in packs(old).into_iter().filter(|pack| !kept.contains(pack)) {
            self.job_again(transaction, CERTIFICATE_FORGET, pack.as_str()).await?;
        }
        Ok(())
    }
}

/// Whether certificates are to be brought into use once more that could not be.
fn is_tried_again(old: Option<&Ssl>, new: Option<&Ssl>) -> bool {
    old.is_some_and(|old| old.status == SslStatus::DeploymentTimedOut)
        && new.is_some_and(|new| new.status == SslStatus::PendingDeployment)
}
