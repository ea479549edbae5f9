//! A file of statements, carried out in one transaction.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;
use std::time::{Duration, Instant};

use rusqlite::limits::Limit;

use crate::bookmark::Bookmark;
use crate::budget::Allowed;
use crate::error::D1Error;
use crate::limits::MAX_STATEMENT_BYTES;
use crate::open::OpenDatabase;
use crate::run::Failed;
use crate::split;

/// The longest statement of a file: a row of the largest size, as an export writes it.
const LONGEST: usize = 5_000_000;
/// Bytes that are read of a file at once.
const PIECE: usize = 256 << 10;
/// What says that a file is one of SQLite's own.
const BINARY: &[u8] = b"SQLite format 3";

/// What became of a file.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// How many statements it had.
    pub queries: u64,
    /// Rows that were looked at.
    pub rows_read: u64,
    /// Rows that were written.
    pub rows_written: u64,
    /// How long it took.
    pub duration: Duration,
    /// Bytes of the database now.
    pub size_after: u64,
    /// The identifier of the row that was inserted last.
    pub last_row_id: i64,
    /// The database as it is now.
    pub bookmark: Bookmark,
}

/// Carries out all statements of a file, or none.
pub(crate) fn load(open: &mut OpenDatabase, from: &Path, allowed: Allowed) -> Result<Loaded, D1Error> {
    let began = Instant::now();
    let mut file = File::open(from).map_err(D1Error::system("read a file of statements"))?;
    let longest = |bytes: usize| {
        let bytes = i32::try_from(bytes).unwrap_or(i32::MAX);
        open.connection.set_limit(Limit::SQLITE_LIMIT_SQL_LENGTH, bytes)
    };
    longest(LONGEST).map_err(|error| D1Error::store("load a file", error))?;
    let mut failed = None;
    let done = open.within(allowed, |open| {
        open.begin().map_err(|error| (error.into(), 0))?;
        let mut sums = Sums::default();
        match statements(&mut file, |sql| sums.carry_out(open, sql)) {
            Ok(()) => {}
            Err(Wrong::File(error)) => {
                failed = Some(error);
                return Ok(sums);
            }
            Err(Wrong::Statement(error)) => return Err((error, sums.index())),
        }
        open.commit().map_err(|error| (error.into(), sums.index()))?;
        Ok(sums)
    });
    let bytes = i32::try_from(MAX_STATEMENT_BYTES).unwrap_or(i32::MAX);
    open.connection
        .set_limit(Limit::SQLITE_LIMIT_SQL_LENGTH, bytes)
        .map_err(|error| D1Error::store("load a file", error))?;
    let sums = done?;
    if let Some(error) = failed {
        return Err(D1Error::system("read a file of statements")(error));
    }
    Ok(Loaded {
        queries: sums.queries,
        rows_read: sums.read,
        rows_written: sums.written,
        duration: began.elapsed(),
        size_after: open.size,
        last_row_id: open.connection.last_insert_rowid(),
        bookmark: Bookmark::new(open.id.clone(), open.tell_moment()),
    })
}

#[derive(Default)]
struct Sums {
    queries: u64,
    read: u64,
    written: u64,
}

impl Sums {
    fn index(&self) -> usize {
        usize::try_from(self.queries).unwrap_or(usize::MAX)
    }

    fn carry_out(&mut self, open: &OpenDatabase, sql: &str) -> Result<(), Failed> {
        if split::is_blank(sql) || is_frame(sql) {
            return Ok(());
        }
        let (read, written) = open.silently(sql)?;
        self.queries += 1;
        self.read += read;
        self.written += written;
        Ok(())
    }
}

/// Other programs write a transaction around what they export. It is one here in any case.
fn is_frame(sql: &str) -> bool {
    let sql = sql.trim().trim_end_matches(';').trim_end();
    ["BEGIN TRANSACTION", "BEGIN", "COMMIT", "COMMIT TRANSACTION", "END TRANSACTION"]
        .iter()
        .any(|frame| sql.eq_ignore_ascii_case(frame))
}

enum Wrong {
    File(std::io::Error),
    Statement(Failed),
}

/// Does something with each statement of a file, of which no more than a piece is in memory.
fn statements(file: &mut File, mut each: impl FnMut(&str) -> Result<(), Failed>) -> Result<(), Wrong> {
    let (mut held, mut piece, mut is_first) = (Vec::new(), vec![0; PIECE], true);
    loop {
        let read = file.read(&mut piece).map_err(Wrong::File)?;
        held.extend_from_slice(piece.get(..read).unwrap_or_default());
        if std::mem::take(&mut is_first) && held.starts_with(BINARY) {
            let text =
                "the file is a database of SQLite and no text; export it as statements first, and load those";
            return Err(Wrong::Statement(Failed::Rule(text.to_owned())));
        }
        // A character may be cut by the end of a piece.
        let whole = match std::str::from_utf8(&held) {
            Ok(text) => text,
            Err(error) if error.error_len().is_none() && read > 0 => {
                std::str::from_utf8(held.get(..error.valid_up_to()).unwrap_or_default()).unwrap_or_default()
            }
            Err(_) => return Err(Wrong::Statement(Failed::Rule("the file is not UTF-8".to_owned()))),
        };
        let mut rest = whole;
        while let Some(end) = split::end(rest) {
            let (sql, more) = rest.split_at_checked(end).unwrap_or((rest, ""));
            each(sql).map_err(Wrong::Statement)?;
            rest = more;
        }
        if read == 0 {
            return each(rest).map_err(Wrong::Statement);
        }
        let done = whole.len() - rest.len();
        held.drain(..done);
        if held.len() > LONGEST {
            let text = format!("a statement of the file has more than {LONGEST} bytes; make it shorter");
            return Err(Wrong::Statement(Failed::Rule(text)));
        }
    }
}
