//! Jobs: work that is due at some time, and is done once, by whichever node is there.
//!
//! Owns the records of jobs and of when each is due, and the lease under which one is worked on. A job survives the
//! process: one that was begun by a node that is gone is due again when its lease ends, and is tried with a count of
//! how often that happened. So what a job does must bear to be done twice. What a job is for is known by its kind
//! alone. Times are those of the registry's clock; nothing here sleeps but [`Jobs::run`].

use std::collections::HashMap;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};

use super::collection::{ATTEMPTS, Collection, Seen, Transaction, step_aside};
use super::{Inner, Registry, Result};
use crate::error::RegistryError;
use wasmyard_model::clock::Clock;
use wasmyard_model::timestamp::Timestamp;

pub use done::Done;

mod done;
mod leases;

/// Jobs, by kind and key.
const JOBS: Collection<JobRecord> = Collection::at("job/");
/// When each is due: ids sort by time, and the record is the job's id.
const DUE: Collection<String> = Collection::at("job-due/");

/// How long a job may be worked on before another node may take it; a worker asks for more in time.
const LEASE: Duration = Duration::from_secs(60);
/// A worker asks for more when this part of the lease is over.
const RENEW: Duration = Duration::from_secs(20);
/// How long a job that failed waits at first, doubled each time.
const FIRST_PAUSE: Duration = Duration::from_secs(30);
const LONGEST_PAUSE: Duration = Duration::from_secs(3_600);
/// How often a node looks for jobs that others made.
const LOOK: Duration = Duration::from_secs(30);
/// Most jobs that one node works on at once.
const AT_ONCE: usize = 4;

/// A job in the store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct JobRecord {
    /// When it is to be done, or while it is worked on, when another node may take it.
    due: Timestamp,
    /// How often it was begun and not finished.
    #[serde(default)]
    attempt: u32,
    /// Who works on it; none while nobody does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    holder: Option<String>,
    /// Whether it was asked for again while somebody works on it: what that worker saw may be old.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    again: bool,
}

impl JobRecord {
    /// One that nobody works on.
    fn due(due: Timestamp) -> JobRecord {
        JobRecord { due, attempt: 0, holder: None, again: false }
    }
}

/// A job that is worked on here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    /// What it is for.
    pub kind: String,
    /// Which one of its kind.
    pub key: String,
    /// How often it was begun before and not finished: 0 the first time.
    pub attempt: u32,
}

/// The work of one kind of job.
type Work = Arc<dyn Fn(Job) -> BoxFuture<'static, Done> + Send + Sync>;

/// The jobs of a registry.
#[derive(Clone)]
pub struct Jobs {
    registry: Registry,
    /// Tells this worker from those of other nodes, and from its own earlier lives.
    worker: String,
    kinds: HashMap<&'static str, Work>,
}

impl Registry {
    /// A worker on this registry's jobs, which knows no kind yet.
    #[must_use]
    pub fn jobs(&self) -> Jobs {
        let worker = uuid::Uuid::new_v4().simple().to_string();
        Jobs { registry: self.clone(), worker, kinds: HashMap::new() }
    }

    /// Makes a job that is due at a moment, unless it is there already: then that one stays as it is. `kind` and `key`
    /// have no slash.
    ///
    /// # Errors
    /// [`RegistryError::Store`] when the store fails.
    pub async fn schedule(&self, kind: &str, key: &str, due: Timestamp) -> Result<()> {
        let log = &self.inner.log;
        for attempt in 0..ATTEMPTS {
            let seen = log.read(&JOBS, &job_id(kind, key)).await?;
            if seen.exists() {
                return Ok(());
            }
            if self.inner.put_job(&seen, Some(JobRecord::due(due))).await? {
                self.inner.jobs_made.notify_waiters();
                return Ok(());
            }
            step_aside(attempt).await;
        }
        Err(RegistryError::Conflict(format!("job {kind} {key}")))
    }

    /// Has a job done at once: one that is due later is due now, one that is worked on is done once more, and where there
    /// is none it is made. `kind` and `key` have no slash.
    ///
    /// # Errors
    /// [`RegistryError::Store`] when the store fails.
    pub async fn do_soon(&self, kind: &str, key: &str) -> Result<()> {
        let now = self.inner.clock().now();
        for attempt in 0..ATTEMPTS {
            let seen = self.inner.log.read(&JOBS, &job_id(kind, key)).await?;
            let wanted = match seen.record()? {
                Some(record) if record.holder.is_some() => JobRecord { again: true, ..record },
                Some(record) if record.due <= now => return Ok(()),
                Some(_) | None => JobRecord::due(now),
            };
            if self.inner.put_job(&seen, Some(wanted)).await? {
                self.inner.jobs_made.notify_waiters();
                return Ok(());
            }
            step_aside(attempt).await;
        }
        Err(RegistryError::Conflict(format!("job {kind} {key}")))
    }
}

