//! CPU budgets on against off: what the checks in compiled code cost, on a short request and on loops that do
//! nothing else.

use std::time::Duration;

use serde_json::{Map, Value};
use wasmyard_namespaces::Limits;
use wasmyard_runtime::{EngineConfig, Metering};

use crate::clock::own_cpu;
use crate::fixture::{Error, Script, artifacts, module, runtime, worker};

/// Loops long enough that starting them does not count.
const LOADS: [(&str, &str); 2] = [("sieve", "/sieve/1000000"), ("fib", "/fib/30")];
const BUDGET: Duration = Duration::from_secs(30);
const FUEL: u64 = 1 << 50;

pub(crate) fn figures(quick: bool) -> Result<Value, Error> {
    let tokio = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    tokio.block_on(async {
        let mut engines = Vec::new();
        for (name, metering) in [("on", Metering::Time), ("off", Metering::Bare), ("fuel", Metering::Fuel)] {
            let config = EngineConfig { metering, ..EngineConfig::default() };
            let runtime = runtime(&artifacts(&format!("metering-{name}"))?, config, 1 << 30)?;
            let work = Script::alone(worker("work", module(&runtime, "bench_work").await?, &[])?);
            let budgets = |limits: &mut Limits| {
                limits.cpu = BUDGET;
                limits.fuel = (metering == Metering::Fuel).then_some(FUEL);
            };
            engines.push((
                name,
                Script::hello(&runtime).await?.limited(budgets),
                work.limited(budgets),
                runtime,
            ));
        }
        let mut figures = Map::new();
        let (rounds, greetings, loops) = if quick { (3, 500, 1) } else { (15, 2_000, 3) };
        for turn in 0..=rounds {
            for (name, hello, work, _runtime) in &engines {
                let mut times = vec![("hello", timed(hello, "/", greetings).await?)];
                for (load, path) in LOADS {
                    times.push((load, timed(work, path, loops).await?));
                }
                // The first turn warms up.
                for (load, time) in times.into_iter().filter(|_| turn > 0) {
                    let kept =
                        figures.entry(format!("{load} {name}")).or_insert_with(|| Value::Array(Vec::new()));
                    kept.as_array_mut().ok_or("not a list")?.push(time.into());
                }
            }
        }
        Ok(Value::Object(figures))
    })
}

/// Microseconds of CPU time of one request.
async fn timed(script: &Script, path: &str, times: u32) -> Result<f64, Error> {
    let begun = own_cpu();
    for _ in 0..times {
        script.ask(path).await?;
    }
    Ok((own_cpu() - begun).as_secs_f64() * 1e6 / f64::from(times))
}
