//! Every figure with a target, one line each. **A new row goes here and nowhere else**: into [`RATES`] where it
//! compares requests per second of two lanes, into [`OTHERS`] where it measures in its own way (in a file of
//! `rows/`).

mod databases;
mod deploy;
mod inside;
mod issued;
mod latency;
mod million;
mod neighbours;
mod orders;
mod overload;
mod queues;
mod scripts;
mod streaming;
mod tls;

use std::time::Duration;

use crate::Error;
use crate::lanes::Lane;
use crate::report::{Reading, Target};

/// Requests per second of a lane over those of another.
pub struct Rate {
    /// Names it on the command line and in files.
    pub id: &'static str,
    /// What is measured.
    pub lane: Lane,
    /// What it is measured beside.
    pub beside: Lane,
    /// What the ratio should be.
    pub target: Target,
}

/// Anything else.
pub struct Other {
    /// Names it on the command line and in files.
    pub id: &'static str,
    /// What is measured, in a few words.
    pub what: &'static str,
    /// Measures.
    pub run: fn(&Effort) -> Result<Vec<Reading>, Error>,
}

/// How much time there is.
#[derive(Debug, Clone, Copy)]
pub struct Effort {
    /// Rounds that count; one before them warms up.
    pub rounds: usize,
    /// Length of a round of our client.
    pub busy: Duration,
    /// Length of a round of `wrk`, which counts whole seconds; none leaves it out.
    pub wrk: Option<Duration>,
    /// Whether this is `make bench-quick`: the same rows with less of everything.
    pub quick: bool,
}

impl Effort {
    /// One of two numbers.
    pub fn pick<T>(&self, full: T, quick: T) -> T {
        if self.quick { quick } else { full }
    }
}

const fn rate(id: &'static str, lane: Lane, beside: Lane, target: f64) -> Rate {
    Rate { id, lane, beside, target: Target::AtLeast(target) }
}

/// Ratios of requests per second, 16 connections kept alive.
pub const RATES: &[Rate] = &[
    rate("one/wasmtime", Lane::One, Lane::Wasmtime, 4.0),
    Rate { id: "plain/wasmtime", lane: Lane::OnePlain, beside: Lane::Wasmtime, target: Target::None },
    rate("one/workerd", Lane::One, Lane::Workerd, 1.6),
    rate("two/workerd", Lane::Two, Lane::WorkerdTwo, 2.5),
    rate("two-tail/workerd", Lane::TwoTail, Lane::WorkerdTwo, 2.5),
    rate("three/workerd", Lane::Three, Lane::WorkerdThree, 2.5),
    rate("reused/workerd", Lane::TwoReused, Lane::WorkerdTwo, 3.0),
    rate("tail-reused/workerd", Lane::TailReused, Lane::WorkerdTwo, 3.0),
    rate("rotation", Lane::Rotation, Lane::Two, 0.65),
    rate("js/wasmtime", Lane::OneJs, Lane::WasmtimeJs, 3.0),
    rate("two-js/wasmtime", Lane::TwoJs, Lane::WasmtimeJs, 3.0),
    rate("script/workerd", Lane::OneScript, Lane::Workerd, 0.8),
    rate("two-scripts/workerd", Lane::TwoScripts, Lane::WorkerdTwo, 0.8),
    rate("scripts-reused/workerd", Lane::TwoScriptsReused, Lane::WorkerdTwo, 1.2),
    rate("observed", Lane::One, Lane::OneQuiet, 0.95),
    rate("two-observed", Lane::Two, Lane::TwoQuiet, 0.95),
    Rate { id: "one/hyper", lane: Lane::One, beside: Lane::Hyper, target: Target::None },
    Rate { id: "scheduler", lane: Lane::Hyper, beside: Lane::HyperThreads, target: Target::None },
    Rate { id: "two/one", lane: Lane::Two, beside: Lane::One, target: Target::None },
];

/// What is not a ratio of rates.
pub const OTHERS: &[Other] = &[
    Other {
        id: "latency",
        what: "one more hop at concurrency 1, and every chain at half its peak",
        run: latency::run,
    },
    Other { id: "metering", what: "metering and limits on against off", run: inside::metering },
    Other { id: "streaming", what: "a large body through two hops against one", run: streaming::run },
    Other { id: "cold", what: "a script that was never loaded, its artifact on disk", run: inside::cold },
    Other { id: "density", what: "memory of loaded scripts, and eviction", run: inside::density },
    Other { id: "queues", what: "messages of one queue: sent, handed over, settled", run: queues::run },
    Other { id: "deploy", what: "from upload to first answer", run: deploy::run },
    Other {
        id: "noisy-neighbour",
        what: "a well-behaved script beside runaways, against an idle machine",
        run: neighbours::noisy,
    },
    Other { id: "gone", what: "what goes on when its visitor has gone", run: neighbours::gone },
    Other {
        id: "tls-handshakes",
        what: "connections with one request, beside nginx and Caddy",
        run: tls::handshakes,
    },
    Other {
        id: "tls-kept",
        what: "requests over connections that are kept, beside plain ones",
        run: tls::kept,
    },
    Other {
        id: "hostnames",
        what: "a million custom hostnames with certificates on one node",
        run: million::run,
    },
    Other {
        id: "many-scripts",
        what: "a million scripts in one namespace: lists, and ten thousand deleted together",
        run: scripts::run,
    },
    Other {
        id: "databases",
        what: "SQL databases: queries, writes, opening, going back, and a hundred thousand of them",
        run: databases::run,
    },
    Other {
        id: "orders",
        what: "a hundred thousand names of 6 to 45 days, ordered and renewed by a clock that is moved by hand",
        run: orders::run,
    },
    Other {
        id: "issued",
        what: "from an authority's look at a token to the first answer over HTTPS",
        run: issued::run,
    },
    Other { id: "tls-unknown", what: "a flood of hellos with names that nobody has", run: tls::unknown },
    Other { id: "overload", what: "four times the load that can be sustained", run: overload::run },
];
