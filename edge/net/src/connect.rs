//! Opens a connection: resolve, judge every address, connect to one that was judged, TLS. The only place where the data
//! plane opens sockets outwards.

use std::future::Future;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::Uri;
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpSocket;
use tokio::time::Instant;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use wasmyard_model::egress::{BadHost, Host, read_authority};

use crate::figures::{NetworkFigures, Opened};
use crate::kept::{Listed, Usage};
use crate::places::{ConnectionPermit, Places};
use crate::resolver::{NoAddress, Resolve};
use crate::way::{Handshake, Way};

type TcpStream = tokio::net::TcpStream;

/// Makes connections of one sender. Clones share everything.
pub(crate) struct Connector<J>(Arc<ConnectorParts<J>>);

/// What every connection of one sender passes.
pub(crate) struct ConnectorParts<J> {
    pub(crate) judge: J,
    /// One for each connection that may be open, whether it is in use or kept.
    pub(crate) places: Arc<Places>,
    pub(crate) resolver: Arc<dyn Resolve>,
    pub(crate) tls: TlsConnector,
    /// Where all of them go; none where each request's URI says it.
    pub(crate) way: Option<Way>,
    pub(crate) figures: NetworkFigures,
    pub(crate) connect_timeout: Duration,
    pub(crate) tls_timeout: Duration,
}

/// Decides what a sender may reach. Asked for every connection that is opened, before and after its name is looked up.
pub trait Judge: Send + Sync + 'static {
    /// Why something may not be reached.
    type Denied: std::error::Error + From<BadHost> + Send + Sync + 'static;

    /// Judges what can be judged before any name is resolved.
    ///
    /// # Errors
    ///
    /// Why this host may not be reached, or not on this port.
    fn target(&self, host: &Host, port: u16) -> Result<(), Self::Denied>;

    /// Judges one address behind a host, and returns it in the form to connect to. `is_local` says whether an address is
    /// one of this machine's.
    ///
    /// # Errors
    ///
    /// Why it may not be reached: then none of the host's addresses is.
    fn address(
        &self,
        host: &Host,
        address: IpAddr,
        port: u16,
        is_local: impl Fn(IpAddr) -> bool,
    ) -> Result<IpAddr, Self::Denied>;
}

/// Why there is no connection. `Display` is for the operator's log.
#[derive(Debug, thiserror::Error)]
pub enum NoConnection<D> {
    /// It may not be reached.
    #[error(transparent)]
    Denied(D),
    /// Its name has no address.
    #[error("no address: {0:?}")]
    NoAddress(NoAddress),
    /// As many connections are in use as may be.
    #[error("no connection to {0} may be opened as long as so many are in use")]
    Full(String),
    /// Nobody answered in time.
    #[error("connecting took too long")]
    Timeout,
    /// Nobody is there, or nobody takes the connection.
    #[error("not reachable: {0}")]
    Unreachable(io::Error),
    /// The handshake did not end in time.
    #[error("TLS took too long")]
    TlsTimeout,
    /// The handshake failed.
    #[error("TLS failed: {0}")]
    Tls(io::Error),
    /// The certificate is not believed.
    #[error("the certificate is not accepted: {0}")]
    Certificate(rustls::Error),
}

impl<J> Connector<J> {
    pub(crate) fn new(parts: ConnectorParts<J>) -> Self {
        Self(Arc::new(parts))
    }
}

impl<J> Clone for Connector<J> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<J: Judge> ConnectorParts<J> {
    async fn open(&self, target: &Uri) -> Result<Stream, NoConnection<J::Denied>> {
        let of_uri;
        let way = match &self.way {
            Some(way) => way,
            None => {
                of_uri = way_of(target).map_err(|bad| NoConnection::Denied(J::Denied::from(bad)))?;
                &of_uri
            }
        };
        let Way { host, addresses, port, handshake } = way;
        self.judge.target(host, *port).map_err(NoConnection::Denied)?;
        let permit = self.permit(host, *port).await?;
        let addresses = self.judged(host, addresses.as_deref(), *port).await?;
        let tcp =
            connect_to_any(&addresses, *port, self.connect_timeout).await.map_err(|error| {
                match error.kind() {
                    io::ErrorKind::TimedOut => NoConnection::Timeout,
                    _ => NoConnection::Unreachable(error),
                }
            })?;
        let opened = Opened::new(&self.figures);
        let wire = match handshake {
            Some(handshake) => self.encrypt(handshake.name.clone(), tcp).await?,
            None => Wire::Plain(tcp),
        };
        Ok(Stream { wire, listed: self.places.opened(), opened, _permit: permit })
    }

