//! Certificates of authorities that came with others: what makes a chain whole that somebody brings without them.

use rustls::pki_types::CertificateDer;

use super::{CertificateStore, PutError};

/// The most that are looked at. There are a few dozen in use anywhere.
const MOST: u32 = 512;

impl CertificateStore {
    /// Certificates of authorities that are kept, the last ones that came first.
    ///
    /// # Errors
    /// [`PutError::Vault`].
    pub async fn known_authorities(&self) -> Result<Vec<CertificateDer<'static>>, PutError> {
        self.changing(|inner| {
            let found: Vec<Vec<u8>> = inner.vault.read(|connection| {
                let find = "SELECT certificate FROM authorities ORDER BY rowid DESC LIMIT ?1";
                let mut statement = connection.prepare_cached(find)?;
                statement.query_map([MOST], |row| row.get(0))?.collect()
            })?;
            Ok(found.into_iter().map(CertificateDer::from).collect())
        })
        .await
    }
}
