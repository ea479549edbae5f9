//! Runs a script: finds its active version, makes it ready once, and invokes it with the limits that apply.
//!
//! The one true circle of the platform closes here: a script calls a script, through [`hop`], which comes
//! back to [`Invoker::run`]. It is bounded by depth.

mod gate;
mod hop;
mod ready;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response};
use prometheus::IntGauge;
use wasmyard_events::{Trigger, metric};
use wasmyard_namespaces::limits::{LimitSpec, Limits};
use wasmyard_namespaces::name::NamespaceName;
use wasmyard_namespaces::registry::Registry;
use wasmyard_namespaces::script::{Script, ScriptKey};
use wasmyard_runtime::{Body, Entry, Failure, Invocation, Metering, RequestInfo, Runtime};

use crate::admission::Admission;
use crate::assets::{AssetFigures, Assets};
use crate::config::DispatcherConfig;
use crate::context::RequestContext;
use crate::egress::Egress;
use crate::head;
use gate::Gate;
use hop::Hop;
use ready::Versions;

/// Something that may answer in place of a script: how a development server shows a broken build.
pub trait Overlay: Send + Sync + 'static {
    /// The answer, or none to let the script run. Called for every invocation: must be quick.
    fn answer(&self, script: &ScriptKey, request: &Request<Body>) -> Option<Response<Body>>;
}

/// Runs scripts.
pub(crate) struct Invoker {
    registry: Registry,
    runtime: Arc<Runtime>,
    egress: Arc<dyn Egress>,
    in_flight: IntGauge,
    overlay: Option<Arc<dyn Overlay>>,
    admission: Arc<Admission>,
    limits: Limits,
    served_ports: Vec<u16>,
    assets: Assets,
    versions: Versions,
    /// How long a request waits for code that is being compiled.
    ready_wait: Duration,
}

/// What all scripts of one visitor's request share.
#[derive(Clone)]
pub(crate) struct Chain {
    /// Lives as long as any script of the chain runs: what it records must be complete.
    pub(crate) context: Arc<RequestContext>,
    pub(crate) info: Arc<RequestInfo>,
    pub(crate) depth: u32,
    /// Who called, back to the first script: for the log of a loop.
    pub(crate) callers: Option<Arc<Callers>>,
}

/// How a script comes to run, beside the request.
#[derive(Default)]
pub(crate) struct How {
    /// For a user script whose requests go through another gate than its namespace's.
    gate: Option<Arc<Gate>>,
    /// For the gate itself: the namespace whose requests it is given.
    behalf: Option<NamespaceName>,
    /// What the script may know of it.
    entry: Entry,
}

/// A script that called, and who had called it.
pub(crate) struct Callers {
    pub(crate) script: ScriptKey,
    pub(crate) before: Option<Arc<Callers>>,
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

impl Invoker {
    pub(crate) fn new(
        config: &DispatcherConfig,
        registry: Registry,
        runtime: Arc<Runtime>,
        egress: Arc<dyn Egress>,
        shown: &prometheus::Registry,
        overlay: Option<Arc<dyn Overlay>>,
    ) -> prometheus::Result<Arc<Self>> {
        let assets = Assets::new(config, &registry, AssetFigures::new(shown)?);
        let this = Arc::new(Self {
            assets,
            registry,
            runtime,
            egress,
            in_flight: in_flight(shown)?,
            overlay,
            admission: Admission::new(config.admission),
            limits: config.limits,
            served_ports: config.served_ports.clone(),
            versions: Versions::new(config.ready_workers),
            ready_wait: config.ready_wait,
        });
        tokio::spawn(ready::follow(this.registry.clone(), Arc::downgrade(&this)));
        Ok(this)
    }

