//! One running node: registry, engine, data plane and control plane, put together.

use std::future::Future;
use std::net::{SocketAddr, UdpSocket};
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use http::{Request, Response};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tower_service::Service as _;
use wasmyard_api::{ApiState, Rates, UploadLimits};
use wasmyard_cache::Caches;
use wasmyard_compiler::ChildCompiler;
use wasmyard_control::{Control, Lookout};
use wasmyard_dispatcher::{
    AdmissionConfig, Broken, Dispatcher, DispatcherConfig, EgressConfig, EgressFigures, HttpsConfig, Metrics,
    NetworkEgress, Overlay,
};
use wasmyard_events::{Figures, Sink, Sinks, Tails};
use wasmyard_listener::tls::{Asking, Tls};
use wasmyard_listener::{Client, Handler, ListenerConfig, Places, Plain, Received, TlsFigures};
use wasmyard_namespaces::limits::{MAX_REQUEST_HEADER_BYTES, MAX_REQUEST_HEADERS};
use wasmyard_namespaces::{Health, Registry};
use wasmyard_ratelimit::RateLimits;
use wasmyard_runtime::{
    EngineConfig, GuestMemoryLimits, Runtime, RuntimeConfig, Services, modules_by_mappings,
};
use wasmyard_s3::Gateway;
use wasmyard_triggers::{Crons, Deliveries};

use crate::checker::UploadChecker;
use crate::config::{Faults, ResolvedConfig, ServerConfig, TlsConfig};
use crate::delegation::Delegation;
use crate::error::StartError;
use crate::machine::{self, Capacity, Machine};
use crate::ports::bind;
use crate::remote::{DataPlane, RemoteNamespaces, RemoteServer};
use crate::s3::S3Port;
use crate::storage::Kept;
use crate::tls::Encrypting;
use crate::webhooks::{self, Webhooks};
use crate::{
    cache_figures, caches, certificates, hostnames, issuers, javascript, logs, recompile, rollbacks,
    store_figures, sweep, triggers,
};

/// Bytes of compiled code that stay loaded.
const LOADED_CODE_BYTES: u64 = 2 << 30;

/// An open port, what may be held on it, and what is counted of it.
struct Port {
    listener: TcpListener,
    config: ListenerConfig,
    figures: wasmyard_listener::Figures,
}

/// The same for visitors over TLS, who share bounds and figures with those in clear text.
struct TlsPort {
    listener: TcpListener,
    /// For HTTP/3, if that is spoken.
    socket: Option<UdpSocket>,
    handshake: Tls,
}

/// A node whose ports are open but not yet served.
pub(crate) struct Node {
    pub(crate) control: Control,
    caches: Caches,
    pub(crate) checker: Arc<UploadChecker>,
    dispatcher: Arc<Dispatcher>,
    crons: Crons,
    deliveries: Deliveries,
    /// Deployments that broke their rules.
    rollbacks: mpsc::Receiver<Broken>,
    visitors: Port,
    tls: Option<TlsPort>,
    delegation: Option<Delegation>,
    api: Port,
    api_state: ApiState,
    s3: Option<S3Port>,
    ready: Arc<AtomicBool>,
    /// What checks of custom hostnames look with.
    lookout: Arc<Lookout>,
    /// Where the scripts are listed that were used last.
    recent: PathBuf,
    /// Where remote bindings lead, for whoever develops.
    pub(crate) remote: Option<Arc<RemoteNamespaces>>,
}

/// What whoever develops has beside what a server has.
pub(crate) struct Development {
    /// What may answer in place of a script.
    pub(crate) overlay: Arc<dyn Overlay>,
    /// The server whose namespaces remote bindings lead to, if one was named.
    pub(crate) remote: Option<RemoteServer>,
}

