//! How far a certificate is that was asked for of an authority. Whatever is kept of it is here, so that a process that ends in the
//! middle of it goes on with the same order.

use serde::{Deserialize, Serialize};

use super::{CertificateAuthority, CertificateKey, Flaw};
use crate::timestamp::Timestamp;

/// A certificate that is being issued.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Issuing {
    /// When it was asked for, or asked for again.
    pub began: Timestamp,
    /// How often it was looked since, and nothing had come of it.
    #[serde(default)]
    pub tries: u32,
    /// Which of the pack's certificates it is.
    pub key: CertificateKey,
    /// Whom it is asked of.
    pub authority: CertificateAuthority,
    /// Where the authority has the order; none before it was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order: Option<String>,
    /// Whether the authority was told to look.
    #[serde(default)]
    pub told: bool,
    /// Why nothing came of the last look, where that is the customer's to mend.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub flaws: Vec<Flaw>,
    /// When it is gone on with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_at: Option<Timestamp>,
}

impl Issuing {
    /// One that begins.
    #[must_use]
    pub fn begins(now: Timestamp, key: CertificateKey, authority: CertificateAuthority) -> Issuing {
        Issuing {
            began: now,
            tries: 0,
            key,
            authority,
            order: None,
            told: false,
            flaws: Vec::new(),
            next_at: None,
        }
    }
}
