//! All certificates of a node: those of the vault, and those that an operator names in files.
//!
//! Owns the way from a name to its keys: a question to memory, then a bounded cache, then one read for however many
//! handshakes wait for it, on a thread that may block, of which there are only so many at a time.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use futures::future::{BoxFuture, FutureExt as _};
use moka::future::Cache;
use rustls::pki_types::CertificateDer;
use tokio::sync::Semaphore;
use wasmyard_listener::tls::{self, Found, Groups, Keys, NoCertificate};

use super::claimed::{Claimed, Entry, LARGEST_ID, leads_to, steps};
use super::error::{OpenError, PutError};
use super::files::Files;
use super::intern::{Authorities, digest_of};
use super::kept::{Kept, Late};
use super::pair::{Pair, PairError, certified};
use super::record::{CertificateDigest, Damaged, KeyKind, Leaf, Owner, Record};
use super::rows::{Known, VaultError};
use super::served::{Served, shared};
use super::vault::{Entering, Vault};
use crate::installation::InstallationKey;
use crate::name::ServedName;

/// Bytes of keys that are kept: eight thousand names. One that is not among them costs a tenth of a millisecond.
const KEPT_BYTES: u64 = 16 << 20;
/// Reads at the same time. More would only wait for the disk, and hold threads.
const READS: usize = 16;

/// The certificates of a node.
#[derive(Debug)]
pub struct CertificateStore {
    inner: Arc<Inner>,
}

struct Inner {
    key: Arc<InstallationKey>,
    groups: Arc<Groups>,
    vault: Vault,
    claimed: Claimed,
    /// Those of files, which come before those of the vault: the operator's word.
    files: RwLock<Files>,
    authorities: Authorities,
    changes: Mutex<()>,
    /// None stands for a record that is damaged, which was said when it was found.
    kept: Cache<u64, Option<Arc<Kept>>>,
    turns: Semaphore,
}

impl CertificateStore {
    /// Opens the certificates of a data directory, and makes what is not there. Blocks. Reads no certificate, only which
    /// names there are.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn open(data: &Path) -> Result<Self, OpenError> {
        let key = InstallationKey::of_directory(data, None, Vault::exists(data))?;
        Self::open_with(data, Arc::new(key))
    }

    /// Whether there are certificates in a data directory, and so a key that they are sealed with.
    #[must_use]
    pub fn exists(data: &Path) -> bool {
        Vault::exists(data)
    }

    /// The same, with the installation's key.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn open_with(data: &Path, key: Arc<InstallationKey>) -> Result<Self, OpenError> {
        let groups = Arc::new(Groups::new(tls::TicketSecret::new(&*key.secret_for(b"tickets")?))?);
        let vault = Vault::open(data, key.id())?;
        let room = usize::try_from(vault.count()?).unwrap_or_default();
        let claimed = Claimed::new(&*key.secret_for(b"names")?, room);
        if let Err(error) = vault.forget_unused_settings() {
            tracing::warn!(%error, "settings of TLS that no name has any more are kept");
        }
        let numbers = groups_of(&vault, &groups)?;
        let mut lost = 0u64;
        vault.each(|known| match (numbers.get(&known.settings), known.id) {
            (Some(group), id) => match Entry::new(id, *group, known.kind) {
                Some(entry) => claimed.claim(known.hash, entry),
                None => lost += 1,
            },
            (None, _) => lost += 1,
        })?;
        if lost > 0 {
            tracing::error!(
                names = lost,
                "names whose settings of TLS cannot be read are not served; set them again"
            );
        }
        let kept = Cache::builder()
            .max_capacity(KEPT_BYTES)
            .weigher(|_, kept: &Option<Arc<Kept>>| {
                let bytes = kept.as_ref().map_or(64, |kept| kept.weight());
                u32::try_from(bytes).unwrap_or(u32::MAX)
            })
            .build();
        let (files, authorities, turns) = (RwLock::default(), Authorities::default(), Semaphore::new(READS));
        let changes = Mutex::default();
        let inner = Inner { key, groups, vault, claimed, files, authorities, changes, kept, turns };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// The groups of settings that its names are served with.
    #[must_use]
    pub fn groups(&self) -> Arc<Groups> {
        Arc::clone(&self.inner.groups)
    }

    /// How many names of the vault are served.
    #[must_use]
    pub fn len(&self) -> usize {
        self.inner.claimed.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many times a record was read.
    #[must_use]
    pub fn reads(&self) -> u64 {
        self.inner.vault.reads()
    }

    /// Puts certificates into the vault, each in the place of what its name had; all or none. When this returns they are
    /// on the disk, and the next handshake is served with them.
    ///
    /// # Errors
    /// [`PutError`]; then everything is as it was.
    pub async fn put(&self, served: Vec<Served>) -> Result<(), PutError> {
        self.changing(move |inner| inner.put(&served)).await
    }

    /// Changes the vault and then memory, on a thread that may block, one change after the other: memory would otherwise
    /// remember whichever of two changes was seen last.
    async fn changing<T: Send + 'static>(
        &self,
        change: impl FnOnce(&Inner) -> Result<T, PutError> + Send + 'static,
    ) -> Result<T, PutError> {
        let inner = Arc::clone(&self.inner);
        let changed = move || {
            let _turn = inner.changes.lock().unwrap_or_else(PoisonError::into_inner);
            change(&inner)
        };
        tokio::task::spawn_blocking(changed).await?
    }

    /// Serves a name no more. Whether it was served. What is kept of a pack stays.
    ///
    /// # Errors
    /// [`PutError::Vault`].
    pub async fn stop_serving(&self, name: &ServedName) -> Result<bool, PutError> {
        let name = name.clone();
        self.changing(move |inner| {
            let hash = inner.claimed.hash(name.as_str());
            let was_there = inner.vault.remove(hash, &name)?;
            inner.claimed.release(hash);
            Ok(was_there)
        })
        .await
    }

    /// Serves these names by files from now on, and no other ones: what was named before and is not here is gone. Clients
    /// that name no host are served as `default` is.
    ///
    /// # Errors
    /// [`PutError`]; then everything is as it was.
    pub fn use_files(&self, served: &[Served], default: Option<&ServedName>) -> Result<(), PutError> {
        served.iter().try_for_each(checked::check)?;
        let mut files = Files::after(&self.inner.files.read().unwrap_or_else(PoisonError::into_inner));
        for (one, names) in shared(served) {
            let group = self.inner.groups.number(&one.settings)?;
            files.add(one.kind, group, Kept::of(names, &one.pairs)?);
        }
        if let Some(default) = default {
            files.default_to(default.clone());
        }
        *self.inner.files.write().unwrap_or_else(PoisonError::into_inner) = files;
        Ok(())
    }
}

