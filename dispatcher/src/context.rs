//! What is known about one visitor's request: made once, lent to every step, and recorded when nothing runs for it
//! any more: after the last byte of the answer, or the visitor's leaving, or what a script still did after that.

use std::net::IpAddr;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use http::{Method, StatusCode};
use tokio::sync::Notify;
use wasmyard_namespaces::hex;
use wasmyard_runtime::RequestInfo;

use crate::access::AccessLine;
use crate::observe::Metrics;

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
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) target: OnceLock<String>,
    pub(crate) hostname: OnceLock<Arc<str>>,
    upload: AtomicU8,
    answer: OnceLock<Answer>,
    /// How long the visitor was served.
    served: OnceLock<Duration>,
    underway: Arc<Underway>,
}

/// How many requests have something running for them.
#[derive(Debug, Default)]
pub(crate) struct Underway {
    count: AtomicUsize,
    none: Notify,
}

impl Underway {
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
        metrics: Arc<Metrics>,
        underway: &Arc<Underway>,
    ) -> Arc<Self> {
        metrics.requests_in_flight.inc();
        underway.count.fetch_add(1, Ordering::AcqRel);
        Arc::new(Self {
            ray_id: ray_id(),
            client,
            started: Instant::now(),
            secure,
            method,
            path: path.to_owned(),
            metrics,
            target: OnceLock::new(),
            hostname: OnceLock::new(),
            upload: AtomicU8::new(0),
            answer: OnceLock::new(),
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
}

impl Drop for RequestContext {
    fn drop(&mut self) {
        self.metrics.requests_in_flight.dec();
        let answer = self.answer.get().copied();
        let wall = self.served.get().copied().unwrap_or_else(|| self.started.elapsed());
        self.metrics.request_done(answer, wall);
        self.metrics.access_log.request(&AccessLine {
            ray_id: &self.ray_id,
            client: self.client,
            host: self.hostname.get().map_or("", |host| host.as_ref()),
            method: self.method.as_str(),
            path: &self.path,
            script: self.target.get().map_or("", String::as_str),
            status: answer.map_or(499, |answer| answer.status.as_u16()),
            reason: answer.map_or("canceled", |answer| answer.reason),
            wall_us: u64::try_from(wall.as_micros()).unwrap_or(u64::MAX),
        });
        if self.underway.count.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.underway.none.notify_waiters();
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
