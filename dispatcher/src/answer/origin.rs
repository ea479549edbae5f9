//! Answers with an HTTP server outside: [`Origins::answer`] is the way of one request to an origin and back.
//!
//! `choice` says which way it goes, by the settings of the zone; `judge` what may be reached; `fault` what a
//! visitor is told when there is no answer; `account` notes what came of it. Connections are made and kept by `edge/net`.
//! Follows no redirect and keeps no answer: what the origin says is the visitor's.

mod account;
mod choice;
mod config;
mod fault;
mod judge;
mod shared;

use std::net::IpAddr;
use std::sync::Arc;

use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::uri::Scheme;
use http::{Request, Response, StatusCode, Uri, Version, request};
use moka::sync::Cache;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use wasmyard_namespaces::domain::Domain;
use wasmyard_namespaces::ids::ZoneId;
use wasmyard_namespaces::registry::Registry;
use wasmyard_namespaces::zone::OriginPlace;
use wasmyard_net::{
    Answered, Client, InUse, NameServers, Network, Resolve, Share, TlsError, Waits, Way, trusted,
};
use wasmyard_runtime::body::inspected;
use wasmyard_runtime::{Body, BodyError};

use crate::egress;
use crate::head::{self, strip_hop_by_hop, with_clean_trailers};
use crate::paced::{Fault as BodyFault, paced};
use crate::respond::{OriginFault, Refusal};
use crate::visit::{Visit, VisitLog};
use crate::zone::Sought;
use account::Account;
use fault::Fault;
use judge::ZoneJudge;
use shared::Shared;

pub(crate) use account::OriginFigures;
pub use config::OriginsConfig;

/// Ways whose connections are kept at the same time.
const MOST_WAYS: u64 = 10_000;
/// How often a request may have passed a platform like this one. More is a circle.
const MOST_PASSES: usize = 4;
/// How this platform is called where requests say what they passed (RFC 8586).
const PASSED: HeaderValue = HeaderValue::from_static("wasmyard");
const CDN_LOOP: HeaderName = HeaderName::from_static("cdn-loop");

/// The origins of this node's zones.
pub(crate) struct Origins {
    config: OriginsConfig,
    registry: Registry,
    network: Network,
    judge: ZoneJudge,
    figures: OriginFigures,
    /// Kept connections. None is used for what goes another way, or for another origin or zone.
    ways: Cache<(ZoneId, Domain, Way), Arc<Connections>>,
    /// Places for connections, by origin.
    shares: Shared<(ZoneId, Domain), Share>,
    /// Places for requests, by zone.
    zones: Shared<ZoneId, Semaphore>,
}

/// A request for an origin: a visitor's, or a script's for a host of its zone.
pub(crate) struct ForOrigin {
    pub(crate) head: request::Parts,
    pub(crate) body: Body,
    /// The host that was asked for.
    pub(crate) host: Arc<str>,
    /// The visitor.
    pub(crate) client: IpAddr,
    pub(crate) ray_id: Arc<str>,
    /// The visit that it is for; none where no visitor asked.
    pub(crate) log: Option<Arc<VisitLog>>,
}

impl From<Visit<Body>> for ForOrigin {
    fn from(visit: Visit<Body>) -> Self {
        let Visit { head, body, client, host, log, .. } = visit;
        let ray_id = Arc::clone(&log.trace.ray_id);
        Self { head, body, host, client: client.address, ray_id, log: Some(log) }
    }
}

/// Connections that go one way.
struct Connections {
    client: Client<ZoneJudge, Body>,
    /// Known for as long as anybody has connections to the origin.
    #[cfg_attr(not(test), expect(dead_code, reason = "kept for others to find"))]
    share: Arc<Share>,
}

impl Origins {
    /// Reads the machine's name servers and trusted roots. Needs a tokio runtime.
    pub(crate) fn new(
        config: OriginsConfig,
        registry: Registry,
        figures: OriginFigures,
    ) -> Result<Self, TlsError> {
        let resolver = Arc::new(NameServers::new(&config.name_servers, config.dns_timeout));
        Self::with(config, registry, figures, resolver)
    }

    fn with(
        config: OriginsConfig,
        registry: Registry,
        figures: OriginFigures,
        resolver: Arc<dyn Resolve>,
    ) -> Result<Self, TlsError> {
        let roots = trusted(config.roots, &config.extra_roots);
        let network = Network::new(config.network(), resolver, roots, figures.network.clone())?;
        let judge = ZoneJudge::new(&config);
        let ways = Cache::builder().max_capacity(MOST_WAYS).time_to_idle(config.pool_idle * 2).build();
        let (shares, zones) = (Shared::default(), Shared::default());
        Ok(Self { config, registry, network, judge, figures, ways, shares, zones })
    }

    /// Answers a request with what its origin says.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future, or the body of the answer, ends the request to the origin.
    pub(crate) async fn answer(&self, asked: ForOrigin, sought: Sought) -> Result<Response<Body>, Refusal> {
        let place = self.registry.origin_place(&sought.zone.id, sought.name.as_str(), sought.own).await;
        let place = place.map_err(|error| {
            tracing::error!(%error, "where an origin is cannot be found out");
            Refusal::unknown_host()
        })?;
        if place.is_none() && sought.own {
            return Err(Refusal::no_route(&asked.host));
        }
        let log = asked.log.clone();
        let mut account = Account::begin(&self.figures, log.clone(), &sought.name);
        match self.asked(asked, &sought, place).await {
            Ok((answered, place)) => {
                account.answered(answered.response.status());
                Ok(self.handed_over(answered, account, place))
            }
            Err(fault) => {
                account.failed(&fault);
                // What the visitor broke off is no fault of the origin's.
                Err(log
                    .and_then(|log| log.upload_fault())
                    .map_or_else(|| Refusal::from(fault.told), Refusal::of_upload))
            }
        }
    }

