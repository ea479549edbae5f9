//! HTTP/3: the front door by UDP, for the same visitors and with the same bounds as by TCP.
//!
//! The way of a connection, in order:
//!
//! 1. [`serve_http3`] takes it, if there is a place for it, and if its client showed that its address is its own where many
//!    have not. `settings` says what QUIC may hold for it.
//! 2. [`crate::tls`] carries out the handshake, for names that may be served without TCP.
//! 3. `wire` and `streams` are what `h3` sees of it; `frames`, `allowance` and `link` bound what a client may say there.
//! 4. `connection` takes requests and drains, `answer` is one of them, `body` what comes with it.
//!
//! `h3` is of a release that promises nothing about the next one: nobody outside of this module knows of it.

mod allowance;
mod answer;
mod body;
mod connection;
mod frames;
mod link;
mod settings;
mod streams;
mod wire;

use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

use quinn::{Connecting, Endpoint, EndpointConfig, Incoming, TokioRuntime, VarInt};
use tokio::sync::{Semaphore, watch};

use self::connection::Connection;
use self::settings::Settings;
use crate::activity::Activity;
use crate::clients::Clients;
use crate::config::ListenerConfig;
use crate::exchange::{Client, Exchange, Handler};
use crate::figures::{Figures, Refused};
use crate::patience::Patience;
use crate::places::{Place, Places};
use crate::proxies::Proxies;
use crate::tls::Tls;
use crate::tls::accept::DEADLINE;
use crate::tls::quic::{Quic, Shaking};

/// Handshakes at the same time with clients that did not show that their address is theirs: whoever writes another sender on
/// what they send holds no more than these. Further clients are asked to come again with what they are sent, which costs them
/// the time of one exchange and us no memory (RFC 9000 section 8.1.2).
const UNSHOWN: usize = 64;
/// How long the last words to clients may take to go out.
const LAST_WORDS: Duration = Duration::from_secs(1);
/// `H3_NO_ERROR`.
const NO_ERROR: VarInt = VarInt::from_u32(0x100);

