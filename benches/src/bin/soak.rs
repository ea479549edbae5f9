//! Good and hostile visitors, all mixed, for ten minutes or as long as asked for: at the end nothing is under
//! way, nothing was left behind, and nothing panicked. Passes or fails; `benches/README.md` says how to run it.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a bench prints its figures, and what it is doing"
)]

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use wasmyard_benches::client::call;
use wasmyard_benches::servers::wasmyard::{Budget, Platform, Site};
use wasmyard_benches::{Error, guest};

const USAGE: &str = "Usage: soak [--seconds N]    default: 600; an hour is 3600";
/// Visitors at the same time.
const VISITORS: usize = 8;
/// How often each visit is made before the first look.
const WARM_UP_ROUNDS: usize = 3;
/// How long the platform may take to come to rest.
const REST: Duration = Duration::from_secs(60);
/// What may be more at the end than after warming up: files, and memory that is in no file.
const MORE_FILES: usize = 8;
const MORE_BYTES: u64 = 64 << 20;
/// From so long on it is no test's short form, and the largest budget is spent as well.
const LONG: Duration = Duration::from_secs(60);
/// The ceiling of CPU time, in seconds, and what may be used of it: a tenth more.
const LARGEST_BUDGET: f64 = 30.0;
const LARGEST_BOUND: f64 = 33.0;
/// Beyond what was there at first, memory may be more by this part of it.
const MORE_MEMORY: f64 = 0.5;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let seconds = match *words.as_slice() {
        [] => Some(600),
        ["--seconds", seconds] => seconds.parse().ok(),
        _ => None,
    };
    let soaked = seconds.ok_or_else(|| USAGE.into()).and_then(|seconds| soak(Duration::from_secs(seconds)));
    match soaked {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// What a visit came to.
enum Seen {
    /// This status.
    Status(u16),
    /// The visitor went away, or was sent away without an answer.
    Gone,
}

/// One way to visit, and which statuses are right.
struct Visit {
    name: &'static str,
    right: &'static [u16],
    go: fn(SocketAddr) -> Result<Seen, Error>,
}

/// Whoever is refused for the crowd's sake was answered rightly, too.
const REFUSED: [u16; 2] = [429, 503];

const VISITS: &[Visit] = &[
    Visit { name: "hello", right: &[200], go: |to| get(to, "customer-a.apps.localhost", "/") },
    Visit { name: "hello, dispatched", right: &[200], go: |to| get(to, "customer-a.localhost", "/") },
    Visit { name: "echo", right: &[200], go: echo },
    Visit { name: "spin", right: &[503], go: |to| get(to, "over.localhost", "/spin") },
    Visit { name: "grow", right: &[503], go: |to| get(to, "over.localhost", "/grow") },
    Visit { name: "trap", right: &[500], go: |to| get(to, "over.localhost", "/trap") },
    Visit { name: "recurse", right: &[500], go: |to| get(to, "over.localhost", "/recurse") },
    Visit { name: "nobody's script", right: &[404], go: |to| get(to, "nobody.localhost", "/") },
    Visit { name: "nobody's host", right: &[404], go: |to| get(to, "nobody.test", "/") },
    Visit { name: "chain of scripts", right: &[200], go: |to| get(to, "probe.apps.localhost", "/burn/1") },
    Visit { name: "no request", right: &[400], go: |to| raw(to, b"not http at all\r\n\r\n") },
    Visit { name: "half a head, then gone", right: &[], go: |to| leave(to, "GET / HTTP/1.1\r\nho", 0) },
    Visit { name: "many fields", right: &[431], go: many_fields },
    Visit { name: "body that never comes", right: &[], go: |to| leave(to, UNFINISHED, 0) },
    Visit { name: "gone while it waits", right: &[], go: |to| leave(to, WAIT, 0) },
    Visit { name: "gone while it computes", right: &[], go: |to| leave(to, SPIN, 0) },
    Visit { name: "gone while it streams", right: &[], go: |to| leave(to, FLOOD, 4096) },
    Visit { name: "reads nothing", right: &[], go: reads_nothing },
];

const UNFINISHED: &str = "POST /length HTTP/1.1\r\nhost: probe.localhost\r\ncontent-length: 1000\r\n\r\nx";
const WAIT: &str = "GET /wait HTTP/1.1\r\nhost: probe.localhost\r\n\r\n";
const SPIN: &str = "GET /spin HTTP/1.1\r\nhost: over.localhost\r\n\r\n";
const FLOOD: &str = "GET /flood HTTP/1.1\r\nhost: flood.apps.localhost\r\n\r\n";

/// A tight loop spends the largest CPU budget there is, and no more than the bound, counted on the CPU's clock.
fn largest_budget() -> Result<(), Error> {
    let mut site = Site::new("site-soak-budget", Budget::Ceiling)?.without_logs();
    // However little of the CPU the machine gives.
    site.limits("first_byte_ms = 300000\n");
    site.customer("over", &guest("over_limit")?)?;
    let platform = site.serve_anywhere()?;
    let host = [("host", "over.apps.localhost"), ("accept", "application/json")];
    let (status, page) = call(platform.visitors, "GET", "/spin", &host, b"")?;
    let used = platform.api.metric("wasmyard_invocation_cpu_seconds_sum")?;
    platform.process.end()?;
    let page = String::from_utf8_lossy(&page).into_owned();
    if status != 503 || !page.contains("CPU time 30000 ms") {
        return Err(format!("a loop with the largest budget was answered with {status}: {page}").into());
    }
    if !(LARGEST_BUDGET..=LARGEST_BOUND).contains(&used) {
        return Err(format!("a loop with a budget of {LARGEST_BUDGET} s used {used} s").into());
    }
    println!("a loop with a budget of {LARGEST_BUDGET} s was stopped when it had used {used} s");
    Ok(())
}

fn soak(time: Duration) -> Result<(), Error> {
    if time >= LONG {
        largest_budget()?;
    }
    let mut site = Site::new("site-soak", Budget::AsShipped)?.without_logs();
    for (name, component) in
        [("over", "over_limit"), ("probe", "probe"), ("flood", "probe"), ("echo", "echo_stream")]
    {
        site.customer(name, &guest(component)?)?;
    }
    site.server("slow_reader_ms = 1000\n");
    // A stream costs CPU time for as long as it is read.
    site.lines("[namespaces.production]\nlimits = { cpu_ms = 50, memory = \"32MiB\" }\n");
    let platform = site.serve_anywhere()?;
    let tally = Tally::default();
    for visit in VISITS.iter().cycle().take(VISITS.len() * WARM_UP_ROUNDS) {
        tally.visit(visit, platform.visitors);
    }
    let before = at_rest(&platform)?;
    println!("{} s of {} visits; {before}", time.as_secs(), VISITS.len());
    let until = Instant::now() + time;
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..VISITORS {
            scope.spawn(|| {
                while Instant::now() < until {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if let Some(visit) = VISITS.get(number % VISITS.len()) {
                        tally.visit(visit, platform.visitors);
                    }
                }
            });
        }
    });
    let after = at_rest(&platform)?;
    println!("{tally}\nat rest afterwards: {after}");
    let said = platform.said()?;
    platform.process.end()?;
    let mut wrong = tally.wrong();
    if said.contains("panicked") {
        wrong.push(format!("it panicked:\n{said}"));
    }
    if after.files > before.files + MORE_FILES {
        wrong.push(format!("{} files are open, and were {}", after.files, before.files));
    }
    if after.bytes > before.bytes + (before.bytes as f64 * MORE_MEMORY) as u64 + MORE_BYTES {
        wrong.push(format!("{} bytes are held, and were {}", after.bytes, before.bytes));
    }
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n").into()) }
}

