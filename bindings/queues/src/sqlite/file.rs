//! The file: what it says it is, and its tables.

use wasmyard_sqlite::FileFormat;

pub(super) const FORMAT: FileFormat = FileFormat {
    // "WYQU": says that the file holds the queues of this program.
    application: 0x5759_5155,
    version: 1,
    tables: TABLES,
    // What is deleted was somebody's data.
    secure_delete: "ON",
};

/// `body` comes last: whoever reads the other columns does not touch the pages of a large one. A number is never given to a
/// second queue, so that what is left of a deleted one is nobody's. A message has a lease while it is handed over; `visible` is
/// then when that is over. `pushed` says that it was handed over to a script of this process.
const TABLES: &str = "
    CREATE TABLE queues (
        number    INTEGER PRIMARY KEY AUTOINCREMENT,
        id        TEXT NOT NULL UNIQUE,
        name      TEXT NOT NULL UNIQUE,
        created   INTEGER NOT NULL,
        modified  INTEGER NOT NULL,
        delay     INTEGER NOT NULL,
        paused    INTEGER NOT NULL,
        retention INTEGER NOT NULL,
        messages  INTEGER NOT NULL DEFAULT 0,
        bytes     INTEGER NOT NULL DEFAULT 0
    ) STRICT;

    CREATE TABLE consumers (
        queue    INTEGER PRIMARY KEY,
        id       TEXT NOT NULL UNIQUE,
        script   TEXT,
        settings TEXT NOT NULL,
        dead     TEXT,
        created  INTEGER NOT NULL
    ) STRICT;

    CREATE INDEX consuming ON consumers (script) WHERE script IS NOT NULL;
    CREATE INDEX burying ON consumers (dead) WHERE dead IS NOT NULL;

    CREATE TABLE deleted (
        number INTEGER PRIMARY KEY
    ) STRICT;

    CREATE TABLE messages (
        place    INTEGER PRIMARY KEY,
        queue    INTEGER NOT NULL,
        id       BLOB NOT NULL,
        sent     INTEGER NOT NULL,
        visible  INTEGER NOT NULL,
        attempts INTEGER NOT NULL DEFAULT 0,
        lease    INTEGER,
        pushed   INTEGER NOT NULL DEFAULT 0,
        kind     TEXT NOT NULL,
        body     BLOB NOT NULL
    ) STRICT;

    CREATE INDEX due ON messages (queue, visible);
    CREATE INDEX ageing ON messages (queue, sent);
    CREATE INDEX running ON messages (pushed) WHERE pushed = 1;

    CREATE TABLE bound (
        queue  INTEGER NOT NULL,
        script TEXT NOT NULL,
        PRIMARY KEY (queue, script)
    ) STRICT, WITHOUT ROWID;
";
