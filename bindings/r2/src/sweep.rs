//! What goes by itself: contents that nothing names any more, and uploads that nobody completes.

use std::sync::PoisonError;

use crate::error::R2Error;
use crate::limits::UPLOAD_SECONDS;
use crate::service::R2;
use crate::sqlite::{Change, Freed};

impl R2 {
    /// Aborts uploads that are older than a week and removes contents that nothing names and nobody reads; once after each
    /// start also those that were being written when the process ended. Says how many contents.
    ///
    /// # Errors
    /// The store's failure.
    pub async fn sweep(&self) -> Result<u64, R2Error> {
        let shared = &self.shared;
        let closed = |error: tokio::sync::AcquireError| R2Error::store("sweep", error);
        let _alone = shared.housework.acquire().await.map_err(closed)?;
        let before = shared.now().saturating_sub(UPLOAD_SECONDS * 1_000);
        while shared.index()?.change(Change::Expire(before)).await?.done {
            // Between two pieces, whoever waits to write does.
            tokio::task::yield_now().await;
        }
        let mut removed = self.garbage().await?;
        if shared.looked_for_orphans.get().is_none() {
            removed += self.orphans().await?;
            shared.looked_for_orphans.get_or_init(|| ());
        }
        Ok(removed)
    }

    /// Removes what the index has let go of.
    async fn garbage(&self) -> Result<u64, R2Error> {
        let shared = &self.shared;
        let (mut removed, mut after) = (0, String::new());
        loop {
            let some = shared.index()?.garbage(&after).await?;
            let Some(last) = some.last() else { return Ok(removed) };
            after.clone_from(&last.content);
            let mut gone = Vec::new();
            for Freed { content, version } in some {
                if !shared.pins.holds(&version) {
                    shared.contents()?.remove(&content).await?;
                    gone.push(content);
                }
            }
            removed += gone.len() as u64;
            if !gone.is_empty() {
                shared.index()?.change(Change::Forget(gone)).await?;
            }
        }
    }

    /// Removes what was being written when a process ended.
    async fn orphans(&self) -> Result<u64, R2Error> {
        let shared = &self.shared;
        let mut removed = 0;
        for shard in 0..=u8::MAX {
            let names = shared.contents()?.names(shard).await?;
            let written: Vec<String> = {
                let loose = shared.loose.lock().unwrap_or_else(PoisonError::into_inner);
                // Whether it is being written is asked first: it is named before it is no more.
                names.into_iter().filter(|name| !loose.contains(name)).collect()
            };
            if written.is_empty() {
                continue;
            }
            for name in shared.index()?.unnamed(written).await? {
                tracing::info!(content = name, "removing a content that was never put");
                shared.contents()?.remove(&name).await?;
                removed += 1;
            }
        }
        Ok(removed)
    }
}
