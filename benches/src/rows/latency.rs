//! Time of an answer, from when its request was due. What one more hop adds where nothing else is under way, and
//! every chain at half of its own peak.

use std::time::Duration;

use super::Effort;
use crate::Error;
use crate::lanes::{Lane, Lanes};
use crate::load::{busy, paced};
use crate::report::{Reading, Target};

/// Low enough that no request waits for the one before.
const ALONE_PER_SECOND: f64 = 1_000.0;
const CONNECTIONS: usize = 16;

pub(super) fn run(effort: &Effort) -> Result<Vec<Reading>, Error> {
    let chains = [Lane::One, Lane::Two, Lane::TwoTail];
    let lanes = Lanes::open(&chains, 0)?;
    let mut readings = alone(effort, &lanes)?;
    readings.extend(at_half(effort, &lanes, &chains)?);
    Ok(readings)
}

/// Rounds of the chains in turn; what is added is the difference within a turn.
fn alone(effort: &Effort, lanes: &Lanes) -> Result<Vec<Reading>, Error> {
    let time = effort.pick(Duration::from_secs(3), Duration::from_millis(500));
    let mut figures: [Vec<f64>; 5] = Default::default();
    let [one, two, added, tail_added, steadiness] = &mut figures;
    for turn in 0..=effort.rounds {
        let mut turns = Vec::new();
        for lane in [Lane::One, Lane::Two, Lane::TwoTail] {
            let served = lanes.get(lane)?.alone(|aim| Ok(paced(aim, 1, ALONE_PER_SECOND, time)?.served))?;
            turns.push((served.microseconds(0.5), served.microseconds(0.99)));
        }
        if let ([(one50, _), (two50, two99), (tail50, _)], true) = (turns.as_slice(), turn > 0) {
            one.push(*one50);
            two.push(*two50);
            added.push(two50 - one50);
            tail_added.push(tail50 - one50);
            steadiness.push(two99 / two50);
        }
    }
    Ok(vec![
        Reading::of("p50 at concurrency 1: route -> user script", one, "us", Target::None),
        Reading::of("p50 at concurrency 1: dispatcher -> user", two, "us", Target::None),
        Reading::of("added by the dispatcher, p50", added, "us", Target::AtMost(40.0)),
        Reading::of("added by a dispatcher that uses tail, p50", tail_added, "us", Target::AtMost(40.0)),
        Reading::of("p99 over p50: dispatcher -> user", steadiness, "x", Target::AtMost(3.0)),
    ])
}

fn at_half(effort: &Effort, lanes: &Lanes, chains: &[Lane]) -> Result<Vec<Reading>, Error> {
    let time = effort.pick(Duration::from_secs(2), Duration::from_millis(300));
    let mut readings = Vec::new();
    for lane in chains {
        let served = lanes.get(*lane)?.alone(|aim| {
            let peak = busy(aim, CONNECTIONS, time)?;
            Ok(paced(aim, CONNECTIONS, peak / 2.0, time)?.served)
        })?;
        for (name, quantile) in [("p50", 0.5), ("p99", 0.99), ("p99.9", 0.999)] {
            let what = format!("{name} at half of its peak: {lane}");
            readings.push(Reading::once(&what, served.microseconds(quantile), "us", Target::None));
        }
    }
    Ok(readings)
}
