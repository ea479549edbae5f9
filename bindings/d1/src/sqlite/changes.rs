//! What each change does to the catalog's tables. The total is true after every change.

use rusqlite::{Connection, ErrorCode, params};
use wasmyard_model::DatabaseId;

use crate::catalog::DatabaseRecord;
use crate::error::D1Error;

/// What is to be changed.
#[derive(Debug)]
pub(super) enum Change {
    Create { record: DatabaseRecord, most: u64 },
    Delete(DatabaseId),
    Bind(DatabaseId, String),
    Unbind(DatabaseId, String),
    Rebind { from: String, to: String },
}

type Outcome = rusqlite::Result<Result<(), D1Error>>;

pub(super) fn make(connection: &Connection, change: &Change) -> Outcome {
    match change {
        Change::Create { record, most } => create(connection, record, *most),
        Change::Delete(id) => {
            if connection.execute("DELETE FROM databases WHERE id = ?1", params![id.as_str()])? == 0 {
                return Ok(Err(D1Error::NotFound(id.to_string())));
            }
            connection.execute("DELETE FROM bound WHERE id = ?1", params![id.as_str()])?;
            connection.execute("UPDATE total SET databases = databases - 1", [])?;
            Ok(Ok(()))
        }
        Change::Bind(id, script) => {
            let noted = connection.execute(
                "INSERT INTO bound (id, script) SELECT id, ?2 FROM databases WHERE id = ?1 \
                 ON CONFLICT (id, script) DO UPDATE SET script = excluded.script",
                params![id.as_str(), script],
            )?;
            Ok(if noted == 0 { Err(D1Error::NotFound(id.to_string())) } else { Ok(()) })
        }
        Change::Unbind(id, script) => {
            connection
                .execute("DELETE FROM bound WHERE id = ?1 AND script = ?2", params![id.as_str(), script])?;
            Ok(Ok(()))
        }
        Change::Rebind { from, to } => {
            connection.execute(
                "INSERT OR IGNORE INTO bound (id, script) \
                 SELECT id, ?2 || substr(script, length(?1) + 1) FROM bound \
                 WHERE substr(script, 1, length(?1)) = ?1",
                params![from, to],
            )?;
            Ok(Ok(()))
        }
    }
}

fn create(connection: &Connection, record: &DatabaseRecord, most: u64) -> Outcome {
    let there: u64 = connection.query_row("SELECT databases FROM total", [], |row| row.get(0))?;
    if there >= most {
        let remedy = "delete databases that nobody needs";
        return Ok(Err(D1Error::Quota { limit: "d1_databases", most, remedy }));
    }
    let made = connection.execute(
        "INSERT INTO databases (id, name, created) VALUES (?1, ?2, ?3)",
        params![record.id.as_str(), record.name, record.created],
    );
    match made {
        Ok(_) => connection.execute("UPDATE total SET databases = databases + 1", []).map(|_| Ok(())),
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::ConstraintViolation) => {
            Ok(Err(D1Error::NameTaken { name: record.name.clone() }))
        }
        Err(error) => Err(error),
    }
}
