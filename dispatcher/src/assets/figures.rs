//! The figures of static files.

use prometheus::{IntCounter, IntCounterVec, Opts, Registry};
use wasmyard_namespaces::assets::Encoding;

/// What is counted. Cheap to clone: all clones count together.
#[derive(Clone)]
pub(crate) struct AssetFigures {
    answers: IntCounterVec,
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
        let counters = |name: &str, help: &str, labels: &[&str]| {
            let counters = IntCounterVec::new(Opts::new(name, help), labels)?;
            registry.register(Box::new(counters.clone()))?;
            Ok::<_, prometheus::Error>(counters)
        };
        let corrupt = IntCounter::new(
            "wasmyard_assets_corrupt_total",
            "Static files that were not served because their content is not what was uploaded.",
        )?;
        registry.register(Box::new(corrupt.clone()))?;
        Ok(Self {
            answers: counters(
                "wasmyard_asset_requests_total",
                "Requests that static files answered, by result.",
                &["result"],
            )?,
            variants: counters(
                "wasmyard_asset_variants_total",
                "Encoded variants of static files that were made, by coding and whether they were kept.",
                &["encoding", "result"],
            )?,
            corrupt,
        })
    }

    pub(super) fn answered(&self, result: AssetResult) {
        self.answers.with_label_values(&[result.label()]).inc();
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
