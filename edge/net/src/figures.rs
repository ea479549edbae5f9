//! What is counted of connections. Label sets are closed: neither hosts nor senders become labels.

use std::time::Duration;

use prometheus::core::Collector;
use prometheus::{Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, Opts, Registry};

/// Seconds: from a cached name to a name server that is given up.
const LOOK_UP_BUCKETS: [f64; 9] = [0.000_1, 0.000_5, 0.002, 0.01, 0.05, 0.2, 1.0, 5.0, 30.0];

/// The figures of one [`Network`](crate::Network). Clones count together.
#[derive(Clone)]
pub struct NetworkFigures {
    opened: IntCounter,
    reused: IntCounter,
    open: IntGauge,
    look_ups: Histogram,
    sent: IntCounter,
    received: IntCounter,
}

impl NetworkFigures {
    /// Makes the figures, at zero, and shows them in `registry` under names that begin with `prefix`.
    ///
    /// # Errors
    ///
    /// When the registry has one of the names already.
    pub fn new(registry: &Registry, prefix: &str) -> prometheus::Result<Self> {
        let name = |rest: &str| format!("{prefix}_{rest}");
        let bytes = Opts::new(name("bytes_total"), "Bytes on connections to origins, inside of TLS.");
        let bytes = shown(registry, IntCounterVec::new(bytes, &["direction"])?)?;
        let look_ups = HistogramOpts::new(name("dns_seconds"), "Look-ups of names, answered or not.")
            .buckets(LOOK_UP_BUCKETS.to_vec());
        let (opened, reused) =
            ("Connections opened to origins.", "Requests that found a connection to their origin open.");
        Ok(Self {
            opened: shown(registry, IntCounter::new(name("connections_opened_total"), opened)?)?,
            reused: shown(registry, IntCounter::new(name("connections_reused_total"), reused)?)?,
            open: shown(
                registry,
                IntGauge::new(name("connections"), "Connections to origins that are open.")?,
            )?,
            look_ups: shown(registry, Histogram::with_opts(look_ups)?)?,
            sent: bytes.with_label_values(&["sent"]),
            received: bytes.with_label_values(&["received"]),
        })
    }

    pub(crate) fn looked_up(&self, time: Duration) {
        self.look_ups.observe(time.as_secs_f64());
    }

    pub(crate) fn reused(&self) {
        self.reused.inc();
    }

    pub(crate) fn sent(&self, bytes: usize) {
        self.sent.inc_by(bytes as u64);
    }

    pub(crate) fn received(&self, bytes: usize) {
        self.received.inc_by(bytes as u64);
    }
}

fn shown<F: Collector + Clone + 'static>(registry: &Registry, figure: F) -> prometheus::Result<F> {
    registry.register(Box::new(figure.clone()))?;
    Ok(figure)
}

/// Counts one connection as open for as long as it lives.
pub(crate) struct Opened(NetworkFigures);

impl Opened {
    pub(crate) fn new(figures: &NetworkFigures) -> Self {
        figures.opened.inc();
        figures.open.inc();
        Self(figures.clone())
    }

    pub(crate) fn figures(&self) -> &NetworkFigures {
        &self.0
    }
}

impl Drop for Opened {
    fn drop(&mut self) {
        self.0.open.dec();
    }
}
