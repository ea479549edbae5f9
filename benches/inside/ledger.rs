//! The cost ledger: what the steps of a request cost in CPU time and allocations. The whole program runs in a
//! process of this binary, as it is shipped; the runtime runs without it, and hyper without either. A step is
//! the difference of two of them, so that the steps add up to the whole.

mod whole;

use std::hint::black_box;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use http::Response;
use serde_json::{Value, json};
use wasmyard_benches::process;
use wasmyard_benches::servers::javascript;
use wasmyard_namespaces::{Limits, Route, RouteOrigin, RouteTable, RouteTarget};
use wasmyard_runtime::{
    Body, BodyError, Call, EngineConfig, Failure, Host, LogLine, Module, OutboundRequest, Outcome, Runtime,
};

use crate::clock::{own_cpu, process_cpu};
use crate::counting;
use crate::fixture::{self, Error, Script, artifacts, module, runtime, worker};

pub(crate) use whole::serve;

/// What something cost, for each request.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Cost {
    /// Microseconds of CPU time.
    cpu: f64,
    /// Allocations.
    times: f64,
    /// Bytes allocated.
    bytes: f64,
}

impl std::ops::Sub for Cost {
    type Output = Cost;

    fn sub(self, other: Cost) -> Cost {
        Cost { cpu: self.cpu - other.cpu, times: self.times - other.times, bytes: self.bytes - other.bytes }
    }
}

impl Cost {
    fn to_json(self) -> Value {
        json!([self.cpu, self.times, self.bytes])
    }

    fn of_json(value: &Value) -> Option<Cost> {
        let number = |index| value.get(index).and_then(Value::as_f64);
        Some(Cost { cpu: number(0)?, times: number(1)?, bytes: number(2)? })
    }
}

/// Measures the whole process, but for threads that are exempt.
struct Stopwatch {
    clock: fn() -> Duration,
    begun: Duration,
}

impl Stopwatch {
    fn start(clock: fn() -> Duration) -> Stopwatch {
        counting::start();
        Stopwatch { clock, begun: clock() }
    }

    fn stop(self, requests: u64) -> Cost {
        let cpu = (self.clock)() - self.begun;
        let allocated = counting::stop();
        let each = |whole: f64| whole / requests as f64;
        Cost {
            cpu: each(cpu.as_secs_f64() * 1e6),
            times: each(allocated.times as f64),
            bytes: each(allocated.bytes as f64),
        }
    }
}

/// CPU time of all other threads of the process.
fn others() -> Duration {
    process_cpu().saturating_sub(own_cpu())
}

/// Prints the ledger.
pub(crate) fn print(quick: bool) -> Result<(), Error> {
    let runtime = runtime(&artifacts("ledger")?, EngineConfig::default(), 1 << 30)?;
    let inside = Inside::measured(&Arc::new(runtime), if quick { 2_000 } else { 50_000 })?;
    whole::prepare()?;
    let (quiet, shipped) = (Whole::measured(quick, true)?, Whole::measured(quick, false)?);
    println!("| step | us CPU | allocations | bytes |");
    println!("| --- | --- | --- | --- |");
    row("accept and close, once a connection", quiet.anew - quiet.one);
    row("read, parse, write: bare hyper", quiet.hyper);
    row("route: look-up of a host", inside.route);
    row(
        "head, context, admission, registry, metrics, respond",
        quiet.one - quiet.hyper - inside.route - inside.hello.asked,
    );
    row("access log", shipped.one - quiet.one);
    row("store: made, armed, dropped with its instance", inside.hello.start_up - inside.hello.instantiate);
    row("instantiate (its allocations are in the row above)", inside.hello.instantiate);
    row("guest, and hand-over of request and response", inside.hello.asked - inside.hello.start_up);
    row("**route -> user script**", shipped.one);
    row("one more hop: in the runtime", inside.two - inside.hello.asked);
    row("one more hop: around it", (shipped.two - shipped.one) - (inside.two - inside.hello.asked));
    row("**dispatcher -> user**", shipped.two);
    row("**dispatcher (tail) -> user**", shipped.tail);
    row("a request of the script's own, and the outbound worker: in the runtime", inside.three - inside.two);
    row("the same: around it", (shipped.three - shipped.two) - (inside.three - inside.two));
    row("**dispatcher -> user -> outbound**", shipped.three);
    row("in the runtime alone: one script", inside.hello.asked);
    row("in the runtime alone: dispatcher -> user", inside.two);
    row("in the runtime alone: dispatcher (tail) -> user", inside.tail);
    row("in the runtime alone: dispatcher -> user -> outbound", inside.three);
    steps("a script in JavaScript", &inside.script);
    row("in the runtime alone: dispatcher -> user, both in JavaScript", inside.scripts);
    if let Some(javascript) = inside.javascript {
        steps("a component with a JavaScript engine", &javascript);
    }
    Ok(())
}

fn steps(who: &str, steps: &Steps) {
    row(&format!("{who}: store"), steps.start_up - steps.instantiate);
    row(&format!("{who}: instantiate"), steps.instantiate);
    row(&format!("{who}: guest, and hand-over of request and response"), steps.asked - steps.start_up);
    row(&format!("in the runtime alone: {who}"), steps.asked);
}

fn row(step: &str, cost: Cost) {
    println!("| {step} | {:.1} | {:.1} | {:.0} |", cost.cpu, cost.times, cost.bytes);
}

