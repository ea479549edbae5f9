//! Certificates and keys that customers bring: read, judged, and given the chain that they are served with.
//!
//! The way of one: `pem` reads the text, `chain` finds the way to an authority that is believed. Owns the order in which the rules are judged, so that the first that is broken is always the same.
//! Blocks for as long as a few signatures take to verify; text of strangers is bounded before anything is read of it.

use std::time::SystemTime;

use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use wasmyard_model::hostname::{BundleMethod, CertificateError};
use wasmyard_model::secret::Secret;
use zeroize::Zeroizing;

use crate::certificates::{Pair, PairError};
use crate::name::ServedName;

mod chain;
mod pem;

pub use chain::Trust;

/// The most bytes of a sealed key's plain text: RSA with 8,192 bits has less.
const LARGEST_KEY: usize = 8_000;
/// As many names as are shown of a certificate that is for others.
const SHOWN_NAMES: usize = 8;

/// A key that somebody brings, or that was made here.
pub enum UploadedKey {
    /// In PEM form.
    Pem(Secret),
    /// One of ours, made for a request: as PKCS#8.
    Ours(Zeroizing<Vec<u8>>),
}

/// A certificate with its key, as somebody brings them.
pub struct Upload {
    /// The certificate, alone or with its authorities', in PEM form and any order.
    pub certificate: String,
    /// Its key.
    pub key: UploadedKey,
}

/// What they are to be good for.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    /// The name.
    pub name: &'a ServedName,
    /// How the chain is built.
    pub bundling: BundleMethod,
    /// What time it is.
    pub now: SystemTime,
}

/// Ways of signing that are taken: SHA-256 with ECDSA and with RSA, and SHA-1 with RSA.
const SIGNATURES: [&str; 3] = ["1.2.840.10045.4.3.2", "1.2.840.113549.1.1.11", "1.2.840.113549.1.1.5"];

impl Upload {
    /// Judges it. What comes of it is the chain that is served, with its key.
    ///
    /// # Errors
    /// [`CertificateError`] with the first rule that is broken.
    pub fn judge(&self, wanted: Wanted<'_>, trust: &Trust) -> Result<Pair, CertificateError> {
        let brought = pem::certificates(&self.certificate)?;
        let key: PrivateKeyDer<'static> = match &self.key {
            UploadedKey::Pem(text) => pem::key(text.expose())?,
            UploadedKey::Ours(der) => PrivatePkcs8KeyDer::from(der.to_vec()).into(),
        };
        if key.secret_der().len() > LARGEST_KEY {
            return Err(CertificateError::Key("it is larger than any key that is served".to_owned()));
        }
        let signature = pem::signature(&brought.leaf)?;
        let alone = Pair::new(vec![brought.leaf.clone()], key.clone_key()).map_err(of_pair)?;
        if !alone.is_for(wanted.name) {
            return Err(CertificateError::OtherName {
                name: wanted.name.as_str().to_owned(),
                others: shown(alone.names()),
            });
        }
        if !SIGNATURES.contains(&signature.as_str()) {
            return Err(CertificateError::Signature(signature));
        }
        if alone.not_after() <= wanted.now {
            return Err(CertificateError::Bundle("it has expired".to_owned()));
        }
        let chain = match wanted.bundling {
            BundleMethod::Force => brought.as_given(),
            BundleMethod::Ubiquitous | BundleMethod::Optimal => {
                trust.chain(&brought, wanted.bundling, wanted.now)?
            }
        };
        Pair::new(chain, key).map_err(of_pair)
    }
}

fn of_pair(error: PairError) -> CertificateError {
    match error {
        PairError::Mismatch => CertificateError::Mismatch,
        PairError::NoKey | PairError::Kind => CertificateError::Key(error.to_string()),
        PairError::TooLarge(_)
        | PairError::NoChain
        | PairError::LongChain
        | PairError::Leaf
        | PairError::NoName => CertificateError::Unparsable(error.to_string()),
    }
}

fn shown(names: &[ServedName]) -> String {
    let first: Vec<&str> = names.iter().take(SHOWN_NAMES).map(ServedName::as_str).collect();
    match names.len().saturating_sub(first.len()) {
        0 => first.join(", "),
        more => format!("{} and {more} more", first.join(", ")),
    }
}

impl std::fmt::Debug for Upload {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Upload")
    }
}

#[cfg(test)]
mod tests;
