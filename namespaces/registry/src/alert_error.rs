//! Why the registry refused something about notifications.
//!
//! Owns the variants and their texts.

/// Why the registry refused something about notifications. Safe to show.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AlertError {
    /// No webhook or policy with that id.
    #[error("there is no {what} {id}")]
    NotFound {
        /// "webhook" or "notification policy".
        what: &'static str,
        /// The id, shortened.
        id: String,
    },
    /// As many as there may be.
    #[error("there are {most} of them already, the most that are kept; delete some")]
    TooMany {
        /// How many.
        most: u64,
    },
    /// Policies name the webhook.
    #[error("the webhook is named by {by}; change these policies first")]
    InUse {
        /// Their names.
        by: String,
    },
}