/// The numbers that the settings of the file have in memory.
fn groups_of(vault: &Vault, groups: &Groups) -> Result<BTreeMap<i64, u16>, VaultError> {
    let mut numbers = BTreeMap::new();
    for (number, settings) in vault.settings()? {
        match settings.map(|settings| groups.number(&settings)) {
            Some(Ok(group)) => drop(numbers.insert(number, group)),
            Some(Err(error)) => tracing::error!(%error, number, "settings of TLS cannot be served"),
            None => tracing::error!(number, "settings of TLS cannot be read"),
        }
    }
    Ok(numbers)
}

/// A record as bytes, and the certificates of authorities that it refers to.
type Sealed = (Vec<u8>, Vec<(CertificateDigest, Vec<u8>)>);

impl Inner {
    fn put(&self, served: &[Served]) -> Result<(), PutError> {
        let mut groups = Vec::with_capacity(served.len());
        let mut entering = Vec::with_capacity(served.len());
        for one in served {
            checked::check(one)?;
            groups.push(self.groups.number(&one.settings)?);
            entering.push(self.sealed(one)?);
        }
        let known = self.vault.put(&entering)?;
        for (Known { hash, id, kind, .. }, group) in known.into_iter().zip(groups) {
            if let Some(entry) = Entry::new(id, group, kind) {
                self.claimed.claim(hash, entry);
            }
        }
        Ok(())
    }

    fn sealed(&self, served: &Served) -> Result<Entering, PutError> {
        let Served { name, kind, settings, pairs } = served;
        let (record, authorities) = self.sealed_pairs(Owner::Name(name.clone()), pairs)?;
        let hash = self.claimed.hash(name.as_str());
        Ok(Entering {
            hash,
            kind: *kind,
            settings: settings.clone(),
            name: name.clone(),
            record,
            authorities,
        })
    }

    fn sealed_pairs(&self, owner: Owner, pairs: &[Pair]) -> Result<Sealed, PutError> {
        let mut authorities = Vec::new();
        let mut leaves = Vec::with_capacity(pairs.len());
        for pair in pairs {
            let (leaf, above) = pair.chain.split_first().ok_or(PairError::NoChain)?;
            let digests: Vec<_> = above.iter().map(|certificate| digest_of(certificate)).collect();
            authorities.extend(digests.iter().copied().zip(above.iter().map(|one| one.to_vec())));
            let sealed = Leaf::sealed(&self.key, &owner, pair.kind, leaf, digests, &pair.private);
            leaves.push(sealed.ok_or(PutError::TooLarge)?);
        }
        let record = Record { key_id: self.key.id(), owner, leaves };
        Ok((record.to_bytes().ok_or(PutError::TooLarge)?, authorities))
    }

    /// Reads a name's keys. None if the record is damaged: then the log has been told. Blocks.
    fn read(&self, id: u64) -> Result<Option<Arc<Kept>>, VaultError> {
        let Some(record) = self.vault.record(id)? else {
            tracing::error!(row = id, "the certificate of a name is missing; bring it in again");
            return Ok(None);
        };
        let told = |owner: Option<&Owner>, damaged: Damaged| {
            let owner = owner.map_or_else(|| "unknown".to_owned(), Owner::to_string);
            tracing::error!(
                row = id,
                owner,
                "a certificate cannot be used: {damaged}; bring it in again. All others are served"
            );
        };
        let record = match record {
            Ok(record) => record,
            Err(damaged) => {
                told(None, damaged);
                return Ok(None);
            }
        };
        if record.key_id != self.key.id() {
            told(Some(&record.owner), Damaged::OtherKey);
            return Ok(None);
        }
        match self.opened(&record)? {
            Ok(kept) => Ok(Some(Arc::new(kept))),
            Err(damaged) => {
                told(Some(&record.owner), damaged);
                Ok(None)
            }
        }
    }

