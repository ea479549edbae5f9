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
}

impl Trace {
    pub(crate) fn begin(sink: &Arc<dyn Sink>, underway: &Arc<Underway>) -> Arc<Self> {
        underway.begin();
        Arc::new(Self {
            ray_id: ray_id(),
            started: Instant::now(),
            sink: Arc::clone(sink),
            invocations: AtomicU32::new(0),
            underway: Arc::clone(underway),
        })
    }

    /// The number of the next invocation of a script for it.
    pub(crate) fn next_invocation(&self) -> u32 {
        self.invocations.fetch_add(1, Ordering::Relaxed)
    }
}

impl Drop for Trace {
    fn drop(&mut self) {
        self.underway.end();
    }
}

/// How many events have something running for them.
#[derive(Debug)]
pub(crate) struct Underway {
    count: AtomicUsize,
    none: Notify,
    shown: IntGauge,
}

impl Underway {
    pub(crate) fn new(registry: &Registry) -> prometheus::Result<Arc<Self>> {
        let shown = metric::gauge(registry, "wasmyard_requests_in_flight", "Visitors' requests under way.")?;
        Ok(Arc::new(Self { count: AtomicUsize::new(0), none: Notify::new(), shown }))
    }

    fn begin(&self) {
        self.shown.inc();
        self.count.fetch_add(1, Ordering::AcqRel);
    }

    fn end(&self) {
        self.shown.dec();
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
