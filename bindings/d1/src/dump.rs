//! A database as text: statements that make it.

use std::fs::OpenOptions;
use std::io::{BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use rusqlite::types::ValueRef;
use rusqlite::{Connection, params};

use crate::budget::Allowed;
use crate::error::D1Error;
use crate::open::OpenDatabase;
use crate::run::Failed;

/// What is written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DumpOptions {
    /// Without tables, indexes, triggers and views.
    pub no_schema: bool,
    /// Without rows.
    pub no_data: bool,
    /// Of these tables alone; of all where there is none.
    pub tables: Vec<String>,
}

/// Something that the schema has.
struct Made {
    kind: String,
    name: String,
    table: String,
    sql: String,
}

/// Everything of the schema but what SQLite makes by itself, tables first and in the order in which they were made.
const SCHEMA: &str = "SELECT type, name, tbl_name, sql FROM sqlite_schema WHERE sql IS NOT NULL \
    AND name NOT LIKE 'sqlite!_%' ESCAPE '!' ORDER BY type <> 'table', rowid";

/// How many tables there are.
pub(crate) fn tables(open: &mut OpenDatabase) -> Result<u64, D1Error> {
    const TABLES: &str =
        "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite!_%' ESCAPE '!'";
    let counted = open.guard.trusting(|| open.connection.query_row(TABLES, [], |row| row.get(0)));
    counted.map_err(crate::open::told(&open.id, "count tables"))
}

/// Writes a database into a file.
pub(crate) fn dump(
    open: &mut OpenDatabase,
    options: &DumpOptions,
    to: &Path,
    allowed: Allowed,
) -> Result<(), D1Error> {
    let system = D1Error::system("write an export");
    let file =
        OpenOptions::new().create(true).write(true).truncate(true).mode(0o600).open(to).map_err(&system)?;
    let mut out = BufWriter::with_capacity(256 << 10, file);
    let mut failed = None;
    open.within(allowed, |open| {
        let written = open.guard.trusting(|| write(&open.connection, options, &mut out));
        written.or_else(|error| match error {
            Wrong::File(error) => {
                failed = Some(error);
                Ok(())
            }
            Wrong::Database(error) => Err((error, 0)),
        })
    })?;
    match failed {
        Some(error) => Err(system(error)),
        None => out.flush().map_err(system),
    }
}

enum Wrong {
    File(std::io::Error),
    Database(Failed),
}

impl From<std::io::Error> for Wrong {
    fn from(error: std::io::Error) -> Wrong {
        Wrong::File(error)
    }
}

impl From<rusqlite::Error> for Wrong {
    fn from(error: rusqlite::Error) -> Wrong {
        Wrong::Database(Failed::Engine(error))
    }
}

fn write(connection: &Connection, options: &DumpOptions, out: &mut impl Write) -> Result<(), Wrong> {
    let mut schema = connection.prepare(SCHEMA)?;
    let made = schema.query_map([], |row| {
        Ok(Made { kind: row.get(0)?, name: row.get(1)?, table: row.get(2)?, sql: row.get(3)? })
    })?;
    let made: Vec<Made> = made.collect::<rusqlite::Result<_>>()?;
    let wanted = |made: &&Made| options.tables.is_empty() || options.tables.contains(&made.table);
    let made: Vec<&Made> = made.iter().filter(wanted).collect();
    if let Some(named) = options.tables.iter().find(|name| !made.iter().any(|made| made.name == **name)) {
        return Err(Wrong::Database(Failed::Rule(format!(
            "there is no table {named:?}; name one that there is"
        ))));
    }
    if let Some(virtual_table) = made.iter().find(|made| is_virtual(&made.sql)) {
        return Err(Wrong::Database(Failed::Rule(format!(
            "the table {:?} is a virtual one, which cannot be exported; name the other tables, or drop it and make it again \
             afterwards",
            virtual_table.name
        ))));
    }
    writeln!(out, "PRAGMA defer_foreign_keys=TRUE;")?;
    let (tables, others): (Vec<&Made>, Vec<&Made>) = made.into_iter().partition(|made| made.kind == "table");
    for table in tables {
        if !options.no_schema {
            writeln!(out, "{};", table.sql)?;
        }
        if !options.no_data {
            rows(connection, &table.name, out)?;
        }
    }
    if !options.no_data {
        sequences(connection, options, out)?;
    }
    if !options.no_schema {
        for other in others {
            writeln!(out, "{};", other.sql)?;
        }
    }
    Ok(())
}

