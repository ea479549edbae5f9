//! What runaway scripts cost their neighbours, and how soon what a visitor started ends when the visitor goes.
//!
//! A runaway computes until its CPU budget is spent, is ended, and is asked again at once. The neighbour's
//! requests come at a fixed rate, far below what the machine can do, once with nobody else and once beside
//! the runaways; rounds of both in turn.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::Effort;
use crate::client::{self, Api};
use crate::load::paced;
use crate::report::{Reading, Target};
use crate::servers::wasmyard::{Budget, Site};
use crate::stats::Latencies;
use crate::{Error, guest};

/// The neighbour's requests: a fraction of what one processor can answer.
const PER_SECOND: f64 = 300.0;
const CONNECTIONS: usize = 8;
/// One for the servers' one processor, and a crowd.
const RUNAWAYS: [usize; 2] = [1, 8];

pub(super) fn noisy(effort: &Effort) -> Result<Vec<Reading>, Error> {
    let time = effort.pick(Duration::from_secs(5), Duration::from_secs(1));
    let mut site = Site::new("site-neighbours", Budget::AsShipped)?;
    site.customer("runaway", &guest("over_limit")?)?;
    let platform = site.serve()?;
    let neighbour = platform.aim("customer-a.localhost");
    neighbour.check()?;
    let mut readings = Vec::new();
    for runaways in RUNAWAYS {
        let mut figures: [Vec<f64>; 6] = Default::default();
        let [idle50, idle99, beside50, beside99, ratio50, ratio99] = &mut figures;
        let mut ended = 0;
        for turn in 0..=effort.rounds {
            let idle = paced(&neighbour, CONNECTIONS, PER_SECOND, time)?;
            let noise = Noise::begin(platform.visitors, runaways);
            let beside = paced(&neighbour, CONNECTIONS, PER_SECOND, time)?;
            ended += noise.end();
            if idle.refused.count() + beside.refused.count() > 0 || idle.lost + beside.lost > 0 {
                return Err("the neighbour was refused".into());
            }
            // The first turn warms up.
            if turn > 0 {
                let figure = |latencies: &Latencies, quantile| latencies.microseconds(quantile) / 1e3;
                idle50.push(figure(&idle.served, 0.5));
                idle99.push(figure(&idle.served, 0.99));
                beside50.push(figure(&beside.served, 0.5));
                beside99.push(figure(&beside.served, 0.99));
                ratio50.push(figure(&beside.served, 0.5) / figure(&idle.served, 0.5));
                ratio99.push(figure(&beside.served, 0.99) / figure(&idle.served, 0.99));
            }
        }
        if ended == 0 {
            return Err("no runaway was ended at its budget".into());
        }
        let target = if runaways == 1 { Target::AtMost(3.0) } else { Target::None };
        let named = |what: &str| format!("{what}, {runaways} on one processor");
        readings.extend([
            Reading::of(&named("p50 on an idle machine"), idle50, "ms", Target::None),
            Reading::of(&named("p99 on an idle machine"), idle99, "ms", Target::None),
            Reading::of(&named("p50 beside runaways"), beside50, "ms", Target::None),
            Reading::of(&named("p99 beside runaways"), beside99, "ms", Target::None),
            Reading::of(&named("p50 beside runaways over idle"), ratio50, "x", Target::None),
            Reading::of(&named("p99 beside runaways over idle"), ratio99, "x", target),
        ]);
    }
    Ok(readings)
}

/// Runaways, each asked again as soon as it was ended.
struct Noise {
    stop: Arc<AtomicBool>,
    ended: Arc<AtomicU64>,
    threads: Vec<std::thread::JoinHandle<()>>,
}

impl Noise {
    fn begin(visitors: SocketAddr, runaways: usize) -> Noise {
        let (stop, ended) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let threads = (0..runaways).map(|_| {
            let (stop, ended) = (Arc::clone(&stop), Arc::clone(&ended));
            std::thread::spawn(move || {
                let host = [("host", "runaway.localhost")];
                while !stop.load(Ordering::Relaxed) {
                    if let Ok((503, _)) = client::call(visitors, "GET", "/spin", &host, b"") {
                        ended.fetch_add(1, Ordering::Relaxed);
                    }
                }
            })
        });
        let threads = threads.collect();
        Noise { stop, ended, threads }
    }

    /// How many were ended at their budget.
    fn end(self) -> u64 {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads {
            thread.join().ok();
        }
        self.ended.load(Ordering::Relaxed)
    }
}

/// What goes on when its visitor closes the connection: name, host, path, further header.
const GOING_ON: [(&str, &str, &str, &str); 4] = [
    ("computes", "over.localhost", "/spin", ""),
    ("waits", "probe.localhost", "/wait", ""),
    (
        "waits for another script",
        "probe.localhost",
        "/forge",
        "x-target: http://other.apps.localhost/wait\r\n",
    ),
    ("streams", "probe.localhost", "/flood", ""),
];

pub(super) fn gone(effort: &Effort) -> Result<Vec<Reading>, Error> {
    let mut site = Site::new("site-gone", Budget::Ceiling)?;
    site.customer("over", &guest("over_limit")?)?;
    site.customer("probe", &guest("probe")?)?;
    site.customer("other", &guest("probe")?)?;
    let platform = site.serve()?;
    let mut readings = Vec::new();
    for (name, host, path, header) in GOING_ON {
        let mut took = Vec::new();
        for _ in 0..effort.pick(30, 5) {
            let mut stream = TcpStream::connect(platform.visitors)?;
            write!(stream, "GET {path} HTTP/1.1\r\nhost: {host}\r\n{header}\r\n")?;
            wait_for(&platform.api, |running| running >= 2.0)?;
            if path == "/flood" {
                stream.read_exact(&mut [0; 4096])?;
            }
            // A visitor who only closes may wait for the answer still, and is given five seconds.
            rustix::net::sockopt::set_socket_linger(&stream, Some(Duration::ZERO))?;
            let closed = Instant::now();
            drop(stream);
            wait_for(&platform.api, |running| running == 0.0)?;
            took.push(closed.elapsed().as_secs_f64() * 1e3);
        }
        took.sort_by(f64::total_cmp);
        let what =
            format!("from the visitor's reset to the end of a script that {name}, as /metrics shows it");
        readings.push(Reading::of(&what, &took, "ms", Target::AtMost(100.0)));
    }
    Ok(readings)
}

/// Looks at the number of invocations under way, as fast as it can be asked.
fn wait_for(api: &Api, reached: impl Fn(f64) -> bool) -> Result<(), Error> {
    const PATIENCE: Duration = Duration::from_secs(20);
    let begun = Instant::now();
    while begun.elapsed() < PATIENCE {
        if reached(api.metric("wasmyard_invocations_in_flight")?) {
            return Ok(());
        }
    }
    Err("the number of invocations under way is not what it must be".into())
}
