//! Sends a guest's request over a pooled connection. Follows no redirect, keeps no cookie, reads no proxy
//! from the environment; the Host field comes from the URL and nowhere else.

use std::error::Error as _;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use http::uri::Scheme;
use http::{Request, Response, StatusCode, Version, header};
use hyper_util::client::legacy::connect::capture_connection;
use hyper_util::client::legacy::{self, Client};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::{ClientConfig, RootCertStore};
use tokio::sync::Semaphore;
use tokio_rustls::TlsConnector;
use wasmyard_runtime::{Body, BodyError, OutboundRequest};

use super::connect::{Connector, Gate, NoConnection};
use super::policy::Policy;
use super::resolver::{NameServers, Resolve};
use super::{Egress, EgressError, upload};
use crate::head::strip_hop_by_hop;
use crate::paced::{Fault, paced};

/// Times and sizes of egress.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EgressConfig {
    /// Where requests may go.
    pub policy: Policy,
    /// Longest wait for an answer of the name servers.
    pub dns_timeout: Duration,
    /// Longest wait for a connection.
    pub connect_timeout: Duration,
    /// Longest wait for the TLS handshake.
    pub tls_timeout: Duration,
    /// Longest wait for the head of a response, counted from the last piece of the request.
    pub first_byte_timeout: Duration,
    /// Longest pause of a response's body.
    pub between_bytes_timeout: Duration,
    /// How long a connection may be kept without use.
    pub pool_idle: Duration,
    /// The most connections to one authority that are kept without use.
    pub pool_connections: usize,
    /// The most connections at once, in use or kept. Where they get scarce, none is kept any more.
    pub max_connections: usize,
    /// The most bytes of a response's head.
    pub max_header_bytes: usize,
    /// The most fields of a response's head.
    pub max_headers: usize,
}

impl Default for EgressConfig {
    fn default() -> Self {
        Self {
            policy: Policy::default(),
            dns_timeout: Duration::from_secs(5),
            connect_timeout: Duration::from_secs(5),
            tls_timeout: Duration::from_secs(5),
            first_byte_timeout: Duration::from_secs(60),
            between_bytes_timeout: Duration::from_secs(60),
            pool_idle: Duration::from_secs(60),
            pool_connections: 32,
            max_connections: 1_024,
            max_header_bytes: 64 << 10,
            max_headers: 128,
        }
    }
}

/// Egress to the network, through the policy.
pub struct NetworkEgress {
    client: Client<Connector, Body>,
    places: Arc<Semaphore>,
    /// With fewer places than this, connections are closed after use.
    scarce: usize,
    connect_timeout: Duration,
    first_byte_timeout: Duration,
    between_bytes_timeout: Duration,
}

impl NetworkEgress {
    /// Reads the machine's name servers and trusted roots. Needs a tokio runtime.
    ///
    /// # Errors
    ///
    /// [`EgressError`] when TLS cannot be set up.
    pub fn new(config: EgressConfig) -> Result<Self, EgressError> {
        let resolver = NameServers::of_this_machine(config.dns_timeout);
        Self::with_resolver(config, Box::new(resolver), trusted_roots())
    }

