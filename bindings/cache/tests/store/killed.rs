//! A process that is killed while it puts: what it answered for is there, or what came after it, and always whole.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Command, Stdio};

use super::*;

const FOLDER: &str = "WASMYARD_CACHE_KILLED";
const ROUNDS: usize = 50;

/// What the process puts the n-th time; some of it is in pieces on the disk.
fn content(key: u8, time: usize) -> Vec<u8> {
    format!("{key} {time} ").repeat([10, 20_000, 60_000][usize::from(key) % 3]).into_bytes()
}

/// Run by the test below as a process of its own: puts until it is killed, and says what is done.
#[test]
fn puts_until_it_is_killed() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let store = opened(Path::new(&folder), limits(64 * MIB)).await;
        let mut writers = Vec::new();
        for key in 0..4 {
            let space = store.space(owner(1), "a");
            writers.push(tokio::spawn(async move {
                for time in 0.. {
                    assert!(stream(&space, at(key), &content(key, time), 30_000).await);
                    let mut out = std::io::stdout().lock();
                    writeln!(out, "\ndone {key} {time}").unwrap();
                    out.flush().unwrap();
                }
            }));
        }
        for writer in writers {
            writer.await.unwrap();
        }
    });
}

#[test]
fn every_entry_is_whole_when_the_process_is_killed() {
    let folder = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    for round in 0..ROUNDS {
        let mut process = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "killed::puts_until_it_is_killed", "--nocapture"])
            .env(FOLDER, folder.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let mut acknowledged: BTreeMap<u8, usize> = BTreeMap::new();
        let mut note = |line: &str| {
            let mut words = line.strip_prefix("done ")?.split(' ');
            let (key, time) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
            acknowledged.insert(key, time)
        };
        let done = lines.by_ref().map(Result::unwrap).filter(|line| line.starts_with("done"));
        for line in done.take(round % 9 + 4) {
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

async fn check(folder: &Path, acknowledged: &BTreeMap<u8, usize>) {
    let store = opened(folder, limits(64 * MIB)).await;
    let space = store.space(owner(1), "a");
    for (key, time) in acknowledged {
        let found = get(&space, at(*key)).await.expect("it is there").expect("it is whole");
        let text = String::from_utf8(found.clone()).unwrap();
        let found_time: usize = text.split(' ').nth(1).unwrap().parse().unwrap();
        assert!(found_time >= *time, "{found_time} is older than {time}");
        assert!(found == content(*key, found_time), "of one put alone");
    }
    assert_eq!(files(folder).len(), store.held().2);
}
