//! The certificate that a custom hostname is to have, and the settings of TLS that go with it.
//!
//! Owns what may be asked for, how a change of it is read, and what holds where nothing was set. Never holds a key, and
//! never orders anything.

use serde::{Deserialize, Serialize};

use super::{
    CustomCertificate, CustomName, HostnameCertificate, HostnameError, Issuing, SslStatus, Uploaded,
    ValidationRecord,
};
use crate::closed::closed;
use crate::ids::CertificatePackId;
use crate::timestamp::Timestamp;
use crate::tls::{Cipher, Switch, TlsVersion};

closed! {
    /// How the authority is shown that a name is the customer's.
    ValidationMethod {
        /// By a file that the platform serves.
        Http = "http",
        /// By a TXT record.
        Txt = "txt",
        /// By a mail. The platform sends none.
        Email = "email",
    }
}

closed! {
    /// What a certificate says of its owner.
    CertificateType {
        /// That the domain is theirs.
        Dv = "dv",
    }
}

closed! {
    /// Who makes a certificate, under the names that the v4 API has.
    CertificateAuthority {
        /// DigiCert.
        Digicert = "digicert",
        /// Google Trust Services.
        Google = "google",
        /// Let's Encrypt.
        LetsEncrypt = "lets_encrypt",
        /// SSL.com.
        SslCom = "ssl_com",
    }
}

closed! {
    /// How the chain of a certificate is built.
    BundleMethod {
        /// For the most clients.
        Ubiquitous = "ubiquitous",
        /// As short as can be.
        Optimal = "optimal",
        /// As it was given.
        Force = "force",
    }
}

/// A certificate that was asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ssl {
    /// The id of the certificates that it comes to.
    pub id: CertificatePackId,
    /// What was asked for.
    pub config: SslConfig,
    /// How far it has come.
    pub status: SslStatus,
    /// The id of the certificates that are to take the place of those that it has: asked for by a change, and not there
    /// yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<CertificatePackId>,
    /// The certificates that are kept of it, one for each kind of key; none before the first were issued or uploaded.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub certificates: Vec<HostnameCertificate>,
    /// Where somebody brought the certificates: each as it was given; none where they are ordered.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub custom: Vec<CustomCertificate>,
    /// How far the certificate is that was asked for; none where none is being issued.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issuing: Option<Issuing>,
    /// When to ask for the next certificates; none where these were not asked of an authority.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub renew_at: Option<Timestamp>,
    /// Who issued the certificates; none where nobody was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issued_by: Option<CertificateAuthority>,
    /// What the authority wants to see.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub validation_records: Vec<ValidationRecord>,
    /// What went wrong with it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub validation_errors: Vec<String>,
}

/// What was asked for of a certificate, as far as it was said.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SslConfig {
    /// How the authority is shown whose the name is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub method: Option<ValidationMethod>,
    /// What it says of its owner.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<CertificateType>,
    /// Who makes it; none: the platform chooses.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub certificate_authority: Option<CertificateAuthority>,
    /// How its chain is built.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bundle_method: Option<BundleMethod>,
    /// Whether it is for all names one label below as well.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wildcard: Option<bool>,
    /// Whether another name may be its common name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub branding: Option<bool>,
    /// Settings of TLS.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub settings: Option<TlsSettings>,
}

/// Settings of TLS for one custom hostname, as far as they were set. They come from no zone.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct TlsSettings {
    /// Whether HTTP/2 is spoken.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub http2: Option<Switch>,
    /// Whether TLS 1.3 is spoken.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls_1_3: Option<Switch>,
    /// Whether nothing but TLS 1.2 is spoken: an old setting, which is taken and not shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls_1_2_only: Option<Switch>,
    /// The oldest version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_tls_version: Option<TlsVersion>,
    /// Whether early hints are sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub early_hints: Option<Switch>,
    /// The cipher suites of TLS 1.2.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ciphers: Option<Vec<Cipher>>,
}