    /// Sends the request, and waits for the head of the answer.
    async fn asked(
        &self,
        asked: ForOrigin,
        sought: &Sought,
        place: Option<OriginPlace>,
    ) -> Result<(Answered, OwnedSemaphorePermit), Fault> {
        if passes(&asked.head.headers) >= MOST_PASSES {
            return Err(Fault::new(OriginFault::Prohibited, "the request goes in a circle"));
        }
        let place = place.ok_or_else(|| Fault::new(OriginFault::Dns, "it has no proxied DNS record"))?;
        let way = choice::way(sought, &asked.host, place, &self.config)?;
        // Before any connection: those of one zone leave room for the others.
        let permit = self.place(&sought.zone.id).await?;
        let secure = way.handshake.is_some();
        let connections = self.connections(sought, way);
        let request = prepared(asked, &sought.name, secure)?;
        let waits = Waits {
            // Each of its steps has a time of its own, the wait for a place included.
            connect: self.config.connect_timeout * 2 + self.config.tls_timeout + self.config.dns_timeout,
            first_byte: self.config.first_byte_timeout,
        };
        let answered = connections.client.send(request, waits).await.map_err(|failed| Fault::of(&failed))?;
        if answered.response.status() == StatusCode::SWITCHING_PROTOCOLS {
            return Err(Fault::new(OriginFault::Unknown, "it switched to a protocol that nobody asked for"));
        }
        Ok((answered, permit))
    }

    /// Waits for a place among the requests of a zone.
    async fn place(&self, zone: &ZoneId) -> Result<OwnedSemaphorePermit, Fault> {
        let places =
            self.zones.of(zone, || Semaphore::new(self.config.max_per_zone.min(Semaphore::MAX_PERMITS)));
        let place = tokio::time::timeout(self.config.connect_timeout, places.acquire_owned()).await;
        let place = place.ok().and_then(Result::ok);
        place.ok_or_else(|| {
            Fault::new(OriginFault::Busy, "as many requests of its zone are under way as may be")
        })
    }

    fn connections(&self, sought: &Sought, way: Way) -> Arc<Connections> {
        let origin = (sought.zone.id.clone(), sought.name.clone());
        self.ways.get_with((origin.0.clone(), origin.1.clone(), way.clone()), || {
            let share = self.shares.of(&origin, || self.network.share(self.config.max_per_origin));
            let client = self.network.client_to(self.judge.clone(), &share, way);
            Arc::new(Connections { client, share })
        })
    }

    /// The answer as the visitor gets it. Until its body ends, its connection and its place are in use.
    fn handed_over(
        &self,
        answered: Answered,
        mut account: Account,
        place: OwnedSemaphorePermit,
    ) -> Response<Body> {
        let Answered { response, in_use } = answered;
        let (mut head, body) = response.into_parts();
        strip_hop_by_hop(&mut head.headers);
        // It speaks of ports of another machine.
        head.headers.remove(header::ALT_SVC);
        head.extensions.clear();
        head.version = Version::HTTP_11;
        if http_body::Body::is_end_stream(&body) {
            account.succeeded();
        }
        let body = paced(body, self.config.between_bytes_timeout, None, |fault| match fault {
            BodyFault::Stalled => BodyError::ConnectionReadTimeout,
            BodyFault::Broken(error) => egress::body_error(wasmyard_net::Fault::of(&error)),
        });
        Response::from_parts(head, accounted(body, account, in_use, place))
    }
}

/// The body, whose end is noted, and for which its connection and its place are held until then.
fn accounted(body: Body, mut account: Account, in_use: Option<InUse>, place: OwnedSemaphorePermit) -> Body {
    inspected(body, move |frame, is_last| {
        let _until_dropped = (&in_use, &place);
        match frame {
            None => account.succeeded(),
            Some(Err(_)) => account.cut(),
            Some(Ok(_)) if is_last => account.succeeded(),
            Some(Ok(_)) => {}
        }
    })
}

/// The request as it goes out: for the host that the visitor asked for, with what is known of the visitor.
fn prepared(asked: ForOrigin, origin: &Domain, secure: bool) -> Result<Request<Body>, Fault> {
    let unsendable = || Fault::new(OriginFault::Unknown, "the request cannot be sent");
    let ForOrigin { mut head, body, client, ray_id, .. } = asked;
    head::introduce(&mut head, client, &ray_id);
    let host = head.uri.authority().and_then(|host| HeaderValue::from_str(host.as_str()).ok());
    head.headers.insert(header::HOST, host.ok_or_else(unsendable)?);
    head.headers.append(CDN_LOOP, PASSED);
    // Only its path goes out; the name is that of the connection.
    let mut uri = std::mem::take(&mut head.uri).into_parts();
    uri.scheme = Some(if secure { Scheme::HTTPS } else { Scheme::HTTP });
    uri.authority = origin.as_str().parse().ok();
    head.uri = Uri::from_parts(uri).map_err(|_| unsendable())?;
    head.version = Version::HTTP_11;
    head.extensions.clear();
    Ok(Request::from_parts(head, with_clean_trailers(body)))
}

/// How often the request has passed a platform like this one.
fn passes(headers: &HeaderMap) -> usize {
    let values = headers.get_all(CDN_LOOP).iter().filter_map(|value| value.to_str().ok());
    let names = values.flat_map(|value| value.split(',')).filter_map(|one| one.split(';').next());
    names.filter(|name| PASSED == name.trim().to_ascii_lowercase().as_str()).count()
}

#[cfg(test)]
mod tests;
