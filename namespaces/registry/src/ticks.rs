//! When scripts are due by their cron expressions: the next tick of each, and who takes it.
//!
//! Owns the rule that no tick is taken twice, by however many nodes: taking one moves the script to its next tick in one
//! append, before anything runs. So a tick whose node dies while the script runs is not run again. What the expressions
//! are is the script's own record. Must never run anything.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::collection::{ATTEMPTS, Collection, PAGE, Seen, Transaction, step_aside};
use super::record::{PLATFORM_SCRIPTS, ScriptRecord, USER_SCRIPTS, script_of};
use super::{Inner, Registry, Result};
use crate::error::RegistryError;
use wasmyard_model::cron::Cron;
use wasmyard_model::name::{NamespaceName, ScriptName};
use wasmyard_model::script::{Script, ScriptKey};
use wasmyard_model::timestamp::Timestamp;

/// The next tick of each script that has cron expressions, by the key of the script's record. It goes with the script.
const NEXT: Collection<NextTick> = Collection::at("next-tick/");
/// The same by time: ids sort by the moment, then by the key of the script's record, so that those of a namespace that are
/// due at a moment stand together.
const TICKS: Collection<()> = Collection::at("tick/");

/// When a script is next to be run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct NextTick {
    at: Timestamp,
    /// Expressions that somebody asked to have run at once.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    asked: Vec<Cron>,
}

/// A script that is due, and that nobody has taken yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DueTick {
    /// Which script.
    pub script: ScriptKey,
    /// Since when it is due.
    pub at: Timestamp,
    /// The id of the note.
    id: String,
    /// The key of the script's record.
    record: String,
}

impl DueTick {
    /// A place behind all of the same moment and namespace, or behind all platform scripts of that moment.
    #[must_use]
    pub fn behind_its_namespace(&self) -> String {
        let within = self.id.rsplit_once('/').map_or(self.id.as_str(), |(within, _)| within);
        // What comes after every id that goes on with a slash.
        format!("{within}0")
    }
}

/// A page of scripts that are due.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DuePage {
    /// Those that are, the longest due first.
    pub due: Vec<DueTick>,
    /// When the next one will be, where the page reaches beyond now.
    pub next: Option<Timestamp>,
    /// Where the next page begins; none where this is the last.
    pub after: Option<String>,
}

/// A tick that was taken here, and by nobody else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tick {
    /// The expression.
    pub cron: Cron,
    /// The minute that it names, or when somebody asked.
    pub due: Timestamp,
}

/// What came of taking a script's tick.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Taken {
    /// What is to be run; nothing where another node was faster.
    pub ticks: Vec<Tick>,
    /// Expressions whose ticks had come and are not made up for.
    pub missed: Vec<Cron>,
}