    fn opened(&self, record: &Record) -> Result<Result<Kept, Damaged>, VaultError> {
        let (mut elliptic, mut rsa, mut bytes) = (None, None, 0);
        let alone = record.leaves.len() == 1;
        for leaf in &record.leaves {
            let Some(chain) = self.chain(leaf)? else { return Ok(Err(Damaged::Form)) };
            bytes += leaf.certificate.len() * 2 + leaf.sealed.len();
            if leaf.kind == KeyKind::Elliptic {
                let opened = leaf.open(&self.key, &record.owner);
                match opened.map(|private| certified(chain, &private)) {
                    Ok(Some(key)) => elliptic = Some(key),
                    Ok(None) => return Ok(Err(Damaged::Form)),
                    Err(damaged) => return Ok(Err(damaged)),
                }
            } else {
                // Alone it is needed at once, and what is wrong with it is to be known now.
                if alone && let Err(damaged) = leaf.open(&self.key, &record.owner) {
                    return Ok(Err(damaged));
                }
                let (key, leaf, owner) = (Arc::clone(&self.key), leaf.clone(), record.owner.clone());
                rsa = Some(Late::new(move || {
                    let opened = leaf.open(&key, &owner);
                    let opened = opened.inspect_err(|damaged| {
                        tracing::error!(%owner, "the RSA key of a name cannot be used: {damaged}; bring it in again");
                    });
                    certified(chain.clone(), &opened.ok()?)
                }));
            }
        }
        Ok(Ok(Kept::new(record.names(), elliptic, rsa, bytes)))
    }

    /// The chain of a leaf; none if an authority's certificate is missing or damaged.
    fn chain(&self, leaf: &Leaf) -> Result<Option<Vec<CertificateDer<'static>>>, VaultError> {
        let mut chain = vec![CertificateDer::from(leaf.certificate.clone())];
        for digest in &leaf.intermediates {
            let found = match self.authorities.get(digest) {
                Some(found) => Some(found),
                None => self.vault.authority(digest)?.and_then(|bytes| self.authorities.keep(digest, bytes)),
            };
            let Some(found) = found else { return Ok(None) };
            chain.push(found);
        }
        Ok(Some(chain))
    }

    async fn load(self: &Arc<Self>, id: u64) -> Result<Option<Arc<Kept>>, NoCertificate> {
        let unavailable = |error: &dyn std::fmt::Display| {
            tracing::error!(%error, "certificates cannot be read");
            NoCertificate::Unavailable
        };
        let _turn = self.turns.acquire().await.map_err(|error| unavailable(&error))?;
        let inner = Arc::clone(self);
        let read = tokio::task::spawn_blocking(move || inner.read(id)).await;
        read.map_err(|error| unavailable(&error))?.map_err(|error| unavailable(&error))
    }

    async fn keys(self: &Arc<Self>, name: &str, found: Found) -> Result<Keys, NoCertificate> {
        let of_file = {
            let files = self.files.read().unwrap_or_else(PoisonError::into_inner);
            files.keys(found.certificate)
        };
        let kept = match of_file {
            Some(kept) => kept,
            // A file that was taken away since.
            None if found.certificate > LARGEST_ID => return Err(NoCertificate::Unknown),
            None => {
                let kept = self.kept.try_get_with(found.certificate, self.load(found.certificate)).await;
                kept.map_err(|error| *error)?.ok_or(NoCertificate::Unavailable)?
            }
        };
        if kept.names.iter().any(|own| leads_to(name, own)) { Ok(kept) } else { Err(NoCertificate::Unknown) }
    }

    fn find(&self, name: &str) -> Option<Found> {
        let files = self.files.read().unwrap_or_else(PoisonError::into_inner);
        steps(name).find_map(|step| files.at(&step).or_else(|| self.claimed.at(&step)))
    }
}

impl tls::Certificates for CertificateStore {
    fn find(&self, name: &str) -> Option<Found> {
        self.inner.find(name)
    }

    fn nameless(&self) -> Option<(Box<str>, Found)> {
        self.inner.files.read().unwrap_or_else(PoisonError::into_inner).nameless()
    }

    fn keys<'a>(&'a self, name: &'a str, found: Found) -> BoxFuture<'a, Result<Keys, NoCertificate>> {
        self.inner.keys(name, found).boxed()
    }
}

impl std::fmt::Debug for Inner {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Inner").field("names", &self.claimed.len()).finish_non_exhaustive()
    }
}

mod checked;
mod known;
mod packs;
mod secrets;

pub use packs::ServedWith;

#[cfg(test)]
mod tests;
