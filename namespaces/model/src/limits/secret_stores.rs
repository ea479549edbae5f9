//! How many stores of secrets there may be, and how large a secret is.
//!
//! Owns the numbers. Never counts anything: the registry does.

use super::row::LimitRow;
use super::row::LimitScope::Upload;
use super::row::Unit::{self, Bytes, Count};

/// Stores.
pub const STORES: u64 = 100;
/// Secrets of one store.
pub const SECRETS: u64 = 1_000;
/// The longest value, in bytes.
pub const VALUE_BYTES: usize = 32 << 10;
/// The longest name of a store or a secret, in bytes.
pub const NAME_BYTES: usize = 255;
/// The longest comment, in bytes.
pub const COMMENT_BYTES: usize = 1_024;
/// The most services that may use one secret.
pub const SCOPES: usize = 16;

const fn row(name: &'static str, unit: Unit, most: u64, doc: &'static str) -> LimitRow {
    LimitRow { name, scope: Upload, unit, default: Some(most), min: 0, ceiling: most, doc }
}

/// The rows of the table of limits.
pub(super) const ROWS: &[LimitRow] = &[
    row("secret_stores", Count, STORES, "Stores of secrets."),
    row("stored_secrets", Count, SECRETS, "Secrets of one store."),
    row("stored_secret_bytes", Bytes, VALUE_BYTES as u64, "Value of a secret in a store."),
];
