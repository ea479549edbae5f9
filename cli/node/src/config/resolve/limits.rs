//! The limits of a configuration, each checked by itself so that every bad one is told.
//!
//! Owns the order: built-in ceiling, operator's ceiling, platform, then namespaces and scripts.

use serde_json::{Map, Value};
use wasmyard_cache::CacheLimits;
use wasmyard_namespaces::limits::StorageQuota;
use wasmyard_namespaces::{LimitSpec, Limits};

use crate::config::fault::Fault;
use crate::config::keys::{RawCache, RawLimits};

/// `[limits.ceiling]` under the built-in ceilings.
pub(super) fn ceiling(raw: &RawLimits, faults: &mut Vec<Fault>) -> Limits {
    let wish = spec(raw, &Limits::CEILING, |_, _| None, faults);
    Limits::tightest(&Limits::CEILING, &[&wish])
}

/// `[limits]` over the built-in defaults, and never above the ceiling.
pub(super) fn platform(raw: &RawLimits, ceiling: &Limits, faults: &mut Vec<Fault>) -> Limits {
    let wish = spec(raw, ceiling, |_, _| None, faults);
    let platform = Limits::DEFAULT.overridden_by(&wish);
    // A ceiling that nobody set bounds nothing.
    let least = |own: Option<u64>, most: Option<u64>| {
        own.into_iter().chain(most.filter(|most| *most != u64::MAX)).min()
    };
    Limits {
        cpu: platform.cpu.min(ceiling.cpu),
        fuel: platform.fuel,
        subrequests: platform.subrequests.min(ceiling.subrequests),
        memory_bytes: platform.memory_bytes.min(ceiling.memory_bytes),
        first_byte: platform.first_byte.min(ceiling.first_byte),
        stream_idle: platform.stream_idle.min(ceiling.stream_idle),
        depth: platform.depth.min(ceiling.depth),
        concurrent_subrequests: platform.concurrent_subrequests.min(ceiling.concurrent_subrequests),
        log_bytes: platform.log_bytes.min(ceiling.log_bytes),
        event_cpu: platform.event_cpu.min(ceiling.event_cpu),
        event_wall: platform.event_wall.min(ceiling.event_wall),
        storage: StorageQuota {
            bytes: least(platform.storage.bytes, ceiling.storage.bytes),
            entries: least(platform.storage.entries, ceiling.storage.entries),
        },
    }
}

/// The limits of a namespace or a script. One above the platform's would change nothing, which is told.
pub(super) fn own(
    raw: &RawLimits,
    platform: &Limits,
    ceiling: &Limits,
    faults: &mut Vec<Fault>,
) -> LimitSpec {
    let no_effect = |key: &str, one: &LimitSpec| {
        let mut tightest = Limits::tightest(platform, &[one]);
        if one.event_cpu_ms.is_none() {
            // A wish for CPU time that is too loose for requests bounds events all the same; it was not meant for that.
            tightest.event_cpu = platform.event_cpu;
        }
        let looser = platform.overridden_by(one) != *platform && tightest == *platform;
        looser.then(|| {
            let name = key.rsplit('.').next().unwrap_or(key);
            format!("raise {name} in [limits] first")
        })
    };
    spec(raw, ceiling, no_effect, faults)
}

/// All limits that hold; the others are in `faults`.
fn spec(
    raw: &RawLimits,
    ceiling: &Limits,
    no_effect: impl Fn(&str, &LimitSpec) -> Option<String>,
    faults: &mut Vec<Fault>,
) -> LimitSpec {
    let mut good = Map::new();
    for (field, spot) in &raw.set {
        let one = Map::from_iter([((*field).to_owned(), spot.value.clone())]);
        let parsed = serde_json::from_value::<LimitSpec>(Value::Object(one));
        let fault = |expected: String| spot.fault(expected).value(spot.value.to_string());
        match parsed.map_err(|error| error.to_string()) {
            Err(reason) => faults.push(fault(reason)),
            Ok(one) => match one.validate(ceiling) {
                Err(error) => {
                    let allowed = format!("expected {} to {} {}", error.min, error.max, error.unit);
                    faults.push(fault(allowed).remedy("choose a value in that range"));
                }
                Ok(()) => {
                    if let Some(remedy) = no_effect(&spot.key, &one) {
                        let why = "is looser than the platform's own limit, and the tightest one wins";
                        faults.push(fault(why.to_owned()).remedy(remedy).warning());
                    }
                    good.insert((*field).to_owned(), spot.value.clone());
                }
            },
        }
    }
    // Each field was parsed by itself, so that all of them together parse too.
    serde_json::from_value(Value::Object(good)).unwrap_or_default()
}

/// Resolves `[cache]`.
pub(super) fn cache(raw: &RawCache, faults: &mut Vec<Fault>) -> CacheLimits {
    let disk_bytes = raw.disk.get(faults);
    CacheLimits {
        disk_bytes,
        script_bytes: raw.script_disk.get(faults).min(disk_bytes),
        memory_bytes: raw.memory.get(faults),
        ..CacheLimits::default()
    }
}
