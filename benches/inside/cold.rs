//! The first answer of a script that was never loaded, and requests to thousands of loaded scripts in turn.

use std::time::Instant;

use serde_json::{Value, json};
use wasmyard_benches::stats::Latencies;
use wasmyard_namespaces::Digest;
use wasmyard_runtime::{EngineConfig, Metering, Runtime};

use crate::clock::process_cpu;
use crate::fixture::{Error, Script, runtime, worker};
use crate::minted::minted;

pub(crate) fn figures(quick: bool) -> Result<Value, Error> {
    let count = if quick { 1_000 } else { 10_000 };
    let minted = minted(count)?;
    let runtime = runtime(&minted.folder, EngineConfig::default(), u64::MAX)?;
    let tokio = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    tokio.block_on(async {
        // What is made once for all scripts is no part of a cold start.
        Script::hello(&runtime).await?.ask("/").await?;
        let (mut in_cache, mut from_disk, mut scripts) = (Vec::new(), Vec::new(), Vec::new());
        for (number, digest) in minted.digests.iter().enumerate() {
            let sample = number < count / 5;
            let disk = number % 2 == 1;
            if sample && disk {
                minted.chill(digest)?;
            } else if sample {
                minted.warm(digest)?;
            }
            let begun = Instant::now();
            let script = load(&runtime, digest).await?;
            script.ask("/").await?;
            let took = begun.elapsed().as_nanos() as u64;
            if sample {
                if disk { &mut from_disk } else { &mut in_cache }.push(took);
            }
            scripts.push(script);
        }
        let round = asked(&mut scripts.iter()).await?;
        let rounds = [round, asked(&mut scripts.iter()).await?, asked(&mut scripts.iter()).await?];
        let first = scripts.first().ok_or("no scripts")?;
        let one = asked(&mut std::iter::repeat_n(first, count)).await?;
        let (in_cache, from_disk) = (Latencies::of(in_cache), Latencies::of(from_disk));
        Ok(json!({
            "scripts": [count],
            "p50 in page cache": [in_cache.microseconds(0.5)],
            "p99 in page cache": [in_cache.microseconds(0.99)],
            "p50 from disk": [from_disk.microseconds(0.5)],
            "p99 from disk": [from_disk.microseconds(0.99)],
            "round robin": rounds,
            "one script": [one],
        }))
    })
}

/// Loads a minted script. Its component does not exist: what the platform refuses of the artifact is an error.
pub(crate) async fn load(runtime: &Runtime, digest: &Digest) -> Result<Script, Error> {
    let gone = async { Err("the minted artifact was refused: has its form changed?".to_owned()) };
    let module = runtime.module(Metering::Time, digest, gone).await.map_err(|error| error.to_string())?;
    Ok(Script::alone(worker("minted", module, &[])?))
}

/// Microseconds of CPU time of the whole process for each of these requests.
async fn asked(scripts: &mut (dyn ExactSizeIterator<Item = &Script> + Send)) -> Result<f64, Error> {
    let (count, before) = (scripts.len(), process_cpu());
    for script in scripts {
        script.ask("/").await?;
    }
    Ok((process_cpu() - before).as_secs_f64() * 1e6 / count as f64)
}
