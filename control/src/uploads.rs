//! Certificates that customers bring: judged, kept, and written into their hostname's record.
//!
//! Owns the order of it: first they are kept under the id of a pack that nobody has, then the record says so, then they are
//! served. What is not written into a record is forgotten again. Must never let a key go anywhere but into the store.

use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use wasmyard_hostnames::ServedName;
use wasmyard_hostnames::certificates::{Pair, describe};
use wasmyard_hostnames::uploads::{Upload, UploadedKey, Wanted};
use wasmyard_namespaces::hostname::{
    BundleMethod, CertificateError, CustomCertificate, CustomHostname, CustomHostnameEdit, CustomName,
    HostnameCertificate, HostnameError, NewCustomHostname, Ssl, SslEdit, Uploaded,
};
use wasmyard_namespaces::ids::{CertificateId, CertificatePackId, CustomCsrId, CustomHostnameId, ZoneId};
use wasmyard_namespaces::registry::ZoneError;
use wasmyard_namespaces::{RegistryError, Secret, Timestamp};

use crate::certificates::{Certificates, new_certificate_id};
use crate::{Control, ControlError, Done, Force, Result};

/// A certificate as somebody brings it.
#[derive(Clone, Debug)]
pub struct Brought {
    /// The certificate, alone or with its authorities', in PEM form.
    pub certificate: String,
    /// Its key.
    pub key: BroughtKey,
}

/// The key of a certificate that somebody brings.
#[derive(Clone, Debug)]
pub enum BroughtKey {
    /// It comes along, in PEM form.
    Here(Secret),
    /// It was made here, for this request.
    OfCsr(CustomCsrId),
}

fn refused(error: impl Into<HostnameError>) -> ControlError {
    RegistryError::Zone(ZoneError::Hostname(error.into())).into()
}

fn no_certificate(id: &CertificateId) -> ControlError {
    RegistryError::Zone(ZoneError::CertificateNotFound(id.to_string())).into()
}

impl Control {
    /// Makes a custom hostname as [`Control::create_hostname`] does, with certificates that somebody brings.
    ///
    /// # Errors
    /// As [`Control::create_hostname`]; [`CertificateError`].
    pub async fn create_hostname_with(
        &self,
        zone: &ZoneId,
        new: &NewCustomHostname,
        brought: Vec<Brought>,
    ) -> Result<Done<Arc<CustomHostname>>> {
        self.zone(zone)?;
        let mut new = new.clone();
        let remarks = self.take_in(zone, &new.name, None, &mut new.edit, brought).await?;
        let made = self.create_hostname(zone, &new).await;
        self.taken(made, &new.edit, remarks).await
    }

    /// Changes a custom hostname as [`Control::edit_hostname`] does, to certificates that somebody brings.
    ///
    /// # Errors
    /// As [`Control::edit_hostname`]; [`CertificateError`].
    pub async fn edit_hostname_with(
        &self,
        zone: &ZoneId,
        id: &CustomHostnameId,
        edit: &CustomHostnameEdit,
        brought: Vec<Brought>,
        force: Force,
    ) -> Result<Done<Arc<CustomHostname>>> {
        let mut edit = edit.clone();
        let before = self.registry.hostname(zone, id).await?;
        let remarks = self.take_in(zone, &before.name, before.ssl.as_ref(), &mut edit, brought).await?;
        let edited = self.edit_hostname(zone, id, &edit, force).await;
        self.taken(edited, &edit, remarks).await
    }

    /// Judges what somebody brings, keeps it as a new pack, and says so in the edit.
    async fn take_in(
        &self,
        zone: &ZoneId,
        name: &CustomName,
        before: Option<&Ssl>,
        edit: &mut CustomHostnameEdit,
        brought: Vec<Brought>,
    ) -> Result<Vec<String>> {
        if brought.is_empty() {
            return Ok(Vec::new());
        }
        let ssl = edit.ssl.get_or_insert_default();
        let bundling = bundling(Some(ssl), before);
        if brought.len() > 1 && bundling != BundleMethod::Force {
            let rule = "custom_cert_bundle: two certificates are served as they are given; set bundle_method to force";
            return Err(refused(HostnameError::Ssl(rule.to_owned())));
        }
        let (mut pairs, mut certificates, mut custom): (Vec<Pair>, Vec<_>, Vec<_>) = Default::default();
        for one in brought {
            let (pair, known, given) =
                self.judge_certificate(zone, name, bundling, one, new_certificate_id()?).await?;
            if pairs.iter().any(|other| other.is_of_the_kind_of(&pair)) {
                let rule =
                    "custom_cert_bundle: one of the two has a key of RSA, the other one on an elliptic curve";
                return Err(refused(HostnameError::Ssl(rule.to_owned())));
            }
            pairs.push(pair);
            certificates.push(known);
            custom.push(given);
        }
        let remarks = remarks(&certificates, self.now());
        let pack = CertificatePackId::parse(&uuid::Uuid::new_v4().to_string());
        let pack = pack.map_err(|error| ControlError::Invalid(error.to_string()))?;
        self.keeping()?.store.keep(&pack, pairs).await?;
        ssl.uploaded = Some(Uploaded { pack, certificates, custom });
        Ok(remarks)
    }

