//! From the first byte of an upload to the last byte of the new script's first answer.

use std::time::{Duration, Instant, SystemTime};

use super::Effort;
use crate::report::{Reading, Target};
use crate::servers::javascript;
use crate::servers::wasmyard::{Budget, Platform, Site};
use crate::{Error, client, guest, marked};

const PATIENCE: Duration = Duration::from_secs(60);

pub(super) fn run(effort: &Effort) -> Result<Vec<Reading>, Error> {
    let mut site = Site::new("site-deploy", Budget::AsShipped)?;
    site.forget()?;
    let platform = site.serve()?;
    let small = std::fs::read(guest("hello")?)?;
    let mut readings = vec![Reading::of(
        &format!("{} kB component", small.len() / 1000),
        &deployed(&platform, "small", &small, effort.pick(20, 3))?,
        "ms",
        Target::AtMost(150.0),
    )];
    let large = javascript::find()?
        .ok_or_else(|| format!("there is no JavaScript component: {}", javascript::REMEDY))?;
    let large = std::fs::read(large)?;
    readings.push(Reading::of(
        &format!("{} MB component", large.len() / 1_000_000),
        &deployed(&platform, "large", &large, effort.pick(3, 1))?,
        "ms",
        Target::AtMost(3_000.0),
    ));
    Ok(readings)
}

/// Milliseconds of several deployments, each of a component that was never there before.
fn deployed(platform: &Platform, name: &str, component: &[u8], times: usize) -> Result<Vec<f64>, Error> {
    let run = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?.as_nanos();
    let mut rounds = Vec::new();
    for time in 0..times {
        let script = format!("{name}-{time}");
        let component = marked(component, &format!("{run}-{time}"));
        let host = format!("{script}.apps.localhost");
        let begun = Instant::now();
        platform.api.deploy("production", &script, &component)?;
        loop {
            let (status, body) = client::call(platform.visitors, "GET", "/", &[("host", &host)], b"")?;
            if status == 200 {
                break;
            }
            if begun.elapsed() > PATIENCE {
                return Err(format!("{host}: {status}: {}", String::from_utf8_lossy(&body)).into());
            }
        }
        rounds.push(begun.elapsed().as_secs_f64() * 1e3);
    }
    Ok(rounds)
}