    /// Waits for a connection to be over where there are as many as there may be.
    async fn permit(&self, host: &Host, port: u16) -> Result<ConnectionPermit, NoConnection<J::Denied>> {
        let permit = tokio::time::timeout(self.connect_timeout, self.places.take(host, port)).await;
        permit.ok().flatten().ok_or_else(|| NoConnection::Full(format!("{host}:{port}")))
    }

    /// All addresses of a host, if every one of them may be reached. One that may not refuses the host: an
    /// answer that mixes public and private addresses is an attempt at something.
    async fn judged(
        &self,
        host: &Host,
        known: Option<&[IpAddr]>,
        port: u16,
    ) -> Result<Vec<IpAddr>, NoConnection<J::Denied>> {
        let found = match (known, host) {
            (Some(known), _) => known.to_vec(),
            (None, Host::Address(address)) => vec![*address],
            (None, Host::Name(name)) => {
                let began = Instant::now();
                let found = self.resolver.resolve(name.clone()).await;
                self.figures.looked_up(began.elapsed());
                let found = found.map_err(NoConnection::NoAddress)?;
                if found.is_empty() {
                    return Err(NoConnection::NoAddress(NoAddress::NotFound));
                }
                found
            }
        };
        let judged = |address| self.judge.address(host, address, port, is_local);
        found.into_iter().map(judged).collect::<Result<_, _>>().map_err(NoConnection::Denied)
    }

    async fn encrypt(
        &self,
        name: ServerName<'static>,
        tcp: TcpStream,
    ) -> Result<Wire, NoConnection<J::Denied>> {
        match tokio::time::timeout(self.tls_timeout, self.tls.connect(name, tcp)).await {
            Err(_elapsed) => Err(NoConnection::TlsTimeout),
            Ok(Ok(stream)) => Ok(Wire::Tls(Box::new(stream))),
            Ok(Err(error)) => Err(tls_failure(error)),
        }
    }
}

/// Where the connections for a URI go.
fn way_of(target: &Uri) -> Result<Way, BadHost> {
    let secure = target.scheme() == Some(&http::uri::Scheme::HTTPS);
    let authority = target.authority().ok_or(BadHost::Length)?;
    let (host, port) = read_authority(authority.as_str())?;
    let handshake = secure.then(|| Handshake::with(&host)).transpose()?;
    Ok(Way { host, addresses: None, port: port.unwrap_or(if secure { 443 } else { 80 }), handshake })
}

fn tls_failure<D>(error: io::Error) -> NoConnection<D> {
    let cause = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match cause {
        Some(rustls::Error::InvalidCertificate(_)) => {
            cause.cloned().map_or(NoConnection::Tls(error), NoConnection::Certificate)
        }
        _ => NoConnection::Tls(error),
    }
}

/// The first address that takes the connection. Each that does not answer gets its part of the time, so that one
/// that is dead does not use up that of the others.
async fn connect_to_any(addresses: &[IpAddr], port: u16, patience: Duration) -> io::Result<TcpStream> {
    let until = Instant::now() + patience;
    let mut last = io::Error::from(io::ErrorKind::AddrNotAvailable);
    for (address, left) in addresses.iter().zip((1..=addresses.len()).rev()) {
        let time = until.saturating_duration_since(Instant::now());
        let part = time / u32::try_from(left).unwrap_or(u32::MAX);
        let socket = match address {
            IpAddr::V4(_) => TcpSocket::new_v4()?,
            IpAddr::V6(_) => TcpSocket::new_v6()?,
        };
        match tokio::time::timeout(part, socket.connect(SocketAddr::new(*address, port))).await {
            Ok(Ok(stream)) => {
                stream.set_nodelay(true)?;
                return Ok(stream);
            }
            Ok(Err(error)) => last = error,
            Err(_elapsed) => last = io::ErrorKind::TimedOut.into(),
        }
    }
    Err(last)
}