fn is_virtual(sql: &str) -> bool {
    let mut words = sql.split_ascii_whitespace().map(str::to_ascii_uppercase);
    words.next().as_deref() == Some("CREATE") && words.next().as_deref() == Some("VIRTUAL")
}

fn rows(connection: &Connection, table: &str, out: &mut impl Write) -> Result<(), Wrong> {
    let mut columns = connection.prepare("SELECT name FROM pragma_table_xinfo(?1) WHERE hidden = 0")?;
    let columns: Vec<String> =
        columns.query_map(params![table], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
    let names = columns.iter().map(|name| quoted(name)).collect::<Vec<_>>().join(",");
    let head = format!("INSERT INTO {} ({names}) VALUES(", quoted(table));
    let mut all = connection.prepare(&format!("SELECT {names} FROM {}", quoted(table)))?;
    let mut found = all.query([])?;
    while let Some(row) = found.next()? {
        out.write_all(head.as_bytes())?;
        for at in 0..columns.len() {
            if at > 0 {
                out.write_all(b",")?;
            }
            literal(row.get_ref(at)?, out)?;
        }
        out.write_all(b");\n")?;
    }
    Ok(())
}

/// Where counters of AUTOINCREMENT stand.
fn sequences(connection: &Connection, options: &DumpOptions, out: &mut impl Write) -> Result<(), Wrong> {
    const THERE: &str = "SELECT count(*) FROM sqlite_schema WHERE name = 'sqlite_sequence'";
    if connection.query_row(THERE, [], |row| row.get::<_, i64>(0))? == 0 {
        return Ok(());
    }
    let mut all = connection.prepare("SELECT name, seq FROM sqlite_sequence")?;
    let mut found = all.query([])?;
    while let Some(row) = found.next()? {
        let name: String = row.get(0)?;
        if !options.tables.is_empty() && !options.tables.contains(&name) {
            continue;
        }
        let name = format!("'{}'", name.replace('\'', "''"));
        writeln!(out, "DELETE FROM sqlite_sequence WHERE name = {name};")?;
        write!(out, "INSERT INTO sqlite_sequence VALUES({name},")?;
        literal(row.get_ref(1)?, out)?;
        writeln!(out, ");")?;
    }
    Ok(())
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A value as SQL. A zero character ends a string in SQL, so that a text with one is written as its bytes.
fn literal(value: ValueRef<'_>, out: &mut impl Write) -> std::io::Result<()> {
    match value {
        ValueRef::Null => out.write_all(b"NULL"),
        ValueRef::Integer(value) => write!(out, "{value}"),
        ValueRef::Real(value) if value.is_infinite() => {
            out.write_all(if value > 0.0 { b"9.0e+999" } else { b"-9.0e+999" })
        }
        ValueRef::Real(value) => write!(out, "{value:?}"),
        ValueRef::Text(bytes) if bytes.contains(&0) => {
            out.write_all(b"CAST(")?;
            hexadecimal(bytes, out)?;
            out.write_all(b" AS TEXT)")
        }
        ValueRef::Text(bytes) => {
            out.write_all(b"'")?;
            for (at, part) in bytes.split(|byte| *byte == b'\'').enumerate() {
                if at > 0 {
                    out.write_all(b"''")?;
                }
                out.write_all(part)?;
            }
            out.write_all(b"'")
        }
        ValueRef::Blob(bytes) => hexadecimal(bytes, out),
    }
}

fn hexadecimal(bytes: &[u8], out: &mut impl Write) -> std::io::Result<()> {
    out.write_all(b"X'")?;
    for byte in bytes {
        write!(out, "{byte:02x}")?;
    }
    out.write_all(b"'")
}
