//! The same request many times and nothing else, for profilers and instruction counters. What is made once is
//! made before the first: the difference of two counts is requests alone. Without ticks compiled code does not look
//! at the clock: where a request takes longer than in life, it would be interrupted as it never is in life.

use wasmyard_runtime::{EngineConfig, Metering};

use crate::fixture::{Error, Script, javascript, runtime, worker};
use wasmyard_benches::servers::javascript::REMEDY;

/// Small, because counters that simulate the processor do not like address space by the terabyte.
fn engine(ticks: bool) -> EngineConfig {
    EngineConfig {
        max_instances: 4,
        metering: if ticks { Metering::Time } else { Metering::Bare },
        ..EngineConfig::default()
    }
}

pub(crate) fn repeat(chain: &str, count: u64, ticks: bool) -> Result<(), Error> {
    let scratch = crate::fixture::artifacts(if ticks { "repeat" } else { "repeat-no-ticks" })?;
    let tokio = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    tokio.block_on(async {
        let runtime = runtime(&scratch, engine(ticks), 1 << 30)?;
        let script = match chain {
            "one" => Script::hello(&runtime).await?,
            "two" => Script::dispatcher(&runtime, "dispatcher_subdomain").await?,
            "tail" => Script::dispatcher(&runtime, "dispatcher_tail").await?,
            "three" => Script::three(&runtime).await?,
            "javascript" => {
                let module = javascript(&runtime).await?.ok_or(REMEDY)?;
                Script::alone(worker("javascript", module, &[])?)
            }
            _ => return Err(crate::USAGE.into()),
        };
        for _ in 0..count {
            script.ask("/").await?;
        }
        Ok(())
    })
}