fn get(to: SocketAddr, host: &str, path: &str) -> Result<Seen, Error> {
    Ok(Seen::Status(call(to, "GET", path, &[("host", host)], b"")?.0))
}

/// Sends more than fits into any buffer on the way, and gets it back.
fn echo(to: SocketAddr) -> Result<Seen, Error> {
    let sent = vec![b'e'; 64 << 10];
    let (status, body) = call(to, "POST", "/", &[("host", "echo.localhost")], &sent)?;
    if status == 200 && body != sent {
        return Err(format!("{} bytes came back of {}", body.len(), sent.len()).into());
    }
    Ok(Seen::Status(status))
}

fn raw(to: SocketAddr, bytes: &[u8]) -> Result<Seen, Error> {
    let mut stream = TcpStream::connect(to)?;
    stream.set_read_timeout(Some(REST))?;
    stream.write_all(bytes)?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    let head = wasmyard_benches::wire::head(&answer)?;
    Ok(head.map_or(Seen::Gone, |head| Seen::Status(head.status)))
}

fn many_fields(to: SocketAddr) -> Result<Seen, Error> {
    let fields: String = (0..200).map(|number| format!("x-{number}: x\r\n")).collect();
    raw(to, format!("GET / HTTP/1.1\r\nhost: customer-a.localhost\r\n{fields}\r\n").as_bytes())
}

