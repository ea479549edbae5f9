//! The figures of static files.

use std::sync::Arc;

use prometheus::{IntCounter, IntCounterVec, Registry};
use wasmyard_events::metric::{counter, counters};
use wasmyard_namespaces::assets::Encoding;

/// What is counted. Cheap to clone: all clones count together.
#[derive(Clone)]
pub(crate) struct AssetFigures {
    /// One for each result, in their order: looked up once and not for each request.
    answers: Arc<[IntCounter; AssetResult::ALL.len()]>,
    variants: IntCounterVec,
    corrupt: IntCounter,
}

/// What came of a request for static files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AssetResult {
    /// A file, whole.
    Full,
    /// Parts of a file.
    Partial,
    /// The visitor has it already.
    NotModified,
    /// The visitor was sent elsewhere.
    Redirect,
    /// Nothing was found; there may have been a page for that.
    NotFound,
    /// The method is not for files.
    NotAllowed,
    /// What the visitor wants of the file cannot be given.
    Refused,
    /// The file cannot be read, or is not what was uploaded.
    Failed,
}

impl AssetFigures {
    /// Makes all figures, at zero.
    pub(crate) fn new(registry: &Registry) -> Result<Self, prometheus::Error> {
        let corrupt = counter(
            registry,
            "wasmyard_assets_corrupt_total",
            "Static files that were not served because their content is not what was uploaded.",
        )?;
        let answers = counters(
            registry,
            "wasmyard_asset_requests_total",
            "Requests that static files answered, by result.",
            &["result"],
        )?;
        Ok(Self {
            answers: Arc::new(AssetResult::ALL.map(|result| answers.with_label_values(&[result.label()]))),
            variants: counters(
                registry,
                "wasmyard_asset_variants_total",
                "Encoded variants of static files that were made, by coding and whether they were kept.",
                &["encoding", "result"],
            )?,
            corrupt,
        })
    }

    pub(super) fn answered(&self, result: AssetResult) {
        if let Some(counter) = self.answers.get(result as usize) {
            counter.inc();
        }
    }

    pub(super) fn variant_made(&self, encoding: Encoding, kept: bool) {
        let result = if kept { "kept" } else { "not_worth_it" };
        self.variants.with_label_values(&[encoding.as_str(), result]).inc();
    }

    pub(super) fn corrupt(&self) {
        self.corrupt.inc();
    }
}

impl AssetResult {
    const ALL: [Self; 8] = [
        Self::Full,
        Self::Partial,
        Self::NotModified,
        Self::Redirect,
        Self::NotFound,
        Self::NotAllowed,
        Self::Refused,
        Self::Failed,
    ];

    pub(super) fn label(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Partial => "partial",
            Self::NotModified => "not_modified",
            Self::Redirect => "redirect",
            Self::NotFound => "not_found",
            Self::NotAllowed => "not_allowed",
            Self::Refused => "refused",
            Self::Failed => "failed",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_result_counts_as_its_own() {
        let registry = Registry::new();
        let figures = AssetFigures::new(&registry).unwrap();
        for (times, result) in AssetResult::ALL.into_iter().enumerate() {
            for _ in 0..=times {
                figures.answered(result);
            }
        }
        let families = registry.gather();
        let family = families.iter().find(|family| family.name() == "wasmyard_asset_requests_total").unwrap();
        for (times, result) in AssetResult::ALL.into_iter().enumerate() {
            let of = |metric: &&prometheus::proto::Metric| metric.get_label()[0].value() == result.label();
            let counted = family.get_metric().iter().find(of).unwrap().get_counter().get_value();
            assert_eq!(counted, times as f64 + 1.0, "{result:?}");
        }
    }
}
