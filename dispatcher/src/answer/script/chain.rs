//! Scripts that call scripts for one event: how deep they are, who called whom, and how each came to be called.

use std::net::Ipv6Addr;
use std::sync::Arc;

use wasmyard_namespaces::limits::LimitSpec;
use wasmyard_namespaces::name::NamespaceName;
use wasmyard_namespaces::script::{Script, ScriptKey};
use wasmyard_runtime::{Entry, Failure, RequestInfo};

use super::outbound::OutboundWorker;
use super::shown::Shown;
use crate::trace::Trace;
use crate::visit::VisitLog;

/// A place in a chain of scripts.
#[derive(Clone)]
pub(super) struct Chain {
    pub(super) trace: Arc<Trace>,
    /// Held as long as any script of the chain runs: what it records must be complete. None where no visitor asked.
    log: Option<Arc<VisitLog>>,
    pub(super) info: Arc<RequestInfo>,
    /// How many scripts have called one another before this one.
    pub(super) depth: u32,
    callers: Option<Arc<Callers>>,
}

/// Who is called.
pub(super) enum Callee {
    /// Whoever has this name.
    Named(ScriptKey),
    /// This one: whoever calls it has looked it up.
    Found(Arc<Script>),
}

/// How a script comes to run, beside the request.
#[derive(Default)]
pub(super) struct CallOptions {
    /// What the caller limits it to.
    pub(super) limits: LimitSpec,
    /// For a user script whose requests go through another outbound worker than its namespace's.
    pub(super) outbound: Option<Arc<OutboundWorker>>,
    /// For the outbound worker itself: the namespace whose requests it is given.
    pub(super) behalf: Option<NamespaceName>,
    /// And the certificate that the request shows which it is given, to be shown where that goes.
    pub(super) shows: Option<Arc<Shown>>,
    /// What the script may know of it.
    pub(super) entry: Entry,
}

/// A script that called, and who had called it: for the log of a loop.
struct Callers {
    script: ScriptKey,
    before: Option<Arc<Callers>>,
}

/// From the first script to the last, with arrows between.
impl std::fmt::Display for Callers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let Some(before) = &self.before {
            write!(f, "{before} -> ")?;
        }
        write!(f, "{}", self.script)
    }
}

impl Chain {
    /// Begins with the script that answers a visit.
    pub(super) fn of_visit(log: &Arc<VisitLog>, info: RequestInfo) -> Self {
        Self {
            trace: Arc::clone(&log.trace),
            log: Some(Arc::clone(log)),
            info: Arc::new(info),
            depth: 0,
            callers: None,
        }
    }

    /// Begins with a script that handles an event which no visitor caused. What it calls is told of no client.
    pub(super) fn of_event(trace: Arc<Trace>) -> Self {
        let info = RequestInfo {
            ray_id: Arc::clone(&trace.ray_id),
            client_address: Ipv6Addr::UNSPECIFIED.into(),
            hostname: Arc::from(""),
            hostname_metadata: None,
            tls: None,
        };
        Self { trace, log: None, info: Arc::new(info), depth: 0, callers: None }
    }

    /// The visit that all of it is for; none where no visitor asked.
    pub(super) fn visit(&self) -> Option<Arc<VisitLog>> {
        self.log.clone()
    }

    /// Notes that a script of the chain runs.
    pub(super) fn called(&self, script: &ScriptKey) {
        if let Some(log) = &self.log {
            log.called(script);
        }
    }

    /// Notes that an invocation of the chain failed.
    pub(super) fn invocation_failed(&self, reason: &'static str) {
        if let Some(log) = &self.log {
            log.invocation_failed(reason);
        }
    }

    /// One step further, where `caller` calls; an error where that is one too many.
    pub(super) fn next(&self, caller: &ScriptKey, max_depth: u32) -> Result<Self, Failure> {
        let depth = self.depth + 1;
        let callers = Callers { script: caller.clone(), before: self.callers.clone() };
        if depth >= max_depth {
            tracing::warn!(ray_id = %self.trace.ray_id, chain = %callers, depth, "chain of scripts cut");
            return Err(Failure::ExceededDepth { limit: max_depth });
        }
        Ok(Self { depth, callers: Some(Arc::new(callers)), ..self.clone() })
    }

    /// The same place, where a script's own request for another host is answered.
    pub(super) fn at_host(mut self, host: Arc<str>) -> Self {
        // Nor did the visitor show that host anything: it was asked by a script.
        let info = RequestInfo { hostname: host, hostname_metadata: None, tls: None, ..(*self.info).clone() };
        self.info = Arc::new(info);
        self
    }
}

impl Callee {
    pub(super) fn key(&self) -> &ScriptKey {
        match self {
            Self::Named(key) => key,
            Self::Found(script) => &script.key,
        }
    }
}