/// What is to change about a certificate; what is none stays as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SslEdit {
    /// How the authority is shown whose the name is.
    pub method: Option<ValidationMethod>,
    /// What it says of its owner.
    pub kind: Option<CertificateType>,
    /// Who makes it, or (`Some(None)`) whom the platform chooses.
    pub certificate_authority: Option<Option<CertificateAuthority>>,
    /// How its chain is built.
    pub bundle_method: Option<BundleMethod>,
    /// Whether it is for all names one label below as well.
    pub wildcard: Option<bool>,
    /// Whether another name may be its common name.
    pub branding: Option<bool>,
    /// Settings of TLS, in place of all before: what is left out has its default again.
    pub settings: Option<TlsSettings>,
    /// Certificates that somebody brought, in place of all before.
    pub uploaded: Option<Uploaded>,
}

/// Longest common name of a certificate, in bytes.
const LONGEST_COMMON_NAME: usize = 64;

impl SslEdit {
    /// Whether it asks for validation to start again.
    #[must_use]
    pub fn is_refresh(&self) -> bool {
        self.method.is_some() && self.kind.is_some()
    }

    /// Whether a certificate of a name that has none yet could be asked for so.
    pub(super) fn check_new(&self, name: &CustomName) -> Result<(), HostnameError> {
        self.check(name, false)?;
        SslConfig::default().over(self).check(name)
    }

    /// What can be said of it without what was before.
    fn check(&self, name: &CustomName, is_custom: bool) -> Result<(), HostnameError> {
        // With a certificate comes its type alone, from clients that send back all that they know.
        if self.uploaded.is_none() && self.method.is_some() != self.kind.is_some() {
            return Err(HostnameError::MethodAndType);
        }
        if name.is_wildcard() && !is_custom {
            return Err(HostnameError::ManagedWildcard);
        }
        self.settings.as_ref().map_or(Ok(()), TlsSettings::check)
    }

    /// The certificate that comes out of this. Asking for the same again orders none where there is a valid one.
    pub(super) fn apply(
        &self,
        before: Option<&Ssl>,
        name: &CustomName,
        pack: CertificatePackId,
        is_served: bool,
    ) -> Result<Ssl, HostnameError> {
        // What was taken away, or is about to be, is asked for anew.
        let anew = before.filter(|ssl| {
            self.is_refresh() && (ssl.status.is_being_deleted() || ssl.status == SslStatus::Deleted)
        });
        let anew = anew.map(|ssl| ssl.clone().emptied(pack.clone()));
        let before = anew.as_ref().or(before);
        let was_custom = before.is_some_and(Ssl::is_custom);
        let is_custom = self.uploaded.is_some() || (was_custom && !self.is_refresh());
        self.check(name, is_custom)?;
        let config = before.map(|before| before.config.clone()).unwrap_or_default().over(self);
        if !is_custom {
            config.check(name)?;
        }
        let mut ssl = match before {
            Some(before) => Ssl { config, ..before.clone() },
            None => Ssl {
                id: pack.clone(),
                config,
                status: SslStatus::PendingValidation,
                next: None,
                certificates: Vec::new(),
                custom: Vec::new(),
                issuing: None,
                renew_at: None,
                issued_by: None,
                validation_records: Vec::new(),
                validation_errors: Vec::new(),
            },
        };
        if let Some(uploaded) = &self.uploaded {
            // What was asked of an authority is not wanted any more.
            (ssl.issuing, ssl.renew_at) = (None, None);
            return Ok(ssl.take(uploaded, is_served));
        }
        let Some(before) = before.filter(|_| !is_custom) else { return Ok(ssl) };
        // From certificates that somebody brought to ordered ones: these are asked for once.
        let another = match was_custom {
            true => before.next.is_none() || ssl.config.asks_for() != before.config.asks_for(),
            false => ssl.config.asks_for() != before.config.asks_for(),
        };
        if another || (self.is_refresh() && !before.status.is_valid()) {
            ssl.status = SslStatus::PendingValidation;
            ssl.validation_errors.clear();
        } else if self.is_refresh() && before.status == SslStatus::DeploymentTimedOut {
            ssl.status = SslStatus::PendingDeployment;
            ssl.validation_errors.clear();
        }
        if another {
            ssl.validation_records.clear();
            ssl.issuing = None;
            // What is served stays so until the others are there.
            ssl.next = (!ssl.certificates.is_empty()).then_some(pack);
        }
        Ok(ssl)
    }
}

impl Ssl {
    /// The id that certificates get which are asked for now.
    #[must_use]
    pub fn awaited(&self) -> &CertificatePackId {
        self.next.as_ref().unwrap_or(&self.id)
    }

