//! Certificates that somebody brought: the text as it was given, and what they become. Their keys are elsewhere, sealed.

use serde::{Deserialize, Serialize};

use super::{CustomHostname, HostnameCertificate, Ssl, SslStatus};
use crate::ids::{CertificateId, CertificatePackId, CustomCsrId};
use crate::timestamp::Timestamp;

/// A certificate as somebody brought it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CustomCertificate {
    /// Its id.
    pub id: CertificateId,
    /// The text, byte for byte.
    pub text: String,
    /// The request that its key was made for, if it was made here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub csr: Option<CustomCsrId>,
}

/// Certificates that somebody brought, which are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Uploaded {
    /// The pack that they are kept as.
    pub pack: CertificatePackId,
    /// What is known of each.
    pub certificates: Vec<HostnameCertificate>,
    /// Each as it was given.
    pub custom: Vec<CustomCertificate>,
}

impl Ssl {
    /// Whether its certificates are those that somebody brought. They are not renewed: whoever brought them brings others.
    #[must_use]
    pub fn is_custom(&self) -> bool {
        !self.custom.is_empty()
    }

    /// Whether an authority is asked for certificates of it, because it has none that somebody brought, or is to have
    /// others in their place.
    #[must_use]
    pub fn is_ordered(&self) -> bool {
        !self.is_custom() || self.next.is_some()
    }

    /// When the first of its certificates ends.
    #[must_use]
    pub fn expires_on(&self) -> Option<Timestamp> {
        self.certificates.iter().map(|one| one.expires_on).min()
    }

    /// The status that follows from how near the end of its certificates is; none where it stays as it is. What somebody brought
    /// runs out with a third of its life left; what is ordered does when its renewal is late, and is served as long as one of its
    /// certificates lasts.
    #[must_use]
    pub fn aged(&self, now: Timestamp) -> Option<SslStatus> {
        let is_used =
            [SslStatus::Active, SslStatus::PendingExpiration, SslStatus::Expired].contains(&self.status);
        if !is_used {
            return None;
        }
        let (end, is_late) = if self.is_custom() {
            (self.expires_on(), self.certificates.iter().any(|one| one.is_late(now)))
        } else {
            (self.certificates.iter().map(|one| one.expires_on).max(), self.is_renewed_late(now))
        };
        let status = match end? {
            end if end <= now => SslStatus::Expired,
            _ if is_late => SslStatus::PendingExpiration,
            _ => SslStatus::Active,
        };
        (status != self.status).then_some(status)
    }

    /// Whether less than a sixth of a life is left and another certificate should be there: a twentieth of the life has passed
    /// since it was to be asked for.
    fn is_renewed_late(&self, now: Timestamp) -> bool {
        let last = self.certificates.iter().max_by_key(|one| one.expires_on);
        last.is_some_and(|last| {
            let life = last.expires_on.since(last.not_before);
            let is_due = self.renew_at.is_none_or(|at| at.later(life / 20) <= now);
            is_due && last.expires_on.since(now) < life / 6
        })
    }

    /// The same without certificates, and without anything that is on its way, for those that are kept under this id.
    #[must_use]
    pub fn emptied(self, id: CertificatePackId) -> Ssl {
        Ssl {
            id,
            next: None,
            certificates: Vec::new(),
            custom: Vec::new(),
            issuing: None,
            renew_at: None,
            issued_by: None,
            validation_records: Vec::new(),
            validation_errors: Vec::new(),
            ..self
        }
    }

    /// Takes what somebody brought in place of all before, and stops waiting for anything else.
    pub(super) fn take(self, uploaded: &Uploaded, is_served: bool) -> Ssl {
        Ssl {
            id: uploaded.pack.clone(),
            next: None,
            // What is not served yet has nothing to be deployed to.
            status: if is_served { SslStatus::PendingDeployment } else { SslStatus::Active },
            certificates: uploaded.certificates.clone(),
            custom: uploaded.custom.clone(),
            validation_records: Vec::new(),
            validation_errors: Vec::new(),
            ..self
        }
    }

    /// The same with one certificate changed for another one of its kind, which has its id from now on, or (none) without
    /// it.
    #[must_use]
    pub fn with_certificate(
        &self,
        id: &CertificateId,
        new: Option<(&HostnameCertificate, &CustomCertificate)>,
    ) -> Ssl {
        let mut ssl = self.clone();
        match new {
            None => {
                ssl.certificates.retain(|one| one.id != *id);
                ssl.custom.retain(|one| one.id != *id);
            }
            Some((certificate, custom)) => {
                ssl.certificates
                    .iter_mut()
                    .filter(|one| one.id == *id)
                    .for_each(|one| *one = certificate.clone());
                ssl.custom.iter_mut().filter(|one| one.id == *id).for_each(|one| *one = custom.clone());
            }
        }
        ssl
    }
}

