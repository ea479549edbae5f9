//! Why certificates cannot be served, or were not taken. No text shows anything of a key.

use wasmyard_listener::tls::SettingsError;
use wasmyard_model::ids::CertificatePackId;

use super::pair::PairError;
use super::record::Damaged;
use super::rows::VaultError;
use crate::key_error::KeyError;
use crate::name::ServedName;

/// Why the certificates of a data directory cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The installation's key.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The file.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// TLS cannot be set up.
    #[error("TLS cannot be set up: {0}")]
    Tls(#[from] rustls::Error),
}

/// Why a certificate was not taken.
#[derive(Debug, thiserror::Error)]
pub enum PutError {
    /// The pairs.
    #[error(transparent)]
    Pair(#[from] PairError),
    /// The pairs are not for the name.
    #[error("the certificate is not for {name}; it is for {}", names(.others))]
    OtherName {
        /// The name.
        name: ServedName,
        /// What it is for.
        others: Vec<ServedName>,
    },
    /// None, or several of one kind.
    #[error("a name has one certificate for an elliptic curve, one for RSA, or both")]
    Kinds,
    /// The settings.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// The file.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// Nothing is kept of a pack.
    #[error("no certificates are kept of pack {0}")]
    NotKept(CertificatePackId),
    /// What was sealed does not open.
    #[error("what is kept of {of} cannot be used: {damaged}")]
    Damaged {
        /// Of what.
        of: String,
        /// How.
        damaged: Damaged,
    },
    /// It does not fit into a record.
    #[error("the certificate or its key is larger than any that are served")]
    TooLarge,
    /// The process ends.
    #[error("it was given up: {0}")]
    Stopped(#[from] tokio::task::JoinError),
}

impl PutError {
    /// Whether what was brought is at fault, and not this server.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        match self {
            Self::Pair(_) | Self::OtherName { .. } | Self::Kinds | Self::Settings(_) | Self::TooLarge => true,
            Self::Vault(error) => error.is_other_name(),
            Self::NotKept(_) | Self::Damaged { .. } | Self::Stopped(_) => false,
        }
    }
}

fn names(names: &[ServedName]) -> String {
    names.iter().map(ServedName::as_str).collect::<Vec<_>>().join(", ")
}
