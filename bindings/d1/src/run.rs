//! What happens in a call: statements in one transaction, all or nothing.

use std::time::Instant;

use rusqlite::types::{ToSqlOutput, Value, ValueRef};
use rusqlite::{CachedStatement, ErrorCode, Row, StatementStatus, ToSql, ffi};

use crate::budget::Allowed;
use crate::error::D1Error;
use crate::limits::{MAX_BATCH, MAX_STATEMENT_BYTES};
use crate::open::OpenDatabase;
use crate::split;
use crate::value::{Meta, ResultSet, SqlValue, Statement};

/// Why a call did not work at once.
pub(crate) enum Later {
    /// It would change something, or take long: it is made again where that harms nobody.
    Elsewhere,
    /// It never works.
    Refused(D1Error),
}

/// One statement of a call.
struct One<'s> {
    sql: &'s str,
    params: &'s [SqlValue],
}

impl OpenDatabase {
    /// Makes a call: each statement is carried out, or none.
    pub(crate) fn call(
        &mut self,
        statements: &[Statement],
        room: u64,
        allowed: Allowed,
    ) -> Result<Vec<ResultSet>, D1Error> {
        let each = each(statements)?;
        self.within(allowed, |open| open.transaction(&each, room))
    }

    /// Makes a call of one statement that only looks, if it takes next to nothing.
    pub(crate) fn glance(
        &mut self,
        statement: &Statement,
        room: u64,
        allowed: Allowed,
    ) -> Result<Vec<ResultSet>, Later> {
        let each = each(std::slice::from_ref(statement)).map_err(Later::Refused)?;
        let [one] = each.as_slice() else { return Err(Later::Elsewhere) };
        self.budget.begin(allowed);
        let done = self.look(one, room);
        self.budget.end();
        match done {
            Ok(Some(found)) => Ok(vec![found]),
            Ok(None) => Err(Later::Elsewhere),
            Err(error) => Err(self.later(error)),
        }
    }

    fn later(&self, error: Failed) -> Later {
        let is_interrupted = matches!(&error, Failed::Engine(error) if is_interrupt(error));
        if is_interrupted && self.budget.interrupted().is_none() {
            Later::Elsewhere
        } else {
            Later::Refused(self.refused(error, 0))
        }
    }

    /// The rows of a statement that only looks; none for one that does more.
    fn look(&self, one: &One<'_>, room: u64) -> Result<Option<ResultSet>, Failed> {
        let began = Instant::now();
        let mut statement = self.connection.prepare_cached(one.sql)?;
        if self.guard.is_set() {
            // Prepared again, it would not be judged again.
            statement.discard();
            return Ok(None);
        }
        if !statement.readonly() {
            return Ok(None);
        }
        self.carry_out(&mut statement, one, &mut Room(room), began).map(Some)
    }

    /// Does something with a budget, and puts everything in order afterwards.
    pub(crate) fn within<T>(
        &mut self,
        allowed: Allowed,
        work: impl FnOnce(&mut OpenDatabase) -> Result<T, (Failed, usize)>,
    ) -> Result<T, D1Error> {
        self.budget.begin(allowed);
        let done = work(self);
        self.budget.end();
        let done = done.map_err(|(error, at)| self.refused(error, at));
        if !self.connection.is_autocommit()
            && let Err(error) = self.ours("ROLLBACK")
        {
            tracing::error!(database = %self.id, %error, "a transaction could not be taken back");
        }
        self.guard.unset(&self.connection).map_err(|error| D1Error::store("reset a connection", error))?;
        self.committed();
        done
    }