impl Node {
    /// Opens the ports and makes the engine.
    pub(crate) fn start(
        config: &ResolvedConfig,
        capacity: &Capacity,
        registry: Registry,
        kept: Kept,
        mut egress: EgressConfig,
        encrypting: Option<Encrypting>,
        development: Option<Development>,
    ) -> Result<Self, StartError> {
        // Whoever develops has no names but those that are kept for tests.
        let developing = development.is_some();
        let (overlay, remote) = development.map_or((None, None), |it| (Some(it.overlay), Some(it.remote)));
        let reserved_names = config.server.reserved_names || developing;
        let metrics = Arc::new(Metrics::new().map_err(unmeasured)?);
        let visitors = bind(config.server.listen, "listen")?;
        let api = bind(config.server.api_listen, "api_listen")?;
        let port = |listener: &TcpListener| listener.local_addr().map(|address| address.port()).ok();
        let tls_port = encrypting.as_ref().and_then(|tls| port(&tls.listener));
        let visited: Vec<u16> = port(&visitors).into_iter().chain(tls_port).collect();
        // No script reaches the platform's own ports, whatever else it may reach.
        let s3 = config.s3_listen.map(|address| {
            S3Port::open(address, Gateway::new(registry.clone(), kept.r2.clone()), metrics.registry())
        });
        let s3 = s3.transpose()?;
        let s3_port = s3.as_ref().and_then(S3Port::address).map(|address| address.port());
        let own_ports: Vec<u16> = visited.iter().copied().chain(port(&api)).chain(s3_port).collect();
        egress.policy.own_ports.clone_from(&own_ports);
        let mut origins = config.origins.clone();
        origins.policy.own_ports.clone_from(&egress.policy.own_ports);
        if developing {
            // As their scripts' requests may.
            origins.policy.allow_loopback();
        }
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let memory = usize::try_from(config.limits.memory_bytes).unwrap_or(usize::MAX);
        let compiler = ChildCompiler::new()
            .map_err(|error| StartError::failed(format!("components cannot be compiled: {error}")))?;
        let sizes = RuntimeConfig {
            engine: EngineConfig {
                max_instances: config.server.max_invocations,
                max_memory_bytes: memory,
                ..EngineConfig::default()
            },
            artifacts: config.server.data.join("artifacts"),
            loaded_code_bytes: LOADED_CODE_BYTES,
            loaded_modules: modules_by_mappings(config.server.max_invocations),
            compilations: cores,
            guest_memory: guest_memory(config, capacity),
            javascript: javascript::engine(),
        };
        let runtime = Runtime::new(&sizes, Arc::new(compiler)).map_err(|error| {
            StartError::with_remedy(error.to_string(), "lower `max_invocations` under [server]")
        })?;
        let runtime = Arc::new(runtime);
        let figures = EgressFigures::new(metrics.registry()).map_err(unmeasured)?;
        let remote = remote.map(|server| RemoteNamespaces::new(server, config, metrics.registry()));
        let remote = remote.transpose().map_err(StartError::failed)?;
        let counted = |prefix, whose| {
            wasmyard_listener::Figures::new(metrics.registry(), prefix, whose).map_err(unmeasured)
        };
        let lookout =
            hostnames::lookout(&config.hostnames, metrics.registry()).map_err(StartError::failed)?;
        let visitors_figures = counted("wasmyard", "visitors")?;
        let api_figures = counted("wasmyard_api", "the API's clients")?;
        let store = encrypting.as_ref().and_then(|encrypting| encrypting.store.clone());
        store.iter().try_for_each(|store| {
            store_figures::register(Arc::clone(store), metrics.registry()).map_err(unmeasured)
        })?;
        let asking = encrypting.as_ref().map(|Encrypting { certificates, groups, .. }| {
            Arc::new(Asking::new(Arc::clone(certificates), Arc::clone(groups)))
        });
        let http3 = encrypting.as_ref().is_some_and(|tls| tls.socket.is_some());
        let tls = encrypting.map(|Encrypting { listener, socket, certificates, groups, .. }| {
            let figures = TlsFigures::new(metrics.registry(), "wasmyard", "visitors").map_err(unmeasured)?;
            let challenges = Arc::new(crate::challenges::Recorded(registry.clone()));
            let handshake = Tls::new(certificates, groups, figures).with_challenges(challenges);
            let handshake = handshake.map_err(|error| StartError::failed(error.to_string()))?;
            Ok::<_, StartError>(TlsPort { listener, socket, handshake })
        });
        let tls = tls.transpose()?;
        let egress =
            NetworkEgress::new(egress, figures).map_err(|error| StartError::failed(error.to_string()))?;
        let tails = Tails::default();
        let events: Arc<dyn Sink> = Arc::new(sinks(&metrics, &tails)?);
        let mut secret = [0; 16];
        getrandom::fill(&mut secret).map_err(|error| StartError::failed(error.to_string()))?;
        let rates = RateLimits::new(secret);
        let (broken, rollbacks) = mpsc::channel(rollbacks::WAITING);
        let dispatcher = Dispatcher::new(
            DispatcherConfig {
                limits: config.limits,
                admission: admission(&config.server),
                asset_memory_bytes: config.server.asset_memory,
                body_idle: config.limits.stream_idle,
                services: Services {
                    kv: Some(kept.kv.clone()),
                    d1: Some(kept.d1.clone()),
                    queues: Some(kept.queues.clone()),
                    r2: Some(kept.r2.clone()),
                    caches: Some(kept.caches.clone()),
                    secrets: Some(registry.clone()),
                    rates: Some(rates),
                    ..Services::default()
                },
                served_ports: visited,
                origins,
                https: https(&config.tls, tls_port, http3),
                asking,
                broken: Some(broken),
                remote: remote.clone().map(|remote| remote as _),
                ..DispatcherConfig::default()
            },
            registry.clone(),
            Arc::clone(&runtime),
            Arc::new(egress),
            Arc::clone(&metrics),
            Arc::clone(&events),
            overlay,
        )
        .map_err(|error| StartError::failed(error.to_string()))?;
        let crons = triggers::crons(registry.clone(), &dispatcher, config.server.max_invocations)
            .map_err(unmeasured)?;
        let deliveries = triggers::deliveries(
            kept.queues.clone(),
            &dispatcher,
            config.server.max_invocations,
            config.ceiling.event_wall,
        )
        .map_err(unmeasured)?;
        let checker = Arc::new(UploadChecker {
            registry: registry.clone(),
            runtime: Arc::clone(&runtime),
            limits: config.limits,
        });
        let caches = kept.caches;
        cache_figures::register(caches.clone(), metrics.registry()).map_err(unmeasured)?;
        let control = Control::new(registry.clone(), Arc::clone(&checker) as _, kept.kv)
            .with_queues(kept.queues)
            .with_databases(kept.d1)
            .with_objects(kept.r2);
        let control = if reserved_names { control.with_reserved_names() } else { control };
        let control = issuers::with_certificates(control, store, config, metrics.registry())?;
        let delegation = config.dcv.as_ref();
        let delegation =
            delegation.map(|dcv| Delegation::open(dcv, registry.clone(), metrics.registry())).transpose()?;
        let control = match &config.dcv {
            Some(dcv) => control.with_delegation(dcv.suffix.clone()),
            None => control,
        };
        let webhooks = Webhooks::new(config, own_ports, metrics.registry()).map_err(StartError::failed)?;
        let control = control.with_courier(Arc::new(webhooks));
        let ready = Arc::new(AtomicBool::new(false));
        let api_state = ApiState {
            control: control.clone(),
            metrics: Arc::new(move || {
                metrics.guest_memory(runtime.guest_memory());
                metrics.render(runtime.cache_figures())
            }),
            ready: {
                let (ready, registry) = (Arc::clone(&ready), registry.clone());
                Arc::new(move || {
                    if !ready.load(Ordering::Acquire) {
                        return Err("starting or draining".to_owned());
                    }
                    // Visitors are served all the same: whoever sends them here must go on doing so.
                    let is_full = registry.health() == Health::NoSpace;
                    Ok(is_full
                        .then(|| "the disk is full: no change is taken but those that make room".to_owned()))
                })
            },
            events,
            tails,
            spool: config.server.data.clone(),
            limits: UploadLimits::default(),
            dispatch: Some(Arc::new(DataPlane(Arc::downgrade(&dispatcher)))),
            // Whoever develops is alone, and builds in a loop.
            rates: if developing {
                Rates { per_token: u32::MAX, per_address: u32::MAX }
            } else {
                config.server.rates
            },
        };
        let [visitors, api] = {
            let port = |listener, config, figures| Port { listener, config, figures };
            let [visitors_bounds, api_bounds] = bounds(config, capacity);
            [port(visitors, visitors_bounds, visitors_figures), port(api, api_bounds, api_figures)]
        };
        let recent = config.server.data.join("artifacts").join("recent");
        let lookout = Arc::new(lookout);
        Ok(Self {
            control,
            caches,
            checker,
            dispatcher,
            crons,
            deliveries,
            rollbacks,
            visitors,
            tls,
            delegation,
            api,
            api_state,
            s3,
            ready,
            lookout,
            recent,
            remote,
        })
    }

