//! Sends a guest's request over the connections of whoever sends it. Follows no redirect, keeps no cookie, reads no proxy
//! from the environment; the Host field comes from the URL and nowhere else.
//!
//! Each namespace has connections of its own, and so have the platform's scripts: a connection was judged by
//! the rules of whoever it was opened for, and says nothing about others. When the rules change, what was
//! opened under the old ones is not used again. So it is with certificates that are shown: each has connections of its own.

use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime};

use futures::FutureExt as _;
use futures::future::BoxFuture;
use http::uri::{Authority, Scheme};
use http::{Request, Response, StatusCode, Version, header};
use rustls::RootCertStore;
use wasmyard_events::{EgressRecord, Event};
use wasmyard_namespaces::EgressRules;
use wasmyard_namespaces::ids::MtlsCertificateId;
use wasmyard_namespaces::registry::ClientIdentity;
use wasmyard_net::{
    Answered, Client, Identity, NameServers, Network, NoAnswer, NoConnection, Resolve, Share, TlsError,
    Waits, trusted,
};
use wasmyard_runtime::{Body, BodyError, OutboundRequest};

use super::config::EgressConfig;
use super::figures::{Account, EgressFigures};
use super::policy::{GuestJudge, Policy};
use super::{Asker, Egress, Sender, answer};
use crate::head::{strip_hop_by_hop, with_clean_trailers};

/// How many namespaces keep connections at the same time.
const MOST_POOLS: u64 = 10_000;
/// How many certificates a sender shows over connections that are kept.
const MOST_SHOWN: u64 = 64;
/// How long a namespace that sends nothing keeps its place among them.
const POOL_IDLE: Duration = Duration::from_secs(600);

/// Egress to the network, through the policy.
pub struct NetworkEgress {
    config: EgressConfig,
    network: Network,
    policy: Arc<Policy>,
    figures: EgressFigures,
    platform: Arc<Pool>,
    /// By the namespace's id.
    namespaces: moka::sync::Cache<String, Arc<Pool>>,
    no_rules: Arc<EgressRules>,
}

/// The connections of one sender.
struct Pool {
    client: Arc<Client<GuestJudge, Body>>,
    /// The places that all of them share.
    share: Share,
    /// Those that show a certificate, by its id.
    showing: OnceLock<moka::sync::Cache<MtlsCertificateId, Arc<Client<GuestJudge, Body>>>>,
    figures: EgressFigures,
    /// What they were judged by beside the platform's own rules.
    rules: Option<Arc<EgressRules>>,
}

impl NetworkEgress {
    /// Reads the machine's name servers and trusted roots. Needs a tokio runtime.
    ///
    /// # Errors
    ///
    /// [`TlsError`] when TLS cannot be set up.
    pub fn new(config: EgressConfig, figures: EgressFigures) -> Result<Self, TlsError> {
        let resolver = Arc::new(NameServers::new(&config.name_servers, config.dns_timeout));
        let roots = trusted(config.roots, &config.extra_roots);
        Self::with(config, figures, resolver, roots)
    }

    pub(super) fn with(
        config: EgressConfig,
        figures: EgressFigures,
        resolver: Arc<dyn Resolve>,
        roots: RootCertStore,
    ) -> Result<Self, TlsError> {
        let network = Network::new(config.network(), resolver, roots, figures.network.clone())?;
        let policy = Arc::new(config.policy.clone());
        let platform = Arc::new(Pool::new(&network, &policy, &figures, config.max_connections, None));
        let namespaces =
            moka::sync::Cache::builder().max_capacity(MOST_POOLS).time_to_idle(POOL_IDLE).build();
        Ok(Self { config, network, policy, figures, platform, namespaces, no_rules: Arc::default() })
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
        let (most, rules) = (self.config.max_connections_per_namespace, Some(Arc::clone(rules)));
        let pool = Arc::new(Pool::new(&self.network, &self.policy, &self.figures, most, rules));
        self.namespaces.insert(namespace.id.clone(), Arc::clone(&pool));
        pool
    }

