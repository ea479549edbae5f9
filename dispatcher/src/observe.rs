//! The figures of the data plane, and where its access log goes. Label sets are closed: no name that a tenant chooses becomes a label.

use std::time::Duration;

use prometheus::{
    Encoder as _, Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, Opts, Registry, TextEncoder,
};
use wasmyard_namespaces::script::ScriptKey;
use wasmyard_runtime::{CacheFigures, End, GuestMemoryFigures, Outcome};

use crate::access::{AccessLog, ThroughTracing};
use crate::assets::AssetFigures;
use crate::context::Answer;
use crate::egress::EgressFigures;

/// Seconds: from a tenth of a millisecond to half a minute.
const BUCKETS: [f64; 14] =
    [0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1.0, 5.0, 30.0];

/// Bytes: from one page of WebAssembly to the highest ceiling.
const MEMORY_BUCKETS: [f64; 8] = [
    65_536.0,
    1_048_576.0,
    2_097_152.0,
    8_388_608.0,
    33_554_432.0,
    67_108_864.0,
    134_217_728.0,
    536_870_912.0,
];

/// Every figure that `/metrics` shows, and the access log.
pub struct Metrics {
    registry: Registry,
    pub(crate) access_log: Box<dyn AccessLog>,
    requests: IntCounterVec,
    /// The one of `requests` that most are: looked up once.
    served: IntCounter,
    request_seconds: Histogram,
    pub(crate) requests_in_flight: IntGauge,
    pub(crate) connections: IntGauge,
    pub(crate) connections_total: IntCounter,
    pub(crate) invocations_in_flight: IntGauge,
    guest_memory_bytes: IntGauge,
    invocations: IntCounterVec,
    /// Those of `invocations` that most are, of platform and of user scripts.
    done: [IntCounter; 2],
    cpu_seconds: Histogram,
    memory_bytes: Histogram,
    fuel: IntCounter,
    subrequests: IntCounter,
    bytes_in: IntCounter,
    bytes_out: IntCounter,
    instantiation_seconds: Histogram,
    module_lookups: IntCounterVec,
    modules_loaded: IntGauge,
    egress: EgressFigures,
    assets: AssetFigures,
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
        let counter = |name: &str, help: &str| {
            let counter = IntCounter::new(name, help)?;
            registry.register(Box::new(counter.clone()))?;
            Ok::<_, prometheus::Error>(counter)
        };
        let memory_bytes = Histogram::with_opts(
            HistogramOpts::new(
                "wasmyard_invocation_peak_memory_bytes",
                "Most memory that an invocation held, with what the host held for it.",
            )
            .buckets(MEMORY_BUCKETS.to_vec()),
        )?;
        registry.register(Box::new(memory_bytes.clone()))?;
        let gauge = |name: &str, help: &str| {
            let gauge = IntGauge::new(name, help)?;
            registry.register(Box::new(gauge.clone()))?;
            Ok::<_, prometheus::Error>(gauge)
        };
        let requests = counters(
            "wasmyard_requests_total",
            "Visitors' requests by class of status and reason of the answer.",
            &["status", "reason"],
        )?;
        let invocations = counters(
            "wasmyard_invocations_total",
            "Invocations of scripts by kind of script and outcome.",
            &["kind", "outcome"],
        )?;
        let body_bytes = counters(
            "wasmyard_invocation_body_bytes_total",
            "Bytes of the bodies of requests to scripts (in) and of their responses (out).",
            &["direction"],
        )?;
        Ok(Self {
            served: requests.with_label_values(&["2xx", "ok"]),
            requests,
            request_seconds: seconds(
                "wasmyard_request_duration_seconds",
                "From a request's head to the last byte of its answer.",
            )?,
            requests_in_flight: gauge("wasmyard_requests_in_flight", "Visitors' requests under way.")?,
            connections: gauge("wasmyard_connections", "Open connections of visitors.")?,
            connections_total: counter(
                "wasmyard_connections_total",
                "Connections accepted on the visitors' listener.",
            )?,
            invocations_in_flight: gauge(
                "wasmyard_invocations_in_flight",
                "Invocations of scripts under way.",
            )?,
            guest_memory_bytes: gauge(
                "wasmyard_guest_memory_bytes",
                "Linear memory and tables that all guests hold together.",
            )?,
            done: ["platform", "user"].map(|kind| invocations.with_label_values(&[kind, End::Ok.label()])),
            invocations,
            cpu_seconds: seconds("wasmyard_invocation_cpu_seconds", "CPU time of an invocation.")?,
            memory_bytes,
            fuel: counter("wasmyard_invocation_fuel_total", "Fuel used by invocations that count it.")?,
            subrequests: counter("wasmyard_subrequests_total", "Subrequests that scripts made.")?,
            bytes_in: body_bytes.with_label_values(&["in"]),
            bytes_out: body_bytes.with_label_values(&["out"]),
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
            assets: AssetFigures::new(&registry)?,
            access_log: Box::new(ThroughTracing),
            registry,
        })
    }

    /// The figures of static files, which all who serve them share.
    pub(crate) fn assets(&self) -> AssetFigures {
        self.assets.clone()
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
        match (status, reason) {
            ("2xx", "ok") => self.served.inc(),
            labels => self.requests.with_label_values(&[labels.0, labels.1]).inc(),
        }
        self.request_seconds.observe(wall.as_secs_f64());
    }

    pub(crate) fn invocation_done(&self, outcome: &Outcome) {
        let [platform, user] = &self.done;
        let (kind, done) = match outcome.script {
            ScriptKey::Platform(_) => ("platform", platform),
            ScriptKey::User { .. } => ("user", user),
        };
        match &outcome.end {
            End::Ok => done.inc(),
            end => self.invocations.with_label_values(&[kind, end.label()]).inc(),
        }
        self.cpu_seconds.observe(outcome.cpu.as_secs_f64());
        self.memory_bytes.observe(outcome.peak_memory_bytes as f64);
        self.fuel.inc_by(outcome.fuel.unwrap_or(0));
        self.subrequests.inc_by(outcome.subrequests.into());
        self.bytes_in.inc_by(outcome.bytes_in);
        self.bytes_out.inc_by(outcome.bytes_out);
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

/// The line of one invocation: one for each script of a chain. Failures are warnings; the others are logged at
/// the level `debug`, because each visitor's request has a line of its own.
pub(crate) fn log_invocation(ray_id: &str, outcome: &Outcome) {
    macro_rules! line {
        ($level:ident, $($last:tt)+) => {
            tracing::$level!(
                target: "wasmyard::invocation",
                ray_id,
                script = %outcome.script,
                version = %outcome.version,
                depth = outcome.depth,
                outcome = outcome.end.label(),
                status = outcome.status,
                cpu_us = micros(outcome.cpu),
                fuel = outcome.fuel,
                wall_us = micros(outcome.wall),
                instantiation_us = micros(outcome.instantiation),
                peak_memory_bytes = outcome.peak_memory_bytes,
                subrequests = outcome.subrequests,
                bytes_in = outcome.bytes_in,
                bytes_out = outcome.bytes_out,
                $($last)+
            )
        };
    }
    match &outcome.end {
        End::Failed(failure) => {
            let limit = failure.limit();
            line!(warn, limit, detail = failure.detail().unwrap_or_default(), "{failure}");
        }
        End::Ok | End::Canceled => line!(debug, "invocation"),
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
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
