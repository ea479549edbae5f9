//! Requests over kept connections. Follows no redirect, keeps no cookie, reads no proxy from the environment.
//!
//! An origin may close a kept connection in the very moment in which a request is sent over it, and nobody can tell that
//! from one that it read and will not answer. Where reading it twice does no harm, it is sent once more.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body as HttpBody;
use hyper::body::Incoming;
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::{CaptureConnection, capture_connection};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::RootCertStore;
use tokio::time::Instant;
use tokio_rustls::TlsConnector;

use crate::config::NetworkConfig;
use crate::connect::{Connector, ConnectorParts, Judge, NoConnection, Use};
use crate::fault::{Fault, causes};
use crate::figures::NetworkFigures;
use crate::kept::{IdleConnections, InUse};
use crate::places::{Bounded, Places};
use crate::progress::{Upload, watched};
use crate::resolver::Resolve;
use crate::tls::{Handshakes, Identity, TlsError};
use crate::way::Way;

/// What an HTTP/2 origin may send ahead of its reader: on one stream, and on one connection.
const STREAM_WINDOW: u32 = 256 << 10;
const CONNECTION_WINDOW: u32 = 1 << 20;

/// What the connections of all senders share: times, sizes, how many there may be, who is believed, what is counted.
#[derive(Clone)]
pub struct Network {
    config: Arc<NetworkConfig>,
    resolver: Arc<dyn Resolve>,
    tls: Handshakes,
    figures: NetworkFigures,
    all: Bounded,
    kept: Arc<IdleConnections>,
}

/// Places for connections that several clients share: an origin has so many of them, whatever is asked for in handshakes
/// with it.
#[derive(Clone)]
pub struct Share(Arc<Places>);

impl Network {
    /// Opens nothing yet.
    ///
    /// # Errors
    ///
    /// When TLS cannot be set up.
    pub fn new(
        config: NetworkConfig,
        resolver: Arc<dyn Resolve>,
        roots: RootCertStore,
        figures: NetworkFigures,
    ) -> Result<Self, TlsError> {
        let all = Bounded::new(config.max_connections);
        let tls = Handshakes::new(roots)?;
        Ok(Self { config: Arc::new(config), resolver, tls, figures, all, kept: Arc::default() })
    }

    /// Places for `most` connections at once.
    #[must_use]
    pub fn share(&self, most: usize) -> Share {
        Share(Arc::new(Places::new(
            self.all.clone(),
            Bounded::new(most),
            self.config.max_connections_per_host,
            Arc::clone(&self.kept),
        )))
    }

    /// The connections of a sender: `most` at once, to what its judge lets through of what URIs name.
    pub fn client<J, B>(&self, judge: J, most: usize) -> Client<J, B>
    where
        J: Judge,
        B: HttpBody<Data = Bytes, Error: Into<Box<dyn std::error::Error + Send + Sync>>>
            + Send
            + Unpin
            + 'static,
    {
        self.client_over(judge, &self.share(most), None, None)
    }

    /// The same, in places that other clients have as well.
    pub fn client_with<J, B>(&self, judge: J, share: &Share) -> Client<J, B>
    where
        J: Judge,
        B: HttpBody<Data = Bytes, Error: Into<Box<dyn std::error::Error + Send + Sync>>>
            + Send
            + Unpin
            + 'static,
    {
        self.client_over(judge, share, None, None)
    }

    /// The connections that go one way, whatever the URIs of requests name, to what its judge lets through. They are never
    /// used for what goes another way, and speak HTTP/1.1: over HTTP/2 the URI would say whom the request is for.
    pub fn client_to<J, B>(&self, judge: J, share: &Share, way: Way) -> Client<J, B>
    where
        J: Judge,
        B: HttpBody<Data = Bytes, Error: Into<Box<dyn std::error::Error + Send + Sync>>>
            + Send
            + Unpin
            + 'static,
    {
        self.client_over(judge, share, Some(way), None)
    }

