//! Medians, spreads and quantiles.

use serde_json::{Value, json};

/// What several rounds of one measurement came to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spread {
    /// The middle one.
    pub median: f64,
    /// The smallest.
    pub least: f64,
    /// The largest.
    pub most: f64,
}

impl Spread {
    /// None of no rounds. Of an even number of rounds, the median lies between the two in the middle.
    pub fn of(rounds: &[f64]) -> Option<Spread> {
        let mut sorted = rounds.to_vec();
        sorted.sort_by(f64::total_cmp);
        let middle =
            f64::midpoint(*sorted.get(sorted.len().saturating_sub(1) / 2)?, *sorted.get(sorted.len() / 2)?);
        Some(Spread { median: middle, least: *sorted.first()?, most: *sorted.last()? })
    }

    /// As it is written to the file.
    pub fn to_json(self) -> Value {
        json!({ "median": self.median, "least": self.least, "most": self.most })
    }

    /// As it was written to the file.
    pub fn from_json(value: &Value) -> Option<Spread> {
        let number = |name: &str| value.get(name).and_then(Value::as_f64);
        Some(Spread { median: number("median")?, least: number("least")?, most: number("most")? })
    }

    /// Whether all rounds of one lie on one side of all rounds of the other.
    pub fn apart_from(&self, other: &Spread) -> bool {
        self.least > other.most || other.least > self.most
    }
}

/// Durations in nanoseconds, sorted once and asked often.
#[derive(Debug, Default, Clone)]
pub struct Latencies(Vec<u64>);

impl Latencies {
    /// Sorts them.
    pub fn of(mut nanoseconds: Vec<u64>) -> Latencies {
        nanoseconds.sort_unstable();
        Latencies(nanoseconds)
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// The quantile in microseconds; 0 where there are none.
    pub fn microseconds(&self, quantile: f64) -> f64 {
        let last = self.0.len().saturating_sub(1);
        let index = (last as f64 * quantile).round() as usize;
        self.0.get(index.min(last)).map_or(0.0, |nanoseconds| *nanoseconds as f64 / 1e3)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_spread_of_rounds_in_any_order() {
        let spread = Spread::of(&[3.0, 1.0, 2.0]).unwrap();
        assert_eq!(spread, Spread { median: 2.0, least: 1.0, most: 3.0 });
        assert_eq!(Spread::of(&[4.0, 1.0, 3.0, 2.0]).unwrap().median, 2.5);
        assert_eq!(Spread::of(&[]), None);
        assert_eq!(Spread::from_json(&spread.to_json()), Some(spread));
    }

    #[test]
    fn spreads_that_touch_are_not_apart() {
        let spread = |least, most| Spread { median: least, least, most };
        assert!(!spread(1.0, 2.0).apart_from(&spread(2.0, 3.0)));
        assert!(spread(1.0, 2.0).apart_from(&spread(2.1, 3.0)));
        assert!(spread(2.1, 3.0).apart_from(&spread(1.0, 2.0)));
    }

    #[test]
    fn quantiles_count_from_the_smallest() {
        let latencies = Latencies::of((1..=101).rev().map(|n| n * 1_000).collect());
        assert_eq!(latencies.microseconds(0.0), 1.0);
        assert_eq!(latencies.microseconds(0.5), 51.0);
        assert_eq!(latencies.microseconds(0.99), 100.0);
        assert_eq!(latencies.microseconds(1.0), 101.0);
        assert_eq!(Latencies::default().microseconds(0.5), 0.0);
    }
}