/// Whether an address is one of this machine's. Asks the kernel for the way there, which sends nothing: the
/// way to oneself begins at the very address that it leads to. (Binding to the address would not do: a
/// machine can be told to let everybody bind to every address.)
fn is_local(address: IpAddr) -> bool {
    if address.is_loopback() || address.is_unspecified() {
        return true;
    }
    let any: IpAddr = match address {
        IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    /// Any port but 0 will do: nothing is sent to it.
    const DISCARD: u16 = 9;
    let way = UdpSocket::bind((any, 0)).and_then(|socket| {
        socket.connect((address, DISCARD))?;
        socket.local_addr()
    });
    way.is_ok_and(|from| from.ip() == address)
}

impl<J: Judge> tower_service::Service<Uri> for Connector<J> {
    type Response = TokioIo<Stream>;
    type Error = NoConnection<J::Denied>;
    type Future = Pin<Box<dyn Future<Output = Result<TokioIo<Stream>, NoConnection<J::Denied>>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), NoConnection<J::Denied>>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, target: Uri) -> Self::Future {
        let parts = Arc::clone(&self.0);
        Box::pin(async move { parts.open(&target).await.map(TokioIo::new) })
    }
}

/// A connection to an origin, and the place that it takes for as long as it is open.
pub(crate) struct Stream {
    wire: Wire,
    listed: Listed,
    opened: Opened,
    _permit: ConnectionPermit,
}

/// How the connection is used, for whoever sends a request over it.
#[derive(Clone)]
pub(crate) struct Use(pub(crate) Arc<Usage>);

enum Wire {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Connection for Stream {
    fn connected(&self) -> Connected {
        let connected = Connected::new().extra(Use(Arc::clone(&self.listed.usage)));
        match &self.wire {
            Wire::Tls(stream) if stream.get_ref().1.alpn_protocol() == Some(b"h2") => {
                connected.negotiated_h2()
            }
            Wire::Plain(_) | Wire::Tls(_) => connected,
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.listed.usage.ends(cx) {
            // As if the origin had ended it.
            return Poll::Ready(Ok(()));
        }
        let before = buffer.filled().len();
        let polled = match &mut self.wire {
            Wire::Plain(stream) => Pin::new(stream).poll_read(cx, buffer),
            Wire::Tls(stream) => Pin::new(stream).poll_read(cx, buffer),
        };
        let came = buffer.filled().len().saturating_sub(before);
        if came > 0 {
            self.opened.figures().received(came);
            self.listed.usage.hears();
        }
        polled
    }
}

impl AsyncWrite for Stream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let polled = match &mut self.wire {
            Wire::Plain(stream) => Pin::new(stream).poll_write(cx, bytes),
            Wire::Tls(stream) => Pin::new(stream).poll_write(cx, bytes),
        };
        if let Poll::Ready(Ok(written)) = &polled {
            self.opened.figures().sent(*written);
        }
        polled
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.wire {
            Wire::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Wire::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.wire {
            Wire::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Wire::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machines_addresses_are_known_and_others_are_not() {
        for own in ["127.0.0.1", "127.8.8.8", "::1", "0.0.0.0", "::"] {
            assert!(is_local(own.parse().unwrap()), "{own}");
        }
        for other in ["192.0.2.1", "8.8.8.8", "2001:db8::1"] {
            assert!(!is_local(other.parse().unwrap()), "{other}");
        }
    }

    #[tokio::test]
    async fn the_next_address_is_tried_where_one_refuses() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let open = listener.local_addr().unwrap();
        let closed = "127.77.0.1".parse().unwrap();
        let long = Duration::from_secs(30);
        let stream = connect_to_any(&[closed, open.ip()], open.port(), long).await.unwrap();
        assert_eq!(stream.peer_addr().unwrap(), open);
        let error = connect_to_any(&[closed], open.port(), long).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
        assert!(connect_to_any(&[], open.port(), long).await.is_err());
    }

    #[tokio::test]
    async fn an_address_that_does_not_answer_leaves_time_for_the_next() {
        // Nobody accepts there, and its queue is full: what comes after is not answered at all.
        let dead = TcpSocket::new_v4().unwrap();
        dead.bind("127.78.0.1:0".parse().unwrap()).unwrap();
        let dead = dead.listen(1).unwrap();
        let address = dead.local_addr().unwrap();
        let short = Duration::from_millis(300);
        let mut queued = Vec::new();
        while let Ok(stream) = connect_to_any(&[address.ip()], address.port(), short).await {
            queued.push(stream);
            assert!(queued.len() < 100, "the queue has no end");
        }
        let open = tokio::net::TcpListener::bind(("127.78.0.2", address.port())).await.unwrap();
        let both = [address.ip(), open.local_addr().unwrap().ip()];
        let stream = connect_to_any(&both, address.port(), Duration::from_secs(4)).await.unwrap();
        assert_eq!(stream.peer_addr().unwrap(), open.local_addr().unwrap());
        let error = connect_to_any(&both[..1], address.port(), short).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        drop((dead, queued));
    }
}
