//! What one invocation can reach: other scripts that it is bound to, and the outside, through its outbound worker and
//! egress. It is made anew for each, so that it knows who is calling.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures::FutureExt as _;
use futures::future::BoxFuture;
use http::{Request, Response};
use wasmyard_events::{Event, LogRecord, Trigger};
use wasmyard_namespaces::limits::LimitSpec;
use wasmyard_namespaces::name::{NamespaceName, ScriptName};
use wasmyard_namespaces::script::{Script, ScriptKey};
use wasmyard_runtime::{
    Body, BodyError, Call, Door, End, Entrance, Entry, Failure, Host, LogLine, LogStream, OutboundRequest,
    Outcome, Service, Target,
};

use super::Scripts;
use super::chain::{CallOptions, Callee, Chain};
use super::inside::Caller;
use super::outbound::{self, OutboundWorker, Passage};
use super::shown::Shown;
use super::traces;
use crate::admission::Permit;
use crate::remote;
use crate::respond::{self, Wanted};

/// What comes of a call.
type Answered = BoxFuture<'static, Result<Response<Body>, Failure>>;

/// The surroundings of one invocation.
pub(super) struct ScriptHost {
    pub(super) scripts: Arc<Scripts>,
    pub(super) chain: Chain,
    /// As it was when it was called: the files of this version are its own.
    pub(super) script: Arc<Script>,
    /// Which invocation of the trace this is.
    pub(super) number: u32,
    /// What it runs for.
    pub(super) trigger: Trigger,
    /// The outbound worker for this invocation alone; none where the namespace decides.
    pub(super) outbound: Option<Arc<OutboundWorker>>,
    /// The namespace that a platform script sends for, as the outbound worker of that namespace's scripts.
    pub(super) behalf: Option<NamespaceName>,
    /// The certificate of the request that it handles as an outbound worker.
    pub(super) shows: Option<Arc<Shown>>,
    /// Whether a stack trace waits to be told: what follows is told behind it.
    pub(super) told_later: AtomicBool,
    pub(super) max_depth: u32,
    /// Held as long as the invocation lasts.
    #[expect(dead_code, reason = "held to be dropped")]
    pub(super) permit: Permit,
}

impl ScriptHost {
    /// Counts the invocation as under way until this is dropped.
    pub(super) fn begin(self) -> Arc<Self> {
        self.scripts.in_flight.inc();
        Arc::new(self)
    }

    fn key(&self) -> &ScriptKey {
        &self.script.key
    }

    /// The chain one step further, or none where it ends.
    fn next(&self) -> Result<Chain, Failure> {
        self.chain.next(self.key(), self.max_depth)
    }

    /// Tells of something; in its turn, where stack traces of this invocation are to be told before.
    fn tell(&self, event: Event) {
        let traces = &self.scripts.traces;
        let code = &self.script.version.code;
        let told = match code.loads().filter(|_| code.is_javascript()) {
            Some(code)
                if self.told_later.load(Ordering::Relaxed)
                    || (traces::is_trace(&event) && !traces.has_none(&code)) =>
            {
                self.told_later.store(true, Ordering::Relaxed);
                traces.tell(event, code, &self.chain)
            }
            _ => Some(event),
        };
        if let Some(event) = told {
            self.chain.trace.sink.event(&event);
        }
    }

    /// Where this script's requests go.
    fn passage(&self) -> Passage {
        outbound::passage(&self.scripts.registry, self.key(), self.outbound.as_ref())
    }

    /// The page of a chain that was cut. It is an answer and no error: scripts that pass answers on pass it on to the
    /// visitor.
    fn page(&self, failure: Failure, wanted: Wanted) -> Response<Body> {
        respond::page(&failure.into(), wanted, &self.chain.trace.ray_id)
    }

