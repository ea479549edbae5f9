//! A custom hostname: a customer's own domain in a zone of the platform builder.
//!
//! Owns the record of one and what becomes of it when somebody asks for a change: what the caller set stays as it was
//! set, and nothing that was not set is made up. Whether the name really is the customer's, and how it comes to a
//! certificate, is found out elsewhere and written here as statuses. Never looks anything up.

use serde::{Deserialize, Serialize};

use crate::config_keys::ConfigKeys;
use crate::domain::Domain;
use crate::ids::{CertificatePackId, CustomHostnameId, ZoneId};
use crate::timestamp::Timestamp;

pub use certificate::{CertificateKey, HostnameCertificate};
pub use certificate_error::CertificateError;
pub use custom::{CustomCertificate, Uploaded};
pub use error::{HostnameError, TlsSetting};
pub use flaw::{Flaw, FlawCode, FlawPlace};
pub use issuing::{Issuing, Shown};
pub use metadata::HostnameMetadata;
pub use name::CustomName;
pub use origin::{CustomOrigin, OriginEdit, OriginSni};
pub use proof::{ValidationProof, ValidationRecord};
pub use ssl::{
    BundleMethod, CertificateAuthority, CertificateType, Ssl, SslConfig, SslEdit, TlsSettings,
    ValidationMethod,
};
pub use status::{HostnameStatus, SslStatus};

mod certificate;
mod certificate_error;
mod custom;
mod error;
mod flaw;
mod issuing;
mod metadata;
mod name;
mod origin;
mod proof;
mod ssl;
mod status;

/// A custom hostname.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CustomHostname {
    /// Its id, which stays the same for its life. Ids that are made later sort later.
    pub id: CustomHostnameId,
    /// The zone that it belongs to.
    pub zone: ZoneId,
    /// The name.
    pub name: CustomName,
    /// When it was made.
    pub created_at: Timestamp,
    /// When the record last changed.
    pub modified_at: Timestamp,
    /// Whether it is the customer's, as far as is known.
    pub status: HostnameStatus,
    /// When it last became active; none when it never was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub activated_at: Option<Timestamp>,
    /// What is missing, in the words of the v4 API.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub verification_errors: Vec<String>,
    /// What the customer publishes to show that the name is theirs: a UUID.
    pub ownership_token: String,
    /// How far the checks have come whether the name is the customer's.
    pub checks: Checks,
    /// When its DNS was first seen to lead here; none when it never was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub led_here_at: Option<Timestamp>,
    /// What the last check saw and missed, a sentence each, for people.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub check_notes: Vec<String>,
    /// The mistakes among that.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub check_flaws: Vec<Flaw>,
    /// When it is checked again; none where nothing would come of it, or where that is to be done at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub check_next_at: Option<Timestamp>,
    /// What the builder keeps of it for their scripts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<HostnameMetadata>,
    /// Where its requests go, if not to the zone's fallback origin.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<CustomOrigin>,
    /// The certificate that was asked for; none: none was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ssl: Option<Ssl>,
    /// What of it the configuration names; none: the API made it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config: Option<ConfigKeys>,
}

/// A row of checks that is under way, or over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checks {
    /// When the row began: with the hostname, or when its validation was last asked for again.
    pub began: Timestamp,
    /// How many checks of it there were.
    pub tries: u32,
}

impl Checks {
    /// A row that begins.
    #[must_use]
    pub fn from(began: Timestamp) -> Checks {
        Checks { began, tries: 0 }
    }
}

/// What a new custom hostname needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewCustomHostname {
    /// The name.
    pub name: CustomName,
    /// What else was set.
    pub edit: CustomHostnameEdit,
}

/// What is to change about a custom hostname; what is none stays as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CustomHostnameEdit {
    /// The name. It cannot change: any other than the present one is refused.
    pub name: Option<CustomName>,
    /// New metadata in place of all before, or (`Some(None)`) none any more.
    pub metadata: Option<Option<HostnameMetadata>>,
    /// Where its requests go.
    pub origin: OriginEdit,
    /// What kind of certificate it gets.
    pub ssl: Option<SslEdit>,
}

/// What whoever makes a custom hostname makes up for it.
#[derive(Clone, Debug)]
pub struct MadeUp {
    /// Its id.
    pub id: CustomHostnameId,
    /// The token that shows whose it is.
    pub ownership_token: String,
    /// The id of its certificates, if it is to have some.
    pub pack: CertificatePackId,
}

impl CustomHostnameEdit {
    /// Whether a new hostname of this name could be made so, as far as that can be told without a zone.
    ///
    /// # Errors
    /// [`HostnameError`] with the first rule that is broken.
    pub fn check(&self, name: &CustomName) -> Result<(), HostnameError> {
        if matches!(self.metadata, Some(Some(_))) && name.is_wildcard() {
            return Err(HostnameError::MetadataOfWildcard);
        }
        self.origin.apply(None)?;
        self.ssl.as_ref().map_or(Ok(()), |ssl| ssl.check_new(name))
    }
}

