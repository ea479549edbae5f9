//! What was measured, as tables for people and as JSON for the next comparison.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::{Value, json};

use crate::lanes::Lane;
use crate::rows::{RATES, Rate};
use crate::stats::Spread;

/// The form of the file; a file of another form is not compared.
pub const FORM: u64 = 1;

/// What a figure should be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Target {
    /// This or more.
    AtLeast(f64),
    /// This or less.
    AtMost(f64),
    /// Nothing in particular: it explains others.
    None,
}

impl Target {
    /// Whether it is met; none where there is nothing to meet.
    pub fn met(self, value: f64) -> Option<bool> {
        match self {
            Target::AtLeast(least) => Some(value >= least),
            Target::AtMost(most) => Some(value <= most),
            Target::None => None,
        }
    }

    fn verdict(self, value: f64) -> &'static str {
        match self.met(value) {
            Some(true) => "met",
            Some(false) => "**gap**",
            None => "",
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Target::AtLeast(least) => write!(f, ">= {least}"),
            Target::AtMost(most) => write!(f, "<= {most}"),
            Target::None => f.write_str("-"),
        }
    }
}

/// One figure of a row that is not a ratio of rates.
#[derive(Debug, Clone)]
pub struct Reading {
    /// What it is.
    pub what: String,
    /// Its rounds; a single figure has no spread.
    pub value: Spread,
    /// Its unit.
    pub unit: &'static str,
    /// What it should be.
    pub target: Target,
}

impl Reading {
    /// A figure of several rounds.
    pub fn of(what: &str, rounds: &[f64], unit: &'static str, target: Target) -> Reading {
        let nothing = Spread { median: f64::NAN, least: f64::NAN, most: f64::NAN };
        Reading { what: what.to_owned(), value: Spread::of(rounds).unwrap_or(nothing), unit, target }
    }

    /// A figure that was measured once.
    pub fn once(what: &str, value: f64, unit: &'static str, target: Target) -> Reading {
        Reading::of(what, &[value], unit, target)
    }
}

/// The rounds of one lane.
#[derive(Debug, Clone, Default)]
pub struct Rounds {
    /// Requests per second under our client.
    pub busy: Vec<f64>,
    /// Requests per second under `wrk`.
    pub wrk: Vec<f64>,
    /// CPU time of the server for each request, in microseconds, under our client.
    pub cpu: Vec<f64>,
    /// The same under `wrk`.
    pub wrk_cpu: Vec<f64>,
    /// The part of the time in which the server's processor ran it, under our client.
    pub used: Vec<f64>,
}

/// Everything that a run measured.
#[derive(Default)]
pub struct Report {
    /// Machine, source and binary.
    pub facts: Value,
    /// Whether it was the quick run.
    pub quick: bool,
    /// Rates.
    pub lanes: BTreeMap<Lane, Rounds>,
    /// Lanes that could not be measured, and why.
    pub missing: BTreeMap<Lane, String>,
    /// Other rows.
    pub others: Vec<OtherRow>,
}

/// A row that is not a ratio of rates: id, what it is, its figures or why there are none.
pub type OtherRow = (&'static str, &'static str, Result<Vec<Reading>, String>);

impl Report {
    /// The ratio of a row, round by round: two rounds of one turn met the same machine.
    pub fn ratio(&self, row: &Rate, pick: impl Fn(&Rounds) -> &Vec<f64>) -> Option<Spread> {
        let (mine, other) = (self.lanes.get(&row.lane)?, self.lanes.get(&row.beside)?);
        let ratios: Vec<f64> = pick(mine).iter().zip(pick(other)).map(|(mine, other)| mine / other).collect();
        Spread::of(&ratios)
    }

    /// How much less CPU time a request takes: the same ratio, where both servers have all of their processor,
    /// and a fair one where something else of the machine takes its part.
    pub fn cpu_ratio(&self, row: &Rate) -> Option<Spread> {
        let turned = Rate { lane: row.beside, beside: row.lane, ..*row };
        self.ratio(&turned, |rounds| &rounds.cpu)
    }

    /// Prints everything that was measured.
    pub fn print(&self, rates: &[&Rate]) {
        println!("\n{}", serde_json::to_string_pretty(&self.facts).unwrap_or_default());
        if !rates.is_empty() {
            self.print_lanes();
            self.print_ratios(rates);
        }
        self.print_others();
    }

    fn print_lanes(&self) {
        println!(
            "\n| lane | requests/s, busy client | server CPU us/request | its processor used | requests/s, wrk | server CPU us/request |"
        );
        println!("| --- | --- | --- | --- | --- | --- |");
        for (lane, rounds) in &self.lanes {
            let show = |rounds: &[f64], digits| {
                Spread::of(rounds).map_or("-".into(), |spread| spread_text(spread, digits))
            };
            let used = Spread::of(&rounds.used).map_or(0.0, |used| used.median);
            println!(
                "| {lane} | {} | {} | {:.0} %{} | {} | {} |",
                show(&rounds.busy, 0),
                show(&rounds.cpu, 1),
                used * 100.0,
                // The client could not keep it busy: its rate is the client's, not the server's.
                if used < 0.9 { " (not saturated)" } else { "" },
                show(&rounds.wrk, 0),
                show(&rounds.wrk_cpu, 1),
            );
        }
    }