    /// The port that visitors connect to.
    pub(crate) fn visitors_port(&self) -> u16 {
        self.visitors.listener.local_addr().map_or(0, |address| address.port())
    }

    /// Where the node can be reached, by the name of each port.
    pub(crate) fn addresses(&self) -> Vec<(&'static str, SocketAddr)> {
        let visitors = ("visitors", &self.visitors.listener);
        let tls = self.tls.as_ref().map(|port| ("https", &port.listener));
        let ports = [visitors].into_iter().chain(tls).chain([("api", &self.api.listener)]);
        let ports = ports.filter_map(|(name, listener)| Some((name, listener.local_addr().ok()?)));
        let s3 = self.s3.iter().filter_map(|s3| Some(("s3", s3.address()?)));
        let dns = self.delegation.iter().filter_map(|delegation| Some(("dcv", delegation.address()?)));
        ports.chain(s3).chain(dns).collect()
    }

    /// Serves until `stop`, then drains. The control plane stays reachable until visitors are done.
    pub(crate) async fn run(self, stop: impl Future<Output = ()>, readiness: Readiness) {
        let stopped = CancellationToken::new();
        let objects = {
            let (stop, config, s3) = (stopped.clone().cancelled_owned(), self.api.config.clone(), self.s3);
            tokio::spawn(async move {
                if let Some(s3) = s3 {
                    s3.run(config, stop).await;
                }
            })
        };
        let api = {
            let stopped = stopped.clone();
            let handler = Arc::new(ControlPlane(wasmyard_api::router(self.api_state)));
            let Port { listener, config, figures } = self.api;
            tokio::spawn(async move {
                let stop = stopped.cancelled_owned();
                let places = Places::new(&config, 1);
                wasmyard_listener::serve(listener, Plain, handler, config, places, figures, stop).await;
            })
        };
        let sweeping = tokio::spawn(sweep::run(self.control.clone(), Arc::clone(&self.checker.runtime)));
        let forgetting = tokio::spawn(caches::run(self.caches, self.control.registry().clone()));
        let rolling_back = tokio::spawn(rollbacks::run(self.control.clone(), self.rollbacks));
        let checking = tokio::spawn(hostnames::run(self.control.clone(), Arc::clone(&self.lookout)));
        let ordering = tokio::spawn(issuers::run(self.control.clone(), self.lookout));
        let deploying = tokio::spawn(certificates::run(self.control.clone()));
        let telling = tokio::spawn(webhooks::run(self.control.clone()));
        let naming = tokio::spawn(async {
            if let Some(delegation) = self.delegation {
                delegation.run().await;
            }
        });
        let recompiling = recompile::Recompiling {
            registry: self.control.registry().clone(),
            runtime: Arc::clone(&self.checker.runtime),
            limits: self.checker.limits,
            list: self.recent,
        };
        // Ends with the first word of the end.
        let stopping = CancellationToken::new();
        let mut stop = Box::pin(stop);
        // Whoever asks whether the node is ready is answered meanwhile.
        let stopped_early = tokio::select! {
            () = recompiling.engines() => false,
            () = &mut stop => true,
        };
        let crons = tokio::spawn(self.crons.run(stopping.clone().cancelled_owned()));
        let delivering = tokio::spawn(self.deliveries.run(stopping.clone().cancelled_owned()));
        let recompiling = tokio::spawn(recompiling.run(stopping.clone()));
        let ready = self.ready;
        let stop = async move {
            let stopped_before = match readiness {
                _ if stopped_early => true,
                Readiness::AtOnce => false,
                Readiness::After(first) => tokio::select! {
                    () = first => false,
                    () = &mut stop => true,
                },
            };
            if !stopped_before {
                ready.store(true, Ordering::Release);
                stop.await;
            }
            ready.store(false, Ordering::Release);
            stopping.cancel();
        };
        serve_visitors(self.visitors, self.tls, &self.dispatcher, stop).await;
        stopped.cancel();
        // Drained with the visitors: what still runs after that is cut off as theirs is.
        [
            crons,
            delivering,
            rolling_back,
            sweeping,
            forgetting,
            checking,
            deploying,
            ordering,
            telling,
            naming,
        ]
        .iter()
        .for_each(tokio::task::JoinHandle::abort);
        if let Err(error) = recompiling.await {
            tracing::error!(%error, "the list of recently used scripts was not written");
        }
        // It holds the code that is loaded: what the list says was used last is known only until it is gone.
        drop(self.dispatcher);
        if let Err(error) = objects.await {
            tracing::error!(%error, "the S3 protocol ended early");
        }
        if let Err(error) = api.await {
            tracing::error!(%error, "the control plane ended early");
        }
    }
}

