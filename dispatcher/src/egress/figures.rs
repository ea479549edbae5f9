//! The figures of egress. Label sets are closed: neither hosts nor namespaces become labels.

use prometheus::{IntCounterVec, Registry};
use wasmyard_events::metric;
use wasmyard_net::NetworkFigures;
use wasmyard_runtime::BodyError;

use super::policy::Denied;

/// What may be the end of a request. The first is the only good one.
const RESULTS: [&str; 10] =
    ["ok", "refused", "dns", "connect", "tls", "timeout", "limit", "protocol", "reset", "canceled"];

/// What egress counts. Clones count together.
#[derive(Clone)]
pub struct EgressFigures {
    requests: IntCounterVec,
    refused: IntCounterVec,
    /// Of its connections.
    pub(super) network: NetworkFigures,
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
            network: NetworkFigures::new(registry, "wasmyard_egress")?,
        })
    }

    pub(super) fn refused(&self, denied: &Denied) {
        self.refused.with_label_values(&[denied.rule()]).inc();
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
