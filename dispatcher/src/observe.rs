//! The figures of the data plane, and where its access log goes. Label sets are closed: no name that a tenant chooses becomes a label.

use std::time::Duration;

use prometheus::{
    Encoder as _, Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, Opts, Registry, TextEncoder,
};
use wasmyard_namespaces::script::ScriptKey;
use wasmyard_runtime::{CacheFigures, GuestMemoryFigures, Outcome};

use crate::access::{AccessLog, ThroughTracing};
use crate::context::Answer;
use crate::egress::EgressFigures;

/// Seconds: from a tenth of a millisecond to half a minute.
const BUCKETS: [f64; 14] =
    [0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1.0, 5.0, 30.0];

/// Every figure that `/metrics` shows, and the access log.
pub struct Metrics {
    registry: Registry,
    pub(crate) access_log: Box<dyn AccessLog>,
    requests: IntCounterVec,
    request_seconds: Histogram,
    pub(crate) requests_in_flight: IntGauge,
    pub(crate) connections: IntGauge,
    pub(crate) connections_total: IntCounter,
    pub(crate) invocations_in_flight: IntGauge,
    guest_memory_bytes: IntGauge,
    invocations: IntCounterVec,
    cpu_seconds: Histogram,
    instantiation_seconds: Histogram,
    module_lookups: IntCounterVec,
    modules_loaded: IntGauge,
    egress: EgressFigures,
}

impl Metrics {
    /// Makes all figures, at zero.
    ///
    /// # Errors
    ///
    /// When two figures were given the same name, which a test rules out.
    pub fn new() -> Result<Self, prometheus::Error> {
        let registry = Registry::new();
        let seconds = |name: &str, help: &str| {
            let histogram = Histogram::with_opts(HistogramOpts::new(name, help).buckets(BUCKETS.to_vec()))?;
            registry.register(Box::new(histogram.clone()))?;
            Ok::<_, prometheus::Error>(histogram)
        };
        let counters = |name: &str, help: &str, labels: &[&str]| {
            let counters = IntCounterVec::new(Opts::new(name, help), labels)?;
            registry.register(Box::new(counters.clone()))?;
            Ok::<_, prometheus::Error>(counters)
        };
        let gauge = |name: &str, help: &str| {
            let gauge = IntGauge::new(name, help)?;
            registry.register(Box::new(gauge.clone()))?;
            Ok::<_, prometheus::Error>(gauge)
        };
        let connections_total =
            IntCounter::new("wasmyard_connections_total", "Connections accepted on the visitors' listener.")?;
        registry.register(Box::new(connections_total.clone()))?;
        Ok(Self {
            requests: counters(
                "wasmyard_requests_total",
                "Visitors' requests by class of status and reason of the answer.",
                &["status", "reason"],
            )?,
            request_seconds: seconds(
                "wasmyard_request_duration_seconds",
                "From a request's head to the last byte of its answer.",
            )?,
            requests_in_flight: gauge("wasmyard_requests_in_flight", "Visitors' requests under way.")?,
            connections: gauge("wasmyard_connections", "Open connections of visitors.")?,
            connections_total,
            invocations_in_flight: gauge(
                "wasmyard_invocations_in_flight",
                "Invocations of scripts under way.",
            )?,
            guest_memory_bytes: gauge(
                "wasmyard_guest_memory_bytes",
                "Linear memory and tables that all guests hold together.",
            )?,
            invocations: counters(
                "wasmyard_invocations_total",
                "Invocations of scripts by kind of script and outcome.",
                &["kind", "outcome"],
            )?,
            cpu_seconds: seconds("wasmyard_invocation_cpu_seconds", "CPU time of an invocation.")?,
            instantiation_seconds: seconds(
                "wasmyard_instantiation_seconds",
                "Time to make an instance of a script.",
            )?,
            module_lookups: counters(
                "wasmyard_module_lookups_total",
                "Look-ups of compiled code when a version is made ready.",
                &["result"],
            )?,
            modules_loaded: gauge("wasmyard_modules_loaded", "Components loaded.")?,
            egress: EgressFigures::new(&registry)?,
            access_log: Box::new(ThroughTracing),
            registry,
        })
    }

    /// The figures of egress, which they share.
    pub fn egress(&self) -> EgressFigures {
        self.egress.clone()
    }

    /// Sends the access log somewhere else than through `tracing`.
    #[must_use]
    pub fn with_access_log(self, access_log: Box<dyn AccessLog>) -> Self {
        Self { access_log, ..self }
    }

    pub(crate) fn request_done(&self, answer: Option<Answer>, wall: Duration) {
        let (status, reason) = match answer {
            Some(answer) => (class(answer.status.as_u16()), answer.reason),
            None => ("none", "canceled"),
        };
        self.requests.with_label_values(&[status, reason]).inc();
        self.request_seconds.observe(wall.as_secs_f64());
    }

    pub(crate) fn invocation_done(&self, outcome: &Outcome) {
        let kind = match outcome.script {
            ScriptKey::Platform(_) => "platform",
            ScriptKey::User { .. } => "user",
        };
        self.invocations.with_label_values(&[kind, outcome.end.label()]).inc();
        self.cpu_seconds.observe(outcome.cpu.as_secs_f64());
        if !outcome.instantiation.is_zero() {
            self.instantiation_seconds.observe(outcome.instantiation.as_secs_f64());
        }
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
        self.modules_loaded.set(i64::try_from(cache.loaded).unwrap_or(i64::MAX));
        let mut text = Vec::new();
        if let Err(error) = TextEncoder::new().encode(&self.registry.gather(), &mut text) {
            tracing::error!(%error, "the figures could not be written as text");
        }
        String::from_utf8_lossy(&text).into_owned()
    }
}

fn class(status: u16) -> &'static str {
    match status {
        100..200 => "1xx",
        200..300 => "2xx",
        300..400 => "3xx",
        400..500 => "4xx",
        _ => "5xx",
    }
}

#[cfg(test)]
mod tests {
    use http::StatusCode;

    use super::*;

    #[test]
    fn all_figures_have_names_of_their_own_and_are_rendered() {
        let metrics = Metrics::new().unwrap();
        metrics.request_done(Some(Answer { status: StatusCode::OK, reason: "ok" }), Duration::from_millis(3));
        metrics.request_done(None, Duration::from_millis(3));
        let figures = CacheFigures { hits: 5, misses: 2, loaded: 1 };
        metrics.render(figures);
        let text = metrics.render(figures);
        assert!(text.contains(r#"wasmyard_requests_total{reason="ok",status="2xx"} 1"#), "{text}");
        assert!(text.contains(r#"wasmyard_requests_total{reason="canceled",status="none"} 1"#));
        assert!(text.contains(r#"wasmyard_module_lookups_total{result="hit"} 5"#), "not counted twice");
        assert!(text.contains("wasmyard_request_duration_seconds_count 2"));
    }
}
