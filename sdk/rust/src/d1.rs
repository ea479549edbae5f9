//! Owns the D1 binding: an SQL database that this worker is bound to.

use std::error::Error;
use std::fmt;
use std::rc::Rc;

use crate::bindings::d1 as platform;
use crate::dispatch::BindingError;

/// An SQL database: see [`Env::d1`](crate::Env::d1).
///
/// All statements of a call happen in one transaction, or none does; what they changed is durable when the call returns.
/// Each call counts as a subrequest.
#[derive(Debug, Clone)]
pub struct D1 {
    handle: Rc<platform::Database>,
}

/// A statement of a database, with what is bound to its parameters.
#[derive(Debug, Clone)]
pub struct D1Statement {
    handle: Rc<platform::Database>,
    sql: String,
    params: Vec<D1Value>,
}

/// A value of a database.
#[derive(Clone, Debug, PartialEq)]
pub enum D1Value {
    /// NULL.
    Null,
    /// INTEGER.
    Integer(i64),
    /// REAL.
    Real(f64),
    /// TEXT.
    Text(String),
    /// BLOB.
    Blob(Vec<u8>),
}

/// What a statement answered.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct D1Result {
    /// The columns' names.
    pub columns: Vec<String>,
    /// The rows, each with as many values as there are columns.
    pub rows: Vec<Vec<D1Value>>,
    /// What the statement took and did.
    pub meta: D1Meta,
}

/// What a statement took and did.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct D1Meta {
    /// How long it took, in milliseconds.
    pub duration_ms: f64,
    /// Rows that it changed.
    pub changes: u64,
    /// The identifier of the row that was inserted last.
    pub last_row_id: i64,
    /// Rows that were looked at.
    pub rows_read: u64,
    /// Rows that were written.
    pub rows_written: u64,
    /// Bytes of the database after the call.
    pub size_after: u64,
    /// Whether it may have changed the database.
    pub changed_db: bool,
}

impl D1 {
    pub(crate) fn open(binding: &str) -> Result<D1, BindingError> {
        let handle = platform::Database::open(binding).map_err(BindingError::from)?;
        Ok(D1 { handle: Rc::new(handle) })
    }

    /// A statement, to which values are bound next.
    ///
    /// ```no_run
    /// # use wasmyard::{Env, Request, Response, Result};
    /// # async fn fetch(_req: Request, env: Env) -> Result<Response> {
    /// let db = env.d1("DB")?;
    /// db.prepare("INSERT INTO visits (path, at) VALUES (?, ?)").bind("/").bind(1_764_374_400).run().await?;
    /// let found = db.prepare("SELECT count(*) FROM visits WHERE path = ?").bind("/").run().await?;
    /// # Ok(Response::text(format!("{:?}", found.rows))) }
    /// ```
    pub fn prepare(&self, sql: impl Into<String>) -> D1Statement {
        D1Statement { handle: Rc::clone(&self.handle), sql: sql.into(), params: Vec::new() }
    }

    /// Carries out statements in one transaction: each of them, or none.
    ///
    /// # Errors
    /// See [`D1Error`].
    pub async fn batch(
        &self,
        statements: impl IntoIterator<Item = D1Statement>,
    ) -> Result<Vec<D1Result>, D1Error> {
        let statements: Vec<_> = statements.into_iter().map(D1Statement::handed).collect();
        run(&self.handle, &statements)
    }

    /// Carries out a text of statements, to which nothing is bound, in one transaction.
    ///
    /// # Errors
    /// See [`D1Error`].
    pub async fn exec(&self, sql: impl Into<String>) -> Result<Vec<D1Result>, D1Error> {
        run(&self.handle, &[platform::Statement { sql: sql.into(), params: Vec::new() }])
    }
}

impl D1Statement {
    /// Binds a value to the next parameter.
    pub fn bind(mut self, value: impl Into<D1Value>) -> D1Statement {
        self.params.push(value.into());
        self
    }

    /// Carries it out.
    ///
    /// # Errors
    /// See [`D1Error`].
    pub async fn run(self) -> Result<D1Result, D1Error> {
        let handle = Rc::clone(&self.handle);
        Ok(run(&handle, &[self.handed()])?.into_iter().next().unwrap_or_default())
    }

    /// The first row, if there is one.
    ///
    /// # Errors
    /// See [`D1Error`].
    pub async fn first(self) -> Result<Option<Vec<D1Value>>, D1Error> {
        Ok(self.run().await?.rows.into_iter().next())
    }

    fn handed(self) -> platform::Statement {
        let params = self.params.into_iter().map(|value| match value {
            D1Value::Null => platform::Value::Null,
            D1Value::Integer(value) => platform::Value::Integer(value),
            D1Value::Real(value) => platform::Value::Real(value),
            D1Value::Text(text) => platform::Value::Text(text),
            D1Value::Blob(bytes) => platform::Value::Blob(bytes),
        });
        platform::Statement { sql: self.sql, params: params.collect() }
    }
}