/// Serves visitors on all their ports until `stop`, and drains.
async fn serve_visitors(
    visitors: Port,
    tls: Option<TlsPort>,
    dispatcher: &Arc<Dispatcher>,
    stop: impl Future<Output = ()>,
) {
    let Port { listener, config, figures } = visitors;
    let places = Places::new(&config, if tls.is_some() { 2 } else { 1 });
    let stopped = CancellationToken::new();
    let encrypted = async {
        let Some(TlsPort { listener, socket, handshake }) = tls else { return };
        let by_udp = async {
            let Some(socket) = socket else { return };
            let (dispatcher, config, stop) = (Arc::clone(dispatcher), config.clone(), stopped.cancelled());
            let (places, figures) = (places.clone(), figures.clone());
            let served =
                wasmyard_listener::serve_http3(socket, &handshake, dispatcher, config, places, figures, stop);
            if let Err(error) = served.await {
                tracing::error!(%error, "HTTP/3 is not served");
            }
        };
        let (dispatcher, config, stop) = (Arc::clone(dispatcher), config.clone(), stopped.cancelled());
        let (places, figures) = (places.clone(), figures.clone());
        let by_tcp =
            wasmyard_listener::serve(listener, handshake.clone(), dispatcher, config, places, figures, stop);
        tokio::join!(by_tcp, by_udp);
    };
    let stop = async {
        stop.await;
        stopped.cancel();
    };
    let (dispatcher, places, figures) = (Arc::clone(dispatcher), places.clone(), figures.clone());
    let plain = wasmyard_listener::serve(listener, Plain, dispatcher, config.clone(), places, figures, stop);
    tokio::join!(plain, encrypted);
}