/// The whole program, measured in a process of its own: what it logs is set once for a process.
struct Whole {
    hyper: Cost,
    one: Cost,
    two: Cost,
    tail: Cost,
    three: Cost,
    anew: Cost,
}

impl Whole {
    fn measured(quick: bool, quiet: bool) -> Result<Whole, Error> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("whole").env_remove("WASMYARD_LOG").stderr(Stdio::null());
        if quick {
            command.arg("--quick");
        }
        if quiet {
            command.env("WASMYARD_LOG", "off");
        }
        let text = process::run(&mut command)?;
        let figures: Value = serde_json::from_str(text.lines().last().unwrap_or_default())?;
        let figure = |name: &str| {
            let cost = figures.get(name).and_then(Cost::of_json);
            cost.ok_or_else(|| Error::from(format!("{name} was not measured")))
        };
        Ok(Whole {
            hyper: figure("hyper")?,
            one: figure("one")?,
            two: figure("two")?,
            tail: figure("tail")?,
            three: figure("three")?,
            anew: figure("anew")?,
        })
    }
}

/// The runtime without a server.
struct Inside {
    route: Cost,
    hello: Steps,
    two: Cost,
    tail: Cost,
    three: Cost,
    /// A script in JavaScript, and one behind a dispatcher in JavaScript.
    script: Steps,
    scripts: Cost,
    /// A component with an engine of its own. None where it was not fetched.
    javascript: Option<Steps>,
}

/// One script, step by step.
struct Steps {
    start_up: Cost,
    instantiate: Cost,
    asked: Cost,
}

impl Inside {
    fn measured(runtime: &Arc<Runtime>, requests: u64) -> Result<Inside, Error> {
        let tokio = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        tokio.block_on(async {
            let two = Script::dispatcher(runtime, "dispatcher_subdomain").await?;
            let tail = Script::dispatcher(runtime, "dispatcher_tail").await?;
            let three = Script::three(runtime).await?;
            // Once to warm up.
            for script in [&two, &tail, &three] {
                asked(script, requests / 10).await?;
            }
            let hello = Steps::measured(module(runtime, "hello").await?, requests).await?;
            let alone = fixture::script(runtime, javascript::user()).await?;
            let script = Steps::measured(alone, requests / 5).await?;
            let scripts = Script::two_in_javascript(runtime).await?;
            asked(&scripts, requests / 50).await?;
            let javascript = match fixture::component_in_javascript(runtime).await? {
                Some(module) => Some(Steps::measured(module, requests / 10).await?),
                None => None,
            };
            Ok(Inside {
                route: route(requests)?,
                hello,
                two: asked(&two, requests).await?,
                tail: asked(&tail, requests).await?,
                three: asked(&three, requests).await?,
                script,
                scripts: asked(&scripts, requests / 5).await?,
                javascript,
            })
        })
    }
}

impl Steps {
    async fn measured(module: Arc<Module>, requests: u64) -> Result<Steps, Error> {
        let script = Script::alone(worker("alone", Arc::clone(&module), &[])?);
        asked(&script, requests / 10).await?;
        let watch = Stopwatch::start(own_cpu);
        for _ in 0..requests {
            let started = wasmyard_runtime::start_up(&module, &Limits::DEFAULT).await;
            started.map_err(|failure| failure.to_string())?;
        }
        let start_up = watch.stop(requests);
        let watched = Arc::new(Instantiations::default());
        let watching = Script::watched(worker("watched", module, &[])?, Arc::clone(&watched) as _);
        asked(&watching, requests).await?;
        Ok(Steps { start_up, instantiate: watched.mean(), asked: asked(&script, requests).await? })
    }
}

async fn asked(script: &Script, requests: u64) -> Result<Cost, Error> {
    let watch = Stopwatch::start(own_cpu);
    for _ in 0..requests {
        script.ask("/").await?;
    }
    Ok(watch.stop(requests))
}

/// Looks a host up that a wildcard takes.
fn route(requests: u64) -> Result<Cost, Error> {
    let table = RouteTable::new();
    table.insert(Arc::new(Route {
        id: "0".repeat(32),
        pattern: "*.apps.localhost/*".parse()?,
        target: RouteTarget::Namespace("production".parse()?),
        origin: RouteOrigin::Api,
    }));
    let watch = Stopwatch::start(own_cpu);
    for _ in 0..requests {
        if black_box(table.lookup(black_box("customer-a.apps.localhost"), "/")).is_none() {
            return Err("the route is not found".into());
        }
    }
    Ok(watch.stop(requests))
}

/// Adds up how long instances took to make; their allocations cannot be told apart.
#[derive(Default)]
struct Instantiations(Mutex<(Duration, u32)>);

impl Instantiations {
    fn mean(&self) -> Cost {
        let (sum, count) = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Cost { cpu: sum.as_secs_f64() * 1e6 / f64::from(count.max(1)), ..Cost::default() }
    }
}

impl Host for Instantiations {
    fn call(&self, _: Call) -> BoxFuture<'static, Result<Response<Body>, Failure>> {
        async { Err(Failure::WorkerNotFound) }.boxed()
    }
    fn outbound(&self, _: OutboundRequest) -> BoxFuture<'static, Result<Response<Body>, BodyError>> {
        async { Err(BodyError::HttpRequestDenied) }.boxed()
    }
    fn log(&self, _: LogLine) {}
    fn finished(&self, outcome: Outcome) {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        seen.0 += outcome.usage.instantiation;
        seen.1 += 1;
    }
}
