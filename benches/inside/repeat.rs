//! The same request many times and nothing else, for profilers and instruction counters. What is made once is
//! made before the first: the difference of two counts is requests alone. Without ticks compiled code does not look
//! at the clock: where a request takes longer than in life, it would be interrupted as it never is in life.

use wasmyard_runtime::{EngineConfig, Metering};

use crate::fixture::{Error, Script, component_in_javascript, runtime, worker};
use crate::minted::minted;
use wasmyard_benches::servers::javascript::REMEDY;

/// Small, because counters that simulate the processor do not like address space by the terabyte.
fn engine(ticks: bool) -> EngineConfig {
    EngineConfig {
        max_instances: 4,
        metering: if ticks { Metering::Time } else { Metering::Bare },
        ..EngineConfig::default()
    }
}

/// How many scripts take turns in the rotation.
const SCRIPTS: usize = 900;

pub(crate) fn repeat(chain: &str, count: u64, ticks: bool) -> Result<(), Error> {
    if chain == "rotation" {
        return rotation(count);
    }
    let scratch = crate::fixture::artifacts(if ticks { "repeat" } else { "repeat-no-ticks" })?;
    let tokio = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    tokio.block_on(async {
        let runtime = runtime(&scratch, engine(ticks), 1 << 30)?;
        let script = match chain {
            "one" => Script::hello(&runtime).await?,
            "two" => Script::dispatcher(&runtime, "dispatcher_subdomain").await?,
            "tail" => Script::dispatcher(&runtime, "dispatcher_tail").await?,
            "three" => Script::three(&runtime).await?,
            "script" => Script::in_javascript(&runtime).await?,
            "scripts" => Script::two_in_javascript(&runtime).await?,
            file if file.ends_with(".js") => Script::of_file(&runtime, file).await?,
            "javascript" => {
                let module = component_in_javascript(&runtime).await?.ok_or(REMEDY)?;
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

/// The same request to many scripts in turn, all loaded before the first: what one alone costs is the chain `one`.
fn rotation(count: u64) -> Result<(), Error> {
    let minted = minted(SCRIPTS)?;
    let tokio = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    tokio.block_on(async {
        let runtime = runtime(&minted.folder, engine(true), u64::MAX)?;
        let mut scripts = Vec::with_capacity(SCRIPTS);
        for digest in &minted.digests {
            let module =
                runtime.module(Metering::Time, digest, async { Err("it is minted".to_owned()) }).await;
            scripts.push(Script::alone(worker("hello", module.map_err(|error| error.to_string())?, &[])?));
        }
        for (_, script) in (0..count).zip(scripts.iter().cycle()) {
            script.ask("/").await?;
        }
        Ok(())
    })
}
