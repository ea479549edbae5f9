//! SQL databases.

use rquickjs_core::{Array, ArrayBuffer, Ctx, Function, Object, Result, Value};

use super::{bytes, failure};
use crate::bindings::wasmyard::platform::d1::{self, D1Error, ResultSet, Statement};
use crate::table::{self, Resource};

pub(super) fn add<'js>(ctx: &Ctx<'js>, host: &Object<'js>) -> Result<()> {
    host.set("d1Run", Function::new(ctx.clone(), run)?)
}

/// Carries out statements: texts and lists of parameters in turn. A list: the bookmark, and of each statement its columns, its
/// rows and what it took. A failure has strings at its start, and which statement it was after them.
fn run<'js>(ctx: Ctx<'js>, id: u32, flat: Array<'js>) -> Result<Value<'js>> {
    let mut statements = Vec::with_capacity(flat.len() / 2);
    for at in (0..flat.len()).step_by(2) {
        let params: Array<'js> = flat.get(at + 1)?;
        let params = params.iter().map(|value| param(&ctx, value?)).collect::<Result<_>>()?;
        statements.push(Statement { sql: flat.get(at)?, params });
    }
    let called = table::with(id, |resource| match resource {
        Resource::D1(database) => Some(database.run(&statements)),
        _ => None,
    });
    drop(statements);
    match called.flatten() {
        Some(Ok(answers)) => {
            let list = Array::new(ctx.clone())?;
            list.set(0, answers.bookmark)?;
            for (index, set) in answers.results.into_iter().enumerate() {
                list.set(index + 1, result(&ctx, set)?)?;
            }
            Ok(list.into_value())
        }
        Some(Err(error)) => refused(&ctx, error),
        None => failure(&ctx, "internal", "no such database"),
    }
}

/// A parameter. A number without a fraction is an integer, as whoever writes it means it.
fn param<'js>(ctx: &Ctx<'js>, value: Value<'js>) -> Result<d1::Value> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    if let Some(number) = value.as_number() {
        let is_integer = number.fract() == 0.0 && number.abs() <= EXACT;
        return Ok(if is_integer { d1::Value::Integer(number as i64) } else { d1::Value::Real(number) });
    }
    if let Some(text) = value.as_string() {
        return Ok(d1::Value::Text(text.to_string()?));
    }
    match value.as_object().and_then(|object| ArrayBuffer::from_object(object.clone())) {
        Some(buffer) => Ok(d1::Value::Blob(bytes(ctx, &buffer)?)),
        None => Ok(d1::Value::Null),
    }
}

fn result<'js>(ctx: &Ctx<'js>, set: ResultSet) -> Result<Array<'js>> {
    let (list, columns, rows) =
        (Array::new(ctx.clone())?, Array::new(ctx.clone())?, Array::new(ctx.clone())?);
    for (index, column) in set.columns.into_iter().enumerate() {
        columns.set(index, column)?;
    }
    for (index, row) in set.rows.into_iter().enumerate() {
        let values = Array::new(ctx.clone())?;
        for (at, value) in row.into_iter().enumerate() {
            match value {
                d1::Value::Null => values.set(at, Value::new_null(ctx.clone()))?,
                d1::Value::Integer(value) => values.set(at, value as f64)?,
                d1::Value::Real(value) => values.set(at, value)?,
                d1::Value::Text(text) => values.set(at, text)?,
                d1::Value::Blob(blob) => {
                    let bytes = Array::new(ctx.clone())?;
                    for (at, byte) in blob.into_iter().enumerate() {
                        bytes.set(at, byte)?;
                    }
                    values.set(at, bytes)?;
                }
            }
        }
        rows.set(index, values)?;
    }
    list.set(0, columns)?;
    list.set(1, rows)?;
    let meta = set.meta;
    list.set(2, meta.duration_ms)?;
    list.set(3, meta.changes as f64)?;
    list.set(4, meta.last_row_id as f64)?;
    list.set(5, meta.rows_read as f64)?;
    list.set(6, meta.rows_written as f64)?;
    list.set(7, meta.size_after as f64)?;
    list.set(8, meta.changed_db)?;
    Ok(list)
}

fn refused<'js>(ctx: &Ctx<'js>, error: D1Error) -> Result<Value<'js>> {
    let (word, text, statement) = match error {
        D1Error::Refused(refusal) => ("refused", refusal.text, refusal.statement),
        D1Error::DatabaseNotFound(text) => ("database-not-found", text, 0),
        D1Error::ExceededQuota(text) => ("exceeded-quota", text, 0),
        D1Error::ExceededSubrequests(text) => ("exceeded-subrequests", text, 0),
        D1Error::ExceededMemory(text) => ("exceeded-memory", text, 0),
        D1Error::ExceededTime(text) => ("exceeded-time", text, 0),
        D1Error::Overloaded(text) => ("overloaded", text, 0),
        D1Error::Internal(text) => ("internal", text, 0),
    };
    // A list that begins with a text is an answer, too: its second item tells them apart.
    let list = Array::new(ctx.clone())?;
    list.set(0, Value::new_null(ctx.clone()))?;
    list.set(1, word)?;
    list.set(2, text)?;
    list.set(3, statement)?;
    Ok(list.into_value())
}