    /// Gives a request to the outbound worker, and its answer back.
    fn pass_through(
        &self,
        worker: Arc<OutboundWorker>,
        sent: OutboundRequest,
    ) -> BoxFuture<'static, Result<Response<Body>, BodyError>> {
        let patience = sent.first_byte_timeout.map(|wait| wait + sent.connect_timeout.unwrap_or_default());
        let request = match outbound::prepared(sent.request) {
            Ok(request) => request,
            Err(error) => return async { Err(error) }.boxed(),
        };
        let chain = match self.next() {
            Ok(chain) => chain,
            Err(failure) => {
                let looped = self.page(failure, Wanted::of(request.headers()));
                return async { Ok(looped) }.boxed();
            }
        };
        let options = CallOptions {
            // What leaves is the namespace's, whoever sends it.
            behalf: self.key().namespace().cloned(),
            shows: Shown::of(sent.shows, request.uri()),
            entry: Entry {
                caller: Some(self.key().clone()),
                config: Arc::clone(&worker.values),
                entrance: None,
            },
            ..CallOptions::default()
        };
        let scripts = Arc::clone(&self.scripts);
        async move {
            let callee = match scripts.find(&worker.key()).await {
                Ok(script) => Callee::Found(script),
                Err(Failure::WorkerNotFound) => return Err(worker.not_deployed(&chain.trace.ray_id)),
                Err(failure) => return Err(worker.error(failure)),
            };
            let answer = scripts.run(chain, callee, options, request);
            outbound::within(patience, answer).await?.map_err(|failure| worker.error(failure))
        }
        .boxed()
    }

    /// How a script comes to run that this one calls.
    fn how_called(
        &self,
        limits: LimitSpec,
        outbound: Option<Arc<OutboundWorker>>,
        entrance: Entrance,
    ) -> CallOptions {
        let entrance = (entrance != Entrance::default()).then(|| Arc::new(entrance));
        let entry = Entry { caller: Some(self.key().clone()), config: Arc::default(), entrance };
        CallOptions { limits, outbound, entry, ..CallOptions::default() }
    }

    /// Calls the script that a service binding names, if this script may.
    fn call_service(
        &self,
        chain: Chain,
        service: Arc<Service>,
        limits: LimitSpec,
        by_call: bool,
        request: Request<Body>,
    ) -> Answered {
        if let Err(why) = self.may_call(&service) {
            let failure = Failure::Unreachable(format!("service binding \"{}\": {why}", service.binding));
            return async { Err(failure) }.boxed();
        }
        let (entrypoint, props) = (service.entrypoint.clone(), service.props.clone());
        let entrance = Entrance { entrypoint, props, by_call };
        let options = self.how_called(limits, self.passage_of_callee(&service), entrance);
        let scripts = Arc::clone(&self.scripts);
        async move {
            let callee = match scripts.find(&service.script).await {
                Ok(script) => Callee::Found(script),
                Err(Failure::WorkerNotFound) => {
                    return Err(Failure::Unreachable(format!(
                        "service binding \"{}\": the script \"{}\" is not deployed",
                        service.binding, service.script
                    )));
                }
                Err(other) => return Err(other),
            };
            scripts.run(chain, callee, options, request).await
        }
        .boxed()
    }

    /// The outbound worker of a script that is called by a service binding: that of the caller; but for one of another
    /// namespace, which has its own where it has one.
    fn passage_of_callee(&self, service: &Service) -> Option<Arc<OutboundWorker>> {
        let other = service.script.namespace().filter(|other| self.key().namespace() != Some(other));
        let known = other.and_then(|other| self.scripts.registry.namespace_cached(other));
        if known.is_some_and(|namespace| namespace.outbound.is_some()) {
            return None;
        }
        self.passage().for_callee()
    }

    /// Platform scripts call platform scripts; user scripts call those of their own namespace, if it allows that, and those of
    /// others that name theirs.
    fn may_call(&self, service: &Service) -> Result<(), String> {
        match (self.key(), &service.script) {
            (ScriptKey::Platform(_), ScriptKey::Platform(_)) => Ok(()),
            (ScriptKey::Platform(_), ScriptKey::User { .. }) => {
                Err("a platform script reaches user scripts by a dispatch_namespace binding only".to_owned())
            }
            (ScriptKey::User { namespace: own, .. }, ScriptKey::User { namespace, .. })
                if own == namespace =>
            {
                let known = self.scripts.registry.namespace_cached(own);
                if known.is_some_and(|namespace| namespace.service_bindings) {
                    return Ok(());
                }
                Err(format!("the namespace \"{own}\" does not let its scripts call each other"))
            }
            (ScriptKey::User { namespace: own, .. }, ScriptKey::User { namespace, .. }) => {
                let known = self.scripts.registry.namespace_cached(namespace);
                if known.is_some_and(|namespace| namespace.callable_by.contains(own)) {
                    return Ok(());
                }
                Err(format!(
                    "the namespace \"{namespace}\" does not let scripts of \"{own}\" call its scripts"
                ))
            }
            (ScriptKey::User { namespace: own, .. }, ScriptKey::Platform(_)) => {
                Err(format!("a user script of \"{own}\" reaches no platform scripts"))
            }
        }
    }
}

