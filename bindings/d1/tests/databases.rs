//! What a database promises: statements in one transaction, bounds, nothing beside the database, and a way back.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking, in its helpers as well"
)]

mod support;

use std::time::Duration;

use proptest::prelude::*;
use support::{Place, ints, row, run, text};
use wasmyard_d1::{Bookmark, Bounds, D1Error, D1Limits, DumpOptions, SqlValue, Statement};

#[tokio::test]
async fn statements_are_bound_carried_out_and_counted() {
    let place = Place::new();
    let db = place.database("a").await;
    run(&db, "CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT, b BLOB, c REAL)").await.unwrap();
    let put = Statement {
        sql: "INSERT INTO t (a, b, c) VALUES (?1, ?2, ?3), ('x', NULL, 1)".to_owned(),
        params: vec![text("ö"), SqlValue::Blob(vec![0, 255]), SqlValue::Real(0.5)],
    };
    let put = db.run(vec![put], Bounds::default()).await.unwrap();
    let meta = put.results[0].meta;
    assert_eq!((meta.changes, meta.last_row_id, meta.changed_db), (2, 2, true));
    assert!(meta.size_after >= 8_192, "{meta:?}");
    let found = run(&db, "SELECT * FROM t").await.unwrap();
    assert_eq!(found.columns, ["id", "a", "b", "c"]);
    assert_eq!(
        found.rows,
        [
            vec![SqlValue::Integer(1), text("ö"), SqlValue::Blob(vec![0, 255]), SqlValue::Real(0.5)],
            vec![SqlValue::Integer(2), text("x"), SqlValue::Null, SqlValue::Real(1.0)],
        ]
    );
    assert_eq!((found.meta.rows_read, found.meta.rows_written, found.meta.changed_db), (2, 0, false));
    let wrong =
        db.run(vec![Statement { sql: "SELECT ?1".to_owned(), params: vec![] }], Bounds::default()).await;
    assert_eq!(wrong.unwrap_err().to_string(), "Wrong number of parameter bindings for SQL query.");
    let error = run(&db, "SELEC 1").await.unwrap_err().to_string();
    assert_eq!(error, "near \"SELEC\": syntax error at offset 0: SQLITE_ERROR");
    let error = run(&db, "INSERT INTO t (id) VALUES (1)").await.unwrap_err().to_string();
    assert_eq!(error, "UNIQUE constraint failed: t.id: SQLITE_CONSTRAINT");
}

#[tokio::test]
async fn a_batch_happens_whole_or_not_at_all() {
    let place = Place::new();
    let db = place.database("a").await;
    run(&db, "CREATE TABLE t (a INTEGER PRIMARY KEY)").await.unwrap();
    let plain = |sql: &str| Statement::plain(sql);
    let batch = vec![plain("INSERT INTO t VALUES (1)"), plain("INSERT INTO t VALUES (1)")];
    let refused = db.run(batch, Bounds::default()).await.unwrap_err();
    assert!(matches!(refused, D1Error::Sql { statement: 1, .. }), "{refused:?}");
    assert_eq!(ints(&db, "SELECT count(*) FROM t").await, [0]);
    let batch = vec![plain("INSERT INTO t VALUES (1); INSERT INTO t VALUES (2);"), plain("SELECT a FROM t")];
    let done = db.run(batch, Bounds::default()).await.unwrap();
    assert_eq!(done.results.len(), 3);
    assert_eq!(done.results[2].rows, [[SqlValue::Integer(1)], [SqlValue::Integer(2)]]);
    // A rule that is asked at the commit takes everything back, too.
    run(&db, "CREATE TABLE c (a REFERENCES t (a) DEFERRABLE INITIALLY DEFERRED)").await.unwrap();
    let error = run(&db, "INSERT INTO c VALUES (7)").await.unwrap_err().to_string();
    assert_eq!(error, "FOREIGN KEY constraint failed: SQLITE_CONSTRAINT");
    assert_eq!(ints(&db, "SELECT count(*) FROM c").await, [0]);
}

