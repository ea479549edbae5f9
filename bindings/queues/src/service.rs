//! Queues as scripts, the API, the configuration and deliveries use them: the rules, and then the store.
//!
//! Must never let anything reach the store whose size was not checked, nor more sends at a time than there are places.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use wasmyard_model::{Clock, QueueConsumerId, QueueId, QueueName};

use crate::error::QueueError;
use crate::limits::QueueLimits;
use crate::message::MessageId;
use crate::queue::{Backlog, Consumer, ConsumerKind, ConsumerWanted, Queue, QueueChange, QueueSettings};
use crate::stirred::Stirred;
use crate::store::Store;
use crate::turns::Turns;

pub use handle::QueueHandle;

mod deliveries;
mod handle;

/// The service. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Queues {
    shared: Arc<Shared>,
}

/// What makes a store.
type Open = dyn Fn() -> Result<Arc<dyn Store>, QueueError> + Send + Sync;

struct Shared {
    /// None as long as the disk has no room for it to be opened.
    store: OnceLock<Arc<dyn Store>>,
    open: Box<Open>,
    /// Held while it is opened: no two are.
    opening: Mutex<()>,
    clock: Clock,
    limits: QueueLimits,
    turns: Turns,
    stirred: Stirred,
}

impl Queues {
    /// The service over a store.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, clock: Clock, limits: QueueLimits) -> Queues {
        let closed = || Err(QueueError::store("open", "it is open"));
        Queues::made(OnceLock::from(store), Box::new(closed), clock, limits)
    }

    /// The service over a store that is opened now or, where the disk is full, when there is room for it. Until then every
    /// operation says so.
    ///
    /// # Errors
    /// Why it cannot be opened, if that is not for lack of room.
    pub fn open(
        open: impl Fn() -> Result<Arc<dyn Store>, QueueError> + Send + Sync + 'static,
        clock: Clock,
        limits: QueueLimits,
    ) -> Result<Queues, QueueError> {
        let queues = Queues::made(OnceLock::new(), Box::new(open), clock, limits);
        match queues.shared.store() {
            Err(QueueError::Full) => {
                tracing::error!("the disk is full: queues are out of reach until there is room");
            }
            opened => drop(opened?),
        }
        Ok(queues)
    }

    fn made(store: OnceLock<Arc<dyn Store>>, open: Box<Open>, clock: Clock, limits: QueueLimits) -> Queues {
        let (opening, turns, stirred) = (Mutex::default(), Turns::new(limits), Stirred::default());
        Queues { shared: Arc::new(Shared { store, open, opening, clock, limits, turns, stirred }) }
    }

    /// The clock that it goes by.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        &self.shared.clock
    }

    fn store(&self) -> Result<&Arc<dyn Store>, QueueError> {
        self.shared.store()
    }

    fn now(&self) -> u64 {
        self.shared.now()
    }

    /// A queue to send to, with the delay of those messages that say none. It need not exist: then every send says so.
    #[must_use]
    pub fn handle(&self, name: &QueueName, delay: Option<u32>) -> QueueHandle {
        QueueHandle::new(name.clone(), delay, self.shared.turns.of(name), Arc::clone(&self.shared))
    }

    /// Makes a queue.
    ///
    /// # Errors
    /// [`QueueError::NameTaken`], [`QueueError::Settings`], [`QueueError::Quota`]; the store's failure.
    pub async fn create(&self, name: &QueueName, wanted: &QueueChange) -> Result<Queue, QueueError> {
        let settings = wanted.of(QueueSettings::default())?;
        let queue = self.made_queue(name, settings)?;
        self.store()?.create(&queue, self.shared.limits.queues).await?;
        Ok(queue)
    }

    fn made_queue(&self, name: &QueueName, settings: QueueSettings) -> Result<Queue, QueueError> {
        let id = QueueId::parse(&drawn()?.to_string())
            .map_err(|error| QueueError::store("name a queue", error))?;
        let now = self.shared.clock.now();
        let (name, consumer) = (name.clone(), None);
        Ok(Queue { id, name, settings, consumer, created: now, modified: now, messages: 0, bytes: 0 })
    }

    /// The queue of that name; makes it where there is none.
    ///
    /// # Errors
    /// As [`Queues::create`].
    pub async fn ensure(&self, name: &QueueName) -> Result<Queue, QueueError> {
        if let Some(found) = self.store()?.named(name).await? {
            return Ok(found);
        }
        match self.create(name, &QueueChange::default()).await {
            // Somebody else was quicker.
            Err(QueueError::NameTaken(name)) => self.named(&name).await,
            made => made,
        }
    }

    /// Changes a queue's name or settings.
    ///
    /// # Errors
    /// As [`Queues::create`], and [`QueueError::NotFound`].
    pub async fn change(&self, id: &QueueId, change: QueueChange) -> Result<Queue, QueueError> {
        let queue = self.store()?.change(id, change, self.now()).await?;
        self.stir(&queue);
        Ok(queue)
    }

    /// Deletes a queue with all that is in it.
    ///
    /// # Errors
    /// [`QueueError::NotFound`], or the store's failure.
    pub async fn delete(&self, id: &QueueId) -> Result<(), QueueError> {
        self.store()?.delete(id).await?;
        self.shared.stirred.add([id.clone()]);
        Ok(())
    }

    /// A queue.
    ///
    /// # Errors
    /// [`QueueError::NotFound`], or the store's failure.
    pub async fn queue(&self, id: &QueueId) -> Result<Queue, QueueError> {
        self.store()?.queue(id).await?.ok_or_else(|| QueueError::NotFound(id.clone()))
    }

    /// A queue by its name.
    ///
    /// # Errors
    /// [`QueueError::NameNotFound`], or the store's failure.
    pub async fn named(&self, name: &QueueName) -> Result<Queue, QueueError> {
        self.store()?.named(name).await?.ok_or_else(|| QueueError::NameNotFound(name.clone()))
    }

    /// Queues by their names.
    ///
    /// # Errors
    /// The store's failure.
    pub async fn queues(&self, after: Option<&str>, limit: usize) -> Result<Vec<Queue>, QueueError> {
        self.store()?.queues(after, limit).await
    }

    /// How many queues there are.
    ///
    /// # Errors
    /// The store's failure.
    pub async fn count(&self) -> Result<u64, QueueError> {
        self.store()?.count().await
    }

    /// Gives a queue a consumer: in place of the one with the id `of`, or where there is none. The queue of dead letters is made
    /// where there is none.
    ///
    /// # Errors
    /// [`QueueError::Settings`], [`QueueError::ConsumerTaken`], [`QueueError::ConsumerNotFound`], [`QueueError::NotFound`],
    /// [`QueueError::Quota`]; the store's failure.
    pub async fn set_consumer(
        &self,
        id: &QueueId,
        of: Option<&QueueConsumerId>,
        wanted: ConsumerWanted,
    ) -> Result<(Queue, Consumer), QueueError> {
        let queue = self.queue(id).await?;
        wanted.check(&queue.name)?;
        let dead = match &wanted.dead_letters {
            Some(name) => Some(self.made_queue(name, QueueSettings::default())?),
            None => None,
        };
        let new = drawn()?.to_string();
        let new =
            QueueConsumerId::parse(&new).map_err(|error| QueueError::store("name a consumer", error))?;
        let ConsumerWanted { kind, settings, dead_letters } = wanted;
        let consumer = Consumer { id: new, kind, settings, dead_letters, created: self.shared.clock.now() };
        let most = self.shared.limits.queues;
        let consumer = self.store()?.set_consumer(id, of, consumer, dead, most).await?;
        self.shared.stirred.add([id.clone()]);
        Ok((queue, consumer))
    }

    /// Takes a queue's consumer away. Its messages wait.
    ///
    /// # Errors
    /// [`QueueError::ConsumerNotFound`], [`QueueError::NotFound`], or the store's failure.
    pub async fn remove_consumer(&self, id: &QueueId, consumer: &QueueConsumerId) -> Result<(), QueueError> {
        self.store()?.remove_consumer(id, consumer, self.now()).await?;
        self.shared.stirred.add([id.clone()]);
        Ok(())
    }

    /// Queues that scripts whose keys begin with `prefix` consume, by their names.
    ///
    /// # Errors
    /// The store's failure.
    pub async fn consumed(
        &self,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Queue>, QueueError> {
        self.store()?.consumed(prefix, after, limit).await
    }

    /// Queues whose dead letters go to this one.
    ///
    /// # Errors
    /// The store's failure.
    pub async fn dead_letters_of(
        &self,
        name: &QueueName,
        limit: usize,
    ) -> Result<Vec<QueueName>, QueueError> {
        self.store()?.dead_letters_of(name, limit).await
    }

    /// Takes away the consumers that are scripts whose keys begin with `prefix`: they are gone. Says how many.
    ///
    /// # Errors
    /// The store's failure.
    pub async fn forget(&self, prefix: &str) -> Result<u64, QueueError> {
        self.store()?.forget(prefix).await
    }

    /// What waits in a queue.
    ///
    /// # Errors
    /// [`QueueError::NotFound`], or the store's failure.
    pub async fn backlog(&self, id: &QueueId) -> Result<Backlog, QueueError> {
        self.store()?.backlog(id).await
    }

    /// Removes all messages of a queue. Says how many.
    ///
    /// # Errors
    /// [`QueueError::NotFound`], or the store's failure.
    pub async fn purge(&self, id: &QueueId) -> Result<u64, QueueError> {
        self.store()?.purge(id).await
    }

    fn stir(&self, queue: &Queue) {
        if matches!(queue.consumer, Some(Consumer { kind: ConsumerKind::Worker(_), .. })) {
            self.look_at(&queue.id);
        }
    }

    /// Notes that a script is about to be bound to a queue, so that it can be told who is, without a search.
    ///
    /// # Errors
    /// [`QueueError::NameNotFound`], or the store's failure.
    pub async fn bind(&self, name: &QueueName, script: &str) -> Result<(), QueueError> {
        self.store()?.bind(name, script).await
    }

    /// Scripts that were noted, after `after`. Some may have changed their bindings since.
    ///
    /// # Errors
    /// The store's failure.
    pub async fn bound(
        &self,
        id: &QueueId,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<String>, QueueError> {
        self.store()?.bound(id, after, limit).await
    }

    /// Forgets a script that turned out not to be bound any more.
    ///
    /// # Errors
    /// The store's failure.
    pub async fn unbind(&self, id: &QueueId, script: &str) -> Result<(), QueueError> {
        self.store()?.unbind(id, script).await
    }

    /// Scripts whose keys begin with `from` are about to have keys that begin with `to`.
    ///
    /// # Errors
    /// The store's failure.
    pub async fn rebind(&self, from: &str, to: &str) -> Result<(), QueueError> {
        self.store()?.rebind(from, to).await
    }

    /// Scripts whose keys began with `from` have keys that begin with `to`: what they consume is theirs still.
    ///
    /// # Errors
    /// The store's failure.
    pub async fn move_consumers(&self, from: &str, to: &str) -> Result<(), QueueError> {
        self.store()?.move_consumers(from, to).await?;
        for queue in self.store()?.consumed(to, None, usize::MAX).await? {
            self.look_at(&queue.id);
        }
        Ok(())
    }

    /// Removes what is too old, and what belonged to deleted queues. Says how many messages.
    ///
    /// # Errors
    /// The store's failure.
    pub async fn sweep(&self) -> Result<u64, QueueError> {
        let mut removed = 0;
        loop {
            let some = self.store()?.sweep(self.now()).await?;
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
    fn store(&self) -> Result<&Arc<dyn Store>, QueueError> {
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
        self.clock.now().unix_millis()
    }
}

/// An identifier that nobody can guess.
fn drawn() -> Result<MessageId, QueueError> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|error| QueueError::store("draw an identifier", error))?;
    Ok(MessageId(bytes))
}