    /// The connections that show a certificate, to what its judge lets through of what URIs name. They are never used for a
    /// client that shows another, or none.
    ///
    /// # Errors
    ///
    /// [`TlsError::Setup`] when the certificate and its key are not of each other, or of a kind that nothing signs with.
    pub fn client_showing<J, B>(
        &self,
        judge: J,
        share: &Share,
        identity: Identity,
    ) -> Result<Client<J, B>, TlsError>
    where
        J: Judge,
        B: HttpBody<Data = Bytes, Error: Into<Box<dyn std::error::Error + Send + Sync>>>
            + Send
            + Unpin
            + 'static,
    {
        let tls = self.tls.showing(identity)?;
        Ok(self.client_over(judge, share, None, Some(tls)))
    }

    fn client_over<J, B>(
        &self,
        judge: J,
        share: &Share,
        way: Option<Way>,
        tls: Option<TlsConnector>,
    ) -> Client<J, B>
    where
        J: Judge,
        B: HttpBody<Data = Bytes, Error: Into<Box<dyn std::error::Error + Send + Sync>>>
            + Send
            + Unpin
            + 'static,
    {
        let config = &self.config;
        let connector = Connector::new(ConnectorParts {
            judge,
            places: Arc::clone(&share.0),
            resolver: Arc::clone(&self.resolver),
            tls: tls.unwrap_or_else(|| self.tls.on(way.as_ref()).clone()),
            way,
            figures: self.figures.clone(),
            connect_timeout: config.connect_timeout,
            tls_timeout: config.tls_timeout,
        });
        let mut builder = legacy::Client::builder(TokioExecutor::new());
        builder
            .timer(TokioTimer::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(config.pool_idle)
            .pool_max_idle_per_host(config.pool_connections)
            .http1_max_headers(config.max_headers)
            .http1_max_buf_size(config.max_header_bytes)
            .http2_max_header_list_size(u32::try_from(config.max_header_bytes).unwrap_or(u32::MAX))
            .http2_initial_stream_window_size(STREAM_WINDOW)
            .http2_initial_connection_window_size(CONNECTION_WINDOW)
            .http2_max_send_buf_size(STREAM_WINDOW as usize);
        let pooled = builder.build(connector.clone());
        let fresh = builder.pool_max_idle_per_host(0).build(connector);
        Client { pooled, fresh, figures: self.figures.clone() }
    }
}

/// The connections of one sender, and requests over them.
pub struct Client<J: Judge, B> {
    pooled: Pooled<J, B>,
    /// Has each request opened a connection of its own.
    fresh: Pooled<J, B>,
    figures: NetworkFigures,
}

type Pooled<J, B> = legacy::Client<Connector<J>, Upload<B>>;

/// How long a request waits for what.
#[derive(Debug, Clone, Copy)]
pub struct Waits {
    /// For a connection, from the look-up of the name to the end of the handshake.
    pub connect: Duration,
    /// For the head of the answer, from the last piece of the request on.
    pub first_byte: Duration,
}

/// The head of an answer, and its body to come.
pub struct Answered {
    /// As the origin sent it.
    pub response: Response<Incoming>,
    /// To be kept until nobody reads on: the connection is in use until then.
    pub in_use: Option<InUse>,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum NoAnswer {
    /// There was no connection in time.
    #[error("no connection in time")]
    ConnectTimeout,
    /// The request went out, and nothing came for too long.
    #[error("no answer in time")]
    ResponseTimeout,
    /// There was no connection, or it failed.
    #[error(transparent)]
    Failed(legacy::Error),
}

impl NoAnswer {
    /// Why there is no connection, where that is why; `J` is the judge of the client.
    pub fn no_connection<J: Judge>(&self) -> Option<&NoConnection<J::Denied>> {
        match self {
            Self::ConnectTimeout | Self::ResponseTimeout => None,
            Self::Failed(error) => causes(error).find_map(|cause| cause.downcast_ref()),
        }
    }

    /// Why there is none, in a sentence: what the judge says before what the library makes of it.
    pub fn told<J: Judge>(&self) -> String {
        self.no_connection::<J>().map_or_else(|| self.to_string(), ToString::to_string)
    }

