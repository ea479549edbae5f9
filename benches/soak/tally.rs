//! What the visits came to, counted.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::platform::Target;
use crate::visits::{ALL, Seen, Visit};

/// Whoever is refused for the crowd's sake was answered rightly, too.
const REFUSED: [u16; 2] = [429, 503];

/// How often each visit came to what.
#[derive(Default)]
pub(crate) struct Tally(Mutex<BTreeMap<(&'static str, String), u64>>);

impl Tally {
    /// Makes the visit of this number, in turns.
    pub(crate) async fn visit(&self, number: usize, to: Target) {
        let Some(visit) = ALL.get(number % ALL.len()) else { return };
        // One that panics is a finding like others.
        let seen = match tokio::spawn((visit.go)(to)).await {
            Ok(Seen::Gone) => "gone".to_owned(),
            Ok(Seen::Status(status)) if visit.right.contains(&status) => format!("{status}"),
            Ok(Seen::Status(status)) if REFUSED.contains(&status) => format!("refused with {status}"),
            Ok(Seen::Status(status)) => format!("wrong: {status}"),
            Ok(Seen::Wrong(what)) => format!("wrong: {what}"),
            Err(error) => format!("wrong: {error}"),
        };
        *self.lock().entry((visit.name, seen)).or_default() += 1;
    }

    /// What was answered wrongly, and who was never answered rightly.
    pub(crate) fn wrong(&self) -> Vec<String> {
        let seen = self.lock();
        let wrong = seen.iter().filter(|((_, seen), _)| seen.starts_with("wrong"));
        let mut wrong: Vec<String> =
            wrong.map(|((name, seen), times)| format!("{name}: {seen}, {times} times")).collect();
        let expects = |visit: &&Visit| !visit.right.is_empty();
        for visit in ALL.iter().filter(expects) {
            let right = |seen: &str| visit.right.iter().any(|status| seen == status.to_string());
            if !seen.keys().any(|(name, seen)| *name == visit.name && right(seen)) {
                wrong.push(format!("{}: never answered with {:?}", visit.name, visit.right));
            }
        }
        wrong
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<(&'static str, String), u64>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "\n| visit | came to | times |\n| --- | --- | --- |")?;
        for ((name, seen), times) in self.lock().iter() {
            writeln!(f, "| {name} | {seen} | {times} |")?;
        }
        Ok(())
    }
}