    pub(super) fn with_resolver(
        config: EgressConfig,
        resolver: Box<dyn Resolve>,
        roots: RootCertStore,
    ) -> Result<Self, EgressError> {
        let places = Arc::new(Semaphore::new(config.max_connections.min(Semaphore::MAX_PERMITS)));
        let gate = Arc::new(Gate {
            policy: config.policy,
            places: Arc::clone(&places),
            resolver,
            tls: tls(roots)?,
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
            .build(Connector(gate));
        Ok(Self {
            client,
            places,
            scarce: config.max_connections.div_ceil(4),
            connect_timeout: config.connect_timeout + config.tls_timeout + config.dns_timeout,
            first_byte_timeout: config.first_byte_timeout,
            between_bytes_timeout: config.between_bytes_timeout,
        })
    }
}

impl Egress for NetworkEgress {
    fn send(&self, outbound: OutboundRequest) -> BoxFuture<'static, Result<Response<Body>, BodyError>> {
        // A guest can shorten a time, never lengthen it.
        let shorter = |own: Duration, asked: Option<Duration>| asked.map_or(own, |asked| own.min(asked));
        let connect = shorter(self.connect_timeout, outbound.connect_timeout);
        let first_byte = shorter(self.first_byte_timeout, outbound.first_byte_timeout);
        let between_bytes = shorter(self.between_bytes_timeout, outbound.between_bytes_timeout);
        let request = match prepared(outbound.request) {
            Ok(request) => request,
            Err(error) => return async { Err(error) }.boxed(),
        };
        let (mut request, progress) = upload::watched(request);
        let mut connection = capture_connection(&mut request);
        let response = self.client.request(request);
        let (places, scarce) = (Arc::clone(&self.places), self.scarce);
        async move {
            let mut response = pin!(response);
            let connecting = async {
                tokio::select! {
                    biased;
                    response = &mut response => Some(response),
                    connection = connection.wait_for_connection_metadata() => {
                        // Kept connections must not keep others from being made. Said before the answer is
                        // there: a short one gives the connection back at once.
                        if places.available_permits() < scarce && let Some(connection) = &*connection {
                            connection.poison();
                        }
                        None
                    }
                }
            };
            let connected =
                tokio::time::timeout(connect, connecting).await.map_err(|_| BodyError::ConnectionTimeout)?;
            let response = match connected {
                Some(response) => response,
                None => progress.bounded(response, first_byte).await.ok_or(BodyError::HttpResponseTimeout)?,
            };
            let response = response.map_err(|error| client_error(&error))?;
            if response.status() == StatusCode::SWITCHING_PROTOCOLS {
                return Err(BodyError::HttpUpgradeFailed);
            }
            let (mut head, body) = response.into_parts();
            strip_hop_by_hop(&mut head.headers);
            let body = paced(body, between_bytes, |fault| match fault {
                Fault::Stalled => BodyError::ConnectionReadTimeout,
                Fault::Broken(error) => hyper_error(&error),
            });
            Ok(Response::from_parts(head, body))
        }
        .boxed()
    }
}

/// The request as it goes out: an absolute http or https URL, nothing that belongs to another hop.
fn prepared(mut request: Request<Body>) -> Result<Request<Body>, BodyError> {
    let scheme = request.uri().scheme();
    if scheme != Some(&Scheme::HTTP) && scheme != Some(&Scheme::HTTPS) {
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

fn client_error(error: &legacy::Error) -> BodyError {
    let mut cause = error.source();
    while let Some(error) = cause {
        if let Some(refused) = error.downcast_ref::<NoConnection>() {
            tracing::info!(target: "wasmyard::egress", %refused, "a request of a script did not go out");
            return refused.code();
        }
        if let Some(error) = error.downcast_ref::<hyper::Error>() {
            return hyper_error(error);
        }
        cause = error.source();
    }
    BodyError::ConnectionTerminated
}

fn hyper_error(error: &hyper::Error) -> BodyError {
    if error.is_parse_too_large() {
        BodyError::HttpResponseHeaderSectionSize(None)
    } else if error.is_incomplete_message() || ended_early(error) {
        BodyError::HttpResponseIncomplete
    } else if error.is_timeout() {
        BodyError::HttpResponseTimeout
    } else if error.is_parse() {
        BodyError::HttpProtocolError
    } else {
        BodyError::ConnectionTerminated
    }
}

/// Whether the connection ended in the middle of a body.
fn ended_early(error: &hyper::Error) -> bool {
    let mut cause = error.source();
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<std::io::Error>() {
            return error.kind() == std::io::ErrorKind::UnexpectedEof;
        }
        cause = error.source();
    }
    false
}

fn tls(roots: RootCertStore) -> Result<TlsConnector, EgressError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| EgressError::Tls(error.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(TlsConnector::from(Arc::new(config)))
}

/// The machine's trusted roots, or those that came with this build where the machine has none.
fn trusted_roots() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    let found = rustls_native_certs::load_native_certs();
    let (added, _unusable) = roots.add_parsable_certificates(found.certs);
    if added == 0 {
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    }
    roots
}

#[cfg(test)]
mod tests;
