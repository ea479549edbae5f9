//! What is counted of questions. The labels are closed: no name becomes one.

use prometheus::{IntCounterVec, Opts, Registry};

use crate::zone::Outcome;

/// The figures of a zone. Clones count together.
#[derive(Clone)]
pub struct DelegationFigures(IntCounterVec);

impl DelegationFigures {
    /// Makes the figures, at zero, and shows them in `registry`.
    ///
    /// # Errors
    /// When the registry has one of the names already.
    pub fn new(registry: &Registry) -> prometheus::Result<Self> {
        let about =
            Opts::new("wasmyard_dcv_questions_total", "Questions to the zone of delegated validation.");
        let counted = IntCounterVec::new(about, &["result"])?;
        registry.register(Box::new(counted.clone()))?;
        for outcome in Outcome::ALL {
            counted.with_label_values(&[outcome.as_str()]);
        }
        Ok(Self(counted))
    }

    pub(crate) fn count(&self, outcome: Outcome) {
        self.0.with_label_values(&[outcome.as_str()]).inc();
    }

    #[cfg(test)]
    pub(crate) fn of(&self, outcome: Outcome) -> u64 {
        self.0.with_label_values(&[outcome.as_str()]).get()
    }
}