/// Sends, reads so many bytes, and goes without a word.
fn leave(to: SocketAddr, request: &str, bytes: usize) -> Result<Seen, Error> {
    let mut stream = TcpStream::connect(to)?;
    stream.set_read_timeout(Some(REST))?;
    stream.write_all(request.as_bytes())?;
    if bytes > 0 {
        // Where it was refused there is less to read.
        let mut read = vec![0; bytes];
        let _length = stream.read(&mut read)?;
    } else {
        // Long enough that it is under way.
        std::thread::sleep(Duration::from_millis(5));
    }
    Ok(Seen::Gone)
}

/// Asks for a long answer and reads none of it, until it is cut off.
fn reads_nothing(to: SocketAddr) -> Result<Seen, Error> {
    let mut stream = TcpStream::connect(to)?;
    stream.write_all(FLOOD.as_bytes())?;
    std::thread::sleep(Duration::from_millis(1_500));
    Ok(Seen::Gone)
}

/// What the visits came to.
#[derive(Default)]
struct Tally(Mutex<BTreeMap<(&'static str, String), u64>>);

impl Tally {
    fn visit(&self, visit: &Visit, to: SocketAddr) {
        let seen = match (visit.go)(to) {
            Ok(Seen::Gone) => "gone".to_owned(),
            Ok(Seen::Status(status)) if visit.right.contains(&status) => format!("{status}"),
            Ok(Seen::Status(status)) if REFUSED.contains(&status) => format!("refused with {status}"),
            Ok(Seen::Status(status)) => format!("wrong: {status}"),
            Err(error) => format!("wrong: {error}"),
        };
        *self.lock().entry((visit.name, seen)).or_default() += 1;
    }

    /// What was answered wrongly, and who was never answered rightly.
    fn wrong(&self) -> Vec<String> {
        let seen = self.lock();
        let wrong = seen.iter().filter(|((_, seen), _)| seen.starts_with("wrong"));
        let mut wrong: Vec<String> =
            wrong.map(|((name, seen), times)| format!("{name}: {seen}, {times} times")).collect();
        for visit in VISITS.iter().filter(|visit| !visit.right.is_empty()) {
            let right = |seen: &str| visit.right.iter().any(|status| seen == status.to_string());
            if !seen.keys().any(|(name, seen)| *name == visit.name && right(seen)) {
                wrong.push(format!("{}: never answered with {:?}", visit.name, visit.right));
            }
        }
        wrong
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<(&'static str, String), u64>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Display for Tally {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "\n| visit | came to | times |\n| --- | --- | --- |")?;
        for ((name, seen), times) in self.lock().iter() {
            writeln!(f, "| {name} | {seen} | {times} |")?;
        }
        Ok(())
    }
}

/// What the platform holds when nothing is under way.
struct Held {
    files: usize,
    bytes: u64,
}

impl std::fmt::Display for Held {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} files, {} MiB", self.files, self.bytes >> 20)
    }
}

/// Waits until nothing is under way; an error when something stays.
fn at_rest(platform: &Platform) -> Result<Held, Error> {
    const GAUGES: [&str; 4] = [
        "wasmyard_requests_in_flight",
        "wasmyard_connections",
        "wasmyard_invocations_in_flight",
        "wasmyard_guest_memory_bytes",
    ];
    let begun = Instant::now();
    loop {
        let mut busy = Vec::new();
        for gauge in GAUGES {
            let value = platform.api.metric(gauge)?;
            if value != 0.0 {
                busy.push(format!("{gauge} {value}"));
            }
        }
        if busy.is_empty() {
            break;
        }
        if begun.elapsed() > REST {
            return Err(format!("it does not come to rest: {}", busy.join(", ")).into());
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    Ok(Held { files: platform.process.open_files(), bytes: platform.process.memory().anonymous })
}
