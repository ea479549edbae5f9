//! What one invocation can reach: other scripts that it is bound to, and the outside, through the gate and egress.

use std::sync::Arc;
use std::time::SystemTime;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use http::request::Parts;
use http::uri::Scheme;
use http::{Method, Request, Response};
use wasmyard_events::{Event, Fault, InvocationRecord, LogRecord, Trigger};
use wasmyard_namespaces::limits::LimitSpec;
use wasmyard_namespaces::name::{NamespaceName, ScriptName};
use wasmyard_namespaces::script::{Script, ScriptKey};
use wasmyard_runtime::{
    Body, BodyError, Call, Door, End, Entry, Failure, Host, LogLine, LogStream, OutboundRequest, Outcome,
    RequestInfo, Service, Target,
};

use super::gate::{Gate, Passage, Values};
use super::{Callers, Chain, How, Invoker};
use crate::admission::Place;
use crate::egress::{Asker, Sender};
use crate::head;
use crate::respond::{self, Wanted};
use crate::route::{Destination, route_inside};

/// The surroundings of one invocation.
pub(super) struct Hop {
    pub(super) invoker: Arc<Invoker>,
    pub(super) chain: Chain,
    pub(super) script: ScriptKey,
    /// Which invocation of the visitor's request this is.
    pub(super) number: u32,
    /// What it runs for.
    pub(super) trigger: Trigger,
    /// The gate for this invocation alone; none where the namespace decides.
    pub(super) gate: Option<Arc<Gate>>,
    /// The namespace that a platform script sends for, as the gate of that namespace's scripts.
    pub(super) behalf: Option<NamespaceName>,
    pub(super) max_depth: u32,
    /// As it was when it was called: the files of this version are its own.
    pub(super) deployed: Arc<Script>,
    /// Held as long as the invocation lasts.
    #[expect(dead_code, reason = "held to be dropped")]
    pub(super) place: Place,
}

impl Hop {
    /// Counts the invocation as under way until this is dropped.
    pub(super) fn begin(self) -> Arc<Self> {
        self.invoker.in_flight.inc();
        Arc::new(self)
    }

    /// The chain one step further, or none where it ends.
    pub(super) fn next(&self) -> Result<Chain, Failure> {
        let depth = self.chain.depth + 1;
        let callers = Callers { script: self.script.clone(), before: self.chain.callers.clone() };
        if depth >= self.max_depth {
            tracing::warn!(
                ray_id = %self.chain.context.ray_id, chain = %callers, depth, "chain of scripts cut"
            );
            return Err(Failure::ExceededDepth { limit: self.max_depth });
        }
        Ok(Chain { depth, callers: Some(Arc::new(callers)), ..self.chain.clone() })
    }

    /// On whose behalf this script sends to the outside. None where its namespace is gone: nobody can say
    /// any more what it may reach.
    fn sender(&self) -> Option<Sender> {
        match self.script.namespace().or(self.behalf.as_ref()) {
            None => Some(Sender::Platform),
            Some(name) => self.invoker.registry.namespace_cached(name).map(Sender::Namespace),
        }
    }

    /// Who answers a request to a host and port that the platform itself serves, with that host: such a
    /// request needs no socket.
    fn inside(&self, request: &Request<Body>) -> Option<(Destination, Arc<str>)> {
        let scheme = request.uri().scheme()?;
        if *scheme != Scheme::HTTP && *scheme != Scheme::HTTPS {
            return None;
        }
        let served = |port| matches!(port, 80 | 443) || self.invoker.served_ports.contains(&port);
        if !request.uri().port_u16().is_none_or(served) {
            return None;
        }
        let host = head::hostname(request.uri().host()?).ok()?;
        let destination = route_inside(&self.invoker.registry, &host, request.uri().path())?;
        Some((destination, Arc::from(host)))
    }

