//! What is noted of one visit while it lasts, and its record when nothing runs for it any more: after the last byte of the
//! answer, or the visitor's leaving, or what a script still did after that.

use std::net::IpAddr;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime};

use http::{Method, Request, StatusCode};
use wasmyard_events::{Event, OriginRecord, VisitRecord};
use wasmyard_namespaces::script::ScriptKey;

use crate::trace::Trace;

/// The notes of one visit.
pub(crate) struct VisitLog {
    pub(crate) trace: Arc<Trace>,
    pub(crate) method: Method,
    client: IpAddr,
    path: String,
    host: OnceLock<Arc<str>>,
    /// The script that the route names.
    target: OnceLock<ScriptKey>,
    /// The first user script that was called: the tenant.
    user_script: OnceLock<ScriptKey>,
    /// What came of asking an origin.
    origin: OnceLock<OriginRecord>,
    upload: AtomicU8,
    answer: OnceLock<Answer>,
    /// Why an invocation failed after the answer's head was out: the first one is what the others came of.
    failed_since: OnceLock<&'static str>,
    /// Why the answer ended before its body did.
    cut: OnceLock<Cut>,
    bytes_out: AtomicU64,
    /// How long the visitor was served.
    served: OnceLock<Duration>,
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

impl VisitLog {
    pub(crate) fn open<B>(trace: Arc<Trace>, client: IpAddr, request: &Request<B>) -> Arc<Self> {
        Arc::new(Self {
            trace,
            method: request.method().clone(),
            client,
            path: request.uri().path().to_owned(),
            host: OnceLock::new(),
            target: OnceLock::new(),
            user_script: OnceLock::new(),
            origin: OnceLock::new(),
            upload: AtomicU8::new(0),
            answer: OnceLock::new(),
            failed_since: OnceLock::new(),
            cut: OnceLock::new(),
            bytes_out: AtomicU64::new(0),
            served: OnceLock::new(),
        })
    }

    /// Notes which host was asked for.
    pub(crate) fn asked_for(&self, host: &Arc<str>) {
        let _already = self.host.set(Arc::clone(host));
    }

    /// Notes the script that the route names.
    pub(crate) fn routed_to(&self, script: &ScriptKey) {
        let _already = self.target.set(script.clone());
    }

    /// Notes that a script runs; the first user script is the tenant that is served.
    pub(crate) fn called(&self, script: &ScriptKey) {
        if script.namespace().is_some() && self.user_script.get().is_none() {
            let _already = self.user_script.set(script.clone());
        }
    }

    /// Notes what came of asking an origin.
    pub(crate) fn asked(&self, origin: OriginRecord) {
        let _already = self.origin.set(origin);
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
        let _already = self.served.set(self.trace.started.elapsed());
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
            ray_id: Arc::clone(&self.trace.ray_id),
            client: self.client,
            host: self.host.take().unwrap_or_default(),
            method: std::mem::take(&mut self.method),
            path: std::mem::take(&mut self.path),
            script: self.target.take(),
            user_script: self.user_script.take(),
            origin: self.origin.take(),
            status: answer.map(|answer| answer.status.as_u16()),
            reason,
            cut: cut == Some(Cut::Here),
            bytes_out: *self.bytes_out.get_mut(),
            wall: self.served.take().unwrap_or_else(|| self.trace.started.elapsed()),
        }
    }
}

impl Drop for VisitLog {
    fn drop(&mut self) {
        let record = self.record();
        self.trace.sink.event(&Event::Visit(Arc::new(record)));
    }
}
