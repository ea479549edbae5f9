//! SQL databases: a point query through the service beside rusqlite called directly, a write beside one, opening one that is
//! closed, going back in one, and a hundred thousand of them.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rusqlite::Connection;
use wasmyard_d1::{Bounds, D1, D1Handle, D1Limits, SqlValue, SqliteCatalog, Statement};
use wasmyard_namespaces::Clock;

use super::Effort;
use crate::Error;
use crate::report::{Reading, Target as Goal};

/// Databases of the whole run, and of the quick one.
const MANY: [usize; 2] = [100_000, 2_000];
/// Rows of the table that is asked.
const ROWS: i64 = 10_000;
const TABLE: &str = "CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT, email TEXT)";
const POINT: &str = "SELECT id, name, email FROM users WHERE id = ?1";
const WRITE: &str = "UPDATE users SET name = ?2 WHERE id = ?1";

pub(super) fn run(effort: &Effort) -> Result<Vec<Reading>, Error> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(measure(effort))
}

async fn measure(effort: &Effort) -> Result<Vec<Reading>, Error> {
    let data = tempfile::tempdir()?;
    let service = open(data.path(), D1Limits::default())?;
    let db = service.handle(&service.create("bench").await?.id);
    let fill = format!(
        "{TABLE}; WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {ROWS}) \
         INSERT INTO users SELECT i, 'name ' || i, 'mail' || i || '@example.test' FROM n"
    );
    db.run(vec![Statement::plain(fill.as_str())], Bounds::default()).await?;
    let direct = Connection::open(data.path().join("direct.sqlite"))?;
    direct.pragma_update(None, "journal_mode", "WAL")?;
    direct.pragma_update(None, "synchronous", "FULL")?;
    direct.execute_batch(&fill)?;

    let mut readings = Vec::new();
    let (mut ratios, mut ours, mut theirs) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..effort.rounds {
        let (own, direct) = (points(&db, effort.busy).await?, direct_points(&direct, effort.busy)?);
        ratios.push(own / direct);
        ours.push(own * 1e6);
        theirs.push(direct * 1e6);
    }
    readings.push(Reading::of("a point query beside rusqlite's", &ratios, "", Goal::AtMost(1.3)));
    readings.push(Reading::of("a point query through the service", &ours, "us", Goal::None));
    readings.push(Reading::of("the same by rusqlite", &theirs, "us", Goal::None));

    let (mut ratios, mut ours) = (Vec::new(), Vec::new());
    for _ in 0..effort.rounds {
        let (own, direct) = (writes(&db, effort.busy).await?, direct_writes(&direct, effort.busy)?);
        ratios.push(own / direct);
        ours.push(own * 1e6);
    }
    readings.push(Reading::of(
        "a durable write beside rusqlite's, with its past kept",
        &ratios,
        "",
        Goal::None,
    ));
    readings.push(Reading::of("a durable write through the service", &ours, "us", Goal::None));
    readings.extend(back(&service, &db).await?);
    service.close().await;
    readings.extend(many(effort.pick(MANY[0], MANY[1])).await?);
    Ok(readings)
}

fn open(folder: &Path, limits: D1Limits) -> Result<D1, Error> {
    let catalog = Arc::new(SqliteCatalog::open(folder)?);
    Ok(D1::new(catalog, &folder.join("d1"), Clock::system(), limits))
}

fn point(id: i64) -> Statement {
    Statement { sql: POINT.to_owned(), params: vec![SqlValue::Integer(id)] }
}

/// Seconds that one call takes.
async fn points(db: &D1Handle, busy: Duration) -> Result<f64, Error> {
    let (began, mut count) = (Instant::now(), 0_i64);
    while began.elapsed() < busy {
        for _ in 0..100 {
            count += 1;
            let found = db.run(vec![point(count % ROWS + 1)], Bounds::default()).await?;
            std::hint::black_box(found);
        }
    }
    Ok(began.elapsed().as_secs_f64() / count as f64)
}

/// The same, with everything that has to be done to have the same: the columns' names, and values of our own.
fn direct_points(direct: &Connection, busy: Duration) -> Result<f64, Error> {
    let (began, mut count) = (Instant::now(), 0_i64);
    while began.elapsed() < busy {
        for _ in 0..100 {
            count += 1;
            let mut statement = direct.prepare_cached(POINT)?;
            let names: Vec<String> = statement.column_names().into_iter().map(str::to_owned).collect();
            let row = statement.query_row([count % ROWS + 1], |row| {
                Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?, row.get::<_, String>(2)?))
            })?;
            std::hint::black_box((names, row));
        }
    }
    Ok(began.elapsed().as_secs_f64() / count as f64)
}

