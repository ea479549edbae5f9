//! Sends a guest's request over a pooled connection. Follows no redirect, keeps no cookie, reads no proxy
//! from the environment; the Host field comes from the URL and nowhere else.
//!
//! Each namespace has connections of its own, and so have the platform's scripts: a connection was judged by
//! the rules of whoever it was opened for, and says nothing about others. When the rules change, what was
//! opened under the old ones is not used again.

use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use futures::FutureExt as _;
use futures::future::BoxFuture;
use http::uri::{Authority, Scheme};
use http::{Request, Response, StatusCode, Version, header};
use hyper_util::client::legacy::connect::{CaptureConnection, capture_connection};
use hyper_util::client::legacy::{self, Client};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::RootCertStore;
use tokio_rustls::TlsConnector;
use wasmyard_events::{EgressRecord, Event};
use wasmyard_namespaces::EgressRules;
use wasmyard_runtime::{Body, BodyError, OutboundRequest};

use super::config::EgressConfig;
use super::connect::{Connector, Gate, NoConnection, Use};
use super::figures::{Account, EgressFigures};
use super::kept::{InUse, Kept};
use super::places::{Bounded, Places};
use super::policy::{Judge, Policy};
use super::resolver::{NameServers, Resolve};
use super::{Asker, Egress, EgressError, Sender, answer, tls, upload};
use crate::head::strip_hop_by_hop;

/// How many namespaces keep connections at the same time.
const MOST_POOLS: u64 = 10_000;
/// How long a namespace that sends nothing keeps its place among them.
const POOL_IDLE: Duration = Duration::from_secs(600);
/// What an HTTP/2 origin may send ahead of its reader: on one stream, and on one connection.
const STREAM_WINDOW: u32 = 256 << 10;
const CONNECTION_WINDOW: u32 = 1 << 20;

/// Egress to the network, through the policy.
pub struct NetworkEgress {
    config: EgressConfig,
    common: Common,
    platform: Arc<Pool>,
    /// By the namespace's id.
    namespaces: moka::sync::Cache<String, Arc<Pool>>,
    no_rules: Arc<EgressRules>,
}

/// What all connections are made with.
#[derive(Clone)]
struct Common {
    policy: Arc<Policy>,
    resolver: Arc<dyn Resolve>,
    tls: TlsConnector,
    figures: EgressFigures,
    all: Bounded,
    kept: Arc<Kept>,
}

/// The connections of one sender.
struct Pool {
    client: Client<Connector, Body>,
    gate: Arc<Gate>,
    /// What they were judged by beside the platform's own rules.
    rules: Option<Arc<EgressRules>>,
}

impl NetworkEgress {
    /// Reads the machine's name servers and trusted roots. Needs a tokio runtime.
    ///
    /// # Errors
    ///
    /// [`EgressError`] when TLS cannot be set up.
    pub fn new(config: EgressConfig, figures: EgressFigures) -> Result<Self, EgressError> {
        let resolver = Arc::new(NameServers::new(&config.name_servers, config.dns_timeout));
        let roots = tls::trusted(config.roots, &config.extra_roots);
        Self::with(config, figures, resolver, roots)
    }

    pub(super) fn with(
        config: EgressConfig,
        figures: EgressFigures,
        resolver: Arc<dyn Resolve>,
        roots: RootCertStore,
    ) -> Result<Self, EgressError> {
        let all = Bounded::new(config.max_connections);
        let policy = Arc::new(config.policy.clone());
        let tls = tls::connector(roots)?;
        let common = Common { policy, resolver, tls, figures, all, kept: Arc::default() };
        let platform = Arc::new(Pool::new(&config, &common, None));
        let namespaces =
            moka::sync::Cache::builder().max_capacity(MOST_POOLS).time_to_idle(POOL_IDLE).build();
        Ok(Self { config, common, platform, namespaces, no_rules: Arc::default() })
    }

    /// The connections that a sender may use. Those of rules that hold no more are left to end by themselves.
    fn pool(&self, sender: &Sender) -> Arc<Pool> {
        let Sender::Namespace(namespace) = sender else { return Arc::clone(&self.platform) };
        let rules = namespace.egress.as_ref().unwrap_or(&self.no_rules);
        if let Some(known) = self.namespaces.get(&namespace.id)
            && known.rules.as_ref().is_some_and(|known| Arc::ptr_eq(known, rules) || known == rules)
        {
            return known;
        }
        let pool = Arc::new(Pool::new(&self.config, &self.common, Some(Arc::clone(rules))));
        self.namespaces.insert(namespace.id.clone(), Arc::clone(&pool));
        pool
    }
}

