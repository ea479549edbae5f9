//! What one invocation can reach: other scripts of namespaces it is bound to, and the outside through egress.

use std::sync::Arc;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use http::{Request, Response};
use wasmyard_namespaces::limits::LimitSpec;
use wasmyard_namespaces::name::ScriptName;
use wasmyard_namespaces::script::ScriptKey;
use wasmyard_runtime::{Body, BodyError, Call, Failure, Host, LogLine, LogStream, OutboundRequest, Outcome};

use super::{Chain, Invoker};
use crate::route::{Destination, route_inside};

/// The surroundings of one invocation.
pub(super) struct Hop {
    invoker: Arc<Invoker>,
    chain: Chain,
    script: ScriptKey,
    max_depth: u32,
}

impl Hop {
    pub(super) fn new(invoker: &Arc<Invoker>, chain: &Chain, script: ScriptKey, max_depth: u32) -> Self {
        Self { invoker: Arc::clone(invoker), chain: chain.clone(), script, max_depth }
    }

    /// The chain one step further, or none where it ends.
    fn next(&self) -> Result<Chain, Failure> {
        let depth = self.chain.depth + 1;
        if depth >= self.max_depth {
            tracing::warn!(
                ray_id = %self.chain.context.ray_id, script = %self.script, depth, "chain of scripts cut"
            );
            return Err(Failure::ExceededDepth { limit: self.max_depth });
        }
        Ok(Chain { depth, ..self.chain.clone() })
    }
}

impl Hop {
    /// The script that answers a request to a host that the platform itself serves: such a request needs no
    /// socket, and goes one step down the chain, so that a loop of scripts ends at the greatest depth.
    fn inside(&self, request: &Request<Body>) -> Option<Result<(Chain, ScriptKey), BodyError>> {
        let host = request.uri().host()?.to_ascii_lowercase();
        let host = host.strip_suffix('.').unwrap_or(&host);
        match route_inside(&self.invoker.registry, host, request.uri().path())? {
            Destination::Script(key) => {
                let next = self.next().map_err(|failure| code_of(&failure));
                Some(next.map(|chain| (chain, key)))
            }
            Destination::Status(_) | Destination::NoSuchScript => Some(Err(BodyError::DestinationNotFound)),
        }
    }
}

/// What a script is told whose request to another one failed.
fn code_of(failure: &Failure) -> BodyError {
    match failure {
        Failure::WorkerNotFound => BodyError::DestinationNotFound,
        Failure::ExceededDepth { .. } => BodyError::LoopDetected,
        Failure::TimedOut { .. } => BodyError::HttpResponseTimeout,
        other => BodyError::InternalError(Some(other.to_string())),
    }
}

impl Host for Hop {
    fn call(&self, call: Call) -> BoxFuture<'static, Result<Response<Body>, Failure>> {
        let chain = match self.next() {
            Ok(chain) => chain,
            Err(failure) => return async { Err(failure) }.boxed(),
        };
        // A name that breaks the grammar cannot be deployed, so it is simply not found.
        let Ok(script) = ScriptName::try_from(call.script.as_str()) else {
            return async { Err(Failure::WorkerNotFound) }.boxed();
        };
        let key = ScriptKey::user(call.namespace, script);
        self.invoker.run(chain, key, &call.limits, call.request)
    }

    fn outbound(&self, outbound: OutboundRequest) -> BoxFuture<'static, Result<Response<Body>, BodyError>> {
        match self.inside(&outbound.request) {
            None => self.invoker.egress.send(outbound),
            Some(Ok((chain, key))) => {
                let answer = self.invoker.run(chain, key, &LimitSpec::default(), outbound.request);
                answer.map(|answer| answer.map_err(|failure| code_of(&failure))).boxed()
            }
            Some(Err(error)) => async { Err(error) }.boxed(),
        }
    }

    fn log(&self, line: LogLine) {
        let stream = match line.stream {
            LogStream::Stdout => "stdout",
            LogStream::Stderr => "stderr",
        };
        tracing::info!(
            target: "wasmyard::script",
            ray_id = %self.chain.context.ray_id,
            script = %self.script,
            stream,
            "{}", line.text
        );
    }

    fn finished(&self, outcome: Outcome) {
        self.invoker.metrics.invocation_done(&outcome);
        if let wasmyard_runtime::End::Failed(failure) = &outcome.end {
            tracing::warn!(
                target: "wasmyard::invocation",
                ray_id = %self.chain.context.ray_id,
                script = %outcome.script,
                version = %outcome.version,
                outcome = outcome.end.label(),
                cpu_us = micros(outcome.cpu),
                wall_us = micros(outcome.wall),
                peak_memory_bytes = outcome.peak_memory_bytes,
                subrequests = outcome.subrequests,
                detail = failure.detail().unwrap_or_default(),
                "{failure}"
            );
        } else {
            tracing::debug!(
                target: "wasmyard::invocation",
                ray_id = %self.chain.context.ray_id,
                script = %outcome.script,
                version = %outcome.version,
                outcome = outcome.end.label(),
                cpu_us = micros(outcome.cpu),
                wall_us = micros(outcome.wall),
                "invocation"
            );
        }
    }
}

fn micros(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
