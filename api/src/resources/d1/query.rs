//! Owns the calls that carry out statements in a database: with rows as objects, and with rows as lists.

use axum::extract::State;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Number, Value};
use wasmyard_d1::{Answers, Bounds, Meta, ResultSet, SqlValue, Statement};

use super::InDatabase;
use crate::body::Json;
use crate::envelope::{Answer, Reply};
use crate::error::ApiError;
use crate::state::SharedState;

/// Statements: one text with what is bound to it, or several of them.
#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "DatabaseQuery")]
pub(crate) struct Asked {
    /// A statement, or several where nothing is bound.
    #[schemars(length(min = 1))]
    sql: Option<String>,
    /// What is bound to its parameters: texts, numbers, true, false, null, or lists of bytes.
    params: Option<Vec<Value>>,
    /// Several of these, carried out in one transaction.
    batch: Option<Vec<One>>,
}

/// A statement with what is bound to it.
#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "DatabaseStatement")]
pub(crate) struct One {
    sql: String,
    params: Option<Vec<Value>>,
}

/// What a statement answered, its rows as objects.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "DatabaseResult")]
pub(crate) struct Objects {
    results: Vec<Map<String, Value>>,
    success: bool,
    meta: MetaView,
}

/// What a statement answered, its rows as lists.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "DatabaseRawResult")]
pub(crate) struct Lists {
    results: Table,
    success: bool,
    meta: MetaView,
}

/// Columns and rows.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "DatabaseTable")]
pub(crate) struct Table {
    columns: Vec<String>,
    rows: Vec<Vec<Value>>,
}

/// What a statement took and did.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "DatabaseMeta")]
pub(crate) struct MetaView {
    served_by: &'static str,
    served_by_primary: bool,
    /// Milliseconds.
    duration: f64,
    timings: Timings,
    changes: u64,
    last_row_id: i64,
    changed_db: bool,
    size_after: u64,
    rows_read: u64,
    rows_written: u64,
}

/// The same as `duration`, by the name that clients know.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "DatabaseTimings")]
pub(crate) struct Timings {
    sql_duration_ms: f64,
}

impl From<Meta> for MetaView {
    fn from(meta: Meta) -> MetaView {
        let duration = meta.duration.as_secs_f64() * 1_000.0;
        MetaView {
            served_by: "wasmyard",
            served_by_primary: true,
            duration,
            timings: Timings { sql_duration_ms: duration },
            changes: meta.changes,
            last_row_id: meta.last_row_id,
            changed_db: meta.changed_db,
            size_after: meta.size_after,
            rows_read: meta.rows_read,
            rows_written: meta.rows_written,
        }
    }
}

pub(crate) async fn query(
    State(shared): SharedState,
    named: InDatabase,
    Json(asked, notes): Json<Asked>,
) -> Answer<Vec<Objects>> {
    // As many answers at a time as there are values.
    let _permit = shared.value_permit().await?;
    let answers = carried_out(named.handle(&shared).await?, asked).await?;
    let results = answers.results.into_iter().map(|set| {
        let ResultSet { columns, rows, meta } = set;
        let object = |row: Vec<SqlValue>| columns.iter().cloned().zip(row.into_iter().map(json)).collect();
        let results = rows.into_iter().map(object).collect();
        Objects { results, success: true, meta: meta.into() }
    });
    Ok(Reply::ok(results.collect()).with_notes(notes))
}

pub(crate) async fn raw(
    State(shared): SharedState,
    named: InDatabase,
    Json(asked, notes): Json<Asked>,
) -> Answer<Vec<Lists>> {
    let _permit = shared.value_permit().await?;
    let answers = carried_out(named.handle(&shared).await?, asked).await?;
    let results = answers.results.into_iter().map(|set| {
        let rows = set.rows.into_iter().map(|row| row.into_iter().map(json).collect()).collect();
        let results = Table { columns: set.columns, rows };
        Lists { results, success: true, meta: set.meta.into() }
    });
    Ok(Reply::ok(results.collect()).with_notes(notes))
}

async fn carried_out(handle: wasmyard_d1::D1Handle, asked: Asked) -> Result<Answers, ApiError> {
    let statements = match asked {
        Asked { sql: Some(sql), params, batch: None } => vec![statement(One { sql, params })?],
        Asked { sql: None, params: None, batch: Some(batch) } => {
            batch.into_iter().map(statement).collect::<Result<_, _>>()?
        }
        _ => {
            return Err(ApiError::invalid(
                "either sql, with params where it has some, or batch is to be given",
            ));
        }
    };
    Ok(handle.run(statements, Bounds::default()).await?)
}

fn statement(one: One) -> Result<Statement, ApiError> {
    let params = one.params.unwrap_or_default().into_iter().map(bound).collect::<Result<_, _>>()?;
    Ok(Statement { sql: one.sql, params })
}

/// A parameter as it is bound.
fn bound(value: Value) -> Result<SqlValue, ApiError> {
    Ok(match value {
        Value::Null => SqlValue::Null,
        Value::Bool(value) => SqlValue::Integer(i64::from(value)),
        Value::String(text) => SqlValue::Text(text),
        Value::Number(number) => match number.as_i64() {
            Some(integer) => SqlValue::Integer(integer),
            None => SqlValue::Real(number.as_f64().unwrap_or_default()),
        },
        Value::Array(bytes) => {
            let byte = |byte: &Value| byte.as_u64().and_then(|byte| u8::try_from(byte).ok());
            let bytes: Option<Vec<u8>> = bytes.iter().map(byte).collect();
            SqlValue::Blob(
                bytes.ok_or_else(|| ApiError::invalid("a list in params has bytes, from 0 to 255"))?,
            )
        }
        Value::Object(_) => {
            let rule =
                "params has texts, numbers, true, false, null and lists of bytes, and an object was given";
            return Err(ApiError::invalid(rule));
        }
    })
}

/// A value as clients see it: bytes are a list of numbers.
fn json(value: SqlValue) -> Value {
    match value {
        SqlValue::Null => Value::Null,
        SqlValue::Integer(value) => Value::from(value),
        // What JSON has no number for is null.
        SqlValue::Real(value) => Number::from_f64(value).map_or(Value::Null, Value::Number),
        SqlValue::Text(text) => Value::String(text),
        SqlValue::Blob(bytes) => Value::from(bytes),
    }
}
