//! The file: what it says it is, and its tables.

use wasmyard_sqlite::FileFormat;

pub(super) const FORMAT: FileFormat = FileFormat {
    // "WYR2": says that the file is the index of this program's objects.
    application: 0x5759_5232,
    version: 2,
    tables: TABLES,
    // Names of what is deleted were somebody's data.
    secure_delete: "ON",
};

/// An object whose `parts` is 0 has one content, named like its version, and none at all where it is empty; of any other the
/// contents are in `pieces`. A number is never given to a second bucket.
const TABLES: &str = "
    CREATE TABLE buckets (
        number  INTEGER PRIMARY KEY AUTOINCREMENT,
        name    TEXT NOT NULL UNIQUE,
        created INTEGER NOT NULL,
        place   TEXT,
        class   TEXT NOT NULL,
        objects INTEGER NOT NULL DEFAULT 0,
        bytes   INTEGER NOT NULL DEFAULT 0,
        uploads INTEGER NOT NULL DEFAULT 0
    ) STRICT;

    CREATE TABLE objects (
        bucket    INTEGER NOT NULL,
        key       BLOB NOT NULL,
        version   TEXT NOT NULL,
        size      INTEGER NOT NULL,
        etag      TEXT NOT NULL,
        uploaded  INTEGER NOT NULL,
        parts     INTEGER NOT NULL,
        weight    INTEGER NOT NULL,
        checksums TEXT NOT NULL,
        metadata  TEXT NOT NULL,
        PRIMARY KEY (bucket, key)
    ) STRICT;

    CREATE UNIQUE INDEX versions ON objects (version);

    CREATE TABLE pieces (
        version  TEXT NOT NULL,
        position INTEGER NOT NULL,
        content  TEXT NOT NULL UNIQUE,
        size     INTEGER NOT NULL,
        PRIMARY KEY (version, position)
    ) STRICT;

    CREATE TABLE uploads (
        id       TEXT PRIMARY KEY,
        bucket   INTEGER NOT NULL,
        key      BLOB NOT NULL,
        started  INTEGER NOT NULL,
        metadata TEXT NOT NULL
    ) STRICT, WITHOUT ROWID;

    CREATE INDEX uploads_of_bucket ON uploads (bucket, key, id);
    CREATE INDEX uploads_by_age ON uploads (started);

    CREATE TABLE parts (
        upload    TEXT NOT NULL,
        number    INTEGER NOT NULL,
        content   TEXT NOT NULL UNIQUE,
        size      INTEGER NOT NULL,
        md5       TEXT NOT NULL,
        uploaded  INTEGER NOT NULL,
        checksums TEXT NOT NULL,
        PRIMARY KEY (upload, number)
    ) STRICT;

    CREATE TABLE garbage (
        content TEXT PRIMARY KEY,
        version TEXT NOT NULL
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE bound (
        bucket INTEGER NOT NULL,
        script TEXT NOT NULL,
        PRIMARY KEY (bucket, script)
    ) STRICT, WITHOUT ROWID;
";
