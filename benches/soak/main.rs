//! Good and hostile visitors and whoever deploys, all mixed, for ten minutes or as long as asked for: at the end nothing is
//! under way, nothing was left behind, nothing panicked, and what the API took is there after a kill. Passes or fails;
//! `benches/README.md` says how to run it.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::unwrap_used,
    clippy::panic,
    reason = "it prints what it is doing, and fails as the tests do whose harness it uses"
)]

mod hostile;
mod platform;
mod tally;
mod visits;
mod writes;

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use platform::{Held, Platform};
use tally::Tally;
use tokio::task::JoinSet;
use tokio::time::Instant;

const USAGE: &str = "Usage: soak [--seconds N]    default: 600; an hour is 3600";
/// Visitors at the same time.
const VISITORS: usize = 8;
/// How often each visit is made before the first look.
const WARM_UP_ROUNDS: usize = 3;
/// What may be more at the end than after warming up: files, and memory that is in no file.
const MORE_FILES: usize = 8;
const MORE_BYTES: u64 = 64 << 20;
/// Beyond what was there at first, memory may be more by this part of it: one in so many.
const MORE_MEMORY: u64 = 2;
/// From so long on it is no test's short form, and the largest budget is spent as well.
const LONG: Duration = Duration::from_secs(60);

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let seconds = match *words.as_slice() {
        [] => Some(600),
        ["--seconds", seconds] => seconds.parse().ok(),
        _ => None,
    };
    let Some(seconds) = seconds else {
        eprintln!("{USAGE}");
        return ExitCode::FAILURE;
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    match runtime.block_on(soak(Duration::from_secs(seconds))) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn soak(time: Duration) -> Result<(), String> {
    if time >= LONG {
        platform::largest_budget().await?;
    }
    let platform = Platform::start().await;
    let tally = Arc::new(Tally::default());
    for number in 0..visits::ALL.len() * WARM_UP_ROUNDS {
        tally.visit(number, platform.target()).await;
    }
    let written = writes::Written::begin(&platform).await;
    let before = platform.at_rest().await?;
    println!("{} s of {} visits; {before}", time.as_secs(), visits::ALL.len());
    let until = Instant::now() + time;
    let next = Arc::new(AtomicUsize::new(0));
    let mut visitors = JoinSet::new();
    for _ in 0..VISITORS {
        let (tally, next, target) = (Arc::clone(&tally), Arc::clone(&next), platform.target());
        visitors.spawn(async move {
            while Instant::now() < until {
                tally.visit(next.fetch_add(1, Ordering::Relaxed), target).await;
            }
        });
    }
    let written = written.until(until, &platform).await;
    while let Some(ended) = visitors.join_next().await {
        ended.map_err(|error| error.to_string())?;
    }
    let after = platform.at_rest().await?;
    println!("{tally}\nat rest afterwards: {after}; {written}");
    let mut wrong = tally.wrong();
    wrong.extend(more(&before, &after));
    wrong.extend(written.after_a_kill(platform).await);
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n")) }
}

/// What is held now and was not before.
fn more(before: &Held, after: &Held) -> Vec<String> {
    let mut wrong = Vec::new();
    if after.files > before.files + MORE_FILES {
        wrong.push(format!("{} files are open, and were {}", after.files, before.files));
    }
    if after.bytes > before.bytes + before.bytes / MORE_MEMORY + MORE_BYTES {
        wrong.push(format!("{} bytes are held, and were {}", after.bytes, before.bytes));
    }
    wrong
}