impl Pool {
    fn new(config: &EgressConfig, common: &Common, rules: Option<Arc<EgressRules>>) -> Self {
        let own = match rules {
            None => config.max_connections,
            Some(_) => config.max_connections_per_namespace,
        };
        let gate = Arc::new(Gate {
            judge: Judge::new(Arc::clone(&common.policy), rules.clone()),
            places: Places::new(
                common.all.clone(),
                Bounded::new(own),
                config.max_connections_per_host,
                Arc::clone(&common.kept),
            ),
            resolver: Arc::clone(&common.resolver),
            tls: common.tls.clone(),
            figures: common.figures.clone(),
            connect_timeout: config.connect_timeout,
            tls_timeout: config.tls_timeout,
        });
        let client = Client::builder(TokioExecutor::new())
            .timer(TokioTimer::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(config.pool_idle)
            .pool_max_idle_per_host(config.pool_connections)
            .http1_max_headers(config.max_headers)
            .http1_max_buf_size(config.max_header_bytes)
            .http2_max_header_list_size(u32::try_from(config.max_header_bytes).unwrap_or(u32::MAX))
            .http2_initial_stream_window_size(STREAM_WINDOW)
            .http2_initial_connection_window_size(CONNECTION_WINDOW)
            .http2_max_send_buf_size(STREAM_WINDOW as usize)
            .build(Connector(Arc::clone(&gate)));
        Self { client, gate, rules }
    }
}

impl Egress for NetworkEgress {
    fn send(
        &self,
        sender: Sender,
        outbound: OutboundRequest,
    ) -> BoxFuture<'static, Result<Response<Body>, BodyError>> {
        let pool = self.pool(&sender);
        let waits = Waits::of(&self.config, &outbound);
        let mut account = Account::begin(&self.common.figures);
        async move {
            let (response, connection) = match pool.respond(&sender, waits, outbound.request).await {
                Ok(response) => response,
                Err(error) => {
                    account.failed(&error);
                    return Err(error);
                }
            };
            let (mut head, body) = response.into_parts();
            strip_hop_by_hop(&mut head.headers);
            head.extensions.clear();
            if http_body::Body::is_end_stream(&body) {
                account.succeeded();
            }
            let body = answer::body(body, waits.between_bytes, account, connection);
            Ok(Response::from_parts(head, body))
        }
        .boxed()
    }
}

/// How long a request waits for what.
#[derive(Clone, Copy)]
struct Waits {
    connect: Duration,
    first_byte: Duration,
    between_bytes: Duration,
}

impl Waits {
    /// A guest can shorten a time, never lengthen it.
    fn of(config: &EgressConfig, outbound: &OutboundRequest) -> Self {
        let shorter = |own: Duration, asked: Option<Duration>| asked.map_or(own, |asked| own.min(asked));
        // Each of its steps has a time of its own, the wait for a place included.
        let connect = config.connect_timeout * 2 + config.tls_timeout + config.dns_timeout;
        Self {
            connect: shorter(connect, outbound.connect_timeout),
            first_byte: shorter(config.first_byte_timeout, outbound.first_byte_timeout),
            between_bytes: shorter(config.between_bytes_timeout, outbound.between_bytes_timeout),
        }
    }
}

impl Pool {
    /// Sends, and waits for the head of the response.
    async fn respond(
        &self,
        sender: &Sender,
        waits: Waits,
        mut request: Request<Body>,
    ) -> Result<(Response<hyper::body::Incoming>, Option<InUse>), BodyError> {
        let asker = request.extensions_mut().remove::<Asker>();
        let host = asker.as_ref().and_then(|_| request.uri().authority().cloned());
        let (mut request, progress) = upload::watched(prepared(request)?);
        let mut connection = capture_connection(&mut request);
        let mut response = pin!(self.client.request(request));
        let connecting = async {
            tokio::select! {
                biased;
                response = &mut response => Some(response),
                _connected = connection.wait_for_connection_metadata() => None,
            }
        };
        let answered = tokio::time::timeout(waits.connect, connecting).await;
        let in_use = self.in_use(&connection);
        let response = match answered.map_err(|_elapsed| BodyError::ConnectionTimeout)? {
            Some(response) => response,
            None => {
                let answered = progress.bounded(response, waits.first_byte).await;
                answered.ok_or(BodyError::HttpResponseTimeout)?
            }
        };
        let response = response.map_err(|error| self.failed(sender, asker, host.as_ref(), &error))?;
        // Nobody asked for another protocol.
        if response.status() == StatusCode::SWITCHING_PROTOCOLS {
            return Err(BodyError::HttpUpgradeFailed);
        }
        Ok((response, in_use))
    }

    /// Notes that the request's connection is in use, where it has one.
    fn in_use(&self, connection: &CaptureConnection) -> Option<InUse> {
        let mut extras = http::Extensions::new();
        connection.connection_metadata().as_ref()?.get_extras(&mut extras);
        let (in_use, again) = extras.get::<Use>()?.0.begin();
        if again {
            self.gate.figures.reused();
        }
        Some(in_use)
    }

    /// What the guest is told; the operator is told who asked for what, and why it did not go out.
    fn failed(
        &self,
        sender: &Sender,
        asker: Option<Asker>,
        host: Option<&Authority>,
        error: &legacy::Error,
    ) -> BodyError {
        if let Some(refused) = answer::no_connection(error) {
            if let Some(Asker { script, ray_id, events }) = asker {
                let namespace = match sender {
                    Sender::Platform => None,
                    Sender::Namespace(namespace) => Some(namespace.name.to_string()),
                };
                let record = EgressRecord {
                    time: SystemTime::now(),
                    ray_id,
                    script,
                    namespace,
                    host: host.map(ToString::to_string).unwrap_or_default(),
                    refused: refused.to_string(),
                };
                events.event(&Event::Egress(Arc::new(record)));
            }
            if let NoConnection::Denied(denied) = refused {
                self.gate.figures.refused(denied);
            }
        }
        answer::of_client(error)
    }
}

/// The request as it goes out.
fn prepared(mut request: Request<Body>) -> Result<Request<Body>, BodyError> {
    let uri = request.uri();
    let scheme = uri.scheme().ok_or(BodyError::HttpRequestUriInvalid)?;
    if *scheme != Scheme::HTTP && *scheme != Scheme::HTTPS {
        return Err(BodyError::HttpRequestUriInvalid);
    }
    if request.method() == http::Method::CONNECT {
        return Err(BodyError::HttpRequestMethodInvalid);
    }
    let headers = request.headers_mut();
    strip_hop_by_hop(headers);
    headers.remove(header::HOST);
    *request.version_mut() = Version::HTTP_11;
    Ok(request)
}

#[cfg(test)]
mod tests;
