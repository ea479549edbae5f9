//! Making code ready: loaded from disk, or compiled. A component is made ready once at a time for each way of metering,
//! in a task of its own: whoever asked may leave, and the work goes on for the next one who asks.
//!
//! What a component was refused for is remembered for a while, so that its visitors do not have it compiled again and
//! again. Must never decide how long a request waits: whoever asks does.

use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures::future::BoxFuture;
use tokio::sync::watch;
use tokio::time::Instant;
use wasmyard_namespaces::digest::Digest;
use wasmyard_namespaces::script::ScriptKey;

use super::engine::Metering;
use super::mapping::Key;
use super::module::{Module, ModuleError};
use super::places::Place;

/// How long it is remembered that a component cannot be made ready.
const REMEMBERED: Duration = Duration::from_secs(600);
/// Of how many components.
const MOST_REMEMBERED: usize = 1_024;

/// What came of it.
pub(super) type Made = Result<Arc<Module>, Arc<ModuleError>>;
/// Where a component's bytes come from, if they are needed.
pub(super) type Source = BoxFuture<'static, Result<Bytes, String>>;

/// What is to be made ready.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// How the guest's CPU time is going to be metered.
    pub metering: Metering,
    /// The component.
    pub digest: Digest,
    /// The script that it is for: named in the log. None where there is none yet.
    pub script: Option<ScriptKey>,
}

/// How far it is.
#[derive(Clone)]
enum Stage {
    /// Compiled code is looked for on the disk.
    Looking,
    /// There is none: the component is compiled, or waits for that.
    Compiling,
    Done(Made),
}

/// Code that is being made ready. It goes on when this is dropped.
pub struct Preparation {
    stage: watch::Receiver<Stage>,
}

impl Preparation {
    pub(super) fn ended(made: Made) -> Self {
        Self { stage: watch::channel(Stage::Done(made)).1 }
    }

    /// Waits until it is known whether compiled code was on the disk. None where the component has to be compiled, which
    /// may take minutes.
    ///
    /// # Errors
    ///
    /// As [`Preparation::done`].
    ///
    /// # Cancel safety
    ///
    /// Safe: the work goes on, and can be waited for again.
    pub async fn looked(&mut self) -> Result<Option<Arc<Module>>, Arc<ModuleError>> {
        match self.wait(|stage| !matches!(stage, Stage::Looking)).await {
            Stage::Done(made) => made.map(Some),
            Stage::Looking | Stage::Compiling => Ok(None),
        }
    }

    /// Waits for its end.
    ///
    /// # Errors
    ///
    /// Why it cannot be made ready.
    ///
    /// # Cancel safety
    ///
    /// Safe: the work goes on, and can be waited for again.
    pub async fn done(&mut self) -> Result<Arc<Module>, Arc<ModuleError>> {
        match self.wait(|stage| matches!(stage, Stage::Done(_))).await {
            Stage::Done(made) => made,
            Stage::Looking | Stage::Compiling => Err(Arc::new(ended_early())),
        }
    }

    async fn wait(&mut self, until: impl FnMut(&Stage) -> bool) -> Stage {
        match self.stage.wait_for(until).await {
            Ok(stage) => stage.clone(),
            // Its task is gone: the process is ending.
            Err(_closed) => Stage::Done(Err(Arc::new(ended_early()))),
        }
    }
}

fn ended_early() -> ModuleError {
    ModuleError::internal("making it ready ended early")
}

/// What is under way, and what was refused lately.
#[derive(Default)]
pub(super) struct Preparations {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    underway: HashMap<Key, watch::Receiver<Stage>>,
    refused: HashMap<Key, (Instant, Arc<ModuleError>)>,
}

/// By whom something is asked for.
pub(super) enum Asker {
    /// By a request: what was refused a moment ago is refused again.
    Request,
    /// By an upload: it is tried anew.
    Upload,
    /// By nobody: it has a place already, and compiles on it.
    Nobody(Place),
}

/// What came of wanting to begin.
pub(super) enum Begun {
    /// Somebody else has begun, or it was refused a moment ago.
    Before(Preparation),
    /// Whoever holds the [`Progress`] makes it ready now.
    Now(Preparation, Progress),
}

/// Tells those who wait how far it is.
pub(super) struct Progress(watch::Sender<Stage>);

impl Progress {
    /// There is no compiled code.
    pub(super) fn compiling(&self) {
        self.0.send_replace(Stage::Compiling);
    }
}

impl Preparations {
    /// Begins to make something ready, if nobody has.
    pub(super) fn begin(&self, key: Key, asker: &Asker) -> Begun {
        let mut state = self.lock();
        if let Some(stage) = state.underway.get(&key) {
            return Begun::Before(Preparation { stage: stage.clone() });
        }
        if let Asker::Request = asker
            && let Some(refused) = state.refused(&key)
        {
            return Begun::Before(Preparation::ended(Err(refused)));
        }
        let (told, stage) = watch::channel(Stage::Looking);
        state.underway.insert(key, stage.clone());
        Begun::Now(Preparation { stage }, Progress(told))
    }

    /// It is done, and whoever waits is told.
    pub(super) fn ended(&self, key: &Key, progress: &Progress, made: Made) {
        {
            let mut state = self.lock();
            state.underway.remove(key);
            match &made {
                Ok(_) => drop(state.refused.remove(key)),
                Err(error) if error.is_its_own() => state.remember(*key, Arc::clone(error)),
                Err(_) => {}
            }
        }
        // Afterwards: who is told looks for it among what is loaded.
        progress.0.send_replace(Stage::Done(made));
    }

    /// Forgets that a component was refused.
    pub(super) fn forget(&self, digest: &Digest) {
        self.lock().refused.retain(|(_, refused), _| refused != digest);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn refused(&mut self, key: &Key) -> Option<Arc<ModuleError>> {
        let (since, error) = self.refused.get(key)?;
        if since.elapsed() < REMEMBERED {
            return Some(Arc::clone(error));
        }
        self.refused.remove(key);
        None
    }

    fn remember(&mut self, key: Key, error: Arc<ModuleError>) {
        if self.refused.len() >= MOST_REMEMBERED {
            let oldest = self.refused.iter().min_by_key(|(_, (since, _))| *since).map(|(key, _)| *key);
            oldest.map(|oldest| self.refused.remove(&oldest));
        }
        self.refused.insert(key, (Instant::now(), error));
    }
}

/// Boxes a source.
pub(super) fn source(component: impl Future<Output = Result<Bytes, String>> + Send + 'static) -> Source {
    Box::pin(component)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(number: u16) -> Key {
        (Metering::Time, Digest::of(&number.to_be_bytes()))
    }

    fn refusal() -> Arc<ModuleError> {
        Arc::new(ModuleError::CoreModule)
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_refused_is_refused_again_for_a_while() {
        let mut state = State::default();
        state.remember(key(1), refusal());
        tokio::time::advance(REMEMBERED - Duration::from_millis(1)).await;
        assert!(state.refused(&key(1)).is_some());
        tokio::time::advance(Duration::from_millis(1)).await;
        assert!(state.refused(&key(1)).is_none() && state.refused.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn of_many_that_were_refused_the_last_ones_are_remembered() {
        let mut state = State::default();
        for number in 0..2_000 {
            state.remember(key(number), refusal());
            tokio::time::advance(Duration::from_millis(1)).await;
        }
        assert_eq!(state.refused.len(), MOST_REMEMBERED);
        assert!(state.refused(&key(1_999)).is_some() && state.refused(&key(0)).is_none());
    }
}