impl Registry {
    /// Resolves when the expressions of some script were changed through this registry after the call. A node that others
    /// share the store with has to look now and then as well.
    pub fn ticks_made(&self) -> tokio::sync::futures::Notified<'_> {
        self.inner.ticks_made.notified()
    }

    /// Scripts that are due, behind a place in the list: `limit` at most.
    ///
    /// # Errors
    /// [`RegistryError::Store`] when the store fails.
    pub async fn due_ticks(&self, after: Option<&str>, limit: usize) -> Result<DuePage> {
        let inner = &self.inner;
        let now = inner.clock().now();
        let notes = inner.log.page(&TICKS, "", after, limit).await?;
        let mut page = DuePage::default();
        for note in &notes {
            let Some((at, record)) = note.id().split_once('/') else { continue };
            let Ok(at) = at.parse::<Timestamp>() else { continue };
            if at > now {
                page.next = Some(at);
                return Ok(page);
            }
            // Those of a namespace that is gone are being removed.
            if let Some(script) = inner.script_at(record) {
                page.due.push(DueTick { script, at, id: note.id().to_owned(), record: record.to_owned() });
            }
        }
        page.after = notes.last().filter(|_| notes.len() == limit).map(|last| last.id().to_owned());
        Ok(page)
    }

    /// Takes the ticks of a script that is due: of each expression the last one that has come, if that was no longer ago than
    /// `late`. The script is due again at the next one.
    ///
    /// # Errors
    /// [`RegistryError::Store`] when the store fails. Then nothing is taken.
    pub async fn take_tick(&self, due: &DueTick, late: Duration) -> Result<Taken> {
        let inner = &self.inner;
        for attempt in 0..ATTEMPTS {
            let now = inner.clock().now();
            let seen = inner.log.read(&NEXT, &due.record).await?;
            let state = seen.whole();
            let mut transaction = Transaction::default();
            transaction.make_room();
            let taken = if state.as_ref().is_some_and(|state| state.at != due.at) {
                // Another node was faster, and the note is gone; or it was left by a record that was damaged.
                transaction.delete_with(&seen, &TICKS, &due.id);
                Taken::default()
            } else {
                let (script_seen, script) = inner.script_of_record(&due.record, &due.script).await?;
                let crons: Vec<Cron> = script.iter().flat_map(Script::crons).cloned().collect();
                // The expressions are those of this very record.
                transaction.expect(&script_seen);
                if state.is_none() {
                    // Nothing leads to the note any more.
                    transaction.delete_with(&seen, &TICKS, &due.id);
                }
                move_to(&mut transaction, &seen, next(&crons, now))?;
                state.map(|state| taken(&crons, &state, now, late)).unwrap_or_default()
            };
            match inner.log.commit(&transaction).await {
                Ok(_) => return Ok(taken),
                Err(RegistryError::Conflict(_)) => step_aside(attempt).await,
                Err(error) => return Err(error),
            }
        }
        Ok(Taken::default())
    }

    /// Has a script run at once for one of its expressions, beside its schedule. It does when whoever takes ticks sees it.
    ///
    /// # Errors
    /// [`RegistryError::ScriptNotFound`]; [`RegistryError::Invalid`] where it has no such expression;
    /// [`RegistryError::Store`].
    pub async fn run_cron_soon(&self, key: &ScriptKey, cron: &Cron) -> Result<()> {
        let inner = &self.inner;
        let not_found = || RegistryError::ScriptNotFound(key.clone());
        for attempt in 0..ATTEMPTS {
            let record = inner.record_key(key).ok_or_else(not_found)?;
            let (script_seen, script) = inner.script_of_record(&record, key).await?;
            let script = script.ok_or_else(not_found)?;
            if !script.crons().any(|known| known == cron) {
                let known: Vec<&str> = script.crons().map(Cron::as_str).collect();
                return Err(RegistryError::Invalid(format!(
                    "the script {key} has no cron expression \"{cron}\"; it has {known:?}"
                )));
            }
            let now = inner.clock().now();
            let seen = inner.log.read(&NEXT, &record).await?;
            let before = seen.whole();
            // A tick that has come and was not taken yet is still to be.
            let at = before.as_ref().map_or(now, |state| state.at.min(now));
            let mut asked = before.map(|state| state.asked).unwrap_or_default();
            if !asked.contains(cron) {
                asked.push(cron.clone());
            }
            let mut transaction = Transaction::default();
            transaction.expect(&script_seen);
            move_to(&mut transaction, &seen, Some(NextTick { at, asked }))?;
            match inner.log.commit(&transaction).await {
                Ok(_) => {
                    inner.ticks_made.notify_waiters();
                    return Ok(());
                }
                Err(RegistryError::Conflict(_)) => step_aside(attempt).await,
                Err(error) => return Err(error),
            }
        }
        Err(RegistryError::Conflict(format!("the schedule of {key}")))
    }
}

/// What is to be run now, and what has come and is too long ago.
fn taken(crons: &[Cron], state: &NextTick, now: Timestamp, late: Duration) -> Taken {
    let mut taken = Taken::default();
    for cron in crons {
        if state.asked.contains(cron) {
            taken.ticks.push(Tick { cron: cron.clone(), due: now });
        }
        // A script that was asked for before its time is due since that moment, which may be no tick of this expression.
        let Some(last) = cron.until(now).filter(|last| *last >= state.at) else { continue };
        if now.since(last) <= late {
            taken.ticks.push(Tick { cron: cron.clone(), due: last });
        }
        let before = last.earlier(Duration::from_micros(1));
        let one_more = cron.until(before).is_some_and(|earlier| earlier >= state.at);
        if one_more || now.since(last) > late {
            taken.missed.push(cron.clone());
        }
    }
    taken
}

