//! Runs scripts by their cron expressions.
//!
//! Owns how many run at once, and that no namespace has all places. The registry says what is due and lets each tick be
//! taken once. A tick waits for a place as long as it takes; where its script is due again meanwhile, the one that came
//! first is missed. Must never run a tick that it has not taken.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use prometheus::{IntCounter, IntCounterVec, Registry as Shown};
use tokio::task::JoinSet;
use wasmyard_events::metric;
use wasmyard_namespaces::registry::{DueTick, Tick};
use wasmyard_namespaces::{Clock, Registry, RegistryError, ScriptKey, Timestamp};
use wasmyard_runtime::{Event, Scheduled};

use crate::Raise;
use crate::places::{Full, Place, Places, not_begun};

/// How often a node looks for expressions that were set on others.
const LOOK: Duration = Duration::from_secs(20);
/// How long until it is looked again where the store failed.
const AFTER_FAILURE: Duration = Duration::from_secs(5);
/// How many due scripts are read at a time.
const PAGE: usize = 64;
/// How many ticks are taken at the same time; a store may make them durable together.
const TAKEN_TOGETHER: usize = 16;
/// How long a tick is tried again while there is no room for its script, or its code is being made ready.
const PATIENCE: Duration = Duration::from_secs(60);

/// How scripts are run by their cron expressions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CronConfig {
    /// How many run at once.
    pub at_once: usize,
    /// How many of one namespace, and how many platform scripts.
    pub per_namespace: usize,
    /// How long after its time a tick is still run: after a start, or where there was no place.
    pub late: Duration,
}

impl CronConfig {
    /// The usual shares of so many places for invocations.
    #[must_use]
    pub fn for_invocations(invocations: usize) -> CronConfig {
        let at_once = (invocations / 8).clamp(1, 256);
        CronConfig { at_once, per_namespace: (at_once / 4).max(1), late: Duration::from_secs(3_600) }
    }
}

/// What is counted of cron triggers.
#[derive(Clone)]
pub struct CronFigures {
    handled: IntCounter,
    failed: IntCounter,
    missed: IntCounter,
}

impl CronFigures {
    /// Figures that are shown there.
    ///
    /// # Errors
    /// When the names are taken.
    pub fn new(shown: &Shown) -> prometheus::Result<CronFigures> {
        let help = "Ticks of cron expressions, by what came of them: missed ones were not run.";
        let ticks: IntCounterVec = metric::counters(shown, "wasmyard_cron_ticks_total", help, &["result"])?;
        let of = |result| ticks.with_label_values(&[result]);
        Ok(CronFigures { handled: of("handled"), failed: of("failed"), missed: of("missed") })
    }
}

/// Runs scripts by their cron expressions. Several nodes may share a registry: each tick is run by one of them.
#[derive(Clone)]
pub struct Crons {
    registry: Registry,
    raise: Arc<dyn Raise>,
    config: CronConfig,
    figures: CronFigures,
    running: Places,
}

/// What is waited for when nothing more can be taken.
struct Wait {
    /// The next tick that will come.
    next: Option<Timestamp>,
    /// Whether something due waits for a place.
    for_a_place: bool,
}

impl Crons {
    /// A runner of what the registry says is due.
    #[must_use]
    pub fn new(registry: Registry, raise: Arc<dyn Raise>, config: CronConfig, figures: CronFigures) -> Crons {
        Crons { registry, raise, config, figures, running: Places::new(config.at_once, config.per_namespace) }
    }

    fn clock(&self) -> &Clock {
        self.registry.clock()
    }

    /// Runs what is due, as it comes, until `stop`; then takes nothing more and waits for what runs.
    ///
    /// # Cancel safety
    /// Dropping the future cancels what runs.
    pub async fn run(self, stop: impl Future<Output = ()>) {
        let mut stop = std::pin::pin!(stop);
        let mut tasks = JoinSet::new();
        loop {
            // Before looking, so that nothing that is made meanwhile is missed.
            let mut made = std::pin::pin!(self.registry.ticks_made());
            made.as_mut().enable();
            let mut freed = std::pin::pin!(self.running.freed());
            freed.as_mut().enable();
            let taken = tokio::select! {
                biased;
                () = &mut stop => break,
                taken = self.take_due(&mut tasks) => taken,
            };
            let now = self.clock().now();
            let (until, for_a_place) = match taken {
                Ok(wait) => {
                    (wait.next.map_or(now.later(LOOK), |next| next.min(now.later(LOOK))), wait.for_a_place)
                }
                Err(error) => {
                    tracing::warn!(%error, "scripts that are due by their cron expressions could not be looked for");
                    (now.later(AFTER_FAILURE), false)
                }
            };
            tokio::select! {
                biased;
                () = &mut stop => break,
                () = made => {}
                () = freed, if for_a_place => {}
                () = self.clock().sleep_until(until) => {}
            }
            while tasks.try_join_next().is_some() {}
        }
        while tasks.join_next().await.is_some() {}
    }