/// What connections of visitors have to be.
fn https(config: &TlsConfig, port: Option<u16>, http3: bool) -> HttpsConfig {
    let port = config.redirect_port.or(port);
    HttpsConfig {
        redirect_to: port.filter(|_| config.redirect),
        port,
        strict: config.strict,
        http3: port.filter(|_| http3),
    }
}

/// When a node says of itself that it is ready.
pub(crate) enum Readiness {
    /// With the first moment: all that it is to serve is deployed.
    AtOnce,
    /// When this has ended.
    After(Pin<Box<dyn Future<Output = ()> + Send>>),
}

/// The control plane behind its listener.
struct ControlPlane(axum::Router);

impl Handler for ControlPlane {
    type Body = axum::body::Body;

    async fn answer(&self, mut request: Request<Received>, client: Client) -> Response<axum::body::Body> {
        request.extensions_mut().insert(client);
        match self.0.clone().call(request.map(axum::body::Body::new)).await {
            Ok(answer) => answer,
            Err(never) => match never {},
        }
    }
}

/// What may be held on the ports of visitors and of the API. Only connections differ: whoever deploys is as much of a
/// stranger as any visitor until the token was seen.
fn bounds(config: &ResolvedConfig, capacity: &Capacity) -> [ListenerConfig; 2] {
    let count = |count: u32| usize::try_from(count).unwrap_or(usize::MAX);
    let server = &config.server;
    let visitors = ListenerConfig {
        max_connections: count(capacity.max_connections),
        max_connections_per_client: count(server.max_connections_per_client.min(capacity.max_connections)),
        max_header_bytes: usize::try_from(MAX_REQUEST_HEADER_BYTES).unwrap_or(usize::MAX),
        max_headers: usize::try_from(MAX_REQUEST_HEADERS).unwrap_or(usize::MAX),
        header_timeout: server.header_read,
        idle_timeout: server.idle,
        slow_reader: server.slow_reader,
        drain: server.drain,
        proxies: server.proxies.clone(),
        proxy_protocol: server.proxy_protocol,
        ..ListenerConfig::default()
    };
    let api = ListenerConfig {
        max_connections: count(server.api_max_connections),
        max_connections_per_client: count(server.api_max_connections.div_ceil(4)),
        proxy_protocol: server.api_proxy_protocol,
        upgrades: true,
        ..visitors.clone()
    };
    [visitors, api]
}