impl CustomHostname {
    /// A new one.
    ///
    /// # Errors
    /// [`HostnameError`] with the first rule that is broken.
    pub fn new(
        zone: ZoneId,
        new: &NewCustomHostname,
        made_up: MadeUp,
        now: Timestamp,
    ) -> Result<CustomHostname, HostnameError> {
        let hostname = CustomHostname {
            id: made_up.id,
            zone,
            name: new.name.clone(),
            created_at: now,
            modified_at: now,
            status: HostnameStatus::Pending,
            activated_at: None,
            verification_errors: Vec::new(),
            ownership_token: made_up.ownership_token,
            checks: Checks::from(now),
            led_here_at: None,
            check_notes: Vec::new(),
            check_flaws: Vec::new(),
            check_next_at: None,
            metadata: None,
            origin: None,
            ssl: None,
            config: None,
        };
        hostname.edited(&new.edit, made_up.pack, now)
    }

    /// The hostname with a change made to it. A pair of `method` and `type` starts all checks again, from any
    /// status; one that is served stays served meanwhile.
    ///
    /// # Errors
    /// [`HostnameError`] with the first rule that is broken.
    pub fn edited(
        &self,
        edit: &CustomHostnameEdit,
        pack: CertificatePackId,
        now: Timestamp,
    ) -> Result<CustomHostname, HostnameError> {
        if edit.name.as_ref().is_some_and(|name| *name != self.name) {
            return Err(HostnameError::Rename);
        }
        let mut hostname = self.clone();
        if let Some(metadata) = &edit.metadata {
            if metadata.is_some() && self.name.is_wildcard() {
                return Err(HostnameError::MetadataOfWildcard);
            }
            hostname.metadata.clone_from(metadata);
        }
        hostname.origin = edit.origin.apply(self.origin.as_ref())?;
        if let Some(ssl) = &edit.ssl {
            let is_served = self.status.is_served();
            hostname.ssl = Some(ssl.apply(self.ssl.as_ref(), &self.name, pack, is_served)?);
            if ssl.is_refresh() {
                hostname.start_again(now);
            }
        }
        hostname.modified_at = now;
        Ok(hostname)
    }

    fn start_again(&mut self, now: Timestamp) {
        if !self.status.is_served() {
            self.status = HostnameStatus::Pending;
        }
        self.verification_errors.clear();
        (self.checks, self.check_next_at) = (Checks::from(now), None);
        if let Some(issuing) = self.ssl.as_mut().and_then(|ssl| ssl.issuing.as_mut()) {
            // The same order, which nobody gave up yet.
            (issuing.began, issuing.tries) = (now, 0);
        }
    }

    /// The keys of `keys` whose values differ in another state of the hostname, under the names that the API has for them.
    #[must_use]
    pub fn changed(&self, keys: &ConfigKeys, other: &CustomHostname) -> Vec<String> {
        keys.iter().filter(|key| !self.has_same(key, other)).map(str::to_owned).collect()
    }

    fn has_same(&self, key: &str, other: &CustomHostname) -> bool {
        let server = |hostname: &CustomHostname| hostname.origin.as_ref().map(|origin| origin.server.clone());
        let sni = |hostname: &CustomHostname| hostname.origin.as_ref().and_then(|origin| origin.sni.clone());
        match key {
            "custom_metadata" => self.metadata == other.metadata,
            "custom_origin_server" => server(self) == server(other),
            "custom_origin_sni" => sni(self) == sni(other),
            _ => {
                let config = |hostname: &CustomHostname| {
                    hostname.ssl.as_ref().map(|ssl| ssl.config.clone()).unwrap_or_default()
                };
                config(self).has_same(key, &config(other))
            }
        }
    }

    /// The names whose requests it takes when it is active: its own, and where its certificate is to be for all
    /// names below as well, `*.` in front of it.
    pub fn served_names(&self) -> impl Iterator<Item = CustomName> {
        let below = self.ssl.as_ref().is_some_and(|ssl| ssl.config.wildcard == Some(true));
        let below = below.then(|| self.name.below()).flatten();
        std::iter::once(self.name.clone()).chain(below)
    }

    /// Where a TXT record with the token shows whose the name is.
    #[must_use]
    pub fn ownership_txt_name(&self) -> String {
        format!("_cf-custom-hostname.{}", self.name.base())
    }

    /// Where the token shows it over HTTP.
    #[must_use]
    pub fn ownership_http_url(&self) -> String {
        format!("http://{}{}{}", self.name.base(), OWNERSHIP_PATH, self.id)
    }

    /// Where its requests go: its own origin, or the zone's.
    #[must_use]
    pub fn origin_or<'h>(&'h self, fallback: Option<&'h Domain>) -> Option<&'h Domain> {
        self.origin.as_ref().map(|origin| &origin.server).or(fallback)
    }
}

/// What the path of the HTTP token begins with; the hostname's id follows.
pub const OWNERSHIP_PATH: &str = "/.well-known/cf-custom-hostname-challenge/";

#[cfg(test)]
mod tests;