    /// Answers such a request one step down the chain, so that a loop of scripts ends at the greatest depth.
    /// The callee sees what it would see of a visitor's request: the host that was asked for, and the
    /// visitor's address, not what the caller says about it.
    fn answer_inside(
        &self,
        destination: Destination,
        host: Arc<str>,
        request: Request<Body>,
    ) -> Result<BoxFuture<'static, Result<Response<Body>, Failure>>, BodyError> {
        let (mut head, body) = request.into_parts();
        if head.method == Method::CONNECT {
            return Err(BodyError::HttpRequestMethodInvalid);
        }
        if head.uri.authority().is_none_or(|authority| authority.as_str().contains('@')) {
            return Err(BodyError::HttpRequestUriInvalid);
        }
        let Destination::Script(key) = destination else {
            return Err(BodyError::DestinationNotFound);
        };
        let context = &self.chain.context;
        let mut chain = match self.next() {
            Ok(chain) => chain,
            // An answer and no error: scripts that pass answers on pass it on to the visitor.
            Err(failure) => {
                let looped = respond::page(&failure.into(), Wanted::of(&head.headers), context);
                return Ok(async { Ok(looped) }.boxed());
            }
        };
        let secure = head.uri.scheme() == Some(&Scheme::HTTPS);
        head::clean(&mut head.headers);
        head::introduce(&mut head.headers, secure, context.client, &context.ray_id);
        chain.info =
            Arc::new(RequestInfo { hostname: host, hostname_metadata: None, ..(*chain.info).clone() });
        let context = Arc::clone(context);
        let request = Request::from_parts(head, body);
        let answer = self.invoker.run(chain, key, &LimitSpec::default(), How::default(), request);
        Ok(async move { Ok(respond::passed_on(answer.await?, &context)) }.boxed())
    }
}

impl Drop for Hop {
    fn drop(&mut self) {
        self.invoker.in_flight.dec();
    }
}

impl Hop {
    /// How a script comes to run that this one calls.
    fn how_called(&self, gate: Option<Arc<Gate>>) -> How {
        let entry = Entry { caller: Some(self.script.clone()), config: Values::default() };
        How { gate, behalf: None, entry }
    }