    /// Takes and begins what is due and has a place.
    async fn take_due(&self, tasks: &mut JoinSet<()>) -> Result<Wait, RegistryError> {
        let mut after: Option<String> = None;
        let mut for_a_place = false;
        loop {
            let page = self.registry.due_ticks(after.as_deref(), PAGE).await?;
            let mut taken: Vec<(DueTick, Place)> = Vec::new();
            let mut beyond = None;
            for due in &page.due {
                if taken.len() == TAKEN_TOGETHER {
                    beyond = Some(None);
                    break;
                }
                match self.running.take(due.script.namespace()) {
                    Ok(place) => taken.push((due.clone(), place)),
                    Err(Full::All) => {
                        self.begin(taken, tasks).await?;
                        return Ok(Wait { next: None, for_a_place: true });
                    }
                    Err(Full::Namespace) => {
                        for_a_place = true;
                        // Those of other namespaces do not wait for this one's.
                        beyond = Some(Some(due.behind_its_namespace()));
                        break;
                    }
                }
            }
            self.begin(taken, tasks).await?;
            match (beyond, page.after) {
                (Some(Some(behind)), _) => after = Some(behind),
                // Those that were taken are not there any more: the page is read again from where it began.
                (Some(None), _) => {}
                (None, Some(end)) => after = Some(end),
                (None, None) => return Ok(Wait { next: page.next, for_a_place }),
            }
        }
    }

    /// Takes ticks, several at the same time, and begins to run those that nobody else has taken.
    async fn begin(&self, due: Vec<(DueTick, Place)>, tasks: &mut JoinSet<()>) -> Result<(), RegistryError> {
        let taking = due.into_iter().map(|(due, place)| async move {
            let taken = self.registry.take_tick(&due, self.config.late).await;
            (due.script, place, taken)
        });
        let mut failed = None;
        for (script, place, taken) in futures::future::join_all(taking).await {
            match taken {
                Ok(taken) => {
                    for cron in &taken.missed {
                        tracing::warn!(%script, %cron, "ticks of a cron expression had come and were not run");
                        self.figures.missed.inc();
                    }
                    self.spawn(script, place, taken.ticks, tasks);
                }
                Err(error) => failed = Some(error),
            }
        }
        // Those that were taken run, whatever came of the others.
        failed.map_or(Ok(()), Err)
    }

    /// Runs a script for each of its ticks, one after the other: they share a place.
    fn spawn(&self, script: ScriptKey, place: Place, ticks: Vec<Tick>, tasks: &mut JoinSet<()>) {
        if ticks.is_empty() {
            return;
        }
        let this = self.clone();
        tasks.spawn(async move {
            for tick in ticks {
                this.handle(&script, tick).await;
            }
            drop(place);
        });
    }

    async fn handle(&self, script: &ScriptKey, tick: Tick) {
        let Tick { cron, due } = tick;
        let patience = self.clock().now().later(PATIENCE);
        loop {
            let event = Scheduled { cron: Arc::from(cron.as_str()), due: due.into() };
            let failure = match self.raise.raise(script.clone(), Event::Scheduled(event)).await {
                Ok(_) => return self.figures.handled.inc(),
                Err(failure) => failure,
            };
            // It has not begun: the tick is still to be run, where there is room soon.
            let again = not_begun(&failure).map(|pause| self.clock().now().later(pause));
            match again.filter(|again| *again <= patience) {
                Some(again) => self.clock().sleep_until(again).await,
                None => {
                    let (limit, detail) = (failure.limit(), failure.detail());
                    tracing::warn!(%script, %cron, %due, error = %failure, limit, detail, "a cron trigger failed");
                    return self.figures.failed.inc();
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