impl HostnameCertificate {
    /// Whether two thirds of its life are over: certificates live for 6 days or for a year, so that no number of days is
    /// right for all.
    #[must_use]
    pub fn is_late(&self, now: Timestamp) -> bool {
        self.expires_on.since(now) < self.expires_on.since(self.not_before) / 3
    }
}

impl CustomHostname {
    /// The requests that its certificates were made for.
    pub fn csrs(&self) -> impl Iterator<Item = &CustomCsrId> {
        let custom = self.ssl.iter().flat_map(|ssl| &ssl.custom);
        custom.filter_map(|custom| custom.csr.as_ref())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::hostname::{CertificateKey, SslConfig};

    const DAY: Duration = Duration::from_secs(86_400);

    fn ssl(life: Duration, now: Timestamp) -> Ssl {
        let id = CertificateId::parse("1d74f419-c24c-4619-9ff2-489751b61d27").unwrap();
        let certificate = HostnameCertificate {
            id: id.clone(),
            key: CertificateKey::Ecdsa,
            hosts: vec!["shop.customer.dev".to_owned()],
            issuer: "Authority".to_owned(),
            serial_number: "1".to_owned(),
            signature: "ECDSAWithSHA256".to_owned(),
            not_before: now,
            expires_on: now.later(life),
            fingerprint_sha256: "00".repeat(32),
            uploaded_on: now,
        };
        Ssl {
            id: CertificatePackId::parse("198d3c94-cd7b-46e6-9a49-d44dab59dfb5").unwrap(),
            config: SslConfig::default(),
            status: SslStatus::Active,
            next: None,
            certificates: vec![certificate],
            custom: vec![CustomCertificate { id, text: "text".to_owned(), csr: None }],
            issuing: None,
            renew_at: None,
            issued_by: None,
            validation_records: Vec::new(),
            validation_errors: Vec::new(),
        }
    }

    /// A third of the life is left, however long that is: no count of days before the end.
    #[test]
    fn a_certificate_runs_out_when_a_third_of_its_life_is_left_and_then_has() {
        let now = Timestamp::now();
        for days in [6, 90, 398] {
            let mut ssl = ssl(days * DAY, now);
            let after = |tenths: u32| now.later(days * DAY / 10 * tenths);
            assert_eq!(ssl.aged(after(6)), None);
            assert_eq!(ssl.aged(after(7)), Some(SslStatus::PendingExpiration));
            ssl.status = SslStatus::PendingExpiration;
            assert_eq!(ssl.aged(after(9)), None, "said once");
            assert_eq!(ssl.aged(after(10)), Some(SslStatus::Expired));
            ssl.status = SslStatus::Expired;
            assert_eq!(ssl.aged(after(20)), None);
            assert_eq!(ssl.aged(after(1)), Some(SslStatus::Active), "another one is there");
            ssl.status = SslStatus::PendingValidation;
            assert_eq!(ssl.aged(after(10)), None, "a managed one is on its way");
        }
    }

    #[test]
    fn an_ordered_certificate_runs_out_when_its_renewal_is_late_however_late_that_was_to_be() {
        let now = Timestamp::now();
        for days in [6, 90, 398] {
            let after = |tenths: u32| now.later(days * DAY / 10 * tenths);
            let mut managed = Ssl { custom: Vec::new(), renew_at: Some(after(6)), ..ssl(days * DAY, now) };
            assert_eq!(managed.aged(after(8)), None, "whoever orders it renews it");
            assert_eq!(managed.aged(after(9)), Some(SslStatus::PendingExpiration));
            managed.status = SslStatus::PendingExpiration;
            assert_eq!(managed.aged(after(9)), None, "said once");
            assert_eq!(managed.aged(after(11)), Some(SslStatus::Expired));
            assert_eq!(managed.aged(after(1)), Some(SslStatus::Active), "another one is there");
            let by_the_authority = Ssl { renew_at: Some(after(9)), ..managed.clone() };
            assert_eq!(by_the_authority.aged(after(9)), Some(SslStatus::Active), "it has only begun");
        }
    }
}
