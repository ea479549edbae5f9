//! What is known about one visitor's request: made once, lent to every step, and recorded when nothing runs for it
//! any more: after the last byte of the answer, or the visitor's leaving, or what a script still did after that.

use std::net::IpAddr;
use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant, SystemTime};

use http::{Method, StatusCode};
use prometheus::{IntGauge, Registry};
use tokio::sync::Notify;
use wasmyard_events::{Event, Sink, VisitRecord, metric};
use wasmyard_namespaces::hex;
use wasmyard_namespaces::script::ScriptKey;
use wasmyard_runtime::RequestInfo;

/// One visitor's request.
pub struct RequestContext {
    /// Identifies the request in every log line, header and error page.
    pub ray_id: Arc<str>,
    /// The visitor's address.
    pub client: IpAddr,
    /// When its head was complete.
    pub started: Instant,
    /// Whether it came over TLS.
    pub secure: bool,
    pub(crate) method: Method,
    pub(crate) path: String,
    /// Takes the record of the request, and of everything that happens for it.
    pub(crate) events: Arc<dyn Sink>,
    /// The script that the route names.
    pub(crate) target: OnceLock<ScriptKey>,
    /// The first user script that was called: the tenant.
    pub(crate) user_script: OnceLock<ScriptKey>,
    pub(crate) hostname: OnceLock<Arc<str>>,
    upload: AtomicU8,
    answer: OnceLock<Answer>,
    /// Why an invocation failed after the answer's head was out: the first one is what the others came of.
    failed_since: OnceLock<&'static str>,
    /// Why the answer ended before its body did.
    cut: OnceLock<Cut>,
    bytes_out: AtomicU64,
    invocations: AtomicU32,
    /// How long the visitor was served.
    served: OnceLock<Duration>,
    underway: Arc<Underway>,
}

/// How many requests have something running for them.
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

/// What the visitor was answered with.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    /// A stable word for logs and metrics: `ok`, or the reason of a platform answer.
    pub(crate) reason: &'static str,
}

/// Why an answer ended before its body was complete.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cut {
    /// By a fault on this side: a script was stopped, or what it passed on broke off.
    Here,
    /// The visitor left.
    Visitor,
}

/// How the visitor's request body went wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum UploadFault {
    /// Nothing came for too long.
    Stalled,
    /// The connection ended, or broke a rule of HTTP, before the body was complete.
    Broken,
}

impl RequestContext {
    pub(crate) fn new(
        client: IpAddr,
        secure: bool,
        method: Method,
        path: &str,
        events: Arc<dyn Sink>,
        underway: &Arc<Underway>,
    ) -> Arc<Self> {
        underway.begin();
        Arc::new(Self {
            ray_id: ray_id(),
            client,
            started: Instant::now(),
            secure,
            method,
            path: path.to_owned(),
            events,
            target: OnceLock::new(),
            user_script: OnceLock::new(),
            hostname: OnceLock::new(),
            upload: AtomicU8::new(0),
            answer: OnceLock::new(),
            failed_since: OnceLock::new(),
            cut: OnceLock::new(),
            bytes_out: AtomicU64::new(0),
            invocations: AtomicU32::new(0),
            served: OnceLock::new(),
            underway: Arc::clone(underway),
        })
    }

    /// What guests of this request may know of it.
    pub(crate) fn info(&self) -> Arc<RequestInfo> {
        Arc::new(RequestInfo {
            ray_id: Arc::clone(&self.ray_id),
            client_address: self.client,
            hostname: self.hostname.get().cloned().unwrap_or_else(|| Arc::from("")),
            hostname_metadata: None,
        })
    }

    pub(crate) fn upload_failed(&self, fault: UploadFault) {
        self.upload.store(fault as u8 + 1, Ordering::Relaxed);
    }

    pub(crate) fn upload_fault(&self) -> Option<UploadFault> {
        match self.upload.load(Ordering::Relaxed) {
            0 => None,
            1 => Some(UploadFault::Stalled),
            _ => Some(UploadFault::Broken),
        }
    }

    /// Notes that the visitor has all, or is gone.
    pub(crate) fn served(&self) {
        let _already = self.served.set(self.started.elapsed());
    }

    /// Notes the answer; the first one counts.
    pub(crate) fn answered(&self, answer: Answer) {
        let _already = self.answer.set(answer);
    }

    /// Notes that an invocation failed, which matters for the answer only once its head is out.
    pub(crate) fn invocation_failed(&self, reason: &'static str) {
        if self.answer.get().is_some() {
            let _already = self.failed_since.set(reason);
        }
    }

    /// Notes that the answer ended before its body did; the first reason counts.
    pub(crate) fn cut(&self, cut: Cut) {
        let _already = self.cut.set(cut);
    }

    /// Notes what was handed to the visitor's connection.
    pub(crate) fn sent(&self, bytes: u64) {
        self.bytes_out.fetch_add(bytes, Ordering::Relaxed);
    }

    /// The number of the next invocation for this request.
    pub(crate) fn next_invocation(&self) -> u32 {
        self.invocations.fetch_add(1, Ordering::Relaxed)
    }

    fn record(&mut self) -> VisitRecord {
        let answer = self.answer.take();
        let cut = self.cut.take();
        let reason = match (cut, &answer) {
            (Some(Cut::Here), _) => self.failed_since.take().unwrap_or("incomplete"),
            (Some(Cut::Visitor), _) | (None, None) => "canceled",
            (None, Some(answer)) => answer.reason,
        };
        VisitRecord {
            time: SystemTime::now(),
            ray_id: Arc::clone(&self.ray_id),
            client: self.client,
            host: self.hostname.take().unwrap_or_default(),
            method: std::mem::take(&mut self.method),
            path: std::mem::take(&mut self.path),
            script: self.target.take(),
            user_script: self.user_script.take(),
            status: answer.map(|answer| answer.status.as_u16()),
            reason,
            cut: cut == Some(Cut::Here),
            bytes_out: *self.bytes_out.get_mut(),
            wall: self.served.take().unwrap_or_else(|| self.started.elapsed()),
        }
    }
}

impl Drop for RequestContext {
    fn drop(&mut self) {
        let record = self.record();
        self.events.event(&Event::Visit(Arc::new(record)));
        self.underway.end();
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