impl D1Value {
    /// The text, if it is one.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            D1Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The number, if it is an integer.
    pub fn as_integer(&self) -> Option<i64> {
        match self {
            D1Value::Integer(value) => Some(*value),
            _ => None,
        }
    }
}

impl From<&str> for D1Value {
    fn from(text: &str) -> D1Value {
        D1Value::Text(text.to_owned())
    }
}

impl From<String> for D1Value {
    fn from(text: String) -> D1Value {
        D1Value::Text(text)
    }
}

impl From<i32> for D1Value {
    fn from(value: i32) -> D1Value {
        D1Value::Integer(value.into())
    }
}

impl From<i64> for D1Value {
    fn from(value: i64) -> D1Value {
        D1Value::Integer(value)
    }
}

impl From<f64> for D1Value {
    fn from(value: f64) -> D1Value {
        D1Value::Real(value)
    }
}

impl From<bool> for D1Value {
    fn from(value: bool) -> D1Value {
        D1Value::Integer(value.into())
    }
}

impl From<Vec<u8>> for D1Value {
    fn from(bytes: Vec<u8>) -> D1Value {
        D1Value::Blob(bytes)
    }
}

impl<T: Into<D1Value>> From<Option<T>> for D1Value {
    fn from(value: Option<T>) -> D1Value {
        value.map_or(D1Value::Null, Into::into)
    }
}

fn run(handle: &platform::Database, statements: &[platform::Statement]) -> Result<Vec<D1Result>, D1Error> {
    let answers = handle.run(statements)?;
    let value = |value| match value {
        platform::Value::Null => D1Value::Null,
        platform::Value::Integer(value) => D1Value::Integer(value),
        platform::Value::Real(value) => D1Value::Real(value),
        platform::Value::Text(text) => D1Value::Text(text),
        platform::Value::Blob(bytes) => D1Value::Blob(bytes),
    };
    let results = answers.results.into_iter().map(|set| D1Result {
        columns: set.columns,
        rows: set.rows.into_iter().map(|row| row.into_iter().map(value).collect()).collect(),
        meta: D1Meta {
            duration_ms: set.meta.duration_ms,
            changes: set.meta.changes,
            last_row_id: set.meta.last_row_id,
            rows_read: set.meta.rows_read,
            rows_written: set.meta.rows_written,
            size_after: set.meta.size_after,
            changed_db: set.meta.changed_db,
        },
    });
    Ok(results.collect())
}

/// Why a call of a D1 binding was not carried out. The texts are SQLite's, or the platform's.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum D1Error {
    /// A statement is refused.
    Refused {
        /// SQLite's own text, or which rule is broken.
        text: String,
        /// Which statement of the call it was, from zero.
        statement: u32,
    },
    /// The database was deleted.
    DatabaseNotFound(String),
    /// The database holds as much as it may.
    ExceededQuota(String),
    /// This worker has no subrequests left.
    ExceededSubrequests(String),
    /// The rows take more than the memory that this worker may still take, or more than one call returns.
    ExceededMemory(String),
    /// The call took longer than it may, or more CPU time than this worker has left.
    ExceededTime(String),
    /// Too much waits for this database for the moment, or the disk is full.
    Overloaded(String),
    /// The platform failed.
    Internal(String),
}

impl D1Error {
    /// What went wrong.
    pub fn message(&self) -> &str {
        match self {
            D1Error::Refused { text, .. }
            | D1Error::DatabaseNotFound(text)
            | D1Error::ExceededQuota(text)
            | D1Error::ExceededSubrequests(text)
            | D1Error::ExceededMemory(text)
            | D1Error::ExceededTime(text)
            | D1Error::Overloaded(text)
            | D1Error::Internal(text) => text,
        }
    }
}

impl fmt::Display for D1Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.message())
    }
}

impl Error for D1Error {}

impl From<platform::D1Error> for D1Error {
    fn from(error: platform::D1Error) -> D1Error {
        use platform::D1Error as Told;
        match error {
            Told::Refused(refusal) => D1Error::Refused { text: refusal.text, statement: refusal.statement },
            Told::DatabaseNotFound(text) => D1Error::DatabaseNotFound(text),
            Told::ExceededQuota(text) => D1Error::ExceededQuota(text),
            Told::ExceededSubrequests(text) => D1Error::ExceededSubrequests(text),
            Told::ExceededMemory(text) => D1Error::ExceededMemory(text),
            Told::ExceededTime(text) => D1Error::ExceededTime(text),
            Told::Overloaded(text) => D1Error::Overloaded(text),
            Told::Internal(text) => D1Error::Internal(text),
        }
    }
}
