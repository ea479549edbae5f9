//! Certificates that run out: those that somebody brought, which nobody else renews, and those whose renewal is late.
//!
//! Owns what is said of that, in the record and in the log. Renews nothing.

use std::time::Duration;

use wasmyard_namespaces::RegistryError;
use wasmyard_namespaces::Timestamp;
use wasmyard_namespaces::hostname::{CustomHostname, Ssl, SslStatus};
use wasmyard_namespaces::ids::{CustomHostnameId, ZoneId};
use wasmyard_namespaces::registry::ZoneError;

use crate::{Control, Result};

/// How often certificates are looked at that somebody brought.
const A_DAY: Duration = Duration::from_secs(86_400);

impl Control {
    /// Says of certificates how near their end is: `pending_expiration` where that was let come near, `expired` after it.
    /// Returns when to look again; none where somebody else does.
    ///
    /// # Errors
    /// The registry's failure.
    pub async fn age_certificates(&self, zone: &ZoneId, id: &CustomHostnameId) -> Result<Option<Duration>> {
        let mut news = None;
        let changed = self.registry.change_hostname(zone, id, |before, now| {
            let Some(ssl) = &before.ssl else { return Ok(None) };
            news = ssl.aged(now);
            let Some(status) = news else { return Ok(None) };
            let ssl = Ssl { status, ..ssl.clone() };
            Ok(Some(CustomHostname { ssl: Some(ssl), modified_at: now, ..before.clone() }))
        });
        let changed = match changed.await {
            Ok(changed) => changed,
            Err(RegistryError::Zone(ZoneError::HostnameNotFound(_))) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        if let Some(status) = news {
            tell(&changed, status);
        }
        // Others are looked at with each step of their renewal.
        Ok(changed.ssl.as_ref().filter(|ssl| ssl.is_custom()).map(|_| A_DAY))
    }
}

/// Says in a record that is about to be written how near the end of ordered certificates is. The status, where it is news.
pub(crate) fn age(ssl: &mut Ssl, now: Timestamp) -> Option<SslStatus> {
    let status = ssl.aged(now).filter(|_| !ssl.is_custom())?;
    ssl.status = status;
    Some(status)
}

/// Tells the log of certificates that run out, or have.
pub(crate) fn tell(hostname: &CustomHostname, status: SslStatus) {
    let (name, zone) = (&hostname.name, &hostname.zone);
    let ssl = hostname.ssl.as_ref();
    let expires = ssl.and_then(Ssl::expires_on).map(|on| on.to_string()).unwrap_or_default();
    let is_custom = ssl.is_some_and(Ssl::is_custom);
    match (status, is_custom) {
        (SslStatus::Expired, true) => {
            tracing::error!(hostname = %name, %zone, expires, "a custom certificate has expired; bring another one");
        }
        (SslStatus::PendingExpiration, true) => {
            tracing::warn!(hostname = %name, %zone, expires, "a custom certificate runs out; bring another one");
        }
        (SslStatus::Expired, false) => {
            tracing::error!(hostname = %name, %zone, expires, "a certificate has expired and was not renewed; ssl.validation_errors says why");
        }
        (SslStatus::PendingExpiration, false) => {
            tracing::warn!(hostname = %name, %zone, expires, "a certificate runs out and is not renewed yet; ssl.validation_errors says why");
        }
        _ => {}
    }
}
