//! The end-to-end runner: every server a process on one processor, the load on another, rounds in turn over
//! all of them, ratios of rounds of one turn. See `benches/README.md`.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a bench prints its figures, and what it is doing"
)]

use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use wasmyard_benches::lanes::{Lane, Lanes, MANY};
use wasmyard_benches::load::{busy, wrk};
use wasmyard_benches::report::{Report, Rounds};
use wasmyard_benches::rows::{Effort, OTHERS, Other, RATES, Rate};
use wasmyard_benches::servers::hyper;
use wasmyard_benches::{Error, LOAD_CPU, compare, machine, scratch, train};

const USAGE: &str = "\
Usage: end-to-end [--quick] [--only TEXT]... [--out FILE]    measure
       end-to-end list                                       the rows
       end-to-end compare BEFORE.json AFTER.json             two files of figures
       end-to-end train SECONDS                              asks every chain for so long: scripts/dist.sh
Rows are chosen by a part of their name; without --only all are measured.
Environment: WASMYARD, WASMTIME, WORKERD: other binaries; JS_COMPONENT: another JavaScript component;
ROUNDS, ROUND_MS: longer or shorter; SCRIPTS: how many are in rotation.";

/// Connections that are kept alive and busy.
const CONNECTIONS: usize = 16;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Error> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match *words.as_slice() {
        [hyper::ONE_THREAD] => {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(hyper::serve())
        }
        [hyper::MANY_THREADS] => {
            let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
            runtime.block_on(hyper::serve())
        }
        ["list"] => {
            for row in RATES {
                println!("{:<18} {} / {} {}", row.id, row.lane, row.beside, row.target);
            }
            for row in OTHERS {
                println!("{:<18} {}", row.id, row.what);
            }
            Ok(())
        }
        ["train", seconds] => train::train(Duration::from_secs(seconds.parse()?)),
        ["compare", before, after] => compare::compare(Path::new(before), Path::new(after)),
        _ => measure(&Options::parse(&words)?),
    }
}

struct Options {
    effort: Effort,
    only: Vec<String>,
    out: PathBuf,
}

impl Options {
    fn parse(mut words: &[&str]) -> Result<Options, Error> {
        let (mut quick, mut only, mut out) = (false, Vec::new(), None);
        loop {
            words = match words {
                [] => break,
                ["--quick", rest @ ..] => {
                    quick = true;
                    rest
                }
                ["--only", text, rest @ ..] => {
                    only.push((*text).to_owned());
                    rest
                }
                ["--out", file, rest @ ..] => {
                    out = Some(PathBuf::from(file));
                    rest
                }
                _ => return Err(USAGE.into()),
            };
        }
        let out = match out {
            Some(out) => out,
            None => scratch()?.join(if quick { "quick.json" } else { "full.json" }),
        };
        let round = Duration::from_millis(number("ROUND_MS", if quick { 300 } else { 2_000 }));
        let effort = Effort {
            rounds: number("ROUNDS", if quick { 2 } else { 5 }) as usize,
            busy: round,
            wrk: wrk::installed().then(|| round.max(Duration::from_secs(1))),
            quick,
        };
        Ok(Options { effort, only, out })
    }

    fn wants(&self, id: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|text| id.contains(text))
    }
}

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

fn measure(options: &Options) -> Result<(), Error> {
    tie_to_load_cpu()?;
    raise_open_files();
    let binary = wasmyard_harness::program::find()?;
    let rates: Vec<&Rate> = RATES.iter().filter(|row| options.wants(row.id)).collect();
    let others: Vec<&Other> = OTHERS.iter().filter(|row| options.wants(row.id)).collect();
    let mut report =
        Report { facts: machine::facts(&binary), quick: options.effort.quick, ..Report::default() };
    if options.effort.wrk.is_none() {
        eprintln!("wrk is not installed: its columns are empty; {}", wrk::REMEDY);
    }

    let mut wanted: Vec<Lane> = rates.iter().flat_map(|row| [row.lane, row.beside]).collect();
    wanted.sort_unstable();
    wanted.dedup();
    let many = number("SCRIPTS", if options.effort.quick { 100 } else { MANY as u64 }) as usize;
    eprintln!("starting the servers (what was never compiled is compiled now)");
    let lanes = Lanes::open(&wanted, many)?;
    let begun = Instant::now();
    for turn in 0..=options.effort.rounds {
        for (lane, open) in lanes.each() {
            let rounds = open.alone(|aim| {
                let mut rounds = Rounds::default();
                let cpu = || open.process.cpu().as_secs_f64();
                let (before, begun) = (cpu(), Instant::now());
                let rate = busy(aim, CONNECTIONS, options.effort.busy)?;
                let (used, wall) = (cpu() - before, begun.elapsed().as_secs_f64());
                rounds.busy.push(rate);
                rounds.cpu.push(used / (rate * wall) * 1e6);
                rounds.used.push(used / wall);
                if let Some(time) = options.effort.wrk {
                    let (before, begun) = (cpu(), Instant::now());
                    let rate = wrk::wrk(aim, CONNECTIONS, time)?;
                    rounds.wrk.push(rate);
                    rounds.wrk_cpu.push((cpu() - before) / (rate * begun.elapsed().as_secs_f64()) * 1e6);
                }
                Ok(rounds)
            });
            let rounds = rounds.map_err(|error| format!("{lane}: {error}"))?;
            // The first turn warms up.
            if turn > 0 {
                let kept = report.lanes.entry(lane).or_default();
                kept.busy.extend(rounds.busy);
                kept.wrk.extend(rounds.wrk);
                kept.cpu.extend(rounds.cpu);
                kept.wrk_cpu.extend(rounds.wrk_cpu);
                kept.used.extend(rounds.used);
            }
        }
        if !wanted.is_empty() {
            eprintln!(
                "turn {turn} of {} done after {:.0} s",
                options.effort.rounds,
                begun.elapsed().as_secs_f64()
            );
        }
    }
    report.missing = lanes.absent().map(|(lane, why)| (lane, why.to_owned())).collect();
    // What the other rows start takes the places of these.
    drop(lanes);
    for row in others {
        eprintln!("{}: {}", row.id, row.what);
        let readings = (row.run)(&options.effort).map_err(|error| error.to_string());
        report.others.push((row.id, row.what, readings));
    }

    report.print(&rates);
    std::fs::write(&options.out, serde_json::to_string_pretty(&report.to_json())? + "\n")?;
    println!("\nwritten to {}", options.out.display());
    Ok(())
}

/// Starts this program anew on the load's processor, unless it is there or there is no `taskset`.
fn tie_to_load_cpu() -> Result<(), Error> {
    const TIED: &str = "WASMYARD_BENCH_TIED";
    if std::env::var_os(TIED).is_some() {
        return Ok(());
    }
    if Command::new("taskset").args(["-c", LOAD_CPU, "true"]).status().is_ok_and(|status| status.success()) {
        let mut again = Command::new("taskset");
        again.args(["-c", LOAD_CPU]).arg(std::env::current_exe()?).args(std::env::args().skip(1));
        return Err(again.env(TIED, "1").exec().into());
    }
    eprintln!("this machine has no second processor, or no taskset: load and servers disturb each other");
    Ok(())
}

/// Thousands of connections, and servers that inherit the limit: as an operator sets it.
fn raise_open_files() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    if let Err(error) = setrlimit(Resource::Nofile, raised) {
        eprintln!("the limit of open files stays as it is: {error}");
    }
}
