//! Figures of scripts' caches: how often something was found, and how much there is.
//!
//! Owns nothing of them: it asks the caches when it is asked.

use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;
use prometheus::{IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry};
use wasmyard_cache::Caches;

struct CacheFigures {
    caches: Caches,
    lookups: IntCounterVec,
    bytes: IntGaugeVec,
    entries: IntGauge,
}

/// Has the caches be among the figures.
///
/// # Errors
/// When there is a figure of one of these names.
pub(crate) fn register(caches: Caches, figures: &Registry) -> Result<(), prometheus::Error> {
    let lookups = Opts::new("wasmyard_cache_lookups_total", "Looks into scripts' caches.");
    let lookups = IntCounterVec::new(lookups, &["result"])?;
    let bytes = Opts::new("wasmyard_cache_bytes", "What scripts' caches keep, and what of it is in memory.");
    let bytes = IntGaugeVec::new(bytes, &["tier"])?;
    let entries = IntGauge::new("wasmyard_cache_entries", "Responses that scripts' caches keep.")?;
    figures.register(Box::new(CacheFigures { caches, lookups, bytes, entries }))
}

impl Collector for CacheFigures {
    fn desc(&self) -> Vec<&Desc> {
        [self.lookups.desc(), self.bytes.desc(), self.entries.desc()].concat()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let (hits, misses) = self.caches.hits_and_misses();
        let catch_up = |counter: IntCounter, to: u64| counter.inc_by(to.saturating_sub(counter.get()));
        catch_up(self.lookups.with_label_values(&["hit"]), hits);
        catch_up(self.lookups.with_label_values(&["miss"]), misses);
        let (disk, memory, entries) = self.caches.store().held();
        let gauge = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
        self.bytes.with_label_values(&["disk"]).set(gauge(disk));
        self.bytes.with_label_values(&["memory"]).set(gauge(memory));
        self.entries.set(gauge(entries as u64));
        [self.lookups.collect(), self.bytes.collect(), self.entries.collect()].concat()
    }
}