    /// Whether a certificate was asked for, and nobody works on it yet.
    #[must_use]
    pub fn is_wanted(&self) -> bool {
        self.status.awaits_issue() && self.issuing.is_none()
    }

    /// Whether there are certificates to serve with.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        !self.certificates.is_empty()
    }
}

impl SslConfig {
    /// This with what an edit sets.
    fn over(self, edit: &SslEdit) -> SslConfig {
        SslConfig {
            method: edit.method.or(self.method),
            kind: edit.kind.or(self.kind),
            certificate_authority: edit.certificate_authority.unwrap_or(self.certificate_authority),
            bundle_method: edit.bundle_method.or(self.bundle_method),
            wildcard: edit.wildcard.or(self.wildcard),
            branding: edit.branding.or(self.branding),
            settings: edit.settings.clone().or(self.settings),
        }
    }

    /// Whether there can be such a certificate for a name.
    fn check(&self, name: &CustomName) -> Result<(), HostnameError> {
        if self.wildcard == Some(true) && self.method == Some(ValidationMethod::Http) {
            let rule = "a certificate with wildcard = true cannot be validated over http; use method = txt";
            return Err(HostnameError::Ssl(rule.to_owned()));
        }
        if name.as_str().len() > LONGEST_COMMON_NAME && self.branding != Some(true) {
            return Err(HostnameError::Branding);
        }
        Ok(())
    }

    /// Whether another one says the same about a key such as `ssl.method`.
    pub(super) fn has_same(&self, key: &str, other: &SslConfig) -> bool {
        match key {
            "ssl.method" => self.method == other.method,
            "ssl.type" => self.kind == other.kind,
            "ssl.certificate_authority" => self.certificate_authority == other.certificate_authority,
            "ssl.bundle_method" => self.bundle_method == other.bundle_method,
            "ssl.wildcard" => self.wildcard == other.wildcard,
            "ssl.cloudflare_branding" => self.branding == other.branding,
            "ssl.settings" => self.settings == other.settings,
            _ => true,
        }
    }

    /// What makes another certificate of it.
    fn asks_for(&self) -> (Option<ValidationMethod>, Option<CertificateAuthority>, bool, bool) {
        let (wildcard, branding) = (self.wildcard == Some(true), self.branding == Some(true));
        (self.method, self.certificate_authority, wildcard, branding)
    }
}

impl TlsSettings {
    /// Checks what can be checked of the settings together.
    ///
    /// # Errors
    /// [`HostnameError::CiphersOfTls13`], [`HostnameError::Ciphers`].
    pub fn check(&self) -> Result<(), HostnameError> {
        let Some(ciphers) = self.ciphers.as_ref().filter(|ciphers| !ciphers.is_empty()) else {
            return Ok(());
        };
        if self.min_tls_version == Some(TlsVersion::V1_3) {
            return Err(HostnameError::CiphersOfTls13);
        }
        if !ciphers.iter().any(|cipher| cipher.is_served()) {
            return Err(HostnameError::Ciphers { what: "none of these suites is served".to_owned() });
        }
        Ok(())
    }

    /// Those of the suites that are not served here.
    pub fn not_served(&self) -> impl Iterator<Item = Cipher> {
        self.ciphers.iter().flatten().copied().filter(|cipher| !cipher.is_served())
    }

    /// The oldest version that is spoken.
    #[must_use]
    pub fn oldest_version(&self) -> TlsVersion {
        match self.tls_1_2_only {
            Some(Switch::On) => TlsVersion::V1_2,
            _ => self.min_tls_version.unwrap_or(TlsVersion::V1_0),
        }
    }

    /// Whether TLS 1.3 is spoken.
    #[must_use]
    pub fn speaks_tls_1_3(&self) -> bool {
        self.tls_1_2_only != Some(Switch::On) && self.tls_1_3 != Some(Switch::Off)
    }

    /// Whether HTTP/2 is spoken.
    #[must_use]
    pub fn speaks_http2(&self) -> bool {
        self.http2 != Some(Switch::Off)
    }

    /// Whether early hints are sent.
    #[must_use]
    pub fn sends_early_hints(&self) -> bool {
        self.early_hints == Some(Switch::On)
    }
}