#[tokio::test]
async fn nothing_beside_the_database_is_reached() {
    let place = Place::new();
    let db = place.database("a").await;
    run(&db, "CREATE TABLE t (a)").await.unwrap();
    for sql in [
        "ATTACH 'other.sqlite' AS other",
        "ATTACH ':memory:' AS other",
        "DETACH main",
        "VACUUM",
        "VACUUM INTO 'copy.sqlite'",
        "SELECT load_extension('x')",
        "PRAGMA journal_mode = DELETE",
        "PRAGMA journal_mode",
        "PRAGMA writable_schema = ON",
        "PRAGMA wal_checkpoint(TRUNCATE)",
        "PRAGMA max_page_count = 1000000000",
        "PRAGMA locking_mode = NORMAL",
        "PRAGMA synchronous = OFF",
        "PRAGMA application_id = 1",
        "PRAGMA database_list",
        "SELECT * FROM pragma_database_list",
        "BEGIN",
        "COMMIT",
        "SAVEPOINT s",
        "INSERT INTO t VALUES (1); COMMIT; INSERT INTO t VALUES (2)",
        "CREATE TEMP TABLE u (a)",
        "CREATE TEMP VIEW v AS SELECT 1",
        "CREATE VIRTUAL TABLE v USING rtree (id, a, b)",
        "CREATE VIRTUAL TABLE v USING dbstat",
        "UPDATE sqlite_schema SET sql = 'CREATE TABLE t (b)'",
        "DELETE FROM sqlite_schema",
        "SELECT fts3_tokenizer('simple')",
    ] {
        let refused = run(&db, sql).await.map(|found| found.rows);
        assert!(matches!(refused, Err(D1Error::Sql { .. })), "{sql}: {refused:?}");
    }
    assert_eq!(ints(&db, "SELECT count(*) FROM t").await, [0], "nothing of a refused call is kept");
    assert_eq!(place.names(), ["d1", "d1.sqlite", "d1.sqlite-shm", "d1.sqlite-wal"]);
    for sql in [
        "PRAGMA table_list",
        "PRAGMA table_info(t)",
        "SELECT name FROM pragma_table_info('t')",
        "PRAGMA quick_check",
        "PRAGMA optimize",
        "PRAGMA foreign_key_check",
        "PRAGMA defer_foreign_keys = ON",
        "CREATE VIRTUAL TABLE words USING fts5 (word)",
        "INSERT INTO words VALUES ('some words')",
        "SELECT json_extract('{\"a\": 1}', '$.a'), sqrt(4)",
        "EXPLAIN QUERY PLAN SELECT * FROM t",
        "ANALYZE",
        "REINDEX",
    ] {
        run(&db, sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    }
    assert_eq!(ints(&db, "SELECT count(*) FROM words WHERE words MATCH 'words'").await, [1]);
}

#[tokio::test]
async fn a_setting_ends_with_its_call() {
    let place = Place::new();
    let db = place.database("a").await;
    assert_eq!(ints(&db, "SELECT 'a' LIKE 'A'").await, [1]);
    for _ in 0..2 {
        let statements = vec![Statement::plain("PRAGMA case_sensitive_like = ON; SELECT 'a' LIKE 'A'")];
        let within = db.run(statements, Bounds::default()).await.unwrap();
        assert_eq!(within.results[1].rows, [[SqlValue::Integer(0)]]);
        assert_eq!(ints(&db, "SELECT 'a' LIKE 'A'").await, [1]);
        run(&db, "PRAGMA foreign_keys = OFF").await.unwrap();
        run(&db, "PRAGMA ignore_check_constraints = ON").await.unwrap();
        assert_eq!(ints(&db, "PRAGMA foreign_keys").await, [1]);
        assert_eq!(ints(&db, "PRAGMA ignore_check_constraints").await, [0]);
    }
}

#[tokio::test]
async fn a_call_has_bounds() {
    let limits = D1Limits { query: Duration::from_millis(200), bytes: 1 << 20, ..D1Limits::default() };
    let place = Place::with(limits);
    let db = place.database("a").await;
    let endless = "WITH RECURSIVE n (a) AS (SELECT 1 UNION ALL SELECT a + 1 FROM n) SELECT count(*) FROM n";
    let slow = run(&db, endless).await.unwrap_err();
    assert!(matches!(slow, D1Error::TooSlow { .. }), "{slow:?}");
    let bounds = Bounds { cpu: Some(Duration::from_millis(20)), ..Bounds::default() };
    let spent = db.run(vec![Statement::plain(endless)], bounds).await.unwrap_err();
    assert!(matches!(spent, D1Error::CpuSpent), "{spent:?}");
    run(&db, "CREATE TABLE t (a)").await.unwrap();
    let many = "WITH RECURSIVE n (a) AS (SELECT 1 UNION ALL SELECT a + 1 FROM n LIMIT 1000) SELECT a FROM n";
    let room = Bounds { room: 2_000, ..Bounds::default() };
    let refused = db.run(vec![Statement::plain(many)], room).await.unwrap_err();
    assert!(matches!(refused, D1Error::NoRoom { .. }), "{refused:?}");
    let full = loop {
        match run(&db, "INSERT INTO t VALUES (randomblob(100000))").await {
            Ok(_) => {}
            Err(error) => break error,
        }
    };
    assert!(matches!(full, D1Error::Quota { limit: "d1_database_bytes", .. }), "{full:?}");
    // What makes room is let through, and there is room then.
    run(&db, "DELETE FROM t WHERE rowid < 4").await.unwrap();
    run(&db, "INSERT INTO t VALUES (randomblob(100000))").await.unwrap();
    for (sql, text) in [
        (format!("SELECT '{}'", "x".repeat(100_001)), "100010 bytes"),
        ("SELECT zeroblob(3000000)".to_owned(), "SQLITE_TOOBIG"),
        (format!("SELECT {}", vec!["1"; 101].join(",")), "too many columns"),
        (" ; -- nothing".to_owned(), "No SQL statements"),
        ("SELECT 1;".repeat(1_001), "1001 statements"),
    ] {
        let refused = run(&db, &sql).await.unwrap_err().to_string();
        assert!(refused.contains(text), "{refused}");
    }
    let two = Statement { sql: "SELECT ?1; SELECT 2".to_owned(), params: vec![SqlValue::Null] };
    let refused = db.run(vec![two], Bounds::default()).await.unwrap_err().to_string();
    assert!(refused.contains("only one statement"), "{refused}");
}

#[tokio::test]
async fn whoever_goes_away_takes_the_call_along() {
    let place = Place::new();
    let db = place.database("a").await;
    run(&db, "CREATE TABLE t (a)").await.unwrap();
    let endless =
        "WITH RECURSIVE n (a) AS (SELECT 1 UNION ALL SELECT a + 1 FROM n) INSERT INTO t SELECT max(a) FROM n";
    let mut going = Box::pin(run(&db, endless));
    assert!(std::future::poll_fn(|cx| std::task::Poll::Ready(going.as_mut().poll(cx))).await.is_pending());
    drop(going);
    // Its turn comes long before the call would have had to end.
    let counted = tokio::time::timeout(Duration::from_secs(10), ints(&db, "SELECT count(*) FROM t")).await;
    assert_eq!(counted.unwrap(), [0]);
}

#[tokio::test]
async fn no_more_are_open_than_may_be_and_none_forgets_anything() {
    let limits = D1Limits { open: 3, ..D1Limits::default() };
    let place = Place::with(limits);
    let mut all = Vec::new();
    for n in 0..8 {
        let db = place.database(&format!("db {n}")).await;
        run(&db, &format!("CREATE TABLE t (a); INSERT INTO t VALUES ({n})")).await.unwrap();
        all.push(db);
    }
    assert!(place.d1().open_now() <= 3, "{}", place.d1().open_now());
    for (n, db) in (0..).zip(&all) {
        assert_eq!(ints(db, "SELECT a FROM t").await, [n]);
    }
    assert!(place.d1().open_now() <= 3, "{}", place.d1().open_now());
    place.d1().close().await;
    assert_eq!(place.d1().open_now(), 0);
}

#[tokio::test]
async fn a_deleted_database_is_gone_with_its_files() {
    let place = Place::new();
    let (db, other) = (place.database("a").await, place.database("b").await);
    run(&db, "CREATE TABLE t (a)").await.unwrap();
    run(&other, "CREATE TABLE t (a)").await.unwrap();
    assert!(matches!(place.d1().create("a").await, Err(D1Error::NameTaken { .. })));
    place.d1().delete(db.id()).await.unwrap();
    assert!(matches!(run(&db, "SELECT 1").await, Err(D1Error::NotFound(_))));
    assert!(matches!(place.d1().delete(db.id()).await, Err(D1Error::NotFound(_))));
    assert!(place.files_of(&db).is_empty());
    assert_eq!(ints(&other, "SELECT count(*) FROM t").await, [0]);
    assert_eq!(place.d1().count("").await.unwrap(), 1);
    place.database("a").await;
}

#[tokio::test]
async fn a_damaged_file_is_told_and_the_others_are_served() {
    let place = Place::new();
    let (db, other) = (place.database("a").await, place.database("b").await);
    for each in [&db, &other] {
        run(each, "CREATE TABLE t (a); INSERT INTO t VALUES (1)").await.unwrap();
    }
    place.d1().close().await;
    let files = place.files_of(&db);
    let main = files.iter().find(|path| path.extension().is_some_and(|end| end == "sqlite")).unwrap();
    for (from, bytes) in [(0, b"no database".as_slice()), (4_096, &[0xff; 4_096])] {
        let whole = std::fs::read(main).unwrap();
        let mut broken = whole.clone();
        broken[from..from + bytes.len()].copy_from_slice(bytes);
        std::fs::write(main, broken).unwrap();
        let again = place.again();
        let told = run(&again.d1().handle(db.id()), "SELECT * FROM t").await.unwrap_err();
        assert!(matches!(&told, D1Error::Damaged { id, .. } if id == db.id()), "{told:?}");
        assert_eq!(ints(&again.d1().handle(other.id()), "SELECT a FROM t").await, [1]);
        again.d1().close().await;
        std::fs::write(main, whole).unwrap();
    }
    assert_eq!(ints(&place.again().d1().handle(db.id()), "SELECT a FROM t").await, [1]);
}

#[tokio::test]
async fn an_export_makes_the_same_database_again() {
    let place = Place::new();
    let (db, copy) = (place.database("a").await, place.database("b").await);
    let made = "CREATE TABLE \"o'd\"\"d\" (id INTEGER PRIMARY KEY AUTOINCREMENT, a TEXT, b BLOB, c REAL, d GENERATED ALWAYS AS (a || 'x'));
        CREATE INDEX by_a ON \"o'd\"\"d\" (a);
        CREATE TABLE log (a);
        CREATE TRIGGER noted AFTER INSERT ON \"o'd\"\"d\" BEGIN INSERT INTO log VALUES (new.a); END;
        CREATE VIEW seen AS SELECT a FROM log;
        INSERT INTO \"o'd\"\"d\" (a, b, c) VALUES ('it''s; one', X'00ff', 0.1), (NULL, NULL, 1e300), ('a' || char(0) || 'b', '', -9e999);
        DELETE FROM \"o'd\"\"d\" WHERE id = 2;";
    run(&db, made).await.unwrap();
    let file = place.path("export.sql");
    let bookmark = db.dump(DumpOptions::default(), file.clone()).await.unwrap();
    assert_eq!(bookmark.database(), db.id());
    let loaded = copy.load(file.clone()).await.unwrap();
    assert!(loaded.queries > 8, "{loaded:?}");
    for sql in [
        "SELECT *, typeof(a), length(a) FROM \"o'd\"\"d\"",
        "SELECT * FROM log",
        "SELECT * FROM sqlite_sequence",
    ] {
        assert_eq!(run(&copy, sql).await.unwrap().rows, run(&db, sql).await.unwrap().rows, "{sql}");
    }
    let schema = "SELECT type, name, sql FROM sqlite_schema ORDER BY name";
    assert_eq!(run(&copy, schema).await.unwrap().rows, run(&db, schema).await.unwrap().rows);
    let again = copy.load(file.clone()).await.unwrap_err();
    assert!(matches!(again, D1Error::Sql { .. }), "{again:?}");
    assert_eq!(
        ints(&copy, "SELECT count(*) FROM log").await,
        [3],
        "nothing of a file that is refused is kept"
    );

    let only = DumpOptions { tables: vec!["log".to_owned()], no_schema: true, ..DumpOptions::default() };
    db.dump(only, file.clone()).await.unwrap();
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(
        text.contains("INSERT INTO \"log\"") && !text.contains("CREATE") && !text.contains("o'd"),
        "{text}"
    );
    let missing = DumpOptions { tables: vec!["none".to_owned()], ..DumpOptions::default() };
    assert!(matches!(db.dump(missing, file.clone()).await, Err(D1Error::Invalid(_))));
    std::fs::write(&file, "BEGIN TRANSACTION;\nCREATE TABLE x (a);\nINSERT INTO x VALUES (1);\nCOMMIT;\n")
        .unwrap();
    assert_eq!(db.load(file.clone()).await.unwrap().queries, 2);
    std::fs::write(&file, b"SQLite format 3\0").unwrap();
    assert!(db.load(file).await.unwrap_err().to_string().contains("no text"));
}

/// A change, and how much later it comes than the one before.
#[derive(Clone, Debug)]
enum Change {
    Put(u8, u16),
    Grow(u16),
    Shrink,
    /// More than is held in memory, and then taken back: the log is longer than what is in it.
    Fail,
    Close,
    Kill,
    Back(usize),
}

fn change() -> impl Strategy<Value = (Change, u64)> {
    let change = prop_oneof![
        6 => (0..20_u8, any::<u16>()).prop_map(|(key, value)| Change::Put(key, value)),
        2 => (1..400_u16).prop_map(Change::Grow),
        1 => Just(Change::Shrink),
        1 => Just(Change::Fail),
        1 => Just(Change::Close),
        1 => Just(Change::Kill),
        1 => any::<prop::sample::Index>().prop_map(|index| Change::Back(index.index(1_000))),
    ];
    (change, prop_oneof![Just(0), Just(300), Just(2_000)])
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]
    #[test]
    fn every_second_can_be_gone_back_to(changes in prop::collection::vec(change(), 1..40)) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        runtime.block_on(goes_back(changes));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn what_was_told_before_a_crash_can_be_gone_back_to_while_the_clock_stands() {
    // The second commit within a second begins no step of its own, and yet its moment was told.
    goes_back(vec![(Change::Put(0, 0), 0), (Change::Kill, 0), (Change::Put(0, 1), 0)]).await;
}

/// Makes changes by a clock that is moved by hand, notes what there was at each moment that was told, and goes back to all of them.
async fn goes_back(changes: Vec<(Change, u64)>) {
    let limits = D1Limits { log_pages: 30, ..D1Limits::default() };
    let mut place = Place::with(limits);
    let id = place.database("a").await.id().clone();
    run(&place.d1().handle(&id), "CREATE TABLE t (k INTEGER PRIMARY KEY, v)").await.unwrap();
    let mut told: Vec<(Bookmark, Vec<Vec<SqlValue>>)> = Vec::new();
    for (change, later) in changes {
        place.later(Duration::from_millis(later));
        let db = place.d1().handle(&id);
        match change {
            Change::Put(key, value) => {
                let sql = format!("INSERT OR REPLACE INTO t VALUES ({key}, {value})");
                run(&db, &sql).await.unwrap();
            }
            Change::Grow(bytes) => {
                let sql = format!(
                    "INSERT INTO t SELECT max(k, 100) + 1, zeroblob({bytes}00) FROM (SELECT max(k) AS k FROM t)"
                );
                run(&db, &sql).await.unwrap_or_else(|error| panic!("{sql} {error}"));
            }
            Change::Shrink => drop(run(&db, "DELETE FROM t WHERE k > 100").await.unwrap()),
            Change::Fail => {
                let much = "INSERT INTO t SELECT max(k, 100) + 1, randomblob(1900000) FROM (SELECT max(k) AS k FROM t);";
                let sql = format!("{much} {much} SELECT * FROM missing");
                run(&db, &sql).await.unwrap_err();
            }
            Change::Close => place = place.reopened().await,
            Change::Kill => place = place.killed(),
            Change::Back(index) => {
                if let Some((bookmark, there)) = told.get(index % told.len().max(1)).cloned() {
                    db.restore(&bookmark).await.unwrap();
                    assert_eq!(row(&db, "SELECT k, v FROM t").await, there, "{bookmark}");
                }
            }
        }
        let db = place.d1().handle(&id);
        told.push((db.bookmark(None).await.unwrap(), row(&db, "SELECT k, v FROM t").await));
    }
    let db = place.d1().handle(&id);
    for (bookmark, there) in told.iter().rev().chain(&told) {
        let done = db.restore(bookmark).await.unwrap();
        assert_eq!(done.bookmark.database(), &id);
        assert_eq!(&row(&db, "SELECT k, v FROM t").await, there, "{bookmark}");
        assert_eq!(row(&db, "PRAGMA quick_check").await, [[text("ok")]]);
    }
}

#[tokio::test]
async fn the_way_back_is_by_seconds_and_says_where_it_ends() {
    let limits = D1Limits { history: Duration::from_secs(60), log_pages: 1, ..D1Limits::default() };
    let place = Place::with(limits);
    let (db, other) = (place.database("a").await, place.database("b").await);
    run(&db, "CREATE TABLE t (a)").await.unwrap();
    let began = place.now();
    for n in 0..10 {
        place.later(Duration::from_secs(1));
        run(&db, &format!("INSERT INTO t VALUES ({n})")).await.unwrap();
    }
    let at = |second: u64| began + second * 1_000;
    for second in [3, 7, 10, 1] {
        let bookmark = db.bookmark(Some(at(second))).await.unwrap();
        db.restore(&bookmark).await.unwrap();
        let last = ints(&db, "SELECT max(a) FROM t").await[0];
        assert_eq!(last, second as i64 - 1, "second {second}");
        place.later(Duration::from_secs(1));
    }
    let before = db.restore(&db.bookmark(Some(at(5))).await.unwrap()).await.unwrap().previous;
    assert_eq!(ints(&db, "SELECT max(a) FROM t").await, [4]);
    db.restore(&before).await.unwrap();
    assert_eq!(ints(&db, "SELECT max(a) FROM t").await, [0], "going back can be gone back over");

    let foreign = other.bookmark(None).await.unwrap();
    assert!(matches!(db.restore(&foreign).await, Err(D1Error::NoWayBack(_))));
    assert!(matches!(db.bookmark(Some(began - 60_000)).await, Err(D1Error::NoWayBack(_))));
    let to_come = place.now() + 60_000;
    assert!(matches!(db.bookmark(Some(to_come)).await, Err(D1Error::NoWayBack(_))));
    for _ in 0..200 {
        place.later(Duration::from_secs(1));
        run(&db, "INSERT INTO t VALUES (100)").await.unwrap();
    }
    let gone = db.bookmark(Some(at(5))).await.unwrap_err().to_string();
    assert!(gone.contains("begins at"), "{gone}");
    let near = db.bookmark(Some(place.now() - 30_000)).await.unwrap();
    db.restore(&near).await.unwrap();
    assert_eq!(ints(&db, "SELECT count(*) FROM t WHERE a = 100").await, [170]);
}

#[tokio::test]
async fn a_damaged_past_is_told_and_nothing_is_changed() {
    let place = Place::new();
    let db = place.database("a").await;
    run(&db, "CREATE TABLE t (a); INSERT INTO t VALUES (1)").await.unwrap();
    let before = db.bookmark(None).await.unwrap();
    run(&db, "INSERT INTO t VALUES (2)").await.unwrap();
    place.d1().close().await;
    let files = place.files_of(&db);
    let past = files.iter().find(|path| path.extension().is_some_and(|end| end == "past")).unwrap();
    let mut bytes = std::fs::read(past).unwrap();
    let middle = bytes.len() - 40;
    bytes[middle] ^= 0xff;
    std::fs::write(past, bytes).unwrap();
    let place = place.again();
    let db = place.d1().handle(db.id());
    let told = db.restore(&before).await.unwrap_err();
    assert!(matches!(&told, D1Error::NoWayBack(text) if text.contains("damaged")), "{told:?}");
    assert_eq!(ints(&db, "SELECT count(*) FROM t").await, [2]);
    run(&db, "INSERT INTO t VALUES (3)").await.unwrap();
}
