//! What is counted of events. Label sets are closed: no name that a tenant chooses becomes a label.

use prometheus::{Histogram, IntCounter, IntCounterVec, Registry};
use wasmyard_model::script::ScriptKey;

use crate::event::{Event, InvocationRecord, VisitRecord};
use crate::metric::{SECONDS, counter, counters, histogram};
use crate::sink::Sink;

/// Bytes: from one page of WebAssembly to the highest ceiling.
const MEMORY: [f64; 8] = [
    65_536.0,
    1_048_576.0,
    2_097_152.0,
    8_388_608.0,
    33_554_432.0,
    67_108_864.0,
    134_217_728.0,
    536_870_912.0,
];

/// The figures of visits and invocations.
pub struct Figures {
    visits: Visits,
    invocations: Invocations,
}

impl Figures {
    /// Makes the figures, at zero, and shows them in `registry`.
    ///
    /// # Errors
    /// When the registry has one of the names already.
    pub fn new(registry: &Registry) -> prometheus::Result<Self> {
        Ok(Self { visits: Visits::new(registry)?, invocations: Invocations::new(registry)? })
    }
}

impl Sink for Figures {
    fn event(&self, event: &Event) {
        match event {
            Event::Visit(visit) => self.visits.count(visit),
            Event::Invocation(invocation) => self.invocations.count(invocation),
            Event::Log(_) | Event::Egress(_) | Event::Api(_) => {}
        }
    }
}

struct Visits {
    all: IntCounterVec,
    /// The one of `all` that most are: looked up once.
    served: IntCounter,
    seconds: Histogram,
    bytes_out: IntCounter,
}

impl Visits {
    fn new(registry: &Registry) -> prometheus::Result<Self> {
        let all = counters(
            registry,
            "wasmyard_requests_total",
            "Visitors' requests by class of status and reason of the answer. The status of an answer that was cut off before \
             its end is `cut`.",
            &["status", "reason"],
        )?;
        Ok(Self {
            served: all.with_label_values(&["2xx", "ok"]),
            all,
            seconds: histogram(
                registry,
                "wasmyard_request_duration_seconds",
                "From a request's head to the last byte of its answer.",
                &SECONDS,
            )?,
            bytes_out: counter(
                registry,
                "wasmyard_response_body_bytes_total",
                "Bytes of the bodies of answers that were handed to visitors' connections.",
            )?,
        })
    }

    fn count(&self, visit: &VisitRecord) {
        let status = match visit.status {
            _ if visit.cut => "cut",
            Some(status) => class(status),
            None => "none",
        };
        match (status, visit.reason) {
            ("2xx", "ok") => self.served.inc(),
            (status, reason) => self.all.with_label_values(&[status, reason]).inc(),
        }
        self.seconds.observe(visit.wall.as_secs_f64());
        self.bytes_out.inc_by(visit.bytes_out);
    }
}

struct Invocations {
    all: IntCounterVec,
    /// Those of `all` that most are, of platform and of user scripts.
    done: [IntCounter; 2],
    cpu_seconds: Histogram,
    memory_bytes: Histogram,
    fuel: IntCounter,
    subrequests: IntCounter,
    bytes_in: IntCounter,
    bytes_out: IntCounter,
    instantiation_seconds: Histogram,
}

/// The outcome that most invocations have.
const OK: &str = "ok";

impl Invocations {
    fn new(registry: &Registry) -> prometheus::Result<Self> {
        let all = counters(
            registry,
            "wasmyard_invocations_total",
            "Invocations of scripts by kind of script and outcome.",
            &["kind", "outcome"],
        )?;
        let bodies = counters(
            registry,
            "wasmyard_invocation_body_bytes_total",
            "Bytes of the bodies of requests to scripts (in) and of their responses (out).",
            &["direction"],
        )?;
        Ok(Self {
            done: ["platform", "user"].map(|kind| all.with_label_values(&[kind, OK])),
            all,
            cpu_seconds: histogram(
                registry,
                "wasmyard_invocation_cpu_seconds",
                "CPU time of an invocation.",
                &SECONDS,
            )?,
            memory_bytes: histogram(
                registry,
                "wasmyard_invocation_peak_memory_bytes",
                "Most memory that an invocation held, with what the host held for it.",
                &MEMORY,
            )?,
            fuel: counter(
                registry,
                "wasmyard_invocation_fuel_total",
                "Fuel used by invocations that count it.",
            )?,
            subrequests: counter(registry, "wasmyard_subrequests_total", "Subrequests that scripts made.")?,
            bytes_in: bodies.with_label_values(&["in"]),
            bytes_out: bodies.with_label_values(&["out"]),
            instantiation_seconds: histogram(
                registry,
                "wasmyard_instantiation_seconds",
                "Time to make an instance of a script.",
                &SECONDS,
            )?,
        })
    }

    fn count(&self, invocation: &InvocationRecord) {
        let usage = &invocation.usage;
        let [platform, user] = &self.done;
        let (kind, done) = match usage.script {
            ScriptKey::Platform(_) => ("platform", platform),
            ScriptKey::User { .. } => ("user", user),
        };
        match invocation.outcome {
            OK => done.inc(),
            outcome => self.all.with_label_values(&[kind, outcome]).inc(),
        }
        self.cpu_seconds.observe(usage.cpu.as_secs_f64());
        self.memory_bytes.observe(usage.peak_memory_bytes as f64);
        self.fuel.inc_by(usage.fuel.unwrap_or(0));
        self.subrequests.inc_by(usage.subrequests.into());
        self.bytes_in.inc_by(usage.bytes_in);
        self.bytes_out.inc_by(usage.bytes_out);
        if !usage.instantiation.is_zero() {
            self.instantiation_seconds.observe(usage.instantiation.as_secs_f64());
        }
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
    use std::sync::Arc;

    use prometheus::TextEncoder;

    use super::*;
    use crate::form::tests::{invocation, visit};

    #[test]
    fn an_answer_that_was_cut_is_not_counted_as_one_that_was_good() {
        let registry = Registry::new();
        let figures = Figures::new(&registry).unwrap();
        for visit in [
            visit(),
            VisitRecord { cut: true, reason: "exceeded_cpu", ..visit() },
            VisitRecord { status: None, reason: "canceled", ..visit() },
            VisitRecord { reason: "canceled", ..visit() },
            VisitRecord { status: Some(404), reason: "no_route", ..visit() },
        ] {
            figures.event(&Event::Visit(Arc::new(visit)));
        }
        figures.event(&Event::Invocation(Arc::new(invocation(None))));
        let text = TextEncoder::new().encode_to_string(&registry.gather()).unwrap();
        for line in [
            r#"wasmyard_requests_total{reason="ok",status="2xx"} 1"#,
            r#"wasmyard_requests_total{reason="exceeded_cpu",status="cut"} 1"#,
            r#"wasmyard_requests_total{reason="canceled",status="none"} 1"#,
            r#"wasmyard_requests_total{reason="canceled",status="2xx"} 1"#,
            r#"wasmyard_requests_total{reason="no_route",status="4xx"} 1"#,
            "wasmyard_request_duration_seconds_count 5",
            "wasmyard_response_body_bytes_total 210",
            r#"wasmyard_invocations_total{kind="platform",outcome="ok"} 1"#,
            "wasmyard_instantiation_seconds_count 1",
        ] {
            assert!(text.lines().any(|shown| shown == line), "{line} is not in\n{text}");
        }
    }
}
