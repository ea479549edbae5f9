//! `wasmyard:platform/d1`: a script's statements are carried out in a database that it is bound to.
//!
//! Each call counts as a subrequest before anything is awaited. The rules of statements are those of [`wasmyard_d1`]; what
//! is here counts, keeps what passes through the host within the guest's memory ceiling, and what statements compute within
//! its CPU time.

use wasmtime::component::Resource;
use wasmyard_d1::{Answers, Bounds, D1Error as Refused, D1Handle, ResultSet, SqlValue};

use super::d1_wit::{self as wit, D1Error, Host, HostDatabase, Refusal, Statement, Value};
use super::dispatch::not_there;
use super::dispatch_wit::BindingError;
use super::granted::Grant;
use crate::guest::state::State;

/// A database that the guest opened.
#[expect(unreachable_pub, reason = "the generated bindings re-export it")]
pub struct OpenD1(D1Handle);

/// Of the room that the guest has left, rows take this part: they are there twice while they are handed over.
const SHARE_OF_ROOM: u64 = 2;

impl Host for State {}

impl HostDatabase for State {
    fn open(&mut self, binding: String) -> wasmtime::Result<Result<Resource<OpenD1>, BindingError>> {
        let pick = |grant: &Grant| if let Grant::D1(d1) = grant { Some(d1.clone()) } else { None };
        match self.version.bindings.find(&binding, pick) {
            Ok(d1) => Ok(Ok(self.table.push(OpenD1(d1))?)),
            Err(other) => Ok(Err(not_there(&binding, other))),
        }
    }

    async fn run(
        &mut self,
        this: Resource<OpenD1>,
        statements: Vec<Statement>,
    ) -> wasmtime::Result<Result<wit::Answers, D1Error>> {
        let d1 = self.table.get(&this)?.0.clone();
        if let Err(failure) = self.hooks.count_subrequest() {
            return Ok(Err(D1Error::ExceededSubrequests(failure.to_string())));
        }
        self.passing = statements.iter().map(weight).sum();
        self.weigh()?;
        let bounds = Bounds {
            room: self.memory.left_for_host() / SHARE_OF_ROOM,
            cpu: Some(self.hooks.cpu_left()),
            size: self.storage.bytes,
        };
        let done = d1.run(statements.into_iter().map(statement).collect(), bounds).await;
        self.passing = 0;
        Ok(match done {
            Ok(answers) => {
                self.hooks.charge_cpu(answers.cpu);
                self.passing =
                    answers.results.iter().flat_map(|set| &set.rows).flatten().map(value_weight).sum();
                self.weigh()?;
                Ok(handed(answers))
            }
            Err(error) => {
                if matches!(error, Refused::CpuSpent) {
                    // What was left was spent, and nothing came of it.
                    self.hooks.charge_cpu(self.hooks.cpu_left());
                }
                Err(told(&d1, error))
            }
        })
    }

    fn drop(&mut self, this: Resource<OpenD1>) -> wasmtime::Result<()> {
        self.table.delete(this)?;
        Ok(())
    }
}

/// What the host holds of a statement while it is carried out.
fn weight(statement: &Statement) -> u64 {
    let params = statement.params.iter().map(|value| match value {
        Value::Null | Value::Integer(_) | Value::Real(_) => size_of::<Value>(),
        Value::Text(text) => size_of::<Value>() + text.len(),
        Value::Blob(bytes) => size_of::<Value>() + bytes.len(),
    });
    (statement.sql.len() + params.sum::<usize>()) as u64
}

fn value_weight(value: &SqlValue) -> u64 {
    let held = match value {
        SqlValue::Null | SqlValue::Integer(_) | SqlValue::Real(_) => 0,
        SqlValue::Text(text) => text.len(),
        SqlValue::Blob(bytes) => bytes.len(),
    };
    (size_of::<SqlValue>() + held) as u64
}

fn statement(statement: Statement) -> wasmyard_d1::Statement {
    let params = statement.params.into_iter().map(|value| match value {
        Value::Null => SqlValue::Null,
        Value::Integer(value) => SqlValue::Integer(value),
        Value::Real(value) => SqlValue::Real(value),
        Value::Text(text) => SqlValue::Text(text),
        Value::Blob(bytes) => SqlValue::Blob(bytes),
    });
    wasmyard_d1::Statement { sql: statement.sql, params: params.collect() }
}

fn handed(answers: Answers) -> wit::Answers {
    let results = answers.results.into_iter().map(result).collect();
    wit::Answers { results, bookmark: answers.bookmark.to_string() }
}

fn result(set: ResultSet) -> wit::ResultSet {
    let value = |value| match value {
        SqlValue::Null => Value::Null,
        SqlValue::Integer(value) => Value::Integer(value),
        SqlValue::Real(value) => Value::Real(value),
        SqlValue::Text(text) => Value::Text(text),
        SqlValue::Blob(bytes) => Value::Blob(bytes),
    };
    let ResultSet { columns, rows, meta } = set;
    let rows = rows.into_iter().map(|row| row.into_iter().map(value).collect()).collect();
    let meta = wit::Meta {
        duration_ms: meta.duration.as_secs_f64() * 1_000.0,
        changes: meta.changes,
        last_row_id: meta.last_row_id,
        rows_read: meta.rows_read,
        rows_written: meta.rows_written,
        size_after: meta.size_after,
        changed_db: meta.changed_db,
    };
    wit::ResultSet { columns, rows, meta }
}

/// What a guest is told of a failure. What is the platform's own goes to the log.
fn told(d1: &D1Handle, error: Refused) -> D1Error {
    let text = error.to_string();
    match error {
        Refused::Sql { statement, .. } => {
            let statement = u32::try_from(statement).unwrap_or(u32::MAX);
            D1Error::Refused(Refusal { text, statement })
        }
        Refused::Invalid(_) | Refused::NameTaken { .. } | Refused::NoWayBack(_) => {
            D1Error::Refused(Refusal { text, statement: 0 })
        }
        Refused::NotFound(_) => D1Error::DatabaseNotFound(text),
        Refused::Quota { .. } => D1Error::ExceededQuota(text),
        Refused::NoRoom { .. } => D1Error::ExceededMemory(text),
        Refused::TooSlow { .. } | Refused::CpuSpent | Refused::Abandoned => D1Error::ExceededTime(text),
        Refused::Busy { .. } | Refused::Full => D1Error::Overloaded(text),
        Refused::Damaged { .. } => {
            tracing::error!(database = %d1.id(), error = text, "the file of a database is damaged");
            D1Error::Internal(text)
        }
        Refused::Store { .. } => {
            tracing::error!(database = %d1.id(), error = text, "a call of a D1 binding failed");
            D1Error::Internal("the platform failed to carry out the call; its log says why".to_owned())
        }
    }
}
