//! Gathers the figures of the data plane. Each part makes its own, beside what it counts, and shows them in the registry
//! that is kept here. Label sets are closed: no name that a tenant chooses becomes a label.

use prometheus::{Encoder as _, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry, TextEncoder};
use wasmyard_events::metric;
use wasmyard_runtime::{CacheFigures, GuestMemoryFigures};

/// Every figure that `/metrics` shows.
pub struct Metrics {
    registry: Registry,
    guest_memory_bytes: IntGauge,
    module_lookups: IntCounterVec,
    modules_loaded: IntGauge,
    code_bytes: IntGauge,
    compilations: IntGaugeVec,
}

impl Metrics {
    /// Makes the figures that are read when they are shown, at zero.
    ///
    /// # Errors
    ///
    /// When two figures were given the same name, which a test rules out.
    pub fn new() -> Result<Self, prometheus::Error> {
        let registry = Registry::new();
        Ok(Self {
            guest_memory_bytes: metric::gauge(
                &registry,
                "wasmyard_guest_memory_bytes",
                "Linear memory and tables that all guests hold together.",
            )?,
            module_lookups: metric::counters(
                &registry,
                "wasmyard_module_lookups_total",
                "Look-ups of compiled code when a version is made ready.",
                &["result"],
            )?,
            modules_loaded: metric::gauge(
                &registry,
                "wasmyard_modules_loaded",
                "Components whose compiled code is mapped.",
            )?,
            code_bytes: metric::gauge(
                &registry,
                "wasmyard_loaded_code_bytes",
                "Compiled code that is mapped.",
            )?,
            compilations: {
                let help = "Components that are compiled now, and that wait for it.";
                let gauges = IntGaugeVec::new(Opts::new("wasmyard_compilations", help), &["state"])?;
                registry.register(Box::new(gauges.clone()))?;
                gauges
            },
            registry,
        })
    }

    /// Where the parts of the platform show their figures.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// Notes how much memory guests hold, to be shown by the next [`Metrics::render`].
    pub fn guest_memory(&self, memory: GuestMemoryFigures) {
        self.guest_memory_bytes.set(i64::try_from(memory.held_bytes).unwrap_or(i64::MAX));
    }

    /// The Prometheus text of all figures. `cache` is read at this moment.
    pub fn render(&self, cache: CacheFigures) -> String {
        for (result, now) in [("hit", cache.hits), ("miss", cache.misses)] {
            let counter = self.module_lookups.with_label_values(&[result]);
            counter.inc_by(now.saturating_sub(counter.get()));
        }
        let figure = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
        self.modules_loaded.set(figure(cache.loaded));
        self.code_bytes.set(figure(cache.loaded_bytes));
        for (state, now) in [("running", cache.compiling), ("waiting", cache.waiting)] {
            self.compilations.with_label_values(&[state]).set(figure(now));
        }
        let mut text = Vec::new();
        if let Err(error) = TextEncoder::new().encode(&self.registry.gather(), &mut text) {
            tracing::error!(%error, "the figures could not be written as text");
        }
        String::from_utf8_lossy(&text).into_owned()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use wasmyard_events::Figures;

    use super::*;
    use crate::answer::origin::OriginFigures;
    use crate::answer::script::in_flight;
    use crate::assets::AssetFigures;
    use crate::egress::EgressFigures;
    use crate::trace::Underway;

    #[test]
    fn all_figures_have_names_of_their_own_and_are_rendered() {
        let metrics = Metrics::new().unwrap();
        let shown = metrics.registry();
        let _figures = (Figures::new(shown).unwrap(), EgressFigures::new(shown).unwrap());
        let _more = (AssetFigures::new(shown).unwrap(), in_flight(shown).unwrap());
        let _origins = OriginFigures::new(shown).unwrap();
        let _underway: Arc<Underway> = Underway::new(shown).unwrap();
        let figures = CacheFigures { hits: 5, misses: 2, loaded: 1, ..CacheFigures::default() };
        metrics.render(figures);
        let text = metrics.render(figures);
        assert!(text.contains(r#"wasmyard_module_lookups_total{result="hit"} 5"#), "not counted twice");
        for name in [
            "wasmyard_requests_in_flight",
            "wasmyard_invocations_in_flight",
            "wasmyard_asset_requests_total",
            "wasmyard_egress_requests_total",
            "wasmyard_origin_requests_total",
            "wasmyard_requests_total",
        ] {
            assert!(text.contains(&format!("# TYPE {name} ")), "{name} is not in\n{text}");
        }
    }
}
