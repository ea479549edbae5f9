//! What a loaded script costs in memory, and whether a budget of loaded code holds and keeps what was used last.

use serde_json::{Value, json};
use wasmyard_benches::process::kilobytes;
use wasmyard_runtime::EngineConfig;

use crate::cold::load;
use crate::fixture::{Error, Script, runtime};
use crate::minted::{Minted, minted};

/// One in so many scripts fits into the budget.
const SHARE: usize = 20;

pub(crate) fn figures(quick: bool) -> Result<Value, Error> {
    let minted = minted(if quick { 1_000 } else { 10_000 })?;
    let tokio = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    tokio.block_on(async {
        let mut figures = evicted(&minted).await?;
        let loaded = loaded(&minted).await?;
        if let (Some(figures), Value::Object(loaded)) = (figures.as_object_mut(), loaded) {
            figures.extend(loaded);
        }
        Ok(figures)
    })
}

/// All of them, loaded and asked once.
async fn loaded(minted: &Minted) -> Result<Value, Error> {
    let runtime = runtime(&minted.folder, EngineConfig::default(), u64::MAX)?;
    Script::hello(&runtime).await?.ask("/").await?;
    let before = Used::now();
    let mut scripts = Vec::with_capacity(minted.digests.len());
    for digest in &minted.digests {
        let script = load(&runtime, digest).await?;
        script.ask("/").await?;
        scripts.push(script);
    }
    let each = Used::now().since(&before, scripts.len());
    let one = scripts.first().ok_or("no scripts")?;
    one.ask("/").await?;
    Ok(json!({
        "scripts": [scripts.len()],
        "anonymous per script": [each.anonymous],
        "resident per script": [each.resident],
        "mappings per script": [each.mappings],
    }))
}

/// All of them in turn, through a budget for a few.
async fn evicted(minted: &Minted) -> Result<Value, Error> {
    let fit = minted.digests.len() / SHARE;
    let budget = minted.size * fit as u64;
    let runtime = runtime(&minted.folder, EngineConfig::default(), budget)?;
    // Half of what fits, so that it is there before anything has to go.
    let (first, rest) = minted.digests.split_at(fit / 2);
    // Kept: code that no version claims any more goes at once.
    let mut scripts = Vec::with_capacity(minted.digests.len());
    for digest in first {
        let script = load(&runtime, digest).await?;
        script.ask("/").await?;
        scripts.push(script);
    }
    let before = Used::now();
    for digest in rest {
        let script = load(&runtime, digest).await?;
        script.ask("/").await?;
        scripts.push(script);
    }
    let after = Used::now();
    let figures = runtime.cache_figures();
    // The last that fit, but for a tenth: the budget is of bytes, not of scripts.
    let last = minted.digests.iter().rev().take(fit * 9 / 10);
    let asked = last.len();
    for digest in last {
        load(&runtime, digest).await?;
    }
    let hits = runtime.cache_figures().hits - figures.hits;
    let grown_loaded = (figures.loaded as f64 - first.len() as f64).max(0.0);
    let gone = rest.len() as f64 - grown_loaded;
    // What those that are still loaded take was measured where nothing goes: a loaded script's share.
    let growth = after.anonymous - before.anonymous;
    Ok(json!({
        "anonymous growth": [growth],
        "anonymous per unloaded": [(growth / gone).max(0.0)],
        "budget used": [figures.loaded as f64 * minted.size as f64 / budget as f64],
        "kept recent": [hits as f64 / asked as f64 * 100.0],
    }))
}

/// KiB of memory, and mappings.
struct Used {
    anonymous: f64,
    resident: f64,
    mappings: f64,
}

impl Used {
    fn now() -> Used {
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let maps = std::fs::read_to_string("/proc/self/maps").unwrap_or_default();
        Used {
            anonymous: kilobytes(&status, "RssAnon:") as f64,
            resident: kilobytes(&status, "VmRSS:") as f64,
            mappings: maps.lines().count() as f64,
        }
    }

    fn since(&self, before: &Used, scripts: usize) -> Used {
        let each = |now: f64, before: f64| (now - before) / scripts as f64;
        Used {
            anonymous: each(self.anonymous, before.anonymous),
            resident: each(self.resident, before.resident),
            mappings: each(self.mappings, before.mappings),
        }
    }
}
