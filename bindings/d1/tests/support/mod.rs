//! A data directory with databases in it, and a clock that is moved by hand.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use wasmyard_d1::{Bounds, D1, D1Error, D1Handle, D1Limits, ResultSet, SqlValue, SqliteCatalog, Statement};
use wasmyard_model::timestamp::Timestamp;
use wasmyard_model::{Clock, ClockHand};

/// A data directory, open.
pub(crate) struct Place {
    folder: Arc<tempfile::TempDir>,
    d1: D1,
    limits: D1Limits,
    clock: Clock,
    hand: Arc<ClockHand>,
}

impl Place {
    pub(crate) fn new() -> Place {
        Place::with(D1Limits::default())
    }

    pub(crate) fn with(limits: D1Limits) -> Place {
        // Files have the machine's time.
        let began = Timestamp::from(SystemTime::now());
        let whole = Timestamp::from(SystemTime::UNIX_EPOCH + Duration::from_secs(began.unix_seconds() + 1));
        let (clock, hand) = Clock::by_hand(whole);
        let folder = Arc::new(tempfile::tempdir().unwrap());
        Place::open(folder, limits, clock, Arc::new(hand))
    }

    fn open(folder: Arc<tempfile::TempDir>, limits: D1Limits, clock: Clock, hand: Arc<ClockHand>) -> Place {
        let catalog = Arc::new(SqliteCatalog::open(folder.path()).unwrap());
        let d1 = D1::new(catalog, &folder.path().join("d1"), clock.clone(), limits);
        Place { folder, d1, limits, clock, hand }
    }

    /// Opens the directory a second time; the first one must be closed.
    pub(crate) fn again(&self) -> Place {
        Place::open(Arc::clone(&self.folder), self.limits, self.clock.clone(), Arc::clone(&self.hand))
    }

    /// Closes everything, and opens it again.
    pub(crate) async fn reopened(self) -> Place {
        self.d1.close().await;
        self.again()
    }

    /// What another process finds after this one was killed: nothing was closed.
    pub(crate) fn killed(self) -> Place {
        let copy = Arc::new(tempfile::tempdir().unwrap());
        copied(self.folder.path(), copy.path());
        Place::open(copy, self.limits, self.clock.clone(), Arc::clone(&self.hand))
    }

    pub(crate) fn d1(&self) -> &D1 {
        &self.d1
    }

    pub(crate) fn later(&self, by: Duration) {
        self.hand.advance(by);
    }

    /// Milliseconds since 1970.
    pub(crate) fn now(&self) -> u64 {
        self.clock.now().unix_micros() / 1_000
    }

    pub(crate) async fn database(&self, name: &str) -> D1Handle {
        let made = self.d1.create(name).await.unwrap();
        self.d1.handle(&made.id)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// What lies in the directory.
    pub(crate) fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = std::fs::read_dir(self.folder.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    /// The files of a database.
    pub(crate) fn files_of(&self, db: &D1Handle) -> Vec<PathBuf> {
        let folder = self.folder.path().join("d1").join(&db.id().as_str()[..2]);
        let Ok(found) = std::fs::read_dir(folder) else { return Vec::new() };
        let all = found.map(|entry| entry.unwrap().path());
        all.filter(|path| path.file_name().unwrap().to_string_lossy().starts_with(db.id().as_str())).collect()
    }
}

fn copied(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            std::fs::create_dir(&to).unwrap();
            copied(&entry.path(), &to);
        } else {
            std::fs::copy(entry.path(), to).unwrap();
        }
    }
}

pub(crate) async fn run(db: &D1Handle, sql: &str) -> Result<ResultSet, D1Error> {
    let mut answers = db.run(vec![Statement::plain(sql)], Bounds::default()).await?;
    Ok(answers.results.remove(0))
}

pub(crate) async fn row(db: &D1Handle, sql: &str) -> Vec<Vec<SqlValue>> {
    run(db, sql).await.unwrap().rows
}

/// The numbers in the first column.
pub(crate) async fn ints(db: &D1Handle, sql: &str) -> Vec<i64> {
    let rows = run(db, sql).await.unwrap_or_else(|error| panic!("{sql}: {error}")).rows;
    let int = |row: &Vec<SqlValue>| match &row[0] {
        SqlValue::Integer(value) => *value,
        other => panic!("{other:?}"),
    };
    rows.iter().map(int).collect()
}

pub(crate) fn text(text: &str) -> SqlValue {
    SqlValue::Text(text.to_owned())
}