    fn transaction(&mut self, each: &[One<'_>], room: u64) -> Result<Vec<ResultSet>, (Failed, usize)> {
        if let [one] = each
            && let Some(found) = self.look(one, room).map_err(|error| (error, 0))?
        {
            return Ok(vec![found]);
        }
        let mut room = Room(room);
        self.begin().map_err(|error| (error.into(), 0))?;
        let mut results = Vec::new();
        for (at, one) in each.iter().enumerate() {
            results.push(self.one(one, &mut room).map_err(|error| (error, at))?);
        }
        self.commit().map_err(|error| (error.into(), each.len().saturating_sub(1)))?;
        self.measured(&mut results);
        Ok(results)
    }

    /// Begins a transaction.
    pub(crate) fn begin(&self) -> rusqlite::Result<()> {
        self.ours("BEGIN IMMEDIATE")
    }

    /// Ends it: what it did is on the disk.
    pub(crate) fn commit(&self) -> rusqlite::Result<()> {
        self.ours("COMMIT")
    }

    /// Carries out one statement of a transaction, without its rows. Says how many it read, and wrote.
    pub(crate) fn silently(&self, sql: &str) -> Result<(u64, u64), Failed> {
        let found = self.one(&One { sql, params: &[] }, &mut Room(u64::MAX))?;
        Ok((found.meta.rows_read, found.meta.rows_written))
    }

    fn one(&self, one: &One<'_>, room: &mut Room) -> Result<ResultSet, Failed> {
        let began = Instant::now();
        let mut statement = self.connection.prepare_cached(one.sql)?;
        let found = self.carry_out(&mut statement, one, room, began);
        if self.guard.is_set() {
            // Prepared again, it would not be judged again.
            statement.discard();
        }
        found
    }

    fn carry_out(
        &self,
        statement: &mut CachedStatement<'_>,
        one: &One<'_>,
        room: &mut Room,
        began: Instant,
    ) -> Result<ResultSet, Failed> {
        if statement.parameter_count() != one.params.len() {
            return Err(Failed::Rule("Wrong number of parameter bindings for SQL query.".to_owned()));
        }
        for (at, value) in one.params.iter().enumerate() {
            statement.raw_bind_parameter(at + 1, value)?;
        }
        let columns: Vec<String> = statement.column_names().into_iter().map(str::to_owned).collect();
        let width = columns.len();
        let (scanned, changed) =
            (statement.get_status(StatementStatus::FullscanStep), self.connection.total_changes());
        let mut rows = Vec::new();
        let mut found = statement.raw_query();
        while let Some(row) = found.next()? {
            rows.push(values(row, width, room)?);
        }
        drop(found);
        let steps = statement.get_status(StatementStatus::FullscanStep).saturating_sub(scanned);
        let steps = u64::try_from(steps).unwrap_or_default();
        // The first row of a scan is not stepped to.
        let scanned = if steps > 0 { steps + 1 } else { 0 };
        let changes = self.connection.total_changes().saturating_sub(changed);
        let meta = Meta {
            duration: began.elapsed(),
            changes,
            last_row_id: self.connection.last_insert_rowid(),
            rows_read: scanned.max(rows.len() as u64),
            rows_written: changes,
            size_after: self.size,
            changed_db: !statement.readonly(),
        };
        Ok(ResultSet { columns, rows, meta })
    }

    /// The size is known when all is committed.
    fn measured(&mut self, results: &mut [ResultSet]) {
        self.committed();
        for result in results {
            result.meta.size_after = self.size;
        }
    }

    fn ours(&self, sql: &'static str) -> rusqlite::Result<()> {
        self.guard.trusting(|| self.connection.prepare_cached(sql)?.execute([]).map(drop))
    }

    /// What a failure means.
    fn refused(&self, error: Failed, statement: usize) -> D1Error {
        let error = match error {
            Failed::Rule(text) => return D1Error::Invalid(text),
            Failed::NoRoom(room) => return D1Error::NoRoom { room },
            Failed::Engine(error) => error,
        };
        if is_interrupt(&error)
            && let Some(why) = self.budget.interrupted()
        {
            return why;
        }
        match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) if self.size + (1 << 20) >= self.limits.bytes => D1Error::Quota {
                limit: "d1_database_bytes",
                most: self.limits.bytes,
                remedy: "delete rows, or move some to another database",
            },
            Some(
                ErrorCode::DiskFull
                | ErrorCode::DatabaseCorrupt
                | ErrorCode::NotADatabase
                | ErrorCode::SystemIoFailure,
            ) => crate::open::told(&self.id, "use a database")(error),
            _ => D1Error::Sql { message: message(&error), statement },
        }
    }
}

/// Why a statement was not carried out.
#[derive(Debug)]
pub(crate) enum Failed {
    Rule(String),
    NoRoom(u64),
    Engine(rusqlite::Error),
}

impl From<rusqlite::Error> for Failed {
    fn from(error: rusqlite::Error) -> Failed {
        Failed::Engine(error)
    }
}

/// How many bytes the rows of a call may still take.
struct Room(u64);

impl Room {
    fn take(&mut self, bytes: u64) -> Result<(), Failed> {
        self.0 = self.0.checked_sub(bytes).ok_or(Failed::NoRoom(self.0))?;
        Ok(())
    }
}

