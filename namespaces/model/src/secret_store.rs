//! Secrets that several scripts share: stores of them, each secret under a name of its own.
//!
//! Owns the rules of names, values and scopes. The values themselves are with the registry, sealed; nothing here holds one.
//! Source: <https://developers.cloudflare.com/secrets-store/>.

use serde::{Deserialize, Serialize};

use crate::ids::{SecretStoreId, StoredSecretId};
use crate::limits::secret_stores as limits;
use crate::timestamp::Timestamp;

/// Who may use a secret that is in this list: scripts.
pub const WORKERS: &str = "workers";

/// A store of secrets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecretStore {
    /// Its id.
    pub id: SecretStoreId,
    /// What it is called; no other store is.
    pub name: String,
    /// When it was made.
    pub created: Timestamp,
    /// When it last changed.
    pub modified: Timestamp,
}

/// What is known of a secret, without its value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredSecret {
    /// Its id.
    pub id: StoredSecretId,
    /// The store that it is in.
    pub store_id: SecretStoreId,
    /// What bindings name it by; no other secret of the store has this name.
    pub name: String,
    /// What somebody says of it.
    #[serde(default)]
    pub comment: String,
    /// Who may use it: scripts may, where `workers` is among them.
    pub scopes: Vec<String>,
    /// When it was made.
    pub created: Timestamp,
    /// When it last changed.
    pub modified: Timestamp,
}

impl StoredSecret {
    /// Whether scripts may be bound to it.
    #[must_use]
    pub fn is_for_scripts(&self) -> bool {
        self.scopes.iter().any(|scope| scope == WORKERS)
    }
}

/// Checks the name of a store or a secret: 1 to 255 letters, digits, `-` and `_`.
///
/// # Errors
/// The rule. Safe to show.
pub fn check_name(name: &str) -> Result<(), String> {
    let fits = (1..=limits::NAME_BYTES).contains(&name.len());
    if fits && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)) {
        return Ok(());
    }
    Err(format!("name: it has 1 to {} letters, digits, '-' and '_'; choose another", limits::NAME_BYTES))
}

/// Checks a value.
///
/// # Errors
/// The rule. Safe to show: it holds nothing of the value.
pub fn check_value(value: &str) -> Result<(), String> {
    if (1..=limits::VALUE_BYTES).contains(&value.len()) {
        return Ok(());
    }
    Err(format!("value: it has {} bytes, and must have 1 to {}", value.len(), limits::VALUE_BYTES))
}

/// Checks what is said of a secret.
///
/// # Errors
/// The rule. Safe to show.
pub fn check_comment(comment: &str) -> Result<(), String> {
    if comment.len() <= limits::COMMENT_BYTES {
        return Ok(());
    }
    Err(format!(
        "comment: it has {} bytes, more than the {} that it may; shorten it",
        comment.len(),
        limits::COMMENT_BYTES
    ))
}

/// Checks who may use a secret: 1 to 16 names of services.
///
/// # Errors
/// The rule. Safe to show.
pub fn check_scopes(scopes: &[String]) -> Result<(), String> {
    let is_name = |scope: &String| {
        (1..=64).contains(&scope.len()) && scope.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
    };
    if (1..=limits::SCOPES).contains(&scopes.len()) && scopes.iter().all(is_name) {
        return Ok(());
    }
    Err(format!(
        "scopes: 1 to {} names of services in lower case; write [\"{WORKERS}\"] for a secret of scripts",
        limits::SCOPES
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_breaks_a_rule_is_told_with_the_rule() {
        assert_eq!(check_name("API_KEY-2"), Ok(()));
        for wrong in ["", "a b", "a/b", "\u{e9}", &"x".repeat(256)] {
            assert!(check_name(wrong).unwrap_err().starts_with("name: it has 1 to 255"), "{wrong:?}");
        }
        assert_eq!(check_value(&"v".repeat(limits::VALUE_BYTES)), Ok(()));
        assert!(check_value("").unwrap_err().contains("0 bytes"));
        assert!(check_value(&"v".repeat(limits::VALUE_BYTES + 1)).unwrap_err().contains("32769 bytes"));
        let scopes =
            |texts: &[&str]| check_scopes(&texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>());
        assert_eq!(scopes(&["workers", "ai_gateway"]), Ok(()));
        for wrong in [&[][..], &["Workers"], &[""], &["a"; 17]] {
            assert!(scopes(wrong).is_err(), "{wrong:?}");
        }
    }
}
