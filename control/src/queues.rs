//! Queues: make, change, delete, and who consumes them. `bound` says who sends to them.
//!
//! Whoever consumes is a script by its key, the platform's or a namespace's.

use wasmyard_namespaces::code::EventKind;
use wasmyard_namespaces::{
    BindingDecl, NamespaceName, QueueConsumerId, QueueId, QueueName, Reference, Script, ScriptKey,
};
use wasmyard_queues::{
    Consumer, ConsumerKind, ConsumerSettings, ConsumerWanted, Queue, QueueChange, QueueError, Queues,
};

use crate::bound::Resource;
use crate::error::ControlError;
use crate::referrers::Referrers;
use crate::{Control, Done, Force, Result};

/// How many queues are looked at at a time.
const PAGE: usize = 256;
/// More names than this are no help.
const MOST_NAMES: usize = 20;

/// A consumer that a configuration declares for a script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeclaredConsumer {
    /// The queue, which is made where there is none.
    pub queue: QueueName,
    /// How messages are handed over.
    pub settings: ConsumerSettings,
    /// The queue of dead letters, which is made where there is none.
    pub dead_letters: Option<QueueName>,
}

impl Control {
    /// The same with queues.
    #[must_use]
    pub fn with_queues(mut self, queues: Queues) -> Control {
        self.queues = Some(queues);
        self
    }

    /// Queues, for what changes nothing that others refer to.
    ///
    /// # Errors
    /// That this server keeps none.
    pub fn queues(&self) -> Result<&Queues> {
        self.queues.as_ref().ok_or(ControlError::NoQueues)
    }

    /// Makes a queue.
    ///
    /// # Errors
    /// That there is one of that name, or that a setting breaks a rule; or the store's failure.
    pub async fn create_queue(&self, name: &QueueName, wanted: &QueueChange) -> Result<Queue> {
        let made = self.queues()?.create(name, wanted).await?;
        tracing::info!(queue = %name, "queue made");
        Ok(made)
    }

    /// Changes a queue. Another name is refused while others refer to the old one.
    ///
    /// # Errors
    /// That it is not there, that the name is taken or in use, or that a setting breaks a rule; or a store's failure.
    pub async fn change_queue(&self, id: &QueueId, change: QueueChange, force: Force) -> Result<Done<Queue>> {
        let before = self.queues()?.queue(id).await?;
        let mut remarks = Vec::new();
        if change.name.as_ref().is_some_and(|name| *name != before.name) {
            let mut found = self.producers_of(&before).await?;
            found.queues.clear();
            remarks = found.stand_against("renamed", force)?;
        }
        let after = self.queues()?.change(id, change).await?;
        tracing::info!(queue = %before.name, now = %after.name, "queue changed");
        Ok(Done::new(after, remarks))
    }

    /// Deletes a queue with all that is in it, unless scripts are bound to it, one consumes it, or another queue's dead letters go to
    /// it.
    ///
    /// # Errors
    /// That it is not there, or in use; or a store's failure.
    pub async fn delete_queue(&self, id: &QueueId, force: Force) -> Result<Done<()>> {
        let queues = self.queues()?;
        let queue = queues.queue(id).await?;
        let mut found = self.producers_of(&queue).await?;
        if let Some(Consumer { kind: ConsumerKind::Worker(script), .. }) = &queue.consumer {
            found.queues.push(format!("script \"{script}\", which consumes it"));
        }
        for other in queues.dead_letters_of(&queue.name, MOST_NAMES).await? {
            found.queues.push(format!("queue \"{other}\", whose dead letters go to it"));
        }
        let remarks = found.stand_against("deleted", force)?;
        queues.delete(id).await?;
        tracing::info!(queue = %queue.name, "queue deleted");
        Ok(Done::new((), remarks))
    }

    /// Who is bound to a queue, user scripts too: they are noted when they are bound. Enough of them to name.
    ///
    /// # Errors
    /// A store's failure.
    pub async fn producers_of(&self, queue: &Queue) -> Result<Referrers> {
        self.referrers_noted(Resource::Queue(queue)).await
    }

    /// Gives a queue a consumer: in place of the one with the id `of`, or where there is none.
    ///
    /// # Errors
    /// That queue, script or consumer is not there, that the queue has a consumer already, or that a setting breaks a rule; or a
    /// store's failure.
    pub async fn set_consumer(
        &self,
        id: &QueueId,
        of: Option<&QueueConsumerId>,
        script: Option<&ScriptKey>,
        settings: ConsumerSettings,
        dead_letters: Option<QueueName>,
    ) -> Result<Done<(Queue, Consumer)>> {
        let mut remarks = Vec::new();
        let kind = match script {
            Some(key) => {
                remarks.extend(unhandled(&*self.existing(key).await?));
                ConsumerKind::Worker(key.to_string())
            }
            None => ConsumerKind::Pull,
        };
        let told = kind.told();
        let wanted = ConsumerWanted { kind, settings, dead_letters };
        let (queue, consumer) = self.queues()?.set_consumer(id, of, wanted).await?;
        tracing::info!(queue = %queue.name, consumer = told, "consumer set");
        Ok(Done::new((queue, consumer), remarks))
    }