    /// What came of a change with certificates: those that are in no record are forgotten.
    async fn taken(
        &self,
        changed: Result<Done<Arc<CustomHostname>>>,
        edit: &CustomHostnameEdit,
        mut remarks: Vec<String>,
    ) -> Result<Done<Arc<CustomHostname>>> {
        let uploaded = edit.ssl.as_ref().and_then(|ssl| ssl.uploaded.as_ref());
        match (changed, uploaded) {
            (Ok(done), _) => {
                remarks.extend(done.remarks);
                Ok(Done { remarks, ..done })
            }
            (Err(error), Some(uploaded)) if error.changed_nothing() => {
                self.keeping()?.store.forget(&uploaded.pack).await?;
                Err(error)
            }
            // A record may name them all the same: sealed keys that nobody needs are better than a name without keys.
            (Err(error), Some(_) | None) => Err(error),
        }
    }

    fn keeping(&self) -> Result<&Certificates> {
        let missing = || refused(HostnameError::Ssl(ControlError::NoCertificates.to_string()));
        self.certificates.as_ref().ok_or_else(missing)
    }

    /// Judges one certificate.
    async fn judge_certificate(
        &self,
        zone: &ZoneId,
        name: &CustomName,
        bundling: BundleMethod,
        brought: Brought,
        id: CertificateId,
    ) -> Result<(Pair, HostnameCertificate, CustomCertificate)> {
        let certificates = self.keeping()?;
        let Brought { certificate, key } = brought;
        let (key, csr) = match key {
            BroughtKey::Here(key) => (UploadedKey::Pem(key), None),
            BroughtKey::OfCsr(csr) => {
                self.registry.csr_for(zone, &csr).await?;
                let lost = || refused(CertificateError::CsrNotFound(format!("{csr} whose key is kept")));
                let key = self.csr_key(&csr).await?.ok_or_else(lost)?;
                (UploadedKey::Ours(key), Some(csr))
            }
        };
        let served = ServedName::parse(name.as_str());
        let served = served.map_err(|error| refused(HostnameError::Ssl(error.to_string())))?;
        let known = certificates.store.known_authorities().await?;
        let (trust, now) = (Arc::clone(&certificates.trust), self.now());
        let (upload, text) = (Upload { certificate: certificate.clone(), key }, certificate);
        // A few dozen signatures are verified: one upload at a time leaves the processors to visitors.
        let turn = certificates.making.lock().await;
        let judged = tokio::task::spawn_blocking(move || {
            let now = UNIX_EPOCH.checked_add(Duration::from_micros(now.unix_micros()));
            let wanted = Wanted { name: &served, bundling, now: now.unwrap_or(UNIX_EPOCH) };
            upload.judge(wanted, &trust.knowing(known))
        });
        let judged = judged.await.map_err(|error| ControlError::Invalid(error.to_string()))?;
        drop(turn);
        let pair = judged.map_err(refused)?;
        let unreadable = || refused(CertificateError::Unparsable("it cannot be read".to_owned()));
        let described = describe(&pair, id.clone(), now).ok_or_else(unreadable)?;
        Ok((pair, described, CustomCertificate { id, text, csr }))
    }

    /// Puts a certificate in the place of another one with the same kind of key, in a pack that somebody brought. The pack and
    /// the certificate keep their ids.
    ///
    /// # Errors
    /// That there is no such certificate; that the new one is of the other kind; [`CertificateError`]; or the failure of a
    /// store.
    pub async fn replace_certificate(
        &self,
        zone: &ZoneId,
        id: &CustomHostnameId,
        (pack, of): (&CertificatePackId, &CertificateId),
        brought: Brought,
    ) -> Result<Done<Arc<CustomHostname>>> {
        let hostname = self.registry.hostname(zone, id).await?;
        let before = certificate_of(&hostname, pack, of)?;
        let bundling = bundling(None, hostname.ssl.as_ref());
        let (pair, known, given) =
            self.judge_certificate(zone, &hostname.name, bundling, brought, of.clone()).await?;
        if known.key != before.key {
            let rule =
                format!("custom_certificate: its key is {}, and {} is replaced", known.key, before.key);
            return Err(refused(HostnameError::Ssl(rule)));
        }
        let remarks = remarks(std::slice::from_ref(&known), self.now());
        let changed = self
            .change_pack(
                zone,
                id,
                (pack, of),
                |pairs| {
                    pairs.retain(|other| !other.is_of_the_kind_of(&pair));
                    pairs.push(pair);
                },
                |ssl| ssl.with_certificate(of, Some((&known, &given))),
            )
            .await?;
        tracing::info!(%zone, hostname = %changed.name, %pack, "a custom certificate replaced");
        Ok(Done::new(changed, remarks))
    }

