//! The visitors' listener: accepts connections, bounds what a head may be and how long it may take, and
//! drains when asked to stop.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::Request;
use http_body::Body as _;
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::config::ServerConfig;
use crate::dispatch::{Dispatcher, Visitor};
use crate::observe::Metrics;
use crate::patience::{Activity, Patience, Patient};
use crate::slow::{Streams, Watch};
use crate::socket::Socket;

/// Pause after the system could not give a connection (no file descriptors, for example).
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// Connections that the kernel may hold for us until they are accepted.
const BACKLOG: u32 = 4096;

/// Opens the visitors' port.
///
/// # Errors
///
/// What the system says: in use, not allowed, no such address.
pub fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => tokio::net::TcpSocket::new_v4()?,
        SocketAddr::V6(_) => tokio::net::TcpSocket::new_v6()?,
    };
    // A restart must not wait for connections of the process before it.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Serves visitors until `stop` resolves; then takes no more, lets what is in flight finish for as long as
/// the configuration says, and returns.
pub async fn serve(
    listener: TcpListener,
    dispatcher: Arc<Dispatcher>,
    config: ServerConfig,
    stop: impl Future<Output = ()>,
) {
    let permits = Arc::new(Semaphore::new(config.max_connections));
    let graceful = GracefulShutdown::new();
    let protocols = Arc::new(Protocols::new(&config));
    let mut stop = std::pin::pin!(stop);
    loop {
        let accepted = tokio::select! {
            biased;
            () = &mut stop => break,
            accepted = accept(&listener, &permits) => accepted,
        };
        match accepted {
            Ok((stream, client, permit)) => {
                connection(stream, client, permit, &dispatcher, &protocols, graceful.watcher());
            }
            Err(error) => {
                tracing::warn!(%error, "could not accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    // From here on the port refuses.
    drop(listener);
    let drained = async {
        graceful.shutdown().await;
        // What scripts still do after their responses.
        dispatcher.idle().await;
    };
    tokio::select! {
        () = drained => tracing::info!("all connections are done"),
        () = tokio::time::sleep(config.drain) => {
            tracing::warn!(seconds = config.drain.as_secs_f64(), "what is left after the drain time is cut");
        }
    }
}

async fn accept(
    listener: &TcpListener,
    permits: &Arc<Semaphore>,
) -> io::Result<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
    let permit = Arc::clone(permits).acquire_owned().await.map_err(io::Error::other)?;
    let (stream, client) = listener.accept().await?;
    Ok((stream, client, permit))
}

/// What hyper bounds the number of header fields to by itself.
const HYPERS_MAX_HEADERS: usize = 100;

/// How long a client that sends what nobody reads has to take its answer.
const LINGER: Duration = Duration::from_secs(5);

/// The two protocols, bounded alike.
struct Protocols {
    http1: http1::Builder,
    http2: http2::Builder<Streams>,
    header_timeout: Duration,
    patience: Patience,
}

impl Protocols {
    fn new(config: &ServerConfig) -> Self {
        let mut http1 = http1::Builder::new();
        // Silence is bounded by `Patient`, for both protocols.
        http1.timer(TokioTimer::new()).header_read_timeout(None).max_header_size(config.max_header_bytes);
        // Told a number, hyper makes and fills two lists of that length for each request.
        if config.max_headers != HYPERS_MAX_HEADERS {
            http1.max_headers(config.max_headers);
        }
        let mut http2 = http2::Builder::new(Streams);
        http2
            .timer(TokioTimer::new())
            .max_header_list_size(u32::try_from(config.max_header_bytes).unwrap_or(u32::MAX))
            .max_concurrent_streams(config.max_streams)
            .keep_alive_interval(config.idle_timeout)
            .keep_alive_timeout(config.header_timeout);
        let patience = Patience {
            idle: config.idle_timeout,
            head: Some(config.header_timeout),
            reader: config.slow_reader,
            linger: LINGER,
        };
        Self { http1, http2, header_timeout: config.header_timeout, patience }
    }
}

/// Serves one connection in a task of its own.
fn connection(
    stream: TcpStream,
    client: SocketAddr,
    permit: OwnedSemaphorePermit,
    dispatcher: &Arc<Dispatcher>,
    protocols: &Arc<Protocols>,
    watcher: Watcher,
) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "TCP_NODELAY could not be set");
    }
    let open = Open::new(dispatcher.metrics(), permit);
    let dispatcher = Arc::clone(dispatcher);
    let protocols = Arc::clone(protocols);
    let activity = Arc::new(Activity::default());
    let slow_reader = protocols.patience.reader;
    let service = {
        let activity = Arc::clone(&activity);
        service_fn(move |request: Request<Incoming>| {
            let dispatcher = Arc::clone(&dispatcher);
            // Begins here: the head is complete. The rest runs in the stream's own task, where there are streams.
            let busy = activity.begin(!request.body().is_end_stream());
            async move {
                let watch = Watch::new(slow_reader);
                let visitor = Visitor { address: client.ip(), secure: false, busy, watch };
                Ok::<_, std::convert::Infallible>(dispatcher.handle(request, visitor).await)
            }
        })
    };
    tokio::spawn(async move {
        let ended = match tokio::time::timeout(protocols.header_timeout, speaks_http2(&stream)).await {
            Ok(Ok(true)) => {
                let patience = Patience { head: None, ..protocols.patience };
                let stream = TokioIo::new(Patient::new(Socket(stream), patience, activity));
                watcher.watch(protocols.http2.serve_connection(stream, service)).await
            }
            Ok(Ok(false)) => {
                let stream = TokioIo::new(Patient::new(Socket(stream), protocols.patience, activity));
                watcher.watch(protocols.http1.serve_connection(stream, service)).await
            }
            // It never said a word.
            Ok(Err(_)) | Err(_) => Ok(()),
        };
        if let Err(error) = ended {
            tracing::debug!(%error, "connection ended early");
        }
        drop(open);
    });
}

/// Whether the connection begins with the HTTP/2 preface (RFC 9113 section 3.4). No method of HTTP/1.1 is
/// called `PRI`, so its first three bytes decide; they stay in the socket.
async fn speaks_http2(stream: &TcpStream) -> io::Result<bool> {
    const BEGINS: &[u8] = b"PRI";
    let mut seen = [0; BEGINS.len()];
    loop {
        let length = stream.peek(&mut seen).await?;
        let seen = seen.get(..length).unwrap_or(&seen);
        if seen == BEGINS {
            return Ok(true);
        }
        if seen.is_empty() || !BEGINS.starts_with(seen) {
            return Ok(false);
        }
        // One or two bytes of it: peeking does not wait for more than there is.
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// An open connection: counted, and one of the places that there are.
struct Open {
    metrics: Arc<Metrics>,
    _permit: OwnedSemaphorePermit,
}

impl Open {
    fn new(metrics: &Arc<Metrics>, permit: OwnedSemaphorePermit) -> Self {
        metrics.connections.inc();
        metrics.connections_total.inc();
        Self { metrics: Arc::clone(metrics), _permit: permit }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.metrics.connections.dec();
    }
}
