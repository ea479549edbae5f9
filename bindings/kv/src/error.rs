//! Why something cannot be done with keys and values.
//!
//! Owns the one error of the crate. Its texts are safe to show, but for those of [`KvError::is_internal`], which are for
//! the log. Must never hold a value.

use wasmyard_model::KvNamespaceId;

/// Why something cannot be done.
#[derive(Debug, thiserror::Error)]
pub enum KvError {
    /// There is no such namespace.
    #[error("there is no KV namespace \"{0}\"; list the namespaces for those there are")]
    NamespaceNotFound(KvNamespaceId),
    /// Another namespace has that title.
    #[error("a KV namespace with the title {title:?} exists already; choose another title")]
    TitleTaken {
        /// The title.
        title: String,
    },
    /// What was given breaks a rule; the text names field, value and remedy.
    #[error("{0}")]
    Invalid(String),
    /// Something is larger than it may be.
    #[error("{what} has {found} bytes, and at most {most} are allowed; make it shorter")]
    TooLarge {
        /// What: the key, the value, the metadata.
        what: &'static str,
        /// How large it is.
        found: u64,
        /// How large it may be.
        most: u64,
    },
    /// The namespace holds as much as it may.
    #[error(
        "the KV namespace holds as many {unit} as it may: {limit} is {most}; delete keys, or let them expire"
    )]
    Quota {
        /// The limit's name.
        limit: &'static str,
        /// What it counts.
        unit: &'static str,
        /// The limit.
        most: u64,
    },
    /// Whoever reads has no room for the value.
    #[error("the value has {size} bytes, and there is room for {room}")]
    NoRoom {
        /// The value's size.
        size: u64,
        /// The reader's room.
        room: u64,
    },
    /// Too much is under way in this namespace.
    #[error("too many operations on this KV namespace wait already ({most} may); try again in a moment")]
    Busy {
        /// How many may wait.
        most: usize,
    },
    /// The disk is full.
    #[error("the disk is full: keys and values cannot be written; make room on it")]
    Full,
    /// The store failed.
    #[error("the KV store could not {action}: {source}")]
    Store {
        /// What it was to do.
        action: &'static str,
        /// Why it could not.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl KvError {
    /// A failure of the store.
    pub fn store(
        action: &'static str,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> KvError {
        KvError::Store { action, source: source.into() }
    }

    /// Whether the text is for the log alone.
    #[must_use]
    pub const fn is_internal(&self) -> bool {
        matches!(self, KvError::Store { .. })
    }
}
