//! What is counted and noted of requests to origins. Label sets are closed: neither origins nor zones become labels.

use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use prometheus::{Histogram, IntCounterVec, Registry};
use tokio::time::Instant;
use wasmyard_events::{OriginRecord, metric};
use wasmyard_namespaces::domain::Domain;
use wasmyard_net::NetworkFigures;

use super::fault::Fault;
use crate::respond::OriginFault;
use crate::visit::VisitLog;

/// Seconds: from an origin on the same machine to one that is given up.
const SECONDS: [f64; 10] = [0.001, 0.005, 0.02, 0.05, 0.1, 0.5, 2.0, 10.0, 30.0, 100.0];

const OK: &str = "ok";
const CUT: &str = "cut";
const CANCELED: &str = "canceled";

/// What is counted of requests to origins. Clones count together.
#[derive(Clone)]
pub(crate) struct OriginFigures {
    requests: IntCounterVec,
    seconds: Histogram,
    /// Of their connections.
    pub(super) network: NetworkFigures,
}

impl OriginFigures {
    pub(crate) fn new(registry: &Registry) -> prometheus::Result<Self> {
        let requests = metric::counters(
            registry,
            "wasmyard_origin_requests_total",
            "Visitors' requests that went to origins by how they ended; the body of the answer counts as part of it.",
            &["result"],
        )?;
        for result in [OK, CUT, CANCELED].into_iter().chain(OriginFault::ALL.map(OriginFault::reason)) {
            requests.with_label_values(&[result]);
        }
        let help = "From the moment in which an origin was to be asked to the head of its answer.";
        Ok(Self {
            requests,
            seconds: metric::histogram(registry, "wasmyard_origin_response_seconds", help, &SECONDS)?,
            network: NetworkFigures::new(registry, "wasmyard_origin")?,
        })
    }
}

/// The account of one request. It is counted once, and noted once in the record of its visit, whatever becomes of it.
pub(super) struct Account {
    figures: OriginFigures,
    log: Option<Arc<VisitLog>>,
    name: Arc<str>,
    began: Instant,
    result: &'static str,
}

impl Account {
    pub(super) fn begin(figures: &OriginFigures, log: Option<Arc<VisitLog>>, name: &Domain) -> Self {
        let figures = figures.clone();
        Self { figures, log, name: Arc::from(name.as_str()), began: Instant::now(), result: CANCELED }
    }

    /// Notes the head of the answer.
    pub(super) fn answered(&self, status: StatusCode) {
        let wall = self.began.elapsed();
        self.figures.seconds.observe(wall.as_secs_f64());
        self.note(Some(status), None, wall);
    }

    /// Notes that there is none.
    pub(super) fn failed(&mut self, fault: &Fault) {
        self.result = fault.told.reason();
        self.note(None, Some(fault.cause.clone()), self.began.elapsed());
    }

    /// Notes that the answer came to its end.
    pub(super) fn succeeded(&mut self) {
        self.result = OK;
    }

    /// Notes that the answer broke off.
    pub(super) fn cut(&mut self) {
        self.result = CUT;
    }

    fn note(&self, status: Option<StatusCode>, fault: Option<String>, wall: Duration) {
        let status = status.map(|status| status.as_u16());
        if let Some(log) = &self.log {
            log.asked(OriginRecord { name: Arc::clone(&self.name), status, fault, wall });
        }
    }
}

impl Drop for Account {
    fn drop(&mut self) {
        // The visitor left before anything came; what was noted before counts.
        self.note(None, None, self.began.elapsed());
        self.figures.requests.with_label_values(&[self.result]).inc();
    }
}
