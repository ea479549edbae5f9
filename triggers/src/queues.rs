//! Hands messages of queues to the scripts that consume them.
//!
//! Owns when a batch is handed over, how many are at the same time, and that no namespace has all places. The service of queues says
//! what is due and keeps what was handed over from others; each message is there until its script has handled it. Must never judge
//! a message itself.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use wasmyard_namespaces::{Clock, QueueId, ScriptKey, Timestamp};
use wasmyard_queues::{Due, QueueError, Queues};

use crate::Raise;
use crate::places::{Full, Places};
use agenda::Agenda;

mod agenda;
mod batch;
mod figures;

pub use figures::DeliveryFigures;

/// How long until it is looked again where the store failed.
const AFTER_FAILURE: Duration = Duration::from_secs(5);
/// How many queues are read at a time.
const PAGE: usize = 64;

/// How scripts are given messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeliveryConfig {
    /// How many batches are handled at once.
    pub at_once: usize,
    /// How many of one namespace, and how many of platform scripts.
    pub per_namespace: usize,
    /// How long an invocation for a batch may take at most: what was handed over is there again some time after that.
    pub longest: Duration,
}

impl DeliveryConfig {
    /// The usual shares of so many places for invocations.
    #[must_use]
    pub fn for_invocations(invocations: usize, longest: Duration) -> DeliveryConfig {
        let at_once = (invocations / 8).clamp(1, 256);
        DeliveryConfig { at_once, per_namespace: (at_once / 4).max(1), longest }
    }
}

/// Hands messages to scripts.
#[derive(Clone)]
pub struct Deliveries {
    queues: Queues,
    raise: Arc<dyn Raise>,
    config: DeliveryConfig,
    figures: DeliveryFigures,
    places: Places,
}

impl Deliveries {
    /// Whoever hands over what the service says is due.
    #[must_use]
    pub fn new(
        queues: Queues,
        raise: Arc<dyn Raise>,
        config: DeliveryConfig,
        figures: DeliveryFigures,
    ) -> Deliveries {
        let places = Places::new(config.at_once, config.per_namespace);
        Deliveries { queues, raise, config, figures, places }
    }

    fn clock(&self) -> &Clock {
        self.queues.clock()
    }

    /// Hands over what is due, as it comes, until `stop`; then hands nothing more over and waits for what runs.
    ///
    /// # Cancel safety
    /// Dropping the future cancels what runs; its messages are there again when their leases are over, or at the next start.
    pub async fn run(self, stop: impl Future<Output = ()>) {
        let mut stop = std::pin::pin!(stop);
        let mut tasks = JoinSet::new();
        let mut agenda = Agenda::default();
        tokio::select! {
            biased;
            () = &mut stop => return,
            () = self.find_all() => {}
        }
        loop {
            let mut freed = std::pin::pin!(self.places.freed());
            freed.as_mut().enable();
            let for_a_place = self.begin(&mut agenda, &mut tasks);
            let next = agenda.next_after(self.clock().now().unix_millis());
            let until = next.map(Timestamp::at_unix_millis);
            let due = async {
                match until {
                    Some(until) => self.clock().sleep_until(until).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                () = &mut stop => break,
                stirred = self.queues.stirred() => self.look(&mut agenda, stirred).await,
                () = freed, if for_a_place => {}
                () = due => {}
            }
            while tasks.try_join_next().is_some() {}
        }
        while tasks.join_next().await.is_some() {}
    }

    /// Looks at every queue that a script consumes: what waited when the process began.
    async fn find_all(&self) {
        let mut after: Option<String> = None;
        loop {
            match self.queues.consumed("", after.as_deref(), PAGE).await {
                Ok(page) => {
                    page.iter().for_each(|queue| self.queues.look_at(&queue.id));
                    match page.last() {
                        Some(last) => after = Some(last.name.to_string()),
                        None => return,
                    }
                }
                Err(error) => {
                    tracing::warn!(%error, "queues that scripts consume could not be looked for");
                    self.clock().sleep_until(self.clock().now().later(AFTER_FAILURE)).await;
                }
            }
        }
    }

    /// Notes when batches of these queues are due.
    async fn look(&self, agenda: &mut Agenda, queues: Vec<QueueId>) {
        for some in queues.chunks(PAGE) {
            let looking = some.iter().map(|id| async move { (id, self.queues.due(id).await) });
            for (id, due) in futures::future::join_all(looking).await {
                self.note(agenda, id, due);
            }
        }
    }

    fn note(&self, agenda: &mut Agenda, id: &QueueId, due: Result<Option<Due>, QueueError>) {
        match due {
            Ok(Some(due)) => match key_of(&due) {
                Some(script) => agenda.note(id, script, due),
                None => agenda.forget(id),
            },
            Ok(None) => agenda.forget(id),
            Err(error) => {
                tracing::warn!(queue = %id, %error, "a queue could not be looked at");
                let again = self.clock().now().later(AFTER_FAILURE);
                agenda.look_again(id, again.unix_millis());
            }
        }
    }

    /// Begins to hand over what is due and has a place. Says whether something waits for one.
    fn begin(&self, agenda: &mut Agenda, tasks: &mut JoinSet<()>) -> bool {
        let now = self.clock().now().unix_millis();
        let mut for_a_place = false;
        for id in agenda.due(now) {
            let Some(known) = agenda.known(&id) else {
                // What could not be looked at is looked at again.
                agenda.forget(&id);
                self.queues.look_at(&id);
                continue;
            };
            let most = known.due.consumer.settings.max_concurrency;
            let is_full = most.is_some_and(|most| known.running.count() as u64 >= most);
            // Whoever ends, or has its messages, stirs the queue.
            if is_full || known.running.is_leasing() {
                agenda.put_off(&id);
                continue;
            }
            match self.places.take(known.script.namespace()) {
                Ok(place) => {
                    let batch = self.batch(&id, known);
                    agenda.put_off(&id);
                    tasks.spawn(async move {
                        batch.deliver().await;
                        drop(place);
                    });
                }
                Err(Full::All) => return true,
                // Those of other namespaces do not wait for this one's.
                Err(Full::Namespace) => for_a_place = true,
            }
        }
        for_a_place
    }
}

/// The script that consumes.
fn key_of(due: &Due) -> Option<ScriptKey> {
    let wasmyard_queues::ConsumerKind::Worker(text) = &due.consumer.kind else { return None };
    ScriptKey::parse(text)
}

#[cfg(test)]
mod tests;
