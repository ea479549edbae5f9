//! Builds are real commands here: shells that print, fail, hang and leave children behind.

use std::path::Path;
use std::time::Instant;

use super::*;
use crate::output::tests::captured;
use crate::testing::{gone, line_in};

fn build(command: &str, cwd: &Path) -> BuildConfig {
    BuildConfig { command: command.to_owned(), cwd: cwd.to_owned(), watch: Vec::new() }
}

#[tokio::test]
async fn a_build_runs_in_its_folder_and_is_heard() {
    let folder = tempfile::tempdir().unwrap();
    let (output, _, notes) = captured();
    let build = build("echo one; echo two >&2; echo x > made", folder.path());
    run("a", &build, &output, &CancellationToken::new()).await.unwrap();
    assert!(folder.path().join("made").is_file());
    let heard = notes.text();
    assert!(heard.contains("[a] one\n") && heard.contains("[a] two\n"), "{heard}");
}

#[tokio::test]
async fn a_failed_build_keeps_what_it_said() {
    let folder = tempfile::tempdir().unwrap();
    let (output, _, _) = captured();
    let build = build("echo 'error: no such variable'; printf 'no newline'; exit 7", folder.path());
    let error = run("a", &build, &output, &CancellationToken::new()).await.unwrap_err();
    let text = error.to_string();
    assert!(text.contains("error: no such variable\nno newline"), "{text}");
    assert!(text.contains("exit status: 7"), "{text}");
}

#[tokio::test]
async fn a_folder_that_is_not_there_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let (output, _, _) = captured();
    let build = build("true", &folder.path().join("missing"));
    let error = run("a", &build, &output, &CancellationToken::new()).await.unwrap_err();
    assert!(error.to_string().contains("missing"), "{error}");
}

#[tokio::test]
async fn the_end_of_an_endless_log_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let (output, _, _) = captured();
    let command = "i=0; while [ $i -lt 3000 ]; do echo \"a line of about forty characters, number $i\"; i=$((i+1)); done; head -c 20000 /dev/zero | tr '\\0' x; exit 1";
    let error =
        run("a", &build(command, folder.path()), &output, &CancellationToken::new()).await.unwrap_err();
    let text = error.to_string();
    assert!(text.len() < LOG_BYTES + command.len() + 100, "{}", text.len());
    assert!(text.contains("number 2999") && !text.contains("number 0\n"));
    assert!(text.lines().all(|line| line.len() <= LINE_BYTES));
}

#[tokio::test]
async fn stopping_ends_the_whole_group() {
    let folder = tempfile::tempdir().unwrap();
    let (output, _, notes) = captured();
    let build = build("sleep 1000 & echo $! > child; echo started; wait", folder.path());
    let stop = CancellationToken::new();
    let running = run("a", &build, &output, &stop);
    let child = folder.path().join("child");
    let stopping = async {
        let pid = line_in(&child).await;
        stop.cancel();
        pid
    };
    let (result, pid) = tokio::join!(running, stopping);
    assert!(matches!(result, Err(BuildError::Stopped)), "{result:?}");
    gone(&pid).await;
    assert!(!notes.text().to_lowercase().contains("terminated"), "{}", notes.text());
}

#[tokio::test]
async fn a_build_that_will_not_end_is_made_to() {
    let folder = tempfile::tempdir().unwrap();
    let (output, _, _) = captured();
    let build = build("trap '' TERM; echo $$ > pid; while :; do sleep 0.05; done", folder.path());
    let stop = CancellationToken::new();
    let pid_file = folder.path().join("pid");
    let stopping = async {
        let pid = line_in(&pid_file).await;
        stop.cancel();
        pid
    };
    let start = Instant::now();
    let (result, pid) = tokio::join!(run("a", &build, &output, &stop), stopping);
    assert!(matches!(result, Err(BuildError::Stopped)));
    assert!(start.elapsed() >= GRACE, "it was given no time to clean up");
    gone(&pid).await;
}

#[tokio::test]
async fn dropping_a_build_ends_the_whole_group_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let (output, _, _) = captured();
    let build = build("sleep 1000 & echo $! > child; wait", folder.path());
    let stop = CancellationToken::new();
    let child = folder.path().join("child");
    let pid = tokio::select! {
        result = run("a", &build, &output, &stop) => panic!("it ended: {result:?}"),
        pid = line_in(&child) => pid,
    };
    gone(&pid).await;
}

#[tokio::test]
async fn something_left_in_the_background_does_not_hold_the_build_up() {
    let folder = tempfile::tempdir().unwrap();
    let (output, _, notes) = captured();
    let build = build("sleep 1000 & echo $! > child; echo done", folder.path());
    tokio::time::timeout(Duration::from_secs(20), run("a", &build, &output, &CancellationToken::new()))
        .await
        .expect("the build should end without its background process")
        .unwrap();
    assert!(notes.text().contains("[a] done"));
    let pid: i32 = line_in(&folder.path().join("child")).await.trim().parse().unwrap();
    rustix::process::kill_process(Pid::from_raw(pid).unwrap(), Signal::KILL).unwrap();
}
