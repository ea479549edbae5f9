//! Leases of a process that is gone, where the store belonged to it alone.

use super::{DUE, JOBS, JobRecord, LEASE};
use crate::collection::PAGE;
use crate::{Registry, Result};
use wasmyard_model::timestamp::Timestamp;

impl Registry {
    /// Has jobs done at once that somebody held who is gone: for a store that belongs to one process, when that begins. How
    /// often they were begun is still counted.
    ///
    /// # Errors
    /// [`crate::RegistryError::Store`] when the store fails.
    pub(crate) async fn free_leases(&self) -> Result<()> {
        let log = &self.inner.log;
        let now = self.inner.clock().now();
        // What is due already needs nothing, however much that is after a long pause.
        let mut after = Some(now.to_string());
        // A job that is held is due when its lease ends: no later than this.
        let end = now.later(LEASE);
        loop {
            let notes = log.page(&DUE, "", after.as_deref(), PAGE).await?;
            let Some(last) = notes.last() else { return Ok(()) };
            after = Some(last.id().to_owned());
            for note in &notes {
                let Some((due, id)) = note.id().split_once('/') else { continue };
                if due.parse::<Timestamp>().is_ok_and(|due| due > end) {
                    return Ok(());
                }
                let seen = log.read(&JOBS, id).await?;
                let Some(held) = seen.whole().filter(|record| record.holder.is_some()) else { continue };
                // Whose it was stays, so that it is told when it is taken over. Nobody else is there who could be faster.
                let free = JobRecord { due: now, ..held };
                self.inner.put_job(&seen, Some(free)).await?;
            }
        }
    }
}
