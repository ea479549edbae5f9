//! What a collection promises that is held in memory. Which those are is said in `feed`.

use async_trait::async_trait;
use wasmyard_stores::Revision;

use super::{Inner, RegistryEvent, Result};

/// A collection of which something is held in memory.
#[async_trait]
pub(super) trait Follow: Send + Sync {
    /// What its keys begin with.
    fn prefix(&self) -> &'static str;

    /// Reads all that is held of it; where nothing need be held, forgets it.
    async fn load(&self, registry: &Inner) -> Result<()>;

    /// Makes a change of the record with this id visible. Returns what to tell about it.
    async fn apply(&self, registry: &Inner, id: &str, change: Revision) -> Result<Option<RegistryEvent>>;
}
