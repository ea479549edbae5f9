//! Answers with a script: [`Scripts::run`] is the way of one request through one script, in order.
//!
//! The one true circle of the platform closes here: a script calls a script, through its [`host`], which comes back to
//! [`Scripts::run`]. It is bounded by depth.

mod chain;
mod connection;
mod host;
mod inside;
mod outbound;
mod ready;
mod shown;
mod traces;
mod version;
mod watch;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use http::{Request, Response};
use prometheus::IntGauge;
use wasmyard_events::metric;
use wasmyard_listener::tls::Asking;
use wasmyard_namespaces::limits::{LimitSpec, Limits};
use wasmyard_namespaces::registry::Registry;
use wasmyard_namespaces::script::{Script, ScriptKey};
use wasmyard_runtime::{Body, Event, Failure, Handled, Invocation, Metering, RequestInfo, Runtime, Services};

use crate::admission::Admission;
use crate::answer::origin::Origins;
use crate::assets::{AssetFigures, Assets};
use crate::config::DispatcherConfig;
use crate::egress::Egress;
use crate::head;
use crate::remote::Remote;
use crate::respond::Refusal;
use crate::trace::Trace;
use crate::visit::Visit;
use chain::{CallOptions, Callee, Chain};
use host::ScriptHost;
use ready::Versions;
use traces::Traces;
use watch::Watch;

/// Something that may answer in place of a script: how a development server shows a broken build.
pub trait Overlay: Send + Sync + 'static {
    /// The answer, or none to let the script run. Called for every invocation: must be quick.
    fn answer(&self, script: &ScriptKey, request: &Request<Body>) -> Option<Response<Body>>;
}

/// The scripts of this node, as what answers requests.
pub(crate) struct Scripts {
    registry: Registry,
    runtime: Arc<Runtime>,
    egress: Arc<dyn Egress>,
    origins: Arc<Origins>,
    in_flight: IntGauge,
    overlay: Option<Arc<dyn Overlay>>,
    /// Where bindings lead whose namespaces are another server's.
    remote: Option<Arc<dyn Remote>>,
    admission: Arc<Admission>,
    limits: Limits,
    served_ports: Vec<u16>,
    asking: Option<Arc<Asking>>,
    assets: Arc<Assets>,
    /// What stands behind bindings on this node.
    services: Services,
    versions: Versions,
    watch: Watch,
    traces: Traces,
    /// How long a request waits for code that is being compiled.
    ready_wait: Duration,
}

impl Scripts {
    pub(crate) fn new(
        config: &DispatcherConfig,
        registry: Registry,
        runtime: Arc<Runtime>,
        egress: Arc<dyn Egress>,
        origins: Arc<Origins>,
        shown: &prometheus::Registry,
        overlay: Option<Arc<dyn Overlay>>,
    ) -> prometheus::Result<Arc<Self>> {
        let assets = Arc::new(Assets::new(config, &registry, AssetFigures::new(shown)?));
        let this = Arc::new(Self {
            assets,
            services: config.services.clone(),
            traces: Traces::begin(registry.clone()),
            registry,
            runtime,
            egress,
            origins,
            in_flight: in_flight(shown)?,
            overlay,
            remote: config.remote.clone(),
            admission: Admission::new(config.admission),
            limits: config.limits,
            served_ports: config.served_ports.clone(),
            asking: config.asking.clone(),
            versions: Versions::new(config.ready_workers),
            watch: Watch::new(config.broken.clone()),
            ready_wait: config.ready_wait,
        });
        tokio::spawn(ready::follow(this.registry.clone(), Arc::downgrade(&this)));
        Ok(this)
    }

    /// Answers a visit with the script that its route names.
    pub(crate) async fn answer(
        self: &Arc<Self>,
        visit: Visit<Body>,
        script: ScriptKey,
    ) -> Result<Response<Body>, Refusal> {
        let info = info_of(&visit);
        let Visit { head, body, log, .. } = visit;
        log.routed_to(&script);
        let chain = Chain::of_visit(&log, info);
        let request = Request::from_parts(head, body);
        let answer = self.run(chain, Callee::Named(script), CallOptions::default(), request).await;
        answer.map_err(|failure| Refusal::of(failure, log.upload_fault()))
    }

    /// Answers a request to a script that a dispatcher on another node calls. There is no visitor: what fails is that
    /// dispatcher's to deal with.
    pub(crate) async fn called_from_afar(
        self: &Arc<Self>,
        visit: Visit<Body>,
        script: ScriptKey,
        limits: LimitSpec,
    ) -> Result<Response<Body>, Failure> {
        let info = info_of(&visit);
        let Visit { head, body, log, .. } = visit;
        log.routed_to(&script);
        let chain = Chain::of_visit(&log, info);
        let options = CallOptions { limits, ..CallOptions::default() };
        self.run(chain, Callee::Named(script), options, Request::from_parts(head, body)).await
    }

