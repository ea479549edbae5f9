//! Accepts connections, hands each to a task of its own, and drains when asked to stop.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use crate::config::ListenerConfig;
use crate::connection::Shared;
use crate::exchange::Handler;
use crate::figures::Figures;
use crate::places::{Place, Places};
use crate::transport::Handshake;

/// Pause after the system could not give a connection (no file descriptors, for example).
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// Connections that the kernel may hold for us until they are accepted.
const BACKLOG: u32 = 4096;

/// Opens a port.
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

/// Serves until `stop` resolves; then takes no more, lets what is in flight finish for as long as the configuration
/// says, and returns.
pub async fn serve<H: Handler, T: Handshake>(
    listener: TcpListener,
    handshake: T,
    handler: Arc<H>,
    config: ListenerConfig,
    places: Places,
    figures: Figures,
    stop: impl Future<Output = ()>,
) {
    let Places { connections: permits, clients } = places;
    let (drain, told) = watch::channel(());
    let shared = Arc::new(Shared::new(handler, handshake, &config, clients, figures));
    let mut stop = std::pin::pin!(stop);
    loop {
        let accepted = tokio::select! {
            biased;
            () = &mut stop => break,
            accepted = accept(&listener, &permits) => accepted,
        };
        match accepted {
            Ok((stream, peer, permit)) => begin(stream, peer, permit, &shared, &told),
            Err(error) => {
                tracing::warn!(%error, "could not accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    // From here on the port refuses.
    drop(listener);
    drop(told);
    let drained = async {
        let _nobody = drain.send(());
        drain.closed().await;
        // What goes on after its answer.
        shared.handler.idle().await;
    };
    tokio::select! {
        () = drained => tracing::info!("all connections are done"),
        () = tokio::time::sleep(config.drain) => {
            tracing::warn!(seconds = config.drain.as_secs_f64(), "what is left after the drain time is cut");
        }
    }
}

/// Gives a connection a task of its own. One more than its client may have is closed without a word: to say something
/// would cost more than the client had to pay.
fn begin<H: Handler, T: Handshake>(
    stream: TcpStream,
    peer: SocketAddr,
    permit: OwnedSemaphorePermit,
    shared: &Arc<Shared<H, T>>,
    told: &watch::Receiver<()>,
) {
    let address = peer.ip().to_canonical();
    let mut place = Place::new(&shared.figures, permit);
    // Behind a proxy are many clients.
    if shared.proxies.trusts(address) || place.enter(&shared.clients, address) {
        tokio::spawn(Arc::clone(shared).serve(stream, address, place, told.clone()));
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

#[cfg(test)]
mod tests;
