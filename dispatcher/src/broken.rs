//! What whoever rolls back is told of a version that is watched.

use wasmyard_namespaces::script::ScriptKey;

/// A version that did not keep the rule of its deployment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    /// The script.
    pub script: ScriptKey,
    /// The deployment, by its id.
    pub deployment: String,
    /// What it did, in words.
    pub reason: String,
}