impl Host for ScriptHost {
    fn call(&self, call: Call) -> Answered {
        let chain = match self.next() {
            Ok(chain) => chain,
            Err(failure) => return async { Err(failure) }.boxed(),
        };
        match call.target {
            Target::Dispatch { door, script, outbound: values } => {
                // A name that breaks the grammar cannot be deployed, so it is simply not found.
                let Ok(script) = ScriptName::try_from(script.as_str()) else {
                    return async { Err(Failure::WorkerNotFound) }.boxed();
                };
                let remote = self.scripts.remote.as_ref();
                if let Some(remote) = remote.filter(|remote| remote.reaches(self.key(), &door.binding)) {
                    let (limits, request) = (call.limits, call.request);
                    let lacks = remote::lacks(call.by_call, &values);
                    return remote::call(remote, &door, script, limits, request, lacks);
                }
                let key = ScriptKey::user(door.namespace.clone(), script);
                let registry = &self.scripts.registry;
                let behind = outbound::behind(registry, self.key(), || self.passage(), &door, values);
                let entrance = Entrance { by_call: call.by_call, ..Entrance::default() };
                let options = self.how_called(call.limits, behind, entrance);
                self.scripts.run(chain, Callee::Named(key), options, call.request)
            }
            Target::Service(service) => {
                self.call_service(chain, service, call.limits, call.by_call, call.request)
            }
        }
    }

    fn check_outbound(&self, door: Arc<Door>, names: Vec<String>) -> BoxFuture<'static, Result<(), Failure>> {
        let by_tenant = self.key().namespace().is_some();
        outbound::check_parameters(self.scripts.registry.clone(), by_tenant, door, names).boxed()
    }

    fn outbound(
        &self,
        mut outbound: OutboundRequest,
    ) -> BoxFuture<'static, Result<Response<Body>, BodyError>> {
        match self.passage() {
            Passage::Through(worker) => return self.pass_through(worker, outbound),
            Passage::Shut => return async { Err(BodyError::HttpRequestDenied) }.boxed(),
            Passage::Free => {}
        }
        if outbound.shows.is_none() {
            outbound.shows = self.shows.as_ref().and_then(|shown| shown.at(outbound.request.uri()));
        }
        let caller = Caller {
            scripts: Arc::clone(&self.scripts),
            chain: self.chain.clone(),
            script: self.key().clone(),
            behalf: self.behalf.clone(),
            max_depth: self.max_depth,
        };
        caller.send(outbound).boxed()
    }

    fn log(&self, line: LogLine) {
        let stream = match line.stream {
            LogStream::Stdout => "stdout",
            LogStream::Stderr => "stderr",
        };
        let trace = &self.chain.trace;
        let record = LogRecord {
            time: line.time,
            ray_id: Arc::clone(&trace.ray_id),
            number: self.number,
            script: self.key().clone(),
            level: line.level,
            stream,
            text: line.text,
        };
        self.tell(Event::Log(Arc::new(record)));
    }

    fn finished(&self, outcome: Outcome) {
        self.scripts.watch.ended(&self.script, &outcome.end, &outcome.usage);
        if let End::Failed(failure) = &outcome.end {
            self.chain.invocation_failed(respond::reason(failure));
        }
        let trace = &self.chain.trace;
        let record = outcome.into_record(Arc::clone(&trace.ray_id), self.number, self.trigger.clone());
        self.tell(Event::Invocation(Arc::new(record)));
    }
}

impl Drop for ScriptHost {
    fn drop(&mut self) {
        self.scripts.in_flight.dec();
    }
}
