//! What all work for one event shares, whatever the event is: the name that logs know it by, when it began, and who is
//! told what happens. A visitor's request is such an event; every script of its chain has its trace.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};

use prometheus::{IntGauge, Registry};
use tokio::sync::Notify;
use tokio::time::Instant;
use wasmyard_events::{Sink, metric};
use wasmyard_namespaces::hex;

/// One event and the work for it, until nothing runs for it any more.
pub(crate) struct Trace {
    /// Identifies it in every log line, header and error page.
    pub(crate) ray_id: Arc<str>,
    /// When it began: a visit does when its head is complete.
    pub(crate) started: Instant,
    /// Takes the record of everything that happens for it.
    pub(crate) sink: Arc<dyn Sink>,
    invocations: AtomicU32,
    underway: Arc<Underway>,
    /// What counts events of its kind.
    shown: IntGauge,
}

impl Trace {
    /// Of a visitor's request.
    pub(crate) fn of_visit(sink: &Arc<dyn Sink>, underway: &Arc<Underway>) -> Arc<Self> {
        Self::begin(sink, underway, underway.visits.clone())
    }

    /// Of an event that no visitor caused.
    pub(crate) fn of_event(sink: &Arc<dyn Sink>, underway: &Arc<Underway>) -> Arc<Self> {
        Self::begin(sink, underway, underway.others.clone())
    }

    fn begin(sink: &Arc<dyn Sink>, underway: &Arc<Underway>, shown: IntGauge) -> Arc<Self> {
        underway.begin();
        shown.inc();
        Arc::new(Self {
            ray_id: ray_id(),
            started: Instant::now(),
            sink: Arc::clone(sink),
            invocations: AtomicU32::new(0),
            underway: Arc::clone(underway),
            shown,
        })
    }

    /// The number of the next invocation of a script for it.
    pub(crate) fn next_invocation(&self) -> u32 {
        self.invocations.fetch_add(1, Ordering::Relaxed)
    }
}

impl Drop for Trace {
    fn drop(&mut self) {
        self.shown.dec();
        self.underway.end();
    }
}

/// How many events have something running for them.
#[derive(Debug)]
pub(crate) struct Underway {
    count: AtomicUsize,
    none: Notify,
    visits: IntGauge,
    others: IntGauge,
}

impl Underway {
    pub(crate) fn new(registry: &Registry) -> prometheus::Result<Arc<Self>> {
        let visits = metric::gauge(registry, "wasmyard_requests_in_flight", "Visitors' requests under way.")?;
        let others = metric::gauge(
            registry,
            "wasmyard_events_in_flight",
            "Events under way that no visitor caused, such as cron triggers.",
        )?;
        Ok(Arc::new(Self { count: AtomicUsize::new(0), none: Notify::new(), visits, others }))
    }

    fn begin(&self) {
        self.count.fetch_add(1, Ordering::AcqRel);
    }

    fn end(&self) {
        if self.count.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.none.notify_waiters();
        }
    }

    /// Resolves when nothing runs any more.
    pub(crate) async fn ended(&self) {
        loop {
            let none = self.none.notified();
            if self.count.load(Ordering::Acquire) == 0 {
                return;
            }
            none.await;
        }
    }
}

/// 16 hex digits. Not a secret: it only has to differ from others in the same logs.
fn ray_id() -> Arc<str> {
    Arc::from(hex::encode(&fastrand::u64(..).to_be_bytes(), &mut [0; 16]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ray_ids_are_sixteen_hex_digits_and_differ() {
        let (one, two) = (ray_id(), ray_id());
        assert_eq!(one.len(), 16);
        assert!(one.chars().all(|c| c.is_ascii_hexdigit()));
        assert_ne!(one, two);
    }
}