/// Opens the port of HTTP/3, at the address of one for TCP.
///
/// # Errors
///
/// What the system says: in use, not allowed, no such address.
pub fn bind_udp(address: SocketAddr) -> io::Result<UdpSocket> {
    let socket = UdpSocket::bind(address)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// What all connections by UDP share.
struct Shared<H> {
    handler: Arc<H>,
    tls: Quic,
    settings: Settings,
    patience: Patience,
    max_header_bytes: usize,
    max_headers: usize,
    proxies: Arc<Proxies>,
    proxy_protocol: bool,
    clients: Arc<Clients>,
    figures: Figures,
    unshown: Arc<Semaphore>,
}

/// Serves the names of a handshake by UDP until `stop` resolves; then takes no more, lets what is in flight finish for as long
/// as the configuration says, and returns. Names that ask clients for certificates, and those that do not speak TLS 1.3, are
/// not served.
///
/// # Errors
///
/// When the socket cannot be waited for, or the cryptography lacks what QUIC begins with.
pub async fn serve_http3<H: Handler>(
    socket: UdpSocket,
    tls: &Tls,
    handler: Arc<H>,
    config: ListenerConfig,
    places: Places,
    figures: Figures,
    stop: impl Future<Output = ()>,
) -> io::Result<()> {
    let tls = tls.over_quic();
    let settings = Settings::new(&config, tls.first_words().map_err(io::Error::other)?);
    let endpoint =
        Endpoint::new(EndpointConfig::default(), Some(settings.first()), socket, Arc::new(TokioRuntime))?;
    let shared = Arc::new(Shared {
        handler,
        tls,
        settings,
        patience: crate::connection::patience(&config),
        max_header_bytes: config.max_header_bytes,
        max_headers: config.max_headers,
        proxies: Arc::new(config.proxies.clone()),
        proxy_protocol: config.proxy_protocol,
        clients: places.clients,
        figures,
        unshown: Arc::new(Semaphore::new(UNSHOWN)),
    });
    let (drain, told) = watch::channel(());
    let mut stop = std::pin::pin!(stop);
    loop {
        let incoming = tokio::select! {
            biased;
            () = &mut stop => break,
            incoming = endpoint.accept() => incoming,
        };
        let Some(incoming) = incoming else { break };
        begin(incoming, &shared, &places.connections, &told);
    }
    drop(told);
    // From here on the port refuses: who is told so need not wait to go elsewhere.
    let refusing = async {
        while let Some(incoming) = endpoint.accept().await {
            incoming.refuse();
        }
        std::future::pending::<()>().await;
    };
    let drained = async {
        let _nobody = drain.send(());
        drain.closed().await;
        shared.handler.idle().await;
    };
    let drained = async {
        tokio::select! {
            () = drained => {}
            () = refusing => {}
        }
    };
    if tokio::time::timeout(config.drain, drained).await.is_err() {
        tracing::warn!(
            seconds = config.drain.as_secs_f64(),
            "what is left of HTTP/3 after the drain time is cut"
        );
    }
    endpoint.close(NO_ERROR, b"");
    let _gone = tokio::time::timeout(LAST_WORDS, endpoint.wait_idle()).await;
    Ok(())
}

/// Gives a connection a task of its own, or says why not.
fn begin<H: Handler>(
    incoming: Incoming,
    shared: &Arc<Shared<H>>,
    places: &Arc<Semaphore>,
    told: &watch::Receiver<()>,
) {
    let address = incoming.remote_address().ip().to_canonical();
    if shared.is_behind_a_header(address) {
        shared.figures.refused(Refused::ProxyHeader);
        return incoming.refuse();
    }
    let is_shown = incoming.remote_address_validated();
    let unshown = if is_shown { None } else { Arc::clone(&shared.unshown).try_acquire_owned().ok() };
    if !is_shown && unshown.is_none() {
        shared.tls.sent_back();
        // It can be sent back as long as its address is not shown.
        let _sent_back = incoming.retry();
        return;
    }
    let Ok(permit) = Arc::clone(places).try_acquire_owned() else {
        shared.figures.refused(Refused::Full);
        return incoming.refuse();
    };
    let mut place = Place::new(&shared.figures, permit);
    // Somebody else's address must not cost that one a place.
    if is_shown && !shared.may_enter(address, &mut place) {
        return incoming.refuse();
    }
    let Ok((config, shaking)) = shared.tls.begin() else { return incoming.refuse() };
    let config = Arc::new(shared.settings.with(config));
    let Ok(connecting) = incoming.accept_with(config) else { return shaking.failed() };
    let (shared, told) = (Arc::clone(shared), told.clone());
    tokio::spawn(async move {
        let connected = shared.connected(connecting, shaking).await;
        drop(unshown);
        let Some((quic, encrypted)) = connected else { return };
        if !is_shown && !shared.may_enter(address, &mut place) {
            return quic.close(NO_ERROR, b"");
        }
        Connection::new(shared, quic, encrypted, place).serve(told).await;
    });
}

impl<H: Handler> Shared<H> {
    /// Carries a handshake out.
    async fn connected(
        &self,
        connecting: Connecting,
        shaking: Shaking,
    ) -> Option<(quinn::Connection, Arc<crate::tls::Encrypted>)> {
        let deadline = DEADLINE.min(self.patience.head);
        let connected = tokio::time::timeout(deadline, connecting);
        let connected = tokio::select! {
            biased;
            () = shaking.given_up() => {
                // What is let go of is closed.
                shaking.failed();
                return None;
            }
            connected = connected => connected,
        };
        match connected {
            Ok(Ok(quic)) => Some((quic, shaking.done()?)),
            Ok(Err(error)) => {
                tracing::debug!(%error, "a handshake over QUIC failed");
                shaking.failed();
                None
            }
            // It is counted as one that its client gave up.
            Err(_) => None,
        }
    }

    /// Whether connections from there begin with a header of the PROXY protocol, which nothing by UDP has.
    fn is_behind_a_header(&self, address: IpAddr) -> bool {
        self.proxy_protocol && self.proxies.trusts(address)
    }

    /// Counts a connection among those of its client. Behind a proxy are many clients.
    fn may_enter(&self, address: IpAddr, place: &mut Place) -> bool {
        self.proxies.trusts(address) || place.enter(&self.clients, address)
    }

    fn exchange(&self, peer: Client, activity: &Arc<Activity>) -> Arc<Exchange<H>> {
        Arc::new(Exchange {
            handler: Arc::clone(&self.handler),
            proxies: Arc::clone(&self.proxies),
            peer,
            activity: Arc::clone(activity),
            max_headers: self.max_headers,
            upgrades: false,
            slow_reader: self.patience.reader,
        })
    }
}

#[cfg(test)]
mod tests;
