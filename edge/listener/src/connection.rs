//! A connection on which HTTP is spoken, from its first request to its end.

use std::convert::Infallible;
use std::error::Error;
use std::future::poll_fn;
use std::net::IpAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1::{self, UpgradeableConnection};
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tokio::sync::watch;

use crate::activity::Activity;
use crate::clients::Clients;
use crate::config::ListenerConfig;
use crate::exchange::{Client, Exchange, Handler};
use crate::figures::{Figures, Refused};
use crate::http2::Http2;
use crate::open::{self, NotOpened, Opened};
use crate::patience::{Patience, Patient};
use crate::places::Place;
use crate::proxies::Proxies;
use crate::received::Source;
use crate::socket::Socket;
use crate::transport::{Handshake, Rewound};

/// What hyper bounds the number of header fields to by itself.
const HYPERS_MAX_HEADERS: usize = 100;

/// How long a client that sends what nobody reads has to take its answer.
const LINGER: Duration = Duration::from_secs(5);
/// How long a client that sends no more is answered without taking a byte.
const HALF_CLOSED: Duration = Duration::from_secs(5);
/// How long a client that was told that no further request is wanted may keep silent.
const DRAINING: Duration = Duration::from_secs(1);

/// The most bytes that hyper keeps of one answer before it waits for the socket, and of what is read: a head must fit.
const BUFFER: usize = 128 << 10;

/// What all connections of a listener share.
pub(crate) struct Shared<H, T> {
    pub(crate) handler: Arc<H>,
    handshake: T,
    http1: http1::Builder,
    http2: Http2,
    patience: Patience,
    max_headers: usize,
    /// Whether an answer may change the protocol.
    upgrades: bool,
    pub(crate) proxies: Arc<Proxies>,
    proxy_protocol: bool,
    pub(crate) clients: Arc<Clients>,
    pub(crate) figures: Figures,
}

impl<H: Handler, T: Handshake> Shared<H, T> {
    pub(crate) fn new(
        handler: Arc<H>,
        handshake: T,
        config: &ListenerConfig,
        clients: Arc<Clients>,
        figures: Figures,
    ) -> Self {
        let mut http1 = http1::Builder::new();
        // Silence is bounded by `Patient`, for both protocols. It also sees who goes while being answered.
        http1.timer(TokioTimer::new()).header_read_timeout(None).half_close(true);
        http1.max_header_size(config.max_header_bytes).max_buf_size(BUFFER.max(config.max_header_bytes));
        // Told a number, hyper makes and fills two lists of that length for each request.
        if config.max_headers != HYPERS_MAX_HEADERS {
            http1.max_headers(config.max_headers);
        }
        let patience = patience(config);
        Self {
            handler,
            handshake,
            http1,
            http2: Http2::new(config),
            patience,
            max_headers: config.max_headers,
            upgrades: config.upgrades,
            proxies: Arc::new(config.proxies.clone()),
            proxy_protocol: config.proxy_protocol,
            clients,
            figures,
        }
    }

    /// Serves one connection to its end.
    pub(crate) async fn serve(
        self: Arc<Self>,
        stream: TcpStream,
        address: IpAddr,
        place: Place,
        mut drain: watch::Receiver<()>,
    ) {
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "TCP_NODELAY could not be set");
        }
        let mut place = place;
        let opened = {
            let opening = tokio::time::timeout(self.patience.head, self.open(stream, address, &mut place));
            tokio::select! {
                biased;
                // There is no request on it: nothing is lost.
                _told = drain.changed() => return,
                opened = opening => opened,
            }
        };
        // Otherwise it never said a word of HTTP.
        if let Ok(Ok(opened)) = opened
            && let Err(error) = self.converse(opened, drain).await
        {
            tracing::debug!(%error, "connection ended early");
        }
        drop(place);
    }

    /// What comes before HTTP. Nothing, if it must not go on: that was counted.
    async fn open(
        &self,
        stream: TcpStream,
        address: IpAddr,
        place: &mut Place,
    ) -> Result<Opened<T::Transport>, ()> {
        let opened = async {
            let (socket, peer) = if self.proxy_protocol && self.proxies.trusts(address) {
                open::proxied(Socket(stream), address).await?
            } else {
                (open::untouched(Socket(stream)), Client::at(address, false))
            };
            if peer.address != address && !place.enter(&self.clients, peer.address) {
                return Ok(None);
            }
            open::opened(&self.handshake, socket, peer).await.map(Some)
        };
        match opened.await {
            Ok(Some(opened)) => Ok(opened),
            Ok(None) => Err(()),
            Err(NotOpened::Broken(error)) => {
                tracing::debug!(%error, "connection ended before its first request");
                Err(())
            }
            Err(NotOpened::NoProxyHeader) => {
                self.figures.refused(Refused::ProxyHeader);
                tracing::warn!(
                    proxy = %address,
                    "a trusted proxy began a connection without a header of the PROXY protocol: turn it on there, or off here"
                );
                Err(())
            }
        }
    }

    async fn converse(
        self: &Arc<Self>,
        opened: Opened<T::Transport>,
        drain: watch::Receiver<()>,
    ) -> Result<(), Box<dyn Error + Send + Sync>> {
        let activity = Arc::new(Activity::new(self.figures.clone()));
        let exchange = Arc::new(Exchange {
            handler: Arc::clone(&self.handler),
            proxies: Arc::clone(&self.proxies),
            peer: opened.peer,
            activity: Arc::clone(&activity),
            max_headers: self.max_headers,
            upgrades: self.upgrades,
            slow_reader: self.patience.reader,
        });
        let transport: Rewound<T::Transport> = opened.transport;
        if opened.is_http2 {
            let patient = Patient::http2(transport, self.patience, activity, self.figures.clone());
            return Ok(self.http2.serve(patient, exchange, drain).await?);
        }
        let last = Arc::clone(&activity);
        let service = service_fn(move |request: Request<Incoming>| {
            let answered = exchange.begin(request.map(Source::Http1));
            async move { Ok::<_, Infallible>(answered.await) }
        });
        let patient = Patient::http1(transport, self.patience, activity);
        let connection = self.http1.serve_connection(TokioIo::new(patient), service);
        if self.upgrades {
            let end = UpgradeableConnection::graceful_shutdown;
            return Ok(drained(connection.with_upgrades(), end, &last, drain).await?);
        }
        Ok(drained(connection, http1::Connection::graceful_shutdown, &last, drain).await?)
    }
}

/// How long a connection may keep us waiting.
pub(crate) fn patience(config: &ListenerConfig) -> Patience {
    Patience {
        idle: config.idle_timeout,
        head: config.header_timeout,
        reader: config.slow_reader,
        linger: LINGER,
        half_closed: HALF_CLOSED,
        draining: DRAINING,
    }
}

/// Drives a connection to its end, and tells it by `end` when no further request is wanted.
async fn drained<C: Future>(
    connection: C,
    end: impl Fn(Pin<&mut C>),
    activity: &Activity,
    mut drain: watch::Receiver<()>,
) -> C::Output {
    let mut connection = pin!(connection);
    // What it holds of `drain` is what the listener waits for.
    let mut told = pin!(drain.changed());
    let mut is_told = false;
    poll_fn(|cx| {
        if !is_told && told.as_mut().poll(cx).is_ready() {
            is_told = true;
            activity.drain();
            end(connection.as_mut());
        }
        connection.as_mut().poll(cx)
    })
    .await
}