    /// The connections that a request goes over: those that show what it shows.
    fn client(
        &self,
        pool: &Pool,
        request: &mut Request<Body>,
    ) -> Result<Arc<Client<GuestJudge, Body>>, BodyError> {
        let Some(shown) = request.extensions_mut().remove::<Arc<ClientIdentity>>() else {
            return Ok(Arc::clone(&pool.client));
        };
        let clients = pool.showing.get_or_init(|| {
            moka::sync::Cache::builder().max_capacity(MOST_SHOWN).time_to_idle(POOL_IDLE).build()
        });
        let made = || -> Result<_, TlsError> {
            let ClientIdentity { certificate, key } = &*shown;
            let identity = Identity::from_pem(certificate.certificates.as_bytes(), key.expose().as_bytes())?;
            let judge = GuestJudge::new(Arc::clone(&self.policy), pool.rules.clone());
            self.network.client_showing(judge, &pool.share, identity).map(Arc::new)
        };
        clients.try_get_with(shown.certificate.id.clone(), made).map_err(|error| {
            tracing::error!(certificate = %shown.certificate.id, %error, "an mTLS certificate cannot be shown");
            BodyError::InternalError(Some("the mTLS certificate cannot be shown".to_owned()))
        })
    }
}

impl Egress for NetworkEgress {
    fn send(
        &self,
        sender: Sender,
        mut outbound: OutboundRequest,
    ) -> BoxFuture<'static, Result<Response<Body>, BodyError>> {
        let pool = self.pool(&sender);
        let client = match self.client(&pool, &mut outbound.request) {
            Ok(client) => client,
            Err(error) => return async { Err(error) }.boxed(),
        };
        let waits = waits(&self.config, &outbound);
        let between_bytes = shorter(self.config.between_bytes_timeout, outbound.between_bytes_timeout);
        let mut account = Account::begin(&self.figures);
        async move {
            let Answered { response, in_use } =
                match pool.respond(&client, &sender, waits, outbound.request).await {
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
            let body = answer::body(body, between_bytes, account, in_use);
            Ok(Response::from_parts(head, body))
        }
        .boxed()
    }
}

/// How long a request waits for what.
fn waits(config: &EgressConfig, outbound: &OutboundRequest) -> Waits {
    // Each of its steps has a time of its own, the wait for a place included.
    let connect = config.connect_timeout * 2 + config.tls_timeout + config.dns_timeout;
    Waits {
        connect: shorter(connect, outbound.connect_timeout),
        first_byte: shorter(config.first_byte_timeout, outbound.first_byte_timeout),
    }
}

/// A guest can shorten a time, never lengthen it.
fn shorter(own: Duration, asked: Option<Duration>) -> Duration {
    asked.map_or(own, |asked| own.min(asked))
}

impl Pool {
    fn new(
        network: &Network,
        policy: &Arc<Policy>,
        figures: &EgressFigures,
        most: usize,
        rules: Option<Arc<EgressRules>>,
    ) -> Self {
        let share = network.share(most);
        let judge = GuestJudge::new(Arc::clone(policy), rules.clone());
        let client = Arc::new(network.client_with(judge, &share));
        Self { client, share, showing: OnceLock::new(), figures: figures.clone(), rules }
    }

    /// Sends, and waits for the head of the response.
    async fn respond(
        &self,
        client: &Client<GuestJudge, Body>,
        sender: &Sender,
        waits: Waits,
        mut request: Request<Body>,
    ) -> Result<Answered, BodyError> {
        let asker = request.extensions_mut().remove::<Asker>();
        let host = asker.as_ref().and_then(|_| request.uri().authority().cloned());
        let answered = client.send(prepared(request)?, waits).await;
        let answered = answered.map_err(|failed| self.failed(sender, asker, host.as_ref(), &failed))?;
        // Nobody asked for another protocol.
        if answered.response.status() == StatusCode::SWITCHING_PROTOCOLS {
            return Err(BodyError::HttpUpgradeFailed);
        }
        Ok(answered)
    }

    /// What the guest is told; the operator is told who asked for what, and why it did not go out.
    fn failed(
        &self,
        sender: &Sender,
        asker: Option<Asker>,
        host: Option<&Authority>,
        failed: &NoAnswer,
    ) -> BodyError {
        if let Some(refused) = failed.no_connection::<GuestJudge>() {
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
                self.figures.refused(denied);
            }
        }
        answer::code_of(failed)
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
    Ok(request.map(with_clean_trailers))
}

#[cfg(test)]
mod tests;