    /// Runs the first script of a visitor's request.
    pub(crate) async fn start(
        self: &Arc<Self>,
        context: &Arc<RequestContext>,
        script: ScriptKey,
        limits: &LimitSpec,
        request: Request<Body>,
    ) -> Result<Response<Body>, Failure> {
        let chain = Chain { context: Arc::clone(context), info: context.info(), depth: 0, callers: None };
        self.run(chain, script, limits, How::default(), request).await
    }

    /// Runs a script anywhere in the chain. Boxed, because scripts call scripts.
    pub(crate) fn run(
        self: &Arc<Self>,
        chain: Chain,
        key: ScriptKey,
        asked: &LimitSpec,
        how: How,
        request: Request<Body>,
    ) -> Pin<Box<dyn Future<Output = Result<Response<Body>, Failure>> + Send>> {
        let this = Arc::clone(self);
        let asked = *asked;
        Box::pin(async move {
            if let Some(answer) = this.overlay.as_ref().and_then(|overlay| overlay.answer(&key, &request)) {
                return Ok(answer);
            }
            let script = this.script(&key).await?;
            if key.namespace().is_some() {
                let _first = chain.context.user_script.set(key.clone());
            }
            let (mut head, body) = request.into_parts();
            if let Some(answer) = this.assets.first(&script, &head).await? {
                return Ok(answer);
            }
            if chain.depth == 0 {
                let context = &chain.context;
                head::introduce(&mut head.headers, context.secure, context.client, &context.ray_id);
            }
            let trigger = Trigger::Fetch { method: head.method.clone(), url: head.uri.clone() };
            let request = Request::from_parts(head, body);
            let (limits, trusted) = this.limits(&key, &script, &asked)?;
            let How { gate, behalf, entry } = how;
            let given = entry.config.iter().map(|(name, _)| name.as_str());
            if let Some(name) = gate::clash(&script.version.bindings, given) {
                return Err(Failure::InvalidArgument(gate::clash_text(name)));
            }
            // From here on it costs: making it ready may mean to load it.
            let (place, ready) = this.admitted(&script, chain.depth, Metering::of(&limits)).await?;
            let ceiling = this.registry.options().ceiling;
            let (depth, info, max_depth) = (chain.depth, Arc::clone(&chain.info), limits.depth);
            let deployed = script;
            let number = chain.context.next_invocation();
            let host = Hop {
                invoker: this,
                chain,
                script: key,
                number,
                trigger,
                gate,
                behalf,
                max_depth,
                deployed,
                place,
            };
            let host = host.begin();
            let entry = Arc::new(entry);
            let invocation = Invocation { limits, ceiling, trusted, depth, host, info, entry };
            ready.fetch(invocation, request).await
        })
    }

    async fn script(&self, key: &ScriptKey) -> Result<Arc<Script>, Failure> {
        let script = match self.registry.script_cached(key) {
            Some(known) => known,
            None => self.registry.script(key).await.map_err(internal)?,
        };
        script.ok_or(Failure::WorkerNotFound)
    }

    /// The tightest of platform, namespace, version and call; and whether the script is the platform builder's
    /// own code, which platform scripts are.
    fn limits(&self, key: &ScriptKey, script: &Script, asked: &LimitSpec) -> Result<(Limits, bool), Failure> {
        let version = &script.version.limits;
        match key.namespace() {
            None => Ok((Limits::tightest(&self.limits, &[version, asked]), true)),
            Some(name) => {
                let namespace = self.registry.namespace_cached(name).ok_or(Failure::WorkerNotFound)?;
                let limits = Limits::tightest(&self.limits, &[&namespace.limits, version, asked]);
                Ok((limits, namespace.trusted_workers))
            }
        }
    }
}

fn internal(error: impl std::fmt::Display) -> Failure {
    Failure::Internal { detail: error.to_string() }
}

/// How many invocations are under way.
pub(crate) fn in_flight(shown: &prometheus::Registry) -> prometheus::Result<IntGauge> {
    metric::gauge(shown, "wasmyard_invocations_in_flight", "Invocations of scripts under way.")
}