async fn writes(db: &D1Handle, busy: Duration) -> Result<f64, Error> {
    let (began, mut count) = (Instant::now(), 0_i64);
    while began.elapsed() < busy {
        count += 1;
        let params = vec![SqlValue::Integer(count * 7_919 % ROWS + 1), SqlValue::Text(format!("n {count}"))];
        db.run(vec![Statement { sql: WRITE.to_owned(), params }], Bounds::default()).await?;
    }
    Ok(began.elapsed().as_secs_f64() / count as f64)
}

fn direct_writes(direct: &Connection, busy: Duration) -> Result<f64, Error> {
    let (began, mut count) = (Instant::now(), 0_i64);
    while began.elapsed() < busy {
        count += 1;
        direct
            .prepare_cached(WRITE)?
            .execute(rusqlite::params![count * 7_919 % ROWS + 1, format!("n {count}")])?;
    }
    Ok(began.elapsed().as_secs_f64() / count as f64)
}

/// Goes back over what the writes before did.
async fn back(service: &D1, db: &D1Handle) -> Result<Vec<Reading>, Error> {
    let before = db.bookmark(None).await?;
    for n in 0..2_000 {
        let params = vec![SqlValue::Integer(n * 7_919 % ROWS + 1), SqlValue::Text("later".to_owned())];
        db.run(vec![Statement { sql: WRITE.to_owned(), params }], Bounds::default()).await?;
    }
    let began = Instant::now();
    db.restore(&before).await?;
    let took = began.elapsed().as_secs_f64() * 1e3;
    let left = Statement::plain("SELECT count(*) FROM users WHERE name = 'later'");
    let left = db.run(vec![left], Bounds::default()).await?;
    let clean = left.results.first().and_then(|set| set.rows.first()) == Some(&vec![SqlValue::Integer(0)]);
    if !clean {
        return Err("the database did not go back".into());
    }
    std::hint::black_box(service);
    Ok(vec![Reading::once("going back over 2,000 writes", took, "ms", Goal::None)])
}

/// So many databases, each with a table and a row: what one takes, how long opening takes, and what memory is left in use.
async fn many(count: usize) -> Result<Vec<Reading>, Error> {
    let data = tempfile::tempdir()?;
    let service = open(data.path(), D1Limits::default())?;
    let before = resident()?;
    let (began, mut ids) = (Instant::now(), Vec::with_capacity(count));
    for n in 0..count {
        let id = service.create(&format!("tenant-{n}")).await?.id;
        let made = format!("{TABLE}; INSERT INTO users VALUES (1, 'a', 'b')");
        service.handle(&id).run(vec![Statement::plain(made)], Bounds::default()).await?;
        ids.push(id);
    }
    let made = began.elapsed().as_secs_f64() * 1e3 / count as f64;
    service.close().await;
    let after = resident()?;
    let (files, bytes) = sizes(&data.path().join("d1"))?;
    drop(service);
    let service = open(data.path(), D1Limits::default())?;

    let mut opened = Vec::new();
    // In another order than they were made.
    for n in 0..count.min(2_000) {
        let Some(id) = ids.get(n * 7_919 % count) else { continue };
        let began = Instant::now();
        service.handle(id).run(vec![point(1)], Bounds::default()).await?;
        opened.push(began.elapsed().as_secs_f64() * 1e3);
    }
    opened.sort_by(f64::total_cmp);
    let at = |share: f64| opened.get((opened.len() as f64 * share) as usize).copied().unwrap_or(f64::NAN);
    let each = |total: u64| total as f64 / count as f64;
    Ok(vec![
        Reading::once("databases, each with a table and a row", count as f64, "", Goal::None),
        Reading::once("making one", made, "ms", Goal::None),
        Reading::once("bytes of one on the disk, with its past", each(bytes), "B", Goal::None),
        Reading::once("files of one", each(files), "", Goal::None),
        Reading::once(
            "memory for each, all closed",
            (after.saturating_sub(before)) as f64 / count as f64,
            "B",
            Goal::None,
        ),
        Reading::once("open now", service.open_now() as f64, "", Goal::AtMost(256.0)),
        Reading::once("the first query of one that was closed, median", at(0.5), "ms", Goal::AtMost(1.0)),
        Reading::once("the same, 99th of 100", at(0.99), "ms", Goal::None),
    ])
}

/// How many files there are in a folder and below, and how many bytes they hold.
fn sizes(folder: &Path) -> Result<(u64, u64), Error> {
    let (mut files, mut bytes) = (0, 0);
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            let (more, size) = sizes(&entry.path())?;
            (files, bytes) = (files + more, bytes + size);
        } else {
            (files, bytes) = (files + 1, bytes + entry.metadata()?.len());
        }
    }
    Ok((files, bytes))
}

/// Bytes of this process in memory.
fn resident() -> Result<u64, Error> {
    let text = std::fs::read_to_string("/proc/self/statm")?;
    let pages: u64 = text.split_whitespace().nth(1).ok_or("no resident size")?.parse()?;
    Ok(pages * 4_096)
}