    /// Calls the script that a service binding names, if this script may.
    fn call_service(
        &self,
        chain: Chain,
        service: Arc<Service>,
        limits: LimitSpec,
        request: Request<Body>,
    ) -> BoxFuture<'static, Result<Response<Body>, Failure>> {
        if let Err(why) = self.may_call(&service) {
            let failure = Failure::Unreachable(format!("service binding \"{}\": {why}", service.binding));
            return async { Err(failure) }.boxed();
        }
        let (invoker, how) = (Arc::clone(&self.invoker), self.how_called(self.gate_for_callee()));
        async move {
            if let Err(failure) = invoker.script(&service.script).await {
                return Err(match failure {
                    Failure::WorkerNotFound => Failure::Unreachable(format!(
                        "service binding \"{}\": the script \"{}\" is not deployed",
                        service.binding, service.script
                    )),
                    other => other,
                });
            }
            invoker.run(chain, service.script.clone(), &limits, how, request).await
        }
        .boxed()
    }

    /// Platform scripts call platform scripts; user scripts call those of their own namespace, if it allows that.
    fn may_call(&self, service: &Service) -> Result<(), String> {
        match (&self.script, &service.script) {
            (ScriptKey::Platform(_), ScriptKey::Platform(_)) => Ok(()),
            (ScriptKey::Platform(_), ScriptKey::User { .. }) => {
                Err("a platform script reaches user scripts by a dispatch_namespace binding only".to_owned())
            }
            (ScriptKey::User { namespace: own, .. }, ScriptKey::User { namespace, .. })
                if own == namespace =>
            {
                let known = self.invoker.registry.namespace_cached(own);
                if known.is_some_and(|namespace| namespace.service_bindings) {
                    return Ok(());
                }
                Err(format!("the namespace \"{own}\" does not let its scripts call each other"))
            }
            (ScriptKey::User { namespace: own, .. }, _) => {
                Err(format!("a user script reaches scripts of its own namespace \"{own}\" only"))
            }
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
    fn assets(&self, request: Parts) -> BoxFuture<'static, Result<Response<Body>, Failure>> {
        let (invoker, script) = (Arc::clone(&self.invoker), Arc::clone(&self.deployed));
        async move { invoker.assets.only(&script, &request).await }.boxed()
    }

    fn call(&self, call: Call) -> BoxFuture<'static, Result<Response<Body>, Failure>> {
        let chain = match self.next() {
            Ok(chain) => chain,
            Err(failure) => return async { Err(failure) }.boxed(),
        };
        match call.target {
            Target::Dispatch { door, script, outbound } => {
                // A name that breaks the grammar cannot be deployed, so it is simply not found.
                let Ok(script) = ScriptName::try_from(script.as_str()) else {
                    return async { Err(Failure::WorkerNotFound) }.boxed();
                };
                let key = ScriptKey::user(door.namespace.clone(), script);
                let how = self.how_called(self.gate_behind(&door, outbound));
                self.invoker.run(chain, key, &call.limits, how, call.request)
            }
            Target::Service(service) => self.call_service(chain, service, call.limits, call.request),
        }
    }

    fn check_outbound(&self, door: Arc<Door>, names: Vec<String>) -> BoxFuture<'static, Result<(), Failure>> {
        self.check_parameters(door, names)
    }

    fn outbound(&self, outbound: OutboundRequest) -> BoxFuture<'static, Result<Response<Body>, BodyError>> {
        match self.passage() {
            Passage::Through(gate) => return self.pass_through(gate, outbound),
            Passage::Shut => return async { Err(BodyError::HttpRequestDenied) }.boxed(),
            Passage::Free => {}
        }
        let Some((destination, host)) = self.inside(&outbound.request) else {
            return match self.sender() {
                Some(sender) => {
                    let mut outbound = outbound;
                    outbound.request.extensions_mut().insert(self.asker());
                    self.invoker.egress.send(sender, outbound)
                }
                None => async { Err(BodyError::HttpRequestDenied) }.boxed(),
            };
        };
        match self.answer_inside(destination, host, outbound.request) {
            Ok(answer) => answer.map(|answer| answer.map_err(|failure| code_of(&failure))).boxed(),
            Err(error) => async { Err(error) }.boxed(),
        }
    }

    fn log(&self, line: LogLine) {
        let stream = match line.stream {
            LogStream::Stdout => "stdout",
            LogStream::Stderr => "stderr",
        };
        let context = &self.chain.context;
        let record = LogRecord {
            time: line.time,
            ray_id: Arc::clone(&context.ray_id),
            number: self.number,
            script: self.script.clone(),
            level: line.level,
            stream,
            text: line.text,
        };
        context.events.event(&Event::Log(Arc::new(record)));
    }

    fn finished(&self, outcome: Outcome) {
        let context = &self.chain.context;
        if let End::Failed(failure) = &outcome.end {
            context.invocation_failed(respond::reason(failure));
        }
        context.events.event(&Event::Invocation(Arc::new(self.record(outcome))));
    }
}

impl Hop {
    /// Who asks for something that leaves the platform.
    fn asker(&self) -> Asker {
        let context = &self.chain.context;
        let ray_id = Arc::clone(&context.ray_id);
        Asker { script: self.script.clone(), ray_id, events: Arc::clone(&context.events) }
    }

    fn record(&self, outcome: Outcome) -> InvocationRecord {
        let fault = match &outcome.end {
            End::Failed(failure) => Some(Fault {
                message: failure.to_string(),
                limit: failure.limit(),
                detail: failure.detail().map(str::to_owned),
            }),
            End::Ok | End::Canceled => None,
        };
        InvocationRecord {
            time: SystemTime::now(),
            ray_id: Arc::clone(&self.chain.context.ray_id),
            number: self.number,
            trigger: self.trigger.clone(),
            outcome: outcome.end.label(),
            fault,
            script: outcome.script,
            version: outcome.version,
            depth: outcome.depth,
            status: outcome.status,
            cpu: outcome.cpu,
            fuel: outcome.fuel,
            wall: outcome.wall,
            instantiation: outcome.instantiation,
            peak_memory_bytes: outcome.peak_memory_bytes,
            subrequests: outcome.subrequests,
            bytes_in: outcome.bytes_in,
            bytes_out: outcome.bytes_out,
            log_lines: outcome.log_lines,
            log_dropped: outcome.log_dropped,
        }
    }
}
