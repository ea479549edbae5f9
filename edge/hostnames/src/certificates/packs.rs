//! The packs of the vault: which certificates are kept under which id, and which names are served with them.
//!
//! Owns the statements on packs. Each runs in a transaction of its caller's.

use rusqlite::{OptionalExtension as _, Transaction, params};
use wasmyard_model::ids::CertificatePackId;

use super::claimed::Kind;
use super::record::{Owner, Record};
use super::rows::{
    Held, Known, Pack, VaultError, find_pack as find, give_up, held, list_pack as list, put_name, signed,
    unsigned,
};
use crate::name::ServedName;

/// The record of a row; none if it is gone or damaged.
pub(super) fn record(transaction: &Transaction<'_>, id: i64) -> Result<Option<Record>, VaultError> {
    let find = "SELECT record FROM records WHERE id = ?1";
    let bytes: Option<Vec<u8>> = transaction.query_row(find, [id], |row| row.get(0)).optional()?;
    Ok(bytes.and_then(|bytes| Record::parse(&bytes).ok()))
}

/// Keeps a record that was put in as a pack's, in place of what it had: the names that are served with it are served with
/// the new one from now on. Returns those.
pub(super) fn keep(
    transaction: &Transaction<'_>,
    pack: &CertificatePackId,
    new: i64,
    record: &Record,
    hash: impl Fn(&ServedName) -> u64,
) -> Result<Vec<Known>, VaultError> {
    let mut moved = Vec::new();
    let mut names = Vec::new();
    if let Some(before) = find(transaction, pack)? {
        for name in before.names {
            let hash = hash(&name);
            let Some(known) = known(transaction, hash)?.filter(|known| signed(known.id) == before.id) else {
                continue;
            };
            if !record.is_for(&name) {
                return Err(VaultError::OtherName { name });
            }
            moved.push(put_name(transaction, Known { id: unsigned(new), ..known })?);
            names.push(name);
        }
        transaction.execute("DELETE FROM records WHERE id = ?1", [before.id])?;
    }
    list(transaction, pack, new, &names)?;
    Ok(moved)
}

/// Serves a name with a pack, in place of whatever it was served with.
pub(super) fn serve(
    transaction: &Transaction<'_>,
    pack: &CertificatePackId,
    name: &ServedName,
    hash: u64,
    settings: i64,
) -> Result<Option<Known>, VaultError> {
    let Some(Pack { id, .. }) = find(transaction, pack)? else { return Ok(None) };
    let Some(record) = record(transaction, id)? else { return Ok(None) };
    if !record.is_for(name) {
        return Err(VaultError::OtherName { name: name.clone() });
    }
    match held(transaction, hash, name)? {
        Some(before) if before.id == id => {}
        Some(before) => give_up(transaction, &before, name)?,
        None => {}
    }
    // Read after that: the name may have been this pack's own before.
    let mut names = find(transaction, pack)?.map(|pack| pack.names).unwrap_or_default();
    if !names.contains(name) {
        names.push(name.clone());
        list(transaction, pack, id, &names)?;
    }
    put_name(transaction, Known { hash, id: unsigned(id), kind: Kind::Host, settings }).map(Some)
}

/// Forgets a pack, and serves nobody with it any more. Returns the hashes of those that were; none if it was not kept.
pub(super) fn forget(
    transaction: &Transaction<'_>,
    pack: &CertificatePackId,
    hash: impl Fn(&ServedName) -> u64,
) -> Result<Option<Vec<u64>>, VaultError> {
    let Some(Pack { id, names }) = find(transaction, pack)? else { return Ok(None) };
    let mut released = Vec::new();
    for name in names {
        let hash = hash(&name);
        let gone = transaction
            .execute("DELETE FROM names WHERE hash = ?1 AND id = ?2", params![signed(hash), id])?;
        released.extend((gone > 0).then_some(hash));
    }
    transaction.execute("DELETE FROM records WHERE id = ?1", [id])?;
    transaction.execute("DELETE FROM packs WHERE pack = ?1", [pack.as_str()])?;
    Ok(Some(released))
}

/// What a name is served with, and by which settings.
pub(super) fn served_with(
    transaction: &Transaction<'_>,
    name: &ServedName,
    hash: u64,
) -> Result<Option<(Option<CertificatePackId>, i64)>, VaultError> {
    let Some(Held { owner, .. }) = held(transaction, hash, name)? else { return Ok(None) };
    let Some(known) = known(transaction, hash)? else { return Ok(None) };
    let pack = match owner {
        Some(Owner::Pack(pack)) => Some(pack),
        Some(Owner::Name(_)) | None => None,
    };
    Ok(Some((pack, known.settings)))
}

/// The row of a hash.
pub(super) fn known(transaction: &Transaction<'_>, hash: u64) -> Result<Option<Known>, VaultError> {
    let find = "SELECT id, kind, settings FROM names WHERE hash = ?1";
    let row = transaction.query_row(find, [signed(hash)], |row| {
        let kind = if row.get::<_, i64>(1)? == Kind::Zone as i64 { Kind::Zone } else { Kind::Host };
        Ok(Known { hash, id: unsigned(row.get(0)?), kind, settings: row.get(2)? })
    });
    Ok(row.optional()?)
}
