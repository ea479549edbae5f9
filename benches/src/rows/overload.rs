//! Four times the load that can be sustained, whatever becomes of it: what is still answered, and how soon the
//! rest hears that it is not.
//!
//! The script computes for about a millisecond. With one that only greets, reading and refusing three requests
//! costs as much as answering one, and no server could keep its peak.

use std::time::{Duration, Instant};

use super::Effort;
use crate::load::{Aim, Paced, busy, paced};
use crate::report::{Reading, Target};
use crate::servers::wasmyard::{Budget, Site};
use crate::{Error, client, guest};

const CONNECTIONS: usize = 16;
/// More than the platform admits: the rest is what it refuses.
const FLOOD_CONNECTIONS: usize = 3_000;
const TIMES: f64 = 4.0;

pub(super) fn run(effort: &Effort) -> Result<Vec<Reading>, Error> {
    let time = effort.pick(Duration::from_secs(5), Duration::from_secs(2));
    let mut site = Site::new("site-overload", Budget::AsShipped)?;
    // All of the flood comes from one address: what is measured is the load, not the bound on one client.
    site.server(&format!("max_connections_per_client = {}\n", FLOOD_CONNECTIONS + CONNECTIONS));
    site.customer("work", &guest("bench_work")?)?;
    let platform = site.serve()?;
    let mut aim = platform.aim("work.apps.localhost");
    aim.expected = None;
    aim.path = format!("/spin/{}", millisecond(&aim)?);
    busy(&aim, CONNECTIONS, time / 2)?;
    let (cpu, begun) = (platform.process.cpu(), Instant::now());
    let peak = busy(&aim, CONNECTIONS, time)?;
    let used = (platform.process.cpu() - cpu).as_secs_f64() / begun.elapsed().as_secs_f64();
    let before = platform.process.memory().resident;
    let first = paced(&aim, FLOOD_CONNECTIONS, peak * TIMES, time)?;
    let flooded = platform.process.memory().resident;
    let second = paced(&aim, FLOOD_CONNECTIONS, peak * TIMES, time)?;
    let again = platform.process.memory().resident;
    let after = busy(&aim, CONNECTIONS, time)?;
    let waves = [&first, &second];
    let of = |figure: &dyn Fn(&Paced) -> f64| waves.map(figure).to_vec();
    // Nothing refused under four times the load is no good time of refusals: then the load was none.
    let ms = |quantile| {
        move |wave: &Paced| match wave.refused.count() {
            0 => f64::NAN,
            _ => wave.refused.microseconds(quantile) / 1e3,
        }
    };
    Ok(vec![
        Reading::once("peak", peak, "requests/s", Target::None),
        Reading::once("its processor used at the peak", used * 100.0, "%", Target::AtLeast(90.0)),
        Reading::of("goodput over peak", &of(&|wave| wave.goodput / peak), "x", Target::AtLeast(0.9)),
        Reading::of("p50 of refusals", &of(&ms(0.5)), "ms", Target::None),
        Reading::of("p99 of refusals", &of(&ms(0.99)), "ms", Target::AtMost(5.0)),
        Reading::of(
            "refused",
            &of(&|wave| wave.refused.count() as f64 / wave.due as f64 * 100.0),
            "%",
            Target::None,
        ),
        Reading::of(
            "p99 of what was served",
            &of(&|wave| wave.served.microseconds(0.99) / 1e3),
            "ms",
            Target::None,
        ),
        Reading::of(
            "neither answered nor refused",
            &of(&|wave| wave.lost as f64),
            "requests",
            Target::AtMost(0.0),
        ),
        Reading::once(
            "memory added by the flood",
            flooded.saturating_sub(before) as f64 / 1_048_576.0,
            "MiB",
            Target::None,
        ),
        Reading::once(
            "memory after a second flood, over the first",
            again as f64 / flooded as f64,
            "x",
            Target::AtMost(1.1),
        ),
        Reading::once("rate afterwards over peak", after / peak, "x", Target::AtLeast(0.9)),
    ])
}

/// How many turns of the script's loop take a millisecond here.
fn millisecond(aim: &Aim) -> Result<u64, Error> {
    let host = aim.hosts.first().ok_or("nobody to ask")?;
    let mut turns = 100_000;
    // The first one waits until the script is loaded, which says nothing of its work.
    client::call(aim.address, "GET", "/spin/1", &[("host", host)], b"")?;
    loop {
        let begun = Instant::now();
        let (status, _) =
            client::call(aim.address, "GET", &format!("/spin/{turns}"), &[("host", host)], b"")?;
        let took = begun.elapsed();
        if status != 200 {
            return Err(format!("/spin/{turns} was answered with {status}").into());
        }
        if took > Duration::from_millis(8) {
            return Ok((turns as f64 * 1e-3 / took.as_secs_f64()) as u64);
        }
        turns *= 2;
    }
}