    /// Takes a certificate out of a pack that somebody brought; the last one stays.
    ///
    /// # Errors
    /// That there is no such certificate; [`HostnameError::LastCertificate`]; or the failure of a store.
    pub async fn delete_certificate(
        &self,
        zone: &ZoneId,
        id: &CustomHostnameId,
        (pack, of): (&CertificatePackId, &CertificateId),
    ) -> Result<Arc<CustomHostname>> {
        let hostname = self.registry.hostname(zone, id).await?;
        let going = certificate_of(&hostname, pack, of)?.fingerprint_sha256.clone();
        if hostname.ssl.as_ref().is_some_and(|ssl| ssl.certificates.len() < 2) {
            return Err(refused(HostnameError::LastCertificate));
        }
        let is_going = |pair: &Pair| {
            describe(pair, of.clone(), self.now()).is_some_and(|known| known.fingerprint_sha256 == going)
        };
        let changed = self
            .change_pack(
                zone,
                id,
                (pack, of),
                |pairs| pairs.retain(|pair| !is_going(pair)),
                |ssl| ssl.with_certificate(of, None),
            )
            .await?;
        tracing::info!(%zone, hostname = %changed.name, %pack, "a custom certificate deleted");
        Ok(changed)
    }

    /// Changes what is kept of a pack and then the record that names it, one change of packs after the other. Where the record
    /// cannot be written, what was kept before is kept again.
    async fn change_pack(
        &self,
        zone: &ZoneId,
        id: &CustomHostnameId,
        (pack, of): (&CertificatePackId, &CertificateId),
        change: impl FnOnce(&mut Vec<Pair>),
        record: impl Fn(&Ssl) -> Ssl,
    ) -> Result<Arc<CustomHostname>> {
        let certificates = self.keeping()?;
        let turn = certificates.packs.lock().await;
        // Whoever was first may have left it the last one, or another one.
        let hostname = self.registry.hostname(zone, id).await?;
        certificate_of(&hostname, pack, of)?;
        let kept = certificates.store.kept(pack).await?.ok_or_else(|| no_certificate(of))?;
        let mut pairs = kept.clone();
        change(&mut pairs);
        if pairs.is_empty() {
            return Err(refused(HostnameError::LastCertificate));
        }
        certificates.store.keep(pack, pairs).await?;
        let changed = self.registry.change_hostname(zone, id, |before, now| {
            certificate_of(before, pack, of).map_err(|_| ZoneError::CertificateNotFound(of.to_string()))?;
            let ssl = before.ssl.as_ref().map(&record);
            Ok(Some(CustomHostname { ssl, modified_at: now, ..before.clone() }))
        });
        let changed = match changed.await {
            Ok(changed) => changed,
            Err(error) => {
                let error = ControlError::from(error);
                if error.changed_nothing() {
                    certificates.store.keep(pack, kept).await?;
                }
                return Err(error);
            }
        };
        drop(turn);
        self.deploy_certificates(&changed).await;
        Ok(changed)
    }
}

fn bundling(edit: Option<&SslEdit>, before: Option<&Ssl>) -> BundleMethod {
    let given = edit.and_then(|edit| edit.bundle_method);
    given.or(before.and_then(|ssl| ssl.config.bundle_method)).unwrap_or(BundleMethod::Ubiquitous)
}

/// The certificate of a hostname that a path names.
fn certificate_of<'h>(
    hostname: &'h CustomHostname,
    pack: &CertificatePackId,
    of: &CertificateId,
) -> Result<&'h HostnameCertificate> {
    let ssl = hostname.ssl.as_ref().filter(|ssl| ssl.id == *pack && ssl.is_custom());
    let found = ssl.and_then(|ssl| ssl.certificates.iter().find(|one| one.id == *of));
    found.ok_or_else(|| no_certificate(of))
}

/// What a person should know of certificates that were taken.
fn remarks(certificates: &[HostnameCertificate], now: Timestamp) -> Vec<String> {
    let mut remarks = Vec::new();
    for one in certificates {
        if one.signature == "SHA1WithRSA" {
            remarks.push("The certificate is signed with SHA-1: hardly any client takes it.".to_owned());
        }
        if one.is_late(now) {
            remarks.push(format!(
                "Less than a third of the certificate's life is left: it ends {}.",
                one.expires_on
            ));
        }
    }
    remarks
}
