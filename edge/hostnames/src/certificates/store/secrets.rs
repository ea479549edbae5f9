//! Keys of whoever makes certificates: of accounts with authorities, of requests that wait for their certificate. Sealed like
//! the keys of certificates, and found by a label.

use rusqlite::{OptionalExtension as _, params};
use zeroize::Zeroizing;

use super::super::record::Damaged;
use super::{CertificateStore, PutError};

/// The most bytes of a secret.
const LARGEST: usize = 64 << 10;

impl CertificateStore {
    /// Keeps a secret under a label, in place of what it had. It is on the disk when this returns.
    ///
    /// # Errors
    /// [`PutError`].
    pub async fn keep_secret(&self, label: &str, secret: Zeroizing<Vec<u8>>) -> Result<(), PutError> {
        let label = label.to_owned();
        self.changing(move |inner| {
            let fits = secret.len() <= LARGEST;
            let sealed = if fits { inner.key.seal(&belongs_to(&label), &secret) } else { None };
            let sealed = sealed.ok_or(PutError::TooLarge)?;
            inner.vault.change(|transaction| {
                let put = "INSERT OR REPLACE INTO secrets VALUES (?1, ?2)";
                transaction.execute(put, params![label, sealed])?;
                Ok(())
            })?;
            Ok(())
        })
        .await
    }

    /// The secret under a label; none if there is none.
    ///
    /// # Errors
    /// [`PutError`]; [`PutError::Damaged`] where it does not open.
    pub async fn secret(&self, label: &str) -> Result<Option<Zeroizing<Vec<u8>>>, PutError> {
        let label = label.to_owned();
        self.changing(move |inner| {
            let sealed: Option<Vec<u8>> = inner.vault.read(|connection| {
                let find = "SELECT sealed FROM secrets WHERE label = ?1";
                connection.query_row(find, [&label], |row| row.get(0)).optional()
            })?;
            let Some(sealed) = sealed else { return Ok(None) };
            let opened = inner.key.open(&belongs_to(&label), &sealed);
            opened.map(Some).ok_or(PutError::Damaged { of: label, damaged: Damaged::Seal })
        })
        .await
    }

    /// Forgets a secret.
    ///
    /// # Errors
    /// [`PutError`].
    pub async fn forget_secret(&self, label: &str) -> Result<(), PutError> {
        let label = label.to_owned();
        self.changing(move |inner| {
            inner.vault.change(|transaction| {
                transaction.execute("DELETE FROM secrets WHERE label = ?1", [&label])?;
                Ok(())
            })?;
            Ok(())
        })
        .await
    }
}

fn belongs_to(label: &str) -> Vec<u8> {
    [b"secret\0", label.as_bytes()].concat()
}
