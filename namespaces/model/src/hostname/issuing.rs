//! How far a certificate is that was asked for of an authority. Whatever is kept of it is here, so that a process that ends in the
//! middle of it goes on with the same order.

use serde::{Deserialize, Serialize};

use super::{CertificateAuthority, CertificateKey, Flaw, Ssl, SslConfig, ValidationMethod};
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
    /// Whether it takes the place of another one, as the authority wished: such an order counts for nothing there.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub replaces: bool,
    /// When it may be ordered, as its zone had a turn, and as the authority had one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub turns: Vec<Timestamp>,
    /// How the authority is shown it that could be shown it in two ways: by a file, or in a handshake.
    #[serde(default, skip_serializing_if = "Shown::is_by_file")]
    pub shown: Shown,
}

/// How an authority is shown a name that leads here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Shown {
    /// By a file, at port 80.
    #[default]
    File,
    /// In a handshake, at port 443 (RFC 8737).
    Handshake,
    /// By a file, and it did not see it there the last time: in a handshake, if it may be.
    NotByFile,
    /// In a handshake, and it did not see it there the last time: by a file.
    NotByHandshake,
}

impl Shown {
    fn is_by_file(&self) -> bool {
        *self == Shown::File
    }

    /// The way of the next order, when nothing came of this one.
    #[must_use]
    pub fn failed(self) -> Shown {
        match self {
            Shown::Handshake => Shown::NotByHandshake,
            Shown::File | Shown::NotByFile | Shown::NotByHandshake => Shown::NotByFile,
        }
    }
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
            replaces: false,
            turns: Vec::new(),
            shown: Shown::File,
        }
    }

    /// The same for another order, of this authority.
    #[must_use]
    pub fn anew(self, authority: CertificateAuthority) -> Issuing {
        Issuing { authority, order: None, told: false, turns: Vec::new(), ..self }
    }
}

impl SslConfig {
    /// Whether an authority is shown by texts whose the name is, and not by a file.
    #[must_use]
    pub fn is_shown_by_text(&self) -> bool {
        match self.method {
            Some(ValidationMethod::Txt) => true,
            Some(ValidationMethod::Http | ValidationMethod::Email) => false,
            None => self.wildcard == Some(true),
        }
    }
}

impl Ssl {
    /// Whether this asks an authority for a certificate that nobody asked for before.
    #[must_use]
    pub fn asks_anew(&self, before: Option<&Ssl>) -> bool {
        let asks = |ssl: &Ssl| (ssl.is_wanted(), ssl.config.clone());
        self.is_wanted() && before.map(asks) != Some(asks(self))
    }
}
