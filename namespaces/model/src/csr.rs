//! Requests for certificates that the platform makes: the customer takes one to an authority, and the key stays here.
//!
//! Owns the record of one and what it may say. Never holds a key, and never makes one.

use serde::{Deserialize, Serialize};

use crate::closed::closed;
use crate::domain::DomainError;
use crate::hostname::CustomName;
use crate::ids::{CustomCsrId, ZoneId};
use crate::limits::hostnames as limits;
use crate::name::shorten;
use crate::timestamp::Timestamp;

closed! {
    /// What kind of key is made.
    CsrKeyType {
        /// RSA with 2,048 bits.
        Rsa2048 = "rsa2048",
        /// P-256.
        P256 = "p256v1",
    }
}

/// Whose requests are meant: those of a zone, or those of the account, which all its zones may use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CsrOwner {
    /// A zone.
    Zone(ZoneId),
    /// The account: there is one.
    Account,
}

/// What a request says of its owner.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CsrSubject {
    /// The name that stands first.
    pub common_name: String,
    /// All names that the certificate is to be for.
    pub sans: Vec<String>,
    /// The country, in two letters.
    pub country: String,
    /// The state or province.
    pub state: String,
    /// The city.
    pub locality: String,
    /// The organization.
    pub organization: String,
    /// A part of it; empty: none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub organizational_unit: String,
}

/// A request for a certificate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CustomCsr {
    /// Its id. Ids that are made later sort later.
    pub id: CustomCsrId,
    /// Whose it is.
    pub owner: CsrOwner,
    /// When it was made.
    pub created_at: Timestamp,
    /// What kind of key was made.
    pub key_type: CsrKeyType,
    /// What it says.
    pub subject: CsrSubject,
    /// What its maker calls it; empty: nothing.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// What its maker says of it; empty: nothing.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// The request itself, in PEM form.
    pub request: String,
}

/// What somebody asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewCsr {
    /// What it is to say.
    pub subject: CsrSubject,
    /// What kind of key is made.
    pub key_type: CsrKeyType,
    /// What it is called.
    pub name: String,
    /// What is said of it.
    pub description: String,
}

/// A field that has to be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CsrField {
    /// `country`.
    Country,
    /// `state`.
    State,
    /// `locality`.
    Locality,
    /// `organization`.
    Organization,
    /// `common_name`.
    CommonName,
}

impl CsrField {
    /// Its name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            CsrField::Country => "country",
            CsrField::State => "state",
            CsrField::Locality => "locality",
            CsrField::Organization => "organization",
            CsrField::CommonName => "common_name",
        }
    }
}

/// Why a request cannot be made, shown, or deleted. Safe to show.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CsrError {
    /// A field that is missing, or is none.
    #[error("{}: {rule}", .field.as_str())]
    Field {
        /// Which.
        field: CsrField,
        /// What holds for it.
        rule: String,
    },
    /// The common name is too long.
    #[error("common_name: it has {0} characters")]
    CommonNameLong(usize),
    /// No names.
    #[error("sans: there is none")]
    NoSans,
    /// More names than a certificate has.
    #[error("sans: there are {0}, and {most} may be", most = limits::CSR_SANS)]
    ManySans(usize),
    /// A name that is none.
    #[error("sans: {0}")]
    San(DomainError),
    /// Something else of it.
    #[error("{0}")]
    Other(String),
    /// A kind of key that is not made.
    #[error("key_type: \"{0}\" is not made; rsa2048 and p256v1 are")]
    KeyType(String),
    /// An id that is none.
    #[error("{0}")]
    Id(String),
    /// Keys are not kept.
    #[error(
        "this server serves no visitors over TLS, so that it keeps no keys: set `listen_tls` under [server]"
    )]
    NoKeys,
    /// It is not there.
    #[error("there is no request {0}; list them for those there are")]
    NotFound(String),
    /// As many as there may be.
    #[error("there are {} requests, the most that there may be; delete some", limits::CUSTOM_CSRS)]
    TooMany,
    /// A certificate that was made for it is served.
    #[error("it is in use by the certificate of {0}; give that hostname another one first")]
    InUse(String),
}

/// Longest common name, in characters (RFC 5280 appendix A.1).
pub const LONGEST_COMMON_NAME: usize = 64;
/// Longest state and city.
const LONGEST_PLACE: usize = 128;
/// Longest organization and part of one.
const LONGEST_ORGANIZATION: usize = 64;
/// Longest name and description.
const LONGEST_NOTE: usize = 1_024;

impl NewCsr {
    /// Checks all of it, in the order of the fields' codes; names of customers that are kept for tests are taken where
    /// `allow_reserved`.
    ///
    /// # Errors
    /// [`CsrError`] with the first rule that is broken.
    pub fn check(mut self, allow_reserved: bool) -> Result<NewCsr, CsrError> {
        let subject = &mut self.subject;
        let country = subject.country.to_ascii_uppercase();
        if !(country.len() == 2 && country.bytes().all(|byte| byte.is_ascii_uppercase())) {
            let rule = "it must be the two letters of a country, such as US".to_owned();
            return Err(CsrError::Field { field: CsrField::Country, rule });
        }
        subject.country = country;
        for (field, text, most) in [
            (CsrField::State, &subject.state, LONGEST_PLACE),
            (CsrField::Locality, &subject.locality, LONGEST_PLACE),
            (CsrField::Organization, &subject.organization, LONGEST_ORGANIZATION),
            (CsrField::CommonName, &subject.common_name, usize::MAX),
        ] {
            if text.trim().is_empty() || text.chars().count() > most || text.chars().any(char::is_control) {
                let rule = match most {
                    usize::MAX => "it must be a text".to_owned(),
                    most => format!("it must be a text of up to {most} characters"),
                };
                return Err(CsrError::Field { field, rule });
            }
        }
        let length = subject.common_name.chars().count();
        if length > LONGEST_COMMON_NAME {
            return Err(CsrError::CommonNameLong(length));
        }
        if subject.sans.is_empty() {
            return Err(CsrError::NoSans);
        }
        if subject.sans.len() as u64 > limits::CSR_SANS {
            return Err(CsrError::ManySans(subject.sans.len()));
        }
        for san in &mut subject.sans {
            let name = CustomName::for_customer(san, allow_reserved).map_err(CsrError::San)?;
            *san = name.as_str().to_owned();
        }
        for (field, text, most) in [
            ("organizational_unit", &subject.organizational_unit, LONGEST_ORGANIZATION),
            ("name", &self.name, LONGEST_NOTE),
            ("description", &self.description, LONGEST_NOTE),
        ] {
            if text.chars().count() > most || text.chars().any(char::is_control) {
                let shown = shorten(text);
                return Err(CsrError::Other(format!(
                    "{field}: \"{shown}\" is no text of up to {most} characters"
                )));
            }
        }
        Ok(self)
    }
}