    /// The way of a request through one script, wherever in a chain that is. Boxed, because scripts call scripts.
    fn run(
        self: &Arc<Self>,
        chain: Chain,
        callee: Callee,
        options: CallOptions,
        request: Request<Body>,
    ) -> BoxFuture<'static, Result<Response<Body>, Failure>> {
        let this = Arc::clone(self);
        async move {
            // First, because a build that broke may never have been deployed.
            let overlay = this.overlay.as_ref();
            if let Some(answer) = overlay.and_then(|overlay| overlay.answer(callee.key(), &request)) {
                return Ok(answer);
            }
            let script = match callee {
                Callee::Named(key) => this.find(&key).await?,
                Callee::Found(script) => script,
            };
            chain.called(&script.key);
            let (mut head, body) = request.into_parts();
            // Where two versions serve, one of them answers, and nothing behind this knows of the other.
            let script = version::chosen(script, &head, &chain.info.ray_id);
            // Before everything that costs: a file needs no place, no code and no instance.
            let is_for_code = options.entry.entrance.as_ref().is_some_and(|entrance| entrance.is_for_code());
            if !is_for_code && let Some(answer) = this.assets.first(&script, &head).await? {
                return Ok(answer);
            }
            if is_for_code && script.version.code.loads().is_none() {
                return Err(Failure::NoHandler { event: "RPC" });
            }
            // Only here, because files look at none of these fields. Scripts further down see what their caller sends.
            if chain.depth == 0 {
                head::introduce(&mut head, chain.info.client_address, &chain.info.ray_id);
            }
            let event = Event::Fetch(Request::from_parts(head, body));
            this.invoke(chain, script, options, event).await?.answer()
        }
        .boxed()
    }

    /// Has a script handle an event that no visitor caused, with the limits of such events.
    pub(crate) async fn raise(
        self: &Arc<Self>,
        trace: Arc<Trace>,
        key: &ScriptKey,
        event: Event,
    ) -> Result<Handled, Failure> {
        let script = self.find(key).await?;
        let chain = Chain::of_event(trace);
        let script = version::drawn(script, &chain.info.ray_id);
        self.invoke(chain, script, CallOptions::default(), event).await
    }

    /// The way of an event through code, wherever in a chain that is.
    async fn invoke(
        self: &Arc<Self>,
        chain: Chain,
        script: Arc<Script>,
        options: CallOptions,
        event: Event,
    ) -> Result<Handled, Failure> {
        let CallOptions { limits: asked, outbound, behalf, shows, entry } = options;
        // Before a place is taken: a call that cannot be right should not wait for one.
        let (limits, trusted) = self.limits(&script, &asked)?;
        let limits = if matches!(event, Event::Fetch(_)) { limits } else { limits.for_event() };
        outbound::no_clash(&script.version.bindings, entry.config.iter().map(|given| &given.name))?;
        // From here on it costs, also to make it ready: that may mean to load its code. The place is given up while
        // the code is compiled, and held from then on until the last of the invocation is gone.
        let (depth, metering) = (chain.depth, Metering::of(&limits));
        let permit = self.admission.admit(&script.key, depth == 0).await?;
        let (permit, ready) = self.ready(permit, &script, depth, metering).await?;
        let ceiling = self.registry.options().ceiling;
        let info = Arc::clone(&chain.info);
        let trigger = if chain.trace.sink.wants_heads(&script.key) {
            event.trigger_with_head(info.client_address)
        } else {
            event.trigger()
        };
        let host = ScriptHost {
            number: chain.trace.next_invocation(),
            scripts: Arc::clone(self),
            chain,
            script,
            trigger,
            outbound,
            behalf,
            shows,
            told_later: AtomicBool::new(false),
            max_depth: limits.depth,
            permit,
        };
        let (host, entry) = (host.begin(), Arc::new(entry));
        let invocation = Invocation { limits, ceiling, trusted, depth, host, info, entry };
        ready.run(invocation, event).await
    }

    /// Whether no request for a host may be answered without a certificate of its client. Where that cannot be found out,
    /// none is.
    async fn requires_client_certificate(&self, host: &str) -> bool {
        if self.asking.as_ref().is_some_and(|asking| asking.requires(host)) {
            return true;
        }
        if !self.registry.has_associations() {
            return false;
        }
        match self.registry.host(host).await {
            Ok(found) => found.is_some_and(|found| self.registry.requires_client_certificate(&found, host)),
            Err(error) => {
                tracing::error!(%error, "whose a host is cannot be found out");
                true
            }
        }
    }

    async fn find(&self, key: &ScriptKey) -> Result<Arc<Script>, Failure> {
        let script = match self.registry.script_cached(key) {
            Some(known) => known,
            None => self.registry.script(key).await.map_err(internal)?,
        };
        script.ok_or(Failure::WorkerNotFound)
    }

    /// The tightest of platform, namespace, version and call; and whether the script is the platform builder's
    /// own code, which platform scripts are.
    fn limits(&self, script: &Script, asked: &LimitSpec) -> Result<(Limits, bool), Failure> {
        let version = &script.version.limits;
        match script.key.namespace() {
            None => Ok((Limits::tightest(&self.limits, &[version, asked]), true)),
            Some(name) => {
                let namespace = self.registry.namespace_cached(name).ok_or(Failure::WorkerNotFound)?;
                let limits = Limits::tightest(&self.limits, &[&namespace.limits, version, asked]);
                Ok((limits, namespace.trusted_workers))
            }
        }
    }
}

/// What scripts are told of a visit.
pub(crate) fn info_of<B>(visit: &Visit<B>) -> RequestInfo {
    let hostname = visit.zone.as_ref().and_then(|zone| zone.hostname.as_ref());
    let metadata = hostname.and_then(|hostname| hostname.metadata.as_ref());
    RequestInfo {
        ray_id: Arc::clone(&visit.log.trace.ray_id),
        client_address: visit.client.address,
        hostname: Arc::clone(&visit.host),
        hostname_metadata: metadata.map(|metadata| Arc::clone(metadata.as_json())),
        tls: visit.client.encrypted.as_deref().map(connection::told).map(Arc::new),
    }
}

fn internal(error: impl std::fmt::Display) -> Failure {
    Failure::Internal { detail: error.to_string() }
}

/// How many invocations are under way.
pub(crate) fn in_flight(shown: &prometheus::Registry) -> prometheus::Result<IntGauge> {
    metric::gauge(shown, "wasmyard_invocations_in_flight", "Invocations of scripts under way.")
}
