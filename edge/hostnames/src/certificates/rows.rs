//! Rows of the vault's tables, as they are read and written within a transaction.
//!
//! Owns the statements, and why they fail. Blocks.

use rusqlite::{OptionalExtension as _, Transaction, params};
use wasmyard_listener::tls::Settings;
use wasmyard_model::ids::CertificatePackId;
use wasmyard_sqlite::Fault;

use super::claimed::Kind;
use super::record::{CertificateDigest, Owner, Record};
use crate::name::ServedName;

/// The file's name in the data directory.
pub const VAULT_FILE: &str = "certificates.sqlite";

/// Why the vault cannot do its work.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// The file cannot be opened, or is another one.
    #[error("the certificates of the data directory: {0}")]
    File(#[from] Fault),
    /// The file cannot be read or written.
    #[error("the certificates ({VAULT_FILE} in the data directory) cannot be read or written: {0}")]
    Store(#[from] rusqlite::Error),
    /// It belongs to another installation, or its key was lost.
    #[error(
        "{VAULT_FILE} was sealed with another key than the one that is here: restore the installation.key that belongs to it"
    )]
    OtherKey,
    /// Two names have one hash.
    #[error(
        "{name} cannot be taken: another name has the same hash, which happens once in three hundred million names"
    )]
    SameHash {
        /// The new one.
        name: ServedName,
    },
    /// What a pack is to keep is not for a name that is served with it.
    #[error("{name} is served with these certificates, and the new ones are not for it")]
    OtherName {
        /// The name.
        name: ServedName,
    },
}

impl VaultError {
    /// Whether certificates were refused because they are not for a name.
    #[must_use]
    pub fn is_other_name(&self) -> bool {
        matches!(self, Self::OtherName { .. })
    }
}

/// A name as memory knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Known {
    pub(crate) hash: u64,
    pub(crate) id: u64,
    pub(crate) kind: Kind,
    /// The number of its settings in the file.
    pub(crate) settings: i64,
}

pub(super) fn put_authorities(
    transaction: &Transaction<'_>,
    authorities: &[(CertificateDigest, Vec<u8>)],
) -> Result<(), VaultError> {
    for (digest, certificate) in authorities {
        transaction
            .execute("INSERT OR IGNORE INTO authorities VALUES (?1, ?2)", params![digest, certificate])?;
    }
    Ok(())
}

/// The number of settings in the file.
pub(super) fn settings_number(transaction: &Transaction<'_>, settings: &Settings) -> Result<i64, VaultError> {
    let settings = settings.to_bytes();
    transaction.execute("INSERT OR IGNORE INTO settings (settings) VALUES (?1)", [&settings])?;
    let find = "SELECT number FROM settings WHERE settings = ?1";
    Ok(transaction.query_row(find, [&settings], |row| row.get(0))?)
}

pub(super) fn put_record(transaction: &Transaction<'_>, record: &[u8]) -> Result<i64, VaultError> {
    transaction.execute("INSERT INTO records (record) VALUES (?1)", [record])?;
    Ok(transaction.last_insert_rowid())
}

pub(super) fn put_name(transaction: &Transaction<'_>, known: Known) -> Result<Known, VaultError> {
    transaction.execute(
        "INSERT OR REPLACE INTO names VALUES (?1, ?2, ?3, ?4)",
        params![signed(known.hash), signed(known.id), known.kind as i64, known.settings],
    )?;
    Ok(known)
}

/// What a name is served with.
pub(super) struct Held {
    pub(super) id: i64,
    /// None of a record that cannot be read.
    pub(super) owner: Option<Owner>,
}

/// Takes from a name what it is served with: a record of its own goes, that of a pack stays.
pub(super) fn give_up(
    transaction: &Transaction<'_>,
    held: &Held,
    name: &ServedName,
) -> Result<(), VaultError> {
    match &held.owner {
        Some(Owner::Pack(pack)) => unlist(transaction, pack, name),
        Some(Owner::Name(_)) | None => {
            transaction.execute("DELETE FROM records WHERE id = ?1", [held.id])?;
            Ok(())
        }
    }
}

/// The row of a name; none if it has none. Refuses to take the row of another name for it.
pub(super) fn held(
    transaction: &Transaction<'_>,
    hash: u64,
    name: &ServedName,
) -> Result<Option<Held>, VaultError> {
    let find =
        "SELECT names.id, record FROM names LEFT JOIN records ON records.id = names.id WHERE hash = ?1";
    let found: Option<(i64, Option<Vec<u8>>)> =
        transaction.query_row(find, [signed(hash)], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
    let Some((id, record)) = found else { return Ok(None) };
    match record.map(|record| Record::parse(&record)) {
        Some(Ok(record)) if !record.is_for(name) => Err(VaultError::SameHash { name: name.clone() }),
        Some(Ok(record)) => Ok(Some(Held { id, owner: Some(record.owner) })),
        // One that cannot be read makes way.
        Some(Err(_)) | None => Ok(Some(Held { id, owner: None })),
    }
}

/// SQLite's numbers have a sign; the bits are the same.
pub(super) fn signed(hash: u64) -> i64 {
    i64::from_ne_bytes(hash.to_ne_bytes())
}

pub(super) fn unsigned(hash: i64) -> u64 {
    u64::from_ne_bytes(hash.to_ne_bytes())
}

/// A pack as it is kept.
pub(super) struct Pack {
    pub(super) id: i64,
    /// The names that are served with it.
    pub(super) names: Vec<ServedName>,
}

/// A pack; none if nothing is kept of it.
pub(super) fn find_pack(
    transaction: &Transaction<'_>,
    pack: &CertificatePackId,
) -> Result<Option<Pack>, VaultError> {
    let row: Option<(i64, String)> = transaction
        .query_row("SELECT id, names FROM packs WHERE pack = ?1", [pack.as_str()], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .optional()?;
    Ok(row.map(|(id, names)| {
        let names = names.lines().filter_map(|name| ServedName::parse(name).ok()).collect();
        Pack { id, names }
    }))
}

/// Takes a name from those that are served with a pack.
fn unlist(
    transaction: &Transaction<'_>,
    pack: &CertificatePackId,
    name: &ServedName,
) -> Result<(), VaultError> {
    let Some(Pack { id, mut names }) = find_pack(transaction, pack)? else { return Ok(()) };
    names.retain(|other| other != name);
    list_pack(transaction, pack, id, &names)
}

/// Notes which names are served with a pack.
pub(super) fn list_pack(
    transaction: &Transaction<'_>,
    pack: &CertificatePackId,
    id: i64,
    names: &[ServedName],
) -> Result<(), VaultError> {
    let names = names.iter().map(ServedName::as_str).collect::<Vec<_>>().join("\n");
    transaction
        .execute("INSERT OR REPLACE INTO packs VALUES (?1, ?2, ?3)", params![pack.as_str(), id, names])?;
    Ok(())
}
