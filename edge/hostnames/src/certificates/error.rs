//! Why certificates cannot be served, or were not taken. No text shows anything of a key.

use wasmyard_listener::tls::SettingsError;

use super::pair::PairError;
use super::vault::VaultError;
use crate::installation::KeyError;
use crate::name::ServedName;

/// Why the certificates of a data directory cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The installation's key.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The key is gone.
    #[error(
        "there are sealed certificates and no installation.key that opens them: restore it from a backup, or move certificates.sqlite away to begin without them"
    )]
    KeyLost,
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
    /// It does not fit into a record.
    #[error("the certificate or its key is larger than any that are served")]
    TooLarge,
    /// The process ends.
    #[error("it was given up: {0}")]
    Stopped(#[from] tokio::task::JoinError),
}

fn names(names: &[ServedName]) -> String {
    names.iter().map(ServedName::as_str).collect::<Vec<_>>().join(", ")
}
