//! What the use cases need to know of an engine: whether a component can run.
//!
//! Owns the seam. The assembler supplies the engine, which keeps it out of this crate.

use async_trait::async_trait;
use bytes::Bytes;
use wasmyard_namespaces::{Digest, EventKind, LimitSpec};

/// The judge of components.
#[async_trait]
pub trait ComponentChecker: Send + Sync + 'static {
    /// Validates and compiles a component; returns when it is ready to serve. `asked` is what the version and its
    /// namespace ask for: the tightest of them and the platform's limits hold for its start, and say which artifact
    /// that is.
    ///
    /// # Errors
    /// A [`Refusal`], whose message the uploader sees.
    async fn check(
        &self,
        digest: &Digest,
        bytes: Bytes,
        asked: &[LimitSpec],
    ) -> std::result::Result<Checked, Refusal>;
}

/// A component that passed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked {
    /// Milliseconds from instantiation to the first call being possible.
    pub startup_time_ms: u64,
    /// What it handles.
    pub handlers: Vec<EventKind>,
    /// What it imports, as it names it.
    pub imports: Vec<String>,
}

/// A component that did not pass, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Whose fault it is.
    pub code: RefusalCode,
    /// The rule, the value, the remedy.
    pub message: String,
}

/// The two ways in which a component is refused, and those in which it could not be judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefusalCode {
    /// It breaks a rule.
    Invalid,
    /// It, or what it compiles to, is too large.
    TooLarge,
    /// Too much else is to be judged, and the call can be repeated.
    Busy,
    /// The checker itself failed; the message is for the log.
    Failed,
}
