//! What a statement may do: SQLite's authorizer, and the settings of a connection that hold against what it lets through.
//!
//! Owns the list of pragmas and of what is refused. A statement is judged while it is prepared, by what it would do and
//! not by its text. Must never let a statement reach another file, a setting of the file, or a transaction of ours.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rusqlite::Connection;
use rusqlite::config::DbConfig;
use rusqlite::hooks::{AuthAction, AuthContext, Authorization};
use rusqlite::limits::Limit;

use crate::limits::{MAX_PARAMETERS, MAX_STATEMENT_BYTES};

/// Pragmas that only look.
const LOOKING: &[&str] = &[
    // Full-text search asks it with each statement.
    "data_version",
    "foreign_key_check",
    "foreign_key_list",
    "index_info",
    "index_list",
    "index_xinfo",
    "optimize",
    "page_count",
    "quick_check",
    "table_info",
    "table_list",
    "table_xinfo",
];

/// Pragmas that hold until the end of the call, and what holds then.
const SETTINGS: &[(&str, &str)] = &[
    ("case_sensitive_like", "OFF"),
    ("defer_foreign_keys", "OFF"),
    ("foreign_keys", "ON"),
    ("ignore_check_constraints", "OFF"),
    ("legacy_alter_table", "OFF"),
    ("recursive_triggers", "OFF"),
    ("reverse_unordered_selects", "OFF"),
];

/// Kinds of virtual tables.
const MODULES: &[&str] = &["fts5", "fts5vocab"];

/// Functions that reach out of the database.
const FUNCTIONS: &[&str] = &["load_extension", "fts3_tokenizer"];

/// What a connection's authorizer goes by.
#[derive(Debug, Default)]
pub(crate) struct Guard {
    /// Whether what is prepared now is ours.
    ours: AtomicBool,
    /// Whether a setting was changed since that was last asked.
    set: AtomicBool,
}

impl Guard {
    /// Puts a guard over a connection.
    pub(crate) fn over(
        connection: &mut Connection,
        columns: i32,
        value_bytes: i32,
    ) -> rusqlite::Result<Arc<Guard>> {
        for (config, on) in [
            (DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true),
            (DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false),
            (DbConfig::SQLITE_DBCONFIG_DQS_DDL, false),
            (DbConfig::SQLITE_DBCONFIG_DQS_DML, false),
            (DbConfig::SQLITE_DBCONFIG_ENABLE_FTS3_TOKENIZER, false),
            (DbConfig::SQLITE_DBCONFIG_ENABLE_VIEW, true),
        ] {
            connection.set_db_config(config, on)?;
        }
        let bytes = |bytes: usize| i32::try_from(bytes).unwrap_or(i32::MAX);
        for (limit, most) in [
            (Limit::SQLITE_LIMIT_LENGTH, value_bytes),
            (Limit::SQLITE_LIMIT_SQL_LENGTH, bytes(MAX_STATEMENT_BYTES)),
            (Limit::SQLITE_LIMIT_COLUMN, columns),
            (Limit::SQLITE_LIMIT_EXPR_DEPTH, 100),
            (Limit::SQLITE_LIMIT_COMPOUND_SELECT, 50),
            (Limit::SQLITE_LIMIT_VDBE_OP, 250_000),
            (Limit::SQLITE_LIMIT_FUNCTION_ARG, 100),
            (Limit::SQLITE_LIMIT_ATTACHED, 0),
            (Limit::SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 50),
            (Limit::SQLITE_LIMIT_VARIABLE_NUMBER, bytes(MAX_PARAMETERS)),
            (Limit::SQLITE_LIMIT_TRIGGER_DEPTH, 10),
            (Limit::SQLITE_LIMIT_WORKER_THREADS, 0),
        ] {
            connection.set_limit(limit, most)?;
        }
        let guard = Arc::new(Guard::default());
        let asked = Arc::clone(&guard);
        connection.authorizer(Some(move |context: AuthContext<'_>| asked.judge(&context)))?;
        Ok(guard)
    }

    /// Does something of ours, which is not judged.
    pub(crate) fn trusting<T>(&self, ours: impl FnOnce() -> T) -> T {
        self.ours.store(true, Ordering::Relaxed);
        let done = ours();
        self.ours.store(false, Ordering::Relaxed);
        done
    }

    /// Whether what was just prepared changes a setting.
    pub(crate) fn is_set(&self) -> bool {
        self.set.load(Ordering::Relaxed)
    }

    /// Has every setting be as it was before the call, if one was changed.
    pub(crate) fn unset(&self, connection: &Connection) -> rusqlite::Result<()> {
        if !self.set.swap(false, Ordering::Relaxed) {
            return Ok(());
        }
        self.trusting(|| {
            SETTINGS.iter().try_for_each(|(name, value)| connection.pragma_update(None, name, value))
        })
    }

    fn judge(&self, context: &AuthContext<'_>) -> Authorization {
        if self.ours.load(Ordering::Relaxed) || self.is_allowed(&context.action) {
            Authorization::Allow
        } else {
            Authorization::Deny
        }
    }

    fn is_allowed(&self, action: &AuthAction<'_>) -> bool {
        let among = |list: &[&str], name: &str| list.iter().any(|known| known.eq_ignore_ascii_case(name));
        match action {
            AuthAction::Pragma { pragma_name, .. } => {
                let sets = SETTINGS.iter().any(|(known, _)| known.eq_ignore_ascii_case(pragma_name));
                if sets {
                    self.set.store(true, Ordering::Relaxed);
                }
                sets || among(LOOKING, pragma_name)
            }
            AuthAction::CreateVtable { module_name, .. } => among(MODULES, module_name),
            AuthAction::Function { function_name } => !among(FUNCTIONS, function_name),
            // Transactions are ours. What is temporary would outlive the call: the connection does.
            AuthAction::Unknown { .. }
            | AuthAction::Attach { .. }
            | AuthAction::Detach { .. }
            | AuthAction::Transaction { .. }
            | AuthAction::Savepoint { .. }
            | AuthAction::CreateTempIndex { .. }
            | AuthAction::CreateTempTable { .. }
            | AuthAction::CreateTempTrigger { .. }
            | AuthAction::CreateTempView { .. } => false,
            _ => true,
        }
    }
}