fn job_id(kind: &str, key: &str) -> String {
    format!("{kind}/{key}")
}

/// Sorts by time, whatever the job.
fn due_id(due: Timestamp, id: &str) -> String {
    format!("{due}/{id}")
}

/// Writes a job in place of what was seen, and when it is due.
fn put(transaction: &mut Transaction, seen: &Seen<JobRecord>, record: JobRecord) -> Result<()> {
    if seen.record()?.map(|before| before.due) != Some(record.due) {
        remove_due(transaction, seen)?;
        transaction.put_with(seen, &DUE, &due_id(record.due, seen.id()), &seen.id().to_owned())?;
    }
    transaction.put(seen, &record)
}

/// Takes the note away that says when a job is due.
fn remove_due(transaction: &mut Transaction, seen: &Seen<JobRecord>) -> Result<()> {
    if let Some(before) = seen.record()? {
        transaction.delete_with(seen, &DUE, &due_id(before.due, seen.id()));
    }
    Ok(())
}

impl Jobs {
    /// Says how jobs of a kind are done.
    #[must_use]
    pub fn on<F>(mut self, kind: &'static str, work: impl Fn(Job) -> F + Send + Sync + 'static) -> Jobs
    where
        F: Future<Output = Done> + Send + 'static,
    {
        self.kinds.insert(kind, Arc::new(move |job| work(job).boxed()));
        self
    }

    /// Does what is due, as it comes, until it is dropped.
    pub async fn run(&self) {
        let clock = self.clock().clone();
        loop {
            // Before looking, so that what is made meanwhile is not missed.
            let mut made = std::pin::pin!(self.registry.inner.jobs_made.notified());
            made.as_mut().enable();
            let next = match self.run_due().await {
                Ok(next) => next,
                Err(error) => {
                    tracing::warn!(%error, "jobs that are due could not be looked for");
                    None
                }
            };
            let look = clock.now().later(LOOK);
            tokio::select! {
                () = clock.sleep_until(next.map_or(look, |next| next.min(look))) => {}
                () = made => {}
            }
        }
    }

    /// Does all that is due now and that no other node works on. Returns when the next job is due.
    ///
    /// # Errors
    /// [`RegistryError::Store`] when the store fails.
    pub async fn run_due(&self) -> Result<Option<Timestamp>> {
        let inner = &self.registry.inner;
        loop {
            let mut begun = Vec::new();
            let mut next = None;
            let mut after: Option<String> = None;
            while begun.len() < AT_ONCE {
                let Some(note) = inner.log.page(&DUE, "", after.as_deref(), 1).await?.pop() else { break };
                after = Some(note.id().to_owned());
                let Some((due, id)) = note.id().split_once('/') else { continue };
                let Ok(due) = due.parse::<Timestamp>() else { continue };
                if due > self.clock().now() {
                    next = Some(due);
                    break;
                }
                // Of a kind that another version of the program knows.
                let Some(work) = id.split_once('/').and_then(|(kind, _)| self.kinds.get(kind)) else {
                    continue;
                };
                if let Some(job) = self.begin(id).await? {
                    begun.push(self.work(job, Arc::clone(work)));
                }
            }
            if begun.is_empty() {
                return Ok(next);
            }
            for done in futures::future::join_all(begun).await {
                done?;
            }
        }
    }

    fn clock(&self) -> &Clock {
        self.registry.inner.clock()
    }

    /// Takes a job that is due. None when another node was faster.
    async fn begin(&self, id: &str) -> Result<Option<Job>> {
        let inner = &self.registry.inner;
        let seen = inner.log.read(&JOBS, id).await?;
        let Some(record) = seen.record()?.filter(|record| record.due <= self.clock().now()) else {
            return Ok(None);
        };
        let attempt = record.attempt;
        let held = JobRecord {
            due: self.clock().now().later(LEASE),
            attempt: attempt.saturating_add(1),
            holder: Some(self.worker.clone()),
            again: false,
        };
        if record.holder.is_some() {
            tracing::info!(
                job = id,
                attempt,
                "a job that was begun elsewhere and not finished is taken over"
            );
        }
        if !inner.put_job(&seen, Some(held)).await? {
            return Ok(None);
        }
        Ok(id.split_once('/').map(|(kind, key)| Job { kind: kind.to_owned(), key: key.to_owned(), attempt }))
    }

