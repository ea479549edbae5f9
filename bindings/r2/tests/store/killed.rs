//! A process that is killed while it puts and deletes: what it answered for is there, and nothing else is left.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Command, Stdio};

use super::*;

const FOLDER: &str = "WASMYARD_R2_KILLED";
const ROUNDS: usize = 20;

/// What the process puts under a key the n-th time.
fn content(key: usize, time: usize) -> String {
    format!("{key} {time} ").repeat(20_000)
}

/// Run by the test below as a process of its own: puts until it is killed, and says what is done.
#[test]
fn puts_until_it_is_killed() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let r2 = over(Path::new(&folder), &Clock::system(), R2Limits::default());
        let one = r2.bucket(&name("one"));
        let writers = (0..4).map(|key| {
            let one = one.clone();
            tokio::spawn(async move {
                for time in 0.. {
                    put(&one, &key.to_string(), &content(key, time)).await.unwrap();
                    let mut out = std::io::stdout().lock();
                    writeln!(out, "\ndone {key} {time}").unwrap();
                    out.flush().unwrap();
                }
            })
        });
        futures::future::join_all(writers).await;
    });
}

#[test]
fn nothing_that_was_answered_for_is_lost_when_the_process_is_killed() {
    let folder = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let r2 = over(folder.path(), &Clock::system(), R2Limits::default());
        bucket(&r2, "one").await;
        r2.close().await;
    });
    for round in 0..ROUNDS {
        let mut process = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "killed::puts_until_it_is_killed", "--nocapture"])
            .env(FOLDER, folder.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let mut acknowledged: BTreeMap<usize, usize> = BTreeMap::new();
        let mut note = |line: &str| {
            let mut words = line.strip_prefix("done ")?.split(' ');
            let (key, time) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
            acknowledged.insert(key, time)
        };
        for line in lines.by_ref().map(Result::unwrap).filter(|line| line.starts_with("done")).take(round + 4)
        {
            note(&line);
        }
        process.kill().unwrap();
        process.wait().unwrap();
        lines.map_while(Result::ok).for_each(|line| {
            note(&line);
        });
        runtime.block_on(check(folder.path(), &acknowledged));
    }
}

async fn check(folder: &Path, acknowledged: &BTreeMap<usize, usize>) {
    let r2 = over(folder, &Clock::system(), R2Limits::default());
    let one = r2.bucket(&name("one"));
    for (key, time) in acknowledged {
        let found = get(&one, &key.to_string()).await.unwrap();
        let mut words = found.split(' ').skip(1);
        let put: usize = words.next().unwrap().parse().unwrap();
        // The one after it may have been put, and not said so any more.
        assert!(put == *time || put == time + 1, "{key}: {put} after {time}");
        assert!(found == content(*key, put), "whole");
    }
    r2.sweep().await.unwrap();
    let objects = one.list(ListOptions::default()).await.unwrap().objects.len();
    assert_eq!(files(folder), objects, "what was being written is gone");
    r2.close().await;
}