fn values(row: &Row<'_>, width: usize, room: &mut Room) -> Result<Vec<SqlValue>, Failed> {
    (0..width)
        .map(|at| {
            let value = match row.get_ref(at)? {
                ValueRef::Null => SqlValue::Null,
                ValueRef::Integer(value) => SqlValue::Integer(value),
                ValueRef::Real(value) => SqlValue::Real(value),
                ValueRef::Text(bytes) => SqlValue::Text(String::from_utf8_lossy(bytes).into_owned()),
                ValueRef::Blob(bytes) => SqlValue::Blob(bytes.to_vec()),
            };
            room.take(value.weight())?;
            Ok(value)
        })
        .collect()
}

/// The statements of a call, one by one.
fn each(statements: &[Statement]) -> Result<Vec<One<'_>>, D1Error> {
    let mut each = Vec::new();
    for Statement { sql, params } in statements {
        // Most are one, and say so.
        let single = !sql.contains(';') && !split::is_blank(sql);
        let found = if single { vec![sql.as_str()] } else { split::statements(sql) };
        match (found.len(), params.is_empty()) {
            (0, _) => return Err(D1Error::Invalid("No SQL statements detected.".to_owned())),
            (2.., false) => {
                let text = "A prepared SQL statement must contain only one statement.";
                return Err(D1Error::Invalid(text.to_owned()));
            }
            _ => {}
        }
        for sql in found {
            if sql.len() > MAX_STATEMENT_BYTES {
                return Err(D1Error::Invalid(format!(
                    "a statement has {} bytes, and at most {MAX_STATEMENT_BYTES} are allowed; make it shorter, or bind parameters",
                    sql.len()
                )));
            }
            each.push(One { sql, params });
        }
    }
    if each.len() > MAX_BATCH {
        return Err(D1Error::Invalid(format!(
            "a call has {} statements, and at most {MAX_BATCH} are allowed; make several calls, or import a file",
            each.len()
        )));
    }
    Ok(each)
}

impl ToSql for SqlValue {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(match self {
            SqlValue::Null => ToSqlOutput::Owned(Value::Null),
            SqlValue::Integer(value) => ToSqlOutput::Owned(Value::Integer(*value)),
            SqlValue::Real(value) => ToSqlOutput::Owned(Value::Real(*value)),
            SqlValue::Text(text) => ToSqlOutput::Borrowed(ValueRef::Text(text.as_bytes())),
            SqlValue::Blob(bytes) => ToSqlOutput::Borrowed(ValueRef::Blob(bytes)),
        })
    }
}

fn is_interrupt(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(ErrorCode::OperationInterrupted)
}

/// What clients know a failure by: SQLite's sentence, and its code.
fn message(error: &rusqlite::Error) -> String {
    match error {
        rusqlite::Error::SqlInputError { error, msg, offset, .. } => {
            let place = if *offset >= 0 { format!(" at offset {offset}") } else { String::new() };
            format!("{msg}{place}: {}", code(error))
        }
        rusqlite::Error::SqliteFailure(error, text) => {
            let text = text.clone().unwrap_or_else(|| error.to_string());
            format!("{text}: {}", code(error))
        }
        other => other.to_string(),
    }
}

/// The name of a failure's kind.
fn code(error: &ffi::Error) -> &'static str {
    match error.extended_code & 0xff {
        ffi::SQLITE_ABORT => "SQLITE_ABORT",
        ffi::SQLITE_AUTH => "SQLITE_AUTH",
        ffi::SQLITE_BUSY => "SQLITE_BUSY",
        ffi::SQLITE_CONSTRAINT => "SQLITE_CONSTRAINT",
        ffi::SQLITE_INTERRUPT => "SQLITE_INTERRUPT",
        ffi::SQLITE_LOCKED => "SQLITE_LOCKED",
        ffi::SQLITE_MISMATCH => "SQLITE_MISMATCH",
        ffi::SQLITE_MISUSE => "SQLITE_MISUSE",
        ffi::SQLITE_NOMEM => "SQLITE_NOMEM",
        ffi::SQLITE_RANGE => "SQLITE_RANGE",
        ffi::SQLITE_READONLY => "SQLITE_READONLY",
        ffi::SQLITE_SCHEMA => "SQLITE_SCHEMA",
        ffi::SQLITE_TOOBIG => "SQLITE_TOOBIG",
        _ => "SQLITE_ERROR",
    }
}