/// When a script with these expressions is next due.
fn next(crons: &[Cron], now: Timestamp) -> Option<NextTick> {
    let at = crons.iter().filter_map(|cron| cron.after(now)).min()?;
    Some(NextTick { at, asked: Vec::new() })
}

/// Writes when a script is due in place of what was seen.
fn move_to(transaction: &mut Transaction, seen: &Seen<NextTick>, next: Option<NextTick>) -> Result<()> {
    // One that is damaged is written anew.
    let before = seen.whole().map(|before| tick_id(before.at, seen.id()));
    let after = next.as_ref().map(|next| tick_id(next.at, seen.id()));
    if before != after {
        before.iter().for_each(|id| transaction.delete_with(seen, &TICKS, id));
        if let Some(id) = &after {
            transaction.put_with(seen, &TICKS, id, &())?;
        }
    }
    match next {
        Some(next) => transaction.put(seen, &next),
        None if seen.exists() => {
            transaction.delete(seen);
            Ok(())
        }
        None => {
            transaction.expect(seen);
            Ok(())
        }
    }
}

fn tick_id(at: Timestamp, record: &str) -> String {
    format!("{at}/{record}")
}

impl Inner {
    /// Says in the transaction of a script's change when it is due from then on. `before` is none for one that is new, and for
    /// one that cannot be read.
    pub(super) async fn write_ticks(
        &self,
        transaction: &mut Transaction,
        script: &Seen<ScriptRecord>,
        before: Option<&Script>,
        after: Option<&Script>,
    ) -> Result<()> {
        let same = match (before, after) {
            (Some(before), Some(after)) => before.crons().eq(after.crons()),
            // One of that name that was deleted with others may have left its own.
            (None, Some(after)) => after.schedules.is_empty() && !self.has_ticks(script).await?,
            (Some(before), None) => before.schedules.is_empty(),
            // It cannot be read: what it had is not known.
            (None, None) => false,
        };
        if same {
            return Ok(());
        }
        let seen = self.log.read(&NEXT, script.key()).await?;
        let crons: Vec<Cron> = after.into_iter().flat_map(Script::crons).cloned().collect();
        move_to(transaction, &seen, next(&crons, self.clock().now()))
    }

    /// Whether a script is due at some time.
    pub(super) async fn has_ticks(&self, script: &Seen<ScriptRecord>) -> Result<bool> {
        Ok(self.log.read(&NEXT, script.key()).await?.exists())
    }

    /// Removes the ticks of all scripts whose records' keys begin like this: they are gone.
    pub(super) async fn purge_ticks(&self, scripts: &str) -> Result<()> {
        let mut attempt = 0;
        loop {
            let page = self.log.page(&NEXT, scripts, None, PAGE).await?;
            if page.is_empty() {
                return Ok(());
            }
            let mut transaction = Transaction::default();
            for seen in &page {
                move_to(&mut transaction, seen, None)?;
            }
            self.log.commit_page(&transaction, &mut attempt).await?;
        }
    }

    /// The script whose record has this key; none where there is no such namespace.
    pub(super) fn script_at(&self, record: &str) -> Option<ScriptKey> {
        if let Some(script) = record.strip_prefix(PLATFORM_SCRIPTS.prefix()) {
            return ScriptName::parse(script).ok().map(ScriptKey::Platform);
        }
        let (id, script) = record.strip_prefix(USER_SCRIPTS.prefix())?.split_once('/')?;
        let namespace: NamespaceName = self.namespaces.load().with_id(id)?.namespace.name.clone();
        Some(ScriptKey::user(namespace, ScriptName::parse(script).ok()?))
    }

    /// A script by the key of its record.
    async fn script_of_record(
        &self,
        record: &str,
        key: &ScriptKey,
    ) -> Result<(Seen<ScriptRecord>, Option<Script>)> {
        let (of, id) = match record.strip_prefix(USER_SCRIPTS.prefix()) {
            Some(id) => (&USER_SCRIPTS, id),
            None => (&PLATFORM_SCRIPTS, record.strip_prefix(PLATFORM_SCRIPTS.prefix()).unwrap_or_default()),
        };
        let seen = self.log.read(of, id).await?;
        let script = script_of(&seen, key.clone())?;
        Ok((seen, script))
    }
}
