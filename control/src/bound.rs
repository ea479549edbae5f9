//! What a version is about to be bound to, noted before the version is stored.
//!
//! Owns the one list of families whose resources note who is bound to them.

use wasmyard_namespaces::{BindingInput, ScriptKey};

use crate::{Control, Result};

impl Control {
    /// Notes a script with all that it is about to be bound to.
    ///
    /// # Errors
    /// That something is not there; or the failure of a store. Then nothing may be stored.
    pub(crate) async fn note_bindings(&self, key: &ScriptKey, inputs: &[BindingInput]) -> Result<()> {
        self.bind_kv(key, inputs).await?;
        self.bind_databases(key, inputs).await?;
        self.bind_queues(key, inputs).await?;
        self.bind_buckets(key, inputs).await?;
        self.bind_stored_secrets(key, inputs).await
    }
}
