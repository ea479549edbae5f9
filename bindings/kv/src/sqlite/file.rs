//! The file: what it says it is, and its tables.

use wasmyard_sqlite::FileFormat;

pub(super) const FORMAT: FileFormat = FileFormat {
    // "WYKV": says that the file holds the keys and values of this program.
    application: 0x5759_4b56,
    version: 1,
    tables: TABLES,
    // What is deleted was somebody's data.
    secure_delete: "ON",
};

/// `value` comes last: whoever reads the other columns does not touch the pages of a large one. A number is never given
/// to a second namespace, so that what is left of a deleted one is nobody's.
const TABLES: &str = "
    CREATE TABLE namespaces (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        id     TEXT NOT NULL UNIQUE,
        title  TEXT NOT NULL UNIQUE,
        keys   INTEGER NOT NULL DEFAULT 0,
        bytes  INTEGER NOT NULL DEFAULT 0
    ) STRICT;

    CREATE TABLE deleted (
        number INTEGER PRIMARY KEY
    ) STRICT;

    CREATE TABLE entries (
        namespace INTEGER NOT NULL,
        key       BLOB NOT NULL,
        expires   INTEGER,
        metadata  TEXT,
        value     BLOB NOT NULL,
        PRIMARY KEY (namespace, key)
    ) STRICT;

    CREATE INDEX expiring ON entries (expires) WHERE expires IS NOT NULL;

    CREATE TABLE bound (
        namespace INTEGER NOT NULL,
        script    TEXT NOT NULL,
        PRIMARY KEY (namespace, script)
    ) STRICT, WITHOUT ROWID;
";