    /// How the answer failed where there was a connection.
    pub fn fault(&self) -> Fault {
        match self {
            Self::ConnectTimeout | Self::ResponseTimeout => Fault::Timeout,
            Self::Failed(error) => {
                let told = causes(error).find_map(|cause| cause.downcast_ref());
                told.map_or(Fault::Terminated, Fault::of)
            }
        }
    }
}

impl<J, B> Client<J, B>
where
    J: Judge,
    B: HttpBody<Data = Bytes, Error: Into<Box<dyn std::error::Error + Send + Sync>>>
        + Default
        + Send
        + Unpin
        + 'static,
{
    /// Sends a request with an absolute URI, and waits for the head of the answer.
    ///
    /// # Errors
    ///
    /// [`NoAnswer`] when there is none.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future ends the request; its connection is used again only where HTTP allows that.
    pub async fn send(&self, request: Request<B>, waits: Waits) -> Result<Answered, NoAnswer> {
        let again = repeatable(&request);
        let begun = Instant::now();
        match (self.once(&self.pooled, request, waits).await, again) {
            (Err(Lost { why: _, unheard: true }), Some(again)) => {
                let first_byte = waits.first_byte.saturating_sub(begun.elapsed());
                let answered = self.once(&self.fresh, again, Waits { first_byte, ..waits }).await;
                answered.map_err(|lost| lost.why)
            }
            (answered, _) => answered.map_err(|lost| lost.why),
        }
    }

    async fn once(&self, over: &Pooled<J, B>, request: Request<B>, waits: Waits) -> Result<Answered, Lost> {
        let (mut request, progress) = watched(request);
        let mut connection = capture_connection(&mut request);
        let mut response = pin!(over.request(request));
        let connecting = async {
            tokio::select! {
                biased;
                response = &mut response => Some(response),
                _connected = connection.wait_for_connection_metadata() => None,
            }
        };
        let answered = tokio::time::timeout(waits.connect, connecting).await;
        let in_use = self.in_use(&connection);
        let response = match answered.map_err(|_elapsed| NoAnswer::ConnectTimeout)? {
            Some(response) => response,
            None => {
                let answered = progress.bounded(response, waits.first_byte).await;
                answered.ok_or(NoAnswer::ResponseTimeout)?
            }
        };
        match response {
            Ok(response) => Ok(Answered { response, in_use }),
            Err(error) => {
                let silent = |in_use: &InUse| in_use.is_again() && in_use.heard_nothing();
                let unheard = progress.was_empty() && in_use.as_ref().is_some_and(silent);
                Err(Lost { why: NoAnswer::Failed(error), unheard })
            }
        }
    }

    /// Notes that the request's connection is in use, where it has one.
    fn in_use(&self, connection: &CaptureConnection) -> Option<InUse> {
        let mut extras = http::Extensions::new();
        connection.connection_metadata().as_ref()?.get_extras(&mut extras);
        let in_use = extras.get::<Use>()?.0.begin();
        if in_use.is_again() {
            self.figures.reused();
        }
        Some(in_use)
    }
}

/// A request that was not answered.
struct Lost {
    why: NoAnswer,
    /// Whether it had no body, and went over a connection that had served others and ended without a word.
    unheard: bool,
}

impl From<NoAnswer> for Lost {
    fn from(why: NoAnswer) -> Self {
        Self { why, unheard: false }
    }
}

/// The same request without a body, where it may be sent twice (RFC 9110 section 9.2.2). Whether it has a body is known
/// for certain only when that has ended.
fn repeatable<B: HttpBody + Default>(request: &Request<B>) -> Option<Request<B>> {
    if !request.method().is_idempotent() || request.body().size_hint().lower() > 0 {
        return None;
    }
    let mut again = Request::new(B::default());
    *again.method_mut() = request.method().clone();
    *again.uri_mut() = request.uri().clone();
    *again.version_mut() = request.version();
    *again.headers_mut() = request.headers().clone();
    Some(again)
}
