//! The figures of egress. Label sets are closed: neither hosts nor namespaces become labels.

use std::time::Duration;

use prometheus::{Histogram, IntCounter, IntCounterVec, IntGauge, Registry};
use wasmyard_events::metric::{self, counter, gauge, histogram};
use wasmyard_runtime::BodyError;

use super::policy::Denied;

/// Seconds: from a cached name to a name server that is given up.
const LOOK_UP_BUCKETS: [f64; 9] = [0.000_1, 0.000_5, 0.002, 0.01, 0.05, 0.2, 1.0, 5.0, 30.0];

/// What may be the end of a request. The first is the only good one.
const RESULTS: [&str; 10] =
    ["ok", "refused", "dns", "connect", "tls", "timeout", "limit", "protocol", "reset", "canceled"];

/// What egress counts. Clones count together.
#[derive(Clone)]
pub struct EgressFigures {
    requests: IntCounterVec,
    refused: IntCounterVec,
    opened: IntCounter,
    reused: IntCounter,
    open: IntGauge,
    look_ups: Histogram,
    sent: IntCounter,
    received: IntCounter,
}

impl EgressFigures {
    /// Makes the figures, at zero, and shows them in `registry`.
    ///
    /// # Errors
    ///
    /// When the registry has one of the names already.
    pub fn new(registry: &Registry) -> Result<Self, prometheus::Error> {
        let counters = |name: &str, help: &str, label: &str, values: &[&str]| {
            let counters = metric::counters(registry, name, help, &[label])?;
            for value in values {
                counters.with_label_values(&[*value]);
            }
            Ok::<_, prometheus::Error>(counters)
        };
        let open = gauge(registry, "wasmyard_egress_connections", "Connections to origins that are open.")?;
        let look_ups = histogram(
            registry,
            "wasmyard_egress_dns_seconds",
            "Look-ups of names, answered or not.",
            &LOOK_UP_BUCKETS,
        )?;
        let bytes = counters(
            "wasmyard_egress_bytes_total",
            "Bytes on connections to origins, inside of TLS.",
            "direction",
            &["sent", "received"],
        )?;
        Ok(Self {
            requests: counters(
                "wasmyard_egress_requests_total",
                "Scripts' requests to the outside by how they ended; the body of the answer counts as part of it.",
                "result",
                &RESULTS,
            )?,
            refused: counters(
                "wasmyard_egress_refused_total",
                "Requests that did not go out, by the rule that refused them.",
                "rule",
                &Denied::RULES,
            )?,
            opened: counter(
                registry,
                "wasmyard_egress_connections_opened_total",
                "Connections opened to origins.",
            )?,
            reused: counter(
                registry,
                "wasmyard_egress_connections_reused_total",
                "Requests that found a connection to their origin open.",
            )?,
            open,
            look_ups,
            sent: bytes.with_label_values(&["sent"]),
            received: bytes.with_label_values(&["received"]),
        })
    }

    pub(super) fn refused(&self, denied: &Denied) {
        self.refused.with_label_values(&[denied.rule()]).inc();
    }

    pub(super) fn looked_up(&self, time: Duration) {
        self.look_ups.observe(time.as_secs_f64());
    }

    pub(super) fn reused(&self) {
        self.reused.inc();
    }

    pub(super) fn sent(&self, bytes: usize) {
        self.sent.inc_by(bytes as u64);
    }

    pub(super) fn received(&self, bytes: usize) {
        self.received.inc_by(bytes as u64);
    }
}

/// Counts one connection as open for as long as it lives.
pub(super) struct Opened(EgressFigures);

impl Opened {
    pub(super) fn new(figures: &EgressFigures) -> Self {
        figures.opened.inc();
        figures.open.inc();
        Self(figures.clone())
    }

    pub(super) fn figures(&self) -> &EgressFigures {
        &self.0
    }
}

impl Drop for Opened {
    fn drop(&mut self) {
        self.0.open.dec();
    }
}

/// The account of one request. It is counted once, whatever becomes of it.
pub(super) struct Account {
    figures: EgressFigures,
    result: &'static str,
}

impl Account {
    pub(super) fn begin(figures: &EgressFigures) -> Self {
        Self { figures: figures.clone(), result: "canceled" }
    }

    pub(super) fn succeeded(&mut self) {
        self.result = "ok";
    }

    pub(super) fn failed(&mut self, error: &BodyError) {
        self.result = result_of(error);
    }
}

impl Drop for Account {
    fn drop(&mut self) {
        self.figures.requests.with_label_values(&[self.result]).inc();
    }
}

fn result_of(error: &BodyError) -> &'static str {
    match error {
        BodyError::HttpRequestDenied
        | BodyError::DestinationIpProhibited
        | BodyError::HttpRequestUriInvalid
        | BodyError::HttpRequestMethodInvalid => "refused",
        BodyError::DnsError { .. } | BodyError::DnsTimeout => "dns",
        BodyError::ConnectionRefused | BodyError::DestinationUnavailable => "connect",
        BodyError::TlsProtocolError | BodyError::TlsCertificateError => "tls",
        BodyError::ConnectionTimeout | BodyError::HttpResponseTimeout | BodyError::ConnectionReadTimeout => {
            "timeout"
        }
        BodyError::ConnectionLimitReached => "limit",
        BodyError::HttpResponseIncomplete | BodyError::ConnectionTerminated => "reset",
        _ => "protocol",
    }
}
