//! What all buckets share: index and contents, once they are open, and what is under way.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use tokio::sync::Semaphore;
use wasmyard_model::Clock;

use crate::contents::Contents;
use crate::error::R2Error;
use crate::limits::R2Limits;
use crate::pins::Pins;
use crate::sqlite::{Freed, Index};
use crate::turns::Turns;

/// Where everything is kept.
pub(crate) type Opened = (Index, Arc<dyn Contents>);
/// What opens it.
pub(crate) type Open = dyn Fn() -> Result<Opened, R2Error> + Send + Sync;

pub(crate) struct Shared {
    /// None as long as the disk has no room for it to be opened.
    store: OnceLock<Opened>,
    open: Box<Open>,
    /// Held while it is opened: no two are.
    opening: Mutex<()>,
    pub(crate) clock: Clock,
    pub(crate) limits: R2Limits,
    pub(crate) turns: Turns,
    pub(crate) pins: Pins,
    /// Contents that are written, and that nothing names yet.
    pub(crate) loose: Mutex<HashSet<String>>,
    /// For work that is no bucket's own, one at a time; whether contents that nothing names were looked for.
    pub(crate) housework: Semaphore,
    pub(crate) looked_for_orphans: OnceLock<()>,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").field("store", &self.store.get()).finish_non_exhaustive()
    }
}

impl Shared {
    pub(crate) fn new(open: Box<Open>, clock: Clock, limits: R2Limits) -> Shared {
        Shared {
            store: OnceLock::new(),
            open,
            opening: Mutex::default(),
            clock,
            limits,
            turns: Turns::new(limits),
            pins: Pins::default(),
            loose: Mutex::default(),
            housework: Semaphore::new(1),
            looked_for_orphans: OnceLock::new(),
        }
    }

    pub(crate) fn store(&self) -> Result<&Opened, R2Error> {
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

    pub(crate) fn index(&self) -> Result<&Index, R2Error> {
        self.store().map(|(index, _)| index)
    }

    pub(crate) fn contents(&self) -> Result<&Arc<dyn Contents>, R2Error> {
        self.store().map(|(_, contents)| contents)
    }

    /// Both, if they were opened.
    pub(crate) fn opened(&self) -> Option<&Opened> {
        self.store.get()
    }

    /// In milliseconds since 1970.
    pub(crate) fn now(&self) -> u64 {
        self.clock.now().unix_micros() / 1_000
    }

    /// Removes contents that the index names no more, but for those that somebody reads: the sweep removes them later.
    pub(crate) async fn remove(&self, freed: Vec<Freed>) {
        let Ok(contents) = self.contents() else { return };
        for Freed { content, version } in freed {
            if self.pins.holds(&version) {
                continue;
            }
            if let Err(error) = contents.remove(&content).await {
                tracing::warn!(%error, content, "a content could not be removed; the sweep tries again");
            }
        }
    }
}
