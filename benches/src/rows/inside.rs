//! Rows that are measured inside a process, without sockets: by the binary `in-process`, on the servers'
//! processor. It prints figures by name; here they get their meaning and their target.

use std::process::Command;

use serde_json::Value;

use super::Effort;
use crate::process::run;
use crate::report::{Reading, Target};
use crate::{Error, SERVER_CPU};

pub(super) fn metering(effort: &Effort) -> Result<Vec<Reading>, Error> {
    let figures = Figures::measured("metering", effort)?;
    let mut readings = vec![figures.ratio("hello", "on", "off", Target::AtMost(1.03))?];
    for load in ["sieve", "fib"] {
        readings.push(figures.ratio(load, "on", "off", Target::AtMost(1.2))?);
    }
    for load in ["hello", "sieve", "fib"] {
        // Only where the platform has the class.
        if figures.0.get(format!("{load} fuel")).is_some() {
            readings.push(figures.ratio(load, "fuel", "off", Target::AtMost(2.0))?);
        }
    }
    Ok(readings)
}

pub(super) fn cold(effort: &Effort) -> Result<Vec<Reading>, Error> {
    let figures = Figures::measured("cold", effort)?;
    let scripts = figures.first("scripts")?;
    Ok(vec![
        figures.reading(
            "p50 in page cache",
            "first answer in page cache, p50",
            "us",
            Target::AtMost(300.0),
        )?,
        figures.reading("p99 in page cache", "first answer in page cache, p99", "us", Target::None)?,
        figures.reading("p50 from disk", "first answer from disk, p50", "us", Target::None)?,
        figures.reading("p99 from disk", "first answer from disk, p99", "us", Target::AtMost(2_000.0))?,
        figures.reading(
            "round robin",
            &format!("{scripts:.0} loaded scripts round robin, CPU a request"),
            "us",
            Target::AtMost(60.0),
        )?,
        figures.reading(
            "one script",
            "the same requests to one script, CPU a request",
            "us",
            Target::None,
        )?,
    ])
}

pub(super) fn density(effort: &Effort) -> Result<Vec<Reading>, Error> {
    let figures = Figures::measured("density", effort)?;
    let scripts = figures.first("scripts")?;
    Ok(vec![
        figures.reading(
            "anonymous per script",
            &format!("anonymous memory of a loaded script, {scripts:.0} loaded"),
            "KiB",
            Target::AtMost(100.0),
        )?,
        figures.reading(
            "resident per script",
            "resident memory of a loaded script, its file among it",
            "KiB",
            Target::None,
        )?,
        figures.reading("mappings per script", "mappings of a loaded script", "", Target::None)?,
        figures.reading(
            "anonymous per unloaded",
            "anonymous memory of a script on disk, not loaded",
            "KiB",
            Target::AtMost(0.1),
        )?,
        figures.reading(
            "budget used",
            "loaded code over its budget, all scripts asked for in turn",
            "x",
            Target::AtMost(1.05),
        )?,
        figures.reading(
            "kept recent",
            "of the scripts used last, still loaded",
            "%",
            Target::AtLeast(99.0),
        )?,
    ])
}

struct Figures(Value);

impl Figures {
    fn measured(command: &str, effort: &Effort) -> Result<Figures, Error> {
        let binary = std::env::current_exe()?.with_file_name("in-process");
        let mut words = Command::new("taskset");
        words.args(["-c", SERVER_CPU]).arg(binary).arg(command);
        if effort.quick {
            words.arg("--quick");
        }
        Ok(Figures(serde_json::from_str(&run(&mut words)?)?))
    }

    fn rounds(&self, name: &str) -> Result<Vec<f64>, Error> {
        let rounds = self.0.get(name).and_then(Value::as_array);
        let rounds = rounds.ok_or_else(|| format!("in-process did not measure {name:?}"))?;
        Ok(rounds.iter().filter_map(Value::as_f64).collect())
    }

    fn first(&self, name: &str) -> Result<f64, Error> {
        self.rounds(name)?.first().copied().ok_or_else(|| format!("{name:?} has no rounds").into())
    }

    fn reading(&self, name: &str, what: &str, unit: &'static str, target: Target) -> Result<Reading, Error> {
        Ok(Reading::of(what, &self.rounds(name)?, unit, target))
    }

    /// Time over time, turn by turn.
    fn ratio(&self, load: &str, this: &str, that: &str, target: Target) -> Result<Reading, Error> {
        let (mine, other) =
            (self.rounds(&format!("{load} {this}"))?, self.rounds(&format!("{load} {that}"))?);
        let ratios: Vec<f64> = mine.iter().zip(&other).map(|(mine, other)| mine / other).collect();
        Ok(Reading::of(&format!("{load}: {this} over {that}"), &ratios, "x", target))
    }
}
