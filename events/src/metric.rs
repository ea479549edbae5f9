//! Figures made and shown in one step. Each part of the platform makes its own and says where they are shown.

use prometheus::core::Collector;
use prometheus::{Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, Opts, Registry, Result};

/// Seconds: from a tenth of a millisecond to half a minute.
pub const SECONDS: [f64; 14] =
    [0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1.0, 5.0, 30.0];

/// A figure that only grows.
///
/// # Errors
/// When the registry has the name already.
pub fn counter(registry: &Registry, name: &str, help: &str) -> Result<IntCounter> {
    shown(registry, IntCounter::new(name, help)?)
}

/// Figures that only grow, one for each combination of labels. The sets of labels must be closed: no name that a tenant
/// or a visitor chooses may become one.
///
/// # Errors
/// When the registry has the name already.
pub fn counters(registry: &Registry, name: &str, help: &str, labels: &[&str]) -> Result<IntCounterVec> {
    shown(registry, IntCounterVec::new(Opts::new(name, help), labels)?)
}

/// A figure that goes up and down.
///
/// # Errors
/// When the registry has the name already.
pub fn gauge(registry: &Registry, name: &str, help: &str) -> Result<IntGauge> {
    shown(registry, IntGauge::new(name, help)?)
}

/// A distribution.
///
/// # Errors
/// When the registry has the name already.
pub fn histogram(registry: &Registry, name: &str, help: &str, buckets: &[f64]) -> Result<Histogram> {
    shown(registry, Histogram::with_opts(HistogramOpts::new(name, help).buckets(buckets.to_vec()))?)
}

fn shown<C: Collector + Clone + 'static>(registry: &Registry, figure: C) -> Result<C> {
    registry.register(Box::new(figure.clone()))?;
    Ok(figure)
}