    fn print_ratios(&self, rates: &[&Rate]) {
        println!("\n| row | beside | target | busy client | | wrk | | its CPU time over ours |");
        println!("| --- | --- | --- | --- | --- | --- | --- | --- |");
        for row in rates {
            let column = |pick: fn(&Rounds) -> &Vec<f64>| match self.ratio(row, pick) {
                Some(ratio) => format!("{} | {}", spread_text(ratio, 2), row.target.verdict(ratio.median)),
                None => "- | ".to_owned(),
            };
            let why = [row.lane, row.beside].into_iter().find_map(|lane| self.missing.get(&lane));
            match why {
                Some(why) => {
                    println!("| {} | {} | {} | missing: {why} | | | | |", row.lane, row.beside, row.target)
                }
                None => println!(
                    "| {} | {} | {} | {} | {} | {} |",
                    row.lane,
                    row.beside,
                    row.target,
                    column(|rounds| &rounds.busy),
                    column(|rounds| &rounds.wrk),
                    self.cpu_ratio(row).map_or("-".into(), |ratio| spread_text(ratio, 2))
                ),
            }
        }
        for (lane, why) in &self.missing {
            println!("\nmissing: {lane}: {why}");
        }
    }

    fn print_others(&self) {
        if self.others.is_empty() {
            return;
        }
        println!("\n| row | figure | target | measured | |");
        println!("| --- | --- | --- | --- | --- |");
        for (id, what, readings) in &self.others {
            match readings {
                Err(why) => println!("| {id} | {what} | | missing: {} | |", why.replace('\n', " ")),
                Ok(readings) => {
                    for reading in readings {
                        println!(
                            "| {id} | {} | {} | {} {} | {} |",
                            reading.what,
                            reading.target,
                            spread_text(reading.value, 2),
                            reading.unit,
                            reading.target.verdict(reading.value.median)
                        );
                    }
                }
            }
        }
    }

    /// As it is kept.
    pub fn to_json(&self) -> Value {
        let rates: Vec<Value> = RATES
            .iter()
            .filter_map(|row| {
                let busy = self.ratio(row, |rounds| &rounds.busy)?;
                let wrk = self.ratio(row, |rounds| &rounds.wrk);
                Some(json!({
                    "id": row.id, "lane": row.lane.to_string(), "beside": row.beside.to_string(),
                    "target": row.target.to_string(), "met": row.target.met(busy.median),
                    "busy": busy.to_json(), "wrk": wrk.map(Spread::to_json),
                    "cpu": self.cpu_ratio(row).map(Spread::to_json),
                }))
            })
            .collect();
        let rounds: Vec<Value> = self
            .lanes
            .iter()
            .map(|(lane, rounds)| {
                json!({
                    "lane": lane.to_string(), "busy": rounds.busy, "wrk": rounds.wrk,
                    "cpu_us": rounds.cpu, "wrk_cpu_us": rounds.wrk_cpu, "used": rounds.used,
                })
            })
            .collect();
        let mut others = Vec::new();
        let mut missing: Vec<Value> =
            self.missing.iter().map(|(lane, why)| json!({ "row": lane.to_string(), "why": why })).collect();
        for (id, _, readings) in &self.others {
            match readings {
                Err(why) => missing.push(json!({ "row": id, "why": why })),
                Ok(readings) => others.extend(readings.iter().map(|reading| {
                    json!({
                        "id": format!("{id}: {}", reading.what), "unit": reading.unit,
                        "target": reading.target.to_string(),
                        "met": reading.target.met(reading.value.median),
                        "value": reading.value.to_json(),
                    })
                })),
            }
        }
        json!({
            "form": FORM, "facts": self.facts, "quick": self.quick,
            "rates": rates, "others": others, "rounds": rounds, "missing": missing,
        })
    }
}

/// The median, and the least and most where there were several rounds.
pub fn spread_text(spread: Spread, digits: usize) -> String {
    if spread.least == spread.most {
        return format!("{:.digits$}", spread.median);
    }
    format!("{:.digits$} ({:.digits$} - {:.digits$})", spread.median, spread.least, spread.most)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_are_taken_turn_by_turn() {
        let mut report = Report::default();
        let rounds = |busy: &[f64]| Rounds { busy: busy.to_vec(), ..Rounds::default() };
        // The machine got twice as fast: the ratio did not change.
        report.lanes.insert(Lane::One, rounds(&[10.0, 20.0, 21.0]));
        report.lanes.insert(Lane::Wasmtime, rounds(&[5.0, 10.0, 10.0]));
        let row = RATES.iter().find(|row| row.id == "one/wasmtime").unwrap();
        let ratio = report.ratio(row, |rounds| &rounds.busy).unwrap();
        assert_eq!(ratio, Spread { median: 2.0, least: 2.0, most: 2.1 });
        assert_eq!(row.target.met(ratio.median), Some(false));
        assert_eq!(report.ratio(row, |rounds| &rounds.wrk), None);
    }

    #[test]
    fn targets_have_a_side() {
        assert_eq!(Target::AtLeast(2.0).met(2.0), Some(true));
        assert_eq!(Target::AtMost(2.0).met(2.1), Some(false));
        assert_eq!(Target::None.met(2.1), None);
        assert_eq!(Target::AtMost(2.0).met(f64::NAN), Some(false), "what was not measured is not met");
    }

    #[test]
    fn every_row_has_a_name_of_its_own() {
        let mut names: Vec<_> = RATES.iter().map(|row| row.id).collect();
        names.extend(crate::rows::OTHERS.iter().map(|row| row.id));
        let all = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), all);
    }
}
