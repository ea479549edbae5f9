//! Databases as scripts, the API and the configuration use them: which there are, and what is done in one.
//!
//! Must never let a call reach a file whose statements were not bounded, nor more of them at a time than there are places.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use wasmyard_model::{Clock, DatabaseId};

use crate::catalog::{Catalog, DatabaseRecord};
use crate::error::D1Error;
use crate::limits::{D1Limits, MAX_NAME_BYTES};
use crate::open::millis;
use crate::pool::{Pool, Slot};

pub use handle::{Bounds, D1Handle, Restored};
pub use transfers::{Arriving, Made, Progress, Wanted};

use transfers::Transfers;

mod handle;
mod transfers;

/// How long a database rests until it is closed, in milliseconds.
const RESTS: u64 = 60_000;

/// The service. Cheap to clone.
#[derive(Clone, Debug)]
pub struct D1 {
    shared: Arc<Shared>,
}

/// What makes a catalog.
type Open = dyn Fn() -> Result<Arc<dyn Catalog>, D1Error> + Send + Sync;

struct Shared {
    /// None as long as the disk has no room for it to be opened.
    catalog: OnceLock<Arc<dyn Catalog>>,
    open: Box<Open>,
    /// Held while it is opened: no two are.
    opening: Mutex<()>,
    folder: PathBuf,
    clock: Clock,
    limits: D1Limits,
    pool: Pool,
    transfers: Transfers,
}

impl D1 {
    /// The service over a catalog, with the databases in a folder.
    #[must_use]
    pub fn new(catalog: Arc<dyn Catalog>, folder: &Path, clock: Clock, limits: D1Limits) -> D1 {
        let closed = || Err(D1Error::store("open", "it is open"));
        D1::made(OnceLock::from(catalog), Box::new(closed), folder, clock, limits)
    }

    /// The service over a catalog that is opened now or, where the disk is full, when there is room for it. Until then
    /// every call says so.
    ///
    /// # Errors
    /// Why it cannot be opened, if that is not for lack of room.
    pub fn open(
        open: impl Fn() -> Result<Arc<dyn Catalog>, D1Error> + Send + Sync + 'static,
        folder: &Path,
        clock: Clock,
        limits: D1Limits,
    ) -> Result<D1, D1Error> {
        let d1 = D1::made(OnceLock::new(), Box::new(open), folder, clock, limits);
        match d1.shared.catalog() {
            Err(D1Error::Full) => {
                tracing::error!("the disk is full: SQL databases are out of reach until there is room");
            }
            opened => drop(opened?),
        }
        Ok(d1)
    }

    fn made(
        catalog: OnceLock<Arc<dyn Catalog>>,
        open: Box<Open>,
        folder: &Path,
        clock: Clock,
        limits: D1Limits,
    ) -> D1 {
        let pool = Pool::new(folder, clock.clone(), limits);
        let (folder, opening) = (folder.to_owned(), Mutex::default());
        D1 {
            shared: Arc::new(Shared {
                catalog,
                open,
                opening,
                folder,
                clock,
                limits,
                pool,
                transfers: Transfers::default(),
            }),
        }
    }

    /// A database to work with. It need not exist: then every call says so.
    #[must_use]
    pub fn handle(&self, id: &DatabaseId) -> D1Handle {
        D1Handle::new(self.shared.pool.slot(id), Arc::clone(&self.shared))
    }

    fn transfers(&self) -> &Transfers {
        &self.shared.transfers
    }

    /// The folder that databases are in, with what is kept beside them for a while.
    fn folder(&self) -> &Path {
        &self.shared.folder
    }

    /// The clock that moments are of.
    fn clock(&self) -> &Clock {
        &self.shared.clock
    }

    /// Makes a database. It takes no room until it is used.
    ///
    /// # Errors
    /// [`D1Error::Invalid`] for a name that breaks a rule; [`D1Error::NameTaken`]; [`D1Error::Quota`]; the store's
    /// failure.
    pub async fn create(&self, name: &str) -> Result<DatabaseRecord, D1Error> {
        let id = uuid::Uuid::new_v4().to_string();
        let id = DatabaseId::parse(&id).ok_or_else(|| D1Error::store("name a database", id))?;
        let name = checked_name(name)?;
        let record = DatabaseRecord { id, name, created: millis(&self.shared.clock) };
        self.shared.catalog()?.create(&record, self.shared.limits.databases).await?;
        Ok(record)
    }

    /// The database of that name; makes it where there is none.
    ///
    /// # Errors
    /// As [`D1::create`].
    pub async fn named(&self, name: &str) -> Result<DatabaseRecord, D1Error> {
        let name = checked_name(name)?;
        if let Some(found) = self.shared.catalog()?.named(&name).await? {
            return Ok(found);
        }
        match self.create(&name).await {
            // Somebody else was quicker.
            Err(D1Error::NameTaken { name }) => {
                let found = self.shared.catalog()?.named(&name).await?;
                found.ok_or(D1Error::NameTaken { name })
            }
            made => made,
        }
    }

    /// The database that a text names, by its identifier or by its name.
    ///
    /// # Errors
    /// [`D1Error::NotFound`], or the store's failure.
    pub async fn find(&self, text: &str) -> Result<DatabaseRecord, D1Error> {
        let catalog = self.shared.catalog()?;
        if let Some(id) = DatabaseId::parse(text)
            && let Some(found) = catalog.database(&id).await?
        {
            return Ok(found);
        }
        let found = catalog.named(text).await?;
        found.ok_or_else(|| D1Error::NotFound(text.chars().take(80).collect()))
    }