    /// Works on a job, keeps its lease meanwhile, and says what becomes of it.
    async fn work(&self, job: Job, work: Work) -> Result<()> {
        let id = job_id(&job.kind, &job.key);
        let attempt = job.attempt;
        let mut working = std::pin::pin!(work(job));
        let done = loop {
            let renew = self.clock().now().later(RENEW);
            tokio::select! {
                biased;
                done = &mut working => break done,
                () = self.clock().sleep_until(renew) => {
                    let due = self.clock().now().later(LEASE);
                    if !self.change_own(&id, |record| Some(JobRecord { due, ..record })).await? {
                        tracing::warn!(job = id, "a job is let go: its lease ended, and another node has it");
                        return Ok(());
                    }
                }
            }
        };
        let now = self.clock().now();
        let later = |by| Some(JobRecord::due(now.later(by)));
        let is_own = self
            .change_own(&id, |record| match &done {
                _ if record.again => later(Duration::ZERO),
                Done::Finished => None,
                Done::Again(after) => later(*after),
                Done::Failed(reason) => {
                    let pause = FIRST_PAUSE.saturating_mul(1 << attempt.min(10)).min(LONGEST_PAUSE);
                    tracing::warn!(
                        job = id,
                        attempt,
                        reason,
                        pause_seconds = pause.as_secs(),
                        "a job failed"
                    );
                    Some(JobRecord { due: now.later(pause), holder: None, ..record })
                }
            })
            .await?;
        if !is_own {
            tracing::warn!(job = id, "a job was done after its lease: another node may have done it as well");
        }
        Ok(())
    }

    /// Changes a job that this worker holds. False when it does not hold it any more.
    async fn change_own(&self, id: &str, change: impl Fn(JobRecord) -> Option<JobRecord>) -> Result<bool> {
        let inner = &self.registry.inner;
        for attempt in 0..ATTEMPTS {
            let seen = inner.log.read(&JOBS, id).await?;
            let own = seen.record()?.filter(|record| record.holder.as_deref() == Some(self.worker.as_str()));
            let Some(record) = own else { return Ok(false) };
            if inner.put_job(&seen, change(record)).await? {
                return Ok(true);
            }
            step_aside(attempt).await;
        }
        Ok(false)
    }
}

impl Inner {
    /// Makes a job that is due now, where there is none, as a part of a transaction.
    pub(super) async fn job_soon(&self, transaction: &mut Transaction, kind: &str, key: &str) -> Result<()> {
        let seen = self.log.read(&JOBS, &job_id(kind, key)).await?;
        if seen.exists() {
            return Ok(());
        }
        put(transaction, &seen, JobRecord::due(self.clock().now()))
    }

    /// Has a job done, or done once more where somebody works on it, as a part of a transaction.
    pub(super) async fn job_again(&self, transaction: &mut Transaction, kind: &str, key: &str) -> Result<()> {
        let seen = self.log.read(&JOBS, &job_id(kind, key)).await?;
        let record = match seen.record()? {
            Some(record) if record.holder.is_some() => JobRecord { again: true, ..record },
            Some(_) | None => JobRecord::due(self.clock().now()),
        };
        put(transaction, &seen, record)
    }

    /// Has a job done when it is due, and after this, as a part of a transaction: one that is there must not end before it has
    /// seen what the transaction wrote, and keeps its pause.
    pub(super) async fn job_stays(&self, transaction: &mut Transaction, kind: &str, key: &str) -> Result<()> {
        let seen = self.log.read(&JOBS, &job_id(kind, key)).await?;
        match seen.record()? {
            Some(record) if record.holder.is_some() => {
                put(transaction, &seen, JobRecord { again: true, ..record })
            }
            Some(_) => {
                transaction.expect(&seen);
                Ok(())
            }
            None => put(transaction, &seen, JobRecord::due(self.clock().now())),
        }
    }

    /// Writes a job in place of what was seen, or removes it. False when somebody was faster.
    async fn put_job(&self, seen: &Seen<JobRecord>, record: Option<JobRecord>) -> Result<bool> {
        let mut transaction = Transaction::default();
        // A sweep is a job: it must work on a full disk.
        transaction.make_room();
        match record {
            Some(record) => put(&mut transaction, seen, record)?,
            None => {
                remove_due(&mut transaction, seen)?;
                transaction.delete(seen);
            }
        }
        match self.log.commit(&transaction).await {
            Ok(_) => Ok(true),
            Err(RegistryError::Conflict(_)) => Ok(false),
            Err(error) => Err(error),
        }
    }
}

impl std::fmt::Debug for Jobs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Jobs").field("kinds", &self.kinds.keys()).finish_non_exhaustive()
    }
}
