//! Figures of the certificates that a node keeps: how many names are served by them, and how often one was read.
//!
//! Owns nothing of them: it asks the store when it is asked.

use std::sync::Arc;

use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;
use prometheus::{IntCounter, IntGauge, Registry};
use wasmyard_hostnames::certificates::CertificateStore;

struct StoreFigures {
    store: Arc<CertificateStore>,
    names: IntGauge,
    reads: IntCounter,
}

/// Has a store be among the figures.
///
/// # Errors
/// When there is a figure of one of these names.
pub(crate) fn register(store: Arc<CertificateStore>, figures: &Registry) -> Result<(), prometheus::Error> {
    let names =
        IntGauge::new("wasmyard_certificate_names", "Names that are served with a kept certificate.")?;
    let reads = IntCounter::new(
        "wasmyard_certificate_reads_total",
        "Certificates that were read from the disk for a handshake.",
    )?;
    figures.register(Box::new(StoreFigures { store, names, reads }))
}

impl Collector for StoreFigures {
    fn desc(&self) -> Vec<&Desc> {
        [self.names.desc(), self.reads.desc()].concat()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        self.names.set(i64::try_from(self.store.len()).unwrap_or(i64::MAX));
        self.reads.inc_by(self.store.reads().saturating_sub(self.reads.get()));
        [self.names.collect(), self.reads.collect()].concat()
    }
}
