//! Keys and values as scripts, the API and the configuration use them: the rules, and then the store.
//!
//! Must never let anything reach the store whose size was not checked, nor more at a time than there are places.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use tokio::sync::Semaphore;
use wasmyard_model::{Clock, KvNamespaceId};

use crate::entry;
use crate::error::KvError;
use crate::limits::{KvLimits, MAX_TITLE_BYTES};
use crate::store::{KvNamespace, KvUsage, Store};
use crate::turns::Turns;

pub use handle::{KvHandle, NewValue};

mod handle;

/// The service. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Kv {
    shared: Arc<Shared>,
}

/// What makes a store.
type Open = dyn Fn() -> Result<Arc<dyn Store>, KvError> + Send + Sync;

struct Shared {
    /// None as long as the disk has no room for it to be opened.
    store: OnceLock<Arc<dyn Store>>,
    open: Box<Open>,
    /// Held while it is opened: no two are.
    opening: Mutex<()>,
    clock: Clock,
    limits: KvLimits,
    turns: Turns,
    /// For work that is no namespace's own, one at a time.
    housework: Semaphore,
}

impl Kv {
    /// The service over a store.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, clock: Clock, limits: KvLimits) -> Kv {
        let closed = || Err(KvError::store("open", "it is open"));
        Kv::made(OnceLock::from(store), Box::new(closed), clock, limits)
    }

    /// The service over a store that is opened now or, where the disk is full, when there is room for it. Until then
    /// every operation says so.
    ///
    /// # Errors
    /// Why it cannot be opened, if that is not for lack of room.
    pub fn open(
        open: impl Fn() -> Result<Arc<dyn Store>, KvError> + Send + Sync + 'static,
        clock: Clock,
        limits: KvLimits,
    ) -> Result<Kv, KvError> {
        let kv = Kv::made(OnceLock::new(), Box::new(open), clock, limits);
        match kv.shared.store() {
            Err(KvError::Full) => {
                tracing::error!("the disk is full: keys and values are out of reach until there is room");
            }
            opened => drop(opened?),
        }
        Ok(kv)
    }

    fn made(store: OnceLock<Arc<dyn Store>>, open: Box<Open>, clock: Clock, limits: KvLimits) -> Kv {
        let turns = Turns::new(limits);
        let (opening, housework) = (Mutex::default(), Semaphore::new(1));
        Kv { shared: Arc::new(Shared { store, open, opening, clock, limits, turns, housework }) }
    }

    /// A namespace to work with. It need not exist: then every operation says so.
    #[must_use]
    pub fn handle(&self, id: &KvNamespaceId) -> KvHandle {
        KvHandle::new(id.clone(), self.shared.turns.of(id), Arc::clone(&self.shared))
    }

    /// Makes a namespace.
    ///
    /// # Errors
    /// [`KvError::Invalid`] for a title that breaks a rule; [`KvError::TitleTaken`]; [`KvError::Quota`]; the store's
    /// failure.
    pub async fn create(&self, title: &str) -> Result<KvNamespace, KvError> {
        let id = uuid::Uuid::new_v4().simple().to_string();
        let id = KvNamespaceId::parse(&id).ok_or_else(|| KvError::store("name a namespace", id))?;
        let namespace = KvNamespace { id, title: checked_title(title)? };
        self.shared.store()?.create(&namespace, &self.shared.limits).await?;
        Ok(namespace)
    }

    /// The namespace of that title; makes it where there is none.
    ///
    /// # Errors
    /// As [`Kv::create`].
    pub async fn titled(&self, title: &str) -> Result<KvNamespace, KvError> {
        checked_title(title)?;
        if let Some(found) = self.shared.store()?.titled(title).await? {
            return Ok(found);
        }
        match self.create(title).await {
            // Somebody else was quicker.
            Err(KvError::TitleTaken { title }) => match self.shared.store()?.titled(&title).await? {
                Some(found) => Ok(found),
                None => Err(KvError::TitleTaken { title }),
            },
            made => made,
        }
    }

    /// The namespace of that title, if there is one.
    ///
    /// # Errors
    /// The store's failure.
    pub async fn with_title(&self, title: &str) -> Result<Option<KvNamespace>, KvError> {
        self.shared.store()?.titled(title).await
    }

    /// How much is in a namespace.
    ///
    /// # Errors
    /// [`KvError::NamespaceNotFound`], or the store's failure.
    pub async fn usage(&self, id: &KvNamespaceId) -> Result<KvUsage, KvError> {
        let found = self.shared.store()?.usage(id).await?;
        found.ok_or_else(|| KvError::NamespaceNotFound(id.clone()))
    }

    /// Gives a namespace another title.
    ///
    /// # Errors
    /// As [`Kv::create`], and [`KvError::NamespaceNotFound`].
    pub async fn rename(&self, id: &KvNamespaceId, title: &str) -> Result<KvNamespace, KvError> {
        let namespace = KvNamespace { id: id.clone(), title: checked_title(title)? };
        self.shared.store()?.rename(&namespace).await?;
        Ok(namespace)
    }

    /// Deletes a namespace with all that is in it.
    ///
    /// # Errors
    /// [`KvError::NamespaceNotFound`], or the store's failure.
    pub async fn delete(&self, id: &KvNamespaceId) -> Result<(), KvError> {
        self.shared.store()?.delete(id).await
    }

    /// A namespace.
    ///
    /// # Errors
    /// [`KvError::NamespaceNotFound`], or the store's failure.
    pub async fn namespace(&self, id: &KvNamespaceId) -> Result<KvNamespace, KvError> {
        let found = self.shared.store()?.namespace(id).await?;
        found.ok_or_else(|| KvError::NamespaceNotFound(id.clone()))
    }

    /// Namespaces by their titles.
    ///
    /// # Errors
    /// The store's failure.
    pub async fn namespaces(&self, after: Option<&str>, limit: usize) -> Result<Vec<KvNamespace>, KvError> {
        self.shared.store()?.namespaces(after, limit).await
    }

    /// How many namespaces there are.
    ///
    /// # Errors
    /// The store's failure.
    pub async fn count(&self) -> Result<u64, KvError> {
        self.shared.store()?.count().await
    }

    /// Notes that a script is about to be bound to a namespace, so that it can be told who is, without a search.
    ///
    /// # Errors
    /// [`KvError::NamespaceNotFound`], or the store's failure.
    pub async fn bind(&self, id: &KvNamespaceId, script: &str) -> Result<(), KvError> {
        self.shared.store()?.bind(id, script).await
    }

    /// Scripts that were noted, after `after`. Some may have changed their bindings since.
    ///
    /// # Errors
    /// The store's failure.
    pub async fn bound(
        &self,
        id: &KvNamespaceId,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<String>, KvError> {
        self.shared.store()?.bound(id, after, limit).await
    }

    /// Forgets a script that turned out not to be bound any more.
    ///
    /// # Errors
    /// The store's failure.
    pub async fn unbind(&self, id: &KvNamespaceId, script: &str) -> Result<(), KvError> {
        self.shared.store()?.unbind(id, script).await
    }

    /// Scripts whose names begin with `from` are about to have names that begin with `to`.
    ///
    /// # Errors
    /// The store's failure.
    pub async fn rebind(&self, from: &str, to: &str) -> Result<(), KvError> {
        self.shared.store()?.rebind(from, to).await
    }

    /// Removes what has expired, and what belonged to deleted namespaces. Says how many entries.
    ///
    /// # Errors
    /// The store's failure.
    pub async fn sweep(&self) -> Result<u64, KvError> {
        let closed = |error: tokio::sync::AcquireError| KvError::store("sweep", error);
        let _alone = self.shared.housework.acquire().await.map_err(closed)?;
        let mut removed = 0;
        loop {
            let some = self.shared.store()?.sweep(self.shared.now()).await?;
            if some == 0 {
                return Ok(removed);
            }
            removed += some;
            // Between two pieces, whoever waits to write does.
            tokio::task::yield_now().await;
        }
    }

    /// Brings everything to its place, before the process ends.
    pub async fn close(&self) {
        if let Some(store) = self.shared.store.get() {
            store.close().await;
        }
    }
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").field("store", &self.store.get()).finish_non_exhaustive()
    }
}

impl Shared {
    fn store(&self) -> Result<&Arc<dyn Store>, KvError> {
        if let Some(store) = self.store.get() {
            return Ok(store);
        }
        let _alone = self.opening.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(store) = self.store.get() {
            return Ok(store);
        }
        let opened = (self.open)()?;
        Ok(self.store.get_or_init(|| opened))
    }

    fn now(&self) -> u64 {
        self.clock.now().unix_seconds()
    }
}

fn checked_title(title: &str) -> Result<String, KvError> {
    entry::within("the title", title.len(), MAX_TITLE_BYTES)?;
    if title.trim().is_empty() || title.chars().any(char::is_control) {
        return Err(KvError::Invalid(format!(
            "the title {title:?} cannot be used: it has at least one visible character and no control characters; \
             choose another"
        )));
    }
    Ok(title.to_owned())
}
