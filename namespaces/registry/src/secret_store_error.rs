//! Why the registry refused something about stores of secrets.
//!
//! Owns the variants and their texts. Must never hold a value.

/// Why the registry refused something about stores of secrets. Safe to show.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SecretStoreError {
    /// No store or secret with that id or name.
    #[error("there is no {what} {id}; list those that there are")]
    NotFound {
        /// "store" or "secret".
        what: &'static str,
        /// The id or name, shortened.
        id: String,
    },
    /// There is one of that name.
    #[error("there is a {what} \"{name}\" already; choose another name, or change that one")]
    Exists {
        /// "store" or "secret".
        what: &'static str,
        /// The name.
        name: String,
    },
    /// As many as there may be.
    #[error("there can be {most} {what} at most; delete some")]
    TooMany {
        /// "stores" or "secrets".
        what: &'static str,
        /// How many.
        most: u64,
    },
    /// The secret is for other services.
    #[error("the secret \"{name}\" is not for scripts; add \"workers\" to its scopes")]
    NotForScripts {
        /// Its name.
        name: String,
    },
}
