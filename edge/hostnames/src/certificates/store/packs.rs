//! Certificates that are kept by the id of their pack, whether any name is served with them or not.
//!
//! A certificate comes before its name may be served, and stays while the name is another's. Which name is whose is known
//! elsewhere: this does what it is told, whole or not at all.

use wasmyard_listener::tls::Settings;
use wasmyard_model::ids::CertificatePackId;

use super::super::packs;
use super::super::rows::{Known, find_pack, put_authorities, put_record, settings_number};
use super::checked::one_of_a_kind;
use super::{CertificateStore, Entry, Inner, Owner, Pair, PutError, Record};
use crate::name::ServedName;

/// What a name is served with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServedWith {
    /// The pack; none where it has certificates of its own.
    pub pack: Option<CertificatePackId>,
    /// How. None where that cannot be read.
    pub settings: Option<Settings>,
}

impl CertificateStore {
    /// Keeps certificates of a pack, in place of what it had: the names that are served with it are served with the new
    /// ones from the next handshake on, and no name else. When this returns they are on the disk.
    ///
    /// # Errors
    /// [`PutError`]; then everything is as it was.
    pub async fn keep(&self, pack: &CertificatePackId, pairs: Vec<Pair>) -> Result<(), PutError> {
        let pack = pack.clone();
        self.changing(move |inner| {
            one_of_a_kind(&pairs)?;
            let (bytes, authorities) = inner.sealed_pairs(Owner::Pack(pack.clone()), &pairs)?;
            let record = Record::parse(&bytes).map_err(|_| PutError::TooLarge)?;
            let hash = |name: &ServedName| inner.claimed.hash(name.as_str());
            let moved = inner.vault.change(|transaction| {
                put_authorities(transaction, &authorities)?;
                let id = put_record(transaction, &bytes)?;
                packs::keep(transaction, &pack, id, &record, hash)
            })?;
            let groups = super::groups_of(&inner.vault, &inner.groups)?;
            for known in moved {
                if let Some(group) = groups.get(&known.settings) {
                    inner.claim(known, *group);
                }
            }
            Ok(())
        })
        .await
    }

    /// Serves a name with what is kept of a pack, in place of whatever it was served with: the next handshake is.
    ///
    /// # Errors
    /// [`PutError`]; then everything is as it was.
    pub async fn serve(
        &self,
        name: &ServedName,
        pack: &CertificatePackId,
        settings: &Settings,
    ) -> Result<(), PutError> {
        let (name, pack, settings) = (name.clone(), pack.clone(), settings.clone());
        self.changing(move |inner| {
            let group = inner.groups.number(&settings)?;
            let hash = inner.claimed.hash(name.as_str());
            let known = inner.vault.change(|transaction| {
                let settings = settings_number(transaction, &settings)?;
                packs::serve(transaction, &pack, &name, hash, settings)
            })?;
            inner.claim(known.ok_or(PutError::NotKept(pack))?, group);
            Ok(())
        })
        .await
    }

    /// Has a name served by other settings. Whether it is served.
    ///
    /// # Errors
    /// [`PutError`]; then everything is as it was.
    pub async fn set_settings(&self, name: &ServedName, settings: &Settings) -> Result<bool, PutError> {
        let (name, settings) = (name.clone(), settings.clone());
        self.changing(move |inner| {
            let group = inner.groups.number(&settings)?;
            let hash = inner.claimed.hash(name.as_str());
            let known = inner.vault.change(|transaction| {
                if packs::served_with(transaction, &name, hash)?.is_none() {
                    return Ok(None);
                }
                let Some(known) = packs::known(transaction, hash)? else { return Ok(None) };
                let settings = settings_number(transaction, &settings)?;
                super::super::rows::put_name(transaction, Known { settings, ..known }).map(Some)
            })?;
            let was_there = known.is_some();
            if let Some(known) = known {
                inner.claim(known, group);
            }
            Ok(was_there)
        })
        .await
    }

    /// Forgets a pack with its keys; names that are served with it are served no more. Whether it was kept.
    ///
    /// # Errors
    /// [`PutError`]; then everything is as it was.
    pub async fn forget(&self, pack: &CertificatePackId) -> Result<bool, PutError> {
        let pack = pack.clone();
        self.changing(move |inner| {
            let hash = |name: &ServedName| inner.claimed.hash(name.as_str());
            let released = inner.vault.change(|transaction| packs::forget(transaction, &pack, hash))?;
            let was_kept = released.is_some();
            released.into_iter().flatten().for_each(|hash| inner.claimed.release(hash));
            Ok(was_kept)
        })
        .await
    }

    /// What a name is served with; none if it is not served.
    ///
    /// # Errors
    /// [`PutError`].
    pub async fn served_with(&self, name: &ServedName) -> Result<Option<ServedWith>, PutError> {
        let name = name.clone();
        self.changing(move |inner| {
            let hash = inner.claimed.hash(name.as_str());
            let found = inner.vault.change(|transaction| packs::served_with(transaction, &name, hash))?;
            let Some((pack, number)) = found else { return Ok(None) };
            let settings = inner.vault.settings()?.remove(&number).flatten();
            Ok(Some(ServedWith { pack, settings }))
        })
        .await
    }

    /// The names that are served with a pack.
    ///
    /// # Errors
    /// [`PutError`].
    pub async fn names_of(&self, pack: &CertificatePackId) -> Result<Vec<ServedName>, PutError> {
        let pack = pack.clone();
        self.changing(move |inner| {
            let found = inner.vault.change(|transaction| find_pack(transaction, &pack))?;
            Ok(found.map(|pack| pack.names).unwrap_or_default())
        })
        .await
    }

    /// What is kept of a pack, keys among it, for whoever makes another pack of a part of it; none if nothing is.
    ///
    /// # Errors
    /// [`PutError`]; [`PutError::Damaged`] where it cannot be used.
    pub async fn kept(&self, pack: &CertificatePackId) -> Result<Option<Vec<Pair>>, PutError> {
        let pack = pack.clone();
        self.changing(move |inner| {
            let record = inner.vault.change(|transaction| match find_pack(transaction, &pack)? {
                Some(pack) => packs::record(transaction, pack.id),
                None => Ok(None),
            })?;
            let Some(record) = record else { return Ok(None) };
            let mut pairs = Vec::new();
            for leaf in &record.leaves {
                let damaged = |damaged| PutError::Damaged { of: record.owner.to_string(), damaged };
                let private = leaf.open(&inner.key, &record.owner).map_err(damaged)?;
                let chain = inner.chain(leaf)?.ok_or(damaged(super::Damaged::Form))?;
                pairs.push(Pair::new(chain, private)?);
            }
            Ok(Some(pairs))
        })
        .await
    }
}

impl Inner {
    /// Remembers that a name is served.
    fn claim(&self, known: Known, group: u16) {
        if let Some(entry) = Entry::new(known.id, group, known.kind) {
            self.claimed.claim(known.hash, entry);
        }
    }
}
