//! The sockets of the zone, within bounds.
//!
//! Owns how many connections there may be, how long each may take, and how often a network is answered by datagrams. A datagram is
//! answered before the next one is read: nothing of them waits in memory.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep, timeout};

use crate::figures::DelegationFigures;
use crate::rate::Rate;
use crate::zone::{DelegatedZone, Outcome, Transport};

/// The most bytes of a question that are read: a name has 255, and what comes with it little more.
const LARGEST: usize = 1_232;
/// Connections at once, and those of one address.
const MOST_CONNECTIONS: usize = 128;
const MOST_PER_CLIENT: usize = 8;
/// Questions on one connection.
const MOST_QUESTIONS: usize = 64;
/// How long a connection may take for its next question, and for reading an answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long to wait where a socket says no, such as when there are no files left.
const PAUSE: Duration = Duration::from_millis(100);
/// How often another pair of ports is tried, where the system is to choose one that is free for both.
const TRIES: usize = 32;

/// The two sockets, on one port.
#[derive(Debug)]
pub struct Ports {
    udp: UdpSocket,
    tcp: TcpListener,
}

impl Ports {
    /// Opens both. With port 0 the system chooses one that is free for both. Within a runtime.
    ///
    /// # Errors
    /// The system's reason.
    pub fn open(address: SocketAddr) -> io::Result<Ports> {
        let mut tries = if address.port() == 0 { TRIES } else { 1 };
        loop {
            tries -= 1;
            let tcp = std::net::TcpListener::bind(address)?;
            let udp = match std::net::UdpSocket::bind(tcp.local_addr()?) {
                Ok(udp) => udp,
                Err(error) if tries == 0 => return Err(error),
                Err(_) => continue,
            };
            tcp.set_nonblocking(true)?;
            udp.set_nonblocking(true)?;
            return Ok(Ports { udp: UdpSocket::from_std(udp)?, tcp: TcpListener::from_std(tcp)? });
        }
    }

    /// Where they are.
    ///
    /// # Errors
    /// The system's reason.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.tcp.local_addr()
    }
}

/// Answers until it is dropped.
pub async fn serve(ports: Ports, zone: DelegatedZone, figures: DelegationFigures) {
    let Ports { udp, tcp } = ports;
    let zone = Arc::new(zone);
    tokio::join!(datagrams(udp, &zone, &figures), connections(tcp, &zone, &figures));
}

async fn datagrams(socket: UdpSocket, zone: &DelegatedZone, figures: &DelegationFigures) {
    let mut rate = Rate::new();
    // One more than is taken: what fills it is longer than any question.
    let mut buffer = [0; LARGEST + 1];
    loop {
        let (length, from) = match socket.recv_from(&mut buffer).await {
            Ok(received) => received,
            Err(error) => {
                tracing::debug!(%error, "a datagram was not received");
                sleep(PAUSE).await;
                continue;
            }
        };
        let question = buffer.get(..length).filter(|question| question.len() <= LARGEST).unwrap_or_default();
        let answer = if rate.takes(from.ip(), Instant::now()) {
            zone.answer(question, Transport::Udp)
        } else {
            zone.over_tcp(question).map(|answer| (answer, Outcome::Limited))
        };
        let Some((answer, outcome)) = answer else { continue };
        figures.count(outcome);
        // Where the socket has no room, the asker asks again.
        if let Err(error) = socket.try_send_to(&answer, from) {
            tracing::debug!(%error, "an answer was not sent");
        }
    }
}

async fn connections(listener: TcpListener, zone: &Arc<DelegatedZone>, figures: &DelegationFigures) {
    let places = Arc::new(Semaphore::new(MOST_CONNECTIONS));
    let clients = Clients::default();
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        let (stream, from) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::debug!(%error, "a connection was not accepted");
                sleep(PAUSE).await;
                continue;
            }
        };
        let Some(client) = clients.one_more(from.ip(), place) else { continue };
        let (zone, figures) = (Arc::clone(zone), figures.clone());
        tokio::spawn(async move {
            // What goes wrong on a connection ends it.
            let _ended = converse(stream, &zone, &figures).await;
            drop(client);
        });
    }
}

/// Answers what is asked on a connection (RFC 7766).
async fn converse(
    mut stream: TcpStream,
    zone: &DelegatedZone,
    figures: &DelegationFigures,
) -> io::Result<()> {
    for _ in 0..MOST_QUESTIONS {
        let reading = async {
            let length = usize::from(stream.read_u16().await?);
            if length > LARGEST {
                return Err(io::Error::from(io::ErrorKind::InvalidData));
            }
            let mut question = vec![0; length];
            stream.read_exact(&mut question).await?;
            Ok(question)
        };
        let question = timeout(PATIENCE, reading).await??;
        let Some((answer, outcome)) = zone.answer(&question, Transport::Tcp) else { return Ok(()) };
        figures.count(outcome);
        let length = u16::try_from(answer.len()).map_err(io::Error::other)?;
        let framed = [&length.to_be_bytes()[..], &answer].concat();
        timeout(PATIENCE, stream.write_all(&framed)).await??;
    }
    Ok(())
}

/// How many connections each address has.
#[derive(Clone, Default)]
struct Clients(Arc<Mutex<HashMap<IpAddr, usize>>>);

/// One connection of an address.
struct Client {
    clients: Clients,
    address: IpAddr,
    _place: OwnedSemaphorePermit,
}

impl Clients {
    fn one_more(&self, address: IpAddr, place: OwnedSemaphorePermit) -> Option<Client> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = known.entry(address).or_default();
        if *count >= MOST_PER_CLIENT {
            return None;
        }
        *count += 1;
        Some(Client { clients: self.clone(), address, _place: place })
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        let mut known = self.clients.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = known.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                known.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
mod tests;