    /// Deletes a database with its past, when what is under way in it is over.
    ///
    /// # Errors
    /// [`D1Error::NotFound`], or the store's failure.
    pub async fn delete(&self, id: &DatabaseId) -> Result<(), D1Error> {
        let slot = self.shared.pool.slot(id);
        let _turn = slot.turn().await?;
        match self.shared.catalog()?.delete(id).await {
            // Its files make the room that is needed to forget it.
            Err(D1Error::Full) => {
                self.remove_files(&slot).await?;
                self.shared.catalog()?.delete(id).await
            }
            forgotten => {
                forgotten?;
                self.remove_files(&slot).await
            }
        }
    }

    /// Removes the files of a database. The caller has its turn.
    async fn remove_files(&self, slot: &Arc<Slot>) -> Result<(), D1Error> {
        let (shared, slot) = (Arc::clone(&self.shared), Arc::clone(slot));
        let removed = tokio::task::spawn_blocking(move || {
            // Nothing of it goes anywhere any more.
            drop(shared.pool.take(&slot));
            for path in shared.pool.files(&slot.id).all() {
                match std::fs::remove_file(path) {
                    Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                        return Err(D1Error::store("remove a file of a database", error));
                    }
                    _ => {}
                }
            }
            Ok(())
        });
        removed.await.map_err(|error| D1Error::store("delete a database", error))?
    }

    /// Databases by their names, of those with `part` in their names.
    ///
    /// # Errors
    /// The store's failure.
    pub async fn databases(
        &self,
        after: Option<&str>,
        part: &str,
        limit: usize,
    ) -> Result<Vec<DatabaseRecord>, D1Error> {
        self.shared.catalog()?.databases(after, part, limit).await
    }

    /// How many databases have `part` in their names.
    ///
    /// # Errors
    /// The store's failure.
    pub async fn count(&self, part: &str) -> Result<u64, D1Error> {
        self.shared.catalog()?.count(part).await
    }

    /// How many databases are open now.
    #[must_use]
    pub fn open_now(&self) -> usize {
        self.shared.pool.open_now()
    }

    /// Bytes of a database's file as it lies there, without what is in its log.
    pub async fn file_size(&self, id: &DatabaseId) -> u64 {
        tokio::fs::metadata(self.shared.pool.files(id).main).await.map_or(0, |found| found.len())
    }

    /// Notes that a script is about to be bound to a database, so that it can be told who is, without a search.
    ///
    /// # Errors
    /// [`D1Error::NotFound`], or the store's failure.
    pub async fn bind(&self, id: &DatabaseId, script: &str) -> Result<(), D1Error> {
        self.shared.catalog()?.bind(id, script).await
    }

    /// Scripts that were noted, after `after`. Some may have changed their bindings since.
    ///
    /// # Errors
    /// The store's failure.
    pub async fn bound(
        &self,
        id: &DatabaseId,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<String>, D1Error> {
        self.shared.catalog()?.bound(id, after, limit).await
    }

    /// Forgets a script that turned out not to be bound any more.
    ///
    /// # Errors
    /// The store's failure.
    pub async fn unbind(&self, id: &DatabaseId, script: &str) -> Result<(), D1Error> {
        self.shared.catalog()?.unbind(id, script).await
    }

    /// Scripts whose names begin with `from` are about to have names that begin with `to`.
    ///
    /// # Errors
    /// The store's failure.
    pub async fn rebind(&self, from: &str, to: &str) -> Result<(), D1Error> {
        self.shared.catalog()?.rebind(from, to).await
    }

    /// Closes the databases that rest: their logs go into their files, and what those replace into their pasts. Removes
    /// files that nobody came back for.
    pub async fn sweep(&self) {
        self.sweep_transfers().await;
        let shared = Arc::clone(&self.shared);
        let swept = tokio::task::spawn_blocking(move || {
            shared.pool.close_resting(millis(&shared.clock).saturating_sub(RESTS));
        });
        if let Err(error) = swept.await {
            tracing::error!(%error, "databases that rest could not be closed");
        }
    }

    /// Brings everything to its place, before the process ends.
    pub async fn close(&self) {
        let shared = Arc::clone(&self.shared);
        let closed = tokio::task::spawn_blocking(move || shared.pool.close_resting(u64::MAX));
        if let Err(error) = closed.await {
            tracing::error!(%error, "databases could not be closed");
        }
        if let Some(catalog) = self.shared.catalog.get() {
            catalog.close().await;
        }
    }
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").field("catalog", &self.catalog.get()).finish_non_exhaustive()
    }
}

impl Shared {
    fn catalog(&self) -> Result<&Arc<dyn Catalog>, D1Error> {
        if let Some(catalog) = self.catalog.get() {
            return Ok(catalog);
        }
        let _alone = self.opening.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(catalog) = self.catalog.get() {
            return Ok(catalog);
        }
        let opened = (self.open)()?;
        Ok(self.catalog.get_or_init(|| opened))
    }
}

fn checked_name(name: &str) -> Result<String, D1Error> {
    let is_one = (1..=MAX_NAME_BYTES).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_. ".contains(&byte))
        && name.trim() == name
        // What has the form of an identifier would be taken for one.
        && DatabaseId::parse(name).is_none();
    if !is_one {
        let shown: String = name.chars().take(80).collect();
        return Err(D1Error::Invalid(format!(
            "the name {shown:?} cannot be used: it has 1 to {MAX_NAME_BYTES} letters, digits, '-', '_', '.' and blanks, \
             with none at its ends, and is no UUID; choose another"
        )));
    }
    Ok(name.to_owned())
}
