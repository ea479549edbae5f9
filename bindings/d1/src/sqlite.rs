//! The embedded catalog: one SQLite file in the data directory, beside the folder that the databases are in.

use std::path::Path;

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension as _, Row, params};
use wasmyard_model::DatabaseId;
use wasmyard_sqlite::{Changes, Fault, FileFormat, Opening, Readers, Together};

use crate::catalog::{Catalog, DatabaseRecord};
use crate::error::D1Error;
use changes::Change;

mod changes;

/// Connections that read at the same time.
const READERS: usize = 4;
/// How changes are made; how many callers there are is bounded before.
const TOGETHER: Together =
    Together { thread: "d1-writer", what: "the list of databases", waiting: 64, most: 64 };

const FORMAT: FileFormat = FileFormat {
    // "WYDC": says that the file lists the databases of this program.
    application: 0x5759_4443,
    version: 1,
    tables: "
        CREATE TABLE databases (
            id      TEXT NOT NULL PRIMARY KEY,
            name    TEXT NOT NULL UNIQUE,
            created INTEGER NOT NULL
        ) STRICT, WITHOUT ROWID;

        CREATE TABLE total (databases INTEGER NOT NULL) STRICT;
        INSERT INTO total VALUES (0);

        CREATE TABLE bound (
            id     TEXT NOT NULL,
            script TEXT NOT NULL,
            PRIMARY KEY (id, script)
        ) STRICT, WITHOUT ROWID;
    ",
    secure_delete: "ON",
};

/// A catalog on disk. Dropping it waits for what the writer has begun.
#[derive(Debug)]
pub struct SqliteCatalog {
    readers: Readers,
    changes: Changes<D1Error>,
}

impl SqliteCatalog {
    /// Opens the catalog of a data directory, and makes it if need be. The caller has the directory to itself.
    ///
    /// # Errors
    /// [`D1Error::Store`] when the file cannot be opened, or is of another program or version; [`D1Error::Full`].
    pub fn open(directory: &Path) -> Result<SqliteCatalog, D1Error> {
        let path = directory.join("d1.sqlite");
        let connection = Opening::open(&path, &FORMAT)?.prepare(|_| Ok(()))?;
        let changes = Changes::start(connection, path.clone(), TOGETHER)?;
        Ok(SqliteCatalog { readers: Readers::new(&path, READERS), changes })
    }

    async fn change(&self, change: Change) -> Result<(), D1Error> {
        self.changes.make(move |connection| changes::make(connection, &change)).await
    }

    async fn one(&self, sql: &'static str, key: String) -> Result<Option<DatabaseRecord>, D1Error> {
        let read = move |connection: &Connection| {
            connection.prepare_cached(sql)?.query_row(params![key], record).optional()
        };
        Ok(self.readers.read("look up a database", read).await?)
    }
}

impl Drop for SqliteCatalog {
    fn drop(&mut self) {
        self.readers.close();
    }
}

impl From<Fault> for D1Error {
    fn from(fault: Fault) -> D1Error {
        match fault {
            Fault::NoSpace(_) => D1Error::Full,
            Fault::Engine { action, source, .. } => D1Error::store(action, source),
            Fault::System { action, source } => D1Error::Store { action, source },
            fault @ (Fault::Format { .. } | Fault::Damaged { .. }) => D1Error::store("use its list", fault),
            fault @ Fault::Closed => D1Error::store("answer", fault),
        }
    }
}

#[async_trait]
impl Catalog for SqliteCatalog {
    async fn create(&self, record: &DatabaseRecord, most: u64) -> Result<(), D1Error> {
        self.change(Change::Create { record: record.clone(), most }).await
    }

    async fn delete(&self, id: &DatabaseId) -> Result<(), D1Error> {
        self.change(Change::Delete(id.clone())).await
    }

    async fn database(&self, id: &DatabaseId) -> Result<Option<DatabaseRecord>, D1Error> {
        self.one("SELECT id, name, created FROM databases WHERE id = ?1", id.to_string()).await
    }

    async fn named(&self, name: &str) -> Result<Option<DatabaseRecord>, D1Error> {
        self.one("SELECT id, name, created FROM databases WHERE name = ?1", name.to_owned()).await
    }

    async fn databases(
        &self,
        after: Option<&str>,
        part: &str,
        limit: usize,
    ) -> Result<Vec<DatabaseRecord>, D1Error> {
        let (after, part) = (after.unwrap_or_default().to_owned(), part.to_owned());
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let read = move |connection: &Connection| {
            let mut statement = connection.prepare_cached(
                "SELECT id, name, created FROM databases \
                 WHERE name > ?1 AND (?2 = '' OR instr(name, ?2)) ORDER BY name LIMIT ?3",
            )?;
            statement.query_map(params![after, part, limit], record)?.collect()
        };
        Ok(self.readers.read("list databases", read).await?)
    }

    async fn count(&self, part: &str) -> Result<u64, D1Error> {
        let part = part.to_owned();
        let read = move |connection: &Connection| {
            let sql = if part.is_empty() {
                "SELECT databases FROM total WHERE ?1 = ''"
            } else {
                "SELECT count(*) FROM databases WHERE instr(name, ?1)"
            };
            connection.query_row(sql, params![part], |row| row.get(0))
        };
        Ok(self.readers.read("count databases", read).await?)
    }

    async fn bind(&self, id: &DatabaseId, script: &str) -> Result<(), D1Error> {
        self.change(Change::Bind(id.clone(), script.to_owned())).await
    }

    async fn bound(
        &self,
        id: &DatabaseId,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<String>, D1Error> {
        let (id, after) = (id.clone(), after.unwrap_or_default().to_owned());
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let read = move |connection: &Connection| {
            let mut statement = connection.prepare_cached(
                "SELECT script FROM bound WHERE id = ?1 AND script > ?2 ORDER BY script LIMIT ?3",
            )?;
            statement.query_map(params![id.as_str(), after, limit], |row| row.get(0))?.collect()
        };
        Ok(self.readers.read("read who is bound", read).await?)
    }

    async fn unbind(&self, id: &DatabaseId, script: &str) -> Result<(), D1Error> {
        self.change(Change::Unbind(id.clone(), script.to_owned())).await
    }

    async fn rebind(&self, from: &str, to: &str) -> Result<(), D1Error> {
        self.change(Change::Rebind { from: from.to_owned(), to: to.to_owned() }).await
    }

    async fn close(&self) {
        self.readers.close();
        if let Err(error) = self.changes.close().await {
            tracing::warn!(%error, "the log of the list of databases could not be moved into its file; the next start does so");
        }
    }
}

fn record(row: &Row<'_>) -> rusqlite::Result<DatabaseRecord> {
    let id: String = row.get(0)?;
    let id = DatabaseId::parse(&id).ok_or_else(|| {
        rusqlite::Error::FromSqlConversionFailure(0, rusqlite::types::Type::Text, id.into())
    })?;
    Ok(DatabaseRecord { id, name: row.get(1)?, created: row.get(2)? })
}