    /// Takes a queue's consumer away. Its messages wait.
    ///
    /// # Errors
    /// That queue or consumer is not there; or the store's failure.
    pub async fn remove_consumer(&self, id: &QueueId, consumer: &QueueConsumerId) -> Result<()> {
        self.queues()?.remove_consumer(id, consumer).await?;
        tracing::info!(queue = %id, %consumer, "consumer removed");
        Ok(())
    }

    /// Makes the queues that a script of a configuration is about to be bound to, where there are none.
    ///
    /// # Errors
    /// The store's failure.
    pub async fn declare_queues(&self, bindings: &[BindingDecl]) -> Result<()> {
        let names = bindings.iter().flat_map(|decl| decl.kind.refers_to());
        let names =
            names.filter_map(|to| if let Reference::Queue(name) = to { Some(name.clone()) } else { None });
        for name in &names.collect::<Vec<QueueName>>() {
            self.queues()?.ensure(name).await?;
        }
        Ok(())
    }

    /// Has a script of a configuration consume queues, which are made where there are none.
    ///
    /// # Errors
    /// That a queue has another consumer, or that a setting breaks a rule; or a store's failure.
    pub async fn declare_consumers(&self, key: &ScriptKey, declared: &[DeclaredConsumer]) -> Result<()> {
        for DeclaredConsumer { queue, settings, dead_letters } in declared {
            let queue = self.queues()?.ensure(queue).await?;
            let kind = ConsumerKind::Worker(key.to_string());
            let own = queue.consumer.as_ref().filter(|consumer| consumer.kind == kind);
            if own.is_some_and(|own| own.settings == *settings && own.dead_letters == *dead_letters) {
                continue;
            }
            let of = own.map(|own| own.id.clone());
            self.set_consumer(&queue.id, of.as_ref(), Some(key), *settings, dead_letters.clone()).await?;
        }
        Ok(())
    }

    /// Queues that a script consumes, by their names.
    ///
    /// # Errors
    /// The store's failure.
    pub async fn consumed_by(&self, key: &ScriptKey) -> Result<Vec<Queue>> {
        self.consumed(&key.to_string(), |consumer| consumer == key).await
    }

    /// Queues that scripts consume whose keys begin like this, and that are meant: others begin with the same letters.
    async fn consumed(&self, prefix: &str, is_meant: impl Fn(&ScriptKey) -> bool) -> Result<Vec<Queue>> {
        let Some(queues) = &self.queues else { return Ok(Vec::new()) };
        let (mut found, mut after) = (Vec::new(), None::<String>);
        loop {
            let page = queues.consumed(prefix, after.as_deref(), PAGE).await?;
            let is_last = page.len() < PAGE;
            after = page.last().map(|last| last.name.to_string());
            found.extend(page.into_iter().filter(|queue| match &queue.consumer {
                Some(Consumer { kind: ConsumerKind::Worker(script), .. }) => {
                    ScriptKey::parse(script).is_some_and(|key| is_meant(&key))
                }
                _ => false,
            }));
            if is_last {
                return Ok(found);
            }
        }
    }

    /// Takes the consumers away that are scripts which are gone.
    pub(crate) async fn forget_consumers(
        &self,
        prefix: &str,
        is_gone: impl Fn(&ScriptKey) -> bool,
    ) -> Result<Vec<String>> {
        let mut remarks = Vec::new();
        for queue in self.consumed(prefix, is_gone).await? {
            let Some(Consumer { id, kind, .. }) = queue.consumer else { continue };
            match self.queues()?.remove_consumer(&queue.id, &id).await {
                Ok(()) => remarks.push(format!(
                    "the messages of the queue \"{}\" wait: {} consumed it.",
                    queue.name,
                    kind.told()
                )),
                // Somebody else was quicker.
                Err(QueueError::NotFound(_) | QueueError::ConsumerNotFound(_)) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(remarks)
    }

    /// Takes the consumers of a namespace away: it is gone, with its scripts.
    pub(crate) async fn forget_consumers_of(&self, namespace: &NamespaceName) -> Result<Vec<String>> {
        let Some(queues) = &self.queues else { return Ok(Vec::new()) };
        let forgotten = queues.forget(&format!("{namespace}/")).await?;
        let remark = format!("its scripts consumed {forgotten} queues, whose messages wait now.");
        Ok((forgotten > 0).then_some(remark).into_iter().collect())
    }

    /// A namespace has another name: what its scripts consume is theirs still.
    pub(crate) async fn move_consumers(&self, before: &NamespaceName, after: &NamespaceName) -> Result<()> {
        let Some(queues) = &self.queues else { return Ok(()) };
        Ok(queues.move_consumers(&format!("{before}/"), &format!("{after}/")).await?)
    }
}

/// A remark where each batch will fail.
fn unhandled(script: &Script) -> Option<String> {
    let handles = script.version.code.handlers().contains(&EventKind::Queue);
    (!handles).then(|| {
        "the version that serves handles no messages of queues, so each batch fails: export a `queue` handler".to_owned()
    })
}