/// Where everything that happens is told: this list is the place for one more who is to know.
fn sinks(metrics: &Metrics, tails: &Tails) -> Result<Sinks, StartError> {
    let mut sinks: Vec<Arc<dyn Sink>> = vec![Arc::new(Figures::new(metrics.registry()).map_err(unmeasured)?)];
    if let Some(log) = logs::writer() {
        log.register(metrics.registry()).map_err(unmeasured)?;
        sinks.push(Arc::new(log.clone()));
    }
    sinks.push(Arc::new(tails.clone()));
    Ok(Sinks::new(sinks))
}

/// Two figures have one name: a mistake in the program.
#[expect(clippy::needless_pass_by_value, reason = "an argument of map_err")]
fn unmeasured(error: prometheus::Error) -> StartError {
    StartError::failed(error.to_string())
}

/// What this machine can give, and what was lowered for it. Refused where it is too little.
pub(crate) fn capacity(config: &ResolvedConfig) -> Result<(Capacity, Vec<String>), StartError> {
    machine::raise_open_files();
    let (capacity, findings) = machine::capacity(config, &Machine::here());
    let faults = Faults { file: config.source.shown(), list: findings };
    if faults.any_error() {
        return Err(faults.into());
    }
    let warnings = faults.list.iter().map(|warning| warning.at(&faults.file).to_string()).collect();
    Ok((capacity, warnings))
}

/// What guests may hold. The shares of a script and of a namespace are the same parts as those that they have of
/// the places, and never less than one invocation may hold.
fn guest_memory(config: &ResolvedConfig, capacity: &Capacity) -> GuestMemoryLimits {
    let all = capacity.guest_memory;
    let share = |places: u32| {
        let part = u128::from(all) * u128::from(places) / u128::from(config.server.max_invocations.max(1));
        u64::try_from(part).unwrap_or(u64::MAX).max(config.limits.memory_bytes)
    };
    GuestMemoryLimits {
        all,
        per_namespace: share(config.server.max_per_namespace),
        per_script: share(config.server.max_per_script),
    }
}

fn admission(server: &ServerConfig) -> AdmissionConfig {
    let places = |count: u32| usize::try_from(count).unwrap_or(usize::MAX);
    AdmissionConfig {
        per_namespace: places(server.max_per_namespace),
        per_script: places(server.max_per_script),
        wait: server.admission_wait,
        // A chain of scripts holds several invocations for one request.
        ..AdmissionConfig::for_invocations(places(server.max_invocations))
    }
}
